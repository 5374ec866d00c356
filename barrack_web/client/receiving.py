"""Reads answers off the wire: bounded in size and time, whole or as a stream of events."""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue
from time import monotonic
from typing import Final

import httpx

from .access import why_no_connection
from .errors import BarrackError
from .outcomes import Call, Received, broken, timed_out, unreachable
from .pool import Ticket

MAX_BODY: Final = 16 * 1024 * 1024
EVENT_STREAM: Final = "text/event-stream"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

Reader = Callable[[Call, httpx.Response], Received | BarrackError]
TicketReader = Callable[[Ticket, Call, httpx.Response], Received | BarrackError]


class NotSent(Exception):  # noqa: N818 - never leaves the client
    """The caller gave up before the request was sent."""


def feed(
    pieces: Queue[bytes | None],
    lines: list[socket.socket | None],
    ticket: Ticket,
    call: Call,
    response: httpx.Response,
) -> Received | BarrackError:
    """Runs on the pool: hands on a stream of events piece by piece. Any other answer is read as a whole."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != EVENT_STREAM or not response.is_success:
        return read_whole(call, response)
    if not _encoding_was_asked_for(response):
        return broken(call, "an unknown content encoding", status=response.status_code)
    if "network_stream" in response.extensions:  # not in the answer of a cloud inside the process
        lines.append(response.extensions["network_stream"].get_extra_info("socket"))
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MAX_BODY:
            return broken(call, "the answer is too large", status=response.status_code)
        if monotonic() > call.deadline:
            return timed_out(call)
        if ticket.given_up:
            break
        pieces.put(piece)
    return Received(response.status_code, b"{}", None, None)


def hang_up(lines: list[socket.socket | None]) -> None:
    """Ends the connections that a stream is read from. To close them would not wake the thread that waits for more."""
    for line in lines:
        if line is not None:
            with suppress(OSError):  # it has ended by itself
                line.shutdown(socket.SHUT_RDWR)


def next_piece(pieces: Queue[bytes | None], deadline: float) -> bytes | None:
    """The next piece of a stream; None at its end, and at the deadline (on the monotonic clock)."""
    try:
        return pieces.get(timeout=max(0.0, deadline - monotonic()))
    except Empty:
        return None


def read_whole(call: Call, response: httpx.Response) -> Received | BarrackError:
    """The body, in pieces, against the deadline and the size limit."""
    too_large = broken(call, "the answer is too large", status=response.status_code)
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY:
        return too_large
    if not _encoding_was_asked_for(response):
        return broken(call, "an unknown content encoding", status=response.status_code)
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_BODY:
            return too_large
        if monotonic() > call.deadline:
            return timed_out(call)
    request_id = response.headers.get("X-Request-ID", "")
    return Received(
        response.status_code,
        bytes(body),
        response.headers.get("Retry-After"),
        request_id if REQUEST_ID.fullmatch(request_id) else None,
        str(response.url),
    )


def _encoding_was_asked_for(response: httpx.Response) -> bool:
    """Other encodings are not read: some turn a few bytes into gigabytes in one step."""
    return response.headers.get("Content-Encoding", "identity").strip().lower() in ("identity", "gzip", "deflate")


def next_url(call: Call, url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Where a redirect may be followed to, or None.

    Only for a GET that changes nothing, and only on the same scheme, host and port: the key goes nowhere else.
    """
    location = response.headers.get("Location")
    if call.operation.method != "GET" or not call.operation.safe or not location:
        return None
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
    return target if same and not target.userinfo else None


def failure(call: Call, error: Exception) -> BarrackError:
    """Ours for theirs. The order matters, since httpx's kinds are kinds of each other."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout | NotSent):
        return unreachable(call, "no connection within the time limit")
    if isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.UnsupportedProtocol):
        return unreachable(call, why_no_connection(error), passing=True)
    if isinstance(error, httpx.TimeoutException):
        return timed_out(call)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return broken(call, "the connection was cut", passing=True)
    return broken(call, "the answer breaks the rules of HTTP")
