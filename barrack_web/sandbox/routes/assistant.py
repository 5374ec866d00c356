"""The AI assistant: its models, its answers whole or in pieces, and what they have cost."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from barrack_web.sandbox.assistant_script import answer_to, pieces_of, shortened, tokens_of
from barrack_web.sandbox.routes.answers import (
    Answer,
    Json,
    Route,
    Streamed,
    checked_flag,
    invalid,
    no_credit,
    ok,
    page_of,
    public,
)
from barrack_web.sandbox.world import World, iso

_ROLES = ("system", "user", "assistant")
_HOTTEST = 2
# Per thousand tokens, of the question and of the answer alike.
_PRICES: dict[str, tuple[str, dict[str, Decimal]]] = {
    "llama-3.1-70b": ("Llama 3.1 70B", {"USD": Decimal("0.0020"), "EUR": Decimal("0.0018"), "INR": Decimal("0.17")}),
    "llama-3.1-8b": ("Llama 3.1 8B", {"USD": Decimal("0.0004"), "EUR": Decimal("0.0004"), "INR": Decimal("0.03")}),
    "qwen-2.5-coder-32b": (
        "Qwen 2.5 Coder 32B",
        {"USD": Decimal("0.0012"), "EUR": Decimal("0.0011"), "INR": Decimal("0.10")},
    ),
}


class _Completion(NamedTuple):
    number: int
    model: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def name(self) -> str:
        return f"chatcmpl-{self.number}"

    @property
    def usage(self) -> Json:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


def list_ai_models(_world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the models that can be asked."""
    return ok("Models retrieved", models=[{"id": model, "name": name} for model, (name, _) in _PRICES.items()])


def chat_completions(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer | Streamed:
    """Answer the last question of a conversation, in pieces if `stream` is true. 402 without credit, 422.

    The cost is taken at once, also from a caller who goes away in the middle of the pieces.
    """
    model, texts, question = _checked_model(body), *_checked_messages(body)
    _check_temperature(body)
    most, in_pieces = _checked_max_tokens(body), checked_flag(body, "stream")
    if world.balance() <= 0:
        raise no_credit("There is no credit left for the assistant.")
    whole = answer_to(question)
    text = shortened(whole, most) if most is not None else whole
    completion = _Completion(
        number=world.new_number(),
        model=model,
        text=text,
        finish_reason="stop" if text == whole else "length",
        prompt_tokens=tokens_of(texts),
        completion_tokens=tokens_of([text]),
    )
    _charge(world, completion)
    return Streamed(tuple(_events(completion))) if in_pieces else (200, _whole(completion))


def get_ai_usage_summary(world: World, _params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer the sums over all calls of the assistant in the account's currency."""
    own = [row for row in world.usage if row["currency"] == world.currency]
    return ok(
        "Usage summary retrieved",
        total_requests=len(own),
        total_tokens=sum(row["prompt_tokens"] + row["completion_tokens"] for row in own),
        total_cost=sum((row["cost"] for row in own), Decimal(0)),
        currency=world.currency,
    )


def get_ai_usage_history(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the calls of the assistant, the latest first."""
    rows, paging = page_of(world.usage[::-1], query)
    return ok("Usage history retrieved", transactions=[public(row) for row in rows], pagination=paging)


def transaction(number: int, model: str, tokens: tuple[int, int], currency: str, created_at: str) -> Json:
    """Return the record of one call: `tokens` are those of the question and of the answer."""
    asked, answered = tokens
    return {
        "id": number,
        "model": model,
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "cost": _PRICES[model][1][currency] * (asked + answered) / 1000,
        "currency": currency,
        "created_at": created_at,
    }


def _charge(world: World, completion: _Completion) -> None:
    tokens = (completion.prompt_tokens, completion.completion_tokens)
    row = transaction(completion.number, completion.model, tokens, world.currency, iso(world.now()))
    world.usage.append(row)
    world.balances[world.currency] -= row["cost"]


def _whole(completion: _Completion) -> Json:
    message = {"role": "assistant", "content": completion.text}
    return {
        "id": completion.name,
        "model": completion.model,
        "choices": [{"index": 0, "message": message, "finish_reason": completion.finish_reason}],
        "usage": completion.usage,
    }


def _events(completion: _Completion) -> Iterator[Json | str]:
    yield _chunk(completion, {"role": "assistant"})
    for piece in pieces_of(completion.text):
        yield _chunk(completion, {"content": piece})
    yield {**_chunk(completion, {}, completion.finish_reason), "usage": completion.usage}
    yield "[DONE]"


def _chunk(completion: _Completion, delta: Json, finish_reason: str | None = None) -> Json:
    return {
        "id": completion.name,
        "object": "chat.completion.chunk",
        "model": completion.model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def _checked_model(body: Json) -> str:
    model = body.get("model")
    if not isinstance(model, str) or model not in _PRICES:
        raise invalid(model=f"Use one of {', '.join(_PRICES)}.")
    return model


def _checked_messages(body: Json) -> tuple[list[str], str]:
    """Return the texts of the conversation, and the one that is to be answered."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid(messages="This must be a list of at least one message.")
    if not all(_is_message(message) for message in messages):
        sentence = f"A message has a role ({', '.join(_ROLES)}) and a text without NUL characters as its content."
        raise invalid(messages=sentence)
    texts = [message["content"] for message in messages]
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return texts, asked[-1] if asked else texts[-1]


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    role, content = message.get("role"), message.get("content")
    return isinstance(role, str) and role in _ROLES and isinstance(content, str) and "\0" not in content


def _check_temperature(body: Json) -> None:
    value = body.get("temperature")
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _HOTTEST:
        raise invalid(temperature=f"Use a number from 0 to {_HOTTEST}.")


def _checked_max_tokens(body: Json) -> int | None:
    value = body.get("max_tokens")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise invalid(max_tokens="Use a whole number from 1.")
    return value


ROUTES = (
    Route("list_ai_models", "GET", "/ai/models", list_ai_models),
    Route("chat_completions", "POST", "/ai/chat/completions", chat_completions),
    Route("get_ai_usage_summary", "GET", "/ai/usage/summary", get_ai_usage_summary),
    Route("get_ai_usage_history", "GET", "/ai/usage/history", get_ai_usage_history),
)
