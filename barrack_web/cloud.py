"""What pages call: the cloud's lists with their age, and the client for writes. The only door to the sandbox."""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.dispatch import Signal

from barrack_web import capabilities
from barrack_web.cached import Read, Source
from barrack_web.client import (
    AttachedFirewall,
    BalanceSheet,
    BillingPage,
    Client,
    GPUSpec,
    GPUStock,
    HibernatedCount,
    Image,
    Instance,
    Listing,
    OSImage,
    Prices,
    PricingRequest,
    Protocol,
    Region,
    Script,
    Snapshot,
    SnapshotImages,
    SSHKey,
    TimeLimits,
    UserInstance,
    Volume,
    VolumeListing,
)
from barrack_web.records import Records, records_of
from barrack_web.sandbox.server import Sandbox, transport

# The three documented regions, for an account without resources on an API that no longer lists regions.
DOCUMENTED_REGIONS = ("CANADA-1", "NORWAY-1", "US-1")
BILLING_PAGE_SIZE = 20
# Longer names of regions are not offered as a filter: no cloud has them, and an address could not carry them.
REGION_LENGTH = 100

T = TypeVar("T")
_lock = threading.Lock()
_client: Client | None = None
_sandbox: Sandbox | None = None


def client() -> Client:
    """Return the process's one client. Only writes and look-ups call it directly; pages use the sources below."""
    global _client  # noqa: PLW0603 - one connection pool for the process
    with _lock:
        if _client is None:
            _client = _new_client()
        return _client


def sandbox() -> Sandbox:
    """Return the process's simulated cloud. Raises RuntimeError when the portal speaks to the real API."""
    global _sandbox  # noqa: PLW0603 - one simulated cloud for the process
    if not settings.SANDBOX:
        raise RuntimeError("The portal has an API key, so there is no sandbox.")
    if _sandbox is None:
        _sandbox = Sandbox(seed="demo", speed=settings.SANDBOX_SPEED, latency=settings.SANDBOX_LATENCY)
    return _sandbox


def _new_client() -> Client:
    limits = TimeLimits(
        connect=settings.API_CONNECT_SECONDS,
        read=settings.API_READ_SECONDS,
        write=settings.API_WRITE_SECONDS,
        look_up=settings.API_LOOK_UP_SECONDS,
        stream=settings.API_STREAM_SECONDS,
    )
    if settings.SANDBOX:
        cloud = sandbox()
        return Client("http://sandbox.invalid/api", cloud.key, limits=limits, transport=transport(cloud))
    return Client(
        settings.BARRACK_API_URL,
        settings.BARRACK_API_KEY,
        auth_header=settings.BARRACK_API_AUTH_HEADER,
        auth_prefix=settings.BARRACK_API_AUTH_PREFIX,
        limits=limits,
        operations=settings.BARRACK_API_OVERRIDES.operations,
        names=settings.BARRACK_API_OVERRIDES.names,
    )


def reset() -> None:
    """Forget the client and every copy of this process."""
    global _client  # noqa: PLW0603
    with _lock:
        if _client is not None:
            _client.close()
        _client = None
    for source in SOURCES:
        source.drop()


def _snapshot_records(snapshot_id: str) -> Records:
    return records_of(
        lambda number, within: client().snapshots.billing(page=number, limit=100, within=within),
        lambda record: record.snapshot_id == snapshot_id,
    )


def _volume_records(volume_id: str) -> Records:
    return records_of(
        lambda number, within: client().volumes.billing(page=number, limit=100, within=within),
        lambda record: record.volume_id == volume_id,
    )


def _instance_records(instance_id: str) -> Records:
    return records_of(
        lambda number, within: client().instances.billing(page=number, limit=100, within=within),
        lambda record: record.instance_id == instance_id,
    )


def _quote(key: str) -> Prices:
    """Return the prices of "model/count"."""
    model, _, count = key.rpartition("/")
    return client().catalog.query_prices(PricingRequest(resource_type="gpus", gpu_model=model, gpu_count=int(count)))


def _status_seconds(
    listing: Listing[Instance]
    | Listing[Snapshot]
    | Listing[SSHKey]
    | Listing[Script]
    | Listing[UserInstance]
    | Listing[AttachedFirewall]
    | Listing[Image]
    | VolumeListing,
) -> float:
    # A very large account takes many pages a read; reading it less often keeps its share of the API's time the same.
    return settings.FRESH_STATUS_SECONDS * max(1.0, listing.pages / 5)


def _seconds(setting: str, _value: object) -> float:
    return float(getattr(settings, setting))


