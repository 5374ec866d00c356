"""The form of a new volume: name and region, size and whether it boots, its system, its type, what it costs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict

from apps.storage import facts
from apps.storage.cards import type_name
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import (
    VOLUME_LEAST_BOOTABLE_GB,
    VOLUME_LEAST_GB,
    BalanceSheet,
    Listing,
    OSImage,
    Prices,
    VolumeListing,
    VolumeRequest,
)
from barrack_web.forms import ALLOWED, NAME_LENGTH, BarrackForm, DescriptionField, NameField
from barrack_web.funds import money_for
from barrack_web.templatetags.ui import count, money, size

# A larger volume takes one more tick, beside what it costs.
CONFIRM_ABOVE_GB: Final = 1024
GB_PER_TB: Final = 1024
# More digits than any size has.
WHOLE: Final = re.compile(r"[0-9]{1,12}")
NOT_WHOLE: Final = "Enter the size as a whole number of GB, such as 250, in the digits 0 to 9 alone."


@dataclass(frozen=True)
class Offer:
    """What a new volume is chosen from. None where it could not be read."""

    listed: VolumeListing
    regions: list[str]
    os_images: Read[Listing[OSImage]] | None
    types: tuple[str, ...] | None
    prices: Read[Prices] | None
    balance: Read[BalanceSheet] | None
    currency: str

    def least(self, *, bootable: bool) -> int:
        """Return the smallest size in GB: as documented, or more where the price list says more."""
        told = (self.prices.value.volume_minimum_size_gb if self.prices else None) or 0
        return max(VOLUME_LEAST_BOOTABLE_GB if bootable else VOLUME_LEAST_GB, told)

    def systems(self, region: str) -> list[str]:
        """Return the names of the region's OS images, in the API's order."""
        rows: Iterable[OSImage] = self.os_images.value if self.os_images else ()
        return list(dict.fromkeys(row.name for row in rows if row.region == region and row.name))

    def hourly(self, size_gb: int | None, volume_type: str) -> Decimal | None:
        if size_gb is None:
            return None
        return facts.price(size_gb, volume_type or None, None, self.prices, self.currency)


def whole_gb(text: str) -> int | None:
    """Return the size that was typed, None for anything but a whole number in plain digits."""
    typed = text.strip()
    return int(typed) if WHOLE.fullmatch(typed) else None


class CreateForm(BarrackForm):
    """A new volume. `size`, `hourly` and `systems` follow what is filled in, also before it is sent."""

    wire = {"volume_name": "name", "size": "size_gb"}
    region = forms.ChoiceField(
        label="Region",
        widget=forms.Select(attrs={"class": "form-select"}),
        error_messages={
            "required": "Choose a region.",
            "invalid_choice": "This region is not offered. Choose another one.",
        },
    )
    size_gb = forms.CharField(
        label="Size (GB)", error_messages={"required": "Enter the size in GB."},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
    bootable = forms.BooleanField(
        label="Make Bootable", required=False, widget=forms.CheckboxInput(attrs={"class": "switch", "role": "switch"})
    )
    os_image = forms.CharField(label="OS image", required=False, widget=forms.Select(attrs={"class": "form-select"}))
    volume_type = forms.ChoiceField(
        label="Volume type",
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
        error_messages={"invalid_choice": "This type is not offered any more. Choose another one."},
    )
    description = DescriptionField(label="Description (optional)")
    confirmed = forms.CharField(required=False)

    def __init__(self, data: QueryDict | None, *, offer: Offer, initial: Mapping[str, Any]) -> None:
        least = offer.least(bootable=True)
        data, self.raised = _raised(data, least) if data is not None else (None, False)
        super().__init__(data, initial=_first_values(offer, initial))
        self.offer = offer
        self.fields["name"] = NameField(
            label="Volume name",
            noun="volume",
            taken={row.volume_name for row in offer.listed},
            help_text="Unique in the account.",
        )
        most = size(settings.VOLUME_MAX_GB)
        self.fields["description"].widget.attrs["rows"] = 2
        self.fields["size_gb"].help_text = f"{size(offer.least(bootable=self.wants_bootable))} to {most}."
        self._choices(str(self._filled("region")))
        if not self.is_bound:
            self.alert = self.too_little()

    def _filled(self, name: str) -> Any:
        return (self.data if self.is_bound else self.initial).get(name) or ""

    def _choices(self, region: str) -> None:
        offer = self.offer
        self.systems = offer.systems(region)
        regions, types, system = self.fields["region"], self.fields["volume_type"], self.fields["os_image"].widget
        assert isinstance(regions, forms.ChoiceField) and isinstance(types, forms.ChoiceField)  # noqa: S101, PT018
        assert isinstance(system, forms.Select)  # noqa: S101 - all three are declared above
        regions.choices = [("", "Choose a region"), *((name, name) for name in offer.regions)]
        kinds = offer.types
        if kinds is None:
            # What was chosen stays so, and the API decides: without a type it would take its usual one.
            kept = str(self._filled("volume_type"))
            kinds = (kept,) if kept else ()
            types.help_text = "The other types cannot be read now."
        types.choices = [(name, self._type_label(name)) for name in kinds]
        system.choices = [("", "Choose an OS image"), *((name, name[:100]) for name in self.systems)]

    def _type_label(self, name: str) -> str:
        per_tb = self.offer.hourly(GB_PER_TB, name)
        price = "" if per_tb is None else f" – {money(per_tb, self.offer.currency)} per TB and hour"
        return f"{type_name(name)[:60]}{price}"

    @property
    def wants_bootable(self) -> bool:
        # As the check box itself reads it.
        return str(self._filled("bootable")).casefold() not in {"", "false", "0"}

    @property
    def size(self) -> int | None:
        """The size that stands in the field, None where none can be read or none is offered so large."""
        found = whole_gb(str(self._filled("size_gb")))
        return found if found and found <= settings.VOLUME_MAX_GB else None

    @property
    def hourly(self) -> Decimal | None:
        """What a volume of that size and type costs per hour; None while no price is known."""
        return self.offer.hourly(self.size, str(self._filled("volume_type")))

    @property
    def monthly(self) -> Decimal | None:
        return facts.monthly(self.hourly)

    @property
    def type(self) -> str:
        return type_name(str(self._filled("volume_type")))

    @property
    def large(self) -> bool:
        """Whether the size takes one more tick."""
        return self.size is not None and self.size > CONFIRM_ABOVE_GB

    @property
    def confirmed_size(self) -> bool:
        """Whether the tick was set for this very size, type and region."""
        return str(self._filled("confirmed")) == self.confirmation

    @property
    def confirmation(self) -> str:
        return f"{self.size} {self._filled('volume_type')}".strip()

    @property
    def no_systems(self) -> str:
        """Why no OS image can be chosen, "" when one can."""
        region = str(self._filled("region"))[:60]
        if self.offer.os_images is None:
            return "The OS images cannot be read now. Try again in a minute, or create a volume that is not bootable."
        if not region:
            return "Choose a region first: each has OS images of its own."
        if not self.systems:
            return (
                f"No OS images are available for {region}, so no bootable volume can be made there. "
                "Choose another region, or create a volume that is not bootable."
            )
        return ""

    def too_little(self) -> Alert | None:
        """Return the alert while the balance is below what a new volume takes, or below one hour of it."""
        short = facts.least_balance_alert(self.offer.balance)
        return short or money_for(self.offer.balance, self.hourly).shortfall(f"A volume of {size(self.size)}")

    def clean_size_gb(self) -> int:
        found = whole_gb(self.cleaned_data["size_gb"])
        if found is None:
            raise ValidationError(NOT_WHOLE, code="invalid")
        if found > settings.VOLUME_MAX_GB:
            most = settings.VOLUME_MAX_GB
            raise ValidationError(f"A volume has at most {size(most)} ({count(most)} GB).", code="max")
        least = self.offer.least(bootable=self.wants_bootable)
        if found < least:
            what = "bootable" if self.wants_bootable else "standard"
            raise ValidationError(f"A {what} volume has at least {size(least)}; this is {size(found)}.", code="min")
        return found

    def clean_os_image(self) -> str:
        chosen = str(self.cleaned_data["os_image"])
        if not self.wants_bootable:
            return ""
        if self.no_systems:
            raise ValidationError(self.no_systems, code="none" if self._filled("region") else "required")
        if not chosen:
            raise ValidationError("A bootable volume needs an OS image. Choose one.", code="required")
        if chosen not in self.systems:
            raise ValidationError("This OS image is not offered in the region. Choose another one.", code="gone")
        return chosen

    def clean(self) -> dict[str, Any]:
        if self.raised:
            text = f"Raised to {self._filled('size_gb')} GB, the least for a bootable volume. Send it again if it fits."
            self.add_error("size_gb", ValidationError(text, code="raised"))
        if self.large and not self.confirmed_size:
            self.add_error("confirmed", ValidationError("Tick this to create a volume so large.", code="required"))
        self.alert = self.too_little()
        return self.cleaned_data

    def quiet(self) -> None:
        """Leave out what is wrong only because it is not filled in yet, while somebody is still filling it in."""
        for name, errors in list(self.errors.as_data().items()):
            if all(error.code in {"required", "raised"} for error in errors):
                del self.errors[name]
        self.alert = None

    def request(self) -> VolumeRequest:
        """Return what is asked of the cloud. Only for a form that is valid."""
        data = self.cleaned_data
        return VolumeRequest(
            name=data["name"],
            region=data["region"],
            size_gb=data["size_gb"],
            bootable=True if data["bootable"] else None,
            os_image=data["os_image"] or None,
            volume_type=data["volume_type"] or None,
            description=data["description"] or None,
        )


def _raised(data: QueryDict, least: int) -> tuple[QueryDict, bool]:
    """Return the form's data, and whether its size was raised: it was just made bootable and is smaller than that."""
    found = whole_gb(data.get("size_gb", ""))
    if not data.get("bootable") or data.get("was_bootable") or found is None or found >= least:
        return data, False
    raised = data.copy()
    raised["size_gb"] = str(least)
    return raised, True


def _first_values(offer: Offer, initial: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form begins with; of what an address names, only what is offered."""
    types = offer.types or ()
    usual = next((name for name in types if type_name(name) == "Cloud-SSD"), next(iter(types), ""))
    region = initial.get("region", "")
    only = offer.regions[0] if len(offer.regions) == 1 else ""
    return {
        "name": _next_name(offer.listed),
        "size_gb": str(max(100, offer.least(bootable=False))),
        "volume_type": usual,
        **initial,
        "region": region if region in offer.regions else only,
    }


def _next_name(listed: VolumeListing) -> str:
    """Return the name that the API suggests, else the first "volume1", "volume2" that is free."""
    taken, told = {row.volume_name for row in listed}, (listed.next_name or "").strip()
    if told and told not in taken and len(told) <= NAME_LENGTH and all(ALLOWED.fullmatch(sign) for sign in told):
        return told
    return next(name for number in range(1, len(taken) + 2) if (name := f"volume{number}") not in taken)
