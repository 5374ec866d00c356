"""The public IP of a VM and its own security rules."""

import time
from ipaddress import ip_address
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.events import client_address
from apps.activity.perform import NotNeeded, Target
from apps.vms.connect import SSH_PORT, address_of, in_force, is_inner
from apps.vms.forms import ConfirmForm
from apps.vms.power import answer, not_now
from barrack_web import alerts, cloud
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import AttachedFirewall, BarrackError, Broken, Client, Instance, Listing, VMSecurityRule
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.rule_form import RuleForm, describe, opens_port, same_rule


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VM_NETWORK)
def public_ip(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Give a VM a public IP or take it away. The API can only flip it, so what is wanted is said and checked first."""
    wanted = {"add-ip": True, "remove-ip": False}.get(request.POST.get("intent", ""))
    page, before = reverse("vms:details", args=[instance_id]), None
    if wanted is not None:
        before = sent_before(request, _ip_kind(wanted=wanted), instance_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, balance = cloud.instance.begin(instance_id), cloud.balance.begin()
    read = found.get(patience(request))
    instance = read.value
    balance.or_none()
    wanted = not instance.public_ip if wanted is None else wanted
    dialog = Dialog(
        request,
        "vms/public_ip_modal.html",
        kind=_ip_kind(wanted=wanted),
        target=Target(instance_id, instance.vm_name),
        form=ConfirmForm(request.POST or None),
        back=page,
        blocked=stale_alert(read) or not_now("public-ip", instance) or _is_so(instance, wanted=wanted),
        context={"instance": instance, "wanted": wanted},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: set_public_ip(api, instance_id, within, wanted=wanted))
    return answer(dialog, outcome, "public-ip", then=page)


def _ip_kind(*, wanted: bool) -> str:
    return "instance.add-ip" if wanted else "instance.remove-ip"


def _is_so(instance: Instance, *, wanted: bool) -> Alert | None:
    """Return the alert when the VM is already as it was wanted: somebody was quicker."""
    if bool(instance.public_ip) != wanted:
        return None
    if wanted:
        title, text = "It has a public IP already", f"Its public IP is {(instance.public_ip or '')[:45]}."
    else:
        title, text = "It has no public IP any more", "Its public IP was taken away already."
    return Alert(title=title, text=f"{text} Nothing was sent.", status=409)


def set_public_ip(api: Client, instance_id: str, within: float, *, wanted: bool) -> None:
    """Make the VM have a public IP, or have none. Raises NotNeeded when it is so already; nothing was sent then.

    Only one such operation runs on a VM at a time, so nobody of this portal comes between the look and the flip.
    """
    end = time.monotonic() + within
    try:
        so = _is_so(api.instances.get(instance_id, within=within / 3), wanted=wanted)
    except BarrackError as error:
        raise NotNeeded(alerts.for_error(error, writing=True)) from None
    if so is not None:
        raise NotNeeded(so)
    made = api.instances.toggle_public_ip(instance_id, within=max(0.1, (end - time.monotonic()) * 2 / 3))
    # An answer that names no address may also be one that never names any.
    has = bool(made.public_ip) if wanted else _has_public_ip(api, instance_id, max(0.1, end - time.monotonic()))
    if has != wanted:
        # Somebody outside the portal flipped it at the same moment, or the answer does not tell: look what is so.
        raise Broken(
            "The answer does not say what was wanted.", operation="toggle_instance_public_ip", may_have_happened=True
        )


def _has_public_ip(api: Client, instance_id: str, within: float) -> bool:
    """Return whether the VM has one; True when that cannot be read, since then nobody knows that it is gone."""
    try:
        return bool(api.instances.get(instance_id, within=within).public_ip)
    except BarrackError:
        return True


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VM_NETWORK)
def add_rule(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:
    """Add a security rule to a VM; with ?mine=1 the form is filled in for SSH from the visitor's own address."""
    page, before = reverse("vms:details", args=[instance_id]), sent_before(request, "instance.add-rule", instance_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, protocols, balance = cloud.instance.begin(instance_id), cloud.protocols.begin(), cloud.balance.begin()
    read = found.get(patience(request))
    instance, known = read.value, protocols.or_none()
    balance.or_none()
    mine = client_address(request) if "mine" in request.GET else None
    form = RuleForm(
        request.POST or None,
        initial=_ssh_from(mine) | kept(request),
        protocols=[row.name for row in known.value] if known else (),
    )
    dialog = Dialog(
        request,
        "vms/rule_modal.html",
        kind="instance.add-rule",
        target=Target(instance_id, instance.vm_name),
        form=form,
        back=page,
        blocked=stale_alert(read) or not_now("rules", instance),
        context={"instance": instance, "mine": mine, "asked_for_mine": "mine" in request.GET} | _about(mine),
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if form.is_valid() and any(same_rule(rule, form.rule()) for rule in instance.security_rules or ()):
        form.add_error("remote_ip_prefix", "The VM has this rule already.")
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(
        lambda api, within: api.instances.add_rule(instance_id, form.rule(), within=within).rule_id,
        name=describe(form.rule()),
        known_ids=[rule.id for rule in instance.security_rules or ()],
    )
    return answer(dialog, outcome, "rules", then=page)


def _ssh_from(address: str | None) -> dict[str, Any]:
    """Return the form's values for SSH from one address alone."""
    if not address:
        return {}
    version = ip_address(address).version
    return {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": f"IPv{version}",
        "remote_ip_prefix": f"{address}/{32 if version == 4 else 128}",
        "port_range_min": SSH_PORT,
        "port_range_max": SSH_PORT,
    }


def _about(address: str | None) -> dict[str, Any]:
    """Return what has to be said of an address that other machines may see differently."""
    return {"mine_is_private": is_inner(address_of(address))}


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_VM_NETWORK)
def remove_rule(request: HtmxHttpRequest, instance_id: str, rule_id: str) -> HttpResponse:
    """Remove one of a VM's own security rules."""
    page, before = reverse("vms:details", args=[instance_id]), sent_before(request, "instance.remove-rule", instance_id)
    if before and before.alert is None:
        return finished(request, before, then=page)

    found, firewalls = cloud.instance.begin(instance_id), cloud.instance_firewalls.begin(instance_id)
    balance = cloud.balance.begin()
    read = found.get(patience(request))
    instance, attached = read.value, firewalls.or_none()
    balance.or_none()
    rule = next((row for row in instance.security_rules or () if row.id == rule_id), None)
    words = describe(rule) if rule else ""
    dialog = Dialog(
        request,
        "vms/remove_rule_modal.html",
        kind="instance.remove-rule",
        target=Target(instance_id, instance.vm_name),
        form=ConfirmForm(request.POST or None),
        back=page,
        blocked=stale_alert(read) or _no_rule(rule, instance) or not_now("rules", instance),
        context={
            "instance": instance,
            "words": words,
            "last_for_ssh": _last_for_ssh(rule, instance, attached),
            "all_known": attached is not None,
        },
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(
        lambda api, within: api.instances.remove_rule(instance_id, rule_id, within=within),
        name=words,
        known_ids=[rule_id],
    )
    return answer(dialog, outcome, "rules", then=page)


def _no_rule(rule: VMSecurityRule | None, instance: Instance) -> Alert | None:
    if rule is not None:
        return None
    if instance.security_rules is None:
        text = "Barrack does not say now which rules the VM has, so none can be removed from here. Nothing was sent."
        return Alert(title="The rules are not known", text=text, status=409)
    text = "The VM has no such rule any more; somebody may have removed it a moment ago. Nothing was sent."
    return Alert(title="This rule is gone", text=text, status=409)


def _last_for_ssh(
    rule: VMSecurityRule | None, instance: Instance, firewalls: Read[Listing[AttachedFirewall]] | None
) -> bool:
    """Return whether nothing else lets anybody in on port 22, as far as is known."""
    if rule is None or not opens_port(rule, SSH_PORT):
        return False
    own = [row for row in instance.security_rules or () if row.id != rule.id]
    attached = [firewall for firewall in firewalls.value if in_force(firewall)] if firewalls else []
    others = [row for firewall in attached for row in firewall.rules or ()]
    return not any(opens_port(row, SSH_PORT) for row in [*own, *others])


@require_safe
@can(Can.CREATE_SNAPSHOT)
def snapshot(request: HtmxHttpRequest, instance_id: str) -> HttpResponse:  # noqa: ARG001
    """Lead to the form of a new snapshot, with this VM chosen."""
    return redirect(f"{reverse('snapshots:create')}?{urlencode({'vm': instance_id})}")
