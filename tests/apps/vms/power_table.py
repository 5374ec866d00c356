"""The six dialogs of a VM's power, each with a VM of the demo that it fits, and what is said when it was sent."""

from dataclasses import dataclass

import pytest

from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox


@dataclass(frozen=True)
class Power:
    """One dialog: `state` is what its VM is in, `through` what follows, `now` how a 409 words the VM's state.

    `title` and `toast` stand on the page, `doubt` stands where nobody knows whether it happened.
    """

    key: str
    label: str
    busy: str
    vm: str
    name: str
    state: str
    through: str
    toast: str
    doubt: str
    now: str

    @property
    def url(self) -> str:
        return f"/vms/{self.vm}/{self.key}/"

    @property
    def page(self) -> str:
        """Where a browser without JavaScript is led afterwards."""
        return "/vms/" if self.key == "delete" else f"/vms/{self.vm}/"

    @property
    def kind(self) -> str:
        return f"instance.{self.key}"

    @property
    def call(self) -> str:
        """The operation of the API."""
        return f"{self.key}_instance"

    @property
    def path(self) -> str:
        """The path at which the cloud receives it."""
        return f"/instances/{self.vm}" if self.key == "delete" else f"/instances/{self.vm}/{self.key}"

    @property
    def badge(self) -> str:
        """The badge of its state."""
        return "<bdi>Stopped (SHUTOFF)</bdi>" if self.state == "SHUTOFF" else f"<bdi>{self.state.capitalize()}</bdi>"

    @property
    def title(self) -> str:
        return f"{self.label} VM"

    @property
    def typed(self) -> dict[str, str]:
        """What has to be filled in."""
        return {"name": self.name} if self.key == "delete" else {}


POWERS = {
    power.key: power
    for power in (
        Power("start", "Start", "Starting...", "BRK-123533D", "notebook-anna", "SHUTOFF", "STARTING",
              "notebook-anna is starting.", "the VM is starting", "stopped (SHUTOFF)"),
        Power("stop", "Stop", "Stopping...", "BRK-123456D", "ml-training-server", "ACTIVE", "STOPPING",
              "ml-training-server is stopping.", "the VM is stopping", "active"),
        Power("reboot", "Reboot", "Rebooting...", "BRK-123471D", "llama-ft-70b", "ACTIVE", "REBOOTING",
              "llama-ft-70b is rebooting.", "the VM is rebooting", "active"),
        Power("hibernate", "Hibernate", "Hibernating...", "BRK-123517D", "whisper-batch", "ACTIVE", "HIBERNATING",
              "whisper-batch is hibernating.", "the VM is hibernating", "active"),
        Power("restore", "Restore", "Restoring...", "BRK-123548D", "diffusion-lab", "HIBERNATED", "RESTORING",
              "diffusion-lab is being restored.", "the VM is being restored", "hibernated"),
        Power("delete", "Delete", "Deleting...", "BRK-123489D", "rag-index-builder", "ACTIVE", "DELETING",
              "rag-index-builder is being deleted.", "the VM is being deleted", "active"),
    )
}  # fmt: skip

# Every test with this mark runs once for each of the six.
each = pytest.mark.parametrize("power", POWERS.values(), ids=POWERS)


def status_of(sandbox: Sandbox, power: Power) -> str:
    """Return the state that the VM is in, in the cloud."""
    return str(sandbox.world.instances[power.vm]["status"])


def writes(sandbox: Sandbox) -> list[tuple[str | None, str, str]]:
    """Return every change that the cloud was asked for: operation, method and path."""
    return [(call.operation, call.method, call.path) for call in sandbox.log.calls() if call.method != "GET"]


def state_of_operation() -> str:
    """Return how the one operation that was written down has ended."""
    return Operation.objects.get().state
