"""/account/sessions/: where one is signed in; ending one, or all others."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client

from apps.account.devices import device_words
from apps.account.models import User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.people import events, may_read
from tests.conftest import text_of

URL = "/account/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 "
    "Edg/140.0.0.0"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"
)


def browser_of(person: str, agent: str = "", address: str = "") -> Client:
    extra = {"user-agent": agent} if agent else {}
    browser = Client(headers=extra, **({"REMOTE_ADDR": address} if address else {}))
    browser.post("/account/login/", {"login": f"{person}@example.com", "password": "barrack-test-1"})
    return browser


@pytest.fixture
def mine(sandbox: Sandbox, make_user: Any) -> list[Client]:
    """Three browsers of one person."""
    make_user("viewer")
    make_user("operator")
    agents = [(FIREFOX, "192.0.2.1"), (IPHONE, "192.0.2.2"), (EDGE, "2001:db8::3")]
    return [browser_of("viewer", agent, address) for agent, address in agents]


# --- the list


def test_it_shows_each_with_device_and_address(mine: list[Client]) -> None:
    page = mine[0].get(URL)
    words = text_of(page)
    assert "My sessions 3" in words
    assert "Firefox on Linux This one 192.0.2.1" in words
    assert "Safari on iPhone 192.0.2.2" in words
    assert "Edge on Windows 2001:db8::3" in words
    assert words.count("This one") == 1
    # and the one at hand stands first, whichever is looked from
    other = text_of(mine[2].get(URL))
    assert other.index("Edge on Windows This one") < other.index("Firefox on Linux")


def test_it_shows_nobody_elses(mine: list[Client]) -> None:
    words = text_of(browser_of("operator", ANDROID, "192.0.2.9").get(URL))
    assert "My sessions 1" in words
    assert "Chrome on Android This one 192.0.2.9" in words


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        (ANDROID, "Chrome on Android"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/18 Safari/605.1",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1 CriOS/140 Safari/604.1", "Chrome on iPad"),
        ("Mozilla/5.0 (X11; CrOS x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome on ChromeOS"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 OPR/120", "Opera on Windows"),
        ("curl/8.9.1", "curl"),
        ("Mozilla/5.0 (Windows NT 10.0)", "A browser on Windows"),
        ("", "Unknown browser"),
        ("Mozilla/5.0", "Unknown browser"),
        ("x" * 500, "x" * 30),
    ],
)
def test_it_knows_devices(agent: str, words: str) -> None:
    assert device_words(agent) == words


def test_it_shows_the_device_as_text(sandbox: Sandbox, make_user: Any) -> None:
    make_user("viewer")
    page = browser_of("viewer", "<b>bold</b>").get(URL).content.decode()
    assert "<b>bold" not in page


def test_it_lists_a_browser_in_which_one_came_in_otherwise(viewer: Client) -> None:
    # given a session that django-allauth's sign-in did not make
    assert UserSession.objects.count() == 0
    assert "My sessions 1" in text_of(viewer.get(URL))


def test_it_does_not_list_what_has_ended(mine: list[Client]) -> None:
    mine[1].post("/account/logout/")
    rows = UserSession.objects.order_by("pk")
    rows.filter(ip="2001:db8::3").update(last_seen_at=clock.now() - timedelta(hours=13))
    words = text_of(mine[0].get(URL))
    assert "My sessions 1" in words
    assert "iPhone" not in words
    assert "Edge" not in words


# --- ending


def test_it_ends_one(mine: list[Client]) -> None:
    row = UserSession.objects.get(ip="192.0.2.2")
    response = mine[0].post(f"{URL}{row.pk}/end/", follow=True)
    assert response.redirect_chain == [(URL, 302)]
    assert "The session “Safari on iPhone” is ended." in text_of(response)
    assert [may_read(browser) for browser in mine] == [True, False, True]
    assert events("session.end") == [("session.end", "Safari on iPhone, 192.0.2.2", "done")]
    # twice is once
    assert mine[0].post(f"{URL}{row.pk}/end/").status_code == 404
    assert len(events("session.end")) == 1


def test_it_ends_all_others(mine: list[Client]) -> None:
    stranger = browser_of("operator")
    response = mine[0].post(f"{URL}end-others/", follow=True)
    assert "2 other sessions ended." in text_of(response)
    assert [may_read(browser) for browser in (*mine, stranger)] == [True, False, False, True]
    assert events("session.end_others") == [("session.end_others", "viewer@example.com", "done")]
    # then there is nothing left to end
    assert "End all others" not in text_of(mine[0].get(URL))


def test_ending_the_one_at_hand_is_signing_out(mine: list[Client]) -> None:
    row = UserSession.objects.get(ip="192.0.2.1")
    response = mine[0].post(f"{URL}{row.pk}/end/")
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    assert [may_read(browser) for browser in mine] == [False, True, True]
    assert events("session.end") == []


def test_it_ends_nobody_elses(mine: list[Client]) -> None:
    stranger = browser_of("operator")
    for row in UserSession.objects.exclude(user__email="operator@example.com"):
        assert stranger.post(f"{URL}{row.pk}/end/").status_code == 404
    assert all(may_read(browser) for browser in mine)
    assert events("session.end") == []


@pytest.mark.parametrize("path", ["1/end/", "end-others/"])
@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_it_ends_nothing_by_a_link(mine: list[Client], path: str, method: str) -> None:
    assert getattr(mine[0], method)(f"{URL}{path}").status_code == 405
    assert all(may_read(browser) for browser in mine)


def test_it_needs_the_forms_own_secret(sandbox: Sandbox, make_user: Any) -> None:
    person: User = make_user("viewer")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.post(f"{URL}end-others/").status_code == 403


def test_it_is_found_from_the_account_menu(viewer: Client) -> None:
    assert f'href="{URL}"' in viewer.get("/account/").content.decode()
