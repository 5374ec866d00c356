"""Whom Google and an OpenID Connect provider may let in: people we know, and those invited or of an allowed domain."""

from typing import Any, NoReturn

from allauth.account.utils import has_verified_email
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.signals import user_login_failed
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect, render

from apps.account import invitations
from apps.account.addresses import may_sign_up, prove
from apps.account.forms import PersonNameField
from apps.account.invitations import InvitationClosedError
from apps.account.models import User
from apps.activity.events import client_address

UNPROVED = "unproved"
OTHER = "other"
UNINVITED = "uninvited"
PAGES = {
    UNPROVED: "socialaccount/unproved.html",
    OTHER: "socialaccount/other_account.html",
    UNINVITED: "account/signup_closed.html",
}
# Anybody has an account at a provider: their refusals must not fill the trail of events.
REFUSALS_TOLD_SECONDS = 60


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """Trusts a provider's word on an email address only where the provider says that it has verified it."""

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Fill in what the provider says about a person whom we may not know yet."""
        user: User = super().populate_user(request, sociallogin, data)
        user.name = _name(data)
        for address in sociallogin.email_addresses:
            # Some providers send the word "false", which Python would take for true.
            address.verified = address.verified is True or str(address.verified).lower() == "true"
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Stop whoever is not to come in, with a page that says why; everybody else goes on."""
        if sociallogin.account.pk:
            # Attached before: the provider's own id of the account counts, whatever address it has by now.
            return
        email = _proved_email(sociallogin)
        if not email:
            _refuse(request, sociallogin, UNPROVED)
        person = sociallogin.user if sociallogin.is_existing else None
        if person is None:
            if not self.is_open_for_signup(request, sociallogin):
                _refuse(request, sociallogin, UNINVITED)
        elif not person.is_active:
            raise ImmediateHttpResponse(redirect("account_inactive"))
        elif SocialAccount.objects.filter(user=person, provider=sociallogin.account.provider).exists():
            # An address that has been given to somebody else since must not open the predecessor's account.
            _refuse(request, sociallogin, OTHER)
        elif not has_verified_email(person, email):
            _take_over(person)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        email = _proved_email(sociallogin)
        return bool(email) and (may_sign_up(email) or invitations.open_for(email) is not None)

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make the person: with the role of their invitation, or a viewer."""
        try:
            with transaction.atomic():
                user: User = super().save_user(request, sociallogin, form)
                invitation = invitations.open_for(user.email)
                if invitation:
                    invitations.accept(invitation, user, request=request)
                elif not may_sign_up(user.email):
                    raise InvitationClosedError("revoked")  # noqa: TRY301 - takes back what was saved
        except InvitationClosedError:
            # Revoked while they were on their way: nothing is kept of them.
            _refuse(request, sociallogin, UNINVITED)
        return user


def _take_over(person: User) -> None:
    """Give an account to the owner of its address: whoever signed up with it, and never confirmed it, gets out."""
    # A changed password ends every session, too.
    person.set_unusable_password()
    person.save(update_fields=["password"])
    prove(person)


def _proved_email(sociallogin: SocialLogin) -> str:
    """Return the address that the provider has verified, "" when there is none."""
    return next((address.email.lower() for address in sociallogin.email_addresses if address.verified), "")


def _refuse(request: HttpRequest, sociallogin: SocialLogin, reason: str) -> NoReturn:
    """End the sign-in with a page, and tell those who listen for failures, once in a while for each address."""
    email = next((address.email for address in sociallogin.email_addresses), "")
    if cache.add(f"social:refused:{client_address(request)}", 1, REFUSALS_TOLD_SECONDS):
        user_login_failed.send(sender=__name__, credentials={"email": email}, request=request)
    context = {"provider": sociallogin.provider.name, "email": email}
    raise ImmediateHttpResponse(render(request, PAGES[reason], context, status=403))


def _name(data: dict[str, Any]) -> str:
    """Return the person's name as the provider has it, if it fits the rule for names; else "", to be filled in."""
    parts = [data.get("first_name"), data.get("last_name")]
    name = str(data.get("name") or " ".join(str(part) for part in parts if part)).strip()
    try:
        return str(PersonNameField().clean(name))
    except ValidationError:
        return ""
