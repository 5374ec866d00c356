"""Faults at the door inside the process, the log, and how faults are armed."""

import time

import httpx
import pytest

from barrack_web.sandbox.faults import KINDS
from barrack_web.sandbox.server import Sandbox, transport

SNAPSHOT = "BRK-123456S"
IN_TIME = httpx.Timeout(2, read=0.15)


def restore(api: httpx.Client) -> httpx.Response:
    return api.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": "late"}, timeout=IN_TIME)


def restored(sandbox: Sandbox) -> bool:
    return any(record["vm_name"] == "late" for record in sandbox.world.instances.values())


def test_it_answers_a_status_as_often_as_armed(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=429, headers={"Retry-After": "1"}, times=2)
    for _ in range(2):
        answer = api.get("/snapshots")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["success"] is False
        assert api.get("/regions").status_code == 200
    assert api.get("/snapshots").status_code == 200


def test_it_answers_any_body(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "status", status=200, body={"success": False, "message": "no"}, times=None)
    assert api.get("/snapshots").json() == {"success": False, "message": "no"}
    assert api.get("/regions").json()["message"] == "no"
    sandbox.faults.clear()
    sandbox.faults.arm("list_regions", "status", status=500, body="")
    assert api.get("/regions").content == b""
    assert api.get("/regions").status_code == 200


def test_it_breaks_json_and_sends_pages(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_regions", "invalid_json")
    sandbox.faults.arm("list_regions", "html")
    answer = api.get("/regions")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    page = api.get("/regions")
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    assert "<html>" in page.text


def test_it_redirects_by_a_slash(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "redirect", times=2)
    answer = api.get("/snapshots?limit=5")
    assert (answer.status_code, answer.headers["location"]) == (307, "/api/snapshots/?limit=5")
    assert len(api.get("/snapshots?limit=5", follow_redirects=True).json()["snapshots"]) == 5


@pytest.mark.parametrize(
    ("kind", "error", "works"),
    [
        ("hang", httpx.ReadTimeout, False),
        ("close", httpx.RemoteProtocolError, False),
        ("refuse", httpx.ConnectError, False),
        ("drop_answer", httpx.RemoteProtocolError, True),
        ("truncate", httpx.RemoteProtocolError, True),
    ],
)
def test_it_breaks_off(
    api: httpx.Client, sandbox: Sandbox, kind: str, error: type[httpx.TransportError], *, works: bool
) -> None:
    sandbox.faults.arm("restore_snapshot", kind)
    started = time.monotonic()
    with pytest.raises(error) as raised:
        restore(api)
    assert raised.value.request.url.path.endswith("/restore")
    assert restored(sandbox) is works
    if kind == "hang":
        assert 0.15 <= time.monotonic() - started < 1


def test_it_works_on_after_the_caller_gave_up(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("restore_snapshot", "delay", seconds=5)
    started = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        restore(api)
    assert 0.15 <= time.monotonic() - started < 1
    assert restored(sandbox)


def test_it_delays_within_the_limit(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.latency = 0.03
    sandbox.faults.arm("list_regions", "delay", seconds=0.05)
    started = time.monotonic()
    assert api.get("/regions", timeout=IN_TIME).status_code == 200
    assert 0.08 <= time.monotonic() - started < 1
    sandbox.latency = 9
    with pytest.raises(httpx.ReadTimeout):
        api.get("/regions", timeout=IN_TIME)


def test_it_drips(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "drip", seconds=0.001)
    assert api.get("/balance", timeout=IN_TIME).json()["success"] is True
    sandbox.faults.arm("get_credit_balance", "drip", seconds=1)
    with pytest.raises(httpx.ReadTimeout):
        api.get("/balance", timeout=IN_TIME)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"operation": "nothing", "kind": "hang"}, "no operation"),
        ({"operation": "*", "kind": "explode"}, "a kind is one of"),
        ({"operation": "*", "kind": ["hang"]}, "a kind is one of"),
        ({"operation": "*", "kind": "status", "status": 99}, "status"),
        ({"operation": "*", "kind": "status", "headers": {"A": "b\r\nc: d"}}, "headers"),
        ({"operation": "*", "kind": "delay", "seconds": -1}, "seconds"),
        ({"operation": "*", "kind": "delay", "seconds": "1"}, "seconds"),
        ({"operation": "*", "kind": "hang", "times": 0}, "times"),
        ({"operation": "*"}, "needs kind"),
        ({"operation": "*", "kind": "hang", "when": 1}, "no field 'when'"),
        ([], "JSON object"),
    ],
)
def test_it_says_what_is_wrong_with_a_fault(sandbox: Sandbox, fields: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sandbox.faults.arm_from(fields)
    assert sandbox.faults.take("list_regions") is None


def test_it_knows_the_kinds() -> None:
    named = "status delay invalid_json html truncate hang close drop_answer redirect drip refuse move fail"
    assert set(named.split()) == KINDS


def test_it_logs_calls_without_secrets(api: httpx.Client, sandbox: Sandbox) -> None:
    api.post("/images", json={"name": "x", "max_tokens": 5, "deep": [{"jupyter_password": "hunter2", "api_key": "k"}]})
    sandbox.faults.arm("list_regions", "close")
    with pytest.raises(httpx.RemoteProtocolError):
        api.get("/regions")
    first, second = sandbox.log.calls()
    assert (first.operation, first.method, first.path, first.status) == (
        "create_image_from_snapshot",
        "POST",
        "/images",
        422,
    )
    assert first.body["deep"] == [{"jupyter_password": "[removed]", "api_key": "[removed]"}]
    assert first.body["max_tokens"] == 5
    assert first.ended is not None
    assert first.started <= first.ended
    assert (second.status, second.body) == (None, None)
    assert sandbox.log.calls("list_regions") == [second]
    sandbox.log.clear()
    assert sandbox.log.calls() == []


def test_it_serves_any_host_name(sandbox: Sandbox) -> None:
    with httpx.Client(transport=transport(sandbox), headers={"X-API-Key": "sandbox-key"}) as client:
        assert client.get("https://barrack.example/api/regions").status_code == 200
        assert client.get("sandbox://cloud/regions").status_code == 200


def test_it_moves_an_operation_to_another_path(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_snapshot", "move", path="/v2/snaps/{snapshot_id}/facts")
    assert api.get(f"/snapshots/{SNAPSHOT}").status_code == 405  # its other method stays where it was
    assert api.get(f"/v2/snaps/{SNAPSHOT}/facts").json()["snapshot"]["snapshot_id"] == SNAPSHOT
    assert sandbox.log.calls("get_snapshot")[0].path == f"/v2/snaps/{SNAPSHOT}/facts"
    sandbox.faults.arm("list_regions", "move", path="/zones")
    assert api.get("/regions").status_code == 404
    assert api.get("/zones").status_code == 200
    sandbox.faults.clear()
    assert api.get("/regions").status_code == 200
    assert api.get("/zones").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "list_regions", "kind": "move"},
        {"operation": "list_regions", "kind": "move", "path": "zones"},
        {"operation": "*", "kind": "move", "path": "/zones"},
        {"operation": "list_regions", "kind": "status", "path": "/zones"},
    ],
    ids=str,
)
def test_it_refuses_a_move_that_leads_nowhere(sandbox: Sandbox, fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="move"):
        sandbox.faults.arm_from(fields)
