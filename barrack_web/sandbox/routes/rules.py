"""The security rule in a request body, as instances and firewalls take it, and what is wrong with it."""

import ipaddress
import re
from typing import Any

from barrack_web.sandbox.routes.answers import Json, invalid

_CHOICES = {
    "direction": ("ingress", "egress"),
    "protocol": ("tcp", "udp", "icmp"),
    "ethertype": ("IPv4", "IPv6"),
}
_PORTS = ("port_range_min", "port_range_max")
_HIGHEST_PORT = 65_535
_LONGEST_PREFIX = 43
# ipaddress also reads net masks (10.0.0.0/255.0.0.0) and zones (fe80::%eth0/64), which are no CIDR notation.
_CIDR = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")


def checked_rule(body: Any) -> Json:
    """Return the six fields of the rule in a body, null ports for icmp; raise the 422 that names each bad field."""
    problems = rule_problems(body)
    if problems:
        raise invalid(**problems)
    return rule_fields(body)


def rule_fields(body: Json) -> Json:
    """Return the six fields of a rule that has no problems; the CIDR is kept as written, host bits and all."""
    return {name: body.get(name) for name in (*_CHOICES, "remote_ip_prefix", *_PORTS)}


def has_rule(rules: list[Json], fields: Json) -> bool:
    """Tell whether one of these rules has exactly these six fields."""
    return any(all(rule.get(name) == value for name, value in fields.items()) for rule in rules)


def rule_problems(body: Any) -> dict[str, str]:
    """Return a sentence for each field of a rule that is missing or wrong; empty for a good rule."""
    if not isinstance(body, dict):
        return {"rule": "A rule is an object."}
    problems = {
        name: f"Use {', '.join(allowed[:-1])} or {allowed[-1]}."
        for name, allowed in _CHOICES.items()
        if body.get(name) not in allowed
    }
    prefix = _prefix_problem(body.get("remote_ip_prefix"), body.get("ethertype"))
    if prefix:
        problems["remote_ip_prefix"] = prefix
    return problems | _port_problems(body)


def _prefix_problem(prefix: object, ethertype: object) -> str | None:
    if not isinstance(prefix, str) or len(prefix) > _LONGEST_PREFIX or not _CIDR.fullmatch(prefix):
        return "Use CIDR notation such as 203.0.113.0/24 or 2001:db8::/32."
    try:
        network = ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        return "This is not an address range: check the address and the number behind the slash."
    if ethertype in _CHOICES["ethertype"] and ethertype != f"IPv{network.version}":
        return f"This is an IPv{network.version} range; the rule is for {ethertype}."
    return None


def _port_problems(body: Json) -> dict[str, str]:
    if body.get("protocol") == "icmp":
        return {name: "ICMP has no ports." for name in _PORTS if name in body}
    problems = {name: f"Use a port from 1 to {_HIGHEST_PORT}." for name in _PORTS if not _is_port(body.get(name))}
    if not problems and body["port_range_min"] > body["port_range_max"]:
        problems["port_range_max"] = "The last port is lower than the first one."
    return problems


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HIGHEST_PORT
