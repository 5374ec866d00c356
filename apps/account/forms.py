"""The sign-in form and the billing profile's form."""

from typing import TYPE_CHECKING, Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from django import forms
from django_countries.widgets import LazySelect

from apps.account.models import BillingProfile

if TYPE_CHECKING:
    ProfileModelForm = forms.ModelForm[BillingProfile]
else:
    # Generic for the type checker only.
    ProfileModelForm = forms.ModelForm


class LoginForm(AllauthLoginForm):  # type: ignore[misc]  # allauth is untyped
    """Email address and password, in the portal's field template."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Email address"
        self.fields["remember"].label = "Remember me"
        self.fields["remember"].help_text = "Stay signed in on this device for 7 days."
        for name in ("login", "password"):
            self.fields[name].widget.attrs.pop("placeholder", None)


class BillingProfileForm(ProfileModelForm):
    """The address that bills follow: address line, postal code and country must be there."""

    class Meta:
        model = BillingProfile
        fields = ["address_line", "city", "state", "postal_code", "country", "tax_number"]
        widgets = {"country": LazySelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].widget.attrs["class"] = "form-select"
        for name in BillingProfile.REQUIRED:
            self.fields[name].required = True
            self.fields[name].error_messages["required"] = f"{self.fields[name].label} is required."
