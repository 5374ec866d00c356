"""The demo is the same at every start; other worlds hold what was asked for."""

from collections import Counter

import httpx
import pytest

from barrack_web.sandbox.seed import build
from barrack_web.sandbox.server import Sandbox

STATUSES = {
    *("ACTIVE", "SHUTOFF", "HIBERNATED", "DELETED", "CREATING", "BUILD", "STARTING"),
    *("STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING", "ERROR"),
}


def timeless(sandbox: Sandbox) -> dict[str, object]:
    world = sandbox.world.dump()
    for kind in ("instances", "snapshots", "images"):
        for record in world[kind]:
            for name in ("created_at", "updated_at"):
                record.pop(name, None)
        for rule in [rule for record in world[kind] for rule in record.get("security_rules", [])]:
            rule.pop("created_at")
    world.pop("now")
    return world


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
    with_image = {record["snapshot_id"] for record in snapshots if record["is_image"]}
    assert with_image == {image["snapshot_id"] for image in sandbox.world.images.values()}


def test_it_stays_as_it_is_and_can_be_paid_for_days(sandbox: Sandbox) -> None:
    before = {key: record["status"] for key, record in sandbox.world.instances.items()}
    sandbox.world.advance(3 * 86400)
    assert {key: record["status"] for key, record in sandbox.world.instances.items()} == before
    assert sandbox.world.snapshots["BRK-123536S"]["status"] == "CREATING"
    assert sandbox.world.balances["USD"] > 0


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
