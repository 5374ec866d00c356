"""A client whose network is a function, and raw rows as the API sends them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from barrack_web.client import Client, TimeLimits

KEY = "sk-very-secret-0123456789"
BASE = "http://cloud.test/api"
Handler = Callable[[httpx.Request], httpx.Response]


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


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    yield cloud
    cloud.close()


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
