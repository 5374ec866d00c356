"""Invitations: made by an admin, sent by email, accepted once within seven days."""

from datetime import timedelta

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.account.addresses import prove
from apps.account.models import Invitation, User
from apps.activity.events import append, client_address, record
from apps.activity.signins import lets_in
from barrack_web import clock
from barrack_web.client import request_id_var
from barrack_web.htmx import HtmxHttpRequest

LIFETIME = timedelta(days=7)
# No colon in the link: some mail programs end a link there.
SIGNER = signing.Signer(salt="invitation", sep=".")


class InvitationClosedError(Exception):
    """An invitation that cannot be accepted (any more); `reason` is its state, or "other" for another address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def waiting() -> QuerySet[Invitation]:
    """Return the invitations that nobody has accepted or revoked; some may have expired."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def open_for(email: str) -> Invitation | None:
    """Return the invitation that somebody with this address can accept now."""
    return waiting().filter(email__iexact=email, expires_at__gt=clock.now()).select_related("invited_by").first()


def state_of(invitation: Invitation) -> str:
    """Return "accepted", "revoked", "expired" or "open"."""
    if invitation.accepted_at:
        return "accepted"
    if invitation.revoked_at:
        return "revoked"
    return "expired" if invitation.expires_at <= clock.now() else "open"


def token_of(invitation: Invitation) -> str:
    """Return the signed part of the link; another invitation under the same number would have another one."""
    return SIGNER.sign(f"{invitation.pk}-{round(invitation.invited_at.timestamp() * 1000)}")


def find(token: str) -> Invitation | None:
    """Return the invitation that a link belongs to, in whatever state; None for a link that we never made."""
    try:
        number = SIGNER.unsign(token).partition("-")[0]
    except signing.BadSignature:
        return None
    found = Invitation.objects.select_related("invited_by", "accepted_by").filter(pk=number).first()
    return found if found and token_of(found) == token else None


def invite(request: HtmxHttpRequest, email: str, role: str) -> Invitation:
    """Make an invitation and its event; one for the same address that has expired gives way. It is not sent yet.

    Raises IntegrityError while another one for this address is open.
    """
    with transaction.atomic():
        waiting().filter(email__iexact=email, expires_at__lte=clock.now()).update(revoked_at=clock.now())
        made = _make(request, email, role)
        record(request, "member.invite", target_name=email, name=made.get_role_display(), result="done")
    return made


def replace(request: HtmxHttpRequest, invitation: Invitation) -> Invitation:
    """End an invitation's link and make a new one that lasts seven days. Raises InvitationClosedError."""
    with transaction.atomic():
        _close(invitation)
        made = _make(request, invitation.email, invitation.role)
        record(request, "member.resend", target_name=made.email, name=made.get_role_display(), result="done")
    return made


def revoke(request: HtmxHttpRequest, invitation: Invitation) -> None:
    """End an invitation. Raises InvitationClosedError when it is accepted or revoked already."""
    with transaction.atomic():
        _close(invitation)
        record(
            request, "member.revoke", target_name=invitation.email, name=invitation.get_role_display(), result="done"
        )


def send(request: HttpRequest, invitation: Invitation) -> bool:
    """Send the link; return whether the mail server has taken it."""
    context = {
        "invitation": invitation,
        "url": request.build_absolute_uri(reverse("account:accept_invitation", args=[token_of(invitation)])),
        "portal": request.get_host(),
    }
    return bool(get_adapter(request).send_mail("account/email/invitation", invitation.email, context))


def mail_is_printed() -> bool:
    """Return whether mail is only printed where the portal runs, since no mail server is set."""
    return bool(settings.EMAIL_BACKEND.endswith("console.EmailBackend"))


def accept(invitation: Invitation, user: User, *, request: HttpRequest) -> User:
    """Make the person, new or just signed up, what the invitation says; note the address as proved; write the event.

    Raises InvitationClosedError when it is not open any more or is for another address, or when the person is
    switched off. Nothing is changed then.
    """
    with transaction.atomic():
        locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if state_of(locked) != "open":
            raise InvitationClosedError(state_of(locked))
        if user.email.casefold() != locked.email.casefold() or not user.is_active:
            raise InvitationClosedError("other")
        user.role = locked.role
        user.save()
        prove(user)
        locked.accepted_by, locked.accepted_at = user, clock.now()
        locked.save()
        append(
            user=user,
            who=user.email,
            role=user.role,
            action="member.accept",
            target_id=str(user.pk),
            target_name=user.email,
            name=locked.get_role_display(),
            result="done",
            address=client_address(request),
            request_id=request_id_var.get() or "",
        )
        lets_in(request)
    return user


def _make(request: HtmxHttpRequest, email: str, role: str) -> Invitation:
    now = clock.now()
    return Invitation.objects.create(
        email=email.lower(), role=role, invited_by=request.user, invited_at=now, expires_at=now + LIFETIME
    )


def _close(invitation: Invitation) -> None:
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if locked.accepted_at or locked.revoked_at:
        raise InvitationClosedError(state_of(locked))
    locked.revoked_at = clock.now()
    locked.save(update_fields=["revoked_at"])
