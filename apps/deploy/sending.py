"""Deploying: the wizard's form is sent once for each draft, whatever happens to the answer."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from apps.account.gates import with_way_back
from apps.activity.closing import take_over_abandoned
from apps.activity.dialogs import patience, payload, sent_before
from apps.activity.lookup import settle
from apps.activity.models import OPEN_STATES, Operation, State
from apps.activity.perform import NotNeeded, Outcome, Target, perform, printable
from apps.deploy.kept_drafts import KIND, keep, sending_of
from apps.deploy.models import Draft
from apps.deploy.pages import elsewhere, show_page, typed
from apps.deploy.price import changed
from apps.deploy.values import Values, first
from apps.deploy.wizard import ALL_SECTIONS, Wizard, build, note_gaps
from barrack_web import alerts, clock, cloud
from barrack_web.alerts import Alert
from barrack_web.client import Client, DeploymentRequest
from barrack_web.funds import money_for
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.script_text import secrets_in

# In a line of a script that seems to hold a secret: what ends a word, and how short none is.
WORD_ENDS: Final = re.compile(r"[\s=:,;'\"]+")
LEAST_SECRET: Final = 8


def send(request: HtmxHttpRequest, draft: Draft) -> HttpResponse:
    """Deploy the draft, unless a VM was made of it already or something has changed that its sender should know."""
    before = sent_before(request, KIND, str(draft.pk))
    if before and (before.alert is None or before.used_before):
        return _done(request, before)
    made = looked_for(draft)
    if made is not None and made.state == State.DONE:
        return elsewhere(request, reverse("deploy:deploying", args=[made.pk]))
    known: Values = dict(draft.values)
    values = typed(request, known)
    _read_anew(values)
    own = made.name if made else ""
    page = build(request, draft, values, before=values, asked=ALL_SECTIONS, patience=patience(request), sending=own)
    keep(draft, page.values)
    if before:
        return _failed(request, page, before)
    page.alert = _in_the_way(request, page, made)
    if page.alert or page.form.errors or any(page.gaps.values()):
        return show_page(request, page, status=page.alert.status if page.alert else 422)
    outcome = _perform(request, page)
    return _done(request, outcome) if outcome.alert is None else _failed(request, page, outcome)


def looked_for(draft: Draft) -> Operation | None:
    """Return the draft's sending; one whose answer was lost is looked for once more.

    Else its own VM would stand in the way of the form, as one that bears the name already.
    """
    take_over_abandoned(kind=KIND, target_id=str(draft.pk))
    made = sending_of(draft)
    if made is None or made.state != State.UNKNOWN or not settle(made):
        return made
    return sending_of(draft)


def _read_anew(values: Values) -> None:
    """Have price and stock read again: what was on the screen may be of a while ago."""
    cloud.stocks.forget()
    cloud.quote.forget(f"{first(values, 'gpu_model')}/{first(values, 'gpu_count')}")


def _in_the_way(request: HtmxHttpRequest, page: Wizard, sending: Operation | None) -> Alert | None:
    """Return why the form is not sent as it is, although every field is right."""
    if page.unsure:
        return page.unsure
    if page.form.errors:
        return _none_free(page)
    money = money_for(page.offer.balance, page.price.hourly)
    return (
        (uncertain(sending) if sending and sending.name != page.form.cleaned_data["name"] else None)
        or changed(request.POST.get("seen_price", ""), page.price)
        or money.shortfall(page.summary, back=page.url)
    )


def _none_free(page: Wizard) -> Alert | None:
    """Return the alert when the GPUs that were chosen have gone meanwhile."""
    if not any(page.form.has_error(name, code="none_free") for name in ("gpu_count", "region")):
        return None
    return Alert(
        title=alerts.NO_STOCK,
        text=f"Nobody has {page.summary} to give at the moment. Nothing was sent and nothing is charged.",
        todo="Choose one of the alternatives under Size and region, or come back later: this draft is kept.",
    )


def uncertain(sending: Operation) -> Alert:
    """Return the alert while nobody knows what came of sending this draft under another name."""
    return Alert(
        title="The first sending is not certain yet",
        text=f"This form was sent as “{sending.name}”, and what came of that is not known yet. Nothing more was sent.",
        todo="Under the same name it can be sent again: that cannot make a second VM. Starting over could.",
        status=409,
        link=reverse("deploy:deploying", args=[sending.pk]),
        link_text="Follow that deployment",
    )


def _perform(request: HtmxHttpRequest, page: Wizard) -> Outcome:
    """Send it; the call looks once more whether another window was quicker, since only one runs at a time."""
    wanted, draft, token = page.form.request(), page.draft, request.POST.get("token", "")
    return perform(
        request,
        kind=KIND,
        target=Target(str(draft.pk), page.summary),
        token=token,
        payload=payload(request),
        call=lambda api, within: _call(api, within, draft, wanted),
        name=wanted.vm_name,
        secrets=_secrets(wanted),
        known_ids=page.offer.ids_of(wanted.vm_name),
    )


def _secrets(wanted: DeploymentRequest) -> list[str]:
    """Return what must not be written down if the API repeats it in a refusal: of a script the lines that seem to hold
    a secret, and each long word in them."""
    script = wanted.cloud_init or ""
    lines = script.split("\n")
    found = [lines[secret.line - 1].strip() for secret in secrets_in(script)]
    words = [word for line in found for word in WORD_ENDS.split(line) if len(word) >= LEAST_SECRET]
    return [text for text in (wanted.jupyter_password or "", script, *found, *words) if text]


def _call(api: Client, within: float, draft: Draft, wanted: DeploymentRequest) -> str | None:
    """Deploy, and keep the id that Barrack's support asks for. Raises NotNeeded when another window has done it."""
    other = sending_of(draft, done_or_unknown=True)
    if other is not None and (other.state == State.DONE or other.name != wanted.vm_name):
        raise NotNeeded(uncertain(other) if other.state in OPEN_STATES else _made(other))
    rival = _rival(draft, wanted.vm_name)
    if rival is not None:
        raise NotNeeded(_name_in_use(rival))
    made = api.instances.deploy(wanted, within=within)
    Draft.objects.filter(pk=draft.pk).update(deployment_id=printable(made.deployment_id or "")[:128])
    return made.instance_id


