"""The control door of the standalone sandbox: resets, faults, the account, the clock, the log and the world."""

import dataclasses
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from barrack_web.sandbox.core import Sandbox
from barrack_web.sandbox.prices import CURRENCIES, GPU_MODELS
from barrack_web.sandbox.routes.filters import REGION_NAMES
from barrack_web.sandbox.world import checked_speed

Answer = tuple[int, dict[str, Any]]


def answer(sandbox: Sandbox, method: str, path: str, body: bytes) -> Answer:
    """Return the status and JSON object for a call below /_sandbox/; 400 with a sentence for a body that is no use."""
    address = path.partition("?")[0].rstrip("/")
    methods = _DOORS.get(address)
    if methods is None:
        return 404, {"error": f"There is {', '.join(sorted(_DOORS))}."}
    act = methods.get(method)
    if act is None:
        return 405, {"error": f"{address} takes {' and '.join(sorted(methods))}."}
    try:
        return 200, act(sandbox, json.loads(body) if body.strip() else None)
    except json.JSONDecodeError:
        return 400, {"error": "The body is not valid JSON."}
    except (ValueError, RecursionError) as error:
        sentence = str(error)
        return 400, {"error": f"{sentence[:1].upper()}{sentence[1:]}."}


def _reset(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    is_named = isinstance(body, dict) and bool({"seed", "currency"} & set(body))
    if is_named and not set(body) <= {"seed", "currency"}:
        raise ValueError('a reset takes {"seed": …, "currency": …}, or a seed alone')
    seed, currency = (body.get("seed"), body.get("currency")) if is_named else (body, None)
    if seed is None or seed == {}:
        seed = "demo"
    if not isinstance(seed, str | dict):
        raise ValueError('the seed is "demo", "empty" or counts by resource')  # noqa: TRY004 - one kind for a bad body
    sandbox.reset(seed, currency)
    return {"reset": seed, "currency": sandbox.world.currency}


def _arm(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    sandbox.faults.arm_from(body)
    return {"armed": body}


def _disarm(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    sandbox.faults.clear()
    return {"armed": None}


def _clock(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not body or not set(body) <= {"advance", "speed"}:
        raise ValueError('the clock takes {"advance": seconds} or {"speed": factor}')
    if not all(map(_is_number, body.values())):
        raise ValueError("advance and speed are numbers")
    world = sandbox.world
    checked_speed(body.get("speed", 0))
    if "advance" in body:
        world.advance(body["advance"])
    if "speed" in body:
        world.speed = body["speed"]
    return {"now": world.now().isoformat(), "speed": world.speed}


def _account(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not body or not set(body) <= set(_ACCOUNT):
        raise ValueError(f"the account takes {', '.join(_ACCOUNT)}, each if it is to change")
    for name, (accepts, sentence) in _ACCOUNT.items():
        if name in body and not accepts(body[name]):
            raise ValueError(sentence)
    world = sandbox.world
    with world.lock:
        for currency, amount in body.get("balances", {}).items():
            world.balances[currency] = Decimal(str(amount))
        world.profile_complete = body.get("profile_complete", world.profile_complete)
        world.stock.update({(row["region"], row["model"]): row["available"] for row in body.get("stock", [])})
        world.volume_minimum_gb = body.get("volume_minimum_gb", world.volume_minimum_gb)
    return {"account": body}


def _are_balances(value: Any) -> bool:
    return isinstance(value, dict) and all(
        currency in CURRENCIES and _is_number(amount) and abs(amount) <= _MOST_CREDIT
        for currency, amount in value.items()
    )


def _is_stock(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and set(row) == {"region", "model", "available"}
        and row["region"] in REGION_NAMES
        and row["model"] in tuple(GPU_MODELS)
        and _is_whole(row["available"], 0, _MOST_GPUS)
        for row in value
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_MOST_CREDIT = 1_000_000_000
_MOST_GPUS = 1_000_000
_MOST_GB = 1_048_576
# What the account door sets: what it takes, and the sentence about anything else.
_ACCOUNT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "balances": (_are_balances, f"balances map {', '.join(CURRENCIES)} to amounts up to {_MOST_CREDIT:,}"),
    "profile_complete": (lambda value: isinstance(value, bool), "profile_complete is true or false"),
    "stock": (
        _is_stock,
        f'the stock is a list of {{"region", "model", "available"}} of the catalog, with 0 to {_MOST_GPUS:,} GPUs',
    ),
    "volume_minimum_gb": (
        lambda value: value is None or _is_whole(value, 1, _MOST_GB),
        f"volume_minimum_gb is a whole number from 1 to {_MOST_GB:,}, or null for none",
    ),
}


def _log(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    return {"calls": [dataclasses.asdict(call) for call in sandbox.log.calls()]}


def _world(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    return sandbox.world.dump()


_DOORS: dict[str, dict[str, Callable[[Sandbox, Any], dict[str, Any]]]] = {
    "/_sandbox/reset": {"POST": _reset},
    "/_sandbox/faults": {"POST": _arm, "DELETE": _disarm},
    "/_sandbox/account": {"POST": _account},
    "/_sandbox/clock": {"POST": _clock},
    "/_sandbox/log": {"GET": _log},
    "/_sandbox/world": {"GET": _world},
}
