"""/images/<id>/: everything known of one image, the snapshot behind it, and the VMs in front of it."""

import pytest
from django.core.cache import cache
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.images.helpers import BROKEN, CREATING, GOLDEN, GOLDEN_SNAPSHOT, LIST, ORPHAN
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    body,
    button,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
)
from tests.conftest import HTMX, text_of

URL = f"{LIST}{GOLDEN}/"


@pytest.mark.feature("IMG-11", "IMG-09")
def test_it_shows_what_the_image_is(viewer: Client) -> None:
    response = viewer.get(URL)
    shown = facts(body(response))
    assert shown["Status"] == "Success Ready: VMs can be deployed from it in CANADA-1."
    assert (shown["Name"], shown["Region"], shown["Image ID"]) == ("golden-cuda", "CANADA-1", GOLDEN)
    assert "CUDA 12.4, PyTorch 2.5, the team's tools." in text_of(response).replace("&#39;", "'")
    assert "cannot be shared with other users" in text_of(response)


@pytest.mark.feature("IMG-14")
def test_it_leads_to_its_snapshot_and_the_snapshot_leads_back(viewer: Client) -> None:
    page = viewer.get(URL)
    assert facts(body(page))["Snapshot"] == "eval-harness-golden Success"
    assert f'href="/snapshots/{GOLDEN_SNAPSHOT}/"' in body(page)
    # and back: from the snapshot's page, and from its card once it is known what was made of it
    assert f'href="{URL}"' in body(viewer.get(f"/snapshots/{GOLDEN_SNAPSHOT}/"))
    for _ in range(2):
        cards = viewer.get("/snapshots/", {"q": "eval-harness-golden"})
    assert f'href="{URL}"' in body(cards)
    # two images of one snapshot name each other, and its card leads to both
    assert f'href="{LIST}{BROKEN}/"' in body(viewer.get(f"{LIST}502/"))
    assert 'href="/images/?q=BRK-123679S"' in body(viewer.get("/snapshots/", {"q": "ci-runner"}))


def test_it_says_that_the_snapshot_is_gone(viewer: Client) -> None:
    response = viewer.get(f"{LIST}{ORPHAN}/")
    assert facts(body(response))["Snapshot"] == "BRK-123412S no longer exists"
    assert "It cannot be made a second time." in text_of(response)


@pytest.mark.feature("IMG-10")
@pytest.mark.parametrize(
    ("image_id", "said"),
    [
        (CREATING, "The image is not complete yet (Creating). This takes several minutes."),
        (BROKEN, "The status is ERROR."),
    ],
)
def test_it_says_why_nothing_can_be_deployed_from_it(operator: Client, image_id: str, said: str) -> None:
    response = operator.get(f"{LIST}{image_id}/")
    assert said in facts(body(response))["Status"]
    assert is_off(body(response), "Use in deployment").startswith(said)


def test_it_names_the_vms_that_were_deployed_from_it(viewer: Client, sandbox: Sandbox) -> None:
    assert "No VM of CANADA-1 was deployed from an image of this name." in text_of(viewer.get(URL))
    # given two VMs of that image, one of them in another region
    sandbox.world.instances["BRK-123456D"] |= {"image": {"name": "golden-cuda"}, "region": "CANADA-1"}
    sandbox.world.instances["BRK-123548D"] |= {"image": {"name": "golden-cuda"}, "region": "US-1"}
    cloud.instances_changed()
    response = viewer.get(URL)
    assert 'href="/vms/BRK-123456D/"' in body(response)
    assert 'href="/vms/BRK-123548D/"' not in body(response)


def test_it_names_no_vm_that_may_run_an_operating_system_of_the_same_name(viewer: Client, sandbox: Sandbox) -> None:
    # given an image that is called like an operating system, which a VM of its region runs
    vm = sandbox.world.instances["BRK-123456D"]
    sandbox.world.images[GOLDEN] |= {"name": vm["image"]["name"], "region": vm["region"]}
    response = viewer.get(URL)
    assert 'href="/vms/BRK-123456D/"' not in body(response)
    assert "An operating system has this name too, and Barrack does not say which" in text_of(response)
    # while nobody knows how the operating systems are called, no more is said
    cloud.os_images.drop()
    cache.clear()
    sandbox.faults.arm("list_os_images", "refuse", times=None)
    response = viewer.get(URL)
    assert 'href="/vms/BRK-123456D/"' not in body(response)
    assert "It is not certain which VMs have it" in text_of(response)
    # but that none has an image of a name is certain without them
    assert "was deployed from an image of this name." in text_of(viewer.get(f"{LIST}{CREATING}/"))


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_it_has_the_actions_of_the_role(request: pytest.FixtureRequest, role: str) -> None:
    shown = body(request.getfixturevalue(role).get(URL))
    deploy = "/deploy/?boot=image&image_id=501&region=CANADA-1"
    assert leads_to(shown, "Use in deployment") == ("" if role == "viewer" else deploy)
    assert bool(button(shown, "Delete")) == (role == "admin")


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS[:4], "999999"])
def test_it_has_no_page_for_an_image_that_is_not_there(viewer: Client, impossible: str) -> None:
    response = viewer.get(f"{LIST}{impossible}/")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)


def test_it_takes_no_form(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(URL).status_code == 405
    assert sandbox.log.calls() == []


def test_it_renders_nothing_for_an_unchanged_poll(viewer: Client) -> None:
    first = viewer.get(URL, headers=HTMX)
    assert "images:changed from:body" in body(first)
    assert viewer.get(URL, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == 304


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_that_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    for operation in ("get_image", "list_images"):
        sandbox.faults.arm(operation, kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert title in text_of(response)


def test_it_shows_the_copy_of_the_list_with_its_buttons_off(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("get_image", "refuse", times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert "Barrack does not answer; this is what it said at" in text_of(response)
    assert is_off(body(response), "Delete") == "Barrack does not answer, so nothing can be changed now."


def test_it_can_do_without_everything_else(admin: Client, sandbox: Sandbox) -> None:
    for operation in ("list_images", "list_snapshots", "list_instances", "get_credit_balance"):
        sandbox.faults.arm(operation, "refuse", times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert "The VMs could not be read from Barrack; this page keeps trying." in text_of(response)
    assert facts(body(response))["Snapshot"] == GOLDEN_SNAPSHOT


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.images[GOLDEN] |= {"name": text, "status": text, "region": text or "X", "description": text}
    sandbox.world.snapshots[GOLDEN_SNAPSHOT] |= {"snapshot_name": text, "vm_name": text, "status": text}
    sandbox.world.instances["BRK-123456D"] |= {"image": {"name": text}, "region": text or "X", "vm_name": text}
    response = admin.get(URL)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
