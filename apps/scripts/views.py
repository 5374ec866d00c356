"""Looking at startup scripts: the list with its statistics, and one script with its content."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.activity.kinds import title_of
from apps.activity.models import Event
from barrack_web import alerts, cloud
from barrack_web.cached import Read
from barrack_web.client import BarrackError, Listing, Script
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import ListQuery, Sort, matches, page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds
from barrack_web.script_text import MOST_BYTES, Kind, Secret, kind_of, secrets_in, size_of

LONG_AGO = datetime.min.replace(tzinfo=UTC)
MOST_EVENTS = 5
# The client asks the API for no longer one.
LONGEST_ID = 128
# An API that keeps to its own bound never sends more than this of one script.
SHOWN_CHARACTERS = 100_000
# With more lines than this, numbering each of them costs more than it helps.
NUMBERED_LINES = 2_000


def changed_at(row: Script) -> datetime:
    """Return when the script was last changed, as far as the API says."""
    return row.updated_at or row.created_at or LONG_AGO


SORTS: dict[str, Sort[Script]] = {
    "newest": Sort("Last changed first", changed_at, reverse=True),
    "name": Sort("Name", lambda row: row.name.casefold()),
    "largest": Sort("Largest first", lambda row: size_of(row.content), reverse=True),
}


@dataclass(frozen=True)
class Statistics:
    """The figures above the list."""

    total: int
    shell: int
    cloud_config: int
    flagged: int
    largest: int
    most: int
    changed_at: datetime | None


@dataclass(frozen=True)
class Card:
    """One script of the list; `url` is empty for an id that cannot stand in an address."""

    script: Script
    size: int
    kind: Kind
    secrets: tuple[Secret, ...]
    url: str


@require_safe
@can(Can.READ)
def list_scripts(request: HtmxHttpRequest) -> HttpResponse:
    """The startup scripts of the account: six a page, with search, sort and statistics."""
    query = replace(ListQuery.of(request, SORTS), region="")
    scripts, balance = cloud.scripts.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = scripts.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        return show(request, "scripts/list.html", context | {"alert": alert}, part="list", status=alert.status)
    balance.or_none()
    tag = tag_of(request, *tags([found]))
    same = unchanged(request, tag)
    if same:
        return same
    return show(request, "scripts/list.html", context | _list_context(query, found), part="list", tag=tag)


def _list_context(query: ListQuery, found: Read[Listing[Script]]) -> dict[str, Any]:
    shown = [row for row in found.value if matches(query.q, row.name, row.description)]
    sort = SORTS[query.sort]
    page = page_of(sorted(shown, key=sort.key, reverse=sort.reverse), query.page)
    return {
        "found": found,
        "page": page,
        "cards": [_card(row) for row in page],
        "shown": len(shown),
        "statistics": _statistics(found.value.rows),
    }


def _card(row: Script) -> Card:
    return Card(row, size_of(row.content), kind_of(row.content), secrets_in(row.content), url_of(row.script_id))


def url_of(script_id: str) -> str:
    """Return the address of a script's page, "" for an id that cannot stand in one."""
    if len(script_id) > LONGEST_ID:
        return ""
    try:
        return reverse("scripts:details", args=[script_id])
    except NoReverseMatch:
        return ""


def _statistics(rows: Sequence[Script]) -> Statistics:
    kinds = [kind_of(row.content) for row in rows]
    times = [changed_at(row) for row in rows if changed_at(row) != LONG_AGO]
    return Statistics(
        total=len(rows),
        shell=kinds.count(Kind.SHELL),
        cloud_config=kinds.count(Kind.CLOUD_CONFIG),
        flagged=sum(bool(secrets_in(row.content)) for row in rows),
        largest=max((size_of(row.content) for row in rows), default=0),
        most=MOST_BYTES,
        changed_at=max(times, default=None),
    )


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, script_id: str) -> HttpResponse:
    """Everything known of one script, with its content and what was done with it through the portal."""
    script, balance = cloud.script.begin(script_id), cloud.balance.begin()
    found = script.get()
    events = events_of(script_id)
    balance.or_none()
    tag = tag_of(request, [event.number for event, _ in events], *tags([found]))
    same = unchanged(request, tag)
    if same:
        return same
    content = found.value.content
    context = {
        "found": found,
        "script": found.value,
        "card": _card(found.value),
        "lines": lines_of(content[:SHOWN_CHARACTERS]),
        "cut": len(content) > SHOWN_CHARACTERS,
        "most": MOST_BYTES,
        "events": events,
        "poll_seconds": poll_seconds([]),
    }
    return show(request, "scripts/details.html", context, part="state", tag=tag)


def lines_of(content: str) -> list[str]:
    """Return the lines, each with its line end, to be numbered; all of them as one when they are too many."""
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > NUMBERED_LINES:
        return [content]
    kept = [f"{line}\n" for line in lines[:-1]]
    return [*kept, lines[-1]] if lines[-1] else kept


def events_of(script_id: str) -> list[tuple[Event, str]]:
    """Return the last things that were done with this script, newest first, with their titles.

    Ids of scripts are numbers that other things of the account may have too.
    """
    mine = Q(target_id=script_id) | Q(result_id=script_id)
    found = Event.objects.filter(mine, action__startswith="script.").order_by("-number")[:MOST_EVENTS]
    return [(event, title_of(event.action)) for event in found]
