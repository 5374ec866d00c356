"""/activity/<id>/: what one form asked for, how it ended, and what is still open."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from apps.account.models import User
from apps.activity.models import Operation
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import NAME, RESTORE, form, new_row, put_vm
from tests.conftest import HTMX, text_of

SENTENCES = [
    ("snapshot.restore", "sent", "The request is on its way to Barrack."),
    ("snapshot.restore", "done", f"The VM “ {NAME} ” was made."),
    ("snapshot.create", "done", f"The snapshot “ {NAME} ” was made."),
    ("snapshot.image", "done", f"The image “ {NAME} ” was made."),
    ("snapshot.delete", "done", "The snapshot “ prod-backup-dec11 ” was deleted."),
    ("snapshot.restore", "refused", "Barrack refused it. Nothing was changed."),
    ("snapshot.restore", "not_sent", "Barrack could not be reached, so nothing was sent and nothing was changed."),
    (
        "snapshot.restore",
        "unknown",
        (
            "The answer was lost, and the new VM is not seen yet. We keep looking for 10 minutes after it was sent. "
            "Trying again under the same name cannot make a second VM."
        ),
    ),
    (
        "snapshot.delete",
        "unknown",
        "The answer was lost, and the snapshot is still listed. We keep looking for 10 minutes after it was sent.",
    ),
    (
        "snapshot.restore",
        "not_seen",
        (
            "No VM of this name appeared within 10 minutes, so the request has most likely never arrived. "
            "It is safe to try again."
        ),
    ),
    (
        "snapshot.delete",
        "not_seen",
        "The snapshot was still listed after 10 minutes, so it was not deleted. It is safe to try again.",
    ),
]
BADGES = {
    "sent": "Sent",
    "done": "Done",
    "refused": "Refused",
    "not_sent": "Not sent",
    "unknown": "Not seen yet",
    "not_seen": "Never seen",
}


def row_of(kind: str, state: str) -> Operation:
    return new_row(User.objects.get(), kind=kind, state=state, name="" if kind == "snapshot.delete" else NAME)


@pytest.mark.parametrize(("kind", "state", "sentence"), SENTENCES)
def test_it_says_what_its_state_means(operator: Client, kind: str, state: str, sentence: str) -> None:
    # given an operation in a state, then its page has that state's words, and no other state's
    words = text_of(operator.get(row_of(kind, state).get_absolute_url()))
    assert sentence in words
    assert BADGES[state] in words
    others = {other for _, _, other in SENTENCES if other not in sentence}
    assert [other for other in others if other in words] == []


@pytest.mark.parametrize(
    ("state", "polls"),
    [("sent", True), ("unknown", True), ("done", False), ("refused", False), ("not_sent", False), ("not_seen", False)],
)
def test_it_looks_again_only_while_it_is_open(operator: Client, state: str, polls: bool) -> None:
    url = row_of("snapshot.restore", state).get_absolute_url()
    page = operator.get(url).content.decode()
    assert ("data-poll" in page) is polls
    assert (f'hx-get="{url}" hx-trigger="every 5s"' in page) is polls


def test_it_shows_the_end_at_the_next_look(operator: Client, sandbox: Sandbox) -> None:
    # given an open page of an operation that is looked for
    row = row_of("snapshot.restore", "unknown")
    assert b"data-poll" in operator.get(row.get_absolute_url(), headers=HTMX).content
    # when it is found, then the next look shows it and stops looking
    put_vm(sandbox, "BRK-900001D")
    call_command("tick")
    part = operator.get(row.get_absolute_url(), headers=HTMX)
    assert "was made" in text_of(part)
    assert "BRK-900001D" in text_of(part)
    assert b"data-poll" not in part.content


def test_it_shows_every_fact_of_a_real_one(operator: Client, sandbox: Sandbox) -> None:
    # given a restore
    operator.post(RESTORE, form(operator), headers=HTMX | {"X-Request-ID": "from-the-test-1"}, REMOTE_ADDR="192.0.2.7")
    row = Operation.objects.get()
    # when its page is opened
    words = text_of(operator.get(row.get_absolute_url()))
    # then it tells all that was written down
    assert f"New name {NAME}" in words
    assert "Of prod-backup-dec11 BRK-123456S" in words
    assert f"Made {row.result_id}" in words
    assert "By operator@example.com operator" in words
    assert "From address 192.0.2.7" in words
    assert f"Barrack took {row.duration_ms} ms" in words
    assert "Request from-the-test-1" in words
    assert "What was written down" in words


def test_it_shows_what_barrack_said_when_it_refused(operator: Client, sandbox: Sandbox) -> None:
    body = {"success": False, "error": "INSUFFICIENT_CREDITS", "message": "Top up <b>first</b>."}
    sandbox.faults.arm("restore_snapshot", "status", status=402, body=body)
    operator.post(RESTORE, form(operator), headers=HTMX)
    page = operator.get(Operation.objects.get().get_absolute_url())
    words = text_of(page)
    assert "Insufficient Credits" in words
    assert "Barrack says: Top up <b>first</b>." in words
    assert "<b>first</b>" not in page.content.decode()
    assert "Barrack's status 402" in words


def test_it_lists_its_events_in_their_order(operator: Client, sandbox: Sandbox) -> None:
    # given one that was lost, and found to be missing at the end
    operator_row = row_of("snapshot.restore", "sent")
    Operation.objects.update(sent_at=clock.now() - timedelta(seconds=700))
    call_command("tick")
    # then both events are there
    words = text_of(operator.get(operator_row.get_absolute_url())).partition("What was written down")[2]
    assert -1 < words.index("Not seen yet") < words.index("Never seen")


def test_it_answers_only_the_part_to_htmx(operator: Client) -> None:
    part = operator.get(row_of("snapshot.restore", "unknown").get_absolute_url(), headers=HTMX)
    assert part.content.lstrip().startswith(b'<section id="operation"')
    assert part["X-Part"] == "1"


def test_it_shows_hostile_names_as_text(operator: Client) -> None:
    row = new_row(User.objects.get(), name="<script>alert(1)</script>", target_name="x" * 255, state="done")
    page = operator.get(row.get_absolute_url()).content.decode()
    assert "<script>alert(1)</script>" not in page
    assert "x" * 201 not in page


@pytest.mark.parametrize(
    "path", [str(uuid.UUID(int=7)), "1", "BRK-123456S", "00000000-0000-0000-0000-00000000000g", "..%2fsnapshots"]
)
def test_it_answers_404_for_an_unknown_one(viewer: Client, sandbox: Sandbox, path: str) -> None:
    response = viewer.get(f"/activity/{path}/")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)


def test_it_is_there_for_every_role(sign_in: Any, sandbox: Sandbox, operator: Client) -> None:
    url = row_of("snapshot.restore", "done").get_absolute_url()
    assert [sign_in(role).get(url).status_code for role in ("viewer", "billing", "operator", "admin")] == [200] * 4


def test_it_sends_a_visitor_to_sign_in(client: Client, make_user: Any) -> None:
    make_user("operator")
    url = row_of("snapshot.restore", "done").get_absolute_url()
    assert client.get(url)["Location"] == f"/account/login/?next={url}"


def test_it_sends_the_whole_page_to_sign_in_when_a_poll_finds_nobody(client: Client, make_user: Any) -> None:
    make_user("operator")
    url = row_of("snapshot.restore", "unknown").get_absolute_url()
    response = client.get(url, headers=HTMX | {"HX-Current-URL": f"http://testserver{url}"})
    assert response["HX-Redirect"].startswith("/account/login/?next=")
    assert response.content == b""


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_refuses_other_methods(admin: Client, operator: Client, method: str) -> None:
    row = new_row(User.objects.get(role="operator"))
    assert getattr(admin, method)(row.get_absolute_url()).status_code == 405
    row.refresh_from_db()
    assert row.state == "unknown"


def test_it_needs_no_answer_of_the_api(operator: Client, sandbox: Sandbox) -> None:
    row = row_of("snapshot.restore", "unknown")
    sandbox.faults.arm("*", "refuse", times=None)
    assert operator.get(row.get_absolute_url()).status_code == 200
