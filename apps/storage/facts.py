"""What may be done with a volume and why not, what it costs, and which VM has it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, Generic, TypeVar

from django.conf import settings
from django.urls import reverse

from apps.account.gates import with_way_back
from apps.activity.kinds import KINDS
from apps.activity.models import OPEN_STATES, Operation
from apps.activity.perform import Outcome
from barrack_web import clock
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import (
    VOLUME_ALLOWS,
    VOLUME_ATTACHED,
    VOLUME_LEAST_BALANCE,
    VOLUME_MOVES_ON,
    BalanceSheet,
    Instance,
    Prices,
    Volume,
)
from barrack_web.costs import MONTH_HOURS
from barrack_web.templatetags.ui import money


def why_not(action: str, volume: Volume) -> str:
    """Return why a volume takes no such action now, "" when it does; `action` as in VOLUME_ALLOWS.

    Whether it is attached goes before its status: an attached one is not "in the wrong state", it has a VM.
    """
    if volume.in_transition:
        return f"Its status is {volume.status[:40]}. Wait until that is over."
    if action in {"attach", "delete"} and volume.attached:
        return f"It is attached to {vm_name(volume)}. {_while_attached(action, volume)}"
    # Whatever word its status is: a volume that names a VM can only be freed there.
    if volume.state in VOLUME_ALLOWS[action] or (action == "detach" and volume.attached):
        return ""
    if action == "detach":
        return "It is not attached to a VM."
    return f"Its status is {volume.status[:40]}."


def _while_attached(action: str, volume: Volume) -> str:
    if action == "delete" and volume.bootable:
        return "Detach it first; one that the VM runs from stays as long as that VM."
    if action == "delete":
        return "Detach it first."
    if volume.bootable:
        return "Bootable volumes that are already in use cannot be attached to another VM."
    return "A volume has one VM at a time; detach it there first."


def vm_name(volume: Volume) -> str:
    """Return the name of the VM that has it, as far as the volume itself says, else its id, else "a VM"."""
    return (volume.attached_vm_name or volume.instance_id or "a VM")[:60]


def vm_of(volume: Volume, instances: Iterable[Instance]) -> tuple[str, Instance | None]:
    """Return the id of the VM that has the volume, and the VM itself where it is in the list; "" when none is found.

    Looked for where the documentation looks: the volume's own `instance_id`, then the attachments that VMs name, then
    among the VMs of its region the one that bears the name which the volume gives.
    """
    rows = list(instances)
    if volume.instance_id:
        return volume.instance_id, next((row for row in rows if row.instance_id == volume.instance_id), None)
    if volume.state not in VOLUME_ATTACHED:
        return "", None
    rows = [row for row in rows if row.state != "DELETED"]
    for row in rows:
        if any(found.volume_id == volume.volume_id for found in row.volumes or ()):
            return row.instance_id, row
    here = [row for row in rows if row.region == volume.region and row.vm_name == volume.attached_vm_name]
    return (here[0].instance_id, here[0]) if len(here) == 1 else ("", None)


def boots(volume: Volume, instance: Instance | None) -> bool:
    """Return whether the VM runs from this volume, by what either says."""
    mine = [row for row in (instance.volumes or ()) if row.volume_id == volume.volume_id] if instance else []
    return any(row.boots or (volume.bootable and not row.device) for row in mine)


# What an operation holds while it is under way: a volume, a VM.
_VOLUME, _VM = KINDS["volume.attach"], KINDS["instance.attach_volumes"]


def under_way(kind: str, target_id: str) -> frozenset[str]:
    """Return the volumes and VMs on which something sent from this portal is not settled yet, as `Kind.exclusive`.

    The operation itself, `kind` on `target_id`, is left out: sending it once more does no harm.
    """
    since = clock.now() - timedelta(seconds=settings.LOOK_FOR_SECONDS)
    found: set[str] = set()
    for row in Operation.objects.filter(state__in=OPEN_STATES, sent_at__gte=since).exclude(exclusive=""):
        if (row.kind, row.target_id) == (kind, target_id):
            continue
        found.add(row.exclusive)
        if row.kind in {"volume.attach", "volume.detach"}:
            found |= {_VM.exclusive(known) for known in row.known_ids}
        if row.kind == "instance.attach_volumes":
            found |= {_VOLUME.exclusive(known) for known in row.known_ids}
    return frozenset(found)


def unsettled(volume_id: str, busy: Collection[str]) -> Alert | None:
    """Return the alert while something else that was sent for this volume is not settled; `busy` as of `under_way`."""
    if _VOLUME.exclusive(volume_id) not in busy:
        return None
    return Alert(
        title="Another operation is under way",
        text="Something else was sent for this volume, and what came of it is not known yet. Nothing was sent now.",
        todo="Wait until it is known; Activity shows it.",
        status=409,
        link=reverse("activity:list"),
        link_text="Activity",
    )


def sent_to(volume_id: str) -> str:
    """Return the id of the VM to which the volume was sent while nobody knows yet what came of it, "" when to none."""
    since = clock.now() - timedelta(seconds=settings.LOOK_FOR_SECONDS)
    rows = Operation.objects.filter(kind="volume.attach", target_id=volume_id, state__in=OPEN_STATES)
    row = rows.filter(sent_at__gte=since).first()
    return str(row.known_ids[0]) if row and row.known_ids else ""


def why_not_vm(vm: Instance, busy: Collection[str] = ()) -> str:
    """Return why no volume can be attached to that VM or detached from it now, "" when it can."""
    if vm.in_transition:
        return f"Another operation is under way: its status is {vm.status.strip()[:40]}."
    if vm.state not in VOLUME_MOVES_ON:
        return _VM_SAID.get(vm.state, f"Its status is {vm.status.strip()[:40]}; it has to be ACTIVE.")
    return "Another operation is under way." if _VM.exclusive(vm.instance_id) in busy else ""


_VM_SAID: Final = {
    "SHUTOFF": "It is stopped and has to be ACTIVE: start it first.",
    "HIBERNATED": "It is hibernated and has to be ACTIVE: restore it first.",
    "DELETED": "It is deleted.",
}


T = TypeVar("T")


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """A VM or a volume that a form offers; `off` is why it cannot be chosen, "" when it can."""

    row: T
    off: str


def vms_for(volume: Volume, instances: Iterable[Instance], busy: Collection[str]) -> list[Candidate[Instance]]:
    """Return the VMs of the volume's region, those that it can be attached to first.

    While nobody knows whether it has come to one of them, it is offered to no other.
    """
    only = sent_to(volume.volume_id)
    here = [row for row in instances if row.region == volume.region and row.state != "DELETED"]
    here.sort(key=lambda row: row.vm_name.casefold())
    elsewhere = "The volume was sent to another VM, and what came of that is not known yet."
    found = [Candidate(row, elsewhere if only and row.instance_id != only else why_not_vm(row, busy)) for row in here]
    return sorted(found, key=lambda one: bool(one.off))


def volumes_for(vm: Instance, volumes: Iterable[Volume], busy: Collection[str]) -> list[Candidate[Volume]]:
    """Return the volumes of the VM's region, those that can be attached to it first."""
    rows = sorted((row for row in volumes if row.region == vm.region), key=lambda row: row.volume_name.casefold())
    found = [Candidate(row, _why_not_there(row, vm, busy)) for row in rows]
    return sorted(found, key=lambda one: bool(one.off))


