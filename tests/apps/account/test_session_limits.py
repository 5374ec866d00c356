"""When a sign-in ends by itself, what counts as use, and the way back."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.account.models import User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.people import may_read
from tests.conftest import HTMX, text_of

POLL = HTMX | {"X-Poll": "1"}
LIST = "/snapshots/?q=a&sort=name"
BACK = "/account/login/?next=/snapshots/%3Fq%3Da%26sort%3Dname"
RIGHT = {"login": "viewer@example.com", "password": "barrack-test-1"}


@pytest.fixture
def browser(sandbox: Sandbox, make_user: Any) -> Client:
    """Somebody who has just signed in and opened a page."""
    make_user("viewer")
    found = Client()
    found.post("/account/login/", RIGHT | {"remember": "on"})
    assert found.get(LIST).status_code == 200
    return found


def after(**time: float) -> Any:
    return clock.moved(timedelta(**time))


# --- idle


def test_it_ends_after_twelve_hours_without_use(browser: Client) -> None:
    key = browser.cookies["sessionid"].value
    with after(hours=12, minutes=1):
        # when a page is opened, it leads to sign-in, which says why
        response = browser.get(LIST)
        assert (response.status_code, response["Location"]) == (302, BACK)
        page = browser.get(response["Location"])
        assert "You were signed out, since nothing was done here for 12 hours." in text_of(page)
        # and the session is gone from the server, not only from this browser
        assert not Session.objects.filter(session_key=key).exists()
        assert UserSession.objects.count() == 0
        # and after signing in one is back at the same address
        answer = browser.post("/account/login/", RIGHT | {"next": LIST})
        assert answer["Location"] == LIST
        assert browser.get(LIST).status_code == 200
        # and the sentence is not said again
        browser.post("/account/logout/")
        assert "You were signed out" not in text_of(browser.get("/account/login/"))


def test_it_lasts_while_it_is_used(browser: Client) -> None:
    for hours in range(11, 6 * 24, 11):
        with after(hours=hours):
            assert may_read(browser), hours


def test_it_is_measured_from_the_last_use(browser: Client) -> None:
    with after(hours=11):
        assert may_read(browser)
    with after(hours=22):
        assert may_read(browser)
    with after(hours=34, minutes=1):
        assert not may_read(browser)


def test_polls_do_not_prolong(browser: Client) -> None:
    # given an open page that looks again by itself, hour after hour
    for hours in range(1, 12):
        with after(hours=hours):
            assert browser.get(LIST, headers=POLL).status_code == 200
    # then the sign-in ends all the same, with one redirect of the whole page
    with after(hours=12, minutes=1):
        response = browser.get(LIST, headers=POLL | {"HX-Current-URL": f"http://testserver{LIST}"})
        assert (response.status_code, response.content) == (200, b"")
        assert response["HX-Redirect"] == "/account/login/?next=%2Fsnapshots%2F%3Fq%3Da%26sort%3Dname"
        assert "You were signed out" in text_of(browser.get(response["HX-Redirect"]))


def test_only_a_part_can_be_a_poll(browser: Client) -> None:
    # a page that says it is a poll is a use: nobody's page does that
    with after(hours=11):
        browser.get(LIST, headers={"X-Poll": "1"})
    with after(hours=22):
        assert may_read(browser)


def test_other_parts_are_a_use(browser: Client) -> None:
    with after(hours=11):
        browser.get(LIST, headers=HTMX)
    with after(hours=22):
        assert may_read(browser)


# --- at most


def test_it_ends_after_seven_days_of_use(browser: Client) -> None:
    for hours in range(6, 7 * 24, 6):
        with after(hours=hours):
            assert may_read(browser)
    with after(days=7, minutes=1):
        response = browser.get(LIST)
        assert response["Location"] == BACK
        assert "You were signed out: a sign-in lasts 7 days at most." in text_of(browser.get(BACK))


def test_a_new_sign_in_begins_anew(browser: Client) -> None:
    with after(days=6, hours=23):
        browser.post("/account/login/", RIGHT)
        browser.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    with after(days=7, hours=6):
        assert may_read(browser)


def test_the_limits_are_settings(browser: Client, settings: Any) -> None:
    settings.SESSION_IDLE_SECONDS, settings.SESSION_MOST_SECONDS = 60, 300
    for seconds in (40, 80, 120, 160, 200, 240, 280):
        with after(seconds=seconds):
            assert may_read(browser), seconds
    with after(seconds=301):
        assert not may_read(browser)
        assert "a sign-in lasts 5 minutes at most" in text_of(browser.get("/account/login/"))


def test_a_public_page_ends_it_too(browser: Client) -> None:
    # given somebody over the limit who goes to the sign-in page by themselves: it shows its form
    with after(hours=13):
        assert "Password" in text_of(browser.get("/account/login/"))


@pytest.mark.feature("AUTH-07")
def test_it_ends_with_the_browser_unless_it_was_asked_to_remember(sandbox: Sandbox, make_user: Any) -> None:
    make_user("viewer")
    browser = Client()
    browser.post("/account/login/", RIGHT)
    browser.get(LIST)
    for name in ("sessionid", "person"):
        assert browser.cookies[name]["max-age"] == ""
        assert browser.cookies[name]["httponly"]


# --- what is written


def changed(browser: Client, **headers: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        browser.get("/account/balance/", headers=headers)
    found = [row["sql"] for row in queries.captured_queries]
    return [sql for sql in found if sql.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_it_writes_the_last_use_once_a_minute(browser: Client) -> None:
    first = UserSession.objects.get().last_seen_at
    # within a minute nothing is written
    assert changed(browser) == []
    with after(seconds=59):
        assert changed(browser) == []
    # after it, once
    with after(seconds=61):
        assert changed(browser) != []
        assert changed(browser) == []
    assert UserSession.objects.get().last_seen_at - first > timedelta(seconds=60)


def test_polls_write_nothing(browser: Client) -> None:
    with after(hours=5):
        assert changed(browser, **POLL) == []
        assert changed(browser, **HTMX) != []


def test_it_keeps_address_and_browser_up_to_date(browser: Client) -> None:
    with after(minutes=2):
        browser.get("/account/", headers={"user-agent": "Firefox/1"}, REMOTE_ADDR="192.0.2.7")
    row = UserSession.objects.get()
    assert (row.ip, row.user_agent) == ("192.0.2.7", "Firefox/1")


def test_a_session_ended_a_moment_ago_is_over(browser: Client, monkeypatch: Any) -> None:
    # given a session that another device ends between reading and writing it
    from django.contrib.sessions.backends.db import SessionStore

    real = SessionStore.save

    def late(self: Any, must_create: bool = False) -> None:
        Session.objects.filter(session_key=self.session_key).delete()
        real(self, must_create)

    with after(minutes=2):
        monkeypatch.setattr(SessionStore, "save", late)
        response = browser.get(LIST)
        assert (response.status_code, response["Location"]) == (302, BACK)


def test_a_visitor_without_a_session_costs_no_query(client: Client, db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/healthz").status_code == 200
    assert [row["sql"] for row in queries.captured_queries] == []


# --- the way back


@pytest.mark.parametrize("target", ["/vms/?q=a&sort=name", "/activity/", "/snapshots/BRK-123456S/restore/"])
def test_a_page_leads_back_to_itself(browser: Client, target: str) -> None:
    with after(hours=13):
        sent = browser.get(target)
        page = browser.get(sent["Location"]).content.decode()
        assert f'name="next" value="{target.replace("&", "&amp;")}"' in page
        assert browser.post("/account/login/", RIGHT | {"next": target})["Location"] == target


def test_a_button_leads_back_to_its_page(browser: Client) -> None:
    # given a button of a page, which has no page of its own
    with after(hours=13):
        headers = {"Referer": "http://testserver/account/sessions/?a=b"}
        response = browser.post("/account/sessions/end-others/", headers=headers)
        assert response["Location"] == "/account/login/?next=%2Faccount%2Fsessions%2F%3Fa%3Db"


@pytest.mark.parametrize("referer", ["http://testserver//evil.example/", "http://[x", "nonsense"])
def test_it_leads_to_no_other_site(browser: Client, referer: str) -> None:
    with after(hours=13):
        response = browser.post("/account/sessions/end-others/", headers={"Referer": referer})
        assert response["Location"] == "/account/login/?next=/account/sessions/end-others/"


def test_every_part_of_a_page_gets_the_same_answer(browser: Client) -> None:
    # given three parts of one page that ask at once, each still with the old session
    cookies = browser.cookies.copy()
    headers = POLL | {"HX-Current-URL": "http://testserver/vms/"}
    with after(hours=13):
        for _ in range(3):
            tab = Client()
            tab.cookies = cookies.copy()
            response = tab.get("/vms/", headers=headers)
            assert (response.status_code, response["HX-Redirect"]) == (200, "/account/login/?next=%2Fvms%2F")
