"""Looking at VMs: the list, one VM's details, what the states mean, and what VMs have cost."""

from typing import Any

from django.core.paginator import Page
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from apps.account.cookies import set_cookie
from apps.account.roles import Can, can
from apps.vms import facts
from apps.vms.buttons import address, buttons_of
from apps.vms.connect import alias_of
from apps.vms.connect import ssh_config as config_text
from apps.vms.inventory import SORTS, Line, inventory_of
from apps.vms.query import VIEW_COOKIE, VIEW_COOKIE_SECONDS, VmQuery
from apps.vms.states import LEGEND
from barrack_web import alerts, cloud
from barrack_web.cached import Read
from barrack_web.client import BarrackError, BillingRecord, Instance, Listing, Missing, Prices
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import page_of, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds
from barrack_web.records import Records

# Rows of the table on one page; cards are as many as on every other list.
TABLE_ROWS = 25


@require_safe
@can(Can.READ)
def list_vms(request: HtmxHttpRequest) -> HttpResponse:
    """The VMs of a region as cards or as a table, with search, filters and statistics; or their billing records."""
    if request.GET.get("tab") == "billing":
        return billing(request)
    query = VmQuery.of(request)
    instances, prices = cloud.instances.begin(), cloud.prices.begin()
    regions, balance = cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = instances.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return _remembering(query, request, show(request, "vms/list.html", context, part="list", status=alert.status))
    balance.or_none()
    price, known = prices.or_none(), regions.or_none()
    tag = tag_of(request, query.view, cloud.currency(), *tags([found, price, known]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= _list_context(request, query, found, price)
    context["regions"] = cloud.region_names(known, context["inventory"].regions)
    return _remembering(query, request, show(request, "vms/list.html", context, part="list", tag=tag))


def _list_context(
    request: HtmxHttpRequest, query: VmQuery, found: Read[Listing[Instance]], prices: Read[Prices] | None
) -> dict[str, Any]:
    inventory = inventory_of(found, prices, cloud.currency())
    shown = inventory.fitting(region=query.region, state=query.state, model=query.model, q=query.q, sort=query.sort)
    page = page_of(shown, query.page, size=TABLE_ROWS) if query.view == "table" else page_of(shown, query.page)
    return {
        "found": found,
        "inventory": inventory,
        "page": page,
        "cards": [_card(request, line, found) for line in page],
        "shown": len(shown),
        "in_account": len(inventory),
        "statistics": inventory.statistics(query.region),
        "currency": cloud.currency(),
        "poll_seconds": poll_seconds(line.instance.in_transition for line in shown),
    }


def _card(request: HtmxHttpRequest, line: Line, found: Read[Listing[Instance]]) -> dict[str, Any]:
    buttons = buttons_of(line.instance, request.user, found, ("start", "stop", "hibernate", "restore", "delete"))
    # A card has room for what its state is about; while that changes, for the two that come next, with the reason.
    moving = ("stop", "hibernate") if line.instance.in_transition else ()
    keys = {"ACTIVE": ("stop", "hibernate"), "SHUTOFF": ("start", "hibernate"), "HIBERNATED": ("restore",)}.get(
        line.state, moving
    )
    return {
        "vm": line.instance,
        "url": address("details", line.instance.instance_id),
        "cost": line.cost,
        "buttons": [buttons[key] for key in keys if key in buttons],
        "delete": buttons.get("delete"),
    }


def _remembering(query: VmQuery, request: HtmxHttpRequest, response: HttpResponse) -> HttpResponse:
    """Keep the view that the address asked for; it is a choice of the browser, not of the account."""
    if request.GET.get("view") == query.view:
        set_cookie(response, VIEW_COOKIE, query.view, seconds=VIEW_COOKIE_SECONDS)
    return response


@require_safe
@can(Can.READ)
def details(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Everything known of one VM; on its second tab, what it has cost. A VM that is gone has a page that says so."""
    tab = "billing" if request.GET.get("tab") == "billing" else "details"
    reads = facts.begin(instance_id)
    bill = cloud.instance_records.begin(instance_id) if tab == "billing" else None
    try:
        found = reads.instance.get()
    except Missing:
        return show(request, "vms/gone.html", facts.gone(instance_id), part="state", status=404)
    records = _records_or_none(bill)
    vm = facts.of(request, found, reads)
    tag = tag_of(request, vm.tag, *tags([records]))
    same = unchanged(request, tag)
    if same:
        return same
    context = {
        "vm": vm,
        "found": found,
        "instance": found.value,
        "currency": cloud.currency(),
        "tab": tab,
        "records": records,
        "page": _page_of_records(request, records),
        "poll_seconds": poll_seconds([found.value.in_transition]),
    }
    return show(request, "vms/details.html", context, part="state", tag=tag)


def _page_of_records(request: HtmxHttpRequest, records: Read[Records] | None) -> Page[BillingRecord] | None:
    """Return the records of the page that the address names, newest first."""
    rows = sorted(records.value.records, key=lambda row: row.start_time, reverse=True) if records else []
    return page_of(rows, request.GET.get("page", "1")[:6], size=TABLE_ROWS) if rows else None


def _records_or_none(bill: Any) -> Read[Records] | None:
    """Return what the billing tab is about, waited for in full; None on the other tab, or when it cannot be read."""
    try:
        return bill.get() if bill else None
    except BarrackError:
        return None


@require_safe
@can(Can.READ)
def usage(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """The last billing records of one VM, loaded into a card after its page: the API has them in one long list."""
    try:
        read = cloud.instance_records.begin(instance_id).get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        return show(request, "vms/usage.html", {"alert": alert, "instance_id": instance_id}, part="card")
    context = {"records": read, "rows": facts.newest(read.value), "instance_id": instance_id}
    return show(request, "vms/usage.html", context, part="card")


@require_safe
@can(Can.READ)
def billing(request: HtmxHttpRequest) -> HttpResponse:
    """What all VMs have cost: the API's records and totals, page by page."""
    number = request.GET.get("page", "1")[:6]
    number = number if number.isascii() and number.isdigit() and 0 < int(number) < 10_000 else "1"
    pending, balance = cloud.instance_billing.begin(number), cloud.balance.begin()
    context: dict[str, Any] = {}
    status = 200
    try:
        context["read"] = pending.get()
    except BarrackError as error:
        context["alert"] = alerts.for_error(error)
        status = context["alert"].status
    balance.or_none()
    return show(request, "vms/billing.html", context, part="records", status=status)


@require_safe
@can(Can.READ)
def states(request: HtmxHttpRequest) -> HttpResponse:
    """What each state means and costs, with the price of a minute of each GPU."""
    prices, hibernated, balance = cloud.prices.begin(), cloud.hibernated.begin(), cloud.balance.begin()
    balance.or_none()
    price, counted = prices.or_none(), hibernated.or_none()
    context = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": "VM states and billing",
        "legend": LEGEND,
        "prices": facts.gpu_minutes(price, cloud.currency()),
        "hibernated": facts.hibernated_hour(counted, cloud.currency()),
        "read": price,
        "currency": cloud.currency(),
    }
    return show(request, "vms/states_modal.html", context)


@require_safe
@can(Can.READ)
def ssh_config(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:  # noqa: ARG001
    """The VM as an entry for ~/.ssh/config, to download. 404 without a public IP."""
    instance = cloud.instance.begin(instance_id).get().value
    text = config_text(instance)
    if not text:
        raise Http404("The VM has no public IP.")
    name = alias_of(instance.vm_name, instance.instance_id)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.ssh-config"'
    return response
