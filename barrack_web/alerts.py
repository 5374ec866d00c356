"""The one table from an error of the API to words: what happened, what it means, what to do next."""

from dataclasses import asdict, dataclass, field
from typing import Any

from django.urls import reverse

from barrack_web.client import (
    BadKey,
    BarrackError,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    NoCredit,
    NoStock,
    Refused,
    TimedOut,
    TooMany,
    Unreachable,
)


@dataclass(frozen=True)
class Alert:
    """What an alert box says. `status` is the HTTP status of the answer that carries it, `said` the API's own text."""

    title: str
    text: str
    todo: str = ""
    status: int = 422
    said: str = ""
    request_id: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    link: str = ""
    link_text: str = ""
    # The link opens beside the page, whose form keeps what was typed.
    new_tab: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Words:
    """What an alert says; `page` is the URL name of where to do what is to be done, under the words `page_text`."""

    title: str
    text: str
    todo: str
    status: int
    page: str = ""
    page_text: str = ""


STAYS = "Running VMs are not touched by this."
RUNS = "The portal could not read what this page shows. " + STAYS

PROBLEM = "Barrack has a problem"
NO_STOCK = "No free GPUs"

# What a page says that could not be read.
READING: dict[type[BarrackError], Words] = {
    Unreachable: Words(
        "Barrack does not answer", "No connection to the Barrack API. " + STAYS, "Try again in a minute.", 503
    ),
    TimedOut: Words(
        "Barrack takes too long", "The Barrack API did not answer in time. " + STAYS, "Try again in a minute.", 504
    ),
    Broken: Words(
        "Barrack sent an answer that cannot be read", RUNS, "Try again in a minute; if it stays, write to support.", 502
    ),
    BadKey: Words(
        "Barrack refused the portal's key",
        "The API key is wrong, expired or revoked, so nothing can be read or changed here. " + STAYS,
        "An admin has to set a valid BARRACK_API_KEY and restart the portal.",
        502,
    ),
    TooMany: Words(
        "Barrack asks for fewer requests",
        "The API has reached its limit for now. " + STAYS,
        "Try again in a minute.",
        503,
    ),
    Forbidden: Words(
        "Barrack does not allow this",
        "The portal's API key may not read this.",
        "An admin has to check the key's rights.",
        502,
    ),
    Refused: Words("Barrack refused the request", RUNS, "Try again in a minute; if it stays, write to support.", 502),
}

# What a form says whose request was refused, or never reached the API: nothing has happened.
WRITING: dict[type[BarrackError], Words] = {
    Unreachable: Words(
        "Barrack does not answer",
        "No connection to the Barrack API, so nothing was sent and nothing was changed.",
        "The form keeps what you typed. Try again in a minute.",
        503,
    ),
    # These two are of the reads that a form stands on; a write whose answer was lost has `for_unknown`.
    TimedOut: Words(
        "Barrack takes too long",
        "The Barrack API did not answer in time, so nothing was sent and nothing was changed.",
        "The form keeps what you typed. Try again in a minute.",
        504,
    ),
    Broken: Words(
        "Barrack sent an answer that cannot be read",
        "What this form is about could not be read, so nothing was sent and nothing was changed.",
        "The form keeps what you typed. Try again in a minute; if it stays, write to support.",
        502,
    ),
    BadKey: Words(
        "Barrack refused the portal's key",
        "The API key is wrong, expired or revoked. Nothing was changed.",
        "An admin has to set a valid BARRACK_API_KEY and restart the portal.",
        502,
    ),
    NoCredit: Words(
        "Insufficient Credits",
        "The balance does not cover this, so Barrack refused it. Nothing was changed and nothing is charged.",
        "Add credits to the Barrack account, then send the form again; it keeps what you typed.",
        422,
        page="credits",
        page_text="Add credits",
    ),
    Forbidden: Words(
        "Barrack does not allow this",
        "The account may not do this now. Most often its profile is not complete. Nothing was changed.",
        "Complete the billing profile under My account, and the profile at Barrack, then try again.",
        422,
    ),
    Missing: Words(
        "It no longer exists",
        "Barrack no longer knows it; somebody may have deleted it a moment ago. Nothing was changed.",
        "Close this form and look at the list.",
        422,
    ),
    Conflict: Words(
        "Barrack refused this in the present state",
        "The name is in use, or another operation is running on it. Nothing was changed.",
        "Wait until the other operation has ended, or choose another name.",
        422,
    ),
    Invalid: Words(
        "Barrack did not accept a field", "Nothing was changed.", "Correct the field and send the form again.", 422
    ),
    TooMany: Words(
        "Barrack asks for fewer requests",
        "The API has reached its limit for now, so nothing was changed.",
        "Wait a minute and send the form again; it keeps what you typed.",
        503,
    ),
    NoStock: Words(
        NO_STOCK,
        "No GPU of this type is free in this region at the moment. Nothing was created and nothing is charged.",
        "Try again later: stock changes through the day. A snapshot cannot be moved to another region.",
        422,
    ),
    Refused: Words("Barrack refused this", "Nothing was changed.", "See what Barrack said, or write to support.", 422),
}

