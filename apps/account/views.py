"""My account, the billing profile, the balance in the top bar, and light or dark."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.account.forms import BillingProfileForm
from apps.account.models import BillingProfile
from apps.account.roles import Can, can
from apps.activity.events import record
from barrack_web import cloud
from barrack_web.htmx import HtmxHttpRequest, private

THEMES = ("light", "dark", "system")


@require_safe
@can(Can.READ)
def account(request: HtmxHttpRequest) -> HttpResponse:
    """Who one is, what one may do, and the billing profile."""
    return render(request, "account/account.html", {"profile": BillingProfile.load(), "capabilities": list(Can)})


@require_http_methods(["GET", "POST"])
@can(Can.EDIT_BILLING_PROFILE)
def billing_profile(request: HtmxHttpRequest) -> HttpResponse:
    """Edit the one billing profile."""
    profile = BillingProfile.load()
    if request.method == "GET":
        return render(request, "account/billing_profile.html", {"form": BillingProfileForm(instance=profile)})
    form = BillingProfileForm(request.POST, instance=profile)
    if not form.is_valid():
        return render(request, "account/billing_profile.html", {"form": form}, status=422)
    with transaction.atomic():
        form.save()
        record(request, "billing_profile.edit", target_name="Billing profile", result="done")
    messages.success(request, "The billing profile is saved.")
    return redirect("account:account")


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