_as_status = partial(_seconds, "FRESH_STATUS_SECONDS")
_as_catalog = partial(_seconds, "FRESH_CATALOG_SECONDS")
_as_balance = partial(_seconds, "FRESH_BALANCE_SECONDS")

# Sent when a list was read anew, away from the page that asked for it. The sender is the list's name.
# Arguments: listing, and begun, the time at which it was asked for.
list_read = Signal()


def _tell(name: str, listing: object, begun: datetime) -> None:
    # A listener that fails is logged, and no reader hears of it.
    list_read.send_robust(name, listing=listing, begun=begun)


def _listed(source: Source[Any], id_of: Callable[[T], str]) -> Callable[[str], Read[T] | None]:
    """Return what gives one row of the list at hand, for the day on which its own page was never read before."""

    def find(wanted: str) -> Read[T] | None:
        listed = source.peek()
        row = next((row for row in listed.value if id_of(row) == wanted), None) if listed else None
        return Read(row, listed.at, listed.version) if listed and row is not None else None

    return find


instances: Source[Listing[Instance]] = Source(
    "instances",
    Listing[Instance],
    lambda _: client().instances.list(),
    _status_seconds,
    told=partial(_tell, "instances"),
)


instance: Source[Instance] = Source(
    "instance",
    Instance,
    lambda key: client().instances.get(key),
    _as_status,
    fallback=_listed(instances, lambda row: row.instance_id),
)
instance_firewalls: Source[Listing[AttachedFirewall]] = Source(
    "instance-firewalls",
    Listing[AttachedFirewall],
    lambda key: client().firewalls.of_instance(key),
    _status_seconds,
)
instance_billing: Source[BillingPage] = Source(
    "instance-billing",
    BillingPage,
    lambda key: client().instances.billing(page=int(key), limit=BILLING_PAGE_SIZE),
    _as_catalog,
)
instance_records: Source[Records] = Source("instance-records", Records, _instance_records, _as_catalog)
hibernated: Source[HibernatedCount] = Source(
    "hibernated",
    HibernatedCount,
    capabilities.offered("get_hibernated_instances_count", lambda _: client().instances.hibernated_count()),
    _as_balance,
)
stocks: Source[Listing[GPUStock]] = Source(
    "stocks",
    Listing[GPUStock],
    capabilities.offered("get_gpu_stocks", lambda _: client().catalog.stocks()),
    partial(_seconds, "FRESH_STOCK_SECONDS"),
)
specs: Source[Listing[GPUSpec]] = Source(
    "specs",
    Listing[GPUSpec],
    capabilities.offered("get_gpu_specs", lambda _: client().catalog.specs()),
    _as_catalog,
)
os_images: Source[Listing[OSImage]] = Source(
    "os-images", Listing[OSImage], lambda _: client().catalog.os_images(), _as_catalog
)
protocols: Source[Listing[Protocol]] = Source(
    "protocols", Listing[Protocol], lambda _: client().firewalls.protocols(), _as_catalog
)
eligible: Source[Listing[UserInstance]] = Source(
    "eligible", Listing[UserInstance], lambda _: client().instances.eligible_for_snapshots(), _status_seconds
)
snapshots: Source[Listing[Snapshot]] = Source(
    "snapshots",
    Listing[Snapshot],
    lambda _: client().snapshots.list(),
    _status_seconds,
    told=partial(_tell, "snapshots"),
)

ssh_keys: Source[Listing[SSHKey]] = Source(
    "ssh-keys", Listing[SSHKey], lambda _: client().ssh_keys.list(), _status_seconds
)

ssh_key: Source[SSHKey] = Source(
    "ssh-key",
    SSHKey,
    lambda key: client().ssh_keys.get(key),
    _as_status,
    fallback=_listed(ssh_keys, lambda row: row.id or ""),
)
volumes: Source[VolumeListing] = Source("volumes", VolumeListing, lambda _: client().volumes.list(), _status_seconds)
volume: Source[Volume] = Source(
    "volume",
    Volume,
    lambda key: client().volumes.get(key),
    _as_status,
    fallback=_listed(volumes, lambda row: row.volume_id),
)
volume_types: Source[tuple[str, ...]] = Source(
    "volume-types", tuple[str, ...], lambda _: client().volumes.types(), _as_catalog
)
volume_records: Source[Records] = Source("volume-records", Records, _volume_records, _as_catalog)
images: Source[Listing[Image]] = Source("images", Listing[Image], lambda _: client().images.list(), _status_seconds)
image: Source[Image] = Source(
    "image",
    Image,
    lambda key: client().images.get(key),
    _as_status,
    fallback=_listed(images, lambda row: str(row.image_id)),
)

scripts: Source[Listing[Script]] = Source(
    "scripts", Listing[Script], lambda _: client().scripts.list(), _status_seconds
)


