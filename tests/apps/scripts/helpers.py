"""What the tests of the scripts' pages share: reading an answer as somebody sees it, and filling in forms."""

import html
import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import body, filled, words
from tests.conftest import HTMX, token_of

LIST = "/scripts/"
# install-deps, cloud-config-base and download-models of the demo; the last one holds a token.
DEPS, CONFIG, MODELS = "71", "75", "76"
TOKEN = "hf_example_not_a_real_token"
SHELL = "#!/bin/bash\necho hello\n"


def card(response: HttpResponse, script_id: str) -> str:
    """Return the HTML of one script's card."""
    found = re.search(rf'<article class="card" id="script-{script_id}">.*?</article>', body(response), re.DOTALL)
    assert found, f"no card of {script_id}"
    return found.group(0)


def content_says(response: HttpResponse) -> str:
    """Return what stands below the text of the script: what is wrong with it, its size, and its secrets."""
    found = re.search(r'data-field="id_content">(.*?)<p class="field-help">The first', body(response), re.DOTALL)
    alone = re.search(r'data-field="id_content">(.*)', body(response), re.DOTALL)
    assert found or alone, "no feedback of the content"
    return words((found or alone).group(1))  # type: ignore[union-attr]


def text_in(response: HttpResponse, field: str = "content") -> str:
    """Return what stands in a text area of the form."""
    found = re.search(rf'<textarea name="{field}"[^>]*>\n(.*?)</textarea>', body(response), re.DOTALL)
    assert found, f"no text area {field}"
    return html.unescape(found.group(1))


def hidden(response: HttpResponse, field: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'<input type="hidden" name="{field}"[^>]*>', body(response))
    assert found, f"no hidden field {field}"
    value = re.search(r' value="([^"]*)"', found.group(0))
    return html.unescape(value.group(1)) if value else ""


def new(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form of a new script and return what its button would send."""
    return filled(browser, f"{LIST}create/", **{"name": "fresh", "description": "", "content": SHELL, **fields})


def opened(browser: Client, script_id: str = DEPS, **fields: str) -> dict[str, str]:
    """Open the form of a script and return what its button would send, with these fields changed."""
    url = f"{LIST}{script_id}/edit/"
    form = browser.get(url)
    own = {"description": text_in(form, "description"), "content": text_in(form)}
    own |= {"loaded": hidden(form, "loaded"), "over": hidden(form, "over")}
    name = re.search(r'name="name" value="([^"]*)"', body(form))
    assert name
    return filled(browser, url, **{"name": html.unescape(name.group(1)), **own, **fields})


def again(data: dict[str, str], response: HttpResponse) -> dict[str, str]:
    """Return what the button of the form in an answer would send."""
    return {**data, "token": token_of(response), "loaded": hidden(response, "loaded"), "over": hidden(response, "over")}


def chosen(browser: Client, ids: list[str]) -> dict[str, str | list[str]]:
    """Open the question about these scripts and return what its button would send."""
    page = body(browser.get(f"{LIST}bulk/", {"script": ids}, headers=HTMX))
    tokens = dict(re.findall(r'name="(token-[^"]+)" value="([^"]+)"', page))
    assert len(tokens) == len(ids)
    return {"intent": "delete", "script": ids, **{html.unescape(name): value for name, value in tokens.items()}}


def put(sandbox: Sandbox, script_id: str, **fields: Any) -> dict[str, Any]:
    """Let a script appear in the cloud, or change one as somebody outside the portal would."""
    record = dict(sandbox.world.scripts.get(script_id) or sandbox.world.scripts[DEPS])
    record |= {"script_id": int(script_id), "updated_at": iso(sandbox.world.now()), **fields}
    sandbox.world.add("scripts", script_id, record)
    return record
