"""The forms of members: invite somebody, change a role, accept an invitation."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.account.addresses import somebody_with
from apps.account.forms import PersonNameField
from apps.account.invitations import open_for
from apps.account.models import User
from apps.account.roles import Role
from apps.account.signin_forms import PASSWORD_RULES
from barrack_web.forms import BarrackForm

ROLE_WORDS = (
    "A viewer reads everything but secrets. Billing also sees to credits, spend and the billing profile. An operator "
    "also deploys and works with VMs, volumes and snapshots. An admin may do everything, deletions and members too."
)


class RoleField(forms.ChoiceField):
    """One of the four roles, with what each may do."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label="Role",
            choices=Role.choices,
            help_text=ROLE_WORDS,
            widget=forms.Select(attrs={"class": "form-select"}),
            error_messages={"required": "Choose a role.", "invalid_choice": "There is no such role. Choose another."},
            **kwargs,
        )


class InviteForm(BarrackForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="Email address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "required": "Enter an email address.",
            "invalid": "Enter an email address such as name@company.example.",
        },
    )
    role = RoleField(initial=Role.VIEWER)

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        person = somebody_with(email)
        if person and person.is_active:
            raise ValidationError(f"{email} is a member already, with the role {person.get_role_display().lower()}.")
        if person:
            raise ValidationError(f"{email} is a member already, but deactivated: activate the account instead.")
        if open_for(email):
            raise ValidationError(f"{email} has an open invitation already. Send it again from the list of members.")
        return email


class RoleForm(BarrackForm):
    """Which role a member gets."""

    role = RoleField()


class ConfirmForm(BarrackForm):
    """Nothing to fill in: the dialog says what will happen."""


class AcceptForm(BarrackForm):
    """The name and password of somebody who was invited."""

    name = PersonNameField(label="Your name")
    password1 = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "Enter a password."},
    )
    password2 = forms.CharField(
        label="Password again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "Enter the password a second time."},
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email
        self.fields["password1"].help_text = PASSWORD_RULES

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        first, second = data.get("password1"), data.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two passwords are not the same.")
        if first:
            try:
                validate_password(first, User(email=self.email, name=data.get("name", "")))
            except ValidationError as error:
                self.add_error("password1", error)
        return data
