"""Deleting several scripts: a question that lists them, then a result with a line for each.

One call for each, not the API's one for all: that one says of none what came of it, and does nothing at all when a
single script is gone.
"""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.roles import Can, can
from apps.activity.dialogs import patience, stale_alert
from apps.activity.models import State
from apps.activity.perform import Outcome, Target, perform, wait_for_first
from apps.activity.tokens import new_token, read_token
from barrack_web import cloud
from barrack_web.alerts import Alert
from barrack_web.client import Script
from barrack_web.htmx import HtmxHttpRequest, show

KIND, PAYLOAD = "script.delete", {"action": "delete"}
MOST = 100
# Calls under way at once; the API counts requests.
AT_ONCE = 8
GONE = "It no longer exists."
NOT_CONFIRMED = "It was not part of what was confirmed."


@dataclass(frozen=True)
class Choice:
    """One chosen script, why nothing is sent for it ("" when something is), and its one-time token."""

    id: str
    name: str
    off: str
    token: str


@dataclass(frozen=True)
class Result:
    """What came of one script. `tone` is that of its badge; `link` leads to an operation that is not settled yet."""

    id: str
    name: str
    tone: str
    word: str
    text: str
    link: str = ""


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_SCRIPT)
def bulk(request: HtmxHttpRequest) -> HttpResponse:
    """Ask whether the chosen scripts are to be deleted, delete them, and say of each what came of it."""
    said = request.POST if request.method == "POST" else request.GET
    scripts, balance = cloud.scripts.begin(), cloud.balance.begin()
    read = scripts.get(patience(request))
    balance.or_none()
    ids = list(dict.fromkeys(chosen[:128] for chosen in said.getlist("script") if chosen))[: MOST + 1]
    blocked = stale_alert(read) or _impossible(ids)
    rows = {row.script_id: row for row in read.value}
    choices = [] if blocked else [_choice(request, chosen, rows.get(chosen)) for chosen in ids]
    if request.method == "POST" and request.POST.get("intent") == "delete" and not blocked:
        return _result(request, _carry_out(request, choices))
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
        token = new_token(request.user.pk, KIND, script_id)
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


def _carry_out(request: HtmxHttpRequest, choices: list[Choice]) -> list[Result]:
    """Send what can be sent, several at once, and return a line for each script in the order of the choice."""

    def one(choice: Choice) -> Result:
        return _result_of(choice, _outcome(request, choice))

    if len(choices) == 1:
        return [one(choices[0])]

    def on_thread(choice: Choice) -> Result:
        try:
            return one(choice)
        finally:
            # No request ends on this thread, which is when connections are otherwise given back.
            connections.close_all()

    jobs: list[tuple[contextvars.Context, Callable[[Choice], Result], Choice]] = [
        (contextvars.copy_context(), on_thread, choice) for choice in choices
    ]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bulk") as threads:
        return list(threads.map(lambda job: job[0].run(job[1], job[2]), jobs))


def _outcome(request: HtmxHttpRequest, choice: Choice) -> Outcome | None:
    """Return what came of one script, also of an earlier sending of the same form; None when nothing is sent for it."""
    nonce = read_token(choice.token, request.user.pk, KIND, choice.id)
    before = wait_for_first(nonce, PAYLOAD) if nonce else None
    if before is not None or choice.off:
        return before
    return perform(
        request,
        kind=KIND,
        target=Target(choice.id, choice.name),
        token=choice.token,
        payload=PAYLOAD,
        call=lambda api, within: api.scripts.delete(choice.id, within=within),
    )


def _result_of(choice: Choice, outcome: Outcome | None) -> Result:
    if outcome is None:
        return Result(choice.id, choice.name, "neutral", "Not sent", choice.off)
    operation, alert = outcome.operation, outcome.alert
    name = operation.target_name if operation else choice.name
    if operation is not None and alert is None and operation.state == State.DONE:
        return Result(choice.id, name, "good", "Deleted", "")
    text = f"{alert.title}. {alert.said or alert.text}" if alert else "It is still on its way to Barrack."
    if operation is not None and operation.open:
        return Result(choice.id, name, "moving", "Not certain", text, operation.get_absolute_url())
    refused = operation is not None and operation.state == State.REFUSED
    return Result(choice.id, name, "bad" if refused else "neutral", "Refused" if refused else "Not sent", text)


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
