"""Changing snapshots: restore, create, delete, make an image. Each view reads as its dialog works."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.perform import Target
from apps.snapshots import rules
from apps.snapshots.forms import CreateForm, DeleteForm, ImageForm, RestoreForm
from barrack_web import cloud
from barrack_web.funds import money_for
from barrack_web.htmx import HtmxHttpRequest


@require_http_methods(["GET", "POST"])
@can(Can.RESTORE_SNAPSHOT)
def restore(request: HtmxHttpRequest, snapshot_id: str) -> HttpResponse:
    """Restore a snapshot to a new VM."""
    before = sent_before(request, "snapshot.restore", snapshot_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("vms:list"))

    found, instances = cloud.snapshot.begin(snapshot_id), cloud.instances.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    wait = patience(request)
    read, rows = found.get(wait), instances.get(wait)
    snapshot = read.value
    money = money_for(balance.or_none(), rules.vm_hourly(snapshot, prices.or_none(), cloud.currency()))
    taken = rules.vm_names(rows.value)
    form = RestoreForm(request.POST or None, initial=kept(request), snapshot=snapshot, taken=taken, money=money)
    dialog = Dialog(
        request,
        "snapshots/restore_modal.html",
        kind="snapshot.restore",
        target=Target(snapshot_id, snapshot.snapshot_name),
        form=form,
        back=reverse("snapshots:list"),
        blocked=stale_alert(read, rows) or rules.not_usable(snapshot),
        context={"snapshot": snapshot, "money": money},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    name = form.cleaned_data.get("name", "")
    outcome = before or dialog.perform(
        lambda api, within: api.snapshots.restore(snapshot_id, new_vm_name=name, within=within).instance_id,
        name=name,
        known_ids=[row.instance_id for row in rows.value if row.vm_name == name],
    )
    return dialog.answer(outcome, then=reverse("vms:list"))


@require_http_methods(["GET", "POST"])
@can(Can.CREATE_SNAPSHOT)
def create(request: HtmxHttpRequest) -> HttpResponse:
    """Take a snapshot of an ACTIVE VM, and an image with it if wished."""
    before = sent_before(request, "snapshot.create", "")
    if before and before.alert is None:
        return finished(request, before, then=reverse("snapshots:list"))

    eligible, instances = cloud.eligible.begin(), cloud.instances.begin()
    snapshots, balance = cloud.snapshots.begin(), cloud.balance.begin()
    wait, region = patience(request), request.GET.get("region", "")[:100]
    offered, vms, listed = eligible.get(wait), instances.get(wait), snapshots.get(wait)
    form = CreateForm(
        request.POST or None,
        initial={"instance_id": request.GET.get("vm", "")} | kept(request),
        eligible=offered.value,
        instances=vms.value,
        region=region,
        taken={row.snapshot_name for row in listed.value},
        money=money_for(balance.or_none(), None),
    )
    dialog = Dialog(
        request,
        "snapshots/create_modal.html",
        kind="snapshot.create",
        target=Target("", form.vm_name),
        form=form,
        back=reverse("snapshots:list"),
        blocked=stale_alert(offered, vms, listed) or rules.not_to_be_taken(request, form.has_vms, region),
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    data, name = form.cleaned_data, form.cleaned_data.get("name", "")
    alike = [row.snapshot_id for row in listed.value if row.snapshot_name == name]
    outcome = before or dialog.perform(
        lambda api, within: api.snapshots.create(**data, within=within).snapshot_id, name=name, known_ids=alike
    )
    return dialog.answer(outcome, then=reverse("snapshots:list"))


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_SNAPSHOT)
def delete(request: HtmxHttpRequest, snapshot_id: str) -> HttpResponse:
    """Delete a snapshot for good."""
    before = sent_before(request, "snapshot.delete", snapshot_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("snapshots:list"))

    found, instances = cloud.snapshot.begin(snapshot_id), cloud.instances.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    read, price = found.get(patience(request)), prices.or_none()
    snapshot = read.value
    balance.or_none()
    dialog = Dialog(
        request,
        "snapshots/delete_modal.html",
        kind="snapshot.delete",
        target=Target(snapshot_id, snapshot.snapshot_name),
        form=DeleteForm(request.POST or None),
        back=reverse("snapshots:list"),
        blocked=stale_alert(read)
        or rules.being_deleted(snapshot)
        or rules.being_restored(snapshot_id, instances.or_none()),
        context={
            "snapshot": snapshot,
            "hourly": rules.hourly(snapshot, price, cloud.currency()),
            "currency": cloud.currency(),
        },
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: api.snapshots.delete(snapshot_id, within=within))
    return dialog.answer(outcome, then=reverse("snapshots:list"))


@require_http_methods(["GET", "POST"])
@can(Can.CREATE_IMAGE)
def image(request: HtmxHttpRequest, snapshot_id: str) -> HttpResponse:
    """Make a custom image of a snapshot."""
    before = sent_before(request, "snapshot.image", snapshot_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("snapshots:details", args=[snapshot_id]))

    found, images, balance = cloud.snapshot.begin(snapshot_id), cloud.images.begin(), cloud.balance.begin()
    read, listed = found.get(patience(request)), images.or_none()
    snapshot, rows = read.value, listed.value if listed else ()
    balance.or_none()
    taken = {row.name for row in rows}
    form = ImageForm(request.POST or None, initial=kept(request), snapshot=snapshot, taken=taken)
    dialog = Dialog(
        request,
        "snapshots/image_modal.html",
        kind="snapshot.image",
        target=Target(snapshot_id, snapshot.snapshot_name),
        form=form,
        back=reverse("snapshots:list"),
        blocked=stale_alert(read) or rules.not_usable(snapshot),
        context={"snapshot": snapshot},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    data = form.cleaned_data
    name = data.get("name", "")
    outcome = before or dialog.perform(
        lambda api, within: api.images.create_from_snapshot(snapshot_id=snapshot_id, **data, within=within).image_id,
        name=name,
        known_ids=[row.image_id for row in rows if row.name == name],
    )
    return dialog.answer(outcome, then=reverse("snapshots:details", args=[snapshot_id]))
