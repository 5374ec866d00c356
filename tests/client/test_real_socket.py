"""The client over a real socket: kept connections, those that never come about, and threads that are all taken."""

import contextlib
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from barrack_web.client import Broken, Client, TimedOut, TimeLimits, Unreachable

from .conftest import KEY, LIMIT, Call, Connect, Serve, client_of, delete, failure, read, restore
from .sockets import GOOD, Play, SocketServer, drips, hangs, http, keeps, read_request, sends

KEY_HEADER = f"x-api-key: {KEY}".encode()
DONE = http(200, b'{"success": true}')
REFUSAL = http(409, b'{"success": false, "message": "no"}')


def hears(*answer: bytes) -> Play:
    """Keeps whatever comes first, and answers it."""

    def play(connection: socket.socket, server: SocketServer) -> None:
        server.requests.append(connection.recv(65536))
        connection.sendall(b"".join(answer))

    return play


def test_it_reads_over_one_kept_connection(server: SocketServer, client: Client) -> None:
    server.plays(keeps(http(200, GOOD), http(200, GOOD)))
    for _ in range(2):
        assert [row.name for row in client.catalog.regions()] == ["US-1"]
    assert len(server.requests) == 2
    assert all(KEY_HEADER in request.lower() for request in server.requests)


def test_it_calls_anew_when_a_kept_connection_was_closed_since(server: SocketServer, client: Client) -> None:
    for call in (read, restore, read, delete):
        server.plays(sends(http(200, GOOD)))
        call(client)
        assert len(server.requests) == 1


def test_it_repeats_a_read_that_met_a_connection_about_to_close(server: SocketServer, client: Client) -> None:
    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(http(200, GOOD))
        if len(server.requests) == 1:
            server.requests.append(read_request(connection))  # and closes, without an answer

    server.plays(play)
    read(client)
    read(client)
    assert len(server.requests) == 3


def test_it_never_sends_a_write_over_a_connection_about_to_close(server: SocketServer, client: Client) -> None:
    # Over a kept one it could not know whether the server had taken the write before it closed.
    server.plays(keeps(http(200, GOOD), b""))
    read(client)
    server.plays(sends(DONE))
    restore(client)
    assert len(server.requests) == 1


@pytest.mark.parametrize("left_over", [REFUSAL, b'{"success": true}'], ids=["an answer", "a body"])
@pytest.mark.parametrize("before", [http(200, GOOD), b"HTTP/1.1 204 No Content\r\n\r\n"], ids=["a read", "a delete"])
def test_it_takes_nothing_left_over_for_the_answer_to_a_write(
    server: SocketServer, client: Client, before: bytes, left_over: bytes
) -> None:
    # Two answers to one request, or 204 with a body: what is too much would wait for the next request.
    def play(connection: socket.socket, server: SocketServer) -> None:
        connection.sendall(before + left_over)
        with contextlib.suppress(TimeoutError):
            connection.settimeout(0.2)
            if request := read_request(connection):
                server.requests.append(request)
                connection.sendall(DONE)

    server.plays(play)
    (delete if b"204" in before else read)(client)
    restore(client)
    assert len(server.requests) == 2


@pytest.mark.parametrize("call", [read, restore])
def test_it_is_unreachable_when_the_port_refuses(connect: Connect, call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure(connect(f"http://127.0.0.1:{port}/api"), call)
    assert (type(error), error.may_have_happened, error.passing) == (Unreachable, False, True)


@pytest.mark.parametrize("call", [read, restore])
def test_it_is_unreachable_when_the_name_does_not_exist(connect: Connect, call: Call) -> None:
    error = failure(connect("http://no-such-host.invalid/api"), call)
    assert (type(error), error.may_have_happened) == (Unreachable, False)


@pytest.mark.parametrize("name", ["a" * 64 + ".invalid", "a..b", ".invalid"])
def test_it_refuses_a_name_that_cannot_be_looked_up_at_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="address"):
        client_of(f"https://{name}/api")


