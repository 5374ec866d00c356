"""The limits of a sign-in: it ends when it was not used for long, and in any case after some days."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase

from apps.account.cookies import set_cookie
from apps.account.kept import remember_person
from apps.activity.events import client_address
from barrack_web import clock
from barrack_web.htmx import HtmxHttpRequest

BEGAN, USED = "signed_in_at", "used_at"
# The last use is written at most so often.
WRITE_SECONDS = 60
WHY_COOKIE = "signed_out"
WHY_SECONDS = 300


@receiver(user_logged_in)
def begin(request: HttpRequest, **_: object) -> None:
    """Start both limits anew, also for somebody who signs in once more in the same session."""
    request.session[BEGAN] = clock.now().timestamp()
    request.session.pop(USED, None)


class SessionLimits:
    """Ends a sign-in that is over its limits before the view runs, and writes down when a session was last used.

    A poll is no use: it is sent by the page, not by a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        over = getattr(request, "sign_in_over", "")
        if over:
            set_cookie(response, WHY_COOKIE, over, seconds=WHY_SECONDS)
        if getattr(request, "use_written", False) and request.user.is_authenticated:
            remember_person(request, response)
            if WHY_COOKIE in request.COOKIES:
                response.delete_cookie(WHY_COOKIE)
        return response

    def process_view(self, request: HtmxHttpRequest, *_: Any) -> None:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return
        over = _over(request)
        if over:
            UserSession.objects.filter(session_key=request.session.session_key).delete()
            request.session.flush()
            request.user, request.sign_in_over = AnonymousUser(), over  # type: ignore[assignment,attr-defined]
        elif not is_poll(request):
            _write_use(request)


def is_poll(request: HtmxHttpRequest) -> bool:
    """Return whether an open page looks again by itself (static/js/app.js marks such requests)."""
    return bool(request.method == "GET" and request.htmx and request.headers.get("X-Poll"))


def oldest_use() -> Any:
    """Return the time before which a session that was not used since is over."""
    return clock.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS)


def oldest_beginning() -> Any:
    """Return the time before which a session that began then is over."""
    return clock.now() - timedelta(seconds=settings.SESSION_MOST_SECONDS)


def _over(request: HtmxHttpRequest) -> str:
    """Return which limit has passed: "idle", "most", or "" for none."""
    began = request.session.setdefault(BEGAN, clock.now().timestamp())
    used = max(began, request.session.get(USED, 0))
    if began <= oldest_beginning().timestamp():
        return "most"
    return "idle" if used <= oldest_use().timestamp() else ""


def _write_use(request: HtmxHttpRequest) -> None:
    """Write down the last use, in the session for the limits and in the list of sessions for its owner."""
    session, now = request.session, clock.now()
    interval = min(WRITE_SECONDS, settings.SESSION_IDLE_SECONDS / 4)
    if now.timestamp() - session.get(USED, 0) < interval:
        return
    session[USED] = now.timestamp()
    try:
        session.save()
    except UpdateError:
        # Ended from another device, or by an admin, since it was read a moment ago.
        session.flush()
        request.user = AnonymousUser()  # type: ignore[assignment]
        return
    # Saved already; the cookie stays as the sign-in has set it.
    session.modified = False
    facts = {
        "user": request.user,
        "ip": client_address(request) or "0.0.0.0",  # noqa: S104 - nothing is bound: the address is not known
        "user_agent": request.headers.get("User-Agent", "")[:200],
        "last_seen_at": now,
    }
    UserSession.objects.update_or_create(session_key=session.session_key, defaults=facts)
    request.use_written = True  # type: ignore[attr-defined]
