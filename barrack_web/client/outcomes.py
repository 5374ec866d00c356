"""What came back from a call, and what it means. Nothing here speaks HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

import msgspec

from .access import Secret
from .errors import BarrackError, Broken, TimedOut, Unreachable, from_answer, retry_after_seconds
from .operations import Operation
from .reading import UNREADABLE, Answer
from .wire import Names

RETRY_PAUSES: Final = (0.1, 0.3)
RETRY_WINDOW: Final = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """Everything about one call but the key. Its body may hold other secrets, so no repr shows it."""

    operation: Operation
    url: str
    query: Mapping[str, str]
    body: bytes | None = field(repr=False)
    request_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came, before anybody looked at it. No repr shows its body, which may hold a private key."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None
    request_id: str | None
    url: str = ""  # where it came from, after redirects


def judge(call: Call, received: Received, secret: Secret, names: Names) -> Answer | BarrackError:
    """What an answer means: a payload, or the error it stands for."""
    operation = call.operation
    body = secret.removed_from(received.body)
    request_id = None if secret.is_in(received.request_id) else received.request_id
    if received.status == 204:  # by definition without a body, which is enough for a delete
        return Answer(operation, received.status, b"{}", {}, request_id, names)
    if 200 <= received.status < 300:
        try:
            payload = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except UNREADABLE:
            return broken(call, "no JSON object", status=received.status, request_id=request_id)
        failed = any(bytes(payload.get(flag, b"")).strip() == b"false" for flag in ("success", "status"))
        if not failed:
            return Answer(operation, received.status, body, payload, request_id, names)
    return from_answer(
        operation,
        received.status,
        _facts(body),
        retry_after=retry_after_seconds(received.retry_after),
        request_id=request_id,
    )


def shown(received: Received, secret: Secret) -> Received:
    """An answer without the key, for those who look on."""
    return replace(
        received,
        body=secret.removed_from(received.body),
        url=secret.removed_from(received.url.encode()).decode(),
        request_id=None if secret.is_in(received.request_id) else received.request_id,
        retry_after=None if secret.is_in(received.retry_after) else received.retry_after,
    )


def pause(call: Call, error: BarrackError, tries: int, first_failure: float) -> float | None:
    """Seconds until the next try of a call; None when there must be none.

    Only what is safe to repeat and may pass by itself, never a call that timed out; at most two more tries, begun
    within a second of the first failure, and no sooner than the API asked for.
    """
    if not (call.operation.safe and error.passing) or tries >= len(RETRY_PAUSES):
        return None
    seconds = RETRY_PAUSES[tries] if error.retry_after is None else error.retry_after
    start = monotonic() + seconds
    return seconds if start <= first_failure + RETRY_WINDOW and start < call.deadline else None


def _facts(body: bytes) -> dict[str, object] | None:
    try:
        facts = msgspec.json.decode(body)
    except UNREADABLE:
        return None
    return facts if isinstance(facts, dict) else None


def unreachable(call: Call, reason: str, *, passing: bool = False) -> Unreachable:
    """The error for a call that was not sent."""
    return Unreachable("Barrack cannot be reached.", operation=call.operation.name, detail=reason, passing=passing)


def timed_out(call: Call) -> TimedOut:
    """The error for a call that was sent and has no complete answer at its deadline."""
    return TimedOut(
        "Barrack did not answer in time.", operation=call.operation.name, may_have_happened=not call.operation.safe
    )


def broken(
    call: Call, reason: str, *, status: int | None = None, request_id: str | None = None, passing: bool = False
) -> Broken:
    """The error for an answer that cannot be believed, or with no status for a connection that was cut."""
    return Broken(
        "Barrack's answer could not be understood." if status else "The connection to Barrack broke.",
        operation=call.operation.name,
        status=status,
        request_id=request_id,
        detail=reason,
        passing=passing,
        may_have_happened=not call.operation.safe,
    )
