"""The demo accounts, for the sandbox's sign-in page."""

from django import template
from django.conf import settings

from apps.account.demo import PASSWORD
from apps.account.models import User
from apps.account.roles import Role

register = template.Library()


@register.simple_tag
def demo_accounts() -> list[User]:
    """Return the sandbox's accounts, the most capable first; none where the portal speaks to the real API."""
    if not settings.SANDBOX:
        return []
    order = [Role.ADMIN, Role.OPERATOR, Role.BILLING, Role.VIEWER]
    people = User.objects.filter(is_demo=True, is_active=True)
    return sorted(people, key=lambda person: order.index(Role(person.role)))


@register.simple_tag
def demo_password() -> str:
    return PASSWORD
