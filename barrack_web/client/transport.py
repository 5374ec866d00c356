"""One way to the API: key, time limits, retries, JSON, and from status to error. No httpx name leaves this file.

httpx exceptions and requests carry the key in their headers. So what fails on a thread comes back as a value, never
as a chained exception, and no traceback of ours has a frame that holds one.
"""

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx
import msgspec

from .access import Secret, checked_base, headers_with_key
from .errors import BarrackError, Broken, Invalid, Missing, TimedOut, Unreachable, from_answer, retry_after_seconds
from .operations import Operation, check_table, is_possible_id
from .pool import BreakerOpen, Flight, GaveUp, Pool, Ticket
from .reading import UNREADABLE, Answer

MAX_BODY: Final = 16 * 1024 * 1024
MAX_REDIRECTS: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
RETRY_PAUSES: Final = (0.1, 0.3)
RETRY_WINDOW: Final = 1.0

# The id of the browser's request; a call carries it as X-Request-ID. Empty: each call makes its own.
request_id_var: ContextVar[str] = ContextVar("request_id", default="")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Time limits in seconds. `read`, `write` and `look_up` hold for a whole call, retries, pages and body included."""

    connect: float = 2.0
    read: float = 6.0
    write: float = 5.0
    look_up: float = 3.0


@dataclass(frozen=True, slots=True)
class Call:
    """Everything about one call but the key."""

    operation: Operation
    url: str
    query: Mapping[str, str]
    body: bytes | None
    request_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came, before anybody looked at it."""

    status: int
    body: bytes
    retry_after: str | None
    request_id: str | None


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
        transport: httpx.BaseTransport | None,
        workers: int,
    ) -> None:
        check_table(operations)
        self.limits = limits
        self._base = checked_base(base_url)
        self._operations = operations
        self._secret = Secret(key)
        self._hook_tells_sent = transport is None
        self._pool = Pool(workers)
        self._http = httpx.Client(
            headers=headers_with_key(auth_header, auth_prefix, key),
            transport=transport,
            trust_env=transport is None,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
        )

    def close(self) -> None:
        """Closes the connections. Calls that still hang end by themselves."""
        self._pool.close()
        self._http.close()

    def operation(self, name: str) -> Operation:
        """The row of the operation table."""
        return self._operations[name]

    def deadline(self, operation: Operation, within: float | None = None) -> float:
        """The moment, on the monotonic clock, at which a call that starts now must have ended."""
        usual = self.limits.read if operation.kind == "read" else self.limits.write
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
                None if body is None else msgspec.json.encode(body),
                given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex,
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
            for flight in flights:
                self._pool.give_up(flight)

    def _start(self, call: Call) -> Flight[Received | BarrackError]:
        try:
            return self._pool.start(lambda ticket: self._exchange(call, ticket))
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
            pause = _pause(call, outcome, tries, first_failure)
            if pause is None:
                raise outcome
            time.sleep(pause)
            tries += 1
            flight = self._start(call)

    def _land(self, call: Call, flight: Flight[Received | BarrackError]) -> Answer | BarrackError:
        try:
            outcome = self._pool.finish(flight, call.deadline)
        except GaveUp as gave_up:
            return _timed_out(call) if gave_up.sent else _unreachable(call, "the time limit passed before it was sent")
        return outcome if isinstance(outcome, BarrackError) else judge(call, outcome, self._secret)

    def _exchange(self, call: Call, ticket: Ticket) -> Received | BarrackError:
        """Runs on the pool: one request and its answer, redirects included.

        Returns every failure that has to do with the net.
        """
        url = httpx.URL(call.url, params=call.query) if call.query else httpx.URL(call.url)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                got = self._request(call, url, ticket)
                if not isinstance(got, httpx.URL):
                    return got
                url = got
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, _NotSent) as error:
            return _failure(call, error)
        return _broken(call, "too many redirects", status=302)

    def _request(self, call: Call, url: httpx.URL, ticket: Ticket) -> Received | BarrackError | httpx.URL:
        """One request. A redirect that may be followed comes back as the next address."""
        left = call.deadline - monotonic()
        if left <= 0:
            raise _NotSent
        request = self._http.build_request(
            call.operation.method,
            url,
            content=call.body,
            headers={"X-Request-ID": call.request_id} | ({"Content-Type": "application/json"} if call.body else {}),
            timeout=httpx.Timeout(left, connect=min(left, self.limits.connect)),
            extensions={"trace": _SentHook(ticket)},
        )
        if not self._hook_tells_sent and not ticket.may_send():
            raise _NotSent
        response = self._http.send(request, stream=True)
        try:
            if response.status_code in REDIRECTS:
                return _next_url(call, url, response) or _broken(call, "a redirect", status=response.status_code)
            return _read(call, response)
        finally:
            response.close()


