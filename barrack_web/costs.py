"""What VMs cost now: each of them, per hour and minute, and all of them together."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from barrack_web.cached import Read
from barrack_web.client import HIBERNATED_HOUR, INSTANCE_IN_TRANSITION, Instance, Prices

MINUTES: Final = 60
DAY_HOURS: Final = 24
# Wherever a month is meant, it is 30 days.
MONTH_HOURS: Final = 24 * 30
# In these a VM costs its full price; source: user documentation.
FULL_RATE_STATES: Final = frozenset({"ACTIVE", "SHUTOFF"})


@dataclass(frozen=True)
class Cost:
    """`hourly` is what the VM costs now, None where that is not known or nothing is charged; `full` while it runs.

    `basis` is "full", "reduced", "nothing", "changing" or "unknown". `gpu_hourly` is the price of one GPU.
    """

    basis: str
    currency: str
    hourly: Decimal | None = None
    full: Decimal | None = None
    gpu_hourly: Decimal | None = None

    @property
    def minute(self) -> Decimal | None:
        return None if self.hourly is None else self.hourly / MINUTES

    @property
    def full_minute(self) -> Decimal | None:
        return None if self.full is None else self.full / MINUTES


def cost_of(instance: Instance, prices: Read[Prices] | None, currency: str) -> Cost:
    """Return what the VM costs now, in the account's currency."""
    gpu = prices.value.gpu(instance.gpu_type, currency) if prices and instance.gpu_type else None
    full = gpu * instance.gpu_count if gpu is not None and instance.gpu_count else _told(instance, currency)
    if instance.state in FULL_RATE_STATES:
        return Cost("full" if full is not None else "unknown", currency, full, full, gpu)
    if instance.state == "HIBERNATED":
        return Cost("reduced", currency, hibernated_hourly(instance, currency), full, gpu)
    if instance.state == "DELETED":
        return Cost("nothing", currency, Decimal(0), full, gpu)
    if instance.state in INSTANCE_IN_TRANSITION or instance.state == "ERROR":
        return Cost("changing", currency, None, full, gpu)
    return Cost("unknown", currency, None, full, gpu)


def _told(instance: Instance, currency: str) -> Decimal | None:
    """Return what the API says of the VM itself, when it is at its full rate and in this currency."""
    bill = instance.billing
    if bill is None or instance.state not in FULL_RATE_STATES or (bill.currency or currency) != currency:
        return None
    return bill.price_per_hour


def hibernated_hourly(instance: Instance, currency: str) -> Decimal | None:
    """Return what a hibernated VM costs per hour: as the API says of this one, else as it is documented."""
    bill = instance.billing
    if bill and instance.state == "HIBERNATED" and bill.price_per_hour is not None and bill.currency == currency:
        return bill.price_per_hour
    return HIBERNATED_HOUR.get(currency)


def burning(instances: Iterable[Instance], prices: Read[Prices] | None, currency: str) -> Decimal | None:
    """Return what all VMs together cost per hour now, in that currency; those without a known price are left out.

    None when VMs at their full rate exist and the price of none of them is known: what is left would be no sum of
    anything.
    """
    costs = [(instance.state in FULL_RATE_STATES, cost_of(instance, prices, currency).hourly) for instance in instances]
    full = [hourly for at_full_rate, hourly in costs if at_full_rate]
    if full and all(hourly is None for hourly in full):
        return None
    return sum((hourly for _, hourly in costs if hourly is not None), Decimal(0))
