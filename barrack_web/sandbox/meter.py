"""The electricity meter of the simulated cloud: who was charged what, from when to when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Record = dict[str, Any]
_MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Period:
    """A stretch of time in which one resource was charged one rate. A change of the rate begins another period."""

    billing_id: str
    kind: str
    resource_id: str
    rate: Decimal
    start: datetime
    facts: Record
    minutes: int = 0
    end: datetime | None = None

    @property
    def cost(self) -> Decimal:
        """What the period has cost so far, exactly the rate times the minutes."""
        return self.rate * self.minutes


class Meter:
    """Opens and closes periods as rates change, and counts their whole minutes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Period] = {}
        self._closed: list[Period] = []
        self._counts: dict[str, int] = {}

    def periods(self, kind: str, resource_id: str | None = None) -> list[Period]:
        """Return the periods of a kind of resource, or of one resource, the latest start first."""
        found = [
            period
            for period in self._all()
            if period.kind == kind and (resource_id is None or period.resource_id == resource_id)
        ]
        return sorted(found, key=lambda period: (period.start, period.billing_id), reverse=True)

    def open(self, kind: str, resource_id: str, rate: Decimal, start: datetime, facts: Record) -> Period:
        """Begin a period and return it. The facts are kept, since the resource may be gone when its bill is read."""
        number = self._counts.get(resource_id, 0) + 1
        self._counts[resource_id] = number
        billing_id = f"{resource_id}B" if number == 1 else f"{resource_id}B{number}"
        period = Period(billing_id, kind, resource_id, rate, start, facts)
        self._open[kind, resource_id] = period
        return period

    def sync(self, kind: str, records: dict[str, Record], rate_of: Callable[[Record], Decimal], at: datetime) -> None:
        """Make the open periods agree with the records as they are at this moment."""
        for resource_id, record in records.items():
            rate = rate_of(record)
            period = self._open.get((kind, resource_id))
            if period is not None and period.rate != rate:
                self._close(period, at)
                period = None
            if period is None and rate > 0:
                self.open(kind, resource_id, rate, at, record)
        gone = [p for p in self._open.values() if p.kind == kind and p.resource_id not in records]
        for period in gone:
            self._close(period, at)

    def charge(self, at: datetime) -> Decimal:
        """Count the whole minutes up to this moment and return what the new ones cost."""
        total = Decimal(0)
        for period in self._open.values():
            minutes = max(period.minutes, (at - period.start) // _MINUTE)
            total += period.rate * (minutes - period.minutes)
            period.minutes = minutes
        return total

    def _close(self, period: Period, at: datetime) -> None:
        period.end = at
        period.facts = dict(period.facts)
        self._closed.append(self._open.pop((period.kind, period.resource_id)))

    def _all(self) -> Iterator[Period]:
        yield from self._closed
        yield from self._open.values()
