"""The billing records of one thing, picked out of the account's list."""

import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
from django.conf import settings

from barrack_web.client import BillingPage, BillingRecord

# Pages of 100 billing records that are gone through for one VM or snapshot.
RECORD_PAGES = 10


class Records(msgspec.Struct, frozen=True):
    """The billing records of one thing; `complete` is false when some could not be read, or there are too many."""

    records: list[BillingRecord]
    complete: bool

    @property
    def total(self) -> Decimal:
        return sum((record.total_cost for record in self.records), Decimal(0))

    @property
    def totals(self) -> list[tuple[str, Decimal]]:
        """What they have cost in each currency, which cannot be added."""
        found: dict[str, Decimal] = {}
        for record in self.records:
            found[record.currency] = found.get(record.currency, Decimal(0)) + record.total_cost
        return sorted(found.items())

    @property
    def minutes(self) -> int:
        return sum(record.total_duration_minutes for record in self.records)


def records_of(page_of: Callable[[int, float], BillingPage], mine: Callable[[BillingRecord], bool]) -> Records:
    """Return one thing's records: the API bills all of a kind in one list, so its pages are gone through."""
    records: list[BillingRecord] = []
    broken, end = 0, time.monotonic() + settings.API_READ_SECONDS
    for number in range(1, RECORD_PAGES + 1):
        page = page_of(number, max(0.1, end - time.monotonic()))
        records += [record for record in page.records if mine(record)]
        broken += page.broken
        if number >= page.total_pages:
            return Records(records, complete=not broken)
    return Records(records, complete=False)