script: Source[Script] = Source(
    "script",
    Script,
    lambda key: client().scripts.get(key),
    _as_status,
    fallback=_listed(scripts, lambda row: row.script_id),
)


snapshot: Source[Snapshot] = Source(
    "snapshot",
    Snapshot,
    lambda key: client().snapshots.get(key),
    _as_status,
    fallback=_listed(snapshots, lambda row: row.snapshot_id),
)
snapshot_images: Source[SnapshotImages] = Source(
    "snapshot-images", SnapshotImages, lambda key: client().images.relationship(key), _as_status
)
snapshot_billing: Source[BillingPage] = Source(
    "snapshot-billing",
    BillingPage,
    lambda key: client().snapshots.billing(page=int(key), limit=BILLING_PAGE_SIZE),
    _as_catalog,
)
snapshot_records: Source[Records] = Source("snapshot-records", Records, _snapshot_records, _as_catalog)
images_of: Source[dict[str, SnapshotImages]] = Source(
    "images-of",
    dict[str, SnapshotImages],
    lambda key: client().images.relationships(key.split(",")),
    _as_balance,
)
regions: Source[Listing[Region]] = Source(
    "regions",
    Listing[Region],
    capabilities.offered("list_regions", lambda _: client().catalog.regions()),
    _as_catalog,
)
prices: Source[Prices] = Source("prices", Prices, lambda _: client().catalog.prices(), _as_catalog)
quote: Source[Prices] = Source("quote", Prices, _quote, _as_catalog)
balance: Source[BalanceSheet] = Source("balance", BalanceSheet, lambda _: client().billing.balance(), _as_balance)

SOURCES = (
    instances, instance, instance_firewalls, instance_billing, instance_records, hibernated, stocks, protocols,
    eligible, snapshots, snapshot, snapshot_images, snapshot_billing, snapshot_records, images_of, regions, prices,
    balance, ssh_keys, ssh_key, scripts, script, specs, os_images, volumes, volume, volume_types, volume_records,
    images, image, quote,
)  # fmt: skip


def instances_changed(instance_id: str = "") -> None:
    """Read instances anew from now on, and what follows from them; and the one whose page may be open."""
    for source in (instances, eligible, hibernated, balance):
        source.forget()
    if instance_id:
        instance.forget(instance_id)
        instance_records.forget(instance_id)


def snapshots_changed(snapshot_id: str = "") -> None:
    """Read snapshots anew from now on, and the one whose page may be open."""
    for source in (snapshots, balance):
        source.forget()
    if snapshot_id:
        snapshot.forget(snapshot_id)
        snapshot_images.forget(snapshot_id)


def volumes_changed(volume_id: str = "", instance_id: str = "") -> None:
    """Read volumes anew from now on, the one whose page may be open, and the VM that has got or lost it."""
    for source in (volumes, balance):
        source.forget()
    if volume_id:
        volume.forget(volume_id)
        volume_records.forget(volume_id)
    if instance_id:
        instances.forget()
        instance.forget(instance_id)


def images_changed(image_id: str = "") -> None:
    """Read images anew from now on, what is made of which snapshot, and the one with this id and its source."""
    images.forget()
    listed = snapshots.peek()
    if listed:
        images_of.forget(batch_key(listed.value))
    if image_id:
        image.forget(image_id)
        known = image.peek(image_id) or image.fallback(image_id)
        if known and known.value.snapshot_id:
            snapshots_changed(known.value.snapshot_id)


def scripts_changed(script_id: str = "") -> None:
    """Read startup scripts anew from now on, and the one whose page may be open."""
    scripts.forget()
    if script_id:
        script.forget(script_id)


def ssh_keys_changed(key_id: str = "") -> None:
    """Read SSH keys anew from now on, and the one whose page may be open."""
    ssh_keys.forget()
    if key_id:
        ssh_key.forget(key_id)


def region_names(known: Read[Listing[Region]] | None, seen: list[str]) -> list[str]:
    """Return the regions to choose from, sorted: those the API lists, else the documented ones; and those seen."""
    listed = [region.name for region in known.value] if known else list(DOCUMENTED_REGIONS)
    return sorted({name for name in (*listed, *seen) if 0 < len(name) <= REGION_LENGTH})


def currency() -> str:
    """Return the currency of the balance, as last read; USD until it was."""
    sheet = balance.peek()
    primary = sheet.value.primary if sheet else None
    return primary.currency if primary else "USD"


def batch_key(listing: Listing[Snapshot]) -> str:
    """Return the key under which images_of reads what was made of these snapshots."""
    return ",".join(sorted(row.snapshot_id for row in listing))
