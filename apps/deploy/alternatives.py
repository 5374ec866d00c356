"""What can be had instead when the GPUs that were chosen are not free, worked out from stock."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from apps.deploy.offer import Offer

MOST_MODELS, MOST_REGIONS = 3, 3
LATER: Final = "Stock changes through the day: this draft is kept for 7 days, so you can come back to it."


@dataclass(frozen=True)
class Alternative:
    """Another choice that can be had now; `hourly` is what it costs, None where no price is known."""

    kind: str
    model: str
    count: int
    region: str
    hourly: Decimal | None

    @property
    def query(self) -> str:
        """Return what an address says to make this choice."""
        return urlencode({"gpu_model": self.model, "gpu_count": self.count, "region": self.region})


def alternatives(offer: Offer, model: str, count: int, region: str) -> list[Alternative]:
    """Return other regions, fewer or more GPUs, and other GPUs, the nearest first; nothing when stock is not told."""
    if offer.stocks is None:
        return []
    found = [*_regions(offer, model, count, region), *_counts(offer, model, count, region)]
    return [*found, *_models(offer, model, count, region)]


def _alternative(offer: Offer, kind: str, model: str, count: int, region: str) -> Alternative:
    unit = offer.unit_price(model)
    return Alternative(kind, model, count, region, None if unit is None else unit * count)


def _free_regions(offer: Offer, model: str, count: int) -> list[str]:
    """Return the regions that have such GPUs now, those with most of them first."""
    free = {name: offer.free(model, count, name) or 0 for name in offer.region_names()}
    return sorted((name for name, number in free.items() if number), key=lambda name: -free[name])


def _regions(offer: Offer, model: str, count: int, region: str) -> Iterator[Alternative]:
    for name in [name for name in _free_regions(offer, model, count) if name != region][:MOST_REGIONS]:
        yield _alternative(offer, "Another region", model, count, name)


def _counts(offer: Offer, model: str, count: int, region: str) -> Iterator[Alternative]:
    """Yield the nearest size below and above that the region has; where it has none, the region with most of them."""
    sizes = [int(choice.value) for choice in offer.counts(model) if not choice.off]
    fewer = [size for size in sizes if size < count]
    more = [size for size in sizes if size > count]
    for kind, size in [("Fewer GPUs", max(fewer, default=0)), ("More GPUs", min(more, default=0))]:
        where = [name for name in _free_regions(offer, model, size) if size]
        if where:
            yield _alternative(offer, kind, model, size, region if region in where else where[0])


def _models(offer: Offer, model: str, count: int, region: str) -> list[Alternative]:
    """Return other models of the same size, those of the nearest price first."""
    found = []
    for other in offer.models(""):
        where = _free_regions(offer, other.name, count) if other.name != model else []
        if where:
            place = region if region in where else where[0]
            found.append(_alternative(offer, "Another GPU", other.name, count, place))
    unit = offer.unit_price(model)
    wanted = None if unit is None else unit * count
    return sorted(found, key=lambda one: _distance(one.hourly, wanted))[:MOST_MODELS]


def _distance(hourly: Decimal | None, wanted: Decimal | None) -> Decimal:
    return Decimal("Infinity") if hourly is None else abs(hourly - (wanted or Decimal(0)))
