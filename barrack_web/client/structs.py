"""The structs whose fields have names on the wire, by name: what an overrides file can speak of.

The price list is not among them: its keys are documented (source: API reference page).
"""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

import msgspec

from . import (
    assistant,
    billing,
    catalog,
    deployment,
    firewalls,
    images,
    instances,
    paging,
    rules,
    scripts,
    snapshots,
    ssh_keys,
    volumes,
)
from .reading import Accepted

_MODULES: Final = (
    assistant, billing, catalog, deployment, firewalls, images, instances, paging, rules, scripts, snapshots, ssh_keys,
    volumes,
)  # fmt: skip
# What the client puts together itself, so that none of its fields is on the wire.
OWN: Final = frozenset({"BalanceSheet", "BillingPage", "ChatPiece", "VolumeListing"})


def _structs_of(module: ModuleType) -> dict[str, type[msgspec.Struct]]:
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__
        and name not in OWN
    }


# Fields that the client fills with an operation's result: their name is the result key in the operation table.
RESULTS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("ScriptSaved", "script"): "create_script and update_script",
        ("SSHKeyCreated", "ssh_key"): "create_ssh_key",
        ("ImageCreated", "image"): "create_image_from_snapshot",
        ("SnapshotCreated", "snapshot"): "create_snapshot",
        ("VolumeAccepted", "volume"): "create_volume, clone_volume and resize_volume",
        ("RuleAdded", "security_rule"): "add_instance_security_rule",
        ("VolumesMoved", "volume_attachments"): "attach_volumes and detach_volumes",
        ("FirewallAccepted", "firewall"): "create_firewall",
        ("FirewallAccepted", "rule"): "add_firewall_rule",
        ("FirewallAccepted", "attachments"): "attach_firewall",
    }
)

STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(
    {"Accepted": Accepted} | {name: kind for module in _MODULES for name, kind in _structs_of(module).items()}
)
