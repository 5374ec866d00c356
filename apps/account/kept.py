"""What was typed into a form whose sender turned out to be signed out: kept for an hour, and filled in once more.

It is kept on the server, under a random key in a cookie of its own, and given back only to the person who was signed in
to this browser when it was sent.
"""

import re
from typing import Any

from django.contrib import messages
from django.contrib.sessions.backends.db import SessionStore
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.encoding import force_bytes

from apps.account.cookies import set_cookie
from apps.account.models import User
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.script_text import secrets_in

COOKIE, PERSON_COOKIE = "kept", "person"
SALT = "person-of-this-browser"
KEEP_SECONDS = 3600
# For how long after the last use a browser may still have something kept.
PERSON_SECONDS = 31 * 86_400
MOST_BYTES = 64_000
# What a form carries beside its own fields; and secrets, which are typed anew.
NOT_TYPED = {"csrfmiddlewaretoken", "token", "intent", "validate", "next"}
SECRET = re.compile(r"pass(word|phrase)|secret|private|token|^(code|otp|key|pin)$", re.IGNORECASE)
NOTICE = "You were signed out. What you typed is back, except passwords and what looks like one; nothing was sent."


def remember_person(request: HtmxHttpRequest, response: HttpResponseBase) -> None:
    """Note who uses this browser, so that a form sent after the sign-in has ended is known to be theirs."""
    set_cookie(response, PERSON_COOKIE, signing.dumps(request.user.pk, salt=SALT))


def keep(request: HttpRequest) -> str | None:
    """Keep the fields of a POST that needs a sign-in, and return the key; None when there is nothing to keep.

    Only forms of the portal's own views, which stand at the address they are sent to.
    """
    person, fields = _person(request), _typed(request)
    match = request.resolver_match
    ours = match is not None and match.func.__module__.startswith("apps.")
    if person is None or not fields or not ours or not User.objects.filter(pk=person, is_active=True).exists():
        return None
    _forget(request)
    store = SessionStore()
    store["kept"] = {"person": person, "path": request.path, "fields": fields}
    store.set_expiry(KEEP_SECONDS)
    store.create()
    return store.session_key


def kept(request: HtmxHttpRequest) -> dict[str, Any]:
    """Return the values to fill a form with, once, when the same person opens it after signing in; usually none."""
    if request.method != "GET" or request.htmx or COOKIE not in request.COOKIES:
        return {}
    found = SessionStore(request.COOKIES[COOKIE]).get("kept")
    if not found or found["path"] != request.path:
        return {}
    _forget(request)
    if found["person"] != request.user.pk:
        return {}
    messages.warning(request, NOTICE)
    return {name: values if len(values) > 1 else values[0] for name, values in found["fields"].items()}


def _person(request: HttpRequest) -> int | None:
    try:
        return int(signing.loads(request.COOKIES.get(PERSON_COOKIE, ""), salt=SALT, max_age=PERSON_SECONDS))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def _typed(request: HttpRequest) -> dict[str, list[str]]:
    """Return what was typed, without secrets; nothing at all when it is too much to keep."""
    fields = {
        name: request.POST.getlist(name)
        for name in request.POST
        if name not in NOT_TYPED and not _is_secret(name, request) and request.POST.getlist(name)
    }
    size = sum(len(force_bytes(text)) for name, values in fields.items() for text in (name, *values))
    return fields if size <= MOST_BYTES else {}


def _is_secret(name: str, request: HttpRequest) -> bool:
    """Return whether a field holds a secret, or is a script for one VM alone that seems to hold one."""
    script = name == "cloud_init" and any(secrets_in(text) for text in request.POST.getlist(name))
    return script or SECRET.search(name) is not None


def _forget(request: HttpRequest) -> None:
    """Delete what was kept before; a key in the cookie that belongs to anything else is left alone."""
    store = SessionStore(request.COOKIES.get(COOKIE))
    if store.session_key and "kept" in store:
        store.delete()
