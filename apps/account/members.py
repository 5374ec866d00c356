"""Members: who they are, their roles, and switching them off and on. The last active admin always stays."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.account.confirm import Step
from apps.account.invitations import state_of, waiting
from apps.account.kept import kept
from apps.account.member_forms import RoleForm
from apps.account.models import User
from apps.account.roles import Can, Role, can, why_not
from apps.account.second_factor import reset_second_factor
from apps.account.sessions import end_all, open_sessions
from apps.activity.events import record
from barrack_web.alerts import Alert
from barrack_web.htmx import HtmxHttpRequest, done, show

PAGE_SIZE = 25
FACTORS = {Authenticator.Type.TOTP: "Authenticator app", Authenticator.Type.WEBAUTHN: "Passkey"}
LAST_ADMIN = "This is the last active admin. Make somebody else an admin first, or nobody could manage the portal."


@require_safe
@can(Can.MANAGE_MEMBERS)
def members(request: HtmxHttpRequest) -> HttpResponse:
    """Everybody with an account, and the invitations that wait."""
    # A NUL character would end the words early in SQLite, and is an error in PostgreSQL.
    q, role = request.GET.get("q", "").replace("\0", "").strip()[:100], request.GET.get("role", "")
    page = Paginator(_matching(q, role), PAGE_SIZE).get_page(request.GET.get("page"))
    factors = factors_of(list(page))
    context: dict[str, Any] = {
        "page": page,
        "rows": [(person, factors[person.pk]) for person in page],
        "invitations": [(row, state_of(row)) for row in waiting().select_related("invited_by").order_by("expires_at")],
        "q": q,
        "role": role,
        "roles": Role.choices,
        "filtered": bool(q or role),
    }
    return show(request, "account/members.html", context, part="rows")


def _matching(q: str, role: str) -> QuerySet[User]:
    people = User.objects.order_by("-is_active", "email")
    if role in Role.values:
        people = people.filter(role=role)
    return people.filter(Q(email__icontains=q) | Q(name__icontains=q)) if q else people


def factors_of(people: list[User]) -> dict[int, str]:
    """Return each person's second factors in words, "" for none; recovery codes alone are none."""
    found = defaultdict(set)
    for person, kind in Authenticator.objects.filter(user__in=people, type__in=FACTORS).values_list("user", "type"):
        found[person].add(FACTORS[kind])
    return {person.pk: ", ".join(sorted(found[person.pk])) for person in people}


