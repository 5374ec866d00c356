"""The security rules chosen in the wizard: each is one line of its form, and one rule of the deployment."""

from collections.abc import Collection
from typing import Final

from apps.deploy.values import NEW_RULE, RULE_FIELDS, Values, form_data
from barrack_web.client import SecurityRuleRequest
from barrack_web.rule_form import RuleForm, describe, opens_port, same_rule
from barrack_web.rule_presets import PRESETS

MOST_RULES: Final = 25
SSH_PORT, JUPYTER_PORT = 22, 8888
WATCHED_PORTS: Final = (SSH_PORT, JUPYTER_PORT)
# Ends the ranges of all addresses, however the rest of it is written.
EVERYWHERE: Final = "/0"
MANY_PORTS: Final = 1000
BETWEEN: Final = "|"


def as_line(rule: SecurityRuleRequest) -> str:
    """Return the rule as the form carries it: "ingress|tcp|IPv4|0.0.0.0/0|22|22", without ports for ICMP."""
    parts = [getattr(rule, name) for name in RULE_FIELDS]
    return BETWEEN.join("" if part is None else str(part) for part in parts)


def read_line(line: str, protocols: Collection[str]) -> SecurityRuleRequest | None:
    """Return the rule of a line, checked like one that was typed; None for a line that no form of ours has made."""
    parts = line.split(BETWEEN)
    if len(parts) != len(RULE_FIELDS):
        return None
    form = RuleForm(dict(zip(RULE_FIELDS, parts, strict=True)), protocols=protocols)
    return form.rule() if form.is_valid() else None


def new_rule(values: Values, protocols: Collection[str], *, sent: bool) -> RuleForm:
    """Return the form of one more rule, with what was typed into it; `sent` when it is to be added now."""
    typed = {name: found for name, found in values.items() if name.startswith(f"{NEW_RULE}-") and found}
    if sent or any(typed.get(f"{NEW_RULE}-{name}", [""])[0] for name in RULE_FIELDS[3:]):
        return RuleForm(form_data(typed), prefix=NEW_RULE, protocols=protocols, use_required_attribute=False)
    begun = {name: typed[f"{NEW_RULE}-{name}"][0] for name in RULE_FIELDS if f"{NEW_RULE}-{name}" in typed}
    return RuleForm(initial=begun, prefix=NEW_RULE, protocols=protocols, use_required_attribute=False)


def with_rules(lines: list[str], rules: Collection[SecurityRuleRequest]) -> list[str]:
    """Return the lines with those rules that they do not have yet."""
    there = [rule for rule in map(_as_rule, lines) if rule]
    more: list[str] = []
    for rule in rules:
        if not any(same_rule(rule, known) for known in there):
            there.append(rule)
            more.append(as_line(rule))
    # One too many stays, so that the form says so.
    return [*lines, *more][: MOST_RULES + 1]


def _as_rule(line: str) -> SecurityRuleRequest | None:
    """Return the rule of a line as it stands, to compare it with others."""
    direction, protocol, ethertype, prefix, *ports = [*line.split(BETWEEN), "", "", "", "", ""][: len(RULE_FIELDS)]
    if not all(port.isascii() and port.isdigit() and len(port) < 6 for port in ports if port):
        return None
    low, high = (int(port) if port else None for port in ports)
    return SecurityRuleRequest(direction, protocol, ethertype, prefix, low, high)


def preset_rules(key: str, mine: str | None) -> list[SecurityRuleRequest]:
    """Return the rules of a preset for a visitor at that address; none for a preset there is not."""
    return PRESETS[key].rules(mine) if key in PRESETS else []


def open_to_everybody(rules: Collection[SecurityRuleRequest]) -> list[str]:
    """Return the rules, in words, that let everybody in at SSH or Jupyter, or at a thousand ports and more."""
    return [describe(rule) for rule in rules if rule.remote_ip_prefix.endswith(EVERYWHERE) and _is_wide(rule)]


def _is_wide(rule: SecurityRuleRequest) -> bool:
    low, high = rule.port_range_min, rule.port_range_max
    many = rule.protocol != "icmp" and (low is None or high is None or high - low + 1 >= MANY_PORTS)
    return rule.direction == "ingress" and (many or any(opens_port(rule, port) for port in WATCHED_PORTS))


def opens(rules: Collection[SecurityRuleRequest], port: int) -> bool:
    """Return whether one of the rules lets somebody in at a TCP port."""
    return any(opens_port(rule, port) for rule in rules)
