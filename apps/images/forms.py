"""The forms of custom images: make one of a snapshot, delete one."""

from collections.abc import Collection
from typing import Any

from django import forms

from barrack_web.client import Listing, Snapshot
from barrack_web.forms import BarrackForm, DescriptionField, NameField, SelectWithReasons, suggest_name
from barrack_web.funds import Money
from barrack_web.templatetags.ui import size


class DeleteForm(BarrackForm):
    """Nothing to fill in: the dialog names the image."""


class CreateForm(BarrackForm):
    """Of which snapshot, under which name, and what it is for. The region is the snapshot's."""

    snapshot_id = forms.ChoiceField(
        label="Snapshot",
        widget=SelectWithReasons,
        help_text="Only a snapshot in a completed state, SUCCESS or available, can become an image.",
        error_messages={
            "required": "Choose a snapshot.",
            "invalid_choice": "This snapshot is not accessible: it does not exist any more. Choose another one.",
        },
    )
    description = DescriptionField(label="Description (optional)")
    field_order = ["snapshot_id", "name", "description"]

    def __init__(
        self, *args: Any, snapshots: Listing[Snapshot], taken: Collection[str], money: Money, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.money = money
        self.fields["name"] = NameField(label="Image name", noun="image", taken=taken)
        self.order_fields(self.field_order)
        self.rows = {row.snapshot_id: row for row in snapshots}
        newest = sorted(snapshots, key=lambda row: row.created_at, reverse=True)
        ordered = sorted(newest, key=lambda row: not row.restorable)
        self.off = {row.snapshot_id: why_not(row) for row in ordered if not row.restorable}
        field = self.fields["snapshot_id"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(field.widget, SelectWithReasons)  # noqa: S101
        empty = "Choose a snapshot" if len(self.off) < len(ordered) else "No complete snapshot"
        field.choices = [("", empty), *((row.snapshot_id, label_of(row)) for row in ordered)]
        field.widget.off = self.off
        field.live = True  # type: ignore[attr-defined]
        if self.snapshot is not None and not self.is_bound:
            self.initial.setdefault("name", suggest_name(self.snapshot.snapshot_name, "-image", taken))

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot that is chosen, None while none that can be used is."""
        chosen = str((self.data if self.is_bound else self.initial).get("snapshot_id", ""))
        return None if chosen in self.off else self.rows.get(chosen)

    def clean_snapshot_id(self) -> str:
        chosen = str(self.cleaned_data["snapshot_id"])
        if chosen in self.off:
            raise forms.ValidationError(f"No image can be made of this snapshot: {self.off[chosen]}.")
        return chosen

    def clean(self) -> dict[str, Any]:
        self.alert = self.money.shortfall("")
        return self.cleaned_data


def label_of(row: Snapshot) -> str:
    """Return "prod-backup-dec11, 250 GB (CANADA-1)"."""
    known = f", {size(row.size_gb)}" if row.size_gb is not None else ""
    return f"{row.snapshot_name[:60]}{known} ({row.region[:40]})"


def why_not(row: Snapshot) -> str:
    """Return why no image can be made of a snapshot that is not complete."""
    if row.in_transition:
        return f"{row.status[:40]}, not in a completed state yet"
    return f"{row.status[:40]}, not in a completed state"
