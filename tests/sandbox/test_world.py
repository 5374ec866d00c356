"""The clock and the bills: what passes, what it costs, and that it adds up."""

import time
from decimal import Decimal

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import World

HOUR = 3600


def vm(status: str = "ACTIVE", model: str = "H100-PCIe-80GB", count: int = 2) -> dict[str, object]:
    return {"instance_id": "BRK-1D", "vm_name": "a", "status": status, "gpu_type": model, "gpu_count": count}


@pytest.fixture
def world() -> World:
    world = World(speed=0)
    world.balances["USD"] = Decimal(100)
    return world


@pytest.mark.parametrize(
    ("status", "cost"),
    [
        ("ACTIVE", "4.50"),
        ("SHUTOFF", "4.50"),
        ("HIBERNATED", "0.01"),
        ("CREATING", "0"),
        ("STOPPING", "0"),
        ("ERROR", "0"),
        ("DELETED", "0"),
    ],
)
def test_it_charges_an_instance_by_its_status(world: World, status: str, cost: str) -> None:
    world.instances["BRK-1D"] = vm(status)
    world.advance(HOUR)
    assert (Decimal(100) - world.balances["USD"]).quantize(Decimal("0.0001")) == Decimal(cost)


def test_it_charges_whole_minutes(world: World) -> None:
    world.instances["BRK-1D"] = vm()
    world.advance(59)
    assert world.balances["USD"] == 100
    world.advance(1)
    assert world.balances["USD"] == Decimal("99.925")


def test_it_begins_another_period_when_the_rate_changes(world: World) -> None:
    world.instances["BRK-1D"] = vm()
    world.advance(HOUR)
    world.instances["BRK-1D"]["status"] = "HIBERNATED"
    world.advance(HOUR)
    world.instances.clear()
    world.advance(HOUR)
    periods = world.periods("instances", "BRK-1D")
    assert [(period.billing_id, period.minutes) for period in periods] == [("BRK-1DB2", 60), ("BRK-1DB", 60)]
    assert all(period.end for period in periods)
    assert sum(period.cost for period in periods) == 100 - world.balances["USD"]


def test_it_charges_nothing_before_a_transition_ends(world: World) -> None:
    record = world.add("instances", "BRK-1D", vm("CREATING"))
    world.schedule("instances", "BRK-1D", 120, lambda found: found.update(status="ACTIVE"))
    world.advance(120 + HOUR)
    assert record["status"] == "ACTIVE"
    assert 100 - world.balances["USD"] == Decimal("4.500")


def test_it_leaves_a_record_alone_that_a_test_has_changed(world: World) -> None:
    record = world.add("instances", "BRK-1D", vm("CREATING"))
    world.schedule("instances", "BRK-1D", 120, lambda found: found.update(status="ACTIVE"))
    record["status"] = "ERROR"
    world.advance(HOUR)
    assert record["status"] == "ERROR"


def test_it_stands_still_at_speed_zero_and_runs_fast(world: World) -> None:
    record = world.add("instances", "BRK-1D", vm("CREATING"))
    world.schedule("instances", "BRK-1D", 120, lambda found: found.update(status="ACTIVE"))
    time.sleep(0.05)
    assert world.instances["BRK-1D"]["status"] == "CREATING"
    world.speed = 100_000
    before = world.now()
    time.sleep(0.05)
    assert world.instances["BRK-1D"] is record
    assert record["status"] == "ACTIVE"
    assert (world.now() - before).total_seconds() < 5, "timestamps follow the wall clock"


def test_it_refuses_to_go_back(world: World) -> None:
    for seconds in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="advance takes"):
            world.advance(seconds)
    for speed in (-1, float("nan"), 0.0009, 1e-300, 1_000_001):
        with pytest.raises(ValueError, match="speed takes"):
            world.speed = speed
    assert world.speed == 0
    world.speed = 0.001


