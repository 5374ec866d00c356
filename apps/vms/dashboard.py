"""The first page: one VM with all that can be done with it, and the account beside it."""

import time
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from apps.account.models import BillingProfile
from apps.account.roles import Can, can
from apps.vms import facts
from apps.vms.inventory import Inventory, inventory_of
from barrack_web import alerts, cloud
from barrack_web.alerts import Alert
from barrack_web.cached import OPTIONAL_SECONDS, Pending, Read
from barrack_web.client import BarrackError, HibernatedCount, Instance, Listing, Missing
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import tag_of, tags, unchanged
from barrack_web.polling import poll_seconds

T = TypeVar("T")
# VMs in the selector; of more, the others are found on the list.
MOST_OPTIONS = 200
NO_PAGE = "This portal has no page for it yet: it is done in the Barrack account itself."


@dataclass(frozen=True)
class Link:
    """A way to somewhere else; `url` is empty while there is no page."""

    label: str
    icon: str
    url: str

    @property
    def off(self) -> str:
        return "" if self.url else NO_PAGE


@require_safe
@can(Can.READ)
def dashboard(request: HtmxHttpRequest) -> HttpResponse:
    """The chosen VM, its operations, and the account. What cannot be read leaves a hole in its own card only."""
    asked = request.GET.get("vm", "").strip()[:128]
    instances, prices, eligible = cloud.instances.begin(), cloud.prices.begin(), cloud.eligible.begin()
    balance, hibernated = cloud.balance.begin(), cloud.hibernated.begin()
    one = cloud.instance.begin(asked) if asked else None
    listed, list_alert = _soon(instances) if one else _read(instances)
    end = time.monotonic() + OPTIONAL_SECONDS
    price, offered = prices.or_none(end), eligible.or_none(end)
    counted, money = hibernated.or_none(end), balance.or_none(end)
    inventory = inventory_of(listed, price, cloud.currency()) if listed else None
    found, alert = _chosen(one, listed, inventory)
    profile = BillingProfile.load()
    said = (alert and alert.title, list_alert and list_alert.title, profile.complete, profile.tax_number)
    tag = tag_of(request, cloud.currency(), *said, *tags([listed, found, money, price, offered, counted]))
    same = unchanged(request, tag)
    if same:
        return same
    context = {
        "vm": facts.brief_of(request, found, price, offered) if found else None,
        "found": found,
        "instance": found.value if found else None,
        "board_url": _board_url(request, found),
        "alert": alert,
        "list_alert": list_alert,
        "listed": listed,
        "in_account": len(inventory) if inventory else 0,
        "options": _options(inventory, found.value if found else None),
        "more": inventory is not None and len(inventory) > MOST_OPTIONS,
        "hibernated": _hibernated(counted, inventory),
        "statistics": inventory.statistics("") if inventory else None,
        "money": money,
        "profile": profile,
        "currency": cloud.currency(),
        "quick_actions": quick_actions(),
        "create_volume": link("Create Volume", "database", "storage:create"),
        "poll_seconds": poll_seconds([bool(found and found.value.in_transition)]),
    }
    return show(request, "vms/dashboard.html", context, part="board", tag=tag)


def _read(pending: Pending[T]) -> tuple[Read[T] | None, Alert | None]:
    """Return the read, or the alert that stands in its place."""
    try:
        return pending.get(), None
    except Missing:
        return None, GONE
    except BarrackError as error:
        return None, alerts.for_error(error)


def _soon(pending: Pending[T]) -> tuple[Read[T] | None, Alert | None]:
    """Return as `_read` does, without waiting in full: the page has something else to show."""
    read = pending.or_none()
    if read is not None or pending.failed:
        return _read(pending)
    return None, SLOW


SLOW = Alert(
    title="The list of VMs takes long",
    text="It comes as soon as Barrack has sent it; this page looks again by itself.",
    status=200,
)
GONE = Alert(
    title="This VM no longer exists",
    text="Barrack knows no VM of this id; it was deleted, here or outside the portal. Choose another one.",
    status=404,
)


def _chosen(
    one: Pending[Instance] | None, listed: Read[Listing[Instance]] | None, inventory: Inventory | None
) -> tuple[Read[Instance] | None, Alert | None]:
    """Return the VM that was asked for, as the list has it when it cannot be read itself; else the first choice."""
    if one is None:
        return (_first_of(listed, inventory) if listed and inventory else None), None
    found, alert = _read(one)
    if alert is None or alert is GONE or listed is None:
        return found, alert
    row = next((row for row in listed.value if row.instance_id == one.key), None)
    return (Read(row, listed.at, listed.version, listed.problem), None) if row else (None, alert)


def _board_url(request: HtmxHttpRequest, found: Read[Instance] | None) -> str:
    """Return where the board is read anew: it stays with its VM, also when another one is now the first choice."""
    if found is None:
        return request.get_full_path()
    return f"{reverse('home')}?{urlencode({'vm': found.value.instance_id})}"


def _first_of(listed: Read[Listing[Instance]], inventory: Inventory) -> Read[Instance] | None:
    """Return the VM to show when none is asked for: the newest that runs, else the newest that is not deleted."""
    newest = inventory.orders["newest"]
    chosen = next((line for line in newest if line.state == "ACTIVE"), None)
    chosen = chosen or next((line for line in newest if line.state != "DELETED"), None)
    return Read(chosen.instance, listed.at, listed.version, listed.problem) if chosen else None


def _options(inventory: Inventory | None, chosen: Instance | None) -> list[Instance]:
    """Return the VMs of the selector by name, the chosen one always among them."""
    lines = inventory.orders["name"] if inventory else ()
    options = [line.instance for line in lines if line.state != "DELETED"][:MOST_OPTIONS]
    if chosen and all(row.instance_id != chosen.instance_id for row in options):
        options.insert(0, chosen)
    return options


def _hibernated(counted: Read[HibernatedCount] | None, inventory: Inventory | None) -> int | None:
    """Return how many VMs are hibernated: the API's own count, else counted from the list, None without either."""
    if counted:
        return counted.value.count
    return inventory.statistics("").hibernated if inventory else None


def quick_actions() -> list[Link]:
    """Return the four that are documented."""
    return [
        link("Deploy VM", "rocket", "deploy:wizard"),
        link("SSH Keys", "key", "security:ssh_keys"),
        link("Volumes", "database", "storage:list"),
        link("Snapshots", "camera", "snapshots:list"),
    ]


def link(label: str, icon: str, name: str) -> Link:
    """Return the way to a page, without an address while there is no such page."""
    try:
        return Link(label, icon, reverse(name))
    except NoReverseMatch:
        return Link(label, icon, "")
