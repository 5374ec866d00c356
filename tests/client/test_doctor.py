"""The doctor's reads: each once, what differs from what is expected, and why one fails."""

import itertools
import json
from typing import Any

import httpx
import pytest

from barrack_web.client import OPERATIONS, Instance, Overrides
from barrack_web.client.doctor.checks import CHECKS
from barrack_web.client.doctor.compare import STATUS_WORDS
from barrack_web.client.wire import Names

from .doctors import Patient, json_of, row_of

# The demo's account holds one status word each that nobody knows, so that pages are seen with one.
ODD_IN_DEMO = {"list_instances", "list_snapshots", "list_volumes"}


# --- The table -------------------------------------------------------------------------------------------------------


def test_it_has_a_check_for_each_safe_operation_that_is_no_second_entry() -> None:
    safe = [row.name for row in OPERATIONS.values() if row.safe and not row.alias_of]
    assert [check.operation for check in CHECKS] == safe


def test_it_knows_the_words_of_every_status_that_it_shows() -> None:
    # given that the table names fields by text, a renamed field would go unchecked
    assert all(name in kind.__struct_fields__ for kind, name in STATUS_WORDS)


# --- An API that is as expected --------------------------------------------------------------------------------------


def test_it_finds_the_sandbox_as_expected(patient: Patient) -> None:
    report = patient.examined()
    assert report.key == "accepted"
    assert {row.operation for row in report.operations if row.state == "differs"} == ODD_IN_DEMO
    assert {row.state for row in report.operations} == {"ok", "differs", "not used", "not tried"}
    assert not [row for row in report.operations if row.mends]
    assert {error.state for error in report.errors} == {"ok"}
    assert report.works


def test_it_only_reads_and_asks_nothing_twice(patient: Patient) -> None:
    patient.examined()
    calls = [call.operation for call in patient.sandbox.log.calls()]
    assert all(OPERATIONS[str(name)].safe for name in calls)
    # two reads are made twice and once more: to find the header, and to see what errors look like
    twice = {name for name in calls if calls.count(name) > 1}
    assert twice == {"get_credit_balance", "get_instance", "list_instances"}


def test_it_asks_one_call_after_the_other(patient: Patient) -> None:
    patient.examined()
    calls = patient.sandbox.log.calls()
    assert all(call.ended is not None for call in calls)
    assert all(first.ended <= second.started for first, second in itertools.pairwise(calls) if first.ended)


def test_it_takes_ids_and_the_currency_from_earlier_reads(patient: Patient) -> None:
    patient.sandbox.world.currency = "EUR"
    patient.sandbox.world.balances["EUR"] = patient.sandbox.world.balances["USD"]
    patient.examined()
    sent = {request.url.path: request for request in patient.requests}
    batch = json.loads(sent["/api/snapshots/images/batch"].content)["snapshot_ids"]
    assert len(batch) == 3
    assert set(batch) <= patient.sandbox.world.snapshots.keys()
    prices = [request for request in patient.requests if request.method == "POST" and "/pricing" in request.url.path]
    assert json.loads(prices[0].content) == {"currency": "EUR"}


def test_it_does_not_ask_for_the_page_of_a_deleted_instance_first(patient: Patient) -> None:
    first = next(iter(patient.sandbox.world.instances.values()))
    patient.in_rows("/instances", "instances", lambda row: row.update(status="DELETED"), only=1)
    patient.examined()
    assert not [request for request in patient.requests if request.url.path == f"/api/instances/{first['instance_id']}"]


def test_it_says_what_an_empty_account_leaves_untried() -> None:
    report = Patient({}).examined()
    row = row_of(report, "get_snapshot")
    assert (row.state, row.notes) == ("not tried", ("the account has no snapshot",))
    assert row_of(report, "list_snapshot_image_relationships").state == "not tried"
    assert row_of(report, "list_snapshots").state == "ok"
    assert report.works


def test_it_says_which_list_has_to_work_first(patient: Patient) -> None:
    patient.sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    row = patient.row("get_snapshot")
    assert row.notes == ("it takes an id from list_snapshots, which does not work",)


