"""/vms/<id>/public-ip/: a VM gets a public IP or loses it, although the API can only flip it."""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from apps.activity.tick import tick
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    at_once,
    body,
    filled,
    leads_to,
    no_alert,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

# One with a public IP, one without.
WITH, WITHOUT = "BRK-123456D", "BRK-123489D"
REMOVE, ADD = f"/vms/{WITH}/public-ip/", f"/vms/{WITHOUT}/public-ip/"
ADDED, REMOVED = "rag-index-builder has a public IP.", "ml-training-server has no public IP any more."
TOGGLE = "toggle_instance_public_ip"


def ip(sandbox: Sandbox, instance_id: str) -> Any:
    """Return the public IP that the cloud has for the VM now."""
    return sandbox.world.instances[instance_id]["public_ip"]


def toggles(sandbox: Sandbox) -> list[str]:
    """Return the paths of the flips that the cloud received."""
    return [call.path for call in sandbox.log.calls(TOGGLE)]


def reads_and_flips(sandbox: Sandbox) -> list[str | None]:
    """Return the reads of a VM and the flips that the cloud received, in their order."""
    return [call.operation for call in sandbox.log.calls() if call.operation in {"get_instance", TOGGLE}]


def during(sandbox: Sandbox, operation: str, number: int, change: Callable[[], object]) -> Thread:
    """Make a change in the cloud as soon as it has received so many calls of an operation."""

    def wait() -> None:
        end = time.monotonic() + 5
        while len(sandbox.log.calls(operation)) < number and time.monotonic() < end:
            time.sleep(0.002)
        change()

    thread = Thread(target=wait)
    thread.start()
    return thread


# -- works


@pytest.mark.feature("VM-21")
def test_it_gives_a_public_ip_to_a_vm_that_has_none(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, ADD)
    assert data["intent"] == "add-ip"

    response = operator.post(ADD, data, headers=HTMX)

    assert response.status_code == 200
    assert toggles(sandbox) == [f"/instances/{WITHOUT}/toggle-public-ip"]
    assert sandbox.log.calls(TOGGLE)[0].body is None
    assert response["HX-Trigger"] == '{"modal:close": true, "vms:changed": true}'
    assert ADDED in text_of(response)
    assert ip(sandbox, WITHOUT)
    event = Event.objects.get()
    assert (event.action, event.result, event.target_id) == ("instance.add-ip", "done", WITHOUT)
    # and the page shows the new address at once
    assert f"<dt>Public IP</dt><dd><code>{ip(sandbox, WITHOUT)}</code>" in body(operator.get(f"/vms/{WITHOUT}/"))


@pytest.mark.feature("VM-21")
def test_it_takes_the_public_ip_away_from_a_vm_that_has_one(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, REMOVE)
    assert data["intent"] == "remove-ip"

    response = operator.post(REMOVE, data, headers=HTMX)

    assert response.status_code == 200
    assert toggles(sandbox) == [f"/instances/{WITH}/toggle-public-ip"]
    assert REMOVED in text_of(response)
    assert ip(sandbox, WITH) is None
    assert (Operation.objects.get().kind, Operation.objects.get().state) == ("instance.remove-ip", "done")
    # and the form offers the other way now
    assert filled(operator, REMOVE)["intent"] == "add-ip"


@pytest.mark.feature("VM-21")
def test_it_says_what_it_means_before_it_is_done(operator: Client) -> None:
    gone = operator.get(REMOVE, headers=HTMX)
    assert "<p>The VM loses its public IP <code>198.51.100.20</code>.</p>" in body(gone)
    assert "SSH and everything else from the internet is cut" in text_of(gone)
    assert "a public IP that is added later may be another one" in text_of(gone)
    assert 'class="btn btn-danger"' in submit_button(gone)
    assert "Remove public IP" in words(submit_button(gone))
    assert leads_to(body(gone), "Cancel") == f"/vms/{WITH}/"

    new = operator.get(ADD, headers=HTMX)
    assert "It may not be the address that the VM had before." in text_of(new)
    assert "Nothing gets in that no security rule allows" in text_of(new)
    assert "SSH and everything else from the internet is cut" not in text_of(new)
    assert 'class="btn btn-primary"' in submit_button(new)
    for response in (gone, new):
        assert no_alert(response)
        assert "disabled" not in submit_button(response).partition(">")[0]
        assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


