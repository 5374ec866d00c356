"""A sign-in that ends while a page is open: one redirect, no storm of polls, and a form that comes back."""

import re
from collections.abc import Callable

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Request, expect

from apps.account.kept import NOTICE
from tests.browser.conftest import HOME

Open = Callable[..., Page]
RESTORE = "/snapshots/BRK-123456S/restore/"


def sign_in_again(page: Page, role: str = "operator") -> None:
    page.get_by_role("button", name=re.compile(role, re.IGNORECASE)).click()


def test_polls_are_marked_and_stop_with_the_first_redirect(open_page: Open) -> None:
    # given an open list that looks again every second, under a slow way to the sign-in page
    page = open_page("operator")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "hx-request" in request.headers else None)
    page.wait_for_timeout(2500)
    # then each look says that it is a poll, and the last use stays as it was
    assert asked
    assert {request.headers.get("x-poll") for request in asked} == {"1"}
    page.route("**/account/login/**", lambda route: (page.wait_for_timeout(3500), route.continue_()))
    # when the session ends, then one look finds it out, no other follows, and one is before the sign-in page
    Session.objects.all().delete()
    asked.clear()
    page.wait_for_url("**/account/login/?next=**")
    assert len(asked) == 1
    sign_in_again(page)
    page.wait_for_url(HOME)
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


@pytest.mark.parametrize("js", [True, False])
def test_what_was_typed_comes_back(open_page: Open, js: bool) -> None:
    # given somebody who types a name while the sign-in ends
    page = open_page("operator", js=js)
    page.goto(RESTORE)
    field = page.get_by_label("New VM name")
    UserSession.objects.all().delete()
    Session.objects.all().delete()
    field.fill("typed-by-hand")
    if not js:
        page.get_by_role("button", name="Restore Snapshot").click()
    # when they sign in again, then the form is there with what they typed, and nothing was sent
    page.wait_for_url("**/account/login/?next=**")
    sign_in_again(page)
    page.wait_for_url(f"**{RESTORE}")
    expect(page.get_by_text(NOTICE)).to_be_visible()
    expect(page.get_by_label("New VM name")).to_have_value("typed-by-hand")
    page.get_by_role("button", name="Restore Snapshot").click()
    expect(page.get_by_text("VM “typed-by-hand” is being created")).to_be_visible()
