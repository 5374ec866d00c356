"""From an answer's bytes to structs.

Three rules. A list is decoded in one go, row by row only when that fails. A row whose required field is missing, of
the wrong type or out of bounds is broken. An optional field that cannot be read is dropped and takes its default, so
that one bad detail does not hide the resource.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
from msgspec.structs import force_setattr

from .errors import MAX_ID, Broken, clean
from .operations import OPERATIONS, Operation
from .wire import Names

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

# Ids whose form on the wire is not documented: integer or string there, always text here (`settle` turns them).
if TYPE_CHECKING:
    ResourceId = str
else:
    ResourceId = str | int

# All that decoding hostile bytes was seen to raise: RecursionError for deep nesting, ArithmeticError for odd numbers
# and dates.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)

NUMBER_LIMIT: Final = Decimal(10) ** 12
SMALLEST_EXPONENT: Final = -40


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """The rows of a list that could be read.

    `broken` counts the rows that could not, `pages` the pages that were walked. `complete` is False when the list had
    more pages than were walked: at most 100 are, and only the first if the operation table names no `page`.
    """

    rows: tuple[T, ...] = ()
    broken: int = 0
    pages: int = 1
    complete: bool = True

    def __iter__(self) -> Iterator[T]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class Accepted(msgspec.Struct, frozen=True):
    """What every accepted write says: `message` in the API's own words, perhaps empty, and its correlation id.

    The kinds of it add what the operation answers besides. Any part may be missing (source: assumed).
    """

    message: str | None = None
    request_id: str | None = None


A = TypeVar("A", bound=Accepted)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer that is a JSON object and does not say that it failed."""

    operation: Operation
    status: int
    body: bytes = field(repr=False)
    payload: Mapping[str, msgspec.Raw] = field(repr=False)
    header_request_id: str | None = None
    names: Names = field(default_factory=Names)

    @property
    def request_id(self) -> str | None:
        """The API's correlation id, from the body or else from the header."""
        return self._text("request_id")[:MAX_ID] or self.header_request_id

    def _text(self, key: str) -> str:
        try:
            return clean(msgspec.json.decode(self.payload[key], type=str))
        except (KeyError, *UNREADABLE):
            return ""

    def accepted(self, kind: type[A]) -> A:
        """What an accepted write says; what cannot be read counts as not said.

        It stands at the top of the answer, or for an operation that only so was given a result key, under that.
        """
        said, usual = self.top(kind), OPERATIONS[self.operation.name].result
        if self.operation.result and not usual and (inner := self.one_or_none(kind)) is not None:
            head = {"message": said.message or inner.message, "request_id": said.request_id or inner.request_id}
            said = msgspec.structs.replace(inner, **head)
        message, request_id = clean(said.message or ""), clean(said.request_id or "")[:MAX_ID]
        return msgspec.structs.replace(said, message=message, request_id=request_id or self.header_request_id)

    def result(self) -> msgspec.Raw:
        """The payload under the operation's result key. Raises Broken when the answer has no such key."""
        key = self.operation.result
        if not key:
            return msgspec.Raw(self.body)
        around = self.around()
        if (last := key.rpartition(".")[2]) not in around:
            raise self.broken(f"no {key} in the answer")
        return around[last]

    def around(self) -> Mapping[str, msgspec.Raw]:
        """The object that the result stands in: the answer, or for a result such as data.items what is under data.

        Empty when there is none.
        """
        found = self.payload
        for step in self.operation.result.split(".")[:-1]:
            try:
                found = msgspec.json.decode(found[step], type=dict[str, msgspec.Raw])
            except (KeyError, *UNREADABLE):
                return {}
        return found

    def one(self, kind: type[S]) -> S:
        """The payload as one struct. Raises Broken when it cannot be read."""
        try:
            return self.row(self.result(), kind)
        except UNREADABLE as error:
            raise self.broken(str(error)) from None

    def top(self, kind: type[S]) -> S:
        """What stands at the top of the answer, whatever its result key. Raises Broken when it cannot be read."""
        try:
            return self.row(msgspec.Raw(self.body), kind)
        except UNREADABLE as error:
            raise self.broken(str(error)) from None

    def one_or_none(self, kind: type[S]) -> S | None:
        """The payload as one struct, None when it is absent or unreadable: what an accepted write may leave out."""
        try:
            return self.one(kind)
        except Broken:
            return None

    def rows(self, kind: type[S]) -> tuple[list[S], int]:
        """The payload as rows, and how many could not be read. Raises Broken when it is no list."""
        return self.nested_rows(self.result(), kind)

    def nested_rows(self, raw: msgspec.Raw, kind: type[S]) -> tuple[list[S], int]:
        """As `rows`, of a list that stands anywhere in the answer. Raises Broken when it is no list."""
        try:
            return read_rows(self.names.usual(raw, kind), kind)
        except UNREADABLE as error:
            raise self.broken(str(error)) from None

    def rows_or_none(self, kind: type[S]) -> tuple[S, ...] | None:
        """The payload as rows, None unless all of it is there and readable: what an accepted write may leave out."""
        try:
            rows, broken = self.rows(kind)
        except Broken:
            return None
        return None if broken else tuple(rows)

    def row(self, raw: msgspec.Raw, kind: type[S]) -> S:
        """A part of the answer as a struct. Raises one of UNREADABLE."""
        return read_row(self.names.usual(raw, kind), kind)

    def broken(self, reason: str) -> Broken:
        """The error for an answer of the wrong shape."""
        return Broken(
            "Barrack's answer could not be understood.",
            operation=self.operation.name,
            status=self.status,
            request_id=self.request_id,
            detail=clean(reason),
            may_have_happened=not self.operation.safe,
        )


