"""/account/members/<id>/role/ and /second-factor/: changed by an admin; the last active admin stays one."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from apps.account.models import User
from apps.activity.models import Event
from tests.apps.account.people import events, may_read
from tests.apps.activity.helpers import at_once
from tests.conftest import HTMX, text_of

MEMBERS = "/account/members/"


def url_of(person: User, what: str = "role") -> str:
    return f"{MEMBERS}{person.pk}/{what}/"


def role_of(person: User) -> str:
    return str(User.objects.values_list("role", flat=True).get(pk=person.pk))


@pytest.fixture
def vera(make_user: Any) -> User:
    found: User = make_user("viewer", name="Vera")
    return found


# --- works


@pytest.mark.parametrize("role", ["billing", "operator", "admin"])
def test_it_changes_the_role(admin: Client, vera: User, sign_in: Any, role: str) -> None:
    # given somebody who is signed in
    browser = sign_in("viewer")
    assert browser.get("/account/").status_code == 200
    page = text_of(admin.get(url_of(vera)))
    assert "viewer@example.com has the role viewer now." in page
    # when an admin gives another role
    response = admin.post(url_of(vera), {"role": role, "intent": "role"}, follow=True)
    assert f"viewer@example.com has the role {role} now." in text_of(response)
    # then it counts at the next click, without a new sign-in
    assert f"Role: {role.capitalize()}" in text_of(browser.get("/account/"))
    # and it is written down once, with both roles
    event = Event.objects.get(action="member.role")
    assert (event.who, event.target_name, event.name) == (
        "admin@example.com",
        "viewer@example.com",
        f"Viewer → {role.capitalize()}",
    )


def test_it_works_in_a_dialog(admin: Client, vera: User) -> None:
    assert b"<html" not in admin.get(url_of(vera), headers=HTMX).content
    response = admin.post(url_of(vera), {"role": "operator", "intent": "role"}, headers=HTMX)
    assert "members:changed" in response["HX-Trigger"]
    assert "viewer@example.com has the role operator now." in text_of(response)


# --- bad input


@pytest.mark.parametrize(
    ("role", "sentence"),
    [("", "Choose a role."), ("root", "There is no such role."), ("viewer", "has this role already. Nothing was")],
)
def test_it_refuses_other_roles(admin: Client, vera: User, role: str, sentence: str) -> None:
    response = admin.post(url_of(vera), {"role": role, "intent": "role"})
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert (role_of(vera), events()) == ("viewer", [])


def test_it_needs_the_buttons_own_intent(admin: Client, vera: User) -> None:
    assert admin.post(url_of(vera), {"role": "admin"}).status_code == 200
    assert (role_of(vera), events()) == ("viewer", [])


# --- the last admin


@pytest.mark.parametrize("others", [[], [{"role": "operator"}], [{"role": "admin", "is_active": False}]])
def test_it_keeps_the_last_active_admin(admin: Client, make_user: Any, others: list[dict[str, Any]]) -> None:
    # given one active admin, and others who are none
    me = User.objects.get()
    for number, fields in enumerate(others):
        make_user(fields.pop("role"), email=f"{number}@example.com", **fields)
    # when they take their own role away
    for headers in ({}, HTMX):
        response = admin.post(url_of(me), {"role": "viewer", "intent": "role"}, headers=headers)
        # then it is refused, in words and in the trail
        assert response.status_code == 409
        assert "This is the last active admin. Make somebody else an admin first" in text_of(response)
    assert role_of(me) == "admin"
    assert events() == [("member.role", "admin@example.com", "refused")] * 2


@pytest.mark.parametrize("headers", [{}, HTMX | {"HX-Current-URL": "http://testserver/account/members/1/"}])
def test_it_lets_an_admin_step_down_while_there_is_another(
    admin: Client, make_user: Any, headers: dict[str, str]
) -> None:
    me = User.objects.get()
    make_user("admin", email="second@example.com")
    assert "It is your own role" in text_of(admin.get(url_of(me)))
    response = admin.post(url_of(me), {"role": "viewer", "intent": "role"}, headers=headers)
    # then they are led to a page that they may still see
    assert response.get("Location", response.get("HX-Redirect")) == "/account/"
    assert role_of(me) == "viewer"
    assert admin.get(MEMBERS).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("what", "intent"), [({"role": "viewer", "intent": "role"}, "role"), ({"intent": "deactivate"}, "deactivate")]
)
def test_two_admins_cannot_shut_each_other_out(
    admin: Client, make_user: Any, what: dict[str, str], intent: str
) -> None:
    # given two admins, and no third
    first, second = User.objects.get(), make_user("admin", email="second@example.com")
    other = Client()
    other.force_login(second, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert may_read(admin)
    assert may_read(other)
    # when each takes the other's role away, or switches the other off, at the same moment
    answers = at_once(
        lambda: admin.post(url_of(second, intent), what).status_code,
        lambda: other.post(url_of(first, intent), what).status_code,
    )
    # then one of them has done it, the other was too late, and one admin is left
    assert 302 in answers
    assert User.objects.filter(role="admin", is_active=True).count() == 1
    assert len([row for row in events() if row[2] == "done"]) == 1


def test_it_asks_again_whether_one_is_an_admin_when_it_is_ones_turn(
    admin: Client, make_user: Any, vera: User, monkeypatch: Any
) -> None:
    # given an admin whose role is taken away after the page has checked it
    from apps.account import members

    real = members._change

    def late(*args: Any) -> Any:
        User.objects.filter(email="admin@example.com").update(role="viewer")
        return real(*args)

    make_user("admin", email="second@example.com")
    monkeypatch.setattr(members, "_change", late)
    response = admin.post(url_of(vera), {"role": "admin", "intent": "role"})
    assert response.status_code == 403
    assert "Only an admin can manage members" in text_of(response)
    assert (role_of(vera), events()) == ("viewer", [])


# --- second factor


@pytest.fixture
def factors(vera: User) -> None:
    for kind in ("totp", "webauthn", "recovery_codes"):
        Authenticator.objects.create(user=vera, type=kind, data={})


def test_it_takes_away_a_lost_second_factor(admin: Client, vera: User, factors: None) -> None:
    url = url_of(vera, "second-factor")
    assert "until a new one is set up, the password alone lets in" in text_of(admin.get(url))
    assert admin.post(url).status_code == 200
    assert Authenticator.objects.count() == 3
    response = admin.post(url, {"intent": "reset"}, follow=True)
    assert "viewer@example.com has no second factor now." in text_of(response)
    assert Authenticator.objects.count() == 0
    assert events() == [("second_factor.reset", "viewer@example.com", "done")]
    assert [message.to for message in mail.outbox] == [["viewer@example.com"]]
    # twice is once
    again = admin.post(url, {"intent": "reset"})
    assert again.status_code == 409
    assert "viewer@example.com has no second factor." in text_of(again)
    assert len(events()) == 1


def test_it_is_not_the_way_to_remove_ones_own(admin: Client) -> None:
    # given an admin whose browser stands open: their own factor goes only where the password is asked for again
    me = User.objects.get(role="admin")
    Authenticator.objects.create(user=me, type="totp", data={})
    url = url_of(me, "second-factor")
    assert "This is your own account" in text_of(admin.get(url))
    response = admin.post(url, {"intent": "reset"})
    assert response.status_code == 409
    assert "This is your own account" in text_of(response)
    assert (Authenticator.objects.count(), events()) == (1, [])


# --- who may


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
@pytest.mark.usefixtures("factors")
def test_it_is_for_admins(admin: Client, sign_in: Any, vera: User, role: str) -> None:
    browser = sign_in(role)
    assert browser.post(url_of(vera), {"role": "admin", "intent": "role"}).status_code == 403
    assert browser.post(url_of(vera, "second-factor"), {"intent": "reset"}).status_code == 403
    assert (role_of(vera), events(), Authenticator.objects.count()) == ("viewer", [], 3)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_it_refuses_other_methods(admin: Client, vera: User, method: str) -> None:
    for what in ("role", "second-factor"):
        assert getattr(admin, method)(url_of(vera, what)).status_code == 405
