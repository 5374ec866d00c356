"""/volumes/leftovers/: what costs money although nothing uses it, and what cannot be told."""

import re
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client

from barrack_web import clock, cloud
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import RIGHT_TO_LEFT, SCRIPT, body, button, is_off, leads_to, unescaped, words
from tests.apps.storage.helpers import LEFTOVERS, SMALL, keep_only
from tests.conftest import HTMX, text_of


def rows(response: HttpResponse) -> list[list[str]]:
    """Return the cells of every line of both tables."""
    lines = re.findall(r"<tr>\s*<td.*?</tr>", body(response), re.DOTALL)
    return [[words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL)] for line in lines]


def line(response: HttpResponse, name: str) -> str:
    """Return the HTML of the line that names it."""
    return next(found for found in re.findall(r"<tr>.*?</tr>", body(response), re.DOTALL) if name in found)


# -- works


@pytest.mark.feature("VOL-58")
def test_it_lists_free_volumes_and_snapshots_of_vms_that_are_gone_by_cost(viewer: Client, sandbox: Sandbox) -> None:
    with clock.moved(timedelta(0)):
        response = viewer.get(LEFTOVERS)
    assert response.status_code == 200
    names = [cells[0].partition(" of ")[0] for cells in rows(response)]
    # what is not simply available says so
    assert names[:5] == ["imagenet-copy", "lab-import maintenance", "sweep-scratch Error", "golden-boot", "volume1"]
    assert names[5:8] == [
        "vision-dataset-curated_2024.Q4 with labels",
        "legacy-web-crawler",
        "protein-fold-weights-2025.01",
    ]
    assert len(names) == 12
    # each with its age, size and cost
    assert rows(response)[0][:6] == ["imagenet-copy", "CANADA-1", "79 days 4 hours", "1.46 TB", "$0.12", "$84.38"]
    assert rows(response)[5][0].endswith(" of vision-data")
    # and the sum stands above
    page = text_of(response)
    assert "These cost $1,837.94 per 30 days" in page
    assert "for 5 volumes that no VM has and 7 snapshots of VMs that are gone." in page
    # and each was asked for once
    assert {len(sandbox.log.calls(name)) for name in ("list_volumes", "list_snapshots", "list_instances")} == {1}


@pytest.mark.parametrize("what", ["created_at", "updated_at"])
def test_it_calls_nothing_left_over_that_was_made_or_changed_just_now(
    viewer: Client, sandbox: Sandbox, what: str
) -> None:
    volume = sandbox.world.volumes["BRK-123538V"]
    volume[what] = iso(sandbox.world.now() - timedelta(minutes=59))
    assert "volume1" not in text_of(viewer.get(LEFTOVERS))
    volume[what] = iso(sandbox.world.now() - timedelta(minutes=61))
    assert "volume1" in text_of(viewer.get(LEFTOVERS))


def test_it_leads_to_details_and_to_what_the_role_may_do(admin: Client, operator: Client, viewer: Client) -> None:
    found = line(admin.get(LEFTOVERS), "imagenet-copy")
    assert 'href="/volumes/BRK-123527V/"' in found
    assert leads_to(found, "Attach") == "/volumes/BRK-123527V/attach/"
    assert leads_to(found, "Delete") == "/volumes/BRK-123527V/delete/"
    assert re.search(r"/snapshots/BRK-\d+S/delete/", leads_to(line(admin.get(LEFTOVERS), "ci-runner"), "Delete"))
    assert is_off(line(admin.get(LEFTOVERS), "lab-import"), "Attach") == "Its status is maintenance."
    assert button(line(operator.get(LEFTOVERS), "imagenet-copy"), "Delete") == ""
    assert button(line(viewer.get(LEFTOVERS), "imagenet-copy"), "Attach") == ""


