"""How to get into a VM by SSH, and if that fails, why: pure functions of what the cloud said.

Commands and files are copied into shells, so nothing from the API gets into them unless it was parsed or cleaned.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from apps.activity.perform import printable
from barrack_web.client import AttachedFirewall, Instance, Listing, VMSecurityRule
from barrack_web.rule_form import opens_port

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

KEY_FILE: Final = "~/.ssh/your_private_key"
SSH_PORT: Final = 22
MOST_ALIAS, MOST_COMMENT, MOST_NAME = 64, 100, 60
MOST_KEYS, MOST_RANGES = 5, 3
GOOD, BAD, UNKNOWN = "good", "bad", "unknown"

# Source: user documentation, both sentences and the 10 minutes.
SETTLING: Final = timedelta(minutes=10)
SETTLING_SAID: Final = "Security rules may take up to 10 minutes to be fully applied after creation."
KEYS_SAID: Final = "SSH keys need to be reconfigured for access."

# Written out, since is_private also counts the ranges that are set aside for documentation.
INNER: Final = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)


@dataclass(frozen=True)
class Login:
    """The name to sign in as; not sure when it depends on the image."""

    user: str
    sure: bool


@dataclass(frozen=True)
class Check:
    """One reason why a VM can or cannot be reached.

    `result` is "good", "bad" or "unknown"; `fix` is "", "start", "restore", "wait", "public-ip", "allow" or "keys".
    """

    title: str
    result: str
    text: str
    fix: str = ""


@dataclass(frozen=True)
class _Way:
    """A rule that opens port 22, and for whom: `network` is None for everybody."""

    rule: VMSecurityRule
    owner: str
    network: Network | None

    @property
    def source(self) -> str:
        return str(self.network) if self.network else "anywhere"

    def young(self, now: datetime) -> bool:
        """Return whether it may not hold yet. A time far ahead is a clock that is wrong, which says nothing."""
        return self.rule.created_at is not None and abs(now - self.rule.created_at) < SETTLING


@dataclass(frozen=True)
class _Survey:
    """What the rules say of port 22: all ways in, those that let the visitor in, and what could not be found out."""

    ways: list[_Way]
    fitting: list[_Way]
    visitor: Address | None
    version: int
    inner: bool
    unread: str

    @property
    def comparable(self) -> bool:
        """Return whether the visitor's address can be held against the rules at all."""
        return self.visitor is not None and self.visitor.version == self.version


def login_of(image_name: str | None) -> Login:
    """Return the name to sign in as: ubuntu on Ubuntu images, else root first (source: user documentation)."""
    if (image_name or "").lstrip().casefold().startswith("ubuntu"):
        return Login("ubuntu", sure=True)
    return Login("root", sure=False)


def address_of(text: str | None) -> Address | None:
    """Return the address that the text is, None when it is anything else; a scope (%eth0) may hold any characters."""
    if not text or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 address in IPv6 dress is reached by IPv4, and IPv4 rules are for it.
    return getattr(address, "ipv4_mapped", None) or address


def ssh_command(instance: Instance) -> str:
    """Return the command that signs in by the public address, "" without one (source: user documentation)."""
    return _command(instance, instance.public_ip)


def private_command(instance: Instance) -> str:
    """Return the command for somebody inside the VM's network, "" when the private address is not known."""
    return _command(instance, instance.private_ip)


def alias_of(vm_name: str, instance_id: str) -> str:
    """Return a Host alias for an SSH configuration: never empty, never a pattern, an option or a second word."""
    return _alias(vm_name) or _alias(instance_id) or "vm"


def ssh_config(instance: Instance) -> str:
    """Return an SSH configuration for the VM, "" without a usable public address."""
    address = _usable(instance.public_ip)
    if not address:
        return ""
    image = _image_name(instance)
    login = login_of(image)
    unsure = f"    # The user name depends on the image ({_ascii(image) or 'not named'}): another one may be needed."
    lines = [
        f"# {_ascii(instance.vm_name) or 'VM'} ({_ascii(instance.instance_id)})",
        f"Host {alias_of(instance.vm_name, instance.instance_id)}",
        f"    HostName {address}",
        *([] if login.sure else [unsure]),
        f"    User {login.user}",
        f"    IdentityFile {KEY_FILE}",
        "    IdentitiesOnly yes",
    ]
    return "\n".join(lines) + "\n"


def checks(
    instance: Instance,
    firewalls: Listing[AttachedFirewall] | None,
    *,
    visitor: str | None,
    restored: bool,
    now: datetime,
) -> list[Check]:
    """Return what must be right for SSH to work, and whether it is. `firewalls` is None when they could not be read,
    `restored` says that the VM was made from a snapshot."""
    survey = _survey(instance, firewalls, visitor)
    found = [_running(instance), _public(instance), _port(survey, now)]
    if survey.fitting:
        found.append(_settled(survey.fitting, now))
    return [*found, _keys(instance, restored=restored), _user_name(instance)]


