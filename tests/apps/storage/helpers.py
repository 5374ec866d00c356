"""What the tests of the volumes' pages share."""

import html
import re
from typing import Any

from django.http import HttpResponse

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import body, words

LIST = "/volumes/"
CREATE, LEFTOVERS = f"{LIST}create/", f"{LIST}leftovers/"
# Attached to ml-training-server (ACTIVE), as /dev/vdb; attached by the other word; the boot volume of eval-harness.
CORPUS, SHADOW, BOOT = "BRK-123458V", "BRK-123594V", "BRK-123504V"
# Available: one that a VM can be deployed from, a large one, a small one.
GOLDEN, IMAGENET, SMALL = "BRK-123519V", "BRK-123527V", "BRK-123538V"
# Creating, error, and a status that no documentation names.
MOVING, BROKEN, ODD = "BRK-123566V", "BRK-123573V", "BRK-123588V"
VM = "BRK-123456D"


def card(response: HttpResponse, volume_id: str) -> str:
    """Return the HTML of one volume's card."""
    found = re.search(
        rf'<article class="card" id="volume-{volume_id.lower()}">.*?</article>', body(response), re.DOTALL
    )
    assert found, f"no card of {volume_id}"
    return found.group(0)


def badge(fragment: str) -> tuple[str, str]:
    """Return the tone and the word of the first badge."""
    found = re.search(r'<span class="state state-(\w+)">(.*?)</bdi>', fragment, re.DOTALL)
    assert found, "no badge"
    return found.group(1), words(found.group(2))


def keep_only(sandbox: Sandbox, *volume_ids: str) -> None:
    """Leave only these volumes in the cloud."""
    for volume_id in list(sandbox.world.volumes):
        if volume_id not in volume_ids:
            del sandbox.world.volumes[volume_id]


def options(response: HttpResponse, name: str) -> list[str]:
    """Return the words of a select's choices."""
    found = re.search(rf'<select name="{name}".*?</select>', body(response), re.DOTALL)
    assert found, f"no select {name}"
    return [words(text) for text in re.findall(r"<option[^>]*>(.*?)</option>", found.group(0), re.DOTALL)]


def chosen(response: HttpResponse, name: str) -> str:
    """Return the value that a select has now."""
    found = re.search(rf'<select name="{name}".*?</select>', body(response), re.DOTALL)
    assert found, f"no select {name}"
    value = re.search(r'<option value="([^"]*)" selected', found.group(0))
    return html.unescape(value.group(1)) if value else ""


def put_balance(sandbox: Sandbox, amount: str, currency: str = "USD") -> None:
    """Let the API answer with one balance in that currency."""
    data: dict[str, Any] = {"balances": [{"currency": currency, "amount": amount}], "primary_currency": currency}
    answer = {"success": True, "data": data}
    sandbox.faults.arm("get_credit_balance", "status", status=200, body=answer, times=None)
