"""Sign-ins, failures, sign-outs, passwords and second factors as events: what django-allauth tells, in one table."""

import hashlib
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from django.contrib.auth import signals as auth
from django.core.cache import cache
from django.dispatch import Signal
from django.http import HttpRequest

from apps.account.models import User
from apps.activity.events import append, client_address
from apps.activity.models import Event, State
from apps.activity.perform import printable
from barrack_web.client import request_id_var

# Where a form came without an email address.
NOBODY = "somebody without a name"
# Somebody who was stopped for trying too often is written down once in so many seconds.
THROTTLE_SECONDS = 300
FACTORS = {"totp": "Authenticator app", "webauthn": "Passkey", "recovery_codes": "Recovery codes"}

# What somebody who is signed in did, by the signal that tells of it.
DONE: dict[Signal, str] = {
    account.user_logged_in: "sign_in",
    account.user_signed_up: "sign_up",
    account.password_changed: "password.change",
    account.password_set: "password.set",
    account.password_reset: "password.reset",
}


def connect() -> None:
    """Listen to every signal; called once, at the start."""
    for signal, action in DONE.items():
        signal.connect(_done_as(action), weak=False, dispatch_uid=f"activity.{action}")
    for signal, receiver in (
        (auth.user_logged_out, _signed_out),
        (auth.user_login_failed, _failed),
        (account.login_code_rejected, _code_rejected),
        (account.email_confirmed, _address_confirmed),
        (mfa.authentication_failed, _second_factor_failed),
        (mfa.authenticator_added, _factor_added),
        (mfa.authenticator_removed, _factor_removed),
        (mfa.authenticator_reset, _codes_made),
        (social.social_account_added, _social_added),
        (social.social_account_removed, _social_removed),
    ):
        signal.connect(receiver, dispatch_uid=f"activity.{receiver.__name__}")


def throttled(request: HttpRequest, email: str) -> None:
    """Write down that somebody was stopped for trying too often: one event for each account and each address in a
    window, however many attempts follow."""
    who, address = bounded(email), client_address(request)
    keys = [f"activity:throttled:{hashlib.sha256(key.casefold().encode()).hexdigest()}" for key in (who, address or "")]
    if all(cache.add(key, 1, THROTTLE_SECONDS) for key in keys):
        write(request, "sign_in.throttled", _account(who), who=who or NOBODY, result=State.REFUSED)


def write(
    request: HttpRequest | None,
    action: str,
    user: User | None,
    *,
    who: str = "",
    result: str = State.DONE,
    name: str = "",
) -> Event:
    """Append what happened to an account. `who` is what was typed, where nobody has shown who they are.

    The role is told only of those who have: not of an account that somebody tried to get into.
    """
    return append(
        user=user,
        who=who or (user.email if user else ""),
        role=user.role if user and result == State.DONE else "",
        action=action,
        name=name,
        result=result,
        address=client_address(request) if request else None,
        request_id=request_id_var.get() or "",
    )


def bounded(text: object) -> str:
    """Return what a stranger typed as an email address so that it can be stored and shown: one line, 254 characters."""
    return printable(str(text or "")).strip()[:254]


def _account(email: str) -> User | None:
    return User.objects.filter(email__iexact=email).first() if email else None


def lets_in(request: HttpRequest) -> None:
    """Note that this request's event says already how the person came in, so that no sign-in is added to it."""
    request.event_lets_in = True  # type: ignore[attr-defined]


def _done_as(action: str) -> Any:
    def receiver(request: HttpRequest, user: User, **_: Any) -> None:
        if action == "sign_up":
            lets_in(request)
        if action != "sign_in" or not getattr(request, "event_lets_in", False):
            write(request, action, user)

    return receiver


def _signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        write(request, "sign_out", user)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """A password did not fit, or there is no such account; the password is never looked at."""
    who = bounded(credentials.get("email") or credentials.get("username"))
    # Somebody signed in who is asked for the password once more, before something that matters.
    again = request is not None and getattr(request, "user", None) is not None and request.user.is_authenticated
    write(request, "confirm" if again else "sign_in", _account(who), who=who or NOBODY, result=State.REFUSED)


def _code_rejected(request: HttpRequest, user: User, **_: Any) -> None:
    write(request, "sign_in.code", user, result=State.REFUSED)


def _address_confirmed(request: HttpRequest, email_address: Any, **_: Any) -> None:
    # A sign-in by a code that came by mail proves the address too, but is written down as a sign-in.
    match = request.resolver_match
    if match is not None and match.view_name == "account_confirm_email":
        write(request, "address.confirm", email_address.user)


def _second_factor_failed(
    request: HttpRequest, user: User, authenticator: Authenticator, reauthentication: bool = False, **_: Any
) -> None:
    action = "confirm" if reauthentication else "second_factor"
    write(request, action, user, result=State.REFUSED, name=_named(authenticator))


def _factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    # The recovery codes that come with the first factor are part of adding it.
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        write(request, "second_factor.add", user, name=_named(authenticator))


def _factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    # The recovery codes go with the last factor.
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        write(request, "second_factor.remove", user, name=_named(authenticator))


def _codes_made(request: HttpRequest, user: User, **_: Any) -> None:
    write(request, "recovery_codes.make", user)


def _social_added(request: HttpRequest, sociallogin: Any, **_: Any) -> None:
    write(request, "social_account.add", sociallogin.user, name=bounded(sociallogin.account.provider))


def _social_removed(request: HttpRequest, socialaccount: Any, **_: Any) -> None:
    write(request, "social_account.remove", socialaccount.user, name=bounded(socialaccount.provider))


def _named(authenticator: Authenticator) -> str:
    return FACTORS.get(str(authenticator.type), str(authenticator.type))
