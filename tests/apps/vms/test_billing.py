"""/vms/?tab=billing: what all VMs have cost, as Barrack's records say."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.vms.helpers import ONE, body, copies, facts, only, words
from tests.conftest import HTMX, text_of

URL = "/vms/?tab=billing"


def records(response: HttpResponse) -> list[list[str]]:
    """Return the cells of the table's rows: VM, GPU, from, to, minutes, per minute, cost, status."""
    table = body(response).partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    ]


def alert(response: HttpResponse) -> str:
    found = re.findall(
        r'<div class="notice notice-danger" role="alert">(.*?)</div>\s*</div>', body(response), re.DOTALL
    )
    assert len(found) == 1
    return words(found[0])


@pytest.fixture
def many(sandbox: Sandbox) -> Sandbox:
    """45 VMs."""
    sandbox.reset({"instances": 45})
    sandbox.world.speed = 0
    return sandbox


# --- works


@pytest.mark.feature("VM-20", "VM-15")
def test_it_shows_records_with_minutes_rate_cost_and_totals(billing: Client, sandbox: Sandbox) -> None:
    response = billing.get(URL)
    assert response.status_code == 200
    table = {row[0]: row for row in records(response)}
    # 27 hours of one GPU at $0.69 an hour
    row = table["eval-harness"]
    assert row[1] == "1 × RTX-A6000"
    assert row[3:] == ["until now", "1,620", "$0.01150", "$18.63", "Active"]
    # hibernated for 330 hours at a cent, after 190 hours at the full rate
    assert [row[3:][1:] for row in records(response) if row[0] == "diffusion-lab"] == [
        ["19,800", "$0.00017", "$3.30", "Hibernated"],
        ["11,400", "$0.05300", "$604.20", "Completed"],
    ]
    shown = facts(body(response))
    assert shown["Total cost"] == "$3,522.02"
    assert shown["Running records"] == "6 of 9"
    assert shown["Hibernated"].startswith("1")
    assert shown["Minutes"].startswith("106,860")
    assert "Pricing is calculated per minute for exact usage tracking" in text_of(response)


@pytest.mark.feature("VM-20")
def test_it_is_the_second_tab_of_the_list(viewer: Client) -> None:
    page = body(viewer.get(URL))
    assert '<a href="/vms/?tab=billing" aria-current="page">Billing</a>' in page
    assert f'<a href="/vms/{ONE}/">' in page
    assert "Virtual machines" in re.sub(r"<[^>]+>", "", page.partition("<h1")[2].partition("</h1>")[0])
    assert '<a href="/vms/?tab=billing">Billing</a>' in body(viewer.get("/vms/"))
    # and has an address of its own
    assert records(viewer.get("/vms/billing/")) == records(viewer.get(URL))


@pytest.mark.feature("VM-20")
def test_it_pages_through_the_records(viewer: Client, many: Sandbox) -> None:
    first = viewer.get(URL)
    assert len(records(first)) == 20
    assert "Page 1 of 3 Previous Next" in text_of(first)
    assert 'href="/vms/?tab=billing&amp;page=2" rel="next">Next</a>' in body(first)
    last = viewer.get(f"{URL}&page=3")
    assert len(records(last)) == 5
    assert 'rel="next"' not in body(last)
    assert many.log.calls("get_instance_billing")[-1].query == "page=3&limit=20"
    # and none is on two pages
    names = [row[0] for number in (1, 2, 3) for row in records(viewer.get(f"{URL}&page={number}"))]
    assert len(set(names)) == 45


@pytest.mark.parametrize(("currency", "rate"), [("EUR", "€0.00750"), ("INR", "₹0.81667")])
def test_it_writes_each_record_in_its_currency(viewer: Client, sandbox: Sandbox, currency: str, rate: str) -> None:
    sandbox.reset("demo", currency=currency)
    response = viewer.get(URL)
    (row,) = [row for row in records(response) if row[0] == "eval-harness"]
    assert row[5] == rate
    assert row[6].startswith(rate[0])
    assert facts(body(response))["Total cost"].startswith(rate[0])


def test_it_shows_the_records_of_a_vm_that_is_gone(viewer: Client, sandbox: Sandbox) -> None:
    only(sandbox)
    (row,) = [row for row in records(viewer.get(URL)) if row[0] == "eval-harness"]
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
    assert page.lstrip().startswith('<section id="records"')


# --- roles, methods, bad input


