"""Volumes: disks of their own, made, copied, enlarged and deleted. `volume_attachments` ties them to instances."""

from decimal import Decimal
from itertools import count
from typing import Any

from barrack_web.sandbox.os_image_data import has_os_image
from barrack_web.sandbox.prices import TIERS, VOLUME_PRICES, normal
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    bad_query,
    bad_state,
    checked_flag,
    checked_name,
    checked_text,
    find,
    invalid,
    name_taken,
    no_credit,
    ok,
    page_of,
    public,
)
from barrack_web.sandbox.routes.filters import checked_region, matching
from barrack_web.sandbox.world import World, iso

CREATING_SECONDS = 20
DELETING_SECONDS = 10
IN_TRANSITION = frozenset({"CREATING", "ATTACHING", "DETACHING", "DELETING"})
_COMPLETE = frozenset({"AVAILABLE", "IN_USE", "ATTACHED"})
_LEAST_GB = 10
_LEAST_BOOTABLE_GB = 100
_MOST_GB = 1_048_576
_LEAST_CREDIT = {"USD": Decimal(1), "EUR": Decimal(1), "INR": Decimal(100)}
# The user documentation calls the SSD of the legacy tier so.
_SYNONYMS = {"Cloud-SSD": "SSD"}


def served(world: World, record: Json) -> Json:
    """Return a volume as the API shows it, with the present status of the instance that it is attached to."""
    instance_id = record.get("instance_id")
    if instance_id is None:
        return public(record)
    instance = world.instances.get(str(instance_id), {})
    return {**public(record), "attached_vm_status": instance.get("status", "DELETED")}


