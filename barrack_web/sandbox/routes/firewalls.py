"""Firewalls: named sets of rules. `firewall_attachments` says which instances they protect."""

from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    bad_query,
    bad_state,
    checked_name,
    checked_text,
    find,
    missing,
    name_taken,
    ok,
    page_of,
    public,
)
from barrack_web.sandbox.routes.catalog import REGIONS
from barrack_web.sandbox.routes.filters import checked_region, matching
from barrack_web.sandbox.routes.rules import checked_rule, has_rule
from barrack_web.sandbox.world import World, iso

CREATING_SECONDS = 5
MOST_FIREWALLS = 25
_LONGEST_DESCRIPTION = 255
_PROTOCOLS = (("tcp", True), ("udp", True), ("icmp", False))


def attachments(world: World, firewall: Json) -> list[Json]:
    """Return the attachments of a firewall, each with what its instance is now; without those of deleted instances."""
    found = []
    for attachment in firewall.get("attachments") or []:
        instance = world.instances.get(str(attachment["vm"].get("instance_id")), {})
        if normal(instance.get("status")) not in {"", "DELETED"}:
            found.append({**attachment, "vm": shown_instance(instance)})
    return found


def shown_instance(instance: Json) -> Json:
    """Return an instance as a firewall lists it."""
    return {
        "instance_id": instance.get("instance_id"),
        "name": instance.get("vm_name"),
        "status": instance.get("status"),
        "flavor": (instance.get("flavor") or {}).get("name"),
        "environment": f"default-{instance.get('region')}",
        "created_at": instance.get("created_at"),
    }


def served(world: World, firewall: Json) -> Json:
    """Return a firewall as the API shows it."""
    return {**public(firewall), "attachments": attachments(world, firewall)}


def made(number: int, name: str, region: str, created_at: str, description: str | None = None) -> Json:
    """Return the record of a new firewall without rules."""
    place = next((row["id"] for row in REGIONS if row["name"] == region), None)
    return {
        "id": number,
        "name": name,
        "description": description,
        "status": "CREATING",
        "environment": {"id": place, "name": f"default-{region}", "region": region},
        "region": region,
        "rules": [],
        "attachments": [],
        "created_at": created_at,
    }


def list_firewalls(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the firewalls, filtered by region and a part of the name."""
    rows, paging = page_of(matching(world.firewalls.values(), query, search_in="name"), query)
    return ok("Firewalls retrieved", firewalls=[served(world, row) for row in rows], pagination=paging)


def get_firewall(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one firewall with its rules and attachments, or 404."""
    return ok("Firewall retrieved", firewall=served(world, find(world.firewalls, params["firewall_id"], "Firewall")))


def create_firewall(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Make a firewall without rules, ready after five seconds. 409 (name taken, 25 there already), 422."""
    name, region = checked_name(body, "name"), checked_region(body)
    description = checked_text(body, "description", longest=_LONGEST_DESCRIPTION)
    if any(firewall.get("name") == name for firewall in world.firewalls.values()):
        raise name_taken("name", name, "a firewall")
    if len(world.firewalls) >= MOST_FIREWALLS:
        raise ApiError(409, "LIMIT_REACHED", f"An account has at most {MOST_FIREWALLS} firewalls.")
    number = world.new_number()
    firewall = world.add("firewalls", str(number), made(number, name, region, iso(world.now()), description))
    world.schedule("firewalls", str(number), CREATING_SECONDS, lambda record: record.update(status="SUCCESS"))
    return ok("Firewall creation started", firewall=served(world, firewall))


def delete_firewall(world: World, params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Remove a firewall for good. 404, 409 while it is attached or still being made.

    `force` is a known parameter without effect: an attached firewall is never deleted.
    """
    if query.get("force", "false") not in {"true", "false"}:
        raise bad_query("force", "Use true or false.")
    firewall = find(world.firewalls, params["firewall_id"], "Firewall")
    if normal(firewall.get("status")) == "CREATING":
        raise bad_state("The firewall is still being made.")
    attached = len(attachments(world, firewall))
    if attached:
        raise bad_state(f"The firewall is attached to {attached} instances; detach it first.", "FIREWALL_IN_USE")
    del world.firewalls[params["firewall_id"]]
    return ok("Firewall deleted", firewall_id=firewall["id"])


def add_firewall_rule(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Add a rule to a firewall. 404, 409 when it has the same rule already, 422."""
    firewall = find(world.firewalls, params["firewall_id"], "Firewall")
    fields = checked_rule(body)
    if has_rule(firewall["rules"], fields):
        raise bad_state("The firewall has this rule already.", "RULE_EXISTS")
    rule: Json = {"id": world.new_number(), **fields, "status": "SUCCESS", "created_at": iso(world.now())}
    firewall["rules"].append(rule)
    return ok("Firewall rule added", firewall_id=firewall["id"], rule=rule)


def remove_firewall_rule(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a rule from a firewall, or 404."""
    firewall = find(world.firewalls, params["firewall_id"], "Firewall")
    rule = next((rule for rule in firewall["rules"] if str(rule["id"]) == params["rule_id"]), None)
    if rule is None:
        raise missing("Rule")
    firewall["rules"].remove(rule)
    return ok("Firewall rule removed", firewall_id=firewall["id"], rule_id=rule["id"])


def list_firewall_protocols(_world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the protocols that a rule can name, and which of them have ports."""
    protocols = [{"name": name, "supports_ports": has_ports} for name, has_ports in _PROTOCOLS]
    return ok("Protocols retrieved", protocols=protocols)


ROUTES = (
    Route("list_firewalls", "GET", "/firewalls", list_firewalls),
    Route("get_firewall", "GET", "/firewalls/{firewall_id}", get_firewall),
    Route("create_firewall", "POST", "/firewalls", create_firewall),
    Route("delete_firewall", "DELETE", "/firewalls/{firewall_id}", delete_firewall),
    Route("add_firewall_rule", "POST", "/firewalls/{firewall_id}/rules", add_firewall_rule),
    Route("remove_firewall_rule", "DELETE", "/firewalls/{firewall_id}/rules/{rule_id}", remove_firewall_rule),
    Route("list_firewall_protocols", "GET", "/firewalls/protocols", list_firewall_protocols),
)
