"""/account/members/rules/: the roles that need a second factor, and what stays shut until somebody has one."""

from typing import Any

import pytest
from allauth.core import context
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client, RequestFactory

from apps.account.models import SignInRules, User
from apps.account.second_factor import reset_second_factor
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.second_factors import (
    ACTIVATE,
    ADD,
    CODES,
    DEACTIVATE,
    HOME,
    PASSWORD,
    add_passkey,
    code_of,
    confirm,
    secret_of,
    set_up_app,
    sign_in_with,
    signed_in,
)
from tests.conftest import HTMX, text_of

URL = "/account/members/rules/"


def require(*roles: str) -> None:
    SignInRules(pk=1, second_factor_roles=list(roles)).save()


def edits() -> list[tuple[str, str, str]]:
    found = Event.objects.filter(action="sign_in_rules.edit").order_by("number")
    return [(event.who, event.name, event.result) for event in found]


# --- the admin's page


def test_it_requires_nothing_at_first(admin: Client) -> None:
    page = admin.get(URL)
    assert "checked" not in page.content.decode()
    assert page.content.decode().count('type="checkbox" name="roles"') == 4


def test_it_says_who_has_none_yet(admin: Client, operator: Client, viewer: Client, make_user: Any) -> None:
    set_up_app(operator)
    make_user("viewer", email="second@example.com")
    make_user("viewer", email="gone@example.com", is_active=False)
    words = text_of(admin.get(URL))
    assert "Operator The one member has one" in words
    assert "Viewer 2 of 2 have none yet" in words
    assert "Admin The one member has none yet" in words
    assert "Billing Nobody has this role" in words
    assert "You have none yourself: set up your second factor" in words


def test_it_is_switched_on_and_off(admin: Client) -> None:
    assert admin.post(URL, {"roles": ["operator", "viewer"]})["Location"] == URL
    assert SignInRules.load().second_factor_roles == ["operator", "viewer"]
    page = admin.get(URL)
    assert "Saved. A second factor is required from: Operator, Viewer." in text_of(page)
    assert page.content.decode().count(" checked") == 2
    admin.post(URL, {})
    assert SignInRules.load().second_factor_roles == []
    # each change is one event, and says what was chosen
    assert edits() == [("admin@example.com", "Operator, Viewer", "done"), ("admin@example.com", "no role", "done")]


def test_it_does_not_let_admins_shut_themselves_out(admin: Client) -> None:
    # given an admin without a second factor
    page = admin.post(URL, {"roles": ["admin", "viewer"]})
    assert page.status_code == 422
    assert "You have the role Admin and no second factor. Set up your own first" in text_of(page)
    assert page.content.decode().count(" checked") == 2
    assert (SignInRules.load().second_factor_roles, edits()) == ([], [])
    # when it is set up, then the rule can be made
    set_up_app(admin)
    assert admin.post(URL, {"roles": ["admin", "viewer"]}).status_code == 302
    assert admin.get(URL).status_code == 200


@pytest.mark.parametrize("roles", [["root"], ["viewer", "Admin"], [""], ["viewer\0"], ["<b>"]])
def test_it_refuses_a_role_that_does_not_exist(admin: Client, roles: list[str]) -> None:
    page = admin.post(URL, {"roles": roles})
    assert page.status_code == 422
    assert "There is no role called" in text_of(page)
    assert "<b>" not in page.content.decode()
    assert (SignInRules.objects.count(), edits()) == (0, [])


