"""The four accounts of the sandbox, and the check that none of them is left when money is at stake."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from apps.account.addresses import prove
from apps.account.models import BillingProfile, User
from apps.account.roles import Role

PASSWORD = "barrack-demo"  # noqa: S105 - public, and refused outside the sandbox
NAMES = {
    Role.ADMIN: "Ada Admin",
    Role.OPERATOR: "Otto Operator",
    Role.BILLING: "Bea Billing",
    Role.VIEWER: "Vera Viewer",
}


def create_accounts() -> list[User]:
    """Make the four accounts and a complete billing profile, or put them back as they were."""
    people = []
    for role in Role:
        person = User.objects.filter(email=f"{role.value}@example.com").first() or User(
            email=f"{role.value}@example.com"
        )
        person.name, person.role, person.is_demo, person.is_active = NAMES[role], role, True, True
        person.set_password(PASSWORD)
        person.save()
        prove(person)
        people.append(person)
    profile = BillingProfile.load()
    profile.address_line, profile.city, profile.state = "1 Harbour Street", "Portland", "Oregon"
    profile.postal_code, profile.country = "97201", "US"
    profile.save()
    return people


def refuse_demo_accounts() -> None:
    """Stop the start with an API key while a demo account could sign in: its password is public.

    Raises ImproperlyConfigured, naming the command that removes them, and DatabaseError while the database is away: a
    start that cannot look does not happen.
    """
    if settings.SANDBOX:
        return
    if User._meta.db_table not in connection.introspection.table_names():
        # Nobody can sign in before the migrations have run.
        return
    left = list(User.objects.filter(is_demo=True, is_active=True).values_list("email", flat=True))
    if left:
        raise ImproperlyConfigured(
            f"Demo accounts with a public password are active: {', '.join(left)}. "
            "Remove them with: python manage.py demo --remove-accounts"
        )
