"""Changes that begin well and end in ERROR, as armed by the fault "fail"."""

from typing import Any

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

VM, SLEEPER, STOPPED, SNAPSHOT = "BRK-123456D", "BRK-123548D", "BRK-123533D", "BRK-123456S"
GOLDEN, CORPUS = "BRK-123519V", "BRK-123458V"
UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
PLACE = ("CANADA-1", "H100-PCIe-80GB")
SLEEPERS_PLACE = ("CANADA-1", "A100-SXM4-80GB-NVLink")
DEPLOYED = {
    "vm_name": "late", "region": PLACE[0], "gpu_model": PLACE[1], "gpu_count": 2, "ssh_keys": ["team-laptop"],
    "os_image": UBUNTU,
}  # fmt: skip
LONG = 3600


def status(api: httpx.Client, instance_id: str) -> str:
    return str(api.get(f"/instances/{instance_id}").json()["instance"]["status"])


@pytest.mark.parametrize(
    ("operation", "method", "path", "body", "through"),
    [
        ("create_instance", "POST", "/instances", DEPLOYED, "CREATING"),
        ("restore_snapshot", "POST", f"/snapshots/{SNAPSHOT}/restore", {"new_vm_name": "late"}, "CREATING"),
        ("start_instance", "POST", f"/instances/{STOPPED}/start", None, "STARTING"),
        ("stop_instance", "POST", f"/instances/{VM}/stop", None, "STOPPING"),
        ("reboot_instance", "POST", f"/instances/{VM}/reboot", None, "REBOOTING"),
        ("hibernate_instance", "POST", f"/instances/{VM}/hibernate", None, "HIBERNATING"),
        ("restore_instance", "POST", f"/instances/{SLEEPER}/restore", None, "RESTORING"),
        ("delete_instance", "DELETE", f"/instances/{VM}", None, "DELETING"),
    ],
)
def test_it_fails_once_and_frees_every_gpu_in_the_end(
    api: httpx.Client, sandbox: Sandbox, *, operation: str, method: str, path: str, body: Any, through: str
) -> None:
    sandbox.faults.arm(operation, "fail")
    answer = api.request(method, path, json=body)
    assert answer.status_code == 200
    instance_id = answer.json()["instance_id"]
    held = sandbox.world.instances[instance_id]["gpu_count"]
    model = sandbox.world.instances[instance_id]["region"], sandbox.world.instances[instance_id]["gpu_type"]
    free = sandbox.world.stock[model]
    assert status(api, instance_id) == through
    sandbox.world.advance(LONG)
    assert (status(api, instance_id), sandbox.world.stock[model]) == ("ERROR", free)
    assert api.delete(f"/instances/{instance_id}").status_code == 200
    sandbox.world.advance(LONG)
    assert (status(api, instance_id), sandbox.world.stock[model]) == ("DELETED", free + held)


def test_it_frees_no_gpus_that_a_sleeper_does_not_have(api: httpx.Client, sandbox: Sandbox) -> None:
    free = sandbox.world.stock[SLEEPERS_PLACE]
    sandbox.faults.arm("delete_instance", "fail", times=2)
    for expected in ("ERROR", "ERROR", "DELETED"):
        assert api.delete(f"/instances/{SLEEPER}").status_code == 200
        sandbox.world.advance(LONG)
        assert (status(api, SLEEPER), sandbox.world.stock[SLEEPERS_PLACE]) == (expected, free)


