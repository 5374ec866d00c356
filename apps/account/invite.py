"""Inviting somebody, sending the link again, revoking it, and the public page on which it is accepted."""

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.account import invitations
from apps.account.addresses import somebody_with
from apps.account.confirm import Step
from apps.account.invitations import InvitationClosedError
from apps.account.kept import kept
from apps.account.member_forms import AcceptForm, InviteForm
from apps.account.models import Invitation, User
from apps.account.roles import Can, can
from apps.account.templatetags.doors import mail_note
from barrack_web.htmx import HtmxHttpRequest, done

NOT_OPEN = {
    "accepted": "It was accepted in the meantime.",
    "revoked": "It was revoked or sent again in the meantime.",
}


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def invite(request: HtmxHttpRequest) -> HttpResponse:
    """Invite somebody by email."""
    step = Step(
        request,
        title="Invite a member",
        intent="invite",
        label="Send invitation",
        busy="Sending...",
        back=reverse("account:members"),
        notes=["The mail holds a link that works once, within 7 days. Whoever opens it chooses a name and a password.",
               "You can revoke it until it is accepted.",
               *([mail_note()] if mail_note() else [])],
        form=InviteForm(request.POST if request.method == "POST" else None, initial=kept(request)),
    )  # fmt: skip
    if not step.form.is_bound:
        return step.show()
    if not step.form.is_valid() or not step.sent:
        return step.show(422)
    email, role = step.form.cleaned_data["email"], step.form.cleaned_data["role"]
    try:
        made = invitations.invite(request, email, role)
    except IntegrityError:
        step.form.add_error("email", f"{email} has just been invited by somebody else.")
        return step.show(422)
    return _sent(request, made, f"{email} is invited.")


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def resend(request: HtmxHttpRequest, invitation_id: int) -> HttpResponse:
    """Send a new link, which ends the old one."""
    found = get_object_or_404(Invitation, pk=invitation_id)
    step = Step(
        request,
        title="Send the invitation again",
        intent="resend",
        label="Send again",
        busy="Sending...",
        back=reverse("account:members"),
        lead=f"{found.email} gets a new link, as {found.get_role_display().lower()}.",
        notes=["The new link works for 7 days from now. The one sent before stops working.",
               *([mail_note()] if mail_note() else [])],
    )  # fmt: skip
    if not step.sent:
        return step.show()
    try:
        made = invitations.replace(request, found)
    except InvitationClosedError as error:
        return step.refuse("The invitation is not open any more", NOT_OPEN[error.reason])
    return _sent(request, made, f"{made.email} is sent a new link; the old one has ended.")


def _sent(request: HtmxHttpRequest, invitation: Invitation, toast: str) -> HttpResponse:
    """Send the mail and answer; when the mail server does not take it, say so on the list, which can send it again."""
    back = reverse("account:members")
    if invitations.send(request, invitation):
        return done(request, "members:changed", toast=toast, then=back)
    text = (
        f"The invitation of {invitation.email} is made, but the mail server did not take the mail. "
        "Send it again from this list; if that fails too, look at EMAIL_URL."
    )
    messages.error(request, text)
    return HttpResponse(headers={"HX-Redirect": back}) if request.htmx else redirect(back)


@require_http_methods(["GET", "POST"])
@can(Can.MANAGE_MEMBERS)
def revoke(request: HtmxHttpRequest, invitation_id: int) -> HttpResponse:
    """End an invitation before it is accepted."""
    found = get_object_or_404(Invitation, pk=invitation_id)
    step = Step(
        request,
        title="Revoke the invitation",
        intent="revoke",
        label="Revoke",
        busy="Revoking...",
        back=reverse("account:members"),
        lead=f"The link that {found.email} was sent stops working at once.",
        notes=["They are not told by mail; whoever opens the link reads that it is revoked.",
               "You can invite them again at any time."],
        danger=True,
    )  # fmt: skip
    if not step.sent:
        return step.show()
    try:
        invitations.revoke(request, found)
    except InvitationClosedError as error:
        return step.refuse("The invitation is not open any more", NOT_OPEN[error.reason])
    toast = f"The invitation of {found.email} is revoked."
    return done(request, "members:changed", toast=toast, then=reverse("account:members"))


@sensitive_post_parameters("password1", "password2")
@never_cache
@require_http_methods(["GET", "POST"])
@login_not_required
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind the link in the mail: choose a name and a password, and be in."""
    invitation = invitations.find(token)
    state, status = _state_and_status(request, invitation)
    if invitation is None or state != "open":
        closed = {"state": state, "invitation": invitation}
        return render(request, "account/invitation_closed.html", closed, status=status)
    form = AcceptForm(request.POST if request.method == "POST" else None, email=invitation.email)
    if not form.is_valid():
        context = {"form": form, "invitation": invitation}
        return render(request, "account/accept_invitation.html", context, status=422 if form.is_bound else 200)
    # Perhaps an account that somebody signed up with this address, and could not confirm: it is the owner's from now.
    person = User.objects.filter(email__iexact=invitation.email).first() or User(email=invitation.email)
    person.name = form.cleaned_data["name"]
    person.set_password(form.cleaned_data["password1"])
    try:
        invitations.accept(invitation, person, request=request)
    except (InvitationClosedError, IntegrityError):
        # Accepted or revoked a moment ago; the page says which.
        return redirect(request.path)
    # The password has just been typed, so what asks for it once more need not ask at once.
    record_authentication(request, person, method="password", email=person.email, reauthenticated=True)
    response: HttpResponse = perform_login(request, person, redirect_url=reverse("home"))
    return response


def _state_and_status(request: HttpRequest, invitation: Invitation | None) -> tuple[str, int]:
    """Return what the page says of the link, "open" when it can be accepted now in this browser, and its status."""
    if invitation is None:
        return "unknown", 404
    state = invitations.state_of(invitation)
    if state != "open":
        return state, 410
    if request.user.is_authenticated:
        return "signed_in", 409
    if somebody_with(invitation.email):
        return "member", 409
    return state, 200
