"""Pressing Deploy: what the cloud receives, and what keeps a form from being sent."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import serializers
from django.core.cache import cache
from django.test import Client

from apps.activity.models import Event, Operation
from apps.deploy.models import Draft
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import KEY, MODEL, NAME, REGION, URL, errors, form_of, is_open, section
from tests.apps.deploy.sends import CREATE, SYSTEM, drafted, filled, led_to, opened, page_of, send, vms, wanted
from tests.apps.snapshots.helpers import READ_FAULTS, alert, body
from tests.conftest import HTMX, text_of

OFFICE_SSH, PING = "ingress|tcp|IPv4|203.0.113.0/24|22|22", "ingress|icmp|IPv4|0.0.0.0/0||"
BASIC = {
    "vm_name": NAME,
    "gpu_model": MODEL,
    "gpu_count": 1,
    "region": REGION,
    "ssh_keys": [KEY],
    "os_image": SYSTEM,
    "assign_public_ip": True,
    "jupyter_enabled": False,
}
VOLUME, IMAGE, SCRIPT = "BRK-123519V", "501", "71"
CLOUD_CONFIG = "#cloud-config\npackages:\n  - git\n"
PASSWORD = "correct-Horse-47-battery"


def without(*names: str, **more: Any) -> dict[str, Any]:
    """Return the basic deployment without these fields, and with others."""
    return {name: value for name, value in BASIC.items() if name not in names} | more


# -- works


@pytest.mark.feature("DEP-43")
def test_it_makes_one_vm_and_leads_to_what_becomes_of_it(operator: Client, sandbox: Sandbox) -> None:
    # given a complete form
    data = filled(operator)
    # when Deploy is pressed
    response = send(operator, data)
    # then the cloud has received one deployment, and it is written down with the VM that it made
    assert wanted(sandbox) == [BASIC]
    (vm,) = vms(sandbox)
    operation, event = Operation.objects.get(), Event.objects.get()
    assert (operation.state, operation.result_id, operation.name) == ("done", vm["instance_id"], NAME)
    assert (event.action, event.result, event.target_name) == ("instance.create", "done", f"1 × {MODEL} in {REGION}")
    # and the page that follows says what was accepted, under the id that support asks for
    assert led_to(response) == page_of(operation)
    text = text_of(operator.get(led_to(response)))
    assert "Accepted by Barrack" in text
    assert f"Deployment ID {Draft.objects.get().deployment_id} " in text
    assert Draft.objects.get().deployment_id.startswith("DEP")


@pytest.mark.feature("DEP-25", "DEP-27", "DEP-30")
def test_it_sends_every_choice(operator: Client, sandbox: Sandbox) -> None:
    # given another size, two keys, no public address, and rules with and without ports
    data = filled(operator, gpu_count="4", ssh_keys=[KEY, "ci-runner"], public_ip=[], rule=[OFFICE_SSH, PING])
    # when it is sent
    send(operator, data)
    # then the cloud has received them as they are
    ssh = {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 22,
        "port_range_max": 22,
    }
    ping = {"direction": "ingress", "protocol": "icmp", "ethertype": "IPv4", "remote_ip_prefix": "0.0.0.0/0"}
    more = {"gpu_count": 4, "ssh_keys": [KEY, "ci-runner"], "assign_public_ip": False}
    assert wanted(sandbox) == [BASIC | more | {"security_rules": [ssh, ping]}]


@pytest.mark.feature("DEP-16")
@pytest.mark.parametrize(("source", "field", "chosen"), [("volume", "volume_id", VOLUME), ("image", "image_id", IMAGE)])
def test_it_sends_one_boot_source(operator: Client, sandbox: Sandbox, source: str, field: str, chosen: str) -> None:
    # given a draft in which each of the three was chosen once, and one of them in the end
    data = filled(operator, boot=source, volume_id=VOLUME, image_id=IMAGE)
    # when it is sent, then only that one goes out
    response = send(operator, data)
    assert led_to(response), text_of(response)
    assert wanted(sandbox) == [without("os_image", **{field: chosen})]


@pytest.mark.feature("DEP-39")
def test_it_sends_a_kept_script_by_its_id(operator: Client, sandbox: Sandbox) -> None:
    # given a kept script that is chosen, beside a text that was pasted before
    send(operator, filled(operator, start="script", script_id=SCRIPT, cloud_init=CLOUD_CONFIG))
    assert wanted(sandbox) == [without(script_id=SCRIPT)]


@pytest.mark.parametrize("htmx", [True, False])
def test_it_sends_a_pasted_script_as_it_was_typed(operator: Client, sandbox: Sandbox, htmx: bool) -> None:
    # given a pasted script, which a browser sends with CRLF when it sends the form by itself
    data = filled(operator, start="paste", script_id=SCRIPT, cloud_init=CLOUD_CONFIG)
    text = CLOUD_CONFIG if htmx else CLOUD_CONFIG.replace("\n", "\r\n")
    # when it is sent, then the cloud receives its lines as they were, and no script beside it
    operator.post(URL, data | {"cloud_init": text}, headers=HTMX if htmx else {})
    assert wanted(sandbox) == [without(cloud_init=CLOUD_CONFIG)]


def stored(caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that is written anywhere: rows, sessions, the cache and the log."""
    rows = [serializers.serialize("json", model._default_manager.all()) for model in apps.get_models()]
    sessions = [str(SessionStore().decode(row.session_data)) for row in Session.objects.all()]
    return "\n".join([*rows, *sessions, str(getattr(cache, "_cache", "")), caplog.text])


