"""Snapshots: create, restore, delete, and what they cost."""

from datetime import datetime
from decimal import Decimal

import msgspec

from .paging import walk
from .reading import UNREADABLE, Listing, read_row, settle
from .states import SNAPSHOT_IN_TRANSITION, USABLE, plain
from .transport import Transport


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot. `size_gb`, `ram` and `disk` in GB, `cpu` in vCPUs. `instance_id` is the source, which may be gone.

    Names of id, name, size and tier source: API reference page; the others assumed.
    """

    snapshot_id: str
    snapshot_name: str
    status: str
    region: str
    created_at: datetime
    description: str | None = None
    size_gb: Decimal | None = None
    instance_id: str | None = None
    vm_name: str | None = None
    is_image: bool | None = None
    tier: str | None = None
    cpu: int | None = None
    ram: Decimal | None = None
    gpu_type: str | None = None
    gpu_count: int | None = None
    disk: int | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("size_gb", "ram"), times=("created_at", "updated_at"))

    @property
    def restorable(self) -> bool:
        """Whether it can be restored or made an image:

        SUCCESS or available, nothing else (source: user documentation).
        """
        return plain(self.status) in USABLE

    @property
    def in_transition(self) -> bool:
        """Whether the status changes by itself soon (source: assumed)."""
        return plain(self.status) in SNAPSHOT_IN_TRANSITION


class SnapshotCreated(msgspec.Struct, frozen=True):
    """What the API said to a new snapshot; any part may be missing (source: assumed)."""

    snapshot_id: str | None = None
    snapshot: Snapshot | None = None
    request_id: str | None = None


class RestoreAccepted(msgspec.Struct, frozen=True):
    """The new instance of a restore; any part may be missing (source: assumed)."""

    instance_id: str | None = None
    vm_name: str | None = None
    request_id: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """The API took the request; `message` is its own words, perhaps empty."""

    message: str = ""
    request_id: str | None = None


class BillingRecord(msgspec.Struct, frozen=True):
    """One billed period of a snapshot (source: API reference page).

    `total_cost` = `per_minute_rate` times `total_duration_minutes`, in `currency`; `end_time` is None while it runs.
    """

    billing_id: str
    start_time: datetime
    total_duration_minutes: int
    per_minute_rate: Decimal
    total_cost: Decimal
    currency: str
    end_time: datetime | None = None
    snapshot_id: str | None = None
    snapshot_name: str | None = None
    size_gb: Decimal | None = None
    tier: str | None = None
    status: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("per_minute_rate", "total_cost", "size_gb"), times=("start_time", "end_time"))


class BillingSummary(
    msgspec.Struct,
    frozen=True,
    rename={
        "total_minutes": "totalMinutes",
        "active_count": "activeCount",
        "average_usage": "averageUsage",
        "total_size_gb": "totalSizeGB",
        "total_cost": "totalCost",
    },
):
    """Totals over all records: minutes, GB, money. camelCase on the wire (source: API reference page)."""

    total_minutes: int | None = None
    active_count: int | None = None
    average_usage: Decimal | None = None
    total_size_gb: Decimal | None = None
    total_cost: Decimal | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("average_usage", "total_size_gb", "total_cost"))


class BillingPage(msgspec.Struct, frozen=True):
    """One page of billing records, in the order of the API.

    `broken` counts the records that could not be read.
    """

    records: tuple[BillingRecord, ...]
    summary: BillingSummary
    total: int
    page: int
    limit: int
    total_pages: int
    currency: str | None = None
    broken: int = 0


class _BillingHead(msgspec.Struct):
    summary: msgspec.Raw
    total: int
    page: int
    limit: int
    total_pages: int
    currency: str | None = None


class Snapshots:
    """Calls for snapshots. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Snapshot]:
        """Every snapshot of the account, all pages walked."""
        return walk(self._transport, "list_snapshots", Snapshot, lambda row: row.snapshot_id, within=within)

    def get(self, snapshot_id: str, *, within: float | None = None) -> Snapshot:
        """One snapshot. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_snapshot", ids={"snapshot_id": snapshot_id}, within=within)
        return self._transport.send(call).one(Snapshot)

    def create(
        self,
        *,
        instance_id: str,
        name: str,
        description: str = "",
        create_as_image: bool = False,
        within: float | None = None,
    ) -> SnapshotCreated:
        """Takes a snapshot of an ACTIVE instance (source: user documentation). Never repeated.

        The description is always sent, empty if there is none: the platform below wants the key (source: assumed).
        """
        body = {
            "instance_id": instance_id,
            "name": name,
            "description": description,
            "create_as_image": create_as_image,
        }
        answer = self._transport.send(self._transport.prepare("create_snapshot", body=body, within=within))
        snapshot = answer.one_or_none(Snapshot)
        snapshot_id = answer.text("snapshot_id") or (snapshot.snapshot_id if snapshot else None)
        return SnapshotCreated(snapshot_id, snapshot, answer.request_id)

    def restore(self, snapshot_id: str, *, new_vm_name: str, within: float | None = None) -> RestoreAccepted:
        """Makes a new instance from a snapshot. Never repeated. Raises NoStock when no GPU is free."""
        ids = {"snapshot_id": snapshot_id}
        body = {"new_vm_name": new_vm_name}
        call = self._transport.prepare("restore_snapshot", ids=ids, body=body, within=within)
        answer = self._transport.send(call)
        return RestoreAccepted(answer.text("instance_id"), answer.text("vm_name"), answer.request_id)

    def delete(self, snapshot_id: str, *, within: float | None = None) -> Accepted:
        """Deletes a snapshot for good. Raises Conflict while it is in use, for example during a restore."""
        call = self._transport.prepare("delete_snapshot", ids={"snapshot_id": snapshot_id}, within=within)
        answer = self._transport.send(call)
        return Accepted(answer.message(), answer.request_id)

    def billing(self, page: int = 1, limit: int = 20, *, within: float | None = None) -> BillingPage:
        """One page of what the account's snapshots cost.

        Source: API reference page for the answer; that `limit` is at most 100 is assumed.
        """
        query = {"page": page, "limit": limit}
        answer = self._transport.send(self._transport.prepare("get_snapshots_billing", query=query, within=within))
        records, broken = answer.rows(BillingRecord)
        try:
            head = read_row(msgspec.Raw(answer.body), _BillingHead)
            summary = read_row(head.summary, BillingSummary)
        except UNREADABLE as error:
            raise answer.broken(str(error)) from None
        return BillingPage(
            tuple(records), summary, head.total, head.page, head.limit, head.total_pages, head.currency, broken
        )
