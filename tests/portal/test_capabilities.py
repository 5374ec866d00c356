"""What the API lacks is left alone for ten minutes, and the page does without it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from barrack_web import capabilities, clock, cloud
from barrack_web.client import OPERATIONS, BarrackError, Missing
from barrack_web.sandbox.server import Sandbox


def calls(sandbox: Sandbox) -> int:
    return len(sandbox.log.calls("list_regions"))


def later(monkeypatch: pytest.MonkeyPatch, **step: float) -> None:
    """Moves the portal's clock on from where it is."""
    moved = clock.now() + timedelta(**step)
    monkeypatch.setattr(clock, "now", lambda: moved)


@pytest.mark.parametrize("status", [404, 405])
def test_it_asks_once_in_ten_minutes_for_what_the_api_lacks(
    sandbox: Sandbox, operator: Client, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    sandbox.faults.arm("list_regions", "status", status=status, times=None)
    for _ in range(3):
        page = operator.get("/snapshots/")
        assert page.status_code == 200
        later(monkeypatch, minutes=3)
    assert calls(sandbox) == 1

    later(monkeypatch, minutes=2)
    assert operator.get("/snapshots/").status_code == 200
    assert calls(sandbox) == 2


def test_it_offers_the_documented_regions_meanwhile(sandbox: Sandbox, operator: Client) -> None:
    sandbox.reset("empty")
    cloud.reset()
    sandbox.faults.arm("list_regions", "status", status=404, times=None)
    page = operator.get("/snapshots/").content.decode()
    assert all(name in page for name in ("US-1", "CANADA-1", "NORWAY-1"))


def test_it_uses_the_capability_again_once_it_is_back(
    sandbox: Sandbox, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.arm("list_regions", "status", status=404, times=1)
    operator.get("/snapshots/")
    assert capabilities.absent("list_regions")
    later(monkeypatch, minutes=11)
    assert not capabilities.absent("list_regions")
    assert len(cloud.regions.read().value) == 3


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 403}, {"status": 429}])
def test_it_remembers_no_other_failure(sandbox: Sandbox, fault: dict[str, Any]) -> None:
    sandbox.faults.arm("list_regions", "status", times=None, **fault)
    with pytest.raises(BarrackError):
        cloud.regions.read()
    assert not capabilities.absent("list_regions")


def test_it_says_what_is_missing(sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_regions", "status", status=404, times=1)
    with pytest.raises(Missing, match="Barrack does not offer this: Regions"):
        cloud.regions.read()


def test_it_knows_the_operations_that_newer_documentation_does_not_list() -> None:
    assert set(capabilities.CAPABILITIES) == {
        "get_gpu_stocks",
        "get_gpu_specs",
        "list_regions",
        "get_hibernated_instances_count",
        "chat_completions",
        "get_ai_usage_summary",
        "get_ai_usage_history",
        "list_ai_models",
    }
    assert set(capabilities.CAPABILITIES) <= set(OPERATIONS)


def test_it_takes_only_a_capability_for_one() -> None:
    with pytest.raises(KeyError):
        capabilities.offered("list_instances", lambda _: None)
