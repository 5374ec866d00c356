"""The worlds a sandbox can start with: the demo, an empty account, or a number of made-up resources."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from barrack_web.sandbox import demo_security, demo_storage
from barrack_web.sandbox.demo_data import (
    DELETED_SNAPSHOTS,
    DEMO_BALANCES,
    IMAGES,
    INSTANCES,
    LARGE_STOCK,
    NO_STOCK,
    SNAPSHOTS,
    DemoInstance,
    DemoSnapshot,
)
from barrack_web.sandbox.meter import Record
from barrack_web.sandbox.prices import GPU_MODELS
from barrack_web.sandbox.routes.catalog import REGIONS
from barrack_web.sandbox.routes.instances import flavor_of
from barrack_web.sandbox.world import KINDS, World, iso

Seed = str | Mapping[str, int]

_MOST = 20_000
_USUAL_STOCK = 16
_UNTOUCHED_BALANCES = {"USD": Decimal("100000.00"), "EUR": Decimal("100000.00"), "INR": Decimal("10000000.00")}
_DEMO_KEYS = ["team-laptop", "ci-runner"]
_RUNNING = {"ACTIVE", "REBOOTING", "STOPPING", "HIBERNATING"}


class _Made(NamedTuple):
    number: int
    region: str
    model: str
    tier: str


def build(seed: Seed, *, speed: float = 1.0, currency: str = "USD") -> World:
    """Return a new world of a seed: "demo", "empty", or counts such as {"instances": 200, "snapshots": 50}.

    Raises ValueError for any other seed, and for a speed or currency that does not exist.
    """
    counts = _checked(seed)
    world = World(speed=speed, currency=currency)
    regions = [str(region["name"]) for region in REGIONS]
    world.stock.update({(region, model): _USUAL_STOCK for region in regions for model in GPU_MODELS})
    if seed == "demo":
        _fill_demo(world)
    else:
        world.balances[world.currency] = _UNTOUCHED_BALANCES[world.currency]
        _fill_counts(world, counts, regions)
    return world


def _checked(seed: Seed) -> Mapping[str, int]:
    if isinstance(seed, str):
        if seed not in {"demo", "empty"}:
            raise ValueError(f'the seed is "demo", "empty" or counts by resource, not "{seed}"')
        return {}
    if not isinstance(seed, Mapping):
        raise ValueError('the seed is "demo", "empty" or counts by resource')  # noqa: TRY004 - callers catch one kind
    for name, count in seed.items():
        if name not in KINDS:
            raise ValueError(f'a seed counts {", ".join(KINDS)}, not "{name}"')
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST:
            raise ValueError(f"the count of {name} is a whole number from 0 to {_MOST}")
    if seed.get("images") and not seed.get("snapshots"):
        raise ValueError("images are made from snapshots: ask for at least one snapshot too")
    return seed


def _fill_demo(world: World) -> None:
    now = world.now().replace(microsecond=0)
    world.balances[world.currency] = DEMO_BALANCES[world.currency]
    world.stock.update({**dict.fromkeys(NO_STOCK, 0), **LARGE_STOCK})
    for number, vm in enumerate(INSTANCES):
        _put_demo_instance(world, vm, number, now - timedelta(hours=vm.age_hours))
    with_image = {image["snapshot_id"] for image, _ in IMAGES}
    for snapshot in SNAPSHOTS:
        created = now - timedelta(hours=snapshot.age_hours)
        record = _demo_snapshot(snapshot, created, is_image=snapshot.id in with_image)
        _put(world, "snapshots", snapshot.id, record, created)
    for snapshot, hours in DELETED_SNAPSHOTS:
        created = now - timedelta(hours=snapshot.age_hours)
        record = _demo_snapshot(snapshot, created, is_image=False)
        world.bill_between("snapshots", snapshot.id, record, created, created + timedelta(hours=hours))
    for image, age_hours in IMAGES:
        record = {**image, "created_at": iso(now - timedelta(hours=age_hours))}
        world.add("images", str(image["image_id"]), record)
    demo_storage.fill(world, now)
    demo_security.fill(world, now)


def _put_demo_instance(world: World, vm: DemoInstance, number: int, created: datetime) -> None:
    record, ran_until = _demo_instance(vm, number, created), created + timedelta(hours=vm.ran_hours)
    if vm.ran_hours:
        world.bill_between("instances", vm.id, {**record, "status": "ACTIVE"}, created, ran_until)
    _put(world, "instances", vm.id, record, ran_until)


def _demo_instance(vm: DemoInstance, number: int, created: datetime) -> Record:
    exists = vm.status not in {"CREATING", "BUILD", "DELETED"}
    return {
        "instance_id": vm.id,
        "vm_name": vm.name,
        "status": vm.status,
        "region": vm.region,
        "gpu_type": vm.gpu,
        "gpu_count": vm.gpus,
        "tier": GPU_MODELS[vm.gpu].tier,
        "private_ip": f"10.0.0.{number + 10}" if exists else None,
        "public_ip": f"198.51.100.{number + 20}" if exists and vm.public else None,
        "server_uuid": f"5d1f0c0e-2f6b-4a53-9f52-{number + 1:012d}" if exists else None,
        "created_at": iso(created),
        "flavor": flavor_of(vm.gpu, vm.gpus),
        "image": {"name": vm.image},
        "ssh_keys": list(vm.keys or _DEMO_KEYS[: 1 + number % 2]),
        "security_rules": [_ssh_rule(vm.id, created)] if exists and vm.public else [],
        "power_state": "RUNNING" if vm.status in _RUNNING else "SHUTDOWN",
    }


def _ssh_rule(instance_id: str, created: datetime) -> Record:
    return {
        "id": f"{instance_id}-ssh",
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 22,
        "port_range_max": 22,
        "status": "SUCCESS",
        "created_at": iso(created),
    }


def _demo_snapshot(snapshot: DemoSnapshot, created: datetime, *, is_image: bool) -> Record:
    flavor = (flavor_of(snapshot.gpu, snapshot.gpus) or {}) if snapshot.has_hardware else {}
    return {
        "snapshot_id": snapshot.id,
        "snapshot_name": snapshot.name,
        "description": snapshot.description,
        "status": snapshot.status,
        "region": snapshot.region,
        "size_gb": snapshot.size,
        "instance_id": snapshot.vm_id,
        "vm_name": snapshot.vm_name,
        "is_image": is_image,
        "tier": GPU_MODELS[snapshot.gpu].tier,
        "cpu": flavor.get("cpu"),
        "ram": flavor.get("ram"),
        "gpu_type": snapshot.gpu,
        "gpu_count": snapshot.gpus,
        "disk": snapshot.size if snapshot.has_hardware else None,
        "created_at": iso(created),
        "updated_at": iso(created),
    }


def _put(world: World, kind: str, record_id: str, record: Record, created: datetime) -> None:
    world.add(kind, record_id, record)
    world.bill_since(kind, record_id, created)


def _fill_counts(world: World, counts: Mapping[str, int], regions: list[str]) -> None:
    models = list(GPU_MODELS)
    now = world.now().replace(microsecond=0)
    instances, snapshots = counts.get("instances", 0), counts.get("snapshots", 0)
    for number in range(max(instances, snapshots)):
        model = models[number % len(models)]
        made = _Made(number, regions[number % len(regions)], model, GPU_MODELS[model].tier)
        created = now - timedelta(minutes=number + 1)
        if number < instances:
            _put(world, "instances", *_made_instance(made, created), created)
        if number < snapshots:
            _put(world, "snapshots", *_made_snapshot(world, made, created), created)
    sources = list(world.snapshots.values())
    for number in range(counts.get("images", 0)):
        source = sources[number % snapshots]
        world.add("images", str(number + 501), _made_image(number, source))
        source["is_image"] = True
    demo_storage.fill_counts(world, counts, regions, now)
    demo_security.fill_counts(world, counts, regions, now)


def _made_instance(made: _Made, created: datetime) -> tuple[str, Record]:
    vm = DemoInstance(
        f"BRK-{100_001 + made.number}D", f"vm-{made.number + 1:04d}", "ACTIVE", made.region, made.model, 1, age_hours=0
    )
    record = _demo_instance(vm, made.number, created)
    high, low = divmod(made.number, 254)
    record.update(private_ip=f"10.0.{high}.{low + 1}", public_ip=f"198.18.{high}.{low + 1}")
    return vm.id, record


def _made_snapshot(world: World, made: _Made, created: datetime) -> tuple[str, Record]:
    vm_id = f"BRK-{100_001 + made.number}D"
    name = world.instances.get(vm_id, {}).get("vm_name")
    snapshot = DemoSnapshot(
        f"BRK-{100_001 + made.number}S",
        f"snapshot-{made.number + 1:04d}",
        made.region,
        100,
        made.model,
        1,
        vm_id if name else None,
        name,
        age_hours=0,
    )
    return snapshot.id, _demo_snapshot(snapshot, created, is_image=False)


def _made_image(number: int, source: Record) -> Record:
    return {
        "image_id": number + 501,
        "name": f"image-{number + 1:04d}",
        "description": None,
        "region": source["region"],
        "size_gb": source["size_gb"],
        "status": "SUCCESS",
        "snapshot_id": source["snapshot_id"],
        "created_at": source["created_at"],
    }
