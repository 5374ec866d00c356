"""/vms/<id>/volumes/: several volumes go to a VM by one request."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.lookup import find
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import alert, body, feedback, leads_to, submit_button, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import BOOT, FREE, GOLDEN, RAG, US_VOLUME, USED, VM, Write
from tests.conftest import HTMX, text_of

SEVERAL = Write(f"/vms/{VM}/volumes/", "attach_volumes", "attach_volumes", {"volume_ids": [GOLDEN, FREE]})
SUCCESS = "Being attached to ml-training-server: golden-boot, imagenet-copy."


def rows(response: HttpResponse) -> dict[str, tuple[str, str]]:
    """Return the table's volumes: id to whether it is on, ticked or off, and its words."""
    found = re.findall(
        r'<input type="checkbox" name="volume_ids" value="([^"]*)"([^>]*)>(.*?)</tr>', body(response), re.DOTALL
    )
    return {
        volume: ("off" if "disabled" in rest else "ticked" if "checked" in rest else "on", words(text))
        for volume, rest, text in found
    }


@pytest.mark.feature("VOL-57", "VOL-07")
def test_it_attaches_all_that_were_chosen_by_one_request(operator: Client, sandbox: Sandbox) -> None:
    # given the button on the VM's page
    assert leads_to(body(operator.get(f"/vms/{VM}/")), "Attach volumes") == SEVERAL.url
    # when the form is sent with two boxes ticked, one of them twice
    response = SEVERAL.send(operator, volume_ids=[GOLDEN, FREE, GOLDEN])
    # then one request carries both
    assert response.status_code == 200
    assert SEVERAL.sent(sandbox) == [(f"/instances/{VM}/attach-volumes", {"volume_ids": [GOLDEN, FREE]})]
    assert response["HX-Trigger"] == SEVERAL.events
    assert SUCCESS in text_of(response)
    assert {sandbox.world.volumes[key]["instance_id"] for key in (GOLDEN, FREE)} == {VM}
    event = Event.objects.get()
    assert (event.action, event.target_id, event.name) == ("instance.attach_volumes", VM, "golden-boot, imagenet-copy")


@pytest.mark.feature("VOL-57")
def test_it_lists_the_volumes_of_the_region_and_why_some_are_off(operator: Client, sandbox: Sandbox) -> None:
    response = operator.get(SEVERAL.url, headers=HTMX)
    found = rows(response)
    assert {key: found[key] for key in (GOLDEN, FREE)} == {
        GOLDEN: ("on", "golden-boot bootable 150 GB Available"),
        FREE: ("on", "imagenet-copy 1.46 TB Available"),
    }
    assert found["BRK-123458V"][1].startswith("training-corpus It is attached to this VM already.")
    assert "It is attached to rag-index-builder. A volume has one VM at a time" in found[USED][1]
    assert "Bootable volumes that are already in use cannot be attached to another VM." in found[BOOT][1]
    assert {state for key, (state, _) in found.items() if key not in {GOLDEN, FREE}} == {"off"}
    assert US_VOLUME not in found
    assert words(submit_button(response)) == "Attach Volumes Attaching..."


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "Choose at least one volume."),
        ([FREE, USED], "“rag-index” cannot be attached now. It is attached to rag-index-builder."),
        ([FREE, US_VOLUME], "A volume that was chosen does not exist in this region any more."),
        (["BRK-999999V"], "A volume that was chosen does not exist in this region any more."),
    ],
)
def test_it_refuses_a_forged_choice(operator: Client, sandbox: Sandbox, ids: list[str], message: str) -> None:
    response = SEVERAL.send(operator, volume_ids=ids)
    assert response.status_code == 422
    assert feedback(response, "volume_ids").startswith(message)
    assert rows(response)[FREE][0] == ("ticked" if FREE in ids else "on")
    assert SEVERAL.sent(sandbox) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [("SHUTOFF", "It is stopped and has to be ACTIVE: start it first."), ("DELETED", "It is deleted.")],
)
def test_it_needs_an_active_vm(operator: Client, sandbox: Sandbox, state: str, said: str) -> None:
    data = SEVERAL.filled(operator)
    sandbox.world.instances[VM]["status"] = state
    response = operator.post(SEVERAL.url, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response) == f"Volumes cannot be attached now The VM is ml-training-server. {said}"
    assert SEVERAL.sent(sandbox) == []
    assert leads_to(body(operator.get(f"/vms/{VM}/")), "Attach volumes") == ""


@pytest.mark.feature("VOL-34")
def test_it_leaves_alone_what_something_is_under_way_on(operator: Client, sandbox: Sandbox, make_user: Any) -> None:
    row = new_row(
        make_user("admin"), kind="volume.attach", target_id=FREE, exclusive=f"volume {FREE}", name="", state="unknown",
        known_ids=[RAG],
    )  # fmt: skip
    assert "Another operation is under way." in rows(operator.get(SEVERAL.url, headers=HTMX))[FREE][1]
    # also when it is one of several that go to another VM
    row.kind, row.target_id, row.exclusive, row.known_ids = "instance.attach_volumes", RAG, f"VM {RAG}", [GOLDEN]
    row.save()
    found = rows(operator.get(SEVERAL.url, headers=HTMX))
    assert [found[key][0] for key in (GOLDEN, FREE)] == ["off", "on"]
    # and nothing at all goes to a VM that is busy
    row.kind, row.known_ids = "volume.attach", [VM]
    row.save()
    assert alert(operator.get(SEVERAL.url, headers=HTMX)).endswith("Another operation is under way.")


