"""The API key lives on the server: a canary in its place shows up nowhere else."""

import contextvars
import logging
import traceback
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from apps.account.models import User
from apps.activity.models import Event, Operation
from barrack_web import cloud
from barrack_web.client import BarrackError
from barrack_web.logs import RequestFilter
from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, token_of

CANARY = "brk_live_CANARY-4711-do-not-show"
RESTORE = "/snapshots/BRK-123456S/restore/"
PATHS = [
    "/snapshots/",
    "/snapshots/?tab=billing",
    "/snapshots/BRK-123456S/",
    RESTORE,
    "/snapshots/create/",
    "/vms/",
    "/activity/",
    "/account/",
    "/account/balance/",
    "/no/such/page",
    "/healthz",
    "/readyz",
]
FAULTS: list[dict[str, object]] = [
    {"kind": "refuse"},
    {"kind": "html", "body": f"<h1>bad gateway, X-API-Key: {CANARY}</h1>"},
    {"kind": "status", "status": 401, "body": {"success": False, "message": f"the key {CANARY} is not valid"}},
    {"kind": "status", "status": 500, "body": {"success": False, "message": CANARY, "request_id": CANARY}},
    {"kind": "status", "status": 422, "body": {"success": False, "details": {"name": CANARY}}},
    {"kind": "status", "status": 429, "headers": {"X-Request-ID": CANARY}},
    {"kind": "close"},
    {"kind": "invalid_json"},
]


@pytest.fixture
def key(sandbox: Sandbox, settings: Settings) -> Iterator[str]:
    """The portal and its cloud agree on a key that is easy to find again."""
    before, sandbox.key = sandbox.key, CANARY
    settings.BARRACK_API_KEY = CANARY
    cloud.reset()
    yield CANARY
    sandbox.key = before
    cloud.reset()


@pytest.fixture
def browser(key: str, make_user: Callable[..., User]) -> Client:
    found = Client(raise_request_exception=False)
    found.force_login(make_user("admin"), backend="allauth.account.auth_backends.AuthenticationBackend")
    return found


def all_that_leaves(browser: Client, path: str) -> str:
    parts = []
    for headers in ({}, HTMX):
        response = browser.get(path, headers=headers)
        parts += [response.content.decode(), str(response.headers), str(response.cookies)]
    return "\n".join([*parts, str(browser.cookies), str(dict(browser.session))])


@pytest.mark.feature("AUTH-13")
@pytest.mark.parametrize("path", PATHS)
def test_it_is_on_no_page_and_in_no_log(
    browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    assert CANARY not in all_that_leaves(browser, path)
    assert CANARY not in caplog.text
    # and the canary was really in use
    assert 401 not in {call.status for call in sandbox.log.calls()}


@pytest.mark.feature("AUTH-13")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")
def test_it_is_in_no_error_even_when_the_api_repeats_it(
    browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: dict[str, object]
) -> None:
    caplog.set_level(logging.DEBUG)
    form = {"token": token_of(browser.get(RESTORE)), "name": "canary-restored", "intent": "restore"}
    # when a write fails
    sandbox.faults.arm("restore_snapshot", times=1, **fault)  # type: ignore[arg-type]
    answer = browser.post(RESTORE, form)
    assert sandbox.log.calls("restore_snapshot")
    # and then every read
    sandbox.faults.arm("*", times=None, **fault)  # type: ignore[arg-type]
    seen = [answer.content.decode(), str(answer.headers)]
    seen += [all_that_leaves(browser, path) for path in ("/snapshots/", "/snapshots/BRK-123456S/", "/activity/")]
    assert CANARY not in "\n".join(seen)
    assert CANARY not in caplog.text
    # then the trail does not hold it either
    rows = [*Operation.objects.values(), *Event.objects.values()]
    assert rows
    assert CANARY not in repr(rows)


@pytest.mark.feature("AUTH-13")
def test_it_is_in_no_traceback_of_the_client(key: str, sandbox: Sandbox) -> None:
    for fault in FAULTS:
        sandbox.faults.clear()
        sandbox.faults.arm("list_snapshots", times=None, **fault)  # type: ignore[arg-type]
        with pytest.raises(BarrackError) as caught:
            cloud.client().snapshots.list()
        text = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
        # the test's own frame holds it, ours must not
        ours = [part for part in text.split('  File "') if "barrack_web/c" in part.partition('"')[0]]
        assert ours
        assert CANARY not in "".join(ours)


def test_it_is_not_in_the_cache(browser: Client, sandbox: Sandbox) -> None:
    browser.get("/snapshots/")
    held = b"".join(getattr(cache, "_cache", {}).values())
    assert b"BRK-123456S" in held
    assert CANARY.encode() not in held


def test_it_is_taken_out_of_a_log_line_that_holds_it_all_the_same(key: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "header %s sent", (key,), None)
    # given that no request is under way
    assert contextvars.Context().run(RequestFilter().filter, record)
    assert record.getMessage() == "header [key removed] sent"
    assert vars(record)["request_id"] == "-"


def test_it_is_not_in_the_portals_own_words_for_its_client(key: str) -> None:
    assert CANARY not in repr(cloud.client())
    assert CANARY not in repr(vars(cloud.client()))
