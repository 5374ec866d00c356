"""A fresh sandbox per test, and clients at both of its doors."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox, SandboxServer, serve, transport

KEY = {"X-API-Key": "sandbox-key"}


@pytest.fixture
def sandbox() -> Sandbox:
    """The demo world, its transitions standing still unless a test advances the clock."""
    return Sandbox(seed="demo", speed=0)


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client at the door inside the process."""
    with httpx.Client(transport=transport(sandbox), base_url="http://sandbox/api", headers=KEY) as client:
        yield client


@pytest.fixture
def server(sandbox: Sandbox) -> Iterator[SandboxServer]:
    """The same sandbox on a port."""
    running = serve(sandbox, port=0)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join(5)
    assert not thread.is_alive()


@pytest.fixture
def remote(server: SandboxServer) -> Iterator[httpx.Client]:
    """A client at the door on the port."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/api", headers=KEY, trust_env=False) as client:
        yield client


@pytest.fixture
def control(server: SandboxServer) -> Iterator[httpx.Client]:
    """A client at the control door, without a key."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/_sandbox", trust_env=False) as client:
        yield client
