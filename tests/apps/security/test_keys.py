"""/ssh-keys/: the list with its statistics, search, region, sorts, pager, polling, and what it says on bad days."""

import html
import re
from typing import Any

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import LAPTOP, LIST, OLD, card, fill_up, put
from tests.apps.snapshots.helpers import (
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    card_names,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

NEWEST = ["anna-yubikey", "ci-runner", "team-laptop", "old-workstation"]
BLOCKS = {"Creation", "Storage", "Maintenance", "Access control"}


# -- works


@pytest.mark.feature("KEY-19", "NAV-01")
def test_it_shows_the_keys_newest_first(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(LIST)
    assert response.status_code == 200
    assert card_names(response) == NEWEST
    assert [call.operation for call in sandbox.log.calls()].count("list_ssh_keys") == 1
    shown = facts(card(response, "team-laptop"))
    assert shown["Fingerprint"] == sandbox.world.ssh_keys[LAPTOP]["fingerprint"]
    assert "UTC" in shown["Created"]
    assert (shown["Type"], shown["Used by"]) == ("Ed25519", "14 VMs, 10 active")
    assert facts(card(response, "ci-runner"))["Type"] == "RSA, 2,048 bits"
    assert leads_to(card(response, "team-laptop"), "Details") == f"{LIST}{LAPTOP}/"
    # and the page is found in the navigation, between snapshots and scripts
    labels = [words(found) for found in re.findall(r'<nav id="menu".*?</nav>', body(response), re.DOTALL)]
    assert re.search(r"Snapshots .*SSH Keys .*Scripts", labels[0])
    assert f'<a href="{LIST}" aria-current="page">' in body(response)


@pytest.mark.feature("KEY-22", "KEY-13")
def test_it_shows_where_each_key_is(viewer: Client, sandbox: Sandbox) -> None:
    put(sandbox, OLD, regions=["US-1"])
    response = viewer.get(LIST)
    assert facts(card(response, "team-laptop"))["Regions"] == "NORWAY-1, CANADA-1, US-1"
    assert facts(card(response, "old-workstation"))["Regions"] == "US-1"


@pytest.mark.feature("KEY-20", "KEY-21")
def test_it_unfolds_the_public_key_and_copies_it(viewer: Client, sandbox: Sandbox) -> None:
    shown = card(viewer.get(LIST), "ci-runner")
    found = re.search(
        r'<details class="key-public">\s*<summary>Public key</summary>\s*<pre [^>]*id="([^"]+)"[^>]*>(.*?)</pre>',
        shown,
    )
    assert found
    assert html.unescape(found.group(2)) == sandbox.world.ssh_keys["12"]["public_key"]
    # by the button where there are scripts, and by a click that selects all of it where there are none
    assert re.search(rf'<button type="button" class="btn needs-script" data-copy-from="#{found.group(1)}"', shown)
    with open("static/css/app.css", encoding="utf-8") as file:  # noqa: PTH123
        assert re.search(r"\.key-text, \.key-private \{[^}]*user-select: all", file.read())


@pytest.mark.feature("KEY-11")
def test_it_counts(viewer: Client, sandbox: Sandbox) -> None:
    statistics = facts(body(viewer.get(LIST)))
    assert statistics["Keys"] == "4 of 25 per region"
    assert statistics["In use by active VMs"] == "2 of 4 keys"
    assert statistics["Types"] == "3 2 Ed25519, 1 RSA, 1 ECDSA"
    put(sandbox, OLD, public_key="ssh-dss AAAA", regions=["US-1"])
    statistics = facts(body(viewer.get(LIST, {"region": "US-1"})))
    assert statistics["Keys"] == "4 of 25 per region, in US-1"
    assert facts(body(viewer.get(LIST, {"region": "NORWAY-1"})))["Keys"] == "3 of 25 per region, in NORWAY-1"


@pytest.mark.feature("KEY-23", "KEY-24", "NAV-10")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "LAPTOP"}, ["team-laptop"]),
        ({"q": "ml@example.com"}, []),
        ({"region": "US-1"}, [*NEWEST[:3], "old-workstation"]),
        ({"region": "NORWAY-1"}, NEWEST[:3]),
        ({"region": "NORWAY-1", "q": "old"}, []),
        ({"region": "MARS-1"}, []),
    ],
)
def test_it_searches_and_filters(viewer: Client, sandbox: Sandbox, query: dict[str, str], names: list[str]) -> None:
    sandbox.world.ssh_keys[OLD]["regions"] = ["US-1"]
    response = viewer.get(LIST, query)
    assert card_names(response) == names
    assert '<option value="NORWAY-1"' in body(response)
    if not names:
        assert "No key fits" in text_of(response)
        assert leads_to(body(response), "Show all keys") == LIST


