"""What costs money although nothing uses it: volumes that no VM has, snapshots of VMs that are gone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.storage import facts
from apps.storage.cards import Card, address, card_of
from barrack_web import alerts, clock, cloud
from barrack_web.alerts import Alert, while_failing
from barrack_web.cached import Pending, Read
from barrack_web.client import BarrackError, Instance, Listing, Prices, Snapshot, Volume, VolumeListing
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import tag_of, tags, unchanged
from barrack_web.polling import poll_seconds

# The dearest ones of each kind.
MOST_SHOWN: Final = 50
# For so long nobody calls a volume left over that was made or changed.
FRESH: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Leftover:
    """`vm` is the name of the VM that a snapshot was taken of. `off` says why it cannot be deleted from here."""

    id: str
    name: str
    region: str
    size_gb: Decimal | None
    age: timedelta | None
    hourly: Decimal | None
    url: str
    delete_url: str
    off: str = ""
    vm: str = ""
    card: Card | None = None

    @property
    def monthly(self) -> Decimal | None:
        return facts.monthly(self.hourly)


@dataclass(frozen=True)
class Half:
    """One kind of leftovers, the dearest first. `rows` is None while it cannot be told what is left over."""

    read: Read[Any] | None
    rows: list[Leftover] | None
    alert: Alert | None = None
    # Why the VMs do not say which snapshots are left over.
    unknown: str = ""
    # How many snapshots do not say which VM they were taken of.
    without_vm: int = 0

    @property
    def shown(self) -> list[Leftover]:
        return (self.rows or [])[:MOST_SHOWN]

    @property
    def hourly(self) -> Decimal:
        return sum((row.hourly for row in self.rows or [] if row.hourly is not None), Decimal(0))

    @property
    def monthly(self) -> Decimal:
        return facts.monthly(self.hourly) or Decimal(0)

    @property
    def unpriced(self) -> int:
        return sum(row.hourly is None for row in self.rows or [])


@require_safe
@can(Can.READ)
def leftovers(request: HtmxHttpRequest) -> HttpResponse:
    """Both kinds with what they cost; each stands for itself when the other cannot be read."""
    pending = cloud.volumes.begin(), cloud.snapshots.begin(), cloud.instances.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    (volumes, no_volumes), (snapshots, no_snapshots), (vms, no_vms) = (_read(each) for each in pending)
    balance.or_none()
    price = prices.or_none()
    # Ages are told in hours and minutes, so the page changes once a minute.
    minute = clock.now().replace(second=0, microsecond=0)
    tag = tag_of(request, minute, cloud.currency(), no_volumes, no_snapshots, no_vms,
                 *tags([volumes, snapshots, vms, price]))  # fmt: skip
    same = unchanged(request, tag)
    if same:
        return same
    volume_half = _volumes(volumes, no_volumes, vms, price)
    snapshot_half = _snapshots(snapshots, no_snapshots, vms, no_vms, price)
    hourly = volume_half.hourly + snapshot_half.hourly
    context = {
        "volumes": volume_half,
        "snapshots": snapshot_half,
        "number": len(volume_half.rows or []) + len(snapshot_half.rows or []),
        "hourly": hourly,
        "monthly": facts.monthly(hourly),
        "unpriced": volume_half.unpriced + snapshot_half.unpriced,
        "whole": volume_half.rows is not None and snapshot_half.rows is not None,
        "prices": price,
        "currency": cloud.currency(),
        "poll_seconds": poll_seconds([]),
    }
    return show(request, "storage/leftovers.html", context, part="list", tag=tag)


def _read(pending: Pending[Any]) -> tuple[Read[Any] | None, Alert | None]:
    try:
        return pending.get(), None
    except BarrackError as error:
        return None, alerts.for_error(error)


def _volumes(
    read: Read[VolumeListing] | None,
    alert: Alert | None,
    vms: Read[Listing[Instance]] | None,
    prices: Read[Prices] | None,
) -> Half:
    """Return the volumes that no VM has; those that are changing, or have just changed, are not counted."""
    if read is None:
        return Half(None, None, alert)
    free = [row for row in read.value if not row.attached and not row.in_transition and not _is_fresh(row)]
    cards = [card_of(Read(row, read.at, read.version, read.problem), vms, prices, cloud.currency()) for row in free]
    rows = [
        Leftover(
            id=card.volume.volume_id,
            name=card.volume.volume_name,
            region=card.volume.region,
            size_gb=card.volume.size_gb,
            age=_age(card.volume.created_at),
            hourly=card.hourly,
            url=card.url,
            delete_url=address("storage:delete", card.volume.volume_id),
            off=card.off["delete"],
            card=card,
        )
        for card in cards
        if card.owner is None
    ]
    return Half(read, _dearest(rows))


def _is_fresh(row: Volume) -> bool:
    """Return whether somebody has just made or detached it, and may be about to use it."""
    moments = [moment for moment in (row.created_at, row.updated_at) if moment is not None]
    return bool(moments) and clock.now() - max(moments) < FRESH


def _snapshots(
    read: Read[Listing[Snapshot]] | None,
    alert: Alert | None,
    vms: Read[Listing[Instance]] | None,
    no_vms: Alert | None,
    prices: Read[Prices] | None,
) -> Half:
    """Return the snapshots whose VM is gone. Without every VM's name at hand, none is said to be: it may be there."""
    if read is None:
        return Half(None, None, alert)
    unknown = _why_unknown(vms, no_vms)
    if vms is None or unknown:
        return Half(read, None, unknown=unknown)
    there = {row.instance_id for row in vms.value if row.state != "DELETED"}
    kept = [row for row in read.value if row.status.strip().casefold() != "deleting"]
    gone = [row for row in kept if row.instance_id and row.instance_id not in there]
    off = f"{while_failing(read.problem)}, so nothing can be changed now." if read.problem is not None else ""
    rows = [
        Leftover(
            id=row.snapshot_id,
            name=row.snapshot_name,
            region=row.region or "",
            size_gb=row.size_gb,
            age=_age(row.created_at),
            hourly=_snapshot_hourly(row, prices),
            url=address("snapshots:details", row.snapshot_id),
            delete_url=address("snapshots:delete", row.snapshot_id),
            off=off,
            vm=row.vm_name or row.instance_id or "",
        )
        for row in gone
    ]
    return Half(read, _dearest(rows), without_vm=sum(not row.instance_id for row in kept))


