"""/account/logout/: asked for first, then out."""

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.conftest import text_of

URL = "/account/logout/"


def signed_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


@pytest.mark.feature("AUTH-12")
def test_it_signs_out(operator: Client) -> None:
    # given somebody who is in
    before = operator.cookies["sessionid"].value
    assert signed_in(operator)
    # when the button is pressed
    response = operator.post(URL)
    # then the sign-in page follows, and the old session is worth nothing
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    assert not signed_in(operator)
    operator.cookies["sessionid"] = before
    assert not signed_in(operator)


def test_it_asks_first(operator: Client) -> None:
    # a link or a picture elsewhere must not sign anybody out
    page = operator.get(URL)
    assert "End your session on this device?" in text_of(page)
    assert 'method="post" action="/account/logout/"' in page.content.decode()
    assert signed_in(operator)


@pytest.mark.feature("AUTH-12")
def test_it_is_a_button_on_every_page(operator: Client) -> None:
    for url in ("/account/", "/vms/", "/snapshots/", "/activity/"):
        assert 'method="post" action="/account/logout/"' in operator.get(url).content.decode()


def test_it_is_harmless_when_sent_twice(operator: Client) -> None:
    operator.post(URL)
    assert operator.post(URL)["Location"] == "/account/login/"
    assert operator.get(URL)["Location"] == "/account/login/"


def test_it_leaves_the_persons_other_browsers_alone(operator: Client, sign_in: object) -> None:
    other = sign_in("operator")  # type: ignore[operator]
    operator.post(URL)
    assert signed_in(other)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_it_goes_to_no_other_host(operator: Client, target: str) -> None:
    assert operator.post(URL, {"next": target})["Location"] == "/account/login/"


def test_it_needs_the_forms_own_secret(operator: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = operator.cookies
    assert browser.post(URL).status_code == 403
    assert signed_in(operator)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(operator: Client, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert signed_in(operator)


def test_it_needs_no_answer_of_the_api(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "hang", times=None)
    assert operator.post(URL).status_code == 302
    assert sandbox.log.calls() == []