@pytest.mark.feature("KEY-25")
@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("newest", NEWEST),
        ("oldest", NEWEST[::-1]),
        ("name", sorted(NEWEST)),
        ("name-reverse", sorted(NEWEST)[::-1]),
        ("nonsense", NEWEST),
    ],
)
def test_it_sorts_by_name_and_date_in_both_directions(viewer: Client, sort: str, names: list[str]) -> None:
    assert card_names(viewer.get(LIST, {"sort": sort})) == names


@pytest.mark.feature("KEY-26", "NAV-06", "NAV-08")
def test_it_has_six_on_a_page(viewer: Client, sandbox: Sandbox) -> None:
    fill_up(sandbox, 6)
    assert '<nav class="pager"' not in body(viewer.get(LIST))
    fill_up(sandbox, 7)
    assert len(card_names(viewer.get(LIST))) == 6
    assert card_names(viewer.get(LIST, {"page": "2"})) == ["old-workstation"]
    assert card_names(viewer.get(LIST, {"page": "99"})) == ["old-workstation"]


def test_it_says_304_while_nothing_changes(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(LIST, headers=HTMX)
    assert 'hx-trigger="every 8s, keys:changed from:body"' in body(first)
    assert body(first).count('hx-swap-oob="morph"') == 3
    again = {**HTMX, "If-None-Match": first["ETag"]}
    assert viewer.get(LIST, headers=again).status_code == 304
    # until a key changes, or the VMs that have it
    sandbox.world.instances["BRK-123456D"]["ssh_keys"] = []
    second = viewer.get(LIST, headers=again)
    assert facts(card(second, "team-laptop"))["Used by"] == "13 VMs, 9 active"
    put(sandbox, OLD, name="renamed")
    assert viewer.get(LIST, headers={**HTMX, "If-None-Match": second["ETag"]}).status_code == 200


@pytest.mark.feature("KEY-01", "KEY-14")
def test_it_says_what_a_key_is_for_when_there_is_none(operator: Client, viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.ssh_keys.clear()
    for url in (LIST, f"{LIST}?q=a"):
        page = operator.get(url)
        assert "No SSH keys yet" in text_of(page)
        empty = body(page).partition("empty-state")[2]
        assert leads_to(empty, "Create Key") == "/ssh-keys/create/"
        assert 'href="/ssh-keys/import/">Import Key' in empty
    assert "Somebody with the role operator can create or import one." in text_of(viewer.get(LIST))


@pytest.mark.feature("KEY-34")
def test_it_has_four_blocks_of_good_practice(viewer: Client) -> None:
    block = body(viewer.get(LIST)).partition('<details class="panel key-practice">')[2].partition("</details>")[0]
    assert set(re.findall(r"<h3>(.*?)</h3>", block)) == BLOCKS
    assert all(part.count("<li>") >= 3 for part in block.split("<h3>")[1:])


# -- roles, limits


@pytest.mark.feature("KEY-01", "KEY-14")
@pytest.mark.parametrize(
    ("role", "may"), [("viewer", ""), ("billing", ""), ("operator", "create"), ("admin", "delete")]
)
def test_it_shows_each_role_its_buttons(request: pytest.FixtureRequest, sandbox: Sandbox, role: str, may: str) -> None:
    response = request.getfixturevalue(role).get(LIST)
    head = body(response).partition('id="new-key"')[2].partition("</div>")[0]
    for action, url in (("Create Key", "/ssh-keys/create/"), ("Import Key", "/ssh-keys/import/")):
        if may:
            assert leads_to(head, action) == url
            assert f'hx-get="{url}"' in button(head, action)
        else:
            assert is_off(head, action).startswith("Only an operator or an admin can create and import SSH keys")
    assert bool(button(card(response, "team-laptop"), "Delete")) == (may == "delete")


@pytest.mark.feature("KEY-11")
def test_its_buttons_are_off_at_25_keys_and_say_why(operator: Client, sandbox: Sandbox) -> None:
    fill_up(sandbox, 24)
    assert leads_to(body(operator.get(LIST)), "Create Key") == "/ssh-keys/create/"
    fill_up(sandbox, 25)
    page = body(operator.get(LIST))
    assert facts(page)["Keys"] == "25 of 25 per region"
    for action in ("Create Key", "Import Key"):
        assert is_off(page, action).startswith("Maximum of 25 SSH keys per region: there are 25")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(LIST).status_code == 405
    assert sandbox.log.calls() == []


# -- a bad day


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS)
def test_it_says_so_when_the_api_fails(admin: Client, sandbox: Sandbox, kind: str, title: str, status: int) -> None:
    sandbox.faults.arm("list_ssh_keys", kind, times=None)
    response = admin.get(LIST)
    assert response.status_code == status
    assert alert(response).startswith(title)
    assert "No SSH keys yet" not in text_of(response)
    assert "data-poll" in body(response)
    assert is_off(body(response), "Create Key").endswith("so nothing can be created now.")


def test_it_shows_an_older_copy_with_its_buttons_off(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("list_ssh_keys", "refuse", times=None)
    response = admin.get(LIST)
    assert card_names(response) == NEWEST
    assert "Barrack does not answer; this is what it said at" in text_of(response)
    assert is_off(card(response, "team-laptop"), "Delete") == "Barrack does not answer, so nothing can be changed now."
    assert leads_to(card(response, "team-laptop"), "Details") == f"{LIST}{LAPTOP}/"


def test_it_does_without_vms_regions_and_balance(viewer: Client, sandbox: Sandbox) -> None:
    for operation in ("list_instances", "list_regions", "get_credit_balance"):
        sandbox.faults.arm(operation, "status", status=500, times=None)
    response = viewer.get(LIST)
    assert card_names(response) == NEWEST
    assert facts(card(response, "team-laptop"))["Used by"] == "–"
    assert facts(body(response))["In use by active VMs"] == "– the VMs could not be read"


def test_it_says_that_a_key_could_not_be_read_and_shows_the_others(viewer: Client, sandbox: Sandbox) -> None:
    del sandbox.world.ssh_keys[OLD]["name"]
    response = viewer.get(LIST)
    assert card_names(response) == NEWEST[:-1]
    assert "1 key could not be read: Barrack sent it without a required field." in text_of(response)
    assert facts(body(response))["Keys"].startswith("3 of 25")


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J", "{{ 7|add:7 }}"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    fields = {"name": text, "fingerprint": text, "public_key": text, "regions": [text], "id": text or "x/y"}
    sandbox.world.ssh_keys[OLD] |= fields
    response = admin.get(LIST)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
    assert len(card_names(response)) == 4
    assert len(body(response)) < 60_000
    assert ">14<" not in body(response)


@pytest.mark.parametrize("value", [None, "nonsense", [], {"a": 1}])
def test_it_shows_keys_whose_optional_fields_are_odd(viewer: Client, sandbox: Sandbox, value: Any) -> None:
    for field in ("fingerprint", "public_key", "regions", "created_at"):
        sandbox.world.ssh_keys[OLD][field] = value
    for sort in ("newest", "oldest", "name"):
        assert viewer.get(LIST, {"sort": sort, "region": "US-1"}).status_code == 200


def test_it_has_no_button_for_a_key_without_an_address(admin: Client, sandbox: Sandbox) -> None:
    for number, key_id in enumerate((None, "a/b")):
        put(sandbox, str(50 + number), name=f"odd-{number}")
        sandbox.world.ssh_keys[str(50 + number)]["id"] = key_id
        shown = card(admin.get(LIST), f"odd-{number}")
        assert is_off(shown, "Delete") == "Barrack sent no id for it that can be used in an address."
        assert button(shown, "Details") == ""
