"""What a deployment asks for, and what the API says to it."""

import msgspec

from .reading import Accepted
from .rules import SecurityRuleRequest


class DeploymentRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A new instance. Exactly one of `os_image`, `volume_id` and `image_id`, of the same region, is what it boots from.

    `ssh_keys` are names, at least one. `cloud_init` is at most 16,384 bytes of UTF-8, `jupyter_password` at least 8
    characters and wanted when `jupyter_enabled` (bounds source: user documentation; names on the wire: assumed). Its
    repr shows neither the password nor the cloud-init, which may hold secrets.
    """

    vm_name: str
    gpu_model: str
    gpu_count: int
    region: str
    ssh_keys: tuple[str, ...]
    tier: str | None = None
    os_image: str | None = None
    volume_id: str | None = None
    image_id: str | None = None
    assign_public_ip: bool | None = None
    security_rules: tuple[SecurityRuleRequest, ...] = ()
    jupyter_enabled: bool | None = None
    jupyter_password: str | None = None
    cloud_init: str | None = None
    script_id: str | None = None

    def __repr__(self) -> str:
        return f"DeploymentRequest({self.vm_name!r}, {self.gpu_count} x {self.gpu_model!r}, {self.region!r})"


class Deployment(Accepted, frozen=True):
    """A deployment began; `status` is that of the new instance.

    Source: assumed, but for `deployment_id`, which is in the user documentation.
    """

    instance_id: str | None = None
    deployment_id: str | None = None
    status: str | None = None
    tier: str | None = None
