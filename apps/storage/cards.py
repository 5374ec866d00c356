"""What pages show of one volume: which VM has it, what it costs, which buttons are off and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.text import slugify

from apps.storage import facts
from barrack_web.alerts import while_failing
from barrack_web.cached import Read
from barrack_web.client import (
    VOLUME_ALLOWS,
    VOLUME_ATTACHED,
    VOLUME_LEAST_BOOTABLE_GB,
    VOLUME_MOVES_ON,
    Instance,
    Listing,
    Prices,
    Volume,
    instance_state,
)

# Longer ones are refused by the API client too.
ID_LENGTH: Final = 128
NO_ADDRESS: Final = "Barrack sent an id that cannot be used in an address."
# The user documentation calls the usual type so; the API says SSD.
TYPE_NAMES: Final = {"ssd": "Cloud-SSD", "cloud-ssd": "Cloud-SSD"}


@dataclass(frozen=True)
class Owner:
    """The VM that has a volume, as far as it is known: `state` is "" and `url` "" where they are not."""

    id: str
    name: str
    state: str
    url: str
    # Whether the VM runs from this volume.
    boots: bool
    device: str


@dataclass(frozen=True)
class Card:
    """`off` says per action why its button is off, "" when it is on."""

    volume: Volume
    owner: Owner | None
    hourly: Decimal | None
    url: str
    off: dict[str, str]

    @property
    def monthly(self) -> Decimal | None:
        return facts.monthly(self.hourly)

    @property
    def in_use(self) -> bool:
        """Whether its status is one of the two words for being attached."""
        return self.volume.state in VOLUME_ATTACHED

    @property
    def type(self) -> str:
        return type_name(self.volume.volume_type or "")

    @property
    def deploy_url(self) -> str:
        """Return where a VM is deployed from it, "" when none can be now."""
        row = self.volume
        if not row.bootable or row.attached or row.state != "AVAILABLE" or row.size_gb < VOLUME_LEAST_BOOTABLE_GB:
            return ""
        choice = {"new": "1", "region": row.region, "boot": "volume", "volume_id": row.volume_id}
        return f"{reverse('deploy:wizard')}?{urlencode(choice)}"


def card_of(
    found: Read[Volume], instances: Read[Listing[Instance]] | None, prices: Read[Prices] | None, currency: str
) -> Card:
    """Return one volume with what is shown beside it. The read's problem turns every button off."""
    volume = found.value
    owner = owner_of(volume, instances.value if instances else ())
    url = address("storage:details", volume.volume_id)
    if found.problem is not None:
        reason = f"{while_failing(found.problem)}, so nothing can be changed now."
    else:
        reason = "" if url else NO_ADDRESS
    off = {action: reason or why_not(action, volume, owner) for action in VOLUME_ALLOWS}
    return Card(volume, owner, facts.hourly(volume, prices, currency), url, off)


def owner_of(volume: Volume, instances: Iterable[Instance]) -> Owner | None:
    """Return the VM that has the volume, None for one that no VM has."""
    instance_id, instance = facts.vm_of(volume, instances)
    if not instance_id and not volume.attached:
        return None
    return Owner(
        id=instance_id,
        name=instance.vm_name if instance else facts.vm_name(volume),
        state=instance.state if instance else instance_state(volume.attached_vm_status or ""),
        url=address("vms:details", instance_id),
        boots=facts.boots(volume, instance),
        device=facts.device_of(volume, instance),
    )


def why_not(action: str, volume: Volume, owner: Owner | None) -> str:
    """Return why a volume takes no such action now, also for what its VM has to do with it; "" when it does."""
    reason = facts.why_not(action, volume)
    if reason or action != "detach" or owner is None or not owner.state:
        return reason
    if owner.state not in VOLUME_MOVES_ON:
        return f"The VM {owner.name[:60]} is {owner.state[:40]}. Volumes are detached from ACTIVE VMs only."
    if owner.boots:
        return f"The VM {owner.name[:60]} runs from it. The boot volume of a running VM cannot be detached."
    return ""


def type_name(volume_type: str) -> str:
    """Return what a type of volumes is called: the usual one by its documented name, others as the API spells them."""
    return TYPE_NAMES.get(volume_type.casefold(), volume_type)


def folder_of(volume: Volume) -> str:
    """Return the name of the folder that commands mount the volume at."""
    return slugify(volume.volume_name)[:50] or "volume"


def address(name: str, wanted: str) -> str:
    """Return the address of the page about that id, "" for an id that cannot stand in one."""
    if not 0 < len(wanted) <= ID_LENGTH or not wanted.strip("."):
        return ""
    try:
        return reverse(name, args=[wanted])
    except NoReverseMatch:
        return ""


def next_step(card: Card) -> tuple[str, str]:
    """Return what a volume's state means, and what can be done about it, in a sentence each."""
    volume = card.volume
    if volume.in_transition:
        return f"It is {volume.status.strip().casefold()[:40]}.", "Nothing has to be done."
    if card.in_use or card.owner:
        return f"It is attached to {card.owner.name[:60] if card.owner else 'a VM'}.", "Its data outlive that VM."
    if volume.state == "AVAILABLE":
        from_it = " A new VM can also be deployed from it." if card.deploy_url else ""
        return "It is ready to be attached.", f"Attach it to an ACTIVE VM in {volume.region[:60]}.{from_it}"
    if volume.state == "ERROR":
        return (
            "There was an issue creating or attaching it.",
            "If it was just made, delete it and create it again. If it holds data, write to support first.",
        )
    return (
        f"Barrack says “{volume.status[:40]}”, which is no state that its documentation explains.",
        "Wait and look again, or ask support what it means.",
    )
