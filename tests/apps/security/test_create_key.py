"""/ssh-keys/create/: a pair is made once, and its private half is in one answer and nowhere else."""

import base64
import html
import json
import logging
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.activity.lookup import settle
from apps.activity.models import Event, Operation
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import CREATE, DRAFT, LIST, card, fill_up, new, secret, shown_key
from tests.apps.snapshots.helpers import (
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    alert,
    at_once,
    body,
    feedback,
    sent,
    submit_button,
    typed,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

IN_MODAL = {**HTMX, "HX-Current-URL": f"http://testserver{LIST}"}
ALLOWED = "Use letters, numbers, underscores (_), hyphens (-) and periods (.) only."
BAD_NAMES = [
    ("", "Enter a name."),
    ("my key", f"Not allowed: a space. {ALLOWED}"),
    ("a/b", f"Not allowed: “/”. {ALLOWED}"),
    ("clé", f"Not allowed: “é”. {ALLOWED}"),
    ("x" * 51, "Use at most 50 characters; this has 51."),
    ("key\n", f"Not allowed: a line break. {ALLOWED}"),
]


def link(response: HttpResponse) -> tuple[str, str]:
    """Return the name and the content of the file that the answer gives to download."""
    found = re.search(r'<a class="btn btn-primary" href="([^"]*)" download="([^"]*)" data-download>', body(response))
    assert found, "nothing to download"
    kind, _, content = html.unescape(found.group(1)).partition(";base64,")
    assert kind == "data:application/x-pem-file"
    return found.group(2), base64.b64decode(content).decode()


def lines(key: str) -> list[str]:
    """Return the lines by which a private key is known again, wherever it stands."""
    return [line for line in key.splitlines() if line and not line.startswith("-----")]


def everywhere(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that the portal keeps: each row of each table, sessions decoded, caches, copies, log."""
    rows = [list(model.objects.values()) for model in apps.get_models() if model._meta.managed]
    sessions = [row.get_decoded() for row in Session.objects.all()]
    cached = [*getattr(cache, "_cache", {}).values()]
    copies = [held for source in cloud.SOURCES for held in source.held.values()]
    records = [(record.getMessage(), record.__dict__) for record in caplog.records]
    return repr([rows, sessions, cached, copies, records, caplog.text])


# -- works


@pytest.mark.feature("KEY-01", "KEY-03", "KEY-04")
def test_it_gives_the_private_key_to_download_once(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, new(operator), headers=IN_MODAL)
    assert response.status_code == 200
    assert sent(sandbox, "create_ssh_key") == [{"name": "fresh"}]
    # then the file is named after the key, and is the private half of the pair in the cloud
    name, content = link(response)
    private = load_pem_private_key(content.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert (name, private.key_size, content) == ("fresh.pem", 2048, shown_key(response))
    assert content.endswith("-----\n")
    record = sandbox.world.ssh_keys[Operation.objects.get().result_id]
    public = private.public_key().public_numbers().n.to_bytes(256, "big")
    assert public in base64.b64decode(record["public_key"].split(" ")[1])
    # and the list behind the dialog is read anew, while the dialog stays
    assert json.loads(response["HX-Trigger"]) == {"keys:changed": True}
    assert "fresh" in card(operator.get(LIST), "fresh")
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "key.create")


@pytest.mark.feature("KEY-06", "KEY-07", "KEY-08")
def test_it_says_how_to_keep_it(operator: Client) -> None:
    said = text_of(operator.post(CREATE, new(operator), headers=IN_MODAL))
    assert said.startswith("Save your private key")
    assert "Store it securely as it cannot be retrieved later from our servers" in said
    assert "Never share your private key with anyone or upload it to version control" in said
    assert "Back up your private key in a secure location" in said


@pytest.mark.feature("KEY-09", "KEY-10", "KEY-13")
def test_it_shows_the_commands_and_where_the_key_is(operator: Client) -> None:
    response = operator.post(CREATE, new(operator), headers=IN_MODAL)
    commands = [
        html.unescape(found) for found in re.findall(r'<code class="copy-text"[^>]*>(.*?)</code>', body(response))
    ]
    assert commands == [
        "chmod 600 /path/to/your_private_key.pem",
        r'icacls "C:\path\to\your_private_key.pem" /inheritance:r /grant:r "$($env:USERNAME):(R,W)"',
    ]
    assert "Regions NORWAY-1, CANADA-1, US-1" in text_of(response)


@pytest.mark.feature("KEY-05")
def test_it_works_as_a_page_without_javascript(operator: Client) -> None:
    form = operator.get(CREATE)
    assert "The private key is only available for download once during creation" in text_of(form)
    response = operator.post(CREATE, {"name": "fresh", "intent": "create", "token": token_of(form)})
    assert response.status_code == 200
    assert "<html" in body(response)
    assert "only available for download once during creation" in text_of(response)
    assert link(response)[0] == "fresh.pem"
    # and the way on is open once the box is ticked, by the browser's own rule
    assert f'<form class="dialog-form" data-keep method="get" action="{LIST}">' in body(response)
    assert '<input type="checkbox" required autocomplete="off"><span>I saved it</span>' in body(response)
    assert 'method="dialog"' in body(operator.post(CREATE, new(operator, name="other"), headers=IN_MODAL))


def test_it_says_what_will_happen(operator: Client) -> None:
    said = text_of(operator.get(CREATE, headers=HTMX))
    assert "automatically generates a secure 2048-bit RSA public/private key pair" in said
    assert "Keys are automatically distributed to all regions upon creation: CANADA-1, NORWAY-1, US-1." in said
    assert "Maximum of 25 SSH keys per region; there are 4 now." in said


def test_it_gives_a_file_that_openssh_can_read_whatever_line_ends_came(operator: Client, sandbox: Sandbox) -> None:
    text = secret("rsa-2048")
    for name, came in (("one", text.strip().replace("\n", "\r\n")), ("two", f"\n{text}\n")):
        sandbox.faults.arm("create_ssh_key", "status", status=200, body=answer(name, came))
        assert link(operator.post(CREATE, new(operator, name=name), headers=HTMX))[1] == text


def answer(name: str, private_key: Any) -> dict[str, Any]:
    return {"success": True, "ssh_key": {"id": 77, "name": name}, "private_key": private_key}


# -- once, and nowhere else


@pytest.mark.feature("KEY-05")
def test_nothing_that_the_portal_keeps_holds_a_private_key(
    operator: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # given pairs that were made in every way, and everything looked at afterwards
    found = []
    for name, headers in (("as-part", HTMX), ("as-page", {})):
        data = new(operator, name=name)
        first = operator.post(CREATE, data, headers=headers)
        assert first["Cache-Control"] == "no-store"
        found.append(shown_key(first))
        for url in (LIST, "/activity/", "/", f"{LIST}{Operation.objects.first().result_id}/"):
            found_again(operator.get(url), found)
        found_again(operator.post(CREATE, data, headers=headers), found)
    # then each has a key of its own, and it is in no row, session, cache, copy or line of the log
    assert len({line for key in found for line in lines(key)}) > 40
    kept = everywhere(caplog)
    assert "as-page" in kept
    assert [line for key in found for line in lines(key) if line in kept] == []
    assert "PRIVATE KEY" not in kept


def found_again(response: HttpResponse, keys: list[str]) -> None:
    """Fail when an answer holds any of the keys, as it is or as a file to download."""
    page = html.unescape(body(response))
    for part in [page, *(base64.b64decode(found).decode() for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", page))]:
        assert [line for key in keys for line in lines(key) if line in part] == []


@pytest.mark.feature("KEY-05")
@pytest.mark.parametrize("headers", [IN_MODAL, {}])
def test_it_shows_no_key_a_second_time(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = new(operator)
    operator.post(CREATE, data, headers=headers)
    again = operator.post(CREATE, data, headers=headers)
    assert again.status_code == 409
    assert again["Cache-Control"] == "no-store"
    assert alert(again, "warning").startswith("The key “fresh” was already created; its private key was shown once")
    assert "If you did not, delete this key and make another; an admin can delete it" in words(body(again)).replace(
        "if you saved the file, all is well. ", ""
    )
    assert "data-download" not in body(again)
    assert len(sandbox.log.calls("create_ssh_key")) == Operation.objects.count() == 1
    # and another form under its token is another one
    other = operator.post(CREATE, {**data, "name": "other"}, headers=HTMX)
    assert (other.status_code, "Here is what it did: Create SSH key" in words(body(other))) == (409, True)


@pytest.mark.django_db(transaction=True)
def test_it_is_made_once_when_sent_by_two_threads_at_once(operator: Client, sandbox: Sandbox) -> None:
    data = new(operator)
    sandbox.faults.arm("create_ssh_key", "delay", seconds=0.2)
    answers = at_once(*[lambda: operator.post(CREATE, data, headers=HTMX)] * 2)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert sum("data-download" in body(answer) for answer in answers) == 1
    assert len(sandbox.log.calls("create_ssh_key")) == 1


# -- the answer is lost


@pytest.mark.feature("KEY-05")
@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_says_that_nobody_has_the_key_whose_answer_was_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("create_ssh_key", kind)
    response = operator.post(CREATE, new(operator), headers=IN_MODAL)
    assert response.status_code == 200
    assert alert(response, "warning").startswith("The key “fresh” is created, but nobody has its private key")
    assert "delete this key and make another" in text_of(response)
    made = Operation.objects.get()
    assert made.result_id in sandbox.world.ssh_keys
    assert f'href="{LIST}{made.result_id}/">Look at the key</a>' in body(response)
    assert len(sandbox.log.calls("create_ssh_key")) == 1
    # and so does the operation's own page
    assert "Whoever does not have it deletes this key" in text_of(operator.get(made.get_absolute_url()))


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_looks_for_a_key_whose_answer_was_lost(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    sandbox.faults.arm("create_ssh_key", kind)
    data = new(operator)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and the new SSH key is not seen yet."
    )
    assert "Whoever does not have it deletes this key and creates another one." in unsure(response)
    assert operator.post(CREATE, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_ssh_key")) == 1
    # when it appears after all, then the same form says that it exists, and shows no key
    record = dict(sandbox.world.ssh_keys["14"]) | {"id": 88, "name": "fresh", "created_at": None}
    sandbox.world.add("ssh_keys", "88", record)
    assert settle(Operation.objects.get())
    late = operator.post(CREATE, data, headers=HTMX)
    assert alert(late, "warning").startswith("The key “fresh” was already created")


@pytest.mark.parametrize("private_key", [None, "", "x" * 20_001])
def test_it_says_so_when_no_private_key_came(operator: Client, sandbox: Sandbox, private_key: str | None) -> None:
    sandbox.faults.arm("create_ssh_key", "status", status=200, body=answer("fresh", private_key))
    response = operator.post(CREATE, new(operator), headers=HTMX)
    assert alert(response, "warning").startswith("The key “fresh” is created, but nobody has its private key")


def test_a_key_that_looks_odd_is_shown_as_text(operator: Client, sandbox: Sandbox) -> None:
    odd = "<script>alert(1)</script>"
    sandbox.faults.arm("create_ssh_key", "status", status=200, body=answer("fresh", odd))
    response = operator.post(CREATE, new(operator), headers=HTMX)
    assert "<script>alert" not in body(response)
    assert shown_key(response) == f"{odd}\n"


# -- bad input, limits


@pytest.mark.feature("KEY-02")
@pytest.mark.parametrize(("name", "message"), BAD_NAMES)
def test_it_refuses_a_name_that_cannot_be(operator: Client, sandbox: Sandbox, name: str, message: str) -> None:
    live = operator.post(CREATE, {**new(operator, name=name), "intent": "", "validate": "name"}, headers=HTMX)
    assert feedback(live) == message
    response = operator.post(CREATE, new(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert (feedback(response), typed(response)) == (message, name)
    assert sandbox.log.calls("create_ssh_key") == []


@pytest.mark.feature("KEY-02")
def test_it_takes_fifty_characters_of_every_kind(operator: Client, sandbox: Sandbox) -> None:
    name = "aZ09._-" + "x" * 43
    assert link(operator.post(CREATE, new(operator, name=name), headers=HTMX))[0] == f"{name}.pem"


@pytest.mark.feature("KEY-12")
def test_it_refuses_a_name_in_use(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, new(operator, name="team-laptop"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response).startswith(
        "Key names must be unique within your account, and “team-laptop” already exists."
    )
    assert sandbox.log.calls("create_ssh_key") == []
    # and one that is taken since the form was read
    sandbox.faults.arm(
        "create_ssh_key", "status", status=409,
        body={"success": False, "error": "NAME_TAKEN", "message": "taken", "details": {"name": "It is taken."}},
    )  # fmt: skip
    late = operator.post(CREATE, new(operator), headers=HTMX)
    assert (late.status_code, feedback(late)) == (422, "It is taken.")


@pytest.mark.feature("KEY-11")
def test_it_takes_the_25th_key_and_refuses_the_26th(operator: Client, sandbox: Sandbox) -> None:
    fill_up(sandbox, 24)
    assert operator.post(CREATE, new(operator), headers=HTMX).status_code == 200
    response = operator.get(CREATE, headers=HTMX)
    assert alert(response).startswith(
        "There is no room for another key Maximum of 25 SSH keys per region: there are 25"
    )
    assert "disabled" in submit_button(response)
    again = operator.post(CREATE, {"name": "26th", "intent": "create", "token": token_of(response)}, headers=HTMX)
    assert again.status_code == 422
    assert len(sandbox.log.calls("create_ssh_key")) == 1


@pytest.mark.feature("KEY-11")
def test_it_says_what_the_limit_means_when_the_api_has_one(operator: Client, sandbox: Sandbox) -> None:
    data = new(operator)
    cloud.ssh_keys.read()
    sandbox.faults.arm(
        "create_ssh_key", "status", status=409,
        body={"success": False, "error": "LIMIT_REACHED", "message": "An account has at most 25 SSH keys."},
    )  # fmt: skip
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("The limit is reached")
    assert "Barrack says: An account has at most 25 SSH keys." in alert(response)
    assert typed(response) == "fresh"


def test_a_private_key_in_the_name_is_not_shown_again(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, new(operator, name=secret().replace("\n", " ")), headers=HTMX)
    assert feedback(response).startswith("This looks like a private key")
    assert typed(response) == ""
    assert [line for line in lines(secret()) if line in body(response)] == []


# -- roles, methods


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(CREATE), browser.post(CREATE, {"intent": "create"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create and import SSH keys; your role is {role}." in text_of(response)
    assert sandbox.log.calls("create_ssh_key") == []


@pytest.mark.parametrize("method", ["put", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(CREATE).status_code == 405
    assert sandbox.log.calls() == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, {**new(operator), "token": "x"}, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("create_ssh_key") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_what_the_api_refused_and_keeps_what_was_typed(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_ssh_key", "status", status=status)
    response = operator.post(CREATE, new(operator), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert typed(response) == "fresh"


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_sends_nothing_while_the_names_cannot_be_read(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = new(operator)
    sandbox.faults.arm("list_ssh_keys", kind, times=None)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert sandbox.log.calls("create_ssh_key") == []


# -- for a deployment


@pytest.mark.parametrize("headers", [IN_MODAL, {}])
def test_it_leads_back_to_the_deployment_that_asked(operator: Client, headers: dict[str, str]) -> None:
    url = f"{CREATE}?to=deploy&draft={DRAFT}"
    wizard = reverse("deploy:wizard")
    form = operator.get(url, headers=headers)
    assert f'href="{wizard}?draft={DRAFT}" data-close>Cancel' in body(form)
    response = operator.post(url, {"name": "fresh", "intent": "create", "token": token_of(form)}, headers=headers)
    # then the only way on takes the key into the deployment, once the box is ticked
    html_ = body(response)
    form_tag = re.findall(r'<form class="dialog-form"[^>]*>', html_)[0]
    assert f'data-keep method="get" action="{wizard}"' in form_tag
    assert hidden(html_) == {"draft": DRAFT, "add_key": "fresh"}
    assert '<input type="checkbox" required autocomplete="off"><span>I saved it</span>' in html_
    submits = re.findall(r'<button type="submit"[^>]*>([^<]*)</button>', html_.partition(form_tag)[2])
    assert submits == ["Use it in the deployment"]
    # and over the wizard's page, it sends that page's form along
    sync = 'hx-sync="#deploy-steps:replace"'
    over = f'hx-post="{wizard}" hx-include="#deploy" {sync} hx-vals=\'{{"intent": "update"}}\' hx-swap="none"'
    assert (over in form_tag) == bool(headers)
    assert "hx-trigger" not in form_tag


def hidden(html_: str) -> dict[str, str]:
    """Return what the form in a dialog about a deployment carries."""
    form = html_.partition('<form class="dialog-form"')[2]
    return dict(re.findall(r'<input type="hidden" name="(draft|add_key)" value="([^"]*)">', form))


@pytest.mark.parametrize("query", ["", "to=deploy", "to=deploy&draft=x", f"to=evil&draft={DRAFT}", f"draft={DRAFT}"])
def test_it_leads_nowhere_else(operator: Client, query: str) -> None:
    response = operator.get(f"{CREATE}?{query}", headers=HTMX)
    assert f'href="{LIST}" data-close>Cancel' in body(response)
    assert reverse("deploy:wizard") not in body(response)
