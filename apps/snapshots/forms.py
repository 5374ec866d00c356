"""The forms of snapshots: create one, restore it to a new VM, make an image of it."""

from collections.abc import Collection
from typing import Any

from django import forms

from barrack_web.client import Instance, Listing, Snapshot, UserInstance
from barrack_web.forms import BarrackForm, DescriptionField, NameField, SelectWithReasons, suggest_name
from barrack_web.funds import Money


class RestoreForm(BarrackForm):
    """The name of the new VM."""

    wire = {"new_vm_name": "name", "vm_name": "name"}

    def __init__(self, *args: Any, snapshot: Snapshot, taken: Collection[str], money: Money, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.money = money
        self.gpus = snapshot.gpu_type or "VM"
        self.fields["name"] = NameField(label="New VM name", noun="VM", taken=taken)
        self.initial.setdefault("name", suggest_name(snapshot.snapshot_name, "-restored", taken))

    def clean(self) -> dict[str, Any]:
        self.alert = self.money.shortfall(f"A new {self.gpus} VM")
        return self.cleaned_data


class ImageForm(BarrackForm):
    """The name of the new image and what it is for."""

    description = DescriptionField(label="Description (optional)")
    field_order = ["name", "description"]

    def __init__(self, *args: Any, snapshot: Snapshot, taken: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = NameField(label="Image name", noun="image", taken=taken)
        self.order_fields(self.field_order)
        self.initial.setdefault("name", suggest_name(snapshot.snapshot_name, "-image", taken))


class DeleteForm(BarrackForm):
    """Nothing to fill in: the dialog names the snapshot."""


class CreateForm(BarrackForm):
    """Which VM, under which name; description and image stand behind "Show advanced options"."""

    wire = {"snapshot_name": "name"}
    instance_id = forms.ChoiceField(
        label="Virtual machine",
        widget=SelectWithReasons,
        error_messages={
            "required": "Choose a VM.",
            "invalid_choice": "This VM does not exist any more. Choose another one.",
        },
    )
    description = DescriptionField(label="Description (optional)")
    create_as_image = forms.BooleanField(
        label="Create as Image",
        required=False,
        help_text="Also makes a custom image, which appears among the boot sources when you deploy a VM.",
    )
    field_order = ["instance_id", "name", "description", "create_as_image"]

    def __init__(
        self,
        *args: Any,
        eligible: Listing[UserInstance],
        instances: Listing[Instance],
        region: str,
        taken: Collection[str],
        money: Money,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.money = money
        self.fields["name"] = NameField(label="Snapshot name", noun="snapshot", taken=taken)
        self.order_fields(self.field_order)
        here = [row for row in eligible if not region or row.region == region]
        ready = {row.instance_id for row in here}
        others = [row for row in instances if row.instance_id not in ready and (not region or row.region == region)]
        self.off = {row.instance_id: why_not_eligible(row) for row in others}
        self.has_vms = bool(here)
        self.names = {row.instance_id: row.vm_name for row in here}
        field = self.fields["instance_id"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        assert isinstance(field.widget, SelectWithReasons)  # noqa: S101
        empty = "Choose a VM" if here else "No active VMs available"
        field.choices = [
            ("", empty),
            *((row.instance_id, vm_label(row)) for row in here),
            *((row.instance_id, vm_label(row)) for row in others),
        ]
        field.widget.off = self.off
        field.live = True  # type: ignore[attr-defined]

    @property
    def advanced_used(self) -> bool:
        """Whether something stands behind "Show advanced options" that its user should see again."""
        filled = self.data or self.initial
        return bool(filled.get("description") or filled.get("create_as_image"))

    @property
    def vm_name(self) -> str:
        """The name of the VM that was chosen, for the trail."""
        return self.names.get(str(self.data.get("instance_id", "")), "")

    def clean_instance_id(self) -> str:
        chosen = str(self.cleaned_data["instance_id"])
        if chosen in self.off:
            raise forms.ValidationError(f"No snapshot can be taken of this VM: {self.off[chosen]}.")
        return chosen

    def clean(self) -> dict[str, Any]:
        self.alert = self.money.shortfall("")
        return self.cleaned_data


def vm_label(row: UserInstance | Instance) -> str:
    """Return "my-vm - H100-SXM5-80GB (CANADA-1)"."""
    gpu = f" - {row.gpu_type}" if row.gpu_type else ""
    return f"{row.vm_name}{gpu} ({row.region})"


def why_not_eligible(row: Instance) -> str:
    """Return why no snapshot can be taken of that VM now."""
    if row.state == "SHUTOFF":
        return "stopped; only ACTIVE VMs can be snapshotted, so start it first"
    if row.state == "HIBERNATED":
        return "hibernated; only ACTIVE VMs can be snapshotted, so restore it first"
    if row.state == "ACTIVE":
        return "ACTIVE, but the cloud does not offer it for snapshots now"
    return f"{row.state}; only ACTIVE VMs can be snapshotted"
