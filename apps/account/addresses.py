"""Email addresses: whose they are known to be, as django-allauth keeps it, and who may come in by theirs."""

from allauth.account.models import EmailAddress
from django.conf import settings

from apps.account.models import User


def prove(user: User) -> None:
    """Note that the person's address is theirs: they opened a link sent to it, or an admin of the machine says so."""
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})


def somebody_with(email: str) -> User | None:
    """Return the person who signs in with that address, or None.

    An account that was signed up with it and never confirmed is nobody's: the owner of the address may still come.
    """
    person = User.objects.filter(email__iexact=email).first()
    unproved = person is not None and EmailAddress.objects.filter(user=person, verified=False).exists()
    return None if unproved else person


def may_sign_up(email: str) -> bool:
    """Return whether people with that address may sign up by themselves: SIGNUP_DOMAINS names its whole domain."""
    return email.rpartition("@")[2].lower() in settings.SIGNUP_DOMAINS
