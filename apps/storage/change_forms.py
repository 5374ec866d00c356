"""The forms that change a volume: attach it, several of them, make it larger, copy it, delete it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from apps.storage.facts import Candidate, monthly
from apps.storage.forms import CONFIRM_ABOVE_GB, NOT_WHOLE, whole_gb
from barrack_web import clock
from barrack_web.alerts import Alert
from barrack_web.client import Instance, Listing, Volume
from barrack_web.forms import BarrackForm, NameField, suggest_name
from barrack_web.funds import Money
from barrack_web.templatetags.ui import count, size

# An older volume is deleted only by somebody who types its name.
TYPED_AFTER = timedelta(days=7)
# Rows of a form that can be chosen and that cannot; the rest is counted.
MOST_ABLE, MOST_OFF = 100, 50


class ConfirmForm(BarrackForm):
    """Nothing to fill in: the dialog says what happens."""


class AttachForm(BarrackForm):
    """One VM of the volume's region. The first that can be chosen is chosen already."""

    instance_id = forms.CharField(required=False)

    def __init__(
        self,
        *args: Any,
        candidates: Sequence[Candidate[Instance]],
        everywhere: Listing[Instance],
        region: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.able = {one.row.instance_id: one.row for one in candidates if not one.off}
        self.off = {one.row.instance_id: one for one in candidates if one.off}
        self.everywhere = {row.instance_id: row for row in everywhere}
        self.whole = everywhere.complete and not everywhere.broken
        self.region = region
        self.initial.setdefault("instance_id", next(iter(self.able), ""))
        if not self.is_bound:
            self.alert = self.unread()

    def unread(self) -> Alert | None:
        """Return the alert while VMs may be missing in the table. It does not stand in the way of those in it."""
        if self.whole:
            return None
        return Alert(
            title="Not every VM could be read",
            text="A VM that is missing here may exist all the same.",
            todo="Choose one of these, try again in a minute, or attach the volume from that VM's own page.",
        )

    @property
    def shown_off(self) -> list[Candidate[Instance]]:
        return list(self.off.values())[:MOST_OFF]

    @property
    def more_off(self) -> int:
        return max(0, len(self.off) - MOST_OFF)

    @property
    def vm_name(self) -> str:
        """The name of the VM that was chosen, for the trail."""
        vm = self.able.get(str(self.data.get("instance_id", "")))
        return vm.vm_name if vm else ""

    def clean_instance_id(self) -> str:
        chosen = str(self.cleaned_data["instance_id"])
        if chosen in self.able:
            return chosen
        if not chosen:
            raise ValidationError("Choose a VM.")
        if chosen in self.off:
            raise ValidationError(f"This VM cannot be chosen now. {self.off[chosen].off}")
        other = self.everywhere.get(chosen)
        if other is None and not self.whole:
            raise ValidationError("Not every VM could be read; this is one of them, or it does not exist any more.")
        if other is None or other.state == "DELETED":
            raise ValidationError("This VM does not exist any more. Choose another one.")
        raise ValidationError(f"This VM is in {other.region[:40]}, the volume in {self.region[:40]}, where it stays.")

    def clean(self) -> dict[str, Any]:
        if self.errors:
            self.alert = self.unread()
        return self.cleaned_data


class IdsField(forms.MultipleChoiceField):
    """The ids of volumes, each once, with a sentence about those that cannot be attached."""

    def __init__(self, able: Collection[str], off: Mapping[str, Candidate[Volume]]) -> None:
        self.able, self.off = able, off
        super().__init__(required=False)

    def validate(self, value: list[str]) -> None:
        if not value:
            raise ValidationError("Choose at least one volume.")
        wrong = [found for found in value if found not in self.able]
        if wrong and wrong[0] in self.off:
            one = self.off[wrong[0]]
            raise ValidationError(f"“{one.row.volume_name[:60]}” cannot be attached now. {one.off}")
        if wrong:
            raise ValidationError("A volume that was chosen does not exist in this region any more.")

    def clean(self, value: Any) -> list[str]:
        return list(dict.fromkeys(super().clean(value)))


class AttachSeveralForm(BarrackForm):
    """Some of the volumes of the VM's region."""

    def __init__(self, *args: Any, candidates: Sequence[Candidate[Volume]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.able = {one.row.volume_id: one.row for one in candidates if not one.off}
        self.off = {one.row.volume_id: one for one in candidates if one.off}
        self.fields["volume_ids"] = IdsField(self.able, self.off)

    @property
    def shown_able(self) -> dict[str, Volume]:
        """The first of those that can be chosen, and all that are ticked."""
        first, ticked = set(list(self.able)[:MOST_ABLE]), self.ticked
        return {found: row for found, row in self.able.items() if found in first or found in ticked}

    @property
    def more_able(self) -> int:
        return len(self.able) - len(self.shown_able)

    @property
    def shown_off(self) -> list[Candidate[Volume]]:
        return list(self.off.values())[:MOST_OFF]

    @property
    def more_off(self) -> int:
        return max(0, len(self.off) - MOST_OFF)

    @property
    def ticked(self) -> set[str]:
        # One id alone is no list when it was kept while its sender was signed out.
        found = self["volume_ids"].value() or ()
        return {found} if isinstance(found, str) else set(found)

    @property
    def names(self) -> str:
        """The names of the volumes that were chosen, for the trail."""
        return ", ".join(self.able[found].volume_name for found in self.able if found in self.ticked)


class NewSizeField(forms.CharField):
    """A whole number of GB above the present size."""

    live = True

    def __init__(self, present: Decimal) -> None:
        self.present = present
        attrs = {"inputmode": "numeric", "autocomplete": "off"}
        super().__init__(label="New size (GB)", required=False, widget=forms.TextInput(attrs=attrs))

    def validate(self, value: str) -> None:
        if not value:
            raise ValidationError("Enter the new size in GB.")
        wanted = whole_gb(value)
        if wanted is None:
            raise ValidationError(NOT_WHOLE)
        if wanted > settings.VOLUME_MAX_GB:
            most = settings.VOLUME_MAX_GB
            raise ValidationError(f"A volume has at most {size(most)} ({count(most)} GB).")
        if wanted <= self.present:
            said = "It has this size already." if wanted == self.present else "A volume can only grow, never shrink."
            raise ValidationError(f"{said} Enter more than {self.present:f}.")


class ResizeForm(BarrackForm):
    """The new size; a large one takes one more tick, beside its price.

    `price_of` gives what so many GB cost per hour, None when that is not known; `money_of` the balance beside it.
    """

    sure = forms.CharField(required=False)

    def __init__(
        self,
        *args: Any,
        volume: Volume,
        price_of: Callable[[int], Decimal | None],
        money_of: Callable[[Decimal | None], Money],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.price_of, self.money_of = price_of, money_of
        self.fields["size_gb"] = NewSizeField(volume.size_gb)

    @property
    def new_size(self) -> int | None:
        """The size that stands in the field, None while it cannot be taken."""
        typed = self.cleaned_data.get("size_gb") if self.is_bound and not self.errors.get("size_gb") else None
        return int(typed) if typed else None

    @property
    def hourly(self) -> Decimal | None:
        return self.price_of(self.new_size) if self.new_size else None

    @property
    def monthly(self) -> Decimal | None:
        return monthly(self.hourly)

    @property
    def large(self) -> bool:
        """Whether the size takes one more tick."""
        return (self.new_size or 0) > CONFIRM_ABOVE_GB

    @property
    def ticked(self) -> bool:
        """Whether the tick was set for this very size."""
        return str(self.data.get("sure", "")) == str(self.new_size)

    def clean(self) -> dict[str, Any]:
        typed = self.cleaned_data.get("size_gb")
        wanted = int(typed) if typed else 0
        # Asked only for its price, without JavaScript, the box has not been seen yet.
        sending = self.data.get("intent") != "update"
        if sending and wanted > CONFIRM_ABOVE_GB and self.cleaned_data.get("sure") != str(wanted):
            self.add_error("sure", "Tick this to make a volume so large.")
        if wanted:
            self.alert = self.money_of(self.price_of(wanted)).shortfall(f"A volume of {size(wanted)}")
        return self.cleaned_data


class CloneForm(BarrackForm):
    """The name of the copy."""

    wire = {"volume_name": "name"}

    def __init__(
        self, *args: Any, volume: Volume, taken: Collection[str], money: Money, short: Alert | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.money, self.short = money, short
        self.fields["name"] = NameField(label="Name of the copy", noun="volume", taken=taken)
        self.initial.setdefault("name", suggest_name(volume.volume_name, "-copy", taken))

    def clean(self) -> dict[str, Any]:
        self.alert = self.short or self.money.shortfall("The copy")
        return self.cleaned_data


class DeleteForm(BarrackForm):
    """The volume's name once more, unless it is new."""

    def __init__(self, *args: Any, volume: Volume, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.volume_name = volume.volume_name
        if volume.created_at is None or clock.now() - volume.created_at > TYPED_AFTER:
            self.fields["name"] = forms.CharField(
                label="Type the volume's name to delete it",
                required=False,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"])
        # White space is shown folded, so it cannot be typed as it is.
        if typed.split() != self.volume_name.split():
            raise ValidationError("This is not the volume's name. Nothing is deleted until it is typed exactly.")
        return typed
