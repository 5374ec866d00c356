"""What a kind of operation is: its words, how its effect is seen in the cloud, and which lists it changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from apps.activity.models import Operation
from barrack_web.client import Client


@dataclass(frozen=True)
class Row:
    """One thing of a list in which a result may be seen."""

    id: str
    name: str
    created_at: datetime | None


class ReadRows(Protocol):
    def __call__(self, api: Client, operation: Operation, within: float) -> list[Row]: ...


class Shows(Protocol):
    def __call__(self, api: Client, operation: Operation, within: float) -> bool: ...


@dataclass(frozen=True)
class Kind:
    """`noun` is what is made, deleted or changed; `toast` says that it was accepted.

    `rows` reads where a thing made or deleted would be seen, `shows` tells whether a change is to be seen, and `doubt`
    is what nobody knows while its answer is lost: "the VM is being stopped".
    """

    title: str
    noun: str
    effect: Literal["makes", "deletes", "changes"]
    toast: str
    changed: Callable[[Operation], None]
    events: tuple[str, ...]
    rows: ReadRows | None = None
    shows: Shows | None = None
    doubt: str = ""
    # Whether only one such operation may be under way on its target.
    alone: bool = False
    # Whether doing it twice comes to the same as doing it once.
    repeatable: bool = True
    # What stood in the answer alone, so that it is lost with it, and what to do then.
    lost: str = ""
    # The states in which its target is seen because of it.
    leads_to: frozenset[str] = frozenset()

    @property
    def makes(self) -> bool:
        return self.effect == "makes"

    @property
    def deletes(self) -> bool:
        return self.effect == "deletes"

    def exclusive(self, target_id: str) -> str:
        """Return what only one operation under way may hold: the thing it changes; "" where several may."""
        return "".join(char for char in f"{self.noun} {target_id}" if char.isprintable())[:128] if self.alone else ""

    def said(self, operation: Operation) -> str:
        """Return the sentence that it was accepted."""
        return self.toast.format(name=operation.name, target=operation.target_name)
