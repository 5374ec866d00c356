"""/volumes/<id>/detach/: a volume leaves the VM that has it, after a warning."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.lookup import find
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import alert, body, facts, leads_to, submit_button, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import BOOT, RAG, USED, Write
from tests.conftest import HTMX, text_of

DETACH = Write(f"/volumes/{USED}/detach/", "detach_volumes", "detach")
SUCCESS = "Volume “rag-index” is being detached from rag-index-builder."


def reason(browser: Client, volume: str = USED) -> str:
    """Return why it cannot be detached; its button is off then."""
    response = browser.get(f"/volumes/{volume}/detach/", headers=HTMX)
    assert "disabled" in submit_button(response)
    return alert(response)


@pytest.mark.feature("VOL-35")
def test_it_detaches_the_volume(operator: Client, sandbox: Sandbox) -> None:
    response = DETACH.send(operator)
    assert response.status_code == 200
    assert DETACH.sent(sandbox) == [(f"/instances/{RAG}/detach-volumes", {"volume_ids": [USED]})]
    assert response["HX-Trigger"] == DETACH.events
    assert SUCCESS in text_of(response)
    assert Event.objects.get().name == "rag-index-builder"
    assert sandbox.world.volumes[USED]["status"] == "detaching"
    assert "Its status is detaching." in reason(operator)


@pytest.mark.feature("VOL-35")
def test_it_names_volume_and_vm_and_warns(operator: Client) -> None:
    card = body(operator.get("/volumes/", {"q": "rag-index"}, headers=HTMX))
    assert leads_to(card, "Detach rag-index") in {DETACH.url, "/volumes/BRK-123594V/detach/"}
    page = body(operator.get(DETACH.url, headers=HTMX))
    assert facts(page) == {
        "Volume": "rag-index",
        "Size": "512 GB",
        "Region": "CANADA-1",
        "Type": "Cloud-SSD",
        "VM": "rag-index-builder Active as /dev/vdb",
    }
    assert "Applications that use it will be disrupted" in words(page)
    assert 'data-copy="sudo umount /dev/vdb"' in page
    assert "The data on it stay, and it stays charged: 512 GB, attached or not." in words(page)


def test_it_leads_there_from_the_vms_page(operator: Client, viewer: Client) -> None:
    page = body(operator.get(f"/vms/{RAG}/"))
    assert leads_to(page, "Detach rag-index") == DETACH.url
    assert f'<a href="/volumes/{USED}/"><bdi>rag-index</bdi></a>' in page
    assert leads_to(page, "Attach volumes") == f"/vms/{RAG}/volumes/"
    assert "Detach" not in words(
        body(viewer.get(f"/vms/{RAG}/")).partition('id="volumes"')[2].partition("Snapshots")[0]
    )


# -- which VM has it


@pytest.mark.feature("VOL-36")
@pytest.mark.parametrize(
    ("said", "found", "note"),
    [
        # the volume's own word comes first, whatever a VM says
        ({"attached_vm_name": "eval-harness"}, RAG, ""),
        # then the VM that lists it
        ({"instance_id": None, "attached_vm_name": "eval-harness", "_listed": True}, RAG, "it was found among the VMs"),
        # then the one VM of its region with that name
        ({"instance_id": None, "attached_vm_name": "eval-harness"}, "BRK-123502D", "it was found among the VMs"),
    ],
)
def test_it_finds_the_vm(operator: Client, sandbox: Sandbox, said: dict[str, Any], found: str, note: str) -> None:
    listed = said.pop("_listed", False)
    record = sandbox.world.volumes[USED]
    if listed:
        # the API still lists it on the VM, and the volume itself names none
        answer = {"success": True, "instances": [vm_of(sandbox)], "pagination": None}
        sandbox.faults.arm("list_instances", "status", status=200, body=answer, times=None)
    record.update(said)
    page = text_of(operator.get(DETACH.url, headers=HTMX))
    assert sandbox.world.instances[found]["vm_name"] in page
    assert (note in page) if note else ("found among" not in page)
    DETACH.send(operator)
    assert [path for path, _ in DETACH.sent(sandbox)] == [f"/instances/{found}/detach-volumes"]


def vm_of(sandbox: Sandbox) -> dict[str, Any]:
    """Return the VM as the API lists it, with the volume on it."""
    record = {key: value for key, value in sandbox.world.instances[RAG].items() if not key.startswith("_")}
    attachment = {"id": 1, "volume_id": USED, "volume_name": "rag-index", "device": "/dev/vdb", "bootable": False}
    return {**record, "volumes": [attachment]}


@pytest.mark.feature("VOL-36")
def test_it_says_what_to_do_when_no_vm_is_found(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[USED].update(instance_id=None, attached_vm_name=None)
    assert reason(operator).startswith("The VM that has it was not found")
    assert "write to support with the volume's id" in reason(operator)
    # one whose VM is deleted, or not in the list
    assert reason(operator, "BRK-123544V").startswith("Its VM is gone The volume belongs to old-benchmark")


# -- when it cannot be


@pytest.mark.feature("VOL-37")
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("SHUTOFF", "It is stopped and has to be ACTIVE: start it first."),
        ("HIBERNATED", "It is hibernated and has to be ACTIVE: restore it first."),
        ("REBOOTING", "Another operation is under way: its status is REBOOTING."),
        ("ERROR", "Its status is ERROR; it has to be ACTIVE."),
    ],
)
def test_it_needs_an_active_vm(operator: Client, sandbox: Sandbox, state: str, said: str) -> None:
    data = DETACH.filled(operator)
    sandbox.world.instances[RAG]["status"] = state
    assert reason(operator) == f"It cannot be detached now The VM is rag-index-builder. {said}"
    assert operator.post(DETACH.url, data, headers=HTMX).status_code == 422
    assert DETACH.sent(sandbox) == []


@pytest.mark.feature("VOL-34")
def test_it_needs_a_vm_on_which_nothing_is_under_way(operator: Client, sandbox: Sandbox, make_user: Any) -> None:
    new_row(make_user("admin"), kind="instance.stop", target_id=RAG, exclusive=f"VM {RAG}", name="", state="unknown")
    assert reason(operator).endswith("Another operation is under way.")


@pytest.mark.feature("VOL-38")
def test_it_never_detaches_what_a_vm_runs_from(operator: Client, sandbox: Sandbox) -> None:
    said = reason(operator, BOOT)
    assert said.startswith("Cannot detach the system/boot volume of a running VM eval-harness runs from this volume")
    forged = {"token": DETACH.filled(operator)["token"], "intent": "detach"}
    assert operator.post(f"/volumes/{BOOT}/detach/", forged, headers=HTMX).status_code == 422
    assert DETACH.sent(sandbox) == []
    assert "The VM runs from it: the boot volume cannot be detached." in body(operator.get("/vms/BRK-123502D/"))


@pytest.mark.feature("VOL-38")
@pytest.mark.parametrize("device", ["/dev/vda", "/dev/sda", "/dev/xvda", "/dev/nvme0n1", "vda", None])
def test_it_knows_the_first_disk_by_all_its_names(operator: Client, sandbox: Sandbox, device: str | None) -> None:
    attachment = sandbox.world.volumes[BOOT]["_attachment"]
    attachment["device"] = device
    if device:
        # which of the VM's volumes is bootable, the API need not say
        sandbox.world.volumes[BOOT]["bootable"] = False
    assert reason(operator, BOOT).startswith("Cannot detach the system/boot volume of a running VM")
    page = body(operator.get("/vms/BRK-123502D/"))
    assert "The VM runs from it: the boot volume cannot be detached." in page


def test_it_does_not_take_a_vm_that_could_not_be_read_for_gone(operator: Client, sandbox: Sandbox) -> None:
    del sandbox.world.instances[RAG]["vm_name"]
    assert reason(operator).startswith("Not every VM could be read")
    # while one that is really gone is said to be
    del sandbox.world.instances[RAG]
    assert reason(operator).startswith("Its VM is gone")


@pytest.mark.feature("VOL-36")
def test_it_finds_no_deleted_vm_and_none_of_another_region(operator: Client, sandbox: Sandbox) -> None:
    # given a volume that names its VM by name alone, which a deleted VM and one far away bear too
    sandbox.world.volumes[USED].update(instance_id=None, attached_vm_name="rag-index-builder")
    twin = sandbox.world.instances[RAG]
    sandbox.world.instances["BRK-900001D"] = {**twin, "instance_id": "BRK-900001D", "status": "DELETED"}
    sandbox.world.instances["BRK-900002D"] = {**twin, "instance_id": "BRK-900002D", "region": "US-1"}
    response = DETACH.send(operator)
    assert "is not attached to this instance" in text_of(response)
    # then the call goes to the one that is left; the cloud, which knows of no attachment, refuses it
    assert DETACH.sent(sandbox) == [(f"/instances/{RAG}/detach-volumes", {"volume_ids": [USED]})]


@pytest.mark.feature("VOL-39")
def test_it_lets_go_of_a_volume_that_names_a_vm_whatever_its_status_is(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[USED]["status"] = "reserved"
    response = DETACH.send(operator)
    assert DETACH.sent(sandbox) == [(f"/instances/{RAG}/detach-volumes", {"volume_ids": [USED]})]
    assert "is reserved; wait until that is over" in text_of(response)


@pytest.mark.feature("VOL-39")
def test_it_needs_a_volume_that_is_attached(operator: Client, sandbox: Sandbox) -> None:
    data = DETACH.filled(operator)
    sandbox.world.volumes[USED].update(status="available", instance_id=None, attached_vm_name=None)
    assert reason(operator) == "This volume cannot be detached now It is not attached to a VM."
    assert operator.post(DETACH.url, data, headers=HTMX).status_code == 422
    assert DETACH.sent(sandbox) == []


@pytest.mark.feature("VOL-40")
def test_it_says_to_wait_when_the_cloud_refuses_it_now(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("detach_volumes", "status", status=409)
    said = alert(DETACH.send(operator))
    assert "Another operation may be running on the volume or on the VM. Nothing was changed." in said
    assert "Wait a few minutes if an attach or detach has just run, then try again." in said


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(DETACH.url, DETACH.filled(operator))
    assert (response.status_code, response["Location"]) == (302, f"/volumes/{USED}/")
    assert SUCCESS in text_of(operator.get(f"/volumes/{USED}/"))


def test_it_is_for_operators_and_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(DETACH, request, sandbox)


def test_it_knows_what_is_not_there(operator: Client, sandbox: Sandbox) -> None:
    shared.check_missing(DETACH, operator, sandbox, USED)


def test_it_says_why_the_cloud_refused(operator: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(DETACH, operator, sandbox)


@pytest.mark.parametrize("read", ["get_volume", "list_instances"])
def test_it_sends_nothing_while_the_cloud_does_not_answer(operator: Client, sandbox: Sandbox, read: str) -> None:
    shared.check_down(DETACH, operator, sandbox, read)


def test_it_is_sent_once(operator: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(DETACH, operator, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(DETACH, operator, sandbox)


@pytest.mark.parametrize(
    ("volume", "listed", "seen"),
    [
        ({"status": "detaching"}, None, True),
        ({"status": "available", "instance_id": None}, None, True),
        ({"status": "in-use"}, None, False),
        # the volume names no VM any more, and the VM still has it
        ({"status": "available", "instance_id": None}, [USED], False),
        # the VM does not list it, maybe never did, and the volume says that it is attached
        ({"status": "in-use", "instance_id": None}, [], False),
        ({"status": "in-use", "instance_id": "BRK-123502D"}, [USED], True),
    ],
)
def test_it_is_seen_when_neither_names_the_other(
    sandbox: Sandbox, make_user: Any, volume: dict[str, Any], listed: list[str] | None, seen: bool
) -> None:
    # given a request whose answer was lost
    row = shared.lost(make_user("admin"), "volume.detach", USED, RAG)
    sandbox.world.volumes[USED].update(volume)
    if listed is not None:
        shared.arm_vm(sandbox, RAG, listed)
    assert (find(row, within=3) == "") is seen
    # a VM that is gone has no volumes
    if listed is None and volume["status"] == "available":
        del sandbox.world.instances[RAG]
        assert find(row, within=3) == ""


def test_it_escapes_what_the_cloud_says(operator: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(DETACH, operator, sandbox, USED)
    sandbox.world.volumes[USED]["_attachment"]["device"] = "/dev/vdb; rm -rf /"
    page = body(operator.get(DETACH.url, headers=HTMX))
    assert "rm -rf" not in page
    assert 'data-copy="lsblk"' in page
