"""The filters that the lists share: by region, and by a part of the name."""

from collections.abc import Iterable

from barrack_web.sandbox.routes.answers import Json, bad_query, invalid
from barrack_web.sandbox.routes.catalog import REGIONS

REGION_NAMES = tuple(str(region["name"]) for region in REGIONS)
_LONGEST_SEARCH = 100


def matching(records: Iterable[Json], query: dict[str, str], *, search_in: str = "") -> list[Json]:
    """Return the records that fit the `region` of the query, and its `search` within the field `search_in`.

    A region that nothing is in finds nothing. Raises the 400 for an overlong search.
    """
    region, needle = query.get("region"), _checked_search(query) if search_in else ""
    return [
        record
        for record in records
        if (not region or region in _regions(record))
        and (not needle or needle in str(record.get(search_in, "")).casefold())
    ]


def checked_region(body: Json) -> str:
    """Return the region in a body; raise the 422 when it is missing or not in the catalog."""
    region = body.get("region")
    if not isinstance(region, str) or region not in REGION_NAMES:
        raise invalid(region=f"Use {', '.join(REGION_NAMES[:-1])} or {REGION_NAMES[-1]}.")
    return region


def _checked_search(query: dict[str, str]) -> str:
    """Return the text to look for, in the form comparisons use; raise the 400 for one that is too long."""
    text = query.get("search", "")
    if len(text) > _LONGEST_SEARCH:
        raise bad_query("search", f"Use at most {_LONGEST_SEARCH} characters.")
    return text.casefold()


def _regions(record: Json) -> list[str]:
    # A key is in several regions, everything else in one.
    regions = record.get("regions")
    return regions if isinstance(regions, list) else [str(record.get("region"))]
