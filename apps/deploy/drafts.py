"""Drafts of one's own, and the team's templates: what a deployment can begin with."""

from uuid import UUID

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.account.roles import Can, can
from apps.activity.events import record
from apps.deploy.forms import TemplateForm
from apps.deploy.kept_drafts import unsent
from apps.deploy.models import MOST_TEMPLATES, Draft, Template
from apps.deploy.values import for_template
from barrack_web import clock
from barrack_web.htmx import HtmxHttpRequest, show


@require_safe
@can(Can.DEPLOY_VM)
def drafts(request: HtmxHttpRequest) -> HttpResponse:
    """One's own drafts of the last days, and the templates of the team."""
    context = {
        "drafts": unsent(request.user),
        "templates": Template.objects.select_related("created_by"),
    }
    return show(request, "deploy/drafts.html", context)


@require_POST
@can(Can.DEPLOY_VM)
def delete_draft(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Throw a draft of one's own away; one that is gone already is no error."""
    Draft.objects.filter(pk=draft_id, user=request.user).delete()
    messages.success(request, "You have no such draft any more.")
    return redirect("deploy:drafts")


@require_http_methods(["GET", "POST"])
@can(Can.DEPLOY_VM)
def save_template(request: HtmxHttpRequest, draft_id: UUID) -> HttpResponse:
    """Keep a draft's choices under a name, for everybody who may deploy."""
    draft = get_object_or_404(Draft, pk=draft_id, user=request.user)
    form = TemplateForm(request.POST or None, taken=set(Template.objects.values_list("name", flat=True)))
    context = {"form": form, "draft": draft, "back": f"{reverse('deploy:wizard')}?draft={draft.pk}"}
    if request.method == "GET":
        return show(request, "deploy/template.html", context)
    if Template.objects.count() >= MOST_TEMPLATES:
        form.add_error(None, f"There are {MOST_TEMPLATES} templates already. Delete one first.")
    if not form.is_valid():
        return show(request, "deploy/template.html", context, status=422)
    name = form.cleaned_data["name"]
    try:
        with transaction.atomic():
            Template.objects.create(
                name=name, values=for_template(draft.values), created_by=request.user, created_at=clock.now()
            )
    except IntegrityError:
        form.add_error("name", f"A template named “{name}” already exists. Choose another name.")
        return show(request, "deploy/template.html", context, status=422)
    record(request, "template.create", name=name, result="done")
    messages.success(request, f"Template “{name}” is saved. Everybody who may deploy can begin with it.")
    return redirect("deploy:drafts")


@require_POST
@can(Can.DEPLOY_VM)
def delete_template(request: HtmxHttpRequest, template_id: int) -> HttpResponse:
    """Delete a template: one's own, or as an admin any."""
    template = get_object_or_404(Template, pk=template_id)
    if template.created_by != request.user and not request.user.can(Can.MANAGE_MEMBERS):
        raise Http404
    record(request, "template.delete", target_id=str(template.pk), target_name=template.name, result="done")
    template.delete()
    messages.success(request, f"Template “{template.name}” is deleted.")
    return redirect("deploy:drafts")
