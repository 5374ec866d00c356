"""What can be done to an instance, in which state, how long it takes, and what it leaves behind."""

from typing import Any

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

VM = "BRK-123456D"
MODEL = ("CANADA-1", "H100-PCIe-80GB")
RULE = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "203.0.113.7/24",
    "port_range_min": 22,
    "port_range_max": 443,
}
TRANSITIONAL = ["CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING"]
STATES = ["ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR", "DELETED", "RESCUE", *TRANSITIONAL]
ALLOWED = {
    "start": {"SHUTOFF"},
    "stop": {"ACTIVE"},
    "reboot": {"ACTIVE"},
    "hibernate": {"ACTIVE", "SHUTOFF"},
    "restore": {"HIBERNATED"},
    "toggle-public-ip": {"ACTIVE"},
    "delete": {"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR"},
}


def act(api: httpx.Client, action: str, instance_id: str = VM) -> httpx.Response:
    if action == "delete":
        return api.delete(f"/instances/{instance_id}")
    return api.post(f"/instances/{instance_id}/{action}")


def shown(api: httpx.Client, instance_id: str = VM) -> dict[str, Any]:
    instance: dict[str, Any] = api.get(f"/instances/{instance_id}").json()["instance"]
    return instance


@pytest.mark.parametrize("action", ALLOWED)
@pytest.mark.parametrize("state", STATES)
def test_it_allows_each_action_in_its_states_only(api: httpx.Client, sandbox: Sandbox, action: str, state: str) -> None:
    sandbox.world.instances[VM]["status"] = state
    answer = act(api, action)
    if state in ALLOWED[action]:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["error"]) == (409, "INVALID_STATE")
        assert sandbox.world.instances[VM]["status"] == state


@pytest.mark.parametrize("action", ALLOWED)
def test_it_does_nothing_to_an_instance_that_is_not_there(api: httpx.Client, action: str) -> None:
    assert act(api, action, "BRK-1D").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        ("start", "SHUTOFF", "STARTING", 30, "ACTIVE"),
        ("stop", "ACTIVE", "STOPPING", 20, "SHUTOFF"),
        ("reboot", "ACTIVE", "REBOOTING", 40, "ACTIVE"),
        ("hibernate", "ACTIVE", "HIBERNATING", 60, "HIBERNATED"),
        ("hibernate", "SHUTOFF", "HIBERNATING", 60, "HIBERNATED"),
        ("restore", "HIBERNATED", "RESTORING", 90, "ACTIVE"),
        ("delete", "ACTIVE", "DELETING", 30, "DELETED"),
        ("delete", "ERROR", "DELETING", 30, "DELETED"),
    ],
)
def test_it_takes_its_time(api: httpx.Client, sandbox: Sandbox, change: tuple[str, str, str, int, str]) -> None:
    action, before, through, seconds, after = change
    sandbox.world.instances[VM]["status"] = before
    answer = act(api, action).json()
    assert (answer["instance_id"], answer["status"], answer["tier"]) == (VM, through, "legacy")
    assert all(act(api, other).status_code == 409 for other in ALLOWED), "one operation at a time"
    sandbox.world.advance(seconds - 1)
    assert shown(api)["status"] == through
    sandbox.world.advance(1)
    assert (shown(api)["status"], shown(api)["power_state"] == "RUNNING") == (after, after == "ACTIVE")


