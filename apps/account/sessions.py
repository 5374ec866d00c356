"""My sessions: where one is signed in, and ending one or all others."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.account.devices import device_words
from apps.account.limits import oldest_beginning, oldest_use
from apps.account.models import User
from apps.account.roles import Can, can
from apps.activity.events import record
from barrack_web.htmx import HtmxHttpRequest, private


@require_safe
@can(Can.READ)
def sessions(request: HtmxHttpRequest) -> HttpResponse:
    """Every browser in which one is signed in, the one at hand first, then by last use."""
    mine = request.session.session_key
    found = sorted(
        open_sessions(request.user), key=lambda row: (row.session_key != mine, -row.last_seen_at.timestamp())
    )
    rows = [(row, device_words(row.user_agent), row.session_key == mine) for row in found]
    return private(render(request, "account/sessions.html", {"rows": rows}))


@require_POST
@can(Can.READ)
def end_session(request: HtmxHttpRequest, session_id: int) -> HttpResponse:
    """Sign out in one of one's browsers, at once."""
    found = get_object_or_404(UserSession, pk=session_id, user=request.user)
    words = device_words(found.user_agent)
    if found.session_key == request.session.session_key:
        # That is signing out, and is written down as such.
        found.delete()
        logout(request)
        return redirect("account_login")
    with transaction.atomic():
        record(request, "session.end", target_name=f"{words}, {found.ip}", result="done")
        found.end()
    messages.success(request, f"The session “{words}” is ended.")
    return redirect("account:sessions")


@require_POST
@can(Can.READ)
def end_other_sessions(request: HtmxHttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    with transaction.atomic():
        count = end_all(request.user, but=request.session.session_key)
        record(request, "session.end_others", target_name=request.user.email, name=str(count), result="done")
    messages.success(request, f"{count} other session{'' if count == 1 else 's'} ended.")
    return redirect("account:sessions")


def open_sessions(person: User) -> list[UserSession]:
    """Return the person's sessions that are within the limits; those that ended otherwise are deleted."""
    rows: list[UserSession] = UserSession.objects.purge_and_list(person)
    since, begun = oldest_use(), oldest_beginning()
    return [row for row in rows if row.last_seen_at > since and row.created_at > begun]


def end_all(person: User, *, but: str | None = None) -> int:
    """End the person's sessions at once, except the one with that key; return how many there were."""
    rows = [row for row in UserSession.objects.filter(user=person) if row.session_key != but]
    for row in rows:
        row.end()
    return len(rows)
