"""Instances: virtual machines with their GPUs. Field names source: API reference pages for billing, else assumed."""

from datetime import datetime
from decimal import Decimal

import msgspec

from .paging import walk
from .reading import Listing, ResourceId, settle
from .states import INSTANCE_IN_TRANSITION, instance_state
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
        settle(self, ids=("id",), numbers=("ram",))


class VMImage(msgspec.Struct, frozen=True):
    """The operating system image an instance was made from."""

    name: str | None = None


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
        settle(self, ids=("id",), times=("created_at",))


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
        settle(self, times=("created_at",))

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
        settle(self, times=("created_at",))

    @property
    def state(self) -> str:
        """The status in its one form, as of Instance."""
        return instance_state(self.status)

    @property
    def in_transition(self) -> bool:
        """Whether the state changes by itself soon, as of Instance."""
        return self.state in INSTANCE_IN_TRANSITION


class Instances:
    """Calls for instances. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Instance]:
        """Every instance of the account, all pages walked."""
        return walk(self._transport, "list_instances", Instance, lambda row: row.instance_id, within=within)

    def get(self, instance_id: str, *, within: float | None = None) -> Instance:
        """One instance. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_instance", ids={"instance_id": instance_id}, within=within)
        return self._transport.send(call).one(Instance)

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
