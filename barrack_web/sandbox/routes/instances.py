"""Instances: the virtual machines. Also makes one from a snapshot's description, for restores."""

from barrack_web.sandbox.prices import GPU_MODELS, gpu_hourly, instance_hourly, normal, per_minute
from barrack_web.sandbox.routes.answers import Answer, ApiError, Json, Route, filtered, find, no_credit, ok, page_of
from barrack_web.sandbox.world import World, iso

CREATING_SECONDS = 120
_PICKER_FIELDS = (
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
    """Return an instance as the API shows it: the record, with its costs per hour and minute worked out."""
    if "billing" in record:
        return record
    hourly = instance_hourly(record, world.currency)
    status = normal(record.get("status"))
    billing = {
        "currency": world.currency,
        "price_per_hour": hourly or None,
        "per_minute_rate": per_minute(hourly) if hourly else None,
        "status": "hibernated" if status == "HIBERNATED" else "active" if hourly else "paused",
    }
    return {**record, "billing": billing}


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


def reserve(world: World, region: str, model: str | None, count: int) -> None:
    """Take GPUs out of the stock; raise the 402 without an hour's worth of credit, the 503 without enough stock."""
    if not model:
        return
    price = gpu_hourly(model, count, world.currency)
    if world.balance() < price:
        raise no_credit(f"One hour of this instance costs {price} {world.currency}; the balance is lower.")
    if world.stock.get((region, model), 0) < count:
        raise ApiError(503, "OUT_OF_STOCK", f"{count} × {model} is out of stock in {region} at the moment.")
    world.stock[region, model] -= count


def make_from_snapshot(world: World, snapshot: Json, name: str) -> Json:
    """Add an instance in CREATING with the snapshot's hardware and return it; it becomes ACTIVE after two minutes."""
    source = world.instances.get(str(snapshot.get("instance_id"))) or {}
    model, count = snapshot.get("gpu_type"), snapshot.get("gpu_count")
    flavor = flavor_of(model, count)
    if flavor is not None and snapshot.get("disk"):
        flavor["disk"] = snapshot["disk"]
    instance: Json = {
        "instance_id": world.new_id("D"),
        "vm_name": name,
        "status": "CREATING",
        "region": snapshot["region"],
        "gpu_type": model,
        "gpu_count": count,
        "tier": snapshot.get("tier"),
        "private_ip": None,
        "public_ip": None,
        "server_uuid": None,
        "created_at": iso(world.now()),
        "flavor": flavor,
        "image": source.get("image"),
        "ssh_keys": list(source.get("ssh_keys") or []),
        "security_rules": [],
        "volumes": [],
        "power_state": "NOSTATE",
    }
    public = bool(source.get("public_ip"))

    def become_active(record: Json) -> None:
        world.connect(record, public=public)
        record.update(status="ACTIVE", power_state="RUNNING")

    world.add("instances", instance["instance_id"], instance)
    world.schedule("instances", instance["instance_id"], CREATING_SECONDS, become_active)
    return instance


def list_instances(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the instances, filtered by region and status."""
    rows, paging = page_of(filtered(world.instances.values(), query), query)
    return ok("Instances retrieved", instances=[served(world, row) for row in rows], pagination=paging)


def get_instance(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one instance, or 404."""
    record = find(world.instances, params["instance_id"], "Instance")
    return ok("Instance retrieved", instance=served(world, record))


def list_snapshot_eligible_instances(
    world: World, _params: dict[str, str], query: dict[str, str], _body: Json
) -> Answer:
    """Answer the ACTIVE instances of a region in short form: all of them, or a page when one is asked for."""
    rows = [r for r in filtered(world.instances.values(), {"region": query.get("region", "")}) if _is_active(r)]
    paging = None
    if "page" in query or "limit" in query:
        rows, paging = page_of(rows, query)
    short = [{field: row[field] for field in _PICKER_FIELDS if field in row} for row in rows]
    return ok("Eligible instances retrieved", vms=short, pagination=paging)


def _is_active(record: Json) -> bool:
    return normal(record.get("status")) == "ACTIVE"


ROUTES = (
    Route("list_instances", "GET", "/instances", list_instances),
    Route("get_instance", "GET", "/instances/{instance_id}", get_instance),
    Route("list_snapshot_eligible_instances", "GET", "/instances/snapshot-eligible", list_snapshot_eligible_instances),
)
