"""All VMs as the list needs them: worked out once, in each order, filtered, with their figures."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.vms import inventory
from apps.vms.inventory import KEPT, SORTS, Inventory, inventory_of
from barrack_web.cached import Read
from barrack_web.client import Instance, InstanceBilling, Listing, Price, Prices

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    inventory._kept.clear()
    yield
    inventory._kept.clear()


def vm(name: str, **fields: Any) -> Instance:
    usual: dict[str, Any] = {
        "instance_id": f"BRK-{name}",
        "vm_name": name,
        "status": "ACTIVE",
        "region": "CANADA-1",
        "gpu_type": "A40",
        "gpu_count": 1,
        "created_at": NOW,
    }
    return Instance(**{**usual, **fields})


def read(*instances: Instance, version: str = "v1") -> Read[Listing[Instance]]:
    return Read(Listing(instances), NOW, version)


def prices(a40: str = "0.69", version: str = "p1") -> Read[Prices]:
    rows = (
        Price("gpus", "legacy", "A40", {"USD": Decimal(a40), "INR": Decimal(49)}),
        Price("gpus", "legacy", "L40", {"USD": Decimal("1.19"), "INR": Decimal(99)}),
    )
    return Read(Prices(rows), NOW, version)


def found(*instances: Instance, at: Read[Prices] | None = None, currency: str = "USD") -> Inventory:
    return inventory_of(read(*instances), at or prices(), currency)


def fitting(made: Inventory, **asked: str) -> list[str]:
    """Return the names that fit, in the order asked for."""
    usual = {"region": "", "state": "", "model": "", "q": "", "sort": "newest"}
    return [line.instance.vm_name for line in made.fitting(**{**usual, **asked})]


# -- worked out once


def test_it_is_worked_out_once_for_a_version_of_list_and_prices() -> None:
    # given a list and prices, then the same versions give the very same thing, also from another read
    first = inventory_of(read(vm("a")), prices(), "USD")
    assert inventory_of(read(vm("a")), prices(), "USD") is first
    # and another version of either, or another currency, gives another one
    for other in (
        inventory_of(read(vm("a"), version="v2"), prices(), "USD"),
        inventory_of(read(vm("a")), prices(version="p2"), "USD"),
        inventory_of(read(vm("a")), prices(), "INR"),
        inventory_of(read(vm("a")), None, "USD"),
    ):
        assert other is not first


def test_it_keeps_the_last_few_used_and_no_more() -> None:
    first = inventory_of(read(vm("a")), prices(), "USD")
    for number in range(2, KEPT + 1):
        inventory_of(read(vm("a"), version=f"v{number}"), prices(), "USD")
    # when the oldest was just used again, then the next one to come puts out the second oldest
    assert inventory_of(read(vm("a")), prices(), "USD") is first
    inventory_of(read(vm("a"), version="new"), prices(), "USD")
    assert len(inventory._kept) == KEPT
    assert inventory_of(read(vm("a")), prices(), "USD") is first
    assert ("v2", "p1", "USD") not in inventory._kept


def test_it_has_the_prices_of_its_version() -> None:
    dear = inventory_of(read(vm("a")), prices("9.99", version="p2"), "USD")
    assert dear.statistics("").hourly == Decimal("9.99")
    assert found(vm("a")).statistics("").hourly == Decimal("0.69")
    assert found(vm("a"), currency="INR").statistics("").hourly == Decimal(49)


# -- orders


def test_it_has_each_order_of_the_list() -> None:
    made = found(
        vm("beta", created_at=NOW - timedelta(hours=1), status="SHUTOFF", gpu_type="L40"),
        vm("Alpha", created_at=None, status="HIBERNATED"),
        vm("gamma", created_at=NOW, status="ACTIVE"),
    )
    assert set(made.orders) == set(SORTS)
    assert fitting(made, sort="newest") == ["gamma", "beta", "Alpha"]
    assert fitting(made, sort="name") == ["Alpha", "beta", "gamma"]
    assert fitting(made, sort="dearest") == ["beta", "gamma", "Alpha"]
    assert fitting(made, sort="status") == ["gamma", "Alpha", "beta"]
    assert len(made) == 3


def test_it_sorts_vms_without_a_price_or_a_time_last() -> None:
    made = found(vm("odd", gpu_type="Z9", created_at=None), vm("changing", status="STARTING"), vm("usual"))
    assert fitting(made, sort="dearest")[0] == "usual"
    assert fitting(made, sort="newest")[-1] == "odd"


def test_it_leaves_vms_that_are_equal_in_the_apis_order() -> None:
    made = found(*(vm("same", instance_id=f"BRK-{number}") for number in range(5)))
    for sort in SORTS:
        lines = made.fitting(region="", state="", model="", q="", sort=sort)
        assert [line.instance.instance_id for line in lines] == [f"BRK-{number}" for number in range(5)]


# -- filters


@pytest.mark.feature("VM-19")
@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, {"one", "two", "three"}),
        ({"region": "US-1"}, {"two"}),
        ({"region": "us-1"}, set()),
        ({"state": "SHUTOFF"}, {"two", "three"}),
        ({"model": "L40"}, {"three"}),
        ({"state": "SHUTOFF", "region": "US-1"}, {"two"}),
        ({"state": "ACTIVE", "model": "L40"}, set()),
        ({"q": "THRE"}, {"three"}),
        ({"q": "brk-TWO"}, {"two"}),
        ({"q": "l40"}, {"three"}),
        ({"q": "198.51.100.7"}, {"one"}),
        ({"q": "10.0.0.9"}, {"one"}),
        ({"q": "nobody"}, set()),
        # the words of one field do not run into the next one
        ({"q": "twoBRK"}, set()),
    ],
)
def test_it_gives_what_fits(asked: dict[str, str], names: set[str]) -> None:
    made = found(
        vm("one", public_ip="198.51.100.7", private_ip="10.0.0.9"),
        vm("two", status="STOPPED", region="US-1"),
        vm("three", status="SHUTOFF", gpu_type="L40"),
    )
    assert set(fitting(made, **asked)) == names


def test_it_offers_the_words_that_there_are() -> None:
    made = found(
        vm("a", region="US-1", status="stopped", gpu_type=None),
        vm("b", region="CANADA-1", gpu_type="L40"),
        vm("c", region="US-1", gpu_type="x" * 61, status="x" * 61),
    )
    assert made.regions == ["CANADA-1", "US-1"]
    # both words for a stopped VM are one, and what no address could carry is no choice
    assert made.states == ["ACTIVE", "SHUTOFF"]
    assert made.models == ["L40"]


def test_it_offers_at_most_a_hundred_words() -> None:
    made = found(*(vm(f"vm-{number}", region=f"R-{number:03}") for number in range(150)))
    assert len(made.regions) == 100
    assert len(made) == 150


def test_it_is_there_for_an_empty_account() -> None:
    made = inventory_of(read(), None, "USD")
    figures = made.statistics("")
    assert (len(made), made.regions, made.states, made.models) == (0, [], [], [])
    assert (figures.running, figures.stopped, figures.hibernated, figures.unpriced) == (0, 0, 0, 0)
    assert (figures.hourly, figures.stopped_hourly) == (Decimal(0), None)


# -- figures


def mixed() -> Inventory:
    return found(
        vm("run-1"),
        vm("run-2", region="US-1", gpu_count=4),
        vm("stop-1", status="SHUTOFF"),
        vm("stop-2", status="STOPPED", gpu_type="L40", gpu_count=2),
        vm("sleep", status="HIBERNATED"),
        vm("starting", status="STARTING"),
        vm("gone", status="DELETED"),
        vm("odd", gpu_type="Z9"),
    )


def test_it_counts_and_adds_up() -> None:
    figures = mixed().statistics("")
    assert (figures.running, figures.stopped, figures.hibernated, figures.unpriced) == (3, 2, 1, 1)
    # 5 A40 that run, one that is stopped beside two L40, and a hibernated VM
    assert figures.stopped_hourly == Decimal("0.69") + Decimal("2.38")
    assert figures.hourly == 5 * Decimal("0.69") + figures.stopped_hourly + Decimal("0.01")


def test_it_counts_a_region_alone() -> None:
    here = mixed().statistics("US-1")
    assert (here.running, here.stopped, here.hibernated) == (1, 0, 0)
    assert (here.hourly, here.stopped_hourly, here.unpriced) == (Decimal("2.76"), None, 0)
    assert mixed().statistics("MOON-1").hourly == 0


def test_it_knows_no_sum_without_any_price_and_says_of_how_many() -> None:
    figures = inventory_of(read(vm("a"), vm("b", status="SHUTOFF")), None, "USD").statistics("")
    assert (figures.hourly, figures.stopped_hourly, figures.unpriced) == (None, None, 2)
    # and a price that the API says of the VM itself counts
    bill = InstanceBilling("USD", Decimal("1.50"))
    told = inventory_of(read(vm("a", billing=bill), version="v2"), None, "USD").statistics("")
    assert (told.hourly, told.unpriced) == (Decimal("1.50"), 0)
