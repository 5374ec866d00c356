"""Offers for the pure tests of the wizard: what a cloud with these few things in it would tell."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from apps.deploy.offer import Offer
from barrack_web.cached import Read
from barrack_web.client import GPUStock, Instance, Listing, OSImage, SSHKey

T = TypeVar("T")
AT = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (1, 2, 4, 8)


def read(value: T) -> Read[T]:
    return Read(value, AT, "1")


def listed(kind: type[T], *rows: dict[str, Any]) -> Read[Listing[T]]:
    return read(Listing(tuple(msgspec.convert(row, kind) for row in rows)))


def stock(model: str, region: str, free: int) -> dict[str, Any]:
    sizes = {f"{size}x": free // size for size in SIZES}
    return {"region": region, "model": model, "available": str(free), "configurations": sizes}


def offer(*stocks: dict[str, Any], keys: tuple[str, ...] = (), names: tuple[str, ...] = (), **more: Any) -> Offer:
    """Return an offer with these GPUs free; two operating systems in A, another one in B."""
    systems = [{"name": name, "region": region} for name, region in [("u22", "A"), ("u20", "A"), ("rocky", "B")]]
    vms = [
        {"instance_id": f"BRK-{n}D", "vm_name": name, "status": "ACTIVE", "region": "A"} for n, name in enumerate(names)
    ]
    facts: dict[str, Any] = dict.fromkeys(Offer.__dataclass_fields__)
    facts |= {
        "instances": listed(Instance, *vms),
        "ssh_keys": listed(SSHKey, *({"name": name} for name in keys)),
        "stocks": listed(GPUStock, *stocks),
        "os_images": listed(OSImage, *systems),
        "errors": {},
        "currency": "USD",
    }
    return Offer(**facts | more)