def test_it_looks_at_the_vm_right_before_it_flips(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given copies that stay fresh for long
    settings.FRESH_STATUS_SECONDS = 60.0
    data = filled(operator, ADD)
    sandbox.log.clear()
    # when the form is sent, then the VM is read anew all the same, and there is one flip
    assert operator.post(ADD, data, headers=HTMX).status_code == 200
    assert reads_and_flips(sandbox) == ["get_instance", TOGGLE]


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(REMOVE)
    assert "<html" in body(page)
    response = operator.post(REMOVE, {"token": token_of(page), "intent": "remove-ip"})
    assert (response.status_code, response["Location"]) == (302, f"/vms/{WITH}/")
    assert REMOVED in text_of(operator.get(f"/vms/{WITH}/"))
    assert ip(sandbox, WITH) is None


# -- it is so already


@pytest.mark.feature("VM-21")
def test_it_flips_nothing_when_the_vm_got_one_meanwhile(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, ADD)
    sandbox.world.instances[WITHOUT]["public_ip"] = "198.51.100.77"

    response = operator.post(ADD, data, headers=HTMX)

    assert response.status_code == 409
    assert alert(response).startswith("It has a public IP already Its public IP is 198.51.100.77. Nothing was sent.")
    assert "disabled" in submit_button(response)
    assert toggles(sandbox) == []
    assert ip(sandbox, WITHOUT) == "198.51.100.77"


@pytest.mark.feature("VM-21")
def test_it_flips_nothing_when_the_vm_lost_it_meanwhile(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, REMOVE)
    sandbox.world.instances[WITH]["public_ip"] = None

    response = operator.post(REMOVE, data, headers=HTMX)

    assert response.status_code == 409
    assert alert(response).startswith("It has no public IP any more")
    assert toggles(sandbox) == []
    assert ip(sandbox, WITH) is None


def test_it_believes_the_cloud_and_not_its_own_copy(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given a copy from before somebody outside gave the VM a public IP
    settings.FRESH_STATUS_SECONDS = 60.0
    data = filled(operator, ADD)
    sandbox.world.instances[WITHOUT]["public_ip"] = "198.51.100.77"
    # when the form is sent, then it is found out in time
    response = operator.post(ADD, data, headers=HTMX)
    assert response.status_code == 409
    assert "Its public IP is 198.51.100.77. Nothing was sent." in alert(response)
    assert toggles(sandbox) == []
    assert Operation.objects.get().state == "not_sent"


def test_it_sees_a_change_from_outside_between_its_two_looks(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, ADD)
    sandbox.log.clear()
    sandbox.faults.arm("get_instance", "delay", seconds=0.1, times=2)
    # given somebody outside who is quicker, after the form's own read
    other = during(
        sandbox, "get_instance", 2, lambda: sandbox.world.instances[WITHOUT].update(public_ip="198.51.100.77")
    )
    response = operator.post(ADD, data, headers=HTMX)
    other.join()
    assert response.status_code == 409
    assert alert(response).startswith("It has a public IP already")
    assert toggles(sandbox) == []


# -- two at once


@pytest.mark.feature("VM-21")
@pytest.mark.parametrize(("url", "vm", "wanted"), [(ADD, WITHOUT, True), (REMOVE, WITH, False)])
def test_it_flips_once_for_two_people_with_the_same_form(
    operator: Client, admin: Client, sandbox: Sandbox, url: str, vm: str, *, wanted: bool
) -> None:
    # given two people who opened the form in the same state
    forms = [(browser, filled(browser, url)) for browser in (operator, admin)]
    # when both send it
    answers = [browser.post(url, data, headers=HTMX) for browser, data in forms]
    # then the second one hears that it is so already, and the VM is as both wanted it
    assert [answer.status_code for answer in answers] == [200, 409]
    assert "Nothing was sent." in alert(answers[1])
    assert len(toggles(sandbox)) == 1
    assert bool(ip(sandbox, vm)) == wanted


@pytest.mark.feature("VM-21")
@pytest.mark.django_db(transaction=True)
def test_it_flips_once_for_two_people_truly_at_once(operator: Client, admin: Client, sandbox: Sandbox) -> None:
    forms = [(browser, filled(browser, ADD)) for browser in (operator, admin)]
    sandbox.faults.arm(TOGGLE, "delay", seconds=0.2, times=None)

    answers = at_once(*[lambda row=row: row[0].post(ADD, row[1], headers=HTMX) for row in forms])

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (late,) = [answer for answer in answers if answer.status_code == 409]
    assert alert(late).startswith(("Another change is under way", "It has a public IP already"))
    assert len(toggles(sandbox)) == 1
    assert ip(sandbox, WITHOUT)


# -- the answer does not tell, or tells something else


def test_it_is_not_certain_when_the_answer_does_not_tell_the_address(operator: Client, sandbox: Sandbox) -> None:
    # given an answer that says that all is well, and nothing else
    data = filled(operator, ADD)
    sandbox.faults.arm(TOGGLE, "status", status=200, body={"success": True, "message": "ok"})
    response = operator.post(ADD, data, headers=HTMX)
    # then it is looked up, and not taken for done while no address is to be seen
    assert response.status_code == 502
    assert "it is not certain yet whether the VM has a public IP" in unsure(response)
    assert Operation.objects.get().state == "unknown"
    assert len(toggles(sandbox)) == 1
    # and it is done as soon as one is seen
    sandbox.world.instances[WITHOUT]["public_ip"] = "198.51.100.77"
    assert tick() == 1
    assert Operation.objects.get().state == "done"


def test_it_does_not_flip_back_when_somebody_outside_flipped_at_the_same_moment(
    operator: Client, sandbox: Sandbox
) -> None:
    data = filled(operator, ADD)
    sandbox.faults.arm(TOGGLE, "delay", seconds=0.15)
    # given somebody outside whose flip comes right before ours, which undoes it
    other = during(sandbox, TOGGLE, 1, lambda: sandbox.world.instances[WITHOUT].update(public_ip="198.51.100.77"))
    response = operator.post(ADD, data, headers=HTMX)
    other.join()
    # then it says that it is not certain, and leaves it to the person to try again
    assert response.status_code == 502
    assert "it is not certain yet whether the VM has a public IP" in unsure(response)
    assert len(toggles(sandbox)) == 1
    assert ip(sandbox, WITHOUT) is None


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(REMOVE), browser.post(REMOVE, {"intent": "remove-ip"}, headers=HTMX)):
        assert response.status_code == 403
        assert "Only an operator or an admin can change public IPs and security rules" in text_of(response)
    assert sandbox.log.calls(TOGGLE) == sandbox.log.calls("get_instance") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(REMOVE).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("missing", ["BRK-999999D", "a%2Fb", "%00", "x" * 129])
def test_it_has_no_page_for_a_vm_that_is_not_there(operator: Client, sandbox: Sandbox, missing: str) -> None:
    address = f"/vms/{missing}/public-ip/"
    for response in (operator.get(address), operator.post(address, {"intent": "add-ip"})):
        assert response.status_code == 404
    assert toggles(sandbox) == []


@pytest.mark.parametrize("intent", [None, "", "REMOVE-IP", "toggle", "add-rule"])
def test_it_flips_nothing_without_the_intent(operator: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(operator, REMOVE)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        response = operator.post(REMOVE, data, headers=headers)
        assert response.status_code == 200
        assert "Remove public IP" in text_of(response)
    assert toggles(sandbox) == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    other = filled(operator, "/vms/BRK-123502D/public-ip/")
    wrong_way = filled(operator, ADD) | {"intent": "remove-ip"}
    for data in (other, wrong_way, {"token": "", "intent": "remove-ip"}):
        response = operator.post(REMOVE, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert toggles(sandbox) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("SHUTOFF", "Only an active VM"),
        ("STOPPED", "Only an active VM"),
        ("HIBERNATED", "Only an active VM"),
        ("ERROR", "Only an active VM"),
        ("DELETED", "The VM is deleted."),
        ("BUILD", "The VM is being created: wait until that is done."),
        ("REBOOTING", "The VM is rebooting: wait until that is done."),
        ("RESCUE", "does not know the state RESCUE"),
        ("", "does not know the state"),
    ],
)
def test_it_asks_nothing_of_a_vm_in_another_state(operator: Client, sandbox: Sandbox, status: str, reason: str) -> None:
    data = filled(operator, REMOVE)
    sandbox.world.instances[WITH]["status"] = status

    response = operator.post(REMOVE, data, headers=HTMX)

    assert response.status_code == 409
    assert alert(response).startswith("Public IP is not possible now")
    assert reason in alert(response)
    opened = operator.get(REMOVE, headers=HTMX)
    assert reason in alert(opened)
    assert "disabled" in submit_button(opened)
    assert toggles(sandbox) == []
    assert Operation.objects.count() == 0


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm(TOGGLE, "status", status=status)
    response = operator.post(ADD, filled(operator, ADD), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "HX-Trigger" not in response
    assert ip(sandbox, WITHOUT) is None
    assert Operation.objects.get().state == "refused"
    # and the form in the answer works
    again = {"intent": "add-ip", "token": token_of(response)}
    assert operator.post(ADD, again, headers=HTMX).status_code == 200
    assert ip(sandbox, WITHOUT)


def test_it_says_that_a_public_ip_needs_credit(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, ADD)
    said = {"success": False, "message": "There is no credit left for a public address."}
    sandbox.faults.arm(TOGGLE, "status", status=402, body=said)
    response = operator.post(ADD, data, headers=HTMX)
    assert response.status_code == 422
    assert "Nothing was changed and nothing is charged. Add credits" in alert(response)
    assert ip(sandbox, WITHOUT) is None


def test_it_says_the_state_that_the_vm_is_in_now_when_the_cloud_refuses_it(operator: Client, sandbox: Sandbox) -> None:
    # given a VM that somebody outside stops after our last look
    data = filled(operator, REMOVE)
    sandbox.faults.arm(TOGGLE, "delay", seconds=0.15)
    other = during(sandbox, TOGGLE, 1, lambda: sandbox.world.instances[WITH].update(status="SHUTOFF"))
    response = operator.post(REMOVE, data, headers=HTMX)
    other.join()
    assert response.status_code == 422
    assert "The VM is stopped (SHUTOFF) now, so nothing was changed." in alert(response)
    assert "disabled" in submit_button(response)
    assert ip(sandbox, WITH) == "198.51.100.20"


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, REMOVE)
    sandbox.faults.arm(TOGGLE, "refuse")
    response = operator.post(REMOVE, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert Operation.objects.get().state == "not_sent"
    assert ip(sandbox, WITH)


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(operator, REMOVE)
    sandbox.faults.arm(TOGGLE, kind)
    response = operator.post(REMOVE, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the public IP is gone."
    )
    assert operator.post(REMOVE, data, headers=HTMX).status_code == shown
    assert len(toggles(sandbox)) == 1
    # and trying again with the new form sends nothing either: a second flip would undo a first one that comes late
    again = {"intent": "remove-ip", "token": token_of(response)}
    refused = operator.post(REMOVE, again, headers=HTMX)
    assert refused.status_code == 409
    assert "An earlier change is not certain yet" in text_of(refused)
    assert f'href="/activity/{Operation.objects.get().pk}/"' in body(refused)
    assert len(toggles(sandbox)) == 1
    # until it has been looked for long enough
    Operation.objects.update(sent_at=clock.now() - timedelta(minutes=11))
    assert operator.post(REMOVE, filled(operator, REMOVE), headers=HTMX).status_code == 200
    assert ip(sandbox, WITH) is None


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_happened_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(operator, ADD)
    sandbox.faults.arm(TOGGLE, kind)
    response = operator.post(ADD, data, headers=HTMX)
    assert response.status_code == 200
    assert ADDED in text_of(response)
    assert Operation.objects.get().state == "done"
    assert len(toggles(sandbox)) == 1
    assert ip(sandbox, WITHOUT)


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_flips_nothing_while_the_vm_cannot_be_read(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(operator, REMOVE)
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.post(REMOVE, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert "disabled" in submit_button(response)
    assert toggles(sandbox) == []


@pytest.mark.parametrize(("kind", "shown"), [("status", 502), ("refuse", 503)])
def test_it_flips_nothing_when_its_last_look_fails(
    operator: Client, sandbox: Sandbox, settings: Any, kind: str, shown: int
) -> None:
    # given a fresh copy, so that the look right before the flip is the only read
    settings.FRESH_STATUS_SECONDS = 60.0
    data = filled(operator, REMOVE)
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.post(REMOVE, data, headers=HTMX)
    assert response.status_code == shown
    assert "nothing was changed" in alert(response)
    assert Operation.objects.get().state in {"refused", "not_sent"}
    assert toggles(sandbox) == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.get(REMOVE, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


def test_it_does_without_the_balance(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=500, times=None)
    assert operator.post(REMOVE, filled(operator, REMOVE), headers=HTMX).status_code == 200
    assert ip(sandbox, WITH) is None


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(operator, REMOVE)
    answers = [operator.post(REMOVE, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(toggles(sandbox)) == 1
    assert ip(sandbox, WITH) is None


def test_it_says_that_the_form_was_sent_with_other_values(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, REMOVE)
    operator.post(REMOVE, data, headers=HTMX)
    response = operator.post(REMOVE, {**data, "force": "1"}, headers=HTMX)
    assert response.status_code == 409
    assert "Here is what it did: Remove public IP, done." in words(body(response))
    assert len(toggles(sandbox)) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.instances[WITH].update(vm_name=text, public_ip=text, region=text, gpu_type=text)
    response = operator.get(REMOVE, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 8_000
    # and the address can be taken away, with a toast that is as safe
    gone = operator.post(REMOVE, filled(operator, REMOVE), headers=HTMX)
    assert gone.status_code == 200
    assert not unescaped(gone)
    assert ip(sandbox, WITH) is None
    # and one that came back is told within bounds
    data = filled(operator, REMOVE)
    sandbox.world.instances[WITH]["public_ip"] = text
    late = operator.post(REMOVE, data, headers=HTMX)
    assert late.status_code == 409
    assert not unescaped(late)
    assert len(body(late)) < 8_000
