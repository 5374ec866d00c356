"""/account/members/<id>/deactivate/ and /activate/: out at once, and in again."""

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from apps.account.models import User
from tests.apps.account.people import events, may_read, sign_in
from tests.conftest import HTMX, text_of

MEMBERS = "/account/members/"
PASSWORD = "barrack-test-1"


def url_of(person: User, what: str = "deactivate") -> str:
    return f"{MEMBERS}{person.pk}/{what}/"


@pytest.fixture
def vera(make_user: Any) -> User:
    found: User = make_user("viewer", name="Vera")
    return found


def test_it_ends_every_session_at_once(admin: Client, vera: User) -> None:
    # given somebody signed in to two browsers
    browsers = [sign_in("viewer@example.com", PASSWORD) for _ in range(2)]
    assert all(may_read(browser) for browser in browsers)
    # when an admin opens the step, it says what it means; when it is sent
    assert "is signed out everywhere at once" in text_of(admin.get(url_of(vera)))
    response = admin.post(url_of(vera), {"intent": "deactivate"}, follow=True)
    # then they are out, in the middle of whatever they did
    assert "viewer@example.com is deactivated and signed out." in text_of(response)
    assert not any(may_read(browser) for browser in browsers)
    assert UserSession.objects.filter(user=vera).count() == 0
    # and cannot come in again
    again = sign_in("viewer@example.com", PASSWORD)
    assert not may_read(again)
    assert events("member.deactivate") == [("member.deactivate", "viewer@example.com", "done")]
    # and nobody else is out
    assert may_read(admin)


def test_it_revives_no_old_session(admin: Client, vera: User) -> None:
    browser = sign_in("viewer@example.com", PASSWORD)
    key = browser.cookies["sessionid"].value
    admin.post(url_of(vera), {"intent": "deactivate"})
    assert not Session.objects.filter(session_key=key).exists()
    # when the account is switched on again, the old cookie opens nothing, and the password does
    assert "can sign in again, with the role viewer" in text_of(admin.get(url_of(vera, "activate")))
    response = admin.post(url_of(vera, "activate"), {"intent": "activate"}, headers=HTMX)
    assert "viewer@example.com can sign in again." in text_of(response)
    browser.cookies["sessionid"] = key
    assert not may_read(browser)
    assert may_read(sign_in("viewer@example.com", PASSWORD))
    assert events("member.activate") == [("member.activate", "viewer@example.com", "done")]


@pytest.mark.parametrize("what", ["deactivate", "activate"])
def test_it_does_nothing_without_the_buttons_intent(admin: Client, vera: User, what: str) -> None:
    assert admin.post(url_of(vera, what)).status_code == 200
    assert admin.post(url_of(vera, what), {"intent": "other"}).status_code == 200
    assert User.objects.get(pk=vera.pk).is_active
    assert events() == []


@pytest.mark.parametrize(("what", "is_active"), [("deactivate", False), ("activate", True)])
def test_it_says_when_it_is_so_already(admin: Client, vera: User, what: str, is_active: bool) -> None:
    User.objects.filter(pk=vera.pk).update(is_active=is_active)
    response = admin.post(url_of(vera, what), {"intent": what})
    assert response.status_code == 409
    assert "Somebody else has done it in the meantime. Nothing was changed now." in text_of(response)
    assert events() == []


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_is_not_for_oneself(admin: Client, make_user: Any, second: bool, headers: dict[str, str]) -> None:
    # given an admin, alone or not
    me = User.objects.get()
    if second:
        make_user("admin", email="second@example.com")
    assert "Another admin can do it." in text_of(admin.get(url_of(me)))
    response = admin.post(url_of(me), {"intent": "deactivate"}, headers=headers)
    assert response.status_code == 409
    assert "Nobody can deactivate their own account." in text_of(response)
    assert User.objects.get(pk=me.pk).is_active
    assert may_read(admin)


def test_it_switches_another_admin_off(admin: Client, make_user: Any) -> None:
    second = make_user("admin", email="second@example.com")
    assert admin.post(url_of(second), {"intent": "deactivate"}).status_code == 302
    assert not User.objects.get(pk=second.pk).is_active


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
@pytest.mark.parametrize("what", ["deactivate", "activate"])
def test_it_is_for_admins(admin: Client, make_user: Any, role: str, what: str) -> None:
    person = make_user("viewer", email="third@example.com", is_active=what == "deactivate")
    make_user(role)
    browser = sign_in(f"{role}@example.com", PASSWORD)
    assert browser.post(url_of(person, what), {"intent": what}).status_code == 403
    assert User.objects.get(pk=person.pk).is_active is (what == "deactivate")
    assert events("member.deactivate", "member.activate") == []


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_it_refuses_other_methods(admin: Client, vera: User, method: str) -> None:
    for what in ("activate", "deactivate"):
        assert getattr(admin, method)(url_of(vera, what)).status_code == 405