def _why_unknown(vms: Read[Listing[Instance]] | None, no_vms: Alert | None) -> str:
    """Return why it cannot be told which VMs are gone, "" when it can."""
    if vms is None:
        return f"the VMs could not be read ({no_vms.title})" if no_vms else "the VMs could not be read"
    if vms.problem is not None:
        return f"the VMs cannot be read anew ({while_failing(vms.problem)})"
    if vms.value.broken or not vms.value.complete:
        return "not every VM of the account could be read"
    return ""


def _snapshot_hourly(row: Snapshot, prices: Read[Prices] | None) -> Decimal | None:
    """Return what a snapshot costs per hour by its size, an estimate; a tier without a price at the one there is."""
    if prices is None or row.size_gb is None:
        return None
    ask: Callable[..., Decimal | None] = prices.value.snapshot_hour
    found = ask(row.size_gb, cloud.currency(), row.tier)
    return found if found is not None else ask(row.size_gb, cloud.currency())


def _age(created: Any) -> timedelta | None:
    return None if created is None else max(timedelta(0), clock.now() - created)


def _dearest(rows: Iterable[Leftover]) -> list[Leftover]:
    """Return them by cost; those without a known price come last, by size."""
    return sorted(rows, key=lambda row: (row.hourly is None, -(row.hourly or 0), -(row.size_gb or 0), row.name))
