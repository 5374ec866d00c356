"""The state of the simulated cloud and its clock.

Nothing runs in the background. Every read first calls `settle()`, which works out from timestamps which transitions
have ended and how many minutes have been used since the last look.
"""

import copy
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import RLock

from barrack_web.sandbox import lifecycle
from barrack_web.sandbox.meter import Meter, Period, Price, Record
from barrack_web.sandbox.moments import iso
from barrack_web.sandbox.prices import (
    CURRENCIES,
    FULL_RATE_STATUSES,
    instance_hourly,
    normal,
    per_minute,
    snapshot_hourly,
    volume_hourly,
)

__all__ = ["KINDS", "Transition", "World", "checked_speed", "iso"]

# Looking again so soon would change no minute; it keeps a world of thousands of records quick to read.
_SETTLE_AGAIN_AFTER = timedelta(milliseconds=250)
_FIRST_NUMBER = 200_001
# The range that RFC 2544 sets aside for benchmarks, so that no address is somebody's.
_PUBLIC_RANGE = "198.18"
# Seeds number the addresses of up to 20,000 instances from the first one on.
_LAST_SEED_ADDRESS = 20_000
# The calendar ends with the year 9999, and what is under way at the end must end before it.
_LAST_YEAR = 9000
KINDS = ("instances", "snapshots", "images", "volumes", "firewalls", "ssh_keys", "scripts")
_HOURLY = {"instances": instance_hourly, "snapshots": snapshot_hourly, "volumes": volume_hourly}


@dataclass(slots=True)
class Transition:
    """A change under way: while the record keeps `status`, `finish` is called once the clock's progress is `due`."""

    kind: str
    record_id: str
    status: str
    due: float
    finish: Callable[[Record], None]


