"""Security rules for usual purposes, ready to be taken with one click; the same for VMs and firewalls."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from barrack_web.client import SecurityRuleRequest
from barrack_web.rule_form import LONGEST_PREFIX

EVERYBODY: Final = "0.0.0.0/0"
# "Internal network only" is documented without a range; the documented private addresses are all of this one.
INTERNAL: Final = "10.0.0.0/8"


@dataclass(frozen=True)
class Preset:
    """A purpose and its rules.

    `rules` is called with the visitor's address, None when it is not known; those that let in this address alone are
    then no rules at all.
    """

    key: str
    label: str
    text: str
    rules: Callable[[str | None], list[SecurityRuleRequest]]


def _tcp(prefix: str, *ports: int) -> list[SecurityRuleRequest]:
    version = "IPv6" if ":" in prefix else "IPv4"
    return [SecurityRuleRequest("ingress", "tcp", version, prefix, port, port) for port in ports]


def _tcp_from(address: str | None, port: int) -> list[SecurityRuleRequest]:
    if not address:
        return []
    return _tcp(f"{address}/{LONGEST_PREFIX[ip_address(address).version]}", port)


# source: user documentation, the table of common rules.
PRESETS: Final = {
    preset.key: preset
    for preset in (
        Preset("ssh", "SSH Access", "TCP 22, from your own address only.", lambda mine: _tcp_from(mine, 22)),
        Preset("web", "Web Server", "TCP 80 and 443, from everywhere.", lambda _mine: _tcp(EVERYBODY, 80, 443)),
        Preset(
            "jupyter", "Jupyter Notebook", "TCP 8888, from your own address only.", lambda mine: _tcp_from(mine, 8888)
        ),
        Preset(
            "database",
            "Database Access",
            f"TCP 3306 and 5432, from the internal network only ({INTERNAL}).",
            lambda _mine: _tcp(INTERNAL, 3306, 5432),
        ),
        Preset(
            "ping",
            "ICMP (Ping)",
            "ICMP, which has no ports, from everywhere.",
            lambda _mine: [SecurityRuleRequest("ingress", "icmp", "IPv4", EVERYBODY)],
        ),
    )
}
