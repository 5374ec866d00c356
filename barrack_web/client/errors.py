"""What can go wrong with a call to the Barrack API, as one tree of exceptions.

* `Unreachable`: nothing was sent.
* `TimedOut`: no complete answer within the time limit.
* `Refused` and its kinds: the API answered and did nothing.
* `Broken`: an answer that cannot be believed, or a connection cut after the request was sent.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from .operations import Operation

MAX_MESSAGE: Final = 500
MAX_FIELDS: Final = 50
MAX_ID: Final = 128
MAX_RETRY_AFTER: Final = 3600.0


class BarrackError(Exception):
    """The base of every error that the client raises.

    Attributes:
        message: the API's own text where it sent one, without control characters, at most 500 characters.
        operation: name of the row in the operation table, empty if unknown.
        status: HTTP status of the answer, None without an answer.
        request_id: the API's correlation id, None when it sent none.
        detail: technical reason for the log, never for the screen; holds no secret.
        code: the API's machine readable code, such as INSUFFICIENT_CREDITS (source: assumed).
        fields: field name → what is wrong with it, from the API's `details` (source: assumed).
        retry_after: seconds the API asked to wait, between 0 and 3600, None when it did not say.
        passing: True when the same call may succeed a moment later; the retry rule for safe operations reads it.
        from_api: True when `message` is the API's own text, not a sentence of the client.
        may_have_happened: True when the operation changes something and may have been carried out all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        status: int | None = None,
        request_id: str | None = None,
        detail: str | None = None,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        passing: bool = False,
        may_have_happened: bool = False,
        from_api: bool = False,
    ) -> None:
        self.message = clean(message)
        super().__init__(self.message)
        self.operation = operation
        self.status = status
        self.request_id = request_id
        self.detail = detail
        self.code = code
        self.fields: dict[str, str] = dict(fields or {})
        self.retry_after = retry_after
        self.passing = passing
        self.may_have_happened = may_have_happened
        self.from_api = from_api


class Unreachable(BarrackError):  # noqa: N818 - the kinds are named after what happened
    """Nothing was sent: no connection, no address, no TLS, or too many calls hang already."""


class TimedOut(BarrackError):  # noqa: N818
    """The request was sent and the time limit passed without a complete answer."""


class Refused(BarrackError):  # noqa: N818
    """The API answered that it did not do it. Also any 4xx without a kind of its own."""


class BadKey(Refused):
    """401: the API does not accept the key."""


class NoCredit(Refused):
    """402: not enough credits."""


class Forbidden(Refused):
    """403: not allowed, for example because the profile is incomplete."""


class Missing(Refused):
    """404: there is no such resource. Also raised, without a call, for an id that cannot exist."""


class Conflict(Refused):
    """409: the name is taken, or the state of the resource forbids it."""


class Invalid(Refused):
    """400 or 422: what was sent did not pass the API's checks; `fields` says where, if the API did."""


class TooMany(Refused):
    """429: too many requests; `retry_after` says for how long, if the API did."""


class NoStock(Refused):
    """503 in the API's own envelope, on an operation that takes GPU stock: no free capacity."""


class Broken(BarrackError):  # noqa: N818
    """Other 5xx, HTML, bad JSON, wrong shape, a redirect that must not be followed, too large, or a cut connection."""


# source: assumed, from the meaning of the codes.
STATUS_KINDS: Final[Mapping[int, type[Refused]]] = {
    400: Invalid,
    401: BadKey,
    402: NoCredit,
    403: Forbidden,
    404: Missing,
    409: Conflict,
    422: Invalid,
    429: TooMany,
}

# For a 2xx answer with `success: false`, where the status says nothing. source: assumed.
CODE_KINDS: Final[Mapping[str, type[Refused]]] = {
    "INSUFFICIENT_CREDITS": NoCredit,
    "UNAUTHORIZED": BadKey,
    "INVALID_API_KEY": BadKey,
    "FORBIDDEN": Forbidden,
    "PROFILE_INCOMPLETE": Forbidden,
    "NOT_FOUND": Missing,
    "CONFLICT": Conflict,
    "NAME_TAKEN": Conflict,
    "VALIDATION_ERROR": Invalid,
    "BAD_REQUEST": Invalid,
    "RATE_LIMITED": TooMany,
    "TOO_MANY_REQUESTS": TooMany,
    "OUT_OF_STOCK": NoStock,
    "NO_STOCK": NoStock,
}

