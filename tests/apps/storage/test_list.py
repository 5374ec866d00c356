"""/volumes/: the list with its statistics, its cards, filter, pager, polling, and what it says on bad days."""

import re

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
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
from tests.apps.storage.helpers import (
    BOOT,
    BROKEN,
    CORPUS,
    GOLDEN,
    IMAGENET,
    LIST,
    MOVING,
    ODD,
    SHADOW,
    SMALL,
    VM,
    badge,
    card,
    keep_only,
)
from tests.conftest import HTMX, text_of

WHOLE = {"sort": "name"}


def shown(browser: Client, volume_id: str) -> str:
    """Return the card of one volume, found by its id."""
    return card(browser.get(LIST, {"q": volume_id}), volume_id)


# -- works


@pytest.mark.feature("VOL-16", "NAV-06")
def test_it_shows_six_cards_newest_first(viewer: Client) -> None:
    response = viewer.get(LIST)
    assert response.status_code == 200
    assert card_names(response) == [
        "whisper-archive", "eval-harness-boot", "sweep-scratch", "rag-index-shadow", "llama-checkpoints", "llama-logs",
    ]  # fmt: skip
    assert '<span class="head-count" id="head-count">15</span>' in body(response)


@pytest.mark.feature("VOL-12", "VOL-13", "VOL-14")
def test_it_counts_volumes_storage_and_those_attached(viewer: Client) -> None:
    found = facts(body(viewer.get(LIST)))
    assert found["Total Volumes"] == "15 in all regions"
    assert found["Total Storage (GB)"].startswith("11,460 about $")
    assert found["Attached Volumes"] == "8 of 15"


@pytest.mark.feature("VOL-15", "NAV-10", "NAV-11")
def test_it_shows_and_counts_one_region_only(viewer: Client) -> None:
    response = viewer.get(LIST, {"region": "CANADA-1"})
    found = facts(body(response))
    assert found["Total Volumes"] == "7 in CANADA-1"
    assert found["Bootable Volumes"] == "2 of 7"
    assert set(re.findall(r"<dt>Region</dt><dd>(.*?)</dd>", body(response))) == {"CANADA-1"}
    assert '<option value="CANADA-1" selected>CANADA-1</option>' in body(response)
    # and the form of a new volume begins with that region
    assert viewer.get(LIST, {"region": "US-1"}).status_code == 200


@pytest.mark.feature("VOL-47", "VOL-49", "VOL-11")
def test_it_shows_name_status_and_facts_on_a_card(viewer: Client) -> None:
    found = shown(viewer, GOLDEN)
    assert "M4 6a8 3 0 1 0 16 0" in found  # the database icon
    assert badge(found) == ("good", "Available")
    assert facts(found) == {
        "VM": "Not attached",
        "Size": "150 GB",
        "Type": "Cloud-SSD",
        "Region": "CANADA-1",
        "Bootable": "Yes",
        "Cost": "$0.0146 / h · $10.55 / 30 days",
    }


@pytest.mark.feature("VOL-48", "VOL-30")
def test_it_shows_the_vm_with_its_state_in_one_read(viewer: Client, sandbox: Sandbox) -> None:
    # given two attached volumes whose VMs are in two states, of which one names its VM without an id
    sandbox.world.volumes[SHADOW].update(instance_id=None, attached_vm_status=None)
    sandbox.world.instances[VM]["status"] = "SHUTOFF"
    # when the list is read
    response = viewer.get(LIST, {"q": CORPUS})
    # then each card leads to its VM and says how it is
    vm = card(response, CORPUS)
    assert f'href="/vms/{VM}/"' in vm
    assert facts(vm)["VM"] == "ml-training-server Stopped (SHUTOFF)"
    # and no call was made for a single one
    assert len(sandbox.log.calls("list_instances")) == len(sandbox.log.calls("list_volumes")) == 1
    assert not sandbox.log.calls("get_instance") + sandbox.log.calls("get_volume")
    other = shown(viewer, SHADOW)
    assert 'href="/vms/BRK-123489D/"' in other
    assert badge(other.partition("<dl")[2]) == ("good", "Active")


@pytest.mark.feature("VOL-43", "VOL-44", "VOL-45")
def test_it_shows_each_status_in_colour_and_word(viewer: Client) -> None:
    page = {wanted: badge(shown(viewer, wanted)) for wanted in (CORPUS, SHADOW, SMALL, MOVING, ODD)}
    assert page == {
        CORPUS: ("good", "Attached / In-use"),
        SHADOW: ("good", "Attached / In-use"),
        SMALL: ("good", "Available"),
        MOVING: ("moving", "Creating"),
        ODD: ("neutral", "maintenance"),
    }


