"""/account/: who one is, what one may do, and the state of the billing profile."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.account.models import BillingProfile, User
from barrack_web.sandbox.server import Sandbox
from tests.conftest import text_of

URL = "/account/"
# What a role may do, in the page's words; a literal copy of the table in the design.
MAY = {
    "viewer": {"Read everything but secrets"},
    "billing": {"Read everything but secrets", "Edit the billing profile"},
    "operator": {"Read everything but secrets", "Create snapshots", "Restore snapshots", "Create images"},
}
MAY["admin"] = MAY["operator"] | MAY["billing"] | {"Delete snapshots"}


def test_it_says_who_one_is(sandbox: Sandbox, make_user: Any, sign_in: Any) -> None:
    make_user("operator", name="Otto Operator")
    words = text_of(sign_in("operator").get(URL))
    assert "Name Otto Operator" in words
    assert "Email operator@example.com (cannot be changed)" in words
    assert "Role Operator" in words


@pytest.mark.feature("ACC-02", "ACC-03", "ACC-15")
def test_it_says_what_one_has_said_about_oneself(sandbox: Sandbox, make_user: Any, sign_in: Any) -> None:
    # given somebody who wants alerts and no marketing
    make_user("operator", name="Otto", phone="+49 30 123", sms_alerts=True)
    page = sign_in("operator").get(URL)
    words = text_of(page)
    # then the page says so, what becomes of it, and leads to the form
    assert "Phone +49 30 123 SMS alerts Wanted Marketing Not wanted" in words
    assert "Both wishes are kept for the record: this portal sends neither SMS nor marketing messages." in words
    assert 'href="/account/profile/"' in page.content.decode()
    assert "(cannot be changed)" in words


@pytest.mark.parametrize("role", ["viewer", "billing", "operator", "admin"])
def test_it_says_what_ones_role_may_do(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    words = text_of(sign_in(role).get(URL))
    assert {what for what in MAY["admin"] if f"{what}: not with your role" not in words} == MAY[role]
    assert all(what in words for what in MAY["admin"])


@pytest.mark.feature("ACC-12")
@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"address_line": "1 Harbour Street", "postal_code": "97201", "country": "US"}, ""),
        ({"postal_code": "97201", "country": "US"}, "Address line"),
        ({"address_line": "1 Harbour Street", "country": "US"}, "Postal code"),
        ({"address_line": "1 Harbour Street", "postal_code": "97201"}, "Country"),
        ({"city": "Portland", "state": "Oregon", "tax_number": "1"}, "Address line, Postal code, Country"),
        ({}, "Address line, Postal code, Country"),
    ],
)
def test_it_says_whether_the_profile_is_complete(viewer: Client, fields: dict[str, str], missing: str) -> None:
    # given a profile with these fields, or none at all
    if fields:
        BillingProfile(pk=1, **fields).save()
    # then it is complete with address line, postal code and country, and else says what is missing
    words = text_of(viewer.get(URL))
    if missing:
        assert "Billing profile Incomplete" in words
        assert f"Missing: {missing}." in words
    else:
        assert "Billing profile Complete" in words
        assert "Missing:" not in words


@pytest.mark.feature("ACC-09", "ACC-10", "ACC-11")
@pytest.mark.parametrize(
    ("country", "name", "currency"),
    [
        ("IN", "India", "INR"),
        ("DE", "Germany", "EUR"),
        ("IE", "Ireland", "EUR"),
        ("SE", "Sweden", "EUR"),
        ("GR", "Greece", "EUR"),
        ("GB", "United Kingdom", "USD"),
        ("CH", "Switzerland", "USD"),
        ("NO", "Norway", "USD"),
        ("US", "United States", "USD"),
        ("JP", "Japan", "USD"),
    ],
)
def test_it_says_which_currency_the_country_predicts(viewer: Client, country: str, name: str, currency: str) -> None:
    BillingProfile(pk=1, country=country).save()
    words = text_of(viewer.get(URL))
    assert name in words
    assert f"(predicts {currency})" in words


def test_it_predicts_no_currency_without_a_country(viewer: Client) -> None:
    assert "predicts" not in text_of(viewer.get(URL))


@pytest.mark.feature("ACC-09", "ACC-10", "ACC-11")
@pytest.mark.parametrize(("country", "predicted"), [("IN", "INR"), ("FR", "EUR"), ("US", "USD"), ("CH", "USD")])
@pytest.mark.parametrize("charged", ["USD", "EUR", "INR"])
def test_it_says_that_the_balance_counts_when_it_is_in_another_currency(
    viewer: Client, sandbox: Sandbox, country: str, predicted: str, charged: str
) -> None:
    # given a balance in one currency, and a country that predicts this or another one
    sandbox.world.currency = charged
    sandbox.world.balances.clear()
    sandbox.world.balances[charged] = Decimal(5)
    BillingProfile(pk=1, country=country).save()
    # then the page names both when they differ
    sentence = (
        f"The balance is in {charged}, and that is what counts: the country only predicts a currency, here {predicted}."
    )
    assert (sentence in text_of(viewer.get(URL))) is (charged != predicted)


def test_it_does_not_compare_with_a_balance_that_is_not_known(viewer: Client, sandbox: Sandbox) -> None:
    BillingProfile(pk=1, country="IN").save()
    sandbox.faults.arm("get_credit_balance", "refuse", times=None)
    words = text_of(viewer.get(URL))
    assert "(predicts INR)" in words
    assert "that is what counts" not in words


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", False), ("billing", True), ("admin", True)])
def test_it_offers_to_edit_the_profile_to_those_who_may(sandbox: Sandbox, sign_in: Any, role: str, may: bool) -> None:
    page = sign_in(role).get(URL).content.decode()
    assert ('href="/account/billing-profile/"' in page) is may
    assert (f"Only a billing or an admin can edit the billing profile; your role is {role}." in page) is not may
    assert ('aria-disabled="true"' in page) is not may


@pytest.mark.feature("NAV-23")
def test_it_is_where_a_blocked_snapshot_leads_to(admin: Client, sandbox: Sandbox) -> None:
    # given a portal whose profile is empty
    page = admin.get("/snapshots/create/")
    # then creating a snapshot is blocked with the reason and a link to this page
    words = text_of(page)
    assert "The billing profile is not complete" in words
    assert "Address line, Postal code, Country" in words
    assert '<a href="/account/?next=%2Fsnapshots%2Fcreate%2F">My account</a>' in page.content.decode()
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.feature("NAV-23", "ACC-13")
def test_it_leads_from_a_blocked_page_through_the_form_and_back(admin: Client) -> None:
    # given somebody who could not create a snapshot and follows the link
    came_from = "/snapshots/create/?region=US-1"
    found = re.search(r'<a href="([^"]+)">My account</a>', admin.get(came_from).content.decode())
    assert found
    account = admin.get(found[1]).content.decode()
    assert f'<a href="{came_from}"><svg' in account
    # when the form is opened from there, filled in and sent
    form = re.search(r'href="(/account/billing-profile/[^"]+)"', account)
    assert form
    page = admin.get(form[1])
    assert "Saving it leads back to the page that you came from." in text_of(page)
    sent = {"address_line": "1 Harbour Street", "postal_code": "97201", "country": "US", "next": came_from}
    response = admin.post(form[1], sent, follow=True)
    # then one is back where one was, and nothing blocks any more
    assert response.redirect_chain == [(came_from, 302)]
    words = text_of(response)
    assert "The billing profile is saved." in words
    assert "The billing profile is not complete" not in words


@pytest.mark.feature("NAV-23", "ACC-13")
@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_it_tells_those_who_cannot_fill_it_in_who_can(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    browser = sign_in(role)
    words = text_of(browser.get(URL))
    assert "no volume and no snapshot can be created, and no credits can be bought" in words
    assert f"Only a billing or an admin can edit the billing profile; your role is {role}." in words
    if role == "operator":
        for url in ("/snapshots/create/", "/snapshots/"):
            assert "Only a billing or an admin can edit the billing profile" in text_of(browser.get(url))


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http://testserver/", ""],
)
def test_it_offers_no_way_back_to_another_site(admin: Client, back: str) -> None:
    page = admin.get(URL, {"next": back}).content.decode()
    assert "Back to where you were" not in page
    assert 'href="/account/billing-profile/"' in page
    assert "evil.example" not in page.partition("<main")[2]


def test_it_shows_names_as_text(sandbox: Sandbox, make_user: Any, sign_in: Any) -> None:
    make_user("operator", name="<b>Otto</b>")
    page = sign_in("operator").get(URL).content.decode()
    assert "<b>Otto</b>" not in page
    assert "&lt;b&gt;Otto&lt;/b&gt;" in page


def test_it_manages_without_a_name(sandbox: Sandbox, make_user: Any, sign_in: Any) -> None:
    make_user("operator", name="")
    page = sign_in("operator").get(URL)
    assert "Name –" in text_of(page)
    assert "Account menu of operator" in page.content.decode()


def test_it_lets_an_unknown_role_do_nothing(operator: Client) -> None:
    # given a role that a later version of the portal wrote
    User.objects.update(role="auditor")
    response = operator.get(URL)
    assert response.status_code == 403
    assert "your role is auditor" in text_of(response)


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == "/account/login/?next=/account/"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405


def test_it_needs_no_answer_of_the_api(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    assert viewer.get(URL).status_code == 200
