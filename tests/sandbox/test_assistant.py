"""The assistant: its models, its answers, its price."""

from decimal import Decimal

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

CHAT = "/ai/chat/completions"
ASK = {"model": "llama-3.1-70b", "messages": [{"role": "user", "content": "Which of my GPUs are idle?"}]}


def say(api: httpx.Client, text: str) -> str:
    body = api.post(CHAT, json={**ASK, "messages": [{"role": "user", "content": text}]}).json()
    content = body["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def test_it_lists_models(api: httpx.Client) -> None:
    models = api.get("/ai/models").json()["models"]
    assert {"id": "llama-3.1-70b", "name": "Llama 3.1 70B"} in models


def test_it_answers_without_an_envelope(api: httpx.Client) -> None:
    body = api.post(CHAT, json=ASK).json()
    assert set(body) == {"id", "model", "choices", "usage"}
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    assert body["usage"]["prompt_tokens"] == 6
    assert body["usage"]["total_tokens"] == 6 + len(choice["message"]["content"].split())


def test_it_answers_by_subject_and_always_the_same(api: httpx.Client) -> None:
    assert "hibernate" in say(api, "Which GPU is IDLE?")
    assert "ACTIVE machine" in say(api, "How do I make a Snapshot?")
    assert "port 22" in say(api, "ssh does not work")
    assert "scripted assistant" in say(api, "Is this important, Sir?")
    assert say(api, "ssh?") == say(api, "ssh!")


def test_it_answers_the_last_question(api: httpx.Client) -> None:
    messages = [
        {"role": "system", "content": "You help with volumes."},
        {"role": "user", "content": "What about snapshots?"},
        {"role": "assistant", "content": "They keep the disk."},
        {"role": "user", "content": "And ssh?"},
        {"role": "assistant", "content": "volume"},
    ]
    body = api.post(CHAT, json={**ASK, "messages": messages}).json()
    assert "port 22" in body["choices"][0]["message"]["content"]
    assert body["usage"]["prompt_tokens"] == 14
    alone = api.post(CHAT, json={**ASK, "messages": messages[:1]}).json()
    assert "volume" in alone["choices"][0]["message"]["content"]


def test_it_stops_at_the_most_tokens(api: httpx.Client) -> None:
    whole = say(api, "idle")
    body = api.post(CHAT, json={**ASK, "max_tokens": 4, "temperature": 0.7, "stream": False}).json()
    assert body["choices"][0]["message"]["content"] == " ".join(whole.split()[:4])
    assert (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]) == ("length", 4)


def test_it_takes_the_exact_cost(api: httpx.Client, sandbox: Sandbox) -> None:
    before = sandbox.world.balances["USD"]
    tokens = api.post(CHAT, json=ASK).json()["usage"]["total_tokens"]
    cost = Decimal("0.0020") * tokens / 1000
    assert sandbox.world.balances["USD"] == before - cost
    latest = api.get("/ai/usage/history").json()["transactions"][0]
    assert set(latest) == {
        "id", "model", "prompt_tokens", "completion_tokens", "cost", "currency", "created_at",
    }  # fmt: skip
    assert (latest["model"], latest["cost"], latest["currency"]) == ("llama-3.1-70b", float(cost), "USD")


def test_it_sums_up_and_pages_the_usage(api: httpx.Client) -> None:
    before = api.get("/ai/usage/summary").json()
    tokens = api.post(CHAT, json=ASK).json()["usage"]["total_tokens"]
    after = api.get("/ai/usage/summary").json()
    assert after["total_requests"] == before["total_requests"] + 1
    assert after["total_tokens"] == before["total_tokens"] + tokens
    assert after["total_cost"] > before["total_cost"] > 0
    assert after["currency"] == "USD"
    pages = [api.get("/ai/usage/history", params={"page": n, "limit": 5}).json() for n in (1, 2)]
    times = [row["created_at"] for page in pages for row in page["transactions"]]
    assert len(times) == after["total_requests"] == pages[0]["pagination"]["total"]
    assert times == sorted(times, reverse=True)


def test_it_has_no_answer_without_credit(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.balances["USD"] = Decimal(0)
    for stream in (False, True):
        answer = api.post(CHAT, json={**ASK, "stream": stream})
        assert (answer.status_code, answer.json()["error"]) == (402, "INSUFFICIENT_CREDITS")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "eliza"}, "model"),
        ({"model": None}, "model"),
        ({"model": ["llama-3.1-70b"]}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"messages": [{"role": "king", "content": "hello"}]}, "messages"),
        ({"messages": [{"role": {}, "content": "hello"}]}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "messages"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_it_refuses_a_question_that_cannot_be(
    api: httpx.Client, sandbox: Sandbox, change: dict[str, object], field: str
) -> None:
    before = sandbox.world.balances["USD"]
    answer = api.post(CHAT, json={**ASK, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})
    assert sandbox.world.balances["USD"] == before
