"""The catalog: regions and prices."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from barrack_web.sandbox.prices import (
    CURRENCIES,
    GPU_MODELS,
    SNAPSHOT_PRICES,
    SNAPSHOT_UNIT_GB,
    TIERS,
    VOLUME_PRICES,
)
from barrack_web.sandbox.routes.answers import Answer, ApiError, Json, Route, ok
from barrack_web.sandbox.world import World

REGIONS = (
    {"id": 1, "name": "NORWAY-1", "location": "Europe", "description": "Oslo, Norway", "green_status": "GREEN"},
    {
        "id": 2,
        "name": "CANADA-1",
        "location": "North America",
        "description": "Montréal, Canada",
        "green_status": "GREEN",
    },
    {
        "id": 3,
        "name": "US-1",
        "location": "North America",
        "description": "Dallas, United States",
        "green_status": "PARTIALLY_GREEN",
    },
)
_VOLUME_TYPES = ("SSD", "HDD", "NVMe", "Cloud-SSD")
_SECTIONS = ("volumes", "snapshots", "gpus")


def _one_of(allowed: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in allowed


def _whole(most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


_FILTERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "tier": (_one_of(TIERS), "Use legacy or advanced."),
    "currency": (_one_of(CURRENCIES), "Use USD, EUR or INR."),
    "resource_type": (_one_of(_SECTIONS), "Use volumes, snapshots or gpus."),
    "volume_size_gb": (_whole(1_048_576), "Use a whole number of GB from 1 to 1,048,576."),
    "volume_type": (_one_of(_VOLUME_TYPES), "Use SSD, HDD, NVMe or Cloud-SSD."),
    "gpu_model": (_one_of(tuple(GPU_MODELS)), "This GPU model is not in the catalog."),
    "gpu_count": (_whole(8), "Use a whole number from 1 to 8."),
}
_NUMBERS = ("volume_size_gb", "gpu_count")


def list_regions(_world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the three regions."""
    return ok("Regions retrieved", regions=[dict(region) for region in REGIONS])


def get_pricing(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the price list, narrowed by the query; 400 for a value outside the catalog."""
    return _pricing(world, _from_query(query), refusal=400)


def query_pricing(world: World, _params: dict[str, str], query: dict[str, str], body: Json) -> Answer:
    """Answer the price list, narrowed by the body (or the query); 422 for a value outside the catalog."""
    asked = _from_query(query)
    _check(asked, refusal=422)  # also what the body names again
    return _pricing(world, {**asked, **body}, refusal=422)


def _from_query(query: dict[str, str]) -> Json:
    return {
        name: int(text) if name in _NUMBERS and text.isascii() and text.isdigit() and len(text) < 10 else text
        for name, text in query.items()
        if name in _FILTERS
    }


def _check(wanted: Json, *, refusal: int) -> None:
    wrong = {name: hint for name, (accepts, hint) in _FILTERS.items() if name in wanted and not accepts(wanted[name])}
    if wrong:
        raise ApiError(refusal, "VALIDATION_ERROR", "Some price filters are not valid", dict(wrong))


def _pricing(world: World, wanted: Json, *, refusal: int) -> Answer:
    _check(wanted, refusal=refusal)
    sections = {"volumes": _volumes, "snapshots": _snapshots, "gpus": _gpus}
    chosen = wanted.get("resource_type")
    data: Json = {name: build(wanted) for name, build in sections.items() if chosen in {None, name}}
    if "volumes" in data:
        data["volumes"].update(_least(world, "minimum_size_gb"))
    data["metadata"] = {
        "supported_currencies": list(CURRENCIES),
        "supported_tiers": list(TIERS),
        **_least(world, "volume_minimum_size_gb"),
        "authenticated_user": "sandbox",
        "authentication_type": "api_key",
        "timestamp": int(world.now().timestamp()),
    }
    return ok("Pricing information retrieved", pricing_data=data)


def _volumes(wanted: Json) -> Json:
    # Cloud-SSD is what the console calls the legacy SSD.
    kind = "SSD" if wanted.get("volume_type") == "Cloud-SSD" else wanted.get("volume_type")
    pricing = {
        tier: {
            name: {"prices": _shown(prices, wanted), "unit": "per TB per hour"}
            for name, prices in kinds.items()
            if kind in {None, name}
        }
        for tier, kinds in VOLUME_PRICES.items()
        if wanted.get("tier") in {None, tier}
    }
    return {"pricing": pricing, "description": "Volumes are charged by their provisioned size."}


def _least(world: World, name: str) -> Json:
    """Return the least size of a volume under this name; nothing when the account has no rule of its own."""
    return {} if world.volume_minimum_gb is None else {name: world.volume_minimum_gb}


def _snapshots(wanted: Json) -> Json:
    price = {
        "prices": _shown(SNAPSHOT_PRICES, wanted),
        "fixed_size_gb": SNAPSHOT_UNIT_GB,
        "unit": "per hour (fixed 100GB)",
    }
    pricing = {"legacy": price} if wanted.get("tier") in {None, "legacy"} else {}
    return {"pricing": pricing, "description": "Snapshots are charged per 100 GB."}


def _gpus(wanted: Json) -> Json:
    pricing: dict[str, Json] = {tier: {} for tier in TIERS if wanted.get("tier") in {None, tier}}
    for model, gpu in GPU_MODELS.items():
        fits = wanted.get("gpu_model") in {None, model} and wanted.get("gpu_count", 1) <= gpu.max_count
        if fits and gpu.tier in pricing:
            pricing[gpu.tier][model] = {
                "prices": _shown(gpu.prices, wanted),
                "max_count": gpu.max_count,
                "unit": "per GPU per hour",
            }
    return {"pricing": pricing, "description": "GPUs are charged by the minute."}


def _shown(prices: dict[str, Decimal], wanted: Json) -> dict[str, Decimal]:
    currency = wanted.get("currency")
    return {name: price for name, price in prices.items() if currency in {None, name}}


ROUTES = (
    Route("list_regions", "GET", "/regions", list_regions),
    Route("get_pricing", "GET", "/pricing/", get_pricing),
    Route("query_pricing", "POST", "/pricing/", query_pricing),
)
