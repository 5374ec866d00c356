"""An SSH key that is made or imported in the middle of the wizard: it is chosen, and nothing typed is lost."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.deploy.models import Draft
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, KEY, URL, choose, form_of, page, parts, post, ready, section
from tests.apps.snapshots.helpers import body
from tests.conftest import HTMX

SECRET = "#!/bin/bash\nexport HF_TOKEN=hf_abcdefgh12345678\n"
BUTTONS = {"create-key": "/ssh-keys/create/", "import-key": "/ssh-keys/import/"}


@pytest.mark.feature("DEP-23")
def test_it_takes_a_key_from_the_dialog_over_the_page(operator: Client, sandbox: Sandbox) -> None:
    # given a form with what is not kept, sent from the dialog in which a key was made
    form = ready(operator, sandbox) | {"intent": "update"}
    secrets = {"start": "paste", "cloud_init": SECRET, "jupyter_enabled": "on", "jupyter_password": "Tr0ub4dor&3-x"}
    answer = post(operator, form | secrets, add_key="ci-runner", name="typed-just-now")
    # then the dialog closes, and the key is chosen beside the other one
    assert (answer.status_code, answer["HX-Trigger"]) == (200, "modal:close")
    assert re.findall(r'value="([^"]+)" checked', section(answer, "access")) == [KEY, "ci-runner"]
    assert (answer["HX-Reswap"], "access" in parts(answer)) == ("none", True)
    # and nothing of the form is lost: the script stands in the part that comes, the rest in the draft
    assert "hf_abcdefgh12345678" in section(answer, "start")
    values = Draft.objects.get().values
    assert (values["name"], values["ssh_keys"]) == (["typed-just-now"], [KEY, "ci-runner"])
    # while any other change closes nothing
    assert "HX-Trigger" not in post(operator, form, name="other")


@pytest.mark.feature("DEP-23")
def test_it_keeps_the_password_where_it_stands(operator: Client, sandbox: Sandbox) -> None:
    # given a password in the page, which is kept nowhere
    form = ready(operator, sandbox) | {"intent": "update"}
    jupyter = {"jupyter_enabled": "on", "jupyter_password": "Tr0ub4dor&3-x"}
    seen = form_of(page(operator, draft=form["draft"][0]))["seen"]
    first = post(operator, form | jupyter, seen=seen)
    new = dict(re.findall(r'name="seen" value="(\w+):(\w+)"', body(first)))
    seen = [f"{key}:{new.get(key, tag)}" for key, _, tag in (mark.partition(":") for mark in seen)]
    # when a key comes along, then the section in which it stands is not drawn anew
    answer = post(operator, form | jupyter, seen=seen, add_key="ci-runner")
    assert "start" not in parts(answer)
    assert "access" in parts(answer)


@pytest.mark.feature("DEP-23")
@pytest.mark.parametrize(("go", "address"), BUTTONS.items())
def test_it_keeps_the_form_first_without_javascript(operator: Client, go: str, address: str) -> None:
    # given a form in which something was typed
    shown = choose(operator, **CHOICES)
    form = form_of(shown)
    draft = form["draft"][0]
    assert f'<button type="submit" name="go" value="{go}" class="btn without-script">' in section(shown, "access")
    # when one of the buttons is pressed, then all of it is kept, and the key's page knows where to go on
    answer = post(operator, form, htmx=False, go=go, name="typed-just-now", gpu_count="2")
    assert (answer.status_code, answer["Location"]) == (302, f"{address}?to=deploy&draft={draft}")
    values = Draft.objects.get().values
    assert (values["name"], values["gpu_count"]) == (["typed-just-now"], ["2"])


def test_it_goes_nowhere_else(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    for go in ("https://example.com/", "delete-key", ""):
        assert post(operator, form, htmx=False, go=go)["Location"].startswith(f"{URL}?draft=")


def test_it_has_ids_that_no_dialog_has(operator: Client) -> None:
    # given the dialogs that open over the page, whose fields are called "name", too
    shown = body(choose(operator, **CHOICES))
    assert 'id="deploy_name"' in shown
    dialog = body(operator.get("/ssh-keys/create/", headers=HTMX))
    ids: dict[str, Any] = {
        place: set(re.findall(r' id="([^"]+)"', html)) for place, html in [("a", shown), ("b", dialog)]
    }
    assert "id_name" in ids["b"]
    assert ids["a"] & ids["b"] <= {"dialog-title"}
