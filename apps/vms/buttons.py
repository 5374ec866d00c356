"""The buttons of one VM: which its visitor has, where they lead, and why one is off."""

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from apps.account.models import User
from apps.vms.states import ACTIONS, why_not
from barrack_web.alerts import while_failing
from barrack_web.cached import Read
from barrack_web.client import Instance, Listing, UserInstance

# Longer ones are refused by the API client too.
ID_LENGTH = 128
NO_ADDRESS = "Barrack sent an id that cannot be used in an address."
NOT_ELIGIBLE = "The VM is ACTIVE, but the cloud does not offer it for snapshots now."


@dataclass(frozen=True)
class Button:
    """A button: off when `off` says why."""

    key: str
    label: str
    icon: str
    url: str
    off: str
    danger: bool


def address(name: str, instance_id: str) -> str:
    """Return the address of a page of the VM, "" for an id that cannot stand in one."""
    if not 0 < len(instance_id) <= ID_LENGTH or not instance_id.strip("."):
        return ""
    try:
        return reverse(f"vms:{name}", args=[instance_id])
    except NoReverseMatch:
        return ""


def buttons_of(
    instance: Instance,
    user: User,
    read: Read[Any],
    keys: tuple[str, ...] = tuple(ACTIONS),
    eligible: Read[Listing[UserInstance]] | None = None,
) -> dict[str, Button]:
    """Return the buttons that the visitor's role has, by key; `eligible` tells of which VMs snapshots are taken."""
    return {
        key: Button(key, _label(key, instance), ACTIONS[key].icon, address(key.replace("-", "_"), instance.instance_id),
                    _off(key, instance, read, eligible), ACTIONS[key].danger)
        for key in keys
        if user.can(ACTIONS[key].needs)
    }  # fmt: skip


def _label(key: str, instance: Instance) -> str:
    if key == "public-ip":
        return "Remove public IP" if instance.public_ip else "Add public IP"
    return ACTIONS[key].label


def _off(key: str, instance: Instance, read: Read[Any], eligible: Read[Listing[UserInstance]] | None) -> str:
    if read.problem is not None:
        return f"{while_failing(read.problem)}, so nothing can be changed now."
    if not address("details", instance.instance_id):
        return NO_ADDRESS
    reason = why_not(key, instance)
    if reason or key != "snapshot" or eligible is None or eligible.value.broken or not eligible.value.complete:
        return reason
    listed = any(row.instance_id == instance.instance_id for row in eligible.value)
    return "" if listed else NOT_ELIGIBLE
