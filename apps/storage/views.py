"""Looking at volumes: the list with its statistics, and one volume with what it has cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.paginator import Page
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.storage import facts
from apps.storage.cards import card_of, folder_of, next_step
from barrack_web import alerts, cloud
from barrack_web.cached import Pending, Read
from barrack_web.client import BarrackError, BillingRecord, Instance, Listing, Prices, Volume, VolumeListing
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import ListQuery, Sort, matches, page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds
from barrack_web.records import Records

RECORDS_A_PAGE = 20
SORTS: dict[str, Sort[tuple[Volume, Decimal | None]]] = {
    "newest": Sort("Newest first", lambda pair: pair[0].created_at.timestamp() if pair[0].created_at else 0.0, True),
    "name": Sort("Name", lambda pair: pair[0].volume_name.casefold()),
    "largest": Sort("Largest first", lambda pair: pair[0].size_gb, True),
    "cost": Sort("Cost, highest first", lambda pair: pair[1] or Decimal(0), True),
}


@dataclass(frozen=True)
class Statistics:
    """The four figures above the list, of the chosen region or of all; and what they cost per hour."""

    total: int
    storage_gb: Decimal
    attached: int
    bootable: int
    hourly: Decimal | None


@require_safe
@can(Can.READ)
def list_volumes(request: HtmxHttpRequest) -> HttpResponse:
    """The volumes of a region: six a page, with search, sort and statistics."""
    query = ListQuery.of(request, SORTS)
    volumes, instances = cloud.volumes.begin(), cloud.instances.begin()
    prices, regions, balance = cloud.prices.begin(), cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = volumes.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return show(request, "storage/list.html", context, part="list", status=alert.status)
    balance.or_none()
    vms, price, known = instances.or_none(), prices.or_none(), regions.or_none()
    tag = tag_of(request, cloud.currency(), *tags([found, vms, price, known]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= _list_context(query, found, vms, price)
    context["regions"] = cloud.region_names(known, [row.region for row in found.value])
    return show(request, "storage/list.html", context, part="list", tag=tag)


def _list_context(
    query: ListQuery,
    found: Read[VolumeListing],
    vms: Read[Listing[Instance]] | None,
    prices: Read[Prices] | None,
) -> dict[str, Any]:
    currency, sort = cloud.currency(), SORTS[query.sort]
    priced = [(row, facts.hourly(row, prices, currency)) for row in found.value]
    here = [pair for pair in priced if not query.region or pair[0].region == query.region]
    shown = [pair for pair in here if matches(query.q, *_words(pair[0]))]
    page = page_of(sorted(shown, key=sort.key, reverse=sort.reverse), query.page)
    return {
        "found": found,
        "page": page,
        "cards": [card_of(Read(row, found.at, found.version, found.problem), vms, prices, currency) for row, _ in page],
        "statistics": _statistics(here),
        "currency": currency,
        "in_account": len(found.value),
        "poll_seconds": poll_seconds(row.in_transition for row, _ in shown),
    }


def _words(row: Volume) -> tuple[str | None, ...]:
    """Return what search looks in."""
    return row.volume_name, row.attached_vm_name, row.volume_id, row.description


def _statistics(priced: Sequence[tuple[Volume, Decimal | None]]) -> Statistics:
    rows = [row for row, _ in priced]
    known = [hour for _, hour in priced if hour is not None]
    return Statistics(
        total=len(rows),
        storage_gb=sum((row.size_gb for row in rows), Decimal(0)),
        attached=sum(row.attached for row in rows),
        bootable=sum(row.bootable for row in rows),
        hourly=sum(known, Decimal(0)) if known else None,
    )


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Everything known of one volume; on its second tab, what it has cost."""
    tab = "billing" if request.GET.get("tab") == "billing" else "details"
    volume, instances = cloud.volume.begin(volume_id), cloud.instances.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    bill = cloud.volume_records.begin(volume_id) if tab == "billing" else None
    found = volume.get()
    vms, price, records = instances.or_none(), prices.or_none(), _records_or_none(bill)
    balance.or_none()
    tag = tag_of(request, cloud.currency(), *tags([found, vms, price, records]))
    same = unchanged(request, tag)
    if same:
        return same
    card = card_of(found, vms, price, cloud.currency())
    context = {
        "found": found,
        "volume": found.value,
        "card": card,
        "next": next_step(card),
        "folder": folder_of(found.value),
        "currency": cloud.currency(),
        "tab": tab,
        "records": records,
        "page": _page_of_records(request, records),
        "poll_seconds": poll_seconds([found.value.in_transition]),
    }
    return show(request, "storage/details.html", context, part="state", tag=tag)


def _page_of_records(request: HtmxHttpRequest, records: Read[Records] | None) -> Page[BillingRecord] | None:
    """Return the records of the page that the address names, newest first."""
    rows = sorted(records.value.records, key=lambda row: row.start_time, reverse=True) if records else []
    return page_of(rows, request.GET.get("page", "1")[:6], size=RECORDS_A_PAGE) if rows else None


def _records_or_none(bill: Pending[Records] | None) -> Read[Records] | None:
    """Return what the billing tab is about, waited for in full; None on the other tab, or when it cannot be read."""
    try:
        return bill.get() if bill else None
    except BarrackError:
        return None
