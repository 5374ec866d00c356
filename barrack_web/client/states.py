"""The one table of states: what the API's status words mean. A word that is not listed is shown as it is and means
nothing.

Status words are compared without case, and `-`, `_` and space are the same.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

# source: user documentation, which uses both words for one state.
INSTANCE_ALIASES: Final = {"STOPPED": "SHUTOFF"}
# source: user documentation. ERROR is listed there too, but stays until somebody acts (source: assumed).
INSTANCE_IN_TRANSITION: Final = frozenset(
    {"CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING"}
)
# In which states an instance takes an action; in every other one it is not offered. The API decides: a 409 may come.
INSTANCE_ALLOWS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "start": frozenset({"SHUTOFF"}),  # source: user documentation
        "stop": frozenset({"ACTIVE"}),  # source: user documentation
        "reboot": frozenset({"ACTIVE"}),  # source: user documentation
        "hibernate": frozenset({"ACTIVE", "SHUTOFF"}),  # source: user documentation for ACTIVE, assumed for SHUTOFF
        "restore": frozenset({"HIBERNATED"}),  # source: user documentation
        "delete": frozenset({"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR"}),  # source: assumed
        "public-ip": frozenset({"ACTIVE"}),  # source: assumed
        "rules": frozenset({"ACTIVE"}),  # source: assumed, from "applied after the VM becomes active"
        "snapshot": frozenset({"ACTIVE"}),  # source: user documentation
    }
)
# What a hibernated instance costs per hour (source: user documentation), for an API that does not say it itself.
HIBERNATED_HOUR: Final[Mapping[str, Decimal]] = MappingProxyType(
    {"USD": Decimal("0.01"), "EUR": Decimal("0.01"), "INR": Decimal("1.00")}
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
# source: user documentation, which uses both words for one state.
VOLUME_ATTACHED: Final = frozenset({"IN_USE", "ATTACHED"})
_COMPLETE: Final = frozenset({"AVAILABLE", *VOLUME_ATTACHED})
# In which states a volume takes an action; in every other one it is not offered. The API decides: a 409 may come.
VOLUME_ALLOWS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "attach": frozenset({"AVAILABLE"}),  # source: user documentation
        "detach": VOLUME_ATTACHED,  # source: user documentation
        "resize": _COMPLETE,  # source: assumed
        "clone": _COMPLETE,  # source: assumed
        "delete": frozenset({"AVAILABLE", "ERROR"}),  # source: user documentation for attached ones, else assumed
    }
)
# The states of an instance in which volumes are attached to it or detached; source: user documentation.
VOLUME_MOVES_ON: Final = frozenset({"ACTIVE"})
# The names of an instance's first disk, under /dev/, which it runs from; source: assumed.
FIRST_DISKS: Final = frozenset({"vda", "sda", "xvda", "nvme0n1"})
# The bounds of a volume's size in GB; source: user documentation. The largest is a setting.
VOLUME_LEAST_GB: Final = 10
VOLUME_LEAST_BOOTABLE_GB: Final = 100
# The balance that a new volume takes; source: user documentation.
VOLUME_LEAST_BALANCE: Final[Mapping[str, Decimal]] = MappingProxyType(
    {"USD": Decimal(1), "EUR": Decimal(1), "INR": Decimal(100)}
)


def plain(status: str) -> str:
    """A status word in its one form: capitals, with `_` for `-` and space."""
    return status.strip().upper().replace("-", "_").replace(" ", "_")


def instance_state(status: str) -> str:
    """An instance's state: the plain word, one word for each state that has two."""
    word = plain(status)
    return INSTANCE_ALIASES.get(word, word)