def test_it_stops_the_clock_before_the_calendar_ends(world: World) -> None:
    world.instances["BRK-1D"] = vm("ERROR")
    ten_years = 10 * 366 * 86400
    for step, until in ((ten_years, 8980), (ten_years / 10, 8995)):
        while world.now().year < until:
            world.advance(step)
    before = world.now()
    with pytest.raises(ValueError, match="year 9000"):
        world.advance(ten_years)
    assert world.now().year == before.year
    world.add("instances", "BRK-2D", vm("CREATING"))
    world.schedule("instances", "BRK-2D", 400_000, lambda found: found.update(status="ACTIVE"))
    world.speed = 0.001
    assert world.instances["BRK-2D"]["status"] == "CREATING"


def test_it_hands_out_a_copy_of_its_state(sandbox: Sandbox) -> None:
    state = sandbox.world.dump()
    names = {"usage", "restores", "profile_complete", "volume_minimum_gb", "bills", "balances", "transitions"}
    assert names < set(state)
    assert state["bills"] == {kind: len(sandbox.world.periods(kind)) for kind in ("instances", "snapshots", "volumes")}
    state["instances"][0]["status"] = "GONE"
    state["balances"].clear()
    state["usage"].clear()
    assert "GONE" not in {record["status"] for record in sandbox.world.instances.values()}
    assert (sandbox.world.balance() > 0, len(sandbox.world.usage) > 0) == (True, True)


def test_it_charges_no_minute_that_a_period_ends_in(world: World) -> None:
    world.instances["BRK-1D"] = vm()
    world.advance(90)
    world.instances["BRK-1D"]["gpu_count"] = 1
    world.advance(59)
    assert [period.minutes for period in world.periods("instances")] == [0, 1]


def test_it_bills_snapshots_by_size_and_minute(api: httpx.Client, sandbox: Sandbox) -> None:
    before = api.get("/snapshots/BRK-123456S/billing").json()
    sandbox.world.advance(HOUR)
    after = api.get("/snapshots/BRK-123456S/billing").json()
    (record,) = after["records"]
    assert record["per_minute_rate"] == 0.00417
    assert record["total_duration_minutes"] - before["records"][0]["total_duration_minutes"] == 60
    assert record["total_cost"] == pytest.approx(0.00417 * record["total_duration_minutes"])
    assert (record["status"], record["end_time"], record["size_gb"]) == ("active", None, 250)
    assert after["summary"]["totalCost"] == record["total_cost"]
    assert "request_id" not in after


def test_it_adds_up(api: httpx.Client, sandbox: Sandbox) -> None:
    def state() -> tuple[Decimal, Decimal]:
        kinds = ("instances", "snapshots", "volumes")
        periods = [period for kind in kinds for period in sandbox.world.periods(kind)]
        return sum((period.cost for period in periods), Decimal(0)), sandbox.world.balances["USD"]

    cost, balance = state()
    sandbox.world.advance(7 * HOUR)
    new_cost, new_balance = state()
    assert new_cost - cost == balance - new_balance > 0
    assert api.get("/balance").json()["data"]["balances"] == [{"currency": "USD", "amount": float(new_balance)}]
    first = api.get("/snapshots/billing", params={"limit": 15}).json()
    second = api.get("/snapshots/billing", params={"limit": 15, "page": 2}).json()
    records = first["records"] + second["records"]
    assert first["total"] == len(records)
    assert first["summary"]["activeCount"] == sum(record["end_time"] is None for record in records) < len(records)
    assert first["summary"] == second["summary"]
    assert sum(record["total_cost"] for record in records) == pytest.approx(first["summary"]["totalCost"])


def test_it_keeps_the_bill_of_a_deleted_snapshot(api: httpx.Client, sandbox: Sandbox) -> None:
    api.delete("/snapshots/BRK-123456S")
    sandbox.world.advance(HOUR)
    (record,) = api.get("/snapshots/BRK-123456S/billing").json()["records"]
    assert (record["status"], record["snapshot_name"]) == ("completed", "prod-backup-dec11")
    assert record["total_duration_minutes"] == 96 * 60
    assert record["end_time"]
