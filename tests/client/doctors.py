"""A doctor in front of a simulated cloud whose answers a test can change on their way."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from barrack_web.client import ApiReport, Client, Doctor, KeyWay, Observer, Overrides, TimeLimits
from barrack_web.client.doctor.report import OperationCheck
from barrack_web.sandbox.server import Sandbox, transport

KEY = "sk-very-secret-0123456789"
X_API_KEY = KeyWay("X-API-Key")
USUAL = Overrides()
Change = Callable[[Any], Any]
Answer = Callable[[httpx.Request], httpx.Response | None]


class Patient:
    """The cloud that is examined. `changes` alter the JSON of a path; `answer` may answer in place of the cloud;
    `limit` is how long the client waits, in seconds."""

    def __init__(self, seed: Any = "demo") -> None:
        self.sandbox = Sandbox(seed=seed, key=KEY, speed=0)
        self.changes: dict[str, Change] = {}
        self.answer: Answer = lambda _request: None
        self.requests: list[httpx.Request] = []
        self.limit = 4.0
        self._door = transport(self.sandbox)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        given = self.answer(request)
        if given is not None:
            return given
        answer = self._door.handle_request(request)
        change = self.changes.get(request.url.path.removeprefix("/api"))
        if change is None or answer.status_code != 200:
            return answer
        body = change(json.loads(answer.read()))
        return httpx.Response(answer.status_code, json=body)

    def connect(self, overrides: Overrides) -> Callable[[KeyWay | None, Observer], Client]:
        def make(way: KeyWay | None, observer: Observer) -> Client:
            return Client(
                "http://cloud.test/api",
                KEY if way else "",
                auth_header=way.header if way else "X-API-Key",
                auth_prefix=way.prefix if way else "",
                limits=TimeLimits(connect=2, read=self.limit, write=self.limit, look_up=2),
                operations=overrides.operations,
                names=overrides.names,
                transport=httpx.MockTransport(self.handle),
                observer=observer,
                workers=4,
            )

        return make

    def doctor(self, *, way: KeyWay = X_API_KEY, overrides: Overrides = USUAL, **options: Any) -> Doctor:
        return Doctor(self.connect(overrides), url="http://cloud.test/api", way=way, overrides=overrides, **options)

    def examined(self, **options: Any) -> ApiReport:
        with self.doctor(**options) as doctor:
            return doctor.run()

    def row(self, operation: str, **options: Any) -> OperationCheck:
        return row_of(self.examined(**options), operation)

    def in_rows(
        self, path: str, key: str, change: Callable[[dict[str, Any]], object], *, only: int | None = None
    ) -> None:
        """Change each row of a list, or the first few of them, in place."""

        def alter(body: Any) -> Any:
            for row in body[key][:only]:
                change(row)
            return body

        self.changes[path] = alter


def row_of(report: ApiReport, operation: str) -> OperationCheck:
    return next(row for row in report.operations if row.operation == operation)


def json_of(status: int, body: object, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)
