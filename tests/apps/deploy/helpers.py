"""What the tests of the wizard share: reading its form as a browser does, and sending it with or without htmx."""

import re
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

from apps.deploy.models import Draft
from apps.deploy.values import to_keep
from barrack_web.clock import now
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import body, words
from tests.conftest import HTMX

URL = "/deploy/"
SECTIONS = ("gpu", "size", "boot", "access", "network", "start", "review")
# Free in every region of the demo; three of the four sizes too.
MODEL, REGION, KEY, NAME = "A100-PCIe-80GB", "CANADA-1", "team-laptop", "trainer"
# What somebody chooses who is in a hurry; the rest the wizard fills in.
CHOICES = {"gpu_model": MODEL, "gpu_count": "1", "region": REGION, "name": NAME, "ssh_keys": KEY}
Values = dict[str, Any]


class _Form(HTMLParser):
    """Collects what a browser would send of the form #deploy, without pressing a button of it."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.select = self.area = ""
        self.picked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "select":
            self.select, self.picked = known["name"], []
        elif tag == "textarea":
            self.area = known["name"]
            self.values.setdefault(self.area, []).append("")
        elif tag == "option" and self.select and ("selected" in known or not self.picked) and "disabled" not in known:
            self.picked = [known.get("value", "")]
        elif tag == "input" and (known.get("type") not in {"radio", "checkbox"} or "checked" in known):
            self.values.setdefault(known["name"], []).append(known.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.values.setdefault(self.select, []).extend(self.picked)
            self.select = ""
        elif tag == "textarea":
            # A browser leaves out the line end that a text area begins with.
            self.values[self.area][-1] = self.values[self.area][-1].removeprefix("\n")
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.values[self.area][-1] += data


def form_of(response: HttpResponse) -> Values:
    """Return what a browser would send of the wizard in an answer: each field's values, hidden ones too."""
    form = _Form()
    form.feed(re.search(r'<form id="deploy".*?</form>', body(response), re.DOTALL)[0])  # type: ignore[index]
    return dict(form.values)


def page(browser: Client, **query: Any) -> HttpResponse:
    """Open the wizard; where the address makes choices, follow to the draft that keeps them."""
    return browser.get(URL, query, follow=True)


def post(
    browser: Client, values: Values, shown: tuple[str, ...] = (), *, htmx: bool = True, **more: Any
) -> HttpResponse:
    """Send the wizard's form. `shown` are the open sections, where `values` does not say them by `seen` itself.

    `more` goes along: intent="create", next="gpu", preset="ssh", validate="name", …; None leaves a field out.
    """
    data = {"seen": [f"{key}:-" for key in shown], **values} if shown else dict(values)
    data = {name: value for name, value in (data | more).items() if value is not None}
    return browser.post(URL, data, headers=HTMX if htmx else {})


def choose(browser: Client, **values: Any) -> HttpResponse:
    """Return the page of a new draft of this browser's person in which these choices were made."""
    chosen = {name: [value] if isinstance(value, str) else list(value) for name, value in values.items()}
    draft = Draft.objects.create(user_id=browser.session["_auth_user_id"], values=to_keep(chosen), updated_at=now())
    return page(browser, draft=str(draft.pk))


def ready(browser: Client, sandbox: Sandbox, **values: Any) -> Values:
    """Return what the Deploy button would send of a complete form, one A100 in CANADA-1 unless said otherwise.

    Draft, token, seen and seen_price are those of the page; `intent` is "create". The cloud's log is empty.
    """
    shown = choose(browser, **(CHOICES | values))
    data = form_of(shown) | {name: values[name] for name in ("jupyter_password",) if name in values}
    assert "seen_price" in data, f"the form is not complete: {words(body(shown))[-900:]}"
    sandbox.log.clear()
    return data | {"intent": "create"}


def section(response: HttpResponse, key: str) -> str:
    """Return the HTML of one section of the page, or of a part that was sent alone; "" when it is not there."""
    found = re.search(rf'<section id="step-{key}".*?</section>', body(response), re.DOTALL)
    return found[0] if found else ""


def panel(response: HttpResponse) -> str:
    """Return the HTML of the price panel; "" when it is not there."""
    found = re.search(
        r'<div class="panel price-panel">.*?</dl>.*?</div>|<div class="panel price-panel">.*?</div>',
        body(response),
        re.DOTALL,
    )
    return found[0] if found else ""


def parts(response: HttpResponse) -> list[str]:
    """Return which parts of the page an answer carries, by their markers: "gpu", "panel", …"""
    return [key.lstrip("!").partition(":")[0] for key in re.findall(r'name="seen" value="([^"]*)"', body(response))]


def is_open(response: HttpResponse) -> list[str]:
    """Return the sections that are open."""
    return re.findall(r'name="seen" value="(?!head|alert|said|panel)([a-z]+):', body(response))


def draft_id(response: HttpResponse) -> str:
    """Return the id of the draft that the page is about."""
    found = re.search(r'name="draft" value="([^"]+)"', body(response))
    assert found, "no draft on the page"
    return found[1]


def errors(fragment: str) -> list[str]:
    """Return what stands in red at the fields of a piece of HTML."""
    found = re.findall(r'<(?:p|div) class="field-error".*?</(?:p|div)>', fragment, re.DOTALL)
    return [words(one) for one in found]


def options(html: str, name: str) -> dict[str, str]:
    """Return the choices of a select: value to words; those that are off begin with "off: "."""
    select = html.partition(f'<select name="{name}"')[2].partition("</select>")[0]
    found = re.findall(r'<option value="([^"]*)"([^>]*)>(.*?)</option>', select, re.DOTALL)
    return {value: ("off: " if "disabled" in rest else "") + words(text) for value, rest, text in found}


def give_stock(sandbox: Sandbox, model: str = MODEL, **regions: int) -> None:
    """Let so many GPUs of a model be free: give_stock(sandbox, US_1=3); none elsewhere."""
    for region in ("NORWAY-1", "CANADA-1", "US-1"):
        sandbox.world.stock[region, model] = regions.get(region.replace("-", "_"), 0)
