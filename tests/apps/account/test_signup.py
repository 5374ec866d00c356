"""/account/signup/: open to the domains that a setting names, else a page that says whom to ask."""

import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.internal.flows import manage_email
from django.core import mail
from django.test import Client

from apps.account.models import Invitation, User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import check_plain, newest, path_in, signed_in
from tests.conftest import text_of

URL = "/account/signup/"
SENT = "/account/confirm-email/"
EMAIL, PASSWORD = "nina@corp.example", "three-blind-mice"
RIGHT = {"name": "Nina O'Neil-Ray", "email": EMAIL, "password1": PASSWORD}
GONE = "This link no longer works"


@pytest.fixture
def opened(sandbox: Sandbox, settings: Any, db: None) -> None:
    settings.SIGNUP_DOMAINS = ["corp.example", "lab.example"]


def enter(browser: Client, password: str = PASSWORD) -> Any:
    return browser.post("/account/login/", {"login": EMAIL, "password": password})


# --- by invitation


@pytest.mark.feature("AUTH-09")
def test_it_is_by_invitation(client: Client, sandbox: Sandbox, db: None) -> None:
    for response in (client.get(URL), client.post(URL, RIGHT)):
        assert response.status_code == 403
        words = text_of(response)
        assert "Sign-up is by invitation" in words
        assert "Ask an admin of this portal" in words
        assert "support@barrack.ai" in words
    assert User.objects.count() == 0
    assert mail.outbox == []
    assert "Sign up" not in text_of(client.get("/account/login/"))


# --- works


@pytest.mark.feature("AUTH-09")
def test_it_makes_a_viewer_who_confirms_the_address_first(client: Client, opened: None) -> None:
    # given the link on the sign-in page
    assert '<a href="/account/signup/">Sign up</a>' in client.get("/account/login/").content.decode()
    assert "At corp.example or lab.example. It cannot be changed later." in text_of(client.get(URL))
    # when somebody of the domain signs up
    response = client.post(URL, RIGHT | {"email": "Nina@CORP.example"})
    assert (response.status_code, response["Location"]) == (302, SENT)
    assert "A mail is on its way to the address that you gave." in text_of(client.get(SENT))
    person = User.objects.get()
    assert (person.email, person.name, person.role, person.is_active) == (EMAIL, "Nina O'Neil-Ray", "viewer", True)
    # then the password alone does not let in
    assert enter(Client())["Location"] == SENT
    assert not signed_in(client)
    # until the link in the mail is opened and the button pressed
    message = newest()
    check_plain(message, EMAIL)
    path = path_in(message)
    assert "Did you sign up here as nina@corp.example" in text_of(client.get(path))
    assert enter(Client())["Location"] == SENT
    assert client.post(path)["Location"] == "/account/login/"
    assert f"{EMAIL} is confirmed. You can sign in now." in text_of(client.get("/account/login/"))
    assert enter(client)["Location"] == "/"
    assert "nina@corp.example" in text_of(client.get("/account/"))


def test_the_mail_warns_who_did_not_sign_up(client: Client, opened: None) -> None:
    client.post(URL, RIGHT)
    assert newest().subject == "[Barrack] Confirm your address"
    assert "If that was not you, do not confirm" in newest().body
    assert "UTC from the address 127.0.0.1." in newest().body


def test_signing_in_sends_the_link_once_more(client: Client, opened: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post(URL, RIGHT)
    # given a mail that was lost: within three minutes no second one is sent
    enter(client)
    assert len(mail.outbox) == 1
    now = time.time() + 200
    monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda: now)
    enter(client)
    assert len(mail.outbox) == 2
    client.post(path_in(newest()))
    enter(client)
    assert signed_in(client)


# --- the link


def test_the_link_works_once(client: Client, opened: None) -> None:
    client.post(URL, RIGHT)
    path = path_in(newest())
    client.post(path)
    for method in ("get", "post"):
        response = getattr(client, method)(path)
        assert response.status_code == 410
        assert GONE in text_of(response)


def test_the_link_works_for_three_days(client: Client, opened: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post(URL, RIGHT)
    path, now = path_in(newest()), time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 3 * 86_400 - 60)
    assert client.get(path).status_code == 200
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 3 * 86_400 + 60)
    assert client.get(path).status_code == 410


@pytest.mark.parametrize("key", ["x", "MQ:1:x", "a%00b", "é", "MQ:1vx:" + "y" * 300])
def test_a_made_up_link_says_what_to_do(client: Client, opened: None, key: str) -> None:
    for method in ("get", "post"):
        response = getattr(client, method)(f"{SENT}{key}/")
        assert response.status_code == 410
        assert GONE in text_of(response)


