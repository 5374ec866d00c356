"""What every write form shares: the name rule, fields with reasons, and errors of the API beside their field."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting

from barrack_web.alerts import Alert

NAME_LENGTH = 50
DESCRIPTION_LENGTH = 10_000
ALLOWED = re.compile(r"[A-Za-z0-9 ._-]")


class Renderer(TemplatesSetting):
    """Draws every field of every form with the one field template."""

    field_template_name = "forms/field.html"


class NameField(forms.CharField):
    """A resource's name: 1 to 50 letters, numbers, spaces, hyphens, underscores and periods, not in use.

    `noun` is what bears the name, `taken` the names in use. Spaces at both ends are dropped; anything else that
    does not fit is refused, so that what is sent is what was typed.
    """

    counted = NAME_LENGTH
    # Asks for its feedback while one types.
    live = True
    allowed = ALLOWED
    letters = "letters, numbers, spaces, hyphens (-), underscores (_) and periods (.)"

    def __init__(self, *, noun: str, taken: Collection[str] = (), **kwargs: Any) -> None:
        self.noun = noun
        self.taken = frozenset(taken)
        kwargs.setdefault("label", "Name")
        kwargs.setdefault("help_text", f"{self.letters.capitalize()}. Unique in the account.")
        super().__init__(strip=False, **kwargs)
        self.widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).strip(" ")

    def validate(self, value: str) -> None:
        if not value:
            raise ValidationError("Enter a name.", code="required")
        if len(value) > NAME_LENGTH:
            raise ValidationError(f"Use at most {NAME_LENGTH} characters; this has {len(value)}.", code="max_length")
        wrong = sorted({_shown(character) for character in value if not self.allowed.fullmatch(character)})
        if wrong:
            raise ValidationError(f"Not allowed: {', '.join(wrong[:5])}. Use {self.letters}.", code="invalid")
        if value in self.taken:
            raise ValidationError(self.said_taken(value), code="taken")

    def said_taken(self, value: str) -> str:
        """Return the sentence for a name that is in use."""
        article = "An" if self.noun[0] in "aeiou" else "A"
        return f"{article} {self.noun} named “{value}” already exists. Choose another name."


class DescriptionField(forms.CharField):
    """Free text of any language; bounded far above what anybody types, with a sentence instead of the API's refusal."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 4}), **kwargs)

    def validate(self, value: str) -> None:
        super().validate(value)
        if len(value) > DESCRIPTION_LENGTH:
            raise ValidationError(
                f"Use at most {DESCRIPTION_LENGTH:,} characters; this has {len(value):,}.", code="max_length"
            )


class SelectWithReasons(forms.Select):
    """A select whose options can be off; `off` maps the value of such an option to the reason, which stands in it."""

    off: Mapping[str, str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attrs.setdefault("class", "form-select")
        self.off = {}

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        reason = self.off.get(str(value))
        option = super().create_option(name, value, f"{label} – {reason}" if reason else label, *args, **kwargs)
        if reason:
            option["attrs"]["disabled"] = True
        return option


class BarrackForm(forms.Form):
    """A form that stands for one write. `wire` maps the API's field names to ours where they differ."""

    wire: Mapping[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.alert: Alert | None = None
        # Where fields ask for their feedback while one types; set by the dialog that shows the form.
        self.live_url = ""

    def add_api_error(self, alert: Alert) -> None:
        """Show what the API refused: at its field where it names one of ours, and as the form's alert."""
        for name, sentence in alert.fields.items():
            own = self.wire.get(name, name)
            if own in self.fields:
                self.add_error(own, sentence)
        self.alert = alert


def suggest_name(base: str, suffix: str, taken: Collection[str] = ()) -> str:
    """Return base + suffix within 50 characters of the allowed set, numbered when that name is in use."""
    clean = "".join(character if ALLOWED.fullmatch(character) else "-" for character in base).strip(" ")
    for number in range(1, 1000):
        end = suffix if number == 1 else f"{suffix}-{number}"
        name = f"{clean[: NAME_LENGTH - len(end)]}{end}"
        if name not in taken:
            return name
    return clean[:NAME_LENGTH]


def _shown(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    if character == " ":
        return "a space"
    return f"“{character}”" if character.isprintable() else f"the invisible character U+{ord(character):04X}"
