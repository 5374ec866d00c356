"""What is on offer: regions and prices."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from .paging import walk
from .reading import UNREADABLE, Answer, Listing, ResourceId, check_number, settle
from .transport import Transport

GPUS: Final = "gpus"
SNAPSHOTS: Final = "snapshots"
VOLUMES: Final = "volumes"
# source: API reference page, whose unit reads "per hour (fixed 100GB)"; used when the number itself is missing.
USUAL_FIXED_SIZE_GB: Final = Decimal(100)


class Region(msgspec.Struct, frozen=True):
    """A place where instances run; `green_status` is a label about its energy (source: assumed)."""

    name: str
    id: ResourceId | None = None
    location: str | None = None
    description: str | None = None
    green_status: str | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",))


class Price(msgspec.Struct, frozen=True):
    """One line of the price list (source: API reference page).

    `section` is gpus, volumes or snapshots. `item` is the GPU model or volume type, empty for snapshots. `prices`
    gives per currency the price of one unit-hour: of a GPU, of a TB, of a snapshot of `fixed_size_gb`.
    """

    section: str
    tier: str
    item: str
    prices: dict[str, Decimal]
    unit: str | None = None
    max_count: int | None = None
    fixed_size_gb: Decimal | None = None

    def in_currency(self, currency: str) -> Decimal | None:
        """The price per unit-hour in a currency, None when it has none."""
        return self.prices.get(currency.upper())


class Prices(msgspec.Struct, frozen=True):
    """The price list, flat and in the API's order. `broken` counts the lines that could not be read."""

    rows: tuple[Price, ...] = ()
    broken: int = 0
    volume_minimum_size_gb: int | None = None

    def gpu(self, model: str, currency: str) -> Decimal | None:
        """Price per GPU-hour of a model, None when the list has none."""
        wanted = model.casefold()
        found = (
            row.in_currency(currency) for row in self.rows if row.section == GPUS and row.item.casefold() == wanted
        )
        return next((price for price in found if price is not None), None)

    def snapshot_hour(self, size_gb: Decimal, currency: str, tier: str | None = None) -> Decimal | None:
        """An estimate of what a snapshot of that size costs per hour: price times size ÷ the size the price is for.

        Without a tier, the first that has a price. None when the list has no such price. The bill goes by size
        (source: API reference page, billing example), although the price list speaks of a fixed one.
        """
        for row in self.rows:
            price = row.in_currency(currency)
            if row.section != SNAPSHOTS or price is None or (tier and row.tier.casefold() != tier.casefold()):
                continue
            fixed = USUAL_FIXED_SIZE_GB if row.fixed_size_gb is None else row.fixed_size_gb
            return price * size_gb / fixed if fixed > 0 else None
        return None


class Catalog:
    """Calls for regions and prices.

    `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def regions(self, *, within: float | None = None) -> Listing[Region]:
        """The regions."""
        return walk(self._transport, "list_regions", Region, lambda row: row.name, within=within)

    def prices(self, *, within: float | None = None) -> Prices:
        """The whole price list."""
        return _prices(self._transport.send(self._transport.prepare("get_pricing", within=within)))

    def query_prices(
        self,
        *,
        tier: str | None = None,
        currency: str | None = None,
        resource_type: str | None = None,
        volume_size_gb: int | None = None,
        volume_type: str | None = None,
        gpu_model: str | None = None,
        gpu_count: int | None = None,
        within: float | None = None,
    ) -> Prices:
        """The part of the price list that fits; what is None is not sent (source: API reference page)."""
        wanted = {
            "tier": tier,
            "currency": currency,
            "resource_type": resource_type,
            "volume_size_gb": volume_size_gb,
            "volume_type": volume_type,
            "gpu_model": gpu_model,
            "gpu_count": gpu_count,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return _prices(self._transport.send(self._transport.prepare("query_pricing", body=body, within=within)))


# Fractions straight to Decimal, so that no price passes through a float.
_EXACT: Final = msgspec.json.Decoder(float_hook=Decimal)


def _prices(answer: Answer) -> Prices:
    """The price list from `pricing_data`, an object of sections or an array of such objects.

    Source: API reference page for the object; what an array would hold is assumed.
    """
    try:
        data = _EXACT.decode(answer.result())
    except UNREADABLE as error:
        raise answer.broken(str(error)) from None
    if not isinstance(data, dict | list):
        raise answer.broken("the price list is neither an object nor an array")
    parts = [part for part in (data if isinstance(data, list) else [data]) if isinstance(part, dict)]
    rows: list[Price] = []
    broken = 0
    for part in parts:
        for section, tier, item, node in _lines(part):
            try:
                rows.append(_price(section, tier, item, node))
            except UNREADABLE:
                broken += 1
    minimum = next((size for part in parts if (size := _minimum_size(part)) is not None), None)
    return Prices(tuple(rows), broken, minimum)


def _lines(part: Mapping[str, object]) -> Iterator[tuple[str, str, str, Mapping[str, object]]]:
    """Section, tier, item and node of every line: section → tier → item → line, without the item for snapshots."""
    for section in (GPUS, VOLUMES, SNAPSHOTS):
        whole = part.get(section)
        table = whole.get("pricing", whole) if isinstance(whole, dict) else None
        for tier, node in table.items() if isinstance(table, dict) else ():
            if not isinstance(node, dict):
                continue
            if "prices" in node:
                yield section, tier, "", node
                continue
            for item, line in node.items():
                if isinstance(line, dict) and "prices" in line:
                    yield section, tier, item, line


def _price(section: str, tier: str, item: str, node: Mapping[str, object]) -> Price:
    """One line.

    Raises one of UNREADABLE for a price that is no price; other details that cannot be read are dropped.
    """
    found = msgspec.convert(node["prices"], dict[str, Decimal | None])
    prices = {currency.upper(): price for currency, price in found.items() if price is not None}
    for price in prices.values():
        check_number(price)
        if price < 0:
            raise ValueError("a price is negative")
    unit, count, fixed = node.get("unit"), node.get("max_count"), node.get("fixed_size_gb")
    size = Decimal(fixed) if isinstance(fixed, int | Decimal) and not isinstance(fixed, bool) else None
    check_number(size)
    return Price(
        section,
        tier,
        item,
        prices,
        unit if isinstance(unit, str) else None,
        count if isinstance(count, int) and not isinstance(count, bool) else None,
        size,
    )


def _minimum_size(part: Mapping[str, object]) -> int | None:
    """The smallest volume in GB, from the metadata (source: API reference page)."""
    metadata = part.get("metadata")
    size = metadata.get("volume_minimum_size_gb") if isinstance(metadata, dict) else None
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None
