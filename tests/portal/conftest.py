"""What several of these tests start from: caches other than the process's own memory."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from pytest_django import Settings

from barrack_web import cached
from barrack_web.sandbox.server import Sandbox

REDIS = "redis://127.0.0.1:6379/15"


def redis_at(location: str, prefix: str) -> dict[str, Any]:
    """Return the settings that CACHE_URL makes of a Redis address."""
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": location,
            "KEY_PREFIX": prefix,
            "OPTIONS": {
                "serializer": "barrack_web.cache.MsgpackSerializer",
                "socket_timeout": 0.5,
                "socket_connect_timeout": 0.5,
            },
        }
    }


def calls(sandbox: Sandbox, operation: str = "list_snapshots") -> int:
    return len(sandbox.log.calls(operation))


def at_once(number: int, act: Callable[[], Any]) -> list[Any]:
    """Do it in so many threads, all begun at the same moment, and return what each found."""
    gate = threading.Barrier(number)

    def run(_: int) -> Any:
        gate.wait(5)
        return act()

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))


@pytest.fixture
def shared_redis(sandbox: Sandbox, settings: Settings) -> Iterator[redis.Redis]:
    """The portal on a real Redis, under keys of this test's own."""
    door = redis.Redis.from_url(REDIS, socket_timeout=1, socket_connect_timeout=1)
    try:
        door.ping()
    except redis.RedisError:
        pytest.skip("no Redis answers at 127.0.0.1:6379")
    before, prefix = settings.CACHES, f"test-{secrets.token_hex(6)}"
    settings.CACHES, settings.CACHE_IS_SHARED = redis_at(REDIS, prefix), True
    yield door
    settings.CACHES = before
    for key in door.scan_iter(f"{prefix}:*"):
        door.delete(key)
    door.close()


@pytest.fixture(params=["refuses", "hangs"])
def dead_redis(
    request: pytest.FixtureRequest, sandbox: Sandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The portal on a Redis that refuses connections, or takes them and never answers."""
    monkeypatch.setattr(cached, "_cache_rests_until", 0.0)
    before = settings.CACHES
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            door.listen(64)
        settings.CACHES = redis_at(f"redis://127.0.0.1:{door.getsockname()[1]}/0", "test")
        settings.CACHE_IS_SHARED = True
        yield
        settings.CACHES = before
