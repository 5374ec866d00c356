"""One action for several VMs: a question with a line for each, then a result with a line for each."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.roles import Can, can
from apps.account.roles import why_not as role_why_not
from apps.activity.dialogs import patience, stale_alert
from apps.activity.kinds import KINDS
from apps.activity.many import MOST, Action, Result, carry_out, chosen, was_sent
from apps.activity.tokens import new_token
from apps.vms.forms import needs_name
from apps.vms.inventory import inventory_of
from apps.vms.power import CALLS
from apps.vms.query import VmQuery
from apps.vms.states import ACTIONS, why_not
from barrack_web import cloud
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import Instance, Listing, Prices
from barrack_web.costs import Cost, cost_of, hibernated_hourly
from barrack_web.htmx import HtmxHttpRequest, show

# The actions for several at once, with the words on their buttons.
BULK = {
    "start": ("Start", "Starting..."),
    "stop": ("Stop", "Stopping..."),
    "hibernate": ("Hibernate", "Hibernating..."),
    "delete": ("Delete", "Deleting..."),
}
MOST_NAMES = 5


@dataclass(frozen=True)
class Choice:
    """One chosen VM: what it costs, why nothing is sent for it ("" when something is), and its one-time token."""

    id: str
    name: str
    status: str
    state: str
    cost: Cost | None
    off: str
    token: str
    volumes: str = ""


@require_http_methods(["GET", "POST"])
@can(Can.OPERATE_VM)
def bulk(request: HtmxHttpRequest) -> HttpResponse:
    """Ask what is to be done with the chosen VMs, do it, and say of each what came of it."""
    said = request.POST if request.method == "POST" else request.GET
    key = said.get("action", "")
    if key == "delete" and not request.user.can(Can.DELETE_VM):
        raise PermissionDenied(role_why_not(request.user.role, Can.DELETE_VM))
    instances, prices, balance = cloud.instances.begin(), cloud.prices.begin(), cloud.balance.begin()
    read = instances.get(patience(request))
    balance.or_none()
    price = prices.or_none()
    rows = {row.instance_id: row for row in read.value}
    ids = _chosen(request, said, read, price)
    blocked = stale_alert(read) or _impossible(key, ids)
    choices = [] if blocked else [_choice(request, key, vm_id, rows.get(vm_id), price) for vm_id in ids]
    if request.method == "POST" and request.POST.get("intent") == key and not blocked:
        if _typed_right(request, key, choices, rows):
            action = Action(
                f"instance.{key}", CALLS[key], lambda operation: ("Done", KINDS[operation.kind].said(operation))
            )
            return _result(request, key, carry_out(request, action, choices))
        error = f"Type “{_phrase(choices)}” exactly. Nothing is deleted until then."
        return _ask(request, key, choices, rows, None, error=error, status=422)
    return _ask(request, key, choices, rows, blocked, status=422 if request.method == "POST" else 200)


def _chosen(
    request: HtmxHttpRequest, said: QueryDict, read: Read[Listing[Instance]], prices: Read[Prices] | None
) -> list[str]:
    """Return the ids that were ticked, or of all VMs that fit the list's filters; at most one more than allowed."""
    if request.method == "GET" and said.get("all"):
        query = VmQuery.of(request)
        found = inventory_of(read, prices, cloud.currency()).fitting(
            region=query.region, state=query.state, model=query.model, q=query.q, sort=query.sort
        )
        return [line.instance.instance_id for line in found[: MOST + 1]]
    return chosen(said, "vm")


def _impossible(key: str, ids: list[str]) -> Alert | None:
    if key not in BULK:
        return Alert(title="Nothing to do", text="Choose what is to be done with the VMs on their list.")
    if not ids:
        return Alert(title="No VM is chosen", text="Tick at least one VM on the list, then choose what to do with it.")
    if len(ids) > MOST:
        return Alert(
            title="Too many VMs at once",
            text=f"At most {MOST} VMs can be changed at a time. Nothing was sent.",
            todo="Narrow the list by region, state or search, then choose again.",
        )
    return None


