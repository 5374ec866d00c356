"""How an instance goes from one state to the next, and what it takes or gives up on the way.

Nobody asks here whether a change is allowed or affordable: the routes do, and the end of the credits asks nobody.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from barrack_web.sandbox.moments import iso
from barrack_web.sandbox.prices import normal

if TYPE_CHECKING:  # the world hibernates instances itself when the credits end, so it is above this module too
    from barrack_web.sandbox.world import World

Record = dict[str, Any]

# How long each change takes, in seconds at speed 1.
CREATING_SECONDS = 120
STARTING_SECONDS = 30
STOPPING_SECONDS = 20
REBOOTING_SECONDS = 40
HIBERNATING_SECONDS = 60
RESTORING_SECONDS = 90
DELETING_SECONDS = 30


def create(world: "World", record: Record, *, public: bool) -> None:
    """Add an instance in CREATING, its GPUs being taken already; it gets its addresses when it becomes ACTIVE."""

    def become_active(found: Record) -> None:
        world.connect(found, public=public)
        _run(found)

    record.update(status="CREATING", power_state="NOSTATE", private_ip=None, public_ip=None, server_uuid=None)
    world.add("instances", record["instance_id"], record)
    world.schedule("instances", record["instance_id"], CREATING_SECONDS, become_active)


def start(world: "World", record: Record) -> None:
    """Begin to start a stopped instance."""
    _begin(world, record, "STARTING", STARTING_SECONDS, _run)


def stop(world: "World", record: Record) -> None:
    """Begin to stop a running instance; it keeps its GPUs."""
    _begin(world, record, "STOPPING", STOPPING_SECONDS, lambda found: _rest(found, "SHUTOFF"))


def reboot(world: "World", record: Record) -> None:
    """Begin to reboot a running instance."""
    _begin(world, record, "REBOOTING", REBOOTING_SECONDS, _run)


def hibernate(world: "World", record: Record) -> None:
    """Begin to hibernate an instance; its GPUs are free once it is HIBERNATED."""

    def end(found: Record) -> None:
        _rest(found, "HIBERNATED")
        give_back_gpus(world, found)

    _begin(world, record, "HIBERNATING", HIBERNATING_SECONDS, end)


def restore(world: "World", record: Record) -> None:
    """Begin to restore a hibernated instance, its GPUs being taken already."""
    _begin(world, record, "RESTORING", RESTORING_SECONDS, _run)


def delete(world: "World", record: Record) -> None:
    """Begin to delete an instance. The record stays as DELETED; volumes, firewalls, GPUs and addresses are let go."""
    # Kept with the instance: should this fail, the next attempt finds it in ERROR, with no GPUs either.
    record["_has_gpus"] = record.get("_has_gpus", True) and normal(record.get("status")) != "HIBERNATED"

    def end(found: Record) -> None:
        if found["_has_gpus"]:
            give_back_gpus(world, found)
        _release_volumes(world, found["instance_id"])
        _leave_firewalls(world, found["instance_id"])
        _rest(found, "DELETED")
        found.update(private_ip=None, public_ip=None, server_uuid=None, security_rules=[])

    _begin(world, record, "DELETING", DELETING_SECONDS, end)


def give_back_gpus(world: "World", record: Record) -> None:
    """Put the GPUs of an instance back into the stock of its region."""
    model, count = record.get("gpu_type"), record.get("gpu_count")
    if model and count:
        place = (str(record.get("region")), str(model))
        world.stock[place] = world.stock.get(place, 0) + count


def fail(world: "World", kind: str, record: Record) -> None:
    """Leave a record of any kind in ERROR, as when the change under way went wrong.

    A volume is no longer attached then, so that it can be deleted. A firewall keeps its state while instances are
    attached: the attachments are what went wrong.
    """
    if kind == "instances":
        _rest(record, "ERROR")
    elif kind == "volumes":
        release_volume(world, record)
        record["status"] = "error"
    elif kind == "firewalls" and normal(record.get("status")) != "CREATING":
        for attachment in record["attachments"]:
            if attachment["status"] == "ATTACHING":
                attachment["status"] = "ERROR"
    else:
        record["status"] = "ERROR"
        if kind == "snapshots":  # no image will come of it, so that its name is free
            world.images_wanted.discard(record["snapshot_id"])


def release_volume(world: "World", volume: Record) -> None:
    """Make an attached volume available again, with no trace of the instance."""
    volume.pop("_attachment", None)
    volume.update(status="available", instance_id=None, attached_vm_name=None, attached_vm_status=None)
    volume["updated_at"] = iso(world.now())


def _begin(world: "World", record: Record, through: str, seconds: float, end: Callable[[Record], None]) -> None:
    record["status"] = through
    world.schedule("instances", record["instance_id"], seconds, end)


def _run(record: Record) -> None:
    record.update(status="ACTIVE", power_state="RUNNING")


def _rest(record: Record, status: str) -> None:
    record.update(status=status, power_state="SHUTDOWN")


def _release_volumes(world: "World", instance_id: str) -> None:
    for volume in world.volumes.values():
        if volume.get("instance_id") == instance_id:
            release_volume(world, volume)


def _leave_firewalls(world: "World", instance_id: str) -> None:
    for firewall in world.firewalls.values():
        attachments = firewall.get("attachments") or []
        firewall["attachments"] = [item for item in attachments if item["vm"]["instance_id"] != instance_id]
