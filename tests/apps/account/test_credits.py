"""/credits/: the balances as they are now, how long they last, and where more credits are bought."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.account.models import BillingProfile
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, text_of

URL = "/credits/"


def figures(response: HttpResponse) -> dict[str, str]:
    """Return the figures by their labels, in their order."""
    found = re.findall(r'<div class="stat"><dt>(.*?)</dt><dd>(.*?)</dd></div>', response.content.decode(), re.DOTALL)
    return {label: text_of(HttpResponse(value)) for label, value in found}


def set_balances(sandbox: Sandbox, **amounts: str) -> None:
    sandbox.world.balances.clear()
    for currency, amount in amounts.items():
        sandbox.world.balances[currency] = Decimal(amount)


def answer(sandbox: Sandbox, balances: Any, primary: str | None = "USD") -> None:
    """Make the cloud answer with these balances."""
    body = {"success": True, "data": {"balances": balances, "primary_currency": primary}}
    sandbox.faults.arm("get_credit_balance", "status", status=200, body=body, times=None)


# -- the balance


@pytest.mark.feature("CRED-01")
@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("USD", "2182.40", "$2,182.40"), ("EUR", "0.05", "€0.05"), ("INR", "1234567.899", "₹1,234,567.90")],
)
def test_it_shows_the_balance_in_its_currency(
    viewer: Client, sandbox: Sandbox, currency: str, amount: str, shown: str
) -> None:
    sandbox.world.currency = currency
    set_balances(sandbox, **{currency: amount})
    response = viewer.get(URL)
    assert response.status_code == 200
    assert figures(response)[f"{currency}, the account's currency"] == shown


@pytest.mark.feature("CRED-18")
def test_it_has_a_card_for_each_currency_and_says_that_nothing_moves_between_them(
    viewer: Client, sandbox: Sandbox
) -> None:
    # given three balances, of which the second is in the account's own currency
    answer(sandbox, [{"currency": code, "amount": amount} for code, amount in (("INR", 9), ("USD", 7), ("EUR", 8))])
    response = viewer.get(URL)
    # then it comes first, and each is on its own
    cards = list(figures(response).items())[:3]
    assert cards == [("USD, the account's currency", "$7.00"), ("INR", "₹9.00"), ("EUR", "€8.00")]
    assert "Each currency is a balance of its own. Nothing can be moved from one to another." in text_of(response)


@pytest.mark.feature("CRED-08")
def test_it_reads_the_balance_again_each_time_it_is_opened(viewer: Client, sandbox: Sandbox, settings: Any) -> None:
    # given a balance that counts as fresh for an hour, and somebody who buys credits meanwhile
    settings.FRESH_BALANCE_SECONDS = 3600
    set_balances(sandbox, USD="1")
    assert figures(viewer.get(URL))["USD, the account's currency"] == "$1.00"
    set_balances(sandbox, USD="26")
    # when they are back and press the button, then the new credits are there, in the top bar too
    page = viewer.get(URL)
    assert f'<a class="btn" href="{URL}">' in page.content.decode()
    assert "Read the balance again" in text_of(page)
    assert figures(page)["USD, the account's currency"] == "$26.00"
    assert "Credit balance: $26.00" in text_of(page)
    assert len(sandbox.log.calls("get_credit_balance")) == 2


def test_it_does_not_read_it_again_for_a_page_that_refreshes_by_itself(
    viewer: Client, sandbox: Sandbox, settings: Any
) -> None:
    settings.FRESH_BALANCE_SECONDS = 3600
    viewer.get(URL)
    part = viewer.get(URL, headers=HTMX)
    assert len(sandbox.log.calls("get_credit_balance")) == 1
    assert b"<html" not in part.content
    assert b"data-poll" in part.content
    # and what has not changed is not sent twice
    same = viewer.get(URL, headers=HTMX | {"If-None-Match": part["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_it_says_how_long_the_balance_lasts_for_the_vms(viewer: Client, sandbox: Sandbox) -> None:
    # given one VM at $4.50 an hour and nothing else that is charged
    for key in list(sandbox.world.instances):
        if key != "BRK-123456D":
            del sandbox.world.instances[key]
    sandbox.world.instances["BRK-123456D"] |= {"status": "ACTIVE", "gpu_type": "H100-PCIe-80GB", "gpu_count": 2}
    set_balances(sandbox, USD="328.50")
    found = figures(viewer.get(URL))
    assert (found["All VMs now"], found["Lasts, for VMs alone"]) == ("$4.50 / h", "3 days 1 hour")
    # and nothing lasts for ever, or is said to, when nothing is charged
    sandbox.world.instances.clear()
    found = figures(viewer.get(URL))
    assert found["All VMs now"] == "$0.00 / h"
    assert "Lasts, for VMs alone" not in found


@pytest.mark.parametrize("operation", ["list_instances", "get_pricing"])
def test_it_shows_the_balance_without_what_cannot_be_read(viewer: Client, sandbox: Sandbox, operation: str) -> None:
    sandbox.faults.arm(operation, "refuse", times=None)
    for row in sandbox.world.instances.values():
        row |= {"status": "ACTIVE", "billing": None}
    response = viewer.get(URL)
    assert response.status_code == 200
    assert figures(response)["USD, the account's currency"] == "$2,182.40"
    assert operation == "get_pricing" or "All VMs now" not in figures(response)


@pytest.mark.parametrize("amount", ["0", "-3.5"])
def test_it_says_what_an_empty_balance_means(viewer: Client, sandbox: Sandbox, amount: str) -> None:
    set_balances(sandbox, USD=amount)
    response = viewer.get(URL)
    assert "The credits are used up" in text_of(response)
    assert "your resources will be hibernated to prevent data loss, and nothing new can be created" in text_of(response)
    assert "Lasts, for VMs alone" not in figures(response)
    set_balances(sandbox, USD="0.01")
    assert "The credits are used up" not in text_of(viewer.get(URL))


# -- what credits are


@pytest.mark.feature("CRED-10", "CRED-11", "CRED-12")
def test_it_says_that_credits_are_final_stay_and_are_no_cash(viewer: Client) -> None:
    words = text_of(viewer.get(URL))
    assert "Credits are prepaid. Purchases are final and non-refundable." in words
    assert "no expiry date" in words
    assert "no cash value" in words


@pytest.mark.feature("CRED-14")
def test_it_says_what_uses_them_up(viewer: Client) -> None:
    words = text_of(viewer.get(URL))
    assert "Storage is billed hourly" in words
    assert "VMs are billed per minute, GPU by GPU: 2 GPUs cost 2×." in words
    assert "When the balance is used up, your resources will be hibernated to prevent data loss." in words


# -- how more are bought


def test_it_says_where_credits_are_bought(viewer: Client) -> None:
    page = viewer.get(URL)
    assert "This portal takes no payment: Barrack's API has no operation for it." in text_of(page)
    assert "Smallest purchase: USD $5.00 / EUR €5.00 / INR ₹100.00." in text_of(page)
    assert '<a class="btn" href="https://barrack.ai" target="_blank" rel="noopener">' in page.content.decode()
    assert "This is the sandbox: its credits are simulated" in text_of(page)


def test_it_says_that_barrack_asks_for_a_complete_profile(viewer: Client, profile: BillingProfile) -> None:
    assert "The billing profile is not complete" not in text_of(viewer.get(URL))
    profile.postal_code = ""
    profile.save()
    page = viewer.get(URL)
    assert "Barrack sells credits once it has: Postal code." in text_of(page)
    assert '<a href="/account/?next=%2Fcredits%2F">My account</a>' in page.content.decode()


# -- the way back


def back(page: HttpResponse) -> str:
    found = re.search(
        r'href="([^"]*)"><svg(?:(?!</svg>).)*</svg>Back to what you were doing', page.content.decode(), re.DOTALL
    )
    return found[1].replace("&amp;", "&") if found else ""


def test_it_leads_back_to_what_one_was_doing(viewer: Client) -> None:
    page = viewer.get(URL, {"next": "/vms/?state=SHUTOFF&region=CANADA-1"})
    assert back(page) == "/vms/?state=SHUTOFF&region=CANADA-1"
    assert viewer.get(back(page)).status_code == 200
    # and still does after the balance was read again
    again = re.search(r'<a class="btn" href="(/credits/[^"]*)">', page.content.decode())
    assert again
    assert back(viewer.get(again[1].replace("&amp;", "&"))) == back(page)
    assert back(viewer.get(URL)) == ""


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "vms/",
        "http:///x",
    ],
)
def test_it_leads_nowhere_else(viewer: Client, hostile: str) -> None:
    page = viewer.get(URL, {"next": hostile})
    assert page.status_code == 200
    assert back(page) == ""
    assert 'href="https://evil' not in page.content.decode()


# -- what cannot be read


@pytest.mark.parametrize(
    ("kind", "status", "title"),
    [("refuse", 503, "Barrack does not answer"), ("html", 502, "Barrack has a problem")],
)
def test_it_says_so_when_the_balance_cannot_be_read(
    viewer: Client, sandbox: Sandbox, kind: str, status: int, title: str
) -> None:
    sandbox.faults.arm("get_credit_balance", kind, times=None)
    for headers in ({}, HTMX):
        response = viewer.get(URL, headers=headers)
        assert (response.status_code, response["X-Part"]) == (status, "1")
        assert title in text_of(response)
        assert figures(response) == {}
    # and how credits are bought stands there all the same
    assert "Smallest purchase" in text_of(viewer.get(URL))


def test_it_says_so_when_the_api_refuses(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=401, times=None)
    response = viewer.get(URL)
    assert response.status_code == 502
    assert "Barrack refused the portal's key" in text_of(response)


def test_it_shows_the_older_balance_with_its_time(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    set_balances(sandbox, USD="1")
    sandbox.faults.arm("get_credit_balance", "refuse", times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert figures(response)["USD, the account's currency"] == "$2,182.40"
    assert "Barrack does not answer; this is what it said at" in text_of(response)


def test_it_never_takes_an_unknown_balance_for_zero(viewer: Client, sandbox: Sandbox) -> None:
    answer(sandbox, [])
    words = text_of(viewer.get(URL))
    assert "Barrack lists no balance for this account." in words
    assert "used up, " not in words.partition("Add credits")[0]


def test_it_counts_what_it_could_not_read(viewer: Client, sandbox: Sandbox) -> None:
    answer(sandbox, [{"currency": "USD", "amount": 5}, {"currency": "EUR", "amount": "NaN"}])
    response = viewer.get(URL)
    assert "1 balance could not be read" in text_of(response)
    assert figures(response)["USD, the account's currency"] == "$5.00"


def test_it_draws_what_is_hostile_as_short_text(viewer: Client, sandbox: Sandbox) -> None:
    row = {"currency": "<script>alert(1)</script>" * 500, "amount": 5}
    answer(sandbox, [row] * 500, None)
    page = viewer.get(URL).content.decode()
    assert "alert(1)" not in page
    assert page.count('<div class="stat">') == 12
    assert len(page) < 40_000


# -- who may, and the way here


def test_it_is_there_for_every_role(sandbox: Sandbox, sign_in: Any) -> None:
    for role in ("viewer", "billing", "operator", "admin"):
        assert "$2,182.40" in text_of(sign_in(role).get(URL))


def test_it_is_linked_from_the_navigation_the_top_bar_and_the_first_steps(viewer: Client) -> None:
    page = viewer.get("/account/onboarding/").content.decode()
    navigation = page.partition('aria-label="Main"')[2].partition("</nav>")[0]
    labels = re.findall(r"<span>([^<]+)</span>\s*</a>", navigation)
    assert labels[labels.index("My account") - 1] == "Credits"
    assert f'<a href="{URL}" class="balance" id="balance"' in page
    assert f'href="{URL}?next=%2Faccount%2Fonboarding%2F"' in page


def test_it_changes_nothing_in_the_cloud(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    assert {call.method for call in sandbox.log.calls()} == {"GET"}


def test_it_sends_a_visitor_to_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []
