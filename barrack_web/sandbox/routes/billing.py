"""Credits, and what the snapshots have cost."""

from decimal import Decimal

from barrack_web.sandbox.meter import Period
from barrack_web.sandbox.routes.answers import Answer, Json, Route, missing, ok, page_of
from barrack_web.sandbox.world import World, iso


def get_credit_balance(world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the credit left in each currency."""
    balances = [{"currency": currency, "amount": amount} for currency, amount in world.balances.items()]
    return ok("Credit balance retrieved", data={"balances": balances, "primary_currency": world.currency})


def get_snapshots_billing(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the billing records of all snapshots, with the sums over all pages."""
    return 200, _aggregated(world, world.periods("snapshots"), query)


def get_snapshot_billing(world: World, params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the billing records of one snapshot, also of a deleted one that has some; otherwise 404."""
    snapshot_id = params["snapshot_id"]
    periods = world.periods("snapshots", snapshot_id)
    if not periods and snapshot_id not in world.snapshots:
        raise missing("Snapshot")
    return 200, _aggregated(world, periods, query)


def _aggregated(world: World, periods: list[Period], query: dict[str, str]) -> Json:
    rows, paging = page_of(periods, query)
    minutes = sum(period.minutes for period in periods)
    running = [period for period in periods if period.end is None]
    summary = {
        "totalMinutes": minutes,
        "activeCount": len(running),
        "averageUsage": round(minutes / len(periods), 2) if periods else 0,
        "totalSizeGB": sum(period.facts.get("size_gb") or 0 for period in running),
        "totalCost": sum((period.cost for period in periods), Decimal(0)),
    }
    records = [_record(world, period) for period in rows]
    return {
        "success": True,
        "records": records,
        "summary": summary,
        **paging,
        "currency": world.currency,
        "tier": None,
    }


def _record(world: World, period: Period) -> Json:
    return {
        "billing_id": period.billing_id,
        "snapshot_id": period.resource_id,
        "snapshot_name": period.facts.get("snapshot_name"),
        "size_gb": period.facts.get("size_gb"),
        "tier": period.facts.get("tier"),
        "start_time": iso(period.start),
        "end_time": iso(period.end) if period.end else None,
        "total_duration_minutes": period.minutes,
        "per_minute_rate": period.rate,
        "total_cost": period.cost,
        "currency": world.currency,
        "status": "completed" if period.end else "active",
        "description": period.facts.get("description"),
    }


ROUTES = (
    Route("get_credit_balance", "GET", "/balance", get_credit_balance),
    Route("get_snapshots_billing", "GET", "/snapshots/billing", get_snapshots_billing),
    Route("get_snapshot_billing", "GET", "/snapshots/{snapshot_id}/billing", get_snapshot_billing),
)
