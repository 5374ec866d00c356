"""The forms of SSH keys: have a pair made, import a public key, delete one."""

import re
from collections.abc import Collection, Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from barrack_web.forms import BarrackForm, NameField
from barrack_web.key_text import PRIVATE_SAID, Checked, check, holds_private_key, may_be_private


class KeyNameField(NameField):
    """A key's name: unlike other names it takes no space (source: user documentation)."""

    allowed = re.compile(r"[A-Za-z0-9._-]")
    letters = "letters, numbers, underscores (_), hyphens (-) and periods (.) only"

    def __init__(self, *, taken: Collection[str], **kwargs: Any) -> None:
        help_text = f"{self.letters.capitalize()}, no spaces. Key names must be unique within your account."
        super().__init__(noun="key", taken=taken, label="Key name", help_text=help_text, **kwargs)

    def validate(self, value: str) -> None:
        if holds_private_key(value):
            raise ValidationError(PRIVATE_SAID, code="private")
        super().validate(value)

    def said_taken(self, value: str) -> str:
        return f"Key names must be unique within your account, and “{value}” already exists. Choose another name."


class PublicKeyField(forms.CharField):
    """A public key, checked by barrack_web.key_text.

    `there` maps the fingerprints of the account's keys to their names. `checked` is there once the form was validated.
    """

    live = True
    checked: Checked | None = None

    def __init__(self, *, there: Mapping[str, str]) -> None:
        self.there = there
        attrs = {
            "rows": 5,
            "class": "key-input",
            "spellcheck": "false",
            "autocomplete": "off",
            "autocapitalize": "off",
            "placeholder": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA… you@laptop",
        }
        widget = forms.Textarea(attrs=attrs)
        super().__init__(label="Public key", strip=False, required=False, widget=widget)

    def to_python(self, value: Any) -> str:
        self.checked = check(str(super().to_python(value)))
        return self.checked.key.line if self.checked.key else ""

    def validate(self, value: str) -> None:  # noqa: ARG002
        checked = self.checked
        if checked and checked.problem:
            raise ValidationError(checked.problem.text)
        name = self.there.get(checked.key.fingerprint) if checked and checked.key else None
        if name is not None:
            raise ValidationError(
                f"The account has this key already: it is “{name[:60]}”. Use that one, or delete it first to give it "
                "another name."
            )


class KeyForm(BarrackForm):
    """The name of a new key; the cloud makes the pair."""

    def __init__(self, *args: Any, taken: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = KeyNameField(taken=taken)

    def full_clean(self) -> None:
        """Validate, then empty every field that a private key was pasted into: the form, shown again, shows none."""
        super().full_clean()
        if not self.is_bound:
            return
        data = cast("QueryDict", self.data).copy()
        for name, field in self.fields.items():
            is_secret = may_be_private if isinstance(field, PublicKeyField) else holds_private_key
            if is_secret(data.get(name, "")):
                data[name] = ""
        self.data = data


class ImportForm(KeyForm):
    """Name and public key. The field is called `key` because what a field of that name holds is never kept."""

    wire = {"public_key": "key"}

    def __init__(self, *args: Any, there: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"] = PublicKeyField(there=there)

    @property
    def checked(self) -> Checked | None:
        """What is known of the text that was sent; None while there is none."""
        field = self.fields["key"]
        assert isinstance(field, PublicKeyField)  # noqa: S101 - declared above
        return field.checked if self.is_bound else None


class ConfirmForm(BarrackForm):
    """Nothing to fill in: the dialog says what happens."""
