"""/snapshots/?tab=billing: what all snapshots have cost, as Barrack's records say."""

import re

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    READ_FAULTS,
    READ_REFUSALS,
    SCRIPT,
    alert,
    body,
    facts,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

URL = "/snapshots/?tab=billing"


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table's rows."""
    table = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    assert table, "no table"
    return [
        [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", table.group(1), re.DOTALL)
    ]


@pytest.fixture
def many(sandbox: Sandbox) -> Sandbox:
    """45 snapshots of 100 GB, the first a minute old, each a minute older than the one before."""
    sandbox.reset({"snapshots": 45})
    sandbox.world.speed = 0
    return sandbox


# -- works


@pytest.mark.feature("SNAP-49")
def test_it_shows_records_and_totals_of_all_pages(billing: Client, many: Sandbox) -> None:
    response = billing.get(URL)
    assert response.status_code == 200
    # 1 + 2 + … + 45 minutes at $0.00167
    shown = facts(body(response))
    assert shown["Minutes"] == "1,035 all records"
    assert shown["Total cost"] == "$1.73"
    assert shown["Running records"] == "45 of 45"
    assert shown["Storage charged"] == "4.39 TB"
    table = rows(body(response))
    assert len(table) == 20
    assert table[0][:2] == ["snapshot-0001", "100 GB"]
    assert table[0][3:] == ["still running", "1", "$0.00167", "$0.0017", "Active"]
    assert '<a href="/snapshots/BRK-100001S/">' in body(response)
    assert '<a href="/snapshots/?tab=billing" aria-current="page">Billing</a>' in body(response)


@pytest.mark.feature("SNAP-49")
def test_it_pages_through_the_records(viewer: Client, many: Sandbox) -> None:
    first = viewer.get(URL)
    assert "Page 1 of 3 Previous Next" in text_of(first)
    assert 'href="/snapshots/?tab=billing&amp;page=2" rel="next">Next</a>' in body(first)
    last = viewer.get(f"{URL}&page=3")
    assert [row[0] for row in rows(body(last))] == [f"snapshot-00{number}" for number in range(41, 46)]
    assert "Page 3 of 3 Previous Next" in text_of(last)
    assert 'rel="next"' not in body(last)
    assert many.log.calls("get_snapshots_billing")[-1].query == "page=3&limit=20"


@pytest.mark.feature("SNAP-51")
def test_it_charges_by_actual_size(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(URL)
    assert "Storage is charged by actual size, per minute, in the currency of each record." in text_of(response)
    table = {row[0]: row for row in rows(body(response))}
    # 250 GB for 96 hours, 100 GB for 20 hours, at $0.10 per 100 GB and hour
    assert table["prod-backup-dec11"][4:] == ["5,760", "$0.00417", "$24.02", "Active"]
    assert table["eval-harness-golden"][4:] == ["1,200", "$0.00167", "$2.00", "Active"]


def test_it_shows_the_records_of_a_deleted_snapshot(viewer: Client, sandbox: Sandbox) -> None:
    del sandbox.world.snapshots["BRK-123490S"]
    (row,) = [row for row in rows(body(viewer.get(URL))) if row[0] == "eval-harness-golden"]
    assert row[3] != "still running"
    assert row[3].endswith("UTC")
    assert row[7] == "Completed"


def test_it_says_when_there_are_no_records(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.reset("empty")
    response = viewer.get(URL)
    assert "No billing records yet" in text_of(response)
    assert facts(body(response))["Total cost"] == "$0.00"


def test_it_answers_only_the_records_to_htmx(viewer: Client) -> None:
    page = body(viewer.get(URL, headers=HTMX))
    assert "<html" not in page
    assert '<section id="records" aria-label="Billing">' in page


# -- roles, methods, bad input


@pytest.mark.parametrize("role", ["viewer", "billing", "operator", "admin"])
def test_it_shows_it_to_every_role(request: pytest.FixtureRequest, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    assert "Running records" in text_of(browser.get(URL))


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == "/account/login/?next=/snapshots/%3Ftab%3Dbilling"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "10000", "1" * 5000, "", "1/../../balance"])
def test_it_shows_the_first_page_for_a_bad_page_number(viewer: Client, sandbox: Sandbox, page: str) -> None:
    response = viewer.get("/snapshots/", {"tab": "billing", "page": page})
    assert response.status_code == 200
    assert [call.query for call in sandbox.log.calls("get_snapshots_billing")] == ["page=1&limit=20"]


# -- bad days


@pytest.mark.parametrize(("status", "title", "shown"), [*READ_REFUSALS, (404, "Barrack refused the request", 502)])
def test_it_says_what_the_api_refused(viewer: Client, sandbox: Sandbox, status: int, title: str, shown: int) -> None:
    sandbox.faults.arm("get_snapshots_billing", "status", status=status, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "No billing records yet" not in text_of(response)


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("get_snapshots_billing", kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)


def test_it_shows_the_older_copy_with_its_age(viewer: Client, sandbox: Sandbox) -> None:
    good = rows(body(viewer.get(URL)))
    sandbox.faults.arm("get_snapshots_billing", "status", status=500, times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert rows(body(response)) == good
    assert re.search(r"this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(response))


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, "", None])
def test_it_shows_hostile_records_safely(viewer: Client, sandbox: Sandbox, text: str | None) -> None:
    sandbox.world.snapshots["BRK-123490S"].update(snapshot_name=text, description=text, tier=text)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(rows(body(response))) == 20
    assert len(body(response)) < 80_000


def answer(*records: dict[str, object]) -> dict[str, object]:
    """Return an answer of the billing operation with these records."""
    return {
        "success": True,
        "records": list(records),
        "summary": {},
        "total": len(records),
        "page": 1,
        "limit": 20,
        "total_pages": 1,
        "currency": None,
    }


RECORD = {
    "billing_id": "B1",
    "start_time": "2026-01-05T07:00:00Z",
    "total_duration_minutes": 3,
    "per_minute_rate": 0.5,
    "total_cost": 1.5,
    "currency": "XAU",
}


def test_it_shows_dashes_for_what_the_api_left_out(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_snapshots_billing", "status", status=200, body=answer(RECORD), times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert facts(body(response))["Total cost"] == "–"
    assert rows(body(response)) == [
        ["–", "–", "5 Jan 2026, 07:00 UTC", "still running", "3", "XAU 0.50000", "XAU 1.50", "No status"]
    ]


def test_it_says_how_many_records_could_not_be_read(viewer: Client, sandbox: Sandbox) -> None:
    broken = {**RECORD, "total_cost": "NaN"}
    odd = {**RECORD, "snapshot_id": "a/b", "snapshot_name": "odd"}
    sandbox.faults.arm("get_snapshots_billing", "status", status=200, body=answer(broken, odd), times=None)
    response = viewer.get(URL)
    assert [row[0] for row in rows(body(response))] == ["odd"]
    assert 'href=""' not in body(response)
    assert "1 record could not be read: Barrack sent it without a required field." in text_of(response)
