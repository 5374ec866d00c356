"""Changing SSH keys: create a pair, import a public key, delete one. Each view reads as its dialog works."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.kept import kept
from apps.account.roles import Can, can
from apps.activity.dialogs import Dialog, finished, intent_of, patience, sent_before, stale_alert
from apps.activity.kinds import KINDS
from apps.activity.perform import Outcome, Target
from apps.security import key_rules
from apps.security.key_forms import ConfirmForm, ImportForm, KeyForm
from apps.security.private_key import Made, answer_with, answer_without
from barrack_web import cloud
from barrack_web.cached import Pending, Read
from barrack_web.client import BarrackError, Client, Instance, Listing, Region, SSHKey
from barrack_web.htmx import HtmxHttpRequest, current_path, done, private, show
from barrack_web.key_text import check, facts_of


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_KEY)
def create(request: HtmxHttpRequest) -> HttpResponse:
    """Have a key pair made. Its private half goes from the cloud's answer into this one, and is nowhere else."""
    before = sent_before(request, "key.create", "")
    if before and before.alert is None:
        return answer_without(request, before, again=True)

    keys, regions, balance = cloud.ssh_keys.begin(), cloud.regions.begin(), cloud.balance.begin()
    listed = keys.get(patience(request))
    balance.or_none()
    form = KeyForm(request.POST or None, initial=kept(request), taken={row.name for row in listed.value})
    dialog = _dialog(request, "key.create", form, listed, regions)
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    name, made = form.cleaned_data.get("name", ""), Made()
    outcome = before or dialog.perform(
        lambda api, within: made.send(api, name, within), name=name, known_ids=_ids(listed, name)
    )
    if outcome.alert is not None:
        return dialog.answer(outcome, then=dialog.back)
    return answer_with(request, outcome, made)


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_KEY)
def import_key(request: HtmxHttpRequest) -> HttpResponse:
    """Import the public half of a key that somebody has."""
    before = sent_before(request, "key.import", "")
    if before and before.alert is None:
        return _imported(request, before)

    keys, regions, balance = cloud.ssh_keys.begin(), cloud.regions.begin(), cloud.balance.begin()
    listed = keys.get(patience(request))
    balance.or_none()
    form = ImportForm(
        request.POST or None,
        initial=kept(request),
        taken={row.name for row in listed.value},
        there={facts.fingerprint: row.name for row in listed.value if (facts := facts_of(row.public_key))},
    )
    dialog = _dialog(request, "key.import", form, listed, regions)
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return _feedback(dialog, form)
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    name, line = (form.cleaned_data.get(field, "") for field in ("name", "key"))
    outcome = before or dialog.perform(
        lambda api, within: _send_import(api, name, line, within), name=name, known_ids=_ids(listed, name)
    )
    return _imported(request, outcome) if outcome.alert is None else dialog.answer(outcome, then=dialog.back)


def _dialog(
    request: HtmxHttpRequest,
    kind: str,
    form: KeyForm,
    listed: Read[Listing[SSHKey]],
    regions: Pending[Listing[Region]],
) -> Dialog:
    return Dialog(
        request,
        f"security/{intent_of(kind)}_key_modal.html",
        kind=kind,
        target=Target("", ""),
        form=form,
        back=key_rules.deployment(request) or reverse("security:ssh_keys"),
        blocked=stale_alert(listed) or key_rules.no_room(listed.value),
        context={
            "everywhere": cloud.region_names(regions.or_none(), []),
            "there": key_rules.counted(listed.value),
            "most": key_rules.MOST_KEYS,
        },
    )


def _ids(listed: Read[Listing[SSHKey]], name: str) -> list[str]:
    return [row.id or "" for row in listed.value if row.name == name]


def _send_import(api: Client, name: str, line: str, within: float) -> str | None:
    made = api.ssh_keys.create(name, line, within=within).ssh_key
    return made.id if made else None


def _feedback(dialog: Dialog, form: ImportForm) -> HttpResponse:
    """Return what a field says while somebody types; the key's own says what it is, or what helps."""
    if not dialog.request.htmx or dialog.request.POST.get("validate") != "key":
        return dialog.feedback()
    form.is_valid()
    field, emptied = form["key"], ""
    if form.checked and form.checked.private:
        emptied = field.as_widget(attrs={"hx-swap-oob": "true"})
    context = {"field": field, "form": form, "emptied": emptied}
    return private(render(dialog.request, "security/key_feedback.html", context))


def _imported(request: HtmxHttpRequest, outcome: Outcome) -> HttpResponse:
    """Answer an imported key, and say what was changed in the text; a deployment that asked for it goes on at once."""
    operation = outcome.operation
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    page = key_rules.url_of(SSHKey(operation.name, id=operation.result_id)) or reverse("security:ssh_keys")
    if not outcome.done:
        return finished(request, outcome, then=page)
    kind = KINDS[operation.kind]
    said = " ".join([kind.said(operation), *check(request.POST.get("key", "")).notes])
    draft = key_rules.asking_draft(request)
    if not draft:
        return done(request, *kind.events, toast=said, then=page)
    if request.htmx and current_path(request) != request.path:
        context = {"layout": "modal.html", "in_modal": True, "draft": draft, "name": operation.name, "said": said}
        return show(request, "security/key_imported.html", context, part="form")
    messages.success(request, said)
    then = key_rules.deployment(request, add_key=operation.name)
    return HttpResponse(headers={"HX-Redirect": then}) if request.htmx else HttpResponseRedirect(then)


@require_http_methods(["GET", "POST"])
@can(Can.DELETE_KEY)
def delete(request: HtmxHttpRequest, key_id: str) -> HttpResponse:
    """Delete an SSH key for good, in all regions; not while a VM needs it."""
    before = sent_before(request, "key.delete", key_id)
    if before and before.alert is None:
        return finished(request, before, then=reverse("security:ssh_keys"))

    found, keys = cloud.ssh_key.begin(key_id), cloud.ssh_keys.begin()
    instances, balance = cloud.instances.begin(), cloud.balance.begin()
    read, listed = found.get(patience(request)), keys.or_none()
    users = key_rules.users_of(read.value.name, _if_readable(instances, patience(request)))
    balance.or_none()
    dialog = Dialog(
        request,
        "security/delete_key_modal.html",
        kind="key.delete",
        target=Target(key_id, read.value.name),
        form=ConfirmForm(request.POST or None),
        back=reverse("security:ssh_keys"),
        blocked=stale_alert(read) or key_rules.in_use(users),
        context={"key": read.value, "users": users, "last": listed is not None and len(listed.value) == 1},
    )
    if request.method == "GET":
        return dialog.show()
    if not dialog.sending:
        return dialog.feedback()
    if not dialog.may_send and before is None:
        return dialog.show(status=422)
    outcome = before or dialog.perform(lambda api, within: api.ssh_keys.delete(key_id, within=within))
    return dialog.answer(outcome, then=reverse("security:ssh_keys"))


def _if_readable(instances: Pending[Listing[Instance]], wait: float | None) -> Read[Listing[Instance]] | None:
    """Return the VMs; None when they cannot be read: the API itself refuses to delete a key that is in use."""
    try:
        return instances.get(wait)
    except BarrackError:
        return None
