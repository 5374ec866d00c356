"""Names on the wire. Most field names are assumptions, so a deployment can change each without touching code.

The structs keep their usual names. Where a name was changed, an answer is put into the usual names before it is
decoded, and a body out of them before it is sent; what has no changed name goes straight through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import inspect

Changes = Mapping[type[msgspec.Struct], Mapping[str, str]]

_NUMBERS: Final = msgspec.json.Encoder(decimal_format="number")
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a kind of object is spelled: name on the wire → usual name, and the plans of what is in it by usual name.

    A usual name that was given away may still be in an answer, with another meaning: it is not read.
    """

    usual: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, "_Plan"] = field(default_factory=dict)
    given_away: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.usual or self.inner)


class Names:
    """The changed names of the structs' fields: struct → attribute → name on the wire.

    A struct takes over the changes of the struct that it is a kind of, as all kinds of Accepted do; its own go first.
    """

    def __init__(self, changes: Changes | None = None) -> None:
        self._changes = changes or {}
        self._plans: dict[type[msgspec.Struct], _Plan] = {}

    def usual(self, raw: msgspec.Raw, kind: type[msgspec.Struct]) -> msgspec.Raw:
        """An answer's object, or list of objects, of this kind with the usual names.

        Raises one of reading.UNREADABLE for bytes that are no JSON.
        """
        plan = self._plan(kind)
        return _named(raw, plan) if plan else raw

    def body(self, body: object) -> bytes:
        """A body as JSON bytes, a struct with the names that the API wants.

        Raises UnicodeEncodeError for text that no JSON can hold.
        """
        encoded = _NUMBERS.encode(body)
        plan = self._plan(type(body)) if isinstance(body, msgspec.Struct) else _NOTHING
        return bytes(_named(msgspec.Raw(encoded), _reverse(plan))) if plan else encoded

    def on_the_wire(self, kind: type[msgspec.Struct]) -> dict[str, str]:
        """The names on the wire of a struct's fields, by attribute."""
        usual = {item.name: item.encode_name for item in msgspec.structs.fields(kind)}
        return usual | changed_names(kind, self._changes)

    def _plan(self, kind: type[msgspec.Struct]) -> _Plan:
        if not self._changes:
            return _NOTHING
        if kind not in self._plans:
            self._plans[kind] = self._planned(kind)
        return self._plans[kind]

    def _planned(self, kind: type[msgspec.Struct]) -> _Plan:
        fields = msgspec.structs.fields(kind)
        changed = changed_names(kind, self._changes)
        usual = {changed[item.name]: item.encode_name for item in fields if item.name in changed}
        found = {item.encode_name: struct_in(inspect.type_info(item.type)) for item in fields}
        inner = {name: self._plan(struct) for name, struct in found.items() if struct is not None}
        return _spelled(usual, {name: plan for name, plan in inner.items() if plan})


_NOTHING: Final = _Plan()


def changed_names(kind: type[msgspec.Struct], changes: Changes) -> dict[str, str]:
    """All changed names of a struct, by attribute: those of the structs that it is a kind of, and its own."""
    return {name: wire for part in reversed(kind.__mro__) for name, wire in changes.get(part, {}).items()}


def _spelled(usual: Mapping[str, str], inner: Mapping[str, _Plan]) -> _Plan:
    return _Plan(usual, inner, frozenset(usual.values()) - usual.keys())


def struct_in(kind: inspect.Type) -> type[msgspec.Struct] | None:
    """The struct that a field holds, alone, as an alternative to null, or in a list."""
    if isinstance(kind, inspect.StructType):
        return kind.cls
    parts: tuple[inspect.Type, ...] = ()
    if isinstance(kind, inspect.UnionType):
        parts = kind.types
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        parts = (kind.item_type,)
    return next((struct for part in parts if (struct := struct_in(part)) is not None), None)


def _reverse(plan: _Plan) -> _Plan:
    there = {usual: wire for wire, usual in plan.usual.items()}
    return _spelled(there, {there.get(name, name): _reverse(inner) for name, inner in plan.inner.items()})


def _named(raw: msgspec.Raw, plan: _Plan) -> msgspec.Raw:
    """The object, or each object of the list, in other names. All else stays as it is, byte for byte."""
    start = bytes(raw).lstrip()[:1]
    if start == b"[":
        return msgspec.Raw(_NUMBERS.encode([_named(item, plan) for item in _ITEMS.decode(raw)]))
    if start != b"{":
        return raw
    named = {}
    for name, item in _MEMBERS.decode(raw).items():
        if name not in plan.given_away:
            usual = plan.usual.get(name, name)
            named[usual] = _named(item, plan.inner[usual]) if usual in plan.inner else item
    return msgspec.Raw(_NUMBERS.encode(named))
