"""The doors: django-allauth's views for sign-in, sign-up and recovery, with the portal's answers around them."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account import views as allauth
from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginByCodeStage, LoginStageController
from allauth.decorators import rate_limit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.google import views as google
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.account.roles import Can, can
from barrack_web.htmx import HtmxHttpRequest

View = Callable[..., HttpResponse]
# The limit of ACCOUNT_RATE_LIMITS that counts sign-ins.
SIGN_IN = "login"
log = logging.getLogger("barrack.account")
CODE_IS_OVER = "That code no longer works: codes last 10 minutes, in the browser that asked. Ask for a new one."
# What an answer that is not as it should be makes the reading of it raise; requests' own errors are OSErrors.
UNREADABLE = (OSError, LookupError, TypeError, ValueError, AttributeError, ImproperlyConfigured)


def answers(view: View) -> View:
    """Give the status that the page means: 422 for a form to mend, 410 for a link that is over."""

    @never_cache
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        context = getattr(response, "context_data", None)
        if response.status_code != 200 or context is None:
            return response
        if context.get("token_fail") or ("confirmation" in context and not context["confirmation"]):
            response.status_code = 410
        elif request.method == "POST" and context.get("form") is not None and context["form"].errors:
            response.status_code = 422
        return response

    return answered


def _give_up_code(request: HttpRequest) -> None:
    """End a code that is being waited for, since another way in is taken."""
    stage = LoginStageController.enter(request, LoginByCodeStage.key) if request.method == "POST" else None
    if stage:
        stage.abort()


@login_not_required
def login(request: HttpRequest) -> HttpResponse:
    """Email address and password."""
    _give_up_code(request)
    return answers(allauth.login)(request)


@login_not_required
def request_code(request: HttpRequest) -> HttpResponse:
    """Ask for a code by email, or for another one."""
    _give_up_code(request)
    return answers(allauth.request_login_code)(request)


@login_not_required
def confirm_code(request: HttpRequest) -> HttpResponse:
    """Type the code; without one to wait for, say so on the page that asks for one."""
    response = answers(allauth.confirm_login_code)(request)
    sent_back = response.get("Location", "").split("?")[0] == reverse("account_request_login_code")
    # After three wrong tries the reason has been given already.
    if sent_back and not getattr(messages.get_messages(request), "added_new", False):
        messages.error(request, CODE_IS_OVER)
    return response


@login_not_required
def signup(request: HttpRequest) -> HttpResponse:
    """Sign up, where a setting names domains whose people may; elsewhere say whom to ask."""
    if not request.user.is_authenticated and not get_adapter().is_open_for_signup(request):
        return render(request, "account/signup_closed.html", status=403)
    return answers(allauth.signup)(request)


@login_not_required
def confirm_email(request: HttpRequest, key: str) -> HttpResponse:
    """Confirm the address that somebody has signed up with; the link works once, for three days."""
    try:
        return answers(allauth.confirm_email)(request, key=key)
    except Http404:
        return render(request, "account/email_confirm.html", status=410)


@require_http_methods(["GET", "POST"])
@can(Can.READ)
def reauthenticate(request: HtmxHttpRequest) -> HttpResponse:
    """Prove once more who one is; whoever has neither password nor second factor has nothing to prove it with."""
    if not get_adapter().get_reauthentication_methods(request.user):
        return redirect("account:account")
    return answers(allauth.reauthenticate)(request)


@require_safe
@can(Can.READ)
def set_password(request: HtmxHttpRequest) -> HttpResponse:
    """Say how somebody without a password gets one: by mail, so that an open session is not enough."""
    if request.user.has_usable_password():
        return redirect("account_change_password")
    return render(request, "account/password_set.html")


def _only_next(given: QueryDict) -> QueryDict:
    kept = QueryDict(mutable=True)
    if "next" in given:
        kept["next"] = str(given["next"])
    return kept


def provider(view: View, provider_id: str) -> View:
    """Go to an identity provider, or come back from it; 404 where it is not set up, a page when it does not answer."""

    @login_not_required
    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except SocialApp.DoesNotExist:
            raise Http404 from None
        except UNREADABLE as error:
            log.warning("the identity provider %s: %s", provider_id, type(error).__name__, exc_info=True)
            return render(request, "socialaccount/authentication_error.html", status=502)

    return guarded


def _begin(view: View) -> View:
    """Let a form choose where to go afterwards, but not what the provider is asked, nor whom it is attached to."""

    @wraps(view)
    def begun(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        request.GET, request.POST = _only_next(request.GET), _only_next(request.POST)  # type: ignore[assignment]
        return view(request, **kwargs)

    limited = rate_limit(action=SIGN_IN)(begun)
    return cast("View", require_http_methods(["GET", "POST"])(limited))


google_login = provider(_begin(google.oauth2_login), "google")
google_callback = provider(require_safe(google.oauth2_callback), "google")
openid_connect_login = provider(_begin(openid_connect.login), "oidc")
openid_connect_callback = provider(require_safe(openid_connect.callback), "oidc")
