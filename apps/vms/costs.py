"""The ways to pause a VM, and what each of them costs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from barrack_web.client import Instance
from barrack_web.costs import Cost, hibernated_hourly

NIGHT_HOURS: Final = 12
WEEKEND_HOURS: Final = 60


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
