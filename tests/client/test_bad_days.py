"""The bad days of the network and of the API, over a real socket: each ends in time, in the right error, without the
key. One client lives through all of them, and after each its next call is a good one.
"""

import gzip
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from barrack_web.client import (
    BadKey,
    Broken,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    NoCredit,
    NoStock,
    Refused,
    TimedOut,
    TimeLimits,
    TooMany,
    Unreachable,
)

from .bad_days_table import DAYS, HTML, ODD, START, Day
from .conftest import KEY, LIMIT, Call, Connect, Serve, delete, failure, read, restore
from .sockets import GOOD, Play, SocketServer, hangs, http, in_turn, pours, resets, sends

MB = 2**20
ENVELOPE = json.dumps({"success": False, "message": "Said the API", "error": "SOME_CODE"}).encode()
KINDS = {
    400: Invalid,
    401: BadKey,
    402: NoCredit,
    403: Forbidden,
    404: Missing,
    409: Conflict,
    422: Invalid,
    429: TooMany,
}
PASSING = (502, 503, 504)


def assert_well(server: SocketServer, client: Client) -> None:
    """The next call is a good one. It has time enough also on a machine that stands still for a moment."""
    transport = client.catalog._transport
    usual, transport.limits = transport.limits, TimeLimits(connect=5, read=5)
    try:
        server.plays(sends(http(200, GOOD)))
        assert [row.name for row in client.catalog.regions()] == ["US-1"]
        assert len(server.requests) == 1
    finally:
        transport.limits = usual


@pytest.mark.parametrize("call", [read, restore])
@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_it_survives(server: SocketServer, client: Client, day: Day, call: Call) -> None:
    server.plays(day.play, reads=day.reads)
    start = time.monotonic()
    error = failure(client, call)
    assert type(error) is day.kind
    assert error.may_have_happened is (day.happened and call is restore)
    assert len(server.requests) == (day.tries if call is read else 1)
    assert error.passing is (day.tries > 1)
    assert (time.monotonic() - start > LIMIT - 0.05) or day.kind is not TimedOut
    assert_well(server, client)


@pytest.mark.parametrize("call", [read, restore])
def test_it_knows_whether_a_connection_was_reset_before_anything_was_sent(
    server: SocketServer, client: Client, call: Call
) -> None:
    # Whether the reset is seen while connecting or while sending is up to the scheduler; both must be told rightly.
    for _ in range(5):
        server.plays(resets(), reads=False)
        error = failure(client, call)
        assert type(error) in (Unreachable, Broken)
        assert error.may_have_happened is (type(error) is Broken and call is restore)
        assert call is read or len(server.requests) == 1
    assert_well(server, client)


@pytest.mark.parametrize(("name", "answer"), ODD, ids=[name for name, _ in ODD])
def test_it_takes_an_answer_that_is_only_odd(server: SocketServer, calm: Client, name: str, answer: bytes) -> None:
    server.plays(sends(answer))
    assert [row.name for row in calm.catalog.regions()] == ["US-1"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", range(400, 600))
def test_it_sorts_every_status(server: SocketServer, client: Client, calm: Client, status: int) -> None:
    server.plays(sends(http(status, ENVELOPE)))
    refused = failure(client, read)
    assert type(refused) is (KINDS.get(status, Refused) if status < 500 else Broken)
    assert (refused.status, refused.may_have_happened, refused.passing) == (status, False, status in PASSING)
    assert (refused.message, refused.code, refused.retry_after) == ("Said the API", "SOME_CODE", None)
    assert len(server.requests) == (2 if status in PASSING else 1)
    server.requests.clear()
    lost = failure(calm, restore)
    assert type(lost) is (NoStock if status == 503 else type(refused))
    assert (lost.status, lost.may_have_happened) == (status, status >= 500 and status != 503)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "content", [b"", b" ", HTML, b'{"half', b"[]", b"\xff", b"[" * 100_000], ids=lambda b: repr(b[:9])
)
@pytest.mark.parametrize("status", [400, 401, 404, 409, 418, 422, 429, 499, 500, 501, 502, 503, 504, 599])
def test_it_sorts_a_status_without_an_envelope(server: SocketServer, calm: Client, status: int, content: bytes) -> None:
    server.plays(sends(http(status, content)))
    error = failure(calm, restore)
    assert type(error) is (KINDS.get(status, Refused) if status < 500 else Broken)
    assert (error.status, error.may_have_happened, error.from_api) == (status, status >= 500, False)
    assert len(server.requests) == 1


def test_it_survives_problems_nested_as_deep_as_json_can_be_read(server: SocketServer, calm: Client) -> None:
    # Just below the depth at which decoding itself fails, there is hardly any stack left for what looks at the result.
    for depth in range(900, 1000, 2):
        details = b'{"name": ' + b'{"message": ' * depth + b"1" + b"}" * depth + b"}"
        server.plays(sends(http(422, b'{"success": false, "details": ' + details + b"}")))
        assert failure(calm, restore).fields == {}


