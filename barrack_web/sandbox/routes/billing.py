"""Credits, and what instances, snapshots and volumes have cost."""

from collections.abc import Callable
from decimal import Decimal

from barrack_web.sandbox.meter import Period
from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes.answers import Answer, Json, Route, missing, ok, page_of
from barrack_web.sandbox.world import World, iso

# What a record tells of its resource, beside its id.
_FACTS = {
    "instances": ("vm_name", "gpu_type", "gpu_count"),
    "snapshots": ("snapshot_name", "size_gb"),
    "volumes": ("volume_name", "size_gb"),
}
_IDS = {"instances": "instance_id", "snapshots": "snapshot_id", "volumes": "volume_id"}


def get_credit_balance(world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the credit left in each currency."""
    balances = [{"currency": currency, "amount": amount} for currency, amount in world.balances.items()]
    return ok("Credit balance retrieved", data={"balances": balances, "primary_currency": world.currency})


def get_instance_billing(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the billing records of all instances, with the sums over all pages."""

    def counts(periods: list[Period]) -> Json:
        running = [_status(world, period) for period in periods if period.end is None]
        return {
            "activeCount": running.count("active"),
            "completedCount": len(periods) - len(running),
            "hibernatedCount": running.count("hibernated"),
        }

    return 200, _page(world, world.periods("instances"), query, counts)


def get_snapshots_billing(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the billing records of all snapshots, with the sums over all pages."""
    return 200, _of_snapshots(world, world.periods("snapshots"), query)


def get_snapshot_billing(world: World, params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the billing records of one snapshot, also of a deleted one that has some; otherwise 404."""
    snapshot_id = params["snapshot_id"]
    periods = world.periods("snapshots", snapshot_id)
    if not periods and snapshot_id not in world.snapshots:
        raise missing("Snapshot")
    return 200, _of_snapshots(world, periods, query)


def get_volume_billing(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the billing records of all volumes, with the sums over all pages. Its times have no zone."""
    return 200, _page(world, world.periods("volumes"), query, _stored)


def _of_snapshots(world: World, periods: list[Period], query: dict[str, str]) -> Json:
    return {**_page(world, periods, query, _stored), "tier": None}


def _stored(periods: list[Period]) -> Json:
    running = [period for period in periods if period.end is None]
    return {
        "activeCount": len(running),
        "totalSizeGB": sum(period.facts.get("size_gb") or 0 for period in running),
    }


def _page(world: World, periods: list[Period], query: dict[str, str], counts: Callable[[list[Period]], Json]) -> Json:
    """Return a page of the records, each in its own currency, and the sums over those in the account's currency."""
    rows, paging = page_of(periods, query)
    own = [period for period in periods if period.currency == world.currency]
    minutes = sum(period.minutes for period in own)
    summary = {
        "totalMinutes": minutes,
        **counts(own),
        "averageUsage": round(minutes / len(own), 2) if own else 0,
        "totalCost": sum((period.cost for period in own), Decimal(0)),
    }
    records = [_record(world, period) for period in rows]
    return {"success": True, "records": records, "summary": summary, **paging, "currency": world.currency}


def _record(world: World, period: Period) -> Json:
    facts = {name: period.facts[name] for name in _FACTS[period.kind] if period.facts.get(name) is not None}
    start, end = iso(period.start), iso(period.end) if period.end else None
    if period.kind == "volumes":
        start, end = start.removesuffix("Z"), end and end.removesuffix("Z")
    return {
        "billing_id": period.billing_id,
        _IDS[period.kind]: period.resource_id,
        **facts,
        "tier": period.facts.get("tier"),
        "start_time": start,
        "end_time": end,
        "total_duration_minutes": period.minutes,
        "per_minute_rate": period.rate,
        "total_cost": period.cost,
        "currency": period.currency,
        "status": _status(world, period),
        "description": period.facts.get("description"),
    }


def _status(world: World, period: Period) -> str:
    if period.end:
        return "completed"
    if was_hibernated(period):
        return "hibernated"
    if period.kind == "volumes" and not world.volumes[period.resource_id].get("instance_id"):
        return "available"
    return "active"


def was_hibernated(period: Period) -> bool:
    """Tell whether a period is one of hibernation."""
    return normal(period.facts.get("status")) == "HIBERNATED"


ROUTES = (
    Route("get_credit_balance", "GET", "/balance", get_credit_balance),
    Route("get_instance_billing", "GET", "/instances/billing", get_instance_billing),
    Route("get_snapshots_billing", "GET", "/snapshots/billing", get_snapshots_billing),
    Route("get_snapshot_billing", "GET", "/snapshots/{snapshot_id}/billing", get_snapshot_billing),
    Route("get_volume_billing", "GET", "/volumes/billing", get_volume_billing),
)
