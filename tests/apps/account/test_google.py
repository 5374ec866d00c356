"""/account/google/login/: in through a Google account, for people we know and those invited or of an allowed domain."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.core import mail
from django.test import Client

from apps.account import invitations
from apps.account.models import Invitation, User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import check_plain, newest, signed_in
from tests.apps.account.identity import CLIENT_ID, SECRET, Identity, come_back, go, serving
from tests.apps.account.second_factors import code_of, set_up_app
from tests.conftest import text_of

URL = "/account/google/login/"
EMAIL = "operator@example.com"


@pytest.fixture
def google(sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    app = {"client_id": CLIENT_ID, "secret": SECRET, "key": ""}
    settings.SOCIALACCOUNT_PROVIDERS = {
        "google": {"APPS": [app], "SCOPE": ["profile", "email"], "OAUTH_PKCE_ENABLED": True}
    }
    settings.IDENTITY_ORIGINS = ["https://accounts.google.com"]
    with serving() as identity:
        monkeypatch.setattr(GoogleOAuth2Adapter, "access_token_url", f"{identity.url}/token")
        monkeypatch.setattr("allauth.socialaccount.providers.google.views.ID_TOKEN_ISSUER", identity.url)
        yield identity


@pytest.fixture
def person(google: Identity, make_user: Any) -> User:
    google.says("google-1", EMAIL)
    return make_user("operator")


def invite(make_user: Any, email: str, role: str = "operator", **fields: Any) -> Invitation:
    now = clock.now()
    inviter = make_user("admin", email="boss@example.com")
    times = {"invited_at": now, "expires_at": now + timedelta(days=7)} | fields
    return Invitation.objects.create(email=email, role=role, invited_by=inviter, **times)


# --- the button


@pytest.mark.feature("AUTH-05")
def test_it_is_a_form_on_the_sign_in_page(client: Client, google: Identity, person: User) -> None:
    page = client.get("/account/login/", {"next": "/vms/"})
    html = page.content.decode()
    form = html[html.index(f'action="{URL}"') :].partition("</form>")[0]
    assert "Continue with Google" in form
    assert "csrfmiddlewaretoken" in form
    assert 'name="next" value="/vms/"' in form
    # and the browser lets the form lead there
    assert "form-action 'self' https://accounts.google.com;" in page["Content-Security-Policy"]


def test_it_is_absent_where_google_is_not_set_up(client: Client, sandbox: Sandbox, make_user: Any) -> None:
    make_user("operator")
    page = client.get("/account/login/")
    assert "Login with OTP" in text_of(page)
    assert "Continue with" not in text_of(page)
    assert "form-action 'self';" in page["Content-Security-Policy"]
    for path in (URL, f"{URL}callback/"):
        assert client.get(path).status_code == 404
    assert client.post(URL).status_code == 404


def test_it_goes_to_google_with_what_a_safe_sign_in_needs(client: Client, google: Identity, db: None) -> None:
    response = client.post(URL)
    assert urlsplit(response["Location"])[:3] == ("https", "accounts.google.com", "/o/oauth2/v2/auth")
    asked = go(client, URL)
    assert asked["client_id"] == CLIENT_ID
    assert asked["redirect_uri"] == f"http://testserver{URL}callback/"
    assert set(asked["scope"].split()) == {"profile", "email"}
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 16
    assert SECRET not in response["Location"]


def test_a_link_alone_starts_nothing(client: Client, google: Identity, db: None) -> None:
    # a page elsewhere must not sign anybody in as somebody else
    page = client.get(URL, {"next": "/vms/"})
    assert page.status_code == 200
    assert "You go to Google, sign in there, and come back." in text_of(page)
    assert 'name="next" value="/vms/"' in page.content.decode()
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(URL).status_code == 403
    for method in ("put", "delete"):
        assert getattr(client, method)(URL).status_code == 405


# --- people we know


@pytest.mark.feature("AUTH-05")
def test_it_signs_in_the_person_with_that_address(client: Client, google: Identity, person: User) -> None:
    # given a person of the portal whose Google account has the same, verified address
    google.says("google-1", "Operator@Example.com")
    response = come_back(client, URL, next="/vms/?q=a")
    assert (response.status_code, response["Location"]) == (302, "/vms/?q=a")
    assert EMAIL in text_of(client.get("/account/"))
    assert User.objects.count() == 1
    # and a mail tells about the new way in
    check_plain(newest(), EMAIL)
    assert newest().subject == "[Barrack] Security: sign-in with Google"
    assert SocialAccount.objects.get().user == person
    # then the next time needs no mail, and the password still works
    mail.outbox.clear()
    assert come_back(Client(), URL)["Location"] == "/"
    assert mail.outbox == []
    person.refresh_from_db()
    assert person.check_password("barrack-test-1")
    assert SocialToken.objects.count() == 0


def test_it_asks_google_with_the_secret_and_the_proof(client: Client, google: Identity, person: User) -> None:
    come_back(client, URL)
    (path, form) = google.asked[-1]
    assert path == "/token"
    assert form["client_secret"] == [SECRET]
    assert form["code"] == ["code-canary"]
    assert len(form["code_verifier"][0]) >= 43


def test_it_starts_a_new_session_that_ends_with_the_browser(client: Client, google: Identity, person: User) -> None:
    go(client, URL)
    before = client.cookies["sessionid"].value
    come_back(client, URL)
    assert client.cookies["sessionid"].value != before
    assert client.cookies["sessionid"]["max-age"] == ""


def test_it_knows_an_attached_account_under_another_address(client: Client, google: Identity, person: User) -> None:
    come_back(client, URL)
    google.says("google-1", "married@example.com", verified=False)
    other = Client()
    come_back(other, URL)
    assert EMAIL in text_of(other.get("/account/"))
    person.refresh_from_db()
    assert person.email == EMAIL


def test_it_takes_the_password_from_who_signed_up_with_the_address_of_another(
    client: Client, google: Identity, person: User
) -> None:
    # given somebody who signed up with this address and could not confirm it
    person.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    come_back(client, URL)
    assert signed_in(client)
    person.refresh_from_db()
    assert not person.has_usable_password()


def test_it_stops_somebody_who_is_switched_off(client: Client, google: Identity, person: User) -> None:
    User.objects.update(is_active=False)
    assert come_back(client, URL)["Location"] == "/account/inactive/"
    assert SocialAccount.objects.count() == 0
    # also when the account was attached before
    User.objects.update(is_active=True)
    come_back(client, URL)
    User.objects.update(is_active=False)
    other = Client()
    assert come_back(other, URL)["Location"] == "/account/inactive/"
    assert not signed_in(other)


def test_it_does_not_spare_the_second_factor(operator: Client, google: Identity) -> None:
    # given somebody with an authenticator app
    secret = set_up_app(operator)
    google.says("google-1", EMAIL)
    browser = Client()
    assert come_back(browser, URL, next="/vms/")["Location"] == "/account/mfa/authenticate/"
    assert not signed_in(browser)
    assert browser.post("/account/mfa/authenticate/", {"code": code_of(secret)})["Location"] == "/vms/"


# --- refused


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_it_refuses_an_address_that_google_has_not_verified(
    client: Client, google: Identity, person: User, settings: Any, email: str
) -> None:
    # given an address of ours or of nobody: the answer is the same
    settings.SIGNUP_DOMAINS = ["example.com"]
    google.says("google-1", email, verified=False)
    response = come_back(client, URL)
    assert response.status_code == 403
    assert f"Google has not verified your address It says that you are {email}" in text_of(response)
    assert not signed_in(client)
    assert SocialAccount.objects.count() == 0


def test_it_refuses_an_account_without_an_address(client: Client, google: Identity, person: User) -> None:
    google.says("google-1", None)
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "It told us no email address of yours." in text_of(response)


def test_it_refuses_another_account_of_the_same_address(client: Client, google: Identity, person: User) -> None:
    # given an address that the company has given to somebody else, with a new Google account
    come_back(Client(), URL)
    google.says("google-2", EMAIL)
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "This is another Google account" in text_of(response)
    assert not signed_in(client)
    assert SocialAccount.objects.get().uid == "google-1"


@pytest.mark.parametrize("way", ["form", "query"])
def test_it_attaches_nothing_to_who_is_signed_in(operator: Client, google: Identity, way: str) -> None:
    # given a signed-in person who is led to attach the Google account of somebody else
    google.says("google-evil", "evil@example.com")
    asked = {"process": "connect", "next": "/account/"}
    response = operator.post(URL, asked) if way == "form" else operator.post(URL, query_params=asked)
    state = go(operator, URL, **asked)["state"] if way == "form" else response["Location"].partition("state=")[2][:16]
    response = operator.get(f"{URL}callback/", {"code": "c", "state": state})
    assert response.status_code == 403
    assert SocialAccount.objects.count() == 0


def test_a_link_cannot_change_what_google_is_asked(client: Client, google: Identity, db: None) -> None:
    extra = {"auth_params": "prompt=none&login_hint=evil", "scope": "https://mail.google.com/", "action": "rerequest"}
    response = client.post(URL, query_params=extra)
    assert "evil" not in response["Location"]
    assert "mail.google.com" not in response["Location"]


@pytest.mark.feature("AUTH-09")
def test_it_refuses_somebody_whom_nobody_has_invited(client: Client, google: Identity, db: None) -> None:
    google.says("google-9", "stranger@example.com")
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "Sign-up is by invitation" in text_of(response)
    assert "Google says that you are stranger@example.com" in text_of(response)
    assert User.objects.count() == 0


# --- new people


@pytest.mark.feature("AUTH-09")
def test_it_lets_in_who_is_invited_with_that_role(client: Client, google: Identity, make_user: Any) -> None:
    invitation = invite(make_user, "nina@corp.example", "billing")
    google.says("google-3", "Nina@corp.example", given_name="Nina", family_name="O'Neil-Ray")
    assert come_back(client, URL)["Location"] == "/"
    person = User.objects.get(email="nina@corp.example")
    assert (person.role, person.name, person.has_usable_password()) == ("billing", "Nina O'Neil-Ray", False)
    invitation.refresh_from_db()
    assert invitation.accepted_by == person
    assert signed_in(client)


@pytest.mark.parametrize("state", ["expired", "revoked", "unverified"])
def test_it_does_not_let_in_who_is_no_longer_invited(
    client: Client, google: Identity, make_user: Any, state: str
) -> None:
    now = clock.now()
    change = {"expired": {"expires_at": now}, "revoked": {"revoked_at": now}, "unverified": {}}[state]
    invite(make_user, "nina@corp.example", **change)
    google.says("google-3", "nina@corp.example", verified=state != "unverified")
    assert come_back(client, URL).status_code == 403
    assert not User.objects.filter(email="nina@corp.example").exists()


@pytest.mark.feature("AUTH-09")
def test_it_makes_a_viewer_of_an_allowed_domain(client: Client, google: Identity, settings: Any, db: None) -> None:
    settings.SIGNUP_DOMAINS = ["corp.example"]
    google.says("google-3", "nina@corp.example", given_name="R2D2")
    assert come_back(client, URL)["Location"] == "/"
    person = User.objects.get()
    # a name that our rule refuses is left to the person
    assert (person.role, person.name) == ("viewer", "")
    assert signed_in(client)


def test_it_does_not_let_in_another_domain(client: Client, google: Identity, settings: Any, db: None) -> None:
    settings.SIGNUP_DOMAINS = ["corp.example"]
    google.says("google-3", "nina@sub.corp.example")
    assert come_back(client, URL).status_code == 403
    assert User.objects.count() == 0


# --- what comes back is not as it should be


def test_a_return_works_once_and_in_the_browser_that_went(client: Client, google: Identity, person: User) -> None:
    state = go(client, URL)["state"]
    back = {"code": "code-canary", "state": state}
    response = Client().get(f"{URL}callback/", back)
    assert response.status_code == 401
    assert "You are not signed in." in text_of(response)
    assert client.get(f"{URL}callback/", back).status_code == 302
    other = Client()
    other.cookies = client.cookies
    assert other.get(f"{URL}callback/", back).status_code == 401


@pytest.mark.parametrize("back", [{}, {"code": "c"}, {"state": "made-up", "code": "c"}, {"error": "access_denied"}])
def test_a_return_without_a_beginning_is_refused(client: Client, google: Identity, person: User, back: Any) -> None:
    response = client.get(f"{URL}callback/", back)
    assert response.status_code == 401
    assert "The sign-in did not come back as it should" in text_of(response)


def test_cancelling_says_so(client: Client, google: Identity, person: User) -> None:
    state = go(client, URL)["state"]
    response = client.get(f"{URL}callback/", {"error": "access_denied", "state": state}, follow=True)
    assert "You cancelled the sign-in" in text_of(response)
    assert not signed_in(client)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_goes_to_no_other_host(client: Client, google: Identity, person: User, target: str) -> None:
    assert come_back(client, URL, next=target)["Location"] == "/"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"access_token": "x", "id_token": "x.y.z"}', b"null"])
def test_it_says_when_google_answers_nonsense(client: Client, google: Identity, person: User, body: bytes) -> None:
    google.broken["/token"] = body
    response = come_back(client, URL)
    assert response.status_code in {401, 502}
    assert "The sign-in did not come back as it should" in text_of(response)
    assert not signed_in(client)


def test_it_refuses_a_token_for_somebody_else(client: Client, google: Identity, person: User) -> None:
    # given an id token that was made for another portal
    google.audience = "another-client"
    assert come_back(client, URL).status_code == 401
    assert not signed_in(client)


def test_it_keeps_secrets_out_of_pages_and_logs(
    client: Client, google: Identity, person: User, caplog: pytest.LogCaptureFixture
) -> None:
    google.broken["/token"] = b"<html>"
    page = come_back(client, URL).content.decode() + client.get("/account/login/").content.decode()
    for secret in (SECRET, "code-canary", "access-canary"):
        assert secret not in page + caplog.text


@pytest.mark.parametrize("late", ["revoked before the lock", "gone before the look"])
def test_it_lets_nobody_in_whose_invitation_ends_at_that_moment(
    client: Client, google: Identity, make_user: Any, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    # given an invitation that an admin revokes between the check and the making of the account
    invitation = invite(make_user, "nina@corp.example", "billing")
    google.says("google-3", "nina@corp.example")
    real = DefaultSocialAccountAdapter.save_user
    stale = invitations.open_for("nina@corp.example")

    def save(*args: Any, **kwargs: Any) -> Any:
        Invitation.objects.filter(pk=invitation.pk).update(revoked_at=clock.now())
        if late == "revoked before the lock":
            monkeypatch.setattr(invitations, "open_for", lambda _: stale)
        return real(*args, **kwargs)

    monkeypatch.setattr(DefaultSocialAccountAdapter, "save_user", save)
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "Sign-up is by invitation" in text_of(response)
    assert not signed_in(client)
    assert not User.objects.filter(email="nina@corp.example").exists()
    assert SocialAccount.objects.count() == 0
