"""/snapshots/<id>/: one snapshot, what it is made of, its images and what it costs."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    READ_REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    facts,
    filled,
    is_off,
    leads_to,
    no_alert,
    snapshot_paths,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

PROD = "BRK-123456S"
URL = f"/snapshots/{PROD}/"
ACTIONS = ("Restore", "Create Image", "Delete")


# -- works


@pytest.mark.feature("SNAP-40")
def test_it_shows_six_facts(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[PROD]["created_at"] = "2026-01-05T07:08:09Z"
    response = viewer.get(URL)
    assert response.status_code == 200
    shown = facts(body(response))
    assert shown["Name"] == "prod-backup-dec11"
    assert shown["VM Name"] == "ml-training-server"
    assert shown["Size"] == "250 GB"
    assert shown["Created"] == "5 January 2026, 07:08:09 UTC"
    assert shown["Status"] == "Success"
    assert shown["Image"] == "No"
    assert (shown["Snapshot ID"], shown["Type"], shown["Cost"]) == (PROD, "VM Snapshot", "about $0.25 / h, by its size")


@pytest.mark.feature("SNAP-41")
def test_it_shows_the_hardware_and_dashes_where_it_is_unknown(viewer: Client) -> None:
    shown = facts(body(viewer.get(URL)))
    hardware = [shown[name] for name in ("Region", "CPU", "RAM", "GPU", "Disk")]
    assert hardware == ["CANADA-1", "56 vCPUs", "360 GB", "2 × H100-PCIe-80GB", "250 GB"]
    shown = facts(body(viewer.get("/snapshots/BRK-123599S/")))
    hardware = [shown[name] for name in ("Region", "CPU", "RAM", "GPU", "Disk")]
    assert hardware == ["CANADA-1", "–", "–", "1 × A40", "–"]


@pytest.mark.feature("SNAP-42")
def test_it_shows_the_description_in_a_box_that_scrolls(viewer: Client) -> None:
    # C-07: 96 px instead of the documented 24
    page = body(viewer.get("/snapshots/BRK-123463S/"))
    box = re.search(
        r'<div class="description" tabindex="0" role="region" aria-label="Description">(.*?)</div>', page, re.DOTALL
    )
    assert box
    assert words(box.group(1)).startswith("Taken before the move to CUDA 12.4, with the evaluation suite green")
    assert words(box.group(1)).endswith("Two papers cite numbers from this state.")
    assert "<br>" in box.group(1)
    css = (Path(settings.BASE_DIR) / "static" / "css" / "app.css").read_text()
    assert ".description { max-height: 96px; overflow: auto;" in css
    assert "No description." in text_of(viewer.get("/snapshots/BRK-123679S/"))


@pytest.mark.feature("SNAP-43")
@pytest.mark.parametrize(
    ("snapshot_id", "tone", "word", "reason"),
    [
        ("BRK-123541S", "bad", "Error", "The status is ERROR."),
        ("BRK-123536S", "moving", "Creating", "The snapshot is not complete yet (CREATING)."),
        ("BRK-123558S", "neutral", "VERIFYING", "The status is VERIFYING."),
    ],
)
def test_it_explains_another_status(operator: Client, snapshot_id: str, tone: str, word: str, reason: str) -> None:
    page = operator.get(f"/snapshots/{snapshot_id}/")
    assert f'<span class="state state-{tone}">' in body(page)
    status = facts(body(page))["Status"]
    assert status.startswith(f"{word} Processing, or encountered an issue: {reason}")
    assert is_off(body(page), "Restore").startswith(reason)
    assert "Processing, or encountered an issue" not in text_of(operator.get(URL))


@pytest.mark.feature("SNAP-50")
def test_it_names_the_images_made_of_it(viewer: Client, sandbox: Sandbox) -> None:
    shown = facts(body(viewer.get("/snapshots/BRK-123490S/")))
    assert (shown["Image"], shown["Type"]) == ("Yes: golden-cuda (SUCCESS)", "Image")
    # and each of several
    sandbox.world.images["502"].update(snapshot_id="BRK-123490S", status=None)
    shown = facts(body(viewer.get("/snapshots/BRK-123490S/")))
    assert shown["Image"] == "Yes: golden-cuda (SUCCESS), ci-runner-template (no status)"
    # the flag decides when the list of images is not known
    sandbox.faults.arm("get_snapshot_image_relationship", "status", status=404, times=None)
    assert facts(body(viewer.get("/snapshots/BRK-123637S/")))["Image"] == "Yes"
    assert facts(body(viewer.get(URL)))["Image"] == "–"


def test_it_says_when_the_vm_is_gone(viewer: Client) -> None:
    assert facts(body(viewer.get("/snapshots/BRK-123577S/")))["VM Name"] == "tokenizer-box (no longer exists)"


def test_it_says_that_it_stays_in_its_region(viewer: Client) -> None:
    assert "A snapshot belongs to its region and cannot be moved to another one." in text_of(viewer.get(URL))


@pytest.mark.feature("SNAP-49", "SNAP-51")
def test_it_has_the_billing_records_of_this_snapshot(viewer: Client, sandbox: Sandbox) -> None:
    # given a snapshot of 100 GB, complete for 20 hours at $0.10 an hour
    response = viewer.get("/snapshots/BRK-123490S/", {"tab": "billing"})
    page = text_of(response)
    assert "eval-harness-golden 100 GB" in page
    assert "still running 1,200 $0.00167 $2.00 Active" in page
    assert "In all $2.00, charged by actual size." in page
    assert "prod-backup-dec11" not in page
    assert '<a href="/snapshots/BRK-123490S/?tab=billing" aria-current="page">Billing</a>' in body(response)
    # and all pages of the account's records were gone through for it
    assert [call.query for call in sandbox.log.calls("get_snapshots_billing")] == ["page=1&limit=100"]


def test_it_says_when_there_are_no_records_and_when_they_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    assert "No billing records yet" in text_of(viewer.get("/snapshots/BRK-123536S/", {"tab": "billing"}))
    sandbox.faults.arm("get_snapshots_billing", "status", status=500, times=None)
    response = viewer.get("/snapshots/BRK-123541S/", {"tab": "billing"})
    assert response.status_code == 200
    assert alert(response).startswith("The billing records could not be read from Barrack.")
    assert "No billing records yet" not in text_of(response)


def test_it_says_that_a_restore_is_running(operator: Client) -> None:
    operator.post(f"{URL}restore/", filled(operator, f"{URL}restore/", name="new vm"), headers=HTMX)
    assert "The VM new vm is being restored from this snapshot." in text_of(operator.get(URL))
    assert "is being restored from this snapshot" not in text_of(operator.get("/snapshots/BRK-123463S/"))


# -- roles and methods


def test_it_shows_each_role_only_what_it_may_do(
    viewer: Client, billing: Client, operator: Client, admin: Client
) -> None:
    for browser in (viewer, billing):
        assert [button(body(browser.get(URL)), action) for action in ACTIONS] == ["", "", ""]
    page = body(operator.get(URL))
    assert [leads_to(page, action) for action in ACTIONS] == [f"{URL}restore/", f"{URL}image/", ""]
    assert leads_to(body(admin.get(URL)), "Delete") == f"{URL}delete/"


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


# -- missing things


def test_it_says_that_a_gone_snapshot_is_gone(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    del sandbox.world.snapshots[PROD]
    response = viewer.get(URL)
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)
    assert "prod-backup-dec11" not in body(response)
    assert viewer.get("/snapshots/BRK-999999S/").status_code == 404


@pytest.mark.parametrize("impossible", IMPOSSIBLE_IDS)
def test_it_asks_the_cloud_for_no_impossible_id(viewer: Client, sandbox: Sandbox, impossible: str) -> None:
    for tab in ("", "?tab=billing"):
        response = viewer.get(f"/snapshots/{impossible}/{tab}")
        assert response.status_code == 404
        assert "There is nothing at this address" in text_of(response)
    assert snapshot_paths(sandbox) == set()


@pytest.mark.parametrize("address", ["a%2Fb/", "..%2F..%2Fbalance/", "a/b/", "%2F/", "BRK-123456S/nothing/"])
def test_it_has_no_page_for_an_id_with_a_slash(viewer: Client, sandbox: Sandbox, address: str) -> None:
    response = viewer.get(f"/snapshots/{address}")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)
    assert snapshot_paths(sandbox) == set()


@pytest.mark.parametrize("odd", ["a%252Fb", "a%3Fb", "a%23b", "a%3Bb", "%C3%A9", "create%20"])
def test_it_quotes_an_odd_id_whole(viewer: Client, sandbox: Sandbox, odd: str) -> None:
    assert viewer.get(f"/snapshots/{odd}/").status_code == 404
    assert snapshot_paths(sandbox) <= {f"/snapshots/{odd}", f"/snapshots/{odd}/image"}


# -- parts and polling


def test_it_answers_only_the_state_to_htmx_and_304_while_it_is_the_same(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(URL, headers=HTMX)
    assert "<html" not in body(first)
    assert f'hx-get="{URL}" hx-trigger="every 8s, snapshots:changed from:body"' in body(first)
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    again = viewer.get(URL, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert viewer.get(URL, {"tab": "billing"}, headers=tag).status_code == 200
    sandbox.world.snapshots[PROD]["status"] = "ERROR"
    assert viewer.get(URL, headers=tag).status_code == 200


@pytest.mark.feature("NAV-13")
def test_it_polls_faster_while_the_snapshot_changes(viewer: Client) -> None:
    assert 'hx-trigger="every 5s, snapshots:changed from:body"' in body(viewer.get("/snapshots/BRK-123536S/"))


# -- bad days


@pytest.mark.parametrize(("status", "title", "shown"), READ_REFUSALS)
def test_it_says_what_the_api_refused(viewer: Client, sandbox: Sandbox, status: int, title: str, shown: int) -> None:
    sandbox.faults.arm("get_snapshot", "status", status=status, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("get_snapshot", kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert 'href="/snapshots/BRK-123456S/">Try again</a>' in body(response)


def test_it_shows_the_older_copy_with_its_age_and_no_write_buttons(admin: Client, sandbox: Sandbox) -> None:
    admin.get(URL)
    sandbox.faults.arm("get_snapshot", "status", status=500, times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert facts(body(response))["Name"] == "prod-backup-dec11"
    assert re.search(r"this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(response))
    reason = "Barrack does not answer, so nothing can be changed now."
    assert [is_off(body(response), action) for action in ACTIONS] == [reason] * 3


@pytest.mark.parametrize(
    ("operation", "fact", "value"),
    [
        ("list_instances", "VM Name", "tokenizer-box"),
        ("get_pricing", "Cost", "–"),
        ("get_snapshot_image_relationship", "Image", "–"),
        ("get_credit_balance", "Cost", "about $0.02 / h, by its size"),
        ("get_snapshots_billing", "Size", "20 GB"),
    ],
)
def test_it_does_without_what_stands_beside_it(
    viewer: Client, sandbox: Sandbox, operation: str, fact: str, value: str
) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    response = viewer.get("/snapshots/BRK-123577S/")
    assert response.status_code == 200
    assert no_alert(response)
    assert facts(body(response))[fact] == value


# -- a hostile API


@pytest.mark.parametrize(
    "text", [SCRIPT, "<img src=x onerror=alert(1)>", "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"]
)
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    row = sandbox.world.snapshots[PROD]
    row.update(snapshot_name=text, vm_name=text, description=text, region=text or "X", gpu_type=text, tier=text)
    row.update(status=text or "X")
    sandbox.world.images["501"].update(name=text, status=text, snapshot_id=PROD)
    for tab in ("details", "billing"):
        response = admin.get(URL, {"tab": tab})
        assert response.status_code == 200
        assert not unescaped(response)
        assert len(body(response)) < 60_000


def test_it_shows_dashes_for_what_the_api_left_out(viewer: Client, sandbox: Sandbox) -> None:
    row = sandbox.world.snapshots[PROD]
    for name in set(row) - {"snapshot_id", "snapshot_name", "status", "region", "created_at"}:
        row[name] = None
    shown = facts(body(viewer.get(URL)))
    assert [shown[name] for name in ("VM Name", "Size", "CPU", "RAM", "GPU", "Disk", "Cost")] == ["–"] * 7
    assert shown["Image"] == "No"


@pytest.mark.parametrize("field", ["snapshot_name", "status", "region", "created_at"])
def test_it_says_so_when_a_required_field_is_missing(viewer: Client, sandbox: Sandbox, field: str) -> None:
    del sandbox.world.snapshots[PROD][field]
    response = viewer.get(URL)
    assert response.status_code == 502
    assert alert(response).startswith("Barrack sent an answer that cannot be read")


def test_it_offers_nothing_for_an_id_that_fits_no_address(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[PROD]["snapshot_id"] = "../a/b"
    page = body(admin.get(URL))
    for action in ACTIONS:
        assert is_off(page, action) == "Barrack sent an id that cannot be used in an address."