def test_it_treats_stopped_as_another_word_for_shutoff(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["status"] = "STOPPED"
    assert act(api, "start").status_code == 200


def test_it_keeps_a_deleted_instance_on_the_list_and_frees_its_name(api: httpx.Client, sandbox: Sandbox) -> None:
    act(api, "delete")
    taken = api.post("/snapshots/BRK-123456S/restore", json={"new_vm_name": "ml-training-server"})
    assert taken.status_code == 409, "the name is free only when the instance is gone"
    sandbox.world.advance(30)
    gone = shown(api)
    assert (gone["status"], gone["public_ip"], gone["private_ip"], gone["server_uuid"]) == ("DELETED", None, None, None)
    assert gone["security_rules"] == []
    assert VM in [row["instance_id"] for row in api.get("/instances").json()["instances"]]
    free = api.post("/snapshots/BRK-123456S/restore", json={"new_vm_name": "ml-training-server"})
    assert free.status_code == 200


def test_it_lets_volumes_and_firewalls_of_a_deleted_instance_go(api: httpx.Client, sandbox: Sandbox) -> None:
    world = sandbox.world
    for instance_id, volume_id in ((VM, "BRK-1V"), ("BRK-123502D", "BRK-2V")):
        world.volumes[volume_id] = {
            "volume_id": volume_id,
            "volume_name": "data",
            "status": "in-use",
            "instance_id": instance_id,
            "attached_vm_name": "someone",
            "attached_vm_status": "ACTIVE",
            "_attachment": {"id": 7, "device": "/dev/vdb", "status": "ATTACHED", "created_at": None},
        }
    world.firewalls["900"] = {
        "id": 900,
        "attachments": [{"id": 1, "vm": {"instance_id": key}, "status": "SUCCESS"} for key in (VM, "BRK-123502D")],
    }
    act(api, "delete")
    assert world.volumes["BRK-1V"]["status"] == "in-use", "nothing is let go before the end"
    world.advance(30)
    freed = world.volumes["BRK-1V"]
    assert (freed["status"], freed["instance_id"], freed["attached_vm_name"]) == ("available", None, None)
    assert "_attachment" not in freed
    assert world.volumes["BRK-2V"]["status"] == "in-use"
    assert [item["vm"]["instance_id"] for item in world.firewalls["900"]["attachments"]] == ["BRK-123502D"]


def test_it_shows_the_volumes_of_an_instance_and_nothing_private(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["_secret"] = "x"
    sandbox.world.volumes["BRK-1V"] = {
        "volume_id": "BRK-1V",
        "volume_name": "data",
        "size_gb": 250,
        "bootable": False,
        "status": "in-use",
        "instance_id": VM,
        "_attachment": {"id": 7, "device": "/dev/vdx", "status": "ATTACHED", "created_at": "2026-01-01T00:00:00Z"},
    }
    instance = shown(api)
    volumes = {volume["volume_id"]: volume for volume in instance["volumes"]}
    assert volumes["BRK-1V"] == {
        "id": 7,
        "volume_id": "BRK-1V",
        "volume_name": "data",
        "size_gb": 250,
        "bootable": False,
        "device": "/dev/vdx",
        "status": "ATTACHED",
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert "_secret" not in instance
    others = [row for row in api.get("/instances").json()["instances"] if row["instance_id"] != VM]
    assert all("BRK-1V" not in str(row["volumes"]) for row in others)


def test_it_gives_and_takes_the_public_address(api: httpx.Client, sandbox: Sandbox) -> None:
    first = shown(api)["public_ip"]
    answer = act(api, "toggle-public-ip").json()
    assert (answer["public_ip"], answer["status"]) == (None, "ACTIVE")
    assert shown(api)["public_ip"] is None
    second = act(api, "toggle-public-ip").json()["public_ip"]
    assert second == shown(api)["public_ip"] not in {None, first}
    sandbox.world.balances["USD"] -= sandbox.world.balances["USD"]
    assert act(api, "toggle-public-ip").status_code == 200, "giving it up costs nothing"
    refused = act(api, "toggle-public-ip")
    assert (refused.status_code, refused.json()["error"]) == (402, "INSUFFICIENT_CREDITS")


def test_it_never_gives_a_public_address_twice() -> None:
    world = Sandbox(seed={"instances": 300}, speed=0).world
    had = {record["public_ip"] for record in world.instances.values()}
    assert len(had) == 300
    assert not had & {world.new_public_ip() for _ in range(300)}


def test_it_adds_and_removes_a_rule(api: httpx.Client) -> None:
    before = shown(api)["security_rules"]
    added = api.post(f"/instances/{VM}/security-rules", json={**RULE, "unknown": 1}).json()
    rule = added["security_rule"]
    assert {name: rule[name] for name in RULE} == RULE
    assert (added["instance_id"], added["rule_id"], rule["id"], "unknown" in rule) == (
        VM,
        rule["id"],
        rule["id"],
        False,
    )
    assert shown(api)["security_rules"] == [*before, rule]
    removed = api.delete(f"/instances/{VM}/security-rules/{rule['id']}").json()
    assert (removed["instance_id"], removed["rule_id"], removed["tier"]) == (VM, rule["id"], "legacy")
    assert shown(api)["security_rules"] == before


def test_it_has_a_rule_only_once(api: httpx.Client) -> None:
    rules = f"/instances/{VM}/security-rules"
    assert api.post(rules, json=RULE).status_code == 200
    again = api.post(rules, json=RULE)
    assert (again.status_code, again.json()["error"]) == (409, "RULE_EXISTS")
    assert api.post(rules, json={**RULE, "port_range_max": 444}).status_code == 200


@pytest.mark.parametrize(
    ("status", "billing"),
    [
        ("ACTIVE", "active"),
        ("SHUTOFF", "active"),
        ("HIBERNATED", "hibernated"),
        ("ERROR", "paused"),
        ("BUILD", "paused"),
    ],
)
def test_it_says_how_an_instance_is_billed(api: httpx.Client, sandbox: Sandbox, status: str, billing: str) -> None:
    sandbox.world.instances[VM]["status"] = status
    found = shown(api)["billing"]
    assert (found["status"], found["price_per_hour"] is None) == (billing, billing == "paused")


def test_it_refuses_rules_that_do_not_fit(api: httpx.Client, sandbox: Sandbox) -> None:
    rules = f"/instances/{VM}/security-rules"
    assert api.post(rules, json={}).status_code == 422
    assert api.delete(f"{rules}/nothing").status_code == 404
    assert api.post("/instances/BRK-1D/security-rules", json=RULE).status_code == 404
    assert api.delete("/instances/BRK-1D/security-rules/1").status_code == 404
    rule_id = sandbox.world.instances[VM]["security_rules"][0]["id"]
    for state in STATES[1:]:
        sandbox.world.instances[VM]["status"] = state
        assert api.post(rules, json=RULE).status_code == 409
        assert api.delete(f"{rules}/{rule_id}").status_code == 409


def test_it_deletes_images_that_nothing_needs(api: httpx.Client, sandbox: Sandbox) -> None:
    source = sandbox.world.images["501"]["snapshot_id"]
    assert api.delete("/images/501").json()["image_id"] == 501
    assert api.delete("/images/501").status_code == 404
    assert api.get(f"/snapshots/{source}").json()["snapshot"]["is_image"] is False
    number = api.post("/images", json={"snapshot_id": source, "name": "again"}).json()["image_id"]
    assert api.delete(f"/images/{number}").status_code == 409, "it is still being made"
    sandbox.world.advance(90)
    assert api.delete(f"/images/{number}").status_code == 200


def test_it_finds_nothing_in_a_state_that_does_not_exist(api: httpx.Client) -> None:
    assert api.get("/instances", params={"status": "\0"}).json()["instances"] == []
