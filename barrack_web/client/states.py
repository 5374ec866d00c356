"""The one table of states: what the API's status words mean. A word that is not listed is shown as it is and means
nothing.

Status words are compared without case, and `-`, `_` and space are the same.
"""

from typing import Final

# source: user documentation, which uses both words for one state.
INSTANCE_ALIASES: Final = {"STOPPED": "SHUTOFF"}
# source: user documentation. ERROR is listed there too, but stays until somebody acts (source: assumed).
INSTANCE_IN_TRANSITION: Final = frozenset(
    {"CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING"}
)
# source: user documentation, for snapshots and for images.
USABLE: Final = frozenset({"SUCCESS", "AVAILABLE"})
# source: assumed; the documentation names only the complete states, and "creating" for images.
SNAPSHOT_IN_TRANSITION: Final = frozenset(
    {
        "CREATING",
        "DELETING",
        "RESTORING",
        "PENDING",
        "QUEUED",
        "BUILD",
        "BUILDING",
        "SAVING",
        "PROCESSING",
        "IN_PROGRESS",
    }
)

# source: user documentation for creating; the others assumed.
VOLUME_IN_TRANSITION: Final = frozenset({"CREATING", "ATTACHING", "DETACHING", "DELETING", "RESIZING"})


def plain(status: str) -> str:
    """A status word in its one form: capitals, with `_` for `-` and space."""
    return status.strip().upper().replace("-", "_").replace(" ", "_")


def instance_state(status: str) -> str:
    """An instance's state: the plain word, one word for each state that has two."""
    word = plain(status)
    return INSTANCE_ALIASES.get(word, word)
