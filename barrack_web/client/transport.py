"""One way to the API: key, time limits, retries, JSON, and from status to error. Only receiving.py speaks httpx too.

httpx exceptions and requests carry the key in their headers. So what fails on a thread comes back as a value, never
as a chained exception, and no traceback of ours has a frame that holds one.
"""

import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from queue import Queue
from time import monotonic
from typing import Final

import httpx

from .access import Secret, checked_base, headers_with_key
from .errors import BarrackError, Broken, Invalid, Missing, Unreachable
from .operations import Operation, check_table, is_possible_id
from .outcomes import Call, Received, broken, judge, pause, shown, timed_out, unreachable
from .pool import BreakerOpen, Flight, GaveUp, Pool, Ticket
from .reading import Answer
from .receiving import (
    REQUEST_ID,
    NotSent,
    Reader,
    TicketReader,
    failure,
    feed,
    hang_up,
    next_piece,
    next_url,
    read_whole,
)
from .wire import Names

MAX_REDIRECTS: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
LETTING_GO: Final = 0.1

# The id of the browser's request; a call carries it as X-Request-ID. Empty: each call makes its own.
request_id_var: ContextVar[str] = ContextVar("request_id", default="")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Time limits in seconds. All but `connect` hold for a whole call, retries, pages and body included."""

    connect: float = 2.0
    read: float = 6.0
    write: float = 5.0
    look_up: float = 3.0
    stream: float = 60.0


# Is told of each call as it lands, its answer without the key; runs on the caller's thread.
Observer = Callable[[Call, Received | BarrackError], None]


class Transport:
    """Sends calls. Safe to share between threads; `close` it once."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        auth_header: str,
        auth_prefix: str,
        limits: TimeLimits,
        operations: Mapping[str, Operation],
        names: Names,
        transport: httpx.BaseTransport | None,
        workers: int,
        observer: Observer | None = None,
    ) -> None:
        check_table(operations)
        self._observer = observer
        self._names = names
        self.limits = limits
        self._base = checked_base(base_url)
        self._operations = operations
        self._secret = Secret(key)
        self._hook_tells_sent = transport is None
        # A language model takes a minute; it must not take the place of short calls.
        self._pool, self._slow_pool = Pool(workers), Pool(max(2, workers // 2))
        headers = headers_with_key(auth_header, auth_prefix, key)
        # What a connection still holds from an earlier answer would be taken for the answer to the next request. A
        # read can be repeated; a write would be reported wrongly, so it has a connection of its own.
        self._reads, self._writes = (
            httpx.Client(
                headers=headers,
                transport=transport,
                trust_env=transport is None,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=2 * workers, max_keepalive_connections=kept),
            )
            for kept in (workers, 0)
        )

    def close(self) -> None:
        """Closes the connections. Calls that still hang end by themselves."""
        self._pool.close()
        self._slow_pool.close()
        self._reads.close()
        self._writes.close()

    def operation(self, name: str) -> Operation:
        """The row of the operation table."""
        return self._operations[name]

    def deadline(self, operation: Operation, within: float | None = None) -> float:
        """The moment, on the monotonic clock, at which a call that starts now must have ended."""
        usual = {"read": self.limits.read, "write": self.limits.write, "stream": self.limits.stream}[operation.kind]
        return monotonic() + (usual if within is None else min(usual, within))

    def prepare(
        self,
        name: str,
        *,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
        body: object = None,
        within: float | None = None,
        deadline: float | None = None,
    ) -> Call:
        """A call that is ready to send.

        Raises Missing for an id that cannot exist, Invalid for text that no JSON can hold.
        """
        operation = self.operation(name)
        if not all(is_possible_id(value) for value in (ids or {}).values()):
            raise Missing("There is no such resource.", operation=name, detail="refused before any call")
        named = {operation.query[key]: str(value) for key, value in (query or {}).items() if key in operation.query}
        given = request_id_var.get()
        try:
            return Call(
                operation,
                self._base + operation.path_for(ids or {}),
                named,
                None if body is None else self._names.body(body),
                given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex,
                self.deadline(operation, within) if deadline is None else deadline,
            )
        except UnicodeEncodeError:
            raise Invalid("The text holds characters that cannot be sent.", operation=name) from None

    def send(self, call: Call) -> Answer:
        """One call's answer. Raises a BarrackError."""
        return self.send_all([call])[0]

    def send_all(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers of several calls, made at once, in their order.

        Raises the first BarrackError and gives up the rest.
        """
        flights: list[Flight[Received | BarrackError]] = []
        try:
            flights.extend(self._start(call) for call in calls)
            return [self._complete(call, flight) for call, flight in zip(calls, flights, strict=True)]
        finally:
            for call, flight in zip(calls, flights, strict=False):
                self._pool_of(call).give_up(flight)

    def stream(self, call: Call) -> Iterator[bytes | Answer]:
        """The pieces of a streamed answer as they come; the whole answer when the API did not stream it.

        Raises a BarrackError, also in the middle. Closing the iterator lets go of the call.
        """
        pieces: Queue[bytes | None] = Queue()
        lines: list[socket.socket | None] = []
        flight = self._start(call, lambda ticket, *got: feed(pieces, lines, ticket, *got))
        flight.future.add_done_callback(lambda _: pieces.put(None))
        try:
            while (piece := next_piece(pieces, call.deadline)) is not None:
                yield self._secret.removed_from(piece)
            outcome = self._land(call, flight)
            if isinstance(outcome, BarrackError):
                raise outcome
            if outcome.payload:
                yield outcome
        finally:
            hang_up(lines)
            wait((flight.future,), timeout=LETTING_GO)
            self._pool_of(call).give_up(flight)

    def stream_part(self, call: Call, data: bytes) -> Answer:
        """One event of a stream as an answer of its own. Raises a BarrackError when it is none, or says that it failed.

        The key was taken out of the pieces, but two of them may have held half of it each.
        """
        outcome = judge(call, Received(200, data, None, None), self._secret, self._names)
        if isinstance(outcome, BarrackError):
            raise outcome
        return outcome

    def broken(self, call: Call, reason: str) -> Broken:
        """The error for an answer that cannot be believed."""
        return broken(call, reason, status=200)

    def _pool_of(self, call: Call) -> Pool:
        return self._slow_pool if call.operation.kind == "stream" else self._pool

    def _start(self, call: Call, read: TicketReader | None = None) -> Flight[Received | BarrackError]:
        try:
            return self._pool_of(call).start(
                lambda ticket: self._exchange(call, ticket, partial(read, ticket) if read else read_whole)
            )
        except BreakerOpen:
            name = call.operation.name
            raise Unreachable("Barrack is not answering.", operation=name, detail="too many calls hang") from None

    def _complete(self, call: Call, flight: Flight[Received | BarrackError]) -> Answer:
        """Waits for a call and repeats it as the retry rule allows."""
        tries = 0
        first_failure = 0.0
        while True:
            outcome = self._land(call, flight)
            if isinstance(outcome, Answer):
                return outcome
            first_failure = first_failure or monotonic()
            wait_for = pause(call, outcome, tries, first_failure)
            if wait_for is None:
                raise outcome
            time.sleep(wait_for)
            tries += 1
            flight = self._start(call)

    def _land(self, call: Call, flight: Flight[Received | BarrackError]) -> Answer | BarrackError:
        try:
            outcome = self._pool_of(call).finish(flight, call.deadline)
        except GaveUp as gave_up:
            late = "the time limit passed before it was sent"
            outcome = timed_out(call) if gave_up.sent else unreachable(call, late)
        if self._observer:
            self._observer(call, outcome if isinstance(outcome, BarrackError) else shown(outcome, self._secret))
        return outcome if isinstance(outcome, BarrackError) else judge(call, outcome, self._secret, self._names)

    def _exchange(self, call: Call, ticket: Ticket, read: Reader) -> Received | BarrackError:
        """Runs on the pool: one request and its answer, redirects included.

        Returns every failure that has to do with the net.
        """
        url = httpx.URL(call.url, params=call.query) if call.query else httpx.URL(call.url)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                got = self._request(call, url, ticket, read)
                if not isinstance(got, httpx.URL):
                    return got
                url = got
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, NotSent) as error:
            return failure(call, error)
        return broken(call, "too many redirects", status=302)

    def _request(self, call: Call, url: httpx.URL, ticket: Ticket, read: Reader) -> Received | BarrackError | httpx.URL:
        """One request. A redirect that may be followed comes back as the next address."""
        left = call.deadline - monotonic()
        if left <= 0:
            raise NotSent
        http = self._reads if call.operation.safe else self._writes
        request = http.build_request(
            call.operation.method,
            url,
            content=call.body,
            headers={"X-Request-ID": call.request_id} | ({"Content-Type": "application/json"} if call.body else {}),
            timeout=httpx.Timeout(left, connect=min(left, self.limits.connect)),
            extensions={"trace": _SentHook(ticket)},
        )
        if not self._hook_tells_sent and not ticket.may_send():
            raise NotSent
        response = http.send(request, stream=True)
        try:
            if response.status_code in REDIRECTS:
                return next_url(call, url, response) or broken(call, "a redirect", status=response.status_code)
            return read(call, response)
        finally:
            response.close()


class _SentHook:
    """httpx's trace hook: asks the ticket right before the first byte of a request goes out."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def __call__(self, event: str, _info: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started") and not self._ticket.may_send():
            raise NotSent