class World:
    """One account of the cloud: its resources as raw JSON records, its credits, the stock, and the time.

    `lock` guards everything. The dictionaries may be edited directly; what the API serves is built from them at each
    read. Balances are Decimals per currency, the stock counts GPUs per (region, model). With `volume_minimum_gb`, a
    volume has at least so many GB and the price list says so.

    Raises ValueError for a speed or currency that does not exist.
    """

    def __init__(self, *, speed: float = 1.0, currency: str = "USD") -> None:
        self.lock = RLock()
        self.currency = _checked_currency(currency)
        self.volume_minimum_gb: int | None = None
        self.stock: dict[tuple[str, str], int] = {}
        self.profile_complete = True
        self.restores: dict[str, str] = {}
        self.images_wanted: set[str] = set()
        self.usage: list[Record] = []
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        self._balances = {currency: Decimal(0)}
        self._meter = Meter()
        self._transitions: dict[tuple[str, str], Transition] = {}
        self._speed = checked_speed(speed)
        self._advanced = timedelta(0)
        self._progress = 0.0
        self._running = False
        self._failing = False
        self._settled_at = datetime.now(UTC)
        self._last_number = _FIRST_NUMBER - 1
        self._last_address = _LAST_SEED_ADDRESS

    # -- what it holds

    @property
    def instances(self) -> dict[str, Record]:
        """The instances by id, as of now."""
        self.settle()
        return self._records["instances"]

    @property
    def snapshots(self) -> dict[str, Record]:
        """The snapshots by id, as of now."""
        self.settle()
        return self._records["snapshots"]

    @property
    def images(self) -> dict[str, Record]:
        """The custom images by id written as text, as of now."""
        self.settle()
        return self._records["images"]

    @property
    def volumes(self) -> dict[str, Record]:
        """The volumes by id, as of now. Keys that begin with an underscore are the sandbox's own and never served."""
        self.settle()
        return self._records["volumes"]

    @property
    def firewalls(self) -> dict[str, Record]:
        """The firewalls by id written as text, as of now."""
        self.settle()
        return self._records["firewalls"]

    @property
    def ssh_keys(self) -> dict[str, Record]:
        """The SSH keys by id written as text; without private keys, which nobody keeps."""
        return self._records["ssh_keys"]

    @property
    def scripts(self) -> dict[str, Record]:
        """The startup scripts by id written as text."""
        return self._records["scripts"]

    @property
    def balances(self) -> dict[str, Decimal]:
        """The credit left in each currency, as of now.

        The charge that uses up the last of it hibernates what runs; storage is charged on, so it can fall below zero.
        """
        self.settle(force=True)
        return self._balances

    def balance(self) -> Decimal:
        """Return the credit left in the account's currency."""
        return self.balances.get(self.currency, Decimal(0))

    def periods(self, kind: str, resource_id: str | None = None) -> list[Period]:
        """Return the billing periods of "instances", "snapshots" or "volumes", or of one of them, the latest first."""
        self.settle(force=True)
        return self._meter.periods(kind, resource_id)

    # -- time

    @property
    def speed(self) -> float:
        """How many seconds of a transition pass per second of the wall clock; 0 makes transitions stand still.

        Setting it raises ValueError unless it is 0 or 0.001 to 1,000,000.
        """
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        with self.lock:
            self.settle(force=True)
            self._speed = checked_speed(value)

    def now(self) -> datetime:
        """Return the world's time: the wall clock plus what `advance` added, aware, in UTC."""
        return self._settled_at if self._running else datetime.now(UTC) + self._advanced

    def advance(self, seconds: float) -> None:
        """Move the clock ahead. Bills and transitions move by that much, whatever the speed.

        Raises ValueError for a negative or absurdly large number, and for a time after the year 9000.
        """
        if not 0 <= seconds <= 10 * 366 * 86400:
            raise ValueError("advance takes 0 seconds to ten years")
        step = timedelta(seconds=seconds)
        with self.lock:
            if (self.now() + step).year > _LAST_YEAR:
                raise ValueError(f"the clock goes up to the year {_LAST_YEAR}")
            self.settle(force=True)
            self._advanced += step
            self._run(self._settled_at + step, rate=1.0)

    def settle(self, *, force: bool = False) -> None:
        """Bring statuses, minutes and balances up to the present."""
        with self.lock:
            if self._running:  # a transition that just ended looks around: for it, the present is that moment
                return
            now = self.now()
            if not force and now - self._settled_at < _SETTLE_AGAIN_AFTER and not self._is_due(now):
                return
            self._run(max(now, self._settled_at), self._speed)

    def schedule(self, kind: str, record_id: str, seconds: float, finish: Callable[[Record], None]) -> None:
        """Have `finish` called with the record after so many seconds at speed 1, if its status is then unchanged."""
        with self.lock:
            self.settle(force=True)
            if self._failing and not self._running:  # what a transition that just ended begins is not what shall fail
                finish = partial(lifecycle.fail, self, kind)
            status = str(self._records[kind][record_id]["status"])
            transition = Transition(kind, record_id, status, self._progress + seconds, finish)
            self._transitions[kind, record_id] = transition

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Have each change that is scheduled within end in ERROR instead. To be used with the lock held."""
        self._failing = True
        try:
            yield
        finally:
            self._failing = False

    # -- what is new in it

    def add(self, kind: str, record_id: str, record: Record) -> Record:
        """Put a record into one of KINDS and return it."""
        with self.lock:
            self._records[kind][record_id] = record
            return record

    def new_id(self, suffix: str) -> str:
        """Return an unused id such as BRK-200001D: D for an instance, S for a snapshot."""
        return f"BRK-{self.new_number()}{suffix}"

    def new_number(self) -> int:
        """Return the next number of the account's one sequence of ids."""
        with self.lock:
            self._last_number += 1
            return self._last_number

    def connect(self, record: Record, *, public: bool) -> None:
        """Give an instance its addresses and the server behind it, as when it becomes ACTIVE."""
        with self.lock:
            address = self._new_address()
            record["private_ip"] = f"10.0.{address}"
            record["public_ip"] = f"{_PUBLIC_RANGE}.{address}" if public else None
            record["server_uuid"] = str(uuid.uuid4())

    def new_public_ip(self) -> str:
        """Return a public address that no instance has had before."""
        with self.lock:
            return f"{_PUBLIC_RANGE}.{self._new_address()}"

    def bill_since(self, kind: str, record_id: str, start: datetime) -> None:
        """Open a billing period in the past, its minutes up to now being paid already. For seeds."""
        with self.lock:
            record = self._records[kind][record_id]
            price = self._price(kind)(record)
            if price.rate > 0:
                period = self._meter.open(kind, record_id, price, start, record)
                period.minutes = period.minutes_until(self._settled_at)

    def bill_between(self, kind: str, record_id: str, record: Record, start: datetime, end: datetime) -> None:
        """Enter a billing period that is over and paid. For seeds, before `bill_since` of the same resource.

        The record says what the resource was then, its status too; the resource itself may be gone.
        """
        with self.lock:
            period = self._meter.open(kind, record_id, self._price(kind)(record), start, record)
            period.minutes = period.minutes_until(end)
            self._meter.close(period, end)

    def dump(self) -> Record:
        """Return a copy of the whole state as plain JSON values, money as Decimal; of the bills only how many."""
        with self.lock:
            self.settle(force=True)
            state = {
                "now": iso(self.now()),
                "speed": self._speed,
                "currency": self.currency,
                "balances": self._balances,
                "profile_complete": self.profile_complete,
                "volume_minimum_gb": self.volume_minimum_gb,
                "stock": [{"region": r, "model": m, "available": n} for (r, m), n in self.stock.items()],
                **{kind: list(records.values()) for kind, records in self._records.items()},
                "usage": self.usage,
                "restores": self.restores,
                "bills": {kind: len(self._meter.periods(kind)) for kind in _HOURLY},
                "transitions": [
                    {"kind": t.kind, "id": t.record_id, "status": t.status, "seconds_left": t.due - self._progress}
                    for t in self._transitions.values()
                ],
            }
            # Whoever encodes it does so without the lock.
            return copy.deepcopy(state)

    # -- inside

    def _moment(self, due: float, rate: float) -> datetime:
        return self._settled_at + timedelta(seconds=max(0.0, due - self._progress) / rate)

    def _is_due(self, now: datetime) -> bool:
        return self._speed > 0 and any(self._moment(t.due, self._speed) <= now for t in self._transitions.values())

    def _new_address(self) -> str:
        self._last_address += 1
        high, low = divmod(self._last_address, 254)
        return f"{high}.{low + 1}"

    def _run(self, until: datetime, rate: float) -> None:
        """Live through the time up to `until`, one event after the other, each at its own moment."""
        self._running = True
        try:
            self._sync()
            while self._step(until, rate):
                self._sync()
        finally:
            self._running = False

    def _step(self, until: datetime, rate: float) -> bool:
        """Pass to the next event, or to `until` when there is none before; tell whether there was one."""
        due = min((t.due for t in self._transitions.values()), default=None) if rate > 0 else None
        moment = until if due is None else self._moment(due, rate)
        goal = min(moment, until)
        broke = self._end_of_credits(goal)
        if broke is not None:
            self._pass_to(broke, rate)
            for record in self._running_instances():
                lifecycle.hibernate(self, record)
            return True
        self._pass_to(goal, rate)
        if due is None or moment > until:
            return False
        self._progress = max(self._progress, due)
        # All that end at one moment end together: a thousand instances may have been hibernated by one charge.
        for transition in [t for t in self._transitions.values() if t.due <= due]:
            self._end(transition)
        return True

    def _running_instances(self) -> list[Record]:
        return [r for r in self._records["instances"].values() if normal(r.get("status")) in FULL_RATE_STATUSES]

    def _end_of_credits(self, until: datetime) -> datetime | None:
        """Return the moment of the first charge up to `until` that leaves nothing to run instances on."""
        balance = self._balances.get(self.currency, Decimal(0))

        def is_broke(microseconds: int) -> bool:
            cost = self._meter.cost_until(self._settled_at + timedelta(microseconds=microseconds))
            return cost > 0 and cost >= balance

        latest = (until - self._settled_at) // timedelta(microseconds=1)
        if not is_broke(latest) or not self._running_instances():
            return None
        # The cost only ever grows, so halving finds the charge in fifty looks where minutes may be millions.
        first = bisect_left(range(latest), x=True, key=is_broke)
        return self._settled_at + timedelta(microseconds=first)

    def _end(self, transition: Transition) -> None:
        place = transition.kind, transition.record_id
        if self._transitions.get(place) is not transition:  # one that ended just before began another for this record
            return
        del self._transitions[place]
        record = self._records[transition.kind].get(transition.record_id)
        if record is not None and record.get("status") == transition.status:
            transition.finish(record)

    def _pass_to(self, moment: datetime, rate: float) -> None:
        self._progress += (moment - self._settled_at).total_seconds() * rate
        cost = self._meter.charge(moment)
        if cost:
            self._balances[self.currency] = self._balances.get(self.currency, Decimal(0)) - cost
        self._settled_at = moment

    def _sync(self) -> None:
        for kind in _HOURLY:
            self._meter.sync(kind, self._records[kind], self._price(kind), self._settled_at)

    def _price(self, kind: str) -> Callable[[Record], Price]:
        hourly = _HOURLY[kind]
        return lambda record: Price(per_minute(hourly(record, self.currency)), self.currency)


def checked_speed(speed: float) -> float:
    """Return a speed; raise the ValueError for one that a world does not take."""
    # Slower than a thousandth, the moment at which a change ends would be beyond the calendar.
    if speed != 0 and not 0.001 <= speed <= 1_000_000:
        raise ValueError("speed takes 0, or a number from 0.001 to 1,000,000")
    return float(speed)


def _checked_currency(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError(f"the currency is {', '.join(CURRENCIES[:-1])} or {CURRENCIES[-1]}")
    return currency
