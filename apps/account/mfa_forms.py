"""The forms of the second factor: codes that work once, passkeys as the browser sends them, the admin's rules."""

import re
import struct
from collections.abc import Callable
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn import forms as webauthn
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError

from apps.account.models import User
from apps.account.roles import Role

NAME_LENGTH = 50
# What a browser sends is far smaller.
CREDENTIAL_LENGTH = 20_000
BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")
NO_PASSKEY = "The browser sent no passkey. Passkeys need JavaScript and a browser that knows them."
BAD_PASSKEY = "This passkey was not accepted. Try again, or use another way."
# What decoding of bytes from elsewhere may raise.
UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, struct.error)


def spend(user: User, code: str) -> bool:
    """Note that a code of the app was used; False when it was before, within the time in which it fits."""
    digits = "".join(character for character in code if character in "0123456789")
    seconds = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
    return cache.add(f"second-factor-code:{user.pk}:{digits}", True, timeout=seconds)


def _dress(form: forms.Form, label: str, help_text: str) -> None:
    """Give the code's field its words, and a keyboard of digits."""
    field = form.fields["code"]
    field.label, field.help_text = label, help_text
    field.error_messages["required"] = "Enter the code."
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs |= {"inputmode": "numeric", "spellcheck": "false", "maxlength": "20", "class": "code-input"}


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]  # allauth is untyped
    """The first code of a new app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dress(self, "Code from the app", "6 digits. They change every 30 seconds.")

    def clean_code(self) -> str:
        code = str(super().clean_code())
        # The same code does not sign in a moment later.
        spend(self.user, code)
        return code


class _OnceOnly:
    """Refuses a code of the app that was used before: neighbouring ones are accepted, so each fits for a while."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = Authenticator.objects.filter(user=self.user, type=Authenticator.Type.TOTP).exists()  # type: ignore[attr-defined]
        label = "Code from the app" if app else "Recovery code"
        words = (
            "6 digits. Without your phone, type one of your recovery codes here."
            if app
            else "8 digits; each works once."
        )
        _dress(self, label, words)  # type: ignore[arg-type]

    def clean_code(self) -> str:
        code = str(super().clean_code())  # type: ignore[misc]
        factor: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if factor.type == Authenticator.Type.TOTP and not spend(factor.user, code):
            self._emit_authentication_failed(factor)  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        return code


class _StillActive:
    """Lets nobody in who was deactivated between the two steps of a sign-in."""

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}  # type: ignore[misc]
        if not self.user.is_active:  # type: ignore[attr-defined]
            raise ValidationError("This account is deactivated. Ask an admin to switch it on again.")
        return found


class AuthenticateForm(_OnceOnly, _StillActive, base.AuthenticateForm):  # type: ignore[misc]
    """The second step of a sign-in, by code."""


class ReauthenticateForm(_OnceOnly, base.ReauthenticateForm):  # type: ignore[misc]
    """The code that confirms who one is before a change."""


class CredentialField(forms.JSONField):
    """A passkey's answer, of the shape that WebAuthn gives it; anything else goes no further."""

    widget = forms.HiddenInput
    default_error_messages = {"required": NO_PASSKEY, "invalid": BAD_PASSKEY}

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > CREDENTIAL_LENGTH:
            raise ValidationError(BAD_PASSKEY, code="invalid")
        try:
            found = super().to_python(value)
        except RecursionError:
            raise ValidationError(BAD_PASSKEY, code="invalid") from None
        if found is not None and not _like_a_credential(found):
            raise ValidationError(BAD_PASSKEY, code="invalid")
        return found


def _like_a_credential(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        return False
    response = found["response"]
    texts = [found.get("id"), found.get("rawId"), *(response[key] for key in response if key in BYTES)]
    extensions = found.get("clientExtensionResults", {})
    return (
        found.get("type") == "public-key"
        and isinstance(extensions, dict)
        and isinstance(extensions.get("credProps", {}), dict)
        and all(isinstance(text, str) and BASE64URL.fullmatch(text) for text in texts if text is not None)
        and None not in texts[:2]
    )


BYTES = {"clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"}


class AddPasskeyForm(webauthn.AddWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = _name_field(required=False, initial=self.initial["name"])
        alone = self.fields["passwordless"]
        alone.label, alone.initial = "Sign in without a password", True
        alone.help_text = "It then asks for a fingerprint, a face or a PIN. Unticked, it is a step after the password."

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = _in_our_words(super().clean)
        return found


def _name_field(*, required: bool, initial: str = "") -> forms.CharField:
    return forms.CharField(
        label="Name",
        required=required,
        initial=initial,
        max_length=NAME_LENGTH,
        help_text="Where it is kept, such as “Work laptop”. Only you see it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": "Enter a name.",
            "max_length": f"Use at most {NAME_LENGTH} characters; this has %(show_value)d.",
        },
    )


class EditPasskeyForm(webauthn.EditWebAuthnForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = _name_field(required=True)


class RemovePasskeyForm(forms.Form):
    """Nothing to fill in; says at once why the passkey cannot go."""

    def __init__(self, *args: Any, authenticator: Authenticator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.authenticator = authenticator

    def clean(self) -> None:
        if not get_adapter().can_delete_authenticator(self.authenticator):
            raise get_adapter().validation_error("cannot_delete_authenticator")


class _Passkey:
    """A passkey that was used, at sign-in or to confirm who one is."""

    def clean_credential(self) -> Authenticator:
        return _in_our_words(super().clean_credential)  # type: ignore[misc]


class AuthenticatePasskeyForm(_Passkey, _StillActive, webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()


class LoginPasskeyForm(_Passkey, webauthn.LoginWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        """Take no answer to the question of a second step: it lets a found key answer that asks for no PIN."""
        if (auth.get_state() or {}).get("user_verification") != "required":
            raise ValidationError(BAD_PASSKEY, code="incorrect_code")
        return super().clean_credential()


class ReauthenticatePasskeyForm(_Passkey, webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()


def _in_our_words(clean: Callable[[], Any]) -> Any:
    """Return what the form finds in a passkey's answer; what cannot be read is refused like what does not fit."""
    try:
        return clean()
    except ValidationError as error:
        if error.code != "incorrect_code":
            raise
    except UNREADABLE:
        pass
    raise ValidationError(BAD_PASSKEY, code="incorrect_code")


class SignInRulesForm(forms.Form):
    """Which roles must have a second factor. `own_role` is that of an admin who has none yet, else empty."""

    roles = forms.MultipleChoiceField(
        label="Roles that need a second factor",
        choices=[(role.value, role.label) for role in reversed(Role)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no role called “%(value)s”."},
    )

    def __init__(self, *args: Any, own_role: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own_role = own_role

    def clean_roles(self) -> list[str]:
        roles: list[str] = self.cleaned_data["roles"]
        if self.own_role in roles:
            raise ValidationError(
                f"You have the role {Role(self.own_role).label} and no second factor. Set up your own first, "
                "so that this rule does not shut you out."
            )
        return roles
