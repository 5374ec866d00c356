"""Facts of the API that a deployment changes: a TOML file with operations, names of fields, and states of instances.

[operations.list_instances]
path = "/servers"
result = "servers"
query = { limit = "per_page" }

[structs.Instance]
vm_name = "name"

[instance_actions]
hibernate = ["ACTIVE"]
"""

import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from .operations import METHODS, OPERATIONS, WITH_A_BODY, Operation, check_table
from .states import INSTANCE_ALLOWS, instance_state
from .structs import RESULTS, STRUCTS
from .wire import Changes, Names

_OPERATION_KEYS: Final = ("method", "path", "query", "result")
_HEADER = re.compile(r"\s*\[{1,2}(?P<table>[^\[\]]+)\]")
_KEY = re.compile(r"(?P<key>(?:\"(?:\\.|[^\"\\])*\"|'[^']*'|[^\"'=#])+)=")
_NOT_TOML = re.compile(r"(?P<reason>.+) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")
_LARGEST_FILE: Final = 1_000_000
_MOST_LISTED: Final = 30


class BadOverrides(ValueError):  # noqa: N818 - named after what is wrong
    """The file cannot be used; the message names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What `Client` takes: the whole operation table, and the changed names of the structs' fields; and for whoever
    offers actions, the states in which an instance takes each."""

    operations: Mapping[str, Operation] = field(default_factory=lambda: OPERATIONS)
    names: Names = field(default_factory=Names)
    allows: Mapping[str, frozenset[str]] = field(default_factory=lambda: INSTANCE_ALLOWS)