@require_safe
@can(Can.MANAGE_MEMBERS)
def member(request: HtmxHttpRequest, member_id: int) -> HttpResponse:
    """One member, and what can be changed."""
    person = get_object_or_404(User, pk=member_id)
    context = {
        "person": person,
        "factors": factors_of([person])[person.pk],
        "sessions": len(open_sessions(person)),
        "is_me": person == request.user,
        "last_admin": _is_last_admin(person),
    }
    return show(request, "account/member.html", context, part="state")


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def change_role(request: HtmxHttpRequest, member_id: int) -> HttpResponse:
    """Give a member another role."""
    person = get_object_or_404(User, pk=member_id)
    me = person == request.user
    step = Step(
        request,
        title=f"Change role of {person.short_name}",
        intent="role",
        label="Change role",
        busy="Changing...",
        back=_page(member_id),
        lead=f"{person.email} has the role {person.get_role_display().lower()} now.",
        notes=["The new role counts from the next click on; nobody is signed out by it.",
               *(["It is your own role: as anything but admin you can no longer manage members."] if me else [])],
        form=RoleForm(_typed(request), initial={"role": person.role} | kept(request)),
    )  # fmt: skip
    if not step.sent:
        if step.form.is_bound:
            step.form.is_valid()
        return step.show(422 if step.form.errors else 200)
    if not step.form.is_valid():
        return step.show(422)
    role = Role(step.form.cleaned_data["role"])
    if role == person.role:
        step.form.add_error("role", f"{person.email} has this role already. Nothing was changed.")
        return step.show(422)
    words = f"{person.get_role_display()} → {role.label}"
    refusal = _change(request, member_id, "member.role", lambda row: setattr(row, "role", role.value), words)
    if refusal:
        return step.refuse("The role was not changed", refusal)
    toast = f"{person.email} has the role {role.label.lower()} now."
    if me:
        return done(request, toast=toast, then=reverse("account:account"), gone=reverse("account:members"))
    return done(request, "members:changed", toast=toast, then=_page(member_id))


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def deactivate(request: HtmxHttpRequest, member_id: int) -> HttpResponse:
    """Switch a member off, and end their sessions at once."""
    person = get_object_or_404(User, pk=member_id)
    step = Step(
        request,
        title=f"Deactivate {person.short_name}",
        intent="deactivate",
        label="Deactivate",
        busy="Deactivating...",
        back=_page(member_id),
        lead=f"{person.email} is signed out everywhere at once and cannot sign in any more.",
        notes=["VMs, snapshots and everything else they made stay as they are, and keep their cost.",
               "Their name stays in Activity.",
               "You can activate the account again at any time."],
        danger=True,
        blocked=_not_oneself(request, person, "Nobody can deactivate their own account. Another admin can do it."),
    )  # fmt: skip
    if step.blocked or not step.sent:
        return step.show(step.blocked.status if step.blocked and step.sent else 200)
    refusal = _change(request, member_id, "member.deactivate", _switch_off, person.get_role_display())
    if refusal:
        return step.refuse("The account was not deactivated", refusal)
    toast = f"{person.email} is deactivated and signed out."
    return done(request, "members:changed", toast=toast, then=_page(member_id))


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def activate(request: HtmxHttpRequest, member_id: int) -> HttpResponse:
    """Switch a member on again."""
    person = get_object_or_404(User, pk=member_id)
    step = Step(
        request,
        title=f"Activate {person.short_name}",
        intent="activate",
        label="Activate",
        busy="Activating...",
        back=_page(member_id),
        lead=f"{person.email} can sign in again, with the role {person.get_role_display().lower()}.",
        notes=["Password and second factor are as they were."],
    )
    if not step.sent:
        return step.show()
    refusal = _change(request, member_id, "member.activate", _switch_on, person.get_role_display())
    if refusal:
        return step.refuse("The account was not activated", refusal)
    return done(request, "members:changed", toast=f"{person.email} can sign in again.", then=_page(member_id))


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def reset_factor(request: HtmxHttpRequest, member_id: int) -> HttpResponse:
    """Take away the second factor of a member who lost it."""
    person = get_object_or_404(User, pk=member_id)
    step = Step(
        request,
        title=f"Reset second factor of {person.short_name}",
        intent="reset",
        label="Reset second factor",
        busy="Resetting...",
        back=_page(member_id),
        lead=f"The authenticator app, passkeys and recovery codes of {person.email} stop working.",
        notes=["Make sure that it is really they who ask: until a new one is set up, the password alone lets in.",
               "They are told by email.",
               "Where their role needs a second factor, they have to set up a new one at the next sign-in."],
        danger=True,
        # There, the password is asked for again.
        blocked=_not_oneself(request, person, "Remove your own second factor on My account, under Second factor."),
    )  # fmt: skip
    if step.blocked or not step.sent:
        return step.show(step.blocked.status if step.blocked and step.sent else 200)
    with transaction.atomic():
        count = reset_second_factor(person)
        if count:
            record(request, "second_factor.reset", target_id=str(member_id), target_name=person.email, result="done")
    if not count:
        return step.refuse("There is nothing to reset", f"{person.email} has no second factor.")
    toast = f"{person.email} has no second factor now."
    return done(request, "members:changed", toast=toast, then=_page(member_id))


def _change(
    request: HtmxHttpRequest, member_id: int, action: str, apply: Callable[[User], Any], words: str
) -> str | None:
    """Change one member while the rows of every active admin are locked; return why not, or None when it is done.

    Two admins who demote each other at once take turns, and the second is no admin any more when it is their turn.
    """
    with transaction.atomic():
        admins = Q(role=Role.ADMIN, is_active=True)
        rows = User.objects.select_for_update().filter(admins | Q(pk__in=[member_id, request.user.pk]))
        people = {row.pk: row for row in rows.order_by("pk")}
        me, person = people.get(request.user.pk), people.get(member_id)
        if me is None or not me.is_active or not me.can(Can.MANAGE_MEMBERS):
            raise PermissionDenied(why_not(me.role if me else "", Can.MANAGE_MEMBERS))
        if person is None:
            raise Http404
        before = (person.role, person.is_active)
        apply(person)
        facts = {"target_id": str(member_id), "target_name": person.email, "name": words}
        if (person.role, person.is_active) == before:
            return "Somebody else has done it in the meantime. Nothing was changed now."
        if not any(row.is_active and row.role == Role.ADMIN for row in people.values()):
            record(request, action, result="refused", **facts)
            return LAST_ADMIN
        person.save(update_fields=["role", "is_active"])
        if not person.is_active:
            end_all(person)
        record(request, action, result="done", **facts)
    return None


def _switch_off(person: User) -> None:
    person.is_active = False


def _switch_on(person: User) -> None:
    person.is_active = True


def _is_last_admin(person: User) -> bool:
    others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=person.pk)
    return person.is_active and person.role == Role.ADMIN and not others.exists()


def _not_oneself(request: HtmxHttpRequest, person: User, text: str) -> Alert | None:
    if person != request.user:
        return None
    return Alert(title="This is your own account", text=text, status=409)


def _typed(request: HtmxHttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _page(member_id: int) -> str:
    return reverse("account:member", args=[member_id])
