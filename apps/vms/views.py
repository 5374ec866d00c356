"""The list of virtual machines."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from barrack_web import alerts, cloud
from barrack_web.client import BarrackError, Instance
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import ListQuery, Sort, matches, sort_options, tag_of, tags, unchanged
from barrack_web.polling import poll_seconds

SORTS: dict[str, Sort[Instance]] = {
    "newest": Sort("Newest first", lambda row: row.created_at.timestamp() if row.created_at else 0, reverse=True),
    "name": Sort("Name", lambda row: row.vm_name.casefold()),
    "status": Sort("Status", lambda row: row.state),
}


@require_safe
@can(Can.READ)
def list_vms(request: HtmxHttpRequest) -> HttpResponse:
    """All VMs of a region with their status, GPUs and addresses."""
    query = ListQuery.of(request, SORTS)
    instances, regions, balance = cloud.instances.begin(), cloud.regions.begin(), cloud.balance.begin()
    context: dict[str, Any] = {"query": query, "sorts": sort_options(SORTS), "poll_seconds": poll_seconds([])}
    try:
        found = instances.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        context |= {"alert": alert, "regions": cloud.region_names(regions.or_none(), [])}
        return show(request, "vms/list.html", context, part="list", status=alert.status)
    balance.or_none()
    tag = tag_of(request, *tags([found, regions.or_none()]))
    same = unchanged(request, tag)
    if same:
        return same
    here = [row for row in found.value if not query.region or row.region == query.region]
    shown = [
        row
        for row in here
        if matches(query.q, row.vm_name, row.instance_id, row.gpu_type, row.public_ip, row.private_ip)
    ]
    sort = SORTS[query.sort]
    context |= {
        "found": found,
        "rows": sorted(shown, key=sort.key, reverse=sort.reverse),
        "in_account": len(found.value),
        "regions": cloud.region_names(regions.or_none(), [row.region for row in found.value]),
        "poll_seconds": poll_seconds(row.in_transition for row in shown),
    }
    return show(request, "vms/list.html", context, part="list", tag=tag)
