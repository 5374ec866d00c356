"""The security rules of an instance itself, beside those of its firewalls."""

from barrack_web.sandbox.routes.answers import Answer, Json, Route, bad_state, missing, ok
from barrack_web.sandbox.routes.instance_actions import instance_in
from barrack_web.sandbox.routes.rules import checked_rule, has_rule
from barrack_web.sandbox.world import World, iso


def new_rule(world: World, fields: Json) -> Json:
    """Return a rule of these six fields as an instance keeps it, with an id of its own."""
    return {"id": str(world.new_number()), **fields, "status": "SUCCESS", "created_at": iso(world.now())}


def add_instance_security_rule(world: World, params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Add a rule to a running instance. 404, 409 also when it has the same rule already, 422."""
    record = instance_in(world, params, "ACTIVE")
    fields, rules = checked_rule(body), record.get("security_rules") or []
    if has_rule(rules, fields):
        raise bad_state("The instance has this rule already.", "RULE_EXISTS")
    rule = new_rule(world, fields)
    record["security_rules"] = [*rules, rule]
    about = {"instance_id": record["instance_id"], "rule_id": rule["id"], "tier": record.get("tier")}
    return ok("Security rule added", **about, security_rule=rule)


def remove_instance_security_rule(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a rule of a running instance. 404 for the instance or the rule, 409."""
    record = instance_in(world, params, "ACTIVE")
    rules = record.get("security_rules") or []
    kept = [rule for rule in rules if str(rule["id"]) != params["rule_id"]]
    if len(kept) == len(rules):
        raise missing("Security rule")
    record["security_rules"] = kept
    # This answer is known to carry a tier always, as text.
    about = {"instance_id": record["instance_id"], "rule_id": params["rule_id"], "tier": record.get("tier") or ""}
    return ok("Security rule removed", **about)


ROUTES = (
    Route("add_instance_security_rule", "POST", "/instances/{instance_id}/security-rules", add_instance_security_rule),
    Route(
        "remove_instance_security_rule",
        "DELETE",
        "/instances/{instance_id}/security-rules/{rule_id}",
        remove_instance_security_rule,
    ),
)
