"""Sending a write to the API exactly once, and finding out what came of it when the answer is lost."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.activity import lookup
from apps.activity.closing import close, take_over_abandoned
from apps.activity.events import client_address
from apps.activity.kinds import KINDS
from apps.activity.models import Operation, State
from apps.activity.tokens import read_token
from barrack_web import alerts, clock, cloud
from barrack_web.alerts import Alert
from barrack_web.cached import seconds_left
from barrack_web.client import BarrackError, Client, Unreachable, request_id_var
from barrack_web.htmx import HtmxHttpRequest

log = logging.getLogger("barrack.activity")


# Makes the API call within so many seconds, and returns the id of what it made, if it made anything.
Send = Callable[[Client, float], object]


class NotNeeded(Exception):  # noqa: N818 - it is no error: what was wanted is so already
    """Raised by a call before it sends anything, with what to say instead."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(alert.title)
        self.alert = alert


# A write that has less than this left, after slow reads, is not sent: it would end in doubt.
LEAST_SECONDS = 2.0
# Pauses before each look for a lost result, as shares of the look-up's time limit.
LOOKS = (0.0, 0.1, 0.2)


@dataclass(frozen=True)
class Outcome:
    """How it ended: done, or an alert for the form. `used_before`: the token belongs to another form's sending."""

    operation: Operation | None
    alert: Alert | None = None
    used_before: bool = False

    @property
    def done(self) -> bool:
        return self.operation is not None and self.operation.state == State.DONE and not self.used_before


@dataclass(frozen=True)
class Target:
    id: str
    name: str


def perform(
    request: HtmxHttpRequest,
    *,
    kind: str,
    target: Target,
    token: str,
    payload: dict[str, Any],
    call: Send,
    name: str = "",
    known_ids: list[str] | None = None,
    secrets: Sequence[str] = (),
) -> Outcome:
    """Send one write, once per token, and record it. Never raises BarrackError: the outcome says what to show.

    Another `payload` under the same token is not sent; `known_ids` bear `name` now; `secrets` are never written down.
    """
    nonce = read_token(token, request.user.pk, kind, target.id)
    if nonce is None:
        return Outcome(None, NOT_THIS_FORM)
    if seconds_left() < settings.API_LOOK_UP_SECONDS + LEAST_SECONDS:
        return wait_for_first(nonce, payload) or Outcome(None, TOO_LATE)
    operation = Operation(
        token=nonce,
        payload=_digest(payload),
        kind=kind,
        user=request.user,
        role=request.user.role,
        address=client_address(request),
        target_id=target.id,
        target_name=printable(target.name)[:255],
        name=name[:255],
        exclusive=KINDS[kind].exclusive(target.id),
        known_ids=[printable(known)[:128] for known in known_ids or []],
        sent_at=clock.now(),
        request_id=request_id_var.get() or "",
    )
    doubtful = _doubtful(operation)
    if doubtful is not None or not _is_first(operation):
        return wait_for_first(nonce, payload) or Outcome(None, _under_way(operation, doubtful))
    return _send(operation, call, secrets)


def _doubtful(attempt: Operation) -> Operation | None:
    """Return an earlier operation on the same thing of which nobody knows yet whether it was carried out, when a second
    one could undo it or do it twice."""
    once = [name for name, kind in KINDS.items() if not kind.repeatable]
    if attempt.kind not in once:
        return None
    since = clock.now() - timedelta(seconds=settings.LOOK_FOR_SECONDS)
    open_ones = Operation.objects.filter(exclusive=attempt.exclusive, kind__in=once, state=State.UNKNOWN)
    return open_ones.filter(sent_at__gte=since).first()


def _is_first(operation: Operation) -> bool:
    """Write the operation down; False when one with its token is there, or one of its name or on its target runs."""
    # Where no tick runs, nobody else unlocks what a process left behind that died in the middle.
    if operation.exclusive:
        take_over_abandoned(exclusive=operation.exclusive)
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _send(operation: Operation, call: Send, secrets: Sequence[str]) -> Outcome:
    """Make the call and, if need be, the look-up; no transaction is open, so that a slow API holds no lock."""
    began = time.monotonic()
    end = began + seconds_left()
    limit = end - settings.API_LOOK_UP_SECONDS - began
    try:
        made = call(cloud.client(), min(settings.API_WRITE_SECONDS, limit))
        operation.result_id = made[:128] if isinstance(made, str) else ""
        operation.state = State.DONE
    except NotNeeded as found:
        operation.state, operation.alert = State.NOT_SENT, found.alert.as_json()
    except BarrackError as error:
        _take_note(operation, error, end)
    except BaseException:
        # A fault of ours after the request may have gone out: never leave it looking as if it were still on its way.
        operation.state = State.UNKNOWN
        raise
    finally:
        operation.alert = _without(secrets, operation.alert)
        operation.duration_ms = round((time.monotonic() - began) * 1000)
        close(operation)
    return Outcome(operation, operation.shown_alert)


