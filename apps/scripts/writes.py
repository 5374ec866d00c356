"""Changing startup scripts: create, edit, delete. Each view reads as its dialog works."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, patience, sent_before, stale_alert
from apps.activity.kinds import KINDS
from apps.activity.perform import Outcome, Target
from apps.scripts import saving
from apps.scripts.forms import ConfirmForm, EditForm, ScriptForm
from apps.scripts.views import url_of
from barrack_web import cloud
from barrack_web.cached import Read
from barrack_web.client import Listing, Script
from barrack_web.htmx import HtmxHttpRequest, done, private
from barrack_web.script_text import MOST_BYTES, as_typed, check, digest


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_SCRIPT)
def create(request: HtmxHttpRequest) -> HttpResponse:
    """Keep a new startup script."""
    before = sent_before(request, "script.create", "")
    if before and before.alert is None:
        return _finished(request, before)

    scripts, balance = cloud.scripts.begin(), cloud.balance.begin()
    listed = scripts.get(patience(request))
    balance.or_none()
    form = ScriptForm(request.POST or None, initial=kept(request), taken=_names(listed, but=""), plain=not request.htmx)
    dialog = Dialog(
        request,
        "scripts/create_modal.html",
        kind="script.create",
        target=Target("", ""),
        form=form,
        back=reverse("scripts:list"),
        blocked=stale_alert(listed),
        context={"most": MOST_BYTES},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return _feedback(dialog, form)
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    data = form.cleaned_data
    outcome = before or dialog.perform(
        lambda api, within: saving.create(api, data, within),
        name=data.get("name", ""),
        known_ids=[row.script_id for row in listed.value if row.name == data.get("name")],
    )
    return _answer(dialog, outcome)


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_SCRIPT)
def edit(request: HtmxHttpRequest, script_id: str) -> HttpResponse:
    """Change a startup script; somebody else's change since the form was opened is not overwritten unasked."""
    before = sent_before(request, "script.edit", script_id)
    if before and before.alert is None:
        return _finished(request, before)

    found, scripts, balance = cloud.script.begin(script_id), cloud.scripts.begin(), cloud.balance.begin()
    read, listed = found.get(patience(request)), scripts.or_none()
    script = read.value
    balance.or_none()
    form = EditForm(
        request.POST or None,
        initial=saving.state_of(script) | kept(request),
        taken=_names(listed, but=script_id),
        plain=not request.htmx,
    )
    dialog = Dialog(
        request,
        "scripts/edit_modal.html",
        kind="script.edit",
        target=Target(script_id, script.name),
        form=form,
        back=reverse("scripts:details", args=[script_id]),
        blocked=stale_alert(read),
        context={"script": script, "most": MOST_BYTES, "other": saving.shown_before(form, script)},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return _feedback(dialog, form)
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    return _answer(dialog, _again(dialog, form, before) if before else _save(dialog, form, script))


def _save(dialog: Dialog, form: EditForm, script: Script) -> Outcome:
    """Send the change; when somebody else's came first, the form gets that one beside its own."""
    data = form.cleaned_data
    save = saving.Save(script.script_id, data, form.known, dialog.request.user)
    outcome = dialog.perform(
        save,
        name=data["name"] if data["name"] != script.name else "",
        known_ids=[digest(data["name"], data["description"], data["content"])],
    )
    if save.conflict and save.there:
        _ask(dialog, form, save.there)
    return outcome


def _again(dialog: Dialog, form: EditForm, before: Outcome) -> Outcome:
    """Return the outcome of the form's first sending; where that was a question, with the script as it is now."""
    if before.alert is not None and before.alert.title == saving.CHANGED:
        _ask(dialog, form, dialog.context["script"])
    return before


def _ask(dialog: Dialog, form: EditForm, other: Script) -> None:
    """Show another version beside what was typed; sending the form once more replaces it."""
    dialog.context["other"] = other
    form.show_over(saving.state_of(other)["loaded"])


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_SCRIPT)
def delete(request: HtmxHttpRequest, script_id: str) -> HttpResponse:
    """Delete a startup script for good."""
    before = sent_before(request, "script.delete", script_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("scripts:list"))

    found, balance = cloud.script.begin(script_id), cloud.balance.begin()
    read = found.get(patience(request))
    balance.or_none()
    dialog = Dialog(
        request,
        "scripts/delete_modal.html",
        kind="script.delete",
        target=Target(script_id, read.value.name),
        form=ConfirmForm(request.POST or None),
        back=reverse("scripts:list"),
        blocked=stale_alert(read),
        context={"script": read.value},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: api.scripts.delete(script_id, within=within))
    return dialog.answer(outcome, then=reverse("scripts:list"))


def _names(listed: Read[Listing[Script]] | None, *, but: str) -> set[str]:
    """Return the names in use, except that of the script itself; none while they are not known: the API decides."""
    return {row.name for row in listed.value if row.script_id != but} if listed else set()


def _feedback(dialog: Dialog, form: ScriptForm) -> HttpResponse:
    """Return what a field says while somebody types: the script's own also tells size, secrets and what is changed."""
    if not dialog.request.htmx or dialog.request.POST.get("validate") != "content":
        return dialog.feedback()
    form.is_valid()
    context = {"field": form["content"], "form": form, "most": MOST_BYTES}
    return private(render(dialog.request, "scripts/content_feedback.html", context))


def _answer(dialog: Dialog, outcome: Outcome) -> HttpResponse:
    return _finished(dialog.request, outcome) if outcome.alert is None else dialog.answer(outcome, then=dialog.back)


def _finished(request: HtmxHttpRequest, outcome: Outcome) -> HttpResponse:
    """Answer a saved script, and say what was changed in the text and what to look at in it."""
    operation = outcome.operation
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    then = url_of(operation.result_id or operation.target_id) or reverse("scripts:list")
    if not outcome.done:
        return finished(request, outcome, then=then)
    kind, content = KINDS[operation.kind], request.POST.get("content", "")
    renamed = [f"It is called “{operation.name}” now."] if operation.target_name and operation.name else []
    said = saving.remarks(check(content if request.htmx else as_typed(content)))
    return done(request, *kind.events, toast=" ".join([kind.said(operation), *renamed, *said]), then=then)
