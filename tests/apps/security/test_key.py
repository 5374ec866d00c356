"""/ssh-keys/<id>/: one key with what it is, where it is, its VMs, its SSH configuration, what was done with it."""

import html
import re

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import CREATE, IMPORT, LAPTOP, LIST, OLD, new, put
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

URL = f"{LIST}{LAPTOP}/"


def block(response: HttpResponse, name: str) -> str:
    """Return the text of a block that can be copied."""
    found = re.search(rf'<pre class="key-text" id="{name}"[^>]*>(.*?)</pre>', body(response), re.DOTALL)
    assert found, f"no block {name}"
    return html.unescape(found.group(1))


@pytest.mark.feature("KEY-32", "KEY-20", "KEY-21")
def test_it_shows_everything(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(URL)
    shown, key = facts(body(response)), sandbox.world.ssh_keys[LAPTOP]
    assert (shown["Name"], shown["Type"], shown["Size"]) == ("team-laptop", "Ed25519", "256 bits")
    assert shown["Fingerprint"] == f"{key['fingerprint']} SHA256:M0MgVJnSXH6Y4m6OAQU4hg1PuYa/dEIGJCGSLw/qEjg"
    assert (shown["Comment"], shown["Key ID"]) == ("ml@example.com", LAPTOP)
    assert "UTC" in shown["Created"]
    assert block(response, "public-key") == key["public_key"]
    assert 'data-copy-from="#public-key"' in body(response)
    assert [call.path for call in sandbox.log.calls("get_ssh_key")] == ["/ssh-keys/11"]


@pytest.mark.feature("KEY-32")
def test_it_lists_the_vms_that_have_it(viewer: Client, sandbox: Sandbox) -> None:
    listed = body(viewer.get(URL)).partition("<h2>VMs with this key</h2>")[2].partition('id="activity"')[0]
    using = {vm for vm, row in sandbox.world.instances.items() if "team-laptop" in row["ssh_keys"]}
    gone = {vm for vm, row in sandbox.world.instances.items() if row["status"] in {"DELETED", "DELETING"}}
    assert set(re.findall(r'href="/vms/([^"/]+)/"', listed)) == using - gone
    assert "No VM names this key." in text_of(viewer.get(f"{LIST}{OLD}/"))


@pytest.mark.feature("KEY-32")
def test_it_says_where_a_key_came_from_as_far_as_that_is_known(operator: Client, sandbox: Sandbox) -> None:
    assert facts(body(operator.get(URL)))["Source"].startswith("— Barrack does not say")
    operator.post(CREATE, new(operator, name="made"), headers=HTMX)
    operator.post(IMPORT, new(operator, IMPORT, name="brought"), headers=HTMX)
    for event, source in zip(Event.objects.order_by("number"), ("Created", "Imported"), strict=True):
        response = operator.get(f"{LIST}{event.result_id}/")
        assert facts(body(response))["Source"] == f"{source} in this portal"


@pytest.mark.feature("KEY-32")
@pytest.mark.parametrize("line", [None, "", "ssh-dss AAAA", "nonsense"])
def test_it_says_what_is_not_known(viewer: Client, sandbox: Sandbox, line: str | None) -> None:
    put(sandbox, LAPTOP, public_key=line, fingerprint=None, regions=None)
    response = viewer.get(URL)
    shown = facts(body(response))
    assert [shown[name] for name in ("Type", "Size", "Fingerprint", "Comment")] == ["—"] * 4
    assert "— Barrack does not say where the key is." in text_of(response)
    assert ("— Barrack did not send it." in text_of(response)) == (not line)


@pytest.mark.feature("KEY-22")
def test_it_shows_each_region_and_whether_the_key_is_there(viewer: Client, sandbox: Sandbox) -> None:
    put(sandbox, LAPTOP, regions=["US-1", "MARS-1"])
    shown = body(viewer.get(URL)).partition('<ul class="ticks">')[2].partition("</ul>")[0]
    assert [words(line) for line in re.findall(r"<li.*?</li>", shown, re.DOTALL)] == [
        "CANADA-1 – not there", "MARS-1", "NORWAY-1 – not there", "US-1",
    ]  # fmt: skip


@pytest.mark.feature("KEY-33")
def test_it_has_a_block_for_the_ssh_configuration(operator: Client, sandbox: Sandbox) -> None:
    assert block(operator.get(URL), "ssh-config").split("\n") == [
        "Host my-vm",
        "    HostName 203.0.113.10",
        "    User ubuntu",
        "    IdentityFile ~/.ssh/your_private_key",
        "    IdentitiesOnly yes",
    ]
    # and for a pair that was made here, the file that was given to download
    operator.post(CREATE, new(operator, name="made.key"), headers=HTMX)
    made = Event.objects.get().result_id
    assert "IdentityFile ~/.ssh/made.key.pem\n" in block(operator.get(f"{LIST}{made}/"), "ssh-config")
    # but never what somebody outside has made of its name
    put(sandbox, made, name="x\n    ProxyCommand evil")
    assert "evil" not in block(operator.get(f"{LIST}{made}/"), "ssh-config")


@pytest.mark.parametrize("role", ["viewer", "billing", "operator", "admin"])
def test_it_shows_each_role_its_buttons(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    page = body(request.getfixturevalue(role).get(URL))
    bar = page.partition('class="action-bar"')[2].partition('<div class="panels">')[0]
    assert leads_to(bar, "Delete") == (f"{URL}delete/" if role == "admin" else "")
    assert ("Only an admin can delete SSH keys" in bar) == (role != "admin")


def test_it_shows_what_was_done_with_this_key_alone(admin: Client, sandbox: Sandbox) -> None:
    assert "Nothing was done with this key through the portal yet." in text_of(admin.get(URL))
    admin.post(IMPORT, new(admin, IMPORT), headers=HTMX)
    page = body(admin.get(f"{LIST}{Event.objects.get().result_id}/")).partition('id="activity"')[2]
    assert re.findall(r'<td data-label="What"><div><a href="/activity/\d+/">(.*?)</a>', page) == ["Import SSH key"]
    assert "/activity/?q=fresh" in page


def test_it_says_304_until_key_or_vms_change(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(URL, headers=HTMX)
    again = {**HTMX, "If-None-Match": first["ETag"]}
    assert viewer.get(URL, headers=again).status_code == 304
    sandbox.world.instances["BRK-123456D"]["ssh_keys"] = []
    assert viewer.get(URL, headers=again).status_code == 200


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS[:4], "x" * 129, "999999"])
def test_it_has_no_page_for_a_key_that_is_not_there(viewer: Client, sandbox: Sandbox, impossible: str) -> None:
    assert viewer.get(f"{LIST}{impossible}/").status_code == 404


@pytest.mark.parametrize("method", ["post", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS[:4])
def test_it_says_so_when_the_api_fails(admin: Client, sandbox: Sandbox, kind: str, title: str, status: int) -> None:
    sandbox.faults.arm("get_ssh_key", kind, times=None)
    response = admin.get(URL)
    assert response.status_code == status
    assert alert(response).startswith(title)


def test_it_shows_the_lists_copy_while_its_own_call_fails(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("get_ssh_key", "refuse", times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert facts(body(response))["Name"] == "team-laptop"
    assert is_off(body(response), "Delete") == "Barrack does not answer, so nothing can be changed now."


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J", "{{ 7|add:7 }}"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    fields = {"name": text, "fingerprint": text, "public_key": text, "regions": [text]}
    sandbox.world.ssh_keys[LAPTOP] |= fields
    sandbox.world.instances["BRK-123456D"] |= {"ssh_keys": [text], "vm_name": text}
    response = admin.get(URL)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
    assert len(body(response)) < 50_000
