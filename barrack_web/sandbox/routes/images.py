"""Custom images, which are made from complete snapshots, and which snapshot has which image."""

from barrack_web.sandbox.prices import RESTORABLE_STATUSES, normal
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    bad_state,
    checked_name,
    checked_text,
    find,
    invalid,
    name_taken,
    no_credit,
    ok,
    page_of,
)
from barrack_web.sandbox.routes.filters import matching
from barrack_web.sandbox.world import World, iso

CREATING_SECONDS = 90
_MOST_IN_A_BATCH = 100


def name_in_use(world: World, name: str) -> bool:
    """Tell whether an image has this name, or a snapshot under way will become an image of that name."""
    wanted = (world.snapshots.get(snapshot_id, {}) for snapshot_id in world.images_wanted)
    return any(image.get("name") == name for image in world.images.values()) or any(
        snapshot.get("snapshot_name") == name for snapshot in wanted
    )


def make_from_snapshot(world: World, snapshot: Json, name: str, description: str | None) -> Json:
    """Add an image in state Creating and return it; it becomes SUCCESS after a minute and a half."""
    number = world.new_number()
    image: Json = {
        "image_id": number,
        "name": name,
        "description": description,
        "region": snapshot["region"],
        "size_gb": snapshot.get("size_gb"),
        "status": "Creating",
        "snapshot_id": snapshot["snapshot_id"],
        "created_at": iso(world.now()),
    }
    world.add("images", str(number), image)
    world.schedule("images", str(number), CREATING_SECONDS, lambda record: record.update(status="SUCCESS"))
    snapshot["is_image"] = True
    return image


def list_images(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the images, filtered by region and a part of the name."""
    rows, paging = page_of(matching(world.images.values(), query, search_in="name"), query)
    return ok("Images retrieved", images=rows, pagination=paging)


def get_image(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one image, or 404."""
    return ok("Image retrieved", image=find(world.images, params["image_id"], "Image"))


def delete_image(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove an image for good; instances made of it stay. 404, 409 while it is made or an instance is made of it."""
    image = find(world.images, params["image_id"], "Image")
    if normal(image.get("status")) == "CREATING":
        raise bad_state("The image is still being made.")
    users = (r for r in world.instances.values() if r.get("_image_id") == params["image_id"])
    if any(normal(record.get("status")) == "CREATING" for record in users):
        raise bad_state("An instance is being made of this image.", "IMAGE_IN_USE")
    del world.images[params["image_id"]]
    snapshot = world.snapshots.get(str(image.get("snapshot_id")))
    if snapshot is not None:
        others = (other.get("snapshot_id") for other in world.images.values())
        snapshot["is_image"] = snapshot["snapshot_id"] in others
    return ok("Image deleted", image_id=image["image_id"])


def create_image_from_snapshot(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Make an image of a complete snapshot. 404, 409 (not complete, name taken), 402 without credit, 422."""
    name, description = checked_name(body, "name"), checked_text(body, "description")
    snapshot_id = body.get("snapshot_id")
    if not isinstance(snapshot_id, str):
        raise invalid(snapshot_id="This field is required.")
    snapshot = find(world.snapshots, snapshot_id, "Snapshot")
    if normal(snapshot.get("status")) not in RESTORABLE_STATUSES:
        sentence = f"The snapshot is {snapshot.get('status')}; an image needs a complete one."
        raise ApiError(409, "INVALID_STATE", sentence)
    if name_in_use(world, name):
        raise name_taken("name", name, "an image")
    if world.balance() <= 0:
        raise no_credit("There is no credit left to store an image.")
    image = make_from_snapshot(world, snapshot, name, description)
    return ok("Image creation started", image_id=image["image_id"], image=image)


def get_snapshot_image_relationship(
    world: World, params: dict[str, str], _query: dict[str, str], _body: Json
) -> Answer:
    """Answer which images were made from a snapshot, or 404."""
    find(world.snapshots, params["snapshot_id"], "Snapshot")
    return 200, _relationship(world, params["snapshot_id"])


def list_snapshot_image_relationships(
    world: World, _params: dict[str, str], _query: dict[str, str], body: Json
) -> Answer:
    """Answer the same for up to a hundred snapshots at once; ids that do not exist are left out."""
    ids = body.get("snapshot_ids")
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise invalid(snapshot_ids="This must be a list of snapshot ids.")
    if not 1 <= len(ids) <= _MOST_IN_A_BATCH:
        raise invalid(snapshot_ids=f"Ask for 1 to {_MOST_IN_A_BATCH} snapshots at once.")
    known = [_relationship(world, item) for item in ids if item in world.snapshots]
    return ok("Relationships retrieved", relationships=known)


def _relationship(world: World, snapshot_id: str) -> Json:
    images = [image for image in world.images.values() if image.get("snapshot_id") == snapshot_id]
    return ok("Relationship retrieved", snapshot_id=snapshot_id, has_image=bool(images), images=images)[1]


ROUTES = (
    Route("list_images", "GET", "/images", list_images),
    Route("get_image", "GET", "/images/{image_id}", get_image),
    Route("delete_image", "DELETE", "/images/{image_id}", delete_image),
    Route("create_image_from_snapshot", "POST", "/images", create_image_from_snapshot),
    Route("get_snapshot_image_relationship", "GET", "/snapshots/{snapshot_id}/image", get_snapshot_image_relationship),
    Route("list_snapshot_image_relationships", "POST", "/snapshots/images/batch", list_snapshot_image_relationships),
)
