"""The two doors of the sandbox: an httpx transport in this process, and an HTTP server on a port."""

import time
from collections.abc import Iterator, Mapping

import httpx

from barrack_web.sandbox.core import Exchange, Reply, Sandbox
from barrack_web.sandbox.faults import HANG_SECONDS
from barrack_web.sandbox.http_server import SandboxServer, serve

__all__ = ["Sandbox", "SandboxServer", "serve", "transport"]

_DISCONNECTED = "Server disconnected without sending a response."


def transport(sandbox: Sandbox) -> httpx.BaseTransport:
    """Return a transport for httpx.Client that answers from the sandbox, without a socket.

    It keeps the time limits of each request and raises the httpx errors that a socket would. Any host will do; the API
    is at /api of it.
    """
    return _SandboxTransport(sandbox)


class _SandboxTransport(httpx.BaseTransport):
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode("ascii").removeprefix("/api")
        exchange = self._sandbox.receive(request.method, target, request.headers, request.read())
        limits: Mapping[str, float | None] = request.extensions.get("timeout") or {}
        try:
            reply = _reply_in_time(exchange, limits.get("read"))
        except httpx.TransportError as error:
            exchange.end(None)
            error.request = request
            raise
        exchange.end(reply.status)
        framing = {"transfer-encoding": "chunked"} if reply.pieces else {"content-length": str(len(reply.body))}
        body = _Body(exchange, reply, limits.get("read"))
        return httpx.Response(reply.status, headers={**reply.headers, **framing}, stream=body, request=request)


class _Body(httpx.SyncByteStream):
    """The body as it comes over the wire: whole, in pieces, cut short, or a byte at a time."""

    def __init__(self, exchange: Exchange, reply: Reply, read_limit: float | None) -> None:
        self._exchange = exchange
        self._reply = reply
        self._read_limit = read_limit

    def __iter__(self) -> Iterator[bytes]:
        if self._exchange.kind == "truncate":
            yield from self._half()
        elif self._exchange.fault is not None and self._exchange.kind == "drip":
            for byte in self._reply.body:
                _wait(self._exchange.fault.seconds, self._read_limit)
                yield bytes([byte])
        else:
            for number, piece in enumerate(self._reply.pieces or (self._reply.body,)):
                if number:
                    _wait(self._reply.pause, self._read_limit)
                yield piece

    def _half(self) -> Iterator[bytes]:
        body = self._reply.body
        half = len(body) // 2
        yield body[:half]
        lacking = "incomplete chunked read" if self._reply.pieces else f"received {half} bytes, expected {len(body)}"
        raise httpx.RemoteProtocolError(f"peer closed connection without sending complete message body ({lacking})")


def _reply_in_time(exchange: Exchange, read_limit: float | None) -> Reply:
    if exchange.kind == "refuse":
        raise httpx.ConnectError("[Errno 111] Connection refused")
    if exchange.kind == "hang":
        time.sleep(HANG_SECONDS if read_limit is None else read_limit)
        raise httpx.ReadTimeout("The read operation timed out")
    try:
        _wait(exchange.delay, read_limit)
    except httpx.ReadTimeout:
        # A slow server does not know that nobody waits any more: it works all the same.
        exchange.reply()
        raise
    if exchange.kind == "close":
        raise httpx.RemoteProtocolError(_DISCONNECTED)
    reply = exchange.reply()
    if exchange.kind == "drop_answer":
        raise httpx.RemoteProtocolError(_DISCONNECTED)
    return reply


def _wait(seconds: float, read_limit: float | None) -> None:
    if read_limit is not None and seconds > read_limit:
        time.sleep(read_limit)
        raise httpx.ReadTimeout("The read operation timed out")
    if seconds > 0:
        time.sleep(seconds)
