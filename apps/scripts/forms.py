"""The forms of startup scripts: write one, edit it, delete it."""

from collections.abc import Collection
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from barrack_web.forms import BarrackForm, DescriptionField, NameField
from barrack_web.script_field import ContentField
from barrack_web.script_text import Checked, check

DESCRIPTION_LENGTH = 255


class ShortDescription(DescriptionField):
    """At most 255 characters, as many as the API takes."""

    counted = DESCRIPTION_LENGTH
    live = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs["rows"] = 2

    def to_python(self, value: Any) -> str:
        # A line end is one character, however the browser sends it.
        return str(super().to_python(value)).replace("\r\n", "\n")

    def validate(self, value: str) -> None:
        if len(value) > DESCRIPTION_LENGTH:
            raise ValidationError(f"Use at most {DESCRIPTION_LENGTH} characters; this has {len(value)}.")


class ScriptForm(BarrackForm):
    """Name, description and content of a new script."""

    def __init__(self, *args: Any, taken: Collection[str], plain: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = NameField(label="Name", noun="script", taken=taken)
        self.fields["description"] = ShortDescription(label="Description (optional)")
        self.fields["content"] = ContentField(label="Script", plain=plain)

    @property
    def checked(self) -> Checked | None:
        """What is known of the text: as it was sent, or as the form begins with it; None while there is none."""
        field = self.fields["content"]
        assert isinstance(field, ContentField)  # noqa: S101 - declared above
        if self.is_bound:
            return field.checked
        text = self.initial.get("content", "")
        return check(text) if text else None


class EditForm(ScriptForm):
    """A script as it was loaded: `loaded` is its digest then, `over` that of a later one that was shown and may go."""

    loaded = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)
    over = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    @property
    def known(self) -> str:
        """The digest of the state that whoever sends the form has seen."""
        return str(self.cleaned_data.get("over") or self.cleaned_data.get("loaded") or "")

    def show_over(self, digest: str) -> None:
        """Have the form, shown again, replace that later state when it is sent once more."""
        data = cast("QueryDict", self.data).copy()
        data["over"] = digest
        self.data = data


class ConfirmForm(BarrackForm):
    """Nothing to fill in: the dialog says what happens."""
