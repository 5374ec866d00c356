"""Deleting several scripts: a question that lists them, then a result with a line for each.

One call for each, not the API's one for all: that one says of none what came of it, and does nothing at all when a
single script is gone.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.roles import Can, can
from apps.activity.dialogs import patience, stale_alert
from apps.activity.many import MOST, Action, Result, carry_out, chosen
from apps.activity.tokens import new_token
from barrack_web import cloud
from barrack_web.alerts import Alert
from barrack_web.client import Script
from barrack_web.htmx import HtmxHttpRequest, show

DELETE = Action(
    "script.delete",
    lambda api, script_id, within: api.scripts.delete(script_id, within=within),
    lambda _: ("Deleted", ""),
)
GONE = "It no longer exists."
NOT_CONFIRMED = "It was not part of what was confirmed."


@dataclass(frozen=True)
class Choice:
    """One chosen script, why nothing is sent for it ("" when something is), and its one-time token."""

    id: str
    name: str
    off: str
    token: str


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_SCRIPT)
def bulk(request: HtmxHttpRequest) -> HttpResponse:
    """Ask whether the chosen scripts are to be deleted, delete them, and say of each what came of it."""
    said = request.POST if request.method == "POST" else request.GET
    scripts, balance = cloud.scripts.begin(), cloud.balance.begin()
    read = scripts.get(patience(request))
    balance.or_none()
    ids = chosen(said, "script")
    blocked = stale_alert(read) or _impossible(ids)
    rows = {row.script_id: row for row in read.value}
    choices = [] if blocked else [_choice(request, script_id, rows.get(script_id)) for script_id in ids]
    if request.method == "POST" and request.POST.get("intent") == "delete" and not blocked:
        return _result(request, carry_out(request, DELETE, choices))
    return _ask(request, choices, blocked)


def _impossible(ids: list[str]) -> Alert | None:
    if not ids:
        return Alert(title="No script is chosen", text="Tick at least one script on the list, then press Delete.")
    if len(ids) > MOST:
        return Alert(
            title="Too many scripts at once",
            text=f"At most {MOST} scripts can be deleted at a time. Nothing was sent.",
        )
    return None


def _choice(request: HtmxHttpRequest, script_id: str, script: Script | None) -> Choice:
    """Return the line of a script. A line that was not offered has no token, and nothing can be sent for it later."""
    token = request.POST.get(f"token-{script_id}", "")
    if script is None:
        return Choice(script_id, script_id, GONE, token)
    if request.method == "GET":
        token = new_token(request.user.pk, DELETE.kind, script_id)
    return Choice(script_id, script.name, "" if token else NOT_CONFIRMED, token)


def _ask(request: HtmxHttpRequest, choices: list[Choice], blocked: Alert | None) -> HttpResponse:
    able = sum(not choice.off for choice in choices)
    none = Alert(title="None of them can be deleted", text="Each line says why.")
    context: dict[str, Any] = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": f"Delete {able} script{'' if able == 1 else 's'}" if able else "Delete scripts",
        "action": request.path,
        "intent": "delete",
        "label": f"Delete {able}" if able else "Delete",
        "back": reverse("scripts:list"),
        "choices": choices,
        "able": able,
        "blocked": blocked or (None if able else none),
    }
    posted = request.method == "POST"
    status = context["blocked"].status if posted and context["blocked"] else 422 if posted else 200
    return show(request, "scripts/bulk_modal.html", context, part="form" if posted else "", status=status)


def _result(request: HtmxHttpRequest, results: list[Result]) -> HttpResponse:
    gone = sum(result.tone == "good" for result in results)
    context = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": f"{gone} of {len(results)} deleted",
        "results": results,
        "gone": gone,
        "back": reverse("scripts:list"),
    }
    response = show(request, "scripts/bulk_result.html", context, part="result")
    response["HX-Trigger"] = "scripts:changed"
    return response
