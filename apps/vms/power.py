"""Starting, stopping, rebooting, hibernating, restoring and deleting a VM: one dialog each, all of one shape."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.perform import Outcome, Target
from apps.vms.costs import choices
from apps.vms.facts import snapshots_of
from apps.vms.forms import ConfirmForm, DeleteForm
from apps.vms.states import ACTIONS, label_of, under_way, why_not
from barrack_web import cloud
from barrack_web.alerts import NO_STOCK, Alert
from barrack_web.cached import Pending
from barrack_web.client import BarrackError, Client, GPUStock, Instance, Listing
from barrack_web.costs import Cost, cost_of, hibernated_hourly
from barrack_web.htmx import HtmxHttpRequest

# What a dialog says beside the VM and its cost.
More = Callable[[Instance, Cost], dict[str, Any]]


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def start(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Power on a stopped VM."""
    return _act(request, instance_id, "start")


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def stop(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Shut down an active VM, after a comparison with what costs less."""
    return _act(request, instance_id, "stop", lambda instance, cost: {"choices": choices(instance, cost)})


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def reboot(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Restart an active VM."""
    return _act(request, instance_id, "reboot")


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def hibernate(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Save a VM's root disk and free its GPUs."""
    return _act(
        request,
        instance_id,
        "hibernate",
        lambda instance, cost: {"hibernated": hibernated_hourly(instance, cost.currency)},
    )


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def restore(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Wake a hibernated VM, if GPUs are free for it."""
    stocks = cloud.stocks.begin()
    return _act(request, instance_id, "restore", lambda instance, _: {"free": _free_for(instance, stocks)})


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_VM)
def delete(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Delete a VM for good, after its name was typed where that is called for."""
    snapshots = cloud.snapshots.begin()
    return _act(
        request, instance_id, "delete", lambda instance, _: {"snapshots": snapshots_of(instance, snapshots.or_none())}
    )


def _act(request: HtmxHttpRequest, instance_id: str, key: str, more: More = lambda *_: {}) -> HttpResponse:
    """Show the dialog, or carry it out; the same steps for each of the six."""
    kind, page = f"instance.{key}", reverse("vms:details", args=[instance_id])
    then = reverse("vms:list") if key == "delete" else page
    before = sent_before(request, kind, instance_id)
    if before and before.alert is None:
        return finished(request, before, then=then)

    found, prices, balance = cloud.instance.begin(instance_id), cloud.prices.begin(), cloud.balance.begin()
    read = found.get(patience(request))
    instance = read.value
    balance.or_none()
    cost = cost_of(instance, prices.or_none(), cloud.currency())
    data = request.POST or None
    dialog = Dialog(
        request,
        f"vms/{key}_modal.html",
        kind=kind,
        target=Target(instance_id, instance.vm_name),
        form=DeleteForm(data, instance=instance) if key == "delete" else ConfirmForm(data),
        back=page,
        blocked=stale_alert(read) or not_now(key, instance),
        context={"instance": instance, "cost": cost, **more(instance, cost)},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: CALLS[key](api, instance_id, within))
    return answer(dialog, outcome, key, then=then)


def _told(api_call: Callable[[Client], Callable[..., object]]) -> Callable[[Client, str, float], None]:
    def call(api: Client, instance_id: str, within: float) -> None:
        api_call(api)(instance_id, within=within)

    return call


CALLS: dict[str, Callable[[Client, str, float], None]] = {
    "start": _told(lambda api: api.instances.start),
    "stop": _told(lambda api: api.instances.stop),
    "reboot": _told(lambda api: api.instances.reboot),
    "hibernate": _told(lambda api: api.instances.hibernate),
    "restore": _told(lambda api: api.instances.restore),
    "delete": _told(lambda api: api.instances.delete),
}


def not_now(key: str, instance: Instance) -> Alert | None:
    """Return the alert for a VM whose state does not allow the action."""
    reason = why_not(key, instance)
    label = ACTIONS[key].label
    return Alert(title=f"{label} is not possible now", text=reason, status=409) if reason else None


def answer(dialog: Dialog, outcome: Outcome, key: str, *, then: str) -> HttpResponse:
    """Answer a finished dialog; one that was refused shows the VM as it is now, and says so."""
    if outcome.alert is None or outcome.used_before:
        return dialog.answer(outcome, then=then)
    instance = _fresh(dialog.target.id)
    alert = _with_state(outcome, key, instance)
    if instance is not None:
        dialog.context |= {
            "instance": instance,
            "cost": cost_of(instance, cloud.prices.peek(), cloud.currency()),
        }
    if instance is not None and why_not(key, instance):
        dialog.blocked = alert
        return dialog.show(status=alert.status)
    return dialog.answer(replace(outcome, alert=alert), then=then)


def _fresh(instance_id: str) -> Instance | None:
    """Return the VM as it is after the refusal; None when that cannot be read: an older copy would mislead."""
    try:
        read = cloud.instance.begin(instance_id).get()
    except BarrackError:
        return None
    return None if read.stale else read.value


def _with_state(outcome: Outcome, key: str, instance: Instance | None) -> Alert:
    """Return the alert of a refusal with the VM's state now, in the words that fit the action."""
    alert = outcome.alert
    assert alert is not None  # noqa: S101 - asked for refusals only
    if key == "restore" and alert.title == NO_STOCK:
        return replace(
            alert,
            text="No GPU of this type is free in this region now. The VM stays hibernated at its reduced rate.",
            todo="Try again later: stock changes through the day.",
        )
    if instance is None or outcome.operation is None or outcome.operation.upstream_status != 409:
        return alert
    if key == "hibernate" and instance.state == "SHUTOFF":
        return replace(
            alert, text="Barrack refused to hibernate the stopped VM.", todo="Start it first, then hibernate it."
        )
    if not why_not(key, instance):
        text = f"Barrack refused it at this moment; the VM is {_now(instance)}. Nothing was changed."
        return replace(alert, text=text, todo="See what Barrack says, wait a moment, then try again.")
    return replace(
        alert,
        text=f"The VM is {_now(instance)} now, so nothing was changed.",
        todo="Another action may have come first: look at its state, then decide again.",
    )


def _now(instance: Instance) -> str:
    return under_way(instance.state) if instance.in_transition else label_of(instance.state)


def _free_for(instance: Instance, pending: Pending[Listing[GPUStock]]) -> str:
    """Return how many GPUs of the VM's model are free in its region, in the API's words; "" when that is not known."""
    listed, place = pending.or_none(), (instance.region, instance.gpu_type)
    return next((row.available for row in listed.value if (row.region, row.model) == place), "") if listed else ""
