"""How every route answers: the envelope, errors, pages, and the checks that several routes share."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from barrack_web.sandbox.world import World

Json = dict[str, Any]
Answer = tuple[int, Json]


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that comes in pieces, as server-sent events: the data of each. Strings are sent as they are."""

    events: tuple[Json | str, ...]


Handler = Callable[[World, dict[str, str], dict[str, str], Json], Answer | Streamed]

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_NAME = re.compile(r"[A-Za-z0-9 ._-]{1,50}")
NAME_RULE = "Use 1 to 50 letters, digits, spaces, hyphens, underscores or periods."


class Route(NamedTuple):
    """One operation of the API: its name, method, path with {parameters}, and the function that answers."""

    operation: str
    method: str
    path: str
    handler: Handler


class ApiError(Exception):
    """A refusal: HTTP status, machine-readable code, a sentence, and optionally a message per field."""

    def __init__(self, status: int, code: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def body(self) -> Json:
        """Return the error envelope with a new request id."""
        return {
            "success": False,
            "message": self.message,
            "error": self.code,
            "details": self.details,
            "request_id": request_id(),
        }


def request_id() -> str:
    """Return a new correlation id of eight hex digits."""
    return uuid.uuid4().hex[:8]


def ok(message: str, *, http_status: int = 200, **payload: object) -> Answer:
    """Return an HTTP status and the success envelope around the payload, which may have a `status` of its own."""
    return http_status, {"success": True, "message": message, **payload, "request_id": request_id()}


def missing(what: str) -> ApiError:
    """Return the 404 for something that does not exist in the account."""
    return ApiError(404, "NOT_FOUND", f"{what} not found")


def bad_query(name: str, sentence: str) -> ApiError:
    """Return the 400 for a query parameter that cannot be."""
    return ApiError(400, "BAD_REQUEST", f"{name}: {sentence}", {name: sentence})


def bad_state(sentence: str, code: str = "INVALID_STATE") -> ApiError:
    """Return the 409 for something that is not in the state for what was asked."""
    return ApiError(409, code, sentence)


def invalid(**details: str) -> ApiError:
    """Return the 422 that names each offending field."""
    return ApiError(422, "VALIDATION_ERROR", "Some fields are not valid", dict(details))


def name_taken(field: str, name: str, what: str) -> ApiError:
    """Return the 409 for a name that another resource of the account has."""
    sentence = f'The account already has {what} named "{name}".'
    return ApiError(409, "NAME_TAKEN", sentence, {field: sentence})


def no_credit(sentence: str) -> ApiError:
    """Return the 402 with the sentence that says what was too dear."""
    return ApiError(402, "INSUFFICIENT_CREDITS", sentence)


def find(records: dict[str, Json], key: str, what: str) -> Json:
    """Return the record with this id; raise the 404 when there is none."""
    record = records.get(key)
    if record is None:
        raise missing(what)
    return record


def checked_name(body: Json, field: str) -> str:
    """Return the name in a field; raise the 422 when it is missing or breaks the rule for names."""
    name = body.get(field)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.strip():
        raise invalid(**{field: NAME_RULE})
    return name


def checked_text(body: Json, field: str, *, required: bool = False, longest: int | None = None) -> str | None:
    """Return a text or null; raise the 422 for another type, too many characters, or a required key that is absent."""
    if required and field not in body:
        raise invalid(**{field: "This field is required; it may be empty."})
    text = body.get(field)
    if text is not None and not isinstance(text, str):
        raise invalid(**{field: "This must be text."})
    if text is not None and "\0" in text:
        raise invalid(**{field: "A text holds no NUL characters."})
    if text is not None and longest is not None and len(text) > longest:
        raise invalid(**{field: f"Use at most {longest} characters."})
    return text


def checked_flag(body: Json, field: str) -> bool:
    """Return a boolean, false when absent; raise the 422 for another type."""
    flag = body.get(field, False)
    if not isinstance(flag, bool):
        raise invalid(**{field: "This must be true or false."})
    return flag


def checked_ids(body: Json, field: str, *, least: int = 1) -> list[str]:
    """Return a list of ids; raise the 422 when it is not a list of texts, is too short, or names one twice."""
    ids = body.get(field)
    if not isinstance(ids, list) or not all(isinstance(item, str) and item for item in ids):
        raise invalid(**{field: "This must be a list of ids."})
    if len(ids) < least:
        raise invalid(**{field: "Name at least one."})
    if len(set(ids)) < len(ids):
        raise invalid(**{field: "Name each only once."})
    return ids


def public(record: Json) -> Json:
    """Return a record without what is the sandbox's own: the keys that begin with an underscore."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


def page_of(rows: list[Any], query: dict[str, str]) -> tuple[list[Any], Json]:
    """Return the rows of the page asked for and its four paging keys; raise the 400 for a bad page or limit."""
    page = _whole(query, "page", default=1, most=None)
    limit = _whole(query, "limit", default=DEFAULT_LIMIT, most=MAX_LIMIT)
    start = (page - 1) * limit
    paging = {"page": page, "limit": limit, "total": len(rows), "total_pages": -(-len(rows) // limit)}
    return rows[start : start + limit], paging


def _whole(query: dict[str, str], name: str, *, default: int, most: int | None) -> int:
    text = query.get(name)
    if text is None:
        return default
    # Ten digits are plenty, and keep int() from chewing on a number as long as the address line.
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) < 1 or (most is not None and int(text) > most):
        bound = f"from 1 to {most}" if most is not None else "from 1"
        raise ApiError(400, "BAD_REQUEST", f"{name} takes a whole number {bound}", {name: f"Use a number {bound}."})
    return int(text)
