"""Nobody learns here who has an account: each page is the same for every address, to the byte."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import same_but_for

KNOWN, UNKNOWN, INACTIVE, UNPROVED = (
    "knows@corp.example",
    "nobod@corp.example",
    "gone1@corp.example",
    "fresh@corp.example",
)
ASK, TYPE = "/account/login/code/", "/account/login/code/confirm/"
Steps = Callable[[Client, str], list[HttpResponse]]


@pytest.fixture
def people(sandbox: Sandbox, make_user: Any) -> None:
    make_user("operator", email=KNOWN)
    make_user("operator", email=INACTIVE, is_active=False)
    make_user("operator", email=UNPROVED).emailaddress_set.update(verified=False)


def sign_in(browser: Client, email: str) -> list[HttpResponse]:
    data = {"login": email, "password": "wrong-wrong-wrong", "next": "/vms/"}
    return [browser.get("/account/login/"), *[browser.post("/account/login/", data) for _ in range(7)]]


def recover(browser: Client, email: str) -> list[HttpResponse]:
    url = "/account/password/reset/"
    return [*[browser.post(url, {"email": email}) for _ in range(6)], browser.get(f"{url}done/"), browser.get(url)]


def ask_for_a_code(browser: Client, email: str) -> list[HttpResponse]:
    data = {"email": email, "next": "/vms/"}
    return [response for _ in range(6) for response in (browser.post(ASK, data), browser.get(TYPE, {"next": "/vms/"}))]


def guess_a_code(browser: Client, email: str) -> list[HttpResponse]:
    answers = []
    for _ in range(2):
        answers.append(browser.post(ASK, {"email": email}))
        # Not six digits, so that no guess is right by chance.
        answers += [browser.post(TYPE, {"code": "12345"}) for _ in range(3)]
        answers.append(browser.get(ASK))
    return [*answers, browser.get(TYPE), browser.get("/account/login/")]


@pytest.mark.parametrize("steps", [sign_in, recover, ask_for_a_code, guess_a_code])
@pytest.mark.parametrize("other", [UNKNOWN, INACTIVE, UNPROVED])
def test_every_address_is_answered_the_same(people: None, steps: Steps, other: str) -> None:
    # given one browser for an address with an account, and one for another address
    expected = [same_but_for(answer, KNOWN) for answer in steps(Client(REMOTE_ADDR="192.0.2.1"), KNOWN)]
    found = [same_but_for(answer, other) for answer in steps(Client(REMOTE_ADDR="192.0.2.2"), other)]
    # then status, page, headers and cookies are the same at every step
    assert found == expected
    # and the steps are real ones: forms are shown, and limits are reached
    assert len(expected) > 6
    assert {status for status, *_ in expected} & {422, 429}


@pytest.mark.parametrize("other", [UNKNOWN, INACTIVE, UNPROVED])
def test_signing_up_tells_nothing(people: None, settings: Any, other: str) -> None:
    settings.SIGNUP_DOMAINS = ["corp.example"]
    answers = {}
    for email in (KNOWN, other):
        browser = Client()
        data = {"name": "Nina", "email": email, "password1": "three-blind-mice"}
        steps = [browser.post("/account/signup/", data), browser.get("/account/confirm-email/")]
        answers[email] = [same_but_for(answer, email) for answer in steps]
    assert answers[KNOWN] == answers[other]
    assert User.objects.filter(email=KNOWN).count() == 1


def test_no_json_is_answered_either(people: None) -> None:
    for headers in ({"Accept": "application/json"}, {"X-Requested-With": "XMLHttpRequest"}):
        response = Client().post("/account/login/", {"login": KNOWN, "password": "wrong-wrong"}, headers=headers)
        assert response["Content-Type"].startswith("text/html")
        assert b"wrong-wrong" not in response.content