def _choice(
    request: HtmxHttpRequest, key: str, instance_id: str, instance: Instance | None, prices: Read[Prices] | None
) -> Choice:
    """Return the line of a VM. A line that was not offered has no token, and nothing can be sent for it later."""
    token = request.POST.get(f"token-{instance_id}", "")
    if instance is None:
        return Choice(instance_id, instance_id, "", "", None, "It no longer exists.", token)
    off = why_not(key, instance)
    if request.method == "POST" and not token and not off:
        off = "It was not part of what was confirmed: its state did not allow it then."
    elif request.method == "GET" and not off:
        token = new_token(request.user.pk, f"instance.{key}", instance_id)
    cost, volumes = cost_of(instance, prices, cloud.currency()), _volumes(instance) if key == "delete" else ""
    return Choice(instance_id, instance.vm_name, instance.status.strip(), instance.state, cost, off, token, volumes)


def _volumes(instance: Instance) -> str:
    """Return the names of a VM's volumes for the question whether to delete it."""
    names = [(row.volume_name or row.volume_id or "–")[:60] for row in instance.volumes or ()]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"


def _phrase(choices: list[Choice]) -> str:
    return f"delete {sum(not choice.off for choice in choices)}"


def _must_type(key: str, choices: list[Choice], rows: dict[str, Instance]) -> bool:
    return key == "delete" and any(not choice.off and needs_name(rows[choice.id]) for choice in choices)


def _typed_right(request: HtmxHttpRequest, key: str, choices: list[Choice], rows: dict[str, Instance]) -> bool:
    """Return whether the words were typed, or are not asked for, since nothing more would be deleted."""
    unsent = [choice for choice in choices if not choice.off and not was_sent(request, f"instance.{key}", choice)]
    return not _must_type(key, unsent, rows) or request.POST.get("typed", "").strip() == _phrase(choices)


def _ask(
    request: HtmxHttpRequest,
    key: str,
    choices: list[Choice],
    rows: dict[str, Instance],
    blocked: Alert | None,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    label, busy = BULK.get(key, ("Go on", "..."))
    able = [choice for choice in choices if not choice.off]
    none = Alert(title="None of them can be changed like this", text="Each line says why.", status=status)
    context: dict[str, Any] = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": f"{label} {len(able)} VM{'' if len(able) == 1 else 's'}" if able else f"{label} VMs",
        "action": request.path,
        "key": key,
        "intent": key,
        "label": f"{label} {len(able)}" if able else label,
        "busy": busy,
        "danger": bool(key in ACTIONS and ACTIONS[key].danger),
        "back": reverse("vms:list"),
        "choices": choices,
        "able": len(able),
        "blocked": blocked or (none if choices and not able else None),
        "money": _money(key, able, rows),
        "currency": cloud.currency(),
        "phrase": _phrase(choices) if _must_type(key, choices, rows) else "",
        "typed": request.POST.get("typed", ""),
        "error": error,
    }
    return show(request, "vms/bulk_modal.html", context, part="form" if request.method == "POST" else "", status=status)


def _money(key: str, able: list[Choice], rows: dict[str, Instance]) -> dict[str, Decimal] | None:
    """Return what they cost per hour before and after; None when a price is not known."""
    before, after = Decimal(0), Decimal(0)
    for choice in able:
        cost = choice.cost
        now = cost.hourly if cost else None
        then = {"start": cost.full, "stop": cost.full, "delete": Decimal(0)}.get(key) if cost else None
        if key == "hibernate" and cost:
            then = hibernated_hourly(rows[choice.id], cost.currency)
        if now is None or then is None:
            return None
        before, after = before + now, after + then
    return {"before": before, "after": after} if able else None


def _result(request: HtmxHttpRequest, key: str, results: list[Result]) -> HttpResponse:
    done = sum(result.tone == "good" for result in results)
    context = {
        "layout": "modal.html" if request.htmx else "page.html",
        "title": f"{BULK[key][0]}: {done} of {len(results)} done",
        "results": results,
        "done": done,
        "back": reverse("vms:list"),
    }
    response = show(request, "vms/bulk_result.html", context, part="result")
    response["HX-Trigger"] = "vms:changed"
    return response
