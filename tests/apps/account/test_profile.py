"""/account/profile/: what one says about oneself."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, text_of

URL = "/account/profile/"
GOOD = {"name": "Vera O'Neil-Ray", "phone": "+1 (503) 555-0100", "sms_alerts": "on", "marketing": "on"}
LETTERS = "Use letters, spaces, hyphens and apostrophes."
DIGITS = "Use digits, +, spaces, hyphens and parentheses."


def me() -> tuple[str, str, bool, bool]:
    person = User.objects.get(email="viewer@example.com")
    return person.name, person.phone, person.sms_alerts, person.marketing


def refused(browser: Client, **fields: str) -> dict[str, str]:
    """Send the good profile with these fields instead; return the messages by field, nothing having been saved."""
    response = browser.post(URL, GOOD | fields)
    assert response.status_code == 422
    assert me() == ("", "", False, False)
    assert Event.objects.filter(action="profile.edit").count() == 0
    return {name: " ".join(map(str, found)) for name, found in response.context["form"].errors.items()}


def accepted(browser: Client, **fields: str) -> None:
    """Send the good profile with these fields instead, and see that it is kept so."""
    response = browser.post(URL, GOOD | fields)
    assert (response.status_code, response.headers.get("Location")) == (302, "/account/")
    assert me()[:2] == ((GOOD | fields)["name"], (GOOD | fields)["phone"])


# --- works


@pytest.mark.feature("ACC-01", "ACC-03", "ACC-15")
def test_it_saves_the_profile(viewer: Client) -> None:
    # given a person who has said nothing yet
    assert me() == ("", "", False, False)
    # when the form is filled in
    response = viewer.post(URL, GOOD, follow=True)
    # then it is kept, shown, and written down once
    assert me() == ("Vera O'Neil-Ray", "+1 (503) 555-0100", True, True)
    words = text_of(response)
    assert "Your profile is saved." in words
    assert "Name Vera O'Neil-Ray" in words
    assert "Phone +1 (503) 555-0100" in words
    assert "SMS alerts Wanted Marketing Wanted" in words
    event = Event.objects.get(action="profile.edit")
    assert (event.who, event.role, event.target_name, event.result) == (
        "viewer@example.com", "viewer", "viewer@example.com", "done",
    )  # fmt: skip
    assert "Edit profile" in text_of(viewer.get("/activity/"))


def test_it_shows_what_was_said_before(viewer: Client) -> None:
    accepted(viewer)
    page = viewer.get(URL).content.decode()
    assert 'value="Vera O&#x27;Neil-Ray"' in page
    assert 'value="+1 (503) 555-0100"' in page
    assert page.count(" checked") == 2


@pytest.mark.feature("ACC-15")
def test_it_takes_back_a_wish(viewer: Client) -> None:
    accepted(viewer)
    viewer.post(URL, {"name": "Vera", "phone": ""})
    assert me() == ("Vera", "", False, False)
    assert "SMS alerts Not wanted Marketing Not wanted" in text_of(viewer.get("/account/"))


@pytest.mark.feature("ACC-15")
def test_it_says_what_becomes_of_the_wishes(viewer: Client) -> None:
    words = text_of(viewer.get(URL))
    assert "SMS alerts A wish kept for the record: this portal sends no SMS." in words
    assert "Marketing messages A wish kept for the record: this portal sends none." in words


@pytest.mark.feature("ACC-02")
def test_it_cannot_change_the_email_address(viewer: Client) -> None:
    # given a form in which there is no field for it
    page = viewer.get(URL)
    assert "Email viewer@example.com (cannot be changed)" in text_of(page)
    assert 'name="email"' not in page.content.decode()
    # when it is sent all the same, with a role and more
    sent = GOOD | {"email": "other@example.com", "role": "admin", "is_active": "", "is_demo": "on", "password": "x"}
    assert viewer.post(URL, sent).status_code == 302
    # then only the profile has changed
    person = User.objects.get()
    assert (person.email, person.role, person.is_active, person.is_demo) == (
        "viewer@example.com", "viewer", True, False,
    )  # fmt: skip
    assert person.check_password("barrack-test-1")


def test_it_leaves_a_role_that_is_given_meanwhile(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # given an admin who changes the person's role while the profile is being saved
    from apps.account import views

    is_valid = views.ProfileForm.is_valid

    def slowly(form: Any) -> bool:
        User.objects.update(role="operator")
        return is_valid(form)

    monkeypatch.setattr(views.ProfileForm, "is_valid", slowly)
    accepted(viewer)
    # then the new role stays
    assert User.objects.get().role == "operator"


@pytest.mark.parametrize("role", ["viewer", "billing", "operator", "admin"])
def test_it_is_for_everybody_and_about_oneself(sandbox: Sandbox, make_user: Any, sign_in: Any, role: str) -> None:
    make_user("viewer", email="else@example.com", name="Somebody Else")
    assert sign_in(role).post(URL, GOOD).status_code == 302
    assert User.objects.get(email=f"{role}@example.com").name == GOOD["name"]
    assert User.objects.get(email="else@example.com").name == "Somebody Else"


# --- the fields


@pytest.mark.feature("ACC-01", "ACC-14")
@pytest.mark.parametrize(
    "name",
    [
        "O'Neil-Ray",
        "O’Neil-Ray",
        "Jo",
        "Zoë Müller",
        "Renée d'Été",
        "अनिता",
        "अ आ",
        "किरण मजूमदार-शॉ",
        "Nguyễn Thị Bảo",
        "Nguye\u0302\u0303n",
        "Łukasz Żółć",
        "李雷",
        "محمد علي",
        "ශ්\u200dරී",
        "Ñ-Ñ",
        "a" * 100,
        "é" * 100,
    ],
)
def test_it_takes_a_name_in_any_script(viewer: Client, name: str) -> None:
    accepted(viewer, name=name)


@pytest.mark.feature("ACC-01")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Enter a name."),
        (" \t ", "Enter a name."),
        ("J", "Use at least 2 characters; this has 1."),
        (" J ", "Use at least 2 characters; this has 1."),
        ("a" * 101, "Use at most 100 characters; this has 101."),
        ("é" * 101, "Use at most 100 characters; this has 101."),
        ("R2D2", LETTERS),
        ("Ann.Lee", LETTERS),
        ("Ann, Lee", LETTERS),
        ("Ann_Lee", LETTERS),
        ("ann@lee", LETTERS),
        ("<b>Ann</b>", LETTERS),
        ("Ann\nLee", LETTERS),
        ("Ann\x00Lee", LETTERS),
        ("Ann\u202eeeL", LETTERS),
        ("--", LETTERS),
        ("' '", LETTERS),
        ("\u0301\u0302", LETTERS),
        ("Ann 🙂", LETTERS),
        ("Ann ٣", LETTERS),
    ],
)
def test_it_refuses_another_name(viewer: Client, name: str, message: str) -> None:
    assert refused(viewer, name=name) == {"name": message}


def test_it_drops_spaces_around_the_name(viewer: Client) -> None:
    assert viewer.post(URL, GOOD | {"name": "  Vera Viewer "}).status_code == 302
    assert me()[0] == "Vera Viewer"


@pytest.mark.feature("ACC-03")
@pytest.mark.parametrize("phone", ["", "112", "+49 (0)30-1234 567", "(503) 555-0100", "1" * 30])
def test_it_takes_a_phone_number_or_none(viewer: Client, phone: str) -> None:
    accepted(viewer, phone=phone)


@pytest.mark.feature("ACC-03")
@pytest.mark.parametrize(
    ("phone", "message"),
    [
        ("555 CALL", DIGITS),
        ("555.0100", DIGITS),
        ("555/0100", DIGITS),
        ("555x12", DIGITS),
        ("٠١٢٣", DIGITS),
        ("+ ()-", DIGITS),
        ("112\n113", DIGITS),
        ("<b>1</b>", DIGITS),
        ("1" * 31, "Use at most 30 characters; this has 31."),
    ],
)
def test_it_refuses_another_phone_number(viewer: Client, phone: str, message: str) -> None:
    assert refused(viewer, phone=phone) == {"phone": message}


def test_it_needs_a_name_even_when_nothing_is_sent(viewer: Client) -> None:
    response = viewer.post(URL, {})
    page = response.content.decode()
    assert response.status_code == 422
    assert 'id="id_name_error"' in page
    assert page.count('aria-invalid="true"') == 1


def test_it_keeps_what_was_typed(viewer: Client) -> None:
    # given a form with one mistake
    response = viewer.post(URL, GOOD | {"name": 'R2"><script>alert(1)</script>'})
    # then all of it is still there, as text, and the page does not call the person so
    page = response.content.decode()
    assert 'value="R2&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in page
    assert 'value="+1 (503) 555-0100"' in page
    assert page.count(" checked") == 2
    assert "<script>alert(1)" not in page
    assert "Account menu of viewer" in page


# --- while typing


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("name", "R2D2", LETTERS), ("name", "Vera", ""), ("phone", "abc", DIGITS), ("phone", "", "")],
)
def test_it_answers_while_one_types(viewer: Client, field: str, value: str, message: str) -> None:
    response = viewer.post(URL, GOOD | {field: value, "validate": field}, headers=HTMX)
    # then there is one field's message and nothing else, and nothing was saved
    assert (response.status_code, text_of(response)) == (200, message)
    assert b"<html" not in response.content
    assert me() == ("", "", False, False)
    assert Event.objects.count() == 0


def test_it_asks_for_these_answers_with_htmx(viewer: Client) -> None:
    page = viewer.get(URL).content.decode()
    assert re.findall(r'hx-post="([^"]+)"[^>]*hx-vals=\'{"validate": "(\w+)"}\'', page) == [
        (URL, "name"),
        (URL, "phone"),
    ]


@pytest.mark.parametrize("name", ["email", "role", "__class__", ""])
def test_it_answers_only_about_its_own_fields(viewer: Client, name: str) -> None:
    # given a question about another field, then the form counts as sent
    response = viewer.post(URL, GOOD | {"name": "", "validate": name}, headers=HTMX)
    assert response.status_code == 422


# --- who and how


def test_it_saves_the_same_twice(viewer: Client) -> None:
    accepted(viewer)
    accepted(viewer)
    assert Event.objects.filter(action="profile.edit").count() == 2


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    assert client.post(URL, GOOD)["Location"] == f"/account/login/?next={URL}"


def test_it_needs_the_forms_own_secret(viewer: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = viewer.cookies
    assert browser.post(URL, GOOD).status_code == 403
    assert me() == ("", "", False, False)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(viewer: Client, method: str) -> None:
    assert getattr(viewer, method)(URL, GOOD, content_type="application/json").status_code == 405
    assert me() == ("", "", False, False)


def test_it_needs_no_answer_of_the_api(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    assert viewer.get(URL).status_code == 200
    accepted(viewer)
