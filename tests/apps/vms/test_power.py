"""/vms/<id>/start/, stop, reboot, hibernate, restore and delete: what all six dialogs do alike."""

from typing import Any

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    filled,
    no_alert,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.apps.vms.power_table import POWERS, Power, each, state_of_operation, status_of, writes
from tests.conftest import HTMX, text_of, token_of

STOP = POWERS["stop"]


def opened(browser: Client, power: Power) -> dict[str, str]:
    """Open the dialog and return what it would send, filled in."""
    return filled(browser, power.url, **power.typed)


# -- works


@each
def test_it_is_sent_once_and_closes_with_a_toast(admin: Client, sandbox: Sandbox, power: Power) -> None:
    # given an open dialog
    data = opened(admin, power)
    assert writes(sandbox) == []
    # when it is sent
    response = admin.post(power.url, data, headers=HTMX)
    # then the cloud received that call alone
    method = "DELETE" if power.key == "delete" else "POST"
    assert writes(sandbox) == [(power.call, method, power.path)]
    assert status_of(sandbox, power) == power.through
    # and the dialog closes with a toast, and whoever shows VMs reads them anew
    assert response.status_code == 200
    assert response["HX-Trigger"] == '{"modal:close": true, "vms:changed": true}'
    assert response["HX-Reswap"] == "none"
    assert power.toast in text_of(response)
    # and it is written down
    operation, event = Operation.objects.get(), Event.objects.get()
    assert (operation.kind, operation.state, operation.target_id) == (power.kind, "done", power.vm)
    assert (event.action, event.target_name, event.result) == (power.kind, power.name, "done")


@each
def test_it_works_as_a_page_without_javascript(admin: Client, sandbox: Sandbox, power: Power) -> None:
    page = admin.get(power.url)
    assert "<html" in body(page)
    assert f"<title>{power.title}" in body(page)
    response = admin.post(power.url, {"token": token_of(page), "intent": power.key, **power.typed})
    assert (response.status_code, response["Location"]) == (302, power.page)
    assert power.toast in text_of(admin.get(power.page))
    assert status_of(sandbox, power) == power.through


@pytest.mark.feature("NAV-16", "NAV-17")
@each
def test_it_names_the_vm_and_has_two_different_buttons(admin: Client, power: Power) -> None:
    response = admin.get(power.url, headers=HTMX)
    page = body(response)
    assert "<html" not in page
    assert no_alert(response)
    assert f"<bdi>{power.name}</bdi>" in page
    assert power.badge in page
    # one way back, and one button that spins and cannot be pressed twice
    assert f'<a class="btn" href="/vms/{power.vm}/" data-close>Cancel</a>' in page
    pressed = submit_button(response)
    assert f'<span class="when-idle">{power.label}</span>' in pressed
    assert power.busy in pressed
    assert ("btn-danger" in pressed) is (power.key == "delete")
    assert " disabled" not in pressed
    assert 'hx-disabled-elt="find button[type=submit]"' in page


# -- wrong role, wrong method, missing things, bad input


@each
def test_it_says_who_can_to_those_who_cannot(viewer: Client, operator: Client, sandbox: Sandbox, power: Power) -> None:
    browser, role = (operator, "operator") if power.key == "delete" else (viewer, "viewer")
    sentence = (
        "Only an admin can delete VMs"
        if power.key == "delete"
        else "Only an operator or an admin can start, stop, reboot, hibernate and restore VMs"
    )
    for response in (browser.get(power.url), browser.post(power.url, {"intent": power.key}, headers=HTMX)):
        assert response.status_code == 403
        assert f"{sentence}; your role is {role}." in text_of(response)
    assert sandbox.log.calls("get_instance") == writes(sandbox) == []


@each
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, power: Power) -> None:
    assert [getattr(admin, method)(power.url).status_code for method in ("put", "patch", "delete")] == [405] * 3
    assert sandbox.log.calls() == []


@each
def test_it_has_no_page_for_a_vm_that_is_not_there(admin: Client, sandbox: Sandbox, power: Power) -> None:
    # given ids that no VM can have, and one that none has
    impossible = [*IMPOSSIBLE_IDS, "a%2Fb"] if power is STOP else IMPOSSIBLE_IDS[:1]
    for vm in [*impossible, "BRK-999999D"]:
        address = f"/vms/{vm}/{power.key}/"
        for response in (admin.get(address), admin.post(address, {"intent": power.key})):
            assert response.status_code == 404, vm
            assert "There is nothing at this address" in text_of(response)
    # then only the one that could be was asked for
    assert {call.path for call in sandbox.log.calls("get_instance")} == {"/instances/BRK-999999D"}
    assert writes(sandbox) == []


