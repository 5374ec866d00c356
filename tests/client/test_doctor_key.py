"""The doctor and the key: which header carries it, that it is never shown, what errors look like, and interruptions."""

import ssl
from typing import Any

import httpx
import msgspec
import pytest

from barrack_web.client import KeyWay
from barrack_web.client.doctor.checks import CHECKS
from barrack_web.client.doctor.report import OperationCheck

from .doctors import KEY, Patient, json_of, row_of

# --- The key ---------------------------------------------------------------------------------------------------------


def only_in(header: str, prefix: str = "") -> Any:
    """An API that takes the key in one header, and looks into no other."""
    wanted = f"{prefix} {KEY}".strip()
    refused = {"success": False, "message": "Who are you?"}
    return lambda request: None if request.headers.get(header) == wanted else json_of(401, refused)


def open_door(patient: Patient, header: str, prefix: str = "") -> None:
    """Have the cloud look for the key in that header only; the sandbox behind wants it in its own."""
    check = only_in(header, prefix)

    def answer(request: httpx.Request) -> httpx.Response | None:
        refused: httpx.Response | None = check(request)
        request.headers["X-API-Key"] = KEY
        return refused

    patient.answer = answer


@pytest.mark.parametrize("way", [KeyWay("X-API-Key"), KeyWay("Authorization", "Bearer"), KeyWay("api_key")])
@pytest.mark.parametrize("configured", [KeyWay("X-API-Key"), KeyWay("Authorization", "Bearer"), KeyWay("X-Other")])
def test_it_finds_the_header_that_carries_the_key(patient: Patient, configured: KeyWay, way: KeyWay) -> None:
    open_door(patient, way.header, way.prefix)
    report = patient.examined(way=configured)
    assert report.way == way
    assert report.key == ("accepted" if way == configured else "other header")
    assert report.works == (way == configured)
    assert row_of(report, "list_instances").status == 200
    if way != configured:
        assert report.settings == {"BARRACK_API_AUTH_HEADER": way.header, "BARRACK_API_AUTH_PREFIX": way.prefix}


@pytest.mark.parametrize("status", [401, 403])
def test_it_stops_when_no_header_carries_the_key(patient: Patient, status: int) -> None:
    patient.answer = lambda request: json_of(status, {"success": False})
    report = patient.examined()
    assert report.key == "refused"
    assert (report.operations, report.errors) == ([], [])
    assert not report.works
    assert {one.header for one in report.tries} == {"X-API-Key", "Authorization", "api_key"}
    assert len(patient.requests) <= 6


@pytest.mark.parametrize("status", [400, 422, 500])
def test_it_finds_the_header_also_when_the_others_are_not_refused_in_so_many_words(
    patient: Patient, status: int
) -> None:
    open_door(patient, "api_key")
    strict = patient.answer
    patient.answer = lambda request: json_of(status, {"message": "No key."}) if strict(request) else None
    assert patient.examined().way == KeyWay("api_key")


def test_it_keeps_a_header_whose_key_only_lacks_one_right(patient: Patient) -> None:
    patient.sandbox.faults.arm("get_credit_balance", "status", status=403, times=None)
    report = patient.examined()
    assert report.key == "accepted"
    assert [row.operation for row in report.failed] == ["get_credit_balance"]


def test_it_goes_on_when_no_answer_speaks_of_the_key(patient: Patient) -> None:
    for name in ("get_credit_balance", "list_instances"):
        patient.sandbox.faults.arm(name, "status", status=404, times=None)
    report = patient.examined()
    assert report.key == "unknown"
    assert row_of(report, "list_snapshots").state != "fails"
    assert {row.operation for row in report.failed} == {"get_credit_balance", "list_instances"}


def _refuse(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused") from ConnectionRefusedError(111, "refused")


def _distrust(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no") from ssl.SSLCertVerificationError("self-signed certificate")


def _hang(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_refuse, "no connection, the host refuses it on this port"),
        (_distrust, "no connection, the certificate is not trusted"),
        (_hang, "no answer within 4 s"),
    ],
)
def test_it_stops_when_nothing_answers(patient: Patient, answer: Any, words: str) -> None:
    patient.answer = answer
    report = patient.examined()
    assert report.out_of_reach == words
    assert report.operations == []
    assert not report.works


