"""The client against a real socket that misbehaves."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barrack_web.client import BarrackError, Broken, Client, Refused, TimedOut, TimeLimits, Unreachable

KEY = "sk-very-secret-0123456789"
LIMIT = 0.4
SLACK = 0.25
GOOD = b'{"success": true, "regions": [{"name": "US-1"}]}'
Play = Callable[[socket.socket, "SocketServer"], None]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class SocketServer:
    """Accepts connections, reads one request of each, and does with the socket what the test says."""

    def __init__(self, play: Play) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._play = play
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"

    def close(self) -> None:
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                request = connection.recv(65536)
                if request:
                    self.requests.append(request)
                    self._play(connection, self)
            except OSError:  # the client has gone, as some of these tests mean it to
                return


@pytest.fixture
def serve() -> Iterator[Callable[[Play], SocketServer]]:
    servers: list[SocketServer] = []

    def start(play: Play) -> SocketServer:
        servers.append(SocketServer(play))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Client]]:
    clients: list[Client] = []

    def start(url: str) -> Client:
        limits = TimeLimits(connect=LIMIT, read=LIMIT, write=LIMIT, look_up=LIMIT)
        clients.append(Client(url, KEY, limits=limits, workers=8))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


Serve = Callable[[Play], SocketServer]
Connect = Callable[[str], Client]


def sends(answer: bytes) -> Play:
    return lambda connection, _server: connection.sendall(answer)


def hangs(connection: socket.socket, server: SocketServer) -> None:
    server.over.wait(5)


def hangs_in_the_body(connection: socket.socket, server: SocketServer) -> None:
    connection.sendall(http(200, GOOD)[:-10])
    server.over.wait(5)


def drips_the_headers(connection: socket.socket, server: SocketServer) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
        connection.sendall(bytes([byte]))
        if server.over.wait(0.05):
            return


def drips_the_body(connection: socket.socket, server: SocketServer) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    for _ in range(1000):
        connection.sendall(b" ")
        if server.over.wait(0.05):
            return


def resets(connection: socket.socket, _server: SocketServer) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def closes(_connection: socket.socket, _server: SocketServer) -> None:
    return


def floods(connection: socket.socket, _server: SocketServer) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(50):
        connection.sendall(b"100000\r\n" + b" " * 2**20 + b"\r\n")


def restore(client: Client) -> object:
    return client.snapshots.restore("BRK-1S", new_vm_name="n")


def read(client: Client) -> object:
    return client.catalog.regions()


def test_it_reads_over_one_kept_connection(serve: Serve, connect: Connect) -> None:
    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(http(200, GOOD))
        server.requests.append(connection.recv(65536))
        connection.sendall(http(200, GOOD))

    server = serve(play)
    client = connect(server.url)
    assert [row.name for row in client.catalog.regions()] == ["US-1"]
    assert len(client.catalog.regions()) == 1
    assert len(server.requests) == 2
    assert f"x-api-key: {KEY}".encode() in server.requests[0].lower()


@pytest.mark.parametrize("call", [read, restore])
def test_it_is_unreachable_when_the_port_refuses(connect: Connect, call: Callable[[Client], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unreachable) as raised:
        call(connect(f"http://127.0.0.1:{port}/api"))
    assert not raised.value.may_have_happened


def test_it_is_unreachable_when_the_name_does_not_exist(connect: Connect) -> None:
    with pytest.raises(Unreachable):
        restore(connect("http://no-such-host.invalid/api"))


def test_it_is_unreachable_when_the_handshake_never_ends(serve: Serve, connect: Connect) -> None:
    # The server takes the TLS hello and says nothing, so no request was ever sent.
    server = serve(hangs)
    start = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        restore(connect(server.url.replace("http:", "https:")))
    assert not raised.value.may_have_happened
    assert time.monotonic() - start < LIMIT + SLACK


def test_it_sends_nothing_once_it_said_that_nothing_was_sent(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name is resolved only after the caller has gone, and then the connection succeeds.
    server = serve(sends(http(200, GOOD)))
    resolve = socket.getaddrinfo
    resolved = threading.Event()

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(LIMIT + 0.1)
        resolved.set()
        return resolve(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(Unreachable) as raised:
        restore(connect(server.url))
    assert not raised.value.may_have_happened
    assert resolved.wait(2)
    time.sleep(0.1)
    assert server.requests == []


@pytest.mark.parametrize("play", [hangs, hangs_in_the_body, drips_the_headers, drips_the_body])
@pytest.mark.parametrize("call", [read, restore])
def test_it_holds_the_time_limit_for_the_whole_call(
    serve: Serve, connect: Connect, play: Play, call: Callable[[Client], object]
) -> None:
    server = serve(play)
    client = connect(server.url)
    start = time.monotonic()
    with pytest.raises(TimedOut) as raised:
        call(client)
    assert LIMIT - 0.05 < time.monotonic() - start < LIMIT + SLACK
    assert raised.value.may_have_happened is (call is restore)
    assert len(server.requests) == 1


@pytest.mark.parametrize("play", [resets, closes, sends(b"HTTP/1.1 200"), sends(http(200, GOOD)[:-9])])
@pytest.mark.parametrize("call", [read, restore])
def test_it_is_broken_when_the_connection_is_cut(
    serve: Serve, connect: Connect, play: Play, call: Callable[[Client], object]
) -> None:
    server = serve(play)
    with pytest.raises(Broken) as raised:
        call(connect(server.url))
    assert raised.value.may_have_happened is (call is restore)
    assert len(server.requests) == (1 if call is restore else 2)  # a third try would not fit the 0.4 s


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 418, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b'{"success": false, "message": "no"}', b"", b"<html>no</html>"])
def test_it_sorts_every_status(serve: Serve, connect: Connect, status: int, body: bytes) -> None:
    server = serve(sends(http(status, body, "Connection: close")))
    with pytest.raises(BarrackError) as raised:
        connect(server.url).snapshots.delete("BRK-1S")
    error = raised.value
    assert isinstance(error, Refused if status < 500 else Broken)
    assert (error.status, error.may_have_happened) == (status, status >= 500)


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"", "Connection: close"),
        http(200, b"<html>Welcome</html>", "Connection: close"),
        http(200, b'{"success": tru', "Connection: close"),
        http(200, b'{"success": false}', "Connection: close"),
        http(200, b"x", "Content-Encoding: gzip", "Connection: close"),
        b"NOT HTTP AT ALL\r\n\r\n",
    ],
)
def test_it_takes_no_nonsense_for_success(serve: Serve, connect: Connect, answer: bytes) -> None:
    with pytest.raises(BarrackError):
        restore(connect(serve(sends(answer)).url))


def test_it_reads_a_compressed_answer(serve: Serve, connect: Connect) -> None:
    server = serve(sends(http(200, gzip.compress(GOOD), "Content-Encoding: gzip")))
    assert len(connect(server.url).catalog.regions()) == 1


@pytest.mark.parametrize(
    "play",
    [
        floods,
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n{"),
        sends(http(200, gzip.compress(b" " * (50 * 2**20), 9), "Content-Encoding: gzip")),
    ],
    ids=["chunked", "announced", "compressed"],
)
def test_it_stops_reading_an_answer_of_50_mb(serve: Serve, connect: Connect, play: Play) -> None:
    with pytest.raises(BarrackError) as raised:
        connect(serve(play).url).catalog.regions()
    assert isinstance(raised.value, Broken | TimedOut)  # on a busy machine the 0.4 s may end first
    assert "too large" in (raised.value.detail or "too large")


@pytest.mark.parametrize("status", [301, 307, 308])
def test_it_follows_a_redirect_to_itself_only(serve: Serve, connect: Connect, status: int) -> None:
    def play(connection: socket.socket, server: SocketServer) -> None:
        there = http(status, b"", "Location: /api/regions/", "Connection: close")
        connection.sendall(there if len(server.requests) == 1 else http(200, GOOD, "Connection: close"))

    server = serve(play)
    assert len(connect(server.url).catalog.regions()) == 1
    assert server.requests[1].startswith(b"GET /api/regions/ ")

    other = serve(sends(http(200, GOOD, "Connection: close")))
    away = serve(sends(http(status, b"", f"Location: {other.url}/regions", "Connection: close")))
    with pytest.raises(Broken):
        connect(away.url).catalog.regions()
    with pytest.raises(Broken):
        restore(connect(away.url))
    assert other.requests == []  # and so the key went nowhere


def test_it_logs_no_key_down_to_the_wire(serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(sends(http(500, json.dumps({"message": f"debug: {KEY}"}).encode())))
    with caplog.at_level(logging.DEBUG), pytest.raises(Broken) as raised:
        restore(connect(server.url))
    assert KEY not in caplog.text
    assert KEY not in repr(vars(raised.value))
