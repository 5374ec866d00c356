"""/account/oidc/login/: in through any OpenID Connect provider, by the same rules as Google."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from apps.account.models import User
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import signed_in
from tests.apps.account.identity import CLIENT_ID, SECRET, Identity, come_back, go, serving
from tests.conftest import text_of

URL = "/account/oidc/login/"
EMAIL = "operator@example.com"
CONFIGURATION = "/.well-known/openid-configuration"
FAILED = "The sign-in did not come back as it should"


@pytest.fixture
def oidc(sandbox: Sandbox, settings: Any) -> Iterator[Identity]:
    with serving() as identity:
        app = {
            "provider_id": "oidc",
            "name": "Corp Login",
            "client_id": CLIENT_ID,
            "secret": SECRET,
            "settings": {"server_url": identity.url},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}
        settings.IDENTITY_ORIGINS = [identity.url]
        yield identity


@pytest.fixture
def person(oidc: Identity, make_user: Any) -> User:
    oidc.says("oidc-1", EMAIL)
    return make_user("operator")


def test_it_is_a_form_with_the_providers_name(client: Client, oidc: Identity, person: User) -> None:
    page = client.get("/account/login/")
    html = page.content.decode()
    form = html[html.index(f'action="{URL}"') :].partition("</form>")[0]
    assert "Continue with Corp Login" in form
    assert "csrfmiddlewaretoken" in form
    assert f"form-action 'self' {oidc.url};" in page["Content-Security-Policy"]
    assert "Google" not in text_of(page)


def test_it_is_absent_where_none_is_set_up(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.post(URL).status_code == 404
    assert client.get(f"{URL}callback/").status_code == 404


def test_it_signs_in_the_person_with_that_address(client: Client, oidc: Identity, person: User) -> None:
    asked = go(client, URL)
    assert asked["redirect_uri"] == f"http://testserver{URL}callback/"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert come_back(client, URL, next="/vms/")["Location"] == "/vms/"
    assert EMAIL in text_of(client.get("/account/"))
    account = SocialAccount.objects.get()
    assert (account.user, account.provider, account.uid) == (person, "oidc", "oidc-1")
    assert come_back(Client(), URL)["Location"] == "/"


@pytest.mark.feature("AUTH-09")
def test_it_makes_a_viewer_of_an_allowed_domain(client: Client, oidc: Identity, settings: Any, db: None) -> None:
    settings.SIGNUP_DOMAINS = ["corp.example"]
    oidc.says("oidc-1", "nina@corp.example", name="Nina Ångström")
    come_back(client, URL)
    person = User.objects.get()
    assert (person.role, person.name, person.email) == ("viewer", "Nina Ångström", "nina@corp.example")
    assert signed_in(client)


def test_it_takes_the_word_true_for_verified(client: Client, oidc: Identity, person: User) -> None:
    oidc.says("oidc-1", EMAIL, verified="true")
    come_back(client, URL)
    assert signed_in(client)


@pytest.mark.parametrize("verified", [False, "false", "False", None, 0, 1, "", "yes", [True], {}])
def test_it_refuses_an_address_that_is_not_verified(
    client: Client, oidc: Identity, person: User, settings: Any, verified: Any
) -> None:
    settings.SIGNUP_DOMAINS = ["example.com"]
    for email in (EMAIL, "nobody@example.com"):
        oidc.says("oidc-1", email, verified=verified)
        response = come_back(client, URL)
        assert response.status_code == 403
        assert "Corp Login has not verified your address" in text_of(response)
    assert not signed_in(client)
    assert SocialAccount.objects.count() == 0


def test_it_refuses_an_address_that_the_provider_does_not_speak_of(
    client: Client, oidc: Identity, person: User
) -> None:
    oidc.claims = {"sub": "oidc-1", "email": EMAIL}
    assert come_back(client, URL).status_code == 403


def test_it_refuses_another_account_of_the_same_address(client: Client, oidc: Identity, person: User) -> None:
    come_back(Client(), URL)
    oidc.says("oidc-2", EMAIL)
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "This is another Corp Login account" in text_of(response)


def test_it_refuses_a_stranger(client: Client, oidc: Identity, db: None) -> None:
    oidc.says("oidc-7", "stranger@example.com")
    response = come_back(client, URL)
    assert response.status_code == 403
    assert "Sign-up is by invitation" in text_of(response)


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": "x" * 300}])
def test_it_says_when_the_provider_tells_no_identity(
    client: Client, oidc: Identity, person: User, claims: dict[str, Any]
) -> None:
    oidc.claims = {"email": EMAIL, "email_verified": True} | claims
    response = come_back(client, URL)
    assert response.status_code == 502
    assert FAILED in text_of(response)
    assert not signed_in(client)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null", b'{"authorization_endpoint": 1}'])
def test_it_says_when_the_provider_does_not_describe_itself(
    client: Client, oidc: Identity, person: User, body: bytes
) -> None:
    oidc.broken[CONFIGURATION] = body
    response = client.post(URL)
    assert response.status_code in {401, 502}
    assert FAILED in text_of(response)


def test_it_says_when_the_provider_is_away(client: Client, oidc: Identity, settings: Any, db: None) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"] = {"server_url": "http://127.0.0.1:9"}
    response = client.post(URL)
    assert response.status_code == 502
    assert FAILED in text_of(response)
    assert "sign in with a code by email" in text_of(response)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_it_goes_to_no_other_host(client: Client, oidc: Identity, person: User, target: str) -> None:
    assert come_back(client, URL, next=target)["Location"] == "/"


def test_it_needs_the_forms_own_secret(oidc: Identity, db: None) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(URL).status_code == 200
    assert browser.post(URL).status_code == 403
