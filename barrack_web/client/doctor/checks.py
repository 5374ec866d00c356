"""The table of reads that the doctor tries, in the order of the operation table, and what of the portal needs each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..assistant import AIModel, AITransaction, AIUsage
from ..billing import Balance, BalanceSheet, BillingHead, BillingRecord, BillingSummary, CreditData
from ..catalog import GPUSpec, GPUStock, OSImage, PricingRequest, Region
from ..client import Client
from ..firewalls import AttachedFirewall, Firewall, Protocol
from ..images import Image, SnapshotImages
from ..instances import HibernatedCount, Instance, UserInstance
from ..scripts import Script
from ..snapshots import Snapshot
from ..ssh_keys import SSHKey
from ..volumes import NextName, Volume
from .compare import Part

# What stands for an id in a path: what it is the id of, and the list that gives one to try.
RESOURCES: Final = {
    "instance_id": ("instance", "list_instances"),
    "key_id": ("SSH key with an id", "list_ssh_keys"),
    "script_id": ("startup script", "list_scripts"),
    "firewall_id": ("firewall", "list_firewalls"),
    "snapshot_id": ("snapshot", "list_snapshots"),
    "image_id": ("image", "list_images"),
    "volume_id": ("volume", "list_volumes"),
}
BATCH: Final = 3
# A capability like others, but each answer of a model costs credits.
COSTS_CREDITS: Final = "chat_completions"


@dataclass(slots=True)
class Account:
    """What earlier reads found: ids by the name of their place in a path, and the currency of the balance."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    currency: str | None = None

    def first(self, place: str) -> str:
        """The id to try. Raises IndexError or KeyError when there is none; see Check.needs."""
        return self.ids[place][0]


@dataclass(frozen=True, slots=True)
class Check:
    """One read to try.

    Attributes:
        operation: the row of the operation table.
        group: the heading that it stands under.
        reason: what of the portal needs it; empty for a capability, which the portal can do without.
        read: makes the call as the portal does. Raises a BarrackError.
        parts: the structs that its answer is made of.
        needs: the place in a path whose id an earlier read must have found; empty when it needs none.
        keep: takes down from the result what later reads need.
    """

    operation: str
    group: str
    reason: str
    read: Callable[[Client, Account], object]
    parts: tuple[Part, ...] = ()
    needs: str = ""
    keep: Callable[[Any, Account], None] | None = None


def _keep_currency(sheet: BalanceSheet, account: Account) -> None:
    chosen = sheet.primary or next(iter(sheet.balances), None)
    account.currency = chosen.currency if chosen else None


def _ids(place: str, identity: Callable[[Any], str | None]) -> Callable[[Any, Account], None]:
    def keep(rows: Any, account: Account) -> None:
        account.ids[place] = [value for row in rows if (value := identity(row))]

    return keep


def _keep_instances(rows: Any, account: Account) -> None:
    """A deleted instance may be listed for a while and have no page of its own, so these come last."""
    account.ids["instance_id"] = [row.instance_id for row in sorted(rows, key=lambda row: row.state == "DELETED")]


_OF_INSTANCES: Final = frozenset({"instance_id", "vm_name", "gpu_type", "gpu_count"})
_OF_SNAPSHOTS: Final = frozenset({"snapshot_id", "snapshot_name"})
_OF_VOLUMES: Final = frozenset({"volume_id", "volume_name"})
_OF_SIZED: Final = frozenset({"size_gb"})
_COUNTED: Final = frozenset({"completed_count", "hibernated_count"})
_SIZED: Final = frozenset({"total_size_gb"})


def _billing(records_without: frozenset[str], summary_without: frozenset[str]) -> tuple[Part, ...]:
    return (
        Part(BillingRecord, without=records_without | {"end_time"}),
        Part(BillingHead, many=False, at_top=True),
        Part(BillingSummary, many=False, at_top=True, under=(BillingHead, "summary"), without=summary_without),
    )


def _one(kind: Any) -> tuple[Part, ...]:
    return (Part(kind, many=False),)