def test_it_counts_the_calls_that_fail(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("create_instance", "fail", times=2)
    ids = [api.post("/instances", json={**DEPLOYED, "vm_name": f"late-{n}"}).json()["instance_id"] for n in range(3)]
    sandbox.world.advance(LONG)
    assert [status(api, instance_id) for instance_id in ids] == ["ERROR", "ERROR", "ACTIVE"]


@pytest.mark.parametrize(
    ("operation", "path", "body", "kind", "status_after"),
    [
        ("create_snapshot", "/snapshots", {"instance_id": VM, "name": "late", "description": ""}, "snapshots", "ERROR"),
        ("create_image_from_snapshot", "/images", {"snapshot_id": SNAPSHOT, "name": "late"}, "images", "ERROR"),
        ("create_volume", "/volumes", {"name": "late", "region": "US-1", "size_gb": 10}, "volumes", "error"),
        ("clone_volume", f"/volumes/{GOLDEN}/clone", {"name": "late"}, "volumes", "error"),
        ("create_firewall", "/firewalls", {"name": "late", "region": "US-1"}, "firewalls", "ERROR"),
    ],
)
def test_it_fails_to_make_anything(
    api: httpx.Client, sandbox: Sandbox, *, operation: str, path: str, body: Any, kind: str, status_after: str
) -> None:
    sandbox.faults.arm(operation, "fail")
    before = set(getattr(sandbox.world, kind))
    assert api.post(path, json=body).status_code in (200, 201)
    sandbox.world.advance(LONG)
    (made,) = [record for key, record in getattr(sandbox.world, kind).items() if key not in before]
    assert made["status"] == status_after


@pytest.mark.parametrize(
    ("operation", "method", "path", "volume_id"),
    [
        ("attach_volumes", "POST", f"/instances/{VM}/attach-volumes", GOLDEN),
        ("detach_volumes", "POST", f"/instances/{VM}/detach-volumes", CORPUS),
        ("delete_volume", "DELETE", f"/volumes/{GOLDEN}", GOLDEN),
    ],
)
def test_it_leaves_a_volume_in_error_that_can_be_deleted(
    api: httpx.Client, sandbox: Sandbox, *, operation: str, method: str, path: str, volume_id: str
) -> None:
    sandbox.faults.arm(operation, "fail")
    assert api.request(method, path, json={"volume_ids": [volume_id]}).status_code == 200
    sandbox.world.advance(LONG)
    volume = api.get(f"/volumes/{volume_id}").json()["volume"]
    assert (volume["status"], volume["instance_id"]) == ("error", None)
    assert api.delete(f"/volumes/{volume_id}").status_code == 200
    sandbox.world.advance(LONG)
    assert api.get(f"/volumes/{volume_id}").status_code == 404


def test_it_fails_to_attach_a_firewall_that_works_on(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("attach_firewall", "fail")
    assert api.post("/firewalls/35/attachments", json={"instance_ids": [VM]}).status_code == 200
    sandbox.world.advance(LONG)
    firewall = api.get("/firewalls/35").json()["firewall"]
    assert (firewall["status"], [item["status"] for item in firewall["attachments"]]) == ("SUCCESS", ["ERROR"])


def test_it_makes_no_image_of_a_snapshot_that_failed(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("create_snapshot", "fail")
    wanted = {"instance_id": VM, "name": "late", "description": "", "create_as_image": True}
    assert api.post("/snapshots", json=wanted).status_code == 201
    sandbox.world.advance(LONG)
    assert "late" not in {image["name"] for image in sandbox.world.images.values()}
    assert api.post("/images", json={"snapshot_id": SNAPSHOT, "name": "late"}).status_code == 200


def test_it_does_no_harm_to_a_call_that_begins_nothing(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "fail", times=None)
    before = {key: record["status"] for key, record in sandbox.world.instances.items()}
    assert api.get("/instances").status_code == 200
    assert api.post(f"/instances/{VM}/start").status_code == 409
    sandbox.world.advance(LONG)
    assert {key: record["status"] for key, record in sandbox.world.instances.items()} == before


def test_it_spares_what_began_before(api: httpx.Client, sandbox: Sandbox) -> None:
    made = api.post("/instances", json=DEPLOYED).json()["instance_id"]
    sandbox.faults.arm("reboot_instance", "fail")
    api.post(f"/instances/{VM}/reboot")
    sandbox.world.advance(LONG)
    assert (status(api, made), status(api, VM)) == ("ACTIVE", "ERROR")