@each
def test_it_says_that_the_vm_is_gone_when_it_vanishes_behind_an_open_dialog(
    admin: Client, sandbox: Sandbox, power: Power
) -> None:
    data = opened(admin, power)
    del sandbox.world.instances[power.vm]
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == 404
    assert "It may have been deleted" in alert(response)
    assert writes(sandbox) == []


@each
def test_it_sends_nothing_without_the_intent(admin: Client, sandbox: Sandbox, power: Power) -> None:
    data = {"token": opened(admin, power)["token"], **power.typed}
    other = "stop" if power.key != "stop" else "start"
    for intent in ({}, {"intent": other}, {"intent": power.key.upper()}):
        assert admin.post(power.url, data | intent, headers=HTMX).status_code == 200
    assert admin.post(power.url, data).status_code == 200
    assert writes(sandbox) == []
    assert Operation.objects.count() == 0


@each
def test_it_refuses_a_token_of_another_form(admin: Client, sandbox: Sandbox, power: Power) -> None:
    # given tokens of the same dialog of another VM, of another dialog of the same VM, and none
    sandbox.world.instances["BRK-123502D"]["status"] = power.state
    elsewhere = token_of(admin.get(f"/vms/BRK-123502D/{power.key}/", headers=HTMX))
    other = "reboot" if power.key != "reboot" else "stop"
    beside = token_of(admin.get(f"/vms/{power.vm}/{other}/", headers=HTMX))
    for token in (elsewhere, beside, "", "x" * 500):
        response = admin.post(power.url, {"token": token, "intent": power.key, **power.typed}, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert writes(sandbox) == []
    assert Operation.objects.count() == 0


# -- the API refuses


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[0])
@each
def test_it_says_in_a_red_box_what_the_api_refused(
    admin: Client, sandbox: Sandbox, power: Power, refusal: tuple[int, str, int]
) -> None:
    status, title, shown = refusal
    data = opened(admin, power)
    sandbox.faults.arm(power.call, "status", status=status)
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "HX-Trigger" not in response
    assert (state_of_operation(), Event.objects.get().upstream_status) == ("refused", status)
    assert status_of(sandbox, power) == power.state
    # a refusal for the state says what the state is
    assert (f"the VM is {power.now}. Nothing was changed." in alert(response)) is (status == 409)
    # and the form in the answer works
    assert " disabled" not in submit_button(response)
    again = {"intent": power.key, "token": token_of(response), **power.typed}
    assert admin.post(power.url, again, headers=HTMX).status_code == 200
    assert status_of(sandbox, power) == power.through


@each
def test_it_shows_the_fresh_state_when_another_action_came_first(
    admin: Client, sandbox: Sandbox, settings: Any, power: Power
) -> None:
    # given a copy of the VM that is fresh for a minute, and a change elsewhere that it does not know of
    settings.FRESH_STATUS_SECONDS = 60
    data = opened(admin, power)
    sandbox.world.instances[power.vm]["status"] = "DELETING"
    # when the dialog is sent
    response = admin.post(power.url, data, headers=HTMX)
    # then the API's 409 is told with the state of now, and another sending is not offered
    assert response.status_code == 422
    assert "The VM is being deleted now, so nothing was changed." in alert(response)
    assert "Barrack says: The instance is DELETING; this needs one that is" in alert(response)
    assert "<bdi>Deleting</bdi>" in body(response)
    assert power.badge not in body(response)
    assert " disabled" in submit_button(response)
    assert len(writes(sandbox)) == 1
    # and the API is not asked again when the same form is sent once more
    assert admin.post(power.url, data, headers=HTMX).status_code >= 400
    assert len(writes(sandbox)) == 1


# -- the answer is lost, or the API is down


@each
def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(
    admin: Client, sandbox: Sandbox, power: Power
) -> None:
    data = opened(admin, power)
    sandbox.faults.arm(power.call, "refuse")
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert state_of_operation() == "not_sent"


