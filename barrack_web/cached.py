"""A read of the API that many viewers share: kept a while, asked for once at a time, shown old when the API fails."""

import contextvars
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from django.conf import settings
from django.core.cache import BaseCache, cache
from django.core.cache.backends.dummy import DummyCache
from redis.exceptions import RedisError

from barrack_web import clock
from barrack_web.client import BarrackError, Missing, TimedOut, TooMany

T = TypeVar("T")
log = logging.getLogger("barrack.cloud")

# A page has an answer within ten seconds, whatever the API does; the rest is for drawing it.
PAGE_SECONDS = 9.0
# What a page can do without is waited for so long, once the page has what it cannot do without.
OPTIONAL_SECONDS = 0.5
# When the answer to the present request must be there, on the monotonic clock.
page_end_var: ContextVar[float] = ContextVar("page_end", default=float("inf"))
# How long a copy stays at hand for the day on which the API fails.
COPY_SECONDS = 24 * 3600
KEYS_HELD = 500
LONGEST_REST_SECONDS = 60
# Longer keys (a batch of ids) stand in the shared cache under their digest.
KEY_LENGTH = 64
# The shared cache is left alone for so long after it failed, so that a page does not wait for it again and again.
CACHE_REST_SECONDS = 10

# One leader per read runs here; everybody else waits for its result without a thread of the pool.
pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="cloud")

_last_state = "unknown"
_cache_rests_until = 0.0
_no_cache = DummyCache("", {})


def last_state() -> str:
    """Return how the last call of this process went: "ok", "failing" or "unknown"."""
    return _last_state


