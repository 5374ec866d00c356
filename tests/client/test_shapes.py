"""Every kind of object that the API answers with, in each form that may come."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from barrack_web.client.billing import BillingHead, CreditData
from barrack_web.client.reading import UNREADABLE, read_row, read_rows
from barrack_web.client.structs import STRUCTS

from .shapes import SHAPES

Case = tuple[msgspec.Struct, dict[str, object], str]
KINDS = [type(struct).__name__ for struct, _ in SHAPES]


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def cases(*, required: bool) -> list[Any]:
    """Each field of each kind that is, or is not, required, by its name on the wire."""
    return [
        pytest.param((struct, row, item.encode_name), id=f"{type(struct).__name__}.{item.encode_name}")
        for struct, row in SHAPES
        for item in msgspec.structs.fields(type(struct))
        if item.required is required
    ]


def times(value: object) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    for name in getattr(value, "__struct_fields__", ()):
        yield from times(getattr(value, name))


def default_of(struct: msgspec.Struct, name: str) -> object:
    (item,) = [item for item in msgspec.structs.fields(type(struct)) if item.encode_name == name]
    return item.default_factory() if item.default is msgspec.NODEFAULT else item.default  # type: ignore[operator]


def value_of(struct: msgspec.Struct, name: str) -> object:
    (item,) = [item for item in msgspec.structs.fields(type(struct)) if item.encode_name == name]
    return getattr(struct, item.name)


def test_it_has_a_whole_object_of_every_kind_that_is_read() -> None:
    requests = {name for name in STRUCTS if name.endswith(("Request", "Ids", "Change"))} | {"Attachments"}
    around = {BillingHead.__name__, CreditData.__name__}  # tested with what stands in them
    assert set(KINDS) == set(STRUCTS) - requests - around
    for struct, row in SHAPES:
        fields = {item.encode_name for item in msgspec.structs.fields(type(struct))}
        assert fields <= row.keys()
        assert not [name for name in struct.__struct_fields__ if getattr(struct, name) is None]


@pytest.mark.parametrize(("struct", "row"), SHAPES, ids=KINDS)
def test_it_reads_a_whole_object_and_passes_over_what_it_does_not_know(
    struct: msgspec.Struct, row: dict[str, object]
) -> None:
    for more in ({}, {"something_new": {"deep": [10**400]}, "": None}):
        (read,), broken = read_rows(raw([row | more]), type(struct))
        assert (msgspec.structs.asdict(read), broken) == (msgspec.structs.asdict(struct), 0)
        # Decimal(1) == 1 == True, so the types are compared by how they show.
        assert repr(msgspec.structs.asdict(read)) == repr(msgspec.structs.asdict(struct))
        assert all(moment.tzinfo is UTC for moment in times(read))


@pytest.mark.parametrize(("struct", "row"), SHAPES, ids=KINDS)
def test_it_reads_an_object_with_nothing_but_what_is_required(struct: msgspec.Struct, row: dict[str, object]) -> None:
    kind = type(struct)
    required = {item.encode_name for item in msgspec.structs.fields(kind) if item.required}
    read = read_row(raw({name: row[name] for name in required}), kind)
    for name in kind.__struct_encode_fields__:
        assert value_of(read, name) == (value_of(struct, name) if name in required else default_of(struct, name))


@pytest.mark.parametrize("case", cases(required=False))
@pytest.mark.parametrize("value", ["null", "unreadable"])
def test_it_goes_on_without_an_optional_field(case: Case, value: str) -> None:
    struct, row, name = case
    unreadable = "perhaps" if isinstance(row[name], bool) else True
    read = read_row(raw(row | {name: None if value == "null" else unreadable}), type(struct))
    others = [other for other in type(struct).__struct_encode_fields__ if other != name]
    assert value_of(read, name) == default_of(struct, name)
    assert [value_of(read, other) for other in others] == [value_of(struct, other) for other in others]


@pytest.mark.parametrize("case", cases(required=True))
@pytest.mark.parametrize("value", ["missing", "null", "unreadable"])
def test_it_calls_an_object_broken_that_lacks_a_required_field(case: Case, value: str) -> None:
    struct, row, name = case
    unreadable = "perhaps" if isinstance(row[name], bool) else True
    rest = {other: part for other, part in row.items() if other != name}
    bad = rest | {"missing": {}, "null": {name: None}, "unreadable": {name: unreadable}}[value]
    with pytest.raises(UNREADABLE):
        read_row(raw(bad), type(struct))
    rows, broken = read_rows(raw([bad, row, bad]), type(struct))
    assert (repr(rows), broken) == (repr([read_row(raw(row), type(struct))]), 2)


@pytest.mark.parametrize(("struct", "row"), SHAPES, ids=KINDS)
def test_it_reads_ids_of_either_kind_and_times_without_a_zone(struct: msgspec.Struct, row: dict[str, object]) -> None:
    kind = type(struct)
    for name in kind.__struct_encode_fields__:
        if name.endswith("_at") or name == "start_time":
            read = read_row(raw(row | {name: "2025-03-01T10:30:00.5"}), kind)
            assert value_of(read, name) == datetime(2025, 3, 1, 10, 30, 0, 500_000, tzinfo=UTC)
        if name.endswith("id") and isinstance(row[name], int):
            for given in (0, 12345678901234567890123, "abc-1"):
                assert value_of(read_row(raw(row | {name: given}), kind), name) == str(given)


@pytest.mark.parametrize(
    "struct_and_row", [shape for shape in SHAPES if "status" in shape[0].__struct_fields__], ids=lambda s: type(s[0])
)
@pytest.mark.parametrize("status", ["brand new word", "", "ÄRGER"])
def test_it_keeps_a_status_that_it_does_not_know(
    struct_and_row: tuple[msgspec.Struct, dict[str, object]], status: str
) -> None:
    struct, row = struct_and_row
    assert value_of(read_row(raw(row | {"status": status}), type(struct)), "status") == status
