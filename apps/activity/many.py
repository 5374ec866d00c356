"""One action for several things of the cloud: each is an operation of its own, with a line that says how it ended.

The question hands out a token for every thing that it offers. What has none was not part of what was confirmed.
"""

import contextvars
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from django.db import connections
from django.http import QueryDict

from apps.activity.dialogs import intent_of
from apps.activity.kinds import KINDS
from apps.activity.models import Operation, State
from apps.activity.perform import TOO_LATE, Outcome, Target, perform, wait_for_first
from apps.activity.tokens import read_token
from barrack_web.client import Client
from barrack_web.htmx import HtmxHttpRequest

log = logging.getLogger("barrack.activity")

MOST = 100
# Calls under way at once; the API counts requests.
AT_ONCE = 8


class Choice(Protocol):
    """One chosen thing, why nothing is sent for it ("" when something is), and its one-time token."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def off(self) -> str: ...
    @property
    def token(self) -> str: ...


@dataclass(frozen=True)
class Result:
    """What came of one thing. `tone` is that of its badge; `link` leads to an operation that is not settled yet."""

    id: str
    name: str
    tone: str
    word: str
    text: str
    link: str = ""


@dataclass(frozen=True)
class Action:
    """What is done to each: `call` does it, `done` gives the badge's word and the text for what was accepted."""

    kind: str
    call: Callable[[Client, str, float], object]
    done: Callable[[Operation], tuple[str, str]]


def chosen(said: QueryDict, name: str) -> list[str]:
    """Return the ids that were ticked under that name, each once; at most one more than allowed."""
    return list(dict.fromkeys(ticked[:128] for ticked in said.getlist(name) if ticked))[: MOST + 1]


def was_sent(request: HtmxHttpRequest, kind: str, choice: Choice) -> bool:
    """Return whether this very form was sent before for that thing: then nothing more is sent for it."""
    nonce = read_token(choice.token, request.user.pk, kind, choice.id)
    return nonce is not None and Operation.objects.filter(token=nonce).exists()


def carry_out(request: HtmxHttpRequest, action: Action, choices: Sequence[Choice]) -> list[Result]:
    """Send what can be sent, several at once, and return a line for each thing in the order of the choice."""

    def one(choice: Choice) -> Result:
        try:
            return _result_of(choice, action, _outcome(request, action, choice))
        except Exception:
            # A fault of ours with one of them: the others go on, and what came of this one is found out later.
            log.exception("the bulk %s of one %s failed", intent_of(action.kind), KINDS[action.kind].noun)
            text = "The portal made a mistake. Look at Activity."
            return Result(choice.id, choice.name, "moving", "Not certain", text)

    if len(choices) == 1:
        return [one(choices[0])]

    def on_thread(choice: Choice) -> Result:
        try:
            return one(choice)
        finally:
            # No request ends on this thread, which is when connections are otherwise given back.
            connections.close_all()

    jobs = [(contextvars.copy_context(), choice) for choice in choices]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="many") as threads:
        return list(threads.map(lambda job: job[0].run(on_thread, job[1]), jobs))


def _outcome(request: HtmxHttpRequest, action: Action, choice: Choice) -> Outcome | None:
    """Return what came of one thing, also of an earlier sending of the same form; None when nothing is sent for it."""
    payload = {"action": intent_of(action.kind)}
    nonce = read_token(choice.token, request.user.pk, action.kind, choice.id)
    before = wait_for_first(nonce, payload) if nonce else None
    if before is not None or choice.off:
        return before
    return perform(
        request,
        kind=action.kind,
        target=Target(choice.id, choice.name),
        token=choice.token,
        payload=payload,
        call=lambda api, within: action.call(api, choice.id, within),
    )


def _result_of(choice: Choice, action: Action, outcome: Outcome | None) -> Result:
    if outcome is None:
        return Result(choice.id, choice.name, "neutral", "Not sent", choice.off)
    operation, alert = outcome.operation, outcome.alert
    text = f"{alert.title}. {alert.said or alert.text}" if alert else "It is still on its way to Barrack."
    if operation is None:
        if alert is TOO_LATE:
            text = "The others took so long that there was no time left for it. Nothing was sent."
        return Result(choice.id, choice.name, "neutral", "Not sent", text)
    # What is deleted has no name on any list any more.
    name = operation.target_name
    if operation.state == State.DONE and alert is None:
        return Result(choice.id, name, "good", *action.done(operation))
    if operation.open:
        return Result(choice.id, name, "moving", "Not certain", text, operation.get_absolute_url())
    if operation.state == State.REFUSED:
        return Result(choice.id, name, "bad", "Refused", text)
    if operation.state == State.NOT_SEEN:
        text = "Its answer was lost, and nothing showed that it was done. Look at it before you try again."
    return Result(choice.id, name, "neutral", "Not sent", text)
