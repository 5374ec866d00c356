"""The form field of a startup script's text, the same for kept scripts and for new VMs."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from barrack_web.script_text import Checked, as_typed, check


class ContentField(forms.CharField):
    """The script itself, checked by barrack_web.script_text.

    `plain` says that a browser sends the form by itself, which turns every line end into CRLF. `checked` is there once
    the form was validated.
    """

    live = True
    checked: Checked | None = None

    def __init__(self, *, plain: bool, **kwargs: Any) -> None:
        self.plain = plain
        attrs = {
            "rows": 12,
            "class": "script-input",
            "spellcheck": "false",
            "autocomplete": "off",
            "autocapitalize": "off",
            "wrap": "off",
            "placeholder": "#!/bin/bash\nset -eu\napt-get update",
        }
        super().__init__(strip=False, required=False, widget=forms.Textarea(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value))
        self.checked = check(as_typed(text) if self.plain else text)
        return self.checked.text

    def validate(self, value: str) -> None:  # noqa: ARG002
        if self.checked and self.checked.problems:
            raise ValidationError([str(problem) for problem in self.checked.problems])
