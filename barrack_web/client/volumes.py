"""Volumes: disks that outlive instances. Field names source: API reference pages for billing, else assumed."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from .billing import BillingPage, billing_page
from .instances import VMVolumeAttachment
from .paging import walk_from
from .reading import UNREADABLE, Accepted, Listing, settle
from .states import VOLUME_ATTACHED, VOLUME_IN_TRANSITION, plain
from .transport import Transport


class Volume(msgspec.Struct, frozen=True):
    """A volume; `size_gb` in GB. `instance_id` is the instance it is attached to (source: user documentation)."""

    volume_id: str
    volume_name: str
    size_gb: Decimal
    region: str
    status: str
    bootable: bool
    description: str | None = None
    volume_type: str | None = None
    os_image: str | None = None
    instance_id: str | None = None
    attached_vm_name: str | None = None
    attached_vm_status: str | None = None
    tier: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("size_gb",), times=("created_at", "updated_at"))

    @property
    def state(self) -> str:
        """The status in its one form: "IN_USE" for "in-use"."""
        return plain(self.status)

    @property
    def attached(self) -> bool:
        """Whether a VM has it: its status says so, or it names one."""
        return self.state in VOLUME_ATTACHED or bool(self.instance_id)

    @property
    def in_transition(self) -> bool:
        """Whether the status changes by itself soon."""
        return plain(self.status) in VOLUME_IN_TRANSITION


class VolumeListing(Listing[Volume], frozen=True):
    """The volumes, and the name that the API suggests for the next one (source: user documentation)."""

    next_name: str | None = None


class NextName(msgspec.Struct, frozen=True):
    """What stands beside the volumes of a list."""

    next_name: str | None = None


class VolumeRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A new volume; `size_gb` a whole number of GB, at least 10, or 100 for a bootable one, which needs an `os_image`
    of its region (source: user documentation)."""

    name: str
    region: str
    size_gb: int
    bootable: bool | None = None
    os_image: str | None = None
    volume_type: str | None = None
    tier: str | None = None
    description: str | None = None


class VolumeIds(msgspec.Struct, frozen=True):
    """The volumes to attach to an instance, or to detach from it."""

    volume_ids: list[str]


class CloneRequest(msgspec.Struct, frozen=True):
    """The name of the copy (source: assumed)."""

    name: str


class ResizeRequest(msgspec.Struct, frozen=True):
    """The new size in GB, larger than the present one (source: assumed)."""

    size_gb: int


class VolumeAccepted(Accepted, frozen=True):
    """A volume as the API has it now; None when its answer did not say."""

    volume: Volume | None = None
    tier: str | None = None


class VolumeDeleted(Accepted, frozen=True):
    """A volume is gone, or going."""

    volume_id: str | None = None
    tier: str | None = None


class VolumesMoved(Accepted, frozen=True):
    """Volumes are being attached or detached; `volume_attachments` is None when the answer did not say."""

    instance_id: str | None = None
    volume_attachments: tuple[VMVolumeAttachment, ...] | None = None
    tier: str | None = None


class Volumes:
    """Calls for volumes. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> VolumeListing:
        """Every volume of the account, all pages walked."""
        listing, first = walk_from(self._transport, "list_volumes", Volume, lambda row: row.volume_id, within=within)
        suggested = first.top(NextName).next_name
        return VolumeListing(listing.rows, listing.broken, listing.pages, listing.complete, suggested)

    def get(self, volume_id: str, *, within: float | None = None) -> Volume:
        """One volume. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_volume", ids={"volume_id": volume_id}, within=within)
        return self._transport.send(call).one(Volume)

    def types(self, tier: str | None = None, *, within: float | None = None) -> tuple[str, ...]:
        """The names of the volume types, of one tier or of all, as the API spells them."""
        query = {"tier": tier} if tier else None
        answer = self._transport.send(self._transport.prepare("list_volume_types", query=query, within=within))
        try:
            return msgspec.json.decode(answer.result(), type=tuple[str, ...])
        except UNREADABLE as error:
            raise answer.broken(str(error)) from None

    def create(self, request: VolumeRequest, *, within: float | None = None) -> VolumeAccepted:
        """Makes a volume. Raises NoCredit, Forbidden while the profile is incomplete, Conflict for a name in use."""
        return self._change("create_volume", {}, request, within)

    def clone(self, volume_id: str, name: str, *, within: float | None = None) -> VolumeAccepted:
        """Copies a volume under a new name."""
        return self._change("clone_volume", {"volume_id": volume_id}, CloneRequest(name), within)

    def resize(self, volume_id: str, size_gb: int, *, within: float | None = None) -> VolumeAccepted:
        """Makes a volume larger; the file system on it is grown inside the instance."""
        return self._change("resize_volume", {"volume_id": volume_id}, ResizeRequest(size_gb), within)

    def delete(self, volume_id: str, *, within: float | None = None) -> VolumeDeleted:
        """Deletes a volume with all its data. Raises Conflict while it is attached (source: user documentation)."""
        call = self._transport.prepare("delete_volume", ids={"volume_id": volume_id}, within=within)
        return self._transport.send(call).accepted(VolumeDeleted)

    def attach(self, instance_id: str, volume_ids: Sequence[str], *, within: float | None = None) -> VolumesMoved:
        """Attaches volumes to an ACTIVE instance of their region (source: user documentation)."""
        return self._move("attach_volumes", instance_id, volume_ids, within)

    def detach(self, instance_id: str, volume_ids: Sequence[str], *, within: float | None = None) -> VolumesMoved:
        """Detaches volumes from an ACTIVE instance; never the one it boots from (source: user documentation)."""
        return self._move("detach_volumes", instance_id, volume_ids, within)

    def billing(self, page: int = 1, limit: int = 20, *, within: float | None = None) -> BillingPage:
        """One page of what the account's volumes cost. Its times have no zone and are in UTC (source: assumed)."""
        return billing_page(self._transport, "get_volume_billing", page, limit, within=within)

    def _change(self, name: str, ids: dict[str, str], body: msgspec.Struct, within: float | None) -> VolumeAccepted:
        answer = self._transport.send(self._transport.prepare(name, ids=ids, body=body, within=within))
        return msgspec.structs.replace(answer.accepted(VolumeAccepted), volume=answer.one_or_none(Volume))

    def _move(self, name: str, instance_id: str, volume_ids: Sequence[str], within: float | None) -> VolumesMoved:
        ids, body = {"instance_id": instance_id}, VolumeIds(list(volume_ids))
        answer = self._transport.send(self._transport.prepare(name, ids=ids, body=body, within=within))
        return msgspec.structs.replace(
            answer.accepted(VolumesMoved), volume_attachments=answer.rows_or_none(VMVolumeAttachment)
        )
