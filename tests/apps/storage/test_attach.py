"""/volumes/<id>/attach/: a volume goes to an ACTIVE VM of its region, once."""

import re
from typing import Any

import msgspec
import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.lookup import find
from apps.activity.models import Event, Operation
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import alert, body, facts, feedback, leads_to, submit_button, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import BOOT, FREE, GOLDEN, RAG, US_VM, VM, Write
from tests.conftest import HTMX, text_of

ATTACH = Write(f"/volumes/{FREE}/attach/", "attach_volumes", "attach", {"instance_id": VM})
SUCCESS = "Volume “imagenet-copy” is being attached to ml-training-server."


def rows(response: HttpResponse) -> dict[str, tuple[str, str]]:
    """Return the table's VMs: id to whether it is on, chosen or off, and its words."""
    found = re.findall(
        r'<input type="radio" name="instance_id" value="([^"]*)"([^>]*)>(.*?)</tr>', body(response), re.DOTALL
    )
    return {
        vm: ("off" if "disabled" in rest else "chosen" if "checked" in rest else "on", words(text))
        for vm, rest, text in found
    }


@pytest.mark.feature("VOL-25", "VOL-32")
def test_it_attaches_the_volume_to_the_chosen_vm(operator: Client, sandbox: Sandbox) -> None:
    # given the button on an available volume
    card = body(operator.get("/volumes/", {"q": "imagenet-copy"}, headers=HTMX))
    assert leads_to(card, "Attach imagenet-copy") == ATTACH.url
    # when its form is sent
    response = ATTACH.send(operator)
    # then the cloud received one request, the dialog closes and the lists are read anew
    assert response.status_code == 200
    assert ATTACH.sent(sandbox) == [(f"/instances/{VM}/attach-volumes", {"volume_ids": [FREE]})]
    assert response["HX-Trigger"] == ATTACH.events
    assert SUCCESS in text_of(response)
    assert "Attaching" in text_of(operator.get("/volumes/", {"q": "imagenet-copy"}, headers=HTMX))
    assert "imagenet-copy" in text_of(operator.get(f"/vms/{VM}/"))
    event = Event.objects.get()
    assert (event.action, event.target_id, event.target_name, event.name, event.result) == (
        "volume.attach", FREE, "imagenet-copy", "ml-training-server", "done",
    )  # fmt: skip


@pytest.mark.feature("VOL-26", "VOL-32")
def test_it_shows_the_volume_and_a_button_that_spins(operator: Client) -> None:
    response = operator.get(ATTACH.url, headers=HTMX)
    assert facts(body(response)) == {"Volume": "imagenet-copy", "Size": "1.46 TB", "Region": "CANADA-1", "Type": "HDD"}
    assert words(submit_button(response)) == "Attach Volume Attaching..."
    assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


@pytest.mark.feature("VOL-27", "VOL-28", "VOL-31")
def test_it_lists_the_vms_of_the_region_and_chooses_the_first_that_is_active(operator: Client) -> None:
    found = rows(operator.get(ATTACH.url, headers=HTMX))
    assert list(found)[:3] == ["BRK-123502D", VM, RAG]
    assert [state for state, _ in found.values()][:4] == ["chosen", "on", "on", "off"]
    assert found[VM][1] == "ml-training-server Active CANADA-1"
    assert all(text.endswith("CANADA-1") for _, text in found.values())
    assert US_VM not in found


@pytest.mark.feature("VOL-29", "VOL-30", "VOL-34")
def test_it_shows_the_others_with_the_reason(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[RAG]["status"] = "SHUTOFF"
    sandbox.world.instances["BRK-123684D"]["status"] = "RESCUE"
    response = operator.get(ATTACH.url, headers=HTMX)
    found = rows(response)
    reasons = {vm: text for vm, (state, text) in found.items() if state == "off"}
    assert reasons[RAG].startswith("rag-index-builder It is stopped and has to be ACTIVE: start it first.")
    assert "It is hibernated and has to be ACTIVE: restore it first." in reasons["BRK-123548D"]
    assert "Another operation is under way: its status is STOPPING." in reasons["BRK-123622D"]
    assert "Its status is RESCUE; it has to be ACTIVE." in reasons["BRK-123684D"]
    assert {vm for vm, (state, _) in found.items() if state != "off"} == {VM, "BRK-123502D"}
    # only ACTIVE ones have a green badge
    assert body(response).count("state-good") == 2


@pytest.mark.feature("VOL-34")
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "instance.reboot", "target_id": VM, "exclusive": f"VM {VM}"},
        {"kind": "volume.detach", "target_id": "BRK-123458V", "exclusive": "volume BRK-123458V", "known_ids": [VM]},
    ],
)
def test_it_leaves_out_a_vm_on_which_something_is_under_way(
    operator: Client, sandbox: Sandbox, make_user: Any, fields: dict[str, Any]
) -> None:
    # given an open form, and an operation on that VM that is not settled yet
    data = ATTACH.filled(operator)
    row = new_row(make_user("admin"), **{"name": "", "state": "unknown", **fields})
    # when the form is opened or sent
    assert "Another operation is under way." in rows(operator.get(ATTACH.url, headers=HTMX))[VM][1]
    response = operator.post(ATTACH.url, data, headers=HTMX)
    # then the VM cannot be chosen, until that is settled
    assert response.status_code == 422
    assert feedback(response, "instance_id") == "This VM cannot be chosen now. Another operation is under way."
    assert ATTACH.sent(sandbox) == []
    Operation.objects.filter(pk=row.pk).update(state="done")
    assert ATTACH.send(operator).status_code == 200


