"""A client whose network is a function, clients and servers on real sockets, and raw rows as the API sends them."""

import json
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from barrack_web.client import BarrackError, Client, TimeLimits

from .doctors import Patient
from .sockets import GOOD, Play, SocketServer, http, sends

KEY = "sk-very-secret-0123456789"
LIMIT = 0.4
SLACK = 0.6
BASE = "http://cloud.test/api"
Handler = Callable[[httpx.Request], httpx.Response]
Serve = Callable[[Play], SocketServer]
Connect = Callable[..., Client]
Call = Callable[[Client], object]


class Cloud:
    """Plays the API: answers by a function, and keeps the requests it got."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._clients: list[Client] = []

    def client(self, handler: Handler, **options: Any) -> Client:
        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        options.setdefault("limits", TimeLimits(connect=0.4, read=2.0, write=2.0, look_up=0.4))
        client = Client(BASE, KEY, transport=httpx.MockTransport(handle), **options)
        self._clients.append(client)
        return client

    def answering(self, body: object, status: int = 200, headers: dict[str, str] | None = None) -> Client:
        """A client that always gets one answer: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client(lambda _request: httpx.Response(status, content=content, headers=headers))

    def sent(self) -> Any:
        """The JSON body of the last request."""
        return json.loads(self.requests[-1].content)

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture(autouse=True)
def _no_log_line_shows_the_key(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level("INFO")
    yield
    assert not [record for record in caplog.get_records("call") if KEY in record.getMessage()]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def patient() -> Patient:
    """A simulated cloud for the doctor to examine."""
    return Patient()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server: serve(play)."""
    servers: list[SocketServer] = []

    def start(play: Play) -> SocketServer:
        servers.append(SocketServer(play))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def client_of(url: str, limit: float = LIMIT, workers: int = 8) -> Client:
    """A client with one time limit for all that it does."""
    limits = TimeLimits(connect=limit, read=limit, write=limit, look_up=limit)
    return Client(url, KEY, limits=limits, workers=workers)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make a client of a real address: connect(url), connect(url, limit=5, workers=2)."""
    clients: list[Client] = []

    def start(url: str, **options: Any) -> Client:
        clients.append(client_of(url, **options))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def server() -> Iterator[SocketServer]:
    """A server that is told again and again what to do: server.plays(…)."""
    server = SocketServer(sends(http(200, GOOD)))
    yield server
    server.close()


@pytest.fixture(scope="module")
def client(server: SocketServer) -> Iterator[Client]:
    """The one client of that server."""
    with client_of(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def calm(server: SocketServer) -> Iterator[Client]:
    """Another client of that server, for answers that come at once: a busy machine must not make them late."""
    with client_of(server.url, limit=5) as client:
        yield client


def read(client: Client) -> object:
    return client.catalog.regions()


def restore(client: Client) -> object:
    return client.snapshots.restore("BRK-1S", new_vm_name="n")


def delete(client: Client) -> object:
    return client.snapshots.delete("BRK-1S")


def failure(client: Client, call: Call, limit: float = LIMIT) -> BarrackError:
    """The error of a call that must fail: in time, and showing the key to nobody."""
    start = time.monotonic()
    with pytest.raises(BarrackError) as raised:
        call(client)
    assert time.monotonic() - start < limit + SLACK
    error = raised.value
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), repr(error.args), repr(vars(error)), *trace.format()]
    assert not [text for text in shown if KEY in text]
    return error


def snapshot_row(number: int = 1, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "snapshot_id": f"BRK-{number:06d}S",
        "snapshot_name": f"backup-{number}",
        "status": "SUCCESS",
        "region": "CANADA-1",
        "size_gb": 250,
        "created_at": "2025-01-15T10:30:00Z",
    }
    return row | changes


def instance_row(number: int = 1, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "instance_id": f"BRK-{number:06d}D",
        "vm_name": f"trainer-{number}",
        "status": "ACTIVE",
        "region": "NORWAY-1",
        "gpu_type": "H100-SXM5-80GB",
        "gpu_count": 4,
    }
    return row | changes