@pytest.mark.parametrize("fault", ["", "drop_answer", "status"])
def test_it_sends_the_jupyter_password_and_keeps_it_nowhere(
    operator: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    # given a form with a password, in whichever way it ends
    caplog.set_level(logging.DEBUG)
    data = filled(operator, jupyter_enabled="on", password=PASSWORD)
    if fault:
        sandbox.faults.arm(CREATE, fault)
    # when it is sent
    response = send(operator, data)
    # then the cloud has received it, and no row, session, log, copy or page has it, not even as a digest that shows it
    assert wanted(sandbox) == [BASIC | {"jupyter_enabled": True, "jupyter_password": "[removed]"}]
    assert PASSWORD not in stored(caplog) + body(response) + str(response.headers) + str(response.cookies)
    other = send(operator, data | {"jupyter_password": "another-one-entirely"})
    assert len(wanted(sandbox)) == 1, text_of(other)


@pytest.mark.feature("DEP-33")
def test_it_sends_no_password_without_jupyter(operator: Client, sandbox: Sandbox) -> None:
    send(operator, filled(operator, password=PASSWORD))
    assert wanted(sandbox) == [BASIC]


def test_it_works_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, filled(operator))
    assert (response.status_code, response["Location"]) == (302, page_of(Operation.objects.get()))
    assert "Accepted by Barrack" in text_of(operator.get(response["Location"]))
    assert wanted(sandbox) == [BASIC]


def test_it_has_the_lists_read_anew(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given lists that are kept for a minute
    settings.FRESH_STATUS_SECONDS = settings.FRESH_STOCK_SECONDS = 60
    data = filled(operator)
    assert NAME not in text_of(operator.get("/vms/"))
    # when a VM is deployed, then it is in the list, and its GPU is gone from stock, at once
    send(operator, data)
    assert NAME in text_of(operator.get("/vms/"))
    assert "room for 15 VMs" in text_of(operator.get(URL, {"gpu_model": MODEL, "gpu_count": "1"}, follow=True))


# -- who may, and how


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_sends_nothing_for_those_who_may_not(
    request: pytest.FixtureRequest, operator: Client, sandbox: Sandbox, role: str
) -> None:
    browser: Client = request.getfixturevalue(role)
    response = send(browser, filled(operator))
    assert response.status_code == 403
    assert "Only an operator or an admin can deploy" in text_of(response)
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


def test_it_takes_no_form_of_another_site(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    operator.handler.enforce_csrf_checks = True
    assert operator.post(URL, data | {"csrfmiddlewaretoken": "x"}).status_code == 403
    assert wanted(sandbox) == []


@pytest.mark.parametrize("whose", ["forged", "empty", "another draft's", "somebody else's"])
def test_it_sends_nothing_under_a_token_of_something_else(
    operator: Client, admin: Client, sandbox: Sandbox, whose: str
) -> None:
    # given a form with a token that was not made for it
    data = filled(operator)
    token = {
        "forged": lambda: "a:b:c",
        "empty": lambda: "",
        "another draft's": lambda: filled(operator)["token"],
        "somebody else's": lambda: filled(admin)["token"],
    }[whose]()
    # when it is sent, then nothing goes out, and the form in the answer works
    response = send(operator, data, token=token)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)
    assert led_to(send(operator, form_of(response) | {"intent": "create"}))


def test_it_does_not_send_somebody_elses_draft(operator: Client, admin: Client, sandbox: Sandbox) -> None:
    # given a colleague's form, sent by somebody else who may deploy too
    data = filled(operator)
    response = send(admin, data)
    assert response.status_code == 422
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)
    # and the colleague's draft is as it was
    assert form_of(response)["draft"] != data["draft"]
    assert led_to(send(operator, data))