# -- commands and names


def _command(instance: Instance, text: str | None) -> str:
    address = _usable(text)
    return f"ssh -i {KEY_FILE} {login_of(_image_name(instance)).user}@{address}" if address else ""


def _usable(text: str | None) -> Address | None:
    """Return the address when a VM can have it: 0.0.0.0 and the like stand for none."""
    address = address_of(text)
    if not address or address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
        return None
    return address


def _image_name(instance: Instance) -> str:
    return (instance.image.name if instance.image else None) or ""


def _alias(text: str) -> str:
    words = re.sub(r"[^A-Za-z0-9._]+", "-", text).lstrip("-.")
    return words[:MOST_ALIAS].rstrip("-.")


def _ascii(text: str) -> str:
    """Return the printable ASCII characters of the text, bounded: enough for a comment on one line."""
    return " ".join("".join(char for char in text if " " <= char <= "~").split())[:MOST_COMMENT]


def _short(text: str, most: int = MOST_NAME) -> str:
    """Return a name from the API as part of a sentence, bounded."""
    visible = printable(text).strip()
    return visible if len(visible) <= most else f"{visible[: most - 1]}…"


# -- the checks


def _running(instance: Instance) -> Check:
    title, state = "Running", _short(instance.state, 40)
    if instance.state == "ACTIVE":
        return Check(title, GOOD, "Its status is ACTIVE.")
    if instance.state == "SHUTOFF":
        return Check(title, BAD, "It is shut off (SHUTOFF). Start it first.", "start")
    if instance.state == "HIBERNATED":
        return Check(title, BAD, "It is hibernated (HIBERNATED). Restore it first.", "restore")
    if instance.state == "DELETING":
        return Check(title, BAD, "It is being deleted (DELETING), so nobody gets in any more.")
    if instance.in_transition:
        return Check(title, BAD, f"It is changing at this moment ({state}). Wait until that is over.", "wait")
    return Check(title, BAD, f"Its status is {state or 'not known'}. Only an ACTIVE VM can be reached.")


def _public(instance: Instance) -> Check:
    title = "Public IP"
    if address := _usable(instance.public_ip):
        return Check(title, GOOD, f"It is {address}.")
    private = _usable(instance.private_ip)
    inside = f"It can be reached by its private IP{f' {private}' if private else ''} from inside its network."
    if (instance.public_ip or "").strip():
        # No fix: the API only flips the public IP, and this VM may have one.
        return Check(title, BAD, f"What Barrack sent as its public IP is no usable address. {inside}")
    return Check(title, BAD, f"It has none. {inside}", "public-ip")


def _port(survey: _Survey, now: datetime) -> Check:
    title = "Port 22 for your address"
    note = ""
    if survey.inner:
        note = f" The portal sees you at {survey.visitor}, a private address: the VM may see another one."
    if survey.fitting:
        way = min(survey.fitting, key=lambda way: way.young(now))
        who = str(survey.visitor) if survey.comparable else "everybody"
        sentence = f"Rule {_ports(way.rule)} from {way.source} of {way.owner} lets {who} in.{note}"
        return Check(title, UNKNOWN if survey.inner and way.network else GOOD, sentence)
    if survey.visitor is None:
        reason = f"Your address is not known to the portal. {_open_for(survey)}"
    elif not survey.comparable:
        seen = f"IPv{survey.visitor.version}"
        reason = f"You came by {seen}, the VM's address is IPv{survey.version}. {_open_for(survey)}"
    elif not survey.unread:
        return Check(title, BAD, f"No rule lets {survey.visitor} in. {_open_for(survey)}{note}", "allow")
    else:
        reason = f"No rule that could be read lets {survey.visitor} in."
    return Check(title, UNKNOWN, f"{reason}{f' {survey.unread}' if survey.unread else ''}{note}")


