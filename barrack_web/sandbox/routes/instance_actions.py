"""What can be done to an instance: start, stop, reboot, hibernate, restore, delete, and its public address.

Each is allowed in certain states only, and never while another one is under way.
"""

from typing import Any

from barrack_web.sandbox import lifecycle
from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes import stock
from barrack_web.sandbox.routes.answers import Answer, Json, Route, bad_state, find, no_credit, ok
from barrack_web.sandbox.world import World

_STOPPED = ("SHUTOFF", "STOPPED")


def instance_in(world: World, params: dict[str, str], *allowed: str) -> Json:
    """Return the instance in the path; raise the 404 for none, the 409 when it is in another state than these."""
    record = find(world.instances, params["instance_id"], "Instance")
    if normal(record.get("status")) not in allowed:
        raise bad_state(f"The instance is {record.get('status')}; this needs one that is {' or '.join(allowed)}.")
    return record


def start_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Start a stopped instance. 404, 409."""
    record = instance_in(world, params, *_STOPPED)
    lifecycle.start(world, record)
    return _accepted("Instance is starting", record)


def stop_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Stop a running instance. 404, 409."""
    record = instance_in(world, params, "ACTIVE")
    lifecycle.stop(world, record)
    return _accepted("Instance is stopping", record)


def reboot_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Reboot a running instance. 404, 409."""
    record = instance_in(world, params, "ACTIVE")
    lifecycle.reboot(world, record)
    return _accepted("Instance is rebooting", record)


def hibernate_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Hibernate a running or stopped instance. 404, 409."""
    record = instance_in(world, params, "ACTIVE", *_STOPPED)
    lifecycle.hibernate(world, record)
    return _accepted("Instance is hibernating", record)


def restore_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Restore a hibernated instance, which takes GPUs again. 402, 404, 409, 503 (no stock)."""
    record = instance_in(world, params, "HIBERNATED")
    stock.reserve(world, record["region"], record.get("gpu_type"), record.get("gpu_count") or 0)
    lifecycle.restore(world, record)
    return _accepted("Instance is being restored", record)


def delete_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Delete an instance that is not between two states; its record stays, as DELETED. 404, 409."""
    record = instance_in(world, params, "ACTIVE", *_STOPPED, "HIBERNATED", "ERROR")
    lifecycle.delete(world, record)
    return _accepted("Instance is being deleted", record)


def toggle_instance_public_ip(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Give a running instance a public address, or take it away. 402 to give one without credit, 404, 409."""
    record = instance_in(world, params, "ACTIVE")
    if record.get("public_ip"):
        record["public_ip"] = None
    else:
        if world.balance() <= 0:
            raise no_credit("There is no credit left for a public address.")
        record["public_ip"] = world.new_public_ip()
    return _accepted("Public address changed", record, public_ip=record["public_ip"])


def _accepted(message: str, record: Json, **more: Any) -> Answer:
    about = {"instance_id": record["instance_id"], "status": record["status"], "tier": record.get("tier")}
    return ok(message, **about, **more)


ROUTES = (
    Route("start_instance", "POST", "/instances/{instance_id}/start", start_instance),
    Route("stop_instance", "POST", "/instances/{instance_id}/stop", stop_instance),
    Route("reboot_instance", "POST", "/instances/{instance_id}/reboot", reboot_instance),
    Route("hibernate_instance", "POST", "/instances/{instance_id}/hibernate", hibernate_instance),
    Route("restore_instance", "POST", "/instances/{instance_id}/restore", restore_instance),
    Route("delete_instance", "DELETE", "/instances/{instance_id}", delete_instance),
    Route("toggle_instance_public_ip", "POST", "/instances/{instance_id}/toggle-public-ip", toggle_instance_public_ip),
)
