"""Instances: virtual machines with their GPUs. Field names source: API reference pages for billing, else assumed."""

from datetime import datetime
from decimal import Decimal

import msgspec

from .billing import BillingPage, billing_page
from .deployment import Deployment, DeploymentRequest
from .paging import walk
from .reading import Accepted, Listing, ResourceId, settle
from .rules import SecurityRuleRequest, VMSecurityRule
from .states import FIRST_DISKS, INSTANCE_IN_TRANSITION, instance_state
from .transport import Transport


class VMFlavor(msgspec.Struct, frozen=True):
    """Hardware of an instance: `cpu` in vCPUs, `ram`, `disk` and `ephemeral` in GB (source: assumed)."""

    id: ResourceId | None = None
    name: str | None = None
    cpu: int | None = None
    ram: Decimal | None = None
    disk: int | None = None
    ephemeral: int | None = None
    gpu: str | None = None
    gpu_count: int | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), numbers=("ram",), counts=("cpu", "disk", "ephemeral", "gpu_count"))


class VMImage(msgspec.Struct, frozen=True):
    """The operating system image an instance was made from."""

    name: str | None = None


class VMVolumeAttachment(msgspec.Struct, frozen=True):
    """A volume on an instance; `size_gb` in GB."""

    id: ResourceId | None = None
    volume_id: str | None = None
    volume_name: str | None = None
    size_gb: Decimal | None = None
    bootable: bool | None = None
    device: str | None = None
    status: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), numbers=("size_gb",), times=("created_at",))

    @property
    def boots(self) -> bool:
        """Whether the instance runs from it: the first disk or, where no disk is named, a bootable one."""
        return self.device.removeprefix("/dev/") in FIRST_DISKS if self.device else bool(self.bootable)


class InstanceBilling(msgspec.Struct, frozen=True):
    """What an instance costs, in `currency`:

    GPU-hour price times GPU count, and that ÷ 60 (source: API reference page).
    """

    currency: str | None = None
    price_per_hour: Decimal | None = None
    per_minute_rate: Decimal | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("price_per_hour", "per_minute_rate"))


class Instance(msgspec.Struct, frozen=True):
    """An instance with everything the API tells of it. None stands for "not said", also in the lists."""

    instance_id: str
    vm_name: str
    status: str
    region: str
    gpu_type: str | None = None
    gpu_count: int | None = None
    tier: str | None = None
    private_ip: str | None = None
    public_ip: str | None = None
    server_uuid: str | None = None
    created_at: datetime | None = None
    flavor: VMFlavor | None = None
    image: VMImage | None = None
    ssh_keys: tuple[str, ...] | None = None
    security_rules: tuple[VMSecurityRule, ...] | None = None
    volumes: tuple[VMVolumeAttachment, ...] | None = None
    billing: InstanceBilling | None = None
    power_state: str | None = None

    def __post_init__(self) -> None:
        settle(self, counts=("gpu_count",), times=("created_at",))

    @property
    def state(self) -> str:
        """The status in its one form: capitals, STOPPED as SHUTOFF (source: user documentation)."""
        return instance_state(self.status)

    @property
    def in_transition(self) -> bool:
        """Whether the state changes by itself soon (source: user documentation)."""
        return self.state in INSTANCE_IN_TRANSITION


class UserInstance(msgspec.Struct, frozen=True):
    """An instance as the pickers need it."""

    instance_id: str
    vm_name: str
    status: str
    region: str
    gpu_type: str | None = None
    gpu_count: int | None = None
    tier: str | None = None
    private_ip: str | None = None
    public_ip: str | None = None
    server_uuid: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, counts=("gpu_count",), times=("created_at",))

    @property
    def state(self) -> str:
        """The status in its one form, as of Instance."""
        return instance_state(self.status)

    @property
    def in_transition(self) -> bool:
        """Whether the state changes by itself soon, as of Instance."""
        return self.state in INSTANCE_IN_TRANSITION


class InstanceAccepted(Accepted, frozen=True):
    """An action on an instance began; `status` is the new one, usually a transitional one (source: assumed)."""

    instance_id: str | None = None
    status: str | None = None
    tier: str | None = None


class PublicIPToggled(InstanceAccepted, frozen=True):
    """`public_ip` is the new address, None when it was taken away (source: user documentation)."""

    public_ip: str | None = None


class RuleAdded(Accepted, frozen=True):
    """A rule was taken; it holds once the cloud has applied it (source: assumed)."""

    instance_id: str | None = None
    rule_id: ResourceId | None = None
    security_rule: VMSecurityRule | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("rule_id",))


class RuleRemoved(Accepted, frozen=True):
    """A rule is gone (source: API reference page)."""

    instance_id: str | None = None
    rule_id: ResourceId | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("rule_id",))


class RecentHibernation(msgspec.Struct, frozen=True):
    """An instance that was hibernated, and when (source: assumed)."""

    instance_id: str
    vm_name: str | None = None
    hibernated_at: datetime | None = None
    region: str | None = None

    def __post_init__(self) -> None:
        settle(self, times=("hibernated_at",))


