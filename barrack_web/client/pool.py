"""The threads that calls run on, waited for until a deadline, with a circuit breaker.

A socket's own time limit starts anew at each byte, so only a caller that stops waiting can keep a limit for the whole
call. What it leaves behind still holds a thread; the breaker keeps such threads from using up the pool.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class BreakerOpen(Exception):  # noqa: N818 - never leaves the client
    """More than half of the threads hold calls that nobody waits for any more, or the pool is closed."""


class GaveUp(Exception):  # noqa: N818 - never leaves the client
    """The deadline passed. `sent` tells whether the request had been handed to the network."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__()
        self.sent = sent


class Ticket:
    """Settles, once and for both threads, whether a call was sent or given up before it could be."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = False
        self._given_up = False

    def may_send(self) -> bool:
        """Called right before the request goes out. False: nobody waits any more, so it must not go out."""
        with self._lock:
            if not self._given_up:
                self._sent = True
            return not self._given_up

    def give_up(self) -> bool:
        """Returns whether this was the first time. A request that was not sent by now never will be."""
        with self._lock:
            first = not self._given_up
            self._given_up = True
            return first

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more."""
        with self._lock:
            return self._given_up

    @property
    def sent(self) -> bool:
        """Whether the request was handed to the network."""
        with self._lock:
            return self._sent


@dataclass(frozen=True, slots=True)
class Flight(Generic[T]):
    """A call that was started and not yet waited for."""

    future: Future[T]
    ticket: Ticket


class Pool:
    """A fixed number of threads for leaf calls: what runs here never waits for something else that runs here."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="barrack")
        self._lock = threading.Lock()
        self._stuck = 0

    def start(self, work: Callable[[Ticket], T]) -> Flight[T]:
        """Starts the work on a thread. Raises BreakerOpen."""
        with self._lock:
            if self._stuck * 2 > self._workers:
                raise BreakerOpen
        ticket = Ticket()
        try:
            return Flight(self._threads.submit(work, ticket), ticket)
        except RuntimeError:  # the executor's word for "closed"
            raise BreakerOpen from None

    def finish(self, flight: Flight[T], deadline: float) -> T:
        """The result of the work. Raises GaveUp at the deadline (on the monotonic clock)."""
        wait((flight.future,), timeout=max(0.0, deadline - monotonic()))
        if flight.future.done() and not flight.future.cancelled():
            return flight.future.result()
        raise GaveUp(sent=self.give_up(flight))

    def give_up(self, flight: Flight[T]) -> bool:
        """Stops caring about a call. Returns whether it was sent; without effect on one that has ended."""
        if flight.future.cancel():
            return False
        if flight.ticket.give_up() and not flight.future.done():
            with self._lock:
                self._stuck += 1
            flight.future.add_done_callback(self._came_back)  # at once, if it has ended by now
        return flight.ticket.sent

    def close(self) -> None:
        """Takes no more calls and drops those that wait. Does not wait for those that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _came_back(self, _future: Future[T]) -> None:
        with self._lock:
            self._stuck -= 1
