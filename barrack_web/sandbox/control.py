"""The control door of the standalone sandbox: resets, faults, the clock, the log and the world, over HTTP."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from barrack_web.sandbox.core import Sandbox

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
    seed = body.get("seed", body) if isinstance(body, dict) else body
    if seed is None or seed == {}:
        seed = "demo"
    if not isinstance(seed, str | dict):
        raise ValueError('the seed is "demo", "empty" or counts by resource')  # noqa: TRY004 - one kind for a bad body
    sandbox.reset(seed)
    return {"reset": seed}


def _arm(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    sandbox.faults.arm_from(body)
    return {"armed": body}


def _disarm(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    sandbox.faults.clear()
    return {"armed": None}


def _clock(sandbox: Sandbox, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not body or not set(body) <= {"advance", "speed"}:
        raise ValueError('the clock takes {"advance": seconds} or {"speed": factor}')
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in body.values()):
        raise ValueError("advance and speed are numbers")
    world = sandbox.world
    if "advance" in body:
        # First, since it may refuse: a body is followed whole or not at all.
        world.advance(body["advance"])
    if "speed" in body:
        world.speed = body["speed"]
    return {"now": world.now().isoformat(), "speed": world.speed}


def _log(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    return {"calls": [dataclasses.asdict(call) for call in sandbox.log.calls()]}


def _world(sandbox: Sandbox, _body: Any) -> dict[str, Any]:
    return sandbox.world.dump()


_DOORS: dict[str, dict[str, Callable[[Sandbox, Any], dict[str, Any]]]] = {
    "/_sandbox/reset": {"POST": _reset},
    "/_sandbox/faults": {"POST": _arm, "DELETE": _disarm},
    "/_sandbox/clock": {"POST": _clock},
    "/_sandbox/log": {"GET": _log},
    "/_sandbox/world": {"GET": _world},
}
