"""A real Chromium against the portal on a real port, with the simulated cloud in this process."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.account.demo import create_accounts
from barrack_web.sandbox.server import Sandbox

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# The dashboard, where people land after signing in.
HOME = re.compile(r"^https?://[^/]+/$")
# What the portal is for, walked in every `make test`; the other journeys in `make test-slow`.
CORE = {"test_deploy_journeys", "test_restore_journey"}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Playwright's synchronous API runs an event loop in this thread, which Django takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            if item.path.stem in CORE:
                # One worker for all of them: two Chromiums on two cores keep every other test waiting.
                item.add_marker(pytest.mark.xdist_group("browser"))
            else:
                item.add_marker(pytest.mark.slow)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine: apt-get install chromium"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def portal(live_server: LiveServer, sandbox: Sandbox, settings: Any) -> str:
    """The portal's address, with the demo accounts, looking again every second."""
    settings.POLL_SECONDS = settings.POLL_CHANGING_SECONDS = 1
    settings.API_READ_SECONDS = settings.API_WRITE_SECONDS = 3
    create_accounts()
    return live_server.url


@pytest.fixture
def open_page(chromium: Browser, portal: str) -> Iterator[Callable[..., Page]]:
    """Open a window: open_page("operator"), with width=, js=False, dark=True. Any console error fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(role: str = "", *, width: int = 1440, height: int = 900, js: bool = True, dark: bool = False) -> Page:
        context = chromium.new_context(
            base_url=portal,
            viewport={"width": width, "height": height},
            java_script_enabled=js,
            color_scheme="dark" if dark else "light",
            has_touch=width < 700,
            is_mobile=width < 700,
            timezone_id="Europe/Oslo",
            locale="en-GB",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        if role:
            page.goto("/account/login/")
            page.get_by_role("button", name=re.compile(role, re.IGNORECASE)).click()
            page.wait_for_url(HOME)
        return page

    yield opened
    for context in contexts:
        try:
            context.close()
        except Error as error:
            complaints.append(str(error))
    # Chromium reports every answer of 4xx and 5xx as an error of the console, which tests of errors expect; htmx also a
    # poll that gives way to what somebody does.
    expected = ("Failed to load resource", "Response Status Error Code", "htmx:sendError", "htmx:afterRequest")
    expected += ("htmx:sendAbort",)
    real = [text for text in complaints if not text.startswith(expected)]
    assert not real, f"the console complained: {real}"