@pytest.mark.feature("VOL-46")
def test_it_says_what_an_error_is(viewer: Client) -> None:
    assert badge(shown(viewer, BROKEN)) == ("bad", "Error")
    assert "There was an issue creating or attaching it." in words(shown(viewer, BROKEN))


@pytest.mark.feature("VOL-50", "VOL-41", "VOL-38")
def test_it_has_the_buttons_that_the_state_allows(admin: Client) -> None:
    free, used, boots = (shown(admin, wanted) for wanted in (SMALL, CORPUS, BOOT))
    assert leads_to(free, "Attach") == f"{LIST}{SMALL}/attach/"
    assert leads_to(free, "Delete") == f"{LIST}{SMALL}/delete/"
    assert button(free, "Detach") == ""
    assert leads_to(used, "Detach") == f"{LIST}{CORPUS}/detach/"
    assert is_off(used, "Delete") == "It is attached to ml-training-server. Detach it first."
    assert is_off(boots, "Detach").startswith("The VM eval-harness runs from it.")
    assert is_off(shown(admin, MOVING), "Attach") == "Its status is creating. Wait until that is over."


@pytest.mark.feature("VOL-37")
def test_it_says_that_volumes_leave_active_vms_only(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["status"] = "SHUTOFF"
    reason = "The VM ml-training-server is SHUTOFF. Volumes are detached from ACTIVE VMs only."
    assert is_off(shown(operator, CORPUS), "Detach") == reason


def test_it_shows_each_role_only_what_it_may_do(viewer: Client, operator: Client) -> None:
    assert [button(shown(viewer, SMALL), action) for action in ("Attach", "Delete")] == ["", ""]
    assert is_off(body(viewer.get(LIST)), "Create Volume").startswith("Only an operator or an admin can create")
    assert button(shown(operator, SMALL), "Delete") == ""
    assert leads_to(body(operator.get(LIST, {"region": "US-1"})), "Create Volume") == f"{LIST}create/?region=US-1"


@pytest.mark.parametrize(
    ("sort", "first"),
    [("name", "eval-harness-boot"), ("largest", "llama-checkpoints"), ("cost", "llama-checkpoints"),
     ("x", "whisper-archive")],
)  # fmt: skip
def test_it_sorts(viewer: Client, sort: str, first: str) -> None:
    assert card_names(viewer.get(LIST, {"sort": sort}))[0] == first


@pytest.mark.feature("NAV-07", "NAV-08", "NAV-09")
def test_it_has_a_pager_from_the_seventh_volume_on(viewer: Client, sandbox: Sandbox) -> None:
    assert len(card_names(viewer.get(LIST, {"page": "3"}))) == 3
    # when only seven are left, then the third page is the second
    keep_only(sandbox, *list(sandbox.world.volumes)[:7])
    cloud.volumes_changed()
    assert len(card_names(viewer.get(LIST, {"page": "3"}))) == 1
    # and with six there is no pager
    keep_only(sandbox, *list(sandbox.world.volumes)[:6])
    cloud.volumes_changed()
    assert '<nav class="pager"' not in body(viewer.get(LIST))


def test_it_finds_by_name_vm_and_id_and_says_when_nothing_fits(viewer: Client) -> None:
    assert card_names(viewer.get(LIST, {"q": "RAG-index-b", **WHOLE})) == ["rag-index", "rag-index-shadow"]
    response = viewer.get(LIST, {"q": "nothing-like-it", "region": "US-1"})
    assert "No volume fits Nothing matches “nothing-like-it” in US-1." in text_of(response)


def test_it_says_what_volumes_are_for_when_there_is_none(operator: Client, viewer: Client, sandbox: Sandbox) -> None:
    keep_only(sandbox)
    response = operator.get(LIST)
    assert "No volumes yet A volume is storage that outlives the VMs" in text_of(response)
    assert leads_to(body(response).partition('class="empty-state"')[2], "Create Volume") == f"{LIST}create/"
    assert "Somebody with the role operator can create one." in text_of(viewer.get(LIST))


@pytest.mark.feature("VOL-51", "NAV-14")
def test_it_polls_faster_while_a_volume_changes_and_hears_of_changes(viewer: Client, sandbox: Sandbox) -> None:
    heard = "volumes:changed from:body, vms:changed from:body"
    assert f'hx-trigger="every 5s, {heard}"' in body(viewer.get(LIST))
    keep_only(sandbox, SMALL)
    cloud.volumes_changed()
    part = viewer.get(LIST, headers=HTMX)
    assert f'hx-trigger="every 8s, {heard}"' in body(part)
    # and the figures come with the list
    assert facts(body(part))["Total Volumes"] == "1 in all regions"
    assert 'id="stats" hx-swap-oob="morph"' in body(part)
    # and nothing comes while nothing has changed
    again = viewer.get(LIST, headers={**HTMX, "If-None-Match": part["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    # but it does when the VMs have
    keep_only(sandbox, CORPUS)
    cloud.volumes_changed()
    part = viewer.get(LIST, headers=HTMX)
    sandbox.world.instances[VM]["status"] = "SHUTOFF"
    cloud.instances_changed()
    assert viewer.get(LIST, headers={**HTMX, "If-None-Match": part["ETag"]}).status_code == 200


# -- bad days


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS[:2])
def test_it_says_so_when_the_api_is_down(
    operator: Client, sandbox: Sandbox, kind: str, title: str, status: int
) -> None:
    sandbox.faults.arm("list_volumes", kind, times=None)
    response = operator.get(LIST)
    assert response.status_code == status
    assert alert(response).startswith(title)
    assert "No volumes yet" not in text_of(response)
    assert is_off(body(response), "Create Volume") == f"{title}, so nothing can be created now."


def test_it_shows_the_older_copy_and_no_write_buttons(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("list_volumes", "status", status=500, times=None)
    cloud.volumes_changed()
    response = admin.get(LIST, {"q": SMALL})
    assert response.status_code == 200
    assert "this is what it said at" in text_of(response)
    down = "Barrack does not answer, so nothing can be changed now."
    assert [is_off(card(response, SMALL), action) for action in ("Attach", "Delete")] == [down] * 2
    assert leads_to(card(response, SMALL), "Details") == f"{LIST}{SMALL}/"


@pytest.mark.parametrize("operation", ["list_instances", "get_pricing", "list_regions", "get_credit_balance"])
def test_it_does_without_what_stands_beside_the_list(viewer: Client, sandbox: Sandbox, operation: str) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    response = viewer.get(LIST, {"q": CORPUS})
    assert response.status_code == 200
    assert no_alert(response)
    # the volume itself says which VM it is on
    assert facts(card(response, CORPUS))["VM"] == "ml-training-server Active"
    assert facts(card(response, CORPUS))["Cost"] == (
        "–" if operation == "get_pricing" else "$0.20 / h · $140.63 / 30 days"
    )


def test_it_says_how_many_rows_could_not_be_read(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[SMALL]["size_gb"] = "much"
    response = viewer.get(LIST)
    assert "1 volume could not be read: Barrack sent it without a required field." in text_of(response)
    assert facts(body(response))["Total Volumes"] == "14 in all regions"


@pytest.mark.parametrize("hostile", [SCRIPT, RIGHT_TO_LEFT, "x" * 5000])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, hostile: str) -> None:
    keep_only(sandbox, CORPUS, IMAGENET)
    for row in sandbox.world.volumes.values():
        row.update(volume_name=hostile, volume_type=hostile, region=hostile, status=hostile, attached_vm_name=hostile)
    response = admin.get(LIST)
    assert response.status_code == 200
    assert not unescaped(response)
    assert "x" * 300 not in text_of(response)


@pytest.mark.parametrize("hostile", ["..", "a/b", "x" * 129])
def test_it_offers_nothing_for_an_id_that_fits_no_address(admin: Client, sandbox: Sandbox, hostile: str) -> None:
    keep_only(sandbox, SMALL)
    sandbox.world.volumes[SMALL]["volume_id"] = hostile
    page = body(admin.get(LIST))
    reason = "Barrack sent an id that cannot be used in an address."
    assert [is_off(page, action) for action in ("Attach", "Delete")] == [reason] * 2
    assert button(page, "Details") == ""


def test_it_asks_for_everything_at_once(viewer: Client, sandbox: Sandbox) -> None:
    # given an API that takes a while for each answer
    sandbox.latency = 0.2
    assert viewer.get(LIST).status_code == 200
    # then every question was put before the first was answered
    calls = sandbox.log.calls()
    assert len(calls) == 5
    assert max(call.started for call in calls) < min(call.ended for call in calls)


def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(LIST).status_code == 405
    assert sandbox.log.calls() == []
