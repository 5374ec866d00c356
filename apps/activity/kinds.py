"""Every kind of operation, and the words for every action of the trail."""

from apps.activity.image_kinds import IMAGE_KINDS
from apps.activity.key_kinds import KEY_KINDS
from apps.activity.kind import Kind, Row
from apps.activity.models import Operation
from apps.activity.script_kinds import SCRIPT_KINDS
from apps.activity.vm_kinds import VM_KINDS
from apps.activity.volume_kinds import VOLUME_KINDS
from barrack_web import cloud
from barrack_web.client import Broken, Client


def _instances(api: Client, operation: Operation, within: float) -> list[Row]:  # noqa: ARG001
    return [Row(row.instance_id, row.vm_name, row.created_at) for row in api.instances.list(within=within)]


def _snapshots(api: Client, operation: Operation, within: float) -> list[Row]:
    rows = api.snapshots.list(within=within)
    if not KINDS[operation.kind].makes and (rows.broken or not rows.complete):
        # What could not be read may be the very one that counts as deleted when it is not seen.
        raise Broken("Some snapshots could not be read.", operation="list_snapshots")
    return [Row(row.snapshot_id, row.snapshot_name, row.created_at) for row in rows if not _being_deleted(row.status)]


def _deployed(operation: Operation) -> None:  # noqa: ARG001
    cloud.instances_changed()
    # It has taken GPUs, and the volume it boots from.
    cloud.stocks.forget()
    cloud.volumes.forget()


def _being_deleted(status: str) -> bool:
    return status.casefold() in {"deleting", "deleted"}


KINDS: dict[str, Kind] = {
    "instance.create": Kind(
        title="Deploy VM",
        noun="VM",
        effect="makes",
        toast="VM “{name}” is being created.",
        rows=_instances,
        changed=_deployed,
        events=("vms:changed",),
        # Its target is the draft it was prepared as, of which only one VM is made.
        alone=True,
    ),
    "snapshot.create": Kind(
        title="Create snapshot",
        noun="snapshot",
        effect="makes",
        toast="Snapshot “{name}” of {target} is being created.",
        rows=_snapshots,
        changed=lambda _: cloud.snapshots_changed(),
        events=("snapshots:changed",),
    ),
    "snapshot.restore": Kind(
        title="Restore snapshot",
        noun="VM",
        effect="makes",
        toast="VM “{name}” is being created from {target}.",
        rows=_instances,
        changed=lambda _: cloud.instances_changed(),
        events=("snapshots:changed", "vms:changed"),
    ),
    "snapshot.delete": Kind(
        title="Delete snapshot",
        noun="snapshot",
        effect="deletes",
        toast="Snapshot “{target}” is deleted.",
        rows=_snapshots,
        changed=lambda operation: cloud.snapshots_changed(operation.target_id),
        events=("snapshots:changed",),
    ),
    **VM_KINDS,
    **SCRIPT_KINDS,
    **KEY_KINDS,
    **VOLUME_KINDS,
    **IMAGE_KINDS,
}

# Actions of the trail that are no operation of the API.
OTHER_TITLES = {
    # People
    "sign_in": "Sign in",
    "sign_in.code": "Enter sign-in code",
    "sign_in.throttled": "Sign in too often",
    "second_factor": "Enter second factor",
    "confirm": "Confirm it is oneself",
    "sign_out": "Sign out",
    "sign_up": "Sign up",
    "address.confirm": "Confirm email address",
    "password.change": "Change password",
    "password.set": "Set password",
    "password.reset": "Reset password",
    "second_factor.add": "Add second factor",
    "second_factor.remove": "Remove second factor",
    "recovery_codes.make": "Make recovery codes",
    "social_account.add": "Connect sign-in account",
    "social_account.remove": "Disconnect sign-in account",
    "passkey.rename": "Rename passkey",
    "profile.edit": "Edit profile",
    "billing_profile.edit": "Edit billing profile",
    "member.invite": "Invite member",
    "member.resend": "Send invitation again",
    "member.revoke": "Revoke invitation",
    "member.accept": "Accept invitation",
    "member.role": "Change role",
    "member.deactivate": "Deactivate member",
    "member.activate": "Activate member",
    "member.createadmin": "Make admin on the command line",
    "second_factor.reset": "Reset second factor",
    "session.end": "End session",
    "session.end_others": "End all other sessions",
    "sign_in_rules.edit": "Edit sign-in rules",
    "activity.export": "Export activity",
    "template.create": "Save deployment template",
    "template.delete": "Delete deployment template",
    # Changes that were not made here
    "instance.appeared": "VM appeared",
    "instance.vanished": "VM vanished",
    "instance.changed": "VM changed state",
    "snapshot.appeared": "Snapshot appeared",
    "snapshot.vanished": "Snapshot vanished",
    "snapshot.changed": "Snapshot changed state",
}
TITLES: dict[str, str] = {name: kind.title for name, kind in KINDS.items()} | OTHER_TITLES


def title_of(action: str) -> str:
    """Return the words for an action of the trail; one that is no longer known is shown as it is."""
    return TITLES.get(action, action)
