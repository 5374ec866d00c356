"""What the API's JSON becomes."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from barrack_web.client import (
    BalanceSheet,
    BillingPage,
    Broken,
    Image,
    Instance,
    Listing,
    Prices,
    Region,
    Snapshot,
    SnapshotImages,
    UserInstance,
)

from .conftest import Cloud, instance_row, snapshot_row

FULL_INSTANCE = instance_row(
    created_at="2025-01-15T10:30:00",
    flavor={"id": 7, "name": "n3-H100x4", "cpu": 112, "ram": 720.5, "disk": 100},
    image={"name": "Ubuntu Server 22.04"},
    ssh_keys=["laptop"],
    security_rules=[{"id": 12, "direction": "ingress", "protocol": "tcp", "port_range_min": 22}],
    volumes=[{"volume_id": "BRK-1V", "size_gb": 1000}],
    billing={"currency": "USD", "price_per_hour": 9.96, "per_minute_rate": 0.166},
    power_state="RUNNING",
    something_new={"deep": [1]},
)
RECORD = {
    "billing_id": "BRK-1DB",
    "snapshot_id": "BRK-1S",
    "size_gb": 250,
    "start_time": "2025-12-11T00:00:00Z",
    "end_time": None,
    "total_duration_minutes": 60,
    "per_minute_rate": 0.00417,
    "total_cost": 0.2502,
    "currency": "USD",
    "status": "available",
}
BILLING = {
    "success": True,
    "records": [RECORD],
    "summary": {"totalMinutes": 60, "activeCount": 1, "totalSizeGB": 250, "totalCost": 0.2502},
    "total": 1,
    "page": 1,
    "limit": 20,
    "total_pages": 1,
    "currency": "USD",
}
PRICING: dict[str, Any] = {
    "gpus": {
        "pricing": {
            "advanced": {"H100-SXM5-80GB": {"prices": {"USD": 2.49, "EUR": 2.69}, "max_count": 8, "unit": "u"}},
            "legacy": {"RTX-A6000": {"prices": {"USD": 0.69}, "unit": "u"}},
        }
    },
    "snapshots": {"pricing": {"Legacy": {"prices": {"USD": 0.1, "INR": 10}, "fixed_size_gb": 100, "unit": "u"}}},
    "volumes": {"pricing": {"advanced": {"NVMe": {"prices": {"USD": 0.3}, "unit": "u"}}}},
    "metadata": {"volume_minimum_size_gb": 100},
}


def snapshots(cloud: Cloud, *rows: object) -> Listing[Snapshot]:
    return cloud.answering({"success": True, "snapshots": rows}).snapshots.list()


def test_it_reads_a_full_instance(cloud: Cloud) -> None:
    instance = cloud.answering({"instance": FULL_INSTANCE}).instances.get("BRK-000001D")
    assert instance.created_at == datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
    assert instance.flavor is not None
    assert (instance.flavor.id, instance.flavor.ram) == ("7", Decimal("720.5"))
    assert instance.security_rules is not None
    assert instance.security_rules[0].id == "12"
    assert instance.billing is not None
    assert instance.billing.per_minute_rate == Decimal("0.166")


@pytest.mark.parametrize(
    ("status", "state", "moving"),
    [
        ("ACTIVE", "ACTIVE", False),
        ("Stopped", "SHUTOFF", False),
        ("shutoff", "SHUTOFF", False),
        ("creating", "CREATING", True),
        ("BUILD", "BUILD", True),
        ("hibernating", "HIBERNATING", True),
        ("ERROR", "ERROR", False),
        ("hard-reboot now", "HARD_REBOOT_NOW", False),
    ],
)
def test_it_knows_an_instances_state(cloud: Cloud, status: str, state: str, moving: bool) -> None:
    instance = cloud.answering({"instance": instance_row(status=status)}).instances.get("BRK-1D")
    assert (instance.state, instance.in_transition, instance.status) == (state, moving, status)


@pytest.mark.parametrize(
    ("status", "restorable", "moving"),
    [
        ("SUCCESS", True, False),
        ("available", True, False),
        ("Creating", False, True),
        ("in-progress", False, True),
        ("ERROR", False, False),
        ("brand new word", False, False),
    ],
)
def test_it_knows_what_a_snapshots_status_allows(cloud: Cloud, status: str, restorable: bool, moving: bool) -> None:
    (row,) = snapshots(cloud, snapshot_row(status=status))
    assert (row.restorable, row.in_transition) == (restorable, moving)


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshot_id": 5},
        {"snapshot_name": None},
        {"created_at": "yesterday"},
        {"created_at": "0001-01-01T00:00:00+05:00"},
        {"status": ["SUCCESS"]},
    ],
    ids=str,
)
def test_it_shows_the_other_rows_when_one_is_broken(cloud: Cloud, changes: dict[str, object]) -> None:
    listing = snapshots(cloud, snapshot_row(1), snapshot_row(2, **changes), "no row", snapshot_row(3))
    assert [row.snapshot_name for row in listing] == ["backup-1", "backup-3"]
    assert listing.broken == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"size_gb": 1e300},
        {"size_gb": "NaN"},
        {"size_gb": "sNaN"},
        {"size_gb": "-Infinity"},
        {"size_gb": 10**12},
        {"size_gb": "1e-400"},
        {"updated_at": "soon"},
        {"is_image": None},
        {"gpu_count": "many"},
        {"cpu": 4.5},
        {"description": {"a": 1}},
    ],
    ids=str,
)
def test_it_drops_only_an_optional_field_that_cannot_be_read(cloud: Cloud, changes: dict[str, object]) -> None:
    listing = snapshots(cloud, snapshot_row(tier="legacy", **{"vm_name": "trainer", **changes}))
    (row,) = listing
    assert listing.broken == 0
    assert (row.vm_name, row.tier) == ("trainer", "legacy")
    assert getattr(row, next(iter(changes))) is None


@pytest.mark.parametrize("field", ["description", "size_gb", "vm_name", "is_image", "tier", "gpu_count", "updated_at"])
def test_it_accepts_null_and_absence_of_what_is_optional(cloud: Cloud, field: str) -> None:
    listing = snapshots(cloud, snapshot_row(1, **{field: None}), snapshot_row(2))
    assert (len(listing), listing.broken) == (2, 0)


@pytest.mark.parametrize("body", [{}, {"snapshots": None}, {"snapshots": {}}, {"snapshots": "none"}], ids=str)
def test_it_never_takes_a_wrong_shape_for_an_empty_list(cloud: Cloud, body: object) -> None:
    with pytest.raises(Broken) as raised:
        cloud.answering(body).snapshots.list()
    assert raised.value.status == 200
    assert not raised.value.may_have_happened


def test_it_reads_times_in_any_zone_as_utc(cloud: Cloud) -> None:
    listing = snapshots(
        cloud,
        snapshot_row(1, created_at="2025-01-15T12:30:00+02:00"),
        snapshot_row(2, created_at="2025-01-15T10:30:00"),
    )
    assert {row.created_at for row in listing} == {datetime(2025, 1, 15, 10, 30, tzinfo=UTC)}
    assert all(row.created_at.tzinfo is UTC for row in listing)


def test_it_reads_what_writes_answer_and_survives_silence(cloud: Cloud) -> None:
    full = {"success": True, "snapshot_id": "BRK-9S", "snapshot": snapshot_row(9), "request_id": "a1b2c3d4"}
    made = cloud.answering(full, 201).snapshots.create(instance_id="BRK-1D", name="n")
    assert (made.snapshot_id, made.request_id) == ("BRK-9S", "a1b2c3d4")
    assert made.snapshot is not None
    for quiet in ({"success": True}, {"snapshot": {"odd": 1}, "snapshot_id": None}):
        bare = cloud.answering(quiet).snapshots.create(instance_id="BRK-1D", name="n")
        assert (bare.snapshot_id, bare.snapshot) == (None, None)
    only = cloud.answering({"snapshot": snapshot_row(9)}).snapshots.create(instance_id="BRK-1D", name="n")
    assert only.snapshot_id == "BRK-000009S"
    restored = cloud.answering({"instance_id": "BRK-5D", "vm_name": "back"}).snapshots.restore("x", new_vm_name="back")
    assert (restored.instance_id, restored.vm_name) == ("BRK-5D", "back")
    image = cloud.answering({"image_id": 501}).images.create_from_snapshot(snapshot_id="x", name="n")
    assert (image.image_id, image.image) == ("501", None)


def test_it_takes_204_as_the_success_of_a_delete(cloud: Cloud) -> None:
    assert cloud.answering(b"", 204).snapshots.delete("BRK-1S").message == ""
    assert cloud.answering({"success": True, "message": "Gone\n"}).snapshots.delete("BRK-1S").message == "Gone"


def test_it_reads_balances(cloud: Cloud) -> None:
    data = {"balances": [{"currency": "EUR", "amount": 0.1}, {"currency": "USD", "amount": 125.5}]}
    sheet = cloud.answering({"data": {**data, "primary_currency": "usd"}}).billing.balance()
    assert sheet.primary is not None
    assert sheet.primary.amount == Decimal("125.5")
    assert cloud.answering({"data": data}).billing.balance().primary is None
    single = {"balances": [{"currency": "INR", "amount": -3}, {"currency": "USD", "amount": "NaN"}]}
    sheet = cloud.answering({"data": {**single, "primary_currency": "INR"}}).billing.balance()
    assert (len(sheet.balances), sheet.broken) == (1, 1)
    assert cloud.answering({"data": {"balances": data["balances"][:1]}}).billing.balance().primary is not None


@pytest.mark.parametrize("amount", ["NaN", "Infinity", 1e300, 10**12, "much", None, True], ids=str)
def test_it_never_shows_money_that_no_account_can_have(cloud: Cloud, amount: object) -> None:
    with pytest.raises(Broken):
        cloud.answering({"data": {"balances": [{"currency": "USD", "amount": amount}]}}).billing.balance()


def test_it_reads_a_billing_page(cloud: Cloud) -> None:
    page = cloud.answering({**BILLING, "records": [RECORD, {"billing_id": 4}]}).snapshots.billing(page=2, limit=50)
    assert cloud.requests[0].url.params.multi_items() == [("page", "2"), ("limit", "50")]
    assert (page.records[0].total_cost, page.summary.total_size_gb) == (Decimal("0.2502"), Decimal(250))
    assert (page.total, page.currency, page.broken) == (1, "USD", 1)
    with pytest.raises(Broken):
        cloud.answering({**BILLING, "total_pages": None}).snapshots.billing()


def test_it_reads_regions_with_ids_of_either_kind(cloud: Cloud) -> None:
    rows = [{"id": 2, "name": "CANADA-1"}, {"id": "x", "name": "MARS-1", "green_status": "NEW"}, {"name": "US-1"}]
    assert [row.id for row in cloud.answering({"regions": rows}).catalog.regions()] == ["2", "x", None]


@pytest.mark.parametrize(
    "data",
    [
        PRICING,
        [PRICING],
        [{name: part} for name, part in PRICING.items()],
        {k: v.get("pricing", v) for k, v in PRICING.items()},
    ],
    ids=["object", "array", "array of sections", "without the middle level"],
)
def test_it_reads_prices_in_every_shape(cloud: Cloud, data: object) -> None:
    prices = cloud.answering({"pricing_data": data}).catalog.prices()
    assert prices.gpu("h100-sxm5-80gb", "usd") == Decimal("2.49")
    assert prices.gpu("RTX-A6000", "EUR") is None
    assert prices.gpu("unheard-of", "USD") is None
    assert prices.snapshot_hour(Decimal(250), "USD") == Decimal("0.25")
    assert prices.snapshot_hour(Decimal(250), "INR", tier="LEGACY") == 25
    assert prices.snapshot_hour(Decimal(250), "USD", tier="advanced") is None
    assert prices.snapshot_hour(Decimal(250), "EUR") is None
    assert prices.volume_minimum_size_gb == 100


def test_it_leaves_out_prices_that_are_none(cloud: Cloud) -> None:
    odd = {"a": {"prices": {"USD": -1}}, "b": {"prices": "free"}, "c": {"prices": {"USD": "NaN"}}, "d": 7}
    prices = cloud.answering({"pricing_data": {"gpus": {"pricing": {"legacy": odd}}}}).catalog.prices()
    assert (prices.rows, prices.broken) == ((), 3)
    assert len(cloud.answering({"pricing_data": []}).catalog.prices().rows) == 0
    with pytest.raises(Broken):
        cloud.answering({"pricing_data": "ask sales"}).catalog.prices()


def test_it_asks_for_relationships_in_batches_of_100(cloud: Cloud) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        ids = msgspec.json.decode(request.content)["snapshot_ids"]
        assert len(ids) <= 100
        rows = [{"snapshot_id": value, "has_image": value.endswith("7"), "images": None} for value in ids]
        return httpx.Response(200, json={"relationships": [*rows, {"snapshot_id": "odd"}]})

    client = cloud.client(handle)
    found = client.images.relationships([f"S{n}" for n in range(250)] + ["S1"])
    assert (len(found), len(cloud.requests), found["S17"].has_image, found["S18"].has_image) == (250, 3, True, False)
    assert client.images.relationships([]) == {}


def test_it_reads_one_relationship(cloud: Cloud) -> None:
    image = {"image_id": 501, "name": "golden", "region": "US-1", "status": "Available"}
    found = cloud.answering({"snapshot_id": "S", "has_image": True, "images": [image]}).images.relationship("S")
    assert (found.images[0].image_id, found.images[0].usable) == ("501", True)


def through_msgpack(value: Any, kind: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)


def test_it_keeps_every_value_through_the_caches_format(cloud: Cloud) -> None:
    instance = cloud.answering({"instances": [FULL_INSTANCE]}).instances.list()
    assert through_msgpack(instance, Listing[Instance]) == instance
    listing = snapshots(cloud, snapshot_row(size_gb=0.30000000000000004))
    assert through_msgpack(listing, Listing[Snapshot]) == listing
    assert listing.rows[0].size_gb == Decimal("0.30000000000000004")
    eligible = cloud.answering({"vms": [instance_row()]}).instances.eligible_for_snapshots()
    assert through_msgpack(eligible, Listing[UserInstance]) == eligible
    regions = cloud.answering({"regions": [{"id": 2, "name": "US-1"}]}).catalog.regions()
    assert through_msgpack(regions, Listing[Region]) == regions
    prices = cloud.answering({"pricing_data": PRICING}).catalog.prices()
    assert through_msgpack(prices, Prices) == prices
    sheet = cloud.answering({"data": {"balances": [{"currency": "USD", "amount": 1.1}]}}).billing.balance()
    assert through_msgpack(sheet, BalanceSheet) == sheet
    page = cloud.answering(BILLING).snapshots.billing()
    assert through_msgpack(page, BillingPage) == page
    images = SnapshotImages("S", True, [Image("5", "n", "US-1")])
    assert through_msgpack(images, SnapshotImages) == images


def test_it_reads_5000_rows_quickly(cloud: Cloud) -> None:
    client = cloud.answering({"instances": [instance_row(n) | FULL_INSTANCE for n in range(5000)]})
    start = time.process_time()
    client.instances.list()
    assert time.process_time() - start < 1.0  # about 0.1 s; generous, since other work shares the machine
