"""/vms/<id>/usage/: the last billing records of one VM, loaded into a card after its page."""

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    READ_REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    body,
    no_alert,
    unescaped,
)
from tests.apps.vms.board import keep_copies
from tests.conftest import HTMX, text_of

TRAINER = "BRK-123456D"
HIBERNATED = "BRK-123548D"
URL = f"/vms/{TRAINER}/usage/"


def record(number: int, **fields: Any) -> dict[str, Any]:
    """Return a billing record such as the API sends it: of the day with that number, ended."""
    usual = {
        "billing_id": f"B{number}",
        "instance_id": TRAINER,
        "vm_name": "trainer",
        "start_time": f"2026-01-{number:02}T00:00:00Z",
        "end_time": f"2026-01-{number:02}T10:00:00Z",
        "total_duration_minutes": 600,
        "per_minute_rate": "0.07500",
        "total_cost": f"{number}.00",
        "currency": "USD",
        "status": "completed",
    }
    return {**usual, **fields}


def serve(sandbox: Sandbox, *records: dict[str, Any], pages: int = 1) -> None:
    """Let the API send these records."""
    answer = {
        "success": True,
        "records": list(records),
        "summary": {},
        "total": len(records),
        "page": 1,
        "limit": 100,
        "total_pages": pages,
    }
    sandbox.faults.arm("get_instance_billing", "status", status=200, body=answer, times=None)


def amounts(response: HttpResponse) -> list[str]:
    """Return the amounts that stand in bold, from top to bottom."""
    return [part.partition("</strong>")[0] for part in body(response).split("<strong>")[1:]]


# -- works


@pytest.mark.feature("DASH-19", "STATE-05")
def test_it_shows_rate_minutes_and_amount(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert "<html" not in body(response)
    assert response["X-Part"] == "1"
    # two GPUs at $2.25 an hour for 412 hours, minute by minute
    assert text_of(response).startswith("$1,854.00 24,720 min × $0.07500 since ")
    assert f'<a href="/vms/{TRAINER}/?tab=billing">All of its billing</a>' in body(response)
    # by one call, for nobody but this card
    assert [(call.operation, call.query) for call in sandbox.log.calls()] == [
        ("get_instance_billing", "page=1&limit=100")
    ]


@pytest.mark.feature("DASH-19", "STATE-06")
def test_it_counts_single_minutes(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM that ran for a minute: it is billed for one minute, and not for an hour
    end = sandbox.world.now()
    row = sandbox.world.instances["BRK-123560D"]
    sandbox.world.bill_between("instances", "BRK-1D", {**row, "status": "ACTIVE"}, end - timedelta(seconds=95), end)
    assert text_of(viewer.get("/vms/BRK-1D/usage/", headers=HTMX)).startswith("$0.0115 1 min × $0.01150 ")


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "€1,689.12"), ("INR", "₹160,680.00")])
def test_it_shows_the_currency_of_the_record(viewer: Client, sandbox: Sandbox, currency: str, amount: str) -> None:
    sandbox.reset("demo", currency)
    shown = text_of(viewer.get(URL, headers=HTMX))
    assert shown.startswith(f"{amount} 24,720 min × {amount[0]}")


def test_it_shows_what_hibernation_cost_beside_the_time_before(viewer: Client) -> None:
    response = viewer.get(f"/vms/{HIBERNATED}/usage/", headers=HTMX)
    # 330 hours hibernated that are still counted, 190 at the full rate before them
    assert amounts(response) == ["$3.30", "$604.20"]
    assert "11,400 min × $0.05300" in text_of(response)


def test_it_shows_the_last_three_and_the_running_one_first(viewer: Client, sandbox: Sandbox) -> None:
    serve(
        sandbox,
        record(3),
        record(2, end_time=None),
        record(9, instance_id="BRK-123471D"),
        record(5),
        record(1),
        record(4),
    )
    assert amounts(viewer.get(URL, headers=HTMX)) == ["$2.00", "$5.00", "$4.00"]


