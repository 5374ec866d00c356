"""Making a volume larger, copying it, deleting it. Each view reads as its dialog works."""

import json
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.gates import profile_gap
from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.kinds import KINDS
from apps.activity.perform import Outcome, Target
from apps.storage import facts
from apps.storage.cards import address, folder_of, type_name
from apps.storage.change_forms import CloneForm, DeleteForm, ResizeForm
from barrack_web import cloud
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import Client, Instance, Listing, Prices, Volume
from barrack_web.funds import money_for
from barrack_web.htmx import HtmxHttpRequest, private, show
from barrack_web.templatetags.ui import size

CLONES = "Volumes can be cloned"


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def resize(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Make a volume larger, and say what is left to do inside the VM."""
    before = sent_before(request, "volume.resize", volume_id)
    if before and before.alert is None:
        return _resized(request, before, volume_id)

    found, instances = cloud.volume.begin(volume_id), cloud.instances.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    read, known = found.get(patience(request)), prices.or_none()
    funds, rows = balance.or_none(), instances.or_none()
    volume, currency = read.value, cloud.currency()
    form = ResizeForm(
        request.POST or None,
        initial=kept(request),
        volume=volume,
        price_of=lambda gb: facts.price(gb, volume.volume_type, volume.tier, known, currency),
        money_of=partial(money_for, funds),
    )
    dialog = Dialog(
        request,
        "storage/resize_modal.html",
        kind="volume.resize",
        target=Target(volume_id, volume.volume_name),
        form=form,
        back=reverse("storage:list"),
        blocked=stale_alert(read)
        or facts.not_now("resize", volume, facts.under_way("volume.resize", volume_id))
        or _largest(volume),
        context=_cost(volume, known) | {"device": _device(volume, rows), "folder": folder_of(volume)},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return _feedback(dialog)
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or _send_resize(dialog, form.new_size or 0)
    return _resized(request, outcome, volume_id) if outcome.alert is None else dialog.answer(outcome, then=dialog.back)


def _send_resize(dialog: Dialog, wanted: int) -> Outcome:
    outcome = dialog.perform(
        lambda api, within: api.volumes.resize(dialog.target.id, wanted, within=within), name=str(wanted)
    )
    return facts.refused(outcome, "Its size or its status has changed meanwhile.", "Look at it, then decide again.")


def _cost(volume: Volume, prices: Read[Prices] | None) -> dict[str, Any]:
    hourly = facts.hourly(volume, prices, cloud.currency())
    return {
        "volume": volume,
        "type": type_name(volume.volume_type or ""),
        "hourly": hourly,
        "monthly": facts.monthly(hourly),
        "currency": cloud.currency(),
    }


def _device(volume: Volume, instances: Read[Listing[Instance]] | None) -> str:
    """Return the disk that commands inside the VM are about; the usual first one while it is not known."""
    _, vm = facts.vm_of(volume, instances.value if instances else ())
    return facts.device_of(volume, vm) or "/dev/vdb"


def _largest(volume: Volume) -> Alert | None:
    if volume.size_gb < settings.VOLUME_MAX_GB:
        return None
    return Alert(title="It cannot grow any more", text=f"{size(volume.size_gb)} is the largest size of a volume.")


def _feedback(dialog: Dialog) -> HttpResponse:
    """Return what the new size costs, while somebody types it, beside what is wrong with it."""
    if not dialog.request.htmx or dialog.request.POST.get("validate") != "size_gb":
        return dialog.feedback()
    dialog.form.is_valid()
    context = dialog.context | {"form": dialog.form, "field": dialog.form["size_gb"], "live": True}
    return private(render(dialog.request, "storage/resize_feedback.html", context))


def _resized(request: HtmxHttpRequest, outcome: Outcome, volume_id: str) -> HttpResponse:
    """Answer a finished resize: the dialog stays, with what has to be done inside the VM."""
    page, operation = reverse("storage:details", args=[volume_id]), outcome.operation
    if not outcome.done or operation is None:
        return finished(request, outcome, then=page)
    found, listed = cloud.volume.begin(volume_id), cloud.instances.begin()
    volume, instances = found.or_none(), listed.or_none()
    kind = KINDS[operation.kind]
    context = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": kind.title,
        "operation": operation,
        "new_size": int(operation.name),
        "volume": volume.value if volume else None,
        "device": _device(volume.value, instances) if volume else "/dev/vdb",
        "folder": folder_of(volume.value) if volume else "volume",
        "page": page,
    }
    response = show(request, "storage/resized.html", context, part="form")
    response["HX-Trigger"] = json.dumps(dict.fromkeys(kind.events, True))
    return response


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VOLUME)
def clone(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Copy a volume under a new name."""
    before = sent_before(request, "volume.clone", volume_id)
    if before and before.alert is None:
        return finished(request, before, then=_page_of(before))

    found, volumes = cloud.volume.begin(volume_id), cloud.volumes.begin()
    prices, balance = cloud.prices.begin(), cloud.balance.begin()
    wait = patience(request)
    read, listed = found.get(wait), volumes.get(wait)
    volume, funds = read.value, balance.or_none()
    cost = _cost(volume, prices.or_none())
    form = CloneForm(
        request.POST or None,
        initial=kept(request),
        volume=volume,
        taken={row.volume_name for row in listed.value},
        money=money_for(funds, cost["hourly"]),
        short=facts.least_balance_alert(funds),
    )
    dialog = Dialog(
        request,
        "storage/clone_modal.html",
        kind="volume.clone",
        target=Target(volume_id, volume.volume_name),
        form=form,
        back=reverse("storage:list"),
        blocked=stale_alert(read, listed)
        or facts.not_now("clone", volume, facts.under_way("volume.clone", volume_id))
        or profile_gap(request, CLONES),
        context=cost,
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or _send_clone(dialog, form.cleaned_data.get("name", ""))
    return dialog.answer(outcome, then=_page_of(outcome))


def _send_clone(dialog: Dialog, name: str) -> Outcome:
    def call(api: Client, within: float) -> str | None:
        made = api.volumes.clone(dialog.target.id, name, within=within).volume
        return made.volume_id if made else None

    return dialog.perform(call, name=name)


def _page_of(outcome: Outcome) -> str:
    """Return the page of the copy, or the list while it is not known which one it is."""
    made = outcome.operation.result_id if outcome.operation else ""
    return address("storage:details", made) or reverse("storage:list")


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_VOLUME)
def delete(request: HtmxHttpRequest, volume_id: str) -> HttpResponse:
    """Delete a volume with all its data, unless a VM has it."""
    before = sent_before(request, "volume.delete", volume_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("storage:list"))

    found, prices, balance = cloud.volume.begin(volume_id), cloud.prices.begin(), cloud.balance.begin()
    read = found.get(patience(request))
    volume = read.value
    balance.or_none()
    dialog = Dialog(
        request,
        "storage/delete_modal.html",
        kind="volume.delete",
        target=Target(volume_id, volume.volume_name),
        form=DeleteForm(request.POST or None, volume=volume),
        back=reverse("storage:list"),
        blocked=stale_alert(read) or facts.not_now("delete", volume, facts.under_way("volume.delete", volume_id)),
        context=_cost(volume, prices.or_none()) | {"off": facts.why_not("delete", volume)},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: api.volumes.delete(volume_id, within=within))
    outcome = facts.refused(outcome, "It may have been attached meanwhile.", "Look at its status, then decide again.")
    return dialog.answer(outcome, then=reverse("storage:list"))
