"""The doctor as a company runs it: two processes, the sandbox on a port, the command with nothing but its settings."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from barrack_web.client import OPERATIONS

KEY = "sk-canary-0123456789abcdef"
MOVED = {
    "list_volumes": "/v2/disks",
    "get_instance": "/v2/servers/{instance_id}",
    "list_ssh_keys": "/v2/account/keys",
}


SAFE = [name for name, row in OPERATIONS.items() if row.safe and not row.alias_of]


def environment(**variables: str) -> dict[str, str]:
    plain = {"PATH": os.environ["PATH"], "SECRET_KEY": "x" * 50, "ALLOWED_HOSTS": "portal.example"}
    return plain | {"BARRACK_API_KEY": KEY} | variables


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The standalone sandbox, as a process."""
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--key", KEY, "--speed", "0"]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=environment(BARRACK_API_KEY=""), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split("/api")[0].split()[-1]
        server.terminate()


def check_api(address: str, *options: str, **variables: str) -> tuple[int, Any]:
    """The command's exit code and what it prints with --json."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check_api", "--json", *options],
        cwd=settings.BASE_DIR,
        env=environment(BARRACK_API_URL=f"{address}/api", **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def verdicts(report: Any) -> dict[str, str]:
    """What was found about each read that the portal uses."""
    return {row["operation"]: row["state"] for row in report["operations"] if row["operation"] in SAFE}


def test_it_is_green_against_the_standalone_sandbox(address: str) -> None:
    httpx.post(f"{address}/_sandbox/reset", json={"seed": PLAIN})
    code, report = check_api(address)
    assert code == 0
    assert verdicts(report) == dict.fromkeys(SAFE, "ok")


def test_it_is_green_again_once_an_overrides_file_mends_moved_paths(address: str, tmp_path: Path) -> None:
    httpx.post(f"{address}/_sandbox/reset", json={"seed": PLAIN})
    for operation, path in MOVED.items():
        armed = {"operation": operation, "kind": "move", "path": path}
        httpx.post(f"{address}/_sandbox/faults", json=armed).raise_for_status()

    code, report = check_api(address)
    assert code == 1
    assert {name for name, verdict in verdicts(report).items() if verdict == "fails"} >= set(MOVED)

    overrides = tmp_path / "overrides.toml"
    overrides.write_text("".join(f'[operations.{name}]\npath = "{path}"\n' for name, path in MOVED.items()))
    code, report = check_api(address, BARRACK_API_OVERRIDES=str(overrides))
    assert code == 0
    assert set(verdicts(report).values()) == {"ok"}
    used = {row["operation"]: row["path"] for row in report["operations"]}
    assert {name: used[name] for name in MOVED} == MOVED


# One of everything, in states that everybody knows.
PLAIN = dict.fromkeys(("instances", "snapshots", "images", "volumes", "firewalls", "ssh_keys", "scripts"), 3)
