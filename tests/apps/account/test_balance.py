"""/account/balance/, and the balance in the top bar of every page."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, text_of

URL = "/account/balance/"
ASKS_AGAIN = 'hx-get="/account/balance/" hx-trigger="load"'


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("USD", "2182.40", "$2,182.40"),
        ("EUR", "0.05", "€0.05"),
        ("INR", "1234567.899", "₹1,234,567.90"),
        ("USD", "0", "$0.00"),
        ("USD", "-3.5", "−$3.50"),
    ],
)
def test_it_shows_the_balance(viewer: Client, sandbox: Sandbox, currency: str, amount: str, shown: str) -> None:
    # given an account with that much
    sandbox.world.currency = currency
    sandbox.world.balances.clear()
    sandbox.world.balances[currency] = Decimal(amount)
    # then the part shows it, and so does a page's top bar
    assert text_of(viewer.get(URL, headers=HTMX)) == f"Credit balance: {shown}"
    assert f"Credit balance: {shown}" in text_of(viewer.get("/account/"))


def test_it_is_only_a_part(viewer: Client) -> None:
    response = viewer.get(URL, headers=HTMX)
    assert b"<html" not in response.content
    assert response["Cache-Control"] == "private, no-cache"
    assert "HX-Request" in response["Vary"]


def test_it_is_asked_for_afterwards_when_the_api_is_slow(viewer: Client, sandbox: Sandbox, settings: Any) -> None:
    # given an API that takes longer than a page waits for the balance
    settings.API_READ_SECONDS = 3
    sandbox.faults.arm("get_credit_balance", "delay", seconds=0.6)
    # when a page is opened, then it has a place for the balance, which asks for it
    page = viewer.get("/account/").content.decode()
    assert ASKS_AGAIN in page
    # and the answer joins the call that is under way, and does not ask again
    part = viewer.get(URL, headers=HTMX)
    assert "Credit balance: $2,182.40" in text_of(part)
    assert ASKS_AGAIN not in part.content.decode()
    assert len(sandbox.log.calls("get_credit_balance")) == 1


@pytest.mark.parametrize("kind", ["hang", "refuse", "html", "invalid_json", "truncate", "close"])
def test_it_says_so_when_it_cannot_be_read(viewer: Client, sandbox: Sandbox, kind: str) -> None:
    # given an API that is down, then it says "Balance unknown" and does not ask for ever
    sandbox.faults.arm("get_credit_balance", kind, times=None)
    response = viewer.get(URL, headers=HTMX)
    assert (response.status_code, text_of(response)) == (200, "Balance unknown")
    assert ASKS_AGAIN not in response.content.decode()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_it_says_so_when_the_api_refuses(viewer: Client, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=status, times=None)
    assert text_of(viewer.get(URL, headers=HTMX)) == "Balance unknown"
    assert viewer.get("/account/").status_code == 200


def test_it_shows_the_older_balance_as_old(viewer: Client, sandbox: Sandbox) -> None:
    # given a balance that was read before
    viewer.get(URL)
    sandbox.world.balances["USD"] = Decimal(1)
    sandbox.faults.arm("get_credit_balance", "refuse", times=None)
    # when the API is down, then the copy is shown, and says so
    response = viewer.get(URL, headers=HTMX)
    assert text_of(response) == "Credit balance: $2,182.40 old"
    assert "Barrack does not answer now" in response.content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {"balances": [], "primary_currency": "USD"},
        {"balances": [{"currency": "EUR", "amount": 5}], "primary_currency": "USD"},
        {"balances": [{"currency": "USD", "amount": "NaN"}], "primary_currency": "USD"},
        {"balances": None},
        None,
    ],
)
def test_it_never_takes_an_unknown_balance_for_zero(viewer: Client, sandbox: Sandbox, data: Any) -> None:
    body = {"success": True, "data": data}
    sandbox.faults.arm("get_credit_balance", "status", status=200, body=body, times=None)
    assert text_of(viewer.get(URL, headers=HTMX)) == "Balance unknown"


def test_it_asks_the_api_once_for_many_looks(viewer: Client, admin: Client, sandbox: Sandbox, settings: Any) -> None:
    settings.FRESH_BALANCE_SECONDS = 60
    for browser in (viewer, admin, viewer):
        browser.get(URL)
    assert len(sandbox.log.calls("get_credit_balance")) == 1
    cloud.balance.forget()
    viewer.get(URL)
    assert len(sandbox.log.calls("get_credit_balance")) == 2


def test_it_is_there_for_every_role(sandbox: Sandbox, sign_in: Any) -> None:
    for role in ("viewer", "billing", "operator", "admin"):
        assert "Credit balance" in text_of(sign_in(role).get(URL))


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_refuses_other_methods(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []
