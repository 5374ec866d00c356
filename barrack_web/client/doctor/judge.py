"""What the calls of one check mean: its state, what differs, and which lines of an overrides file may put it right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from ..billing import BalanceSheet, BillingPage
from ..errors import BarrackError, Refused, TimedOut, Unreachable, clean
from ..operations import Operation
from ..outcomes import Call, Received
from ..paging import PAGE_SIZE, Pagination
from ..prices import Prices
from ..reading import UNREADABLE, Listing
from ..transport import REDIRECTS
from ..wire import Names
from .checks import Check
from .compare import Differences
from .report import Mend, OperationCheck, State

MESSAGE_KEYS: Final = ("message", "error", "detail", "error_reason")
ABSENT: Final = frozenset({404, 405})
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and what came of it."""

    call: Call
    outcome: Received | BarrackError

    @property
    def status(self) -> int | None:
        """The HTTP status, None without an answer."""
        return self.outcome.status


@dataclass(frozen=True, slots=True)
class Trial:
    """A check that was carried out: all its calls, and the result or the error that the portal would have got."""

    check: Check
    operation: Operation
    exchanges: Sequence[Exchange]
    result: object
    error: BarrackError | None
    seconds: float
    names: Names

    @property
    def answers(self) -> list[Received]:
        """The answers of a success, one for each page."""
        found = [exchange.outcome for exchange in self.exchanges if isinstance(exchange.outcome, Received)]
        return [answer for answer in found if 200 <= answer.status < 300]

    @property
    def last(self) -> Received | None:
        """The last answer of any kind."""
        last = self.exchanges[-1].outcome if self.exchanges else None
        return last if isinstance(last, Received) else None

    @property
    def status(self) -> int | None:
        """The status that decided."""
        if self.error is not None and self.error.status is not None:
            return self.error.status
        return self.last.status if self.last else None


def judged(trial: Trial) -> OperationCheck:
    """The record of a check that was carried out."""
    differences = Differences(trial.names)
    for answer in trial.answers:
        differences.add(trial.operation, answer.body, trial.check.parts)
    rows, broken = _counted(trial.result)
    problems = [
        *([failure(trial)] if trial.error else []),
        *([f"{broken} of {(rows or 0) + broken} rows cannot be read"] if broken else []),
        *differences.problems(),
        *_odd(trial),
    ]
    first = top_of(trial.answers[0].body) if trial.answers else None
    return OperationCheck(
        operation=trial.operation.name,
        group=trial.check.group,
        method=trial.operation.method,
        path=trial.operation.path,
        state=_state(trial, broken, problems),
        reason=trial.check.reason,
        status=trial.status,
        seconds=round(trial.seconds, 3),
        repeated=len(trial.exchanges) - len({id(exchange.call) for exchange in trial.exchanges}),
        rows=rows,
        broken=broken,
        pagination=_pagination(trial, first)
        if first is not None and isinstance(trial.result, Listing | BillingPage)
        else None,
        success_flag=None if first is None else "success" in first,
        request_id=_request_id(trial, first),
        problems=tuple(problems),
        notes=(*differences.notes(), *_notes(trial, first)),
        mends=(*_moved(trial), *_other_result(trial, first), *differences.mends()),
    )


def failure(trial: Trial) -> str:
    """Why a read did not work, in words of ours and without values of the answer."""
    error, status = trial.error, trial.status
    if isinstance(error, TimedOut):
        return "no answer within the time limit"
    if isinstance(error, Unreachable) or status is None:
        return (error.detail if error else None) or "no answer"
    sentences = {
        401: "the key is not accepted here",
        403: "the key may not read this",
        404: "an id from the list is not found here" if trial.check.needs else "there is nothing at this path",
        405: f"this path does not take {trial.operation.method}",
        429: "too many requests",
    }
    if status >= 300:
        shape = f", the body is {body_kind(trial.last.body)}" if trial.last and trial.last.status == status else ""
        return f"{status}: {sentences.get(status, (error.detail if error else None) or 'refused')}{shape}"
    if isinstance(error, Refused):
        return f"{status}, and yet the answer says that it failed"
    kind = body_kind(trial.last.body) if trial.last else ""
    why = clean((error.detail if error else None) or "").replace("`", "")
    return f"{why}; the body is {kind}" if kind != "JSON" else why


def body_kind(body: bytes) -> str:
    """What a body is, as far as its first characters tell."""
    text = body.lstrip()
    if not text:
        return "empty"
    if top_of(body) is not None:
        return "JSON"
    return "HTML" if text[:1] == b"<" else "no JSON object"


def top_of(body: bytes) -> dict[str, msgspec.Raw] | None:
    """The members of a body that is a JSON object, None for any other."""
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return None


def _state(trial: Trial, broken: int | None, problems: Sequence[str]) -> State:
    if trial.error is not None:
        absent = not trial.check.reason and trial.status in ABSENT
        return "absent" if absent else "fails"
    if broken or _useless(trial):
        return "fails"
    return "differs" if problems else "ok"


def _useless(trial: Trial) -> bool:
    """Whether an answer that can be read is of no use all the same: something that is there would not be seen."""
    result = trial.result
    if isinstance(result, Listing):
        return not result.complete or _repeats(trial)
    if isinstance(result, Prices):
        return not result.rows
    return isinstance(result, BalanceSheet) and result.primary is None


