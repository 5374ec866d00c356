"""The electricity meter of the simulated cloud: who was charged what, from when to when."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

Record = dict[str, Any]
_MINUTE = timedelta(minutes=1)


class Price(NamedTuple):
    """What a minute of a resource costs."""

    rate: Decimal
    currency: str


@dataclass(slots=True)
class Period:
    """A stretch of time in which one resource was charged one rate. A change of the rate or the size begins another.

    Only whole minutes count, from the start of each period anew: a minute that a period ends in is charged neither to
    it nor to the next one. The facts are those of the resource when the period began: its size then is what the rate
    is for.
    """

    billing_id: str
    kind: str
    resource_id: str
    rate: Decimal
    currency: str
    start: datetime
    facts: Record
    minutes: int = 0
    end: datetime | None = None

    @property
    def price(self) -> Price:
        """What a minute of it costs."""
        return Price(self.rate, self.currency)

    @property
    def cost(self) -> Decimal:
        """What the period has cost so far, exactly the rate times the minutes."""
        return self.rate * self.minutes

    def minutes_until(self, at: datetime) -> int:
        """Return how many whole minutes will have been counted by a moment; never fewer than there are."""
        return max(self.minutes, (at - self.start) // _MINUTE)


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

    def open(self, kind: str, resource_id: str, price: Price, start: datetime, facts: Record) -> Period:
        """Begin a period and return it. A copy of the facts is kept: the resource may be gone when its bill is read."""
        number = self._counts.get(resource_id, 0) + 1
        self._counts[resource_id] = number
        billing_id = _billing_id(kind, resource_id, number)
        period = Period(billing_id, kind, resource_id, *price, start, dict(facts))
        self._open[kind, resource_id] = period
        return period

    def sync(self, kind: str, records: dict[str, Record], price_of: Callable[[Record], Price], at: datetime) -> None:
        """Make the open periods agree with the records as they are at this moment."""
        for resource_id, record in records.items():
            price = price_of(record)
            period = self._open.get((kind, resource_id))
            # Rates are rounded, so that a large volume can grow a little at the same rate.
            if period is not None and (period.price, period.facts.get("size_gb")) != (price, record.get("size_gb")):
                self.close(period, at)
                period = None
            if period is None and price.rate > 0:
                self.open(kind, resource_id, price, at, record)
        gone = [p for p in self._open.values() if p.kind == kind and p.resource_id not in records]
        for period in gone:
            self.close(period, at)

    def cost_until(self, at: datetime) -> Decimal:
        """Return what `charge` would return for this moment, and count nothing."""
        new = ((period.rate, period.minutes_until(at) - period.minutes) for period in self._open.values())
        return sum((rate * minutes for rate, minutes in new if minutes), Decimal(0))

    def charge(self, at: datetime) -> Decimal:
        """Count the whole minutes up to this moment and return what the new ones cost."""
        total = Decimal(0)
        for period in self._open.values():
            minutes = period.minutes_until(at)
            total += period.rate * (minutes - period.minutes)
            period.minutes = minutes
        return total

    def close(self, period: Period, at: datetime) -> None:
        """End an open period. Its minutes stay as they were counted last."""
        period.end = at
        self._closed.append(self._open.pop((period.kind, period.resource_id)))

    def _all(self) -> Iterator[Period]:
        yield from self._closed
        yield from self._open.values()


def _billing_id(kind: str, resource_id: str, number: int) -> str:
    if kind == "volumes":
        return f"VBILL_{hashlib.sha256(f'{resource_id}/{number}'.encode()).hexdigest()[:10]}"
    return f"{resource_id}B" if number == 1 else f"{resource_id}B{number}"
