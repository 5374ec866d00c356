"""Retries, time limits and the circuit breaker, with a function in place of the network."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from barrack_web.client import (
    OPERATIONS,
    BarrackError,
    Broken,
    Client,
    Invalid,
    Missing,
    PricingRequest,
    ScriptRequest,
    TimedOut,
    TimeLimits,
    TooMany,
    Unreachable,
    request_id_var,
)

from .conftest import BASE, KEY, Cloud

EMPTY = {"success": True, "regions": []}


def then_good(cloud: Cloud, *first: httpx.Response | Exception) -> Client:
    """A client whose cloud answers as told at first, and well from then on."""
    answers: Iterator[httpx.Response | Exception] = iter(first)

    def handle(_request: httpx.Request) -> httpx.Response:
        answer = next(answers, httpx.Response(200, json=EMPTY))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return cloud.client(handle)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(502),
        httpx.Response(503, json={"success": False}),
        httpx.Response(504, html="<p>"),
        httpx.Response(503, headers={"Retry-After": "0"}),
        httpx.Response(429, headers={"Retry-After": "0.2"}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=repr,
)
def test_it_repeats_a_read_that_may_pass(cloud: Cloud, trouble: httpx.Response | Exception) -> None:
    assert len(then_good(cloud, trouble).catalog.regions()) == 0
    assert len(cloud.requests) == 2


def test_it_tries_three_times_at_most(cloud: Cloud) -> None:
    start = time.monotonic()
    with pytest.raises(Broken):
        cloud.answering({}, 503).catalog.regions()
    assert len(cloud.requests) == 3
    assert time.monotonic() - start < 1.0


def test_it_repeats_a_safe_read_by_post(cloud: Cloud) -> None:
    with pytest.raises(Unreachable):
        then_good(cloud, *[httpx.ConnectError("x")] * 3).images.relationships(["S"])
    assert len(cloud.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.Response(429), TooMany),
        (httpx.Response(429, headers={"Retry-After": "30"}), TooMany),
        (httpx.Response(503, headers={"Retry-After": "30"}), Broken),
        (httpx.Response(500), Broken),
        (httpx.Response(200, text="no JSON"), Broken),
        (httpx.ReadTimeout("x"), TimedOut),
        (httpx.WriteTimeout("x"), TimedOut),
        (httpx.ConnectTimeout("x"), Unreachable),
        (httpx.PoolTimeout("x"), Unreachable),
        (httpx.LocalProtocolError("x"), Broken),
        (httpx.DecodingError("x"), Broken),
    ],
    ids=repr,
)
def test_it_does_not_repeat_what_will_not_pass(
    cloud: Cloud, trouble: httpx.Response | Exception, kind: type[BarrackError]
) -> None:
    with pytest.raises(kind) as raised:
        then_good(cloud, trouble).catalog.regions()
    assert len(cloud.requests) == 1
    assert not raised.value.may_have_happened
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("trouble", "kind", "may_have_happened"),
    [
        (httpx.ConnectError("x"), Unreachable, False),
        (httpx.ConnectTimeout("x"), Unreachable, False),
        (httpx.ReadError("x"), Broken, True),
        (httpx.WriteError("x"), Broken, True),
        (httpx.RemoteProtocolError("x"), Broken, True),
        (httpx.ReadTimeout("x"), TimedOut, True),
        (httpx.Response(502), Broken, True),
        (httpx.Response(429, headers={"Retry-After": "0"}), TooMany, False),
        (httpx.Response(307, headers={"Location": BASE + "/elsewhere"}), Broken, True),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.snapshots.create(instance_id="D", name="n"),
        lambda client: client.snapshots.restore("S", new_vm_name="n"),
        lambda client: client.snapshots.delete("S"),
        lambda client: client.images.create_from_snapshot(snapshot_id="S", name="n"),
    ],
    ids=["create", "restore", "delete", "image"],
)
def test_it_never_repeats_a_write_and_knows_whether_it_may_have_happened(
    cloud: Cloud,
    trouble: httpx.Response | Exception,
    kind: type[BarrackError],
    may_have_happened: bool,
    write: Callable[[Client], object],
) -> None:
    with pytest.raises(kind) as raised:
        write(then_good(cloud, trouble))
    assert raised.value.may_have_happened is may_have_happened
    assert len(cloud.requests) == 1


def test_it_holds_a_shorter_limit_for_a_look_up(cloud: Cloud) -> None:
    def handle(_request: httpx.Request) -> httpx.Response:
        time.sleep(0.5)
        return httpx.Response(200, json=EMPTY)

    start = time.monotonic()
    with pytest.raises(TimedOut):
        cloud.client(handle).catalog.regions(within=0.2)
    assert time.monotonic() - start < 0.4


def test_it_tells_the_network_how_long_it_may_take(cloud: Cloud) -> None:
    client = cloud.client(
        lambda _request: httpx.Response(200, json=EMPTY), limits=TimeLimits(connect=1, read=5, write=3)
    )
    client.catalog.regions()
    client.snapshots.delete("S")
    read, write = (request.extensions["timeout"] for request in cloud.requests)
    assert (read["connect"], round(read["read"]), round(write["read"])) == (1, 5, 3)


def test_it_fails_at_once_while_too_many_calls_hang_and_recovers(cloud: Cloud) -> None:
    let_go = threading.Event()

    def handle(_request: httpx.Request) -> httpx.Response:
        let_go.wait(5)
        return httpx.Response(200, json=EMPTY)

    client = cloud.client(handle, workers=4)
    for _ in range(3):
        with pytest.raises(TimedOut):
            client.catalog.regions(within=0.3)
    start = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        client.snapshots.delete("S")
    assert time.monotonic() - start < 0.25
    assert not raised.value.may_have_happened
    let_go.set()
    time.sleep(0.1)
    assert len(client.catalog.regions()) == 0


def test_it_never_sends_a_call_that_was_given_up_while_it_waited_for_a_thread(cloud: Cloud) -> None:
    let_go = threading.Event()

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            let_go.wait(5)
        return httpx.Response(200, json=EMPTY)

    client = cloud.client(handle, workers=1, limits=TimeLimits(read=2, write=0.2))
    reader = threading.Thread(target=client.catalog.regions)
    reader.start()
    while not cloud.requests:
        time.sleep(0.01)
    with pytest.raises(Unreachable) as raised:
        client.snapshots.delete("S")
    assert not raised.value.may_have_happened
    let_go.set()
    reader.join(5)
    time.sleep(0.05)
    assert [request.method for request in cloud.requests] == ["GET"]


def test_it_follows_no_redirect_of_a_read_by_post(cloud: Cloud) -> None:
    with pytest.raises(Broken):
        cloud.answering({}, 307, {"Location": "/again"}).catalog.query_prices(PricingRequest())
    assert len(cloud.requests) == 1


def test_it_follows_no_redirect_of_a_write_that_was_made_a_get(cloud: Cloud) -> None:
    row = replace(OPERATIONS["stop_instance"], method="GET")
    again = httpx.Response(307, headers={"Location": "/again"})
    client = cloud.client(lambda _request: again, operations={**OPERATIONS, "stop_instance": row})
    with pytest.raises(Broken):
        client.instances.stop("D")
    assert len(cloud.requests) == 1


def test_it_keeps_bodies_out_of_every_repr(cloud: Cloud) -> None:
    told: list[object] = []
    made = httpx.Response(200, json={"private_key": "BEGIN-KEY"})
    client = cloud.client(lambda _request: made, observer=lambda *both: told.extend(both))
    call = client._transport.prepare("create_script", body=ScriptRequest(name="a", content="hunter2"))
    answer = client._transport.send(call)
    assert b"BEGIN-KEY" in answer.body
    for secret in ("hunter2", "BEGIN-KEY"):
        assert secret not in repr([call, answer, *told])


def test_it_sends_the_usual_headers(cloud: Cloud) -> None:
    client = cloud.answering(EMPTY, headers={"Content-Type": "text/plain"})
    client.catalog.regions()
    client.snapshots.restore("S", new_vm_name="n")
    read, write = (request.headers for request in cloud.requests)
    assert read["User-Agent"] == "barrack-web/0.1"
    assert read["X-Request-ID"] != write["X-Request-ID"]
    assert "Content-Type" not in read
    assert write["Content-Type"] == "application/json"


def test_it_passes_the_request_id_on_and_keeps_it_in_a_retry(cloud: Cloud) -> None:
    token = request_id_var.set("page-123")
    try:
        then_good(cloud, httpx.Response(502)).catalog.regions()
    finally:
        request_id_var.reset(token)
    assert [request.headers["X-Request-ID"] for request in cloud.requests] == ["page-123"] * 2


def test_it_makes_a_request_id_of_its_own_when_the_given_one_is_no_header(cloud: Cloud) -> None:
    token = request_id_var.set("a\r\nX-Evil: 1")
    try:
        cloud.answering(EMPTY).catalog.regions()
    finally:
        request_id_var.reset(token)
    assert len(cloud.requests[0].headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(("prefix", "value"), [("Bearer", f"Bearer {KEY}"), ("Bearer ", f"Bearer {KEY}"), ("", KEY)])
def test_it_sends_the_key_in_the_header_that_is_set(cloud: Cloud, prefix: str, value: str) -> None:
    client = cloud.client(
        lambda _request: httpx.Response(200, json=EMPTY), auth_header="Authorization", auth_prefix=prefix
    )
    client.catalog.regions()
    assert cloud.requests[0].headers["Authorization"] == value
    assert "X-API-Key" not in cloud.requests[0].headers


def test_it_logs_no_key(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Missing):
        cloud.answering({"message": KEY}, 404).snapshots.get("S")
    assert KEY not in caplog.text


def test_it_takes_the_request_id_of_the_header_when_the_body_has_none(cloud: Cloud) -> None:
    with pytest.raises(Broken) as raised:
        cloud.answering(b"", 500, {"X-Request-ID": "edge-9"}).catalog.regions()
    assert raised.value.request_id == "edge-9"


def test_it_refuses_text_that_no_json_can_hold(cloud: Cloud) -> None:
    with pytest.raises(Invalid):
        cloud.answering({}).snapshots.create(instance_id="D", name="\ud800")
    assert cloud.requests == []


def test_it_is_unreachable_once_closed(cloud: Cloud) -> None:
    client = cloud.answering(EMPTY)
    client.close()
    with pytest.raises(Unreachable):
        client.catalog.regions()
