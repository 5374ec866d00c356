"""Changing custom images: make one of a snapshot, delete one. Each view reads as its dialog works."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.perform import Outcome, Target
from apps.images import rules
from apps.images.forms import CreateForm, DeleteForm
from barrack_web import cloud
from barrack_web.funds import money_for
from barrack_web.htmx import HtmxHttpRequest, private


@require_http_methods(["GET", "POST"])
@can(Can.CREATE_IMAGE)
def create(request: HtmxHttpRequest) -> HttpResponse:
    """Make a custom image of a snapshot that is chosen in the form: no target as yet, so `known_ids` begins with it."""
    before = sent_before(request, "image.create", "")
    if before and before.alert is None:
        return finished(request, before, then=_page_of(before))

    snapshots, images, balance = cloud.snapshots.begin(), cloud.images.begin(), cloud.balance.begin()
    listed, named = snapshots.get(patience(request)), images.or_none()
    rows = named.value if named else ()
    form = CreateForm(
        request.POST or None,
        initial={"snapshot_id": request.GET.get("snapshot", "")} | kept(request),
        snapshots=listed.value,
        taken={row.name for row in rows},
        money=money_for(balance.or_none(), None),
    )
    snapshot = form.snapshot
    dialog = Dialog(
        request,
        "images/create_modal.html",
        kind="image.create",
        target=Target("", snapshot.snapshot_name if snapshot else ""),
        form=form,
        back=reverse("images:list"),
        blocked=stale_alert(listed) or rules.nothing_to_use(listed.value),
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return _feedback(dialog, form)
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    data = form.cleaned_data
    name = data.get("name", "")
    outcome = before or dialog.perform(
        lambda api, within: api.images.create_from_snapshot(**data, within=within).image_id,
        name=name,
        known_ids=[data.get("snapshot_id", ""), *(row.image_id for row in rows if row.name == name)],
    )
    return dialog.answer(outcome, then=_page_of(outcome))


def _page_of(outcome: Outcome) -> str:
    """Return the page of the image that was made; the list while no id is known that can stand in an address."""
    made = outcome.operation.result_id if outcome.operation else ""
    return rules.address("images:details", made) or reverse("images:list")


def _feedback(dialog: Dialog, form: CreateForm) -> HttpResponse:
    """Return what a field says while somebody fills in the form; the snapshot's own also shows its region and size."""
    if not dialog.request.htmx or dialog.request.POST.get("validate") != "snapshot_id":
        return dialog.feedback()
    form.is_valid()
    context = {"field": form["snapshot_id"], "snapshot": form.snapshot}
    return private(render(dialog.request, "images/snapshot_feedback.html", context))


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_IMAGE)
def delete(request: HtmxHttpRequest, image_id: str) -> HttpResponse:
    """Delete a custom image for good; the VMs that were deployed from it stay."""
    before = sent_before(request, "image.delete", image_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("images:list"))

    found, snapshots = cloud.image.begin(image_id), cloud.snapshots.begin()
    instances, systems, balance = cloud.instances.begin(), cloud.os_images.begin(), cloud.balance.begin()
    read, sources = found.get(patience(request)), snapshots.or_none()
    image = read.value
    balance.or_none()
    dialog = Dialog(
        request,
        "images/delete_modal.html",
        kind="image.delete",
        target=Target(image_id, image.name),
        form=DeleteForm(request.POST or None),
        back=reverse("images:list"),
        blocked=stale_alert(read) or rules.being_deleted(image),
        context={
            "image": image,
            "source": rules.source_of(image, rules.by_id(sources), sources),
            "vms": rules.vms_of(image, instances.or_none(), systems.or_none()).vms,
        },
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: api.images.delete(image_id, within=within))
    return dialog.answer(outcome, then=reverse("images:list"))