def in_90_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("0.25", 0.25),
        ("7", 7.0),
        ("1000000000", 3600.0),
        ("1e9", None),
        ("-5", None),
        ("abc", None),
        ("9" * 400, None),
        ("", None),
        ("0, 7", None),
        (in_90_seconds, 90.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 +9999", None),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_told_and_no_longer_than_it_may(
    server: SocketServer, client: Client, status: int, header: str | Callable[[], str], seconds: float | None
) -> None:
    text = header if isinstance(header, str) else header()
    server.plays(sends(http(status, ENVELOPE, f"Retry-After: {text}")))
    error = failure(client, read)
    assert error.retry_after == (seconds if seconds is None else pytest.approx(seconds, abs=5 if seconds == 90 else 0))
    assert error.passing is (status == 503 or seconds is not None)
    # Told nothing, it repeats a 503 after a pause of its own, and a 429 never.
    told_nothing = 2 if status == 503 else 1
    assert len(server.requests) == {None: told_nothing, 0.0: 3, 0.25: 2}.get(seconds, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "/api/regions/",
        "regions/?page=1",
        "http://127.0.0.1:{port}/api/regions",
        "HTTP://127.0.0.1:{port}/elsewhere#part",
        "//127.0.0.1:{port}/",
    ],
)
def test_it_follows_a_redirect_of_a_read_on_the_same_host(
    server: SocketServer, client: Client, status: int, location: str
) -> None:
    there = http(status, HTML, f"Location: {location.format(port=server.port)}")
    server.plays(in_turn(there, http(200, GOOD)))
    assert len(client.catalog.regions()) == 1
    assert [request.split()[0] for request in server.requests] == [b"GET"] * 2
    for write in (restore, delete):
        server.plays(in_turn(there, http(200, b'{"success": true}')))
        error = failure(client, write)
        assert (type(error), error.may_have_happened, error.status) == (Broken, True, status)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "{other}/regions",
        "//127.0.0.1:{other_port}/",
        "http://127.0.0.1:{port}@127.0.0.1:{other_port}/",
        "http://user:password@127.0.0.1:{port}/",
        "http://localhost:{port}/api/regions",
        "https://127.0.0.1:{port}/api/regions",
        "http:\\\\127.0.0.1:{other_port}/",
        "http://[bad/",
        "http://127.0.0.1:99999/",
        "javascript:alert(1)",
        "http://caf\u00e9.test/",
        "",
        None,
    ],
)
def test_it_takes_the_key_nowhere_else(
    server: SocketServer, client: Client, serve: Serve, location: str | None
) -> None:
    other = serve(sends(http(200, GOOD)))
    places = {"port": server.port, "other": other.url, "other_port": other.port}
    there = [] if location is None else [f"Location: {location.format(**places)}"]
    server.plays(sends(http(302, b"", *there)))
    for call in (read, restore, delete):
        error = failure(client, call)
        assert (type(error), error.may_have_happened) == (Broken, call is not read)
    assert len(server.requests) == 3
    assert other.requests == []


@pytest.mark.parametrize(("redirects", "good"), [(3, True), (4, False), (50, False)])
def test_it_follows_three_redirects_and_no_more(
    server: SocketServer, client: Client, redirects: int, good: bool
) -> None:
    server.plays(in_turn(*[http(307, b"", "Location: /again")] * redirects, http(200, GOOD)))
    if good:
        assert len(client.catalog.regions()) == 1
    else:
        assert type(failure(client, read)) is Broken
    assert len(server.requests) == 4
    assert all(f"x-api-key: {KEY}".encode() in request.lower() for request in server.requests)


def test_it_holds_the_time_limit_over_a_redirect(server: SocketServer, client: Client) -> None:
    def play(connection: socket.socket, server: SocketServer) -> None:
        (sends(http(302, b"", "Location: /again")) if len(server.requests) == 1 else hangs())(connection, server)

    server.plays(play)
    assert type(failure(client, read)) is TimedOut


@pytest.mark.parametrize(
    ("play", "most"),
    [
        (pours(START + b"Content-Length: %d\r\n\r\n" % (50 * MB), b" " * MB, 50), 10 * MB),
        (pours(START + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b" " * MB + b"\r\n", 50), 32 * MB),
        (pours(START + b"\r\n", b" " * MB, 50), 32 * MB),
        (sends(http(200, gzip.compress(b" " * (200 * MB), 1), "Content-Encoding: gzip")), 0),
    ],
    ids=["announced", "chunked", "until it closes", "compressed"],
)
@pytest.mark.parametrize("call", [read, restore])
def test_it_stops_reading_an_answer_that_is_too_large(
    serve: Serve, connect: Connect, play: Play, most: int, call: Call
) -> None:
    server = serve(play)
    error = failure(connect(server.url, limit=5), call, limit=5)
    assert (type(error), error.detail) == (Broken, "the answer is too large")
    assert error.may_have_happened is (call is restore)
    server.rest()
    assert server.poured <= most
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "spelling",
    [KEY, KEY.replace("-", "\\u002d"), KEY.replace("s", "\\u0073", 1).replace("-", "\\u002D", 1)],
)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_it_does_not_repeat_a_key_that_the_api_repeats(
    server: SocketServer, client: Client, status: int, spelling: str
) -> None:
    facts = '{"success": false, "message": "a \\\\KEY", "error": "KEY", "details": {"KEY": "KEY"}}'
    server.plays(sends(http(status, facts.replace("KEY", spelling).encode(), f"X-Request-ID: {KEY}")))
    error = failure(client, restore)
    assert (error.message, error.request_id) == ("a \\[key]", None)