def _why_not_there(volume: Volume, vm: Instance, busy: Collection[str]) -> str:
    if volume.instance_id == vm.instance_id and not volume.in_transition:
        return "It is attached to this VM already."
    if _VOLUME.exclusive(volume.volume_id) in busy:
        return "Another operation is under way."
    return why_not("attach", volume)


def not_now(action: str, volume: Volume, busy: Collection[str] = ()) -> Alert | None:
    """Return the alert for a volume that takes no such action now; `busy` as of `under_way`."""
    reason = why_not(action, volume)
    if reason:
        return Alert(title=f"This volume cannot be {_DONE[action]} now", text=reason)
    return unsettled(volume.volume_id, busy)


_DONE: Final = {
    "attach": "attached",
    "detach": "detached",
    "resize": "resized",
    "clone": "cloned",
    "delete": "deleted",
}


def device_of(volume: Volume, vm: Instance | None) -> str:
    """Return the volume's device on the VM, "" when the VM does not say, or says what no command should hold."""
    devices = [row.device or "" for row in (vm.volumes or ()) if row.volume_id == volume.volume_id] if vm else []
    return next((device for device in devices if re.fullmatch(r"/dev/[a-z0-9]{1,20}", device)), "")


def refused(outcome: Outcome, text: str, todo: str) -> Outcome:
    """Return the outcome with words that fit, when the API refused the write in the present state (409)."""
    alert, operation = outcome.alert, outcome.operation
    if alert is None or operation is None or operation.upstream_status != 409 or operation.open:
        return outcome
    return replace(outcome, alert=replace(alert, text=f"{text} Nothing was changed.", todo=todo))


def hourly(volume: Volume, prices: Read[Prices] | None, currency: str) -> Decimal | None:
    """Return what the volume costs per hour by its size, an estimate; None when no price is known."""
    return price(volume.size_gb, volume.volume_type, volume.tier, prices, currency)


def price(
    size_gb: Decimal | int, volume_type: str | None, tier: str | None, prices: Read[Prices] | None, currency: str
) -> Decimal | None:
    """Return what so many GB of that type cost per hour; without a price of its own, by the first that there is."""
    if prices is None:
        return None
    ask = prices.value.volume_hour
    wanted = Decimal(size_gb)
    found = ask(wanted, currency, volume_type, tier)
    return found if found is not None else ask(wanted, currency, volume_type)


def monthly(hour: Decimal | None) -> Decimal | None:
    """Return what 30 days cost."""
    return None if hour is None else hour * MONTH_HOURS


def least_balance_alert(balance: Read[BalanceSheet] | None, back: str = "") -> Alert | None:
    """Return the alert while the balance is below what a new volume takes; None when it is not, or is not known.

    `back` is the page that Credits leads back to, "" for a form that stays open beside it.
    """
    primary = balance.value.primary if balance else None
    least = VOLUME_LEAST_BALANCE.get(primary.currency) if primary else None
    if primary is None or least is None or primary.amount >= least:
        return None
    currency = primary.currency
    return Alert(
        title="Insufficient Credits",
        text=f"A new volume takes a balance of at least {money(least, currency)}; "
        f"it is {money(primary.amount, currency)}. Nothing was sent.",
        todo="Add credits to the Barrack account, then send the form again; it keeps what you typed.",
        link=with_way_back(reverse("credits"), back),
        link_text="Add credits",
        new_tab=not back,
    )
