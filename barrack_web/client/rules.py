"""Rules of firewalls and of instances: what they look like, and what a new one says."""

from datetime import datetime

import msgspec

from .reading import ResourceId, settle


class VMSecurityRule(msgspec.Struct, frozen=True):
    """One rule of an instance's own firewall; ports from 1 to 65535, None for ICMP (source: user documentation)."""

    id: ResourceId
    direction: str
    protocol: str
    ethertype: str | None = None
    remote_ip_prefix: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    status: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), counts=("port_range_min", "port_range_max"), times=("created_at",))


class FirewallRule(VMSecurityRule, frozen=True):
    """One rule of a firewall: the same fields (source: assumed)."""


class SecurityRuleRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new rule of an instance.

    `direction` is ingress or egress, `protocol` tcp, udp or icmp, `ethertype` IPv4 or IPv6, `remote_ip_prefix` a CIDR
    of that family. Both ports or, for ICMP, none (bounds source: user documentation; spelling on the wire: assumed).
    """

    direction: str
    protocol: str
    ethertype: str
    remote_ip_prefix: str
    port_range_min: int | None = None
    port_range_max: int | None = None


class FirewallRuleRequest(SecurityRuleRequest, frozen=True, omit_defaults=True):
    """A new rule of a firewall: the same fields (source: assumed)."""
