"""What callers send that is no proper call: every answer is a documented refusal in the envelope."""

import http.client
import json
import socket
from typing import Any

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox, SandboxServer

DOORS = pytest.mark.parametrize("door", ["api", "remote"])
FULL = {"success", "message", "error", "details", "request_id"}


@pytest.fixture
def client(door: str, request: pytest.FixtureRequest) -> httpx.Client:
    """The client of a door, by its name."""
    found = request.getfixturevalue(door)
    assert isinstance(found, httpx.Client)
    return found


def refusal(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.content.decode())
    assert isinstance(body, dict)
    assert set(body) == FULL
    assert body["success"] is False
    return body


@DOORS
@pytest.mark.parametrize("method", ["PATCH", "PUT", "OPTIONS", "TRACE", "QUERY", "PROPFIND"])
def test_it_names_the_methods_of_an_address(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/volumes")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert refusal(answer)["error"] == "METHOD_NOT_ALLOWED"


@DOORS
def test_it_answers_a_head_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/volumes")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


@DOORS
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/firewalls/protocols", "GET"),
        ("GET", "/scripts/bulk-delete", "POST"),
        ("DELETE", "/volumes/types", "GET"),
        ("POST", "/firewalls/31", "DELETE, GET"),
        ("DELETE", "/instances/snapshot-eligible", "GET"),
    ],
)
def test_it_takes_fixed_words_for_no_id(client: httpx.Client, method: str, path: str, allow: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@DOORS
def test_it_asks_for_the_key_before_anything_else(client: httpx.Client) -> None:
    calls = (("POST", "/volumes"), ("POST", "/nothing"), ("PATCH", "/volumes"), ("GET", "/volumes?page=x"))
    strange = "ü".encode("latin-1")
    for headers in (
        {b"X-API-Key": b""},
        {b"X-API-Key": strange},
        {b"X-API-Key": b"", b"Authorization": strange},
        {b"X-API-Key": b"", b"Authorization": b"Bearer"},
    ):
        for method, path in calls:
            answer = client.request(method, path, content=b"{", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert refusal(answer)["error"] == "INVALID_API_KEY"


@DOORS
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"null ,",
        b"\xff",
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"size_gb": NaN}',
        b'{"size_gb": -Infinity}',
        b'{"size_gb": 1e999}',
        b'{"size_gb": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 200 + b"1" + b"}" * 200,
        b"[" * 100_000,
        b"name=fresh&region=US-1",
    ],
)
def test_it_refuses_a_body_that_is_no_json(client: httpx.Client, sandbox: Sandbox, body: bytes) -> None:
    answer = client.post("/volumes", content=body)
    assert (answer.status_code, refusal(answer)["error"]) == (400, "BAD_REQUEST")
    assert [call.status for call in sandbox.log.calls()] == [400]


@DOORS
def test_it_checks_what_a_strange_body_holds(client: httpx.Client) -> None:
    for value in (10**400, -(10**400), {"a": []}, [], "\U0001f600", "\x00", 0.1):
        for field in ("name", "region", "size_gb", "tier", "volume_type", "bootable"):
            body = {"name": "fresh", "region": "US-1", "size_gb": 100, field: value}
            answer = client.post("/volumes", content=json.dumps(body))
            assert (answer.status_code, set(refusal(answer)["details"])) == (422, {field})


@DOORS
@pytest.mark.parametrize("path", ["/volumes/%ff", "/volumes/%00", "/volumes/%F0%9F%98%80", "/volumes/%2e%2e", "/%zz"])
def test_it_knows_no_such_address(client: httpx.Client, path: str) -> None:
    assert refusal(client.get(path))["error"] == "NOT_FOUND"


@DOORS
def test_it_reads_any_query(client: httpx.Client) -> None:
    assert client.get("/volumes?search=%ff%00&search=golden&x=%zz&&=").json()["pagination"]["total"] == 1
    assert refusal(client.get("/volumes?page=1&page=0"))["error"] == "BAD_REQUEST"
    assert refusal(client.get("/volumes?page=%D9%A1"))["error"] == "BAD_REQUEST"


def test_it_reads_a_whole_number_however_it_is_written(api: httpx.Client) -> None:
    made = api.post("/volumes", content=b'{"name": "fresh", "region": "US-1", "size_gb": 1.0e2}').json()["volume"]
    assert made["size_gb"] == 100
    assert isinstance(made["size_gb"], int)


def test_it_takes_no_body_for_an_empty_one(api: httpx.Client) -> None:
    assert set(refusal(api.post("/volumes"))["details"]) == {"name"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /api/volumes HTTP/9.9\r\n\r\n", 505),
        (b"GET /api/volumes SMTP\r\n\r\n", 400),
        (b"one two three four\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /api/volumes HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(150)) + b"\r\n", 431),
        (b"GET /api/volumes HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /api/vol\xc3\xbcmes HTTP/1.1\r\nX-API-Key: sandbox-key\r\nConnection: close\r\n\r\n", 404),
        (b"GET /elsewhere HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_it_answers_what_is_no_http_in_json(server: SandboxServer, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.getheader("content-type")) == (status, "application/json")
        assert json.loads(answer.read())["success"] is False
