"""What the tests of the dashboard share: reading its three sections as somebody sees them."""

import html
import re

from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import body, button, leads_to, words

TRAINER = "BRK-123456D"


def home(browser: Client, vm: str = TRAINER, **headers: str) -> HttpResponse:
    """Open the dashboard with that VM chosen; "" leaves the choice to it."""
    return browser.get("/", {"vm": vm} if vm else {}, headers=headers)


def section(response: HttpResponse, name: str) -> str:
    """Return the HTML of one of the three sections: "details", "operations" or "account"."""
    found = re.search(
        rf'<section class="[^"]*" aria-labelledby="board-{name}">.*?</section>', body(response), re.DOTALL
    )
    assert found, f"no section {name}"
    return found.group(0)


def chosen(response: HttpResponse) -> str:
    """Return the id of the VM that is shown, "" without one; the selector must agree."""
    shown = re.search(r'class="board-name">.*?<small>(.*?)</small>', section(response, "details"), re.DOTALL)
    selected = re.findall(r'<option value="([^"]*)" selected>', section(response, "operations"))
    assert selected == ([shown.group(1)] if shown else []), "the selector shows another VM"
    return shown.group(1) if shown else ""


def options(response: HttpResponse) -> dict[str, str]:
    """Return what can be chosen: the words of each option by its value, in their order."""
    select = re.search(r"<select.*?</select>", section(response, "operations"), re.DOTALL)
    found = re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', select.group(0), re.DOTALL) if select else []
    return {value: words(text) for value, text in found}


def one_click(fragment: str, action: str) -> str:
    """Return the address whose form the button opens in the dialog, without a page in between."""
    found = re.search(r'hx-get="([^"]*)" hx-target="#modal-body"', button(fragment, action))
    assert found, f"{action} does not open a dialog: {button(fragment, action) or 'absent'}"
    assert leads_to(fragment, action) == html.unescape(found.group(1)), "without scripts it would lead elsewhere"
    return leads_to(fragment, action)


def keep_copies(settings: Settings) -> None:
    """Let what was read count as fresh for a while, as in production."""
    for name in ("STATUS", "STOCK", "BALANCE", "CATALOG"):
        setattr(settings, f"FRESH_{name}_SECONDS", 60.0)


def operations(sandbox: Sandbox) -> list[str]:
    return sorted(call.operation for call in sandbox.log.calls() if call.operation)