def _settled(fitting: list[_Way], now: datetime) -> Check:
    title = "Rules in effect"
    ages = [now - way.rule.created_at for way in fitting if way.rule.created_at and way.young(now)]
    if len(ages) < len(fitting):
        return Check(title, GOOD, "The rule that lets you in was not made in the last 10 minutes.")
    minutes = max(0, int(max(ages).total_seconds() // 60))
    ago = f"{minutes} {'minute' if minutes == 1 else 'minutes'} ago" if minutes else "less than a minute ago"
    return Check(title, BAD, f"The rule that lets you in was added {ago}. {SETTLING_SAID}", "wait")


def _keys(instance: Instance, *, restored: bool) -> Check:
    title, keys = "SSH key", instance.ssh_keys or ()
    names = ", ".join(_short(name) or "(no name)" for name in keys[:MOST_KEYS])
    if len(keys) > MOST_KEYS:
        names += f" and {len(keys) - MOST_KEYS} more"
    if restored:
        named = f" Barrack names: {names}." if names else ""
        return Check(title, UNKNOWN, f"This VM was made from a snapshot. {KEYS_SAID}{named}", "keys")
    if names:
        return Check(title, GOOD, f"Use the private half of: {names}.")
    if instance.ssh_keys is None:
        return Check(title, UNKNOWN, "Barrack did not say which keys are on it.", "keys")
    return Check(title, BAD, "It was made without an SSH key.", "keys")


def _user_name(instance: Instance) -> Check:
    title, image = "User name", _image_name(instance)
    login = login_of(image)
    if login.sure:
        return Check(title, GOOD, f"Sign in as {login.user}.")
    return Check(title, UNKNOWN, f"Try {login.user} first; it depends on the image ({_short(image) or 'not named'}).")


# -- the rules


def in_force(firewall: AttachedFirewall) -> bool:
    """Return whether its rules hold on the VM: not before it is attached, nor when that failed."""
    return (firewall.status or "").strip().upper() not in {"ATTACHING", "ERROR"}


def _survey(instance: Instance, firewalls: Listing[AttachedFirewall] | None, visitor: str | None) -> _Survey:
    target, address = _usable(instance.public_ip), address_of(visitor)
    version = target.version if target else address.version if address else 4
    groups = [("this VM", instance.security_rules)]
    groups += [
        (f"the firewall {_short(row.name) or '(no name)'}", row.rules) for row in firewalls or () if in_force(row)
    ]
    ways = [way for owner, rules in groups for way in _ways_in(rules or (), owner, version)]
    fitting = [way for way in ways if way.network is None or (address is not None and address in way.network)]
    inner = is_inner(address) and target is not None and not is_inner(target)
    if inner:
        # Only these hold whatever address the VM sees.
        fitting = [way for way in fitting if way.network is None] or fitting
    unread = _unread(groups, firewalls)
    return _Survey(ways, fitting, address, version, inner=inner, unread=unread)


def _ways_in(rules: Iterable[VMSecurityRule], owner: str, version: int) -> list[_Way]:
    found = []
    for rule in rules:
        try:
            network = _network_of(rule.remote_ip_prefix) if rule.remote_ip_prefix else None
        except ValueError:
            continue
        if opens_port(rule, SSH_PORT) and _is_for(rule, network, version):
            found.append(_Way(rule, owner, network if network and network.prefixlen else None))
    return found


def _network_of(prefix: str) -> Network:
    """Return the range. Raises ValueError for what is none, net masks (/255.0.0.0) and scopes (fe80::%eth0/64) too."""
    base, _, length = prefix.partition("/")
    if "%" in base or not (length or "0").isdigit():
        raise ValueError("this is no CIDR notation")
    return ip_network(prefix, strict=False)


def _is_for(rule: VMSecurityRule, network: Network | None, version: int) -> bool:
    """Return whether the rule is for this IP version, by its ethertype and its prefix; without both it is for any."""
    by_type = not rule.ethertype or rule.ethertype.casefold() == f"ipv{version}"
    return by_type and (network is None or network.version == version)


def _port_range(rule: VMSecurityRule) -> tuple[int, int]:
    """Return the first and the last port: all when none is said, that one when one is."""
    low, high = rule.port_range_min, rule.port_range_max
    if low is None and high is None:
        return 1, 65535
    return (high if low is None else low) or 0, (low if high is None else high) or 0


def _ports(rule: VMSecurityRule) -> str:
    low, high = _port_range(rule)
    ports = "all ports" if (low, high) == (1, 65535) else str(low) if low == high else f"{low}-{high}"
    return f"{rule.protocol.casefold() or 'any'} {ports}"


def _open_for(survey: _Survey) -> str:
    sources = list(dict.fromkeys(way.source for way in survey.ways))
    if not sources:
        return f"No rule{' that could be read' if survey.unread else ''} opens port 22 for IPv{survey.version}."
    more = f" and {len(sources) - MOST_RANGES} more" if len(sources) > MOST_RANGES else ""
    return f"Port 22 is open for {', '.join(sources[:MOST_RANGES])}{more}."


def _unread(
    groups: list[tuple[str, tuple[VMSecurityRule, ...] | None]], firewalls: Listing[AttachedFirewall] | None
) -> str:
    """Return which rules could not be read, since one of them may let the visitor in; "" when all were."""
    if firewalls is None:
        return "The firewalls could not be read, and one of their rules may let you in."
    if firewalls.broken or not firewalls.complete:
        return "Not all of the firewalls could be read, and a rule of the others may let you in."
    silent = [owner for owner, rules in groups if rules is None]
    return f"Barrack did not send the rules of {silent[0]}, and one of them may let you in." if silent else ""


def is_inner(address: Address | None) -> bool:
    """Return whether it is an address of an inner network, which others on the internet do not see."""
    return address is not None and any(address in network for network in INNER)
