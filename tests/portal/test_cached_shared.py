"""Reads that several processes share through Redis, and what happens while Redis does not answer."""

import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from barrack_web import cached, clock, cloud
from barrack_web.cached import Read, Source
from barrack_web.client import Listing, Snapshot
from barrack_web.sandbox.server import Sandbox
from tests.portal.conftest import at_once, calls

SNAPSHOT = "BRK-123456S"


@pytest.fixture(autouse=True)
def fresh_for_a_minute(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = 60.0


def two_processes(log: list[str]) -> tuple[Source[Listing[Snapshot]], Source[Listing[Snapshot]]]:
    """Return what two processes have of the same read; each call is noted with the process that made it."""

    def source(process: str) -> Source[Listing[Snapshot]]:
        def fetch(_: str) -> Listing[Snapshot]:
            log.append(process)
            return cloud.client().snapshots.list()

        return Source("test-two", Listing[Snapshot], fetch, lambda _: 60.0)

    return source("a"), source("b")


@pytest.mark.usefixtures("shared_redis")
def test_it_makes_one_call_among_processes(sandbox: Sandbox) -> None:
    # given two processes and a slow API
    log: list[str] = []
    one, two = two_processes(log)
    sandbox.latency = 0.2
    # when both are asked at once
    sources = iter([one, two] * 5)
    found = at_once(10, lambda: next(sources).read())
    # then one of them made the call, and the other has its answer
    assert len(log) == 1
    assert calls(sandbox) == 1
    assert len({(read.version, read.at) for read in found}) == 1
    assert one.read().value == two.read().value == found[0].value


@pytest.mark.usefixtures("shared_redis")
def test_it_tells_other_processes_of_a_write(sandbox: Sandbox) -> None:
    log: list[str] = []
    one, two = two_processes(log)
    before = one.read()
    assert two.read() == before
    # when one process has written
    sandbox.world.snapshots[SNAPSHOT]["snapshot_name"] = "renamed"
    one.forget()
    # then the other asks, and both see the change
    assert "renamed" in {row.snapshot_name for row in two.read().value}
    assert one.read() == two.read()
    assert log == ["a", "b"]


@pytest.mark.usefixtures("shared_redis")
def test_it_shows_another_process_the_older_copy(sandbox: Sandbox) -> None:
    one, two = two_processes([])
    before = one.read()
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    with clock.moved(timedelta(seconds=61)):
        found = two.read()
    assert found.stale
    assert (found.value, found.at) == (before.value, before.at)


@pytest.mark.usefixtures("shared_redis")
def test_it_does_not_wait_for_a_process_that_died_at_the_call(sandbox: Sandbox, settings: Settings) -> None:
    # given a lock whose holder is gone
    one, _ = two_processes([])
    cache.set(one._key("", "lock"), 1, 30)
    began = time.monotonic()
    assert len(one.read().value) == 23
    assert time.monotonic() - began < settings.API_READ_SECONDS + 1


def test_it_keeps_no_pickles_in_the_shared_cache(shared_redis: Any) -> None:
    one, _ = two_processes([])
    one.read()
    one.forget()
    # given that the lock may be there for a moment more
    keys = [key for key in shared_redis.scan_iter(f"{cache.key_prefix}:*test-two*") if not key.endswith(b":lock")]
    kept = {key: shared_redis.get(key) for key in keys}
    assert {key.rpartition(b":")[2] for key in kept} == {b"body", b"meta", b"generation"}
    for key, value in kept.items():
        # a pickle of any protocol in use begins with \x80 and its number
        assert not (value[0] == 0x80 and value[1] <= 5), key


@pytest.mark.usefixtures("shared_redis")
@pytest.mark.parametrize("part", ["body", "meta"])
def test_it_asks_the_api_when_a_copy_of_an_older_release_cannot_be_read(sandbox: Sandbox, part: str) -> None:
    # given what another release wrote, in a form that this one does not know
    one, two = two_processes([])
    one.read()
    cache.set(one._key("", part), msgspec.msgpack.encode({"rows": [{"snapshot_id": "a"}]}), 60)
    # then this one asks for itself
    found = two.read()
    assert len(found.value) == 23
    assert not found.stale


@pytest.mark.usefixtures("dead_redis")
def test_it_goes_on_while_the_shared_cache_is_down(sandbox: Sandbox, settings: Settings) -> None:
    settings.API_READ_SECONDS = 6.0
    began = time.monotonic()
    first = cloud.snapshots.read()
    assert time.monotonic() - began < 2
    # and the process still has its own copy
    assert cloud.snapshots.read() == first
    assert calls(sandbox) == 1


@pytest.mark.usefixtures("dead_redis")
def test_it_sees_its_own_write_while_the_shared_cache_is_down(sandbox: Sandbox) -> None:
    cloud.snapshots.read()
    sandbox.world.snapshots[SNAPSHOT]["snapshot_name"] = "renamed"
    cloud.snapshots.forget()
    assert "renamed" in {row.snapshot_name for row in cloud.snapshots.read().value}
    cloud.snapshots.read()
    assert calls(sandbox) == 2


def test_it_uses_the_shared_cache_again_when_it_is_back(
    sandbox: Sandbox, shared_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "_cache_rests_until", time.monotonic() + 0.2)
    one, two = two_processes([])
    one.read()
    assert two.peek() is None
    time.sleep(0.25)
    one.forget()
    found: Read[Listing[Snapshot]] = one.read()
    assert two.read() == found


@pytest.mark.parametrize("dead_redis", ["refuses"], indirect=True)
def test_it_answers_pages_while_the_shared_cache_is_down(
    operator: Client, dead_redis: None, settings: Settings
) -> None:
    settings.API_READ_SECONDS = 6.0
    for path in ("/snapshots/", "/snapshots/BRK-123456S/", "/vms/", "/account/"):
        began = time.monotonic()
        assert operator.get(path).status_code == 200
        assert time.monotonic() - began < 4


@pytest.mark.django_db
def test_it_says_so_when_nobody_can_sign_in_without_the_shared_cache(
    dead_redis: Any, client: Client, sandbox: Sandbox
) -> None:
    # given a cache that is away, in which failed sign-ins are counted
    response = client.post("/account/login/", {"login": "a@example.com", "password": "wrong-password-1"})
    # then sign-in waits for it, in words
    assert response.status_code == 503
    assert "The portal cannot do this right now" in response.content.decode()
