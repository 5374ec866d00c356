"""/account/theme/: light, dark or the system's own, kept in a cookie."""

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox

URL = "/account/theme/"


@pytest.mark.parametrize(
    ("chosen", "html"),
    [
        ("light", 'data-theme="light" data-bs-theme="light"'),
        ("dark", 'data-theme="dark" data-bs-theme="dark"'),
        ("system", 'data-theme="system" data-bs-theme="light"'),
    ],
)
def test_it_keeps_the_choice(viewer: Client, chosen: str, html: str) -> None:
    # given a choice, then the page one was on comes back in it, signed in and signed out
    response = viewer.post(URL, {"theme": chosen, "next": "/account/?a=b"})
    assert (response.status_code, response["Location"]) == (302, "/account/?a=b")
    assert html in viewer.get("/account/").content.decode()
    viewer.post("/account/logout/")
    assert html in viewer.get("/account/login/").content.decode()


def test_it_marks_the_choice_in_the_menu(viewer: Client) -> None:
    viewer.post(URL, {"theme": "dark"})
    page = viewer.get("/account/").content.decode()
    assert page.count('aria-pressed="true"') == 1
    assert 'value="dark" aria-pressed="true"' in page


def test_it_follows_the_system_until_one_chooses(viewer: Client) -> None:
    assert 'data-theme="system"' in viewer.get("/account/").content.decode()


def test_it_can_be_changed_back(viewer: Client) -> None:
    viewer.post(URL, {"theme": "dark"})
    viewer.post(URL, {"theme": "system"})
    assert 'data-theme="system"' in viewer.get("/account/").content.decode()


def test_it_is_a_cookie_for_a_year_that_no_script_needs(viewer: Client) -> None:
    cookie = viewer.post(URL, {"theme": "dark"}).cookies["theme"]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"], cookie["secure"]) == (
        31_536_000,
        True,
        "Lax",
        "",
    )


def test_it_is_a_cookie_for_https_alone_where_there_is_https(viewer: Client, settings: object) -> None:
    settings.SESSION_COOKIE_SECURE = True  # type: ignore[attr-defined]
    assert viewer.post(URL, {"theme": "dark"}).cookies["theme"]["secure"]


@pytest.mark.parametrize("chosen", ["", "pink", "DARK", "dark; Path=/", '"><script>', "\r\nSet-Cookie: a=b", None])
def test_it_keeps_nothing_that_is_no_theme(viewer: Client, chosen: str | None) -> None:
    viewer.post(URL, {"theme": "dark"})
    response = viewer.post(URL, {} if chosen is None else {"theme": chosen})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert "theme" not in response.cookies
    assert 'data-theme="dark"' in viewer.get("/account/").content.decode()


@pytest.mark.parametrize("cookie", ["pink", '"><script>alert(1)</script>', ""])
def test_it_does_not_trust_the_cookie(viewer: Client, cookie: str) -> None:
    viewer.cookies["theme"] = cookie
    assert '<html lang="en" data-theme="system"' in viewer.get("/account/").content.decode()


@pytest.mark.parametrize("target", ["/vms/?q=a&page=2", "/", "http://testserver/activity/"])
def test_it_goes_back_to_the_page(viewer: Client, target: str) -> None:
    assert viewer.post(URL, {"theme": "dark", "next": target})["Location"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "///evil.example",
        "http://testserver@evil.example/",
        "http://testserver.evil.example/",
        " //evil.example",
        "ftp://testserver/",
        "",
    ],
)
def test_it_goes_to_no_other_host(viewer: Client, target: str) -> None:
    response = viewer.post(URL, {"theme": "dark", "next": target})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert response.cookies["theme"].value == "dark"


def test_it_needs_no_sign_in(client: Client, db: None) -> None:
    response = client.post(URL, {"theme": "dark", "next": "/account/login/"})
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    assert 'data-theme="dark"' in client.get("/account/login/").content.decode()


def test_it_needs_the_forms_own_secret(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post(URL, {"theme": "dark"})
    assert response.status_code == 403
    assert "theme" not in response.cookies


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_it_refuses_other_methods(viewer: Client, sandbox: Sandbox, method: str) -> None:
    response = getattr(viewer, method)(URL, {"theme": "dark"})
    assert response.status_code == 405
    assert "theme" not in response.cookies
