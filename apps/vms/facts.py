"""What the pages say of one VM: read all at once, then put together; shared by the details and the dashboard."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.activity.events import client_address
from apps.activity.kinds import title_of
from apps.activity.models import Event, Operation
from apps.activity.perform import printable
from apps.vms import connect
from apps.vms.buttons import Button, address, buttons_of
from apps.vms.states import KNOWN
from barrack_web import clock, cloud
from barrack_web.cached import OPTIONAL_SECONDS, Pending, Read
from barrack_web.client import (
    HIBERNATED_HOUR,
    AttachedFirewall,
    BalanceSheet,
    BillingRecord,
    HibernatedCount,
    Instance,
    Listing,
    Prices,
    Snapshot,
    UserInstance,
    VMSecurityRule,
)
from barrack_web.costs import Cost, cost_of
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.records import Records
from barrack_web.rule_form import describe

# A VM is new for so long: its page shows what comes next.
NEW = timedelta(hours=24)
MOST_EVENTS = 5
MOST_RECORDS = 3
# Rows of each list on one VM's page; the rest is behind a link or counted.
MOST_ROWS = 50


@dataclass(frozen=True)
class Reads:
    """The reads of one VM's page, all under way at once."""

    instance: Pending[Instance]
    firewalls: Pending[Listing[AttachedFirewall]]
    prices: Pending[Prices]
    snapshots: Pending[Listing[Snapshot]]
    eligible: Pending[Listing[UserInstance]]
    balance: Pending[BalanceSheet]


def begin(instance_id: str) -> Reads:
    """Begin everything that one VM's page needs."""
    return Reads(
        cloud.instance.begin(instance_id),
        cloud.instance_firewalls.begin(instance_id),
        cloud.prices.begin(),
        cloud.snapshots.begin(),
        cloud.eligible.begin(),
        cloud.balance.begin(),
    )


@dataclass(frozen=True)
class Brief:
    """One VM as the dashboard shows it."""

    instance: Instance
    cost: Cost
    buttons: dict[str, Button]
    login: connect.Login
    ssh: str
    url: str


def brief_of(
    request: HtmxHttpRequest,
    found: Read[Instance],
    prices: Read[Prices] | None,
    eligible: Read[Listing[UserInstance]] | None,
) -> Brief:
    """Return what the dashboard shows of a VM."""
    instance = found.value
    return Brief(
        instance,
        cost_of(instance, prices, cloud.currency()),
        buttons_of(instance, request.user, found, eligible=eligible),
        connect.login_of(instance.image.name if instance.image else None),
        connect.ssh_command(instance),
        address("details", instance.instance_id),
    )


@dataclass(frozen=True)
class RuleRow:
    """A rule as the VM's page lists it: `owner` is the firewall's name, "" for the VM's own.

    `not_in_force` is the state of a firewall's attachment that does not hold.
    """

    rule: VMSecurityRule
    words: str
    owner: str
    not_in_force: str = ""


@dataclass(frozen=True)
class Facts:
    """All of it. What is None could not be read; `tag` changes when anything of it does."""

    instance: Instance
    cost: Cost
    buttons: dict[str, Button]
    login: connect.Login
    ssh: str
    ssh_private: str
    checks: list[connect.Check]
    firewalls: Sequence[AttachedFirewall] | None
    rules: list[RuleRow]
    all_rules: bool
    snapshots: list[Snapshot] | None
    events: list[tuple[Event, str]]
    restored: bool
    new: bool
    tag: str

    @property
    def unknown_state(self) -> bool:
        return self.instance.state not in KNOWN

    @property
    def verdict(self) -> str:
        """Whether a connection can be made: "good", "bad" when something stands in the way, or "unknown"."""
        results = {check.result for check in self.checks[:-1]}
        return "bad" if "bad" in results else "unknown" if "unknown" in results else "good"


