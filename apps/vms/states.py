"""What the states of a VM mean and cost, in the documented words; and what can be done in each, and why not."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from apps.account.roles import Can
from barrack_web.client import INSTANCE_IN_TRANSITION, Instance

FULL_RATE: Final = "Full rate (per-minute billing)"
NO_ADDITIONAL: Final = "No additional charge"


@dataclass(frozen=True)
class StateFacts:
    """A state of the legend: the API's words for it, what it means, what it costs."""

    words: tuple[str, ...]
    meaning: str
    billing: str


# source: user documentation.
LEGEND: Final = (
    StateFacts(
        ("ACTIVE",),
        "The VM is running with all resources allocated. This is the standard working state.",
        FULL_RATE,
    ),
    StateFacts(
        ("SHUTOFF",),
        "The VM is stopped but resources remain reserved exclusively for your use. The API also calls it STOPPED.",
        FULL_RATE,
    ),
    StateFacts(
        ("HIBERNATED",),
        "The VM's state is saved while hardware resources are released. Only root disk storage remains allocated.",
        "Storage only, at a reduced rate",
    ),
    StateFacts(("DELETED",), "The VM is permanently removed with all resources released.", "No charge"),
    StateFacts(("CREATING", "BUILD"), "Initial creation and configuration.", NO_ADDITIONAL),
    StateFacts(("STARTING",), "Powering on.", NO_ADDITIONAL),
    StateFacts(("STOPPING",), "Powering off.", NO_ADDITIONAL),
    StateFacts(("HIBERNATING",), "Entering hibernation.", NO_ADDITIONAL),
    StateFacts(("RESTORING",), "Returning from hibernation.", NO_ADDITIONAL),
    StateFacts(("REBOOTING",), "Restarting.", NO_ADDITIONAL),
    StateFacts(("DELETING",), "Being removed.", NO_ADDITIONAL),
    StateFacts(
        ("ERROR",), "The VM encountered an issue during an operation. Delete it, or ask support.", NO_ADDITIONAL
    ),
)
KNOWN: Final = frozenset(word for row in LEGEND for word in row.words)
# How a sentence goes on after "The VM is".
_UNDER_WAY: Final = {
    "CREATING": "being created",
    "BUILD": "being created",
    "RESTORING": "being restored",
    "DELETING": "being deleted",
}


@dataclass(frozen=True)
class Action:
    """Something that can be done with a VM. `key` stands in the address and in the table of the states that allow it.

    `wanted` and `done` make the sentence "Only a stopped VM can be started".
    """

    key: str
    label: str
    icon: str
    needs: Can
    wanted: str
    done: str
    danger: bool = False


ACTIONS: Final = {
    action.key: action
    for action in (
        Action("start", "Start", "player-play", Can.OPERATE_VM, "a stopped VM", "started"),
        Action("stop", "Stop", "player-stop", Can.OPERATE_VM, "an active VM", "stopped"),
        Action("reboot", "Reboot", "rotate-clockwise", Can.OPERATE_VM, "an active VM", "rebooted"),
        Action("hibernate", "Hibernate", "zzz", Can.OPERATE_VM, "an active or stopped VM", "hibernated"),
        Action("restore", "Restore", "restore", Can.OPERATE_VM, "a hibernated VM", "restored"),
        Action("public-ip", "Public IP", "world", Can.EDIT_VM_NETWORK, "an active VM", "given or taken a public IP"),
        Action("rules", "Add rule", "shield-plus", Can.EDIT_VM_NETWORK, "an active VM", "given or rid of a rule"),
        Action("snapshot", "Take Snapshot", "camera", Can.CREATE_SNAPSHOT, "an active VM", "snapshotted"),
        Action("delete", "Delete", "trash", Can.DELETE_VM, "a VM at rest", "deleted", danger=True),
    )
}


def under_way(state: str) -> str:
    """Return how "The VM is" goes on for a state that changes by itself: "stopping", "being created"."""
    return _UNDER_WAY.get(state, state.lower())


def why_not(key: str, instance: Instance) -> str:
    """Return why a VM in its state cannot be acted on like that, or "" when it can."""
    state, action = instance.state, ACTIONS[key]
    if state in settings.BARRACK_API_OVERRIDES.allows[key]:
        return ""
    if state in INSTANCE_IN_TRANSITION:
        return f"The VM is {under_way(state)}: wait until that is done."
    if state == "DELETED":
        return "The VM is deleted."
    if state not in KNOWN:
        return f"This portal does not know the state {instance.status.strip()[:40]}, so it offers nothing for it."
    return f"Only {action.wanted} can be {action.done}; this one is {label_of(state)}."


def label_of(state: str) -> str:
    """Return the state's word inside a sentence."""
    if state == "SHUTOFF":
        return "stopped (SHUTOFF)"
    return "in ERROR" if state == "ERROR" else state.lower()
