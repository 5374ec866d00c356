"""Which instances a firewall protects: read from either side, and set as a whole."""

from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes import instances
from barrack_web.sandbox.routes.answers import Answer, Json, Route, bad_state, checked_ids, find, ok
from barrack_web.sandbox.routes.filters import matching
from barrack_web.sandbox.routes.firewalls import attachments, shown_instance
from barrack_web.sandbox.world import World, iso

ATTACHING_SECONDS = 10


def attach_firewall(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Make `instance_ids` the complete set of instances with this firewall: who is left out is detached at once.

    New ones are ATTACHING for ten seconds. 404 for the firewall or an instance, 409 for a firewall that is not ready
    and for a new instance that is not ACTIVE, has no server behind it or is of another region, 422. Then nothing
    changes.
    """
    firewall = find(world.firewalls, params["firewall_id"], "Firewall")
    wanted = [find(world.instances, item, "Instance") for item in checked_ids(body, "instance_ids", least=0)]
    if normal(firewall.get("status")) != "SUCCESS":
        raise bad_state(f"The firewall is {firewall.get('status')}; wait until it is ready.")
    present = {item["vm"]["instance_id"]: item for item in attachments(world, firewall)}
    for instance in wanted:
        if instance["instance_id"] not in present:
            _check_fit(firewall, instance)
    firewall["attachments"] = [present.get(item["instance_id"]) or _attachment(world, item) for item in wanted]
    if any(item["status"] == "ATTACHING" for item in firewall["attachments"]):
        world.schedule("firewalls", params["firewall_id"], ATTACHING_SECONDS, _complete)
    return ok("Firewall attachments set", firewall_id=firewall["id"], attachments=attachments(world, firewall))


def get_instance_firewalls(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the firewalls of an instance, each with its rules and how far it is attached, or 404."""
    instance_id = params["instance_id"]
    instance = find(world.instances, instance_id, "Instance")
    found = [
        {
            "firewall_id": firewall.get("id"),
            "name": firewall.get("name"),
            "status": attachment.get("status"),
            "rules": firewall.get("rules"),
        }
        for firewall in world.firewalls.values()
        for attachment in attachments(world, firewall)
        if attachment["vm"]["instance_id"] == instance_id
    ]
    return ok(
        "Firewalls retrieved",
        instance_id=instance_id,
        firewalls=found,
        tier=instance.get("tier"),
    )


def list_instances_for_firewalls(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the instances that a firewall can be attached to, of all regions or of one, in short form."""
    rows = [instances.short(row) for row in matching(world.instances.values(), query) if _is_ready(row)]
    return ok("Available instances retrieved", vms=rows, pagination=None)


def list_instances_for_firewall(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the instances that one firewall can be attached to, in full, or 404."""
    firewall = find(world.firewalls, params["firewall_id"], "Firewall")
    rows = [r for r in world.instances.values() if _is_ready(r) and r.get("region") == firewall.get("region")]
    served = [instances.served(world, row) for row in rows]
    return ok("Available instances retrieved", instances=served, pagination=None)


def _is_ready(instance: Json) -> bool:
    return normal(instance.get("status")) == "ACTIVE" and bool(instance.get("server_uuid"))


def _check_fit(firewall: Json, instance: Json) -> None:
    name = instance.get("vm_name")
    if normal(instance.get("status")) != "ACTIVE":
        raise bad_state(f'"{name}" is {instance.get("status")}; a firewall needs an ACTIVE instance.')
    if not instance.get("server_uuid"):
        raise bad_state(f'"{name}" has no server yet that a firewall could protect.')
    if instance.get("region") != firewall.get("region"):
        sentence = f'"{name}" is in {instance.get("region")}, the firewall in {firewall.get("region")}.'
        raise bad_state(sentence, "REGION_MISMATCH")


def _attachment(world: World, instance: Json) -> Json:
    return {
        "id": world.new_number(),
        "vm": shown_instance(instance),
        "status": "ATTACHING",
        "created_at": iso(world.now()),
    }


def _complete(firewall: Json) -> None:
    for attachment in firewall["attachments"]:
        if attachment["status"] == "ATTACHING":
            attachment["status"] = "SUCCESS"


ROUTES = (
    Route("attach_firewall", "POST", "/firewalls/{firewall_id}/attachments", attach_firewall),
    Route("get_instance_firewalls", "GET", "/instances/{instance_id}/firewalls", get_instance_firewalls),
    Route("list_instances_for_firewalls", "GET", "/firewalls/available-instances", list_instances_for_firewalls),
    Route(
        "list_instances_for_firewall",
        "GET",
        "/firewalls/{firewall_id}/available-instances",
        list_instances_for_firewall,
    ),
)