def test_it_is_there_for_every_role_and_takes_no_form(sandbox: Sandbox, sign_in: Any) -> None:
    for role in ("viewer", "billing", "operator", "admin"):
        assert "Running records" in text_of(sign_in(role).get(URL))
    assert sign_in("admin").post(URL).status_code == 405


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == "/account/login/?next=/vms/%3Ftab%3Dbilling"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "10000", "1" * 5000, "", "1/../../balance", "1.5", " 2"])
def test_it_shows_the_first_page_for_a_bad_page_number(viewer: Client, sandbox: Sandbox, page: str) -> None:
    response = viewer.get("/vms/", {"tab": "billing", "page": page})
    assert response.status_code == 200
    assert [call.query for call in sandbox.log.calls("get_instance_billing")] == ["page=1&limit=20"]


def test_it_survives_a_page_that_is_not_there(viewer: Client, many: Sandbox) -> None:
    response = viewer.get(f"{URL}&page=77")
    assert response.status_code == 200
    assert 'rel="next"' not in body(response)


# --- bad days


@pytest.mark.parametrize(
    ("status", "title", "shown"),
    [
        (401, "Barrack refused the portal's key", 502),
        (403, "Barrack does not allow this", 502),
        (404, "Barrack refused the request", 502),
        (429, "Barrack asks for fewer requests", 503),
        (500, "Barrack has a problem", 502),
    ],
)
def test_it_says_what_the_api_refused(viewer: Client, sandbox: Sandbox, status: int, title: str, shown: int) -> None:
    sandbox.faults.arm("get_instance_billing", "status", status=status, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "No billing records yet" not in text_of(response)
    assert records(response) == []


@pytest.mark.parametrize(
    ("kind", "title", "shown"),
    [
        ("refuse", "Barrack does not answer", 503),
        ("hang", "Barrack takes too long", 504),
        ("invalid_json", "Barrack sent an answer that cannot be read", 502),
    ],
)
def test_it_says_so_when_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("get_instance_billing", kind, times=None)
    response = viewer.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


def test_it_shows_the_older_copy_with_its_age(viewer: Client, sandbox: Sandbox) -> None:
    good = records(viewer.get(URL))
    sandbox.faults.arm("get_instance_billing", "status", status=500, times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert records(response) == good
    assert re.search(r"this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(response))


# --- a hostile API


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "A" * 10_000, "", None])
def test_it_shows_hostile_records_safely(viewer: Client, sandbox: Sandbox, text: str | None) -> None:
    copies(sandbox, 3, vm_name=text, gpu_type=text)
    answer(sandbox, *({**RECORD, "instance_id": text, "vm_name": text, "gpu_type": text, "status": text},) * 3)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert "<script>alert" not in body(response)
    assert "A" * 201 not in text_of(response)
    assert 'href=""' not in body(response)
    assert len(records(response)) == 3


RECORD: dict[str, Any] = {
    "billing_id": "B1",
    "start_time": "2026-01-05T07:00:00Z",
    "total_duration_minutes": 3,
    "per_minute_rate": 0.5,
    "total_cost": 1.5,
    "currency": "XAU",
}


def answer(sandbox: Sandbox, *rows: dict[str, Any]) -> None:
    """Let the billing operation answer these records."""
    paging = {"total": len(rows), "page": 1, "limit": 20, "total_pages": 1}
    found = {"success": True, "records": list(rows), "summary": {}, **paging, "currency": None}
    sandbox.faults.arm("get_instance_billing", "status", status=200, body=found, times=None)


def test_it_shows_dashes_for_what_the_api_left_out(viewer: Client, sandbox: Sandbox) -> None:
    answer(sandbox, RECORD)
    response = viewer.get(URL)
    assert facts(body(response))["Total cost"] == "–"
    assert facts(body(response))["Minutes"].startswith("–")
    assert records(response) == [
        ["–", "–", "5 Jan 2026, 07:00 UTC", "until now", "3", "XAU 0.50000", "XAU 1.50", "No status"]
    ]


def test_it_says_how_many_records_could_not_be_read(viewer: Client, sandbox: Sandbox) -> None:
    answer(sandbox, {**RECORD, "total_cost": "NaN"}, {**RECORD, "instance_id": "a/b", "vm_name": "odd"})
    response = viewer.get(URL)
    assert [row[0] for row in records(response)] == ["odd"]
    assert 'href=""' not in body(response)
    assert "1 record could not be read: Barrack sent it without a required field." in text_of(response)