class HibernationBilling(msgspec.Struct, frozen=True):
    """What the hibernated instances cost: per hour each, and in all, in `currency`.

    Source of the rate: user documentation; of the fields: assumed.
    """

    rate_per_hour: Decimal | None = None
    currency: str | None = None
    total_duration_minutes: int | None = None
    total_cost: Decimal | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("rate_per_hour", "total_cost"), counts=("total_duration_minutes",))


class HibernatedCount(msgspec.Struct, frozen=True):
    """How many instances are hibernated, the latest of them, and their cost (source: assumed)."""

    count: int
    recent_hibernations: tuple[RecentHibernation, ...] = ()
    billing_metrics: HibernationBilling | None = None

    def __post_init__(self) -> None:
        settle(self, counts=("count",))


class Instances:
    """Calls for instances. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError.

    An action answers at once and the state changes later. A state that forbids it raises Conflict; which state allows
    which action is in the user documentation. No write is ever repeated.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Instance]:
        """Every instance of the account, all pages walked."""
        return walk(self._transport, "list_instances", Instance, lambda row: row.instance_id, within=within)

    def get(self, instance_id: str, *, within: float | None = None) -> Instance:
        """One instance. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_instance", ids={"instance_id": instance_id}, within=within)
        return self._transport.send(call).one(Instance)

    def deploy(self, request: DeploymentRequest, *, within: float | None = None) -> Deployment:
        """Makes a new instance. Raises NoCredit, Conflict for a name in use, NoStock when no GPU is free."""
        return self._transport.send(self._transport.prepare("create_instance", body=request, within=within)).accepted(
            Deployment
        )

    def start(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Starts a SHUTOFF instance."""
        return self._act("start_instance", instance_id, within)

    def stop(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Stops an ACTIVE instance. Its price goes on in full (source: user documentation)."""
        return self._act("stop_instance", instance_id, within)

    def reboot(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Reboots an ACTIVE instance."""
        return self._act("reboot_instance", instance_id, within)

    def hibernate(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Hibernates an ACTIVE or (source: assumed) SHUTOFF instance and frees its GPUs."""
        return self._act("hibernate_instance", instance_id, within)

    def restore(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Wakes a HIBERNATED instance. Raises NoStock when no GPU is free, NoCredit."""
        return self._act("restore_instance", instance_id, within)

    def delete(self, instance_id: str, *, within: float | None = None) -> InstanceAccepted:
        """Deletes an instance for good."""
        return self._act("delete_instance", instance_id, within)

    def toggle_public_ip(self, instance_id: str, *, within: float | None = None) -> PublicIPToggled:
        """Gives an ACTIVE instance a public IP, or takes it away: read the instance first, since this only flips."""
        ids = {"instance_id": instance_id}
        call = self._transport.prepare("toggle_instance_public_ip", ids=ids, within=within)
        return self._transport.send(call).accepted(PublicIPToggled)

    def add_rule(self, instance_id: str, rule: SecurityRuleRequest, *, within: float | None = None) -> RuleAdded:
        """Adds a rule to an instance's own firewall; it holds within 10 minutes (source: user documentation)."""
        ids = {"instance_id": instance_id}
        call = self._transport.prepare("add_instance_security_rule", ids=ids, body=rule, within=within)
        answer = self._transport.send(call)
        said, made = answer.accepted(RuleAdded), answer.one_or_none(VMSecurityRule)
        rule_id = said.rule_id or (made.id if made else None)
        return msgspec.structs.replace(said, rule_id=rule_id, security_rule=made)

    def remove_rule(self, instance_id: str, rule_id: str, *, within: float | None = None) -> RuleRemoved:
        """Removes a rule of an instance's own firewall. Raises Missing when there is none of that id."""
        ids = {"instance_id": instance_id, "rule_id": rule_id}
        call = self._transport.prepare("remove_instance_security_rule", ids=ids, within=within)
        return self._transport.send(call).accepted(RuleRemoved)

    def billing(self, page: int = 1, limit: int = 20, *, within: float | None = None) -> BillingPage:
        """One page of what the account's instances cost, deleted ones included."""
        return billing_page(self._transport, "get_instance_billing", page, limit, within=within)

    def hibernated_count(self, *, within: float | None = None) -> HibernatedCount:
        """How many instances are hibernated. An API that no longer offers this raises Missing (source: assumed)."""
        call = self._transport.prepare("get_hibernated_instances_count", within=within)
        return self._transport.send(call).one(HibernatedCount)

    def eligible_for_snapshots(
        self, region: str | None = None, *, within: float | None = None
    ) -> Listing[UserInstance]:
        """The instances a snapshot can be taken of, in one region or in all:

        ACTIVE ones (source: user documentation).
        """
        return walk(
            self._transport,
            "list_snapshot_eligible_instances",
            UserInstance,
            lambda row: row.instance_id,
            query={"region": region} if region else None,
            within=within,
        )

    def _act(self, name: str, instance_id: str, within: float | None) -> InstanceAccepted:
        call = self._transport.prepare(name, ids={"instance_id": instance_id}, within=within)
        return self._transport.send(call).accepted(InstanceAccepted)
