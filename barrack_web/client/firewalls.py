"""Firewalls: rules that several instances of a region share. Bounds source: user documentation; spelling assumed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from .instances import UserInstance
from .paging import walk
from .reading import UNREADABLE, Accepted, Listing, ResourceId, settle
from .rules import FirewallRule, FirewallRuleRequest
from .states import instance_state
from .transport import Transport

MAX_FIREWALLS: Final = 25  # per account; source: user documentation


class FirewallVM(msgspec.Struct, frozen=True):
    """The instance that a firewall is attached to."""

    instance_id: str
    name: str
    status: str | None = None
    flavor: str | None = None
    environment: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, times=("created_at",))

    @property
    def state(self) -> str:
        """The instance's state in its one form, empty when it was not said."""
        return instance_state(self.status or "")


class FirewallAttachment(msgspec.Struct, frozen=True):
    """One instance that a firewall protects; `status` is SUCCESS, ATTACHING or ERROR (source: user documentation)."""

    vm: FirewallVM
    status: str
    id: ResourceId | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), times=("created_at",))


class FirewallEnvironment(msgspec.Struct, frozen=True):
    """Where a firewall stands, for an API that names the region only here."""

    region: str
    id: ResourceId | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",))


class Firewall(msgspec.Struct, frozen=True):
    """A firewall; `status` is SUCCESS, CREATING or ERROR (source: user documentation). `rules` and `attachments` are
    None when the API did not send them, which is not the same as none."""

    id: ResourceId
    name: str
    status: str
    description: str | None = None
    environment: FirewallEnvironment | None = None
    region: str | None = None
    rules: tuple[FirewallRule, ...] | None = None
    attachments: tuple[FirewallAttachment, ...] | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), times=("created_at",))

    @property
    def place(self) -> str:
        """The region, from wherever the API says it; empty when it does not."""
        return self.region or (self.environment.region if self.environment else "")


class AttachedFirewall(msgspec.Struct, frozen=True):
    """A firewall as an instance shows it."""

    firewall_id: ResourceId
    name: str
    status: str | None = None
    rules: tuple[FirewallRule, ...] | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("firewall_id",))


class Protocol(msgspec.Struct, frozen=True):
    """A protocol that rules may name; None for `supports_ports` means that the API does not say."""

    name: str
    supports_ports: bool | None = None


class FirewallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new firewall; `description` at most 255 characters."""

    name: str
    region: str
    description: str = ""


class Attachments(msgspec.Struct, frozen=True):
    """The complete set of instances that a firewall is to protect."""

    instance_ids: list[str]


class FirewallAccepted(Accepted, frozen=True):
    """The API took a change of a firewall; the parts that belong to the change are set."""

    firewall_id: ResourceId | None = None
    rule_id: ResourceId | None = None
    firewall: Firewall | None = None
    rule: FirewallRule | None = None
    attachments: tuple[FirewallAttachment, ...] | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("firewall_id", "rule_id"))


class Firewalls:
    """Calls for firewalls. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Firewall]:
        """Every firewall of the account, all pages walked."""
        return walk(self._transport, "list_firewalls", Firewall, lambda row: row.id, within=within)

    def get(self, firewall_id: str, *, within: float | None = None) -> Firewall:
        """One firewall. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_firewall", ids={"firewall_id": firewall_id}, within=within)
        return self._transport.send(call).one(Firewall)

    def create(self, request: FirewallRequest, *, within: float | None = None) -> FirewallAccepted:
        """Makes a firewall without rules. Raises Conflict for a name in use, and at 25 firewalls."""
        answer = self._transport.send(self._transport.prepare("create_firewall", body=request, within=within))
        said, made = answer.accepted(FirewallAccepted), answer.one_or_none(Firewall)
        firewall_id = said.firewall_id or (made.id if made else None)
        return msgspec.structs.replace(said, firewall_id=firewall_id, firewall=made)

    def delete(self, firewall_id: str, *, within: float | None = None) -> FirewallAccepted:
        """Deletes a firewall. Raises Conflict while it is attached to an instance (source: user documentation)."""
        call = self._transport.prepare("delete_firewall", ids={"firewall_id": firewall_id}, within=within)
        return self._transport.send(call).accepted(FirewallAccepted)

    def add_rule(self, firewall_id: str, rule: FirewallRuleRequest, *, within: float | None = None) -> FirewallAccepted:
        """Adds a rule; it holds on every attached instance within 10 minutes (source: user documentation)."""
        ids = {"firewall_id": firewall_id}
        answer = self._transport.send(self._transport.prepare("add_firewall_rule", ids=ids, body=rule, within=within))
        said, made = answer.accepted(FirewallAccepted), answer.one_or_none(FirewallRule)
        return msgspec.structs.replace(said, rule_id=said.rule_id or (made.id if made else None), rule=made)

    def remove_rule(self, firewall_id: str, rule_id: str, *, within: float | None = None) -> FirewallAccepted:
        """Removes a rule. Raises Missing when there is none of that id."""
        ids = {"firewall_id": firewall_id, "rule_id": rule_id}
        call = self._transport.prepare("remove_firewall_rule", ids=ids, within=within)
        return self._transport.send(call).accepted(FirewallAccepted)

    def attach(self, firewall_id: str, instance_ids: Sequence[str], *, within: float | None = None) -> FirewallAccepted:
        """Makes these instances the ones that the firewall protects.

        The API has no call to detach: the set is complete, and what is left out is detached (source: assumed). So read
        the firewall first, send its instances too, and read it again afterwards.
        """
        ids, body = {"firewall_id": firewall_id}, Attachments(list(instance_ids))
        answer = self._transport.send(self._transport.prepare("attach_firewall", ids=ids, body=body, within=within))
        return msgspec.structs.replace(
            answer.accepted(FirewallAccepted), attachments=answer.rows_or_none(FirewallAttachment)
        )

    def of_instance(self, instance_id: str, *, within: float | None = None) -> Listing[AttachedFirewall]:
        """The firewalls that protect an instance."""
        call = self._transport.prepare("get_instance_firewalls", ids={"instance_id": instance_id}, within=within)
        rows, broken = self._transport.send(call).rows(AttachedFirewall)
        return Listing(tuple(rows), broken=broken)

    def protocols(self, *, within: float | None = None) -> Listing[Protocol]:
        """The protocols that rules may name, from objects or from plain words (source: assumed, both)."""
        answer = self._transport.send(self._transport.prepare("list_firewall_protocols", within=within))
        try:
            words = msgspec.json.decode(answer.result(), type=list[str])
            return Listing(tuple(Protocol(word) for word in words))
        except UNREADABLE:
            rows, broken = answer.rows(Protocol)
            return Listing(tuple(rows), broken=broken)

    def available_instances(self, region: str | None = None, *, within: float | None = None) -> Listing[UserInstance]:
        """The instances that a firewall can be attached to, in one region or in all."""
        name, query = "list_instances_for_firewalls", {"region": region} if region else None
        return walk(self._transport, name, UserInstance, lambda row: row.instance_id, query=query, within=within)