class _Wrong(Exception):  # noqa: N818 - never leaves this file
    """Something at a place of the file; `place` is the way to it, such as ("operations", "list_images", "path")."""

    def __init__(self, place: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


def load_overrides(path: str | Path) -> Overrides:
    """The facts of a file. Raises BadOverrides for a file that cannot be read or says something impossible."""
    try:
        text = _text_of(Path(path))
    except (OSError, ValueError) as error:
        raise BadOverrides(f"{path}: {_reason(error)}") from None
    try:
        facts = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadOverrides(f"{path}, {_not_toml(text, error)}") from None
    except RecursionError:
        raise BadOverrides(f"{path}: the file is nested too deeply to be meant") from None
    try:
        for name in facts:
            _known((name,), name, ("operations", "structs", "instance_actions"), "table")
        operations = dict(_rows(_table((), facts, "operations")))
        table = MappingProxyType({**OPERATIONS, **operations})
        allows = dict(_allowed(_table((), facts, "instance_actions")))
        names = Names(_changes(_table((), facts, "structs")))
        return Overrides(table, names, MappingProxyType({**INSTANCE_ALLOWS, **allows}))
    except _Wrong as wrong:
        raise BadOverrides(f"{path}, line {_line(text, wrong.place)}: {wrong.reason}") from None


def _text_of(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError("the file is too large to be meant")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the file is not UTF-8 text"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _not_toml(text: str, error: tomllib.TOMLDecodeError) -> str:
    found = _NOT_TOML.fullmatch(str(error))
    line = (found and found["line"]) or len(text.rstrip("\n").split("\n"))
    return f"line {line}: this is not TOML: {found['reason'] if found else error}"


def _allowed(table: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    for action, states in table.items():
        place = ("instance_actions", action)
        _known(place, action, INSTANCE_ALLOWS, "action")
        if not isinstance(states, list):
            raise _Wrong(place, f"{action} must be a list of states")
        for state in states:
            _text(place, state)
        yield action, frozenset(instance_state(state) for state in states)


def _rows(tables: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for name in tables:
        place = ("operations", name)
        _known(place, name, OPERATIONS, "operation")
        usual = OPERATIONS[name]
        if usual.alias_of:
            raise _Wrong(place, f"{name} is never called, but {usual.alias_of} in its place")
        changes = _table(("operations",), tables, name)
        for key, value in changes.items():
            _known((*place, key), key, _OPERATION_KEYS, "key")
            if key != "query":
                _text((*place, key), value, may_be_empty=key == "result")
        if "query" in changes:
            changes = {**changes, "query": _query(place, usual, _table(place, changes, "query"))}
        yield name, _row(place, usual, changes)


def _row(place: tuple[str, ...], usual: Operation, changes: Mapping[str, Any]) -> Operation:
    """The changed row. Its errors are those of a row that could never be called."""
    if changes.get("method") == "GET" and usual.name in WITH_A_BODY:
        raise _Wrong((*place, "method"), f"{usual.name} sends a body, which GET does not carry")
    guilty = "path" if changes.get("method", usual.method) in METHODS else "method"
    try:
        row = replace(usual, **changes)
        check_table({**OPERATIONS, usual.name: row})
        _check_braces(row)
    except ValueError as error:
        known = str(error).startswith(f"{usual.name}: ")
        raise _Wrong((*place, guilty), str(error) if known else f"{usual.name}: the path: {error}") from None
    return row


def _check_braces(row: Operation) -> None:
    """Raises ValueError for a path that says how to write an id, as `{instance_id:>9}` does."""
    if any(spec or conversion for _, _, spec, conversion in string.Formatter().parse(row.path)):
        raise ValueError(f"{row.name}: the braces of the path may hold nothing but a name")


def _query(place: tuple[str, ...], usual: Operation, names: Mapping[str, Any]) -> Mapping[str, str]:
    """The query names; an empty one stands for a parameter that the API does not know and is not sent."""
    for name, wire in names.items():
        _known((*place, "query", name), name, usual.query, "query parameter")
        _text((*place, "query", name), wire, may_be_empty=True)
    found = {name: wire for name, wire in {**usual.query, **names}.items() if wire}
    for name in names:
        twin = next((other for other, wire in found.items() if other != name and wire == found.get(name)), None)
        if twin is not None:
            raise _Wrong((*place, "query", name), f"{name} and {twin} would both be called {found[name]}")
    return found


def _changes(tables: Mapping[str, Any]) -> Changes:
    found: dict[type[msgspec.Struct], Mapping[str, str]] = {}
    for name in tables:
        place = ("structs", name)
        _known(place, name, STRUCTS, "struct")
        found[STRUCTS[name]] = _table(("structs",), tables, name)
        for attribute, wire in found[STRUCTS[name]].items():
            _known((*place, attribute), attribute, STRUCTS[name].__struct_fields__, "field")
            _text((*place, attribute), wire)
            if operations := RESULTS.get((name, attribute)):
                raise _Wrong((*place, attribute), f"this is the result of {operations}: change their result key")
    for kind in found:
        for heir in STRUCTS.values():
            if issubclass(heir, kind):
                _check_apart(kind, heir, found)
    return found


def _check_apart(kind: type[msgspec.Struct], heir: type[msgspec.Struct], changes: Changes) -> None:
    """Raises _Wrong when a change of one struct makes two fields of it, or of a kind of it, the same."""
    names = Names(changes).on_the_wire(heir)
    for attribute in changes[kind]:
        twin = next((other for other, wire in names.items() if other != attribute and wire == names[attribute]), None)
        if twin is not None:
            both = f"{attribute} and {twin} of {heir.__name__} would both be called {names[attribute]}"
            raise _Wrong(("structs", kind.__name__, attribute), both)


def _table(place: tuple[str, ...], facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = facts.get(name, {})
    if not isinstance(table, dict):
        raise _Wrong((*place, name), f"{name} must be a table")
    return table


def _known(place: tuple[str, ...], name: str, known: Iterable[str], what: str) -> None:
    possible = sorted(known)
    if name in possible:
        return
    shown = name if name.isprintable() and name else ascii(name)
    if close := get_close_matches(name, possible, n=2):
        hint = f"; perhaps {' or '.join(close)} was meant"
    else:
        hint = f"; there is {', '.join(possible)}" if 0 < len(possible) <= _MOST_LISTED else ""
    raise _Wrong(place, f"there is no {what} {shown}{hint}")


def _text(place: tuple[str, ...], value: object, *, may_be_empty: bool = False) -> None:
    if not isinstance(value, str) or not value.isprintable() or not (value or may_be_empty):
        raise _Wrong(place, f"{place[-1]} must be a text{'' if may_be_empty else ' that is not empty'}")


def _line(text: str, place: tuple[str, ...]) -> int:
    """The line on which a place of the file stands, or the closest that leads to it. The parser of TOML keeps none."""
    best, found = 0, 1
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header["table"])
            here = table
        elif key := _KEY.match(line):
            here = (*table, *_parts(key["key"]))
        else:
            continue
        if _shared(here, place) > best:
            best, found = _shared(here, place), number
    return found


def _shared(here: tuple[str, ...], place: tuple[str, ...]) -> int:
    """How far a line leads to a place: all of the shorter of the two, or not at all."""
    shorter = min(len(here), len(place))
    return shorter if here[:shorter] == place[:shorter] else 0


def _parts(dotted: str) -> tuple[str, ...]:
    """The parts of a key or header, by the parser itself; none when a line only looked like one."""
    try:
        facts: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts = []
    while isinstance(facts, dict):
        (name, facts), *_ = facts.items()
        parts.append(name)
    return tuple(parts)
