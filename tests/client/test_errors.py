"""Every way the API says no, and what becomes of it."""

import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from barrack_web.client import (
    BadKey,
    BarrackError,
    Broken,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    Missing,
    NoCredit,
    NoStock,
    Refused,
    TooMany,
)

from .conftest import BASE, KEY, Cloud

ENVELOPE = {"success": False, "message": "Said the API", "error": "SOME_CODE", "request_id": "a1b2c3d4"}
KINDS = [
    (400, Invalid),
    (401, BadKey),
    (402, NoCredit),
    (403, Forbidden),
    (404, Missing),
    (405, Refused),
    (409, Conflict),
    (418, Refused),
    (422, Invalid),
    (429, TooMany),
    (500, Broken),
    (502, Broken),
    (504, Broken),
]


def refusal(cloud: Cloud, body: object, status: int = 409, headers: dict[str, str] | None = None) -> BarrackError:
    """The error of a restore, the write with most to lose."""
    with pytest.raises(BarrackError) as raised:
        cloud.answering(body, status, headers).snapshots.restore("BRK-1S", new_vm_name="n")
    return raised.value


@pytest.mark.parametrize(("status", "kind"), KINDS)
def test_it_turns_a_status_into_its_kind(cloud: Cloud, status: int, kind: type[BarrackError]) -> None:
    error = refusal(cloud, ENVELOPE, status)
    assert type(error) is kind
    assert (error.operation, error.status, error.request_id) == ("restore_snapshot", status, "a1b2c3d4")
    assert (error.message, str(error), error.code) == ("Said the API", "Said the API", "SOME_CODE")
    assert error.may_have_happened is (kind is Broken)
    assert len(cloud.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html><h1>Oops</h1></html>", b'{"half', b"[]", b"null", b"\xff"], ids=repr)
@pytest.mark.parametrize(("status", "kind"), [*KINDS, (503, Broken)])
def test_it_survives_any_body(cloud: Cloud, body: bytes, status: int, kind: type[BarrackError]) -> None:
    error = refusal(cloud, body, status)
    assert type(error) is kind
    assert error.message
    assert "<" not in error.message


def test_it_tells_missing_stock_from_a_gateway(cloud: Cloud) -> None:
    error = refusal(cloud, ENVELOPE, 503)
    assert type(error) is NoStock
    assert not error.may_have_happened
    gateway = refusal(cloud, {"message": "Service Unavailable"}, 503)
    assert type(gateway) is Broken
    assert gateway.may_have_happened
    with pytest.raises(Broken):
        cloud.answering(ENVELOPE, 503).snapshots.delete("BRK-1S")  # a delete takes no stock


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"success": False, "error": "INSUFFICIENT_CREDITS"}, NoCredit),
        ({"success": False, "error": "insufficient_credits", "message": "No money"}, NoCredit),
        ({"status": False, "error_reason": "NOT_FOUND"}, Missing),
        ({"success": False, "error": "OUT_OF_STOCK"}, NoStock),
        ({"success": False}, Refused),
        ({"status": False, "message": "Something new"}, Refused),
    ],
)
def test_it_takes_no_2xx_that_says_it_failed(cloud: Cloud, body: object, kind: type[BarrackError]) -> None:
    error = refusal(cloud, body, 200)
    assert type(error) is kind
    assert (error.status, error.may_have_happened) == (200, False)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success": tr', b"[]", b"[" * 100_000], ids=lambda b: repr(b[:9]))
def test_it_takes_no_2xx_that_is_no_json_object(cloud: Cloud, body: bytes) -> None:
    error = refusal(cloud, body, 200)
    assert type(error) is Broken
    assert error.may_have_happened


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "m", "error": "e"}, "m"),
        ({"message": "", "error": "e"}, "e"),
        ({"message": {"odd": 1}, "detail": "d"}, "d"),
        ({"error_reason": "r"}, "r"),
        ({"message": "a\x00b\r\nc\u202ed\x1b[0m"}, "a b c d [0m"),
        ({"message": "x" * 9000}, "x" * 500),
    ],
    ids=["message", "error", "detail", "reason", "control characters", "long"],
)
def test_it_takes_the_apis_words_cleaned(cloud: Cloud, body: object, message: str) -> None:
    assert refusal(cloud, body).message == message


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        (
            {"details": {"new_vm_name": "taken", "size": ["too", "small"]}},
            {"new_vm_name": "taken", "size": "too small"},
        ),
        ({"details": [{"field": "name", "message": "bad"}]}, {"name": "bad"}),
        ({"details": [{"loc": ["body", "name"], "msg": "bad"}]}, {"name": "bad"}),
        ({"detail": [{"loc": ["body", "rules", 0, "port"], "msg": "bad"}]}, {"port": "bad"}),
        ({"details": {"name": {"message": "bad"}}}, {"name": "bad"}),
        ({"details": "text"}, {}),
        ({"details": [1, None, {}, {"loc": [], "msg": "x"}, {"field": 5}]}, {}),
        ({"details": {str(n): "x" for n in range(900)}}, {str(n): "x" for n in range(50)}),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_it_says_which_field_was_wrong(cloud: Cloud, more: dict[str, Any], fields: dict[str, str], status: int) -> None:
    assert refusal(cloud, {"success": False, **more}, status).fields == fields


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("99999999", 3600.0),
        ("-5", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_it_reads_retry_after(cloud: Cloud, header: str, seconds: float | None) -> None:
    error = refusal(cloud, ENVELOPE, 429, {"Retry-After": header.encode()})  # type: ignore[dict-item]
    assert error.retry_after == seconds


def test_it_reads_retry_after_as_a_date(cloud: Cloud) -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    seconds = refusal(cloud, ENVELOPE, 429, {"Retry-After": header}).retry_after
    assert seconds is not None
    assert 80 < seconds <= 90


def test_it_never_shows_the_key(cloud: Cloud) -> None:
    client = cloud.answering({"success": False, "message": f"bad key {KEY}", "details": {"key": KEY}}, 401)
    with pytest.raises(BadKey) as raised:
        client.snapshots.list()
    error = raised.value
    shown = [repr(error), str(error), repr(vars(error)), "".join(traceback.format_exception(error)), repr(client)]
    frame = raised.tb
    while frame is not None:
        if "barrack_web" in frame.tb_frame.f_code.co_filename:
            shown.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next  # type: ignore[assignment]
    shown += [repr(vars(part)) for part in (client, client.snapshots, client._transport)]
    assert not [text for text in shown if KEY in text]
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("key", ["new\nline", "caf\u00e9", "nul\x00"], ids=ascii)
def test_it_refuses_a_key_that_no_header_can_carry_without_repeating_it(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        Client(BASE, key)
    assert key not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["", "cloud.test", "ftp://x/api", "http://", "http://u:p@x/api", "http://x/?a=1", "http://x:99999"]
)
def test_it_refuses_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url, KEY)
