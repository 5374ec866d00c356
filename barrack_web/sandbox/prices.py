"""What the simulated cloud charges, and the hardware that comes with each GPU model."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

CURRENCIES = ("USD", "EUR", "INR")
TIERS = ("legacy", "advanced")

_FIVE_PLACES = Decimal("0.00001")
_EIGHT_PLACES = Decimal("0.00000001")


class GpuModel(NamedTuple):
    """One GPU model: price per GPU-hour in each currency, and what one GPU brings along (vCPU, then all in GB)."""

    tier: str
    max_count: int
    prices: dict[str, Decimal]
    cpu: int
    ram: int
    disk: int
    ephemeral: int
    memory: int


def _prices(usd: str, eur: str, inr: str) -> dict[str, Decimal]:
    return {"USD": Decimal(usd), "EUR": Decimal(eur), "INR": Decimal(inr)}


GPU_MODELS = {
    "H100-SXM5-80GB": GpuModel("advanced", 8, _prices("2.69", "2.49", "239"), 24, 240, 100, 4000, 80),
    "H100-PCIe-NVLink-80GB": GpuModel("legacy", 8, _prices("2.29", "2.09", "199"), 31, 180, 100, 750, 80),
    "H100-PCIe-80GB": GpuModel("legacy", 8, _prices("2.25", "2.05", "195"), 28, 180, 100, 750, 80),
    "A100-SXM4-80GB-NVLink": GpuModel("legacy", 8, _prices("1.59", "1.45", "135"), 24, 240, 100, 850, 80),
    "A100-PCIe-80GB": GpuModel("legacy", 8, _prices("1.55", "1.39", "135"), 28, 120, 100, 750, 80),
    "L40": GpuModel("legacy", 8, _prices("1.19", "1.09", "99"), 28, 58, 100, 725, 48),
    "RTX-A6000": GpuModel("legacy", 4, _prices("0.69", "0.45", "49"), 28, 58, 100, 725, 48),
    "A40": GpuModel("legacy", 4, _prices("0.69", "0.45", "49"), 24, 48, 100, 500, 48),
    "B300-262GB": GpuModel("advanced", 8, _prices("5.79", "5.99", "499"), 30, 275, 100, 3000, 262),
}

VOLUME_PRICES = {
    "legacy": {"SSD": _prices("0.10", "0.10", "10")},
    "advanced": {"HDD": _prices("0.08", "0.10", "8"), "NVMe": _prices("0.30", "0.35", "30")},
}
# Cloud-SSD is what the console calls the legacy SSD.
_PRICE_OF_TYPE = {
    **{name: prices for kinds in VOLUME_PRICES.values() for name, prices in kinds.items()},
    "Cloud-SSD": VOLUME_PRICES["legacy"]["SSD"],
}
GB_PER_TB = 1024
SNAPSHOT_PRICES = _prices("0.10", "0.10", "10")
SNAPSHOT_UNIT_GB = 100
HIBERNATION_PRICES = _prices("0.01", "0.01", "1.00")

FULL_RATE_STATUSES = frozenset({"ACTIVE", "SHUTOFF", "STOPPED"})
CHARGED_VOLUME_STATUSES = frozenset({"AVAILABLE", "IN_USE", "ATTACHED"})
RESTORABLE_STATUSES = frozenset({"SUCCESS", "AVAILABLE"})


def normal(status: object) -> str:
    """Return a status in the spelling comparisons use: upper case, `_` for `-`; empty when it is missing."""
    return str(status or "").upper().replace("-", "_")


def per_minute(per_hour: Decimal) -> Decimal:
    """Return the price per minute of a price per hour, rounded as the billing records print it.

    Five decimals, except that very small rates keep eight: 0.01 an hour would otherwise be off by two percent.
    """
    exact = per_hour / 60
    places = _FIVE_PLACES if exact >= Decimal("0.001") else _EIGHT_PLACES
    return exact.quantize(places, ROUND_HALF_UP)


def gpu_hourly(model: object, count: object, currency: str) -> Decimal:
    """Return the price per hour of `count` GPUs of a model; zero for a model without a price or a missing count."""
    gpu = GPU_MODELS.get(model) if isinstance(model, str) else None
    return gpu.prices[currency] * count if gpu and isinstance(count, int) else Decimal(0)


def instance_hourly(record: dict[str, Any], currency: str) -> Decimal:
    """Return what an instance costs per hour in its present status; zero while it is between two states."""
    status = normal(record.get("status"))
    if status in FULL_RATE_STATUSES:
        return gpu_hourly(record.get("gpu_type"), record.get("gpu_count"), currency)
    return HIBERNATION_PRICES[currency] if status == "HIBERNATED" else Decimal(0)


def snapshot_hourly(record: dict[str, Any], currency: str) -> Decimal:
    """Return what a snapshot costs per hour: by its size once complete, zero before that or without a size."""
    size = record.get("size_gb")
    if normal(record.get("status")) not in RESTORABLE_STATUSES or not isinstance(size, int | float):
        return Decimal(0)
    return SNAPSHOT_PRICES[currency] * Decimal(str(size)) / SNAPSHOT_UNIT_GB


def volume_hourly(record: dict[str, Any], currency: str) -> Decimal:
    """Return what a volume costs per hour by its provisioned size; zero while it is made or when it has failed."""
    size, prices = record.get("size_gb"), _PRICE_OF_TYPE.get(str(record.get("volume_type")))
    if normal(record.get("status")) not in CHARGED_VOLUME_STATUSES or prices is None or not isinstance(size, int):
        return Decimal(0)
    return prices[currency] * size / GB_PER_TB
