"""What the tests of the VM list read from the page and put into the cloud."""

import html
import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox

URL = "/vms/"
ONE = "BRK-123456D"


def words(fragment: str) -> str:
    """Return the text of a piece of HTML as somebody reads it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?bdi>", "", fragment)))).strip()


def body(response: HttpResponse) -> str:
    return str(response.content.decode())


def rows(browser: Client, **query: str) -> dict[str, str]:
    """Return the table's rows by the VM's name, as somebody reads them, from top to bottom; of one page."""
    page = browser.get(URL, {"view": "table", **query}).content.decode()
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    found = {}
    for row in re.findall(r"<tr\b.*?</tr>", table, flags=re.DOTALL):
        name = re.search(r"<bdi>(.*?)</bdi>", row, flags=re.DOTALL)
        assert name
        told = re.sub(r'<td class="pick-cell".*?</td>', "", row, flags=re.DOTALL)
        found[name.group(1)] = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", told)).strip()
    return found


def cards(response: HttpResponse) -> dict[str, str]:
    """Return the HTML of each card by the VM's name, from top to bottom."""
    found = re.findall(r'<article class="card".*?</article>', body(response), flags=re.DOTALL)
    return {words(card.partition('<h2 class="card-name">')[2].partition("</h2>")[0]): card for card in found}


def card(browser: Client, name: str = "the-vm") -> str:
    """Return the HTML of one VM's card, found by its name."""
    found = cards(browser.get(URL, {"view": "cards", "q": name}))
    assert name in found, f"no card of {name}"
    return found[name]


def facts(fragment: str) -> dict[str, str]:
    """Return the pairs of a description list: what is asked, and what stands there."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", fragment, flags=re.DOTALL)
    return {words(term): words(value) for term, value in pairs}


def statistics(browser: Client, **query: str) -> dict[str, str]:
    """Return the figures above the list."""
    page = body(browser.get(URL, query))
    return facts(page.partition('<dl class="stats" id="stats">')[2].partition("</dl>")[0])


def buttons(fragment: str) -> dict[str, str]:
    """Return a card's buttons: their words, and the address that they lead to, or the reason why they are off."""
    foot = fragment.partition('<footer class="card-foot">')[2]
    found = {}
    for tag in re.findall(r'<(?:a|span) class="btn[ "].*?</(?:a|span)>', foot, flags=re.DOTALL):
        off = re.search(r'data-tip="([^"]*)"', tag)
        where = re.search(r'href="([^"]*)"', tag)
        assert off or where, f"{tag} leads nowhere and does not say why"
        assert not (off and where), f"{tag} is off and yet a link"
        found[words(tag)] = html.unescape((off or where).group(1))  # type: ignore[union-attr]
    return found


def badge_of(browser: Client, name: str) -> tuple[str, str]:
    """Return tone and words of the badge on that VM's card; the table has the same."""
    found = []
    for view, end in (("cards", "</article>"), ("table", "</tr>")):
        page = browser.get(URL, {"view": view}).content.decode()
        part = page.partition(f"<bdi>{name}</bdi>")[2].partition(end)[0]
        badge = re.search(r'class="state state-(\w+)"><span[^>]*></span><bdi>([^<]*)</bdi>', part)
        assert badge
        found.append(badge.groups())
    assert found[0] == found[1]
    return found[0][0], found[0][1]


def only(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    """Leave one VM in the cloud, with these fields."""
    for key in [key for key in sandbox.world.instances if key != ONE]:
        del sandbox.world.instances[key]
    record = sandbox.world.instances[ONE]
    record |= {"vm_name": "the-vm", "status": "ACTIVE"} | fields
    return record


def copies(sandbox: Sandbox, number: int, **fields: Any) -> list[str]:
    """Leave so many VMs in the cloud, vm-01 the newest, with these fields; return their ids in that order."""
    record = dict(next(iter(sandbox.world.instances.values())), status="ACTIVE")
    sandbox.world.instances.clear()
    ids = [f"BRK-{100 + place}D" for place in range(1, number + 1)]
    for place, key in enumerate(ids, start=1):
        created = f"2026-01-01T{23 - place // 60:02}:{59 - place % 60:02}:00Z"
        own = {"instance_id": key, "vm_name": f"vm-{place:02}", "created_at": created}
        sandbox.world.add("instances", key, record | own | fields)
    return ids


def set_prices(sandbox: Sandbox, gpus: dict[str, float], currency: str = "USD") -> None:
    """Let the price list hold these GPUs alone, with their prices per hour."""
    lines = {model: {"prices": {currency: price}, "max_count": 8} for model, price in gpus.items()}
    answer = {"success": True, "pricing_data": {"gpus": {"pricing": {"legacy": lines}}}}
    sandbox.faults.arm("get_pricing", "status", status=200, body=answer, times=None)
