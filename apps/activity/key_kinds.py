"""What can be done to an SSH key, as operations. None of them holds a key, neither its public nor its private half."""

from apps.activity.kind import Kind, Row
from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.client import Client, Missing


def _keys(api: Client, operation: Operation, within: float) -> list[Row]:  # noqa: ARG001
    return [Row(row.id or "", row.name, row.created_at) for row in api.ssh_keys.list(within=within)]


def _is_gone(api: Client, operation: Operation, within: float) -> bool:
    try:
        api.ssh_keys.get(operation.target_id, within=within)
    except Missing:
        return True
    return False


KEY_KINDS: dict[str, Kind] = {
    "key.create": Kind(
        title="Create SSH key",
        noun="SSH key",
        effect="makes",
        toast="SSH key “{name}” is created.",
        lost="Its private key stood in Barrack's answer and nowhere else. "
        "Whoever does not have it deletes this key and creates another one.",
        rows=_keys,
        changed=lambda _: cloud.ssh_keys_changed(),
        events=("keys:changed",),
    ),
    "key.import": Kind(
        title="Import SSH key",
        noun="SSH key",
        effect="makes",
        toast="SSH key “{name}” is imported.",
        rows=_keys,
        changed=lambda _: cloud.ssh_keys_changed(),
        events=("keys:changed",),
    ),
    "key.delete": Kind(
        title="Delete SSH key",
        noun="SSH key",
        effect="deletes",
        toast="SSH key “{target}” is deleted, in all regions.",
        shows=_is_gone,
        changed=lambda operation: cloud.ssh_keys_changed(operation.target_id),
        events=("keys:changed",),
        alone=True,
    ),
}