@pytest.mark.parametrize(
    ("vm", "message"),
    [
        ("", "Choose a VM."),
        (US_VM, "This VM is in US-1, the volume in CANADA-1, where it stays."),
        ("BRK-123548D", "This VM cannot be chosen now. It is hibernated and has to be ACTIVE: restore it first."),
        ("BRK-123622D", "This VM cannot be chosen now. Another operation is under way: its status is STOPPING."),
        ("BRK-123560D", "This VM does not exist any more. Choose another one."),
        ("../balance", "This VM does not exist any more. Choose another one."),
    ],
)
def test_it_refuses_a_forged_choice(operator: Client, sandbox: Sandbox, vm: str, message: str) -> None:
    response = ATTACH.send(operator, instance_id=vm)
    assert response.status_code == 422
    assert feedback(response, "instance_id") == message
    assert ATTACH.sent(sandbox) == []
    assert Operation.objects.count() == 0


@pytest.mark.parametrize("how", ["broken", "cut"])
def test_it_does_not_say_that_a_vm_is_gone_which_could_not_be_read(
    operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    # given a list of VMs that lacks one: it came without its name, or after the last page that is read
    data = ATTACH.filled(operator)
    if how == "broken":
        sandbox.world.instances[RAG].pop("vm_name")
    else:
        sandbox.world.instances.pop(RAG)
        read = cloud.instances.fetch
        monkeypatch.setattr(cloud.instances, "fetch", lambda key: msgspec.structs.replace(read(key), complete=False))
    # when the form is opened, then it says so above the table
    opened = operator.get(ATTACH.url, headers=HTMX)
    assert alert(opened).startswith("Not every VM could be read A VM that is missing here may exist all the same.")
    assert body(opened).index("Not every VM") < body(opened).index("<table")
    assert "disabled" not in submit_button(opened)
    # and when that VM is chosen, at the field too
    refused = operator.post(ATTACH.url, {**data, "instance_id": RAG}, headers=HTMX)
    assert refused.status_code == 422
    assert feedback(refused, "instance_id").startswith("Not every VM could be read; this is one of them, or")
    assert alert(refused).startswith("Not every VM could be read")
    assert ATTACH.sent(sandbox) == []
    # but one of those in the table can have the volume
    assert operator.post(ATTACH.url, data, headers=HTMX).status_code == 200
    assert len(ATTACH.sent(sandbox)) == 1


@pytest.mark.feature("VOL-33")
def test_it_refuses_a_bootable_volume_that_is_in_use(operator: Client, sandbox: Sandbox) -> None:
    url = f"/volumes/{BOOT}/attach/"
    response = operator.get(url, headers=HTMX)
    assert alert(response) == (
        "This volume cannot be attached now It is attached to eval-harness. "
        "Bootable volumes that are already in use cannot be attached to another VM."
    )
    assert "disabled" in submit_button(response)
    # also one that was attached while the form was open
    golden = Write(f"/volumes/{GOLDEN}/attach/", "attach_volumes", "attach", {"instance_id": VM})
    data = golden.filled(operator)
    sandbox.world.volumes[GOLDEN].update(status="in-use", instance_id=RAG, attached_vm_name="rag-index-builder")
    refused = operator.post(golden.url, data, headers=HTMX)
    assert refused.status_code == 422
    assert "Bootable volumes that are already in use cannot be attached to another VM." in alert(refused)
    assert ATTACH.sent(sandbox) == []


def test_it_refuses_a_volume_that_was_attached_or_deleted_meanwhile(operator: Client, sandbox: Sandbox) -> None:
    data = ATTACH.filled(operator)
    for change, reason in (
        (
            {"status": "in-use", "instance_id": RAG, "attached_vm_name": "rag"},
            "It is attached to rag. A volume has one",
        ),
        ({"status": "deleting", "instance_id": None}, "Its status is deleting. Wait until that is over."),
        ({"status": "error"}, "Its status is error."),
    ):
        sandbox.world.volumes[FREE].update(change)
        response = operator.post(ATTACH.url, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith(f"This volume cannot be attached now {reason}")
    assert ATTACH.sent(sandbox) == []


@pytest.mark.feature("VOL-29")
def test_it_says_what_to_do_without_an_active_vm(operator: Client, sandbox: Sandbox) -> None:
    for vm in sandbox.world.instances.values():
        vm.update(status="SHUTOFF")
    response = operator.get(ATTACH.url, headers=HTMX)
    assert alert(response).startswith("No VM in CANADA-1 can take it now")
    assert "Start or restore one of these VMs first" in alert(response)
    assert "disabled" in submit_button(response)
    assert '<a href="/vms/">Virtual machines</a>' in body(response)
    # and where there is no VM at all
    sandbox.world.instances.clear()
    response = operator.get(ATTACH.url, headers=HTMX)
    assert "Deploy one there first." in alert(response)
    assert '<a href="/deploy/">Deploy a VM</a>' in body(response)
    assert rows(response) == {}


def test_it_has_everything_read_anew(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given pages whose copies hold for a minute
    settings.FRESH_STATUS_SECONDS = 60
    pages = ("/volumes/?q=imagenet", f"/volumes/{FREE}/", f"/vms/{VM}/")
    assert not any("Attaching" in text_of(operator.get(url)) for url in pages)
    # when the volume is attached, then each of them shows it at once
    assert ATTACH.send(operator).status_code == 200
    assert all("Attaching" in text_of(operator.get(url)) for url in pages)


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(ATTACH.url, ATTACH.filled(operator))
    assert (response.status_code, response["Location"]) == (302, f"/volumes/{FREE}/")
    assert SUCCESS in text_of(operator.get(f"/volumes/{FREE}/"))
    assert "<html" in body(operator.get("/volumes/BRK-123519V/attach/"))


def test_it_is_for_operators_and_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(ATTACH, request, sandbox)


def test_it_knows_what_is_not_there(operator: Client, sandbox: Sandbox) -> None:
    shared.check_missing(ATTACH, operator, sandbox, FREE)


@pytest.mark.feature("VOL-40")
def test_it_says_why_the_cloud_refused(operator: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(ATTACH, operator, sandbox)
    sandbox.world.advance(60)
    sandbox.faults.arm("attach_volumes", "status", status=409)
    assert "Wait a few minutes if an attach or detach has just run" in alert(
        Write("/volumes/BRK-123519V/attach/", "attach_volumes", "attach", {"instance_id": VM}).send(operator)
    )


@pytest.mark.parametrize("read", ["get_volume", "list_instances"])
def test_it_sends_nothing_while_the_cloud_does_not_answer(operator: Client, sandbox: Sandbox, read: str) -> None:
    shared.check_down(ATTACH, operator, sandbox, read)


def test_it_is_sent_once(operator: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(ATTACH, operator, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(ATTACH, operator, sandbox)


@pytest.mark.parametrize(
    ("volume", "listed", "seen"),
    [
        ({"status": "attaching", "instance_id": VM}, None, True),
        ({"status": "in-use", "instance_id": RAG}, None, False),
        ({"status": "available", "instance_id": None}, None, False),
        # the volume does not say, its VM does
        ({"status": "in-use", "instance_id": None}, [FREE], True),
        ({"status": "in-use", "instance_id": None}, [], False),
    ],
)
def test_it_is_seen_on_its_own_vm_alone(
    sandbox: Sandbox, make_user: Any, volume: dict[str, Any], listed: list[str] | None, seen: bool
) -> None:
    # given a request whose answer was lost
    row = shared.lost(make_user("admin"), "volume.attach", FREE, VM)
    sandbox.world.volumes[FREE].update(volume)
    if listed is not None:
        shared.arm_vm(sandbox, VM, listed)
    assert (find(row, within=3) == "") is seen


def test_it_escapes_what_the_cloud_says(operator: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(ATTACH, operator, sandbox, FREE)