class _NotSent(Exception):  # noqa: N818 - never leaves this file
    """The caller gave up before the request was sent."""


class _SentHook:
    """httpx's trace hook: asks the ticket right before the first byte of a request goes out."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def __call__(self, event: str, _info: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started") and not self._ticket.may_send():
            raise _NotSent


def judge(call: Call, received: Received, secret: Secret) -> Answer | BarrackError:
    """What an answer means: a payload, or the error it stands for."""
    operation = call.operation
    body = secret.removed_from(received.body)
    if received.status == 204:  # by definition without a body, which is enough for a delete
        return Answer(operation, received.status, b"{}", {}, received.request_id)
    if 200 <= received.status < 300:
        try:
            payload = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except UNREADABLE:
            return _broken(call, "no JSON object", status=received.status, request_id=received.request_id)
        failed = any(bytes(payload.get(flag, b"")).strip() == b"false" for flag in ("success", "status"))
        if not failed:
            return Answer(operation, received.status, body, payload, received.request_id)
    return from_answer(
        operation,
        received.status,
        _facts(body),
        retry_after=retry_after_seconds(received.retry_after),
        request_id=received.request_id,
    )


def _pause(call: Call, error: BarrackError, tries: int, first_failure: float) -> float | None:
    """Seconds until the next try; None when there must be none.

    Only what is safe to repeat and may pass by itself, never a call that timed out; at most two more tries, begun
    within a second of the first failure, and no sooner than the API asked for.
    """
    if not (call.operation.safe and error.passing) or tries >= len(RETRY_PAUSES):
        return None
    pause = RETRY_PAUSES[tries] if error.retry_after is None else error.retry_after
    start = monotonic() + pause
    return pause if start <= first_failure + RETRY_WINDOW and start < call.deadline else None


def _read(call: Call, response: httpx.Response) -> Received | BarrackError:
    """The body, in pieces, against the deadline and the size limit."""
    too_large = _broken(call, "the answer is too large", status=response.status_code)
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY:
        return too_large
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", "gzip", "deflate"):
        # Other encodings were not asked for, and some turn a few bytes into gigabytes in one step.
        return _broken(call, "an unknown content encoding", status=response.status_code)
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_BODY:
            return too_large
        if monotonic() > call.deadline:
            return _timed_out(call)
    request_id = response.headers.get("X-Request-ID", "")
    return Received(
        response.status_code,
        bytes(body),
        response.headers.get("Retry-After"),
        request_id if _REQUEST_ID.fullmatch(request_id) else None,
    )


def _next_url(call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Where a redirect may be followed to, or None.

    Only for GET, and only on the same scheme, host and port: the key goes nowhere else.
    """
    location = response.headers.get("Location")
    if call.operation.method != "GET" or not location:
        return None
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
    return target if same and not target.userinfo else None


def _facts(body: bytes) -> dict[str, object] | None:
    try:
        facts = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    return facts if isinstance(facts, dict) else None


def _failure(call: Call, error: Exception) -> BarrackError:
    """Ours for theirs. The order matters, since httpx's kinds are kinds of each other."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout | _NotSent):
        return _unreachable(call, "no connection within the time limit")
    if isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol):
        return _unreachable(call, "no connection", passing=True)
    if isinstance(error, httpx.TimeoutException):
        return _timed_out(call)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return _broken(call, "the connection was cut", passing=True)
    return _broken(call, "the answer breaks the rules of HTTP")


def _unreachable(call: Call, reason: str, *, passing: bool = False) -> Unreachable:
    return Unreachable("Barrack cannot be reached.", operation=call.operation.name, detail=reason, passing=passing)


def _timed_out(call: Call) -> TimedOut:
    return TimedOut(
        "Barrack did not answer in time.", operation=call.operation.name, may_have_happened=not call.operation.safe
    )


def _broken(
    call: Call, reason: str, *, status: int | None = None, request_id: str | None = None, passing: bool = False
) -> Broken:
    return Broken(
        "Barrack's answer could not be understood." if status else "The connection to Barrack broke.",
        operation=call.operation.name,
        status=status,
        request_id=request_id,
        detail=reason,
        passing=passing,
        may_have_happened=not call.operation.safe,
    )
