"""/volumes/<id>/: what is known of one volume, what can be done with it, and what it has cost."""

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.apps.storage.helpers import BOOT, BROKEN, CORPUS, GOLDEN, LIST, MOVING, ODD, SMALL, VM, badge
from tests.conftest import HTMX, text_of


def bill(*records: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the billing operation with these records."""
    around = {"summary": {}, "total": len(records), "page": 1, "limit": 100, "total_pages": 1, "currency": "USD"}
    return {"success": True, "records": list(records), **around}


def url(volume_id: str, tab: str = "") -> str:
    return f"{LIST}{volume_id}/{f'?tab={tab}' if tab else ''}"


# -- works


@pytest.mark.feature("VOL-56", "VOL-48")
def test_it_shows_everything_known_of_a_volume(viewer: Client) -> None:
    response = viewer.get(url(CORPUS))
    assert response.status_code == 200
    found = facts(body(response))
    assert found["Status"] == "Attached / In-use"
    assert found["VM"] == "ml-training-server Active"
    assert (found["Size"], found["Type"], found["Region"]) == ("1.95 TB (2,000 GB)", "Cloud-SSD", "CANADA-1")
    assert (found["Bootable"], found["Volume ID"]) == ("No", CORPUS)
    assert (found["Per hour"], found["Per 30 days"]) == ("about $0.20", "about $140.63")
    assert "The cleaned 2024 crawl, read by the trainer." in text_of(response)
    assert f'href="/vms/{VM}/"' in body(response)


def test_it_says_how_a_volume_is_mounted_and_warns_of_mkfs(viewer: Client) -> None:
    page = text_of(viewer.get(url(CORPUS)))
    assert "lsblk" in page
    assert "sudo mkfs.ext4 /dev/vdb" in page
    assert "mkfs erases everything on the volume. Leave this step out if it has been used before." in page
    assert "sudo mount /dev/vdb /mnt/training-corpus" in page
    # but of a boot volume there is nothing to mount, and of one that no VM has nothing to say
    boots = text_of(viewer.get(url(BOOT)))
    assert "The VM runs from this volume, so there is nothing to mount" in boots
    assert "mkfs" not in boots + text_of(viewer.get(url(GOLDEN)))


@pytest.mark.parametrize("device", ["/dev/vdb; rm -rf /", "vdb", SCRIPT, None])
def test_it_puts_no_odd_device_into_a_command(viewer: Client, sandbox: Sandbox, device: str | None) -> None:
    sandbox.world.volumes[CORPUS]["_attachment"]["device"] = device
    page = text_of(viewer.get(url(CORPUS)))
    assert "sudo mkfs.ext4 /dev/vdX" in page
    assert "rm -rf" not in page


@pytest.mark.feature("VOL-43", "VOL-45", "VOL-46")
@pytest.mark.parametrize(
    ("volume_id", "sentence"),
    [
        (SMALL, "It is ready to be attached. Attach it to an ACTIVE VM in US-1."),
        (GOLDEN, "Attach it to an ACTIVE VM in CANADA-1. A new VM can also be deployed from it."),
        (MOVING, "It is creating. Nothing has to be done."),
        (BROKEN, "There was an issue creating or attaching it. If it was just made, delete it and create it again."),
        (ODD, "Barrack says “maintenance”, which is no state that its documentation explains."),
        (CORPUS, "It is attached to ml-training-server. Its data outlive that VM."),
    ],
)
def test_it_says_what_the_state_means_and_what_is_next(viewer: Client, volume_id: str, sentence: str) -> None:
    assert sentence in text_of(viewer.get(url(volume_id)))


@pytest.mark.feature("VOL-50")
def test_it_has_every_action(admin: Client, operator: Client, viewer: Client) -> None:
    page = body(admin.get(url(SMALL)))
    for action in ("Attach", "Resize", "Clone", "Delete"):
        assert leads_to(page, action) == f"{LIST}{SMALL}/{action.lower()}/"
    used = body(admin.get(url(CORPUS)))
    assert leads_to(used, "Detach") == f"{LIST}{CORPUS}/detach/"
    assert is_off(used, "Delete") == "It is attached to ml-training-server. Detach it first."
    assert is_off(body(admin.get(url(MOVING))), "Resize") == "Its status is creating. Wait until that is over."
    assert button(body(operator.get(url(SMALL))), "Delete") == ""
    seen = viewer.get(url(SMALL))
    assert [button(body(seen), action) for action in ("Attach", "Resize", "Clone", "Delete")] == [""] * 4
    assert "Only an operator or an admin can create, attach, detach, resize and clone volumes" in text_of(seen)


@pytest.mark.feature("VOL-10")
def test_it_leads_to_a_deployment_from_a_free_bootable_volume(operator: Client, viewer: Client) -> None:
    address = leads_to(body(operator.get(url(GOLDEN))), "Deploy from it")
    assert address == f"/deploy/?new=1&region=CANADA-1&boot=volume&volume_id={GOLDEN}"
    # where the volume is chosen then
    wizard = html.unescape(body(operator.get(f"{address}&gpu_model=H100-PCIe-80GB&gpu_count=1", follow=True)))
    assert f'<option value="{GOLDEN}" selected>' in wizard
    assert button(body(viewer.get(url(GOLDEN))), "Deploy from it") == ""
    assert button(body(operator.get(url(BOOT))), "Deploy from it") == ""


@pytest.mark.feature("VOL-55", "VOL-58")
def test_it_shows_what_the_volume_has_cost(viewer: Client) -> None:
    response = viewer.get(url(CORPUS, "billing"))
    found = facts(body(response))
    assert found["Total cost"] == "$78.24"
    assert found["Minutes"] == "24,000 in 1 record"
    assert found["Price now"] == "$0.20 / h for 1.95 TB"
    row = words(body(response).partition("<tbody>")[2].partition("</tbody>")[0])
    assert row.endswith("still running 1.95 TB 24,000 $0.00326 $78.24 Active")
    assert "Storage is charged by the hour for the size that is provisioned, full or empty" in text_of(response)


@pytest.mark.feature("VOL-55")
def test_it_pages_through_the_records(viewer: Client, sandbox: Sandbox) -> None:
    # given a volume with 25 records
    base = sandbox.world.now() - timedelta(days=9)
    records = [
        {
            "billing_id": f"B-{number}", "volume_id": SMALL, "start_time": iso(base + timedelta(hours=number)),
            "total_duration_minutes": 60, "per_minute_rate": 0.001, "total_cost": 0.06, "currency": "USD",
            "size_gb": 100, "status": "completed",
        }
        for number in range(25)
    ]  # fmt: skip
    sandbox.faults.arm("get_volume_billing", "status", status=200, body=bill(*records), times=None)
    first, second = viewer.get(url(SMALL, "billing")), viewer.get(f"{url(SMALL, 'billing')}&page=2")
    assert body(first).count('data-label="From"') == 20
    assert body(second).count('data-label="From"') == 5
    assert facts(body(second))["Total cost"] == "$1.50"
    assert "1–20 of 25" in text_of(first)


def test_it_says_that_there_are_no_records_yet(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_volume_billing", "status", status=200, body=bill(), times=None)
    assert "No billing records yet" in text_of(viewer.get(url(MOVING, "billing")))


def test_it_answers_304_until_something_changes(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(url(SMALL), headers=HTMX)
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    assert viewer.get(url(SMALL), headers=tag).status_code == 304
    sandbox.world.volumes[SMALL]["status"] = "attaching"
    cloud.volumes_changed(SMALL)
    part = viewer.get(url(SMALL), headers=tag)
    assert badge(body(part)) == ("moving", "Attaching")
    assert 'hx-trigger="every 5s, volumes:changed from:body, vms:changed from:body"' in body(part)


# -- bad days


@pytest.mark.parametrize("volume_id", ["BRK-999999V", *IMPOSSIBLE_IDS[:4]])
def test_it_says_that_there_is_no_such_volume(viewer: Client, sandbox: Sandbox, volume_id: str) -> None:
    response = viewer.get(url(volume_id))
    assert response.status_code in {404, 301, 302}
    assert all(call.path == "/volumes/BRK-999999V" for call in sandbox.log.calls("get_volume"))


@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS[:2])
def test_it_says_so_when_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, status: int) -> None:
    sandbox.faults.arm("get_volume", kind, times=None)
    response = viewer.get(url(CORPUS))
    assert response.status_code == status
    assert title in text_of(response)


def test_it_shows_the_older_copy_without_write_buttons(admin: Client, sandbox: Sandbox) -> None:
    # given the list at hand, after which the API fails
    admin.get(LIST)
    sandbox.faults.arm("get_volume", "status", status=500, times=None)
    response = admin.get(url(SMALL))
    assert response.status_code == 200
    assert "this is what it said at" in text_of(response)
    down = "Barrack does not answer, so nothing can be changed now."
    assert [is_off(body(response), action) for action in ("Attach", "Resize", "Clone", "Delete")] == [down] * 4


@pytest.mark.parametrize("operation", ["list_instances", "get_pricing", "get_credit_balance"])
def test_it_does_without_what_stands_beside_it(viewer: Client, sandbox: Sandbox, operation: str) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    response = viewer.get(url(CORPUS))
    assert response.status_code == 200
    assert no_alert(response)
    assert facts(body(response))["VM"] == "ml-training-server Active"


def test_it_says_that_the_records_could_not_be_read(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_volume_billing", "status", status=500, times=None)
    response = viewer.get(url(CORPUS, "billing"))
    assert response.status_code == 200
    assert alert(response).startswith("The billing records could not be read from Barrack.")


@pytest.mark.parametrize("hostile", [SCRIPT, RIGHT_TO_LEFT, "x" * 50_000])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, hostile: str) -> None:
    sandbox.world.volumes[CORPUS].update(
        volume_name=hostile, volume_type=hostile, description=hostile, attached_vm_name=hostile, os_image=hostile
    )
    response = admin.get(url(CORPUS))
    assert response.status_code == 200
    assert not unescaped(response)
    assert "x" * 20_001 not in text_of(response)


def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(url(SMALL)).status_code == 405
    assert sandbox.log.calls() == []
