"""What was done to a VM, when its answer was lost: by what it is seen, what its page says, and what runs at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from apps.account.models import User
from apps.activity.kinds import KINDS
from apps.activity.lookup import find, settle
from apps.activity.models import Event, Operation
from apps.activity.perform import NotNeeded, Outcome, Target, perform
from apps.activity.tick import tick
from apps.activity.tokens import new_token
from apps.activity.vm_kinds import VM_KINDS
from barrack_web import clock, cloud
from barrack_web.alerts import Alert
from barrack_web.client import Conflict, Unreachable
from barrack_web.rule_form import describe
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import at_once, new_row, request_of
from tests.conftest import HTMX, text_of, token_of

VM, NAME = "BRK-123456D", "ml-training-server"
OTHER = "BRK-123471D"
RULE = f"{VM}-ssh"
STATES = (
    "ACTIVE", "SHUTOFF", "STOPPED", "HIBERNATED", "DELETED", "CREATING", "BUILD", "STARTING", "STOPPING",
    "HIBERNATING", "RESTORING", "REBOOTING", "DELETING", "ERROR", "RESCUE",
)  # fmt: skip
# In which states a VM shows that the change has happened, or is happening.
SHOWN = {
    "start": {"STARTING", "ACTIVE"},
    "stop": {"STOPPING", "SHUTOFF", "STOPPED"},
    "reboot": {"REBOOTING"},
    "hibernate": {"HIBERNATING", "HIBERNATED"},
    "restore": {"RESTORING", "ACTIVE"},
    "delete": {"DELETING", "DELETED"},
}
KEYS = (*SHOWN, "add-ip", "remove-ip", "add-rule", "remove-rule")


@pytest.fixture
def user(make_user: Any) -> User:
    return make_user("admin")


def vm_row(user: User, key: str, **fields: Any) -> Operation:
    """Write an operation on the VM, its outcome unknown unless said otherwise."""
    facts = {"kind": f"instance.{key}", "target_id": VM, "target_name": NAME, "name": "", "exclusive": f"VM {VM}"}
    return new_row(user, **{**facts, **fields})


def seen(row: Operation) -> bool:
    """Return whether a look-up sees the change; what is seen has no id of its own."""
    found = find(row, within=0.4)
    assert found in {"", None}
    return found is not None


def send(user: User, key: str, call: Any, vm: str = VM, **fields: Any) -> Outcome:
    """Perform a change of a VM directly, with whatever call."""
    kind = f"instance.{key}"
    facts = {"kind": kind, "target": Target(vm, f"name of {vm}"), "token": new_token(user.pk, kind, vm), "payload": {}}
    return perform(request_of(user), call=call, **{**facts, **fields})


# --- by what it is seen


def test_the_keys_of_this_file_are_all_there_are() -> None:
    assert {f"instance.{key}" for key in KEYS} == set(VM_KINDS)
    assert all(KINDS[kind].alone and KINDS[kind].doubt and KINDS[kind].events == ("vms:changed",) for kind in VM_KINDS)


@pytest.mark.parametrize("key", SHOWN)
def test_it_is_seen_by_the_state_of_the_vm(sandbox: Sandbox, user: User, key: str) -> None:
    # given a change whose answer was lost, then these states show it, and no others
    row = vm_row(user, key)
    found = set()
    for state in STATES:
        sandbox.world.instances[VM]["status"] = state
        if seen(row):
            found.add(state)
    assert found == SHOWN[key]
    # and other VMs are not looked at
    assert {call.path for call in sandbox.log.calls()} == {f"/instances/{VM}"}


def test_a_public_ip_is_seen_by_the_address(sandbox: Sandbox, user: User) -> None:
    add, remove = vm_row(user, "add-ip", token="1"), vm_row(user, "remove-ip", token="2")
    assert (seen(add), seen(remove)) == (True, False)
    for none in (None, ""):
        sandbox.world.instances[VM]["public_ip"] = none
        assert (seen(add), seen(remove)) == (False, True)


def test_a_new_rule_is_seen_by_its_words_and_an_id_that_was_not_there(sandbox: Sandbox, user: User) -> None:
    # given a rule whose answer was lost, and one of the same words that was there before
    record = sandbox.world.instances[VM]
    old = {**record["security_rules"][0], "port_range_min": 8080, "port_range_max": 8080}
    record["security_rules"] = [old]
    rules = cloud.client().instances.get(VM).security_rules
    assert rules
    row = vm_row(user, "add-rule", name=describe(rules[0]), known_ids=[RULE])
    # then neither that one, nor none, nor a new one of other words is taken for it
    another = {**old, "id": "77", "port_range_min": 9090, "port_range_max": 9090}
    for others in ([old], [], None, [old, another]):
        record["security_rules"] = others
        assert not seen(row)
    # but a new one of these words is
    record["security_rules"] = [another, {**old, "id": "78"}]
    assert seen(row)


def test_a_removed_rule_is_seen_by_the_id_that_is_gone(sandbox: Sandbox, user: User) -> None:
    row = vm_row(user, "remove-rule", name="tcp 22", known_ids=[RULE])
    record = sandbox.world.instances[VM]
    assert not seen(row)
    # rules that the API does not tell are not gone
    rules, record["security_rules"] = record["security_rules"], None
    assert not seen(row)
    record["security_rules"] = [{**rules[0], "id": "77"}]
    assert seen(row)
    record["security_rules"] = []
    assert seen(row)


@pytest.mark.parametrize("key", KEYS)
def test_a_vm_that_is_gone_shows_a_deletion_and_nothing_else(sandbox: Sandbox, user: User, key: str) -> None:
    row = vm_row(user, key, known_ids=[RULE])
    del sandbox.world.instances[VM]
    if key == "delete":
        assert seen(row)
        assert settle(row)
        assert (row.state, Event.objects.get().result) == ("done", "done")
        return
    # what is not there shows no other change, and no look-up says that it does
    assert not settle(row)
    row.refresh_from_db()
    assert (row.state, Event.objects.count()) == ("unknown", 0)


@pytest.mark.parametrize("key", ["stop", "add-ip", "remove-rule"])
def test_the_looking_ends_also_for_a_vm_that_is_gone(sandbox: Sandbox, user: User, key: str) -> None:
    # given a change of a VM that was deleted meanwhile
    row = vm_row(user, key)
    del sandbox.world.instances[VM]
    # when the time is over, then it is closed, and no longer looked for with every tick
    with clock.moved(timedelta(seconds=601)):
        settle(row)
    row.refresh_from_db()
    assert row.state == "not_seen"
    assert row.closed_at is not None


@pytest.mark.parametrize("key", KEYS)
def test_it_is_not_seen_while_the_api_is_down(sandbox: Sandbox, user: User, key: str) -> None:
    row = vm_row(user, key)
    sandbox.faults.arm("*", "refuse", times=None)
    with clock.moved(timedelta(seconds=3600)):
        assert not settle(row)
    row.refresh_from_db()
    assert (row.state, Event.objects.count()) == ("unknown", 0)


def test_it_is_closed_when_it_is_seen_and_given_up_after_ten_minutes(sandbox: Sandbox, user: User) -> None:
    stop, reboot = vm_row(user, "stop", token="1"), vm_row(user, "reboot", token="2", target_id=OTHER)
    tick()
    assert [row.state for row in Operation.objects.order_by("token")] == ["unknown", "unknown"]
    sandbox.world.instances[VM]["status"] = "SHUTOFF"
    with clock.moved(timedelta(seconds=601)):
        call_command("tick")
    for row, state in ((stop, "done"), (reboot, "not_seen")):
        row.refresh_from_db()
        assert (row.state, row.result_id, row.alert) == (state, "", {})
        assert row.closed_at is not None


# --- what its page says

DOUBT = {
    "start": "the VM is starting",
    "stop": "the VM is stopping",
    "reboot": "the VM is rebooting",
    "hibernate": "the VM is hibernating",
    "restore": "the VM is being restored",
    "delete": "the VM is being deleted",
    "add-ip": "the VM has a public IP",
    "remove-ip": "the public IP is gone",
    "add-rule": "the VM has the new rule",
    "remove-rule": "the rule is gone",
}
DONE = {
    "start": f"{NAME} is starting.",
    "stop": f"{NAME} is stopping. It stays billed at the full rate.",
    "reboot": f"{NAME} is rebooting.",
    "hibernate": f"{NAME} is hibernating.",
    "restore": f"{NAME} is being restored.",
    "delete": f"The VM “ {NAME} ” is being deleted, or is deleted already.",
    "add-ip": f"{NAME} has a public IP.",
    "remove-ip": f"{NAME} has no public IP any more.",
    "add-rule": f"{NAME} has a new rule: tcp 8080.",
    "remove-rule": f"The rule is removed from {NAME}: tcp 8080.",
}


@pytest.mark.parametrize("key", KEYS)
def test_its_page_says_what_each_end_means(admin: Client, key: str) -> None:
    # given the same change, in each of the ways in which it can end
    row = vm_row(User.objects.get(), key, name="tcp 8080" if key.endswith("rule") else "")
    sentences = {
        "sent": "The request is on its way to Barrack.",
        "done": DONE[key],
        "refused": "Barrack refused it. Nothing was changed.",
        "not_sent": "Barrack could not be reached, so nothing was sent and nothing was changed.",
        "unknown": (
            f"The answer was lost, and it is not certain yet whether {DOUBT[key]}. "
            "We keep looking for 10 minutes after it was sent."
        ),
        "not_seen": f"For 10 minutes nothing showed that {DOUBT[key]}. Look at the VM before you try again.",
    }
    for state, sentence in sentences.items():
        row.state = state
        row.save()
        words = text_of(admin.get(row.get_absolute_url()))
        # then its page says that one
        assert sentence in words, state
        assert [other for other in sentences.values() if other in words] == [sentence]
        assert KINDS[row.kind].title in words
        assert "safe to try again" not in words


def test_its_page_says_why_it_was_not_needed(admin: Client) -> None:
    alert = Alert(title="It has a public IP already", text="Somebody was quicker.", status=409)
    row = vm_row(User.objects.get(), "add-ip", state="not_sent", alert=alert.as_json())
    words = text_of(admin.get(row.get_absolute_url()))
    assert "It has a public IP already: nothing was sent and nothing was changed." in words
    assert "could not be reached" not in words


# --- nothing to do


def test_a_call_that_is_not_needed_is_not_sent_and_says_so(sandbox: Sandbox, user: User) -> None:
    alert = Alert(title="It is so already", text="Nothing was sent.", status=409)

    def call(*_: object) -> None:
        raise NotNeeded(alert)

    outcome = send(user, "add-ip", call)
    assert (outcome.done, outcome.alert) == (False, alert)
    row, event = Operation.objects.get(), Event.objects.get()
    assert (row.state, row.alert["title"], row.upstream_status) == ("not_sent", "It is so already", None)
    assert row.closed_at is not None
    assert (event.action, event.result) == ("instance.add-ip", "not_sent")
    # and the next one can be sent at once
    assert send(user, "remove-ip", lambda *_: None).done


# --- two at once


@pytest.mark.parametrize("second", KEYS)
def test_two_changes_of_one_vm_cannot_be_under_way(sandbox: Sandbox, user: User, second: str) -> None:
    # given a change on its way
    first = vm_row(user, "add-rule", name="tcp 22", state="sent")
    # when another one of the same VM is sent, of whatever kind
    calls: list[str] = []
    outcome = send(user, second, lambda *_: calls.append("sent"), name="tcp 22")
    # then it is not, and leaves no trace
    assert outcome.operation is None
    assert outcome.alert
    assert (outcome.alert.title, outcome.alert.status) == ("Another change is under way", 409)
    assert f"name of {VM}" in outcome.alert.text
    assert (calls, Operation.objects.count(), Event.objects.count()) == ([], 1, 0)
    # but one of another VM is
    assert send(user, second, lambda *_: calls.append("sent"), vm=OTHER, name="tcp 22").done
    # and this one too, as soon as the first has an end
    first.state = "refused"
    first.save()
    assert send(user, second, lambda *_: calls.append("sent")).done
    assert len(calls) == 2


@pytest.mark.parametrize("second", KEYS)
def test_what_could_undo_or_repeat_one_that_is_not_certain_is_not_sent(user: User, second: str) -> None:
    # given a flip of the public IP of which nobody knows whether it was carried out
    first = vm_row(user, "remove-ip", state="unknown")
    calls: list[str] = []
    outcome = send(user, second, lambda *_: calls.append("sent"), name="tcp 22")
    # then only what comes to the same when it is done twice can be sent
    if second in {"reboot", "add-ip", "remove-ip", "add-rule"}:
        assert outcome.alert
        assert (outcome.alert.title, outcome.alert.status) == ("An earlier change is not certain yet", 409)
        assert outcome.alert.link == first.get_absolute_url()
        assert calls == []
    else:
        assert outcome.done
    # and all again once the looking has ended
    first.sent_at = clock.now() - timedelta(minutes=11)
    first.save()
    assert send(user, second, lambda *_: calls.append("sent"), name="tcp 22").done


def test_what_a_process_left_behind_that_died_locks_nothing_for_long(user: User) -> None:
    # given an operation that was never closed, and no tick
    first = vm_row(user, "stop", state="sent")
    first.sent_at = clock.now() - timedelta(seconds=60)
    first.save()
    assert send(user, "start", lambda *_: None).done
    first.refresh_from_db()
    assert first.state == "unknown"


def test_the_database_itself_holds_one_change_of_a_vm(user: User) -> None:
    vm_row(user, "stop", state="sent", token="1")
    with pytest.raises(IntegrityError), transaction.atomic():
        vm_row(user, "reboot", state="sent", token="2")
    # other VMs, other states, and operations on no VM are not its business
    vm_row(user, "stop", state="sent", token="3", exclusive=f"VM {OTHER}")
    for number, state in enumerate(("done", "refused", "not_sent", "unknown", "not_seen")):
        vm_row(user, "stop", state=state, token=f"closed-{number}")
    for number in range(2):
        new_row(user, state="sent", token=f"restore-{number}", name=f"vm-{number}", exclusive="")
    assert Operation.objects.filter(state="sent").count() == 4


@pytest.mark.parametrize("end", [Conflict("No."), Unreachable("No."), RuntimeError("a fault of ours")])
def test_a_change_that_went_wrong_does_not_lock_the_vm(sandbox: Sandbox, user: User, end: Exception) -> None:
    def call(*_: object) -> None:
        raise end

    if isinstance(end, RuntimeError):
        with pytest.raises(RuntimeError):
            send(user, "stop", call)
    else:
        send(user, "stop", call)
    assert send(user, "reboot", lambda *_: None).done


@pytest.mark.django_db(transaction=True)
def test_of_two_forms_at_the_same_moment_one_is_sent(sandbox: Sandbox, sign_in: Any) -> None:
    # given open dialogs of one VM and of another, in two tabs each, and an API that takes its time
    admin = sign_in("admin")
    urls = [f"/vms/{VM}/stop/", f"/vms/{VM}/reboot/", f"/vms/{OTHER}/stop/"]
    forms = [(url, {"token": token_of(admin.get(url, headers=HTMX)), "intent": url.split("/")[-2]}) for url in urls]
    for operation in ("stop_instance", "reboot_instance"):
        sandbox.faults.arm(operation, "delay", seconds=0.25, times=None)
    # when all are sent at the same moment
    answers = at_once(*[lambda url=url, data=data: admin.post(url, data, headers=HTMX) for url, data in forms])
    # then the one VM is changed once, and the other one is too
    assert sorted(answer.status_code for answer in answers[:2]) == [200, 409]
    assert answers[2].status_code == 200
    (late,) = [answer for answer in answers[:2] if answer.status_code == 409]
    assert "Another change is under way" in text_of(late)
    paths = [call.path for call in sandbox.log.calls() if call.method == "POST"]
    assert len([path for path in paths if VM in path]) == len([path for path in paths if OTHER in path]) == 1
    assert Operation.objects.filter(state="done").count() == 2
