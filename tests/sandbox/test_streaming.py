"""Answers in pieces: over either door, and what faults and lost callers do to them."""

import http.client
import json
import time
from typing import Any

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox, SandboxServer

CHAT = "/ai/chat/completions"
ASK = {
    "model": "llama-3.1-8b",
    "messages": [{"role": "user", "content": "thanks"}],
    "stream": True,
}
IN_TIME = httpx.Timeout(2, read=0.8)
DOORS = pytest.mark.parametrize("door", ["api", "remote"])


@pytest.fixture
def client(door: str, request: pytest.FixtureRequest) -> httpx.Client:
    """The client of a door, by its name."""
    found = request.getfixturevalue(door)
    assert isinstance(found, httpx.Client)
    return found


def received(client: httpx.Client, **change: Any) -> list[tuple[float, bytes]]:
    """Return the pieces of an answer, each with its time of arrival."""
    with client.stream("POST", CHAT, json={**ASK, **change}, timeout=IN_TIME) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        return [(time.monotonic(), piece) for piece in answer.iter_raw()]


def events(client: httpx.Client, **change: Any) -> list[Any]:
    text = b"".join(piece for _, piece in received(client, **change)).decode()
    lines = text.removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") for line in lines)
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@DOORS
def test_it_sends_what_it_would_send_at_once(client: httpx.Client) -> None:
    whole = client.post(CHAT, json={**ASK, "stream": False}).json()
    chunks = events(client)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant"}
    text = "".join(choice["delta"].get("content", "") for choice in choices)
    assert text == whole["choices"][0]["message"]["content"]
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert [chunk.get("usage") for chunk in chunks] == [None] * (len(chunks) - 1) + [whole["usage"]]
    assert events(client, max_tokens=3)[-1]["choices"][0]["finish_reason"] == "length"


@DOORS
def test_it_sends_piece_by_piece(client: httpx.Client) -> None:
    pieces = received(client, max_tokens=5)
    # given five words, then there are the role, the words, the end and the mark, with a pause before each but the first
    assert len(pieces) >= 6
    assert pieces[-1][0] - pieces[0][0] > 0.1


@DOORS
def test_it_lets_others_in_while_it_sends(client: httpx.Client, sandbox: Sandbox) -> None:
    with client.stream("POST", CHAT, json=ASK) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert sandbox.world.lock.acquire(blocking=False)
        sandbox.world.lock.release()
        assert next(pieces)


@DOORS
def test_it_survives_a_caller_who_goes_away(client: httpx.Client, sandbox: Sandbox) -> None:
    before = sandbox.world.balances["USD"]
    with client.stream("POST", CHAT, json=ASK) as answer:
        next(answer.iter_raw())
    assert client.get("/regions").status_code == 200
    assert sandbox.world.balances["USD"] < before
    assert [call.status for call in sandbox.log.calls("chat_completions")] == [200]


@DOORS
@pytest.mark.parametrize("kind", ["truncate", "hang", "close", "drop_answer"])
def test_it_breaks_off(client: httpx.Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("chat_completions", kind)
    calls = sandbox.world.usage.copy()
    with pytest.raises(httpx.ReadTimeout if kind == "hang" else httpx.RemoteProtocolError):
        received(client)
    # and the work is done where only the answer suffers
    assert (len(sandbox.world.usage) > len(calls)) is (kind in {"truncate", "drop_answer"})
    assert client.get("/regions").status_code == 200


@DOORS
def test_it_cuts_in_the_middle(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("chat_completions", "truncate")
    got: list[bytes] = []

    def read() -> None:
        with client.stream("POST", CHAT, json=ASK) as answer:
            got.extend(answer.iter_raw())

    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        read()
    text = b"".join(got)
    assert text.startswith(b"data: ")
    assert b"[DONE]" not in text


@DOORS
def test_it_drips(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("chat_completions", "drip", seconds=0.0001)
    assert events(client, max_tokens=1)[-1]["choices"][0]["finish_reason"] == "length"
    sandbox.faults.arm("chat_completions", "drip", seconds=1)
    with pytest.raises(httpx.ReadTimeout):
        received(client)


@DOORS
def test_it_breaks_one_event(client: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("chat_completions", "invalid_json")
    lines = b"".join(piece for _, piece in received(client)).decode().removesuffix("\n\n").split("\n\n")
    broken = []
    for line in lines[:-1]:
        try:
            json.loads(line.removeprefix("data: "))
        except ValueError:
            broken.append(line)
    assert len(broken) == 1
    assert lines[-1] == "data: [DONE]"


def test_it_keeps_the_read_limit_between_pieces(api: httpx.Client) -> None:
    with (
        pytest.raises(httpx.ReadTimeout),
        api.stream("POST", CHAT, json=ASK, timeout=httpx.Timeout(2, read=0.001)) as answer,
    ):
        answer.read()


def test_it_keeps_the_connection_after_a_stream(remote: httpx.Client) -> None:
    received(remote, max_tokens=1)
    assert "connection" not in remote.get("/regions").headers


def test_it_sends_the_whole_to_an_old_caller(server: SandboxServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    connection.request("POST", f"/api{CHAT}", json.dumps(ASK), {"X-API-Key": "sandbox-key"})
    answer = connection.getresponse()
    assert answer.getheader("transfer-encoding") is None
    body = answer.read()
    assert len(body) == int(answer.getheader("content-length", "0"))
    assert body.endswith(b"data: [DONE]\n\n")
    connection.close()


def test_it_stops_sending_when_the_server_stops(server: SandboxServer, remote: httpx.Client) -> None:
    question = {**ASK, "messages": [{"role": "user", "content": "idle"}]}
    with remote.stream("POST", CHAT, json=question) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        server.stopping.set()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