@pytest.mark.parametrize("lost", LOST_BEFORE, ids=lambda lost: lost[0])
@each
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    admin: Client, sandbox: Sandbox, settings: Any, power: Power, lost: tuple[str, int, str]
) -> None:
    # given a write whose answer is lost; its look-up, here a short one, finds nothing
    kind, shown, happened = lost
    settings.API_LOOK_UP_SECONDS = settings.API_WRITE_SECONDS = 0.1
    data = opened(admin, power)
    sandbox.faults.arm(power.call, kind)
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == shown
    said = unsure(response)
    assert said.startswith(f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether {power.doubt}")
    again = "Trying again does no harm." if power.key != "reboot" else "Until that is known it cannot be sent again."
    assert f"We keep looking for 10 minutes. {again}" in said
    operation = Operation.objects.get()
    assert operation.state == "unknown"
    assert f'href="/activity/{operation.pk}/"' in body(response)
    # and the same form sent again tells the same, and calls nothing
    again = admin.post(power.url, data, headers=HTMX)
    assert (again.status_code, unsure(again)) == (shown, said)
    assert len(writes(sandbox)) == 1
    assert status_of(sandbox, power) == power.state


@pytest.mark.parametrize("kind", LOST_AFTER)
@each
def test_it_sees_what_happened_when_only_the_answer_is_lost(
    admin: Client, sandbox: Sandbox, power: Power, kind: str
) -> None:
    data = opened(admin, power)
    sandbox.faults.arm(power.call, kind)
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == 200
    assert power.toast in text_of(response)
    assert state_of_operation() == "done"
    assert len(writes(sandbox)) == 1


@each
def test_it_sends_nothing_while_the_vm_cannot_be_read(admin: Client, sandbox: Sandbox, power: Power) -> None:
    data = opened(admin, power)
    sandbox.faults.arm("get_instance", "refuse", times=None)
    response = admin.post(power.url, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert " disabled" in submit_button(response)
    assert writes(sandbox) == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_dialog_cannot_be_opened(
    admin: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = admin.get(STOP.url, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


@each
def test_it_does_without_what_stands_beside_it(admin: Client, sandbox: Sandbox, power: Power) -> None:
    for beside in ("get_pricing", "get_credit_balance", "get_gpu_stocks", "list_snapshots", "list_instances"):
        sandbox.faults.arm(beside, "status", status=500, times=None)
    assert admin.post(power.url, opened(admin, power), headers=HTMX).status_code == 200
    assert status_of(sandbox, power) == power.through


# -- sent twice, and beside another one


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
@each
def test_it_shows_the_same_result_when_sent_twice(
    admin: Client, sandbox: Sandbox, power: Power, headers: dict[str, str]
) -> None:
    data = opened(admin, power)
    answers = [admin.post(power.url, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(writes(sandbox)) == Operation.objects.count() == 1


def test_it_says_that_the_form_was_sent_with_other_values(admin: Client, sandbox: Sandbox) -> None:
    data = opened(admin, STOP)
    admin.post(STOP.url, data, headers=HTMX)
    response = admin.post(STOP.url, {**data, "force": "1"}, headers=HTMX)
    assert response.status_code == 409
    assert "Here is what it did: Stop VM, done." in words(body(response))
    assert len(writes(sandbox)) == 1


@each
def test_it_tells_the_second_of_two_tabs_that_it_is_under_way(admin: Client, sandbox: Sandbox, power: Power) -> None:
    one, two = opened(admin, power), opened(admin, power)
    admin.post(power.url, one, headers=HTMX)
    response = admin.post(power.url, two, headers=HTMX)
    assert response.status_code == 409
    assert alert(response).startswith(f"{power.label} is not possible now The VM is ")
    assert " disabled" in submit_button(response)
    assert len(writes(sandbox)) == 1


@each
def test_it_is_not_sent_beside_another_change_of_the_same_vm(admin: Client, sandbox: Sandbox, power: Power) -> None:
    # given a change of the VM that is on its way to the API, and one of another VM
    user = User.objects.get(email="admin@example.com")
    fields = {"kind": "instance.add-rule", "name": "", "state": "sent"}
    row = new_row(user, target_id=power.vm, target_name=power.name, exclusive=f"VM {power.vm}", token="one", **fields)
    new_row(user, target_id="BRK-123700D", exclusive="VM BRK-123700D", token="two", **fields)
    data = opened(admin, power)
    # when the dialog is sent
    response = admin.post(power.url, data, headers=HTMX)
    # then it is not sent
    assert response.status_code == 409
    said = alert(response)
    assert said.startswith(f"Another change is under way Something else is being sent for {power.name}")
    assert writes(sandbox) == []
    # and once the first has ended, what the answer holds can be sent
    row.state = "done"
    row.save()
    again = {"intent": power.key, "token": token_of(response), **power.typed}
    assert admin.post(power.url, again, headers=HTMX).status_code == 200
    assert status_of(sandbox, power) == power.through


# -- a hostile API


@each
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, power: Power) -> None:
    for text in (SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J"):
        record = sandbox.world.instances[power.vm]
        record.update(vm_name=text, gpu_type=text, region=text, image={"name": text}, status=power.state)
        response = admin.get(power.url, headers=HTMX)
        assert response.status_code == 200
        assert not unescaped(response)
        assert len(body(response)) < 10_000
    assert writes(sandbox) == []
