"""Images made from snapshots, and which snapshot has one."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from .operations import is_possible_id
from .paging import walk
from .reading import Accepted, Listing, ResourceId, settle
from .states import SNAPSHOT_IN_TRANSITION, USABLE, plain
from .transport import Transport

BATCH: Final = 100  # source: assumed, the largest page of a list


class Image(msgspec.Struct, frozen=True):
    """A private image; `size_gb` in GB (source: user documentation)."""

    image_id: ResourceId
    name: str
    region: str
    description: str | None = None
    size_gb: Decimal | None = None
    status: str | None = None
    snapshot_id: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("image_id",), numbers=("size_gb",), times=("created_at",))

    @property
    def usable(self) -> bool:
        """Whether an instance can be made from it: SUCCESS or available (source: user documentation)."""
        return plain(self.status or "") in USABLE

    @property
    def in_transition(self) -> bool:
        """Whether the status changes by itself soon."""
        return plain(self.status or "") in SNAPSHOT_IN_TRANSITION


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new image of a complete snapshot (source: user documentation; spelling on the wire assumed)."""

    snapshot_id: str
    name: str
    description: str = ""


class ImageCreated(Accepted, frozen=True):
    """What the API said to a new image; any part may be missing (source: assumed)."""

    image_id: ResourceId | None = None
    image: Image | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("image_id",))


class ImageDeleted(Accepted, frozen=True):
    """An image is gone (source: assumed)."""

    image_id: ResourceId | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("image_id",))


class SnapshotIds(msgspec.Struct, frozen=True):
    """The snapshots whose images are asked for, at most 100 (source: assumed)."""

    snapshot_ids: list[str]


class SnapshotImages(msgspec.Struct, frozen=True):
    """Whether a snapshot was made an image. `images` may be empty although `has_image` is true; the flag decides."""

    snapshot_id: str
    has_image: bool
    images: list[Image] = []


class Images:
    """Calls for images. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Image]:
        """Every custom image of the account, all pages walked."""
        return walk(self._transport, "list_images", Image, lambda row: row.image_id, within=within)

    def get(self, image_id: str, *, within: float | None = None) -> Image:
        """One image. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_image", ids={"image_id": image_id}, within=within)
        return self._transport.send(call).one(Image)

    def create_from_snapshot(
        self, *, snapshot_id: str, name: str, description: str = "", within: float | None = None
    ) -> ImageCreated:
        """Makes an image from a snapshot that is SUCCESS or available (source: user documentation). Never repeated."""
        body = ImageRequest(snapshot_id=snapshot_id, name=name, description=description)
        answer = self._transport.send(self._transport.prepare("create_image_from_snapshot", body=body, within=within))
        said, made = answer.accepted(ImageCreated), answer.one_or_none(Image)
        image_id = said.image_id or (made.image_id if made else None)
        return msgspec.structs.replace(said, image_id=image_id, image=made)

    def delete(self, image_id: str, *, within: float | None = None) -> ImageDeleted:
        """Deletes an image for good; instances made of it stay. Raises Conflict while it is in use."""
        call = self._transport.prepare("delete_image", ids={"image_id": image_id}, within=within)
        return self._transport.send(call).accepted(ImageDeleted)

    def relationship(self, snapshot_id: str, *, within: float | None = None) -> SnapshotImages:
        """The images of one snapshot. Raises Missing when there is no such snapshot."""
        ids = {"snapshot_id": snapshot_id}
        call = self._transport.prepare("get_snapshot_image_relationship", ids=ids, within=within)
        return self._transport.send(call).one(SnapshotImages)

    def relationships(self, snapshot_ids: Sequence[str], *, within: float | None = None) -> dict[str, SnapshotImages]:
        """The images of many snapshots by snapshot id, asked for in batches of 100 at once.

        A snapshot that the API left out, or whose row cannot be read, is not in the result: that means unknown, not
        "no image".
        """
        wanted = [value for value in dict.fromkeys(snapshot_ids) if is_possible_id(value)]
        name = "list_snapshot_image_relationships"
        deadline = self._transport.deadline(self._transport.operation(name), within)
        calls = [
            self._transport.prepare(name, body=SnapshotIds(wanted[start : start + BATCH]), deadline=deadline)
            for start in range(0, len(wanted), BATCH)
        ]
        answers = self._transport.send_all(calls)
        return {row.snapshot_id: row for answer in answers for row in answer.rows(SnapshotImages)[0]}
