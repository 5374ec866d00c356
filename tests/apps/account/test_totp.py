"""/account/mfa/totp/…: an authenticator app, its set-up, the second step of a sign-in, and its removal."""

import base64
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client

from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.second_factors import (
    ACTIVATE,
    CODES,
    DEACTIVATE,
    HOME,
    STEP,
    begin_sign_in,
    code_of,
    confirm,
    secret_of,
    set_up_app,
    signed_in,
)
from tests.conftest import text_of

MAIL = "operator@example.com"
WRONG = ["", "000000", "12345", "abcdef", "１２３４５６", "1" * 5_000, "<b>", "\0", "123456; DROP TABLE"]


# --- set-up


def test_it_offers_to_set_up_an_app(operator: Client) -> None:
    page = operator.get(HOME)
    assert "Authenticator app Off" in text_of(page)
    assert f'href="{ACTIVATE}"' in page.content.decode()
    assert page["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [ACTIVATE, DEACTIVATE])
@pytest.mark.parametrize("method", ["get", "post"])
def test_it_asks_for_the_password_before_a_change(operator: Client, path: str, method: str) -> None:
    # given somebody signed in who has not typed the password again
    if path == DEACTIVATE:
        Authenticator.objects.create(user=User.objects.get(), type="totp", data={"secret": "x"})
    response = getattr(operator, method)(path, {"code": "123456"})
    # then the page that asks for it comes first, and nothing has changed
    assert response["Location"].startswith("/account/reauthenticate/?next=")
    assert Authenticator.objects.count() == (path == DEACTIVATE)


def test_it_shows_the_secret_as_a_picture_and_as_text(operator: Client) -> None:
    confirm(operator)
    page = operator.get(ACTIVATE)
    secret = secret_of(page)
    assert len(secret) == 32
    # the picture is a file within the page, and holds nothing that the policy forbids
    picture = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', page.content.decode())
    assert picture
    svg = base64.b64decode(picture.group(1)).decode()
    assert svg.count("<path") == 1
    assert not re.search(r"style|<script|href|\son\w+=", svg)
    # the address that it stands for names portal and account
    assert f"otpauth://totp/operator%40example.com?secret={secret}&amp;issuer=Barrack" in page.content.decode()
    assert page["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
def test_it_is_on_after_the_first_code(operator: Client) -> None:
    secret = set_up_app(operator)
    # then the recovery codes come next, the page says it is on, a mail tells, and the secret is not readable
    words = text_of(operator.get(HOME))
    assert "The authenticator app is set up." in words
    assert "Authenticator app On" in words
    assert "Last used Not yet" in words
    assert [sent.to for sent in mail.outbox] == [[MAIL]]
    assert mail.outbox[0].subject == "[Barrack] Security: an authenticator app was added"
    assert "An authenticator app was added to operator@example.com as a second factor." in mail.outbox[0].body
    assert "from the address 127.0.0.1" in mail.outbox[0].body
    assert secret not in mail.outbox[0].body
    assert secret not in str(Authenticator.objects.get(type="totp").data)


def test_it_leads_to_the_recovery_codes(operator: Client) -> None:
    confirm(operator)
    secret = secret_of(operator.get(ACTIVATE))
    code = code_of(secret)
    assert operator.post(ACTIVATE, {"code": f" {code[:3]} {code[3:]} "})["Location"] == CODES


@pytest.mark.parametrize("code", WRONG)
def test_it_stays_off_after_a_wrong_code(operator: Client, code: str) -> None:
    confirm(operator)
    secret = secret_of(operator.get(ACTIVATE))
    page = operator.post(ACTIVATE, {"code": code})
    assert page.status_code == 422
    sentence = "This code does not fit." if code.strip() and code != "\0" else ""
    assert (sentence or "code") in text_of(page)
    assert 'aria-invalid="true"' in page.content.decode()
    # the secret stays the same, so that the app need not be set up again
    assert secret_of(page) == secret
    assert not Authenticator.objects.exists()


def test_it_is_set_up_once(operator: Client) -> None:
    confirm(operator)
    code = code_of(secret_of(operator.get(ACTIVATE)))
    # given a form that is sent twice, then both lead to the codes
    for _ in range(2):
        assert operator.post(ACTIVATE, {"code": code})["Location"] == CODES
    assert Authenticator.objects.filter(type="totp").count() == 1
    # and once they were seen, to what is set up
    operator.get(CODES)
    assert operator.get(ACTIVATE)["Location"] == HOME


@pytest.mark.django_db(transaction=True)
def test_it_is_set_up_once_by_two_forms_at_the_same_time(operator: Client, monkeypatch: Any) -> None:
    # given a second form that is checked while the first one's app is not stored yet
    confirm(operator)
    code = code_of(secret_of(operator.get(ACTIVATE)))
    from apps.account import mfa_forms

    def first_wins(user: User, code: str) -> bool:
        Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
        return True

    monkeypatch.setattr(mfa_forms, "spend", first_wins)
    assert operator.post(ACTIVATE, {"code": code})["Location"] == HOME
    assert Authenticator.objects.filter(type="totp").count() == 1


# --- the second step of a sign-in


def test_it_asks_for_a_code_after_the_password(operator: Client) -> None:
    secret = set_up_app(operator)
    # given the right password, then nothing is open yet
    browser = begin_sign_in(MAIL, next="/activity/?q=a")
    page = browser.get(STEP)
    assert 'autocomplete="one-time-code"' in page.content.decode()
    assert 'inputmode="numeric"' in page.content.decode()
    assert "recovery codes" in text_of(page)
    assert not signed_in(browser)
    assert browser.get("/snapshots/")["Location"].startswith("/account/login/")
    # and the code opens it, at the page that was asked for
    response = browser.post(STEP, {"code": code_of(secret)})
    assert (response.status_code, response["Location"]) == (302, "/activity/?q=a")
    assert signed_in(browser)


@pytest.mark.parametrize("code", WRONG)
def test_it_refuses_a_wrong_code(operator: Client, code: str) -> None:
    set_up_app(operator)
    browser = begin_sign_in(MAIL)
    page = browser.post(STEP, {"code": code})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.content.decode()
    assert not signed_in(browser)


@pytest.mark.parametrize(("steps", "fits"), [(-3, False), (-2, False), (0, True), (1, True), (2, False), (3, False)])
def test_it_takes_codes_of_half_a_minute_around(operator: Client, steps: int, fits: bool) -> None:
    secret = set_up_app(operator)
    browser = begin_sign_in(MAIL)
    browser.post(STEP, {"code": code_of(secret, steps)})
    assert signed_in(browser) is fits


def test_it_takes_each_code_once(operator: Client) -> None:
    # given a code that was used to sign in, and has been forgotten by allauth's own memory of 30 seconds
    secret = set_up_app(operator)
    code = code_of(secret, 1)
    begin_sign_in(MAIL).post(STEP, {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={User.objects.get().pk}&code={code}")
    # when somebody who saw it types it too, with or without spaces, then it is refused
    for again in (code, f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}"):
        browser = begin_sign_in(MAIL)
        page = browser.post(STEP, {"code": again})
        assert page.status_code == 422
        assert "each works once" in text_of(page)
        assert not signed_in(browser)


def test_it_does_not_take_the_code_of_the_set_up_again(operator: Client) -> None:
    confirm(operator)
    secret = secret_of(operator.get(ACTIVATE))
    code = code_of(secret, 1)
    operator.post(ACTIVATE, {"code": code})
    browser = begin_sign_in(MAIL)
    assert browser.post(STEP, {"code": code}).status_code == 422
    assert not signed_in(browser)


def test_it_ends_guessing(operator: Client) -> None:
    secret = set_up_app(operator)
    browser = begin_sign_in(MAIL)
    for _ in range(5):
        assert "This code does not fit." in text_of(browser.post(STEP, {"code": "000000"}))
    # then even the right code has to wait, in another browser too
    for somewhere in (browser, begin_sign_in(MAIL)):
        page = somewhere.post(STEP, {"code": code_of(secret)})
        assert page.status_code == 422
        assert "Too many failed attempts" in text_of(page)
        assert not signed_in(somewhere)


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_needs_the_password_first(client: Client, operator: Client, method: str) -> None:
    secret = set_up_app(operator)
    response = getattr(client, method)(STEP, {"code": code_of(secret)})
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    assert not signed_in(client)


def test_it_can_be_left(operator: Client) -> None:
    set_up_app(operator)
    browser = begin_sign_in(MAIL)
    browser.post("/account/logout/", {"next": "/account/login/"})
    assert browser.get(STEP)["Location"] == "/account/login/"


def test_it_lets_nobody_in_who_was_deactivated_meanwhile(operator: Client) -> None:
    secret = set_up_app(operator)
    browser = begin_sign_in(MAIL)
    User.objects.update(is_active=False)
    page = browser.post(STEP, {"code": code_of(secret)})
    assert page.status_code == 422
    assert "This account is deactivated." in text_of(page)
    assert not signed_in(browser)


def test_it_confirms_a_change_by_a_code(operator: Client) -> None:
    secret = set_up_app(operator)
    browser = begin_sign_in(MAIL)
    browser.post(STEP, {"code": code_of(secret)})
    where = f"{HOME}reauthenticate/?next={DEACTIVATE}"
    assert "Use your password" in text_of(browser.get(where))
    assert browser.post(where, {"code": code_of(secret)}).status_code == 422
    assert browser.post(where, {"code": code_of(secret, 1)})["Location"] == DEACTIVATE
    assert browser.get(DEACTIVATE).status_code == 200


# --- removal, and a changed SECRET_KEY


def test_it_is_removed(operator: Client) -> None:
    set_up_app(operator)
    mail.outbox.clear()
    assert "The app’s codes no longer sign you in." in text_of(operator.get(DEACTIVATE))
    assert operator.post(DEACTIVATE)["Location"] == HOME
    words = text_of(operator.get(HOME))
    assert "The authenticator app is removed." in words
    assert "Authenticator app Off" in words
    # the recovery codes go with the last factor
    assert not Authenticator.objects.exists()
    assert len(mail.outbox) == 1
    browser = Client()
    browser.post("/account/login/", {"login": MAIL, "password": "barrack-test-1"})
    assert signed_in(browser)


def test_it_cannot_be_removed_twice(operator: Client) -> None:
    set_up_app(operator)
    operator.post(DEACTIVATE)
    assert operator.post(DEACTIVATE).status_code == 404
    assert operator.get(DEACTIVATE).status_code == 404


def test_it_reads_secrets_of_an_older_key(operator: Client, settings: Any) -> None:
    secret = set_up_app(operator)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key-of-the-portal-0123456789"
    browser = begin_sign_in(MAIL)
    browser.post(STEP, {"code": code_of(secret)})
    assert signed_in(browser)


def test_it_opens_to_nobody_when_the_key_is_lost(operator: Client, settings: Any) -> None:
    secret = set_up_app(operator)
    settings.SECRET_KEY = "another-key-of-the-portal-0123456789"
    browser = begin_sign_in(MAIL)
    assert browser.post(STEP, {"code": code_of(secret)}).status_code == 422
    assert not signed_in(browser)


@pytest.mark.parametrize("path", [HOME, ACTIVATE, DEACTIVATE, STEP, f"{HOME}reauthenticate/"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(operator: Client, path: str, method: str) -> None:
    assert getattr(operator, method)(path).status_code == 405


@pytest.mark.parametrize("path", [ACTIVATE, DEACTIVATE, STEP, f"{HOME}reauthenticate/"])
def test_it_needs_the_forms_own_secret(operator: Client, path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = operator.cookies
    assert browser.post(path, {"code": "123456"}).status_code == 403


def test_it_needs_no_answer_of_the_api(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    set_up_app(operator)
    assert operator.get(HOME).status_code == 200