def _rival(draft: Draft, name: str) -> Operation | None:
    """Return an earlier sending of another draft under that name, of which nobody knows yet what came.

    If both answers were lost, each could take the one VM of that name for its own.
    """
    mine = Operation.objects.filter(kind=KIND, target_id=str(draft.pk), state=State.SENT).first()
    since = clock.now() - timedelta(seconds=settings.LOOK_FOR_SECONDS)
    rows = Operation.objects.filter(kind=KIND, name=name, state__in=OPEN_STATES, sent_at__gte=since)
    return rows.exclude(target_id=str(draft.pk)).filter(sent_at__lt=mine.sent_at).first() if mine else None


def _name_in_use(rival: Operation) -> Alert:
    return Alert(
        title="This name is being used right now",
        text=f"Another draft was sent as “{rival.name}”, and what came of that is not known yet. Nothing was sent.",
        todo="Choose another name, or wait until it is known.",
        status=409,
        link=reverse("deploy:deploying", args=[rival.pk]),
        link_text="Follow that deployment",
    )


def _made(operation: Operation) -> Alert:
    return Alert(
        title="This was deployed already",
        text=f"Another window has sent this form a moment ago, and the VM “{operation.name}” was made.",
        todo="Nothing more was sent. Start over to deploy another one.",
        status=409,
        link=reverse("deploy:deploying", args=[operation.pk]),
        link_text="See that deployment",
    )


def _done(request: HtmxHttpRequest, outcome: Outcome) -> HttpResponse:
    """Lead to the page that follows the deployment, whichever sending of the form began it."""
    operation = outcome.operation
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    return elsewhere(request, reverse("deploy:deploying", args=[operation.pk]))


def _failed(request: HtmxHttpRequest, page: Wizard, outcome: Outcome) -> HttpResponse:
    """Show the form with what went wrong; without GPUs, with what is free instead."""
    alert, operation = outcome.alert, outcome.operation
    assert alert is not None  # noqa: S101 - that is how it failed
    if alert.title == alerts.NO_STOCK:
        cloud.stocks.forget()
        page = build(request, page.draft, page.values, before=page.values, asked=ALL_SECTIONS, sending="")
        page.form.note_none_free()
        alert = replace(alert, todo="See under Size and region what is free instead, or come back later.")
    elif alert.link == reverse("credits"):
        alert = replace(alert, link=with_way_back(reverse("credits"), page.url), new_tab=False)
    elif operation is not None and operation.state == State.UNKNOWN:
        alert = replace(alert, link=reverse("deploy:deploying", args=[operation.pk]))
    others = [f"{name}: {sentence}" for name, sentence in alert.fields.items() if not page.form.has_field(name)]
    alert = replace(alert, text=" ".join([alert.text, *others]))
    page.form.add_api_error(alert)
    note_gaps(page)
    page.alert = alert
    return show_page(request, page, status=alert.status)
