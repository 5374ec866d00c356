"""Hibernation: the count of it, and how the platform does it itself when the credits end."""

import time
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import World

HOUR = 3600
TEN_YEARS = 10 * 365 * 86400


def add(world: World, name: str, status: str = "ACTIVE", model: str = "L40") -> dict[str, Any]:
    record = {
        "instance_id": name,
        "vm_name": name,
        "status": status,
        "region": "US-1",
        "gpu_type": model,
        "gpu_count": 1,
        "ssh_keys": [],
        "security_rules": [],
    }
    return world.add("instances", name, record)


@pytest.fixture
def world() -> World:
    """An account without anything but a dollar."""
    world = World(speed=0)
    world.balances["USD"] = Decimal(1)
    return world


def test_it_counts_what_sleeps_and_what_that_costs(api: httpx.Client, sandbox: Sandbox) -> None:
    first = api.get("/instances/hibernated/count").json()
    assert (first["count"], first["recent_hibernations"][0]["instance_id"]) == (1, "BRK-123548D")
    assert first["billing_metrics"]["total_duration_minutes"] == 330 * 60
    api.post("/instances/BRK-123456D/hibernate")
    sandbox.world.advance(60 + HOUR)
    body = api.get("/instances/hibernated/count").json()
    assert body["count"] == 2
    last = body["recent_hibernations"][0]
    assert (last["instance_id"], last["vm_name"], last["region"]) == ("BRK-123456D", "ml-training-server", "CANADA-1")
    assert last["hibernated_at"] > body["recent_hibernations"][1]["hibernated_at"]
    metrics = body["billing_metrics"]
    assert (metrics["rate_per_hour"], metrics["currency"]) == (0.01, "USD")
    assert metrics["total_duration_minutes"] == 330 * 60 + 61 + 60
    assert metrics["total_cost"] == pytest.approx(metrics["total_duration_minutes"] * 0.00016667)


def test_it_forgets_who_was_woken_but_not_the_cost(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123548D"]["status"] = "ACTIVE"
    sandbox.world.advance(60)
    body = api.get("/instances/hibernated/count").json()
    assert (body["count"], body["recent_hibernations"]) == (0, [])
    assert body["billing_metrics"]["total_duration_minutes"] == 330 * 60


def test_it_hibernates_at_the_very_minute_that_uses_up_the_credits(world: World) -> None:
    # 1.19 an hour is 0.01983 a minute: the 51st minute takes the balance to -0.01133.
    record = add(world, "a")
    world.advance(50 * 60)
    assert (record["status"], world.balance()) == ("ACTIVE", Decimal("0.0085"))
    world.advance(60)
    assert (record["status"], world.balance()) == ("HIBERNATING", Decimal("-0.01133"))
    world.advance(59)
    assert record["status"] == "HIBERNATING"
    world.advance(1)
    assert record["status"] == "HIBERNATED"
    assert world.stock["US-1", "L40"] == 1, "its GPU is free"


def test_it_counts_a_balance_of_nothing_as_used_up(world: World) -> None:
    record = add(world, "a")
    world.balances["USD"] = Decimal("0.01983")
    world.advance(60)
    assert (record["status"], world.balance()) == ("HIBERNATING", 0)


def test_it_hibernates_everything_that_runs_and_nothing_else(world: World) -> None:
    states = ("ACTIVE", "SHUTOFF", "STOPPED", "HIBERNATED", "ERROR", "DELETED", "STOPPING", "CREATING")
    records = {state: add(world, state, state) for state in states}
    world.advance(HOUR)
    after = {state: record["status"] for state, record in records.items()}
    assert after == {
        **{state: state for state in states},
        **dict.fromkeys(("ACTIVE", "SHUTOFF", "STOPPED"), "HIBERNATED"),
    }


def test_it_charges_storage_and_sleep_on(world: World) -> None:
    add(world, "a")
    world.advance(52 * 60)
    empty = world.balance()
    world.snapshots["s"] = {"snapshot_id": "s", "status": "SUCCESS", "size_gb": 100}
    world.advance(HOUR)
    assert (empty - world.balance()).quantize(Decimal("0.001")) == Decimal("0.110")


def test_it_hibernates_what_wakes_up_without_credit(world: World) -> None:
    add(world, "a")
    late = add(world, "b", "STARTING")
    world.schedule("instances", "b", 2 * HOUR, lambda found: found.update(status="ACTIVE"))
    world.advance(2 * HOUR)
    assert late["status"] == "ACTIVE"
    world.advance(60)
    assert late["status"] == "HIBERNATING"
    world.advance(60)
    assert late["status"] == "HIBERNATED"


def test_it_leaves_things_alone_until_the_next_charged_minute(world: World) -> None:
    record = add(world, "a")
    world.balances["USD"] = Decimal(0)
    world.advance(59)
    assert record["status"] == "ACTIVE"
    world.advance(1)
    assert record["status"] == "HIBERNATING"


def test_it_lets_run_what_can_be_paid_for(world: World) -> None:
    record = add(world, "a")
    world.balances["USD"] = Decimal(1_000_000)
    world.advance(TEN_YEARS)
    assert record["status"] == "ACTIVE"


def test_it_lives_through_ten_years_at_once(world: World) -> None:
    for number in range(1000):
        add(world, str(number))
    world.balances["USD"] = Decimal(100_000)
    begin = time.perf_counter()
    world.advance(TEN_YEARS)
    assert time.perf_counter() - begin < 5
    assert {record["status"] for record in world.instances.values()} == {"HIBERNATED"}
    # A thousand instances at 0.01983 a minute use up 100,000 dollars in the 5,043rd minute.
    minutes = [period.minutes for period in world.periods("instances") if period.end]
    assert set(minutes) == {5_043}


@settings(max_examples=30, deadline=None)
@given(
    minutes=st.integers(1, 40),
    cents=st.integers(0, 60),
    size=st.integers(0, 2000),
    models=st.lists(st.sampled_from(("L40", "A40", "H100-SXM5-80GB")), min_size=1, max_size=3),
)
def test_it_comes_out_the_same_in_one_leap_and_minute_by_minute(
    minutes: int, cents: int, size: int, models: list[str]
) -> None:
    outcomes = []
    for steps in (1, minutes):
        world = World(speed=0)
        world.balances["USD"] = Decimal(cents) / 100
        for number, model in enumerate(models):
            add(world, str(number), model=model)
        world.snapshots["s"] = {"snapshot_id": "s", "status": "SUCCESS", "size_gb": size}
        for _ in range(steps):
            world.advance(60 * minutes // steps)
        statuses = [record["status"] for record in world.instances.values()]
        outcomes.append((statuses, world.balance(), world.stock))
    assert outcomes[0] == outcomes[1]