# --- Fields ----------------------------------------------------------------------------------------------------------


def test_it_notes_what_is_sent_and_not_read_and_the_other_way_round(patient: Patient) -> None:
    patient.in_rows("/snapshots", "snapshots", lambda row: (row.update(colour="red"), row.pop("description", None)))
    row = patient.row("list_snapshots")
    assert "not read: colour" in row.notes
    assert "not sent: description" in row.notes


def test_it_lets_some_rows_lack_what_is_optional(patient: Patient) -> None:
    patient.in_rows("/snapshots", "snapshots", lambda row: row.pop("description", None), only=1)
    assert patient.row("list_snapshots").notes == ()


def test_it_counts_rows_that_lack_what_is_needed(patient: Patient) -> None:
    patient.in_rows("/images", "images", lambda row: row.pop("name"), only=1)
    row = patient.row("list_images")
    assert row.state == "fails"
    assert (row.rows, row.broken) == (5, 1)
    assert row.problems == ("1 of 6 rows cannot be read", "name is missing in 1 of 6")
    assert row.mends == ()


def test_it_fails_a_list_of_which_no_row_can_be_read(patient: Patient) -> None:
    patient.in_rows("/images", "images", lambda row: row.update(title=row.pop("name")))
    report = patient.examined()
    row = row_of(report, "list_images")
    assert row.state == "fails"
    assert not report.works
    # then it shows where the name may have gone, for an overrides file
    assert [(mend.table, mend.key, mend.value) for mend in row.mends] == [("structs.Image", "name", "name")]
    assert "title" in row.mends[0].why


def test_it_fails_a_single_resource_that_lacks_what_is_needed(patient: Patient) -> None:
    for number in patient.sandbox.world.scripts:
        patient.changes[f"/scripts/{number}"] = lambda body: {**body, "script": {"name": "n"}}
    row = patient.row("get_script")
    assert row.state == "fails"
    assert "script_id is missing" in row.problems
    assert "content is missing" in row.problems


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("created_at", "yesterday", "created_at: Invalid RFC3339 encoded datetime"),
        ("size_gb", "much", "size_gb: "),
        ("description", 5, "description: Expected str | null, got int"),
        ("region", None, "region: Expected str, got null"),
    ],
)
def test_it_tells_the_wrong_type_of_a_field(patient: Patient, field: str, value: object, problem: str) -> None:
    patient.in_rows("/images", "images", lambda row: row.update({field: value}), only=1)
    row = patient.row("list_images")
    assert row.state == ("fails" if field == "region" else "differs")
    assert any(line.startswith(problem) and line.endswith("(once)") for line in row.problems)


def test_it_looks_into_what_is_nested(patient: Patient) -> None:
    def change(row: dict[str, Any]) -> None:
        row["flavor"] = {"cpu": "many", "wheels": 4}
        row["volumes"] = [{"status": "LOST"}]

    patient.in_rows("/instances", "instances", change)
    row = patient.row("list_instances")
    assert any(line.startswith("flavor.cpu: Expected int | null, got str") for line in row.problems)
    assert any(line.startswith("volumes[].status: LOST is no known status word") for line in row.problems)
    assert any("flavor.wheels" in note for note in row.notes)


@pytest.mark.parametrize(
    ("path", "key", "operation", "word"),
    [
        ("/instances", "instances", "list_instances", "MELTED"),
        ("/snapshots", "snapshots", "list_snapshots", "frozen solid"),
        ("/images", "images", "list_images", "Baking"),
        ("/volumes", "volumes", "list_volumes", "spinning"),
        ("/firewalls", "firewalls", "list_firewalls", "BURNING"),
        ("/instances/billing", "records", "get_instance_billing", "gratis"),
    ],
)
def test_it_shows_a_status_word_that_nobody_knows(
    patient: Patient, path: str, key: str, operation: str, word: str
) -> None:
    patient.in_rows(path, key, lambda row: row.update(status=word))
    row = patient.row(operation)
    assert row.state == "differs"
    assert any(line.startswith(f"status: {word} is no known status word") for line in row.problems)


