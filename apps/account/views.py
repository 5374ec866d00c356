"""My account, one's own and the billing profile, the first steps, the balance in the top bar, and light or dark."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.account.forms import BillingProfileForm, ProfileForm
from apps.account.gates import way_back, with_way_back
from apps.account.kept import kept
from apps.account.models import BillingProfile, User
from apps.account.onboarding import steps
from apps.account.roles import Can, can
from apps.activity.events import record
from barrack_web import cloud
from barrack_web.htmx import HtmxHttpRequest, private

THEMES = ("light", "dark", "system")


@require_safe
@can(Can.READ)
def account(request: HtmxHttpRequest) -> HttpResponse:
    """Who one is, what one may do, and the billing profile."""
    back = way_back(request)
    context = {
        "profile": BillingProfile.load(),
        "capabilities": list(Can),
        "back": back,
        "edit_url": with_way_back(reverse("account:billing_profile"), back),
    }
    return render(request, "account/account.html", context)


@require_http_methods(["GET", "POST"])
@can(Can.READ)
def profile(request: HtmxHttpRequest) -> HttpResponse:
    """Edit what one says about oneself."""
    person = User.objects.get(pk=request.user.pk)
    own = {name: getattr(person, name) for name in ProfileForm.base_fields}
    # What is kept has no word of a box that was unticked.
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=kept(request) or own)
    form.live_url = request.path
    feedback = _feedback(request, form)
    if feedback:
        return feedback
    if not form.is_valid():
        return render(request, "account/profile.html", {"form": form}, status=422 if form.is_bound else 200)
    with transaction.atomic():
        # These columns only: an admin may be changing the person's role at this moment.
        User.objects.filter(pk=person.pk).update(**form.cleaned_data)
        record(request, "profile.edit", target_name=person.email, result="done")
    messages.success(request, "Your profile is saved.")
    return redirect("account:account")


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_BILLING_PROFILE)
def billing_profile(request: HtmxHttpRequest) -> HttpResponse:
    """Edit the one billing profile, and go back to the page that asked for it."""
    back = way_back(request)
    typed = request.POST if request.method == "POST" else None
    form = BillingProfileForm(typed, instance=BillingProfile.load(), initial=kept(request))
    form.live_url = request.path
    feedback = _feedback(request, form)
    if feedback:
        return feedback
    if not form.is_valid():
        context = {"form": form, "back": back, "cancel": with_way_back(reverse("account:account"), back)}
        return render(request, "account/billing_profile.html", context, status=422 if form.is_bound else 200)
    with transaction.atomic():
        form.save()
        record(request, "billing_profile.edit", target_name="Billing profile", result="done")
    messages.success(request, "The billing profile is saved.")
    return redirect(back or "account:account")


def _feedback(request: HtmxHttpRequest, form: ProfileForm | BillingProfileForm) -> HttpResponse | None:
    """Return one field's message while somebody types, None when the form itself was opened or sent."""
    name = request.POST.get("validate", "")
    if not request.htmx or name not in form.fields:
        return None
    form.is_valid()
    return private(render(request, "forms/feedback.html", {"field": form[name]}))


@require_safe
@can(Can.READ)
def onboarding(request: HtmxHttpRequest) -> HttpResponse:
    """The five steps to the first VM, with what is done as it can be seen now."""
    found = steps(request.user)
    context = {
        "steps": found,
        "done": sum(step.done is True for step in found),
        "unknown": sum(step.done is None for step in found),
        "next_step": next((step for step in found if step.done is False), None),
    }
    return render(request, "account/onboarding.html", context)


@require_safe
@can(Can.READ)
def balance(request: HtmxHttpRequest) -> HttpResponse:
    """The balance for the top bar, asked for by a page that was drawn before the API had answered."""
    return private(
        render(request, "components/balance.html", {"balance": cloud.balance.begin().or_none(), "asked": True})
    )


@require_POST
@login_not_required
def theme(request: HtmxHttpRequest) -> HttpResponse:
    """Keep the choice of light, dark or the system's own in a cookie, and go back to the page."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponseRedirect(back)
    if chosen in THEMES:
        response.set_cookie(
            "theme",
            chosen,
            max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response
