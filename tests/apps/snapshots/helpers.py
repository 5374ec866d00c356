"""What the tests of the snapshot pages share: reading an answer as somebody sees it, and sending forms."""

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

from django.db import connections
from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.conftest import HTMX, token_of

# What the API refuses, with the title of the alert and the status of our answer. Nothing has happened then.
REFUSALS = [
    (401, "Barrack refused the portal's key", 502),
    (402, "Insufficient Credits", 422),
    (403, "Barrack does not allow this", 422),
    (404, "It no longer exists", 422),
    (409, "Barrack refused this in the present state", 422),
    (422, "Barrack did not accept a field", 422),
    (429, "Barrack asks for fewer requests", 503),
]
# Ways in which a write's answer is lost before anything is done, with the status of our answer.
LOST_BEFORE = [("hang", 504, "took too long"), ("html", 502, "broke off"), ("close", 502, "broke off")]
# Ways in which it is lost after the work was done.
LOST_AFTER = ["invalid_json", "truncate", "drop_answer"]
# What a page says whose read was refused.
READ_REFUSALS = [
    (401, "Barrack refused the portal's key", 502),
    (402, "Barrack refused the request", 502),
    (403, "Barrack does not allow this", 502),
    (409, "Barrack refused the request", 502),
    (422, "Barrack refused the request", 502),
    (429, "Barrack asks for fewer requests", 503),
    (503, "Barrack has a problem", 502),
]
# What a page says when the API is down, by the way in which it is.
READ_FAULTS = [
    ("refuse", "Barrack does not answer", 503),
    ("hang", "Barrack takes too long", 504),
    ("html", "Barrack has a problem", 502),
    ("invalid_json", "Barrack sent an answer that cannot be read", 502),
    ("truncate", "Barrack sent an answer that cannot be read", 502),
    ("drop_answer", "Barrack sent an answer that cannot be read", 502),
    ("close", "Barrack sent an answer that cannot be read", 502),
]
# Names that no resource can have, with what the field says; each is kept in the field as it was typed.
ALLOWED = "Use letters, numbers, spaces, hyphens (-), underscores (_) and periods (.)."
BAD_NAMES = [
    ("", "Enter a name.", "0/50"),
    ("   ", "Enter a name.", "3/50"),
    ("x" * 51, "Use at most 50 characters; this has 51.", "51/50"),
    ("a/b", f"Not allowed: “/”. {ALLOWED}", "3/50"),
    ("rocket 🚀", f"Not allowed: “🚀”. {ALLOWED}", "8/50"),
    ("backup\n", f"Not allowed: a line break. {ALLOWED}", "7/50"),
    ("back\tup", f"Not allowed: the invisible character U+0009. {ALLOWED}", "7/50"),
    ("Ünïcode", f"Not allowed: “Ü”, “ï”. {ALLOWED}", "7/50"),
]
# Ids as they stand in an address; no snapshot can have them.
IMPOSSIBLE_IDS = ["..", "...", "%2E%2E", "a%252F..%252Fbalance", "a%0Ab", "%00", "a%5Cb", "%20", "%E2%80%AE", "x" * 129]
SCRIPT = '"><script>alert(1)</script>'
RIGHT_TO_LEFT = "\u202egnp.exe\u200f"


def words(fragment: str) -> str:
    """Return the text of a piece of HTML as somebody reads it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?bdi>", "", fragment)))).strip()


def body(response: HttpResponse) -> str:
    return str(response.content.decode())


def facts(fragment: str) -> dict[str, str]:
    """Return the pairs of a description list: what stands in bold, and its value."""
    return {
        words(term): words(value)
        for term, value in re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", fragment, re.DOTALL)
    }


def card(response: HttpResponse, snapshot_id: str) -> str:
    """Return the HTML of one snapshot's card."""
    found = re.search(
        rf'<article class="card" id="snapshot-{snapshot_id.lower()}">.*?</article>', body(response), re.DOTALL
    )
    assert found, f"no card of {snapshot_id}"
    return found.group(0)


def card_names(response: HttpResponse) -> list[str]:
    """Return the names on the cards, in their order."""
    return [words(name) for name in re.findall(r'<h2 class="card-name">(.*?)</h2>', body(response), re.DOTALL)]