def _note(state: str) -> None:
    global _last_state  # noqa: PLW0603 - one word about the process's last call
    _last_state = state


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A value, the time it was read from the cloud, and, when it is an older copy, the error that stands in the way."""

    value: T
    at: datetime
    version: str
    problem: BarrackError | None = None

    @property
    def stale(self) -> bool:
        return self.problem is not None

    @property
    def tag(self) -> str:
        """What changes when the page that shows this read must change."""
        return self.version if self.problem is None else f"{self.version}!{type(self.problem).__name__}"


class Meta(msgspec.Struct, frozen=True, array_like=True):
    """What the shared cache knows about a copy without decoding it."""

    at: float
    version: str
    generation: int
    seconds: float


@dataclass(slots=True)
class Held(Generic[T]):
    meta: Meta
    value: T


@dataclass(frozen=True, slots=True)
class Failure:
    error: BarrackError
    generation: int
    until: float


class Pending(Generic[T]):
    """A read under way; several are begun first and then waited for, so that a page costs one round trip."""

    def __init__(self, source: "Source[T]", key: str, future: Future[Read[T]]) -> None:
        self.source = source
        self.key = key
        self.future = future
        self.begun = time.monotonic()

    def get(self, patience: float | None = None) -> Read[T]:
        """Return the read. Raises BarrackError when there is neither an answer nor an older copy.

        With `patience`, in seconds from the beginning, the copy at hand is taken as it is when the answer takes longer.
        """
        if patience is not None:
            found = self.within(max(0.0, self.begun + patience - time.monotonic()))
            if found is None and not self.failed:
                found = self.source.peek(self.key)
            if found is not None:
                return found
        try:
            return self.future.result(timeout=seconds_left())
        except WaitedTooLong:
            late = TimedOut("There was no answer in time.", operation=self.source.name)
            return self.source.older(self.key, late).result()

    @property
    def failed(self) -> bool:
        """Whether the read has ended without an answer and without an older copy."""
        return self.future.done() and self.future.exception() is not None

    def within(self, seconds: float) -> Read[T] | None:
        """Return the read if it is there within so many seconds; the call goes on for those who come later."""
        try:
            return self.future.result(timeout=min(seconds, seconds_left()))
        except (WaitedTooLong, BarrackError):
            return None

    def or_none(self, end: float | None = None) -> Read[T] | None:
        """Return the read, the copy at hand when it takes long, or None: for what a page can do without.

        Several that share an `end`, on the monotonic clock, are waited for together.
        """
        found = self.within(OPTIONAL_SECONDS if end is None else max(0.0, end - time.monotonic()))
        return found if found is not None or self.failed else self.source.peek(self.key)


class Source(Generic[T]):
    """One operation of the API as pages read it, per key (an id, a page number) where it has one.

    `fetch` makes the call, `kind` is the type that the shared cache's bytes decode to, `seconds` says for how long an
    answer counts as fresh, `fallback` gives a copy from elsewhere when there is none of its own. `told` is told of each
    answer, with the time at which it was asked for, once those who wait for it have it.
    """

    def __init__(
        self,
        name: str,
        kind: Any,
        fetch: Callable[[str], T],
        seconds: Callable[[T], float],
        *,
        fallback: "Callable[[str], Read[T] | None]" = lambda _: None,
        told: Callable[[T, datetime], object] = lambda *_: None,
    ) -> None:
        self.name = name
        self.fetch = fetch
        self.fallback = fallback
        self.told = told
        self.seconds = seconds
        self.decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self.lock = threading.Lock()
        self.held: OrderedDict[str, Held[T]] = OrderedDict()
        self.failures: dict[str, Failure] = {}
        self.flights: dict[tuple[str, int], Future[Read[T]]] = {}
        # What `forget` could not tell the shared cache.
        self.forgotten: dict[str, int] = {}

    def read(self, key: str = "") -> Read[T]:
        """Return a fresh value, or an older copy that says why. Raises BarrackError when there is neither."""
        return self.begin(key).get()

    def peek(self, key: str = "") -> Read[T] | None:
        """Return what is at hand, however old, without a call to the API."""
        meta, _ = self._shared_state(key)
        value = self._value(key, meta) if meta else None
        return None if meta is None or value is None else _as_read(meta, value)

    def begin(self, key: str = "") -> Pending[T]:
        """Begin the read: at once when the copy is fresh, by joining the call under way, or by making one."""
        meta, generation = self._shared_state(key)
        if meta and meta.generation == generation and _now() - meta.at < meta.seconds:
            value = self._value(key, meta)
            if value is not None:
                return Pending(self, key, _finished(_as_read(meta, value)))
        with self.lock:
            failure = self.failures.get(key)
            resting = failure and failure.generation == generation and _now() < failure.until
            flight = self.flights.get((key, generation))
            if flight is None and not resting:
                flight = self.flights[key, generation] = Future()
                context = contextvars.copy_context()
                pool.submit(context.run, self._lead, key, generation, flight)
        if failure and flight is None:
            return Pending(self, key, self.older(key, failure.error))
        assert flight is not None  # noqa: S101 - made above unless the API rests
        return Pending(self, key, flight)

    def forget(self, key: str = "") -> None:
        """Make the next read ask the API, after a write; the copy stays at hand should the API fail."""
        name = self._key(key, "generation")
        # A time and not a count: a count that the cache lost would come back to a number already used.
        moment = self.forgotten[key] = time.time_ns()
        with shared_cache() as shared:
            shared.set(name, moment, COPY_SECONDS)
            if shared is cache:
                self.forgotten.pop(key, None)

    def drop(self) -> None:
        """Empty this process's copies; tests and the sandbox's reset use it."""
        with self.lock:
            self.held.clear()
            self.failures.clear()
            self.flights.clear()
            self.forgotten.clear()

    def _lead(self, key: str, generation: int, flight: "Future[Read[T]]") -> None:
        """Make the one call, or wait for the process that makes it, and give everybody the result."""
        begun, fresh = clock.now(), False
        try:
            with self._only_process(key, generation) as found:
                read = found or self._fetched(key, generation)
                flight.set_result(read)
                fresh = found is None
        except BarrackError as error:
            self._remember_failure(key, generation, error)
            outcome = self.older(key, error)
            problem = outcome.exception()
            flight.set_exception(problem) if problem else flight.set_result(outcome.result())
        except BaseException as error:
            log.exception("reading %s failed", self.name)
            flight.set_exception(error)
        finally:
            with self.lock:
                self.flights.pop((key, generation), None)
        if fresh:
            self.told(read.value, begun)

    def _fetched(self, key: str, generation: int) -> Read[T]:
        value = self.fetch(key)
        _note("ok")
        body = msgspec.msgpack.encode(value)
        version = hashlib.blake2b(body, digest_size=8).hexdigest()
        meta = Meta(_now(), version, generation, self.seconds(value))
        newer, current = self._shared_state(key)
        if newer and newer.generation == current != generation:
            # A write came in between and somebody has read since: this answer is the older one.
            return _as_read(meta, value)
        self._hold(key, Held(meta, value))
        with self.lock:
            self.failures.pop(key, None)
        with shared_cache() as shared:
            shared.set_many(
                {self._key(key, "body"): body, self._key(key, "meta"): msgspec.msgpack.encode(meta)}, COPY_SECONDS
            )
        return _as_read(meta, value)

    @contextmanager
    def _only_process(self, key: str, generation: int) -> Iterator[Read[T] | None]:
        """Hold the lock among processes while the block runs; give what another process found if it was quicker."""
        if not settings.CACHE_IS_SHARED:
            yield None
            return
        name, mine, end = self._key(key, "lock"), False, time.monotonic() + settings.API_READ_SECONDS
        while time.monotonic() < end:
            with shared_cache() as shared:
                mine = bool(shared.add(name, 1, settings.API_READ_SECONDS + 1))
            meta, current = self._shared_state(key)
            if meta and meta.generation == generation == current and _now() - meta.at < meta.seconds:
                value = self._value(key, meta)
                if value is not None:
                    self._unlock(name, mine=mine)
                    yield _as_read(meta, value)
                    return
            if mine:
                break
            time.sleep(0.02)
        try:
            yield None
        finally:
            self._unlock(name, mine=mine)

    def _unlock(self, name: str, *, mine: bool) -> None:
        if mine:
            with shared_cache() as shared:
                shared.delete(name)

    def _remember_failure(self, key: str, generation: int, error: BarrackError) -> None:
        if not isinstance(error, Missing):
            _note("failing")
        # An API that asks for fewer requests gets its pause, within reason.
        pause = min(error.retry_after or 0, LONGEST_REST_SECONDS) if isinstance(error, TooMany) else 0
        rest = max(settings.FRESH_STATUS_SECONDS, pause)
        with self.lock:
            if len(self.failures) >= KEYS_HELD:
                self.failures.clear()
            self.failures[key] = Failure(error, generation, _now() + rest)

    def older(self, key: str, error: BarrackError) -> "Future[Read[T]]":
        """Return the older copy with its problem, or the error. What is gone (404) has no older copy."""
        copy = None if isinstance(error, Missing) else self.peek(key) or self.fallback(key)
        future: Future[Read[T]] = Future()
        if copy is None:
            future.set_exception(error)
        else:
            future.set_result(Read(copy.value, copy.at, copy.version, error))
        return future

    def _shared_state(self, key: str) -> tuple[Meta | None, int]:
        meta_name, generation_name = self._key(key, "meta"), self._key(key, "generation")
        found: dict[str, Any] = {}
        with shared_cache() as shared:
            found = shared.get_many([meta_name, generation_name])
        raw, generation = found.get(meta_name), int(found.get(generation_name, self.forgotten.get(key, 0)))
        if raw is not None:
            with readable():
                return msgspec.msgpack.decode(raw, type=Meta), generation
        held = self.held.get(key)
        return (held.meta if held else None), generation

    def _value(self, key: str, meta: Meta) -> T | None:
        """Return the decoded value of that version: this process's own, or decoded from the shared cache's bytes."""
        held = self.held.get(key)
        if held and held.meta.version == meta.version:
            return held.value
        body, value = None, None
        with shared_cache() as shared:
            body = shared.get(self._key(key, "body"))
        if body is not None:
            with readable():
                value = self.decoder.decode(body)
                self._hold(key, Held(meta, value))
        return value

    def _hold(self, key: str, held: Held[T]) -> None:
        with self.lock:
            self.held[key] = held
            self.held.move_to_end(key)
            while len(self.held) > KEYS_HELD:
                self.held.popitem(last=False)

    def _key(self, key: str, what: str) -> str:
        short = quote(key, safe="")
        if len(short) > KEY_LENGTH:
            short = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return f"cloud:{self.name}:{short}:{what}"


@contextmanager
def shared_cache() -> Iterator[BaseCache]:
    """Give the shared cache, or an empty one while it does not answer: each process then keeps its own copies."""
    global _cache_rests_until  # noqa: PLW0603 - one cache for the process
    try:
        yield _no_cache if time.monotonic() < _cache_rests_until else cache
    except (RedisError, OSError) as error:
        _cache_rests_until = time.monotonic() + CACHE_REST_SECONDS
        log.warning("the shared cache does not answer: %s", type(error).__name__)


@contextmanager
def readable() -> Iterator[None]:
    """Take bytes that an older release wrote, and this one cannot read, for no copy at all."""
    try:
        yield
    except msgspec.MsgspecError as error:
        log.warning("a copy in the shared cache cannot be read: %s", type(error).__name__)


def seconds_left() -> float:
    """Return how long the present request may still wait, at least a moment; outside of one, as long as a page."""
    return min(PAGE_SECONDS, max(0.05, page_end_var.get() - time.monotonic()))


def _now() -> float:
    return clock.now().timestamp()


def _finished(read: Read[T]) -> "Future[Read[T]]":
    future: Future[Read[T]] = Future()
    future.set_result(read)
    return future


def _as_read(meta: Meta, value: T) -> Read[T]:
    return Read(value, datetime.fromtimestamp(meta.at, UTC), meta.version)
