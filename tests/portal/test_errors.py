"""What cannot be shown has a page of its own: whose fault it is, and what to do."""

import re
from collections.abc import Callable

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path as address
from pytest_django import Settings

from apps.account.models import User
from barrack_web import urls
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, text_of

DETAILS = "/snapshots/BRK-123456S/"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def fail(request: HttpRequest) -> HttpResponse:
    """A view with a mistake, with something in its frame that nobody may see."""
    secret = "canary-in-a-frame"
    raise RuntimeError(f"a mistake near {secret}")


urlpatterns = [*urls.urlpatterns, address("fail/", fail)]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500


@pytest.fixture
def person(sandbox: Sandbox, make_user: Callable[..., User]) -> User:
    return make_user("operator")


@pytest.fixture
def browser(person: User) -> Client:
    """A browser that shows error pages, as a real one does."""
    found = Client(raise_request_exception=False)
    found.force_login(person, backend=BACKEND)
    return found


@pytest.fixture
def with_mistake(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__


def is_page(response: HttpResponse) -> bool:
    return "<!doctype html>" in response.content.decode().lower()


def has_shell(response: HttpResponse) -> bool:
    return 'class="sidebar"' in response.content.decode()


# --- 400, 403, 404, 405, 500 -----------------------------------------------------------------------------------------


def test_it_says_that_a_request_cannot_be_read(browser: Client) -> None:
    # given more form fields than any form of ours has
    response = browser.post(f"{DETAILS}restore/", {f"field{number}": "x" for number in range(400)})
    assert response.status_code == 400
    assert is_page(response)
    assert "This request cannot be read" in text_of(response)


def test_it_says_so_to_a_host_that_is_not_ours(browser: Client) -> None:
    response = browser.get("/snapshots/", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "evil.example" not in response.content.decode()


def test_it_names_the_roles_that_may(browser: Client) -> None:
    response = browser.get(f"{DETAILS}delete/")
    assert response.status_code == 403
    assert is_page(response)
    assert has_shell(response)
    assert "Only an admin can delete snapshots; your role is operator." in text_of(response)


@pytest.mark.parametrize("path", ["/no/such/page", "/snapshots/BRK-000000S/", "/activity/not-an-id/"])
def test_it_has_a_page_for_what_is_not_there(browser: Client, path: str) -> None:
    response = browser.get(path)
    assert response.status_code == 404
    assert is_page(response)
    assert has_shell(response)
    assert "There is nothing at this address" in text_of(response)
    assert response["Cache-Control"] == "no-store"


def test_it_does_not_show_a_visitor_the_shell(sandbox: Sandbox, db: None, client: Client) -> None:
    response = client.get("/no/such/page")
    assert response.status_code == 404
    assert not has_shell(response)
    assert "There is nothing at this address" in text_of(response)
    assert sandbox.log.calls() == []


@pytest.mark.parametrize(
    "part",
    ["..%2F..%2Fbalance", "%2E%2E", "a%2Fb", "x" * 300, "%00", "%E2%80%AE", "é" * 64, "🙂" * 60, "%ff", "BRK-1%0d%0aX"],
)
def test_it_answers_404_for_an_id_that_cannot_be_and_asks_nobody(browser: Client, sandbox: Sandbox, part: str) -> None:
    for url in (f"/snapshots/{part}/", f"/snapshots/{part}/restore/"):
        response = browser.get(url)
        assert response.status_code == 404, url
    allowed = {None, "get_snapshot", "get_snapshot_image_relationship", "list_instances", "get_pricing"}
    allowed |= {"get_credit_balance", "get_snapshots_billing"}
    paths = {call.path for call in sandbox.log.calls() if call.operation == "get_snapshot" or call.operation is None}
    assert all(re.fullmatch(r"/snapshots/[^/]+(/image)?", path) for path in paths)
    assert {call.operation for call in sandbox.log.calls()} <= allowed


def test_it_gives_htmx_the_alert_alone(browser: Client) -> None:
    for path, status in (("/snapshots/BRK-000000S/", 404), (f"{DETAILS}delete/", 403)):
        response = browser.get(path, headers=HTMX)
        assert response.status_code == status
        assert response["X-Part"] == "alert"
        assert not is_page(response)
        assert 'role="alert"' in response.content.decode()


def test_it_refuses_other_methods(browser: Client) -> None:
    for path, method in (
        ("/snapshots/", "post"),
        ("/vms/", "delete"),
        (f"{DETAILS}restore/", "put"),
        ("/healthz", "post"),
    ):
        response = getattr(browser, method)(path)
        assert response.status_code == 405
        assert method.upper() not in response["Allow"]


@pytest.mark.usefixtures("with_mistake")
def test_it_owns_up_to_a_mistake_of_its_own(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    response = browser.get("/fail/")
    assert response.status_code == 500
    assert is_page(response)
    words = text_of(response)
    assert "The portal failed on this page" in words
    assert "look at Activity before a retry" in words
    # and tells its reason to the log, not to the visitor
    assert "canary-in-a-frame" not in response.content.decode()
    assert "RuntimeError" not in response.content.decode()
    assert "RuntimeError" in caplog.text


@pytest.mark.usefixtures("with_mistake")
def test_it_gives_htmx_the_alert_of_a_mistake(browser: Client) -> None:
    response = browser.get("/fail/", headers=HTMX)
    # without the header that lets the page's script show it: the script says the status in its own words
    assert (response.status_code, response.get("X-Part")) == (500, None)


@pytest.mark.usefixtures("with_mistake")
def test_it_has_a_page_for_a_mistake_while_the_api_is_down_too(browser: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    response = browser.get("/fail/")
    assert response.status_code == 500
    assert "The portal failed on this page" in text_of(response)


def test_it_says_why_a_forged_form_is_refused(person: User, sandbox: Sandbox) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person, backend=BACKEND)
    response = browser.post(f"{DETAILS}restore/", {"name": "forged", "intent": "restore"})
    assert response.status_code == 403
    assert "This form is no longer valid" in text_of(response)
    assert "nothing was sent" in text_of(response)
    assert sandbox.log.calls("restore_snapshot") == []
    # and htmx gets it as an alert that it may swap in
    part = browser.post(f"{DETAILS}restore/", {"name": "forged", "intent": "restore"}, headers=HTMX)
    assert (part.status_code, part["X-Part"]) == (403, "alert")
    assert not is_page(part)


def test_it_refuses_a_sign_in_without_its_token(sandbox: Sandbox, make_user: Callable[..., User]) -> None:
    make_user("operator")
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/account/login/", {"login": "operator@example.com", "password": "barrack-test-1"})
    assert response.status_code == 403
    assert "This form is no longer valid" in text_of(response)
    assert "sessionid" not in browser.cookies


# --- The API does not answer -----------------------------------------------------------------------------------------

FAILURES = [
    ({"kind": "refuse"}, 503, "Barrack does not answer"),
    ({"kind": "hang"}, 504, "Barrack takes too long"),
    ({"kind": "drip"}, 504, "Barrack takes too long"),
    ({"kind": "close"}, 502, "Barrack sent an answer that cannot be read"),
    ({"kind": "truncate"}, 502, "Barrack sent an answer that cannot be read"),
    ({"kind": "invalid_json"}, 502, "Barrack sent an answer that cannot be read"),
    ({"kind": "html"}, 502, "Barrack has a problem"),
    ({"kind": "status", "status": 500}, 502, "Barrack has a problem"),
    ({"kind": "status", "status": 401}, 502, "Barrack refused the portal's key"),
    ({"kind": "status", "status": 403}, 502, "Barrack does not allow this"),
    ({"kind": "status", "status": 429}, 503, "Barrack asks for fewer requests"),
    ({"kind": "status", "status": 418}, 502, "Barrack refused the request"),
]


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("fault", "status", "title"), FAILURES, ids=str)
def test_it_says_what_the_api_did(
    browser: Client, sandbox: Sandbox, fault: dict[str, object], status: int, title: str
) -> None:
    sandbox.faults.arm("get_snapshot", times=None, **fault)  # type: ignore[arg-type]
    page = browser.get(DETAILS)
    # then there is a page that says whose fault it is and offers another try
    assert page.status_code == status
    assert is_page(page)
    assert has_shell(page)
    assert title in text_of(page)
    assert f'href="{DETAILS}">Try again' in page.content.decode()
    # and htmx gets the alert alone
    part = browser.get(DETAILS, headers=HTMX)
    assert (part.status_code, part["X-Part"]) == (status, "alert")
    assert not is_page(part)
    assert title in text_of(part)
    assert 'role="alert"' in part.content.decode()
    assert "HX-Redirect" not in part


@pytest.mark.parametrize("path", ["/snapshots/", "/vms/", "/snapshots/?tab=billing", DETAILS, f"{DETAILS}restore/"])
@pytest.mark.parametrize("fault", [{"kind": "refuse"}, {"kind": "html"}, {"kind": "status", "status": 401}])
def test_it_never_shows_an_error_as_an_empty_list_or_a_sign_out(
    browser: Client, sandbox: Sandbox, path: str, fault: dict[str, object]
) -> None:
    sandbox.faults.arm("*", times=None, **fault)  # type: ignore[arg-type]
    response = browser.get(path)
    assert response.status_code in {502, 503, 504}
    words = text_of(response)
    assert "Barrack" in words
    assert "No snapshots yet" not in words
    assert "No virtual machines yet" not in words
    # and the visitor is still signed in
    assert browser.get("/account/").status_code == 200


@pytest.mark.feature("NAV-15")
def test_it_treats_a_refused_key_as_a_page_and_not_as_a_sign_out(browser: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "status", status=401, times=None)
    response = browser.get("/snapshots/")
    assert response.status_code == 502
    assert "Barrack refused the portal's key" in text_of(response)
    assert "An admin has to set a valid BARRACK_API_KEY" in text_of(response)
    assert browser.session.get("_auth_user_id")


def test_it_shows_the_words_of_the_api_as_text(browser: Client, sandbox: Sandbox) -> None:
    body = {"success": False, "message": "<script>alert(1)</script>" + "x" * 10_000, "request_id": "<b>r-1</b>"}
    sandbox.faults.arm("get_snapshot", "status", status=418, body=body)
    html = browser.get(DETAILS).content.decode()
    assert "<script>alert" not in html
    assert "<b>r-1" not in html
    assert "&lt;script&gt;" in html
    assert "x" * 400 not in html
