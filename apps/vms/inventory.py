"""All VMs of the account as the list needs them, worked out once for each version of the data and not for each page."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock

from barrack_web.cached import Read
from barrack_web.client import Instance, Listing, Prices
from barrack_web.costs import FULL_RATE_STATES, Cost, cost_of
from barrack_web.lists import Sort

# Versions of the data that are kept: of now, and the one before for those who are late.
KEPT = 4
# Longer words are no state and no model that anybody could choose from.
WORD_LENGTH = 60

_kept: OrderedDict[tuple[str, str, str], "Inventory"] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """One VM with what it costs, and its words to search in, in small letters."""

    instance: Instance
    state: str
    cost: Cost
    words: str


SORTS: dict[str, Sort[Line]] = {
    "newest": Sort(
        "Newest first", lambda row: row.instance.created_at.timestamp() if row.instance.created_at else 0, reverse=True
    ),
    "name": Sort("Name", lambda row: row.instance.vm_name.casefold()),
    "dearest": Sort("Dearest first", lambda row: row.cost.hourly or Decimal(0), reverse=True),
    "status": Sort("Status", lambda row: row.state),
}


@dataclass(frozen=True)
class Statistics:
    """The four figures above the list. `hourly` is None when no price is known; `unpriced` counts VMs without one."""

    running: int
    stopped: int
    hibernated: int
    hourly: Decimal | None
    stopped_hourly: Decimal | None
    unpriced: int


@dataclass(frozen=True)
class Inventory:
    """The lines in each of the list's orders, and what can be filtered by."""

    orders: dict[str, tuple[Line, ...]]
    regions: list[str]
    states: list[str]
    models: list[str]

    def __len__(self) -> int:
        return len(self.orders["newest"])

    def fitting(self, *, region: str, state: str, model: str, q: str, sort: str) -> list[Line]:
        """Return the lines that fit everything that is said, in that order."""
        wanted = q.casefold()
        return [
            row
            for row in self.orders[sort]
            if (not region or row.instance.region == region)
            and (not state or row.state == state)
            and (not model or row.instance.gpu_type == model)
            and wanted in row.words
        ]

    def statistics(self, region: str) -> Statistics:
        """Return the figures of a region, "" for all."""
        here = [row for row in self.orders["newest"] if not region or row.instance.region == region]
        states = Counter(row.state for row in here)
        unpriced = sum(row.state in FULL_RATE_STATES and row.cost.hourly is None for row in here)
        return Statistics(
            running=states["ACTIVE"],
            stopped=states["SHUTOFF"],
            hibernated=states["HIBERNATED"],
            hourly=_sum(row.cost.hourly for row in here) or (None if unpriced else Decimal(0)),
            stopped_hourly=_sum(row.cost.hourly for row in here if row.state == "SHUTOFF"),
            unpriced=unpriced,
        )


def inventory_of(found: Read[Listing[Instance]], prices: Read[Prices] | None, currency: str) -> Inventory:
    """Return the inventory of this version of the list at these prices."""
    key = (found.version, prices.version if prices else "", currency)
    with _lock:
        known = _kept.get(key)
        if known is not None:
            _kept.move_to_end(key)
            return known
    made = _made(found.value, prices, currency)
    with _lock:
        _kept[key] = made
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def _made(listing: Listing[Instance], prices: Read[Prices] | None, currency: str) -> Inventory:
    lines = [Line(row, row.state, cost_of(row, prices, currency), _words(row)) for row in listing]
    return Inventory(
        orders={name: tuple(sorted(lines, key=sort.key, reverse=sort.reverse)) for name, sort in SORTS.items()},
        regions=_choices(row.region for row in listing),
        states=_choices(row.state for row in lines),
        models=_choices(row.gpu_type for row in listing),
    )


def _words(row: Instance) -> str:
    texts = (row.vm_name, row.instance_id, row.gpu_type, row.public_ip, row.private_ip)
    return "\n".join(text.casefold() for text in texts if text)


def _choices(words: Iterable[str | None]) -> list[str]:
    return sorted({word for word in words if word and len(word) <= WORD_LENGTH})[:100]


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
