"""Walks the pages of a list: the first, then all others at once."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from .reading import UNREADABLE, Answer, Listing
from .transport import Transport

S = TypeVar("S", bound=msgspec.Struct)

PAGE_SIZE: Final = 100  # source: assumed; 20 in every documented example, so the pages are counted from the answer
MAX_PAGES: Final = 100


class Pagination(msgspec.Struct):
    """Nested under `pagination` (source: assumed) or at the top of the answer (source: API reference page)."""

    total_pages: int | None = None
    total: int | None = None
    limit: int | None = None


def walk(
    transport: Transport,
    name: str,
    kind: type[S],
    identity: Callable[[S], str],
    *,
    query: Mapping[str, object] | None = None,
    within: float | None = None,
) -> Listing[S]:
    """The whole list, within one time limit for all of its pages.

    A row that comes twice, because the list moved between two reads, is kept once. Raises a BarrackError; when any page
    fails the whole read fails, since half a list looks like a whole one.
    """
    return walk_from(transport, name, kind, identity, query=query, within=within)[0]


def walk_from(
    transport: Transport,
    name: str,
    kind: type[S],
    identity: Callable[[S], str],
    *,
    query: Mapping[str, object] | None = None,
    within: float | None = None,
) -> tuple[Listing[S], Answer]:
    """As `walk`, with the first page's answer, for what stands beside the rows."""
    operation = transport.operation(name)
    deadline = transport.deadline(operation, within)
    wanted = {"limit": PAGE_SIZE, **(query or {})}
    first = transport.send(transport.prepare(name, query={**wanted, "page": 1}, deadline=deadline))
    total = page_count(first)
    last = min(total, MAX_PAGES) if "page" in operation.query else 1
    calls = [transport.prepare(name, query={**wanted, "page": page}, deadline=deadline) for page in range(2, last + 1)]
    unique: dict[str, S] = {}
    broken = 0
    for answer in (first, *transport.send_all(calls)):
        rows, unreadable = answer.rows(kind)
        broken += unreadable
        for row in rows:
            unique.setdefault(identity(row), row)
    return Listing(tuple(unique.values()), broken=broken, pages=last, complete=last == total), first


def page_count(answer: Answer) -> int:
    """How many pages the list has, at least 1. No pagination means one page; Broken if it is there and unreadable."""
    nothing = msgspec.Raw(b"null")
    nested = answer.around().get("pagination") or answer.payload.get("pagination", nothing)
    try:
        if (pagination := _read(answer, nested)) is None:
            pagination = _read(answer, msgspec.Raw(answer.body)) or Pagination()
            if pagination.total_pages is None and pagination.limit is None:
                return 1
    except UNREADABLE as error:
        raise answer.broken(f"pagination: {error}") from None
    if pagination.total_pages is not None:
        return max(1, pagination.total_pages)
    if pagination.total is not None and pagination.limit is not None and pagination.limit > 0:
        return max(1, -(-pagination.total // pagination.limit))
    raise answer.broken("pagination without a number of pages")


def _read(answer: Answer, raw: msgspec.Raw) -> Pagination | None:
    return msgspec.json.decode(answer.names.usual(raw, Pagination), type=Pagination | None)
