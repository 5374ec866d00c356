"""Who must have a second factor: the admin's rule, what it shuts until one is set up, and the way back for the lost."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context as allauth_context
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.account.mfa_forms import SignInRulesForm
from apps.account.models import SignInRules, User
from apps.account.roles import Can, Role, can
from apps.activity.events import record
from barrack_web.htmx import HtmxHttpRequest, current_path
from barrack_web.middleware import GetResponse

# What somebody without the required factor can still open, besides what needs no sign-in: set-up and sign-out.
OPEN = {
    "mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn", "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_reauthenticate",
    "account_logout",
}  # fmt: skip


def factors_of(user: User) -> Any:
    """Return the app and the passkeys; recovery codes are no factor of their own."""
    return Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)


def has_second_factor(user: User) -> bool:
    return bool(factors_of(user).exists())


def must_have_one(user: User) -> bool:
    """Return whether the person's role needs a second factor."""
    return user.role in SignInRules.load().second_factor_roles


def lacks_required(user: User) -> bool:
    """Return whether the person's role needs a second factor, and there is none."""
    return must_have_one(user) and not has_second_factor(user)


def keeps_the_last(authenticator: Authenticator) -> bool:
    """Return whether a factor has to stay: the person's role needs one, and it is the only one."""
    owner = authenticator.user
    return must_have_one(owner) and not factors_of(owner).exclude(pk=authenticator.pk).exists()


def reset_second_factor(user: User) -> int:
    """Take away app, passkeys and recovery codes of somebody who lost them, and tell them by mail.

    Returns how many there were. The caller writes the event.
    """
    with transaction.atomic():
        count: int = Authenticator.objects.filter(user=user).delete()[0]
    if count:
        get_adapter(allauth_context.request).send_notification_mail("mfa/email/second_factor_reset", user)
    return count


def required(get_response: GetResponse) -> GetResponse:
    """Lead somebody who lacks a required factor to its set-up, whatever they ask for."""

    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    def process_view(request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        user = request.user
        named = request.resolver_match.view_name if request.resolver_match else ""
        if named in OPEN or not getattr(view, "login_required", True) or not isinstance(user, User):
            return None
        return _to_set_up(request) if lacks_required(user) else None

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def _to_set_up(request: HttpRequest) -> HttpResponse:
    set_up = reverse("mfa_index")
    if not getattr(request, "htmx", False):
        return HttpResponseRedirect(set_up)
    if current_path(request).startswith((set_up, reverse("account_reauthenticate"))):
        # A part of the very page that one was led to: leading there again would never end.
        return HttpResponse(status=204)
    return HttpResponse(headers={"HX-Redirect": set_up, "Cache-Control": "no-store"})


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def rules(request: HtmxHttpRequest) -> HttpResponse:
    """Choose the roles that must have a second factor."""
    found = SignInRules.load()
    own_role = "" if has_second_factor(request.user) else request.user.role
    if request.method == "GET":
        return _show_rules(request, SignInRulesForm(initial={"roles": found.second_factor_roles}), 200)
    form = SignInRulesForm(request.POST, own_role=own_role)
    if not form.is_valid():
        return _show_rules(request, form, 422)
    if set(form.cleaned_data["roles"]) == set(found.second_factor_roles):
        messages.info(request, "These are the rules already. Nothing was changed.")
        return redirect("account:sign_in_rules")
    found.second_factor_roles = form.cleaned_data["roles"]
    words = ", ".join(Role(role).label for role in found.second_factor_roles) or "no role"
    with transaction.atomic():
        found.save()
        record(request, "sign_in_rules.edit", target_name="Sign-in rules", name=words, result="done")
    messages.success(request, f"Saved. A second factor is required from: {words}.")
    return redirect("account:sign_in_rules")


def _show_rules(request: HtmxHttpRequest, form: SignInRulesForm, status: int) -> HttpResponse:
    safe = set(Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES).values_list("user_id", flat=True))
    people = list(User.objects.filter(is_active=True))
    rows = []
    for box in form["roles"]:
        of_role = [person for person in people if person.role == box.data["value"]]
        rows.append((box, len(of_role), sum(person.pk not in safe for person in of_role)))
    context = {"form": form, "rows": rows, "own": has_second_factor(request.user)}
    return render(request, "account/sign_in_rules.html", context, status=status)
