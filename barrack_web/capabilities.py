"""What an API may lack and the portal can do without: the operations that its newer documentation no longer lists.

Such an operation that answers 404 or 405 as a whole is left alone for ten minutes, and what it would show is hidden.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

from barrack_web import clock
from barrack_web.cached import shared_cache
from barrack_web.client import Missing, Refused

T = TypeVar("T")
log = logging.getLogger("barrack.cloud")

REMEMBERED_SECONDS: Final = 600
_ABSENT_STATUSES: Final = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Capability:
    """An operation that may be missing: what it is called on the screen, and what is hidden without it."""

    title: str
    hides: str


CAPABILITIES: Final[Mapping[str, Capability]] = MappingProxyType(
    {
        "get_gpu_stocks": Capability(
            "GPU stock", "Nothing shows how many GPUs are free; a deployment finds out when it is sent."
        ),
        "get_gpu_specs": Capability("GPU facts", "GPU models are offered without their vCPUs, memory and disks."),
        "list_regions": Capability(
            "Regions", "The three documented regions are offered, and those that resources are in."
        ),
        "get_hibernated_instances_count": Capability(
            "Hibernated VMs", "They are counted from the list of VMs, without what they have cost."
        ),
        "list_ai_models": Capability("AI Chat", "The chat is not in the menu."),
        "chat_completions": Capability("AI Chat", "The chat is not in the menu."),
        "get_ai_usage_summary": Capability("AI usage", "The chat does not show what it has cost."),
        "get_ai_usage_history": Capability("AI usage history", "The chat does not list its past uses."),
    }
)


def absent(operation: str) -> bool:
    """Return whether the API was found to lack an operation within the last ten minutes."""
    until = None
    with shared_cache() as shared:
        until = shared.get(_key(operation))
    return until is not None and clock.now().timestamp() < float(until)


def offered(operation: str, fetch: Callable[[str], T]) -> Callable[[str], T]:
    """Return the read of a capability, which raises Missing without a call while the API is known to lack it.

    Raises KeyError for an operation that the portal cannot do without.
    """
    title = CAPABILITIES[operation].title

    def fetch_if_offered(key: str) -> T:
        if absent(operation):
            raise _missing(operation, title)
        try:
            return fetch(key)
        except Refused as refusal:
            if refusal.status not in _ABSENT_STATUSES:
                raise
            _remember(operation, refusal.status)
            raise _missing(operation, title) from None

    return fetch_if_offered


def _remember(operation: str, status: int | None) -> None:
    log.info("%s answered %s: %s is hidden for ten minutes", operation, status, CAPABILITIES[operation].title)
    with shared_cache() as shared:
        shared.set(_key(operation), clock.now().timestamp() + REMEMBERED_SECONDS, REMEMBERED_SECONDS)


def _missing(operation: str, title: str) -> Missing:
    return Missing(f"Barrack does not offer this: {title}.", operation=operation, status=404)


def _key(operation: str) -> str:
    return f"capability:{operation}:absent-until"
