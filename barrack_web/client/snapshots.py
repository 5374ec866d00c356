"""Snapshots: create, restore, delete, and what they cost."""

from datetime import datetime
from decimal import Decimal

import msgspec

from .billing import BillingPage, billing_page
from .paging import walk
from .reading import Accepted, Listing, settle
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


class SnapshotRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new snapshot. The description is always sent, empty if there is none: the platform below wants the key
    (source: assumed)."""

    instance_id: str
    name: str
    description: str = ""
    create_as_image: bool = False


class SnapshotCreated(Accepted, frozen=True):
    """What the API said to a new snapshot; any part may be missing (source: assumed)."""

    snapshot_id: str | None = None
    snapshot: Snapshot | None = None
    tier: str | None = None


class RestoreRequest(msgspec.Struct, frozen=True):
    """The name of the instance that a restore makes (source: operation list for its bounds; spelling assumed)."""

    new_vm_name: str


class RestoreAccepted(Accepted, frozen=True):
    """The new instance of a restore; any part may be missing (source: assumed)."""

    instance_id: str | None = None
    vm_name: str | None = None
    snapshot_id: str | None = None
    tier: str | None = None


class SnapshotDeleted(Accepted, frozen=True):
    """A snapshot is gone (source: assumed)."""

    snapshot_id: str | None = None
    tier: str | None = None


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
        """Takes a snapshot of an ACTIVE instance (source: user documentation). Never repeated."""
        body = SnapshotRequest(
            instance_id=instance_id, name=name, description=description, create_as_image=create_as_image
        )
        answer = self._transport.send(self._transport.prepare("create_snapshot", body=body, within=within))
        said, made = answer.accepted(SnapshotCreated), answer.one_or_none(Snapshot)
        snapshot_id = said.snapshot_id or (made.snapshot_id if made else None)
        return msgspec.structs.replace(said, snapshot_id=snapshot_id, snapshot=made)

    def restore(self, snapshot_id: str, *, new_vm_name: str, within: float | None = None) -> RestoreAccepted:
        """Makes a new instance from a snapshot. Never repeated. Raises NoStock when no GPU is free."""
        ids = {"snapshot_id": snapshot_id}
        call = self._transport.prepare("restore_snapshot", ids=ids, body=RestoreRequest(new_vm_name), within=within)
        return self._transport.send(call).accepted(RestoreAccepted)

    def delete(self, snapshot_id: str, *, within: float | None = None) -> SnapshotDeleted:
        """Deletes a snapshot for good. Raises Conflict while it is in use, for example during a restore."""
        call = self._transport.prepare("delete_snapshot", ids={"snapshot_id": snapshot_id}, within=within)
        return self._transport.send(call).accepted(SnapshotDeleted)

    def billing(self, page: int = 1, limit: int = 20, *, within: float | None = None) -> BillingPage:
        """One page of what the account's snapshots cost."""
        return billing_page(self._transport, "get_snapshots_billing", page, limit, within=within)