def test_it_finds_records_on_later_pages(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.reset({"instances": 150})
    last = "/vms/BRK-100150D/usage/"
    assert len(amounts(viewer.get(last, headers=HTMX))) == 1
    assert [call.query for call in sandbox.log.calls("get_instance_billing")] == [
        "page=1&limit=100",
        "page=2&limit=100",
    ]


def test_it_is_read_once_for_all_who_look(viewer: Client, admin: Client, sandbox: Sandbox, settings: Settings) -> None:
    keep_copies(settings)
    for browser in (viewer, admin, viewer):
        assert amounts(browser.get(URL, headers=HTMX)) == ["$1,854.00"]
    assert len(sandbox.log.calls("get_instance_billing")) == 1


def test_it_is_a_page_of_its_own_without_scripts(viewer: Client) -> None:
    response = viewer.get(URL)
    assert response.status_code == 200
    assert "<html" in body(response)
    assert "$1,854.00 24,720 min" in text_of(response)


# -- roles and methods


def test_it_is_for_every_role_and_nobody_else(billing: Client, client: Client, sandbox: Sandbox) -> None:
    assert amounts(billing.get(URL, headers=HTMX)) == ["$1,854.00"]
    sandbox.log.clear()
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


# -- missing things


@pytest.mark.parametrize("instance_id", ["BRK-999999D", "BRK-123574D", *(i for i in IMPOSSIBLE_IDS if i != "..")])
def test_it_says_that_nothing_was_billed(viewer: Client, sandbox: Sandbox, instance_id: str) -> None:
    response = viewer.get(f"/vms/{instance_id}/usage/", headers=HTMX)
    assert response.status_code == 200
    assert text_of(response).startswith("Barrack has sent no billing record for it")
    # no id goes up: the API has one list for all
    assert {call.path for call in sandbox.log.calls()} == {"/instances/billing"}


def test_it_has_no_page_for_an_id_with_a_slash(viewer: Client, sandbox: Sandbox) -> None:
    assert viewer.get("/vms/a%2Fb/usage/").status_code == 404
    assert sandbox.log.calls("get_instance_billing") == []


# -- bad days


@pytest.mark.parametrize(
    ("kind", "status", "title"),
    [("status", status, title) for status, title, _ in READ_REFUSALS]
    + [(kind, None, title) for kind, title, _ in READ_FAULTS],
)
def test_it_says_in_one_line_why_there_is_nothing(
    viewer: Client, sandbox: Sandbox, kind: str, status: int | None, title: str
) -> None:
    # given a card on a page that is fine otherwise: no box, no error, no lie
    sandbox.faults.arm("get_instance_billing", kind, status=status, times=None)
    response = viewer.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert no_alert(response)
    assert f"could not be read: {title}." in text_of(response)
    assert f'<a href="/vms/{TRAINER}/?tab=billing">' in body(response)
    assert "Nothing was billed" not in text_of(response)


def test_it_shows_the_older_copy_when_the_api_is_down(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    sandbox.faults.arm("get_instance_billing", "status", status=500, times=None)
    assert amounts(viewer.get(URL, headers=HTMX)) == ["$1,854.00"]


@pytest.mark.parametrize("text", [SCRIPT, "<img src=x onerror=alert(1)>", "A" * 10_000, RIGHT_TO_LEFT, "{{ 7|add:7 }}"])
def test_it_shows_hostile_texts_safely(viewer: Client, sandbox: Sandbox, text: str) -> None:
    serve(sandbox, record(1, currency=text, vm_name=text, status=text, billing_id=text, gpu_type=text))
    response = viewer.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert "14" not in text_of(response)
    assert len(body(response)) < 5000


def test_it_shows_the_records_that_can_be_read(viewer: Client, sandbox: Sandbox) -> None:
    serve(sandbox, record(1), record(2, total_cost=None), record(3, start_time="yesterday"), {"instance_id": TRAINER})
    assert amounts(viewer.get(URL, headers=HTMX)) == ["$1.00"]


def test_it_shows_large_numbers_whole(viewer: Client, sandbox: Sandbox) -> None:
    serve(sandbox, record(1, total_cost="123456789.01", total_duration_minutes=12_345_678, per_minute_rate="10"))
    assert text_of(viewer.get(URL, headers=HTMX)).startswith("$123,456,789.01 12,345,678 min × $10.00000")


def test_it_is_not_of_another_vm(viewer: Client, sandbox: Sandbox) -> None:
    # given records of others: ids are compared as they are
    serve(sandbox, record(1, instance_id=TRAINER.lower()), record(2, instance_id=None), record(3, instance_id="BRK-1"))
    assert "Barrack has sent no billing record for it" in text_of(viewer.get(URL, headers=HTMX))
