"""What list pages share: the state that stands in the address, the pager, and the tag of an unchanged answer."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from barrack_web import __version__
from barrack_web.cached import Read
from barrack_web.htmx import HtmxHttpRequest, private

T = TypeVar("T")
PAGE_SIZE = 6


@dataclass(frozen=True)
class ListQuery:
    """Which part of a list an address asks for; anything it does not know counts as not said."""

    region: str
    q: str
    sort: str
    page: str

    @classmethod
    def of(cls, request: HttpRequest, sorts: Mapping[str, Any]) -> "ListQuery":
        """Read ?region=&q=&sort=&page=, bounded."""
        sort = request.GET.get("sort", "")
        return cls(
            region=request.GET.get("region", "")[:100],
            q=request.GET.get("q", "").strip()[:100],
            sort=sort if sort in sorts else next(iter(sorts)),
            page=request.GET.get("page", "1")[:6],
        )

    @property
    def nothing_fits(self) -> str:
        """What was looked for in vain, in words."""
        where = f" in {self.region}" if self.region else ""
        return f"Nothing matches “{self.q}”{where}." if self.q else f"There is none{where}."

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.region)


@dataclass(frozen=True)
class Sort(Generic[T]):
    label: str
    key: Callable[[T], Any]
    reverse: bool = False


def sort_options(sorts: Mapping[str, Sort[Any]]) -> list[tuple[str, str]]:
    """Return the pairs of value and words for the select."""
    return [(value, sort.label) for value, sort in sorts.items()]


def page_of(rows: Sequence[T], number: str, size: int = PAGE_SIZE) -> Page[T]:
    """Return the page asked for, or the last one when it is gone: never an empty page while there are rows."""
    return Paginator(rows, size).get_page(number)


def matches(q: str, *texts: str | None) -> bool:
    """Return whether any of the texts contains the search words, in any case."""
    return not q or any(q.casefold() in text.casefold() for text in texts if text)


def tag_of(request: HtmxHttpRequest, *facts: object) -> str:
    """Return the ETag of an answer made of these facts for this role, address and kind of request."""
    parts = [__version__, request.user.role, request.get_full_path(), bool(request.htmx), *facts]
    return f'"{hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"'


def unchanged(request: HtmxHttpRequest, tag: str) -> HttpResponse | None:
    """Return 304 when the browser has this part already, before anything is rendered.

    Whole pages are always rendered: they also show the balance, messages, light or dark.
    """
    if not request.htmx or tag not in request.headers.get("If-None-Match", ""):
        return None
    response = private(HttpResponseNotModified())
    response["ETag"] = tag
    return response


def tags(reads: Iterable[Read[Any] | None]) -> list[str]:
    """Return what changes when one of these reads does."""
    return [read.tag if read else "" for read in reads]
