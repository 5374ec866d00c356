"""Attaching volumes to VMs and detaching them. Each view reads as its dialog works."""

from collections.abc import Collection
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.perform import Target
from apps.storage import facts
from apps.storage.cards import type_name
from apps.storage.change_forms import AttachForm, AttachSeveralForm, ConfirmForm
from barrack_web import cloud
from barrack_web.alerts import Alert
from barrack_web.client import Instance, Listing, Volume
from barrack_web.htmx import HtmxHttpRequest

# What a refusal in the present state most often means, and what helps.
REFUSED = "Another operation may be running on the volume or on the VM."
WAIT = "Wait a few minutes if an attach or detach has just run, then try again."


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def attach(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Attach a volume to an ACTIVE VM of its region."""
    page, before = reverse("storage:details", args=[volume_id]), sent_before(request, "volume.attach", volume_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, instances, balance = cloud.volume.begin(volume_id), cloud.instances.begin(), cloud.balance.begin()
    wait = patience(request)
    read, rows = found.get(wait), instances.get(wait)
    volume, busy = read.value, facts.under_way("volume.attach", volume_id)
    balance.or_none()
    candidates = facts.vms_for(volume, rows.value, busy)
    form = AttachForm(
        request.POST or None,
        initial=kept(request),
        candidates=candidates,
        everywhere=rows.value,
        region=volume.region,
    )
    dialog = Dialog(
        request,
        "storage/attach_modal.html",
        kind="volume.attach",
        target=Target(volume_id, volume.volume_name),
        form=form,
        back=reverse("storage:list"),
        blocked=stale_alert(read, rows) or facts.not_now("attach", volume, busy) or _no_vm(candidates, volume.region),
        context={"off": facts.why_not("attach", volume)} | _lead(volume),
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    vm_id = form.cleaned_data.get("instance_id", "")
    outcome = before or dialog.perform(
        lambda api, within: api.volumes.attach(vm_id, [volume_id], within=within), name=form.vm_name, known_ids=[vm_id]
    )
    return dialog.answer(facts.refused(outcome, REFUSED, WAIT), then=page)


def _lead(volume: Volume) -> dict[str, Any]:
    return {"volume": volume, "type": type_name(volume.volume_type or "")}


def _no_vm(candidates: Collection[facts.Candidate[Instance]], region: str) -> Alert | None:
    """Return the alert while no VM of the region can be chosen."""
    if any(not one.off for one in candidates):
        return None
    place = region[:40]
    return Alert(
        title=f"No VM in {place} can take it now",
        text=f"A volume is attached to an ACTIVE VM of its own region, and {place} has none that is free for it.",
        todo="Start or restore one of these VMs first, or wait until it is ready."
        if candidates
        else "Deploy one there first.",
        link=reverse("vms:list") if candidates else reverse("deploy:wizard"),
        link_text="Virtual machines" if candidates else "Deploy a VM",
    )


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def detach(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Detach a volume from the VM that has it."""
    page, before = reverse("storage:details", args=[volume_id]), sent_before(request, "volume.detach", volume_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, instances, balance = cloud.volume.begin(volume_id), cloud.instances.begin(), cloud.balance.begin()
    wait = patience(request)
    read, rows = found.get(wait), instances.get(wait)
    volume = read.value
    balance.or_none()
    vm_id, vm = facts.vm_of(volume, rows.value)
    busy = facts.under_way("volume.detach", volume_id)
    off = facts.not_now("detach", volume, busy) or _not_all(rows.value, vm) or _not_from(volume, vm_id, vm, busy)
    dialog = Dialog(
        request,
        "storage/detach_modal.html",
        kind="volume.detach",
        target=Target(volume_id, volume.volume_name),
        form=ConfirmForm(request.POST or None),
        back=reverse("storage:list"),
        blocked=stale_alert(read, rows) or off,
        context={"vm": vm, "device": facts.device_of(volume, vm), "off": off} | _lead(volume),
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(
        lambda api, within: api.volumes.detach(vm_id, [volume_id], within=within),
        name=vm.vm_name if vm else vm_id,
        known_ids=[vm_id],
    )
    return dialog.answer(facts.refused(outcome, REFUSED, WAIT), then=page)


def _not_all(rows: Listing[Instance], vm: Instance | None) -> Alert | None:
    """Return the alert when the VM was not found in a list that lacks some."""
    if vm is not None or (rows.complete and not rows.broken):
        return None
    return Alert(
        title="Not every VM could be read",
        text="The VM that has the volume is not among those that Barrack sent in a readable form.",
        todo="Try again in a minute. If it stays like this, write to support.",
    )


def _not_from(volume: Volume, vm_id: str, vm: Instance | None, busy: Collection[str]) -> Alert | None:
    """Return why the volume cannot be detached from its VM now."""
    if not vm_id:
        return Alert(
            title="The VM that has it was not found",
            text="Barrack says that the volume is attached, but names no VM, and "
            f"no VM in {volume.region[:40]} lists it.",
            todo="Look again in a few minutes. If it stays like this, write to support with the volume's id.",
        )
    if vm is None or vm.state == "DELETED":
        return Alert(
            title="Its VM is gone",
            text=f"The volume belongs to {facts.vm_name(volume)}, which does not exist any more; a volume is detached "
            "from an ACTIVE VM only.",
            todo="Write to support with the volume's id, so that they release it.",
        )
    reason = facts.why_not_vm(vm, busy)
    if reason:
        return Alert(title="It cannot be detached now", text=f"The VM is {vm.vm_name[:60]}. {reason}")
    if facts.boots(volume, vm):
        return Alert(
            title="Cannot detach the system/boot volume of a running VM",
            text=f"{vm.vm_name[:60]} runs from this volume, so it stays attached as long as the VM exists.",
        )
    return None


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def attach_several(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Attach several volumes of its region to a VM, all of them by one call."""
    kind, page = "instance.attach_volumes", reverse("vms:details", args=[instance_id])
    before = sent_before(request, kind, instance_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, volumes, balance = cloud.instance.begin(instance_id), cloud.volumes.begin(), cloud.balance.begin()
    wait = patience(request)
    read, listed = found.get(wait), volumes.get(wait)
    vm, busy = read.value, facts.under_way(kind, instance_id)
    balance.or_none()
    form = AttachSeveralForm(
        request.POST or None, initial=kept(request), candidates=facts.volumes_for(vm, listed.value, busy)
    )
    dialog = Dialog(
        request,
        "storage/attach_several_modal.html",
        kind=kind,
        target=Target(instance_id, vm.vm_name),
        form=form,
        back=page,
        blocked=stale_alert(read, listed) or _takes_none(vm, busy) or _no_volume(form, vm.region),
        context={"vm": vm},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    ids = form.cleaned_data.get("volume_ids", [])
    outcome = before or dialog.perform(
        lambda api, within: api.volumes.attach(instance_id, ids, within=within), name=form.names, known_ids=ids
    )
    return dialog.answer(facts.refused(outcome, REFUSED, WAIT), then=page)


def _takes_none(vm: Instance, busy: Collection[str]) -> Alert | None:
    reason = facts.why_not_vm(vm, busy)
    if vm.state == "DELETED":
        reason = "It is deleted."
    return (
        Alert(title="Volumes cannot be attached now", text=f"The VM is {vm.vm_name[:60]}. {reason}") if reason else None
    )


def _no_volume(form: AttachSeveralForm, region: str) -> Alert | None:
    """Return the alert while no volume of the region can be chosen."""
    if form.able:
        return None
    some = "None of them can be attached now." if form.off else "There is no volume there yet."
    return Alert(
        title=f"No volume in {region[:40]} can be attached",
        text=f"A VM takes available volumes of its own region, {region[:40]}. {some}",
        todo="Create one there, or detach one first." if form.off else "Create one there first.",
        link=f"{reverse('storage:create')}?{urlencode({'region': region})}",
        link_text="Create a volume",
    )