@pytest.mark.parametrize("word", ["stopped", "In-Use", "AVAILABLE", "success", "in_progress"])
def test_it_takes_the_known_words_in_any_spelling(patient: Patient, word: str) -> None:
    path, key, operation = {
        "stopped": ("/instances", "instances", "list_instances"),
        "In-Use": ("/volumes", "volumes", "list_volumes"),
    }.get(word, ("/images", "images", "list_images"))
    patient.in_rows(path, key, lambda row: row.update(status=word))
    assert patient.row(operation).state == "ok"


def test_it_reads_fields_by_the_names_of_the_overrides(patient: Patient) -> None:
    patient.in_rows("/instances", "instances", lambda row: row.update(name=row.pop("vm_name")))
    assert patient.row("list_instances").state == "fails"
    patient.in_rows("/instances", "instances", lambda row: row.update(name=row.pop("vm_name"), status="ACTIVE"))
    row = patient.row("list_instances", overrides=Overrides(names=Names({Instance: {"vm_name": "name"}})))
    assert (row.state, row.notes) == ("ok", ())


def test_it_tells_of_a_payload_under_another_key(patient: Patient) -> None:
    patient.changes["/scripts"] = lambda body: {"data": body["scripts"], "success": True}
    row = patient.row("list_scripts")
    assert row.state == "fails"
    assert row.problems == ("no scripts in the answer",)
    assert [(mend.key, mend.value) for mend in row.mends] == [("result", "scripts")]
    assert row.mends[0].why == "not in the answer, whose keys are: data, success"


# --- The rest of an answer -------------------------------------------------------------------------------------------


def _nested_to_top(body: dict[str, Any]) -> dict[str, Any]:
    paging = body.pop("pagination")
    return {**body, **paging}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda body: body, "nested"),
        (_nested_to_top, "top"),
        (lambda body: {name: body[name] for name in body if name != "pagination"}, "absent"),
    ],
)
def test_it_says_where_the_pagination_stands(patient: Patient, change: Any, where: str) -> None:
    patient.changes["/scripts"] = change
    row = patient.row("list_scripts")
    assert (row.pagination, row.state) == (where, "ok")


def test_it_says_whether_the_envelope_is_there(patient: Patient) -> None:
    patient.changes["/scripts"] = lambda body: {"scripts": body["scripts"]}
    row = patient.row("list_scripts")
    assert (row.success_flag, row.request_id) == (False, "absent")
    patient.changes.clear()
    row = patient.row("list_scripts")
    assert (row.success_flag, row.request_id) == (True, "body")
    patient.answer = lambda request: (
        json_of(200, {"scripts": []}, **{"X-Request-ID": "abc"}) if request.url.path == "/api/scripts" else None
    )
    assert patient.row("list_scripts").request_id == "header"