@pytest.mark.parametrize("echo", ["field", "status", "beside", "redirect", "escaped", "type", "error"])
def test_it_never_repeats_the_key(patient: Patient, echo: str) -> None:
    def rows(row: dict[str, Any]) -> None:
        row.update({"field": {KEY: 1}, "status": {"status": KEY}, "type": {"size_gb": KEY}}.get(echo, {}))

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/api/images":
            return None
        if echo == "redirect":
            return httpx.Response(307, headers={"Location": f"/api/images/{KEY}"})
        if echo == "escaped":
            escaped = "".join(f"\\u{ord(char):04x}" for char in KEY)
            return httpx.Response(200, content=f'{{"images": [], "{escaped}": 1}}'.encode())
        return json_of(500, {KEY: KEY, "message": KEY}) if echo == "error" else None

    patient.in_rows("/images", "images", rows)
    if echo == "beside":
        patient.changes["/images"] = lambda body: {**body, KEY: KEY}
    patient.answer = answer
    report = patient.examined()
    shown = msgspec.json.encode(report.as_json()).decode() + repr(report)
    assert KEY not in shown
    assert "[key]" in shown or echo in ("status", "type", "error", "redirect")


def test_it_shows_no_value_but_status_words(patient: Patient) -> None:
    secret = "hunter2 is the password of the database"
    patient.in_rows(
        "/images", "images", lambda row: row.update(name=secret, status=secret, size_gb=secret, description=secret)
    )
    row = patient.row("list_images")
    assert "hunter2" not in repr(row)
    assert f"status: a text of {len(secret)} characters is no known status word (6 times)" in row.problems


# --- What errors look like -------------------------------------------------------------------------------------------


def test_it_tells_of_errors_without_words(patient: Patient) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("limit") == "0":
            return json_of(200, {"instances": [], "success": True})
        if "X-API-Key" not in request.headers:
            return httpx.Response(401, content=b"<html>no</html>")
        return json_of(404, {"status": False}) if request.url.path.endswith("/BRK-000000D") else None

    patient.answer = answer
    found = {error.operation: error for error in patient.examined().errors}
    assert {error.state for error in found.values()} == {"differs"}
    assert found["list_instances"].problems == ("200 where 400 or 422 was expected",)
    assert found["get_credit_balance"].body == "HTML"
    assert found["get_credit_balance"].problems[0].startswith("no text that says what was wrong")
    assert (found["get_instance"].status, found["get_instance"].keys) == (404, ("status false",))


def test_it_asks_for_an_instance_that_nobody_has(patient: Patient) -> None:
    def asked() -> str:
        patient.requests.clear()
        patient.examined()
        paths = [request.url.path for request in patient.requests if request.url.path.startswith("/api/instances/BRK-")]
        return [path for path in paths if path.count("/") == 3][-1]

    assert asked() == "/api/instances/BRK-000000D"
    patient.in_rows("/instances", "instances", lambda row: row.update(instance_id="BRK-000000D"))
    assert asked() == "/api/instances/BRK-000000E"


def test_it_sends_no_key_where_it_asks_as_a_stranger(patient: Patient) -> None:
    patient.examined()
    without = [request for request in patient.requests if KEY not in str(dict(request.headers))]
    assert [request.url.path for request in without] == ["/api/balance"]


# --- On its way ------------------------------------------------------------------------------------------------------


def test_it_tells_of_each_step_before_it(patient: Patient) -> None:
    told: list[tuple[int, int, str]] = []
    report = patient.examined(progress=lambda *step: told.append(step))
    counted = [step for step in told if step[1]]
    assert [number for number, _, _ in counted] == list(range(1, len(CHECKS) + 4))
    assert counted[-1][0] == counted[-1][1]
    assert told[0] == (0, 0, "get_credit_balance with X-API-Key")
    assert len(report.operations) == len(CHECKS) + 3


def test_it_keeps_what_it_found_when_it_is_interrupted(patient: Patient) -> None:
    def progress(number: int, _steps: int, _what: str) -> None:
        if number == 9:
            raise KeyboardInterrupt

    with patient.doctor(progress=progress) as doctor:
        with pytest.raises(KeyboardInterrupt):
            doctor.run()
        rows: list[OperationCheck] = doctor.report.operations
    assert [row.operation for row in rows] == [check.operation for check in CHECKS[:8]]
