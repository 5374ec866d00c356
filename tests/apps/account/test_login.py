"""/account/login/: in by email and password, throttled, and back to the page one came from."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.account.demo import PASSWORD, create_accounts
from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import code_in, signed_in
from tests.apps.account.second_factors import code_of, set_up_app
from tests.conftest import HTMX, text_of

URL = "/account/login/"
RIGHT = {"login": "operator@example.com", "password": "barrack-test-1"}
WRONG = RIGHT | {"password": "barrack-test-2"}


@pytest.fixture
def person(sandbox: Sandbox, make_user: Any) -> User:
    return make_user("operator")


# --- works


@pytest.mark.feature("AUTH-01")
def test_it_signs_in_with_email_and_password(client: Client, person: User) -> None:
    # given a visitor
    assert not signed_in(client)
    # when email and password are right
    response = client.post(URL, RIGHT)
    # then the start page follows, as that person
    assert (response.status_code, response["Location"]) == (302, "/")
    assert "operator@example.com" in text_of(client.get("/account/"))


@pytest.mark.parametrize("login", ["OPERATOR@EXAMPLE.COM", "Operator@example.com", " operator@example.com "])
def test_it_takes_the_address_in_any_case(client: Client, person: User, login: str) -> None:
    client.post(URL, RIGHT | {"login": login})
    assert signed_in(client)


def test_it_shows_a_form_without_the_shell(client: Client, person: User) -> None:
    page = client.get(URL)
    words = text_of(page)
    assert "Email address" in words
    assert "Password" in words
    assert b'class="topbar"' not in page.content
    assert b'type="password"' in page.content
    assert "no-store" in page["Cache-Control"]


def test_it_sends_somebody_who_is_in_already_to_the_start_page(operator: Client) -> None:
    response = operator.get(URL)
    assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.feature("AUTH-07")
def test_it_remembers_for_seven_days_only_who_asks_for_it(person: User) -> None:
    # given two browsers, one with "Remember me"
    with_it, without = Client(), Client()
    with_it.post(URL, RIGHT | {"remember": "on"})
    without.post(URL, RIGHT)
    # then the one cookie lasts seven days, the other ends with the browser; neither is for scripts
    assert with_it.cookies["sessionid"]["max-age"] == 7 * 24 * 3600
    assert without.cookies["sessionid"]["max-age"] == ""
    assert without.cookies["sessionid"]["httponly"]
    assert without.cookies["sessionid"]["samesite"] == "Lax"
    assert "Remember me" in text_of(Client().get(URL))


def test_it_starts_a_new_session(client: Client, person: User) -> None:
    # given a session from before, which somebody else may know
    client.post(URL, WRONG)
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sessionid"] = before = str(session.session_key)
    # when the person signs in, then the session has another key
    client.post(URL, RIGHT)
    assert client.cookies["sessionid"].value != before
    assert signed_in(client)


# --- wrong


@pytest.mark.parametrize(
    "data",
    [
        WRONG,
        RIGHT | {"login": "nobody@example.com"},
        RIGHT | {"password": "BARRACK-TEST-1"},
        RIGHT | {"password": "x" * 5000},
    ],
)
def test_it_does_not_tell_which_of_the_two_is_wrong(client: Client, person: User, data: dict[str, str]) -> None:
    response = client.post(URL, data)
    assert response.status_code == 422
    assert "The email address and/or password you specified are not correct." in text_of(response)
    assert f'value="{data["login"]}"' in response.content.decode()
    assert data["password"] not in response.content.decode()
    assert not signed_in(client)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"login": "", "password": ""},
        {"login": "no address", "password": "x"},
        {"login": "\x00@a.b", "password": "x"},
    ],
)
def test_it_says_what_is_missing(client: Client, person: User, data: dict[str, str]) -> None:
    response = client.post(URL, data)
    assert response.status_code == 422
    assert 'class="field-error"' in response.content.decode()
    assert not signed_in(client)


def test_it_leads_somebody_who_is_switched_off_to_a_page_that_says_so(client: Client, person: User) -> None:
    User.objects.update(is_active=False)
    response = client.post(URL, RIGHT)
    assert (response.status_code, response["Location"]) == (302, "/account/inactive/")
    assert "This account is deactivated" in text_of(client.get("/account/inactive/"))
    assert not signed_in(client)


def test_it_does_not_tell_a_guesser_that_an_account_is_switched_off(
    client: Client, person: User, make_user: Any
) -> None:
    User.objects.update(is_active=False)
    make_user("viewer")
    assert "are not correct" in text_of(client.post(URL, WRONG))


def test_it_ends_the_session_of_somebody_who_is_switched_off(operator: Client) -> None:
    assert signed_in(operator)
    User.objects.update(is_active=False)
    assert not signed_in(operator)


def test_it_refuses_somebody_without_a_password(client: Client, person: User) -> None:
    person.set_unusable_password()
    person.save()
    client.post(URL, RIGHT | {"password": person.password})
    assert not signed_in(client)


# --- throttled


def test_it_is_throttled_after_repeated_failures(client: Client, person: User) -> None:
    # given five wrong passwords
    for _ in range(5):
        assert "are not correct" in text_of(client.post(URL, WRONG))
    # when the right one comes, from another browser too, then it is too late
    for browser in (client, Client()):
        assert "Too many failed attempts" in text_of(browser.post(URL, RIGHT))
        assert not signed_in(browser)
    # and when the time is over, it counts again
    cache.clear()
    client.post(URL, RIGHT)
    assert signed_in(client)


def test_it_throttles_one_person_and_not_the_other(client: Client, person: User, make_user: Any) -> None:
    make_user("viewer")
    for _ in range(6):
        client.post(URL, WRONG)
    client.post(URL, RIGHT | {"login": "viewer@example.com"})
    assert signed_in(client)


# --- where to


@pytest.mark.parametrize("target", ["/vms/?q=a&sort=name", "/activity/", "/snapshots/BRK-123456S/restore/"])
def test_it_goes_back_to_the_page_one_came_from(client: Client, person: User, target: str) -> None:
    # given a visitor who was sent here from a page
    sent = client.get(target)
    assert sent["Location"].startswith("/account/login/?next=")
    # when the form is opened, fails once, and then succeeds
    page = client.get(sent["Location"]).content.decode()
    shown = target.replace("&", "&amp;")
    assert f'name="next" value="{shown}"' in page
    failed = client.post(URL, WRONG | {"next": target})
    assert f'name="next" value="{shown}"' in failed.content.decode()
    assert client.post(URL, RIGHT | {"next": target})["Location"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "\t//evil.example",
    ],
)
def test_it_goes_to_no_other_host(person: User, target: str) -> None:
    for send in ({"data": RIGHT | {"next": target}}, {"data": RIGHT, "query_params": {"next": target}}):
        browser = Client()
        response = browser.post(URL, **send)
        assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.parametrize(("target", "where"), [("/vms/?q=a", "/vms/?q=a"), ("https://evil.example/", "/")])
@pytest.mark.parametrize("way", ["password", "code"])
def test_it_asks_for_the_second_factor_on_every_way_in(
    operator: Client, way: str, target: str, where: str, mailoutbox: Any
) -> None:
    # given somebody with an authenticator app
    secret, browser = set_up_app(operator), Client()
    # when the first step is done, by password or by code
    if way == "password":
        response = browser.post(URL, RIGHT | {"next": target})
    else:
        browser.post(f"{URL}code/", {"email": RIGHT["login"], "next": target})
        response = browser.post(f"{URL}code/confirm/", {"code": code_in(mailoutbox[-1]), "next": target})
    # then one is not in before the second, and goes to no other host after it
    assert response["Location"] == "/account/mfa/authenticate/"
    assert not signed_in(browser)
    response = browser.post("/account/mfa/authenticate/", {"code": code_of(secret), "next": target})
    assert response["Location"] == where
    assert signed_in(browser)


# --- demo accounts


def test_it_offers_each_demo_account_as_one_button(person: User) -> None:
    # given the sandbox with its accounts
    create_accounts()
    page = Client().get(URL, {"next": "/vms/"})
    words = text_of(page)
    assert "They exist in this sandbox only; the password of each is barrack-demo" in words
    order = [words.index(f"{role}@example.com") for role in ("admin", "operator", "billing", "viewer")]
    assert order == sorted(order)
    # when one is pressed, then one is in, and where one wanted to go
    for role in ("admin", "operator", "billing", "viewer"):
        browser, email = Client(), f"{role}@example.com"
        assert f'name="login" value="{email}"' in page.content.decode()
        response = browser.post(URL, {"login": email, "password": PASSWORD, "next": "/vms/"})
        assert response["Location"] == "/vms/"
        assert f"Role {role.capitalize()}" in text_of(browser.get("/account/"))


def test_it_offers_no_demo_account_that_is_switched_off_or_that_is_no_demo(client: Client, person: User) -> None:
    create_accounts()
    User.objects.filter(role="admin").update(is_active=False)
    User.objects.filter(role="billing").update(is_demo=False)
    words = text_of(client.get(URL))
    assert "viewer@example.com" in words
    assert "admin@example.com" not in words
    assert "billing@example.com" not in words


def test_it_offers_no_demo_account_outside_the_sandbox(client: Client, person: User, settings: Any) -> None:
    create_accounts()
    settings.SANDBOX = False
    page = client.get(URL)
    assert "Demo accounts" not in text_of(page)
    assert PASSWORD not in page.content.decode()
    assert "Sandbox" not in text_of(page)


# --- what there is not


def test_it_needs_the_forms_own_secret(person: User) -> None:
    # given a browser that checks for forged forms, as all do outside the tests
    browser = Client(enforce_csrf_checks=True)
    response = browser.post(URL, RIGHT)
    assert response.status_code == 403
    assert "This form is no longer valid" in text_of(response)
    assert not signed_in(browser)


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_it_refuses_other_methods(client: Client, db: None, method: str) -> None:
    assert getattr(client, method)(URL).status_code == 405


def test_it_needs_no_answer_of_the_api(client: Client, person: User, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "hang", times=None)
    assert client.get(URL).status_code == 200
    assert client.post(URL, RIGHT).status_code == 302
    assert sandbox.log.calls() == []


def test_it_is_a_whole_page_when_a_poll_finds_the_session_over(client: Client, db: None) -> None:
    headers = HTMX | {"HX-Current-URL": "http://testserver/vms/?q=a"}
    response = client.get("/vms/?q=a", headers=headers)
    assert (response.status_code, response["HX-Redirect"]) == (200, "/account/login/?next=%2Fvms%2F%3Fq%3Da")
    # and another site's address is not followed
    evil = client.get("/vms/", headers=HTMX | {"HX-Current-URL": "http://testserver//evil.example/"})
    assert evil["HX-Redirect"] == "/account/login/?next=%2F"