def _without(secrets: Sequence[str], alert: dict[str, Any]) -> dict[str, Any]:
    """Return the alert without the secrets that the API has repeated in it."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(part) for name, part in value.items()}
        for secret in secrets if isinstance(value, str) else ():
            value = value.replace(secret, "•••")
        return value

    return {name: clean(value) for name, value in alert.items()}


def _take_note(operation: Operation, error: BarrackError, end: float) -> None:
    """Decide what an error means: not sent, refused, or unknown and then looked for at once."""
    operation.upstream_status = error.status
    operation.request_id = error.request_id or operation.request_id
    if not error.may_have_happened:
        operation.state = State.NOT_SENT if isinstance(error, Unreachable) else State.REFUSED
        operation.alert = alerts.for_error(error, writing=True).as_json()
        return
    log.warning("the outcome of %s %s is unknown: %s", operation.kind, operation.id, type(error).__name__)
    operation.state = State.UNKNOWN
    kind = KINDS[operation.kind]
    found = _look_at_once(operation, min(end, time.monotonic() + settings.API_LOOK_UP_SECONDS))
    if found is not None:
        operation.state, operation.result_id = State.DONE, found
        return
    operation.alert = alerts.for_unknown(
        error,
        noun=kind.noun,
        effect=kind.effect,
        doubt=kind.doubt,
        lost=kind.lost,
        repeatable=kind.repeatable,
        minutes=round(settings.LOOK_FOR_SECONDS / 60),
        link=operation.get_absolute_url(),
    ).as_json()


def _look_at_once(operation: Operation, end: float) -> str | None:
    """Look for the result while somebody waits: a few times, since a slow API may carry it out just after giving up.

    Returns what `lookup.find` does, None also while the API fails; the last look ends at `end`.
    """
    for pause in LOOKS:
        if pause and time.monotonic() + pause * settings.API_LOOK_UP_SECONDS >= end:
            return None
        time.sleep(pause * settings.API_LOOK_UP_SECONDS)
        try:
            found = lookup.find(operation, within=max(0.05, end - time.monotonic()))
        except BarrackError as error:
            log.warning("looking for %s failed: %s", operation.id, type(error).__name__)
            return None
        if found is not None:
            return found
    return None


def wait_for_first(nonce: str, payload: dict[str, Any]) -> Outcome | None:
    """Return the outcome of the operation that used this token, waiting while it runs; None when none did."""
    first = Operation.objects.filter(token=nonce).first()
    if first is None:
        return None
    if first.payload != _digest(payload):
        return Outcome(first, used_before=True)
    end = time.monotonic() + min(settings.SENT_TWICE_WAIT_SECONDS, seconds_left() - 1)
    while first.state == State.SENT and time.monotonic() < end:
        time.sleep(0.05)
        first.refresh_from_db()
    return Outcome(first, first.shown_alert)


def _under_way(attempt: Operation, doubtful: Operation | None) -> Alert:
    """Return why it cannot be sent beside another one that is under way: of the same name, or on the same thing."""
    noun = KINDS[attempt.kind].noun
    if doubtful is not None:
        return Alert(
            title="An earlier change is not certain yet",
            text=f"The answer to “{KINDS[doubtful.kind].title}” was lost. This could undo or repeat it.",
            todo="Nothing was sent. We keep looking for what came of the earlier one.",
            status=409,
            link=doubtful.get_absolute_url(),
            link_text="Follow that operation",
        )
    if attempt.exclusive:
        return Alert(
            title="Another change is under way",
            text=f"Something else is being sent for {attempt.target_name} at this moment, so this was not sent.",
            todo=f"Wait a few seconds, look at the {noun}'s state, then try again if it is still needed.",
            status=409,
        )
    return Alert(
        title="This name is being used right now",
        text=f"Another form is making the {noun} {attempt.name} at this moment, so nothing was sent for this one.",
        todo="Choose another name, or close this form and look at the list.",
        status=409,
    )


def printable(text: str) -> str:
    """Return the text without characters that not every database takes, such as NUL."""
    return "".join(character for character in text if character.isprintable())


def _digest(payload: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()


TOO_LATE = Alert(
    title="Barrack takes too long",
    text="Reading what the form needs took so long that there was no time left to send it. Nothing was changed.",
    todo="The form keeps what you typed. Try again in a minute.",
    status=504,
)
NOT_THIS_FORM = Alert(
    title="This form was not made for this page",
    text="It is too old, or belongs to another sign-in, so nothing was sent.",
    todo="What you typed is kept. Check it and send the form again.",
    status=422,
)