CHECKS: Final = (
    Check(
        "get_credit_balance", "Account and catalog", "the balance in the head of every page",
        lambda client, _: client.billing.balance(),
        (Part(CreditData, many=False), Part(Balance, under=(CreditData, "balances"))),
        keep=_keep_currency,
    ),
    Check(
        "get_gpu_stocks", "Account and catalog", "",
        lambda client, _: client.catalog.stocks(),
        (Part(GPUStock, without=frozenset({"planned_7_days", "planned_30_days", "planned_100_days"})),),
    ),
    Check(
        "get_gpu_specs", "Account and catalog", "",
        lambda client, _: client.catalog.specs(), (Part(GPUSpec),),
    ),
    Check(
        "list_regions", "Account and catalog", "",
        lambda client, _: client.catalog.regions(), (Part(Region),),
    ),
    Check(
        "get_pricing", "Account and catalog", "the prices beside every choice that costs credits",
        lambda client, _: client.catalog.prices(),
    ),
    Check(
        "query_pricing", "Account and catalog", "the price of one configuration",
        lambda client, account: client.catalog.query_prices(PricingRequest(currency=account.currency)),
    ),
    Check(
        "list_os_images", "Account and catalog", "the operating systems of a deployment",
        lambda client, _: client.catalog.os_images(), (Part(OSImage),),
    ),
    Check(
        "list_instances", "Instances", "the list of VMs, and the names that are taken",
        lambda client, _: client.instances.list(), (Part(Instance),), keep=_keep_instances,
    ),
    Check(
        "get_instance", "Instances", "the page of a VM",
        lambda client, account: client.instances.get(account.first("instance_id")), _one(Instance),
        needs="instance_id",
    ),
    Check(
        "get_instance_billing", "Instances", "what VMs have cost",
        lambda client, _: client.instances.billing(), _billing(_OF_SNAPSHOTS | _OF_VOLUMES | _OF_SIZED, _SIZED),
    ),
    Check(
        "get_hibernated_instances_count", "Instances", "",
        lambda client, _: client.instances.hibernated_count(), _one(HibernatedCount),
    ),
    Check(
        "list_ssh_keys", "SSH keys", "the list of keys, and the keys of a deployment",
        lambda client, _: client.ssh_keys.list(), (Part(SSHKey),), keep=_ids("key_id", lambda row: row.id),
    ),
    Check(
        "get_ssh_key", "SSH keys", "the page of a key",
        lambda client, account: client.ssh_keys.get(account.first("key_id")), _one(SSHKey), needs="key_id",
    ),
    Check(
        "list_scripts", "Startup scripts", "the list of scripts, and the scripts of a deployment",
        lambda client, _: client.scripts.list(), (Part(Script),), keep=_ids("script_id", lambda row: row.script_id),
    ),
    Check(
        "get_script", "Startup scripts", "the page of a script",
        lambda client, account: client.scripts.get(account.first("script_id")), _one(Script), needs="script_id",
    ),
    Check(
        "list_firewalls", "Firewalls", "the list of firewalls",
        lambda client, _: client.firewalls.list(), (Part(Firewall),), keep=_ids("firewall_id", lambda row: row.id),
    ),
    Check(
        "get_firewall", "Firewalls", "the page of a firewall, read again after each change of it",
        lambda client, account: client.firewalls.get(account.first("firewall_id")), _one(Firewall),
        needs="firewall_id",
    ),
    Check(
        "get_instance_firewalls", "Firewalls", "the firewalls on the page of a VM",
        lambda client, account: client.firewalls.of_instance(account.first("instance_id")), (Part(AttachedFirewall),),
        needs="instance_id",
    ),
    Check(
        "list_firewall_protocols", "Firewalls", "the protocols of a new rule",
        lambda client, _: client.firewalls.protocols(), (Part(Protocol, or_words=True),),
    ),
    Check(
        "list_instances_for_firewalls", "Firewalls", "the VMs that a firewall can be attached to",
        lambda client, _: client.firewalls.available_instances(), (Part(UserInstance),),
    ),
    Check(
        "list_snapshots", "Snapshots", "the list of snapshots, and the names that are taken",
        lambda client, _: client.snapshots.list(), (Part(Snapshot),),
        keep=_ids("snapshot_id", lambda row: row.snapshot_id),
    ),
    Check(
        "get_snapshots_billing", "Snapshots", "what snapshots have cost",
        lambda client, _: client.snapshots.billing(), _billing(_OF_INSTANCES | _OF_VOLUMES, _COUNTED),
    ),
    Check(
        "list_snapshot_eligible_instances", "Snapshots", "the VMs that a snapshot can be taken of",
        lambda client, _: client.instances.eligible_for_snapshots(), (Part(UserInstance),),
    ),
    Check(
        "get_snapshot", "Snapshots", "the page of a snapshot",
        lambda client, account: client.snapshots.get(account.first("snapshot_id")), _one(Snapshot),
        needs="snapshot_id",
    ),
    Check(
        "list_images", "Images", "the list of images",
        lambda client, _: client.images.list(), (Part(Image),), keep=_ids("image_id", lambda row: row.image_id),
    ),
    Check(
        "get_image", "Images", "the page of an image",
        lambda client, account: client.images.get(account.first("image_id")), _one(Image), needs="image_id",
    ),
    Check(
        "get_snapshot_image_relationship", "Images", "whether a snapshot was made an image, on its page",
        lambda client, account: client.images.relationship(account.first("snapshot_id")), _one(SnapshotImages),
        needs="snapshot_id",
    ),
    Check(
        "list_snapshot_image_relationships", "Images", "which snapshots were made images, in their list",
        lambda client, account: client.images.relationships(account.ids["snapshot_id"][:BATCH]),
        (Part(SnapshotImages),), needs="snapshot_id",
    ),
    Check(
        "get_ai_usage_summary", "Assistant", "",
        lambda client, _: client.assistant.usage(), _one(AIUsage),
    ),
    Check(
        "get_ai_usage_history", "Assistant", "",
        lambda client, _: client.assistant.history(), (Part(AITransaction),),
    ),
    Check(
        "list_ai_models", "Assistant", "",
        lambda client, _: client.assistant.models(), (Part(AIModel),),
    ),
    Check(
        "get_volume_billing", "Volumes", "what volumes have cost",
        lambda client, _: client.volumes.billing(), _billing(_OF_INSTANCES | _OF_SNAPSHOTS, _COUNTED),
    ),
    Check(
        "list_volume_types", "Volumes", "the types of a new volume",
        lambda client, _: client.volumes.types(),
    ),
    Check(
        "list_volumes", "Volumes", "the list of volumes",
        lambda client, _: client.volumes.list(), (Part(Volume), Part(NextName, many=False, at_top=True)),
        keep=_ids("volume_id", lambda row: row.volume_id),
    ),
    Check(
        "get_volume", "Volumes", "the page of a volume",
        lambda client, account: client.volumes.get(account.first("volume_id")), _one(Volume), needs="volume_id",
    ),
)  # fmt: skip
