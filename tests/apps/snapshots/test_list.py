"""/snapshots/: the list with its statistics, filter, pager, polling, and what it says on bad days."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from apps.account.models import BillingProfile
from barrack_web import clock, cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    READ_FAULTS,
    READ_REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    card,
    card_names,
    date_of,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of, token_of

URL = "/snapshots/"
PROD = "BRK-123456S"
NEWEST = [
    "nightly-eval-in-progress",
    "llama-ft-70b-instruct-v3-epoch-2-step-48000-final_",
    "storage-recovery-check",
    "eval-harness-golden",
    "quant-sweep-failed",
    "rag-index-2025-week-03",
]
DOWN = "Barrack does not answer, so nothing can be changed now."


def keep(sandbox: Sandbox, count: int) -> None:
    """Leave only that many snapshots in the cloud."""
    for snapshot_id in list(sandbox.world.snapshots)[count:]:
        del sandbox.world.snapshots[snapshot_id]


def pages(browser: Client, url: str = URL) -> str:
    """Return the words of the pager, "" when there is none."""
    found = re.search(r'<nav class="pager".*?</nav>', body(browser.get(url)), re.DOTALL)
    return words(found.group(0)) if found else ""


def images_were_read() -> None:
    """Wait for what the list reads beside itself, so that the next answer has it."""
    cloud.images_of.read(cloud.batch_key(cloud.snapshots.read().value))


# -- works


@pytest.mark.feature("NAV-06")
def test_it_shows_six_cards_newest_first(viewer: Client) -> None:
    response = viewer.get(URL)
    assert response.status_code == 200
    assert card_names(response) == NEWEST


@pytest.mark.feature("SNAP-01", "SNAP-02", "SNAP-04")
def test_it_counts_all_snapshots_their_storage_and_those_that_can_be_restored(viewer: Client) -> None:
    statistics = facts(body(viewer.get(URL)))
    assert statistics["Total Snapshots"] == "23 in all regions"
    assert statistics["Total Storage"].startswith("6.3 TB about $")
    assert statistics["Restorable"] == "20 SUCCESS or available"


@pytest.mark.feature("SNAP-03")
def test_it_counts_the_active_vms(viewer: Client, sandbox: Sandbox) -> None:
    # given five ACTIVE VMs of which one is stopped
    assert facts(body(viewer.get(URL)))["Available VMs"] == "5 can be snapshotted"
    sandbox.world.instances["BRK-123456D"]["status"] = "SHUTOFF"
    assert facts(body(viewer.get(URL)))["Available VMs"] == "4 can be snapshotted"


@pytest.mark.feature("NAV-10", "NAV-11")
@pytest.mark.parametrize(
    ("region", "figures"),
    [("US-1", (4, "330 GB", 1, 3)), ("CANADA-1", (12, "3.35 TB", 3, 11)), ("NORWAY-1", (7, "2.63 TB", 1, 6))],
)
def test_it_shows_and_counts_one_region_only(viewer: Client, region: str, figures: tuple[int, str, int, int]) -> None:
    total, storage, vms, restorable = figures
    # when a region is chosen
    response = viewer.get(URL, {"region": region})
    # then the cards and the four figures are of that region, and the choice stands in the list of regions
    statistics = facts(body(response))
    assert statistics["Total Snapshots"] == f"{total} in {region}"
    assert statistics["Total Storage"].startswith(f"{storage} about $")
    assert statistics["Available VMs"] == f"{vms} can be snapshotted"
    assert statistics["Restorable"] == f"{restorable} SUCCESS or available"
    assert len(card_names(response)) == min(6, total)
    assert set(re.findall(r"<dt>Region</dt><dd>(.*?)</dd>", body(response))) == {region}
    for name in ("CANADA-1", "NORWAY-1", "US-1"):
        chosen = " selected" if name == region else ""
        assert f'<option value="{name}"{chosen}>{name}</option>' in body(response)


@pytest.mark.feature("SNAP-05")
def test_it_says_that_snapshots_stay_in_their_region(viewer: Client) -> None:
    assert "Snapshots belong to their region and cannot be moved to another one." in text_of(viewer.get(URL))


@pytest.mark.feature("SNAP-06", "SNAP-07", "SNAP-08")
def test_it_shows_a_name_of_fifty_characters_whole_and_size_and_region(viewer: Client) -> None:
    shown = card(viewer.get(URL, {"q": "llama"}), "BRK-123507S")
    assert len(NEWEST[1]) == 50
    assert f"<bdi>{NEWEST[1]}</bdi>" in shown
    assert facts(shown)["Size"] == "1.76 TB"
    assert facts(shown)["Region"] == "NORWAY-1"
    small = card(viewer.get(URL, {"q": "prod-backup"}), PROD)
    assert facts(small)["Size"] == "250 GB"
    assert facts(small)["VM"] == "ml-training-server"


@pytest.mark.feature("SNAP-09")
def test_it_shows_when_a_snapshot_was_made_with_the_zone(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[PROD]["created_at"] = "2026-01-05T07:08:09Z"
    shown = card(viewer.get(URL, {"q": "prod-backup"}), PROD)
    assert facts(shown)["Created"] == "5 Jan 2026, 07:08 UTC"
    assert 'datetime="2026-01-05T07:08:09Z" title="2026-01-05 07:08:09 UTC"' in shown


@pytest.mark.feature("SNAP-10")
def test_it_tells_a_vm_snapshot_from_an_image(viewer: Client) -> None:
    assert facts(card(viewer.get(URL, {"q": "prod-backup"}), PROD))["Type"] == "VM Snapshot"
    assert facts(card(viewer.get(URL, {"q": "golden"}), "BRK-123490S"))["Type"] == "Image"


@pytest.mark.feature("SNAP-11", "STATE-16")
@pytest.mark.parametrize(
    ("status", "tone", "word"),
    [
        ("SUCCESS", "good", "Success"),
        ("available", "good", "Available"),
        ("CREATING", "moving", "Creating"),
        ("ERROR", "bad", "Error"),
        ("Defragmenting_2", "neutral", "Defragmenting_2"),
    ],
)
def test_it_shows_each_status_in_colour_and_word(
    operator: Client, sandbox: Sandbox, status: str, tone: str, word: str
) -> None:
    sandbox.world.snapshots[PROD]["status"] = status
    shown = card(operator.get(URL, {"q": "prod-backup"}), PROD)
    assert f'<span class="state state-{tone}">' in shown
    assert f"<bdi>{word}</bdi>" in shown
    # and only a complete one can be restored
    assert bool(leads_to(shown, "Restore")) is (tone == "good")


@pytest.mark.feature("STATE-16")
def test_it_shows_an_unknown_state_of_a_vm_as_it_is(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123456D"]["status"] = "WARMING_UP"
    page = body(viewer.get("/vms/", {"q": "ml-training-server"}))
    assert '<span class="state state-neutral">' in page
    assert "<bdi>WARMING_UP</bdi>" in page


@pytest.mark.feature("SNAP-27")
@pytest.mark.parametrize(
    ("snapshot_id", "reason"),
    [
        ("BRK-123541S", "The status is ERROR. Only a snapshot with the status SUCCESS or available can be used."),
        (
            "BRK-123536S",
            "The snapshot is not complete yet (CREATING). Wait until its status is SUCCESS or available.",
        ),
        ("BRK-123558S", "The status is VERIFYING. Only a snapshot with the status SUCCESS or available can be used."),
    ],
)
def test_it_says_why_a_snapshot_cannot_be_restored(operator: Client, snapshot_id: str, reason: str) -> None:
    shown = card(operator.get(URL), snapshot_id)
    assert is_off(shown, "Restore") == reason
    assert is_off(shown, "Create Image") == reason


@pytest.mark.feature("SNAP-39")
def test_it_opens_details_by_the_info_icon(operator: Client, viewer: Client) -> None:
    for browser in (operator, viewer):
        shown = card(browser.get(URL, {"q": "prod-backup"}), PROD)
        assert leads_to(shown, "Details prod-backup-dec11") == f"/snapshots/{PROD}/"
        assert "<svg" in button(shown, "Details prod-backup-dec11")
    # the icon alone says on hover what it is; where there is room, the word stands beside it
    assert words(button(shown, "Details prod-backup-dec11")) == "Details"
    icon = button(card(operator.get(URL, {"q": "prod-backup"}), PROD), "Details prod-backup-dec11")
    assert 'title="Details"' in icon


@pytest.mark.feature("SNAP-44")
def test_it_has_a_red_delete_button_for_admins(admin: Client) -> None:
    shown = button(card(admin.get(URL, {"q": "prod-backup"}), PROD), "Delete")
    assert words(shown) == "Delete"
    assert "btn-danger-quiet" in shown
    assert f'hx-get="/snapshots/{PROD}/delete/" hx-target="#modal-body"' in shown
    assert f'href="/snapshots/{PROD}/delete/"' in shown


@pytest.mark.feature("SNAP-50")
def test_it_names_the_image_of_a_snapshot(viewer: Client) -> None:
    # given a list whose images have been read
    viewer.get(URL)
    images_were_read()
    # when it is read again
    response = viewer.get(URL, {"q": "golden"})
    # then the card names the image that was made of the snapshot
    assert 'title="Image: golden-cuda"' in card(response, "BRK-123490S")
    # and the cloud was asked for all snapshots in one call
    assert "prod-backup-dec11" not in body(response)


def test_it_goes_on_naming_the_image_while_it_is_read_anew(
    viewer: Client, sandbox: Sandbox, settings: Settings
) -> None:
    # given a copy that is no longer fresh
    settings.FRESH_BALANCE_SECONDS = 15
    viewer.get(URL)
    images_were_read()
    sandbox.faults.arm("list_snapshot_image_relationships", "delay", seconds=0.2, times=None)
    with clock.moved(timedelta(seconds=20)):
        # when the list is shown before the new answer is there
        response = viewer.get(URL, {"q": "golden"})
    # then the older copy is shown
    assert 'title="Image: golden-cuda"' in card(response, "BRK-123490S")


@pytest.mark.feature("SNAP-51")
def test_it_estimates_the_cost_by_the_actual_size(viewer: Client, sandbox: Sandbox) -> None:
    # given a price of $0.10 an hour for 100 GB, when the size is 250 GB
    assert facts(card(viewer.get(URL, {"q": "prod-backup"}), PROD))["Cost"] == "$0.25 / h"
    sandbox.world.snapshots[PROD]["size_gb"] = 1000
    assert facts(card(viewer.get(URL, {"q": "prod-backup"}), PROD))["Cost"] == "$1.00 / h"
    # and nothing is made up for an unknown size
    assert facts(card(viewer.get(URL, {"q": "imported"}), "BRK-123562S"))["Cost"] == "–"


# -- pager, search, sort


@pytest.mark.feature("NAV-08")
def test_it_has_a_pager_from_the_seventh_snapshot_on(viewer: Client, sandbox: Sandbox) -> None:
    keep(sandbox, 7)
    assert pages(viewer) == "1–6 of 7 Previous 1 2 Next"
    keep(sandbox, 6)
    assert pages(viewer) == ""
    assert len(card_names(viewer.get(URL))) == 6


@pytest.mark.feature("SNAP-12", "NAV-07")
def test_it_pages_back_and_forth_and_to_a_number(viewer: Client) -> None:
    first = body(viewer.get(URL))
    assert '<span aria-disabled="true">Previous</span>' in first
    assert 'href="/snapshots/?page=2" rel="next">Next</a>' in first
    assert 'href="/snapshots/?page=4" aria-label="Page 4">4</a>' in first
    second = body(viewer.get(URL, {"page": "2"}))
    assert '<span aria-current="page">2</span>' in second
    assert 'href="/snapshots/?page=1" rel="prev">Previous</a>' in second
    last = viewer.get(URL, {"page": "4"})
    assert card_names(last)[-1] == "retired-tokenizer-box"
    assert len(card_names(last)) == 5
    assert '<span aria-disabled="true">Next</span>' in body(last)
    assert "19–23 of 23" in text_of(last)


def test_it_keeps_region_search_and_sort_in_the_pager(viewer: Client) -> None:
    page = body(viewer.get(URL, {"region": "CANADA-1", "sort": "name"}))
    assert 'href="/snapshots/?region=CANADA-1&amp;sort=name&amp;page=2"' in page


@pytest.mark.feature("NAV-09")
def test_it_lands_on_the_previous_page_when_the_last_item_of_the_last_page_is_deleted(
    admin: Client, sandbox: Sandbox
) -> None:
    # given seven snapshots, the seventh alone on page 2
    keep(sandbox, 7)
    (alone,) = card_names(admin.get(URL, {"page": "2"}))
    (doomed,) = [key for key, row in sandbox.world.snapshots.items() if row["snapshot_name"] == alone]
    # when it is deleted by the portal
    address = f"/snapshots/{doomed}/delete/"
    token = token_of(admin.get(address, headers=HTMX))
    assert admin.post(address, {"token": token, "intent": "delete"}, headers=HTMX).status_code == 200
    # then the same address shows the six that are left
    response = admin.get(URL, {"page": "2"}, headers=HTMX)
    assert len(card_names(response)) == 6
    assert alone not in body(response)


@pytest.mark.parametrize(("page", "first"), [("0", 19), ("99", 19), ("-1", 19), ("x", 1), ("²", 1), ("9" * 5000, 19)])
def test_it_shows_an_existing_page_for_any_page_number(viewer: Client, page: str, first: int) -> None:
    response = viewer.get(URL, {"page": page})
    assert response.status_code == 200
    assert f"{first}–{min(first + 5, 23)} of 23" in text_of(response)


def test_it_finds_by_name_vm_and_id_in_any_case(viewer: Client) -> None:
    assert card_names(viewer.get(URL, {"q": "PROD-back"})) == ["prod-backup-dec11"]
    assert card_names(viewer.get(URL, {"q": "tokenizer-BOX"})) == ["retired-tokenizer-box"]
    assert card_names(viewer.get(URL, {"q": "brk-123679s"})) == ["ci-runner-template"]
    assert 'value="PROD-back"' in body(viewer.get(URL, {"q": "PROD-back"}))


def test_it_says_when_nothing_fits(viewer: Client) -> None:
    response = viewer.get(URL, {"q": "no such snapshot"})
    assert "No snapshot fits" in text_of(response)
    assert leads_to(body(response), "Show all snapshots") == URL
    assert "No snapshots yet" not in text_of(response)


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("oldest", "retired-tokenizer-box"),
        ("name", "ci-runner-template"),
        ("largest", NEWEST[1]),
        ("no-such-order", NEWEST[0]),
    ],
)
def test_it_sorts(viewer: Client, sort: str, first: str) -> None:
    assert card_names(viewer.get(URL, {"sort": sort}))[0] == first


# -- empty, and the button that creates


def test_it_says_what_snapshots_are_for_when_there_is_none(operator: Client, sandbox: Sandbox, profile: object) -> None:
    keep(sandbox, 0)
    response = operator.get(URL)
    assert "No snapshots yet" in text_of(response)
    assert "A snapshot keeps a VM's disk as it is now." in text_of(response)
    assert body(response).count('hx-get="/snapshots/create/') == 2  # in the head, and as the first step
    assert facts(body(response))["Total Snapshots"] == "0 in all regions"


@pytest.mark.feature("SNAP-14")
def test_it_turns_create_off_without_an_active_vm_in_the_region(
    operator: Client, sandbox: Sandbox, profile: BillingProfile
) -> None:
    # given no ACTIVE VM in US-1
    assert leads_to(body(operator.get(URL, {"region": "US-1"})), "Create Snapshot") == "/snapshots/create/?region=US-1"
    sandbox.world.instances["BRK-123517D"]["status"] = "HIBERNATED"
    # when the list of that region is shown
    page = body(operator.get(URL, {"region": "US-1"}))
    # then the button is off and says why; elsewhere it is on
    assert is_off(page, "Create Snapshot") == "No active VMs available here. A snapshot needs an ACTIVE VM."
    assert leads_to(body(operator.get(URL)), "Create Snapshot") == "/snapshots/create/?region="


@pytest.mark.feature("SNAP-13", "NAV-23")
def test_it_turns_create_off_until_the_billing_profile_is_complete(operator: Client, db: None) -> None:
    response = operator.get(URL)
    assert is_off(body(response), "Create Snapshot") == "The billing profile is not complete: see My account."
    assert (
        "Snapshots cannot be created until the billing profile is complete. "
        "Missing: Address line, Postal code, Country. My account" in text_of(response)
    )
    assert '<a href="/account/?next=%2Fsnapshots%2F">My account</a>' in body(response)
    assert "Only a billing or an admin can edit the billing profile; your role is operator." in text_of(response)


# -- roles and methods


def test_it_shows_each_role_only_what_it_may_do(
    viewer: Client, billing: Client, operator: Client, admin: Client, profile: BillingProfile
) -> None:
    for browser in (viewer, billing):
        page = browser.get(URL, {"q": "prod-backup"})
        assert button(card(page, PROD), "Restore") == ""
        assert button(card(page, PROD), "Create Image") == ""
        assert button(card(page, PROD), "Delete") == ""
        role = "viewer" if browser is viewer else "billing"
        assert is_off(body(page), "Create Snapshot") == (
            f"Only an operator or an admin can create snapshots; your role is {role}. Ask an admin for help."
        )
    page = operator.get(URL, {"q": "prod-backup"})
    assert leads_to(card(page, PROD), "Restore") == f"/snapshots/{PROD}/restore/"
    assert leads_to(card(page, PROD), "Create Image") == f"/snapshots/{PROD}/image/"
    assert button(card(page, PROD), "Delete") == ""
    assert leads_to(card(admin.get(URL, {"q": "prod-backup"}), PROD), "Delete") == f"/snapshots/{PROD}/delete/"


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    response = client.get(URL)
    assert response.status_code == 302
    assert response["Location"] == "/account/login/?next=/snapshots/"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


# -- parts and polling


@pytest.mark.feature("NAV-12")
def test_it_has_a_refresh_button_that_reads_anew(viewer: Client, sandbox: Sandbox) -> None:
    page = body(viewer.get(URL))
    assert re.search(
        r'<button type="submit" class="btn btn-icon refresh" title="Refresh" aria-label="Refresh"><svg', page
    )
    # given that something changed outside, when the button's form is sent
    sandbox.world.snapshots[PROD]["snapshot_name"] = "renamed-outside"
    calls = len(sandbox.log.calls("list_snapshots"))
    response = viewer.get(URL, {"q": "renamed", "sort": "newest"}, headers=HTMX)
    # then the cloud is asked again
    assert card_names(response) == ["renamed-outside"]
    assert len(sandbox.log.calls("list_snapshots")) == calls + 1


@pytest.mark.feature("NAV-13")
def test_it_answers_only_the_list_and_its_figures_to_htmx(operator: Client, profile: BillingProfile) -> None:
    response = operator.get(URL, {"region": "US-1"}, headers=HTMX)
    page = body(response)
    assert "<html" not in page
    assert '<dl class="stats" id="stats" hx-swap-oob="morph">' in page
    assert '<div id="create-snapshot" hx-swap-oob="morph">' in page
    assert 'hx-get="/snapshots/?region=US-1"' in page
    assert "snapshots:changed from:body" in page
    assert response["X-Part"] == "1"
    assert "HX-Request" in response["Vary"]
    assert response["Cache-Control"] == "private, no-cache"
    assert "<html" in body(operator.get(URL))


def test_it_polls_faster_while_a_snapshot_changes(viewer: Client, sandbox: Sandbox) -> None:
    assert 'hx-trigger="every 5s, snapshots:changed' in body(viewer.get(URL))
    sandbox.world.snapshots["BRK-123536S"]["status"] = "SUCCESS"
    assert 'hx-trigger="every 8s, snapshots:changed' in body(viewer.get(URL))


def test_it_answers_304_until_something_changes(viewer: Client, admin: Client, sandbox: Sandbox) -> None:
    # given an answer with a tag
    viewer.get(URL)
    images_were_read()
    first = viewer.get(URL, headers=HTMX)
    assert first.status_code == 200
    # when it is asked for again with the tag, then it has no body
    again = viewer.get(URL, headers={**HTMX, "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    # but it is sent to another role, at another address, as a page, and when something has changed
    tag = {"If-None-Match": first["ETag"]}
    assert admin.get(URL, headers={**HTMX, **tag}).status_code == 200
    assert viewer.get(URL, {"page": "2"}, headers={**HTMX, **tag}).status_code == 200
    assert viewer.get(URL, headers=tag).status_code == 200
    sandbox.world.snapshots[PROD]["status"] = "ERROR"
    assert viewer.get(URL, headers={**HTMX, **tag}).status_code == 200


# -- bad days


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), [*READ_REFUSALS, (404, "Barrack refused the request", 502)])
def test_it_says_what_the_api_refused(operator: Client, sandbox: Sandbox, status: int, title: str, shown: int) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=status, times=None)
    response = operator.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "No snapshots yet" not in text_of(response)
    assert is_off(body(response), "Create Snapshot") == f"{title}, so nothing can be created now."


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_api_is_down(operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("list_snapshots", kind, times=None)
    response = operator.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "Running VMs are not touched by this." in alert(response)
    assert "No snapshots yet" not in text_of(response)
    assert "Total Snapshots" not in text_of(response)


def test_it_goes_on_polling_when_the_api_is_down(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    response = viewer.get(URL, headers=HTMX)
    assert response.status_code == 502
    assert response["X-Part"] == "1"
    assert 'hx-get="/snapshots/" hx-trigger="every 8s' in body(response)
    sandbox.faults.clear()
    assert card_names(viewer.get(URL, headers=HTMX)) == NEWEST


def test_it_shows_the_older_copy_with_its_age_and_no_write_buttons(
    admin: Client, sandbox: Sandbox, profile: BillingProfile
) -> None:
    # given one good read, after which the API fails
    before = datetime.now(UTC).replace(microsecond=0)
    good = admin.get(URL)
    after = datetime.now(UTC)
    images_were_read()
    tag = admin.get(URL, headers=HTMX)["ETag"]
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    # when the list is read a minute later
    with clock.moved(timedelta(minutes=1)):
        response = admin.get(URL)
    # then the same rows stand below a banner that says how old they are
    assert response.status_code == 200
    assert card_names(response) == card_names(good) == NEWEST
    banner = re.search(r'this is what it said at <time datetime="([^"]+)"', body(response))
    assert banner
    assert before <= date_of(banner.group(1)) <= after
    assert "Nothing can be changed from here until Barrack answers again" in text_of(response)
    # and nothing can be changed
    shown = card(response, "BRK-123507S")
    assert [is_off(shown, action) for action in ("Restore", "Create Image", "Delete")] == [DOWN] * 3
    assert is_off(body(response), "Create Snapshot") == "Barrack does not answer, so nothing can be created now."
    assert leads_to(shown, "Details") == "/snapshots/BRK-123507S/"
    # and the tag of the good answer does not hide the banner
    part = admin.get(URL, headers={**HTMX, "If-None-Match": tag})
    assert part.status_code == 200
    assert "this is what it said at" in text_of(part)


def test_it_shows_a_viewer_no_buttons_in_the_older_copy_either(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    shown = card(viewer.get(URL), "BRK-123507S")
    assert [button(shown, action) for action in ("Restore", "Create Image", "Delete")] == ["", "", ""]
    assert button(shown, "Details")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("list_snapshot_eligible_instances", {"Available VMs": "– not known now"}),
        ("get_pricing", {"Total Storage": "6.3 TB"}),
        ("list_regions", {"Total Snapshots": "23 in all regions"}),
        ("get_credit_balance", {"Total Snapshots": "23 in all regions"}),
        ("list_snapshot_image_relationships", {"Total Snapshots": "23 in all regions"}),
    ],
)
def test_it_does_without_what_stands_beside_the_list(
    operator: Client, sandbox: Sandbox, operation: str, expected: dict[str, str]
) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    response = operator.get(URL)
    assert response.status_code == 200
    assert card_names(response) == NEWEST
    assert no_alert(response)
    assert facts(body(response)).items() >= expected.items()
    assert '<option value="US-1">US-1</option>' in body(response)


# -- a hostile API


@pytest.mark.parametrize(
    "name", [SCRIPT, "<img src=x onerror=alert(1)>", "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"]
)
def test_it_shows_hostile_names_safely(admin: Client, sandbox: Sandbox, name: str) -> None:
    row = sandbox.world.snapshots[PROD]
    row.update(snapshot_name=name, vm_name=name, description=name, region=name or "X", gpu_type=name)
    sandbox.world.images["501"].update(name=name, snapshot_id=PROD)
    admin.get(URL)
    images_were_read()
    response = admin.get(URL, {"q": PROD})
    assert response.status_code == 200
    assert not unescaped(response)
    shown = card(response, PROD)
    assert len(shown) < 12_000
    assert "<bdi>" in shown
    if name == SCRIPT:
        assert "<bdi>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in shown


def test_it_shows_hostile_search_words_safely(viewer: Client) -> None:
    response = viewer.get(URL, {"q": SCRIPT, "region": SCRIPT, "sort": SCRIPT, "page": SCRIPT, "tab": SCRIPT})
    assert response.status_code == 200
    assert not unescaped(response)


def test_it_shows_dashes_for_what_the_api_left_out(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[PROD].update(
        size_gb=None,
        vm_name=None,
        is_image=None,
        gpu_type=None,
        description=None,
        tier=None,
        cpu=None,
        instance_id=None,
    )
    shown = facts(card(viewer.get(URL, {"q": "prod-backup"}), PROD))
    assert (shown["VM"], shown["Size"], shown["Cost"], shown["Type"]) == ("–", "–", "–", "VM Snapshot")


@pytest.mark.parametrize("field", ["snapshot_id", "snapshot_name", "status", "region", "created_at"])
@pytest.mark.parametrize("value", [None, 17])
def test_it_says_how_many_rows_could_not_be_read(viewer: Client, sandbox: Sandbox, field: str, value: object) -> None:
    sandbox.world.snapshots["BRK-123536S"][field] = value
    response = viewer.get(URL)
    assert response.status_code == 200
    assert len(card_names(response)) == 6
    assert "nightly-eval-in-progress" not in body(response)
    assert "1 snapshot could not be read: Barrack sent it without a required field." in text_of(response)


@pytest.mark.parametrize("hostile", ["a/b", "../balance", ""])
def test_it_offers_nothing_for_an_id_that_fits_no_address(admin: Client, sandbox: Sandbox, hostile: str) -> None:
    sandbox.world.snapshots[PROD]["snapshot_id"] = hostile
    response = admin.get(URL, {"q": "prod-backup-dec11"})
    assert response.status_code == 200
    assert card_names(response) == ["prod-backup-dec11"]
    page = re.search(r'<article class="card".*?</article>', body(response), re.DOTALL)
    assert page
    for action in ("Restore", "Create Image", "Delete"):
        assert "cannot be used in an address" in is_off(page.group(0), action)
    assert 'href=""' not in page.group(0)
    assert 'hx-get=""' not in page.group(0)