def test_it_says_that_nothing_is_left_over(viewer: Client, sandbox: Sandbox) -> None:
    keep_only(sandbox)
    sandbox.world.snapshots.clear()
    page = text_of(viewer.get(LEFTOVERS))
    assert "Nothing is left over" in page
    assert "These cost" not in page


def test_a_snapshot_that_names_no_vm_is_not_left_over(viewer: Client, sandbox: Sandbox) -> None:
    keep_only(sandbox)
    for row in sandbox.world.snapshots.values():
        row["instance_id"] = None
    page = text_of(viewer.get(LEFTOVERS))
    assert "Nothing is left over" in page
    assert "23 snapshots do not say which VM they were taken of, and are not listed." in page


def test_it_hears_of_changes(viewer: Client, sandbox: Sandbox) -> None:
    with clock.moved(timedelta(0)):
        part = viewer.get(LEFTOVERS, headers=HTMX)
        assert "volumes:changed from:body, snapshots:changed from:body, vms:changed from:body" in body(part)
        tag = {**HTMX, "If-None-Match": part["ETag"]}
        del sandbox.world.volumes[SMALL]
        cloud.volumes_changed()
        assert SMALL not in body(viewer.get(LEFTOVERS, headers=tag))


# -- bad days: what cannot be told


def test_no_snapshot_is_said_to_be_left_over_while_the_vms_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_instances", "status", status=500, times=None)
    response = viewer.get(LEFTOVERS)
    page = text_of(response)
    assert response.status_code == 200
    assert "It cannot be told which snapshots are left over A snapshot is left over when its VM is gone" in page
    assert "ci-runner-template" not in page
    # but the volumes say themselves that no VM has them
    assert "imagenet-copy" in page
    assert "One of the two kinds could not be looked through, so there may be more." in page


def test_nor_while_a_vm_is_missing_from_the_list(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123456D"]["vm_name"] = None
    page = text_of(viewer.get(LEFTOVERS))
    assert "not every VM of the account could be read" in page
    assert "ci-runner-template" not in page


def test_nor_while_there_is_an_older_copy_only(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(LEFTOVERS)
    sandbox.faults.arm("list_instances", "status", status=500, times=None)
    cloud.instances_changed()
    page = text_of(viewer.get(LEFTOVERS))
    assert "the VMs cannot be read anew" in page
    assert "ci-runner-template" not in page


@pytest.mark.parametrize(
    ("operation", "there", "missing"),
    [
        ("list_volumes", "ci-runner-template", "imagenet-copy"),
        ("list_snapshots", "imagenet-copy", "ci-runner-template"),
    ],
)
def test_one_half_stands_without_the_other(
    viewer: Client, sandbox: Sandbox, operation: str, there: str, missing: str
) -> None:
    sandbox.faults.arm(operation, "refuse", times=None)
    response = viewer.get(LEFTOVERS)
    page = text_of(response)
    assert response.status_code == 200
    assert body(response).count('role="alert"') == 1
    assert "Barrack does not answer" in page
    assert there in page
    assert missing not in page
    assert "so there may be more" in page
    assert "Nothing is left over" not in page


def test_it_says_that_no_price_is_known(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_pricing", "status", status=500, times=None)
    page = text_of(viewer.get(LEFTOVERS))
    assert "What these cost cannot be told now: the prices cannot be read" in page
    assert "$0.00" not in page


@pytest.mark.parametrize("hostile", [SCRIPT, RIGHT_TO_LEFT, "x" * 5000])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, hostile: str) -> None:
    for row in sandbox.world.volumes.values():
        row.update(volume_name=hostile, region=hostile)
    for row in sandbox.world.snapshots.values():
        row.update(snapshot_name=hostile, vm_name=hostile)
    response = admin.get(LEFTOVERS)
    assert response.status_code == 200
    assert not unescaped(response)
    assert "x" * 300 not in text_of(response)


def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(LEFTOVERS).status_code == 405
    assert sandbox.log.calls() == []