# -- what is not there, or not right


GONE = [
    ("access", {"ssh_keys": "stolen"}, {}, "The account has no key “stolen” any more. Choose another one."),
    ("size", {"region": "MARS-1"}, {}, "Barrack does not have this region. Choose another one."),
    ("size", {"gpu_count": "3"}, {}, "This GPU does not come in this number."),
    ("size", {"gpu_count": "-1"}, {}, "This GPU does not come in this number."),
    ("gpu", {"gpu_model": "H900"}, {}, "Barrack does not offer this GPU any more. Choose another."),
    ("boot", {"boot": "floppy"}, {}, "Choose one of the three boot sources."),
    ("boot", {"os_image": "Rocky Linux 9 R550 CUDA 12.4"}, {},
     "The region does not have this OS image. Choose another one."),
    ("boot", {"volume_id": "BRK-1V"}, {"boot": "volume", "volume_id": VOLUME},
     "This volume is not in the region chosen, and stays in its own. Choose another one, or its region."),
    ("boot", {"volume_id": "BRK-123504V"}, {"boot": "volume", "volume_id": VOLUME},
     "The VM cannot boot from it: attached to eval-harness."),
    ("boot", {"image_id": "999"}, {"boot": "image", "image_id": IMAGE},
     "This image is not in the region chosen, and stays in its own. Choose another one, or its region."),
    ("start", {"script_id": "1"}, {"start": "script", "script_id": SCRIPT},
     "This script does not exist any more. Choose another."),
    ("start", {"jupyter_enabled": "on", "jupyter_password": "7-chars"}, {}, "Use at least 8 characters; 1 more."),
    ("start", {"jupyter_enabled": "on", "jupyter_password": ""}, {},
     "Enter a password: everybody who can reach the VM's port 8888 needs it."),
    ("network", {"rule": ["ingress|tcp|IPv4|everywhere|22|22"]}, {},
     "This is no security rule: ingress|tcp|IPv4|everywhere|22|22"),
    ("access", {"name": "a/b"}, {},
     "Not allowed: “/”. Use letters, numbers, spaces, hyphens (-), underscores (_) and periods (.)."),
    ("access", {"name": "llama-ft-70b"}, {}, "A VM named “llama-ft-70b” already exists. Choose another name."),
]  # fmt: skip


@pytest.mark.parametrize(("place", "tampered", "chosen", "sentence"), GONE)
def test_it_says_at_the_field_what_is_not_there(
    operator: Client, sandbox: Sandbox, *, place: str, tampered: dict[str, Any], chosen: dict[str, str], sentence: str
) -> None:
    # given a complete form in which something else is sent than the page has offered
    data = filled(operator, **chosen)
    # when it is sent
    response = send(operator, data, **tampered)
    # then nothing goes out, the sentence stands in the field's section, and the other choices are as they were
    assert response.status_code == 422
    assert errors(section(response, place)) == [sentence]
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)
    if place != "gpu":
        assert form_of(response)["gpu_model"] == [MODEL]


@pytest.mark.feature("DEP-26")
def test_it_needs_a_key(operator: Client, sandbox: Sandbox) -> None:
    response = send(operator, {**filled(operator), "ssh_keys": []})
    assert response.status_code == 422
    assert errors(section(response, "access")) == ["At least one SSH key is required for VM deployment"]
    assert wanted(sandbox) == []


