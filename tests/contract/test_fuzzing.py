"""Thousands of made-up requests, right and wrong, to the sandbox's server: it answers as docs/openapi.yaml says."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from barrack_web.sandbox.server import Sandbox, SandboxServer, serve

from .document import PATH

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).with_name("schemathesis.toml")
Serve = Callable[[Sandbox], str]


@pytest.fixture
def served() -> Iterator[Serve]:
    """Serves a sandbox on a port and gives its address."""
    running: list[tuple[SandboxServer, threading.Thread]] = []

    def start(sandbox: Sandbox) -> str:
        server = serve(sandbox, port=0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.port}/api"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(5)


def fuzz(address: str, where: Path, *options: str) -> str:
    """What schemathesis says after a run, which must have found nothing."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", str(PATH), "--url", address,
        "--header", "X-API-Key: sandbox-key", "--seed", "1", "--no-color", "--warnings", "off",
        "--continue-on-failure", *options,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def cases(said: str) -> int:
    """How many requests passed."""
    found = re.search(r"(\d+) generated, (\d+) passed", said)
    assert found, said[-2_000:]
    return int(found[2])


def test_it_answers_as_documented_with_stock_and_credits(served: Serve, tmp_path: Path) -> None:
    # The demo's ids are among the examples of the document.
    sandbox = Sandbox(seed="demo", speed=100_000)
    said = fuzz(
        served(sandbox), tmp_path, "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "-n", "1"
    )
    assert "Tested: 71" in said
    assert cases(said) > 2_000
    # It was no empty run: requests were accepted too, also those that change something.
    done = {call.operation for call in sandbox.log.calls() if call.status in (200, 201)}
    assert len(done) > 50
    assert {"create_instance", "create_volume", "add_firewall_rule", "create_script", "query_pricing"} <= done


def test_it_answers_as_documented_without_stock_and_credits(served: Serve, tmp_path: Path) -> None:
    sandbox = Sandbox(seed="demo", speed=100_000)
    sandbox.world.stock.clear()
    sandbox.world.balances["USD"] = Decimal(0)
    checks = "status_code_conformance,response_schema_conformance,content_type_conformance"
    said = fuzz(served(sandbox), tmp_path, "--checks", checks, "--phases", "examples,coverage", "-n", "1")
    assert cases(said) > 1_000
    refused = {(call.operation, call.status) for call in sandbox.log.calls()}
    assert {("create_instance", 402), ("create_volume", 402), ("chat_completions", 402)} <= refused
