"""Deploying: what becomes of a good request, and that a bad one names every field that is wrong."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from barrack_web.sandbox.os_image_data import OS_IMAGES
from barrack_web.sandbox.server import Sandbox

UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
GOOD: dict[str, Any] = {
    "vm_name": "trainer",
    "gpu_model": "L40",
    "gpu_count": 2,
    "region": "CANADA-1",
    "os_image": UBUNTU,
    "ssh_keys": ["deploy-key"],
}
RULE = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "0.0.0.0/0",
    "port_range_min": 8888,
    "port_range_max": 8888,
}
VOLUME = {
    "volume_id": "BRK-9V",
    "volume_name": "boot",
    "size_gb": 100,
    "region": "CANADA-1",
    "status": "available",
    "bootable": True,
    "volume_type": "SSD",
    "os_image": "Debian 12 Bookworm R550 CUDA 12.4",
    "instance_id": None,
    "tier": "legacy",
}


@pytest.fixture(autouse=True)
def _what_a_deployment_needs(sandbox: Sandbox) -> None:
    world = sandbox.world
    world.ssh_keys["9001"] = {"id": 9001, "name": "deploy-key"}
    world.ssh_keys["9002"] = {"id": 9002, "name": "other-key"}
    world.scripts["9012"] = {"script_id": 9012, "name": "setup", "content": "#!/bin/sh\n"}
    world.volumes["BRK-9V"] = dict(VOLUME)


def without(*fields: str, **change: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **change}.items() if name not in fields}


def from_volume(**change: Any) -> dict[str, Any]:
    return without("os_image", **{"volume_id": "BRK-9V", **change})


def deploy(api: httpx.Client, body: dict[str, Any]) -> httpx.Response:
    return api.post("/instances", json=body)


def test_it_deploys_in_two_minutes(api: httpx.Client, sandbox: Sandbox) -> None:
    stock = sandbox.world.stock["CANADA-1", "L40"]
    answer = deploy(api, {**GOOD, "assign_public_ip": True, "security_rules": [RULE], "unknown": 1})
    begun = answer.json()
    assert (answer.status_code, begun["status"], begun["tier"]) == (200, "CREATING", "legacy")
    assert begun["deployment_id"].startswith("DEP")
    address = f"/instances/{begun['instance_id']}"
    assert sandbox.world.stock["CANADA-1", "L40"] == stock - 2
    sandbox.world.advance(119)
    new = api.get(address).json()["instance"]
    assert (new["status"], new["private_ip"], new["public_ip"]) == ("CREATING", None, None)
    sandbox.world.advance(1)
    new = api.get(address).json()["instance"]
    assert (new["status"], new["vm_name"], new["region"]) == ("ACTIVE", "trainer", "CANADA-1")
    assert (new["gpu_type"], new["gpu_count"], new["flavor"]["cpu"]) == ("L40", 2, 56)
    assert (new["image"], new["ssh_keys"], new["volumes"]) == ({"name": UBUNTU}, ["deploy-key"], [])
    assert all([new["private_ip"], new["public_ip"], new["server_uuid"]])
    (rule,) = new["security_rules"]
    assert rule.items() >= RULE.items()


def test_it_deploys_without_a_public_address_unless_asked(api: httpx.Client, sandbox: Sandbox) -> None:
    instance_id = deploy(api, GOOD).json()["instance_id"]
    sandbox.world.advance(120)
    record = sandbox.world.instances[instance_id]
    assert (record["status"], record["public_ip"]) == ("ACTIVE", None)


def test_it_boots_from_a_volume_and_ties_the_two(api: httpx.Client, sandbox: Sandbox) -> None:
    instance_id = deploy(api, from_volume()).json()["instance_id"]
    volume = sandbox.world.volumes["BRK-9V"]
    assert (volume["status"], volume["instance_id"], volume["attached_vm_name"]) == ("in-use", instance_id, "trainer")
    (attached,) = api.get(f"/instances/{instance_id}").json()["instance"]["volumes"]
    assert (attached["volume_id"], attached["device"], attached["bootable"]) == ("BRK-9V", "/dev/vda", True)
    sandbox.world.advance(120)
    kept = api.post(f"/instances/{instance_id}/detach-volumes", json={"volume_ids": ["BRK-9V"]})
    assert kept.status_code == 409, "an instance keeps the disk that it runs from"
    api.delete(f"/instances/{instance_id}")
    sandbox.world.advance(30)
    assert volume["status"] == "available"
    assert deploy(api, from_volume(vm_name="next")).status_code == 200


def test_it_boots_from_an_image_of_the_account(api: httpx.Client, sandbox: Sandbox) -> None:
    image = sandbox.world.images["501"]
    for number, image_id in enumerate((501, "501")):
        wanted = without("os_image", image_id=image_id, region=image["region"], vm_name=f"vm-{number}")
        instance_id = deploy(api, wanted).json()["instance_id"]
        shown = api.get(f"/instances/{instance_id}").json()["instance"]
        assert shown["image"] == {"name": image["name"]}
        assert not [name for name in shown if name.startswith("_")]
    assert api.delete("/images/501").json()["error"] == "IMAGE_IN_USE"
    sandbox.world.advance(120)
    assert api.delete("/images/501").status_code == 200


def test_it_takes_a_startup_script_and_cloud_init_together(api: httpx.Client) -> None:
    longest = "#" + "ä" * 8191 + "x"
    good = {**GOOD, "cloud_init": longest, "script_id": "9012", "jupyter_enabled": True, "jupyter_password": "12345678"}
    assert deploy(api, good).status_code == 200
    too_long = deploy(api, {**GOOD, "vm_name": "b", "cloud_init": longest + "x"})
    assert (too_long.status_code, set(too_long.json()["details"])) == (422, {"cloud_init"}), "bytes are what counts"
    assert deploy(api, {**GOOD, "vm_name": "c", "cloud_init": None, "script_id": None}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *(({"vm_name": name}, "vm_name") for name in ("", " ", "a" * 51, "a/b", "a\n", None, 5)),
        *(({"gpu_model": model}, "gpu_model") for model in ("L4", "", None, 1, [], "L40\0")),
        *(({"gpu_count": count}, "gpu_count") for count in (0, 3, 16, "1", True, None, 10**300, 1.5)),
        ({"gpu_model": "A40", "gpu_count": 8}, "gpu_count"),
        *(({"tier": tier}, "tier") for tier in ("advanced", "Legacy", None, 1)),
        *(({"ssh_keys": keys}, "ssh_keys") for keys in ([], "deploy-key", None, [1], ["deploy-key"] * 2, ["nobody"])),
        ({"os_image": "Windows"}, "os_image"),
        ({"os_image": None}, "os_image"),
        ({"os_image": "Rocky Linux 9 R550 CUDA 12.4"}, "os_image"),
        ({"assign_public_ip": "yes"}, "assign_public_ip"),
        ({"security_rules": {}}, "security_rules"),
        ({"security_rules": None}, "security_rules"),
        ({"security_rules": [RULE, {**RULE, "port_range_max": 1}]}, "security_rules.1.port_range_max"),
        ({"security_rules": ["ssh"]}, "security_rules.0.rule"),
        ({"jupyter_enabled": 1}, "jupyter_enabled"),
        ({"jupyter_enabled": True}, "jupyter_password"),
        ({"jupyter_enabled": True, "jupyter_password": "1234567"}, "jupyter_password"),
        ({"jupyter_password": 12345678}, "jupyter_password"),
        ({"cloud_init": 5}, "cloud_init"),
        ({"cloud_init": "a\0b"}, "cloud_init"),
        *(({"script_id": script}, "script_id") for script in (1, "x", True, {}, 10**300)),
    ],
)
def test_it_names_the_field_that_is_wrong(
    api: httpx.Client, sandbox: Sandbox, change: dict[str, Any], field: str
) -> None:
    before = (len(sandbox.world.instances), dict(sandbox.world.stock))
    answer = deploy(api, {**GOOD, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})
    assert (len(sandbox.world.instances), sandbox.world.stock) == before


def test_it_names_every_field_that_is_missing(api: httpx.Client) -> None:
    assert set(deploy(api, {}).json()["details"]) == set(GOOD)


def test_it_knows_the_region(api: httpx.Client) -> None:
    assert set(deploy(api, {**GOOD, "region": "MOON-1"}).json()["details"]) == {"region", "os_image"}


@pytest.mark.parametrize("region", ["NORWAY-1", "CANADA-1", "US-1"])
def test_it_boots_the_images_that_a_region_lists(api: httpx.Client, region: str) -> None:
    listed = [image["name"] for image in OS_IMAGES if image["region"] == region]
    for number, name in enumerate(listed):
        assert deploy(api, {**GOOD, "region": region, "os_image": name, "vm_name": f"{number}"}).status_code == 200


def test_it_wants_exactly_one_thing_to_boot_from(api: httpx.Client) -> None:
    assert set(deploy(api, without("os_image")).json()["details"]) == {"os_image"}
    both = deploy(api, {**GOOD, "volume_id": "BRK-9V"})
    assert (both.status_code, set(both.json()["details"])) == (422, {"os_image", "volume_id"})


@pytest.mark.parametrize(
    "change",
    [
        {"region": "US-1"},
        {"bootable": False},
        {"size_gb": 99},
        {"status": "creating"},
        {"status": "in-use", "instance_id": "BRK-123456D"},
    ],
)
def test_it_boots_from_a_free_bootable_volume_of_the_region_only(
    api: httpx.Client, sandbox: Sandbox, change: dict[str, Any]
) -> None:
    sandbox.world.volumes["BRK-9V"].update(change)
    answer = deploy(api, from_volume())
    assert (answer.status_code, set(answer.json()["details"])) == (422, {"volume_id"})


def test_it_boots_from_a_usable_image_of_the_region_only(api: httpx.Client, sandbox: Sandbox) -> None:
    def refused(image_id: object, region: str) -> set[str]:
        return set(deploy(api, without("os_image", image_id=image_id, region=region)).json()["details"])

    assert refused(501, "US-1") == {"image_id"}
    for image_id in (9, None, True, []):
        assert refused(image_id, "CANADA-1") == {"image_id"}
    sandbox.world.images["501"]["status"] = "Creating"
    assert refused(501, "CANADA-1") == {"image_id"}
    assert set(deploy(api, from_volume(volume_id=1)).json()["details"]) == {"volume_id"}


def test_it_refuses_a_name_in_use_but_not_that_of_a_deleted_instance(api: httpx.Client) -> None:
    answer = deploy(api, {**GOOD, "vm_name": "ml-training-server"})
    assert (answer.status_code, answer.json()["error"]) == (409, "NAME_TAKEN")
    assert set(answer.json()["details"]) == {"vm_name"}
    assert deploy(api, {**GOOD, "vm_name": "old-benchmark"}).status_code == 200


def test_it_refuses_without_an_hour_of_credit_or_without_stock(api: httpx.Client, sandbox: Sandbox) -> None:
    world = sandbox.world
    world.balances["USD"] = Decimal("2.37")
    answer = deploy(api, from_volume())
    assert (answer.status_code, answer.json()["error"]) == (402, "INSUFFICIENT_CREDITS")
    world.balances["USD"] = Decimal("2.38")
    world.stock["CANADA-1", "L40"] = 1
    answer = deploy(api, from_volume())
    assert (answer.status_code, answer.json()["error"]) == (503, "OUT_OF_STOCK")
    assert world.volumes["BRK-9V"]["status"] == "available", "a refusal leaves nothing behind"
    world.stock["CANADA-1", "L40"] = 2
    assert deploy(api, from_volume()).status_code == 200
    assert world.stock["CANADA-1", "L40"] == 0
