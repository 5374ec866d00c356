"""Looking at snapshots: the list with its statistics and billing, and one snapshot's details."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.models import BillingProfile
from apps.account.roles import Can, can
from apps.snapshots import rules
from barrack_web import alerts, cloud
from barrack_web.cached import Pending, Read
from barrack_web.client import BarrackError, Listing, Prices, Snapshot, SnapshotImages, UserInstance
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import ListQuery, Sort, matches, page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds
from barrack_web.records import Records

SORTS: dict[str, Sort[Snapshot]] = {
    "newest": Sort("Newest first", lambda row: row.created_at, reverse=True),
    "oldest": Sort("Oldest first", lambda row: row.created_at),
    "name": Sort("Name", lambda row: row.snapshot_name.casefold()),
    "largest": Sort("Largest first", lambda row: row.size_gb or Decimal(0), reverse=True),
}


@dataclass(frozen=True)
class Statistics:
    """The four figures above the list, of the chosen region or of all."""

    total: int
    storage_gb: Decimal
    hourly: Decimal | None
    available_vms: int | None
    restorable: int


@require_safe
@can(Can.READ)
def list_snapshots(request: HtmxHttpRequest) -> HttpResponse:
    """The snapshots of a region: six a page, with search, sort and statistics; or their billing records."""
    if request.GET.get("tab") == "billing":
        return billing(request)
    query = ListQuery.of(request, SORTS)
    snapshots, eligible = cloud.snapshots.begin(), cloud.eligible.begin()
    prices, regions, balance = cloud.prices.begin(), cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {
        "query": query,
        "sorts": sort_options(SORTS),
        "poll_seconds": poll_seconds([]),
    }
    try:
        found = snapshots.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return show(request, "snapshots/list.html", context, part="list", status=alert.status)
    balance.or_none()
    vms, price, known, images = eligible.or_none(), prices.or_none(), regions.or_none(), _images_at_hand(found.value)
    tag = tag_of(request, cloud.currency(), *tags([found, vms, price, known, images]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= _list_context(query, found, vms, price, images)
    # Not part of the tag: whoever completes it comes back by a whole page, and each poll is spared the query.
    context["profile"] = BillingProfile.load()
    context["regions"] = cloud.region_names(known, [row.region for row in found.value])
    return show(request, "snapshots/list.html", context, part="list", tag=tag)


def _images_at_hand(listing: Listing[Snapshot]) -> Read[dict[str, SnapshotImages]] | None:
    """Return what was made of these snapshots as far as it is known; the list does not wait for it to be read anew."""
    key = cloud.batch_key(listing)
    return (cloud.images_of.begin(key).within(0) or cloud.images_of.peek(key)) if listing.rows else None


def _list_context(
    query: ListQuery,
    found: Read[Listing[Snapshot]],
    eligible: Read[Listing[UserInstance]] | None,
    prices: Read[Prices] | None,
    images: Read[dict[str, SnapshotImages]] | None,
) -> dict[str, Any]:
    here = [row for row in found.value if not query.region or row.region == query.region]
    shown = [row for row in here if matches(query.q, row.snapshot_name, row.vm_name, row.snapshot_id)]
    sort = SORTS[query.sort]
    page = page_of(sorted(shown, key=sort.key, reverse=sort.reverse), query.page)
    currency = cloud.currency()
    vms = None
    if eligible is not None:
        vms = sum(1 for row in eligible.value if not query.region or row.region == query.region)
    return {
        "found": found,
        "page": page,
        "cards": [_card(row, prices, currency, images) for row in page],
        "statistics": _statistics(here, prices, currency, vms),
        "currency": currency,
        "in_account": len(found.value),
        "poll_seconds": poll_seconds(row.in_transition for row in shown),
    }


def _card(
    row: Snapshot, prices: Read[Prices] | None, currency: str, images: Read[dict[str, SnapshotImages]] | None
) -> dict[str, Any]:
    related = images.value.get(row.snapshot_id) if images else None
    return {
        "snapshot": row,
        "hourly": rules.hourly(row, prices, currency),
        "images": related.images if related else (),
        "why_not_restorable": rules.why_not_restorable(row),
    }


def _statistics(
    rows: Sequence[Snapshot], prices: Read[Prices] | None, currency: str, available_vms: int | None
) -> Statistics:
    sizes: dict[str | None, Decimal] = {}
    for row in rows:
        if row.restorable:
            sizes[row.tier] = sizes.get(row.tier, Decimal(0)) + (row.size_gb or 0)
    return Statistics(
        total=len(rows),
        storage_gb=sum((row.size_gb or Decimal(0) for row in rows), Decimal(0)),
        hourly=rules.total_hourly(sizes, prices, currency),
        available_vms=available_vms,
        restorable=sum(row.restorable for row in rows),
    )


@require_safe
@can(Can.READ)
def billing(request: HtmxHttpRequest) -> HttpResponse:
    """What all snapshots have cost: the API's records and totals, page by page."""
    number = request.GET.get("page", "1")[:6]
    number = number if number.isascii() and number.isdigit() and 0 < int(number) < 10_000 else "1"
    pending, balance = cloud.snapshot_billing.begin(number), cloud.balance.begin()
    context: dict[str, Any] = {}
    status = 200
    try:
        context["read"] = pending.get()
    except BarrackError as error:
        context["alert"] = alerts.for_error(error)
        status = context["alert"].status
    balance.or_none()
    return show(request, "snapshots/billing.html", context, part="records", status=status)


def _bill_or_none(bill: Pending[Records] | None) -> Read[Records] | None:
    """Return what the billing tab is about, waited for in full; None on the other tab, or when it cannot be read."""
    try:
        return bill.get() if bill else None
    except BarrackError:
        return None


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, snapshot_id: str) -> HttpResponse:
    """Everything known of one snapshot and its images; on its second tab, what it has cost."""
    tab = "billing" if request.GET.get("tab") == "billing" else "details"
    snapshot, images = cloud.snapshot.begin(snapshot_id), cloud.snapshot_images.begin(snapshot_id)
    instances, prices, balance = cloud.instances.begin(), cloud.prices.begin(), cloud.balance.begin()
    bill = cloud.snapshot_records.begin(snapshot_id) if tab == "billing" else None
    found, price, vms, related = snapshot.get(), prices.or_none(), instances.or_none(), images.or_none()
    records = _bill_or_none(bill)
    running_restore = rules.running_restore(snapshot_id, vms)
    balance.or_none()
    tag = tag_of(request, running_restore, cloud.currency(), *tags([found, related, vms, price, records]))
    same = unchanged(request, tag)
    if same:
        return same
    context = {
        "found": found,
        "snapshot": found.value,
        "images": related.value if related else None,
        "vm_exists": rules.vm_exists(found.value, vms),
        "hourly": rules.hourly(found.value, price, cloud.currency()),
        "currency": cloud.currency(),
        "records": records,
        "tab": tab,
        "why_not_restorable": rules.why_not_restorable(found.value),
        "running_restore": running_restore,
        "poll_seconds": poll_seconds([found.value.in_transition]),
    }
    return show(request, "snapshots/details.html", context, part="state", tag=tag)