def of(request: HtmxHttpRequest, found: Read[Instance], reads: Reads) -> Facts:
    """Put one VM's facts together from what its reads have brought."""
    instance = found.value
    end = time.monotonic() + OPTIONAL_SECONDS
    firewalls, prices = reads.firewalls.or_none(end), reads.prices.or_none(end)
    snapshots, eligible = reads.snapshots.or_none(end), reads.eligible.or_none(end)
    reads.balance.or_none(end)
    events, restored = events_of(instance.instance_id), is_restored(instance.instance_id)
    checks = connect.checks(
        instance,
        firewalls.value if firewalls else None,
        visitor=client_address(request),
        restored=restored,
        now=clock.now(),
    )
    read_tags = [read.tag if read else "" for read in (found, firewalls, prices, snapshots, eligible)]
    new = instance.created_at is not None and clock.now() - instance.created_at < NEW
    return Facts(
        instance=instance,
        cost=cost_of(instance, prices, cloud.currency()),
        buttons=buttons_of(instance, request.user, found, eligible=eligible),
        login=connect.login_of(instance.image.name if instance.image else None),
        ssh=connect.ssh_command(instance),
        ssh_private=connect.private_command(instance),
        checks=checks,
        firewalls=firewalls.value.rows if firewalls else None,
        rules=_rules(instance, firewalls),
        all_rules=_all_rules(instance, firewalls),
        snapshots=snapshots_of(instance, snapshots),
        events=events,
        restored=restored,
        new=new and instance.state != "DELETED",
        # The checks and "new" change with the time alone.
        tag=repr((cloud.currency(), read_tags, [event.number for event, _ in events], restored, new, checks)),
    )


def _rules(instance: Instance, firewalls: Read[Listing[AttachedFirewall]] | None) -> list[RuleRow]:
    """Return what lets traffic through: the VM's own rules, then those of its firewalls."""
    rows = [RuleRow(rule, describe(rule), "") for rule in instance.security_rules or ()]
    for firewall in firewalls.value if firewalls else ():
        off = "" if connect.in_force(firewall) else (firewall.status or "").strip().capitalize()
        rows += [RuleRow(rule, describe(rule), firewall.name, off) for rule in firewall.rules or ()]
    return rows


def _all_rules(instance: Instance, firewalls: Read[Listing[AttachedFirewall]] | None) -> bool:
    """Return whether every rule is known that lets traffic through."""
    if firewalls is None or firewalls.value.broken or not firewalls.value.complete:
        return False
    return instance.security_rules is not None and all(row.rules is not None for row in firewalls.value)


def snapshots_of(instance: Instance, listed: Read[Listing[Snapshot]] | None) -> list[Snapshot] | None:
    """Return the snapshots that were taken of the VM, newest first; None when that is not known."""
    if listed is None:
        return None
    mine = [row for row in listed.value if row.instance_id == instance.instance_id]
    if not mine and (listed.value.broken or not listed.value.complete):
        # One of those that could not be read may be of this VM.
        return None
    return sorted(mine, key=lambda row: row.created_at, reverse=True)


def events_of(instance_id: str) -> list[tuple[Event, str]]:
    """Return the last things that were written down about the VM, newest first, with their titles."""
    found = Event.objects.filter(target_id=printable(instance_id)).order_by("-number")[:MOST_EVENTS]
    return [(event, title_of(event.action)) for event in found]


def is_restored(instance_id: str) -> bool:
    """Return whether this portal made the VM from a snapshot."""
    return Operation.objects.filter(kind="snapshot.restore", result_id=printable(instance_id)).exists()


def gone(instance_id: str) -> dict[str, Any]:
    """Return what the page of a VM says that is no longer there."""
    events = events_of(instance_id)
    name = next((event.target_name for event, _ in events if event.target_name), "")
    return {"instance_id": instance_id, "name": name, "events": events}


def newest(records: Records) -> list[BillingRecord]:
    """Return the last billing records, newest first; the one that is still running comes before all others."""
    return sorted(records.records, key=_running_then_newest, reverse=True)[:MOST_RECORDS]


def _running_then_newest(record: BillingRecord) -> tuple[bool, datetime]:
    return record.end_time is None, record.start_time


def gpu_minutes(prices: Read[Prices] | None, currency: str) -> list[tuple[str, Decimal, Decimal]]:
    """Return each GPU with its price per hour and minute, the dearest first; those without a price are left out."""
    if prices is None:
        return []
    priced = [(row.item, row.in_currency(currency)) for row in prices.value.rows if row.section == "gpus"]
    known = [(item, price, price / 60) for item, price in priced if price is not None]
    return sorted(known, key=lambda row: row[1], reverse=True)


def hibernated_hour(counted: Read[HibernatedCount] | None, currency: str) -> Decimal | None:
    """Return what a hibernated VM costs per hour: as the API says of all of them, else as it is documented."""
    metrics = counted.value.billing_metrics if counted else None
    if metrics and metrics.rate_per_hour is not None and (metrics.currency or currency) == currency:
        return metrics.rate_per_hour
    return HIBERNATED_HOUR.get(currency)
