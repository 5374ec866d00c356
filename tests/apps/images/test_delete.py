"""/images/<id>/delete/: an image is removed, by an admin; the VMs that were deployed from it stay."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.images.helpers import CREATING, GOLDEN, GOLDEN_SNAPSHOT, LIST, ORPHAN
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    at_once,
    body,
    card_names,
    facts,
    filled,
    no_alert,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

URL, SUCCESS = f"{LIST}{GOLDEN}/delete/", "Image “golden-cuda” is deleted."
WRITE = "delete_image"


@pytest.mark.feature("IMG-12", "NAV-13")
def test_it_deletes_the_image_and_has_the_list_read_anew(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == 200
    assert [call.path for call in sandbox.log.calls(WRITE)] == [f"/images/{GOLDEN}"]
    assert response["HX-Trigger"] == '{"modal:close": true, "images:changed": true, "snapshots:changed": true}'
    assert SUCCESS in text_of(response)
    assert GOLDEN not in sandbox.world.images
    assert "golden-cuda" not in card_names(admin.get(LIST))
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "image.delete")


@pytest.mark.parametrize("known", ["by its own page", "by the list"])
def test_it_has_the_snapshots_page_forget_the_image_at_once(
    admin: Client, sandbox: Sandbox, settings: Any, known: str
) -> None:
    # given copies that count as fresh for a minute
    settings.FRESH_STATUS_SECONDS = 60.0
    page = f"/snapshots/{GOLDEN_SNAPSHOT}/"
    assert facts(body(admin.get(page)))["Image"] == "Yes: golden-cuda (SUCCESS)"
    if known == "by its own page":
        assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200
    else:
        # or an image whose own page was never read, as the tick finds that it is gone
        cloud.images.read()
        sandbox.world.images.pop(GOLDEN)
        sandbox.world.snapshots[GOLDEN_SNAPSHOT]["is_image"] = False
        cloud.images_changed(GOLDEN)
    # then the snapshot's page was read anew
    shown = facts(body(admin.get(page)))
    assert (shown["Image"], shown["Type"]) == ("No", "VM Snapshot")


@pytest.mark.feature("IMG-12", "IMG-13")
def test_it_names_the_image_and_what_is_lost_and_what_is_not(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123456D"] |= {"image": {"name": "golden-cuda"}, "region": "CANADA-1"}
    response = admin.get(URL, headers=HTMX)
    said = words(body(response))
    assert "The image golden-cuda will be deleted. This cannot be undone." in said
    assert "Deleting the image does not affect VMs deployed from it: the one below stays as it is." in said
    assert "ml-training-server" in said
    assert "Its source snapshot eval-harness-golden stays; an image can be made of it again." in said
    assert 'class="btn btn-danger"' in submit_button(response)
    assert no_alert(response)
    # and what cannot be made again is called so
    assert "Its source snapshot no longer exists" in text_of(admin.get(f"{LIST}{ORPHAN}/delete/", headers=HTMX))


def test_it_works_as_a_page_without_javascript(admin: Client) -> None:
    response = admin.post(URL, {"token": token_of(admin.get(URL)), "intent": "delete"})
    assert (response.status_code, response["Location"]) == (302, LIST)
    assert SUCCESS in text_of(admin.get(LIST))


def test_it_leads_away_from_the_page_of_what_is_gone(admin: Client) -> None:
    here = {**HTMX, "HX-Current-URL": f"http://testserver{LIST}{GOLDEN}/"}
    assert admin.post(URL, filled(admin, URL), headers=here)["HX-Redirect"] == LIST


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("known", [True, False])
def test_it_names_no_vm_of_an_operating_system_of_the_same_name(admin: Client, sandbox: Sandbox, known: bool) -> None:
    # given an image that is called like an operating system, or while nobody knows how those are called
    vm = sandbox.world.instances["BRK-123456D"]
    sandbox.world.images[GOLDEN] |= {"name": vm["image"]["name"], "region": vm["region"]}
    if not known:
        sandbox.faults.arm("list_os_images", "refuse", times=None)
    response = admin.get(URL, headers=HTMX)
    assert "Deleting the image does not affect VMs deployed from it." in words(body(response))
    assert vm["vm_name"] not in body(response)
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "delete"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an admin can delete images; your role is {role}." in text_of(response)
    assert GOLDEN in sandbox.world.images


@pytest.mark.parametrize("method", ["put", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS[:4], "999999"])
def test_it_has_no_page_for_an_image_that_is_not_there(admin: Client, impossible: str) -> None:
    address = f"{LIST}{impossible}/delete/"
    for response in (admin.get(address), admin.post(address, {"intent": "delete"})):
        assert response.status_code == 404


def test_it_is_not_deleted_a_second_time(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.images[GOLDEN]["status"] = "Deleting"
    response = admin.get(URL, headers=HTMX)
    assert alert(response).startswith("It is being deleted")
    assert admin.post(URL, {"token": token_of(response), "intent": "delete"}, headers=HTMX).status_code == 422
    assert sandbox.log.calls(WRITE) == []


@pytest.mark.parametrize("intent", [None, "create", "DELETE"])
def test_it_deletes_nothing_without_the_intent(admin: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(admin, URL)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        assert admin.post(URL, data, headers=headers).status_code == 200
    assert sandbox.log.calls(WRITE) == []


def test_it_refuses_a_token_of_another_form(admin: Client, sandbox: Sandbox) -> None:
    for data in (filled(admin, f"{LIST}{ORPHAN}/delete/"), {"token": "", "intent": "delete"}):
        response = admin.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls(WRITE) == []


# -- the API refuses, or is down


def test_it_shows_why_the_api_does_not_delete_it_now(admin: Client, sandbox: Sandbox) -> None:
    # given an image that is still being made, and one of which a VM is being made
    sandbox.world.instances["BRK-123456D"] |= {"_image_id": GOLDEN, "status": "CREATING"}
    for image_id, said in ((CREATING, "The image is still being made."), (GOLDEN, "An instance is being made of")):
        url = f"{LIST}{image_id}/delete/"
        response = admin.post(url, filled(admin, url), headers=HTMX)
        assert response.status_code == 422
        assert f"Barrack says: {said}" in alert(response)
        assert image_id in sandbox.world.images


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    admin: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm(WRITE, "status", status=status)
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert admin.post(URL, {"intent": "delete", "token": token_of(response)}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    admin: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm(WRITE, kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the image is deleted."
    )
    assert admin.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls(WRITE)) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_is_gone_when_only_the_answer_is_lost(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm(WRITE, kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)


def test_it_does_not_take_an_image_that_cannot_be_read_for_a_deleted_one(
    admin: Client, sandbox: Sandbox, settings: Any
) -> None:
    # given an answer that is lost before anything is done, and a list in which the image cannot be read
    settings.FRESH_STATUS_SECONDS = 60.0
    data = filled(admin, URL)
    sandbox.faults.arm(WRITE, "close")
    del sandbox.world.images[GOLDEN]["name"]
    # when it is sent, and then looked for
    response = admin.post(URL, data, headers=HTMX)
    assert (len(sandbox.log.calls(WRITE)), len(sandbox.log.calls("list_images"))) == (1, 1)
    # then it does not count as deleted
    assert unsure(response).startswith("Not seen yet")
    assert Operation.objects.get().state == "unknown"


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_deletes_nothing_while_the_image_cannot_be_read(
    admin: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("get_image", kind, times=None)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls(WRITE) == []


def test_it_can_do_without_snapshots_and_vms(admin: Client, sandbox: Sandbox) -> None:
    for operation in ("list_snapshots", "list_instances", "get_credit_balance"):
        sandbox.faults.arm(operation, "refuse", times=None)
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(admin: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(admin, URL)
    answers = [admin.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls(WRITE)) == 1
    other = admin.post(URL, {**data, "force": "1"}, headers=HTMX)
    assert (other.status_code, "Here is what it did: Delete image, done." in words(body(other))) == (409, True)


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_once_when_one_form_is_sent_by_two_threads_at_once(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm(WRITE, "delay", seconds=0.2)
    answers = at_once(*[lambda: admin.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sandbox.log.calls(WRITE)) == Operation.objects.count() == 1


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.images[GOLDEN] |= {"name": text, "region": text or "X"}
    sandbox.world.snapshots["BRK-123490S"]["snapshot_name"] = text
    sandbox.world.instances["BRK-123456D"] |= {"image": {"name": text}, "region": text or "X", "vm_name": text}
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 12_000
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200
