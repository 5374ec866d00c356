"""The sandbox on a port: a small threaded HTTP server with the API under /api and the control door under /_sandbox/."""

import contextlib
import ipaddress
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from barrack_web.sandbox import control
from barrack_web.sandbox.core import Exchange, Reply, Sandbox, to_json
from barrack_web.sandbox.faults import HANG_SECONDS

_LARGEST_BODY = 2 * 1024 * 1024
_IDLE_SECONDS = 75
_LOOK_AGAIN_SECONDS = 0.05
_SILENT_KINDS = frozenset({"refuse", "hang", "close", "drop_answer"})
_JSON = {"content-type": "application/json"}
_LAST_CHUNK = b"0\r\n\r\n"


def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 9000) -> "SandboxServer":
    """Return a server bound to the address (port 0: any free one), listening once `serve_forever()` is called.

    `shutdown()` ends that loop and `server_close()` frees the port and every open connection. Raises OSError when the
    address is taken.
    """
    return SandboxServer(sandbox, host, port)


class SandboxServer(ThreadingHTTPServer):
    """The listening server; `port` is where."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        self.sandbox = sandbox
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def serve_forever(self, poll_interval: float = _LOOK_AGAIN_SECONDS) -> None:
        """Answer calls until `shutdown()` is called from another thread."""
        super().serve_forever(poll_interval)

    def shutdown(self) -> None:
        """End `serve_forever()` and let go of hanging calls."""
        self.stopping.set()
        super().shutdown()

    def server_close(self) -> None:
        """Free the port and end the connections that callers keep open."""
        self.stopping.set()
        super().server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, remembered while it is open."""
        with self._open_lock:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a caller that went away in the middle; report everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "BarrackSandbox"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def answer(self) -> None:
        body = self._read_body()
        if body is None:
            return
        if self.path.startswith("/_sandbox/"):
            self._send(self._control(body))
        elif self.path.startswith("/api/"):
            headers = {name.lower(): value for name, value in self.headers.items()}
            target = self.path.removeprefix("/api")
            self._serve(self.server.sandbox.receive(self.command, target, headers, body))
        else:
            sentence = "The API is under /api, the control door under /_sandbox/."
            self._send(Reply(404, _JSON, to_json({"success": False, "message": sentence})))

    def __getattr__(self, name: str) -> Any:
        # The base class looks for a do_GET and so on. Each address knows its methods, whatever they are called.
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP that this server reads, in the envelope and not as the base class's page."""
        self._refuse(code, message or explain or self.responses.get(code, ("The call cannot be read.",))[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Keep quiet: the control door has the log."""

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self._refuse(411, "Send a Content-Length.")
            return None
        if int(length[:12]) > _LARGEST_BODY:
            self._refuse(413, "The body is too large.")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: int, sentence: str) -> None:
        self.close_connection = True
        self._send(Reply(status, _JSON, to_json({"success": False, "message": sentence})))

    def _control(self, body: bytes) -> Reply:
        if not ipaddress.ip_address(self.client_address[0]).is_loopback:
            return Reply(403, _JSON, to_json({"error": "The control door opens from this machine only."}))
        status, answer = control.answer(self.server.sandbox, self.command, self.path, body)
        return Reply(status, _JSON, to_json(answer))

    def _serve(self, exchange: Exchange) -> None:
        """Answer as the fault wants it. The log is told before the bytes leave, for those who look at once."""
        if exchange.delay > 0:
            self.server.stopping.wait(exchange.delay)
        if exchange.kind in _SILENT_KINDS:
            self._stay_silent(exchange)
            exchange.end(None)
            return
        reply = exchange.reply()
        exchange.end(reply.status)
        if reply.pieces and self.request_version == "HTTP/1.0":
            # That version has no chunks.
            reply = reply._replace(pieces=())
        if exchange.kind == "truncate":
            self._send(reply, cut_at=len(reply.body) // 2)
        elif reply.pieces and exchange.kind != "drip":
            self._stream(reply)
        elif exchange.fault is not None and exchange.kind == "drip":
            self._drip(reply, exchange.fault.seconds)
        else:
            self._send(reply)

    def _stay_silent(self, exchange: Exchange) -> None:
        self.close_connection = True
        if exchange.kind == "refuse":
            self._reset()
        elif exchange.kind == "hang":
            self._hold(HANG_SECONDS)
        elif exchange.kind == "drop_answer":
            exchange.reply()

    def _send(self, reply: Reply, *, cut_at: int | None = None) -> None:
        head = self._head(reply)
        body = b"" if self.command == "HEAD" else reply.body[:cut_at]
        if cut_at is not None:
            self.close_connection = True
            body = _chunk(body) if reply.pieces else body
        self.wfile.write(head + body)

    def _stream(self, reply: Reply) -> None:
        self.wfile.write(self._head(reply))
        for number, piece in enumerate(reply.pieces):
            if number and self.server.stopping.wait(reply.pause):
                self.close_connection = True
                return
            self.wfile.write(_chunk(piece))
        self.wfile.write(_LAST_CHUNK)

    def _drip(self, reply: Reply, pause: float) -> None:
        body = b"".join(map(_chunk, reply.pieces)) + _LAST_CHUNK if reply.pieces else reply.body
        for byte in self._head(reply) + body:
            if self.server.stopping.wait(pause):
                self.close_connection = True
                return
            self.wfile.write(bytes([byte]))

    def _head(self, reply: Reply) -> bytes:
        phrase = self.responses.get(reply.status, ("Unknown", ""))[0]
        headers: Mapping[str, str] = {
            "server": self.version_string(),
            "date": self.date_time_string(),
            **reply.headers,
            **({"transfer-encoding": "chunked"} if reply.pieces else {"content-length": str(len(reply.body))}),
            **({"connection": "close"} if self.close_connection else {}),
        }
        lines = [f"HTTP/1.1 {int(reply.status)} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _hold(self, seconds: float) -> None:
        """Wait until the caller goes away, the server stops, or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], _LOOK_AGAIN_SECONDS)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _reset(self) -> None:
        # With no time to linger, closing sends a reset, as from a port that turns callers away at once.
        # To do so before the call is read would shut the control door too.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)
