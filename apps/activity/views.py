"""The trail of events, and one operation's details."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.activity.kinds import KINDS, title_of
from apps.activity.models import Event, Operation, State
from barrack_web.htmx import HtmxHttpRequest, show

PAGE_SIZE = 25


@require_safe
@can(Can.READ)
def events(request: HtmxHttpRequest) -> HttpResponse:
    """Who did what, newest first, with search and a filter by result."""
    # A NUL character would end the words early in SQLite, and is an error in PostgreSQL.
    q, result = request.GET.get("q", "").replace("\0", "").strip()[:100], request.GET.get("result", "")
    rows = _matching(q, result)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "rows": [(event, title_of(event.action)) for event in page],
        "q": q,
        "result": result,
        "results": [choice for choice in State.choices if choice[0] != State.SENT],
        "filtered": bool(q or result),
    }
    return show(request, "activity/list.html", context, part="rows")


def _matching(q: str, result: str) -> QuerySet[Event]:
    rows = Event.objects.select_related("operation")
    if result in State.values:
        rows = rows.filter(result=result)
    if q:
        actions = [name for name, kind in KINDS.items() if q.casefold() in kind.title.casefold()]
        rows = rows.filter(
            Q(who__icontains=q) | Q(target_name__icontains=q) | Q(name__icontains=q) | Q(target_id__iexact=q)
            | Q(result_id__iexact=q) | Q(request_id__iexact=q) | Q(action__in=actions)
        )  # fmt: skip
    return rows


@require_safe
@can(Can.READ)
def operation(request: HtmxHttpRequest, operation_id: UUID) -> HttpResponse:
    """What one form asked for and how it ended; looks again by itself while it is not known."""
    found = get_object_or_404(Operation.objects.select_related("user"), pk=operation_id)
    context = {
        "operation": found,
        "kind": KINDS.get(found.kind),
        "title": title_of(found.kind),
        "events": [(event, title_of(event.action)) for event in found.event_set.order_by("number")],
        "look_minutes": round(settings.LOOK_FOR_SECONDS / 60),
        "poll_seconds": settings.POLL_CHANGING_SECONDS,
    }
    return show(request, "activity/operation.html", context, part="state")
