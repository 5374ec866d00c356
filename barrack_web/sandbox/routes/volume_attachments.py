"""Volumes on instances: attached and detached, all of a call or none of them."""

from functools import partial

from barrack_web.sandbox import lifecycle
from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes.answers import (
    Answer,
    Json,
    Route,
    bad_state,
    checked_flag,
    checked_ids,
    find,
    ok,
)
from barrack_web.sandbox.world import World, iso

ATTACHING_SECONDS = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def attached_to(world: World, instance_id: str) -> list[Json]:
    """Return the volumes of an instance as its details list them."""
    return [shown(volume) for volume in world.volumes.values() if volume.get("instance_id") == instance_id]


def shown(volume: Json) -> Json:
    """Return an attached volume as an instance lists it: the attachment, with what the volume is."""
    facts = volume.get("_attachment") or {}
    return {
        "id": facts.get("id"),
        "volume_id": volume.get("volume_id"),
        "volume_name": volume.get("volume_name"),
        "size_gb": volume.get("size_gb"),
        "bootable": bool(volume.get("bootable")),
        "device": facts.get("device"),
        "status": facts.get("status"),
        "created_at": facts.get("created_at"),
    }


def attach_volumes(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin to attach available volumes to an ACTIVE instance of their region; in use after ten seconds.

    404 for the instance or a volume, 409 when one of them is not in the state for it, 422. Then nothing is attached.
    """
    instance = _active(world, params["instance_id"])
    ids = checked_ids(body, "volume_ids")
    checked_flag(body, "protected")
    volumes = [find(world.volumes, volume_id, "Volume") for volume_id in ids]
    for volume in volumes:
        if volume.get("instance_id") is not None:
            raise bad_state(f'"{volume["volume_name"]}" is attached already.', "VOLUME_IN_USE")
        if normal(volume.get("status")) != "AVAILABLE":
            raise bad_state(f'"{volume["volume_name"]}" is {volume.get("status")}; only an available volume attaches.')
        if volume.get("region") != instance.get("region"):
            sentence = f'"{volume["volume_name"]}" is in {volume.get("region")}, the instance elsewhere.'
            raise bad_state(sentence, "REGION_MISMATCH")
    for volume in volumes:
        _attach(world, instance, volume)
    return _answer("Attaching started", instance, volumes)


def detach_volumes(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin to detach volumes from the ACTIVE instance that has them; available after ten seconds.

    404 for the instance or a volume, 409 for a volume that is not attached to it, is the boot volume, or is in
    transition, 422. Then nothing is detached.
    """
    instance = _active(world, params["instance_id"])
    volumes = [find(world.volumes, volume_id, "Volume") for volume_id in checked_ids(body, "volume_ids")]
    for volume in volumes:
        if volume.get("instance_id") != instance["instance_id"]:
            raise bad_state(f'"{volume["volume_name"]}" is not attached to this instance.', "NOT_ATTACHED")
        if (volume.get("_attachment") or {}).get("boot"):
            raise bad_state(f'The instance runs from "{volume["volume_name"]}".', "BOOT_VOLUME")
        if normal(volume.get("status")) not in {"IN_USE", "ATTACHED"}:
            raise bad_state(f'"{volume["volume_name"]}" is {volume.get("status")}; wait until that is over.')
    for volume in volumes:
        volume["_attachment"] = {**(volume.get("_attachment") or {}), "status": "DETACHING"}
        volume.update(status="detaching", updated_at=iso(world.now()))
        world.schedule("volumes", volume["volume_id"], ATTACHING_SECONDS, partial(lifecycle.release_volume, world))
    return _answer("Detaching started", instance, volumes)


def _active(world: World, instance_id: str) -> Json:
    instance = find(world.instances, instance_id, "Instance")
    if normal(instance.get("status")) != "ACTIVE":
        raise bad_state(f"The instance is {instance.get('status')}; volumes need an ACTIVE one.")
    return instance


def _attach(world: World, instance: Json, volume: Json) -> None:
    now = iso(world.now())
    volume["_attachment"] = {
        "id": world.new_number(),
        "device": _free_device(world, instance["instance_id"]),
        "status": "ATTACHING",
        "created_at": now,
    }
    volume.update(
        status="attaching",
        instance_id=instance["instance_id"],
        attached_vm_name=instance["vm_name"],
        attached_vm_status=instance["status"],
        updated_at=now,
    )

    def become_in_use(record: Json) -> None:
        record["_attachment"] = {**(record.get("_attachment") or {}), "status": "ATTACHED"}
        record.update(status="in-use", updated_at=iso(world.now()))

    world.schedule("volumes", volume["volume_id"], ATTACHING_SECONDS, become_in_use)


def _free_device(world: World, instance_id: str) -> str:
    taken = {attachment["device"] for attachment in attached_to(world, instance_id)}
    # The first letter is the root disk's.
    names = [*_LETTERS[1:], *(first + second for first in _LETTERS for second in _LETTERS)]
    free = (name for letters in names if (name := f"/dev/vd{letters}") not in taken)
    # Beyond 700 disks the name is not what matters any more.
    return next(free, "/dev/vdzzz")


def _answer(message: str, instance: Json, volumes: list[Json]) -> Answer:
    return ok(
        message,
        instance_id=instance["instance_id"],
        volume_attachments=[shown(volume) for volume in volumes],
        tier=instance.get("tier"),
    )


ROUTES = (
    Route("attach_volumes", "POST", "/instances/{instance_id}/attach-volumes", attach_volumes),
    Route("detach_volumes", "POST", "/instances/{instance_id}/detach-volumes", detach_volumes),
)
