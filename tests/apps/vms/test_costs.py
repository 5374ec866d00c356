"""What a VM costs: now, per hour and minute, and what the ways to pause it would cost."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.vms.costs import choices
from apps.vms.states import KNOWN
from barrack_web.cached import Read
from barrack_web.client import INSTANCE_IN_TRANSITION, Instance, InstanceBilling, Price, Prices
from barrack_web.costs import Cost, burning, cost_of, hibernated_hourly

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
H100 = {"USD": Decimal("2.25"), "EUR": Decimal("2.05"), "INR": Decimal(195)}


def vm(**fields: Any) -> Instance:
    """Make a running VM with two GPUs; the API says nothing of its price."""
    usual: dict[str, Any] = {
        "instance_id": "BRK-123456D",
        "vm_name": "trainer",
        "status": "ACTIVE",
        "region": "CANADA-1",
        "gpu_type": "H100-PCIe-80GB",
        "gpu_count": 2,
    }
    return Instance(**{**usual, **fields})


def told(hourly: str | None, currency: str | None = "USD") -> InstanceBilling:
    """Make what the API says of a VM's own price."""
    return InstanceBilling(currency, None if hourly is None else Decimal(hourly))


def listed(prices: dict[str, Decimal] = H100) -> Read[Prices]:
    """Make a price list with one GPU."""
    return Read(Prices((Price("gpus", "legacy", "H100-PCIe-80GB", prices),)), NOW, "v1")


# -- now


@pytest.mark.feature("VM-12", "VM-16")
@pytest.mark.parametrize(
    ("currency", "hour", "minute"), [("USD", "4.50", "0.075"), ("EUR", "4.10", None), ("INR", "390", "6.5")]
)
def test_it_is_the_rate_times_the_gpus_and_a_sixtieth_of_it_a_minute(
    currency: str, hour: str, minute: str | None
) -> None:
    cost = cost_of(vm(), listed(), currency)
    assert (cost.basis, cost.currency, cost.gpu_hourly) == ("full", currency, H100[currency])
    assert cost.hourly == cost.full == Decimal(hour)
    assert cost.minute == cost.full_minute == Decimal(hour) / 60
    assert minute is None or cost.minute == Decimal(minute)


@pytest.mark.feature("VM-18", "STATE-18")
@pytest.mark.parametrize("status", ["SHUTOFF", "STOPPED", "stopped", "Shutoff"])
def test_it_is_the_full_rate_while_the_vm_is_stopped(status: str) -> None:
    cost = cost_of(vm(status=status), listed(), "USD")
    assert (cost.basis, cost.hourly, cost.full) == ("full", Decimal("4.50"), Decimal("4.50"))


@pytest.mark.feature("VM-17", "STATE-03")
@pytest.mark.parametrize(("currency", "hour"), [("USD", "0.01"), ("EUR", "0.01"), ("INR", "1")])
def test_it_is_the_documented_reduced_rate_while_the_vm_is_hibernated(currency: str, hour: str) -> None:
    cost = cost_of(vm(status="HIBERNATED"), listed(), currency)
    assert (cost.basis, cost.hourly) == ("reduced", Decimal(hour))
    # and what it will cost again is known too
    assert cost.full == H100[currency] * 2


@pytest.mark.feature("STATE-04")
def test_it_is_nothing_once_the_vm_is_deleted() -> None:
    cost = cost_of(vm(status="DELETED"), listed(), "USD")
    assert (cost.basis, cost.hourly, cost.minute) == ("nothing", Decimal(0), Decimal(0))


@pytest.mark.feature("STATE-15")
@pytest.mark.parametrize("status", sorted(INSTANCE_IN_TRANSITION | {"ERROR"}))
def test_it_adds_nothing_while_the_vm_changes(status: str) -> None:
    cost = cost_of(vm(status=status, billing=told("4.50")), listed(), "USD")
    assert (cost.basis, cost.hourly, cost.minute) == ("changing", None, None)
    assert cost.full == Decimal("4.50")


@pytest.mark.feature("STATE-16")
@pytest.mark.parametrize("status", ["RESCUE", "", "不明", "DELETED ITEMS"])
def test_it_guesses_nothing_in_a_state_that_it_does_not_know(status: str) -> None:
    cost = cost_of(vm(status=status, billing=told("4.50")), listed(), "USD")
    assert (cost.basis, cost.hourly) == ("unknown", None)


def test_it_has_an_answer_for_each_state_of_the_legend() -> None:
    assert {cost_of(vm(status=state), listed(), "USD").basis for state in KNOWN} == {
        "full",
        "reduced",
        "nothing",
        "changing",
    }


# -- without a price


@pytest.mark.parametrize("status", ["ACTIVE", "SHUTOFF"])
@pytest.mark.parametrize(
    ("fields", "prices", "currency"),
    [
        ({}, None, "USD"),
        ({}, listed({}), "USD"),
        ({}, listed(), "GBP"),
        ({"gpu_type": None}, listed(), "USD"),
        ({"gpu_type": "Z9"}, listed(), "USD"),
        ({"gpu_count": None}, listed(), "USD"),
        ({"gpu_count": 0}, listed(), "USD"),
        ({"billing": told(None)}, None, "USD"),
        ({"billing": told("4.50", "EUR")}, None, "USD"),
    ],
)
def test_it_is_not_known_without_a_price_or_a_number_of_gpus(
    status: str, fields: dict[str, Any], prices: Read[Prices] | None, currency: str
) -> None:
    cost = cost_of(vm(status=status, **fields), prices, currency)
    assert (cost.basis, cost.hourly, cost.minute, cost.full) == ("unknown", None, None, None)


