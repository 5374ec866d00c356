"""The sandbox itself: a world, the faults armed against it, and what becomes of one call, whichever door it came by."""

import hmac
import json
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from decimal import Decimal
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from barrack_web.sandbox.faults import WORKING_KINDS, Call, CallLog, Fault, Faults
from barrack_web.sandbox.routes import OPERATIONS, resolve
from barrack_web.sandbox.routes.answers import ApiError, Json, Streamed
from barrack_web.sandbox.seed import Seed, build

_HTML = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_CHALLENGE = {"www-authenticate": 'Bearer realm="Barrack"'}
# How many lists and objects inside each other a body may hold.
_DEEPEST = 64
# Seconds between two pieces of a stream: short, and still long enough to be seen as pieces.
_PIECE_PAUSE = 0.03


class Reply(NamedTuple):
    """An HTTP answer: status, headers without Content-Length, body.

    A body that is sent bit by bit has `pieces`, which make up the body, and the seconds between two of them.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0


class Sandbox:
    """A simulated cloud. `seed` as in `build`, `key` is the API key it accepts, `latency` is added to each call, in s.

    `currency` is that of the account. Raises ValueError for a seed, speed or currency that does not exist. Safe to use
    from several threads.
    """

    def __init__(
        self,
        seed: Seed = "demo",
        key: str = "sandbox-key",
        speed: float = 1.0,
        latency: float = 0.0,
        currency: str = "USD",
    ) -> None:
        self.key = key
        self.latency = latency
        self.world = build(seed, speed=speed, currency=currency)
        self.faults = Faults(OPERATIONS)
        self.log = CallLog()
        self._speed = speed
        self._currency = currency
        self._reset_lock = Lock()

    def reset(self, seed: Seed = "demo", currency: str | None = None) -> None:
        """Start over in a fresh world, at the first speed, without faults and with an empty log.

        Without a currency it is the first one again. Raises ValueError, and changes nothing, as the constructor does.
        """
        with self._reset_lock:
            world = build(seed, speed=self._speed, currency=self._currency if currency is None else currency)
            self.faults.clear()
            self.log.clear()
            self.world = world

    def receive(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Exchange":
        """Take in a call: note it in the log and draw the fault that it will meet. Nothing is done yet.

        `target` is the percent-encoded path below /api with its query; header names are in lower case.
        """
        return Exchange(self, method, target, headers, body)


class Exchange:
    """One call on its way. `fault` is what it meets, `delay` how long it takes, in seconds."""

    def __init__(self, sandbox: Sandbox, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        self._sandbox = sandbox
        self._path, _, self._query = target.partition("?")
        self._headers = headers
        self._route, self._params, self._allowed = resolve(method, self._path, sandbox.faults.moved)
        self._has_body = bool(body)
        self._body, self._body_is_json = _parsed(body)
        operation = self._route.operation if self._route else None
        self._call = Call(operation, method, self._path, self._query, None, time.time(), None, self._body)
        sandbox.log.add(self._call)
        self.fault: Fault | None = sandbox.faults.take(operation) if operation else None

    @property
    def kind(self) -> str | None:
        """The kind of the fault; None when there is none."""
        return self.fault.kind if self.fault else None

    @property
    def delay(self) -> float:
        """How long the caller waits before anything happens, in seconds."""
        return self._sandbox.latency + (self.fault.seconds if self.fault and self.fault.kind == "delay" else 0.0)

    def reply(self) -> Reply:
        """Do the work, unless the fault stands in the way, and return the answer as the fault leaves it."""
        if self.fault is None:
            return self._work()
        if self.fault.kind not in WORKING_KINDS:
            return self._canned(self.fault)
        reply = self._work()
        if self.fault.kind == "invalid_json":
            status, headers = self.fault.status or reply.status, {**reply.headers, **_lowered(self.fault.headers)}
            return _broken(reply)._replace(status=status, headers=headers)
        return reply

    def end(self, status: int | None) -> None:
        """Note the end of the call in the log; None when the caller got no answer."""
        self._sandbox.log.end(self._call, status, time.time())

    def _work(self) -> Reply:
        try:
            return self._answer()
        except ApiError as refusal:
            reply = _json_reply(refusal.status, refusal.body())
            return reply._replace(headers={**reply.headers, **_CHALLENGE}) if refusal.status == 401 else reply

    def _answer(self) -> Reply:
        self._check_key()
        if self._route is None:
            if not self._allowed:
                raise ApiError(404, "NOT_FOUND", "There is no such address")
            refusal = ApiError(405, "METHOD_NOT_ALLOWED", f"This address takes {', '.join(self._allowed)}")
            reply = _json_reply(refusal.status, refusal.body())
            return reply._replace(headers={**reply.headers, "allow": ", ".join(self._allowed)})
        if not self._body_is_json:
            raise ApiError(400, "BAD_REQUEST", "The body is not valid JSON")
        body: Json = self._body if self._has_body else {}
        if not isinstance(body, dict):
            raise ApiError(400, "BAD_REQUEST", "The body is not a JSON object")
        query = dict(parse_qsl(self._query, keep_blank_values=True))
        world = self._sandbox.world
        # The answer is encoded under the lock too: it shares its records with the world.
        with world.lock, world.failing() if self.kind == "fail" else nullcontext():
            world.settle()
            answer = self._route.handler(world, self._params, query, body)
            return _event_reply(answer) if isinstance(answer, Streamed) else _json_reply(*answer)

    def _check_key(self) -> None:
        scheme, _, token = self._headers.get("authorization", "").partition(" ")
        given = self._headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        if not hmac.compare_digest(given.encode(), self._sandbox.key.encode()):
            raise ApiError(401, "INVALID_API_KEY", "The API key is missing or not valid")

    def _canned(self, fault: Fault) -> Reply:
        status = fault.status or 503
        if fault.kind == "html":
            page = fault.body if isinstance(fault.body, str) else _HTML
            return Reply(status, {"content-type": "text/html; charset=utf-8", **fault.headers}, page.encode())
        if fault.kind == "redirect":
            path = self._path.removesuffix("/") if self._path.endswith("/") else f"{self._path}/"
            location = f"/api{path}?{self._query}" if self._query else f"/api{path}"
            return Reply(status, {"location": location, **_lowered(fault.headers)}, b"")
        if isinstance(fault.body, str):
            return Reply(
                status, {"content-type": "text/plain; charset=utf-8", **_lowered(fault.headers)}, fault.body.encode()
            )
        body = fault.body if fault.body is not None else ApiError(status, "FAULT", "The service had a problem").body()
        reply = _json_reply(status, body)
        return reply._replace(headers={**reply.headers, **_lowered(fault.headers)})


def to_json(value: object) -> bytes:
    """Return a value as JSON bytes, a Decimal as a JSON number."""
    # Half a surrogate pair has no UTF-8, but its escape is JSON.
    return json.dumps(value, default=_number, ensure_ascii=False).encode(errors="backslashreplace")


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _json_reply(status: int, body: object) -> Reply:
    return Reply(status, {"content-type": "application/json"}, to_json(body))


def _event_reply(answer: Streamed) -> Reply:
    texts = (event.encode() if isinstance(event, str) else to_json(event) for event in answer.events)
    pieces = tuple(b"data: " + text + b"\n\n" for text in texts)
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return Reply(200, headers, b"".join(pieces), pieces, _PIECE_PAUSE)


def _parsed(body: bytes) -> tuple[Any, bool]:
    """Return the JSON value of a body and whether it is one that every reader of JSON can read."""
    if not body:
        return None, True
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_not_json, parse_float=_number_of)
        if "\\u" in text:
            # An escape can be half a surrogate pair, which is not a character.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None, False
    return (None, False) if _is_too_deep(value) else (value, True)


def _not_json(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _number_of(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("the number is too large")
    # To JSON, 5.0 is as whole a number as 5.
    return int(number) if number.is_integer() else number


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        groups = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [item for group in groups for item in group]
        if not level:
            return False
    return True


def _broken(reply: Reply) -> Reply:
    # The last brace is what a lazy parser would miss. In a stream, it is missing in the middle.
    if not reply.pieces:
        return reply._replace(body=_without_end(reply.body))
    middle = len(reply.pieces) // 2
    pieces = (*reply.pieces[:middle], _without_end(reply.pieces[middle]) + b"\n\n", *reply.pieces[middle + 1 :])
    return reply._replace(body=b"".join(pieces), pieces=pieces)


def _without_end(text: bytes) -> bytes:
    return text.rstrip()[:-1] + b", "


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
