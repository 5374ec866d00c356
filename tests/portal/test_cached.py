"""Reads that many share: fresh for a while, one call at a time, an older copy when the API fails."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pytest_django import Settings

from barrack_web import cached, clock, cloud
from barrack_web.cached import Source
from barrack_web.client import Broken, Listing, Missing, TimedOut
from barrack_web.sandbox.server import Sandbox
from tests.portal.conftest import at_once, calls

SNAPSHOT = "BRK-123456S"


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 2
    while not condition():
        assert time.monotonic() < end, "waited 2 s in vain"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def fresh_for_a_minute(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = 60.0


# --- Fresh and not fresh ---------------------------------------------------------------------------------------------


def test_it_answers_from_a_fresh_copy_without_a_call(sandbox: Sandbox) -> None:
    first = cloud.snapshots.read()
    second = cloud.snapshots.read()
    assert len(first.value) == 23
    assert second == first
    assert not second.stale
    assert calls(sandbox) == 1


@pytest.mark.parametrize(("seconds", "expected"), [(55, 1), (61, 2)])
def test_it_asks_again_when_the_copy_is_too_old(sandbox: Sandbox, seconds: int, expected: int) -> None:
    first = cloud.snapshots.read()
    with clock.moved(timedelta(seconds=seconds)):
        second = cloud.snapshots.read()
    assert calls(sandbox) == expected
    assert (second.at > first.at) is (expected == 2)


def test_it_keeps_nothing_when_the_setting_is_zero(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = 0.0
    cloud.snapshots.read()
    cloud.snapshots.read()
    assert calls(sandbox) == 2


def test_it_peeks_without_a_call(sandbox: Sandbox) -> None:
    assert cloud.snapshots.peek() is None
    first = cloud.snapshots.read()
    with clock.moved(timedelta(hours=1)):
        assert cloud.snapshots.peek() == first
    assert calls(sandbox) == 1


def test_it_keeps_keys_apart(sandbox: Sandbox) -> None:
    first = cloud.snapshot.read("BRK-123456S").value
    other = next(row for row in cloud.snapshots.read().value if row.snapshot_id != "BRK-123456S")
    assert cloud.snapshot.read(other.snapshot_id).value.snapshot_name == other.snapshot_name != first.snapshot_name
    cloud.snapshot.forget(other.snapshot_id)
    assert cloud.snapshot.read("BRK-123456S").value == first
    assert calls(sandbox, "get_snapshot") == 2


# --- One call at a time ----------------------------------------------------------------------------------------------


def test_it_makes_one_call_for_twenty_readers(sandbox: Sandbox) -> None:
    sandbox.latency = 0.15
    found = at_once(20, cloud.snapshots.read)
    assert calls(sandbox) == 1
    assert len({read.version for read in found}) == 1
    assert all(len(read.value) == 23 for read in found)


def test_it_makes_one_call_for_twenty_readers_even_when_nothing_is_kept(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = 0.0
    sandbox.latency = 0.15
    at_once(20, cloud.snapshots.read)
    assert calls(sandbox) == 1


def test_it_gives_every_reader_the_error_of_the_one_call(sandbox: Sandbox) -> None:
    sandbox.latency = 0.1
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)

    def read() -> str:
        try:
            cloud.snapshots.read()
        except Broken:
            return "broken"
        return "fine"

    assert at_once(20, read) == ["broken"] * 20
    assert calls(sandbox) == 1


def test_it_makes_different_reads_at_the_same_time(sandbox: Sandbox) -> None:
    sandbox.latency = 0.15
    began = time.monotonic()
    pending = [cloud.snapshots.begin(), cloud.instances.begin(), cloud.regions.begin(), cloud.balance.begin()]
    for each in pending:
        each.get()
    assert time.monotonic() - began < 0.45


def test_it_gives_a_page_what_is_there_in_time_and_lets_the_call_go_on(sandbox: Sandbox) -> None:
    sandbox.latency = 0.2
    pending = cloud.snapshots.begin()
    assert pending.within(0.02) is None
    found = pending.within(2)
    assert found is not None
    assert len(found.value) == 23
    assert cloud.snapshots.begin().within(0) == found
    assert calls(sandbox) == 1


def test_it_does_without_what_failed(sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    assert cloud.snapshots.begin().within(2) is None
    assert cloud.snapshots.begin().or_none() is None


def test_it_never_lets_a_page_wait_for_longer_than_its_limit(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "PAGE_SECONDS", 0.05)
    sandbox.latency = 0.3
    pending = cloud.snapshots.begin()
    with pytest.raises(TimedOut) as caught:
        pending.get()
    assert caught.value.operation == "snapshots"
    assert pending.future.result(2)


# --- After a write ---------------------------------------------------------------------------------------------------


def test_it_asks_anew_after_forget(sandbox: Sandbox) -> None:
    cloud.snapshots.read()
    sandbox.world.snapshots[SNAPSHOT]["snapshot_name"] = "renamed"
    cloud.snapshots.forget()
    assert "renamed" in {row.snapshot_name for row in cloud.snapshots.read().value}
    assert calls(sandbox) == 2


def test_it_does_not_take_a_read_that_began_before_the_write_for_fresh(sandbox: Sandbox) -> None:
    # given a slow read under way
    sandbox.latency = 0.15
    early = cloud.snapshots.begin()
    wait_for(lambda: calls(sandbox) == 1)
    # when something is written meanwhile
    cloud.snapshots.forget()
    sandbox.latency = 0.3
    # then the next reader neither joins that read nor takes its answer for fresh
    late = cloud.snapshots.begin()
    early.get()
    late.get()
    assert calls(sandbox) == 2
    cloud.snapshots.read()
    assert calls(sandbox) == 2


def test_it_does_not_show_an_old_answer_that_came_late(sandbox: Sandbox) -> None:
    # given a read that is overtaken by the read after the write
    sandbox.faults.arm("list_snapshots", "delay", seconds=0.25)
    early = cloud.snapshots.begin()
    wait_for(lambda: calls(sandbox) == 1)
    cloud.snapshots.forget()
    newer = cloud.snapshots.read()
    early.get()
    # then the newer copy stays, and is still fresh
    after = cloud.snapshots.read()
    assert (after.at, after.version) == (newer.at, newer.version)
    assert calls(sandbox) == 2


def test_it_asks_anew_after_forget_although_the_last_call_failed(sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=500)
    with pytest.raises(Broken):
        cloud.snapshots.read()
    cloud.snapshots.forget()
    assert len(cloud.snapshots.read().value) == 23


# --- When the API fails ----------------------------------------------------------------------------------------------


def test_it_shows_the_older_copy_with_the_problem(sandbox: Sandbox) -> None:
    first = cloud.snapshots.read()
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    with clock.moved(timedelta(seconds=61)):
        found = cloud.snapshots.read()
    assert isinstance(found.problem, Broken)
    assert found.stale
    assert (found.value, found.at) == (first.value, first.at)
    assert found.tag != first.tag


def test_it_keeps_the_older_copy_through_forget(sandbox: Sandbox) -> None:
    cloud.snapshots.read()
    cloud.snapshots.forget()
    sandbox.faults.arm("list_snapshots", "refuse", times=None)
    found = cloud.snapshots.read()
    assert found.stale
    assert len(found.value) == 23


def test_it_raises_when_there_is_no_copy(sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "hang")
    with pytest.raises(TimedOut):
        cloud.snapshots.read()


def test_it_never_serves_what_is_gone_from_an_older_copy(sandbox: Sandbox) -> None:
    cloud.snapshot.read(SNAPSHOT)
    del sandbox.world.snapshots[SNAPSHOT]
    cloud.snapshot.forget(SNAPSHOT)
    with pytest.raises(Missing):
        cloud.snapshot.read(SNAPSHOT)
    # and a failure after that does not bring it back from the dead for longer than the API stays silent
    assert cached.last_state() == "ok"


def test_it_does_not_storm_an_api_that_fails(sandbox: Sandbox) -> None:
    cloud.snapshots.read()
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    with clock.moved(timedelta(seconds=61)):
        found = [cloud.snapshots.read() for _ in range(20)]
    assert all(read.stale for read in found)
    assert calls(sandbox) == 2
    assert cached.last_state() == "failing"


def test_it_recovers_by_itself(sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=500)
    with pytest.raises(Broken):
        cloud.snapshots.read()
    with clock.moved(timedelta(seconds=61)):
        found = cloud.snapshots.read()
        assert cloud.snapshots.read() == found
    assert not found.stale
    assert calls(sandbox) == 2
    assert cached.last_state() == "ok"


def test_it_survives_a_mistake_of_ours_in_a_read(sandbox: Sandbox) -> None:
    # given a fetch with a bug
    source: Source[int] = Source("test-bug", int, int, lambda _: 0.0)
    with pytest.raises(ValueError, match="invalid literal"):
        source.read("x")
    # then the next reader is not stuck behind it
    assert source.read("7").value == 7
    with pytest.raises(ValueError, match="invalid literal"):
        source.read("x")


# --- What changes when the content does ------------------------------------------------------------------------------


def test_it_keeps_version_and_tag_while_the_content_is_the_same(sandbox: Sandbox) -> None:
    first = cloud.snapshots.read()
    cloud.snapshots.forget()
    second = cloud.snapshots.read()
    assert calls(sandbox) == 2
    assert (second.version, second.tag) == (first.version, first.tag)


def test_it_changes_version_and_tag_with_the_content(sandbox: Sandbox) -> None:
    first = cloud.snapshots.read()
    sandbox.world.snapshots[SNAPSHOT]["status"] = "DELETING"
    cloud.snapshots.forget()
    second = cloud.snapshots.read()
    assert second.version != first.version
    assert second.tag != first.tag


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_it_reads_a_batch_under_one_key(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_BALANCE_SECONDS = 60.0
    listing = cloud.snapshots.read().value
    turned = Listing(tuple(reversed(listing.rows)))
    first = cloud.images_of.read(cloud.batch_key(listing))
    assert cloud.images_of.read(cloud.batch_key(turned)) == first
    assert set(first.value) <= {row.snapshot_id for row in listing}
    assert any(related.images for related in first.value.values())
    assert calls(sandbox, "list_snapshot_image_relationships") == 1


def test_it_keeps_long_batches_apart(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_BALANCE_SECONDS = 60.0
    ids = sorted(row.snapshot_id for row in cloud.snapshots.read().value)
    all_but_last, all_but_first = cloud.images_of.read(",".join(ids[:-1])), cloud.images_of.read(",".join(ids[1:]))
    assert ids[-1] not in all_but_last.value
    assert ids[0] not in all_but_first.value
    assert calls(sandbox, "list_snapshot_image_relationships") == 2


@pytest.mark.parametrize("key", ["é" * 64, "🙂" * 40, "x" * 5_000, "a b\tc", "a:b%3A", "\x00"])
def test_it_takes_any_key(sandbox: Sandbox, key: str) -> None:
    # given that Django warns of cache keys over 250 characters or with blanks, and a warning fails a test
    source: Source[str] = Source("test-keys", str, str.upper, lambda _: 60.0)
    assert source.read(key).value == key.upper()
    found = source.peek(key)
    assert found is not None
    assert found.value == key.upper()
    assert source.peek(f"{key}-") is None


def test_it_holds_a_bounded_number_of_copies(sandbox: Sandbox) -> None:
    source: Source[str] = Source("test-many", str, str.upper, lambda _: 60.0)
    for number in range(cached.KEYS_HELD + 20):
        source.read(str(number))
    assert len(source.held) == cached.KEYS_HELD
    # and what was put out of the process is still in the cache
    assert source.read("0").value == "0"


def test_it_shows_the_copy_of_the_shared_cache_while_the_api_rests(sandbox: Sandbox, settings: Settings) -> None:
    # given a failure that is remembered, and a process whose own copy has made room for others
    settings.FRESH_STATUS_SECONDS = 1.0
    cloud.snapshots.read()
    sandbox.faults.arm("list_snapshots", "status", status=429, headers={"Retry-After": "30"}, times=None)
    with clock.moved(timedelta(seconds=5)):
        assert cloud.snapshots.read().stale
        cloud.snapshots.held.clear()
        # when it is read again, then the answer comes at once, from the shared cache, and the API keeps its rest
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(cloud.snapshots.read).result(timeout=2).stale
    assert calls(sandbox) == 2
    with clock.moved(timedelta(seconds=20)):
        cloud.snapshots.read()
    assert calls(sandbox) == 2
    with clock.moved(timedelta(seconds=40)):
        cloud.snapshots.read()
    assert calls(sandbox) == 3


def test_it_takes_the_copy_at_hand_when_the_patience_is_over(sandbox: Sandbox) -> None:
    # given a copy that is no longer fresh, and a slow API
    cloud.snapshots.read()
    cloud.snapshots.forget()
    sandbox.latency = 0.3
    first, second = cloud.snapshots.begin(), cloud.eligible.begin()
    began = time.monotonic()
    # when a form is sent that waits a tenth of a second, then the copy is taken as it is, and the wait is not added up
    assert not first.get(0.1).stale
    assert not first.get(0.1).stale
    assert time.monotonic() - began < 0.2
    # and where there is no copy, the answer is waited for
    assert second.get(0.1).value.rows
    assert time.monotonic() - began > 0.25
