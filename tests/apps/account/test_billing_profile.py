"""/account/billing-profile/: the one address that bills follow."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from apps.account.models import BillingProfile
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, text_of

URL = "/account/billing-profile/"
GOOD = {
    "address_line": "1 Harbour Street",
    "city": "Portland",
    "state": "Oregon",
    "postal_code": "97201",
    "country": "US",
    "tax_number": "GB 123-4567/8.9",
}


def saved() -> dict[str, str]:
    found = BillingProfile.load()
    return {name: str(getattr(found, name)) for name in GOOD}


def refused(browser: Client, **fields: str) -> list[str]:
    """Send the good profile with these fields instead; return the messages, nothing having been saved."""
    response = browser.post(URL, GOOD | fields)
    assert response.status_code == 422
    assert BillingProfile.objects.count() == 0
    assert Event.objects.count() == 0
    return [str(message) for messages in response.context["form"].errors.values() for message in messages]


def accepted(browser: Client, **fields: str) -> None:
    """Send the good profile with these fields instead, and see that it is kept so."""
    response = browser.post(URL, GOOD | fields)
    assert (response.status_code, response.headers.get("Location")) == (302, "/account/")
    assert saved() == GOOD | fields


# --- works


def test_it_saves_the_profile(billing: Client) -> None:
    # given a portal without a profile
    assert "Incomplete" in text_of(billing.get("/account/"))
    # when it is filled in
    response = billing.post(URL, GOOD, follow=True)
    # then it is kept, shown, and written down
    assert saved() == GOOD
    words = text_of(response)
    assert "The billing profile is saved." in words
    assert "Billing profile Complete" in words
    assert "1 Harbour Street" in words
    event = Event.objects.get()
    assert (event.action, event.who, event.role, event.result) == (
        "billing_profile.edit",
        "billing@example.com",
        "billing",
        "done",
    )
    assert "Edit billing profile" in text_of(billing.get("/activity/"))


def test_it_is_one_for_everybody(billing: Client, admin: Client) -> None:
    # given a profile that one person saved, then another finds it in the form and changes it
    accepted(billing)
    page = admin.get(URL).content.decode()
    assert 'value="1 Harbour Street"' in page
    assert '<option value="US" selected>' in page
    accepted(admin, address_line="2 Harbour Street")
    assert BillingProfile.objects.count() == 1
    assert Event.objects.count() == 2


def test_it_is_the_same_when_sent_twice(billing: Client) -> None:
    accepted(billing)
    accepted(billing)
    assert BillingProfile.objects.count() == 1


@pytest.mark.feature("NAV-23", "ACC-13")
def test_it_lets_snapshots_be_created_once_it_is_complete(admin: Client, sandbox: Sandbox) -> None:
    assert "The billing profile is not complete" in text_of(admin.get("/snapshots/create/"))
    accepted(admin)
    assert "The billing profile is not complete" not in text_of(admin.get("/snapshots/create/"))
    # and emptied by hand, it blocks again
    BillingProfile.objects.update(postal_code="")
    assert "Snapshots can be created once it has: Postal code." in text_of(admin.get("/snapshots/create/"))


# --- the fields


@pytest.mark.feature("ACC-04")
def test_it_takes_an_address_line_of_255_characters_and_not_of_256(billing: Client) -> None:
    assert "255" in " ".join(refused(billing, address_line="ä" * 256))
    accepted(billing, address_line="ä" * 255)


@pytest.mark.feature("ACC-04", "ACC-07", "ACC-08")
@pytest.mark.parametrize(
    ("field", "label", "value"),
    [
        ("address_line", "Address line", ""),
        ("address_line", "Address line", " \t\n"),
        ("postal_code", "Postal code", ""),
        ("postal_code", "Postal code", " \t\n"),
        ("country", "Country", ""),
    ],
)
def test_it_needs_address_line_postal_code_and_country(billing: Client, field: str, label: str, value: str) -> None:
    assert f"{label} is required." in refused(billing, **{field: value})


def test_it_names_all_that_is_missing_at_its_field(billing: Client) -> None:
    # given an empty form
    response = billing.post(URL, {})
    # then each of the three has its message, tied to its field
    page = response.content.decode()
    for name in ("address_line", "postal_code", "country"):
        assert f'id="id_{name}_error"' in page
    assert 'id="id_city_error"' not in page
    assert page.count('aria-invalid="true"') == 3


@pytest.mark.feature("ACC-05", "ACC-06")
def test_it_does_not_need_city_state_and_tax_number(billing: Client) -> None:
    accepted(billing, city="", state="", tax_number="")


@pytest.mark.feature("ACC-05", "ACC-14")
@pytest.mark.parametrize(
    "city",
    [
        "St. John's",
        "Aix-en-Provence",
        "Zürich",
        "Orléans",
        "Orle\u0301ans",
        "अहमदाबाद",
        "दिल्ली",
        "북경",
        "東京",
        "القاهرة",
        "Αθήνα",
        "Санкт-Петербург",
        "กรุงเทพ",
        "தமிழ்",
        "'s-Hertogenbosch",
        "Ølstykke",
        "Łódź",
        "ශ්\u200dරී ජයවර්ධනපුර",
        "å" * 100,
    ],
)
def test_it_takes_a_city_in_any_script(billing: Client, city: str) -> None:
    accepted(billing, city=city)


@pytest.mark.feature("ACC-05")
@pytest.mark.parametrize(
    "city",
    [
        "R2D2",
        "Berlin/Mitte",
        "Paris 8",
        "a,b",
        "a_b",
        "a@b",
        "<b>",
        "-",
        "...",
        "'",
        "🏙",
        "a\nb",
        "Köln\x00",
        "a\u202eb",
        "\u200d",
        "x" * 101,
    ],
)
def test_it_refuses_a_city_with_other_characters(billing: Client, city: str) -> None:
    assert len(refused(billing, city=city)) >= 1


@pytest.mark.feature("ACC-06", "ACC-14")
@pytest.mark.parametrize(
    "state", ["Île-de-France", "New South Wales", "उत्तर प्रदेश", "Baden-Württemberg", "広島県", "Čechy"]
)
def test_it_takes_a_state_in_any_script(billing: Client, state: str) -> None:
    accepted(billing, state=state)


@pytest.mark.feature("ACC-06")
@pytest.mark.parametrize("state", ["St. Gallen", "Hawai'i", "Ohio 2", "a/b", "--", "<i>", "x" * 101])
def test_it_refuses_a_state_with_other_characters(billing: Client, state: str) -> None:
    assert len(refused(billing, state=state)) >= 1


@pytest.mark.feature("ACC-07")
@pytest.mark.parametrize("code", ["97201", "SW1A 1AA", "K1A-0B1", "110 001", "D02 X285", "1", "9" * 20])
def test_it_takes_a_postal_code_of_letters_digits_hyphens_and_spaces(billing: Client, code: str) -> None:
    accepted(billing, postal_code=code)


@pytest.mark.feature("ACC-07")
@pytest.mark.parametrize("code", ["97201!", "97.201", "97_201", "97201\n97202", "-", "٩٧٢٠١", "é1", "9" * 21, "<b>"])
def test_it_refuses_another_postal_code(billing: Client, code: str) -> None:
    assert len(refused(billing, postal_code=code)) >= 1


@pytest.mark.feature("ACC-08")
@pytest.mark.parametrize("country", ["XX", "us", "USA", "Germany", "<b>"])
def test_it_takes_a_country_only_from_the_list(billing: Client, country: str) -> None:
    assert len(refused(billing, country=country)) == 1


@pytest.mark.feature("ACC-08")
def test_it_lists_the_countries(billing: Client) -> None:
    page = billing.get(URL).content.decode()
    assert page.count("<option") > 200
    for code, name in (("IN", "India"), ("DE", "Germany"), ("US", "United States of America")):
        assert f'<option value="{code}">{name}</option>' in page


@pytest.mark.parametrize("number", ["29ABCDE1234F1Z5", "DE123456789", "GB 999 9999 73", "ATU-1.2/3"])
def test_it_takes_a_tax_number(billing: Client, number: str) -> None:
    accepted(billing, tax_number=number)


@pytest.mark.parametrize("number", ["<b>", "#1", "x" * 31, "-1"])
def test_it_refuses_another_tax_number(billing: Client, number: str) -> None:
    assert len(refused(billing, tax_number=number)) >= 1


@pytest.mark.feature("ACC-04")
def test_it_counts_what_is_too_long(billing: Client) -> None:
    # given a browser that sends all that was pasted, since no field cuts it off
    assert "maxlength" not in billing.get(URL).content.decode().partition("<main")[2]
    assert refused(billing, address_line="ä" * 256) == ["Use at most 255 characters; this has 256."]


@pytest.mark.feature("DASH-15")
def test_it_adds_edits_and_removes_the_tax_number(billing: Client) -> None:
    for number in ("DE123456789", "29ABCDE1234F1Z5", ""):
        accepted(billing, tax_number=number)
        assert f"GST / VAT number {number or '–'}" in text_of(billing.get("/account/"))


@pytest.mark.feature("ACC-05", "ACC-06", "ACC-07")
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("city", "R2D2", "Use letters, spaces, hyphens, periods and apostrophes."),
        ("city", "L’Aquila", ""),
        ("state", "a.b", "Use letters, spaces and hyphens."),
        ("postal_code", "", "Postal code is required."),
        ("postal_code", "97201", ""),
    ],
)
def test_it_answers_while_one_types(billing: Client, field: str, value: str, message: str) -> None:
    response = billing.post(URL, GOOD | {field: value, "validate": field}, headers=HTMX)
    assert (response.status_code, text_of(response)) == (200, message)
    assert b"<html" not in response.content
    assert BillingProfile.objects.count() == 0
    assert Event.objects.count() == 0


def test_it_keeps_what_was_typed(billing: Client) -> None:
    # given a form with one mistake
    response = billing.post(URL, GOOD | {"postal_code": "97_201", "city": "Łódź", "country": "PL"})
    # then everything is still there, the mistake too, with its message
    page = response.content.decode()
    for value in ("1 Harbour Street", "Łódź", "Oregon", "97_201", "GB 123-4567/8.9"):
        assert f'value="{value}"' in page
    assert '<option value="PL" selected>' in page
    assert "Use letters, digits, hyphens and spaces." in text_of(response)


def test_it_shows_what_was_typed_as_text(billing: Client) -> None:
    page = billing.post(URL, GOOD | {"city": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert(1)</script>" not in page


# --- the way back


@pytest.mark.feature("NAV-23")
@pytest.mark.parametrize("back", ["/snapshots/create/?region=US-1", "/account/onboarding/"])
def test_it_goes_back_to_the_page_that_asked_for_it(billing: Client, back: str) -> None:
    # given a form opened from a page, sent once with a mistake, then without
    assert f'name="next" value="{back}"' in billing.get(URL, {"next": back}).content.decode()
    wrong = billing.post(URL, GOOD | {"postal_code": "", "next": back})
    assert f'name="next" value="{back}"' in wrong.content.decode()
    assert billing.post(URL, GOOD | {"next": back})["Location"] == back


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http://testserver/snapshots/",
        "http:///evil.example",
        " //evil.example",
        "account",
        "",
    ],
)
def test_it_goes_to_no_other_site(billing: Client, back: str) -> None:
    assert "evil" not in billing.get(URL, {"next": back}).content.decode().partition("<main")[2]
    assert billing.post(URL, GOOD | {"next": back})["Location"] == "/account/"
    assert billing.post(f"{URL}?{urlencode({'next': back})}", GOOD)["Location"] == "/account/"


# --- who and how


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_it_is_not_for_other_roles(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    browser = sign_in(role)
    for response in (browser.get(URL), browser.post(URL, GOOD)):
        assert response.status_code == 403
        assert f"Only a billing or an admin can edit the billing profile; your role is {role}." in text_of(response)
    assert BillingProfile.objects.count() == 0


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    assert client.post(URL, GOOD)["Location"] == f"/account/login/?next={URL}"
    assert BillingProfile.objects.count() == 0


def test_it_needs_the_forms_own_secret(billing: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = billing.cookies
    assert browser.post(URL, GOOD).status_code == 403
    assert BillingProfile.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(URL, GOOD, content_type="application/json").status_code == 405
    assert BillingProfile.objects.count() == 0


def test_it_needs_no_answer_of_the_api(billing: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    assert billing.get(URL).status_code == 200
    accepted(billing)
