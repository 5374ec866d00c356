"""The bills: their shapes, and that they add up to what left the balance, whatever happens in between."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_web.sandbox.server import Sandbox, transport

HOUR = 3600
VM = "BRK-123456D"
KEY = {"X-API-Key": "sandbox-key"}
BILLS = ("/instances/billing", "/snapshots/billing", "/volumes/billing")


def volume(**change: Any) -> dict[str, Any]:
    return {
        "volume_id": "BRK-9V",
        "volume_name": "data",
        "size_gb": 512,
        "volume_type": "SSD",
        "tier": "legacy",
        "status": "available",
        "description": "corpus",
        "instance_id": None,
        **change,
    }


def records(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    first = api.get(path, params={"limit": 7}).json()
    pages = range(2, first["total_pages"] + 1)
    return first["records"] + [
        row for page in pages for row in api.get(path, params={"limit": 7, "page": page}).json()["records"]
    ]


def billed(api: httpx.Client) -> Decimal:
    return sum((Decimal(str(row["total_cost"])) for path in BILLS for row in records(api, path)), Decimal(0))


def account(api: httpx.Client) -> tuple[Decimal, Decimal]:
    """Return what was billed and what is left at one moment, even when a minute ends while it is asked."""
    while True:
        balance = api.get("/balance").json()["data"]["balances"][0]["amount"]
        cost = billed(api)
        if api.get("/balance").json()["data"]["balances"][0]["amount"] == balance:
            return cost, Decimal(str(balance))


@pytest.fixture
def empty() -> Sandbox:
    return Sandbox(seed="empty", speed=0)


def test_it_bills_instances(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.advance(HOUR)
    body = api.get("/instances/billing", params={"limit": 100}).json()
    assert set(body) == {"success", "records", "summary", "page", "limit", "total", "total_pages", "currency"}
    (row,) = [row for row in body["records"] if row["instance_id"] == VM]
    start = row.pop("start_time")
    assert start.endswith("Z")
    assert row == {
        "billing_id": f"{VM}B",
        "instance_id": VM,
        "vm_name": "ml-training-server",
        "gpu_type": "H100-PCIe-80GB",
        "gpu_count": 2,
        "tier": "legacy",
        "end_time": None,
        "total_duration_minutes": 413 * 60,
        "per_minute_rate": 0.075,
        "total_cost": 1858.5,
        "currency": "USD",
        "status": "active",
        "description": None,
    }


def test_it_sums_up_the_bills_of_instances(api: httpx.Client, sandbox: Sandbox) -> None:
    api.delete(f"/instances/{VM}")
    sandbox.world.advance(HOUR)
    body = api.get("/instances/billing").json()
    rows, summary = records(api, "/instances/billing"), body["summary"]
    counts = [summary[f"{name}Count"] for name in ("active", "completed", "hibernated")]
    assert counts == [[row["status"] for row in rows].count(name) for name in ("active", "completed", "hibernated")]
    assert counts == [5, 3, 1]
    assert summary["totalMinutes"] == sum(row["total_duration_minutes"] for row in rows)
    assert summary["averageUsage"] == round(summary["totalMinutes"] / body["total"], 2)
    assert Decimal(str(summary["totalCost"])) == sum(Decimal(str(row["total_cost"])) for row in rows)


@pytest.mark.parametrize(
    ("facts", "per_hour"),
    [
        ({}, "0.05"),
        ({"volume_type": "Cloud-SSD"}, "0.05"),
        ({"volume_type": "HDD", "tier": "advanced"}, "0.04"),
        ({"volume_type": "NVMe", "tier": "advanced"}, "0.15"),
        ({"size_gb": 1024}, "0.10"),
        ({"status": "in-use", "instance_id": VM}, "0.05"),
        ({"status": "attached", "instance_id": VM}, "0.05"),
        ({"status": "creating"}, "0"),
        ({"status": "error"}, "0"),
        ({"volume_type": "tape"}, "0"),
    ],
)
def test_it_charges_a_volume_by_type_size_and_status(empty: Sandbox, facts: dict[str, Any], per_hour: str) -> None:
    world = empty.world
    before = world.balances["USD"]
    world.volumes["BRK-9V"] = volume(**facts)
    world.advance(HOUR)
    assert (before - world.balances["USD"]).quantize(Decimal("0.001")) == Decimal(per_hour)


def test_it_bills_volumes_with_times_without_a_zone(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes["BRK-9V"] = volume()
    sandbox.world.advance(HOUR)
    body = api.get("/volumes/billing", params={"limit": 100}).json()
    assert set(body) == {"success", "records", "summary", "page", "limit", "total", "total_pages", "currency"}
    assert set(body["summary"]) == {"totalMinutes", "activeCount", "averageUsage", "totalSizeGB", "totalCost"}
    (row,) = [row for row in body["records"] if row["volume_id"] == "BRK-9V"]
    assert row["billing_id"].startswith("VBILL_")
    assert len(row["start_time"]) == len("2025-01-15T10:30:00")
    assert (row["status"], row["end_time"], row["description"]) == ("available", None, "corpus")
    assert (row["volume_name"], row["size_gb"], row["total_duration_minutes"]) == ("data", 512, 60)
    sandbox.world.volumes["BRK-9V"].update(status="in-use", instance_id=VM)
    assert [row["status"] for row in records(api, "/volumes/billing") if row["volume_id"] == "BRK-9V"] == ["active"]
    del sandbox.world.volumes["BRK-9V"]
    sandbox.world.advance(HOUR)
    (row,) = [row for row in records(api, "/volumes/billing") if row["volume_id"] == "BRK-9V"]
    assert (row["status"], row["total_duration_minutes"], len(row["end_time"])) == ("completed", 60, 19)


def test_it_bills_the_old_size_until_a_volume_grows(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes["BRK-9V"] = volume()
    sandbox.world.advance(HOUR)
    sandbox.world.volumes["BRK-9V"]["size_gb"] = 1024
    sandbox.world.advance(HOUR)
    rows = [row for row in records(api, "/volumes/billing") if row["volume_id"] == "BRK-9V"]
    assert [(row["size_gb"], row["total_duration_minutes"]) for row in rows] == [(1024, 60), (512, 60)]
    assert len({row["billing_id"] for row in rows}) == 2


def test_it_bills_a_volume_by_its_new_size_also_when_the_rounded_rate_stays(empty: Sandbox) -> None:
    world = empty.world
    world.volumes["BRK-9V"] = volume(size_gb=2000)
    world.advance(HOUR)
    world.volumes["BRK-9V"]["size_gb"] = 2001
    world.advance(HOUR)
    periods = world.periods("volumes")
    assert [(period.facts["size_gb"], period.minutes) for period in periods] == [(2001, 60), (2000, 60)]
    assert periods[0].rate == periods[1].rate


@pytest.mark.parametrize("path", BILLS)
def test_it_refuses_a_page_that_cannot_be(api: httpx.Client, path: str) -> None:
    for query in ({"page": "0"}, {"limit": "101"}, {"page": "x"}):
        assert api.get(path, params=query).status_code == 400
    assert api.get(path, params={"page": "9999"}).json()["records"] == []


def test_it_charges_nothing_between_two_states(api: httpx.Client, sandbox: Sandbox) -> None:
    api.post(f"/instances/{VM}/reboot")
    sandbox.world.advance(40)
    sandbox.world.advance(60 * 60)
    minutes = [row["total_duration_minutes"] for row in records(api, "/instances/billing") if row["instance_id"] == VM]
    assert minutes == [60, 412 * 60]


_ACTIONS = st.sampled_from(("start", "stop", "reboot", "hibernate", "restore"))
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("act"), st.integers(0, 2), _ACTIONS),
        st.tuples(st.just("delete"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("snapshot"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("grow"), st.integers(1, 100), st.just("")),
        st.tuples(st.just("think"), st.integers(1, 500), st.just("")),
        st.tuples(st.just("pass"), st.integers(1, 200_000), st.just("")),
    ),
    max_size=12,
)


def _take(sandbox: Sandbox, api: httpx.Client, kind: str, number: int, action: str) -> Decimal:
    """Do one step, allowed or not, and return what it cost outside the bills."""
    world = sandbox.world
    instance_id = list(world.instances)[number % 3]
    if kind == "act":
        api.post(f"/instances/{instance_id}/{action}")
    elif kind == "delete":
        api.delete(f"/instances/{instance_id}")
    elif kind == "snapshot":
        body = {"name": f"s{world.new_number()}", "description": "", "instance_id": instance_id}
        api.post("/snapshots", json=body)
    elif kind == "grow":
        world.volumes["BRK-9V"]["size_gb"] += number
    elif kind == "think":
        cost = Decimal(number) / 10_000
        world.balances["USD"] -= cost
        return cost
    else:
        world.advance(number)
    return Decimal(0)


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS, balance=st.decimals(0, 200, places=2))
def test_it_takes_from_the_balance_exactly_what_it_bills(steps: list[tuple[str, int, str]], balance: Decimal) -> None:
    sandbox = Sandbox(seed={"instances": 3, "snapshots": 1}, speed=0)
    sandbox.world.volumes["BRK-9V"] = volume()
    sandbox.world.balances["USD"] = balance
    with httpx.Client(transport=transport(sandbox), base_url="http://sandbox/api", headers=KEY) as api:
        cost_before, before = account(api)
        other = sum((_take(sandbox, api, *step) for step in steps), Decimal(0))
        sandbox.world.advance(HOUR)
        cost_after, after = account(api)
    assert before - after == cost_after - cost_before + other
