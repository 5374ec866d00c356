"""What the doctor found out about an API: one record per operation, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ..errors import clean
from ..operations import Operation

State = Literal["ok", "differs", "fails", "absent", "not tried", "not used"]


@dataclass(frozen=True, slots=True)
class KeyWay:
    """How the key is sent: the name of the header, and the word before the key in it."""

    header: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.header}: {self.prefix}" if self.prefix else self.header

    def same_as(self, other: "KeyWay") -> bool:
        """Whether it is the same way; neither names of headers nor schemes care for case."""
        return str(self).casefold() == str(other).casefold()


class KeyTry(msgspec.Struct, frozen=True):
    """One call to find out whether a header carries the key; `status` is None without an answer."""

    header: str
    prefix: str
    operation: str
    status: int | None
    accepted: bool


class Mend(msgspec.Struct, frozen=True):
    """One line of an overrides file: table, key, value to edit, and why."""

    table: str
    key: str
    value: str
    why: str


class OperationCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one operation. It holds names, types and status words of answers, no other values.

    Attributes:
        state: ok; differs: works, but not as expected; fails: the portal cannot use it; absent: a capability that the
            API lacks; not tried; not used: the portal never calls it.
        reason: what of the portal needs it, empty when it can do without.
        seconds: the time it took, with repeated calls and further pages; None when it was not tried.
        repeated: calls that were made again because the first answer said that it may pass.
        rows, broken: rows that could be read and rows that could not; None for an answer that is no list.
        pagination: where the number of pages stands, "nested", "top" or "absent"; None for an answer that is no list.
        success_flag: whether the answer has `success`; None without an answer.
        request_id: where the correlation id came, "body", "header" or "absent"; None without an answer.
        problems: what differs, in words; notes: what is worth knowing and harms nothing.
        mends: lines for an overrides file that may put it right.
    """

    operation: str
    group: str
    method: str
    path: str
    state: State
    reason: str = ""
    status: int | None = None
    seconds: float | None = None
    repeated: int = 0
    rows: int | None = None
    broken: int | None = None
    pagination: str | None = None
    success_flag: bool | None = None
    request_id: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mends: tuple[Mend, ...] = ()


class ErrorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says to a call that must fail: `keys` are those of the known ones that its body has."""

    case: str
    operation: str
    expected: tuple[int, ...]
    state: State
    status: int | None = None
    body: str = ""
    keys: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class WriteStep(msgspec.Struct, frozen=True):
    """One step of the life cycle: `problem` is empty when it went as it should."""

    operation: str
    status: int | None
    seconds: float
    problem: str = ""


@dataclass(slots=True)
class ApiReport:
    """All that was found out, filled while the doctor works, so that it can be read after an interruption too.

    Attributes:
        key: whether the configured header carries the key: "accepted", "refused" by every header tried, "other header",
            "unknown" when no answer told; empty before the first answer.
        way: the header that is used, the accepted one where there is one.
        out_of_reach: why nothing answered, empty when something did.
        left_behind: name and id of a script that could not be deleted.
    """

    url: str
    configured: KeyWay
    way: KeyWay
    key: str = ""
    out_of_reach: str = ""
    tries: list[KeyTry] = field(default_factory=list)
    operations: list[OperationCheck] = field(default_factory=list)
    errors: list[ErrorCheck] = field(default_factory=list)
    writes: list[WriteStep] = field(default_factory=list)
    left_behind: str = ""
    interrupted: bool = False

    @property
    def absent(self) -> tuple[str, ...]:
        """The capabilities that the API lacks, by operation."""
        return tuple(row.operation for row in self.operations if row.state == "absent")

    @property
    def failed(self) -> tuple[OperationCheck, ...]:
        """The needed reads that do not work."""
        return tuple(row for row in self.operations if row.state == "fails" and row.reason)

    @property
    def nothing_works(self) -> bool:
        """Whether needed reads were tried and each of them failed."""
        tried = [row for row in self.operations if row.reason and row.seconds is not None]
        return bool(tried) and all(row.state == "fails" for row in tried)

    @property
    def reads(self) -> bool:
        """Whether the portal, as it is configured, can read all that it needs."""
        return self.key in ("accepted", "unknown") and not self.failed and not self.interrupted

    @property
    def works(self) -> bool:
        """Whether it reads, and every write that was tried went well."""
        return self.reads and not self.left_behind and not any(step.problem for step in self.writes)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that are to change so that the key is accepted; empty when none is."""
        if self.key != "other header":
            return {}
        return {"BARRACK_API_AUTH_HEADER": self.way.header, "BARRACK_API_AUTH_PREFIX": self.way.prefix}

    def overrides(self, operations: Mapping[str, Operation]) -> str:
        """The TOML text to start an overrides file from, empty when nothing calls for one.

        It can be loaded as it stands and changes nothing until its values are edited. None for an API of which nothing
        works: that takes another address, not other paths.
        """
        mends = [] if self.nothing_works else [mend for check in self.operations for mend in check.mends]
        tables: dict[str, dict[str, Mend]] = {}
        for mend in mends:
            tables.setdefault(mend.table, {}).setdefault(mend.key, mend)
        return "\n\n".join(_table(name, list(found.values()), operations) for name, found in tables.items())

    def as_json(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {
            "url": self.url,
            "works": self.works,
            "interrupted": self.interrupted,
            "out_of_reach": self.out_of_reach,
            "key": {
                "result": self.key,
                "header": self.way.header,
                "prefix": self.way.prefix,
                "set": self.settings,
                "tries": msgspec.to_builtins(self.tries),
            },
            "operations": msgspec.to_builtins(self.operations),
            "errors": msgspec.to_builtins(self.errors),
            "writes": msgspec.to_builtins(self.writes),
            "left_behind": self.left_behind,
        }


def _table(name: str, mends: Sequence[Mend], operations: Mapping[str, Operation]) -> str:
    lines = [f"[{name}]"]
    path = next((mend.value for mend in mends if mend.key == "path"), "")
    if alike := _writes_beside(path, operations):
        lines.append(f"# Not tried, and probably moved too: {', '.join(alike)}")
    for mend in mends:
        lines += [f"# {clean(mend.why)}", f"{mend.key} = {_toml(mend.value)}"]
    return "\n".join(lines)


def _writes_beside(path: str, operations: Mapping[str, Operation]) -> list[str]:
    """The writes below the same first word of the path."""
    root = path.split("/")[1] if path else ""
    alike = (row for row in operations.values() if not row.safe and not row.alias_of)
    return sorted(row.name for row in alike if root and row.path.split("/")[1] == root)


def _toml(text: str) -> str:
    """A basic string; JSON's is one too, for text that holds no control characters."""
    return msgspec.json.encode(clean(text)).decode()
