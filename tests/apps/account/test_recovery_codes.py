"""/account/mfa/recovery-codes/…: shown once, to be kept; each signs in once; made anew."""

import re
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from apps.account.models import User
from tests.apps.account.second_factors import (
    CODES,
    GENERATE,
    HOME,
    STEP,
    begin_sign_in,
    codes_of,
    confirm,
    set_up_app,
    signed_in,
)
from tests.conftest import text_of

MAIL = "operator@example.com"


def test_it_comes_with_the_first_factor(operator: Client) -> None:
    assert "You get them with your first app or passkey." in text_of(operator.get(HOME))
    set_up_app(operator)
    words = text_of(operator.get(HOME))
    assert "10 of 10 left." in words
    assert "You have not looked at them yet. Show the codes" in words


def test_it_shows_the_codes_once(operator: Client) -> None:
    set_up_app(operator)
    page = operator.get(CODES)
    codes = codes_of(page)
    assert len(set(codes)) == 10
    assert page["Cache-Control"] == "no-store"
    assert "shown only this once" in text_of(page)
    # and never again
    again = operator.get(CODES)
    assert codes_of(again) == []
    assert not any(code in again.content.decode() for code in codes)
    assert "10 of 10 left." in text_of(again)
    assert "cannot be shown again" in text_of(again)


def test_it_gives_them_as_a_file_and_on_paper(operator: Client) -> None:
    set_up_app(operator)
    page = operator.get(CODES)
    # the file is within the page, so that no second answer with the codes goes over the wire
    link = re.search(r'download="barrack-recovery-codes.txt" href="data:text/plain;charset=utf-8,([^"]+)"',
                     page.content.decode())  # fmt: skip
    assert link
    lines = unquote(link.group(1)).splitlines()
    assert lines[0] == "Recovery codes of operator@example.com for testserver"
    assert lines[2:] == codes_of(page)
    assert "data-print" in page.content.decode()


def test_it_signs_in_once_with_each(operator: Client) -> None:
    set_up_app(operator)
    first, second, *_ = codes_of(operator.get(CODES))
    browser = begin_sign_in(MAIL)
    assert browser.post(STEP, {"code": f"{first[:4]} {first[4:]}"}).status_code == 302
    assert signed_in(browser)
    assert "9 of 10 left." in text_of(browser.get(HOME))
    # the same one again is refused, the next one is not
    browser = begin_sign_in(MAIL)
    assert browser.post(STEP, {"code": first}).status_code == 422
    assert not signed_in(browser)
    assert browser.post(STEP, {"code": second}).status_code == 302


def test_it_says_when_none_is_left(operator: Client) -> None:
    set_up_app(operator)
    for code in codes_of(operator.get(CODES)):
        assert begin_sign_in(MAIL).post(STEP, {"code": code}).status_code == 302
    assert "None left. Make new ones" in text_of(operator.get(HOME))
    assert "0 of 10 left." in text_of(operator.get(CODES))


@pytest.mark.django_db(transaction=True)
def test_it_makes_new_ones(operator: Client) -> None:
    set_up_app(operator)
    old = codes_of(operator.get(CODES))
    mail.outbox.clear()
    # given the page that asks whether one means it, then nothing has happened yet
    assert "The 10 that are left stop working." in text_of(operator.get(GENERATE))
    assert operator.post(GENERATE)["Location"] == CODES
    new = codes_of(operator.get(CODES))
    assert len(new) == 10
    assert not set(old) & set(new)
    assert [sent.to for sent in mail.outbox] == [[MAIL]]
    # and only the new ones sign in
    browser = begin_sign_in(MAIL)
    assert browser.post(STEP, {"code": old[0]}).status_code == 422
    assert browser.post(STEP, {"code": new[0]}).status_code == 302


def test_it_keeps_the_codes_unreadable_in_the_database(operator: Client) -> None:
    set_up_app(operator)
    codes = codes_of(operator.get(CODES))
    data = Authenticator.objects.get(type="recovery_codes").data
    assert not any(code in str(data) for code in codes)
    assert data["seed"].startswith("gAAAA")


def test_it_makes_none_without_a_factor(operator: Client) -> None:
    confirm(operator)
    page = operator.post(GENERATE)
    assert page.status_code == 422
    assert "Set up an app or a passkey first." in text_of(page)
    assert not Authenticator.objects.exists()
    assert operator.get(CODES).status_code == 404


@pytest.mark.parametrize("path", [CODES, GENERATE])
def test_it_asks_for_the_password_first(operator: Client, path: str) -> None:
    set_up_app(operator)
    browser = Client()
    browser.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.get(path)["Location"].startswith("/account/reauthenticate/?next=")
    # and the codes still count as not shown
    assert len(codes_of(operator.get(CODES))) == 10


def test_it_goes_on_with_what_was_asked_after_the_password(operator: Client) -> None:
    # given the form sent by somebody whose password was asked for long ago
    set_up_app(operator)
    old = codes_of(operator.get(CODES))
    browser = Client()
    browser.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    asked = browser.post(GENERATE)["Location"]
    # when the password is typed, then it is done
    response = browser.post(asked, {"password": "barrack-test-1"})
    assert (response.status_code, response["Location"]) == (302, CODES)
    assert not set(old) & set(codes_of(browser.get(CODES)))


def test_it_shows_only_ones_own(operator: Client, viewer: Client) -> None:
    set_up_app(operator)
    confirm(viewer)
    assert viewer.get(CODES).status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("path", [CODES, GENERATE])
def test_it_refuses_other_methods(operator: Client, path: str, method: str) -> None:
    assert getattr(operator, method)(path).status_code == 405


def test_it_is_read_only_at_its_page(operator: Client) -> None:
    assert operator.post(CODES).status_code == 405
