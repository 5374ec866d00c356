"""What can be done to a custom image, as operations."""

from apps.activity.kind import Kind, Row
from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.client import Broken, Client


def _images_of_snapshot(api: Client, operation: Operation, within: float) -> list[Row]:
    images = api.images.relationship(operation.target_id, within=within).images
    return [Row(str(image.image_id), image.name, image.created_at) for image in images]


def _images(api: Client, operation: Operation, within: float) -> list[Row]:
    rows = api.images.list(within=within)
    if not IMAGE_KINDS[operation.kind].makes and (rows.broken or not rows.complete):
        # What could not be read may be the very one that counts as deleted when it is not seen.
        raise Broken("Some images could not be read.", operation="list_images")
    there = [row for row in rows if (row.status or "").strip().casefold() not in {"deleting", "deleted"}]
    return [Row(str(row.image_id), row.name, row.created_at) for row in there]


def subject_of(operation: Operation) -> str:
    """Return the id of what the operation acts on, its target unless the form itself chooses that.

    The form of image.create does: its snapshot comes first in `known_ids`, before the images of the name.
    """
    return next(iter(operation.known_ids), "") if operation.kind == "image.create" else operation.target_id


def _made(operation: Operation) -> None:
    cloud.snapshots_changed(subject_of(operation))
    cloud.images_changed()


IMAGE_KINDS: dict[str, Kind] = {
    "image.create": Kind(
        title="Create image",
        noun="image",
        effect="makes",
        toast="Image “{name}” is being created from {target}.",
        rows=_images,
        changed=_made,
        events=("images:changed", "snapshots:changed"),
    ),
    "snapshot.image": Kind(
        title="Create image",
        noun="image",
        effect="makes",
        toast="Image “{name}” is being created from {target}.",
        rows=_images_of_snapshot,
        changed=_made,
        events=("snapshots:changed", "images:changed"),
    ),
    "image.delete": Kind(
        title="Delete image",
        noun="image",
        effect="deletes",
        toast="Image “{target}” is deleted.",
        rows=_images,
        changed=lambda operation: cloud.images_changed(operation.target_id),
        events=("images:changed", "snapshots:changed"),
        alone=True,
    ),
}
