"""Around every request: its id, the headers of its answer, and an expired sign-in."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from barrack_web.middleware import POLICY
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX

SIGN_IN = "/account/login/"
PATHS = [
    "/",
    "/snapshots/",
    "/snapshots/?tab=billing",
    "/snapshots/BRK-123456S/",
    "/snapshots/BRK-123456S/restore/",
    "/vms/",
    "/activity/",
    "/account/",
    "/no/such/page",
    "/snapshots/BRK-000000S/",
    "/static/css/app.css",
    "/static/no-such-file.css",
    "/healthz",
    "/readyz",
    SIGN_IN,
]


def directives(response: HttpResponse) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in parts}


def check_headers(response: HttpResponse) -> None:
    policy = directives(response)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["form-action"] == ["'self'"]
    assert "unsafe-" not in response["Content-Security-Policy"]
    assert "*" not in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", response["X-Request-ID"])


@pytest.mark.parametrize("path", PATHS)
def test_it_sends_the_security_headers_to_those_signed_in(operator: Client, path: str) -> None:
    check_headers(operator.get(path))


@pytest.mark.parametrize("path", PATHS)
def test_it_sends_the_security_headers_to_visitors(db: None, sandbox: Sandbox, client: Client, path: str) -> None:
    check_headers(client.get(path))


def test_it_sends_the_security_headers_with_parts_redirects_and_refusals(operator: Client, sandbox: Sandbox) -> None:
    check_headers(operator.get("/snapshots/", headers=HTMX))
    check_headers(operator.post("/snapshots/"))
    check_headers(operator.post("/snapshots/BRK-123456S/delete/"))
    sandbox.faults.arm("*", "refuse", times=None)
    check_headers(operator.get("/snapshots/BRK-123456S/"))


@pytest.mark.parametrize("path", ["/snapshots/", "/no/such/page", SIGN_IN, "/healthz"])
def test_it_lets_nobody_put_a_page_into_a_frame(operator: Client, path: str) -> None:
    response = operator.get(path)
    assert directives(response)["frame-ancestors"] == ["'none'"]
    assert response["X-Frame-Options"] == "DENY"


def test_it_allows_pictures_of_its_own_style_sheet_only() -> None:
    assert "img-src 'self' data:;" in POLICY
    assert POLICY.count("data:") == 1


def test_it_keeps_the_sign_in_from_scripts_and_other_sites(
    sandbox: Sandbox, make_user: Callable[..., object], client: Client
) -> None:
    make_user("operator")
    response = client.post(SIGN_IN, {"login": "operator@example.com", "password": "barrack-test-1"})
    assert response.status_code == 302
    found = response.cookies["sessionid"]
    assert found["httponly"]
    assert found["samesite"] == "Lax"


# --- The request's id ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abcdefgh", "A-1" * 20, "0" * 64])
def test_it_gives_back_the_id_that_a_proxy_gave(client: Client, given: str) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "<script>alert", "abcdefgh\n", "ünïcödé-id"])
def test_it_makes_an_id_of_its_own_instead_of_an_odd_one(client: Client, given: str) -> None:
    found = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert found != given
    assert re.fullmatch(r"[0-9a-f]{16}", found)


def test_it_gives_each_request_an_id_of_its_own(client: Client) -> None:
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]


# --- An expired sign-in ----------------------------------------------------------------------------------------------


def next_of(location: str) -> str:
    url = urlsplit(location)
    assert (url.scheme, url.netloc, url.path) == ("", "", SIGN_IN)
    return parse_qs(url.query)["next"][0]


@pytest.mark.parametrize("path", ["/snapshots/?region=US-1&q=a%26b", "/vms/", "/snapshots/BRK-123456S/restore/"])
def test_it_sends_a_page_to_sign_in_and_back(db: None, client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert next_of(response["Location"]) == path
    assert "HX-Redirect" not in response


def test_it_sends_the_whole_browser_page_to_sign_in_when_a_part_was_asked_for(db: None, client: Client) -> None:
    # given a list that polls while its visitor stands on another address
    here = "http://testserver/snapshots/?region=US-1&q=a%26b&page=2"
    response = client.get("/snapshots/?page=9", headers={**HTMX, "HX-Current-URL": here})
    # then there is one redirect, by htmx's own header, to where the visitor is
    assert response.status_code == 200
    assert response.content == b""
    assert "Location" not in response
    assert next_of(response["HX-Redirect"]) == "/snapshots/?region=US-1&q=a%26b&page=2"
    assert response["Cache-Control"] == "no-store"
    check_headers(response)


def test_it_sends_a_form_sent_too_late_to_sign_in(db: None, client: Client) -> None:
    response = client.post("/snapshots/BRK-123456S/restore/", {"intent": "restore"}, headers=HTMX)
    assert next_of(response["HX-Redirect"]) == "/"


def test_it_goes_on_where_the_visitor_was(sandbox: Sandbox, make_user: Callable[..., object], client: Client) -> None:
    make_user("operator")
    location = client.get("/vms/?q=llama")["Location"]
    response = client.post(location, {"login": "operator@example.com", "password": "barrack-test-1"})
    assert (response.status_code, response["Location"]) == (302, "/vms/?q=llama")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/path",
        "//evil.example/path",
        "http:////evil.example/path",
        "https://evil.example//evil.example/",
        "https://x/\\evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "\\\\evil.example",
        "http://[::1",
        "",
        "?next=//evil.example",
    ],
)
def test_it_never_sends_anybody_to_another_site(
    sandbox: Sandbox, make_user: Callable[..., object], client: Client, url: str
) -> None:
    make_user("operator")
    # given somebody's made-up address of the page
    response = client.get("/snapshots/", headers={**HTMX, "HX-Current-URL": url})
    # then the way back stays here
    assert response.status_code == 200
    back = next_of(response["HX-Redirect"])
    assert back.startswith("/")
    assert not re.match(r"/[\s\\/]", back), back
    # and so it does after the sign-in
    answer = client.post(
        response["HX-Redirect"], {"login": "operator@example.com", "password": "barrack-test-1"}
    )  # fmt: skip
    assert urlsplit(answer["Location"]).netloc == ""


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_it_goes_to_no_other_site_after_sign_in(
    sandbox: Sandbox, make_user: Callable[..., object], client: Client, back: str
) -> None:
    make_user("operator")
    answer = client.post(
        SIGN_IN, {"login": "operator@example.com", "password": "barrack-test-1", "next": back}
    )  # fmt: skip
    assert answer.status_code == 302
    assert answer["Location"] == "/"