def test_it_goes_through_all_pages_and_sees_one_that_repeats() -> None:
    patient = Patient({"snapshots": 250})
    row = patient.row("list_snapshots")
    assert (row.state, row.rows, row.notes) == ("ok", 250, ("3 pages",))

    def first_page_always(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/api/snapshots" and request.url.params["page"] != "1":
            asked = request.url.copy_set_param("page", 1)
            return patient._door.handle_request(httpx.Request("GET", asked, headers=request.headers))
        return None

    patient.answer = first_page_always
    row = patient.row("list_snapshots")
    assert row.state == "fails"
    assert row.problems == ("the second page repeats the first; the query may want other names for page and limit",)


def test_it_tells_of_a_redirect_that_a_write_would_not_follow(patient: Patient) -> None:
    def redirect(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/api/scripts":
            return httpx.Response(307, headers={"Location": "/api/scripts/?page=1&limit=100"})
        return None

    patient.answer = redirect
    row = patient.row("list_scripts")
    assert row.state == "differs"
    assert row.problems[0].startswith("redirected to /api/scripts/; a write would not follow")
    assert [(mend.key, mend.value) for mend in row.mends] == [("path", "/scripts/")]


@pytest.mark.parametrize("elsewhere", ["/v2/scripts", "/api2/scripts", "/api/%7Bx%7D", "/api/a%3Fb"])
def test_it_proposes_no_path_that_an_overrides_file_cannot_name(patient: Patient, elsewhere: str) -> None:
    def redirect(request: httpx.Request) -> httpx.Response | None:
        if request.url.raw_path.startswith(elsewhere.encode()):
            return json_of(200, {"success": True, "scripts": []})
        there = request.url.path == "/api/scripts"
        return httpx.Response(307, headers={"Location": elsewhere}) if there else None

    patient.answer = redirect
    row = patient.row("list_scripts")
    assert row.problems[0].startswith("redirected to ")
    assert row.mends == ()


def test_it_counts_what_it_had_to_ask_again(patient: Patient) -> None:
    patient.sandbox.faults.arm("list_scripts", "status", status=503, times=1)
    row = patient.row("list_scripts")
    assert (row.state, row.repeated, row.status) == ("ok", 1, 200)


@pytest.mark.parametrize(
    ("fault", "status", "problem"),
    [
        ({"kind": "status", "status": 404}, 404, "404: there is nothing at this path, the body is JSON"),
        ({"kind": "status", "status": 405}, 405, "405: this path does not take GET, the body is JSON"),
        ({"kind": "status", "status": 403}, 403, "403: the key may not read this, the body is JSON"),
        ({"kind": "status", "status": 500, "body": ""}, 500, "500: status 500, no JSON object, the body is empty"),
        ({"kind": "html", "status": 502}, 502, "502: status 502, no JSON object, the body is HTML"),
        ({"kind": "html", "status": 200}, 200, "no JSON object; the body is HTML"),
        ({"kind": "invalid_json"}, 200, "no JSON object; the body is no JSON object"),
        ({"kind": "status", "status": 200, "body": {"success": False}}, 200, "200, and yet the answer says that it"),
        ({"kind": "hang"}, None, "no answer within the time limit"),
        ({"kind": "refuse"}, None, "no connection"),
        ({"kind": "truncate"}, None, "the connection was cut"),
    ],
)
def test_it_says_why_a_read_fails(patient: Patient, fault: dict[str, Any], status: int | None, problem: str) -> None:
    if fault["kind"] == "hang":
        patient.limit = 0.4
    patient.sandbox.faults.arm("list_scripts", times=None, **fault)
    report = patient.examined()
    row = row_of(report, "list_scripts")
    assert (row.state, row.status) == ("fails", status)
    assert row.problems[0].startswith(problem)
    assert [row.operation for row in report.failed] == ["list_scripts"]
    assert not report.works


@pytest.mark.parametrize("status", [404, 405])
def test_it_takes_a_capability_for_absent(patient: Patient, status: int) -> None:
    for name in ("get_gpu_stocks", "list_ai_models"):
        patient.sandbox.faults.arm(name, "status", status=status, times=None)
    report = patient.examined()
    assert report.absent == ("get_gpu_stocks", "list_ai_models")
    assert report.works
    assert row_of(report, "get_gpu_stocks").mends == ()


def test_it_fails_a_capability_that_is_there_and_broken_without_needing_it(patient: Patient) -> None:
    patient.sandbox.faults.arm("get_gpu_stocks", "status", status=500, times=None)
    report = patient.examined()
    assert row_of(report, "get_gpu_stocks").state == "fails"
    assert report.works


def test_it_fails_what_the_portal_could_read_and_not_use(patient: Patient) -> None:
    # given a price list without a price, and an account without a balance of its own
    patient.changes["/pricing/"] = lambda body: {**body, "pricing_data": {"gpus": {"pricing": {}}}}
    patient.changes["/balance"] = lambda body: {**body, "data": {"balances": []}}
    report = patient.examined()
    assert (row_of(report, "get_pricing").state, row_of(report, "get_credit_balance").state) == ("fails", "fails")
    assert not report.works


def test_it_fails_a_list_with_more_pages_than_the_portal_goes_through(patient: Patient) -> None:
    def endless(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "pagination": {**body["pagination"], "total_pages": 10_000}}

    patient.changes["/scripts"] = endless
    assert patient.row("list_scripts").state == "fails"
