"""After the button: what is happening to a deployment, step by step, until the VM can be used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from apps.account.roles import Can, can
from apps.activity.models import Observed, Operation, State
from apps.deploy.kept_drafts import KIND
from apps.deploy.models import Draft
from apps.deploy.values import first
from barrack_web import alerts, clock, cloud
from barrack_web.cached import Read
from barrack_web.client import BarrackError, Instance, Missing
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import tag_of, tags, unchanged

# source: user documentation, both.
RULES_SETTLE: Final = timedelta(minutes=10)
RULES_SAID: Final = "Security rules may take up to 10 minutes to be fully applied after VM deployment"
JUPYTER_PORT: Final = 8888


@dataclass(frozen=True)
class Step:
    """One step: `state` is "done", "now", "next" or "failed"."""

    title: str
    state: str
    text: str = ""
    until: datetime | None = None


@require_safe
@can(Can.READ)
def deploying(request: HtmxHttpRequest, operation_id: UUID) -> HttpResponse:
    """What became of one deployment; looks again by itself until there is nothing more to wait for."""
    operation = get_object_or_404(Operation.objects.select_related("user"), pk=operation_id, kind=KIND)
    draft = Draft.objects.filter(pk=operation.target_id).first()
    found, problem = _instance(operation.result_id)
    gone = isinstance(problem, Missing)
    instance = found.value if found else None
    steps = steps_of(operation, instance, _active_since(operation.result_id), gone=gone)
    facts = [(step.title, step.state, step.until) for step in steps]
    tag = tag_of(request, operation.state, operation.result_id, type(problem).__name__, facts, *tags([found]))
    same = unchanged(request, tag)
    if same:
        return same
    context = {
        "operation": operation,
        "draft": draft if draft and draft.user_id == request.user.pk else None,
        "deployment_id": draft.deployment_id if draft else "",
        "kept": draft is not None,
        "problem": alerts.for_error(problem) if problem and not gone else None,
        "instance": instance,
        "found": found,
        "gone": gone,
        "steps": steps,
        "ready": instance is not None and instance.state == "ACTIVE",
        "jupyter": bool(draft and first(draft.values, "jupyter_enabled")),
        "jupyter_port": JUPYTER_PORT,
        "look_minutes": round(settings.LOOK_FOR_SECONDS / 60),
        "poll_seconds": settings.POLL_CHANGING_SECONDS,
        "moving": any(step.state == "now" for step in steps) or (instance is not None and instance.in_transition),
    }
    return show(request, "deploy/deploying.html", context, part="state", tag=tag)


def _instance(instance_id: str) -> tuple[Read[Instance] | None, BarrackError | None]:
    """Return the VM, or why it cannot be read: Missing when it is gone."""
    if not instance_id:
        return None, None
    try:
        return cloud.instance.begin(instance_id).get(), None
    except BarrackError as error:
        return None, error


def _active_since(instance_id: str) -> datetime | None:
    """Return when the VM was first seen ACTIVE, as far as anybody looked."""
    seen = Observed.objects.filter(kind="instances", resource_id=instance_id, state="ACTIVE").first()
    return seen.seen_at if seen and instance_id else None


def steps_of(
    operation: Operation, instance: Instance | None, active_since: datetime | None, *, gone: bool
) -> list[Step]:
    """Return the four steps of a deployment, as far as they are known."""
    state = "DELETED" if gone else instance.state if instance else ""
    return [_accepted(operation), _creating(operation, state), _active(state), _rules(state, active_since)]


def _accepted(operation: Operation) -> Step:
    if operation.state == State.DONE:
        return Step("Accepted by Barrack", "done")
    if operation.state == State.SENT:
        return Step("Sent to Barrack", "now", "Barrack has not answered yet.")
    if operation.state == State.UNKNOWN:
        return Step("Sent to Barrack", "now", "The answer was lost. We look for the VM by its name.")
    return Step("Not accepted", "failed", "No VM was made by this, and nothing is charged.")


def _creating(operation: Operation, state: str) -> Step:
    if operation.state != State.DONE:
        return Step("Being created", "next")
    if not operation.result_id:
        return Step("Being created", "next", "Barrack has not told which VM it is; look for its name in the list.")
    if not state:
        return Step("Being created", "now", "How far it is cannot be read now.")
    if state in {"CREATING", "BUILD"}:
        return Step("Being created", "now", "This usually takes a few minutes. Nothing is charged until it is ACTIVE.")
    return Step("Created", "failed" if state == "ERROR" else "done", _error(state))


def _error(state: str) -> str:
    return "Barrack says ERROR: it could not finish the VM. Delete it, or ask support." if state == "ERROR" else ""


def _active(state: str) -> Step:
    if state in {"CREATING", "BUILD", "", "ERROR"}:
        return Step("Active", "next")
    return Step("Active", "done", "" if state == "ACTIVE" else f"It is {state} now.")


def _rules(state: str, active_since: datetime | None) -> Step:
    """Return the step of the rules, which hold ten minutes after the VM became ACTIVE at the latest."""
    title = "Rules in force"
    if state != "ACTIVE":
        return Step(title, "next", "Rules are applied automatically after VM becomes active.")
    if active_since is None:
        return Step(title, "now", f"{RULES_SAID}.")
    until = active_since + RULES_SETTLE
    return Step(title, "done") if clock.now() >= until else Step(title, "now", f"{RULES_SAID}.", until)
