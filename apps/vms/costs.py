"""What a VM costs: now, per hour and minute, and what the ways to pause it would cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from apps.vms.states import FULL_RATE_STATES
from barrack_web.cached import Read
from barrack_web.client import HIBERNATED_HOUR, INSTANCE_IN_TRANSITION, Instance, Prices

MINUTES: Final = 60
NIGHT_HOURS: Final = 12
WEEKEND_HOURS: Final = 60


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


@dataclass(frozen=True)
class Choice:
    """One way to pause a VM, and what it costs in a night and a weekend; None where the price is not known."""

    name: str
    keeps: str
    hourly: Decimal | None

    @property
    def night(self) -> Decimal | None:
        return None if self.hourly is None else self.hourly * NIGHT_HOURS

    @property
    def weekend(self) -> Decimal | None:
        return None if self.hourly is None else self.hourly * WEEKEND_HOURS


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


def choices(instance: Instance, cost: Cost) -> list[Choice]:
    """Return the three ways to pause a VM, the dearest first."""
    return [
        Choice("Stop", "Everything stays, and so does the price: GPUs, disks and addresses remain yours.", cost.full),
        Choice(
            "Hibernate",
            "The root disk is kept and the GPUs are freed; restoring it needs free GPUs.",
            hibernated_hourly(instance, cost.currency),
        ),
        Choice("Delete", "The VM is gone for good. Its snapshots stay, and so should its volumes.", Decimal(0)),
    ]
