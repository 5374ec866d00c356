"""Finding and keeping drafts: which one a request is about, what it holds, and what became of it."""

import uuid
from collections.abc import Iterable

from django.utils.dateparse import parse_datetime

from apps.account.models import User
from apps.activity.models import Operation, State
from apps.deploy.models import KEPT_FOR, MOST_DRAFTS, Draft
from apps.deploy.values import Values, to_keep
from barrack_web import clock
from barrack_web.htmx import HtmxHttpRequest

KIND = "instance.create"
# In the session: when the person started over.
STARTED_OVER = "deploy-started-over"


def draft_of(request: HtmxHttpRequest, came_back: str = "") -> Draft:
    """Return the draft that a request names, else the newest that was not sent, else a new one, not saved yet.

    `came_back` names the draft of a form that was typed before the sign-in ended. Who has started over gets no draft
    from before that.
    """
    named = came_back or request.POST.get("draft") or request.GET.get("draft", "")
    if named:
        return _named(request.user, named)
    if "new" in request.GET:
        request.session[STARTED_OVER] = clock.now().isoformat()
    if request.method == "GET" and not request.GET:
        since = parse_datetime(request.session.get(STARTED_OVER, ""))
        drafts = [draft for draft in unsent(request.user) if since is None or draft.updated_at > since]
        return next(iter(drafts), None) or Draft(user=request.user)
    return Draft(user=request.user)


def _named(user: User, text: str) -> Draft:
    """Return the person's own draft of that id; one that is gone, or never was saved, begins anew under its id."""
    try:
        key = uuid.UUID(text)
    except ValueError:
        return Draft(user=user)
    found = Draft.objects.filter(pk=key).first()
    if found is None:
        return Draft(pk=key, user=user)
    mine = found.user_id == user.pk and (not _old(found) or sending_of(found) is not None)
    return found if mine else Draft(user=user)


def _old(draft: Draft) -> bool:
    return clock.now() - draft.updated_at > KEPT_FOR


def unsent(user: User) -> list[Draft]:
    """Return the person's drafts of the last days that no VM was made of, the newest first."""
    drafts = list(Draft.objects.filter(user=user, updated_at__gte=clock.now() - KEPT_FOR))
    made = _made(draft.pk for draft in drafts)
    return [draft for draft in drafts if str(draft.pk) not in made]


def _made(keys: Iterable[uuid.UUID]) -> set[str]:
    rows = Operation.objects.filter(kind=KIND, target_id__in=[str(key) for key in keys], state=State.DONE)
    return set(rows.values_list("target_id", flat=True))


def saved(draft: Draft) -> bool:
    """Return whether the draft is kept already."""
    return not draft._state.adding


def keep(draft: Draft, values: Values, *, unless_newer: bool = False, untouched: bool = False) -> None:
    """Keep what was chosen so far, and no more drafts of a person than anybody needs.

    With `unless_newer` only when nothing was kept since the draft was read or kept by this request. `untouched` says
    that a link has brought all of it: there is one such draft of a person.
    """
    kept, wanted, now = draft.updated_at, to_keep(values), clock.now()
    if unless_newer:
        Draft.objects.filter(pk=draft.pk, updated_at=kept).update(values=wanted, updated_at=now)
        return
    new = not saved(draft)
    if untouched:
        Draft.objects.filter(user=draft.user_id, untouched=True).exclude(pk=draft.pk).delete()
    # Two windows may keep it for the first time at once.
    known = {"user": draft.user, "values": wanted, "updated_at": now, "untouched": untouched}
    Draft.objects.update_or_create(pk=draft.pk, defaults=known)
    draft.values, draft.updated_at, draft._state.adding = wanted, now, False
    if new:
        Draft.objects.filter(pk__in=[extra.pk for extra in unsent(draft.user)[MOST_DRAFTS:]]).delete()


def sending_of(draft: Draft, *, done_or_unknown: bool = False) -> Operation | None:
    """Return the operation by which a VM was made of this draft, or may have been; None while there is none.

    With `done_or_unknown` not the one that is under way at this moment.
    """
    rows = Operation.objects.filter(kind=KIND, target_id=str(draft.pk))
    states = [State.UNKNOWN] if done_or_unknown else [State.UNKNOWN, State.SENT]
    return rows.filter(state=State.DONE).first() or rows.filter(state__in=states).first()