@pytest.mark.parametrize("call", [read, restore])
def test_it_is_unreachable_when_nobody_takes_the_connection(connect: Connect, call: Call) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # fill the queue of those who wait to be accepted
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        error = failure(connect(f"http://127.0.0.1:{full.getsockname()[1]}/api"), call)
    assert (type(error), error.may_have_happened) == (Unreachable, False)


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
    error = failure(connect(server.url), restore)
    assert (type(error), error.may_have_happened) == (Unreachable, False)
    assert resolved.wait(2)
    time.sleep(0.1)
    assert server.requests == []


@pytest.mark.parametrize(
    ("play", "tries"),
    [(hears(http(400)), 2), (hears(), 2), (hangs(), 1)],
    ids=["speaks plain HTTP", "closes", "never ends the handshake"],
)
@pytest.mark.parametrize("call", [read, restore])
def test_it_is_unreachable_without_tls(serve: Serve, connect: Connect, play: Play, tries: int, call: Call) -> None:
    server = serve(play)
    server.plays(play, reads=False)
    error = failure(connect(server.url.replace("http:", "https:")), call)
    assert (type(error), error.may_have_happened) == (Unreachable, False)
    greetings = [request for request in server.requests if request]
    assert len(greetings) == (0 if tries == 1 else tries if call is read else 1)
    assert not [greeting for greeting in greetings if b"HTTP/1.1" in greeting or KEY.encode() in greeting]


def make_certificate(path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloud.test")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(host, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + built.public_bytes(pem))
    return path


def speaks_tls(certificate: Path) -> Play:
    """Shakes hands with that certificate, and only then keeps a request and answers it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def play(connection: socket.socket, server: SocketServer) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            server.requests.append(read_request(wrapped))
            wrapped.sendall(http(200, GOOD))

    return play


def test_it_talks_only_to_a_certificate_that_is_trusted_and_for_that_host(
    server: SocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path / "certificate.pem")
    address = f"https://127.0.0.1:{server.port}/api"
    untrusted = connect(address)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for client in (untrusted, connect(address.replace("127.0.0.1", "localhost"))):
        server.plays(speaks_tls(certificate), reads=False)
        error = failure(client, restore)
        assert (type(error), error.may_have_happened) == (Unreachable, False)
        assert [request for request in server.requests if request] == []
        assert len(server.requests) == 1  # so this is where the client looked
    server.plays(speaks_tls(certificate), reads=False)
    restore(connect(address))
    assert KEY_HEADER in server.requests[1].lower()


def test_it_sends_nothing_while_all_threads_are_taken_and_recovers(serve: Serve) -> None:
    server = serve(hangs())
    limits = TimeLimits(connect=3, read=3, write=0.2, look_up=0.2)
    with Client(server.url, KEY, limits=limits, workers=2) as client, ThreadPoolExecutor(2) as people:
        readers = [people.submit(client.catalog.regions) for _ in range(2)]
        while len(server.requests) < 2:
            time.sleep(0.01)
        for call in (restore, lambda client: client.catalog.regions(within=0.2)):
            error = failure(client, call, limit=0.2)
            assert (type(error), error.may_have_happened) == (Unreachable, False)
        assert len(server.requests) == 2
        server.plays(sends(http(200, GOOD)))  # cuts the two that hang, and they call again
        assert [len(reader.result(3)) for reader in readers] == [1, 1]
        restore(client)
        assert len(server.requests) == 3


def test_it_fails_at_once_while_calls_nobody_waits_for_hold_the_threads_and_recovers(
    serve: Serve, connect: Connect
) -> None:
    server = serve(drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"))
    client = connect(server.url, workers=2)
    for call in (read, restore):
        assert type(failure(client, call)) is TimedOut
    start = time.monotonic()
    error = failure(client, restore)
    assert (type(error), error.may_have_happened) == (Unreachable, False)
    assert time.monotonic() - start < 0.1
    assert len(server.requests) == 2
    server.plays(sends(http(200, GOOD)))
    time.sleep(0.1)
    restore(client)
    assert len(server.requests) == 1


def test_it_logs_no_key_down_to_the_wire(
    server: SocketServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    server.plays(sends(http(500, json.dumps({"message": f"debug: {KEY}"}).encode())))
    with caplog.at_level(logging.DEBUG, "httpx"), caplog.at_level(logging.DEBUG, "httpcore"):
        assert type(failure(client, restore)) is Broken
    assert "send_request_headers" in caplog.text
    assert KEY not in caplog.text
