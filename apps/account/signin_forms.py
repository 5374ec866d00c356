"""The forms of sign-in, sign-up and recovery, in the portal's words and its field template."""

from typing import Any

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.utils import has_verified_email
from allauth.core import context
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from apps.account.addresses import may_sign_up
from apps.account.forms import PersonNameField
from apps.account.invitations import open_for
from apps.account.models import User

PASSWORD_RULES = "At least 12 characters, no common password, and unlike your name and email address."  # noqa: S105
# Django's own bound of a column; a longer address would be cut off silently.
EMAIL_LENGTH = 254


def _dress(field: forms.Field, label: str, missing: str, help_text: str = "") -> None:
    """Give the field our label, our sentence for when it is empty, and no placeholder."""
    field.label, field.help_text = label, help_text
    field.error_messages["required"] = missing
    field.widget.attrs.pop("placeholder", None)


def _dress_email(field: forms.Field, help_text: str = "") -> None:
    _dress(field, "Email address", "Enter your email address.", help_text)
    field.error_messages["invalid"] = "This is not an email address, such as name@example.com."


def _dress_new_password(form: forms.Form) -> None:
    _dress(form.fields["password1"], "New password", "Enter a new password.", PASSWORD_RULES)
    _dress(form.fields["password2"], "New password again", "Enter the new password a second time.")


class LoginForm(allauth.LoginForm):  # type: ignore[misc]  # allauth is untyped
    """Email address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress_email(self.fields["login"])
        self.fields["login"].widget.attrs["autocomplete"] = "username"
        _dress(self.fields["password"], "Password", "Enter your password.")
        self.fields["remember"].label = "Remember me"
        self.fields["remember"].help_text = "Stay signed in on this device for 7 days."


class RequestLoginCodeForm(allauth.RequestLoginCodeForm):  # type: ignore[misc]
    """The address that the code goes to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress_email(self.fields["email"])

    def clean_email(self) -> str:
        """Send nothing to an address that nobody has proved: whoever signed up with it knows the password already."""
        email = str(super().clean_email())
        if not has_verified_email(vars(self)["_user"], email):
            self._user = None
        return email


class ConfirmLoginCodeForm(allauth.ConfirmLoginCodeForm):  # type: ignore[misc]
    """The six digits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self.fields["code"], "Code", "Enter the six digits.", "6 digits, from the newest mail.")
        self.fields["code"].max_length = 20
        self.fields["code"].widget.attrs |= {"inputmode": "numeric", "maxlength": "20", "class": "code-input"}

    def clean_code(self) -> str:
        """Count a wrong code as a failed sign-in of that account: codes and passwords share one limit."""
        adapter, request = get_adapter(), context.request
        adapter.pre_authenticate(request, email=request._login_stage.state.get("email", ""))
        code = str(super().clean_code())
        adapter._rollback_login_failed_rl_usage()
        return code


class ResetPasswordForm(allauth.ResetPasswordForm):  # type: ignore[misc]
    """The address that the link goes to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress_email(self.fields["email"])


class UserTokenForm(allauth.UserTokenForm):  # type: ignore[misc]
    """What a recovery link says."""

    def _get_user(self, uidb36: str) -> User | None:
        """Return whose link it is; nobody when an admin has switched that person off since."""
        person: User | None = super()._get_user(uidb36)
        return person if person and person.is_active else None


class ResetPasswordKeyForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    """The new password behind a recovery link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress_new_password(self)


class ChangePasswordForm(allauth.ChangePasswordForm):  # type: ignore[misc]
    """The current password, which proves who sits there, and the new one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self.fields["oldpassword"], "Current password", "Enter your current password.")
        _dress_new_password(self)

    def clean_oldpassword(self) -> str:
        """Check it as a sign-in does, so that guesses from an open session count towards the same limit."""
        given = str(self.cleaned_data["oldpassword"])
        if not get_adapter().reauthenticate(self.user, given):
            raise get_adapter().validation_error("enter_current_password")
        return given


class ReauthenticateForm(allauth.ReauthenticateForm):  # type: ignore[misc]
    """The password once more, before a change that matters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self.fields["password"], "Password", "Enter your password.")


class SignupForm(allauth.SignupForm):  # type: ignore[misc]
    """Name, address and password of somebody whose domain is allowed."""

    name = PersonNameField()
    field_order = ("name", "email", "password1")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        domains = " or ".join(settings.SIGNUP_DOMAINS)
        _dress_email(self.fields["email"], f"At {domains}. It cannot be changed later.")
        _dress(self.fields["password1"], "Password", "Enter a password.", PASSWORD_RULES)

    def clean_email(self) -> str:
        # Before anybody looks whether the address is known: what is said here tells nothing about people.
        email = str(self.cleaned_data["email"])
        if len(email) > EMAIL_LENGTH:
            raise ValidationError(f"Use at most {EMAIL_LENGTH} characters; this has {len(email)}.", code="max_length")
        if not may_sign_up(email):
            domains = " or ".join(settings.SIGNUP_DOMAINS)
            raise ValidationError(
                f"Only addresses at {domains} can sign up. For another address, ask an admin for an invitation.",
                code="domain",
            )
        email = str(super().clean_email())
        # Whoever is invited comes in by that link alone: it proves the address, and gives the role.
        if open_for(email):
            self.account_already_exists = True
        return email

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Make the person; a form sent twice at once finds, the second time, an account that exists."""
        try:
            with transaction.atomic():
                saved: tuple[User | None, HttpResponse | None] = super().try_save(request)
        except IntegrityError:
            self.account_already_exists = True
            saved = super().try_save(request)
        return saved
