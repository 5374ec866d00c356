"""The volumes of the demo account, and made-up ones by number for seeds that count."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from barrack_web.sandbox.meter import Record
from barrack_web.sandbox.world import World, iso

_UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
_MADE_GB = 100


class DemoVolume(NamedTuple):
    """A volume of the demo; size in GB. With `boot`, the instance runs from it, as /dev/vda."""

    id: str
    name: str
    region: str
    size: int
    type: str
    status: str
    age_hours: int
    vm_id: str | None = None
    bootable: bool = False
    boot: bool = False
    device: str = "/dev/vdb"
    description: str | None = None


# Two are left over from projects that ended; one waits for an instance that is gone.
VOLUMES = (
    DemoVolume("BRK-123458V", "training-corpus", "CANADA-1", 2000, "SSD", "in-use", 400, "BRK-123456D",
               description="The cleaned 2024 crawl, read by the trainer."),
    DemoVolume("BRK-123474V", "llama-checkpoints", "NORWAY-1", 4096, "NVMe", "in-use", 60, "BRK-123471D"),
    DemoVolume("BRK-123492V", "rag-index", "CANADA-1", 512, "SSD", "in-use", 188, "BRK-123489D"),
    DemoVolume("BRK-123504V", "eval-harness-boot", "CANADA-1", 100, "SSD", "in-use", 27, "BRK-123502D",
               bootable=True, boot=True, device="/dev/vda"),
    DemoVolume("BRK-123519V", "golden-boot", "CANADA-1", 150, "SSD", "available", 700, bootable=True,
               description="Ubuntu with the team's tools, to deploy from."),
    DemoVolume("BRK-123527V", "imagenet-copy", "CANADA-1", 1500, "HDD", "available", 1900,
               description="Nobody has read it since the summer."),
    DemoVolume("BRK-123538V", "volume1", "US-1", 100, "SSD", "available", 1210),
    DemoVolume("BRK-123544V", "old-benchmark-data", "US-1", 250, "SSD", "in-use", 1460, "BRK-123560D"),
    DemoVolume("BRK-123566V", "whisper-archive", "US-1", 800, "SSD", "creating", 0),
    DemoVolume("BRK-123573V", "sweep-scratch", "US-1", 200, "NVMe", "error", 36),
    DemoVolume("BRK-123588V", "lab-import", "NORWAY-1", 640, "SSD", "maintenance", 510),
    DemoVolume("BRK-123594V", "rag-index-shadow", "CANADA-1", 512, "SSD", "attached", 50, "BRK-123489D",
               device="/dev/vdc"),
    DemoVolume("BRK-123610V", "llama-logs", "NORWAY-1", 100, "SSD", "attaching", 62, "BRK-123471D",
               device="/dev/vdc"),
    DemoVolume("BRK-123616V", "whisper-input", "US-1", 300, "SSD", "detaching", 97, "BRK-123517D"),
    DemoVolume("BRK-123631V", "scratch-autumn", "CANADA-1", 200, "HDD", "deleting", 330),
)  # fmt: skip

# Each with the hours that it existed for: only its bill is left.
DELETED_VOLUMES = ((DemoVolume("BRK-123420V", "web-crawl-2023", "CANADA-1", 3000, "HDD", "available", 2300), 1500),)

_ATTACHMENT_STATUSES = {"attaching": "ATTACHING", "detaching": "DETACHING"}


def fill(world: World, now: datetime) -> None:
    """Put the volumes of the demo into a world that has the demo's instances, billed since they were made.

    Also the bills of those that were deleted.
    """
    for number, volume in enumerate(VOLUMES, start=51):
        _put(world, volume, number, now - timedelta(hours=volume.age_hours))
    for number, (volume, hours) in enumerate(DELETED_VOLUMES):
        created = now - timedelta(hours=volume.age_hours)
        record = _record(world, volume, number, created)
        world.bill_between("volumes", volume.id, record, created, created + timedelta(hours=hours))


def fill_counts(world: World, counts: Mapping[str, int], regions: Sequence[str], now: datetime) -> None:
    """Put counts["volumes"] available volumes into a world, over all regions."""
    for number in range(counts.get("volumes", 0)):
        volume = DemoVolume(
            f"BRK-{100_001 + number}V",
            f"volume-{number + 1:04d}",
            regions[number % len(regions)],
            _MADE_GB,
            "SSD",
            "available",
            age_hours=0,
        )
        _put(world, volume, number, now - timedelta(minutes=number + 1))


def _put(world: World, volume: DemoVolume, number: int, created: datetime) -> None:
    world.add("volumes", volume.id, _record(world, volume, number, created))
    world.bill_since("volumes", volume.id, created)


def _record(world: World, volume: DemoVolume, number: int, created: datetime) -> Record:
    instance = world.instances.get(volume.vm_id or "", {})
    record = {
        "volume_id": volume.id,
        "volume_name": volume.name,
        "description": volume.description,
        "size_gb": volume.size,
        "region": volume.region,
        "status": volume.status,
        "bootable": volume.bootable,
        "volume_type": volume.type,
        "os_image": _UBUNTU if volume.bootable else None,
        "instance_id": volume.vm_id,
        "attached_vm_name": instance.get("vm_name"),
        "attached_vm_status": instance.get("status"),
        "tier": "legacy" if volume.type == "SSD" else "advanced",
        "created_at": iso(created),
        "updated_at": iso(created),
    }
    if volume.vm_id is not None:
        record["_attachment"] = {
            "id": number,
            "device": volume.device,
            "status": _ATTACHMENT_STATUSES.get(volume.status, "ATTACHED"),
            "created_at": iso(created),
            "boot": volume.boot,
        }
    return record
