"""Looking at custom images: the list with its statistics, and one image with its snapshot and its VMs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.images import rules
from barrack_web import alerts, cloud
from barrack_web.cached import Read
from barrack_web.client import BarrackError, Image, Listing, Snapshot
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import ListQuery, Sort, matches, page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds

LONG_AGO = datetime.min.replace(tzinfo=UTC)
SORTS: dict[str, Sort[Image]] = {
    "newest": Sort("Newest first", lambda row: row.created_at or LONG_AGO, reverse=True),
    "name": Sort("Name", lambda row: row.name.casefold()),
    "largest": Sort("Largest first", lambda row: row.size_gb or Decimal(0), reverse=True),
}


@dataclass(frozen=True)
class Card:
    """One image, where its page and the wizard with it are, and what it was made from."""

    image: Image
    source: rules.Source | None

    @property
    def url(self) -> str:
        return rules.url_of(self.image)

    @property
    def deploy_url(self) -> str:
        return rules.deploy_url(self.image)

    @property
    def why_not_usable(self) -> str:
        return rules.why_not_usable(self.image)


@dataclass(frozen=True)
class Statistics:
    """The four figures above the list, of the chosen region or of all; `without_size` images are not in the sum."""

    total: int
    regions: int
    storage_gb: Decimal
    without_size: int
    usable: int
    being_made: int


@require_safe
@can(Can.READ)
def list_images(request: HtmxHttpRequest) -> HttpResponse:
    """The custom images of a region: six a page, with search, sort and statistics."""
    query = ListQuery.of(request, SORTS)
    images, snapshots = cloud.images.begin(), cloud.snapshots.begin()
    regions, balance = cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = images.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return show(request, "images/list.html", context, part="list", status=alert.status)
    balance.or_none()
    sources, known = snapshots.or_none(), regions.or_none()
    tag = tag_of(request, *tags([found, sources, known]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= _list_context(query, found, sources)
    context["regions"] = cloud.region_names(known, [row.region for row in found.value])
    return show(request, "images/list.html", context, part="list", tag=tag)


def _list_context(
    query: ListQuery, found: Read[Listing[Image]], snapshots: Read[Listing[Snapshot]] | None
) -> dict[str, Any]:
    here = [row for row in found.value if not query.region or row.region == query.region]
    known = rules.by_id(snapshots)
    shown = [row for row in here if matches(query.q, row.name, row.image_id, *_source_words(row, known))]
    sort = SORTS[query.sort]
    page = page_of(sorted(shown, key=sort.key, reverse=sort.reverse), query.page)
    return {
        "found": found,
        "page": page,
        "cards": [Card(row, rules.source_of(row, known, snapshots)) for row in page],
        "statistics": _statistics(here),
        "in_account": len(found.value),
        "poll_seconds": poll_seconds(row.in_transition for row in shown),
    }


def _source_words(row: Image, known: Mapping[str, Snapshot]) -> tuple[str, ...]:
    snapshot = known.get(row.snapshot_id or "")
    return (row.snapshot_id or "", snapshot.snapshot_name if snapshot else "")


def _statistics(rows: Sequence[Image]) -> Statistics:
    sizes = [row.size_gb for row in rows if row.size_gb is not None]
    return Statistics(
        total=len(rows),
        regions=len({row.region for row in rows}),
        storage_gb=sum(sizes, Decimal(0)),
        without_size=len(rows) - len(sizes),
        usable=sum(row.usable for row in rows),
        being_made=sum(row.in_transition and not rules.deleted(row) for row in rows),
    )


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, image_id: str) -> HttpResponse:
    """Everything known of one image: what it is, the snapshot it comes from, the VMs that were deployed from it."""
    one, images = cloud.image.begin(image_id), cloud.images.begin()
    snapshots, balance = cloud.snapshots.begin(), cloud.balance.begin()
    instances, os_images = cloud.instances.begin(), cloud.os_images.begin()
    found, listed, sources = one.get(), images.or_none(), snapshots.or_none()
    vms, systems = instances.or_none(), os_images.or_none()
    balance.or_none()
    tag = tag_of(request, *tags([found, listed, sources, vms, systems]))
    same = unchanged(request, tag)
    if same:
        return same
    image = found.value
    card = Card(image, rules.source_of(image, rules.by_id(sources), sources))
    context = {
        "found": found,
        "image": image,
        "card": card,
        "siblings": _siblings(image, listed),
        "deployed": rules.vms_of(image, vms, systems),
        "poll_seconds": poll_seconds([image.in_transition]),
    }
    return show(request, "images/details.html", context, part="state", tag=tag)


def _siblings(image: Image, images: Read[Listing[Image]] | None) -> list[Card]:
    """Return the other images of the same snapshot, as far as they are at hand."""
    rows = images.value if images and image.snapshot_id else ()
    return [Card(row, None) for row in rows if row.snapshot_id == image.snapshot_id and row.image_id != image.image_id]
