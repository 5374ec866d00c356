"""The state of the simulated cloud and its clock.

Nothing runs in the background. Every read first calls `settle()`, which works out from timestamps which transitions
have ended and how many minutes have been used since the last look.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any

from barrack_web.sandbox.meter import Meter, Period, Record
from barrack_web.sandbox.prices import instance_hourly, per_minute, snapshot_hourly

# Looking again so soon would change no minute; it keeps a world of thousands of records quick to read.
_SETTLE_AGAIN_AFTER = timedelta(milliseconds=250)
_FIRST_NUMBER = 200_001


def iso(moment: datetime) -> str:
    """Return a moment as the API prints it: ISO 8601 in whole seconds, ending in Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
    read. Balances are Decimals per currency, the stock counts GPUs per (region, model).
    """

    def __init__(self, *, speed: float = 1.0, currency: str = "USD") -> None:
        self.lock = RLock()
        self.currency = currency
        self.stock: dict[tuple[str, str], int] = {}
        self.profile_complete = True
        self.restores: dict[str, str] = {}
        self.images_wanted: set[str] = set()
        self._records: dict[str, dict[str, Record]] = {"instances": {}, "snapshots": {}, "images": {}}
        self._balances = {currency: Decimal(0)}
        self._meter = Meter()
        self._transitions: list[Transition] = []
        self._speed = _checked_speed(speed)
        self._advanced = timedelta(0)
        self._progress = 0.0
        self._running = False
        self._settled_at = datetime.now(UTC)
        self._last_number = _FIRST_NUMBER - 1
        self._last_address = 99

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
    def balances(self) -> dict[str, Decimal]:
        """The credit left in each currency, as of now. It can fall below zero: the cloud does not stop anything."""
        self.settle(force=True)
        return self._balances

    def balance(self) -> Decimal:
        """Return the credit left in the account's currency."""
        return self.balances.get(self.currency, Decimal(0))

    def periods(self, kind: str, resource_id: str | None = None) -> list[Period]:
        """Return the billing periods of "instances" or "snapshots", or of one of them, the latest first."""
        self.settle(force=True)
        return self._meter.periods(kind, resource_id)

    # -- time

    @property
    def speed(self) -> float:
        """How many seconds of a transition pass per second of the wall clock; 0 makes transitions stand still."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        with self.lock:
            self.settle(force=True)
            self._speed = _checked_speed(value)

    def now(self) -> datetime:
        """Return the world's time: the wall clock plus what `advance` added, aware, in UTC."""
        return self._settled_at if self._running else datetime.now(UTC) + self._advanced

    def advance(self, seconds: float) -> None:
        """Move the clock ahead. Bills and transitions move by that much, whatever the speed.

        Raises ValueError for a negative or absurdly large number.
        """
        if not 0 <= seconds <= 10 * 366 * 86400:
            raise ValueError("advance takes 0 seconds to ten years")
        with self.lock:
            self.settle(force=True)
            step = timedelta(seconds=seconds)
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
            status = str(self._records[kind][record_id]["status"])
            self._transitions = [t for t in self._transitions if (t.kind, t.record_id) != (kind, record_id)]
            self._transitions.append(Transition(kind, record_id, status, self._progress + seconds, finish))

    # -- what is new in it

    def add(self, kind: str, record_id: str, record: Record) -> Record:
        """Put a record into "instances", "snapshots" or "images" and return it."""
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
            self._last_address += 1
            high, low = divmod(self._last_address, 254)
            record["private_ip"] = f"10.0.{high}.{low + 1}"
            # Addresses from the range that RFC 2544 sets aside for benchmarks, so that none is somebody's.
            record["public_ip"] = f"198.18.{high}.{low + 1}" if public else None
            record["server_uuid"] = str(uuid.uuid4())

    def bill_since(self, kind: str, record_id: str, start: datetime) -> None:
        """Open a billing period in the past, its minutes up to now being paid already. For seeds."""
        with self.lock:
            record = self._records[kind][record_id]
            rate = self._rate(kind)(record)
            if rate > 0:
                period = self._meter.open(kind, record_id, rate, start, record)
                period.minutes = max(0, (self._settled_at - start) // timedelta(minutes=1))

    def dump(self) -> Record:
        """Return the whole state as plain JSON values; money as Decimal."""
        with self.lock:
            self.settle(force=True)
            return {
                "now": iso(self.now()),
                "speed": self._speed,
                "currency": self.currency,
                "balances": dict(self._balances),
                "stock": [{"region": r, "model": m, "available": n} for (r, m), n in self.stock.items()],
                **{kind: list(records.values()) for kind, records in self._records.items()},
                "transitions": [
                    {"kind": t.kind, "id": t.record_id, "status": t.status, "seconds_left": t.due - self._progress}
                    for t in self._transitions
                ],
            }

    # -- inside

    def _moment(self, transition: Transition, rate: float) -> datetime:
        return self._settled_at + timedelta(seconds=max(0.0, transition.due - self._progress) / rate)

    def _is_due(self, now: datetime) -> bool:
        return self._speed > 0 and any(self._moment(t, self._speed) <= now for t in self._transitions)

    def _run(self, until: datetime, rate: float) -> None:
        """Live through the time up to `until`, one transition after the other, each at its own moment."""
        self._running = True
        try:
            self._sync()
            while rate > 0 and self._transitions:
                transition = min(self._transitions, key=lambda t: t.due)
                moment = self._moment(transition, rate)
                if moment > until:
                    break
                self._pass_to(moment)
                self._progress = max(self._progress, transition.due)
                self._end(transition)
                self._sync()
            self._progress += (until - self._settled_at).total_seconds() * rate
            self._pass_to(until)
        finally:
            self._running = False

    def _end(self, transition: Transition) -> None:
        self._transitions.remove(transition)
        record = self._records[transition.kind].get(transition.record_id)
        if record is not None and record.get("status") == transition.status:
            transition.finish(record)

    def _pass_to(self, moment: datetime) -> None:
        cost = self._meter.charge(moment)
        if cost:
            self._balances[self.currency] = self._balances.get(self.currency, Decimal(0)) - cost
        self._settled_at = moment

    def _sync(self) -> None:
        for kind in ("instances", "snapshots"):
            self._meter.sync(kind, self._records[kind], self._rate(kind), self._settled_at)

    def _rate(self, kind: str) -> Callable[[dict[str, Any]], Decimal]:
        hourly = instance_hourly if kind == "instances" else snapshot_hourly
        return lambda record: per_minute(hourly(record, self.currency))


def _checked_speed(speed: float) -> float:
    if not 0 <= speed <= 1_000_000:
        raise ValueError("speed takes a number from 0 to 1,000,000")
    return float(speed)
