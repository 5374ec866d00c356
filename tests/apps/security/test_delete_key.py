"""/ssh-keys/<id>/delete/: a key is removed from all regions, by an admin, unless a running VM needs it."""

import re

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import LAPTOP, LIST, OLD, YUBIKEY
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    at_once,
    body,
    card_names,
    filled,
    no_alert,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

URL, SUCCESS = f"{LIST}{OLD}/delete/", "SSH key “old-workstation” is deleted, in all regions."
IN_USE = f"{LIST}{LAPTOP}/delete/"


@pytest.mark.feature("KEY-27", "NAV-13")
def test_it_deletes_the_key_and_has_the_list_read_anew(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == 200
    assert [call.path for call in sandbox.log.calls("delete_ssh_key")] == [f"/ssh-keys/{OLD}"]
    assert response["HX-Trigger"] == '{"modal:close": true, "keys:changed": true}'
    assert SUCCESS in text_of(response)
    assert OLD not in sandbox.world.ssh_keys
    assert "old-workstation" not in card_names(admin.get(LIST))
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "key.delete")


@pytest.mark.feature("KEY-27", "KEY-28", "KEY-30")
def test_it_names_the_key_and_what_is_lost(admin: Client, sandbox: Sandbox) -> None:
    response = admin.get(URL, headers=HTMX)
    said = text_of(response)
    assert "The key old-workstation will be immediately removed from all regions." in said
    assert sandbox.world.ssh_keys[OLD]["fingerprint"] in said
    assert "This is permanent: a deleted key cannot be brought back." in said
    assert "Keep at least one working key." in said
    assert "VMs using deleted keys will lose SSH access." in said
    assert "No VM names this key now." in said
    assert 'class="btn btn-danger"' in submit_button(response)
    assert no_alert(response)
    # and the last one is called so
    for other in (LAPTOP, "12", YUBIKEY):
        del sandbox.world.ssh_keys[other]
    assert "this is the only one, and without a key no VM can be deployed" in text_of(admin.get(URL, headers=HTMX))


def test_it_works_as_a_page_without_javascript(admin: Client) -> None:
    response = admin.post(URL, {"token": token_of(admin.get(URL)), "intent": "delete"})
    assert (response.status_code, response["Location"]) == (302, LIST)
    assert SUCCESS in text_of(admin.get(LIST))


def test_it_leads_away_from_the_page_of_what_is_gone(admin: Client) -> None:
    here = {**HTMX, "HX-Current-URL": f"http://testserver{LIST}{OLD}/"}
    assert admin.post(URL, filled(admin, URL), headers=here)["HX-Redirect"] == LIST


# -- in use


@pytest.mark.feature("KEY-29")
def test_it_refuses_while_active_vms_use_it_and_leads_to_them(admin: Client, sandbox: Sandbox) -> None:
    response = admin.get(IN_USE, headers=HTMX)
    assert alert(response).startswith("This key cannot be deleted now It is currently in use by active VMs: ")
    assert "disabled" in submit_button(response)
    # then each VM is named, with the way to it
    using = {
        vm_id
        for vm_id, vm in sandbox.world.instances.items()
        if "team-laptop" in vm["ssh_keys"]
        and vm["status"] in {"ACTIVE", "BUILD", "CREATING", "STARTING", "RESTORING", "REBOOTING"}
    }
    listed = body(response).partition("<h3>VMs that use it</h3>")[2].partition('<div class="danger-lead">')[0]
    assert set(re.findall(r'href="/vms/([^"/]+)/"', listed)) == using
    assert len(using) > 5
    # and nothing is sent by a button that was made clickable
    again = admin.post(IN_USE, {"token": token_of(response), "intent": "delete"}, headers=HTMX)
    assert again.status_code == 409
    assert sandbox.log.calls("delete_ssh_key") == []


@pytest.mark.feature("KEY-29")
def test_it_says_what_the_api_knew_better(admin: Client, sandbox: Sandbox) -> None:
    # given a VM that begins to use the key after the form's own read
    data = filled(admin, URL)
    sandbox.faults.arm("list_instances", "status", status=500, times=None)
    sandbox.world.instances["BRK-123456D"]["ssh_keys"] = ["old-workstation"]
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("The key is in use The key is currently in use by active VMs")
    assert "ml-training-server" in alert(response)
    assert OLD in sandbox.world.ssh_keys


@pytest.mark.feature("KEY-30")
@pytest.mark.parametrize("state", ["SHUTOFF", "HIBERNATED"])
def test_it_warns_of_vms_that_rest(admin: Client, sandbox: Sandbox, state: str) -> None:
    for vm in sandbox.world.instances.values():
        vm["ssh_keys"] = []
    sandbox.world.instances["BRK-123456D"] |= {"ssh_keys": ["old-workstation"], "status": state}
    response = admin.get(URL, headers=HTMX)
    assert "1 VM that does not run now has this key Make sure that you can get in another way" in text_of(response)
    assert 'href="/vms/BRK-123456D/"' in body(response)
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200


def test_it_can_do_without_the_vms_and_says_so(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_instances", "refuse", times=None)
    response = admin.get(URL, headers=HTMX)
    assert "Which VMs use it cannot be read now. Barrack itself refuses" in text_of(response)
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "delete"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an admin can delete SSH keys; your role is {role}." in text_of(response)
    assert OLD in sandbox.world.ssh_keys


@pytest.mark.parametrize("method", ["put", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS[:4], "999999"])
def test_it_has_no_page_for_a_key_that_is_not_there(admin: Client, sandbox: Sandbox, impossible: str) -> None:
    address = f"{LIST}{impossible}/delete/"
    for response in (admin.get(address), admin.post(address, {"intent": "delete"})):
        assert response.status_code == 404


@pytest.mark.parametrize("intent", [None, "create", "DELETE"])
def test_it_deletes_nothing_without_the_intent(admin: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(admin, URL)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        assert admin.post(URL, data, headers=headers).status_code == 200
    assert sandbox.log.calls("delete_ssh_key") == []


def test_it_refuses_a_token_of_another_form(admin: Client, sandbox: Sandbox) -> None:
    for data in (filled(admin, f"{LIST}{YUBIKEY}/delete/"), {"token": "", "intent": "delete"}):
        response = admin.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("delete_ssh_key") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    admin: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("delete_ssh_key", "status", status=status)
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert admin.post(URL, {"intent": "delete", "token": token_of(response)}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    admin: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_ssh_key", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the SSH key is deleted."
    )
    assert admin.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("delete_ssh_key")) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_is_gone_when_only_the_answer_is_lost(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_ssh_key", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_deletes_nothing_while_the_key_cannot_be_read(
    admin: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("get_ssh_key", kind, times=None)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("delete_ssh_key") == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(admin: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(admin, URL)
    answers = [admin.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("delete_ssh_key")) == 1
    other = admin.post(URL, {**data, "force": "1"}, headers=HTMX)
    assert (other.status_code, "Here is what it did: Delete SSH key, done." in words(body(other))) == (409, True)


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_once_when_one_form_is_sent_by_two_threads_at_once(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_ssh_key", "delay", seconds=0.2)
    answers = at_once(*[lambda: admin.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sandbox.log.calls("delete_ssh_key")) == Operation.objects.count() == 1


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.ssh_keys[OLD] |= {"name": text, "fingerprint": text}
    sandbox.world.instances["BRK-123548D"] |= {"ssh_keys": [text], "vm_name": text, "status": "HIBERNATED"}
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 12_000
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200
