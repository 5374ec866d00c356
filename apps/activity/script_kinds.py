"""What can be done to a startup script, as operations: the words, and by what one sees that it has happened.

An operation holds no content: a change is known again by the digest of what was to be saved.
"""

from apps.activity.kind import Kind, Row
from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.client import Client, Missing
from barrack_web.script_text import digest


def _scripts(api: Client, operation: Operation, within: float) -> list[Row]:  # noqa: ARG001
    return [Row(row.script_id, row.name, row.created_at) for row in api.scripts.list(within=within)]


def _is_saved(api: Client, operation: Operation, within: float) -> bool:
    script = api.scripts.get(operation.target_id, within=within)
    return digest(script.name, script.description, script.content) in operation.known_ids


def _is_gone(api: Client, operation: Operation, within: float) -> bool:
    try:
        api.scripts.get(operation.target_id, within=within)
    except Missing:
        return True
    return False


SCRIPT_KINDS: dict[str, Kind] = {
    "script.create": Kind(
        title="Create script",
        noun="script",
        effect="makes",
        toast="Script “{name}” is created.",
        rows=_scripts,
        changed=lambda _: cloud.scripts_changed(),
        events=("scripts:changed",),
    ),
    "script.edit": Kind(
        title="Edit script",
        noun="script",
        effect="changes",
        toast="Script “{target}” is saved.",
        doubt="the script is changed",
        shows=_is_saved,
        changed=lambda operation: cloud.scripts_changed(operation.target_id),
        events=("scripts:changed",),
        # Nobody of this portal comes between the look at what is there and the change of it.
        alone=True,
    ),
    "script.delete": Kind(
        title="Delete script",
        noun="script",
        effect="deletes",
        toast="Script “{target}” is deleted.",
        shows=_is_gone,
        changed=lambda operation: cloud.scripts_changed(operation.target_id),
        events=("scripts:changed",),
        alone=True,
    ),
}
