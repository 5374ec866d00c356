"""django-allauth's views of the second factor: each with its capability, the portal's words, and 422 for bad input."""

from typing import Any

from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_safe

from apps.account.mfa_forms import BAD_PASSKEY, RemovePasskeyForm
from apps.account.roles import Can, can
from apps.account.second_factor import lacks_required, must_have_one
from apps.activity.events import record
from apps.activity.perform import printable
from barrack_web.htmx import HtmxHttpRequest

HOME = reverse_lazy("mfa_index")
forms_only = require_http_methods(["GET", "POST"])


class _KeepsForm:
    """Shows the form that was sent: allauth's page would check it again, against a new question to the passkey."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return found | kwargs


class AddPasskey(_KeepsForm, webauthn.AddWebAuthnView):  # type: ignore[misc]  # allauth is untyped
    """As allauth has it."""


class RemovePasskey(webauthn.RemoveWebAuthnView):  # type: ignore[misc]
    """Says at once, before anything is sent, when the passkey has to stay."""

    form_class = RemovePasskeyForm
    success_url = HOME

    def get_form_kwargs(self) -> dict[str, Any]:
        return {"data": {}, "authenticator": self.object}


class ReauthenticatePasskey(_KeepsForm, webauthn.ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Stays on its page when the passkey does not fit."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response


class LoginPasskey(webauthn.LoginWebAuthnView):  # type: ignore[misc]
    """Asks for a passkey in JSON, and says on the sign-in page when it does not fit."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"request_options": begin_authentication(user=None)})
        return redirect("account_login")

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, " ".join(form.errors.get("credential", [BAD_PASSKEY])))
        return redirect("account_login")


_add_passkey = AddPasskey.as_view()
_remove_passkey = RemovePasskey.as_view()
_edit_passkey = webauthn.EditWebAuthnView.as_view(success_url=HOME)
_reauthenticate_passkey = ReauthenticatePasskey.as_view()
_login_passkey = LoginPasskey.as_view()


@require_safe
@can(Can.READ)
def index(request: HtmxHttpRequest) -> HttpResponse:
    """What one has set up, and what can be added."""
    return _own(request, base.index(request), title="Second factor")


@forms_only
@can(Can.READ)
def activate_totp(request: HtmxHttpRequest) -> HttpResponse:
    """Show a new secret as a picture and as text; the first code of the app proves that it arrived."""
    mine = Authenticator.objects.filter(user=request.user)
    try:
        response = None if mine.filter(type=Authenticator.Type.TOTP).exists() else totp.activate_totp(request)
    except IntegrityError:
        response = None
    if response is None:
        # The form was sent twice: the first one did it, and the codes it made still wait to be seen.
        codes = mine.filter(type=Authenticator.Type.RECOVERY_CODES).first()
        return redirect("mfa_index" if codes is None or codes.wrap().did_view else "mfa_view_recovery_codes")
    if hasattr(response, "context_data"):
        secret = response.context_data["form"].secret
        response.context_data["secret_words"] = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return _own(request, response, title="Set up an authenticator app")


@forms_only
@can(Can.READ)
def deactivate_totp(request: HtmxHttpRequest) -> HttpResponse:
    """Remove the app."""
    response = totp.deactivate_totp(request)
    return _own(request, response, title="Remove the authenticator app")


@require_safe
@can(Can.READ)
def recovery_codes(request: HtmxHttpRequest) -> HttpResponse:
    """The codes when they are new; afterwards only how many are left."""
    return _own(request, recovery.view_recovery_codes(request), title="Recovery codes")


@forms_only
@can(Can.READ)
def generate_codes(request: HtmxHttpRequest) -> HttpResponse:
    """Replace the codes by new ones."""
    return _own(request, recovery.generate_recovery_codes(request), title="Make new recovery codes")


@require_safe
@can(Can.READ)
def passkeys(request: HtmxHttpRequest) -> HttpResponse:  # noqa: ARG001
    """They stand on the page of the second factor."""
    return redirect("mfa_index")


@forms_only
@can(Can.READ)
def add_passkey(request: HtmxHttpRequest) -> HttpResponse:
    """Have the browser make a passkey, and keep its public half."""
    return _own(request, _add_passkey(request), title="Add a passkey")


@forms_only
@can(Can.READ)
def edit_passkey(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Give a passkey another name."""
    response = _edit_passkey(request, pk=pk)
    if request.method == "POST" and response.status_code == 302 and response["Location"] == HOME:
        record(request, "passkey.rename", name=printable(request.POST.get("name", ""))[:100], result="done")
    return _own(request, response, title="Rename the passkey", done="The passkey is renamed.")


@forms_only
@can(Can.READ)
def remove_passkey(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Remove a passkey."""
    return _own(request, _remove_passkey(request, pk=pk), title="Remove the passkey")


@forms_only
@can(Can.READ)
def reauthenticate(request: HtmxHttpRequest) -> HttpResponse:
    """Confirm by a code that it is still oneself, before a change."""
    return _own(request, base.reauthenticate(request), title="Is it you?")


@forms_only
@can(Can.READ)
def reauthenticate_passkey(request: HtmxHttpRequest) -> HttpResponse:
    """Confirm by a passkey that it is still oneself, before a change."""
    return _own(request, _reauthenticate_passkey(request), title="Is it you?")


@forms_only
@login_not_required
def authenticate(request: HtmxHttpRequest) -> HttpResponse:
    """The second step of a sign-in."""
    response = base.authenticate(request)
    if hasattr(response, "context_data"):
        mine = Authenticator.objects.filter(user=response.context_data["form"].user)
        types = set(mine.values_list("type", flat=True))
        response.context_data["has_passkeys"] = Authenticator.Type.WEBAUTHN in types
        response.context_data["has_codes"] = bool(types - {Authenticator.Type.WEBAUTHN})
    return _private(request, response)


@forms_only
@login_not_required
def login_passkey(request: HtmxHttpRequest) -> HttpResponse:
    """Sign in with a passkey alone: its question, as JSON, and its answer."""
    return _private(request, _login_passkey(request))


def _own(request: HtmxHttpRequest, response: HttpResponse, *, title: str, done: str = "") -> HttpResponse:
    """Give a view's answer its title and shell, say what was done, and let nobody keep a copy.

    Before a required factor is there, the page has no navigation: all of it would lead back here.
    """
    context = getattr(response, "context_data", None)
    if context is not None:
        # A change that waited for a confirmation is answered by the confirming view, and keeps its own title.
        context.setdefault("title", title)
        context["locked"] = lacks_required(request.user)
        context["must_have_one"] = must_have_one(request.user)
        context["layout"] = "plain.html" if context["locked"] else "base.html"
    elif done and request.method == "POST" and isinstance(response, HttpResponseRedirect):
        messages.success(request, done)
    return _private(request, response)


def _private(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    context = getattr(response, "context_data", None) or {}
    found = [form for form in (context.get("form"), context.get("webauthn_form")) if form is not None]
    if request.method == "POST" and response.status_code == 200 and any(form.errors for form in found):
        response.status_code = 422
    response["Cache-Control"] = "no-store"
    return response
