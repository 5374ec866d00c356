"""Instances: the virtual machines, listed and shown; also the record of a new one, for deployments and restores."""

from decimal import Decimal

from barrack_web.sandbox import lifecycle
from barrack_web.sandbox.prices import GPU_MODELS, HIBERNATION_PRICES, instance_hourly, normal, per_minute
from barrack_web.sandbox.routes.answers import Answer, Json, Route, find, ok, page_of, public
from barrack_web.sandbox.routes.billing import was_hibernated
from barrack_web.sandbox.routes.filters import matching
from barrack_web.sandbox.routes.volume_attachments import shown
from barrack_web.sandbox.world import World, iso

_RECENT = 10
_SHORT_FIELDS = (
    "instance_id",
    "vm_name",
    "status",
    "region",
    "gpu_type",
    "gpu_count",
    "tier",
    "private_ip",
    "public_ip",
    "server_uuid",
    "created_at",
)


def served(world: World, record: Json) -> Json:
    """Return an instance as the API shows it: the record, its costs per hour and minute, and its volumes."""
    return _all_served(world, [record])[0]


def short(record: Json) -> Json:
    """Return an instance in the short form of the lists to choose from."""
    return {field: record[field] for field in _SHORT_FIELDS if field in record}


def _all_served(world: World, records: list[Json]) -> list[Json]:
    volumes: dict[str, list[Json]] = {}
    for volume in world.volumes.values():
        volumes.setdefault(str(volume.get("instance_id")), []).append(shown(volume))
    # Tests take fields away from records, the id too.
    return [{**_with_costs(world, row), "volumes": volumes.get(row.get("instance_id", ""), [])} for row in records]


def flavor_of(model: str | None, count: int | None) -> Json | None:
    """Return the flavor with this many GPUs of a model; null for a model that is not in the catalog."""
    gpu = GPU_MODELS.get(model or "")
    if gpu is None or not count:
        return None
    return {
        "id": None,
        "name": f"n3-{model}x{count}",
        "cpu": gpu.cpu * count,
        "ram": gpu.ram * count,
        "disk": gpu.disk,
        "ephemeral": gpu.ephemeral * count,
        "gpu": model,
        "gpu_count": count,
    }


def name_in_use(world: World, name: str) -> bool:
    """Tell whether an instance of the account, other than a deleted one, has this name."""
    return any(r.get("vm_name") == name and normal(r.get("status")) != "DELETED" for r in world.instances.values())


def new_instance(world: World, name: str, region: str, model: str | None, count: int | None) -> Json:
    """Return the record of an instance that is to be made, with a new id; it is not in the world yet."""
    gpu = GPU_MODELS.get(model or "")
    return {
        "instance_id": world.new_id("D"),
        "vm_name": name,
        "status": "CREATING",
        "region": region,
        "gpu_type": model,
        "gpu_count": count,
        "tier": gpu.tier if gpu else None,
        "private_ip": None,
        "public_ip": None,
        "server_uuid": None,
        "created_at": iso(world.now()),
        "flavor": flavor_of(model, count),
        "image": None,
        "ssh_keys": [],
        "security_rules": [],
        "power_state": "NOSTATE",
    }


def make_from_snapshot(world: World, snapshot: Json, name: str) -> Json:
    """Add an instance in CREATING with the snapshot's hardware and return it; it becomes ACTIVE after two minutes."""
    source = world.instances.get(str(snapshot.get("instance_id"))) or {}
    instance = new_instance(world, name, snapshot["region"], snapshot.get("gpu_type"), snapshot.get("gpu_count"))
    if instance["flavor"] is not None and snapshot.get("disk"):
        instance["flavor"]["disk"] = snapshot["disk"]
    instance.update(tier=snapshot.get("tier"), image=source.get("image"), ssh_keys=list(source.get("ssh_keys") or []))
    lifecycle.create(world, instance, public=bool(source.get("public_ip")))
    return instance


def list_instances(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the instances, filtered by region and status."""
    status = query.get("status")
    records = matching(world.instances.values(), query)
    rows, paging = page_of([r for r in records if not status or r.get("status") == status], query)
    return ok("Instances retrieved", instances=_all_served(world, rows), pagination=paging)


def get_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one instance, or 404."""
    record = find(world.instances, params["instance_id"], "Instance")
    return ok("Instance retrieved", instance=served(world, record))


def list_snapshot_eligible_instances(
    world: World, _params: dict[str, str], query: dict[str, str], _body: Json
) -> Answer:
    """Answer the ACTIVE instances of a region in short form: all of them, or a page when one is asked for."""
    rows = [record for record in matching(world.instances.values(), query) if _is_active(record)]
    paging = None
    if "page" in query or "limit" in query:
        rows, paging = page_of(rows, query)
    return ok("Eligible instances retrieved", vms=[short(row) for row in rows], pagination=paging)


def get_hibernated_instances_count(
    world: World, _params: dict[str, str], _query: dict[str, str], _body: Json
) -> Answer:
    """Answer how many instances are hibernated, the last ones with their times, and what hibernation has cost.

    The cost is that in the account's currency.
    """
    hibernated = {key: r for key, r in world.instances.items() if normal(r.get("status")) == "HIBERNATED"}
    periods = [period for period in world.periods("instances") if was_hibernated(period)]
    recent = [
        {
            "instance_id": period.resource_id,
            "vm_name": hibernated[period.resource_id]["vm_name"],
            "hibernated_at": iso(period.start),
            "region": hibernated[period.resource_id].get("region"),
        }
        for period in periods
        if period.end is None and period.resource_id in hibernated
    ]
    paid = [period for period in periods if period.currency == world.currency]
    metrics = {
        "rate_per_hour": HIBERNATION_PRICES[world.currency],
        "currency": world.currency,
        "total_duration_minutes": sum(period.minutes for period in paid),
        "total_cost": sum((period.cost for period in paid), Decimal(0)),
    }
    return ok(
        "Hibernated instances counted",
        count=len(hibernated),
        recent_hibernations=recent[:_RECENT],
        billing_metrics=metrics,
    )


def _is_active(record: Json) -> bool:
    return normal(record.get("status")) == "ACTIVE"


def _with_costs(world: World, record: Json) -> Json:
    if "billing" in record:
        return public(record)
    hourly = instance_hourly(record, world.currency)
    status = normal(record.get("status"))
    billing = {
        "currency": world.currency,
        "price_per_hour": hourly or None,
        "per_minute_rate": per_minute(hourly) if hourly else None,
        "status": "hibernated" if status == "HIBERNATED" else "active" if hourly else "paused",
    }
    return {**public(record), "billing": billing}


ROUTES = (
    Route("list_instances", "GET", "/instances", list_instances),
    Route("get_instance", "GET", "/instances/{instance_id}", get_instance),
    Route("list_snapshot_eligible_instances", "GET", "/instances/snapshot-eligible", list_snapshot_eligible_instances),
    Route("get_hibernated_instances_count", "GET", "/instances/hibernated/count", get_hibernated_instances_count),
)