def alert(response: HttpResponse, tone: str = "danger") -> str:
    """Return what the red alert box says; there must be exactly one alert, and it must be red."""
    found = re.findall(r'<div class="notice notice-(\w+)" role="alert">(.*?)</div>\s*</div>', body(response), re.DOTALL)
    assert [shown for shown, _ in found] == [tone]
    return words(found[0][1])


def unsure(response: HttpResponse) -> str:
    """Return what the alert says that stands for an outcome that is not known yet."""
    return alert(response)


def no_alert(response: HttpResponse) -> bool:
    return 'role="alert"' not in body(response)


def button(fragment: str, action: str) -> str:
    """Return the HTML of the button, on or off, whose words or label begin with these."""
    for kind in ("a", "span"):
        for found in re.findall(rf'<{kind} class="btn[ "].*?</{kind}>', fragment, re.DOTALL):
            label = re.search(r'aria-label="([^"]*)"', found)
            if words(found) == action or (label and html.unescape(label.group(1)).startswith(action)):
                return str(found)
    return ""


def is_off(fragment: str, action: str) -> str:
    """Return why the button is off; it must be there, and not be a link."""
    found = button(fragment, action)
    assert found.startswith("<span"), f"{action} is not off: {found or 'absent'}"
    assert "href" not in found
    assert "hx-get" not in found
    reason = re.search(r'data-tip="([^"]*)"', found)
    assert reason, f"{action} does not say why it is off"
    return html.unescape(reason.group(1))


def leads_to(fragment: str, action: str) -> str:
    """Return the address of the button's link, or "" without such a link."""
    found = re.search(r'href="([^"]*)"', button(fragment, action))
    return html.unescape(found.group(1)) if found else ""


def feedback(response: HttpResponse, field: str = "name") -> str:
    """Return what stands at a field."""
    found = re.search(rf'data-field="id_{field}">(.*?)</div>', body(response), re.DOTALL)
    assert found, f"no feedback of {field}"
    return words(found.group(1))


def counter(response: HttpResponse) -> str:
    """Return the character counter of the name: "25/50"."""
    found = re.search(r'<span class="counter"[^>]*>(.*?)</span>\s*</div>', body(response), re.DOTALL)
    assert found, "no counter"
    return words(found.group(1)).removeprefix("Characters: ")


def typed(response: HttpResponse, field: str = "name") -> str:
    """Return what stands in a text field now."""
    found = re.search(rf'<input type="text" name="{field}"[^>]*>', body(response), re.DOTALL)
    assert found, f"no field {field}"
    value = re.search(r' value="([^"]*)"', found.group(0))
    return html.unescape(value.group(1)) if value else ""


def submit_button(response: HttpResponse) -> str:
    """Return the HTML of the button that sends the form."""
    found = re.search(r'<button type="submit" name="intent".*?</button>', body(response), re.DOTALL)
    assert found, "no submit button"
    return found.group(0)


def filled(browser: Client, url: str, **fields: str) -> dict[str, str]:
    """Open the form at an address and return what its submit button would send with these fields."""
    opened = browser.get(url, headers=HTMX)
    intent = re.search(r'name="intent" value="([^"]+)"', submit_button(opened))
    assert intent
    return {"token": token_of(opened), "intent": intent.group(1), **fields}


def date_of(text: str) -> datetime:
    """Return the moment that the cloud writes like this."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def sent(sandbox: Sandbox, operation: str) -> list[Any]:
    """Return the bodies that the cloud received for an operation."""
    return [call.body for call in sandbox.log.calls(operation)]


def snapshot_paths(sandbox: Sandbox) -> set[str]:
    """Return the paths of single snapshots that the cloud was asked for."""
    return {
        call.path
        for call in sandbox.log.calls()
        if call.path.startswith("/snapshots/") and call.path not in {"/snapshots/billing", "/snapshots/images/batch"}
    }


def at_once(*jobs: Callable[[], HttpResponse]) -> list[HttpResponse]:
    """Run the jobs at the same time, each on a thread and a database connection of its own."""

    start = Barrier(len(jobs))

    def run(job: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            start.wait()
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as threads:
        return list(threads.map(run, jobs))


def unescaped(response: HttpResponse) -> bool:
    """Return whether anything that a hostile API sent is markup on the page."""
    page = body(response)
    return "<script>alert" in page or "<img src=x" in page
