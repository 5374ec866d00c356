"""The sandbox itself: a world, the faults armed against it, and what becomes of one call, whichever door it came by."""

import hmac
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from barrack_web.sandbox.faults import WORKING_KINDS, Call, CallLog, Fault, Faults
from barrack_web.sandbox.routes import OPERATIONS, resolve
from barrack_web.sandbox.routes.answers import ApiError, Json
from barrack_web.sandbox.seed import Seed, build

_HTML = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Reply(NamedTuple):
    """An HTTP answer: status, headers without Content-Length, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Sandbox:
    """A simulated cloud. `seed` as in `build`, `key` is the API key it accepts, `latency` is added to each call, in s.

    Raises ValueError for a seed or speed that does not exist. Safe to use from several threads.
    """

    def __init__(self, seed: Seed = "demo", key: str = "sandbox-key", speed: float = 1.0, latency: float = 0.0) -> None:
        self.key = key
        self.latency = latency
        self.world = build(seed, speed=speed)
        self.faults = Faults(OPERATIONS)
        self.log = CallLog()
        self._speed = speed
        self._reset_lock = Lock()

    def reset(self, seed: Seed = "demo") -> None:
        """Start over in a fresh world, at the first speed, without faults and with an empty log."""
        with self._reset_lock:
            world = build(seed, speed=self._speed)
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
        self._route, self._params, self._allowed = resolve(method, self._path)
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
            return Reply(
                self.fault.status or reply.status, {**reply.headers, **self.fault.headers}, _broken(reply.body)
            )
        return reply

    def end(self, status: int | None) -> None:
        """Note the end of the call in the log; None when the caller got no answer."""
        self._sandbox.log.end(self._call, status, time.time())

    def _work(self) -> Reply:
        try:
            return self._answer()
        except ApiError as refusal:
            return _json_reply(refusal.status, refusal.body())

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
        body: Json = {} if self._body is None else self._body
        if not isinstance(body, dict):
            raise ApiError(400, "BAD_REQUEST", "The body is not a JSON object")
        query = dict(parse_qsl(self._query, keep_blank_values=True))
        world = self._sandbox.world
        # The answer is encoded under the lock too: it shares its records with the world.
        with world.lock:
            world.settle()
            return _json_reply(*self._route.handler(world, self._params, query, body))

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
    return json.dumps(value, default=_number, ensure_ascii=False).encode()


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _json_reply(status: int, body: object) -> Reply:
    return Reply(status, {"content-type": "application/json"}, to_json(body))


def _parsed(body: bytes) -> tuple[Any, bool]:
    if not body:
        return None, True
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def _broken(body: bytes) -> bytes:
    # The last brace is what a lazy parser would miss.
    return body.rstrip()[:-1] + b", "


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
