"""/activity/<number>/: what one event says, its place in the chain, and the way to the ones beside it."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.events import append
from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import NAME, RESTORE, form
from tests.conftest import HTMX, text_of


def happened(**facts: Any) -> Event:
    return append(**{"who": "ada@example.com", "role": "admin", "action": "snapshot.delete", "result": "done", **facts})


def test_it_shows_what_was_asked_and_what_came_of_it(operator: Client, sandbox: Sandbox) -> None:
    # given a restore
    operator.post(RESTORE, form(operator), headers=HTMX | {"X-Request-ID": "from-the-test-1"}, REMOTE_ADDR="192.0.2.7")
    row, event = Operation.objects.get(), Event.objects.get()
    # when its event is opened
    page = operator.get("/activity/1/")
    words = text_of(page)
    # then every fact of it is there, and the way to the operation
    for said in ("operator@example.com operator", "192.0.2.7", "Restore snapshot snapshot.restore", f"New name {NAME}",
                 "prod-backup-dec11 BRK-123456S", "from-the-test-1", "Result Done", f"Made {row.result_id}",
                 f"Barrack took {row.duration_ms} ms", "Number 1", event.digest, "the first event"):  # fmt: skip
        assert said in words
    assert f'href="{row.get_absolute_url()}"' in page.content.decode()


def test_it_shows_what_the_person_was_told(operator: Client, sandbox: Sandbox) -> None:
    body = {"success": False, "error": "INSUFFICIENT_CREDITS", "message": "Top up <b>first</b>."}
    sandbox.faults.arm("restore_snapshot", "status", status=402, body=body)
    operator.post(RESTORE, form(operator), headers=HTMX)
    page = operator.get("/activity/1/")
    words = text_of(page)
    assert "Barrack's status 402" in words
    assert "Insufficient Credits" in words
    assert "Barrack says: Top up <b>first</b>." in words
    assert "<b>first</b>" not in page.content.decode()


def test_it_leads_to_the_events_beside_it(viewer: Client) -> None:
    for _ in range(3):
        happened()
    first, second, third = (viewer.get(f"/activity/{number}/").content.decode() for number in (1, 2, 3))
    assert ('rel="prev"' in first, 'href="/activity/2/" rel="next"' in first) == (False, True)
    assert ('href="/activity/1/" rel="prev"' in second, 'href="/activity/3/" rel="next"' in second) == (True, True)
    assert ('href="/activity/2/" rel="prev"' in third, 'rel="next"' in third) == (True, False)


def test_it_leads_to_everything_of_the_person_and_of_the_thing(viewer: Client) -> None:
    happened(target_id="BRK-1/2 S", who="a+b@example.com")
    page = viewer.get("/activity/1/").content.decode()
    for link in ("/activity/?who=a%2Bb%40example.com", "/activity/?target=BRK-1%2F2%20S"):
        assert f'href="{link}"' in page
        assert "1 event that fits" in text_of(viewer.get(link))


def test_it_says_when_it_is_not_as_it_was_written(viewer: Client) -> None:
    # given three events, one of which somebody changes in the database itself
    for _ in range(3):
        happened()
    Event.objects.filter(number=2).update(who="eve@example.com")
    # then its page says so, and the others' pages do not
    said = ["This event is not as it was written" in text_of(viewer.get(f"/activity/{n}/")) for n in (1, 2, 3)]
    assert said == [False, True, False]


def test_it_says_when_the_one_before_is_gone(viewer: Client) -> None:
    for _ in range(3):
        happened()
    Event.objects.filter(number=2).delete()
    assert "This event is not as it was written" in text_of(viewer.get("/activity/3/"))


def test_it_shows_a_change_that_was_not_made_here(viewer: Client) -> None:
    happened(who="outside the portal", role="", action="instance.changed", target_id="BRK-1D", target_name="trainer",
             name="ACTIVE → SHUTOFF", result="observed")  # fmt: skip
    words = text_of(viewer.get("/activity/1/"))
    for said in (
        "VM changed state",
        "ACTIVE → SHUTOFF",
        "outside the portal",
        "no operation of this portal explains it",
    ):
        assert said in words


def test_it_shows_hostile_words_as_text(viewer: Client) -> None:
    happened(who="<script>alert(1)</script>", name="<b>" + "x" * 250, target_name='"><img src=x>')
    page = viewer.get("/activity/1/").content.decode()
    for hostile in ("<script>alert(1)</script>", "<b>x", "<img src=x>"):
        assert hostile not in page


@pytest.mark.parametrize("path", ["0", "2", "99999999999999999999999", "9223372036854775808", "-1", "1x", "1.0"])
def test_it_answers_404_for_an_unknown_one(viewer: Client, path: str) -> None:
    happened()
    response = viewer.get(f"/activity/{path}/")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)


def test_it_is_there_for_every_role(sign_in: Any, sandbox: Sandbox) -> None:
    happened()
    assert [sign_in(role).get("/activity/1/").status_code for role in ("viewer", "billing", "operator", "admin")] == [
        200
    ] * 4


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    happened()
    assert client.get("/activity/1/")["Location"] == "/account/login/?next=/activity/1/"


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    happened()
    assert getattr(admin, method)("/activity/1/").status_code == 405
    assert Event.objects.count() == 1


def test_it_needs_no_answer_of_the_api(viewer: Client, sandbox: Sandbox) -> None:
    happened()
    sandbox.faults.arm("*", "refuse", times=None)
    assert viewer.get("/activity/1/").status_code == 200