def _repeats(trial: Trial) -> bool:
    tops = [top_of(answer.body) or {} for answer in trial.answers[:2]]
    pages = [bytes(top[trial.operation.result]) for top in tops if trial.operation.result in top]
    return len(pages) > 1 and pages[0] == pages[1]


def _counted(result: object) -> tuple[int | None, int | None]:
    """Rows that could be read, and rows that could not; None twice for a result without rows."""
    rows: Any
    if isinstance(result, Listing):
        rows = result.rows
    elif isinstance(result, BillingPage):
        rows = result.records
    elif isinstance(result, BalanceSheet):
        rows = result.balances
    elif isinstance(result, Prices):
        rows = result.rows
    else:
        return None, None
    return len(rows), result.broken


def _odd(trial: Trial) -> list[str]:
    """What is odd about answers that can be read: redirects, pages that repeat, lists without an end or a price."""
    found = []
    path, came_from = _paths(trial)
    if came_from != path:
        found.append(f"redirected to {clean(came_from)[:120]}; a write would not follow, so its path must be exact")
    if isinstance(trial.result, Listing) and _repeats(trial):
        found.append("the second page repeats the first; the query may want other names for page and limit")
    if isinstance(trial.result, Listing) and not trial.result.complete:
        found.append("the list has more pages than the portal goes through")
    if isinstance(trial.result, Prices) and not trial.result.rows:
        found.append("the price list has no line that can be read")
    if isinstance(trial.result, BalanceSheet) and trial.result.primary is None:
        found.append("no balance can be told to be the account's own: no primary currency fits one")
    return found


def _paths(trial: Trial) -> tuple[str, str]:
    """The path that was asked for, and the one that the answer came from after redirects."""
    if trial.last is None or not trial.last.url:
        return "", ""
    asked = trial.exchanges[-1].call.url
    return unquote(urlsplit(asked).path), unquote(urlsplit(trial.last.url).path)


def _notes(trial: Trial, first: dict[str, msgspec.Raw] | None) -> list[str]:
    notes = []
    limit = _limit(trial, first)
    if isinstance(trial.result, Listing) and limit is not None and limit != PAGE_SIZE:
        notes.append(f"{PAGE_SIZE} rows a page were asked for, the API gives {limit}")
    if len(trial.answers) > 1:
        notes.append(f"{len(trial.answers)} pages")
    return notes


def _limit(trial: Trial, first: dict[str, msgspec.Raw] | None) -> int | None:
    place = (first or {}).get("pagination", msgspec.Raw(b"null"))
    name = _paging_names(trial)["limit"]
    try:
        return msgspec.json.decode(msgspec.json.decode(place, type=dict[str, msgspec.Raw])[name], type=int)
    except (KeyError, *UNREADABLE):
        return None


def _pagination(trial: Trial, first: dict[str, msgspec.Raw]) -> str:
    if "pagination" in first and bytes(first["pagination"]) != b"null":
        return "nested"
    names = _paging_names(trial)
    return "top" if {names["total_pages"], names["limit"]} & first.keys() else "absent"


def _paging_names(trial: Trial) -> dict[str, str]:
    return trial.names.on_the_wire(Pagination)


def _request_id(trial: Trial, first: dict[str, msgspec.Raw] | None) -> str | None:
    if first is None:
        return None
    if bytes(first.get("request_id", b"null")) != b"null":
        return "body"
    return "header" if trial.answers[0].request_id else "absent"


def _moved(trial: Trial) -> list[Mend]:
    """The path and method to look up, when nothing is at the path; the path itself, when a redirect told it."""
    table = f"operations.{trial.operation.name}"
    asked, came_from = _paths(trial)
    if trial.error is not None and trial.status in ABSENT and trial.check.reason:
        path = Mend(table, "path", trial.operation.path, f"answered {trial.status}: put the right path here")
        other_method = Mend(table, "method", trial.operation.method, "or the right method here")
        return [path, *([other_method] if trial.status == 405 else [])]
    if trial.error is not None and trial.last and trial.last.status < 300 and body_kind(trial.last.body) == "HTML":
        return [Mend(table, "path", trial.operation.path, "answered a page of HTML: put the right path here")]
    if trial.error is not None and trial.status in REDIRECTS:
        return [Mend(table, "path", trial.operation.path, "redirected: put the exact path here")]
    base = asked.removesuffix(unquote(trial.operation.path))
    there = came_from.removeprefix(base)
    writable = came_from.startswith(f"{base}/") and not any(mark in there for mark in "{}?#\\")
    if came_from != asked and writable and not trial.operation.places():
        return [Mend(table, "path", there, "redirected there")]
    return []


def _other_result(trial: Trial, first: dict[str, msgspec.Raw] | None) -> list[Mend]:
    """The key of the payload to look up, when the answer has none of that name."""
    key = trial.operation.result
    if first is None or not key or key in first:
        return []
    keys = ", ".join(sorted(clean(name)[:_LONGEST_NAME] for name in first)[:20]) or "none"
    return [Mend(f"operations.{trial.operation.name}", "result", key, f"not in the answer, whose keys are: {keys}")]
