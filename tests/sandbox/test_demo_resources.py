"""The volumes, firewalls, keys and scripts of the demo hang together, and seeds make as many as they count."""

from collections import Counter
from typing import Any

import httpx
import pytest

from barrack_web.sandbox.os_image_data import has_os_image
from barrack_web.sandbox.prices import VOLUME_PRICES
from barrack_web.sandbox.routes.rules import rule_problems
from barrack_web.sandbox.server import Sandbox, transport

COUNTS = {"volumes": 120, "firewalls": 30, "ssh_keys": 40, "scripts": 21}


def rows(api: httpx.Client, path: str, name: str) -> list[dict[str, Any]]:
    found = api.get(path, params={"limit": 100}).json()[name]
    assert isinstance(found, list)
    return found


def test_it_attaches_volumes_to_instances_of_their_region(api: httpx.Client, sandbox: Sandbox) -> None:
    attached = [row for row in rows(api, "/volumes", "volumes") if row["instance_id"]]
    assert max(Counter(row["instance_id"] for row in attached).values()) == 2
    for row in attached:
        instance = sandbox.world.instances[row["instance_id"]]
        assert (instance["region"], instance["vm_name"]) == (row["region"], row["attached_vm_name"])


def test_it_has_a_volume_in_every_state(api: httpx.Client) -> None:
    volumes = rows(api, "/volumes", "volumes")
    assert {row["status"] for row in volumes} == {
        *("available", "in-use", "attached", "attaching", "detaching", "creating", "deleting", "error", "maintenance"),
    }
    for row in volumes:
        assert row["volume_type"] in VOLUME_PRICES[row["tier"]]
        assert row["bootable"] is has_os_image(row["os_image"], row["region"])


def test_it_tells_instances_how_far_their_volumes_are(api: httpx.Client) -> None:
    instances = api.get("/instances", params={"limit": 100}).json()["instances"]
    disks = {row["vm_name"]: [(disk["device"], disk["status"]) for disk in row["volumes"]] for row in instances}
    assert disks["rag-index-builder"] == [("/dev/vdb", "ATTACHED"), ("/dev/vdc", "ATTACHED")]
    assert disks["llama-ft-70b"] == [("/dev/vdb", "ATTACHED"), ("/dev/vdc", "ATTACHING")]
    assert disks["whisper-batch"] == [("/dev/vdb", "DETACHING")]
    assert disks["eval-harness"] == [("/dev/vda", "ATTACHED")]


def test_it_has_billed_volumes_since_they_were_made(sandbox: Sandbox) -> None:
    minutes = {period.resource_id: period.minutes for period in sandbox.world.periods("volumes")}
    assert minutes["BRK-123458V"] == 400 * 60
    assert "BRK-123566V" not in minutes


def test_it_guards_instances_with_rules_that_are_valid(api: httpx.Client, sandbox: Sandbox) -> None:
    firewalls = rows(api, "/firewalls", "firewalls")
    for firewall in firewalls:
        for rule in firewall["rules"]:
            fields = {name: value for name, value in rule.items() if value is not None}
            assert rule_problems(fields) == {}
        for attachment in firewall["attachments"]:
            instance = sandbox.world.instances[attachment["vm"]["instance_id"]]
            assert (instance["region"], instance["status"]) == (firewall["region"], "ACTIVE")
    assert {len(firewall["rules"]) for firewall in firewalls} >= {0, 1, 2, 3}
    assert {row["status"] for row in firewalls} == {"SUCCESS", "CREATING", "ERROR"}


def test_it_guards_some_instances_twice_and_one_not_at_all(api: httpx.Client, sandbox: Sandbox) -> None:
    active = [key for key, record in sandbox.world.instances.items() if record["status"] == "ACTIVE"]
    guards = {key: api.get(f"/instances/{key}/firewalls").json()["firewalls"] for key in active}
    assert {len(found) for found in guards.values()} == {0, 1, 2}
    statuses = {guard["status"] for found in guards.values() for guard in found}
    assert statuses == {"SUCCESS", "ATTACHING", "ERROR"}


def test_it_is_open_to_everybody_in_one_place(api: httpx.Client) -> None:
    wide = [
        firewall["name"]
        for firewall in rows(api, "/firewalls", "firewalls")
        for rule in firewall["rules"]
        if (rule["remote_ip_prefix"], rule["port_range_min"], rule["port_range_max"]) == ("0.0.0.0/0", 1, 65535)
    ]
    assert wide == ["debug-everything"]


def test_it_has_the_keys_that_the_instances_name(api: httpx.Client, sandbox: Sandbox) -> None:
    users: dict[str, set[str]] = {}
    for record in sandbox.world.instances.values():
        for name in record["ssh_keys"]:
            users.setdefault(name, set()).add(record["status"])
    assert set(users) < {row["name"] for row in rows(api, "/ssh-keys", "ssh_keys")}
    assert users["anna-yubikey"] == {"SHUTOFF", "HIBERNATED"}


def test_it_has_scripts_that_need_a_second_look(api: httpx.Client) -> None:
    contents = {row["name"]: row["content"] for row in rows(api, "/scripts", "scripts")}
    assert [name for name, text in contents.items() if text.startswith("#cloud-config\n")] == ["cloud-config-base"]
    assert [name for name, text in contents.items() if "_TOKEN=" in text] == ["download-models"]
    assert "HF_TOKEN=hf_example_" in contents["download-models"], "it looks like a secret and is none"


@pytest.mark.parametrize(
    ("path", "name", "key"),
    [
        ("/volumes", "volumes", "volume_name"),
        ("/firewalls", "firewalls", "name"),
        ("/ssh-keys", "ssh_keys", "fingerprint"),
        ("/scripts", "scripts", "script_id"),
    ],
)
def test_it_makes_as_many_as_a_seed_counts(path: str, name: str, key: str) -> None:
    sandbox = Sandbox(seed=COUNTS, speed=0)
    with httpx.Client(
        transport=transport(sandbox), base_url="http://sandbox/api", headers={"X-API-Key": "sandbox-key"}
    ) as api:
        body = api.get(path, params={"limit": 100}).json()
    assert body["pagination"]["total"] == COUNTS[name]
    assert len({row[key] for row in body[name]}) == min(100, COUNTS[name])


def test_it_serves_nothing_of_its_own(api: httpx.Client) -> None:
    text = "".join(api.get(path, params={"limit": 100}).text for path in ("/volumes", "/firewalls", "/instances"))
    assert '"_' not in text


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("volumes", "BRK-123458V"),
        ("firewalls", "31"),
        ("ssh_keys", "11"),
        ("scripts", "71"),
        ("instances", "BRK-123456D"),
    ],
)
def test_it_serves_records_as_a_test_left_them(api: httpx.Client, sandbox: Sandbox, kind: str, key: str) -> None:
    record = getattr(sandbox.world, kind)[key]
    for field in list(record):
        kept = record.pop(field)
        for name in ("volumes", "firewalls", "ssh_keys", "scripts"):
            assert len(rows(api, f"/{name.replace('_', '-')}", name)) >= 4
        assert api.get("/instances/BRK-123489D/firewalls").status_code == 200
        assert api.get("/firewalls/available-instances").status_code == 200
        record[field] = kept