@pytest.mark.parametrize("status", ["ACTIVE", "SHUTOFF", "stopped"])
@pytest.mark.parametrize("currency", ["USD", None])
@pytest.mark.parametrize(
    ("fields", "prices"),
    [({}, None), ({"gpu_type": None}, listed()), ({"gpu_count": None}, listed()), ({"gpu_count": 0}, listed())],
)
def test_it_is_what_the_api_says_of_the_vm_when_the_list_has_no_price(
    status: str, currency: str | None, fields: dict[str, Any], prices: Read[Prices] | None
) -> None:
    cost = cost_of(vm(status=status, billing=told("3.21", currency), **fields), prices, "USD")
    assert (cost.basis, cost.hourly, cost.full) == ("full", Decimal("3.21"), Decimal("3.21"))


def test_it_goes_by_the_price_list_before_what_the_api_says_of_the_vm() -> None:
    assert cost_of(vm(billing=told("3.21")), listed(), "USD").hourly == Decimal("4.50")


@pytest.mark.parametrize("status", ["HIBERNATED", "STARTING", "ERROR", "DELETED", "RESCUE"])
def test_it_takes_no_price_of_another_state_for_the_full_one(status: str) -> None:
    # given a VM of which the API says its present, reduced price
    cost = cost_of(vm(status=status, billing=told("0.01")), None, "USD")
    # then nobody is told that it will cost this when it runs
    assert (cost.full, cost.full_minute, cost.gpu_hourly) == (None, None, None)


# -- hibernated


@pytest.mark.parametrize(
    ("billing", "currency", "hour"),
    [
        (told("0.02"), "USD", "0.02"),
        (told("0"), "USD", "0"),
        (told("0.02", "EUR"), "USD", "0.01"),
        (told("0.02", None), "USD", "0.01"),
        (told(None), "USD", "0.01"),
        (None, "INR", "1.00"),
        (told("0.02", "GBP"), "GBP", "0.02"),
    ],
)
def test_it_says_the_apis_own_reduced_rate_else_the_documented_one(
    billing: InstanceBilling | None, currency: str, hour: str
) -> None:
    instance = vm(status="HIBERNATED", billing=billing)
    assert hibernated_hourly(instance, currency) == Decimal(hour)
    assert cost_of(instance, listed(), currency).hourly == Decimal(hour)


def test_it_does_not_take_the_price_of_a_running_vm_for_the_reduced_one() -> None:
    assert hibernated_hourly(vm(billing=told("4.50")), "USD") == Decimal("0.01")


def test_it_knows_no_reduced_rate_in_another_currency() -> None:
    cost = cost_of(vm(status="HIBERNATED"), listed(), "GBP")
    assert (cost.basis, cost.hourly, cost.minute) == ("reduced", None, None)


# -- all of them together


@pytest.mark.parametrize(
    ("vms", "prices", "total"),
    [
        ([], None, "0"),
        # two GPUs each while it runs or is stopped, a cent while it is hibernated, nothing while it changes
        (["ACTIVE", "SHUTOFF", "HIBERNATED", "STARTING", "ERROR", "DELETED"], listed(), "9.01"),
        (["HIBERNATED", "DELETED", "STARTING", "不明"], None, "0.01"),
        (["ACTIVE"], None, None),
        (["ACTIVE"], listed({}), None),
        # a cent is not what the others cost
        (["SHUTOFF", "HIBERNATED", "DELETED"], None, None),
    ],
)
def test_it_adds_up_what_all_vms_cost_now(vms: list[str], prices: Read[Prices] | None, total: str | None) -> None:
    found = burning([vm(status=status) for status in vms], prices, "USD")
    assert found == (None if total is None else Decimal(total))


def test_it_adds_up_what_is_known_when_some_prices_are_not() -> None:
    vms = [vm(), vm(gpu_type="Z9"), vm(gpu_type="Z9", billing=told("3.21"))]
    assert burning(vms, listed(), "USD") == Decimal("7.71")
    assert burning(vms, listed(), "GBP") is None


# -- ways to pause it


def test_it_puts_the_three_ways_side_by_side() -> None:
    stop, hibernate, delete = choices(vm(), cost_of(vm(), listed(), "USD"))
    assert [way.name for way in (stop, hibernate, delete)] == ["Stop", "Hibernate", "Delete"]
    # a stopped VM costs all of it, twelve hours a night and sixty a weekend
    assert (stop.hourly, stop.night, stop.weekend) == (Decimal("4.50"), Decimal(54), Decimal(270))
    assert (hibernate.hourly, hibernate.night, hibernate.weekend) == (Decimal("0.01"), Decimal("0.12"), Decimal("0.60"))
    assert (delete.hourly, delete.night, delete.weekend) == (0, 0, 0)
    assert "so does the price" in stop.keeps
    assert "GPUs are freed" in hibernate.keeps
    assert "gone for good" in delete.keeps


def test_it_says_nothing_of_a_night_whose_price_is_not_known() -> None:
    stop, hibernate, delete = choices(vm(), cost_of(vm(), None, "GBP"))
    assert (stop.hourly, stop.night, stop.weekend) == (None, None, None)
    assert (hibernate.hourly, hibernate.night, hibernate.weekend) == (None, None, None)
    assert delete.weekend == 0


def test_it_compares_in_the_accounts_currency() -> None:
    found = choices(vm(status="SHUTOFF"), cost_of(vm(status="SHUTOFF"), listed(), "INR"))
    assert [way.night for way in found] == [Decimal(195 * 2 * 12), Decimal(12), 0]


def test_it_divides_exactly() -> None:
    cost = Cost("full", "USD", Decimal("0.69"), Decimal("0.69"))
    assert cost.minute == Decimal("0.0115")
    assert Cost("unknown", "USD").minute is None