# --- bad input


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": "nina@other.example"}, "Only addresses at corp.example or lab.example can sign up."),
        ({"email": "nina@sub.corp.example"}, "Only addresses at corp.example or lab.example can sign up."),
        ({"email": "nina@corp.example.evil.example"}, "Only addresses at corp.example or lab.example can sign up."),
        ({"email": "nina@xcorp.example"}, "Only addresses at corp.example or lab.example can sign up."),
        ({"email": "nina"}, "This is not an email address, such as name@example.com."),
        ({"email": ""}, "Enter your email address."),
        ({"email": f"{'n' * 60}@{'a' * 60}.{'b' * 60}.{'c' * 60}.corp.example"}, "Use at most 254 characters"),
        ({"name": ""}, "Enter a name."),
        ({"name": "R2D2"}, "Use letters, spaces, hyphens and apostrophes."),
        ({"name": "x" * 101}, "Use at most 100 characters; this has 101."),
        ({"password1": ""}, "Enter a password."),
        ({"password1": "short"}, "It must contain at least 12 characters."),
        ({"password1": "qwertyuiop12"}, "This password is too common."),
        ({"password1": "nina@corp.example"}, "The password is too similar to the email."),
    ],
)
def test_it_says_what_is_wrong(client: Client, opened: None, change: dict[str, str], sentence: str) -> None:
    response = client.post(URL, RIGHT | change)
    assert response.status_code == 422
    assert sentence in text_of(response)
    page = response.content.decode()
    assert 'class="field-error"' in page
    # and nothing typed is lost but the password
    assert (RIGHT | change)["email"] in page
    assert PASSWORD not in page
    assert User.objects.count() == 0
    assert mail.outbox == []


def test_nobody_chooses_a_role(client: Client, opened: None) -> None:
    client.post(URL, RIGHT | {"role": "admin", "is_active": "", "is_demo": "on"})
    person = User.objects.get()
    assert (person.role, person.is_active, person.is_demo) == ("viewer", True, False)


# --- known already


def test_it_tells_nobody_that_an_address_is_known(client: Client, opened: None, make_user: Any) -> None:
    # given somebody who has an account
    make_user("operator", email=EMAIL, name="Nina")
    response = client.post(URL, RIGHT | {"name": "Mallory"})
    # then the page is the same, and the owner gets a mail
    assert response["Location"] == SENT
    assert newest().subject == "[Barrack] You have an account already"
    check_plain(newest(), EMAIL)
    person = User.objects.get()
    assert (person.name, person.role) == ("Nina", "operator")
    assert person.check_password("barrack-test-1")


def test_it_makes_one_person_of_a_form_sent_twice(
    client: Client, opened: None, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given two requests at once, of which the other is done just after this one has looked
    make_user("viewer", email=EMAIL)
    with monkeypatch.context() as patch:
        patch.setattr(manage_email, "email_already_exists", lambda email: (email, False))
        # when this one is saved, then it ends as if it had come later
        assert client.post(URL, RIGHT)["Location"] == SENT
    assert User.objects.count() == 1
    assert newest().subject == "[Barrack] You have an account already"


# --- around it


def test_it_needs_the_forms_own_secret(opened: None) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(URL, RIGHT).status_code == 403
    assert User.objects.count() == 0


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_it_refuses_other_methods(client: Client, opened: None, method: str) -> None:
    assert getattr(client, method)(URL).status_code == 405


def test_it_sends_somebody_who_is_in_already_to_the_start_page(operator: Client, settings: Any) -> None:
    assert operator.get(URL)["Location"] == "/"
    settings.SIGNUP_DOMAINS = ["corp.example"]
    assert operator.post(URL, RIGHT)["Location"] == "/"
    assert User.objects.count() == 1


def test_it_is_throttled(client: Client, opened: None) -> None:
    for _ in range(20):
        assert client.post(URL, {}).status_code == 422
    assert client.post(URL, RIGHT).status_code == 429
    assert User.objects.count() == 0


# --- somebody who is invited


@pytest.mark.feature("AUTH-09")
def test_it_sends_whoever_is_invited_their_invitation_instead(client: Client, opened: None, make_user: Any) -> None:
    # given an address of the domain that is invited as an operator
    boss, now = make_user("admin", email="boss@example.com"), clock.now()
    row = Invitation.objects.create(
        email=EMAIL, role="operator", invited_by=boss, invited_at=now, expires_at=now + timedelta(days=7)
    )
    other = client.post(URL, RIGHT | {"email": "otto@corp.example"})
    # when somebody, perhaps not its owner, signs up with it
    browser = Client()
    response = browser.post(URL, RIGHT)
    # then the answer tells nothing, no account with their password is made
    assert (response.status_code, response["Location"]) == (other.status_code, other["Location"]) == (302, SENT)
    assert not User.objects.filter(email=EMAIL).exists()
    # and the owner gets the link, which gives the role that the admin chose
    assert newest().to == [EMAIL]
    path = "/account/members/invite/" + newest().body.partition("/account/members/invite/")[2].split()[0]
    browser.post(path, {"name": "Nina Ray", "password1": PASSWORD, "password2": PASSWORD})
    assert signed_in(browser)
    assert User.objects.get(email=EMAIL).role == "operator"
    row.refresh_from_db()
    assert row.accepted_by == User.objects.get(email=EMAIL)
