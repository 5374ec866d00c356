"""Firewalls, their rules, and the instances that they protect."""

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

WEB, JUPYTER, STAGING, BROKEN, BEING_MADE, OPEN = 31, 32, 35, 37, 38, 39
TRAINER, RAG, EVAL, LLAMA, SLEEPER = "BRK-123456D", "BRK-123489D", "BRK-123502D", "BRK-123471D", "BRK-123548D"
NEW = {"name": "fresh", "region": "CANADA-1"}
SSH = {
    "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4", "remote_ip_prefix": "203.0.113.0/24",
    "port_range_min": 22, "port_range_max": 22,
}  # fmt: skip
FIELDS = {"id", "name", "description", "status", "environment", "region", "rules", "attachments", "created_at"}


def firewall(api: httpx.Client, number: int) -> dict[str, list[dict[str, object]]]:
    found = api.get(f"/firewalls/{number}").json()["firewall"]
    assert isinstance(found, dict)
    return found


def attach(api: httpx.Client, number: int, *ids: str) -> httpx.Response:
    return api.post(f"/firewalls/{number}/attachments", json={"instance_ids": list(ids)})


def attached(api: httpx.Client, number: int) -> dict[object, object]:
    rows = api.get(f"/firewalls/{number}").json()["firewall"]["attachments"]
    return {row["vm"]["instance_id"]: row["status"] for row in rows}


def test_it_lists_firewalls(api: httpx.Client) -> None:
    body = api.get("/firewalls", params={"limit": 6}).json()
    assert (len(body["firewalls"]), body["pagination"]["total"]) == (6, 9)
    assert all(set(row) == FIELDS for row in body["firewalls"])
    found = api.get("/firewalls", params={"region": "US-1", "search": "SSH"}).json()["firewalls"]
    assert [row["name"] for row in found] == ["ssh-from-anywhere"]
    assert api.get("/firewalls/1").status_code == 404


