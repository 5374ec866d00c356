"""Changes that were not made here: each list that is read is compared with how it was last seen.

What an operation of ours explains is only noted; anything else that appears, vanishes or changes its state is written
down as an event of somebody outside the portal.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.activity.events import append
from apps.activity.image_kinds import subject_of
from apps.activity.kinds import KINDS
from apps.activity.leases import lease
from apps.activity.models import OBSERVED, Observed, ObservedList, Operation, State
from apps.activity.perform import printable
from barrack_web import clock, cloud
from barrack_web.client import BarrackError, Client, Instance, Listing, Snapshot

log = logging.getLogger("barrack.activity")

OUTSIDE = "outside the portal"
# States in which a thing stays until somebody acts. Any other passes by itself, a word of tomorrow too.
SETTLED = frozenset(
    {"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR", "FAILED", "SUCCESS", "AVAILABLE", "COMPLETED", "DELETED"}
)
# What the source of a copy may show while the copy is made.
WHILE_COPIED = frozenset({"SAVING", "RESTORING", "PENDING", "QUEUED", "PROCESSING", "IN_PROGRESS"})
# A list of more pages is looked at less often by `look_around`: its share of the API's time stays the same.
PAGES_A_PASS = 5


@dataclass(frozen=True)
class Seen:
    """One row of a list, as far as it is compared."""

    name: str
    state: str

    @property
    def moving(self) -> bool:
        return self.state not in SETTLED


@dataclass(frozen=True)
class Watched:
    """A list that is compared: `noun` as in kinds.py, `read` asks the API for it, `rows` gives what is compared."""

    action: str
    noun: str
    read: Callable[[Client, float], Listing[Any]]
    rows: Callable[[Listing[Any]], dict[str, Seen]]


def _word(status: str) -> str:
    return printable(status.strip().upper().replace("-", "_").replace(" ", "_"))[:60]


def _instances(listing: Listing[Instance]) -> dict[str, Seen]:
    return {printable(row.instance_id)[:128]: _seen(row.vm_name, row.state) for row in listing}


def _snapshots(listing: Listing[Snapshot]) -> dict[str, Seen]:
    return {printable(row.snapshot_id)[:128]: _seen(row.snapshot_name, row.status) for row in listing}


def _seen(name: str, status: str) -> Seen:
    return Seen(printable(name)[:255], _word(status))


# By the name of the list in cloud.py.
WATCHED: dict[str, Watched] = {
    "instances": Watched("instance", "VM", lambda api, within: api.instances.list(within=within), _instances),
    "snapshots": Watched("snapshot", "snapshot", lambda api, within: api.snapshots.list(within=within), _snapshots),
}
_rests_until: dict[str, float] = {}


def connect() -> None:
    """Have each list compared when a page has had it read; called once, at the start."""
    cloud.list_read.connect(_listen, dispatch_uid="activity.observe")


def _listen(sender: str, listing: Listing[Any], begun: datetime, **_: object) -> None:
    """Compare what a page's read has brought; runs on a thread of the cloud's pool, after the page has its answer."""
    if not settings.WATCH_OUTSIDE or sender not in WATCHED:
        return
    try:
        look(sender, listing, begun)
    finally:
        # No request ends on this thread, which is when connections are otherwise given back.
        connection.close()


def look_around() -> None:
    """Read the lists, so that a change is also seen while nobody has a page open. Never raises BarrackError."""
    if not settings.WATCH_OUTSIDE:
        return
    for name, watched in WATCHED.items():
        if time.monotonic() < _rests_until.get(name, 0):
            continue
        begun = clock.now()
        try:
            listing = watched.read(cloud.client(), settings.API_READ_SECONDS)
        except BarrackError as error:
            log.warning("reading %s to compare them failed: %s", name, type(error).__name__)
            continue
        if listing.pages > PAGES_A_PASS:
            _rests_until[name] = time.monotonic() + settings.FRESH_STATUS_SECONDS * listing.pages / PAGES_A_PASS
        look(name, listing, begun)


def look(name: str, listing: Listing[Any], begun: datetime) -> None:
    """Write down what has changed in the list since it was last seen; the first time, only how it is.

    `begun` is when it was asked for. One process compares at a time; the others leave it to the next reading.
    """
    seen = WATCHED[name].rows(listing)
    # Rows that could not be read may still be there: such a list tells of nothing that vanished.
    whole = listing.complete and not listing.broken
    facts = [whole, *sorted((key, row.name, row.state) for key, row in seen.items())]
    signature = hashlib.blake2b(repr(facts).encode("utf-8", "replace"), digest_size=16).hexdigest()
    if not _is_news(name, signature, begun):
        return
    with lease(f"observe {name}") as mine:
        if not mine or not _is_news(name, signature, begun):
            return
        if ObservedList.objects.filter(pk=name).exists():
            _compare(name, seen, whole=whole)
        elif whole:
            _fill(name, seen)
        else:
            return
        ObservedList.objects.update_or_create(pk=name, defaults={"read_at": begun, "signature": signature})


def _is_news(name: str, signature: str, begun: datetime) -> bool:
    last = ObservedList.objects.filter(pk=name).first()
    if last is None:
        return True
    # A time to come was written before the clock of this machine was put back: it must not silence everything.
    return last.signature != signature and (begun > last.read_at or last.read_at > clock.now())


def _fill(name: str, seen: Mapping[str, Seen]) -> None:
    """Note the first state of a list, without events. What is under way in it began before anybody watched."""
    now = clock.now()
    rows = [
        Observed(
            kind=name, resource_id=key, name=row.name, state=row.state, seen_at=now, moving=row.moving, ours=row.moving
        )
        for key, row in seen.items()
    ]
    with transaction.atomic():
        Observed.objects.filter(kind=name).delete()
        Observed.objects.bulk_create(rows)


def _compare(name: str, seen: Mapping[str, Seen], *, whole: bool) -> None:
    before = {row.resource_id: row for row in Observed.objects.filter(kind=name, present=True)}
    operations = _recent()
    for key, row in seen.items():
        known = before.get(key)
        if known is None:
            known = Observed.objects.filter(kind=name, resource_id=key).first()
            _note(known or Observed(kind=name, resource_id=key), row, "appeared", operations)
        elif known.state != row.state:
            _note(known, row, "changed", operations)
        elif known.name != row.name:
            Observed.objects.filter(pk=known.pk).update(name=row.name)
    for key, known in before.items():
        if whole and key not in seen:
            _note(known, Seen(known.name, known.state), "vanished", operations)


def _recent() -> list[Operation]:
    """Return the operations that may explain a change, newest first."""
    since = clock.now() - timedelta(seconds=settings.OUTSIDE_WINDOW_SECONDS)
    without_effect = (State.REFUSED, State.NOT_SENT)
    return list(Operation.objects.filter(sent_at__gte=since, kind__in=KINDS).exclude(state__in=without_effect))


def _note(known: Observed, row: Seen, change: str, operations: list[Operation]) -> None:
    """Keep how the thing is now, together with its event when no operation of ours explains the change."""
    watched, was = WATCHED[known.kind], known.state
    newest = _explanation(known, row, change, operations)
    # What follows by itself from an operation is explained however long it takes.
    follows = known.ours and known.moving and change != "appeared"
    known.ours = newest is not None or follows
    known.explained_at = newest.sent_at if newest else known.explained_at
    known.name, known.state, known.moving = row.name, row.state, row.moving
    known.present, known.seen_at = change != "vanished", clock.now()
    with transaction.atomic():
        known.save()
        if not known.ours:
            append(
                who=OUTSIDE,
                action=f"{watched.action}.{change}",
                target_id=known.resource_id,
                target_name=row.name,
                name=f"{was} → {row.state}" if change == "changed" else row.state,
                result=OBSERVED,
            )


def _explanation(known: Observed, row: Seen, change: str, operations: list[Operation]) -> Operation | None:
    """Return the newest operation that explains the change and has not explained an earlier one."""
    noun = WATCHED[known.kind].noun
    for operation in operations:
        if known.explained_at is not None and operation.sent_at <= known.explained_at:
            return None
        kind = KINDS[operation.kind]
        if kind.makes and kind.noun == noun and change != "vanished" and _made(operation, known.resource_id, row.name):
            return operation
        if subject_of(operation) != known.resource_id or change == "appeared":
            continue
        leads = not kind.leads_to or change == "vanished" or row.state in kind.leads_to
        acted_on = kind.noun == noun and ((kind.deletes and leads) or row.state in kind.leads_to)
        copied = kind.makes and change == "changed" and row.state in WHILE_COPIED
        if acted_on or copied:
            return operation
    return None


def _made(operation: Operation, resource_id: str, name: str) -> bool:
    """Return whether the thing is what the operation made; by its name while the API has not told the id."""
    if operation.result_id:
        return operation.result_id == resource_id
    return operation.name == name and resource_id not in operation.known_ids
