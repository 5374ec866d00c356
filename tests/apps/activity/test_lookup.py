"""Looking up what a write did whose answer was lost: what counts as its result, and for how long it is looked for."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.lookup import settle
from apps.activity.models import Event, Operation
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import SNAPSHOT, new_row, put_vm
from tests.conftest import text_of

MADE = "BRK-900001D"


@pytest.fixture
def user(make_user: Any) -> User:
    return make_user("operator")


def looked_up(row: Operation) -> tuple[str, str]:
    """Look for it once more; return its state and what was found."""
    settle(row)
    row.refresh_from_db()
    return row.state, row.result_id


# --- what counts as the result


def test_it_takes_a_vm_of_the_name_made_after_the_click(sandbox: Sandbox, user: User) -> None:
    # given an unknown restore, and a new VM of its name
    row = new_row(user)
    put_vm(sandbox, MADE)
    # when it is looked for, then the VM is its result
    assert settle(row)
    row.refresh_from_db()
    assert (row.state, row.result_id, row.alert) == ("done", MADE, {})
    assert row.closed_at is not None
    assert (Event.objects.get().result, Event.objects.get().result_id) == ("done", MADE)


def test_it_does_not_take_a_vm_that_was_there_before(sandbox: Sandbox, user: User) -> None:
    put_vm(sandbox, MADE)
    assert looked_up(new_row(user, known_ids=[MADE])) == ("unknown", "")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3600, ("unknown", "")), (63, ("unknown", "")), (57, ("done", MADE)), (-30, ("done", MADE))],
)
def test_it_does_not_take_a_vm_made_before_the_click(
    sandbox: Sandbox, user: User, seconds: int, expected: tuple[str, str]
) -> None:
    # given a VM of the name, made so long before the click; a minute is left for clocks that differ
    row = new_row(user)
    put_vm(sandbox, MADE, created=row.sent_at - timedelta(seconds=seconds))
    # when it is looked for, then only a recent one is taken
    assert looked_up(row) == expected


def test_it_takes_a_vm_whose_time_the_api_does_not_tell(sandbox: Sandbox, user: User) -> None:
    row = new_row(user)
    put_vm(sandbox, MADE)
    sandbox.world.instances[MADE]["created_at"] = None
    assert looked_up(row) == ("done", MADE)


def test_it_does_not_take_the_result_of_another_operation(sandbox: Sandbox, user: User) -> None:
    # given a VM that another operation of the same name made
    put_vm(sandbox, MADE)
    new_row(user, token="another", state="done", result_id=MADE)
    row = new_row(user)
    # when it is looked for, then it stays open
    assert looked_up(row) == ("unknown", "")
    # and when there is a second one, that is its own
    put_vm(sandbox, "BRK-900002D")
    assert looked_up(row) == ("done", "BRK-900002D")


def test_it_gives_one_vm_to_one_of_two_unknown_operations(sandbox: Sandbox, user: User) -> None:
    one, two = new_row(user, token="one"), new_row(user, token="two")
    put_vm(sandbox, MADE)
    assert [looked_up(one), looked_up(two)] == [("done", MADE), ("unknown", "")]


@pytest.mark.parametrize("name", ["second-trainer-2", "Second-Trainer", "second-trainer "])
def test_it_does_not_take_a_vm_of_another_name(sandbox: Sandbox, user: User, name: str) -> None:
    put_vm(sandbox, MADE, name=name)
    assert looked_up(new_row(user)) == ("unknown", "")


def test_it_finds_a_new_snapshot(sandbox: Sandbox, user: User) -> None:
    row = new_row(user, kind="snapshot.create", target_id="", name="nightly")
    record = dict(sandbox.world.snapshots[SNAPSHOT])
    created = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    record |= {"snapshot_id": "BRK-900001S", "snapshot_name": "nightly", "created_at": created}
    sandbox.world.add("snapshots", "BRK-900001S", record)
    assert looked_up(row) == ("done", "BRK-900001S")


def test_it_finds_a_new_image_among_those_of_its_snapshot(sandbox: Sandbox, user: User) -> None:
    row = new_row(user, kind="snapshot.image", name="base-image")
    created = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    image = {
        "image_id": 901,
        "name": "base-image",
        "snapshot_id": SNAPSHOT,
        "region": "CANADA-1",
        "created_at": created,
    }
    sandbox.world.add("images", "900", image | {"image_id": 900, "snapshot_id": "BRK-123463S", "status": "SUCCESS"})
    assert looked_up(row) == ("unknown", "")
    sandbox.world.add("images", "901", image | {"status": "SUCCESS"})
    assert looked_up(row) == ("done", "901")


# --- deletions


def test_it_sees_a_deletion_that_happened(sandbox: Sandbox, user: User) -> None:
    row = new_row(user, kind="snapshot.delete", name="")
    del sandbox.world.snapshots[SNAPSHOT]
    assert looked_up(row) == ("done", "")
    assert Event.objects.get().result == "done"


def test_it_takes_a_snapshot_that_is_being_deleted_for_deleted(sandbox: Sandbox, user: User) -> None:
    row = new_row(user, kind="snapshot.delete", name="")
    sandbox.world.snapshots[SNAPSHOT]["status"] = "DELETING"
    assert looked_up(row) == ("done", "")


def test_it_keeps_looking_while_the_snapshot_is_listed(sandbox: Sandbox, user: User) -> None:
    row = new_row(user, kind="snapshot.delete", name="")
    assert looked_up(row) == ("unknown", "")
    assert Event.objects.count() == 0


@pytest.mark.parametrize("field", ["snapshot_id", "snapshot_name", "status", "region"])
def test_it_does_not_take_a_snapshot_that_cannot_be_read_for_deleted(sandbox: Sandbox, user: User, field: str) -> None:
    # given a snapshot that is still there, but without a field that it must have
    row = new_row(user, kind="snapshot.delete", name="")
    del sandbox.world.snapshots[SNAPSHOT][field]
    # then nothing is known of it
    assert looked_up(row) == ("unknown", "")
    # and when it is gone, that is seen
    del sandbox.world.snapshots[SNAPSHOT]
    assert looked_up(row) == ("done", "")


# --- an API that is down


@pytest.mark.parametrize("kind", ["hang", "refuse", "html", "invalid_json", "close"])
@pytest.mark.parametrize("operation", ["snapshot.restore", "snapshot.delete"])
def test_it_knows_nothing_while_the_api_is_down(sandbox: Sandbox, user: User, kind: str, operation: str) -> None:
    # given an API that fails
    row = new_row(user, kind=operation, name="second-trainer" if operation == "snapshot.restore" else "")
    sandbox.faults.arm("*", kind, times=None)
    # when it is looked for, then it stays open, and nothing is written down
    assert looked_up(row) == ("unknown", "")
    assert Event.objects.count() == 0


def test_it_does_not_claim_that_nothing_happened_when_it_could_never_look(sandbox: Sandbox, user: User) -> None:
    # given a VM that was made, and an API that did not answer in all the ten minutes
    row = new_row(user)
    put_vm(sandbox, MADE)
    sandbox.faults.arm("list_instances", "refuse", times=None)
    with clock.moved(timedelta(seconds=700)):
        # when the time is over, then it is not called safe to try again
        assert looked_up(row) == ("unknown", "")
        # and when the API answers again, it is found
        sandbox.faults.clear()
        assert looked_up(row) == ("done", MADE)


def test_it_ends_when_the_place_to_look_in_is_gone(sandbox: Sandbox, user: User) -> None:
    # given an image of a snapshot that was deleted meanwhile
    row = new_row(user, kind="snapshot.image", name="base-image")
    del sandbox.world.snapshots[SNAPSHOT]
    assert looked_up(row) == ("unknown", "")
    # when the time is over, then it is closed all the same
    with clock.moved(timedelta(seconds=601)):
        assert looked_up(row) == ("not_seen", "")


# --- how long


def test_it_gives_up_after_ten_minutes(sandbox: Sandbox, user: User) -> None:
    row = new_row(user)
    with clock.moved(timedelta(seconds=595)):
        assert looked_up(row) == ("unknown", "")
    with clock.moved(timedelta(seconds=601)):
        assert looked_up(row) == ("not_seen", "")
        row.refresh_from_db()
        assert row.closed_at is not None
    assert [event.result for event in Event.objects.all()] == ["not_seen"]


def test_it_looks_for_as_long_as_the_setting_says(sandbox: Sandbox, user: User, settings: Any) -> None:
    settings.LOOK_FOR_SECONDS = 30
    row = new_row(user)
    with clock.moved(timedelta(seconds=31)):
        assert looked_up(row) == ("not_seen", "")


def test_it_prefers_what_it_sees_to_the_time_that_is_over(sandbox: Sandbox, user: User) -> None:
    row = new_row(user)
    put_vm(sandbox, MADE)
    with clock.moved(timedelta(seconds=3600)):
        assert looked_up(row) == ("done", MADE)


def test_it_has_the_lists_read_anew(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given a list of VMs that is kept for a minute, and a VM that is not in it
    settings.FRESH_STATUS_SECONDS = 60
    assert "second-trainer" not in text_of(operator.get("/vms/"))
    row = new_row(User.objects.get())
    put_vm(sandbox, MADE)
    assert "second-trainer" not in text_of(operator.get("/vms/"))
    # when the look-up finds it, then the list shows it at once
    settle(row)
    assert "second-trainer" in text_of(operator.get("/vms/"))
