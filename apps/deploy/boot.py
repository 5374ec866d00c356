"""What a new VM can boot from in a region: an operating system, a bootable volume, or an image of one's own."""

from typing import Final

from apps.deploy.offer import MOST_CHOICES, Offer
from barrack_web.client import VOLUME_LEAST_BOOTABLE_GB, Image, Volume
from barrack_web.templatetags.ui import size

SOURCES: Final = {"os": "OS Images", "volume": "Volumes", "image": "Custom Images"}
FIELD_OF: Final = {"os": "os_image", "volume": "volume_id", "image": "image_id"}
LIST_OF: Final = {"volume": "volumes", "image": "images"}

# Pairs of value and words, and why some of them cannot be chosen.
Options = tuple[list[tuple[str, str]], dict[str, str]]


def os_names(offer: Offer, region: str) -> list[str]:
    """Return the names of the region's operating systems, in the API's order."""
    rows = [row for row in offer.os_images.value if row.region == region and row.name] if offer.os_images else []
    return list(dict.fromkeys(row.name for row in rows))[:MOST_CHOICES]


def volume_options(offer: Offer, region: str, chosen: str) -> Options:
    """Return the region's bootable volumes, the one chosen in any case; those in use or too small are off."""
    rows = [row for row in offer.volumes.value if row.region == region and row.bootable] if offer.volumes else []
    ordered = sorted(rows, key=lambda row: (bool(why_not_volume(row)), row.volume_name.casefold()))
    shown = [row for place, row in enumerate(ordered) if place < MOST_CHOICES or row.volume_id == chosen]
    off = {row.volume_id: why_not_volume(row) for row in shown}
    options = [(row.volume_id, f"{row.volume_name[:50]} – {size(row.size_gb)}{_system(row)}") for row in shown]
    return options, {key: reason for key, reason in off.items() if reason}


def _system(row: Volume) -> str:
    return f", {row.os_image[:60]}" if row.os_image else ""


def why_not_volume(row: Volume) -> str:
    """Return why a VM cannot boot from the volume, "" when it can."""
    if row.size_gb < VOLUME_LEAST_BOOTABLE_GB:
        return f"smaller than {size(VOLUME_LEAST_BOOTABLE_GB)}"
    if row.instance_id:
        return f"attached to {(row.attached_vm_name or row.instance_id)[:50]}"
    if row.status.casefold() != "available":
        return f"its status is {row.status[:40]}"
    return ""


def image_options(offer: Offer, region: str, chosen: str) -> Options:
    """Return the region's custom images, the one chosen in any case; those that are not complete are off."""
    rows = [row for row in offer.images.value if row.region == region] if offer.images else []
    ordered = sorted(rows, key=lambda row: (not row.usable, row.name.casefold()))
    shown = [row for place, row in enumerate(ordered) if place < MOST_CHOICES or row.image_id == chosen]
    options = [(row.image_id, f"{row.name[:50]}{f' – {size(row.size_gb)}' if row.size_gb else ''}") for row in shown]
    return options, {row.image_id: why_not_image(row) for row in shown if not row.usable}


def why_not_image(row: Image) -> str:
    """Return why a VM cannot be made of an image that is not usable."""
    return f"its status is {(row.status or 'not told')[:40]}"
