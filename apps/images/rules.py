"""What may be done with a custom image and why not, which snapshot it was made from, and which VMs were deployed."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import Image, Instance, Listing, OSImage, Snapshot

# The client asks the API for no longer id.
LONGEST_ID = 128
BEING_DELETED = {"deleting", "deleted"}


@dataclass(frozen=True)
class Source:
    """The snapshot of an image: `snapshot` is None where it is not at hand, `gone` where there certainly is none."""

    id: str
    snapshot: Snapshot | None
    url: str
    gone: bool

    @property
    def name(self) -> str:
        return self.snapshot.snapshot_name if self.snapshot else self.id


@dataclass(frozen=True)
class Deployed:
    """The VMs that were deployed from an image; `unsaid` is why none is named where there may be some."""

    vms: list[Instance]
    unsaid: str = ""


def why_not_usable(image: Image) -> str:
    """Return why no VM can be deployed from the image, "" when one can: SUCCESS and Available are complete."""
    if image.usable:
        return ""
    if not image.status:
        return "Barrack does not say whether the image is complete."
    if deleted(image):
        return "The image is being deleted."
    if image.in_transition:
        return f"The image is not complete yet ({image.status[:40]}). This takes several minutes."
    return f"The status is {image.status[:40]}. Only an image with the status Available or SUCCESS can be deployed."


def deleted(image: Image) -> bool:
    """Return whether its deletion is under way."""
    return (image.status or "").strip().casefold() in BEING_DELETED


def being_deleted(image: Image) -> Alert | None:
    """Return the alert for an image whose deletion is under way."""
    if not deleted(image):
        return None
    return Alert(title="It is being deleted", text="Its deletion was asked for already and is under way.")


def nothing_to_use(snapshots: Listing[Snapshot]) -> Alert | None:
    """Return the alert while there is no complete snapshot of which an image could be made."""
    if any(row.restorable for row in snapshots):
        return None
    return Alert(
        title="There is no snapshot to make an image of",
        text="An image needs a snapshot in a completed state, SUCCESS or available, and there is none.",
        todo="Take a snapshot of an ACTIVE VM, or wait for one that is being created.",
        link=reverse("snapshots:list"),
        link_text="Snapshots",
    )


def url_of(image: Image) -> str:
    """Return the address of an image's page, "" for an id that cannot stand in one."""
    return address("images:details", image.image_id)


def deploy_url(image: Image) -> str:
    """Return the address of the wizard with this image and its region chosen."""
    chosen = {"boot": "image", "image_id": image.image_id, "region": image.region}
    return f"{reverse('deploy:wizard')}?{urlencode(chosen)}"


def by_id(snapshots: Read[Listing[Snapshot]] | None) -> Mapping[str, Snapshot]:
    """Return the snapshots at hand by their id."""
    return {row.snapshot_id: row for row in snapshots.value} if snapshots else {}


def source_of(image: Image, known: Mapping[str, Snapshot], snapshots: Read[Listing[Snapshot]] | None) -> Source | None:
    """Return the snapshot that the image was made from; None when the API does not say which.

    It counts as gone only when all snapshots could be read, and now.
    """
    if not image.snapshot_id:
        return None
    snapshot = known.get(image.snapshot_id)
    whole = snapshots is not None and not snapshots.stale and snapshots.value.complete and not snapshots.value.broken
    gone = snapshot is None and whole
    url = "" if gone else address("snapshots:details", image.snapshot_id)
    return Source(image.snapshot_id, snapshot, url, gone)


def address(name: str, key: str) -> str:
    """Return the address of a page about one thing, "" for an id that cannot stand in one."""
    if not key or len(key) > LONGEST_ID:
        return ""
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return ""


def vms_of(image: Image, vms: Read[Listing[Instance]] | None, systems: Read[Listing[OSImage]] | None) -> Deployed:
    """Return the VMs of its region whose system bears the image's name: the API tells no more of what a VM runs.

    A name that an operating system has too, or may have, tells nothing.
    """
    if vms is None:
        return Deployed([], "The VMs could not be read from Barrack; this page keeps trying.")
    alike = [row for row in vms.value if row.image and row.image.name == image.name and row.region == image.region]
    alike = [row for row in alike if row.state != "DELETED"]
    if not alike:
        return Deployed([])
    if systems is not None and any(row.name == image.name for row in systems.value):
        return Deployed([], "An operating system has this name too, and Barrack does not say which of them a VM has.")
    if systems is None or systems.value.broken or not systems.value.complete:
        return Deployed([], "It is not certain which VMs have it: Barrack's operating systems could not all be read.")
    return Deployed(sorted(alike, key=lambda row: row.vm_name.casefold()))
