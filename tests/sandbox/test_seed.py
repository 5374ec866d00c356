"""The demo is the same at every start; other worlds hold what was asked for."""

from collections import Counter
from datetime import timedelta

import httpx
import pytest

from barrack_web.sandbox.os_image_data import has_os_image
from barrack_web.sandbox.seed import build
from barrack_web.sandbox.server import Sandbox

STATUSES = {
    *("ACTIVE", "SHUTOFF", "HIBERNATED", "DELETED", "CREATING", "BUILD", "STARTING"),
    *("STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING", "ERROR"),
}


def timeless(sandbox: Sandbox) -> dict[str, object]:
    world = sandbox.world.dump()
    world.pop("now")
    found = without_times(world)
    assert isinstance(found, dict)
    return found


def without_times(value: object) -> object:
    if isinstance(value, dict):
        times = {"created_at", "updated_at"}
        return {name: without_times(item) for name, item in value.items() if name not in times}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_it_is_the_same_at_every_start() -> None:
    assert timeless(Sandbox(speed=0)) == timeless(Sandbox(speed=0))


def test_it_resets_to_the_first_state(api: httpx.Client, sandbox: Sandbox) -> None:
    faults, log = sandbox.faults, sandbox.log
    api.delete("/snapshots/BRK-123456S")
    sandbox.faults.arm("*", "status", times=None)
    sandbox.reset()
    assert timeless(sandbox) == timeless(Sandbox(speed=0))
    assert (sandbox.faults, sandbox.log, sandbox.log.calls()) == (faults, log, [])
    assert api.get("/snapshots/BRK-123456S").status_code == 200


def test_it_shows_every_state_of_an_instance(sandbox: Sandbox) -> None:
    instances = sandbox.world.instances.values()
    assert {record["status"] for record in instances} == {*STATUSES, "RESCUE"}
    active = Counter(record["region"] for record in instances if record["status"] == "ACTIVE")
    assert active == {"CANADA-1": 3, "NORWAY-1": 1, "US-1": 1}
    assert any(record["status"] == "ACTIVE" and not record["public_ip"] for record in instances)


def test_it_runs_instances_on_several_systems(sandbox: Sandbox) -> None:
    systems = {record["image"]["name"]: record["region"] for record in sandbox.world.instances.values()}
    own = {image["name"]: image["region"] for image in sandbox.world.images.values()}
    assert {name.split()[0] for name in set(systems) - set(own)} == {"Ubuntu", "Debian", "Rocky"}
    assert {name: systems[name] for name in set(systems) & set(own)} == {"ci-runner-template": "CANADA-1"}
    for record in sandbox.world.instances.values():
        name, region = record["image"]["name"], record["region"]
        assert has_os_image(name, region) or own.get(name) == region


def test_it_has_ended_bills_of_every_kind(sandbox: Sandbox) -> None:
    world = sandbox.world
    ended = {
        kind: {period.resource_id: period for period in world.periods(kind) if period.end}
        for kind in ("instances", "snapshots", "volumes")
    }
    assert {kind: set(periods) for kind, periods in ended.items()} == {
        "instances": {"BRK-123560D", "BRK-123548D"},
        "snapshots": {"BRK-123412S"},
        "volumes": {"BRK-123420V"},
    }
    for period in [period for periods in ended.values() for period in periods.values()]:
        assert period.end is not None
        assert period.start + timedelta(minutes=period.minutes) == period.end < world.now()
        assert period.cost > 0


def test_it_bills_the_sleep_after_the_run(sandbox: Sandbox) -> None:
    asleep, ran = sandbox.world.periods("instances", "BRK-123548D")
    assert (ran.billing_id, asleep.billing_id) == ("BRK-123548DB", "BRK-123548DB2")
    assert (ran.minutes, ran.end, asleep.end) == (190 * 60, asleep.start, None)
    assert ran.rate > asleep.rate > 0


def test_it_has_more_of_one_gpu_than_the_stock_says(api: httpx.Client) -> None:
    rows = api.get("/gpu-stocks").json()["stocks"]
    assert [(row["region"], row["model"]) for row in rows if row["available"] == "200+"] == [("CANADA-1", "RTX-A6000")]


def test_it_has_snapshots_of_every_sort(sandbox: Sandbox) -> None:
    snapshots = list(sandbox.world.snapshots.values())
    assert len(snapshots) == 23
    assert Counter(record["region"] for record in snapshots)["CANADA-1"] > 6
    assert {record["status"] for record in snapshots} == {"SUCCESS", "available", "CREATING", "ERROR", "VERIFYING"}
    assert max(len(record["snapshot_name"]) for record in snapshots) == 50
    sizes = [record["size_gb"] for record in snapshots]
    assert (min(filter(None, sizes)), max(filter(None, sizes)), sizes.count(None)) == (20, 1800, 1)
    assert any("\n\n" in (record["description"] or "") for record in snapshots)
    assert any(record["cpu"] is None for record in snapshots)
    assert any(record["instance_id"] not in sandbox.world.instances for record in snapshots)


def test_it_has_images_of_every_sort(sandbox: Sandbox) -> None:
    images, snapshots = sandbox.world.images.values(), sandbox.world.snapshots
    assert {image["status"] for image in images} == {"SUCCESS", "Available", "Creating", "ERROR"}
    sources = {image["snapshot_id"] for image in images}
    assert {key for key, record in snapshots.items() if record["is_image"]} == sources & set(snapshots)
    assert len(sources - set(snapshots)) == 1, "the snapshot of one image is gone"


@pytest.mark.parametrize("currency", ["USD", "EUR", "INR"])
def test_it_stays_as_it_is_and_can_be_paid_for_days(currency: str) -> None:
    sandbox = Sandbox(seed="demo", speed=0, currency=currency)
    before = {key: record["status"] for key, record in sandbox.world.instances.items()}
    sandbox.world.advance(3 * 86400)
    assert {key: record["status"] for key, record in sandbox.world.instances.items()} == before
    assert sandbox.world.snapshots["BRK-123536S"]["status"] == "CREATING"
    assert sandbox.world.firewalls["38"]["status"] == "CREATING"
    assert sandbox.world.balance() > 0
    sandbox.world.advance(2 * 86400)
    assert sandbox.world.balance() < 0


def test_it_lacks_stock_for_some_of_its_snapshots(api: httpx.Client) -> None:
    for snapshot_id in ("BRK-123603S", "BRK-123618S"):
        answer = api.post(f"/snapshots/{snapshot_id}/restore", json={"new_vm_name": snapshot_id})
        assert answer.status_code == 503


def test_it_makes_as_many_as_asked_for() -> None:
    world = build({"instances": 300, "snapshots": 40, "images": 3}, speed=0)
    assert (len(world.instances), len(world.snapshots), len(world.images)) == (300, 40, 3)
    assert len({record["private_ip"] for record in world.instances.values()}) == 300
    world = build("empty")
    assert (len(world.instances), len(world.snapshots), world.balance() > 0) == (0, 0, True)


@pytest.mark.parametrize(
    "seed", ["demos", {"ghosts": 1}, {"instances": -1}, {"instances": True}, {"images": 1}, 5, {"instances": 10**9}]
)
def test_it_refuses_a_seed_that_it_does_not_know(seed: object, sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"seed|count|images"):
        sandbox.reset(seed)  # type: ignore[arg-type]
    assert len(sandbox.world.snapshots) == 23