@pytest.mark.parametrize(
    ("kind", "key", "place", "chosen", "sentence"),
    [
        ("ssh_keys", "11", "access", {}, f"The account has no key “{KEY}” any more. Choose another one."),
        ("images", "501", "boot", {"boot": "image", "image_id": IMAGE}, GONE[9][3]),
        ("volumes", VOLUME, "boot", {"boot": "volume", "volume_id": VOLUME}, GONE[7][3]),
        ("scripts", SCRIPT, "start", {"start": "script", "script_id": SCRIPT}, GONE[10][3]),
    ],
)
def test_it_sends_nothing_when_what_was_chosen_has_gone_meanwhile(
    operator: Client, sandbox: Sandbox, *, kind: str, key: str, place: str, chosen: dict[str, str], sentence: str
) -> None:
    # given a form that was complete when it was opened
    data = filled(operator, **chosen)
    del getattr(sandbox.world, kind)[key]
    # when it is sent, then nothing goes out, and the field says what is missing
    response = send(operator, data)
    assert response.status_code == 422
    assert errors(section(response, place)) == [sentence]
    assert wanted(sandbox) == []


def test_it_keeps_a_script_with_a_secret_in_the_page_that_comes_back(operator: Client, sandbox: Sandbox) -> None:
    # given a script that the draft does not keep, and a name that is taken
    script = "#!/bin/bash\nexport HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz012345\n"
    data = filled(operator, start="none")
    # when the form is sent
    response = send(operator, data, start="paste", cloud_init=script, name="llama-ft-70b")
    # then the page that comes back has the script still, though no row does
    assert errors(section(response, "access"))
    assert form_of(response)["cloud_init"] == [script]
    assert "hf_abc" not in str(Draft.objects.get().values)
    # and it goes out once the name is another one
    assert led_to(send(operator, form_of(response), intent="create", name=NAME, seen_price=data["seen_price"]))
    assert wanted(sandbox) == [without(cloud_init=script)]


def test_it_keeps_what_was_typed_in_the_draft_too(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    send(operator, data, name="llama-ft-70b", gpu_count="2", rule=[PING])
    draft = Draft.objects.get()
    assert [draft.values[name] for name in ("name", "gpu_count", "rule")] == [["llama-ft-70b"], ["2"], [PING]]


def test_it_sends_nothing_of_a_form_that_shows_nothing(operator: Client, sandbox: Sandbox) -> None:
    response = send(operator, {"intent": "create"})
    assert response.status_code == 422
    assert errors(section(response, "gpu")) == ["Choose a GPU model."]
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)


# -- the API is down before anything is sent


@pytest.mark.parametrize("name", ["list_instances", "list_ssh_keys", "list_os_images"])
@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:3])
def test_it_sends_nothing_while_lists_cannot_be_read(
    operator: Client, sandbox: Sandbox, *, name: str, kind: str, title: str, shown: int
) -> None:
    # given a form that was opened before the API failed
    data = filled(operator)
    sandbox.faults.arm(name, kind, times=None)
    # when it is sent
    response = send(operator, data)
    # then nothing goes out, the page says so, and the button is off until the list can be read again
    assert response.status_code == shown
    assert title in text_of(response)
    assert "so nothing was sent and nothing was changed." in text_of(response)
    assert (wanted(sandbox), Operation.objects.count()) == ([], 0)
    assert 'class="btn btn-primary deploy-button" disabled>' in body(response)
    sandbox.faults.clear()
    assert led_to(send(operator, form_of(response), intent="create"))


def test_it_opens_with_the_button_off_while_only_copies_are_at_hand(operator: Client, sandbox: Sandbox) -> None:
    draft = drafted(operator)
    opened(operator, draft)
    sandbox.faults.arm("list_instances", "refuse", times=None)
    page = operator.get(URL, {"draft": str(draft.pk)})
    assert 'class="btn btn-primary deploy-button" disabled>' in body(page)
    assert "Barrack does not answer" in text_of(page)


def test_it_says_that_nothing_was_sent_without_a_connection(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "refuse")
    response = send(operator, data)
    assert response.status_code == 503
    assert alert(response).startswith("Barrack does not answer No connection to the Barrack API, so nothing was sent")
    assert (Operation.objects.get().state, vms(sandbox)) == ("not_sent", [])
    # and the form in the answer is complete
    assert "review" in is_open(response)
    assert led_to(send(operator, form_of(response), intent="create"))


def test_it_does_not_send_a_draft_that_was_kept_too_long_ago(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    Draft.objects.update(updated_at=clock.now() - timedelta(days=8))
    assert send(operator, data).status_code == 422
    assert wanted(sandbox) == []