# What a 409 says whose code tells more than its status (source of the codes: assumed).
BY_CODE = {
    "LIMIT_REACHED": Words(
        "The limit is reached",
        "The account has as many of them as Barrack allows, so it refused one more. Nothing was changed.",
        "Delete one that is no longer needed, then send the form again; it keeps what you typed.",
        422,
    ),
    "KEY_IN_USE": Words(
        "The key is in use",
        "The key is currently in use by active VMs, so Barrack did not delete it. Nothing was changed.",
        "Stop or delete these VMs first, or keep the key.",
        422,
    ),
}

# What a form says whose request was sent and whose answer was lost: it may have happened.
UNKNOWN_STATUS: dict[type[BarrackError], int] = {TimedOut: 504, Broken: 502}


def for_error(error: BarrackError, *, writing: bool = False) -> Alert:
    """Return the words for an error of a read, or of a write that certainly did not happen."""
    words = _words(WRITING if writing else READING, error)
    if writing and isinstance(error, Conflict):
        words = BY_CODE.get((error.code or "").upper(), words)
    return Alert(
        title=PROBLEM if isinstance(error, Broken) and (error.status or 0) >= 500 else words.title,
        text=words.text,
        todo=_with_wait(error, words.todo),
        status=words.status,
        said=error.message if error.from_api else "",
        request_id=error.request_id or "",
        fields=dict(error.fields) if isinstance(error, (Invalid, Conflict)) else {},
        link=reverse(words.page) if words.page else "",
        link_text=words.page_text,
        new_tab=bool(words.page),
    )


def for_unknown(
    error: BarrackError,
    *,
    noun: str,
    effect: str,
    minutes: int,
    link: str,
    doubt: str = "",
    lost: str = "",
    repeatable: bool = True,
) -> Alert:
    """Return the words for a write whose answer was lost and whose result is not to be seen yet.

    `effect` is "makes", "deletes" or "changes"; `doubt` says for a change what is not certain, `lost` what stood in the
    answer alone.
    """
    happened = "took too long" if isinstance(error, TimedOut) else "broke off"
    if effect == "makes":
        text = (
            f"Barrack's answer {happened}, and the new {noun} is not seen yet. We keep looking for {minutes} minutes."
        )
        todo = f"Trying again under the same name cannot make a second {noun}.{f' {lost}' if lost else ''}"
    else:
        text = f"Barrack's answer {happened}, and it is not certain yet whether {doubt or f'the {noun} is deleted'}."
        again = "Trying again does no harm." if repeatable else "Until that is known it cannot be sent again."
        todo = f"We keep looking for {minutes} minutes. {again}"
    return Alert(
        title="Not seen yet",
        text=text,
        todo=todo,
        status=next((code for kind, code in UNKNOWN_STATUS.items() if isinstance(error, kind)), 503),
        request_id=error.request_id or "",
        link=link,
        link_text="Follow this operation",
    )


def _words(table: dict[type[BarrackError], Words], error: BarrackError) -> Words:
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return table[Refused] if table is WRITING else table[Broken]


def _with_wait(error: BarrackError, todo: str) -> str:
    if isinstance(error, TooMany) and error.retry_after:
        return f"Try again in {max(1, round(error.retry_after))} s."
    return todo


# Failures that somebody has to know by their name; every other one is "does not answer" to who looks at an older copy.
TOLD = (BadKey, Forbidden, TooMany)


def while_failing(error: BarrackError) -> str:
    """Return the head of the banner above an older copy, and the reason of buttons that are off meanwhile."""
    return _words(READING, error).title if isinstance(error, TOLD) else "Barrack does not answer"


def way_out(error: BarrackError) -> str:
    """Return what somebody has to do before the older copy can be a fresh one, "" when waiting is enough."""
    return _words(READING, error).todo if isinstance(error, (BadKey, Forbidden)) else ""
