"""Compares an answer with what the structs expect of it. It tells names, types and status words, and no other values,
since what it says is pasted into tickets."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import msgspec
from msgspec import inspect

from ..billing import BillingRecord
from ..errors import clean
from ..firewalls import Firewall, FirewallAttachment, FirewallVM
from ..images import Image
from ..instances import Instance, UserInstance, VMVolumeAttachment
from ..operations import Operation
from ..paging import Pagination
from ..reading import UNREADABLE
from ..snapshots import Snapshot
from ..states import (
    INSTANCE_ALIASES,
    INSTANCE_IN_TRANSITION,
    SNAPSHOT_IN_TRANSITION,
    USABLE,
    VOLUME_IN_TRANSITION,
    plain,
)
from ..volumes import Volume
from ..wire import Names, struct_in
from .report import Mend

ENVELOPE: Final = frozenset({"success", "status", "message", "request_id", "pagination"})
_PAGING: Final = frozenset({"page", "limit", "total", "total_pages"})
# The batch of snapshots' images repeats the envelope in each row.
_REPEATED: Final = frozenset({"success", "message", "request_id"})
_LONGEST_LIST: Final = 10
_LONGEST_NAME: Final = 40

# source: user documentation; what is only in transition, see states.
_INSTANCE_WORDS: Final = (
    INSTANCE_IN_TRANSITION | INSTANCE_ALIASES.keys() | {"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR", "DELETED"}
)
_SNAPSHOT_WORDS: Final = USABLE | SNAPSHOT_IN_TRANSITION | {"ERROR"}
# source: user documentation; the ends of a deletion and of a failed one assumed.
_VOLUME_WORDS: Final = VOLUME_IN_TRANSITION | {"AVAILABLE", "ATTACHED", "IN_USE", "ERROR", "ERROR_DELETING"}
# source: user documentation; the ways to the end assumed.
_FIREWALL_WORDS: Final = frozenset({"SUCCESS", "CREATING", "ERROR", "DELETING"})
_ATTACHMENT_WORDS: Final = frozenset({"SUCCESS", "ATTACHING", "ERROR", "DETACHING"})
_VOLUME_ATTACHMENT_WORDS: Final = frozenset({"ATTACHED", "IN_USE", "ATTACHING", "DETACHING", "ERROR"})  # assumed
# source: API reference pages; hibernated, since the summary counts it, assumed.
_BILLING_WORDS: Final = frozenset({"ACTIVE", "COMPLETED", "AVAILABLE", "HIBERNATED"})

STATUS_WORDS: Final[Mapping[tuple[type[msgspec.Struct], str], frozenset[str]]] = {
    (Instance, "status"): _INSTANCE_WORDS,
    (UserInstance, "status"): _INSTANCE_WORDS,
    (FirewallVM, "status"): _INSTANCE_WORDS,
    (Volume, "attached_vm_status"): _INSTANCE_WORDS,
    (Snapshot, "status"): _SNAPSHOT_WORDS,
    (Image, "status"): _SNAPSHOT_WORDS,
    (Volume, "status"): _VOLUME_WORDS,
    (Firewall, "status"): _FIREWALL_WORDS,
    (FirewallAttachment, "status"): _ATTACHMENT_WORDS,
    (VMVolumeAttachment, "status"): _VOLUME_ATTACHMENT_WORDS,
    (BillingRecord, "status"): _BILLING_WORDS,
}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """A struct in an answer, or a list of them.

    Attributes:
        kind: the struct.
        many: whether it is a list.
        at_top: whether it stands at the top of the answer, and not under the operation's result key.
        under: the struct and attribute below that which hold it; None when it stands right there.
        without: fields that belong to other answers of the same struct, so that nobody misses them here.
        or_words: whether plain texts may stand in place of the structs.
    """

    kind: type[msgspec.Struct]
    many: bool = True
    at_top: bool = False
    under: tuple[type[msgspec.Struct], str] | None = None
    without: frozenset[str] = frozenset()
    or_words: bool = False


@dataclass(slots=True)
class Differences:
    """What answers have that was not expected, and what they lack, added up over rows and pages."""

    names: Names
    objects: Counter[str] = field(default_factory=Counter)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    unsent: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    beside: Counter[str] = field(default_factory=Counter)
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lacking: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _wire: dict[type[msgspec.Struct], Mapping[str, str]] = field(default_factory=dict)

    def add(self, operation: Operation, body: bytes, parts: Sequence[Part]) -> None:
        """Takes in an answer. One that is no JSON object is left to others."""
        top = _object(msgspec.Raw(body))
        if top is None:
            return
        known = ENVELOPE | _PAGING | set(self.names.on_the_wire(Pagination).values()) | {operation.result}
        for part in parts:
            at_root = (part.at_top or not operation.result) and part.under is None
            known |= set(self.names.on_the_wire(part.kind).values()) if at_root else set()
            raw = self._found(operation, body, top, part)
            if raw is not None:
                self._look_at(raw, part, at_root=at_root)
        self.beside.update(clean(name)[:_LONGEST_NAME] for name in top.keys() - known if parts)

    def problems(self) -> list[str]:
        """What keeps the portal from using a part of the answers, in words."""
        lines = [f"{place} is missing{self._share(prefix, count)}" for (prefix, place), count in self.missing.items()]
        lines += [f"{place}: {reason} ({_times(count)})" for (place, reason), count in self.wrong.items()]
        lines += [
            f"{place}: {word} is no known status word ({_times(count)})"
            for (place, word), count in self.statuses.items()
        ]
        return lines

    def notes(self) -> list[str]:
        """What may be read and is not sent, and what is sent and not read."""
        unsent = [place for (prefix, place), count in self.unsent.items() if count == self.objects[prefix]]
        unread = sorted(name for names in self.unknown.values() for name in names)
        notes = [f"not sent: {_listed(unsent)}"] if unsent else []
        notes += [f"not read: {_listed(unread)}"] if unread else []
        return [*notes, *([f"not read beside the result: {_listed(sorted(self.beside))}"] if self.beside else [])]

    def mends(self) -> list[Mend]:
        """The names of fields to look for, for an overrides file: of each field that is never there."""
        return [
            Mend(f"structs.{struct}", attribute, place.rpartition(".")[2], self._where_else(prefix))
            for (prefix, place), (struct, attribute) in self._lacking.items()
            if self.missing[prefix, place] == self.objects[prefix]
        ]

    def _where_else(self, prefix: str) -> str:
        fields = [name.removeprefix(f"{prefix}.") for name in sorted(self.unknown[prefix])]
        return f"missing; fields of the answer that are not read: {_listed(fields) if fields else 'none'}"

    def _found(
        self, operation: Operation, body: bytes, top: Mapping[str, msgspec.Raw], part: Part
    ) -> msgspec.Raw | None:
        raw = msgspec.Raw(body) if part.at_top or not operation.result else top.get(operation.result)
        if raw is None or part.under is None:
            return raw
        struct, attribute = part.under
        return (_object(raw) or {}).get(self.names.on_the_wire(struct)[attribute])

    def _look_at(self, raw: msgspec.Raw, part: Part, *, at_root: bool) -> None:
        rows = _list(raw) if part.many else [raw]
        if rows is None:
            self.wrong[part.kind.__name__, f"a list was expected, {_type(raw)} came"] += 1
            return
        for row in rows:
            if part.or_words and _type(row) == "text":
                continue
            self._compare(row, part.kind, "", part.without, at_root=at_root)

    def _compare(
        self, raw: msgspec.Raw, kind: type[msgspec.Struct], prefix: str, without: frozenset[str], *, at_root: bool
    ) -> None:
        """One object with one struct."""
        found = _object(raw)
        if found is None:
            self.wrong[prefix or kind.__name__, f"an object was expected, {_type(raw)} came"] += 1
            return
        self.objects[prefix] += 1
        wire = self._wire_names(kind)
        for item, inner in _fields(kind):
            name = wire[item.name]
            place = f"{prefix}.{name}" if prefix else name
            if name in found and inner and _type(found[name]) in ("an object", "a list"):
                self._look_inside(found[name], inner, place)
            elif name in found:
                self._check_value(found[name], kind, item, place)
            elif item.required:
                self.missing[prefix, place] += 1
                self._lacking[prefix, place] = (kind.__name__, item.name)
            elif item.name not in without:
                self.unsent[prefix, place] += 1
        if not at_root:
            unread = (clean(name)[:_LONGEST_NAME] for name in found.keys() - set(wire.values()) - _REPEATED)
            self.unknown[prefix].update(f"{prefix}.{name}" if prefix else name for name in unread)

    def _look_inside(self, raw: msgspec.Raw, inner: type[msgspec.Struct], place: str) -> None:
        many = _list(raw)
        for row in [raw] if many is None else many:
            self._compare(row, inner, place if many is None else f"{place}[]", frozenset(), at_root=False)

    def _check_value(
        self, raw: msgspec.Raw, kind: type[msgspec.Struct], item: msgspec.structs.FieldInfo, place: str
    ) -> None:
        try:
            value = msgspec.json.decode(raw, type=item.type)
        except UNREADABLE as error:
            self.wrong[place, _reason(error)] += 1
            return
        words = STATUS_WORDS.get((kind, item.name))
        if words and isinstance(value, str) and plain(value) not in words:
            self.statuses[place, shown_word(value)] += 1

    def _wire_names(self, kind: type[msgspec.Struct]) -> Mapping[str, str]:
        if kind not in self._wire:
            self._wire[kind] = self.names.on_the_wire(kind)
        return self._wire[kind]

    def _share(self, prefix: str, count: int) -> str:
        whole = self.objects[prefix]
        return "" if whole == 1 else f" in {count} of {whole}"


def shown_word(value: str) -> str:
    """A status word to show. What does not look like one is only described, since it could be anything."""
    return value if _WORD.fullmatch(value) else f"a text of {len(value)} characters"


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[msgspec.structs.FieldInfo, type[msgspec.Struct] | None], ...]:
    """The fields of a struct, each with the struct that it holds, alone or in a list."""
    return tuple((item, struct_in(inspect.type_info(item.type))) for item in msgspec.structs.fields(kind))


def _object(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return None


def _list(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except UNREADABLE:
        return None


_TYPES: Final = {
    b"{": "an object", b"[": "a list", b'"': "text", b"t": "true or false", b"f": "true or false", b"n": "null",
}  # fmt: skip


def _type(raw: msgspec.Raw) -> str:
    return _TYPES.get(bytes(raw).lstrip()[:1], "a number")


def _reason(error: Exception) -> str:
    """The decoder's words, which name types and never values."""
    return clean(str(error)).replace("`", "").partition(" - at ")[0]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