def read_rows(raw: msgspec.Raw, kind: type[S]) -> tuple[list[S], int]:
    """The readable rows and the count of the others. Raises one of UNREADABLE when it is no list."""
    try:
        return msgspec.json.decode(raw, type=list[kind]), 0  # type: ignore[valid-type]
    except UNREADABLE:
        rows: list[S] = []
        parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
    for part in parts:
        try:
            rows.append(read_row(part, kind))
        except UNREADABLE:
            continue
    return rows, len(parts) - len(rows)


def read_row(raw: msgspec.Raw, kind: type[S]) -> S:
    """One struct, without those optional fields that cannot be read.

    Raises one of UNREADABLE for a bad required field.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    required, optional = _field_names(kind)
    kept = {name: part for name, part in parts.items() if name in required}
    core = dict(kept)
    for name in optional & parts.keys():
        try:
            msgspec.json.decode(msgspec.json.encode({**core, name: parts[name]}), type=kind)
        except UNREADABLE:
            continue
        kept[name] = parts[name]
    return msgspec.json.decode(msgspec.json.encode(kept), type=kind)


def settle(
    row: msgspec.Struct,
    *,
    ids: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    counts: tuple[str, ...] = (),
    times: tuple[str, ...] = (),
) -> None:
    """Puts a fresh struct into its one form: ids are text, times are aware and in UTC.

    A time without a zone is in UTC (source: assumed). Raises ValueError for a number that is not finite, at least
    10¹² in size, or of more than 40 decimals, and for a count below 0 or at least 10¹².
    """
    for name in ids:
        value = getattr(row, name)
        if isinstance(value, int):
            force_setattr(row, name, str(value))
    for name in numbers:
        check_number(getattr(row, name))
    for name in counts:
        count = getattr(row, name)
        if count is not None and not 0 <= count < NUMBER_LIMIT:
            raise ValueError("a count is out of bounds")
    for name in times:
        moment = getattr(row, name)
        if moment is not None and moment.tzinfo is not UTC:
            force_setattr(row, name, _in_utc(moment))


def check_number(value: Decimal | None) -> None:
    """Raises ValueError for an amount, price or size that no account can have."""
    if value is None:
        return
    exponent = value.as_tuple().exponent
    if isinstance(exponent, str) or exponent < SMALLEST_EXPONENT or not -NUMBER_LIMIT < value < NUMBER_LIMIT:
        raise ValueError("a number is out of bounds")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("a time is out of bounds") from None


def _field_names(kind: type[msgspec.Struct]) -> tuple[frozenset[str], frozenset[str]]:
    """Names on the wire of the required and of the optional fields; the optional ones, having defaults, come last."""
    names = kind.__struct_encode_fields__
    count = len(names) - len(kind.__struct_defaults__)
    return frozenset(names[:count]), frozenset(names[count:])
