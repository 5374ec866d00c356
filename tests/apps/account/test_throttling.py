"""Guessing: 5 failures per account and 20 per address in 5 minutes, for passwords and codes alike."""

import time
from typing import Any

import pytest
from django.test import Client

from apps.account.adapter import TOO_MANY
from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import code_in, newest, signed_in
from tests.conftest import text_of

URL = "/account/login/"
ASK, TYPE = "/account/login/code/", "/account/login/code/confirm/"
EMAIL = "operator@example.com"
RIGHT = {"login": EMAIL, "password": "barrack-test-1"}
WRONG = RIGHT | {"password": "barrack-test-2"}


@pytest.fixture
def person(sandbox: Sandbox, make_user: Any) -> User:
    return make_user("operator")


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    now = time.time() + seconds
    monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda: now)


def guess_codes(number: int) -> None:
    """Type that many wrong codes, each try of three with a code of its own."""
    for first in range(0, number, 3):
        browser = Client()
        browser.post(ASK, {"email": EMAIL})
        wrong = f"{(int(code_in(newest())) + 1) % 1_000_000:06}"
        for _ in range(min(3, number - first)):
            browser.post(TYPE, {"code": wrong})


def test_five_failures_close_an_account_for_five_minutes(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    # given five wrong passwords from as many addresses
    for number in range(5):
        answer = Client(REMOTE_ADDR=f"192.0.2.{number}").post(URL, WRONG)
        assert "are not correct" in text_of(answer)
    # when the right one comes, then it is not even looked at, and the answer says what to do
    response = Client().post(URL, RIGHT)
    assert response.status_code == 422
    assert TOO_MANY in text_of(response)
    # until five minutes are over
    later(monkeypatch, 295)
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))
    later(monkeypatch, 305)
    assert Client().post(URL, RIGHT).status_code == 302


def test_twenty_failures_close_an_address(person: User) -> None:
    # given one visitor who tries one password on many accounts
    for number in range(20):
        assert TOO_MANY not in text_of(Client().post(URL, WRONG | {"login": f"guess{number}@example.com"}))
    # then the twenty-first try is not looked at, from there; elsewhere it is
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))
    assert Client(REMOTE_ADDR="192.0.2.7").post(URL, RIGHT).status_code == 302


def test_codes_and_passwords_share_the_limit(person: User) -> None:
    # given three wrong codes and two wrong passwords
    guess_codes(3)
    for _ in range(2):
        assert "are not correct" in text_of(Client().post(URL, WRONG))
    # then neither the right password nor a right code helps
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))
    browser = Client()
    browser.post(ASK, {"email": EMAIL})
    assert TOO_MANY in text_of(browser.post(TYPE, {"code": code_in(newest())}))
    assert not signed_in(browser)


def test_five_wrong_codes_close_an_account(person: User) -> None:
    guess_codes(5)
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))


def test_right_codes_and_passwords_do_not_count(person: User) -> None:
    for _ in range(4):
        browser = Client()
        browser.post(ASK, {"email": EMAIL})
        browser.post(TYPE, {"code": code_in(newest())})
        assert signed_in(browser)
        assert Client().post(URL, RIGHT).status_code == 302


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_another_name_of_the_portal_gives_no_more_tries(person: User, host: str) -> None:
    for _ in range(5):
        Client().post(URL, WRONG)
    assert TOO_MANY in text_of(Client().post(URL, RIGHT, headers={"Host": host}))


@pytest.mark.parametrize("login", ["OPERATOR@example.com", " operator@example.com "])
def test_another_spelling_gives_no_more_tries(person: User, login: str) -> None:
    for _ in range(5):
        Client().post(URL, WRONG | {"login": login})
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))


def test_nobody_invents_an_address(person: User) -> None:
    # given no proxy in front, whose word would count
    for number in range(20):
        Client().post(
            URL, WRONG | {"login": f"g{number}@example.com"}, headers={"X-Forwarded-For": f"192.0.2.{number}"}
        )
    assert TOO_MANY in text_of(Client().post(URL, RIGHT))


def test_a_proxys_word_counts_where_it_is_trusted(person: User, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(20):
        Client().post(URL, WRONG | {"login": f"g{number}@example.com"}, headers={"X-Forwarded-For": "192.0.2.1"})
    assert TOO_MANY in text_of(Client().post(URL, RIGHT, headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}))
    assert Client().post(URL, RIGHT, headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.9"}).status_code == 302


def test_the_page_for_too_many_requests_is_the_portals(client: Client, person: User) -> None:
    for _ in range(60):
        client.post(URL, {})
    response = client.post(URL, RIGHT)
    assert response.status_code == 429
    assert "Wait 5 minutes, go back and try again." in text_of(response)
    assert b"plain-main" in response.content
