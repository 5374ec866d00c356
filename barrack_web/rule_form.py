"""One security rule, the same for VMs and firewalls: its form, its words, and what it opens."""

import ipaddress
import re
from collections.abc import Collection
from typing import Any, Protocol

from django import forms
from django.core.exceptions import ValidationError

from barrack_web.client import SecurityRuleRequest
from barrack_web.forms import BarrackForm, SelectWithReasons

# The longest IPv6 address, the slash and three digits.
RANGE_LENGTH = 43
HIGHEST_PORT = 65_535
LONGEST_PREFIX = {4: 32, 6: 128}
MOST_PROTOCOLS, PROTOCOL_LENGTH = 20, 20
WORDS_LENGTH = 120

DIRECTIONS = {"ingress": "Ingress (Incoming)", "egress": "Egress (Outgoing)"}
PROTOCOLS = {"tcp": "TCP", "udp": "UDP", "icmp": "ICMP"}
ETHERTYPES = {"IPv4": "IPv4", "IPv6": "IPv6"}
PORT_FIELDS = ("port_range_min", "port_range_max")
NO_RANGE = "Use an IP range with its prefix length, such as 192.168.1.0/24 or 2001:db8::/32."
NO_ZEROS = re.compile(r"0|[1-9][0-9]*")


class Rule(Protocol):
    """What rules have in common: those of VMs, those of firewalls, and new ones."""

    @property
    def direction(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def ethertype(self) -> str | None: ...
    @property
    def remote_ip_prefix(self) -> str | None: ...
    @property
    def port_range_min(self) -> int | None: ...
    @property
    def port_range_max(self) -> int | None: ...


class RangeField(forms.CharField):
    """An IP range in CIDR form. Spaces at both ends are dropped; host bits stay, so what is sent is what was typed."""

    # Asks for its feedback while one types.
    live = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs.update({"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"})

    def validate(self, value: str) -> None:
        super().validate(value)
        problem = range_problem(value)
        if problem:
            raise ValidationError(problem, code="invalid")


class PortField(forms.Field):
    """One end of the ports, as typed: whether it has to be a port depends on the protocol, so the form reads it.

    A text input, because browsers send nothing at all for a number input that holds no number.
    """

    # Asks for its feedback while one types.
    live = True

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"})
        super().__init__(required=False, widget=widget, **kwargs)


def _choice(label: str, choices: dict[str, str], words: str, **kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=list(choices.items()),
        initial=next(iter(choices)),
        widget=SelectWithReasons,
        error_messages={"required": words, "invalid_choice": words},
        **kwargs,
    )


class RuleForm(BarrackForm):
    """One security rule. `protocols` are the words that the API lists; without them TCP, UDP and ICMP."""

    direction = _choice("Direction", DIRECTIONS, "Choose a direction.")
    protocol = _choice("Protocol", PROTOCOLS, "Choose a protocol.")
    ethertype = _choice("IP version", ETHERTYPES, "Choose IPv4 or IPv6.", help_text="Same as the range below.")
    remote_ip_prefix = RangeField(
        label="Remote IP range (CIDR)",
        error_messages={"required": "Enter an IP range, such as 192.168.1.0/24."},
        help_text="IPv4: 192.168.1.0/24, 0.0.0.0/0 (all). IPv6: 2001:db8::/32, ::/0 (all).",
    )
    port_range_min = PortField(label="From port", help_text=f"1 to {HIGHEST_PORT}.")
    port_range_max = PortField(label="To port", help_text="For one port, type it in both fields.")

    def __init__(self, *args: Any, protocols: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["protocol"]
        words = _listed(protocols)
        if words and isinstance(field, forms.ChoiceField):
            field.choices = [(word, PROTOCOLS.get(word, word)) for word in words]
            field.initial = "tcp" if "tcp" in words else words[0]

    def clean_port_range_min(self) -> int | None:
        return self._port("port_range_min")

    def clean_port_range_max(self) -> int | None:
        return self._port("port_range_max")

    def clean(self) -> dict[str, Any]:
        self._check_version()
        self._check_both_ports()
        self._check_port_order()
        return self.cleaned_data

    def rule(self) -> SecurityRuleRequest:
        """Return the rule to send, once the form is valid."""
        data = self.cleaned_data
        return SecurityRuleRequest(
            direction=data["direction"],
            protocol=data["protocol"],
            ethertype=data["ethertype"],
            remote_ip_prefix=data["remote_ip_prefix"],
            port_range_min=data["port_range_min"],
            port_range_max=data["port_range_max"],
        )

    def _port(self, name: str) -> int | None:
        """Return the port, None for an empty field; ICMP has none, whatever still stands in the field."""
        typed = str(self.cleaned_data.get(name) or "").strip()
        portless = self.cleaned_data.get("protocol") == "icmp"
        return None if portless or not typed else read_port(typed)

    def _check_version(self) -> None:
        ethertype, prefix = self.cleaned_data.get("ethertype"), self.cleaned_data.get("remote_ip_prefix")
        if not ethertype or not prefix:
            return
        fitting = "IPv6" if ":" in prefix else "IPv4"
        if ethertype != fitting:
            example = "0.0.0.0/0" if ethertype == "IPv4" else "::/0"
            self.add_error(
                "remote_ip_prefix",
                f"{prefix} is an {fitting} range, but the rule is for {ethertype}. "
                f"Change the IP version to {fitting}, or enter an {ethertype} range such as {example}.",
            )

    def _check_both_ports(self) -> None:
        """Refuse an empty end: TCP and UDP need both, any other protocol both or none, as ICMP has."""
        empty = [name for name in PORT_FIELDS if name in self.cleaned_data and self.cleaned_data[name] is None]
        needed = self.cleaned_data.get("protocol") in {"tcp", "udp"}
        if not needed and len(empty) != 1:
            return
        for name in empty:
            other = self.cleaned_data.get(PORT_FIELDS[1 - PORT_FIELDS.index(name)])
            advice = f" Use {other} in both fields for a single port." if other else ""
            self.add_error(name, f"Enter a port from 1 to {HIGHEST_PORT}.{advice}")

    def _check_port_order(self) -> None:
        low, high = (self.cleaned_data.get(name) for name in PORT_FIELDS)
        if low and high and low > high:
            self.add_error("port_range_max", f"This is lower than “From port”. Use {low} or higher.")


def read_port(text: str) -> int:
    """Return the port that a text of plain digits names; raise ValidationError for anything else."""
    if not re.fullmatch(r"[0-9]+", text):
        raise ValidationError(
            "Use one whole number in plain digits, such as 443; a range takes both fields.", code="invalid"
        )
    digits = text.lstrip("0")
    if not digits or len(digits) > 5 or int(digits) > HIGHEST_PORT:
        raise ValidationError(f"A port is 1 to {HIGHEST_PORT}.", code="invalid")
    return int(digits)


def range_problem(text: str) -> str:
    """Return what is wrong with an IP range as one sentence, "" for a good one."""
    if len(text) > RANGE_LENGTH:
        return f"Use at most {RANGE_LENGTH} characters; this has {len(text):,}."
    address, _, prefix = text.partition("/")
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return _address_problem(address)
    # What stands behind % names a network card of one machine; no API could know it.
    if "%" in address:
        return NO_RANGE
    return _prefix_problem(prefix, version, address)


def _prefix_problem(prefix: str, version: int, address: str) -> str:
    most = LONGEST_PREFIX[version]
    if not prefix:
        usual = 24 if version == 4 else 64
        return f"Add the prefix length, such as /{usual}; a single address is {address}/{most}."
    if not NO_ZEROS.fullmatch(prefix):
        return f"After the slash goes a whole number from 0 to {most}, without leading zeros."
    if int(prefix) > most:
        return f"An IPv{version} prefix is 0 to {most}; this is {prefix}."
    return ""


def _address_problem(address: str) -> str:
    """Return why the standard library does not take an address."""
    if ":" in address:
        return "This is not an IPv6 address. Use a range such as 2001:db8::/32."
    if not re.fullmatch(r"[0-9.]+", address):
        return NO_RANGE
    parts = address.split(".")
    if len(parts) != 4 or "" in parts:
        return "An IPv4 address has 4 numbers with dots between them, such as 192.168.1.0."
    wrong = next((part for part in parts if int(part) > 255), "")
    if wrong:
        return f"Each part of an IPv4 address is 0 to 255; this has {wrong}."
    zeros = next((part for part in parts if not NO_ZEROS.fullmatch(part)), "")
    return f"Leave out leading zeros: {int(zeros)} instead of {zeros}." if zeros else NO_RANGE


def _listed(protocols: Collection[str]) -> list[str]:
    """Return the protocols that can be offered: lower case, each once, within bounds, nothing invisible."""
    words = dict.fromkeys(word.strip().lower() for word in protocols)
    return [word for word in words if 0 < len(word) <= PROTOCOL_LENGTH and word.isprintable()][:MOST_PROTOCOLS]


def describe(rule: Rule) -> str:
    """Return the rule in a few words, such as "Ingress TCP 22 from 203.0.113.0/24"; at most 120 characters."""
    direction = rule.direction.lower()
    words = [
        rule.direction.title() if direction in DIRECTIONS else rule.direction or "any",
        PROTOCOLS.get(rule.protocol.lower(), rule.protocol) or "any",
        _ports(rule),
        {"ingress": "from", "egress": "to"}.get(direction, "with"),
        rule.remote_ip_prefix or "any",
    ]
    text = " ".join(word for word in words if word)
    return text if len(text) <= WORDS_LENGTH else f"{text[: WORDS_LENGTH - 1]}…"


def _ports(rule: Rule) -> str:
    low, high = rule.port_range_min, rule.port_range_max
    if low is None and high is None:
        return "" if rule.protocol.lower() == "icmp" else "all ports"
    if low == high:
        return str(low)
    return f"{'any' if low is None else low}–{'any' if high is None else high}"


def same_rule(one: Rule, other: Rule) -> bool:
    """Tell whether two rules let the same traffic through, however their words and ranges are written."""
    return _essence(one) == _essence(other)


def _essence(rule: Rule) -> tuple[object, ...]:
    network = _network(rule.remote_ip_prefix)
    # An API that leaves the version out says it with the range.
    version = rule.ethertype or (f"IPv{network.version}" if network else "")
    return (
        rule.direction.lower(),
        rule.protocol.lower(),
        version.lower(),
        network or rule.remote_ip_prefix,
        rule.port_range_min,
        rule.port_range_max,
    )


def _network(prefix: str | None) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(prefix or "", strict=False)
    except ValueError:
        return None


def opens_port(rule: Rule, port: int) -> bool:
    """Tell whether a rule lets TCP connections in at this port, from wherever; no ports means all of them."""
    if rule.direction.lower() != "ingress" or rule.protocol.lower() not in {"tcp", "any", "all", ""}:
        return False
    low = 1 if rule.port_range_min is None else rule.port_range_min
    high = HIGHEST_PORT if rule.port_range_max is None else rule.port_range_max
    return low <= port <= high
