"""/vms/<id>/delete/: an admin removes a VM for good, after a clear question and, where it hurts, after typing its name.

What it shares with the other dialogs is in test_power.py.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Operation
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import (
    alert,
    body,
    feedback,
    filled,
    is_off,
    leads_to,
    no_alert,
    submit_button,
    typed,
    words,
)
from tests.apps.vms.power_table import POWERS, status_of, writes
from tests.conftest import HTMX, text_of, token_of

DELETE = POWERS["delete"]
VM, URL, NAME = DELETE.vm, DELETE.url, DELETE.name
# In ERROR, and a day and a half old; with one snapshot and no volume.
BROKEN = "/vms/BRK-123700D/delete/"
WRONG = "This is not the VM's name."
WEEK = timedelta(days=7)


def asks_for_the_name(browser: Client, url: str = URL) -> bool:
    return '<input type="text" name="name"' in body(browser.get(url, headers=HTMX))


def aged(sandbox: Sandbox, state: str, age: timedelta | None) -> None:
    """Let the VM be in that state and of that age, of no known age for None."""
    created = None if age is None else iso(clock.now() - age)
    sandbox.world.instances[VM].update(status=state, created_at=created)


# -- what it says


@pytest.mark.feature("VM-09")
def test_it_names_the_vm_its_volumes_and_its_snapshots_and_the_end_of_its_cost(admin: Client) -> None:
    response = admin.get(URL, headers=HTMX)
    page = body(response)
    assert f"<p>The VM <strong><bdi>{NAME}</bdi></strong> will be deleted with its disks." in page
    text = words(page)
    assert "This cannot be undone." in text
    assert "Its cost of $1.19 / h ends." in text
    assert "Lost: everything on its own disks, its addresses and its own security rules." in text
    assert (
        "Its volumes are expected to stay, detached and still charged: rag-index (512 GB), rag-index-shadow (512 GB)."
        in text
    )
    assert "Its snapshots stay, and are still charged: " in text
    assert {"rag-index-2025-week-03", "rag-index-2025-week-02"} <= set(text.replace(",", " ").replace(".", " ").split())
    # and nothing of other VMs
    assert "training-corpus" not in text
    assert "prod-backup" not in text
    assert page.partition('<div class="danger-lead">')[2].strip().startswith("<svg")


@pytest.mark.feature("VM-09")
def test_it_says_that_there_are_no_volumes_and_snapshots(admin: Client, sandbox: Sandbox) -> None:
    for volume in sandbox.world.volumes.values():
        volume["instance_id"] = None
    for snapshot in sandbox.world.snapshots.values():
        snapshot["instance_id"] = None
    text = text_of(admin.get(URL, headers=HTMX))
    assert "No volume is attached to it." in text
    assert "There is no snapshot of it: nothing of it could be restored." in text


def test_it_says_that_snapshots_stay_also_when_they_cannot_be_read(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    text = text_of(admin.get(URL, headers=HTMX))
    assert "Snapshots of it stay; which there are could not be read now." in text
    assert "There is no snapshot" not in text


def test_it_counts_what_does_not_fit(admin: Client, sandbox: Sandbox) -> None:
    # given twelve snapshots and eleven volumes
    snapshot, volume = sandbox.world.snapshots["BRK-123478S"], sandbox.world.volumes["BRK-123492V"]
    for number in range(10):
        own = {"snapshot_id": f"BRK-80000{number}S", "snapshot_name": f"more-{number}"}
        sandbox.world.add("snapshots", f"BRK-80000{number}S", {**snapshot, **own})
    for number in range(9):
        own = {"volume_id": f"BRK-80000{number}V", "name": f"disk-{number}"}
        sandbox.world.add("volumes", f"BRK-80000{number}V", {**volume, **own})
    text = text_of(admin.get(URL, headers=HTMX))
    assert "and 2 more." in text
    assert "and 1 more." in text


@pytest.mark.parametrize(
    ("state", "cost"), [("HIBERNATED", "Its cost of $0.01 / h ends."), ("SHUTOFF", "Its cost of $1.19 / h ends.")]
)
def test_it_says_which_cost_ends(admin: Client, sandbox: Sandbox, state: str, cost: str) -> None:
    sandbox.world.instances[VM]["status"] = state
    assert cost in text_of(admin.get(URL, headers=HTMX))


def test_it_promises_no_saving_for_a_vm_that_costs_nothing(admin: Client) -> None:
    assert "Its cost of" not in text_of(admin.get(BROKEN, headers=HTMX))


# -- what it does


@pytest.mark.feature("VM-09")
def test_it_leaves_volumes_and_snapshots(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(URL, filled(admin, URL, name=NAME), headers=HTMX).status_code == 200
    assert writes(sandbox) == [("delete_instance", "DELETE", f"/instances/{VM}")]
    sandbox.world.advance(60)
    assert status_of(sandbox, DELETE) == "DELETED"
    assert sandbox.world.volumes["BRK-123492V"]["status"] == "available"
    assert sandbox.world.snapshots["BRK-123478S"]["status"] == "available"


@pytest.mark.parametrize("where", [f"/vms/{VM}/", f"/vms/{VM}/?tab=billing", URL])
def test_it_leads_away_from_the_page_of_what_it_deletes(admin: Client, where: str) -> None:
    headers = HTMX | {"HX-Current-URL": f"http://testserver{where}"}
    response = admin.post(URL, filled(admin, URL, name=NAME), headers=headers)
    assert (response.status_code, response["HX-Redirect"]) == (200, "/vms/")
    assert DELETE.toast in text_of(admin.get("/vms/"))


@pytest.mark.parametrize("where", ["/vms/", "/", "/vms/BRK-123456D/"])
def test_it_leaves_the_visitor_where_they_are_elsewhere(admin: Client, where: str) -> None:
    headers = HTMX | {"HX-Current-URL": f"http://testserver{where}"}
    response = admin.post(URL, filled(admin, URL, name=NAME), headers=headers)
    assert "HX-Redirect" not in response
    assert response["HX-Trigger"] == '{"modal:close": true, "vms:changed": true}'


def test_it_shows_the_same_when_it_is_sent_again_after_the_vm_has_gone(admin: Client, sandbox: Sandbox) -> None:
    # given a VM that was deleted, and that the API no longer knows
    data = filled(admin, URL, name=NAME)
    first = admin.post(URL, data, headers=HTMX)
    del sandbox.world.instances[VM]
    # when the same form is sent once more, then it is no error
    second = admin.post(URL, data, headers=HTMX)
    assert (second.status_code, text_of(second)) == (200, text_of(first))
    assert len(writes(sandbox)) == 1


# -- the name


@pytest.mark.feature("VM-09")
@pytest.mark.parametrize(
    ("state", "age", "asks"),
    [
        # one that runs, however young
        ("ACTIVE", timedelta(0), True),
        ("ACTIVE", timedelta(days=30), True),
        # one at rest, on both sides of seven days
        ("SHUTOFF", WEEK - timedelta(seconds=30), False),
        ("SHUTOFF", WEEK + timedelta(seconds=2), True),
        ("HIBERNATED", WEEK - timedelta(seconds=30), False),
        ("HIBERNATED", WEEK + timedelta(seconds=2), True),
        ("ERROR", WEEK - timedelta(seconds=30), False),
        ("ERROR", WEEK + timedelta(seconds=2), True),
        # and one of unknown age
        ("SHUTOFF", None, True),
    ],
)
def test_it_asks_for_the_name_of_one_that_runs_or_is_older_than_seven_days(
    admin: Client, sandbox: Sandbox, state: str, age: timedelta | None, asks: bool
) -> None:
    aged(sandbox, state, age)
    assert asks_for_the_name(admin) is asks
    # and without it only the others are deleted
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == (422 if asks else 200)
    assert len(writes(sandbox)) == (0 if asks else 1)


@pytest.mark.feature("VM-09")
@pytest.mark.parametrize(
    "wrong", ["", " ", "rag-index", "RAG-INDEX-BUILDER", "rag-index-builder2", "ml-training-server", "<b>rag</b>"]
)
def test_it_keeps_a_wrong_name_and_sends_nothing(admin: Client, sandbox: Sandbox, wrong: str) -> None:
    response = admin.post(URL, filled(admin, URL, name=wrong), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response).startswith(WRONG)
    assert typed(response) == wrong
    assert no_alert(response)
    assert "HX-Trigger" not in response
    assert writes(sandbox) == []
    assert Operation.objects.count() == 0
    # and the right one in the same form deletes it
    again = {"token": token_of(response), "intent": "delete", "name": NAME}
    assert admin.post(URL, again, headers=HTMX).status_code == 200


@pytest.mark.parametrize(
    ("vm_name", "name"), [(NAME, f" {NAME} "), ("  two  spaces ", "two  spaces"), ("Ünïcode 🚀", "Ünïcode 🚀")]
)
def test_it_takes_the_name_without_the_spaces_around_it(
    admin: Client, sandbox: Sandbox, vm_name: str, name: str
) -> None:
    sandbox.world.instances[VM]["vm_name"] = vm_name
    assert admin.post(URL, filled(admin, URL, name=name), headers=HTMX).status_code == 200
    assert status_of(sandbox, DELETE) == "DELETING"


def test_it_asks_again_when_the_vm_has_become_old_behind_an_open_form(admin: Client, sandbox: Sandbox) -> None:
    # given a form without the field, and a VM that passes seven days
    aged(sandbox, "SHUTOFF", WEEK - timedelta(seconds=30))
    data = filled(admin, URL)
    with clock.moved(timedelta(minutes=1)):
        response = admin.post(URL, data, headers=HTMX)
    # then it is not deleted, and the form asks for the name
    assert response.status_code == 422
    assert feedback(response).startswith(WRONG)
    assert writes(sandbox) == []


def test_it_keeps_a_wrong_name_also_without_javascript(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL, name="rag")
    response = admin.post(URL, data)
    assert response.status_code == 422
    assert "<html" in body(response)
    assert typed(response) == "rag"
    assert writes(sandbox) == []


def test_it_keeps_the_typed_name_when_the_api_refuses(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL, name=NAME)
    sandbox.faults.arm("delete_instance", "status", status=409)
    response = admin.post(URL, data, headers=HTMX)
    assert "the VM is active. Nothing was changed." in alert(response)
    assert typed(response) == NAME


def test_it_shows_a_long_name_in_full_where_it_has_to_be_typed(admin: Client, sandbox: Sandbox) -> None:
    # given a name as long as the API can send one
    name = "n" * 150
    sandbox.world.instances[VM]["vm_name"] = name
    assert name in text_of(admin.get(URL, headers=HTMX))
    assert admin.post(URL, filled(admin, URL, name=name), headers=HTMX).status_code == 200


# -- who, and when


@pytest.mark.parametrize("state", ["SHUTOFF", "STOPPED", "HIBERNATED", "ERROR"])
def test_it_deletes_what_is_at_rest(admin: Client, sandbox: Sandbox, state: str) -> None:
    sandbox.world.instances[VM]["status"] = state
    response = admin.post(URL, filled(admin, URL, name=NAME), headers=HTMX)
    assert response.status_code == 200
    assert status_of(sandbox, DELETE) == "DELETING"


def test_it_is_offered_to_admins_only(admin: Client, operator: Client) -> None:
    page = f"/vms/{VM}/"
    assert leads_to(body(admin.get(page)), "Delete") == URL
    assert URL not in body(operator.get(page))


def test_it_is_off_on_the_page_while_the_vm_changes(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["status"] = "STOPPING"
    page: Any = body(admin.get(f"/vms/{VM}/"))
    assert is_off(page, "Delete") == "The VM is stopping: wait until that is done."
    assert " disabled" in submit_button(admin.get(URL, headers=HTMX))