def test_it_says_what_to_do_without_a_volume(operator: Client, sandbox: Sandbox) -> None:
    for key in (GOLDEN, FREE):
        sandbox.world.volumes[key].update(status="error")
    response = operator.get(SEVERAL.url, headers=HTMX)
    assert alert(response).startswith("No volume in CANADA-1 can be attached")
    assert '<a href="/volumes/create/?region=CANADA-1">Create a volume</a>' in body(response)
    sandbox.world.volumes.clear()
    assert "There is no volume there yet." in alert(operator.get(SEVERAL.url, headers=HTMX))


def test_it_lists_so_many_of_them_and_says_where_the_others_are(operator: Client, sandbox: Sandbox) -> None:
    # given 1,300 volumes that can be attached, besides the two
    free = sandbox.world.volumes[FREE]
    for number in range(1300):
        key = f"BRK-{700_000 + number}V"
        sandbox.world.add("volumes", key, {**free, "volume_id": key, "volume_name": f"a{1300 - number:04}"})
    # then the first 100 by name are listed
    response = operator.get(SEVERAL.url, headers=HTMX)
    able = [text.partition(" ")[0] for state, text in rows(response).values() if state == "on"]
    assert able == [f"a{number:04}" for number in range(1, 101)]
    assert "And 1,202 more that can be attached: these are the first by name." in text_of(response)
    assert '<a href="/volumes/?region=CANADA-1">Volumes</a>' in body(response)
    assert len(response.content) < 120_000
    # when all of them are sent, with one that was among them when the form was opened
    refused = SEVERAL.send(operator, volume_ids=[*list(rows(response))[:100], FREE, USED])
    # then what was ticked stays so, and all that can be attached go at once
    assert refused.status_code == 422
    ticked = [key for key, (state, _) in rows(refused).items() if state == "ticked"]
    assert len(ticked) == 101
    assert FREE in ticked
    assert "And 1,201 more" in text_of(refused)
    assert SEVERAL.send(operator, volume_ids=ticked).status_code == 200
    assert SEVERAL.sent(sandbox)[0][1] == {"volume_ids": ticked}


@pytest.mark.parametrize("listed", [True, False])
def test_it_is_seen_when_all_of_them_are_there(sandbox: Sandbox, make_user: Any, listed: bool) -> None:
    # given a request whose answer was lost
    row = new_row(
        make_user("admin"), kind="instance.attach_volumes", target_id=VM, name="", state="unknown",
        known_ids=[GOLDEN, FREE],
    )  # fmt: skip
    if not listed:
        # and a cloud that does not say of a VM which volumes it has
        vm = {key: value for key, value in sandbox.world.instances[VM].items() if not key.startswith("_")}
        sandbox.faults.arm("get_instance", "status", status=200, body={"success": True, "instance": vm}, times=None)
    for key, seen in ((GOLDEN, None), (FREE, "")):
        sandbox.world.volumes[key].update(status="attaching", instance_id=VM)
        assert find(row, within=3) == seen


def test_it_has_everything_read_anew(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given pages whose copies hold for a minute
    settings.FRESH_STATUS_SECONDS = 60
    pages = ("/volumes/?q=imagenet", f"/volumes/{FREE}/", f"/vms/{VM}/")
    assert not any("Attaching" in text_of(operator.get(url)) for url in pages)
    # when the volumes are attached, then each of them shows it at once
    assert SEVERAL.send(operator).status_code == 200
    assert all("Attaching" in text_of(operator.get(url)) for url in pages)


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(SEVERAL.url, SEVERAL.filled(operator))
    assert (response.status_code, response["Location"]) == (302, f"/vms/{VM}/")
    assert SUCCESS in text_of(operator.get(f"/vms/{VM}/"))


def test_it_is_for_operators_and_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(SEVERAL, request, sandbox)


def test_it_knows_what_is_not_there(operator: Client, sandbox: Sandbox) -> None:
    shared.check_missing(SEVERAL, operator, sandbox, VM)


def test_it_says_why_the_cloud_refused(operator: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(SEVERAL, operator, sandbox)


@pytest.mark.parametrize("read", ["get_instance", "list_volumes"])
def test_it_sends_nothing_while_the_cloud_does_not_answer(operator: Client, sandbox: Sandbox, read: str) -> None:
    shared.check_down(SEVERAL, operator, sandbox, read)


def test_it_is_sent_once(operator: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(SEVERAL, operator, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(SEVERAL, operator, sandbox)


def test_it_escapes_what_the_cloud_says(operator: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(SEVERAL, operator, sandbox, FREE)
