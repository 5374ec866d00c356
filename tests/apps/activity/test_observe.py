"""Changes that were not made here: seen when a list is read, and told from what an operation of ours explains."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from apps.account.models import User
from apps.activity import observe
from apps.activity.events import first_break
from apps.activity.models import Event, Lease, Observed, ObservedList
from apps.activity.observe import look, look_around
from barrack_web import clock, cloud
from barrack_web.cached import pool
from barrack_web.client import Listing
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import NAME, RESTORE, SNAPSHOT, at_once, form, new_row, put_vm
from tests.conftest import HTMX

VM = "BRK-123456D"
MADE = "BRK-900001D"


@pytest.fixture(autouse=True)
def watching(settings: Any, db: None) -> Iterator[None]:
    settings.WATCH_OUTSIDE = True
    observe._rests_until.clear()
    yield
    # A comparison that is still under way would write into the next test's database.
    settings.WATCH_OUTSIDE = False
    assert until(lambda: pool._idle_semaphore._value >= len(pool._threads))


@pytest.fixture
def user(make_user: Any) -> User:
    return make_user("operator")


@pytest.fixture
def seen(sandbox: Sandbox, db: None) -> Sandbox:
    """The simulated cloud, whose lists were seen once as they are."""
    look_around()
    assert Event.objects.count() == 0
    return sandbox


def said() -> list[tuple[str, str, str]]:
    """Look again, and return what was written down: action, thing, details."""
    look_around()
    return [(row.action, row.target_id, row.name) for row in Event.objects.filter(result="observed").order_by("number")]


def set_state(sandbox: Sandbox, vm_id: str, state: str) -> None:
    sandbox.world.instances[vm_id]["status"] = state


# --- what is written down


def test_it_writes_nothing_the_first_time(sandbox: Sandbox, db: None) -> None:
    # given an account full of things, when its lists are seen for the first time
    look_around()
    # then they are noted, and nothing has happened
    assert Event.objects.count() == 0
    assert Observed.objects.filter(kind="instances").count() == len(sandbox.world.instances)
    assert Observed.objects.filter(kind="snapshots").count() == len(sandbox.world.snapshots)


def test_it_writes_what_appears_in_an_account_that_was_empty(sandbox: Sandbox, db: None) -> None:
    sandbox.reset("empty")
    look_around()
    sandbox.reset("demo")
    assert len(said()) == len(sandbox.world.instances) + len(sandbox.world.snapshots)


def test_it_tells_of_a_vm_that_appears(seen: Sandbox) -> None:
    put_vm(seen, MADE)
    assert said() == [("instance.appeared", MADE, "ACTIVE")]
    event = Event.objects.get()
    assert (event.who, event.user, event.role, event.target_name, event.operation) == (
        "outside the portal", None, "", NAME, None,
    )  # fmt: skip
    # and says it once
    assert len(said()) == 1
    assert first_break() is None


def test_it_tells_of_a_vm_that_vanishes_and_comes_back(seen: Sandbox) -> None:
    record = seen.world.instances.pop(VM)
    assert said() == [("instance.vanished", VM, "ACTIVE")]
    seen.world.instances[VM] = record
    assert said()[1:] == [("instance.appeared", VM, "ACTIVE")]
    assert Observed.objects.filter(kind="instances", resource_id=VM).count() == 1


def test_it_tells_of_a_vm_that_changes_its_state(seen: Sandbox) -> None:
    set_state(seen, VM, "STOPPING")
    assert said() == [("instance.changed", VM, "ACTIVE → STOPPING")]
    set_state(seen, VM, "SHUTOFF")
    assert said()[1:] == [("instance.changed", VM, "STOPPING → SHUTOFF")]
    # two words for one state are no change
    set_state(seen, VM, "stopped")
    assert len(said()) == 2


def test_it_tells_of_snapshots_too(seen: Sandbox) -> None:
    seen.world.snapshots.pop(SNAPSHOT)
    assert said() == [("snapshot.vanished", SNAPSHOT, "SUCCESS")]


def test_it_says_nothing_of_a_new_name(seen: Sandbox) -> None:
    seen.world.instances[VM]["vm_name"] = "renamed"
    assert said() == []
    assert Observed.objects.get(resource_id=VM).name == "renamed"


def test_it_says_nothing_of_what_was_under_way_before_anybody_watched(sandbox: Sandbox, db: None) -> None:
    set_state(sandbox, VM, "CREATING")
    look_around()
    set_state(sandbox, VM, "ACTIVE")
    assert said() == []


# --- what an operation of ours explains


@pytest.mark.parametrize("known", ["by its id", "by its name"])
def test_it_follows_a_restore_from_the_click_to_a_running_vm(seen: Sandbox, user: User, known: str) -> None:
    # given a restore of ours, whose VM is told by the API or not yet
    told = {"state": "done", "result_id": MADE, "name": "other"}
    new_row(user, **(told if known == "by its id" else {"state": "unknown"}))
    put_vm(seen, MADE)
    # when it appears and walks through its states, even longer than an operation explains a change
    for state in ("CREATING", "A_WORD_OF_TOMORROW", "ACTIVE"):
        set_state(seen, MADE, state)
        with clock.moved(timedelta(hours=2) if state == "ACTIVE" else timedelta(0)):
            # then nothing was done outside
            assert said() == []
    # and what happens to it afterwards is not explained by the restore any more
    set_state(seen, MADE, "SHUTOFF")
    assert said() == [("instance.changed", MADE, "ACTIVE → SHUTOFF")]


def test_it_follows_a_deletion_to_its_end(seen: Sandbox, user: User) -> None:
    new_row(user, kind="snapshot.delete", name="", state="done")
    seen.world.snapshots[SNAPSHOT]["status"] = "deleting"
    assert said() == []
    seen.world.snapshots.pop(SNAPSHOT)
    assert said() == []
    assert Observed.objects.get(resource_id=SNAPSHOT).present is False


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("start", ["STARTING", "ACTIVE"]),
        ("stop", ["STOPPING", "SHUTOFF"]),
        ("reboot", ["REBOOTING", "ACTIVE"]),
        ("hibernate", ["HIBERNATING", "HIBERNATED"]),
        ("hibernate", ["ERROR"]),
        ("delete", ["DELETING", "DELETED"]),
    ],
)
def test_it_follows_an_action_on_a_vm_to_its_end(seen: Sandbox, user: User, kind: str, states: list[str]) -> None:
    new_row(user, kind=f"instance.{kind}", target_id=VM, name="", state="done")
    for state in states:
        set_state(seen, VM, state)
        assert said() == []


@pytest.mark.parametrize("kind", ["add-ip", "add-rule", "reboot", "start"])
def test_it_does_not_let_an_action_explain_where_it_does_not_lead(seen: Sandbox, user: User, kind: str) -> None:
    # given something of ours on a VM, and credits that ran out just then
    new_row(user, kind=f"instance.{kind}", target_id=VM, name="", state="done")
    set_state(seen, VM, "HIBERNATED")
    assert said() == [("instance.changed", VM, "ACTIVE → HIBERNATED")]


def test_it_follows_a_real_restore(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given somebody who restores through the portal; what the pages read is not compared by threads of their own here
    look_around()
    settings.WATCH_OUTSIDE = False
    operator.post(RESTORE, form(operator), headers=HTMX)
    settings.WATCH_OUTSIDE = True
    made = Event.objects.get().result_id
    for seconds in (0, 600):
        sandbox.world.advance(seconds)
        assert said() == []
    assert Observed.objects.get(resource_id=made).state == "ACTIVE"


def test_it_goes_on_when_the_clock_is_put_back(seen: Sandbox) -> None:
    with clock.moved(timedelta(hours=2)):
        set_state(seen, VM, "STOPPING")
        assert len(said()) == 1
    set_state(seen, VM, "SHUTOFF")
    assert len(said()) == 2


@pytest.mark.parametrize("state", ["refused", "not_sent"])
def test_it_does_not_let_a_failed_operation_explain_anything(seen: Sandbox, user: User, state: str) -> None:
    new_row(user, state=state)
    put_vm(seen, MADE)
    assert said() == [("instance.appeared", MADE, "ACTIVE")]


def test_it_lets_an_operation_explain_only_so_long(seen: Sandbox, user: User, settings: Any) -> None:
    settings.OUTSIDE_WINDOW_SECONDS = 60
    new_row(user, kind="snapshot.delete", name="", sent_at=clock.now() - timedelta(seconds=61))
    seen.world.snapshots.pop(SNAPSHOT)
    assert said() == [("snapshot.vanished", SNAPSHOT, "SUCCESS")]


def test_it_does_not_take_a_second_thing_of_the_name_for_ours(seen: Sandbox, user: User) -> None:
    # given a restore whose VM is known by its id, and another VM of the same name
    new_row(user, state="done", result_id=MADE)
    put_vm(seen, MADE)
    put_vm(seen, "BRK-900002D")
    assert said() == [("instance.appeared", "BRK-900002D", "ACTIVE")]


def test_it_does_not_let_a_copy_explain_what_happens_to_its_source(seen: Sandbox, user: User) -> None:
    # given a snapshot that we are making of a VM, which may say so while it is copied
    new_row(user, kind="snapshot.create", target_id=VM, target_name="a", name="nightly", state="done")
    set_state(seen, VM, "SAVING")
    assert said() == []
    set_state(seen, VM, "ACTIVE")
    assert said() == []
    # when the VM is stopped elsewhere
    set_state(seen, VM, "STOPPING")
    assert said() == [("instance.changed", VM, "ACTIVE → STOPPING")]
    # or vanishes, then that is another matter
    seen.world.instances.pop(VM)
    assert said()[1:] == [("instance.vanished", VM, "STOPPING")]


@pytest.mark.parametrize("kind", ["snapshot.image", "image.create"])
def test_it_follows_a_snapshot_while_an_image_is_made_of_it(seen: Sandbox, user: User, kind: str) -> None:
    # given an image of ours, whose snapshot is the target, or was chosen in the form
    about = {"target_id": "", "known_ids": [SNAPSHOT, "501"]} if kind == "image.create" else {}
    new_row(user, kind=kind, name="base", state="done", result_id="777", **about)
    for state in ("PENDING", "SUCCESS"):
        seen.world.snapshots[SNAPSHOT]["status"] = state
        assert said() == []
    # and what happens to it afterwards, or to another one meanwhile, is another matter
    seen.world.snapshots["BRK-123490S"]["status"] = "PENDING"
    seen.world.snapshots[SNAPSHOT]["status"] = "ERROR"
    assert sorted(said()) == [
        ("snapshot.changed", SNAPSHOT, "SUCCESS → ERROR"),
        ("snapshot.changed", "BRK-123490S", "SUCCESS → PENDING"),
    ]


# --- lists that cannot be trusted


@pytest.mark.parametrize("flaw", [{"broken": 1}, {"complete": False}])
def test_it_takes_nothing_for_vanished_in_a_list_that_is_not_whole(seen: Sandbox, flaw: dict[str, Any]) -> None:
    # given a list of which a part could not be read
    listing = cloud.client().instances.list()
    part = msgspec.structs.replace(listing, rows=listing.rows[1:], **flaw)
    look("instances", part, clock.now())
    assert Event.objects.count() == 0
    # and the same rows of a list that is whole do tell
    look("instances", msgspec.structs.replace(part, broken=0, complete=True), clock.now())
    assert [event.action for event in Event.objects.all()] == ["instance.vanished"]


def test_it_does_not_begin_with_a_list_that_is_not_whole(sandbox: Sandbox, db: None) -> None:
    look("instances", Listing(rows=(), broken=1), clock.now())
    assert ObservedList.objects.count() == 0
    look_around()
    assert Event.objects.count() == 0


def test_it_lets_a_late_answer_tell_nothing(seen: Sandbox, user: User) -> None:
    # given a slow answer that was asked for before a VM was deleted elsewhere
    begun, late = clock.now(), cloud.client().instances.list()
    seen.world.instances.pop(VM)
    assert len(said()) == 1
    # when it comes in afterwards, then the VM has not come back
    look("instances", late, begun)
    assert [event.action for event in Event.objects.all()] == ["instance.vanished"]


def test_it_takes_names_and_states_of_any_length_and_letters(seen: Sandbox) -> None:
    put_vm(seen, MADE, name="\x00" + "x" * 300 + "क")
    set_state(seen, MADE, "y" * 400)
    ((action, _, state),) = said()
    assert (action, len(state)) == ("instance.appeared", 60)
    assert len(Event.objects.get().target_name) <= 255


# --- who looks, and when


def test_it_looks_with_every_tick(sandbox: Sandbox, db: None) -> None:
    call_command("tick")
    sandbox.world.instances.pop(VM)
    call_command("tick")
    assert [event.action for event in Event.objects.all()] == ["instance.vanished"]


def test_it_goes_on_while_the_api_fails(seen: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    # given one list that cannot be read, and a change in the other
    seen.faults.arm("list_instances", "status", status=500, times=None)
    seen.world.snapshots.pop(SNAPSHOT)
    assert said() == [("snapshot.vanished", SNAPSHOT, "SUCCESS")]
    assert "reading instances to compare them failed" in caplog.text


def test_it_looks_at_a_list_of_many_pages_less_often(
    seen: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FRESH_STATUS_SECONDS = 60
    monkeypatch.setattr(observe, "PAGES_A_PASS", 0.5)
    look_around()
    before = len(seen.log.calls("list_instances"))
    look_around()
    assert len(seen.log.calls("list_instances")) == before


def test_it_does_nothing_when_a_setting_says_so(sandbox: Sandbox, db: None, settings: Any) -> None:
    settings.WATCH_OUTSIDE = False
    look_around()
    assert sandbox.log.calls() == []
    assert ObservedList.objects.count() == 0


def test_it_leaves_it_to_another_process_that_is_at_it(seen: Sandbox) -> None:
    Lease.objects.create(job="observe instances", holder="another", until=clock.now() + timedelta(minutes=1))
    seen.world.instances.pop(VM)
    assert said() == []
    Lease.objects.all().delete()
    assert len(said()) == 1


def test_it_costs_one_query_while_nothing_changes(seen: Sandbox) -> None:
    from django.test.utils import CaptureQueriesContext

    listing = cloud.client().instances.list()
    with CaptureQueriesContext(connection) as queries:
        look("instances", listing, clock.now())
    assert len(queries) == 1


# --- when a page reads


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.django_db(transaction=True)
def test_it_sees_what_a_page_reads(operator: Client, sandbox: Sandbox) -> None:
    # given a page that was opened once
    operator.get("/vms/")
    assert until(lambda: ObservedList.objects.count() == 1 and not Lease.objects.exists())
    # when a VM vanishes elsewhere, and somebody opens the page again
    sandbox.world.instances.pop(VM)
    operator.get("/vms/")
    # then it is written down, a moment after the page has its answer, without the page's own request
    assert until(lambda: Event.objects.count() == 1 and not Lease.objects.exists())
    event = Event.objects.get()
    assert (event.action, event.target_id, event.request_id) == ("instance.vanished", VM, "")
    assert first_break() is None


@pytest.mark.django_db(transaction=True)
def test_it_keeps_no_page_waiting(operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a comparison that hangs
    released, began = threading.Event(), threading.Event()

    def hang(*_: Any) -> None:
        began.set()
        released.wait(5)

    monkeypatch.setattr(observe, "look", hang)
    try:
        # when pages are opened meanwhile, then they come at once, and with what is there now
        for name in ("one", "two"):
            sandbox.world.instances[VM]["vm_name"] = f"trainer-{name}"
            start = time.monotonic()
            assert f"trainer-{name}" in operator.get("/vms/?view=table").content.decode()
            assert time.monotonic() - start < 2
            assert began.wait(2)
    finally:
        released.set()


@pytest.mark.django_db(transaction=True)
def test_it_breaks_no_page_when_it_fails(
    operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def fail(*_: Any) -> None:
        failed.set()
        raise RuntimeError("the comparison is broken")

    monkeypatch.setattr(observe, "look", fail)
    assert operator.get("/vms/").status_code == 200
    assert failed.wait(3)
    assert until(lambda: "the comparison is broken" in caplog.text)
    assert operator.get("/vms/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_it_writes_each_change_once_however_many_look(sandbox: Sandbox) -> None:
    # given ten threads that compare the same list at once
    look_around()
    sandbox.world.instances.pop(VM)
    listing = cloud.client().instances.list()
    results = at_once(*(lambda: look("instances", listing, clock.now()) for _ in range(10)))
    assert results == [None] * 10
    # then it is written down once, also after one more look
    look("instances", listing, clock.now())
    assert [event.action for event in Event.objects.all()] == ["instance.vanished"]
