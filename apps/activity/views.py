"""The trail of events, one event's page, its export, and one operation's details."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Max
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_safe

from apps.account.roles import Can, can
from apps.activity.events import record
from apps.activity.export import FORMATS, MOST
from apps.activity.filters import RESULT_OPTIONS, WITHIN_OPTIONS, Filters
from apps.activity.kinds import KINDS, title_of
from apps.activity.models import Event, Operation
from apps.activity.perform import printable
from barrack_web import clock
from barrack_web.alerts import Alert
from barrack_web.htmx import HtmxHttpRequest, show

PAGE_SIZE = 25
# The greatest number that the database can hold.
LARGEST = 2**63 - 1


@require_safe
@can(Can.READ)
def events(request: HtmxHttpRequest) -> HttpResponse:
    """Who did what, newest first: filtered by person, action, thing, result and time, and searched."""
    filters = Filters.of(request)
    page = Paginator(filters.rows(), PAGE_SIZE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "rows": [(event, title_of(event.action)) for event in page],
        "filters": filters,
        "chips": filters.chips(),
        "most": MOST,
    }
    if not request.htmx:
        context |= {
            "people": filters.people(),
            "actions": filters.actions(),
            "results": RESULT_OPTIONS,
            "times": WITHIN_OPTIONS,
        }
    return show(request, "activity/list.html", context, part="rows")


@require_safe
@can(Can.READ)
def event(request: HtmxHttpRequest, number: int) -> HttpResponse:
    """What one event says, and whether it still fits the events beside it."""
    if number > LARGEST:
        raise Http404
    near = {row.number: row for row in Event.objects.filter(number__in=[number - 1, number, number + 1])}
    found = near.get(number)
    if found is None:
        raise Http404
    operation = Operation.objects.filter(pk=found.operation_id).first() if found.operation_id else None
    before = near.get(number - 1)
    follows = found.previous == (before.digest if before else "") and (before is not None or number == 1)
    context = {
        "event": found,
        "title": title_of(found.action),
        "before": before,
        "after": near.get(number + 1),
        "operation": operation,
        "whole": follows and found.digest == found.computed_digest(),
    }
    return show(request, "activity/event.html", context)


@require_GET
@can(Can.EXPORT_ACTIVITY)
def export(request: HtmxHttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The events that the same filters show, as a file; that it was made is an event too."""
    kind = request.GET.get("format", "csv")
    if kind not in FORMATS:
        return _no_export(request, "There is no such format", "The activity can be exported as CSV and as JSON.")
    filters = Filters.of(request)
    rows, newest = filters.rows(), Event.objects.aggregate(newest=Max("number"))["newest"] or 0
    count = rows.filter(number__lte=newest).count()
    if count > MOST:
        text = f"{count:,} events fit, and one file holds {MOST:,} at the most. Narrow the time and export it in parts."
        return _no_export(request, "These are too many events for one file", text)
    words = "1 event" if count == 1 else f"{count:,} events"
    asked = ", ".join(f"{name}: {value}" for name, value in filters.asked.items())
    about = printable(asked)[:255] or "All events"
    record(request, "activity.export", name=f"{words} as {kind.upper()}", target_name=about, result="done")
    content_type, pieces = FORMATS[kind]
    response = StreamingHttpResponse(pieces(rows, newest), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="barrack-activity-{clock.now():%Y-%m-%d}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def _no_export(request: HtmxHttpRequest, title: str, text: str) -> HttpResponse:
    alert = Alert(title=title, text=text)
    return show(request, "errors/page.html", {"alert": alert}, status=alert.status)


@require_safe
@can(Can.READ)
def operation(request: HtmxHttpRequest, operation_id: UUID) -> HttpResponse:
    """What one form asked for and how it ended; looks again by itself while it is not known."""
    found = get_object_or_404(Operation.objects.select_related("user"), pk=operation_id)
    kind = KINDS.get(found.kind)
    context = {
        "operation": found,
        "kind": kind,
        "said": kind.said(found) if kind else "",
        "title": title_of(found.kind),
        "events": [(event, title_of(event.action)) for event in found.event_set.order_by("number")],
        "look_minutes": round(settings.LOOK_FOR_SECONDS / 60),
        "poll_seconds": settings.POLL_CHANGING_SECONDS,
    }
    return show(request, "activity/operation.html", context, part="state")
