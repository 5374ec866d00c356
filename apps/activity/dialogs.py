"""A write's dialog: shown as a modal or as a page, validated while one types, sent once, answered."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from apps.activity.kinds import KINDS
from apps.activity.perform import Outcome, Send, Target, perform, wait_for_first
from apps.activity.tokens import new_token, read_token
from barrack_web import alerts
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.forms import BarrackForm
from barrack_web.htmx import HtmxHttpRequest, done, private, show

PATIENCE_SECONDS = 1.5
# What a form carries beside its own fields.
ENVELOPE = {"csrfmiddlewaretoken", "token", "intent", "validate", "seen", "next"}
# Not part of what tells two sendings apart: a digest would be a way to guess it.
SECRETS = {"jupyter_password"}


@dataclass
class Dialog:
    """One write form and what stands around it. `blocked` says why it cannot be sent at all now."""

    request: HtmxHttpRequest
    template: str
    kind: str
    target: Target
    form: BarrackForm
    back: str
    blocked: Alert | None = None
    context: dict[str, Any] = field(default_factory=dict)

    def show(self, status: int = 200) -> HttpResponse:
        """Return the dialog: all of it for a GET, the form alone for htmx after a POST; always with a fresh token."""
        self.form.live_url = self.request.get_full_path()
        context = self.context | {
            "layout": "modal.html" if self.request.htmx else "page.html",
            "form": self.form,
            "blocked": self.blocked,
            "token": new_token(self.request.user.pk, self.kind, self.target.id),
            "back": self.back,
            "action": self.request.get_full_path(),
            "intent": intent_of(self.kind),
            "title": KINDS[self.kind].title,
        }
        part = "form" if self.request.method == "POST" else ""
        if self.blocked and status >= 400:
            status = self.blocked.status
        return show(self.request, self.template, context, part=part, status=status)

    @property
    def sending(self) -> bool:
        """Whether the POST carries the submit button's own intent; any other POST just validates."""
        return self.request.POST.get("intent") == intent_of(self.kind)

    def feedback(self) -> HttpResponse:
        """Return one field's message while somebody types; for a plain form without the intent, the form itself."""
        name = self.request.POST.get("validate", "")
        self.form.is_valid()
        if not self.request.htmx or name not in self.form.fields:
            return self.show()
        return private(render(self.request, "forms/feedback.html", {"field": self.form[name]}))

    @property
    def may_send(self) -> bool:
        return self.form.is_valid() and self.form.alert is None and self.blocked is None

    def perform(self, call: Send, *, name: str = "", known_ids: list[str] | None = None) -> Outcome:
        """Send it once; see activity.perform."""
        return perform(
            self.request,
            kind=self.kind,
            target=self.target,
            token=self.request.POST.get("token", ""),
            payload=payload(self.request),
            call=call,
            name=name,
            known_ids=known_ids,
        )

    def answer(self, outcome: Outcome, *, then: str) -> HttpResponse:
        """Return what the visitor sees of the outcome: the finished write, or the form with what went wrong."""
        if outcome.alert is None:
            return finished(self.request, outcome, then=then)
        self.form.is_valid()
        self.form.add_api_error(outcome.alert)
        # What came of the sending outranks whatever stands in the way of another one.
        self.blocked = None
        return self.show(status=outcome.alert.status)


def sent_before(request: HtmxHttpRequest, kind: str, target_id: str) -> Outcome | None:
    """Return the outcome of the form's first sending, or None when it was not sent before.

    Asked before anything else is read: what the first sending made or deleted must not turn the second into an error.
    """
    if request.method != "POST" or request.POST.get("intent") != intent_of(kind):
        return None
    nonce = read_token(request.POST.get("token", ""), request.user.pk, kind, target_id)
    return wait_for_first(nonce, payload(request)) if nonce else None


def finished(request: HtmxHttpRequest, outcome: Outcome, *, then: str) -> HttpResponse:
    """Answer a write that needs no form any more: it is done, still running, or was another one with this token."""
    operation = outcome.operation
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    kind = KINDS[operation.kind]
    if outcome.used_before:
        layout = "modal.html" if request.htmx else "page.html"
        context = {"operation": operation, "kind": kind, "layout": layout, "title": kind.title}
        return show(request, "activity/already_sent.html", context, part="form", status=409)
    if outcome.done:
        words = kind.said(operation)
        # A deletion stands under the address of what it deletes.
        gone = request.path.removesuffix(f"{intent_of(operation.kind)}/") if kind.deletes else ""
        return done(request, *kind.events, toast=words, then=then, gone=gone)
    if request.htmx:
        response = HttpResponse()
        response["HX-Redirect"] = operation.get_absolute_url()
        return response
    return HttpResponseRedirect(operation.get_absolute_url())


def patience(request: HtmxHttpRequest) -> float | None:
    """Return how long a form being sent waits for fresh reads before it takes the copies at hand: the API decides.

    Opening a form waits in full, so that what it shows is of now.
    """
    return PATIENCE_SECONDS if request.method == "POST" else None


def intent_of(kind: str) -> str:
    """Return what the submit button says: "restore" for "snapshot.restore"."""
    return kind.rpartition(".")[2]


def payload(request: HtmxHttpRequest) -> dict[str, list[str]]:
    """Return what the form holds and where it was sent to, for telling the same form sent twice from another one."""
    typed = {name: request.POST.getlist(name) for name in sorted(request.POST) if name not in ENVELOPE | SECRETS}
    return typed | {"": [request.path]}


def stale_alert(*reads: Read[Any] | None) -> Alert | None:
    """Return why nothing can be sent while the API fails and only older copies are at hand."""
    for read in reads:
        if read is not None and read.problem is not None:
            return alerts.for_error(read.problem, writing=True)
    return None
