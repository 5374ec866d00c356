"""What the tests of the VM list read from the page and put into the cloud."""

import re
from typing import Any

from django.test import Client

from barrack_web.sandbox.server import Sandbox

URL = "/vms/"
ONE = "BRK-123456D"


def rows(browser: Client, **query: str) -> dict[str, str]:
    """Return the table's rows by the VM's name, as somebody reads them, from top to bottom."""
    page = browser.get(URL, query).content.decode()
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    found = {}
    for row in re.findall(r"<tr\b.*?</tr>", body, flags=re.DOTALL):
        name = re.search(r"<bdi>(.*?)</bdi>", row)
        assert name
        found[name.group(1)] = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip()
    return found


def badge_of(browser: Client, name: str) -> tuple[str, str]:
    """Return tone and words of the badge in that VM's row."""
    page = browser.get(URL).content.decode()
    row = page.partition(f"<bdi>{name}</bdi>")[2].partition("</tr>")[0]
    found = re.search(r'class="state state-(\w+)"><span[^>]*></span><bdi>([^<]*)</bdi>', row)
    assert found
    return found.group(1), found.group(2)


def only(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    """Leave one VM in the cloud, with these fields."""
    for key in [key for key in sandbox.world.instances if key != ONE]:
        del sandbox.world.instances[key]
    record = sandbox.world.instances[ONE]
    record |= {"vm_name": "the-vm", "status": "ACTIVE"} | fields
    return record
