"""Snapshots: made of ACTIVE instances, restored into new ones."""

from barrack_web.sandbox.prices import RESTORABLE_STATUSES, normal
from barrack_web.sandbox.routes import images, instances, stock
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    checked_flag,
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

_LEAST_SECONDS = 30
_SECONDS_PER_GB = 0.3


def list_snapshots(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the snapshots, filtered by region and a part of the name."""
    rows, paging = page_of(matching(world.snapshots.values(), query, search_in="snapshot_name"), query)
    return ok("Snapshots retrieved", snapshots=rows, pagination=paging)


def get_snapshot(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one snapshot, or 404."""
    return ok("Snapshot retrieved", snapshot=find(world.snapshots, params["snapshot_id"], "Snapshot"))


def create_snapshot(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin a snapshot of an ACTIVE instance. 402, 403 (profile), 404, 409 (state, name taken), 422."""
    name = checked_name(body, "name")
    description = checked_text(body, "description", required=True)
    as_image = checked_flag(body, "create_as_image")
    instance_id = body.get("instance_id")
    if not isinstance(instance_id, str):
        raise invalid(instance_id="This field is required.")
    instance = find(world.instances, instance_id, "Instance")
    if not world.profile_complete:
        raise ApiError(403, "PROFILE_INCOMPLETE", "Complete the profile before creating snapshots.")
    if normal(instance.get("status")) != "ACTIVE":
        sentence = f"The instance is {instance.get('status')}; a snapshot needs an ACTIVE one."
        raise ApiError(409, "INVALID_STATE", sentence)
    if any(snapshot.get("snapshot_name") == name for snapshot in world.snapshots.values()):
        raise name_taken("name", name, "a snapshot")
    if as_image and images.name_in_use(world, name):
        raise name_taken("name", name, "an image")
    if world.balance() <= 0:
        raise no_credit("There is no credit left to store a snapshot.")
    snapshot = _begin(world, instance, name, description, as_image=as_image)
    return ok(
        "Snapshot creation started",
        http_status=201,
        snapshot_id=snapshot["snapshot_id"],
        snapshot=snapshot,
        tier=snapshot["tier"],
    )


def create_instance_snapshot(world: World, params: dict[str, str], query: dict[str, str], body: Json) -> Answer:
    """Begin a snapshot of the instance in the path; the same id in the body is welcome, another one is a 422."""
    instance_id = params["instance_id"]
    if body.get("instance_id", instance_id) != instance_id:
        raise invalid(instance_id="This is not the instance in the address.")
    return create_snapshot(world, {}, query, {**body, "instance_id": instance_id})


def restore_snapshot(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Make a new instance of a complete snapshot. 402, 404, 409 (state, name taken), 422, 503 (no stock)."""
    snapshot = find(world.snapshots, params["snapshot_id"], "Snapshot")
    name = checked_name(body, "new_vm_name")
    if normal(snapshot.get("status")) not in RESTORABLE_STATUSES:
        sentence = f"The snapshot is {snapshot.get('status')}; only a complete one can be restored."
        raise ApiError(409, "INVALID_STATE", sentence)
    if instances.name_in_use(world, name):
        raise name_taken("new_vm_name", name, "an instance")
    stock.reserve(world, snapshot["region"], snapshot.get("gpu_type"), snapshot.get("gpu_count") or 0)
    instance = instances.make_from_snapshot(world, snapshot, name)
    world.restores[instance["instance_id"]] = snapshot["snapshot_id"]
    return ok(
        "Snapshot restore started",
        instance_id=instance["instance_id"],
        vm_name=name,
        snapshot_id=snapshot["snapshot_id"],
        tier=instance["tier"],
    )


def delete_snapshot(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a snapshot for good; images and instances made of it stay. 404, 409 while a restore is under way."""
    snapshot_id = params["snapshot_id"]
    snapshot = find(world.snapshots, snapshot_id, "Snapshot")
    restoring = (key for key, source in world.restores.items() if source == snapshot_id)
    if any(normal(world.instances.get(key, {}).get("status")) == "CREATING" for key in restoring):
        raise ApiError(409, "RESTORE_IN_PROGRESS", "An instance is being restored from this snapshot.")
    del world.snapshots[snapshot_id]
    return ok("Snapshot deleted", snapshot_id=snapshot_id, tier=snapshot.get("tier"))


def _begin(world: World, instance: Json, name: str, description: str | None, *, as_image: bool) -> Json:
    snapshot = _described(world, instance, name, description)
    snapshot_id = snapshot["snapshot_id"]

    def complete(record: Json) -> None:
        record.update(status="SUCCESS", updated_at=iso(world.now()))
        if snapshot_id in world.images_wanted:
            world.images_wanted.discard(snapshot_id)
            images.make_from_snapshot(world, record, name, description)

    world.add("snapshots", snapshot_id, snapshot)
    if as_image:
        world.images_wanted.add(snapshot_id)
    seconds = _LEAST_SECONDS + _SECONDS_PER_GB * (snapshot["size_gb"] or 0)
    world.schedule("snapshots", snapshot_id, seconds, complete)
    return snapshot


def _described(world: World, instance: Json, name: str, description: str | None) -> Json:
    flavor = instance.get("flavor") or {}
    now = iso(world.now())
    return {
        "snapshot_id": world.new_id("S"),
        "snapshot_name": name,
        "description": description,
        "status": "CREATING",
        "region": instance["region"],
        "size_gb": flavor.get("disk"),
        "instance_id": instance["instance_id"],
        "vm_name": instance["vm_name"],
        "is_image": False,
        "tier": instance.get("tier"),
        "cpu": flavor.get("cpu"),
        "ram": flavor.get("ram"),
        "gpu_type": instance.get("gpu_type"),
        "gpu_count": instance.get("gpu_count"),
        "disk": flavor.get("disk"),
        "created_at": now,
        "updated_at": now,
    }


ROUTES = (
    Route("list_snapshots", "GET", "/snapshots", list_snapshots),
    Route("get_snapshot", "GET", "/snapshots/{snapshot_id}", get_snapshot),
    Route("create_snapshot", "POST", "/snapshots", create_snapshot),
    Route("create_instance_snapshot", "POST", "/instances/{instance_id}/snapshots", create_instance_snapshot),
    Route("restore_snapshot", "POST", "/snapshots/{snapshot_id}/restore", restore_snapshot),
    Route("delete_snapshot", "DELETE", "/snapshots/{snapshot_id}", delete_snapshot),
)
