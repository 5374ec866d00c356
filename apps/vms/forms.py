"""The forms of VMs: most say all by being sent; deleting one asks for its name."""

from datetime import timedelta
from typing import Any

from django import forms

from barrack_web import clock
from barrack_web.client import Instance
from barrack_web.forms import BarrackForm

# An older VM, or one that runs, is deleted only by somebody who types its name.
TYPED_AFTER = timedelta(days=7)


class ConfirmForm(BarrackForm):
    """Nothing to fill in: the dialog says what happens."""


class DeleteForm(BarrackForm):
    """The VM's name once more, where deleting the wrong one would hurt."""

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.vm_name = instance.vm_name
        if needs_name(instance):
            self.fields["name"] = forms.CharField(
                label="Type the VM's name to delete it",
                required=False,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )

    def clean_name(self) -> str:
        typed = str(self.cleaned_data["name"])
        # White space is shown folded, so it cannot be typed as it is.
        if typed.split() != self.vm_name.split():
            raise forms.ValidationError("This is not the VM's name. Nothing is deleted until it is typed exactly.")
        return typed


def needs_name(instance: Instance) -> bool:
    """Return whether deleting this VM asks for its name: it runs, or is older than seven days, or of unknown age."""
    old = instance.created_at is None or clock.now() - instance.created_at > TYPED_AFTER
    return instance.state == "ACTIVE" or old
