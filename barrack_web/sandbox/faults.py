"""Faults that can be armed per operation, and the log of the calls that were received."""

import copy
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

KINDS = frozenset(
    {
        "status",
        "delay",
        "invalid_json",
        "html",
        "truncate",
        "hang",
        "close",
        "drop_answer",
        "redirect",
        "refuse",
        "drip",
        "move",
        "fail",
    }
)
# In these the operation does its work and only the answer suffers.
WORKING_KINDS = frozenset({"delay", "invalid_json", "truncate", "drop_answer", "drip", "fail"})
# How long a hanging call is held when the caller sets no limit, in seconds.
HANG_SECONDS = 60.0

_FIELDS = frozenset({"operation", "kind", "status", "headers", "body", "seconds", "times", "path"})
_STATUS_OF_KIND = {"status": 503, "html": 502, "redirect": 307}
_SECONDS_OF_KIND = {"delay": 1.0, "drip": 0.05}
_MOST_SECONDS = 3600
_SECRET = re.compile(r"(^|_)(password|secret|token)$|api_?key|private_?key|credential", re.IGNORECASE)
_REMOVED = "[removed]"

CALLS_KEPT = 20_000


@dataclass(slots=True)
class Fault:
    """A fault that waits for calls of its operation ("*": any). `times` counts down; None means always."""

    operation: str
    kind: str
    status: int | None
    headers: dict[str, str]
    body: Any
    seconds: float
    times: int | None


class Faults:
    """The armed faults, first armed first used. Safe to use from several threads."""

    def __init__(self, operations: frozenset[str]) -> None:
        self._operations = operations
        self._lock = Lock()
        self._armed: list[Fault] = []
        # Operation → the path it is served at instead of its own.
        self.moved: dict[str, str] = {}

    def arm(
        self,
        operation: str,
        kind: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        seconds: float | None = None,
        times: int | None = 1,
        path: str | None = None,
    ) -> None:
        """Have the next `times` calls of an operation go wrong. Raises ValueError, in a sentence, for a bad fault.

        `seconds` is the wait of a delay, or the pause between two bytes of a drip. A status fault without a body sends
        the usual error envelope; a redirect without a Location header adds a slash to the path, or
        takes it away. An answer that comes in pieces suffers like any other: "truncate" ends it half-way, and
        "invalid_json" breaks the event in its middle.

        "move" is no matter of `times`: until the faults are cleared the operation is served at `path`, with the same
        {places} as its own, and its own is an unknown address.

        "fail" answers as ever, but what the call begins ends in ERROR; a call that begins nothing is not harmed.
        """
        self._check(operation=operation, kind=kind, status=status, headers=headers, seconds=seconds, times=times)
        if kind == "move" or path is not None:
            self._move(operation, kind, path)
            return
        fault = Fault(
            operation,
            kind,
            status if status is not None else _STATUS_OF_KIND.get(kind),
            dict(headers or {}),
            body,
            float(seconds) if seconds is not None else _SECONDS_OF_KIND.get(kind, 0.0),
            times,
        )
        with self._lock:
            self._armed.append(fault)

    def _move(self, operation: str, kind: str, path: str | None) -> None:
        if kind != "move" or path is None:
            raise ValueError("a move needs a path, and nothing else takes one")
        if not path.startswith("/") or operation == "*":
            raise ValueError("a move is of one operation, to a path that begins with /")
        with self._lock:
            self.moved = {**self.moved, operation: path}

    def arm_from(self, fields: Any) -> None:
        """Arm a fault from its JSON form. Raises ValueError, in a sentence, when it is not one."""
        if not isinstance(fields, dict):
            raise ValueError("a fault is a JSON object")  # noqa: TRY004 - callers catch one kind
        unknown = sorted(set(fields) - _FIELDS)
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(map(repr, unknown))}")
        lacking = sorted({"operation", "kind"} - set(fields))
        if lacking:
            raise ValueError(f"a fault needs {' and '.join(lacking)}")
        self.arm(**fields)

    def clear(self) -> None:
        """Disarm all faults."""
        with self._lock:
            self._armed.clear()
            self.moved = {}

    def take(self, operation: str) -> Fault | None:
        """Return the fault that this call meets, counting it down; None when the call goes well."""
        with self._lock:
            for fault in self._armed:
                if fault.operation in {operation, "*"}:
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times == 0:
                            self._armed.remove(fault)
                    return fault
            return None

    def _check(self, *, operation: Any, kind: Any, status: Any, headers: Any, seconds: Any, times: Any) -> None:
        # Of any type, because the control door passes on whatever it was sent.
        rules = (
            (
                isinstance(operation, str) and operation in {"*", *self._operations},
                f"there is no operation {operation!r}",
            ),
            (isinstance(kind, str) and kind in KINDS, f"a kind is one of {', '.join(sorted(KINDS))}, not {kind!r}"),
            (status is None or _is_whole(status, 100, 599), "status is a whole number from 100 to 599"),
            (headers is None or _is_text_map(headers), "headers map names to texts"),
            (seconds is None or _is_seconds(seconds), f"seconds is a number from 0 to {_MOST_SECONDS}"),
            (times is None or _is_whole(times, 1, 1_000_000), "times is a whole number from 1, or null for always"),
        )
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)


@dataclass(slots=True)
class Call:
    """A call as it was received. Times are Unix seconds; `status` is None while, or when, there was no answer."""

    operation: str | None
    method: str
    path: str
    query: str
    status: int | None
    started: float
    ended: float | None
    body: Any


class CallLog:
    """The calls received since the last reset, in order of arrival. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        # A demo left open for days must not fill the memory.
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)

    def add(self, call: Call) -> None:
        """Enter a call at its arrival, the secrets in its body removed."""
        call.body = without_secrets(call.body)
        with self._lock:
            self._calls.append(call)

    def end(self, call: Call, status: int | None, ended: float) -> None:
        """Note how and when a call ended; status None when the caller got no answer."""
        with self._lock:
            call.status, call.ended = status, ended

    def calls(self, operation: str | None = None) -> list[Call]:
        """Return copies of the calls, of all operations or of one."""
        with self._lock:
            return [copy.copy(call) for call in self._calls if operation in {None, call.operation}]

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()


def without_secrets(value: Any) -> Any:
    """Return a copy of a JSON value in which passwords, keys and tokens are replaced by "[removed]"."""
    if isinstance(value, dict):
        return {
            name: _REMOVED if _SECRET.search(str(name)) and item is not None else without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST_SECONDS


def _is_text_map(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(text, str) and "\r" not in text and "\n" not in text for pair in value.items() for text in pair
    )
