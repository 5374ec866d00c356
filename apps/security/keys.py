"""Looking at SSH keys: the list with its statistics, and one key with its VMs and its SSH configuration."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.activity.kinds import title_of
from apps.activity.models import Event, Operation, State
from apps.security import key_rules
from apps.security.key_forms import KeyNameField
from apps.security.key_rules import Users
from barrack_web import alerts, cloud
from barrack_web.cached import Read
from barrack_web.client import BarrackError, Instance, Listing, SSHKey
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.key_text import PublicKey, facts_of
from barrack_web.lists import ListQuery, Sort, matches, page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds

LONG_AGO = datetime.min.replace(tzinfo=UTC)
MOST_EVENTS = 5
# More of a public key than this is not shown: no type needs it.
SHOWN_CHARACTERS = 8_000
SOURCES = {"key.create": "Created in this portal", "key.import": "Imported in this portal"}


def created_at(row: SSHKey) -> datetime:
    """Return when the key was made, as far as the API says."""
    return row.created_at or LONG_AGO


SORTS: dict[str, Sort[SSHKey]] = {
    "newest": Sort("Newest first", created_at, reverse=True),
    "oldest": Sort("Oldest first", created_at),
    "name": Sort("Name A–Z", lambda row: row.name.casefold()),
    "name-reverse": Sort("Name Z–A", lambda row: row.name.casefold(), reverse=True),
}


@dataclass(frozen=True)
class Card:
    """One key of the list; `facts` is None for a key that cannot be read, `url` "" for an id that has no address."""

    key: SSHKey
    facts: PublicKey | None
    users: Users
    url: str

    @property
    def public_key(self) -> str:
        return (self.key.public_key or "")[:SHOWN_CHARACTERS]

    @property
    def fingerprint(self) -> str:
        """The API's own, else that of the public key as ssh-keygen writes it; "" without both."""
        return self.key.fingerprint or (self.facts.fingerprint if self.facts else "")


@dataclass(frozen=True)
class Statistics:
    """The figures above the list, of the chosen region or of all."""

    total: int
    in_account: int
    most: int
    in_use: int | None
    kinds: list[tuple[str, int]]
    newest: datetime | None


@require_safe
@can(Can.READ)
def list_keys(request: HtmxHttpRequest) -> HttpResponse:
    """The SSH keys of a region: six a page, with search, sort and statistics."""
    query = ListQuery.of(request, SORTS)
    keys, instances = cloud.ssh_keys.begin(), cloud.instances.begin()
    regions, balance = cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = keys.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return show(request, "security/keys.html", context, part="list", status=alert.status)
    balance.or_none()
    vms, known = instances.or_none(), regions.or_none()
    tag = tag_of(request, *tags([found, vms, known]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= _list_context(query, found, vms)
    context["regions"] = cloud.region_names(known, [name for row in found.value for name in row.regions or ()])
    return show(request, "security/keys.html", context, part="list", tag=tag)


def _list_context(
    query: ListQuery, found: Read[Listing[SSHKey]], vms: Read[Listing[Instance]] | None
) -> dict[str, Any]:
    here = [row for row in found.value if _is_in(row, query.region)]
    shown = [row for row in here if matches(query.q, row.name)]
    sort = SORTS[query.sort]
    page = page_of(sorted(shown, key=sort.key, reverse=sort.reverse), query.page)
    return {
        "found": found,
        "page": page,
        "cards": [_card(row, vms) for row in page],
        "statistics": _statistics(here, found.value, vms),
        "full": key_rules.full(found.value),
    }


def _is_in(row: SSHKey, region: str) -> bool:
    """Return whether a key is in a region: in all of them, unless the API says otherwise."""
    return not region or row.regions is None or region in row.regions


def _card(row: SSHKey, vms: Read[Listing[Instance]] | None) -> Card:
    return Card(row, facts_of(row.public_key), key_rules.users_of(row.name, vms), key_rules.url_of(row))


def _statistics(rows: Sequence[SSHKey], listing: Listing[SSHKey], vms: Read[Listing[Instance]] | None) -> Statistics:
    facts = [facts_of(row.public_key) for row in rows]
    kinds = Counter(found.kind.partition(" ")[0] if found else "unknown" for found in facts)
    return Statistics(
        total=len(rows),
        in_account=key_rules.counted(listing),
        most=key_rules.MOST_KEYS,
        in_use=sum(bool(key_rules.users_of(row.name, vms).active) for row in rows) if vms else None,
        kinds=kinds.most_common(3),
        newest=max((row.created_at for row in rows if row.created_at), default=None),
    )


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, key_id: str) -> HttpResponse:
    """Everything known of one key: what it is, where it is, which VMs have it, and how SSH is told to use it."""
    one, instances = cloud.ssh_key.begin(key_id), cloud.instances.begin()
    regions, balance = cloud.regions.begin(), cloud.balance.begin()
    found, vms, known = one.get(), instances.or_none(), regions.or_none()
    events, source = events_of(key_id), source_of(key_id)
    balance.or_none()
    tag = tag_of(request, source, [event.number for event, _ in events], *tags([found, vms, known]))
    same = unchanged(request, tag)
    if same:
        return same
    key = found.value
    card = _card(key, vms)
    context = {
        "found": found,
        "key": key,
        "card": card,
        "places": _places(key, cloud.region_names(known, [])),
        "source": SOURCES.get(source, ""),
        "file": file_of(key, source),
        "events": events,
        "poll_seconds": poll_seconds([]),
    }
    return show(request, "security/key.html", context, part="state", tag=tag)


def _places(key: SSHKey, known: Sequence[str]) -> list[tuple[str, bool]]:
    """Return every region, and whether the key is there; none while the API does not say where it is."""
    if key.regions is None:
        return []
    return [(name, name in key.regions) for name in sorted({*known, *key.regions})]


def source_of(key_id: str) -> str:
    """Return the kind of the operation that made the key here, "" for one that came another way: the API tells none."""
    made = Operation.objects.filter(kind__in=SOURCES, result_id=key_id, state=State.DONE).first()
    return made.kind if made else ""


def file_of(key: SSHKey, source: str) -> str:
    """Return the path of the private key for an SSH configuration: where it was most likely put after the download."""
    plain = key.name and all(KeyNameField.allowed.fullmatch(character) for character in key.name)
    return f"~/.ssh/{key.name}.pem" if source == "key.create" and plain else "~/.ssh/your_private_key"


def events_of(key_id: str) -> list[tuple[Event, str]]:
    """Return the last things that were done with this key, newest first, with their titles.

    Ids of keys are numbers that other things of the account may have too.
    """
    mine = Q(target_id=key_id) | Q(result_id=key_id)
    found = Event.objects.filter(mine, action__startswith="key.").order_by("-number")[:MOST_EVENTS]
    return [(event, title_of(event.action)) for event in found]