SENTENCES: Final[Mapping[type[BarrackError], str]] = {
    BadKey: "Barrack did not accept the API key.",
    NoCredit: "There are not enough credits.",
    Forbidden: "Barrack does not allow this.",
    Missing: "There is no such resource.",
    Conflict: "The name is taken, or the present state does not allow this.",
    Invalid: "Barrack did not accept what was sent.",
    TooMany: "Too many requests; try again in a moment.",
    NoStock: "There is no free capacity.",
    Refused: "Barrack refused the request.",
    Broken: "Barrack answered with an error.",
}

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)


def clean(text: str) -> str:
    """The text on one line, without control or formatting characters, at most 500 characters."""
    start = text[: 4 * MAX_MESSAGE]
    visible = "".join(char if char.isprintable() else " " for char in start)
    return " ".join(visible.split())[:MAX_MESSAGE]


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait according to a Retry-After header, in either of its two forms.

    A time in the past gives 0, more than an hour gives 3600, anything unreadable gives None.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def from_answer(
    operation: Operation,
    status: int,
    facts: Mapping[str, object] | None,
    *,
    retry_after: float | None,
    request_id: str | None,
) -> BarrackError:
    """The error that an answer stands for.

    `facts` is the JSON object of the body, None if the body is anything else. The status decides the kind, and the
    API's code only where the status says success. A body that is empty or HTML changes the words, not the kind.
    """
    known = facts or {}
    code = _code(known)
    kind = _kind(operation, status, code, enveloped=says_failed(known))
    broken = kind is Broken
    return kind(
        _message(known) or SENTENCES[kind],
        operation=operation.name,
        status=status,
        request_id=clean(_text(known.get("request_id")))[:MAX_ID] or request_id,
        detail=f"status {status}, {'JSON' if facts is not None else 'no JSON object'}",
        code=code,
        fields=_fields(known),
        retry_after=retry_after,
        passing=(broken and status in (502, 503, 504)) or (kind is TooMany and retry_after is not None),
        may_have_happened=broken and not operation.safe,
        from_api=bool(_message(known)),
    )


def says_failed(facts: Mapping[str, object]) -> bool:
    """Whether a body says that the call failed: `success` or `status` is false (source: assumed)."""
    return facts.get("success") is False or facts.get("status") is False


def _kind(operation: Operation, status: int, code: str | None, *, enveloped: bool) -> type[BarrackError]:
    if status < 300:
        return CODE_KINDS.get((code or "").upper(), Refused)
    if 400 <= status < 500:
        return STATUS_KINDS.get(status, Refused)
    # A gateway answers 503 in JSON of its own too, so only the API's envelope is a word about stock.
    if status == 503 and operation.takes_stock and enveloped:
        return NoStock
    return Broken


def _message(facts: Mapping[str, object]) -> str:
    for key in ("message", "error", "detail", "error_reason"):
        if text := clean(_text(facts.get(key))):
            return text
    return ""


def _code(facts: Mapping[str, object]) -> str | None:
    for key in ("error", "code", "error_reason"):
        text = _text(facts.get(key))
        if _CODE.fullmatch(text):
            return text
    return None


def _fields(facts: Mapping[str, object]) -> dict[str, str]:
    """Field problems from `details` (or `errors`, `detail`): an object, or a list of {field|loc, message|msg}."""
    found: dict[str, str] = {}
    for key in ("details", "errors", "detail"):
        details = facts.get(key)
        if isinstance(details, Mapping):
            pairs = [(str(name), _problem(problem)) for name, problem in list(details.items())[:MAX_FIELDS]]
        elif isinstance(details, list):
            rows = [row for row in details[:MAX_FIELDS] if isinstance(row, Mapping)]
            pairs = [(_location(row), _problem(row)) for row in rows]
        else:
            continue
        for name, problem in pairs:
            if name and problem:
                found.setdefault(clean(name), problem)
    return found


def _location(row: Mapping[str, object]) -> str:
    place = row.get("field") or row.get("loc")
    if isinstance(place, Sequence) and not isinstance(place, str):
        # ["body", "name"] and ["body", "rules", 0, "port"]: the last word names the field.
        words = [part for part in place if isinstance(part, str)]
        return words[-1] if words else ""
    return _text(place)


def _problem(value: object) -> str:
    if isinstance(value, Mapping):  # one level only: an answer can be nested as deep as the interpreter's stack
        value = value.get("message") or value.get("msg")
    if isinstance(value, list):
        return clean(" ".join(part for part in value[:5] if isinstance(part, str)))
    return clean(_text(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
