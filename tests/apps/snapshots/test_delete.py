"""/snapshots/<id>/delete/: a snapshot is removed for good, by an admin, after a clear question."""

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
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
    filled,
    leads_to,
    no_alert,
    snapshot_paths,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

PROD = "BRK-123456S"
URL = f"/snapshots/{PROD}/delete/"
SUCCESS = "Snapshot “prod-backup-dec11” is deleted."
RESTORE = f"/snapshots/{PROD}/restore/"


# -- works


@pytest.mark.feature("NAV-13", "NAV-18")
def test_it_deletes_the_snapshot_and_has_the_list_read_anew(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == 200
    assert [call.path for call in sandbox.log.calls("delete_snapshot")] == [f"/snapshots/{PROD}"]
    assert response["HX-Trigger"] == '{"modal:close": true, "snapshots:changed": true}'
    assert SUCCESS in text_of(response)
    assert PROD not in sandbox.world.snapshots
    assert card_names(admin.get("/snapshots/", {"q": "prod-backup"}, headers=HTMX)) == []
    assert (Operation.objects.get().state, Event.objects.get().result) == ("done", "done")
    assert len(sandbox.world.snapshots) == 22


@pytest.mark.feature("SNAP-45")
@pytest.mark.parametrize("name", ["prod-backup-dec11", "  two  spaces ", "x" * 50])
def test_it_names_the_snapshot_and_warns(admin: Client, sandbox: Sandbox, name: str) -> None:
    sandbox.world.snapshots[PROD]["snapshot_name"] = name
    response = admin.get(URL, headers=HTMX)
    page = body(response)
    assert f"<p>The snapshot <strong><bdi>{name}</bdi></strong> will be deleted. This cannot be undone.</p>" in page
    # a triangle, two different buttons
    lead = page.partition('<div class="danger-lead">')[2]
    assert lead.strip().startswith("<svg")
    assert "M12 9v4" in lead.partition("</svg>")[0]
    assert leads_to(page, "Cancel") == "/snapshots/"
    assert '<a class="btn" href="/snapshots/" data-close>Cancel</a>' in page
    assert 'class="btn btn-danger"' in submit_button(response)
    assert "250 GB of ml-training-server, taken " in words(page)
    assert "it costs about $0.25 / h" in words(page)


@pytest.mark.feature("SNAP-46", "NAV-16", "NAV-17")
def test_it_has_a_button_that_spins_and_cannot_be_pressed_twice(admin: Client) -> None:
    response = admin.get(URL, headers=HTMX)
    pressed = submit_button(response)
    assert '<span class="when-idle">Delete</span>' in pressed
    assert '<span class="when-busy"><span class="spinner" aria-hidden="true"></span>Deleting...</span>' in pressed
    assert "disabled" not in pressed
    assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


@pytest.mark.feature("SNAP-47")
def test_it_says_what_is_not_lost_and_keeps_it(admin: Client, sandbox: Sandbox) -> None:
    golden = "/snapshots/BRK-123490S/delete/"
    text = text_of(admin.get(golden, headers=HTMX))
    assert "Deleting it does not affect VMs or images created from it." in text
    assert "No VM can be restored from it any more." in text
    admin.post(golden, filled(admin, golden), headers=HTMX)
    assert sandbox.world.images["501"]["name"] == "golden-cuda"
    assert sandbox.world.instances["BRK-123502D"]["status"] == "ACTIVE"


@pytest.mark.feature("SNAP-48")
def test_it_is_blocked_while_a_restore_of_ours_runs(admin: Client, sandbox: Sandbox) -> None:
    assert "If a snapshot is being used for restoration, wait for completion before deleting." in text_of(
        admin.get(URL, headers=HTMX)
    )
    # given an open form, and a restore that was begun since
    data = filled(admin, URL)
    admin.post(RESTORE, filled(admin, RESTORE, name="new-vm"), headers=HTMX)
    # when it is sent
    response = admin.post(URL, data, headers=HTMX)
    # then nothing is deleted
    assert response.status_code == 422
    assert alert(response).startswith("A restore is running The VM “new-vm” is being created from this snapshot.")
    assert "disabled" in submit_button(admin.get(URL, headers=HTMX))
    assert sandbox.log.calls("delete_snapshot") == []
    # until the VM is there
    sandbox.world.advance(600)
    assert no_alert(admin.get(URL, headers=HTMX))
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200
    assert PROD not in sandbox.world.snapshots


@pytest.mark.feature("SNAP-48")
def test_it_is_blocked_while_a_restore_is_not_seen_yet(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("restore_snapshot", "close")
    admin.post(RESTORE, filled(admin, RESTORE, name="new-vm"), headers=HTMX)
    assert alert(admin.get(URL, headers=HTMX)).startswith("A restore is running")


def test_it_does_not_delete_twice_what_is_being_deleted(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.world.snapshots[PROD]["status"] = "DELETING"
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("It is being deleted")
    assert sandbox.log.calls("delete_snapshot") == []


@pytest.mark.parametrize("snapshot_id", ["BRK-123541S", "BRK-123536S", "BRK-123562S"])
def test_it_deletes_also_what_cannot_be_restored(admin: Client, sandbox: Sandbox, snapshot_id: str) -> None:
    address = f"/snapshots/{snapshot_id}/delete/"
    assert admin.post(address, filled(admin, address), headers=HTMX).status_code == 200
    assert snapshot_id not in sandbox.world.snapshots


def test_it_works_as_a_page_without_javascript(admin: Client, sandbox: Sandbox) -> None:
    page = admin.get(URL)
    assert "<html" in body(page)
    response = admin.post(URL, {"token": token_of(page), "intent": "delete"})
    assert (response.status_code, response["Location"]) == (302, "/snapshots/")
    assert SUCCESS in text_of(admin.get("/snapshots/"))


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "delete"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an admin can delete snapshots; your role is {role}." in text_of(response)
    assert PROD in sandbox.world.snapshots


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.post(URL, {"intent": "delete"})["Location"].startswith("/account/login/")
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "a%2Fb", "BRK-999999S"])
def test_it_has_no_page_for_a_snapshot_that_is_not_there(admin: Client, sandbox: Sandbox, impossible: str) -> None:
    address = f"/snapshots/{impossible}/delete/"
    for response in (admin.get(address), admin.post(address, {"intent": "delete"})):
        assert response.status_code == 404
        assert "There is nothing at this address" in text_of(response)
    assert snapshot_paths(sandbox) <= {"/snapshots/BRK-999999S"}


@pytest.mark.parametrize("intent", [None, "", "restore", "DELETE"])
def test_it_deletes_nothing_without_the_intent(admin: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(admin, URL)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        response = admin.post(URL, data, headers=headers)
        assert response.status_code == 200
        assert "prod-backup-dec11" in text_of(response)
    assert sandbox.log.calls("delete_snapshot") == []
    assert PROD in sandbox.world.snapshots


def test_it_refuses_a_token_of_another_form(admin: Client, sandbox: Sandbox) -> None:
    other = filled(admin, "/snapshots/BRK-123463S/delete/")
    restore = filled(admin, RESTORE) | {"intent": "delete"}
    for data in (other, restore, {"token": "", "intent": "delete"}):
        response = admin.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("delete_snapshot") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    admin: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("delete_snapshot", "status", status=status)
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "HX-Trigger" not in response
    assert PROD in sandbox.world.snapshots
    assert Operation.objects.get().state == "refused"
    # and the form in the answer works
    again = {"intent": "delete", "token": token_of(response)}
    assert admin.post(URL, again, headers=HTMX).status_code == 200


def test_it_says_that_a_restore_from_elsewhere_runs(admin: Client, sandbox: Sandbox) -> None:
    # given a restore that this portal knows nothing of
    sandbox.world.restores["BRK-123574D"] = PROD
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == 422
    assert "Barrack says: An instance is being restored from this snapshot." in alert(response)


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_snapshot", "refuse")
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert Operation.objects.get().state == "not_sent"


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    admin: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_snapshot", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the snapshot is deleted. "
        "We keep looking for 10 minutes. Trying again does no harm."
    )
    assert admin.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("delete_snapshot")) == 1
    assert PROD in sandbox.world.snapshots


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_is_gone_when_only_the_answer_is_lost(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_snapshot", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().state == "done"
    assert len(sandbox.log.calls("delete_snapshot")) == 1


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_deletes_nothing_while_the_snapshot_cannot_be_read(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("get_snapshot", kind, times=None)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("delete_snapshot") == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    admin: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_snapshot", kind, times=None)
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


@pytest.mark.parametrize("operation", ["list_instances", "get_pricing", "get_credit_balance"])
def test_it_does_without_what_stands_beside_it(admin: Client, sandbox: Sandbox, operation: str) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    assert admin.post(URL, filled(admin, URL), headers=HTMX).status_code == 200
    assert PROD not in sandbox.world.snapshots


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(admin: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(admin, URL)
    answers = [admin.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("delete_snapshot")) == 1
    assert headers or SUCCESS in text_of(admin.get("/snapshots/"))


def test_it_says_that_the_form_was_sent_with_other_values(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    admin.post(URL, data, headers=HTMX)
    response = admin.post(URL, {**data, "force": "1"}, headers=HTMX)
    assert response.status_code == 409
    assert "Here is what it did: Delete snapshot, done." in words(body(response))


def test_it_tells_the_second_of_two_tabs_that_it_is_gone(admin: Client, sandbox: Sandbox) -> None:
    one, two = filled(admin, URL), filled(admin, URL)
    admin.post(URL, one, headers=HTMX)
    response = admin.post(URL, two, headers=HTMX)
    assert response.status_code == 404
    assert "It may have been deleted" in alert(response)
    assert len(sandbox.log.calls("delete_snapshot")) == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_once_when_one_form_is_sent_by_two_threads_at_once(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_snapshot", "delay", seconds=0.2)
    answers = at_once(*[lambda: admin.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(SUCCESS in text_of(answer) for answer in answers)
    assert len(sandbox.log.calls("delete_snapshot")) == Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_tells_the_slower_of_two_tabs_at_once_that_it_is_gone(admin: Client, sandbox: Sandbox) -> None:
    forms = [filled(admin, URL), filled(admin, URL)]
    sandbox.faults.arm("delete_snapshot", "delay", seconds=0.2, times=2)
    answers = at_once(*[lambda data=data: admin.post(URL, data, headers=HTMX) for data in forms])
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    (late,) = [answer for answer in answers if answer.status_code == 422]
    assert alert(late).startswith("It no longer exists")


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.snapshots[PROD].update(snapshot_name=text, vm_name=text, region=text or "X", size_gb=None)
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 8_000
    # and it can be deleted, with a toast that is as safe
    done = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert done.status_code == 200
    assert not unescaped(done)
    assert PROD not in sandbox.world.snapshots
