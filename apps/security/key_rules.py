"""What holds for SSH keys: how many there may be, which VMs use one, and where a deployment that wants one goes on."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import Instance, Listing, SSHKey

# Per region, and every key goes to all regions (source: user documentation): so it is counted for the account.
MOST_KEYS = 25
# The client asks the API for no longer id.
LONGEST_ID = 128
# ACTIVE (source: user documentation), and the states that lead to it (source: assumed).
IN_USE = frozenset({"ACTIVE", "CREATING", "BUILD", "STARTING", "RESTORING", "REBOOTING"})
GONE = frozenset({"DELETING", "DELETED"})


@dataclass(frozen=True)
class Users:
    """The VMs that a key was put on: those that keep it from being deleted, and those that have it and rest.

    `known` is False when the VMs could not be read now.
    """

    active: list[Instance]
    resting: list[Instance]
    known: bool = True

    @property
    def all(self) -> list[Instance]:
        return [*self.active, *self.resting]


def users_of(name: str, instances: Read[Listing[Instance]] | None) -> Users:
    """Return the VMs that name this key. What a restored snapshot brought along, the API does not say."""
    rows = instances.value if instances else ()
    mine = sorted(
        (row for row in rows if name in (row.ssh_keys or ()) and row.state not in GONE),
        key=lambda row: row.vm_name.casefold(),
    )
    return Users(
        [row for row in mine if row.state in IN_USE],
        [row for row in mine if row.state not in IN_USE],
        known=instances is not None and not instances.stale,
    )


def counted(keys: Listing[SSHKey]) -> int:
    """Return how many keys there are, with those that could not be read."""
    return len(keys) + keys.broken


def full(keys: Listing[SSHKey]) -> str:
    """Return why there is no room for another key, "" while there is."""
    there = counted(keys)
    if there < MOST_KEYS:
        return ""
    return (
        f"Maximum of {MOST_KEYS} SSH keys per region: there are {there}, and every key is in all regions. "
        "Delete one that is no longer used first."
    )


def no_room(keys: Listing[SSHKey]) -> Alert | None:
    """Return the alert for a form that nothing can come of, because there is no room."""
    reason = full(keys)
    return Alert(title="There is no room for another key", text=reason, todo="Nothing was sent.") if reason else None


def in_use(users: Users) -> Alert | None:
    """Return the alert while a VM keeps the key from being deleted, as far as is known."""
    if not users.active or not users.known:
        return None
    number = len(users.active)
    return Alert(
        title="This key cannot be deleted now",
        text=f"It is currently in use by active VMs: {_names(row.vm_name for row in users.active)}.",
        todo=f"Stop or delete {'it' if number == 1 else 'them'} first, or keep the key. Nothing was sent.",
        status=409,
    )


def _names(names: Iterable[str], most: int = 5) -> str:
    shown = [name[:60] for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def url_of(key: SSHKey) -> str:
    """Return the address of a key's page, "" for an id that cannot stand in one, or none."""
    if not key.id or len(key.id) > LONGEST_ID:
        return ""
    try:
        return reverse("security:ssh_key", args=[key.id])
    except NoReverseMatch:
        return ""


def asking_draft(request: HttpRequest) -> str:
    """Return the id of the deployment's draft that asked for a key, "" when none did."""
    if request.GET.get("to") != "deploy":
        return ""
    try:
        return str(UUID(request.GET.get("draft", "")))
    except ValueError:
        return ""


def deployment(request: HttpRequest, **more: str) -> str:
    """Return the address of the deployment that asked for a key, "" when none did."""
    draft = asking_draft(request)
    return f"{reverse('deploy:wizard')}?{urlencode({'draft': draft, **more})}" if draft else ""