def list_volumes(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the volumes, filtered by region and a part of the name, and a name for the next one."""
    rows, paging = page_of(matching(world.volumes.values(), query, search_in="volume_name"), query)
    return ok(
        "Volumes retrieved",
        volumes=[served(world, row) for row in rows],
        next_name=_next_name(world),
        pagination=paging,
    )


def list_volume_types(_world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the types of volumes, of all tiers or of one."""
    tier = query.get("tier")
    if tier is not None and tier not in TIERS:
        raise bad_query("tier", "Use legacy or advanced.")
    types = [name for of, prices in VOLUME_PRICES.items() if tier in {None, of} for name in prices]
    return ok("Volume types retrieved", volume_types=types)


def get_volume(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one volume, or 404."""
    return ok("Volume retrieved", volume=served(world, find(world.volumes, params["volume_id"], "Volume")))


def create_volume(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin a volume. 402 below the least balance, 403 (profile), 409 (name taken), 422."""
    name, region, bootable = checked_name(body, "name"), checked_region(body), checked_flag(body, "bootable")
    size_gb = _checked_size(world, body, bootable=bootable)
    os_image = _checked_os_image(body, region, bootable=bootable)
    tier, volume_type = _checked_tier_and_type(body)
    facts: Json = {
        "volume_name": name,
        "description": checked_text(body, "description"),
        "size_gb": size_gb,
        "region": region,
        "bootable": bootable,
        "volume_type": volume_type,
        "os_image": os_image,
        "tier": tier,
    }
    _check_new(world, name)
    return _begun(world, "Volume creation started", facts)


def clone_volume(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Begin a copy of a complete volume. 402, 403 (profile), 404, 409 (state, name taken), 422."""
    source = find(world.volumes, params["volume_id"], "Volume")
    name = checked_name(body, "name")
    if normal(source.get("status")) not in _COMPLETE:
        raise bad_state(f"The volume is {source.get('status')}; only a complete one can be copied.")
    _check_new(world, name)
    fields = ("description", "size_gb", "region", "bootable", "volume_type", "os_image", "tier")
    return _begun(world, "Volume copy started", {"volume_name": name, **{field: source.get(field) for field in fields}})


def resize_volume(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Enlarge a volume, at once. 402 without credit, 404, 409 (state, or it would not grow), 422."""
    volume = find(world.volumes, params["volume_id"], "Volume")
    size_gb = _checked_size(world, body, bootable=bool(volume.get("bootable")))
    if normal(volume.get("status")) not in _COMPLETE:
        raise bad_state(f"The volume is {volume.get('status')}; only a complete one can be resized.")
    if size_gb <= volume["size_gb"]:
        sentence = f"The volume has {volume['size_gb']} GB; it can only grow."
        raise ApiError(409, "SIZE_NOT_LARGER", sentence, {"size_gb": sentence})
    if world.balance() <= 0:
        raise no_credit("There is no credit left to store more.")
    volume.update(size_gb=size_gb, updated_at=iso(world.now()))
    return ok("Volume resized", volume=served(world, volume), tier=volume.get("tier"))


def delete_volume(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a volume for good, in ten seconds. 404, 409 while it is attached or in transition."""
    volume_id = params["volume_id"]
    volume = find(world.volumes, volume_id, "Volume")
    status = normal(volume.get("status"))
    if status in IN_TRANSITION:
        raise bad_state(f"The volume is {volume.get('status')}; wait until that is over.")
    if volume.get("instance_id") is not None or status in {"IN_USE", "ATTACHED"}:
        raise bad_state("The volume is attached to an instance; detach it first.", "VOLUME_IN_USE")

    def vanish(_record: Json) -> None:
        del world.volumes[volume_id]

    volume.update(status="deleting", updated_at=iso(world.now()))
    world.schedule("volumes", volume_id, DELETING_SECONDS, vanish)
    return ok("Volume deletion started", volume_id=volume_id, tier=volume.get("tier"))


def _begun(world: World, message: str, facts: Json) -> Answer:
    now = iso(world.now())
    volume: Json = {
        "volume_id": world.new_id("V"),
        **facts,
        "status": "creating",
        "instance_id": None,
        "attached_vm_name": None,
        "attached_vm_status": None,
        "created_at": now,
        "updated_at": now,
    }
    world.add("volumes", volume["volume_id"], volume)
    world.schedule(
        "volumes",
        volume["volume_id"],
        CREATING_SECONDS,
        lambda record: record.update(status="available", updated_at=iso(world.now())),
    )
    return ok(message, volume=served(world, volume), tier=volume["tier"])


def _check_new(world: World, name: str) -> None:
    if not world.profile_complete:
        raise ApiError(403, "PROFILE_INCOMPLETE", "Complete the profile before creating volumes.")
    if any(volume.get("volume_name") == name for volume in world.volumes.values()):
        raise name_taken("name", name, "a volume")
    least = _LEAST_CREDIT[world.currency]
    if world.balance() < least:
        raise no_credit(f"A new volume takes a balance of at least {least} {world.currency}.")


def _checked_size(world: World, body: Json, *, bootable: bool) -> int:
    size_gb, least = body.get("size_gb"), _LEAST_BOOTABLE_GB if bootable else _LEAST_GB
    least = max(least, world.volume_minimum_gb or 0)
    if not isinstance(size_gb, int) or isinstance(size_gb, bool) or not least <= size_gb <= _MOST_GB:
        raise invalid(size_gb=f"Use a whole number of GB from {least} to {_MOST_GB:,}.")
    return size_gb


def _checked_os_image(body: Json, region: str, *, bootable: bool) -> str | None:
    if not bootable:
        if "os_image" in body:
            raise invalid(os_image="Only a bootable volume has an OS image.")
        return None
    os_image = body.get("os_image")
    if not isinstance(os_image, str) or not has_os_image(os_image, region):
        raise invalid(os_image=f"A bootable volume needs an OS image of {region}.")
    return os_image


def _checked_tier_and_type(body: Json) -> tuple[str, str]:
    """Return the tier and the type; each follows from the other, and neither means an SSD of the legacy tier."""
    tier: Any = body.get("tier", None if "volume_type" in body else TIERS[0])
    if "volume_type" not in body:
        if not isinstance(tier, str) or tier not in VOLUME_PRICES:
            raise invalid(tier="Use legacy or advanced.")
        return tier, next(iter(VOLUME_PRICES[tier]))
    asked: Any = body["volume_type"]
    volume_type = _SYNONYMS.get(asked, asked) if isinstance(asked, str) else ""
    home = next((of for of, prices in VOLUME_PRICES.items() if volume_type in prices), None)
    if home is None:
        raise invalid(volume_type="Use SSD, HDD or NVMe.")
    if "tier" in body and tier != home:
        raise invalid(volume_type=f"{volume_type} volumes are of the {home} tier.")
    return home, volume_type


def _next_name(world: World) -> str:
    taken = {volume.get("volume_name") for volume in world.volumes.values()}
    return next(name for number in count(1) if (name := f"volume{number}") not in taken)


ROUTES = (
    Route("list_volumes", "GET", "/volumes", list_volumes),
    Route("list_volume_types", "GET", "/volumes/types", list_volume_types),
    Route("get_volume", "GET", "/volumes/{volume_id}", get_volume),
    Route("create_volume", "POST", "/volumes", create_volume),
    Route("clone_volume", "POST", "/volumes/{volume_id}/clone", clone_volume),
    Route("resize_volume", "POST", "/volumes/{volume_id}/resize", resize_volume),
    Route("delete_volume", "DELETE", "/volumes/{volume_id}", delete_volume),
)
