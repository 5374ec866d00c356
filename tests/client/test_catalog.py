"""What is on offer: stock, hardware, operating systems, and the price of an hour."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from barrack_web.client import Broken, GPUStock, Listing, Prices, PricingRequest

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

PRICING: dict[str, Any] = {
    "gpus": {
        "pricing": {
            "advanced": {"H100-SXM5-80GB": {"prices": {"USD": 2.49, "EUR": 2.69}, "max_count": 8, "unit": "per hour"}},
            "legacy": {"RTX-A6000": {"prices": {"usd": 0.69, "INR": None}, "max_count": True, "unit": 5}},
        }
    },
    "volumes": {
        "pricing": {
            "Advanced": {"HDD": {"prices": {"USD": 0.08}}, "NVMe": {"prices": {"USD": 0.3, "EUR": 0.35}}},
            "legacy": {"SSD": {"prices": {"USD": 0.1, "INR": 10}}},
        }
    },
    "snapshots": {"pricing": {"legacy": {"prices": {"USD": 0.1, "INR": 10}, "fixed_size_gb": 100}}},
}


def prices(cloud: Cloud, **changes: Any) -> Prices:
    return cloud.answering({"pricing_data": PRICING | changes}).catalog.prices()


@pytest.mark.parametrize(("available", "text"), [("200+", "200+"), ("0", "0"), (12, "12"), (0, "0")])
def test_it_reads_how_many_gpus_are_free(cloud: Cloud, available: object, text: str) -> None:
    (row,) = cloud.answering({"stocks": [ROWS["GPUStock"] | {"available": available}]}).catalog.stocks()
    assert row.available == text


def test_it_says_how_many_instances_of_a_size_can_be_made(cloud: Cloud) -> None:
    row = ROWS["GPUStock"] | {"configurations": {"1x": 12, "2x": 0, "8x": None, "x": 9}}
    (stock,) = cloud.answering({"stocks": [row]}).catalog.stocks("US-1")
    assert [stock.deployable(count) for count in (1, 2, 4, 8)] == [12, 0, None, None]
    assert cloud.requests[-1].url.params["region"] == "US-1"


def test_it_keeps_one_row_for_each_region_and_model(cloud: Cloud) -> None:
    rows = [ROWS["GPUStock"] | {"region": region, "model": model} for region in "AB" for model in "CD"]
    listing = cloud.answering({"stocks": [*rows, *rows, {"region": "A"}]}).catalog.stocks()
    assert [(row.region, row.model) for row in listing] == [("A", "C"), ("A", "D"), ("B", "C"), ("B", "D")]
    assert listing.broken == 1
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(listing), type=Listing[GPUStock])
    assert again == listing


def test_it_reads_hardware_and_operating_systems(cloud: Cloud) -> None:
    catalog = cloud.answering({"specs": [ROWS["GPUSpec"], ROWS["GPUSpec"] | {"price": {"USD": "NaN"}}]}).catalog
    assert catalog.specs("L40", "legacy").rows == (STRUCT_OF["GPUSpec"],)
    assert dict(cloud.requests[-1].url.params) == {"gpu_model": "L40", "tier": "legacy"}
    catalog.specs()
    assert not cloud.requests[-1].url.params
    images = cloud.answering({"images": [ROWS["OSImage"]]}).catalog.os_images("US-1")
    assert images.rows == (STRUCT_OF["OSImage"],)
    (regions,) = [cloud.answering({"regions": [ROWS["Region"], {}]}).catalog.regions()]
    assert (regions.rows, regions.broken) == ((STRUCT_OF["Region"],), 1)


def test_it_sends_exactly_the_price_filters_that_are_set(cloud: Cloud) -> None:
    catalog = cloud.answering({"pricing_data": {}}).catalog
    catalog.query_prices(PricingRequest())
    assert cloud.sent() == {}
    everything: dict[str, Any] = {
        "tier": "legacy",
        "currency": "USD",
        "resource_type": "gpu",
        "volume_size_gb": 100,
        "volume_type": "SSD",
        "gpu_model": "L40",
        "gpu_count": 2,
    }
    catalog.query_prices(PricingRequest(**everything))
    assert cloud.sent() == everything


@pytest.mark.parametrize(
    ("volume_type", "tier", "currency", "price"),
    [
        ("SSD", "legacy", "USD", "0.1"),
        ("ssd", None, "usd", "0.1"),
        ("Cloud-SSD", None, "USD", "0.1"),
        ("cloud-ssd", "LEGACY", "INR", "10"),
        ("SSD", "advanced", "USD", None),
        ("NVMe", "advanced", "EUR", "0.35"),
        (None, "advanced", "EUR", "0.35"),
        (None, None, "USD", "0.08"),
        ("SSD", "legacy", "EUR", None),
        ("floppy", None, "USD", None),
    ],
)
def test_it_estimates_the_hour_of_a_volume(
    cloud: Cloud, volume_type: str | None, tier: str | None, currency: str, price: str | None
) -> None:
    hour = prices(cloud).volume_hour(Decimal(2048), currency, volume_type, tier)
    assert hour == (None if price is None else 2 * Decimal(price))
    assert prices(cloud).volume_hour(Decimal(1), "USD", "SSD") == Decimal("0.1") / 1024


def test_it_finds_a_type_under_either_of_its_names(cloud: Cloud) -> None:
    listed = prices(cloud, volumes={"legacy": {"Cloud-SSD": {"prices": {"USD": 0.2}}}})
    for name in ("SSD", "Cloud-SSD", "CLOUD-SSD"):
        assert listed.volume_hour(Decimal(1024), "USD", name) == Decimal("0.2")


@pytest.mark.parametrize(
    ("fixed", "hour"),
    [(100, "0.25"), (50, "0.5"), (None, "0.25"), ("many", "0.25"), (True, "0.25"), (0, None), (-1, None), (12.5, "2")],
)
def test_it_estimates_the_hour_of_a_snapshot(cloud: Cloud, fixed: object, hour: str | None) -> None:
    listed = prices(cloud, snapshots={"pricing": {"Legacy": {"prices": {"USD": 0.1}, "fixed_size_gb": fixed}}})
    assert listed.snapshot_hour(Decimal(250), "usd", "legacy") == (None if hour is None else Decimal(hour))
    assert listed.snapshot_hour(Decimal(250), "USD", "advanced") is None
    assert listed.snapshot_hour(Decimal(250), "EUR") is None


def test_it_reads_the_lines_of_the_price_list(cloud: Cloud) -> None:
    listed = prices(cloud)
    gpu, old, *_ = listed.rows
    assert (gpu.section, gpu.tier, gpu.item) == ("gpus", "advanced", "H100-SXM5-80GB")
    assert (gpu.prices, gpu.unit, gpu.max_count) == ({"USD": Decimal("2.49"), "EUR": Decimal("2.69")}, "per hour", 8)
    assert (old.prices, old.unit, old.max_count) == ({"USD": Decimal("0.69")}, None, None)
    assert (listed.gpu("h100-sxm5-80gb", "eur"), listed.gpu("RTX-A6000", "INR")) == (Decimal("2.69"), None)
    assert (len(listed.rows), listed.broken, listed.volume_minimum_size_gb) == (6, 0, None)


@pytest.mark.parametrize(
    ("size", "minimum"), [(100, 100), (0, None), (-5, None), (True, None), ("100", None), (1.5, None), (None, None)]
)
def test_it_reads_the_smallest_volume(cloud: Cloud, size: object, minimum: int | None) -> None:
    assert prices(cloud, metadata={"volume_minimum_size_gb": size}).volume_minimum_size_gb == minimum


@pytest.mark.parametrize("data", ["x", 5, None, True])
def test_it_never_takes_a_wrong_shape_for_an_empty_price_list(cloud: Cloud, data: object) -> None:
    with pytest.raises(Broken):
        cloud.answering({"pricing_data": data}).catalog.prices()
