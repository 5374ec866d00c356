"""/account/members/: everybody with an account, their state, and the invitations that wait; for admins."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.account.models import Invitation, User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.people import invite
from tests.conftest import HTMX, text_of

URL = "/account/members/"


def test_it_shows_everybody_with_role_state_and_last_sign_in(admin: Client, make_user: Any) -> None:
    make_user("operator", name="Otto Operator")
    make_user("viewer", is_active=False)
    page = admin.get(URL)
    words = text_of(page)
    assert "Members 3" in words
    assert "Otto Operator operator@example.com Operator Active Never None" in words
    assert "viewer viewer@example.com Viewer Deactivated Never None" in words
    # and one's own row has the time of this sign-in
    assert "admin (you) admin@example.com Admin Active" in words
    assert page.content.decode().count("<time") == 1


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["totp", "recovery_codes"], "Authenticator app"),
        (["webauthn"], "Passkey"),
        (["totp", "webauthn"], "Authenticator app, Passkey"),
        (["recovery_codes"], "None"),
        ([], "None"),
    ],
)
def test_it_shows_the_second_factor(admin: Client, make_user: Any, kinds: list[str], words: str) -> None:
    person = make_user("viewer")
    for kind in kinds:
        Authenticator.objects.create(user=person, type=kind, data={})
    assert f"Viewer Active Never {words} " in text_of(admin.get(URL)) + " "
    assert f"Second factor {words} " in text_of(admin.get(f"{URL}{person.pk}/"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=otto", {"operator@example.com"}),
        ("q=VIEWER%40", {"viewer@example.com"}),
        ("q=example.com", {"admin@example.com", "operator@example.com", "viewer@example.com"}),
        ("q=%00otto", {"operator@example.com"}),
        ("role=viewer", {"viewer@example.com"}),
        ("role=viewer&q=otto", set()),
        ("role=root", {"admin@example.com", "operator@example.com", "viewer@example.com"}),
        ("page=99", {"admin@example.com", "operator@example.com", "viewer@example.com"}),
    ],
)
def test_it_searches_and_filters(admin: Client, make_user: Any, query: str, found: set[str]) -> None:
    make_user("operator", name="Otto")
    make_user("viewer")
    words = text_of(admin.get(f"{URL}?{query}", headers=HTMX))
    everybody = {f"{role}@example.com" for role in ("admin", "operator", "viewer")}
    assert {email for email in everybody if email in words} == found
    assert ("No member fits" in words) is (not found)


def test_it_pages_through_many(admin: Client, make_user: Any) -> None:
    for number in range(30):
        make_user("viewer", email=f"person{number:02}@example.com")
    first, second = text_of(admin.get(URL)), text_of(admin.get(URL, {"page": "2"}))
    assert "1–25 of 31" in first
    assert "person29@example.com" not in first
    assert "person29@example.com" in second


def test_it_shows_names_as_text(admin: Client, make_user: Any) -> None:
    make_user("viewer", name="<script>alert(1)</script>")
    page = admin.get(URL).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_it_lists_open_invitations_with_their_end(admin: Client) -> None:
    # given an open invitation, an expired one, and one of each that no longer waits
    for email in ("a@example.com", "b@example.com", "c@example.com"):
        invite(admin, email, "viewer")
    Invitation.objects.filter(email="b@example.com").update(expires_at=clock.now() - timedelta(seconds=1))
    Invitation.objects.filter(email="c@example.com").update(revoked_at=clock.now())
    page = admin.get(URL)
    words = text_of(page)
    # then those that can be sent again or revoked are there, the expired one marked
    assert "a@example.com Viewer admin@example.com" in words
    assert words.count("Expired") == 1
    assert words.count("Send again") == words.count("Revoke") == 2
    assert "c@example.com" not in words.partition("Open invitations")[2]


def test_it_says_where_mail_is_printed(admin: Client, settings: Any) -> None:
    assert "sends no mail" not in text_of(admin.get(URL))
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    words = "This sandbox sends no mail. What it would send is printed where the portal runs."
    assert words in text_of(admin.get(URL))
    assert words in text_of(admin.get(f"{URL}invite/"))


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_is_for_admins(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    browser = sign_in(role)
    member = User.objects.get()
    for url in (URL, f"{URL}{member.pk}/", f"{URL}invite/", f"{URL}{member.pk}/role/"):
        response = browser.get(url)
        assert response.status_code == 403
        assert f"Only an admin can manage members and sign-in rules; your role is {role}." in text_of(response)
    # and nothing leads there
    assert f'href="{URL}"' not in browser.get("/account/").content.decode()


def test_it_is_found_from_the_account_menu(admin: Client) -> None:
    assert f'href="{URL}"' in admin.get("/account/").content.decode()


@pytest.mark.parametrize("path", ["999/", "999/role/", "999/deactivate/", "999/activate/", "999/second-factor/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_it_knows_nobody_of_that_number(admin: Client, path: str, method: str) -> None:
    if (path, method) == ("999/", "post"):
        assert admin.post(f"{URL}{path}").status_code == 405
        return
    assert getattr(admin, method)(f"{URL}{path}", {"intent": "deactivate"}).status_code == 404


def test_it_refuses_other_methods(admin: Client) -> None:
    assert admin.post(URL).status_code == admin.delete(URL).status_code == 405


def test_it_shows_one_member_and_what_can_be_changed(admin: Client, make_user: Any, sign_in: Any) -> None:
    person = make_user("viewer", name="Vera Viewer")
    sign_in("viewer").get("/account/")
    page = admin.get(f"{URL}{person.pk}/")
    words = text_of(page)
    assert "Email viewer@example.com Role Viewer State Active" in words
    assert "Signed in now In 1 browser" in words
    html = page.content.decode()
    for path in ("role/", "deactivate/"):
        assert f'href="{URL}{person.pk}/{path}"' in html
    # without a second factor there is none to reset
    assert "There is none to reset." in html
    assert f'href="{URL}{person.pk}/second-factor/"' not in html


def test_it_says_why_one_cannot_shut_oneself_out(admin: Client) -> None:
    me = User.objects.get()
    html = admin.get(f"{URL}{me.pk}/").content.decode()
    assert "This is the last active admin. Make somebody else an admin first." in html
    assert "Nobody can deactivate their own account. Another admin can do it." in html
    assert f'href="{URL}{me.pk}/role/"' not in html
    assert f'href="{URL}{me.pk}/deactivate/"' not in html


def test_it_needs_no_answer_of_the_api(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    assert admin.get(URL).status_code == 200
