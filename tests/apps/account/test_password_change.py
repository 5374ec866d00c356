"""/account/password/change/ and what guards it; /account/password/set/; /account/reauthenticate/."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.account.adapter import TOO_MANY
from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import check_plain, newest, signed_in
from tests.conftest import text_of

URL = "/account/password/change/"
OLD, NEW = "barrack-test-1", "three-blind-mice"
RIGHT = {"oldpassword": OLD, "password1": NEW, "password2": NEW}
EMAIL = "operator@example.com"


def may(password: str) -> bool:
    browser = Client()
    browser.post("/account/login/", {"login": EMAIL, "password": password})
    return signed_in(browser)


# --- works


@pytest.mark.feature("AUTH-08")
def test_it_changes_the_password_and_says_so_by_mail(operator: Client) -> None:
    # given the way from My account
    assert f'href="{URL}"' in operator.get("/account/").content.decode()
    assert "Current password" in text_of(operator.get(URL))
    # when the current and a new one are given
    response = operator.post(URL, RIGHT)
    # then the new one counts, one stays in, and a mail tells it
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert "Your password is changed. Your sessions on other devices have ended." in text_of(operator.get("/account/"))
    assert not may(OLD)
    assert may(NEW)
    message = newest()
    check_plain(message, EMAIL)
    assert message.subject == "[Barrack] Security: your password was changed"
    assert "UTC from the address 127.0.0.1." in message.body
    assert NEW not in message.body


def test_it_ends_the_other_sessions(operator: Client, sign_in: Any) -> None:
    elsewhere = sign_in("operator")
    operator.post(URL, RIGHT)
    assert signed_in(operator)
    assert not signed_in(elsewhere)


def test_it_goes_on_when_the_mail_does_not_leave(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    assert operator.post(URL, RIGHT).status_code == 302
    assert may(NEW)


# --- bad input


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Enter your current password."),
        (RIGHT | {"oldpassword": "wrong"}, "This is not your current password."),
        (RIGHT | {"oldpassword": OLD.upper()}, "This is not your current password."),
        (RIGHT | {"password2": "other"}, "You must type the same password each time."),
        (RIGHT | {"password1": "short", "password2": "short"}, "It must contain at least 12 characters."),
        (RIGHT | {"password1": "qwertyuiop12", "password2": "qwertyuiop12"}, "This password is too common."),
        (RIGHT | {"password1": "clementine-feather", "password2": "clementine-feather"}, "too similar to the name."),
    ],
)
def test_it_says_what_is_wrong(operator: Client, data: dict[str, str], sentence: str) -> None:
    User.objects.update(name="Clementine Feather")
    response = operator.post(URL, data)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert 'class="field-error"' in response.content.decode()
    assert all(value not in response.content.decode() for value in data.values() if len(value) > 6)
    assert may(OLD)
    assert mail.outbox == []


def test_guesses_from_an_open_session_count_as_failed_sign_ins(operator: Client) -> None:
    for _ in range(5):
        operator.post(URL, RIGHT | {"oldpassword": "guess"})
    assert TOO_MANY in text_of(operator.post(URL, RIGHT))
    assert not may(OLD)


# --- around it


def test_it_needs_a_sign_in(client: Client, db: None) -> None:
    for url in (URL, "/account/password/set/", "/account/reauthenticate/"):
        assert client.get(url)["Location"] == f"/account/login/?next={url}"


def test_it_needs_the_forms_own_secret(operator: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = operator.cookies
    assert browser.post(URL, RIGHT).status_code == 403
    assert may(OLD)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_it_refuses_other_methods(operator: Client, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert getattr(operator, method)("/account/reauthenticate/").status_code == 405


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_it_goes_to_no_other_host(operator: Client, target: str) -> None:
    assert operator.post(URL, RIGHT | {"next": target})["Location"] == "/account/"


def test_it_needs_no_answer_of_the_api(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "hang", times=None)
    assert operator.post(URL, RIGHT).status_code == 302
    assert sandbox.log.calls() == []


# --- somebody without a password


def test_it_sends_a_link_to_who_has_no_password(operator: Client) -> None:
    # given somebody who came in through a provider
    person = User.objects.get()
    person.set_unusable_password()
    person.save()
    operator.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert operator.get(URL)["Location"] == "/account/password/set/"
    page = operator.get("/account/password/set/")
    assert "You have no password" in text_of(page)
    assert f'name="email" value="{EMAIL}"' in page.content.decode()
    # then an open session alone sets none: a link by mail does
    assert operator.post("/account/password/set/", {"password1": NEW, "password2": NEW}).status_code == 405
    operator.post("/account/password/reset/", {"email": EMAIL})
    assert newest().to == [EMAIL]


def test_who_has_a_password_changes_it(operator: Client) -> None:
    assert operator.get("/account/password/set/")["Location"] == URL


# --- is it you?


def test_it_asks_for_the_password_once_more(operator: Client) -> None:
    url = "/account/reauthenticate/"
    page = operator.get(url, {"next": "/account/mfa/"})
    assert "Type your password once more." in text_of(page)
    assert 'name="next" value="/account/mfa/"' in page.content.decode()
    wrong = operator.post(url, {"password": "wrong", "next": "/account/mfa/"})
    assert wrong.status_code == 422
    assert "This is not your password." in text_of(wrong)
    assert operator.post(url, {"password": OLD, "next": "/account/mfa/"})["Location"] == "/account/mfa/"
    assert operator.post(url, {"password": OLD, "next": "//evil.example/"})["Location"] == "/"


def test_it_does_not_ask_who_has_nothing_to_answer_with(operator: Client) -> None:
    person = User.objects.get()
    person.set_unusable_password()
    person.save()
    operator.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert operator.get("/account/reauthenticate/")["Location"] == "/account/"


# --- the email stays


@pytest.mark.feature("ACC-02")
@pytest.mark.parametrize("path", ["email/", "phone/change/", "social/connections/", "google/login/token/"])
def test_there_is_no_door_to_another_address(operator: Client, path: str) -> None:
    data = {"email": "new@example.com", "action_add": "", "action_primary": ""}
    assert operator.get(f"/account/{path}").status_code == 404
    assert operator.post(f"/account/{path}", data).status_code == 404
    assert User.objects.get().email == EMAIL
