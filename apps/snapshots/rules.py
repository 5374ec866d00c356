"""What may be done with a snapshot, what it costs, and why not."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from apps.account.gates import profile_gap
from apps.activity.models import Operation, State
from barrack_web import clock
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import Instance, Listing, Prices, Snapshot
from barrack_web.htmx import HtmxHttpRequest

# A restore that took longer than this is no longer waited for before its snapshot may be deleted.
RESTORE_WATCHED = timedelta(hours=6)


def why_not_restorable(snapshot: Snapshot) -> str:
    """Return why no VM and no image can be made of it, or "" when they can: SUCCESS and available are complete."""
    if snapshot.restorable:
        return ""
    if snapshot.in_transition:
        return f"The snapshot is not complete yet ({snapshot.status}). Wait until its status is SUCCESS or available."
    return f"The status is {snapshot.status[:40]}. Only a snapshot with the status SUCCESS or available can be used."


def not_usable(snapshot: Snapshot) -> Alert | None:
    """Return the alert for a snapshot of which nothing can be made now."""
    reason = why_not_restorable(snapshot)
    return Alert(title="This snapshot cannot be used now", text=reason) if reason else None


def being_deleted(snapshot: Snapshot) -> Alert | None:
    """Return the alert for a snapshot whose deletion is under way."""
    if snapshot.status.casefold() != "deleting":
        return None
    return Alert(title="It is being deleted", text="Its deletion was asked for already and is under way.")


def being_restored(snapshot_id: str, instances: Read[Listing[Instance]] | None) -> Alert | None:
    """Return the alert while a VM is made from it: the cloud still reads it."""
    vm = running_restore(snapshot_id, instances)
    if not vm:
        return None
    return Alert(
        title="A restore is running",
        text=f"The VM “{vm}” is being created from this snapshot.",
        todo="If a snapshot is being used for restoration, wait for completion before deleting.",
    )


def not_to_be_taken(request: HtmxHttpRequest, has_vms: bool, region: str) -> Alert | None:
    """Return the alert while no snapshot can be taken at all: the profile has a gap, or there is no VM for it."""
    return profile_gap(request, "Snapshots can be created") or no_vm(has_vms, region)


def no_vm(has_vms: bool, region: str) -> Alert | None:
    """Return the alert when there is no VM of which a snapshot could be taken."""
    if has_vms:
        return None
    where = f" in {region}" if region else ""
    return Alert(
        title="No active VMs available",
        text=f"A snapshot needs an ACTIVE VM{where}, and there is none.",
        todo="Start or restore a VM first.",
    )


def hourly(snapshot: Snapshot, prices: Read[Prices] | None, currency: str) -> Decimal | None:
    """Return what a complete snapshot costs per hour by its size, an estimate; None when price or size is not known."""
    if snapshot.size_gb is None or not snapshot.restorable:
        return None
    return total_hourly({snapshot.tier: snapshot.size_gb}, prices, currency)


def total_hourly(sizes: Mapping[str | None, Decimal], prices: Read[Prices] | None, currency: str) -> Decimal | None:
    """Return what so many GB of each tier cost per hour, an estimate; None when no price is known.

    A tier without a price of its own is charged at the one there is (the price list names one only).
    """
    if prices is None:
        return None
    ask = prices.value.snapshot_hour
    costs = [ask(size, currency, tier=tier) or ask(size, currency) for tier, size in sizes.items()]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if known else None


def vm_hourly(snapshot: Snapshot, prices: Read[Prices] | None, currency: str) -> Decimal | None:
    """Return what a VM restored from it costs per hour: GPU price times GPUs; None when the API does not say."""
    if prices is None or not snapshot.gpu_type or not snapshot.gpu_count:
        return None
    price = prices.value.gpu(snapshot.gpu_type, currency)
    return None if price is None else price * snapshot.gpu_count


def vm_exists(snapshot: Snapshot, instances: Read[Listing[Instance]] | None) -> bool | None:
    """Return whether the VM it was taken from is still there; None when that is not known."""
    if instances is None or not snapshot.instance_id:
        return None
    return any(row.instance_id == snapshot.instance_id for row in instances.value)


def vm_names(instances: Listing[Instance]) -> set[str]:
    """Return the names that a new VM cannot have; a deleted VM's name is free again."""
    return {row.vm_name for row in instances if row.state != "DELETED"}


def running_restore(snapshot_id: str, instances: Read[Listing[Instance]] | None) -> str:
    """Return the name of a VM that is being restored from it right now by this portal, or ""."""
    recent = Operation.objects.filter(
        kind="snapshot.restore",
        target_id=snapshot_id,
        sent_at__gte=clock.now() - RESTORE_WATCHED,
        state__in=[State.SENT, State.UNKNOWN, State.DONE],
    )
    moving = {row.instance_id for row in instances.value if row.in_transition} if instances else set()
    for operation in recent:
        if operation.open or operation.result_id in moving:
            return operation.name
    return ""