def test_it_may_be_sent_twice(admin: Client) -> None:
    for _ in range(2):
        assert admin.post(URL, {"roles": ["viewer"]}).status_code == 302
    assert SignInRules.objects.count() == 1
    # the second time changes nothing, so nothing is written down
    assert "Nothing was changed." in text_of(admin.get(URL))
    assert edits() == [("admin@example.com", "Viewer", "done")]


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_is_for_admins(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    browser = sign_in(role)
    for response in (browser.get(URL), browser.post(URL, {"roles": ["viewer"]})):
        assert response.status_code == 403
        assert "Only an admin can manage members and sign-in rules" in text_of(response)
    assert (SignInRules.objects.count(), edits()) == (0, [])


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405


def test_it_needs_the_forms_own_secret(admin: Client) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = admin.cookies
    assert browser.post(URL, {"roles": ["viewer"]}).status_code == 403


# --- what is shut until one is set up


@pytest.mark.parametrize("path", ["/", "/snapshots/", "/vms/", "/activity/?q=a", "/account/", "/snapshots/create/"])
@pytest.mark.parametrize("method", ["get", "post", "head", "put"])
def test_it_leads_to_the_set_up(operator: Client, sandbox: Sandbox, path: str, method: str) -> None:
    require("operator")
    response = getattr(operator, method)(path)
    assert (response.status_code, response["Location"]) == (302, HOME)
    assert sandbox.log.calls() == []


def test_it_leads_there_after_sign_in(operator: Client) -> None:
    require("operator")
    browser = Client()
    browser.post("/account/login/", {"login": "operator@example.com", "password": PASSWORD})
    response = browser.get("/", follow=True)
    assert response.redirect_chain[-1] == (HOME, 302)
    words = text_of(response)
    assert "Your role needs a second factor" in words
    assert "everybody with the role Operator" in words
    # on a page with nothing to click that would only lead back
    assert 'aria-label="Main"' not in response.content.decode()
    assert "Sign out" in words


def test_it_sends_no_write(operator: Client, sandbox: Sandbox) -> None:
    require("operator")
    operator.post("/snapshots/BRK-123456S/restore/", {"intent": "restore", "name": "a"})
    operator.post("/account/billing-profile/", {"address_line": "a"})
    assert sandbox.log.calls() == []
    assert not Event.objects.filter(action__in=["snapshot.restore", "billing_profile.edit"]).exists()


def test_it_leads_an_open_page_there_once(operator: Client, sandbox: Sandbox) -> None:
    require("operator")
    # given a list that polls, then its next look leads the whole browser page to the set-up
    part = operator.get("/snapshots/", headers=HTMX | {"HX-Current-URL": "http://testserver/snapshots/"})
    assert (part.status_code, part["HX-Redirect"], part.content) == (200, HOME, b"")
    # and parts of the set-up's own page stay quiet: no circle
    for page in (HOME, ACTIVATE, "/account/reauthenticate/"):
        part = operator.get("/account/balance/", headers=HTMX | {"HX-Current-URL": f"http://testserver{page}"})
        assert (part.status_code, part.content) == (204, b"")
        assert "HX-Redirect" not in part
    assert sandbox.log.calls() == []


def test_it_keeps_open_what_is_needed_to_set_up_and_to_leave(operator: Client, sandbox: Sandbox) -> None:
    require("operator")
    for path in ("/healthz", "/readyz", HOME, "/account/reauthenticate/", "/account/logout/"):
        assert operator.get(path).status_code == 200, path
    assert operator.post("/account/theme/", {"theme": "dark", "next": HOME})["Location"] == HOME
    for path in (ACTIVATE, ADD):
        assert operator.get(path)["Location"].startswith("/account/reauthenticate/")
    operator.post("/account/logout/")
    assert not signed_in(operator)


def test_it_opens_as_soon_as_one_is_set_up(operator: Client) -> None:
    require("operator")
    confirm(operator)
    secret = secret_of(operator.get(ACTIVATE))
    assert operator.post(ACTIVATE, {"code": "000000"}).status_code == 422
    assert operator.get("/snapshots/").status_code == 302
    assert operator.post(ACTIVATE, {"code": code_of(secret)})["Location"] == CODES
    assert operator.get(CODES).status_code == 200
    assert operator.get("/snapshots/").status_code == 200


def test_it_is_met_by_a_passkey(operator: Client) -> None:
    require("operator")
    passkey = add_passkey(operator)
    assert operator.get("/snapshots/").status_code == 200
    browser, _ = sign_in_with(passkey)
    assert browser.get("/snapshots/").status_code == 200


def test_it_asks_only_the_roles_of_the_rule(operator: Client, viewer: Client) -> None:
    require("operator")
    assert viewer.get("/snapshots/").status_code == 200
    # and follows a change of the role, and of the rule, at once
    User.objects.filter(role="viewer").update(role="operator")
    assert viewer.get("/snapshots/")["Location"] == HOME
    require()
    assert viewer.get("/snapshots/").status_code == 200
    assert operator.get("/snapshots/").status_code == 200


def test_it_sends_visitors_to_sign_in(client: Client, db: None) -> None:
    require("viewer", "operator", "billing", "admin")
    assert client.get("/snapshots/")["Location"] == "/account/login/?next=/snapshots/"
    assert client.get("/account/login/").status_code == 200


# --- the last one stays


def test_it_keeps_the_last_app(operator: Client) -> None:
    set_up_app(operator)
    require("operator")
    for page in (operator.get(DEACTIVATE), operator.post(DEACTIVATE)):
        assert "Your role needs a second factor and this is your only one. Add another one first" in text_of(page)
    assert page.status_code == 422
    assert Authenticator.objects.filter(type="totp").exists()


def test_it_keeps_the_last_passkey(operator: Client) -> None:
    add_passkey(operator)
    require("operator")
    url = f"{HOME}webauthn/keys/{Authenticator.objects.get(type='webauthn').pk}/remove/"
    for page in (operator.get(url), operator.post(url)):
        assert "this is your only one" in text_of(page)
    assert page.status_code == 422
    assert Authenticator.objects.filter(type="webauthn").exists()


def test_it_lets_go_of_one_of_two(operator: Client) -> None:
    add_passkey(operator)
    set_up_app(operator)
    require("operator")
    assert operator.post(DEACTIVATE)["Location"] == HOME
    assert Authenticator.objects.filter(type="webauthn").exists()
    # the recovery codes stay with the one that is left
    assert Authenticator.objects.filter(type="recovery_codes").exists()


def test_it_says_so_on_the_page_of_the_second_factor(operator: Client) -> None:
    set_up_app(operator)
    require("operator")
    assert "Your role needs one: the last one cannot be removed." in text_of(operator.get(HOME))


# --- somebody who lost it


def test_it_is_reset_for_somebody_who_lost_it(operator: Client) -> None:
    add_passkey(operator)
    set_up_app(operator)
    mail.outbox.clear()
    person = User.objects.get()
    with context.request_context(RequestFactory().get("/")):
        assert reset_second_factor(person) == 3
    assert not Authenticator.objects.exists()
    assert [sent.to for sent in mail.outbox] == [["operator@example.com"]]
    assert "An admin has removed the second factor of operator@example.com" in mail.outbox[0].body
    # and nothing is said where there was none
    with context.request_context(RequestFactory().get("/")):
        assert reset_second_factor(person) == 0
    assert len(mail.outbox) == 1


def test_it_leads_to_a_new_set_up_after_a_reset(operator: Client) -> None:
    set_up_app(operator)
    require("operator")
    with context.request_context(RequestFactory().get("/")):
        reset_second_factor(User.objects.get())
    browser = Client()
    browser.post("/account/login/", {"login": "operator@example.com", "password": PASSWORD})
    assert signed_in(browser)
    assert browser.get("/snapshots/")["Location"] == HOME


# --- My account


def test_it_stands_on_my_account(operator: Client) -> None:
    assert "Second factor None: the password alone signs in Off" in text_of(operator.get("/account/"))
    set_up_app(operator)
    add_passkey(operator)
    assert "Second factor Authenticator app, 1 passkey On" in text_of(operator.get("/account/"))
