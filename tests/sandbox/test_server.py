"""The door on a port: the same API, the same faults on a real socket, and the control door."""

import http.client
import threading
import time

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox, SandboxServer, serve

SNAPSHOT = "BRK-123456S"
IN_TIME = httpx.Timeout(2, read=0.25)


def restored(sandbox: Sandbox) -> bool:
    return any(record["vm_name"] == "late" for record in sandbox.world.instances.values())


def test_it_serves_the_api_on_a_port(remote: httpx.Client) -> None:
    assert remote.get("/snapshots").json()["pagination"]["total"] == 23
    made = remote.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": "über"})
    assert made.status_code == 422
    assert remote.get("/nothing").status_code == 404
    assert remote.get("/balance", headers={"X-API-Key": ""}).status_code == 401
    assert remote.get(f"http://127.0.0.1:{remote.base_url.port}/else").status_code == 404
    assert remote.head("/snapshots").status_code == 405


@pytest.mark.parametrize(
    ("kind", "errors", "works"),
    [
        ("hang", httpx.ReadTimeout, False),
        ("close", httpx.RemoteProtocolError, False),
        ("refuse", (httpx.ReadError, httpx.RemoteProtocolError), False),
        ("drop_answer", httpx.RemoteProtocolError, True),
        ("truncate", httpx.RemoteProtocolError, True),
    ],
)
def test_it_breaks_off(
    remote: httpx.Client, sandbox: Sandbox, kind: str, errors: type[httpx.TransportError], *, works: bool
) -> None:
    sandbox.faults.arm("restore_snapshot", kind)
    with pytest.raises(errors):
        remote.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": "late"}, timeout=IN_TIME)
    assert restored(sandbox) is works
    assert remote.get("/regions").status_code == 200


def test_it_answers_badly(remote: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_regions", "status", status=429, headers={"Retry-After": "3"})
    assert remote.get("/regions").headers["retry-after"] == "3"
    sandbox.faults.arm("list_regions", "html")
    assert remote.get("/regions").headers["content-type"].startswith("text/html")
    sandbox.faults.arm("list_regions", "invalid_json")
    with pytest.raises(ValueError, match=r"."):
        remote.get("/regions").json()
    sandbox.faults.arm("list_regions", "redirect")
    assert remote.get("/regions", follow_redirects=True).json()["success"] is True


def test_it_works_on_after_the_caller_gave_up(remote: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("restore_snapshot", "delay", seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        remote.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": "late"}, timeout=IN_TIME)
    assert not restored(sandbox)
    deadline = time.monotonic() + 5
    while not restored(sandbox) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert restored(sandbox)


def test_it_drips_the_headers_too(remote: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "drip", seconds=0.001)
    started = time.monotonic()
    assert remote.get("/balance", timeout=IN_TIME).json()["success"] is True
    assert time.monotonic() - started > 0.3


def test_it_lets_go_of_hanging_calls_when_it_stops(sandbox: Sandbox) -> None:
    server = serve(sandbox, port=0)
    loop = threading.Thread(target=server.serve_forever)
    loop.start()
    sandbox.faults.arm("list_regions", "hang")
    raised: list[Exception] = []

    def call() -> None:
        try:
            httpx.get(f"http://127.0.0.1:{server.port}/api/regions", timeout=30, trust_env=False)
        except httpx.TransportError as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    while not sandbox.log.calls():
        time.sleep(0.01)
    started = time.monotonic()
    server.shutdown()
    server.server_close()
    caller.join(5)
    loop.join(5)
    assert isinstance(raised[0], httpx.RemoteProtocolError)
    assert time.monotonic() - started < 2


def test_it_refuses_bodies_it_cannot_read(server: SandboxServer) -> None:
    for header, value, status in (
        ("Transfer-Encoding", "chunked", 411),
        ("Content-Length", "-5", 411),
        ("Content-Length", "9" * 30, 413),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)
        connection.putrequest("POST", "/api/snapshots")
        connection.putheader(header, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (status, "close")
        answer.read()
        connection.close()


def test_it_is_steered_through_the_control_door(control: httpx.Client, remote: httpx.Client) -> None:
    assert control.post("/reset", json={"seed": {"instances": 3}}).status_code == 200
    assert remote.get("/instances").json()["pagination"]["total"] == 3
    assert control.post("/reset", json="empty").status_code == 200
    assert remote.get("/instances").json()["instances"] == []
    assert control.post("/reset", json={"snapshots": 2}).status_code == 200
    assert len(control.get("/world").json()["snapshots"]) == 2
    assert control.post("/reset", json={"seed": "demo"}).status_code == 200
    assert control.post("/faults", json={"operation": "*", "kind": "refuse", "times": None}).status_code == 200
    with pytest.raises(httpx.TransportError):
        remote.get("/regions")
    assert control.delete("/faults").status_code == 200
    assert remote.get("/regions").status_code == 200
    calls = control.get("/log").json()["calls"]
    assert [(call["operation"], call["status"]) for call in calls] == [("list_regions", None), ("list_regions", 200)]
    assert calls[1]["started"] <= calls[1]["ended"]


def test_it_moves_the_clock_from_outside(control: httpx.Client, remote: httpx.Client) -> None:
    before = remote.get("/balance").json()["data"]["balances"][0]["amount"]
    made = remote.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": "x"}).json()["instance_id"]
    assert control.post("/clock", json={"advance": 3600}).status_code == 200
    assert remote.get(f"/instances/{made}").json()["instance"]["status"] == "ACTIVE"
    assert remote.get("/balance").json()["data"]["balances"][0]["amount"] < before
    assert control.post("/clock", json={"speed": 0.5}).json()["speed"] == 0.5
    world = control.get("/world").json()
    assert world["speed"] == 0.5
    assert {"region": "US-1", "model": "H100-SXM5-80GB", "available": 0} in world["stock"]


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("/reset", b"{"),
        ("/reset", b"[1]"),
        ("/reset", b'{"seed": "moon"}'),
        ("/reset", b'{"seed": {"instances": -1}}'),
        ("/faults", b""),
        ("/faults", b'{"operation": "*", "kind": "no"}'),
        ("/clock", b"{}"),
        ("/clock", b'{"advance": -1}'),
        ("/clock", b'{"advance": "1"}'),
        ("/clock", b'{"speed": NaN}'),
        ("/clock", b'{"tick": 1}'),
    ],
)
def test_it_says_in_a_sentence_what_a_body_lacks(control: httpx.Client, door: str, body: bytes) -> None:
    answer = control.post(door, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_it_knows_its_control_doors(control: httpx.Client) -> None:
    assert control.get("/faults").status_code == 405
    assert control.get("/exit").status_code == 404
