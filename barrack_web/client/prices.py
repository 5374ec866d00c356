"""The price list: what a GPU, a volume and a snapshot cost per hour. Its keys are documented (source: API reference
page), so they stand here and not in structs."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from .reading import UNREADABLE, Answer, check_number

GPUS: Final = "gpus"
SNAPSHOTS: Final = "snapshots"
VOLUMES: Final = "volumes"
# source: API reference page, whose unit reads "per hour (fixed 100GB)"; used when the number itself is missing.
USUAL_FIXED_SIZE_GB: Final = Decimal(100)
GB_PER_TB: Final = Decimal(1024)
# One type under two names, without case; source: user documentation for the first, API reference page for the second.
USUAL_TYPES: Final = {"cloud-ssd": "ssd"}


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

    def volume_hour(
        self, size_gb: Decimal, currency: str, volume_type: str | None = None, tier: str | None = None
    ) -> Decimal | None:
        """An estimate of what a volume of that size costs per hour, by its provisioned size: price per TB-hour times GB
        ÷ 1024 (source: user documentation; 1024 assumed). None when the list has no price for that type and tier."""
        for row in self.rows:
            fits = not tier or row.tier.casefold() == tier.casefold()
            named = not volume_type or _plain_type(row.item) == _plain_type(volume_type)
            price = row.in_currency(currency)
            if row.section == VOLUMES and fits and named and price is not None:
                return price * size_gb / GB_PER_TB
        return None

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


def _plain_type(volume_type: str) -> str:
    word = volume_type.casefold()
    return USUAL_TYPES.get(word, word)


# Fractions straight to Decimal, so that no price passes through a float.
_EXACT: Final = msgspec.json.Decoder(float_hook=Decimal)


def price_list(answer: Answer) -> Prices:
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
