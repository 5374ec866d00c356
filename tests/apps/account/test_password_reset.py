"""/account/password/reset/: a forgotten password, and the link by mail to a new one."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import mail
from django.test import Client

from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import check_plain, link_in, newest, path_in, signed_in
from tests.conftest import text_of

ASK = "/account/password/reset/"
SENT = "/account/password/reset/done/"
DONE = "/account/password/reset/key/done/"
EMAIL = "operator@example.com"
NEW = "three-blind-mice"
BOTH = {"password1": NEW, "password2": NEW}
NOTE = "This sandbox sends no mail. What it would send is printed where the portal runs."
GONE = "This link no longer works"


@pytest.fixture
def person(sandbox: Sandbox, make_user: Any) -> User:
    return make_user("operator")


def ask(browser: Client, email: str = EMAIL) -> str:
    """Ask for a link and return its path."""
    assert browser.post(ASK, {"email": email})["Location"] == SENT
    return path_in(newest())


def form_of(browser: Client, path: str) -> str:
    """Open a link and return where its form is."""
    response = browser.get(path)
    assert response.status_code == 302, text_of(response)
    assert browser.get(response["Location"]).status_code == 200
    return str(response["Location"])


def may(browser: Client, password: str) -> bool:
    browser.post("/account/login/", {"login": EMAIL, "password": password})
    return signed_in(browser)


# --- works


@pytest.mark.feature("AUTH-06")
def test_it_leads_to_a_new_password(client: Client, person: User) -> None:
    # given the link on the sign-in page
    assert f'<a href="{ASK}">Forgot password?</a>' in client.get("/account/login/").content.decode()
    # when a link is asked for, opened and a password chosen
    response = client.post(ASK, {"email": EMAIL})
    assert response["Location"] == SENT
    assert "If the address belongs to an account, a link is on its way there." in text_of(client.get(SENT))
    form = form_of(client, path_in(newest()))
    response = client.post(form, BOTH)
    assert response["Location"] == DONE
    assert "Your new password is set" in text_of(client.get(DONE))
    # then one is not in yet, and gets in with the new one alone
    assert not signed_in(client)
    assert not may(Client(), "barrack-test-1")
    assert may(Client(), NEW)


def test_the_mail_says_who_asked(client: Client, person: User) -> None:
    ask(client)
    message = newest()
    check_plain(message, EMAIL)
    assert message.subject == "[Barrack] Choose a new password"
    assert "It works once, for one hour." in message.body
    assert "UTC from the address 127.0.0.1." in message.body
    assert link_in(message).startswith("http://testserver/account/password/reset/key/")


def test_the_link_is_for_https_where_the_portal_is(client: Client, person: User, settings: Any) -> None:
    settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https"
    ask(client)
    assert link_in(newest()).startswith("https://testserver/")
    assert "Barrack portal: https://testserver/" in newest().body


@pytest.mark.feature("AUTH-08")
def test_it_tells_the_person_by_mail(client: Client, person: User) -> None:
    client.post(form_of(client, ask(client)), BOTH)
    message = newest()
    check_plain(message, EMAIL)
    assert message.subject == "[Barrack] Security: your password was reset"
    assert "UTC from the address 127.0.0.1." in message.body
    assert NEW not in message.body


def test_the_address_of_the_form_holds_no_secret(client: Client, person: User) -> None:
    path = ask(client)
    secret = path.rstrip("/").rpartition("-")[2]
    form = form_of(client, path)
    assert secret not in form
    assert secret not in client.get(form).content.decode()
    assert "no-store" in client.get(form)["Cache-Control"]


def test_it_ends_every_session(client: Client, person: User, sign_in: Any) -> None:
    elsewhere = sign_in("operator")
    assert signed_in(elsewhere)
    client.post(form_of(client, ask(client)), BOTH)
    assert not signed_in(elsewhere)


def test_it_signs_out_who_else_is_in_this_browser(viewer: Client, person: User) -> None:
    form = form_of(viewer, ask(Client()))
    assert not signed_in(viewer)
    assert viewer.post(form, BOTH)["Location"] == DONE


def test_it_lets_in_somebody_who_was_throttled(client: Client, person: User) -> None:
    for _ in range(6):
        may(Client(), "wrong")
    client.post(form_of(client, ask(client)), BOTH)
    assert may(Client(), NEW)


# --- once, one hour


@pytest.mark.feature("AUTH-06")
def test_a_link_works_once(client: Client, person: User) -> None:
    path = ask(client)
    form = form_of(client, path)
    client.post(form, BOTH)
    for browser in (client, Client()):
        for url in (path, form):
            response = browser.get(url)
            assert response.status_code == 410
            assert GONE in text_of(response)
            assert f'href="{ASK}">Send me a new link</a>' in response.content.decode()
    assert client.post(form, {"password1": "another-password", "password2": "another-password"}).status_code == 410
    assert may(Client(), NEW)


@pytest.mark.feature("AUTH-06")
@pytest.mark.parametrize(("minutes", "status"), [(59, 302), (61, 410)])
def test_a_link_works_for_an_hour(
    client: Client, person: User, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    path = ask(client)
    monkeypatch.setattr(
        PasswordResetTokenGenerator,
        "_now",
        lambda _: datetime.now() + timedelta(minutes=minutes),  # noqa: DTZ005
    )
    assert client.get(path).status_code == status


def test_a_link_ends_with_a_sign_in_or_a_newer_password(client: Client, person: User) -> None:
    paths = [ask(client), ask(client)]
    client.post(form_of(client, paths[0]), BOTH)
    assert client.get(paths[1]).status_code == 410


def test_a_link_ends_when_the_person_is_switched_off(client: Client, person: User) -> None:
    path = ask(client)
    form = form_of(client, path)
    User.objects.update(is_active=False)
    assert client.get(path).status_code == 410
    assert client.post(form, BOTH).status_code == 410
    person.refresh_from_db()
    assert person.check_password("barrack-test-1")


def test_a_link_is_one_persons(client: Client, person: User, make_user: Any) -> None:
    other = make_user("admin")
    secret = ask(client).rstrip("/").partition("-")[2]
    assert client.get(f"{ASK}key/{other.pk}-{secret}/").status_code == 410


@pytest.mark.parametrize(
    "tail",
    ["1-x", "1-set-password", "zzzzzzzzzzzzz-a-b", f"{'z' * 200}-a-b", "1-a%00b", "0-a-b", "1-\u00e9", "1-a%20b"],
)
def test_it_says_what_to_do_about_a_link_that_is_none(client: Client, person: User, tail: str) -> None:
    for method in ("get", "post"):
        response = getattr(client, method)(f"{ASK}key/{tail}/", BOTH)
        assert response.status_code == 410
        assert GONE in text_of(response)


# --- bad input


@pytest.mark.feature("AUTH-08")
@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ("", "", "Enter a new password."),
        ("short-1-two", "short-1-two", "It must contain at least 12 characters."),
        ("qwertyuiop12", "qwertyuiop12", "This password is too common."),
        ("operator@example", "operator@example", "The password is too similar to the email."),
        (NEW, "three-blind-rats", "You must type the same password each time."),
        (NEW, "", "Enter the new password a second time."),
    ],
)
def test_it_refuses_a_weak_password(client: Client, person: User, first: str, second: str, sentence: str) -> None:
    form = form_of(client, ask(client))
    response = client.post(form, {"password1": first, "password2": second})
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert 'class="field-error"' in response.content.decode()
    assert "At least 12 characters, no common password, and unlike your name and email address." in text_of(response)
    if first:
        assert first not in response.content.decode()
    assert may(Client(), "barrack-test-1")


@pytest.mark.parametrize("email", ["", "operator", "@", "a b@example.com"])
def test_it_needs_an_address(client: Client, person: User, email: str) -> None:
    response = client.post(ASK, {"email": email})
    assert response.status_code == 422
    assert 'class="field-error"' in response.content.decode()
    assert mail.outbox == []


def test_it_sends_nothing_to_who_may_not_come_in(client: Client, person: User) -> None:
    User.objects.update(is_active=False)
    for email in (EMAIL, "nobody@example.com"):
        assert client.post(ASK, {"email": email})["Location"] == SENT
    assert mail.outbox == []


# --- around it


def test_it_is_throttled(client: Client, person: User) -> None:
    for _ in range(5):
        ask(client)
    response = client.post(ASK, {"email": EMAIL})
    assert response.status_code == 429
    assert "Wait 5 minutes, go back and try again." in text_of(response)
    assert len(mail.outbox) == 5
    # and an address that nobody has is answered the same
    for _ in range(5):
        client.post(ASK, {"email": "nobody@example.com"})
    assert client.post(ASK, {"email": "nobody@example.com"}).status_code == 429


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_it_goes_to_no_other_host(client: Client, person: User, target: str) -> None:
    assert client.post(ASK, {"email": EMAIL, "next": target})["Location"] == SENT
    opened = client.get(path_in(newest()), {"next": target})
    assert opened["Location"].startswith("/account/password/reset/key/")
    assert client.post(opened["Location"], BOTH | {"next": target})["Location"] == DONE


def test_it_takes_no_host_from_the_request(client: Client, person: User) -> None:
    # a link to another site would hand it the secret
    assert client.post(ASK, {"email": EMAIL}, headers={"Host": "evil.example"}).status_code == 400
    client.post(ASK, {"email": EMAIL}, headers={"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in newest().body


def test_it_says_where_mail_is_printed(client: Client, person: User, settings: Any) -> None:
    assert NOTE not in text_of(client.get(SENT))
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert NOTE in text_of(client.get(SENT))


def test_it_needs_the_forms_own_secret(client: Client, person: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(ASK, {"email": EMAIL}).status_code == 403
    assert mail.outbox == []
    form = form_of(browser, ask(client))
    assert browser.post(form, BOTH).status_code == 403
    assert may(Client(), "barrack-test-1")


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_it_refuses_other_methods(client: Client, person: User, method: str) -> None:
    for url in (ASK, SENT, DONE, form_of(client, ask(client))):
        assert getattr(client, method)(url).status_code == 405


def test_it_needs_no_answer_of_the_api(client: Client, person: User, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "hang", times=None)
    assert client.post(form_of(client, ask(client)), BOTH).status_code == 302
    assert sandbox.log.calls() == []
