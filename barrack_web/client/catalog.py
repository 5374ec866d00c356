"""What is on offer: regions, GPUs and their stock, operating systems, prices."""

from decimal import Decimal

import msgspec

from .paging import walk
from .prices import Prices, price_list
from .reading import Listing, ResourceId, check_number, settle
from .transport import Transport


class Region(msgspec.Struct, frozen=True):
    """A place where instances run; `green_status` is a label about its energy (source: assumed)."""

    name: str
    id: ResourceId | None = None
    location: str | None = None
    description: str | None = None
    green_status: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",))


class GPUStock(msgspec.Struct, frozen=True):
    """How many GPUs of a model are free in a region (source: assumed).

    `available` is a text such as "12" or "200+" and never says too much. `configurations` gives per size, "1x" to
    "10x", how many instances of it can be made now. `planned_*` says what will come.
    """

    region: str
    model: str
    available: ResourceId
    configurations: dict[str, int | None]
    planned_7_days: str | None = None
    planned_30_days: str | None = None
    planned_100_days: str | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("available",))

    def deployable(self, gpu_count: int) -> int | None:
        """How many instances with that many GPUs can be made now; None when the API does not say."""
        return self.configurations.get(f"{gpu_count}x")


class Specs(msgspec.Struct, frozen=True):
    """Hardware: `cpu` in vCPUs, the others in GB; `disk` is the root disk (source: assumed)."""

    cpu: int | None = None
    ram: Decimal | None = None
    disk: int | None = None
    ephemeral: int | None = None
    gpu_memory_gb: int | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("ram",))


class GPUSpec(msgspec.Struct, frozen=True):
    """One model and count with its hardware; `price` per GPU-hour by currency (source: assumed)."""

    gpu_model: str
    gpu_count: int
    specs: Specs
    tier: str | None = None
    region: str | None = None
    price: dict[str, Decimal] | None = None

    def __post_init__(self) -> None:
        for price in (self.price or {}).values():
            check_number(price)


class OSImage(msgspec.Struct, frozen=True):
    """An operating system of a region; `size_bytes` in bytes (source: assumed)."""

    name: str
    region: str
    id: ResourceId | None = None
    type: str | None = None
    version: str | None = None
    size_bytes: int | None = None
    display_size: str | None = None
    is_public: bool | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",))


class PricingRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which prices are asked for; what is None is not sent (source: API reference page). `volume_size_gb` in GB."""

    tier: str | None = None
    currency: str | None = None
    resource_type: str | None = None
    volume_size_gb: int | None = None
    volume_type: str | None = None
    gpu_model: str | None = None
    gpu_count: int | None = None


class Catalog:
    """Calls for what is on offer.

    `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def regions(self, *, within: float | None = None) -> Listing[Region]:
        """The regions."""
        return walk(self._transport, "list_regions", Region, lambda row: row.name, within=within)

    def stocks(self, region: str | None = None, *, within: float | None = None) -> Listing[GPUStock]:
        """The free GPUs per region and model, of one region or of all."""
        query = {"region": region} if region else None
        return walk(
            self._transport,
            "get_gpu_stocks",
            GPUStock,
            lambda row: f"{row.region}/{row.model}",
            query=query,
            within=within,
        )

    def specs(
        self, gpu_model: str | None = None, tier: str | None = None, *, within: float | None = None
    ) -> Listing[GPUSpec]:
        """The hardware that comes with each model and count."""
        query = {name: value for name, value in (("gpu_model", gpu_model), ("tier", tier)) if value}
        return walk(self._transport, "get_gpu_specs", GPUSpec, _spec_key, query=query, within=within)

    def os_images(self, region: str | None = None, *, within: float | None = None) -> Listing[OSImage]:
        """The operating systems that an instance can boot, of one region or of all."""
        query = {"region": region} if region else None
        return walk(
            self._transport,
            "list_os_images",
            OSImage,
            lambda row: f"{row.region}/{row.name}",
            query=query,
            within=within,
        )

    def prices(self, *, within: float | None = None) -> Prices:
        """The whole price list."""
        return price_list(self._transport.send(self._transport.prepare("get_pricing", within=within)))

    def query_prices(self, wanted: PricingRequest, *, within: float | None = None) -> Prices:
        """The part of the price list that fits."""
        return price_list(self._transport.send(self._transport.prepare("query_pricing", body=wanted, within=within)))


def _spec_key(row: GPUSpec) -> str:
    return f"{row.gpu_model}/{row.gpu_count}/{row.tier}/{row.region}"
