"""What can be done to a volume, as operations: the words, and by what one sees that it has happened."""

import time
from decimal import Decimal

from apps.activity.kind import Kind, Row, Shows
from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.client import Client, Missing


def _volumes(api: Client, operation: Operation, within: float) -> list[Row]:  # noqa: ARG001
    return [Row(row.volume_id, row.volume_name, row.created_at) for row in api.volumes.list(within=within)]


def _on_vm(api: Client, instance_id: str, within: float) -> set[str] | None:
    """Return the ids of the volumes that a VM names as its own; None when it does not say."""
    try:
        volumes = api.instances.get(instance_id, within=within).volumes
    except Missing:
        return set()
    return None if volumes is None else {row.volume_id or "" for row in volumes}


def _attached(api: Client, operation: Operation, within: float) -> bool:
    """Tell whether the volume is on the VM that it was sent to, the one id in `known_ids`: by what either says."""
    end = time.monotonic() + within
    volume = api.volumes.get(operation.target_id, within=within / 2)
    if volume.instance_id:
        return volume.instance_id in operation.known_ids
    there = _on_vm(api, operation.known_ids[0], max(0.05, end - time.monotonic())) if operation.known_ids else None
    return operation.target_id in (there or ())


def _detached(api: Client, operation: Operation, within: float) -> bool:
    """Tell whether the volume has left its VM, or is about to: neither of the two names the other any more.

    A VM that never listed it proves nothing, so the volume itself must say that it is free, or another VM's.
    """
    end = time.monotonic() + within
    volume = api.volumes.get(operation.target_id, within=within / 2)
    if volume.state == "DETACHING":
        return True
    if volume.instance_id:
        return volume.instance_id not in operation.known_ids
    if volume.attached:
        return False
    there = _on_vm(api, operation.known_ids[0], max(0.05, end - time.monotonic())) if operation.known_ids else None
    return operation.target_id not in (there or ())


def _all_attached(api: Client, operation: Operation, within: float) -> bool:
    """Tell whether all volumes, whose ids are in `known_ids`, are on the VM."""
    end, wanted = time.monotonic() + within, set(operation.known_ids)
    there = _on_vm(api, operation.target_id, within / 2)
    if there is None:
        rows = api.volumes.list(within=max(0.05, end - time.monotonic()))
        there = {row.volume_id for row in rows if row.instance_id == operation.target_id}
    return bool(wanted) and wanted <= there


def _resized(api: Client, operation: Operation, within: float) -> bool:
    return api.volumes.get(operation.target_id, within=within).size_gb == Decimal(operation.name)


def _deleted(api: Client, operation: Operation, within: float) -> bool:
    try:
        return api.volumes.get(operation.target_id, within=within).state in {"DELETING", "DELETED"}
    except Missing:
        return True


def _read_anew(operation: Operation) -> None:
    cloud.volumes_changed(operation.target_id)


def _moved(operation: Operation) -> None:
    cloud.volumes_changed(operation.target_id, *operation.known_ids[:1])


def _several_moved(operation: Operation) -> None:
    for volume_id in operation.known_ids:
        cloud.volumes_changed(volume_id, operation.target_id)


def _move(title: str, toast: str, doubt: str, shows: Shows) -> Kind:
    """A volume that comes to a VM or leaves it: `name` is the VM's name, its id stands in `known_ids`."""
    return Kind(
        title=title,
        noun="volume",
        effect="changes",
        toast=toast,
        doubt=doubt,
        shows=shows,
        changed=_moved,
        events=("volumes:changed", "vms:changed"),
        alone=True,
    )


VOLUME_KINDS: dict[str, Kind] = {
    "volume.create": Kind(
        title="Create volume",
        noun="volume",
        effect="makes",
        toast="Volume “{name}” is being created.",
        rows=_volumes,
        changed=lambda _: cloud.volumes_changed(),
        events=("volumes:changed",),
    ),
    "volume.attach": _move(
        "Attach volume",
        "Volume “{target}” is being attached to {name}.",
        "the volume is being attached",
        _attached,
    ),
    "volume.detach": _move(
        "Detach volume",
        "Volume “{target}” is being detached from {name}.",
        "the volume is being detached",
        _detached,
    ),
    # `name` is the new size in GB.
    "volume.resize": Kind(
        title="Resize volume",
        noun="volume",
        effect="changes",
        toast="Volume “{target}” is resized to {name} GB.",
        doubt="the volume has its new size",
        shows=_resized,
        changed=_read_anew,
        events=("volumes:changed",),
        alone=True,
    ),
    "volume.clone": Kind(
        title="Clone volume",
        noun="volume",
        effect="makes",
        toast="Volume “{name}” is being made as a copy of “{target}”.",
        rows=_volumes,
        changed=_read_anew,
        events=("volumes:changed",),
        alone=True,
    ),
    "volume.delete": Kind(
        title="Delete volume",
        noun="volume",
        effect="deletes",
        toast="Volume “{target}” is being deleted.",
        shows=_deleted,
        changed=_read_anew,
        events=("volumes:changed",),
        alone=True,
    ),
    # Several at once: the VM is what it changes, `name` lists the volumes, their ids stand in `known_ids`.
    "instance.attach_volumes": Kind(
        title="Attach volumes",
        noun="VM",
        effect="changes",
        toast="Being attached to {target}: {name}.",
        doubt="the volumes are being attached",
        shows=_all_attached,
        changed=_several_moved,
        events=("volumes:changed", "vms:changed"),
        alone=True,
    ),
}
