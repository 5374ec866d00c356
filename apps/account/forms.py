"""One's own profile, and the billing profile."""

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django_countries.widgets import LazySelect

from apps.account.models import BillingProfile
from apps.account.validators import LettersAnd
from barrack_web.forms import BarrackForm

if TYPE_CHECKING:
    ProfileModelForm = forms.ModelForm[BillingProfile]
else:
    # Generic for the type checker only.
    ProfileModelForm = forms.ModelForm

# Digits with what stands between them; brackets and the like alone are no number.
PHONE = re.compile(r"(?=.*[0-9])[0-9+() -]+")
# What browsers fill in from the visitor's own address.
AUTOCOMPLETE = {
    "address_line": "street-address",
    "city": "address-level2",
    "state": "address-level1",
    "postal_code": "postal-code",
    "country": "country",
    "tax_number": "off",
}


class PersonNameField(forms.CharField):
    """A person's name: 2 to 100 letters of any script, spaces, hyphens and apostrophes."""

    SHORTEST, LONGEST = 2, 100
    # Asks for its feedback while one types.
    live = True
    of_letters = LettersAnd(" -'", "Use letters, spaces, hyphens and apostrophes.")

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Name")
        kwargs.setdefault("help_text", "Letters of any script, spaces, hyphens and apostrophes; 2 to 100 characters.")
        super().__init__(**kwargs)
        self.widget.attrs["autocomplete"] = "name"

    def validate(self, value: str) -> None:
        if not value:
            raise ValidationError("Enter a name.", code="required")
        if len(value) < self.SHORTEST:
            raise ValidationError(f"Use at least {self.SHORTEST} characters; this has {len(value)}.", code="min_length")
        if len(value) > self.LONGEST:
            raise ValidationError(f"Use at most {self.LONGEST} characters; this has {len(value)}.", code="max_length")
        self.of_letters(value)


class PhoneField(forms.CharField):
    """A telephone number as somebody writes it, or nothing."""

    LONGEST = 30
    live = True

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Phone")
        kwargs.setdefault("help_text", "Optional. Digits, +, spaces, hyphens and parentheses; at most 30 characters.")
        super().__init__(required=False, widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}), **kwargs)

    def validate(self, value: str) -> None:
        if len(value) > self.LONGEST:
            raise ValidationError(f"Use at most {self.LONGEST} characters; this has {len(value)}.", code="max_length")
        if value and not PHONE.fullmatch(value):
            raise ValidationError("Use digits, +, spaces, hyphens and parentheses.", code="invalid")


class ProfileForm(BarrackForm):
    """What a person says about themselves; the email address is not among it, since it cannot be changed."""

    name = PersonNameField()
    phone = PhoneField()
    sms_alerts = forms.BooleanField(
        label="SMS alerts", required=False, help_text="A wish kept for the record: this portal sends no SMS."
    )
    marketing = forms.BooleanField(
        label="Marketing messages", required=False, help_text="A wish kept for the record: this portal sends none."
    )


class BillingProfileForm(ProfileModelForm):
    """The address that bills follow: address line, postal code and country must be there."""

    # Where fields ask for their feedback while one types.
    live_url = ""

    class Meta:
        model = BillingProfile
        fields = ["address_line", "city", "state", "postal_code", "country", "tax_number"]
        widgets = {"country": LazySelect}
        help_texts = {
            "address_line": "At most 255 characters.",
            "city": "Optional. Letters, spaces, hyphens, periods and apostrophes.",
            "state": "Optional. Letters, spaces and hyphens.",
            "postal_code": "Letters, digits, hyphens and spaces.",
            "country": "It predicts the currency: India ₹ (INR), member states of the European Union € (EUR), "
            "every other country $ (USD). What counts is the currency of the balance.",
            "tax_number": "Optional. Letters, digits, spaces and . / -",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["country"].widget.attrs["class"] = "form-select"
        for name, token in AUTOCOMPLETE.items():
            field = self.fields[name]
            field.widget.attrs["autocomplete"] = token
            # The browser would cut off what is pasted, without a word.
            field.widget.attrs.pop("maxlength", None)
            field.error_messages["max_length"] = "Use at most %(limit_value)d characters; this has %(show_value)d."
            vars(field)["live"] = True
        for name in BillingProfile.REQUIRED:
            self.fields[name].required = True
            self.fields[name].error_messages["required"] = f"{self.fields[name].label} is required."
