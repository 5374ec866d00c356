"""manage.py createadmin: the first admin, or the way back in for one."""

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from apps.account.addresses import prove
from apps.account.forms import PersonNameField
from apps.account.models import User
from apps.account.roles import Role
from apps.activity.events import append


class Command(BaseCommand):
    help = "Makes an active admin with this email address, or makes the account with it one; asks for a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", help="the person's name, 2 to 100 letters; can be changed under My account")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from the input, without asking"
        )

        parser.add_argument(
            "--remove-second-factor", action="store_true", help="for somebody who lost it: the password alone signs in"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        email, name = self._checked(options["email"], options["name"])
        person = User.objects.filter(email__iexact=email).first() or User(email=email)
        person.name = name or person.name
        password = self._password(person, from_input=options["password_stdin"])
        with transaction.atomic():
            changed = self._repair(person, password, lost_factor=options["remove_second_factor"])
        if changed is None:
            self.stdout.write(f"{person.email} is an admin now, and can sign in.")
        else:
            self.stdout.write(f"{person.email} had an account already. Changed: {', '.join(changed)}.")

    def _checked(self, email: str, name: str | None) -> tuple[str, str]:
        email = email.strip().lower()
        try:
            validate_email(email)
            return email, str(PersonNameField().clean(name)) if name is not None else ""
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None

    def _password(self, person: User, *, from_input: bool) -> str:
        """Return a password that fits the rules, typed twice, or the first line of the input."""
        if from_input:
            password = sys.stdin.readline().rstrip("\r\n")
        elif not sys.stdin.isatty():
            raise CommandError("There is no terminal to ask for the password in. Use --password-stdin.")
        else:
            password = getpass("Password: ")
            if getpass("Password again: ") != password:
                raise CommandError("The two passwords are not the same. Nothing was changed.")
        try:
            validate_password(password, person)
        except ValidationError as error:
            raise CommandError(f"{' '.join(error.messages)} Nothing was changed.") from None
        return password

    def _repair(self, person: User, password: str, *, lost_factor: bool) -> list[str] | None:
        """Make the person an active admin with that password; return what was changed, None for a new person."""
        before = User.objects.select_for_update().filter(pk=person.pk).first() if person.pk else None
        person.role, person.is_active, person.is_demo = Role.ADMIN, True, False
        person.set_password(password)
        person.save()
        prove(person)
        removed = lost_factor and Authenticator.objects.filter(user=person).delete()[0]
        append(
            user=None,
            who="the command line",
            action="member.createadmin",
            target_id=str(person.pk),
            target_name=person.email,
            name="Second factor removed" if removed else "",
            result="done",
        )
        if before is None:
            return None
        changed = ["the password"]
        if before.name != person.name:
            changed.append(f"the name to {person.name}")
        if before.role != person.role:
            changed.append(f"the role from {before.get_role_display().lower()} to admin")
        if not before.is_active:
            changed.append("it is active again")
        if removed:
            changed.append("the second factor is removed")
        return changed