def test_it_makes_a_firewall_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    made = api.post("/firewalls", json={**NEW, "description": "d" * 255}).json()["firewall"]
    assert (made["status"], made["rules"], made["attachments"]) == ("CREATING", [], [])
    assert made["environment"] == {"id": 2, "name": "default-CANADA-1", "region": "CANADA-1"}
    assert attach(api, made["id"], TRAINER).status_code == 409
    sandbox.world.advance(5)
    assert api.get(f"/firewalls/{made['id']}").json()["firewall"]["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a\n"}, "name"),
        ({"name": None}, "name"),
        ({"region": "MOON-1"}, "region"),
        ({"region": ["US-1"]}, "region"),
        ({"description": "d" * 256}, "description"),
        ({"description": 5}, "description"),
    ],
)
def test_it_refuses_a_firewall_that_cannot_be(api: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = api.post("/firewalls", json={**NEW, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})


def test_it_leaves_the_firewall_of_the_demo_that_is_being_made(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.advance(3600)
    assert api.get(f"/firewalls/{BEING_MADE}").json()["firewall"]["status"] == "CREATING"
    assert api.delete(f"/firewalls/{BEING_MADE}").status_code == 409


def test_it_keeps_names_apart_and_25_firewalls(api: httpx.Client) -> None:
    taken = api.post("/firewalls", json={**NEW, "name": "staging"})
    assert (taken.status_code, taken.json()["error"]) == (409, "NAME_TAKEN")
    for number in range(16):
        assert api.post("/firewalls", json={**NEW, "name": f"f{number}"}).status_code == 200
    full = api.post("/firewalls", json=NEW)
    assert (full.status_code, full.json()["error"]) == (409, "LIMIT_REACHED")


def test_it_does_not_delete_a_firewall_that_is_still_being_made(api: httpx.Client, sandbox: Sandbox) -> None:
    made = api.post("/firewalls", json=NEW).json()["firewall"]
    refused = api.delete(f"/firewalls/{made['id']}")
    assert (refused.status_code, refused.json()["error"]) == (409, "INVALID_STATE")
    sandbox.world.advance(5)
    assert api.delete(f"/firewalls/{made['id']}").status_code == 200


def test_it_never_deletes_an_attached_firewall(api: httpx.Client) -> None:
    for query in ({}, {"force": "true"}):
        answer = api.delete(f"/firewalls/{WEB}", params=query)
        assert (answer.status_code, answer.json()["error"]) == (409, "FIREWALL_IN_USE")
    assert api.delete(f"/firewalls/{STAGING}", params={"force": "yes"}).status_code == 400
    assert api.delete(f"/firewalls/{STAGING}").json()["firewall_id"] == STAGING
    assert api.delete(f"/firewalls/{STAGING}").status_code == 404
    attach(api, WEB)
    assert api.delete(f"/firewalls/{WEB}").status_code == 200


def test_it_adds_and_removes_rules(api: httpx.Client) -> None:
    body = api.post(f"/firewalls/{STAGING}/rules", json=SSH).json()
    rule = body["rule"]
    assert isinstance(rule["id"], int)
    assert (body["firewall_id"], rule["status"], {name: rule[name] for name in SSH}) == (STAGING, "SUCCESS", SSH)
    again = api.post(f"/firewalls/{STAGING}/rules", json=SSH)
    assert (again.status_code, again.json()["error"]) == (409, "RULE_EXISTS")
    ping = {**SSH, "protocol": "icmp"}
    del ping["port_range_min"], ping["port_range_max"]
    pinged = api.post(f"/firewalls/{STAGING}/rules", json=ping).json()["rule"]
    assert (pinged["port_range_min"], pinged["port_range_max"]) == (None, None)
    removed = api.delete(f"/firewalls/{STAGING}/rules/{rule['id']}").json()
    assert (removed["firewall_id"], removed["rule_id"]) == (STAGING, rule["id"])
    assert [row["id"] for row in firewall(api, STAGING)["rules"]] == [pinged["id"]]
    assert api.delete(f"/firewalls/{STAGING}/rules/{rule['id']}").status_code == 404
    assert api.delete(f"/firewalls/1/rules/{rule['id']}").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"direction": "in"}, "direction"),
        ({"protocol": "TCP"}, "protocol"),
        ({"ethertype": "IPv6"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "203.0.113.0"}, "remote_ip_prefix"),
        ({"port_range_min": 0}, "port_range_min"),
        ({"port_range_max": 21}, "port_range_max"),
        ({"port_range_max": None}, "port_range_max"),
    ],
)
def test_it_refuses_a_rule_that_cannot_be(api: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = api.post(f"/firewalls/{STAGING}/rules", json={**SSH, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})
    assert firewall(api, STAGING)["rules"] == []


def test_it_lists_protocols(api: httpx.Client) -> None:
    rows = api.get("/firewalls/protocols").json()["protocols"]
    assert {row["name"]: row["supports_ports"] for row in rows} == {"tcp": True, "udp": True, "icmp": False}


def test_it_attaches_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    body = attach(api, STAGING, TRAINER).json()
    (row,) = body["attachments"]
    assert set(row) == {"id", "vm", "status", "created_at"}
    assert set(row["vm"]) == {"instance_id", "name", "status", "flavor", "environment", "created_at"}
    assert attached(api, STAGING) == {TRAINER: "ATTACHING"}
    sandbox.world.advance(10)
    assert attached(api, STAGING) == {TRAINER: "SUCCESS"}


def test_it_takes_the_ids_as_the_whole_set(api: httpx.Client) -> None:
    assert attached(api, WEB) == {RAG: "SUCCESS", EVAL: "SUCCESS"}
    attach(api, WEB, EVAL, TRAINER)
    assert attached(api, WEB) == {EVAL: "SUCCESS", TRAINER: "ATTACHING"}
    assert attach(api, WEB).json()["attachments"] == []
    assert attached(api, WEB) == {}


def test_it_keeps_an_attached_instance_in_any_state(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[RAG]["status"] = "SHUTOFF"
    assert attach(api, WEB, RAG).status_code == 200
    assert firewall(api, WEB)["attachments"][0]["vm"]["status"] == "SHUTOFF"  # type: ignore[index]
    assert attach(api, JUPYTER, RAG).status_code == 409


def test_it_forgets_deleted_instances(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[RAG]["status"] = "DELETED"
    del sandbox.world.instances[EVAL]
    assert attached(api, WEB) == {}
    assert api.delete(f"/firewalls/{WEB}").status_code == 200


@pytest.mark.parametrize(
    ("ids", "status", "code"),
    [
        ([TRAINER, SLEEPER], 409, "INVALID_STATE"),
        ([TRAINER, LLAMA], 409, "REGION_MISMATCH"),
        ([TRAINER, "BRK-1D"], 404, "NOT_FOUND"),
        ([TRAINER, TRAINER], 422, "VALIDATION_ERROR"),
        ([5], 422, "VALIDATION_ERROR"),
        (TRAINER, 422, "VALIDATION_ERROR"),
        (None, 422, "VALIDATION_ERROR"),
    ],
)
def test_it_attaches_all_or_nothing(api: httpx.Client, ids: object, status: int, code: str) -> None:
    answer = api.post(f"/firewalls/{WEB}/attachments", json={"instance_ids": ids})
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert attached(api, WEB) == {RAG: "SUCCESS", EVAL: "SUCCESS"}


def test_it_wants_a_server_and_a_working_firewall(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER]["server_uuid"] = None
    assert attach(api, WEB, TRAINER).status_code == 409
    assert attach(api, BROKEN).status_code == 409
    assert attach(api, 1).status_code == 404


def test_it_lists_the_firewalls_of_an_instance(api: httpx.Client) -> None:
    body = api.get(f"/instances/{TRAINER}/firewalls").json()
    row, other = body["firewalls"]
    assert (other["firewall_id"], other["status"]) == (OPEN, "SUCCESS")
    assert (body["instance_id"], body["tier"]) == (TRAINER, "legacy")
    assert (row["firewall_id"], row["name"], row["status"]) == (JUPYTER, "jupyter-office", "SUCCESS")
    assert len(row["rules"]) == 2
    assert set(row) == {"firewall_id", "name", "status", "rules"}
    assert api.get("/instances/BRK-1D/firewalls").status_code == 404


def test_it_lists_the_instances_that_fit(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[EVAL]["server_uuid"] = None
    everywhere = api.get("/firewalls/available-instances").json()["vms"]
    assert {vm["status"] for vm in everywhere} == {"ACTIVE"}
    assert {vm["region"] for vm in everywhere} == {"CANADA-1", "NORWAY-1", "US-1"}
    here = api.get("/firewalls/available-instances", params={"region": "CANADA-1"}).json()["vms"]
    assert [vm["instance_id"] for vm in here] == [TRAINER, RAG]
    assert "flavor" not in here[0]
    body = api.get(f"/firewalls/{WEB}/available-instances").json()
    assert [vm["instance_id"] for vm in body["instances"]] == [TRAINER, RAG]
    assert body["instances"][0]["billing"]["currency"] == "USD"
    assert api.get("/firewalls/1/available-instances").status_code == 404
