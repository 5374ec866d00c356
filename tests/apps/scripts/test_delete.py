"""/scripts/<id>/delete/: a script is removed for good, by an admin, after a clear question."""

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import DEPS, LIST
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
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

URL = f"/scripts/{DEPS}/delete/"
SUCCESS = "Script “install-deps” is deleted."


@pytest.mark.feature("SCR-05", "NAV-13")
def test_it_deletes_the_script_and_has_the_list_read_anew(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == 200
    assert [call.path for call in sandbox.log.calls("delete_script")] == [f"/scripts/{DEPS}"]
    assert response["HX-Trigger"] == '{"modal:close": true, "scripts:changed": true}'
    assert SUCCESS in text_of(response)
    assert DEPS not in sandbox.world.scripts
    assert "install-deps" not in card_names(admin.get(LIST))
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "script.delete")


@pytest.mark.feature("SCR-05")
@pytest.mark.parametrize("name", ["install-deps", "  two  spaces ", "x" * 50])
def test_it_names_the_script_and_what_is_lost(admin: Client, sandbox: Sandbox, name: str) -> None:
    sandbox.world.scripts[DEPS]["name"] = name
    response = admin.get(URL, headers=HTMX)
    page = body(response)
    assert f"<p>The script <strong><bdi>{name}</bdi></strong> will be deleted. This cannot be undone.</p>" in page
    assert "Its text is lost" in text_of(response)
    assert "VMs that have run it stay as they are." in text_of(response)
    assert 'class="btn btn-danger"' in submit_button(response)
    assert '<a class="btn" href="/scripts/" data-close>Cancel</a>' in page


def test_it_works_as_a_page_without_javascript(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, {"token": token_of(admin.get(URL)), "intent": "delete"})
    assert (response.status_code, response["Location"]) == (302, LIST)
    assert SUCCESS in text_of(admin.get(LIST))


def test_it_leads_away_from_the_page_of_what_is_gone(admin: Client, sandbox: Sandbox) -> None:
    here = {**HTMX, "HX-Current-URL": f"http://testserver/scripts/{DEPS}/"}
    assert admin.post(URL, filled(admin, URL), headers=here)["HX-Redirect"] == LIST


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "delete"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an admin can delete scripts; your role is {role}." in text_of(response)
    assert DEPS in sandbox.world.scripts


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "999999"])
def test_it_has_no_page_for_a_script_that_is_not_there(admin: Client, sandbox: Sandbox, impossible: str) -> None:
    address = f"/scripts/{impossible}/delete/"
    for response in (admin.get(address), admin.post(address, {"intent": "delete"})):
        assert response.status_code == 404


@pytest.mark.parametrize("intent", [None, "", "edit", "DELETE"])
def test_it_deletes_nothing_without_the_intent(admin: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(admin, URL)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        assert admin.post(URL, data, headers=headers).status_code == 200
    assert sandbox.log.calls("delete_script") == []


def test_it_refuses_a_token_of_another_form(admin: Client, sandbox: Sandbox) -> None:
    for data in (filled(admin, "/scripts/72/delete/"), {"token": "", "intent": "delete"}):
        response = admin.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("delete_script") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    admin: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("delete_script", "status", status=status)
    response = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert DEPS in sandbox.world.scripts
    assert admin.post(URL, {"intent": "delete", "token": token_of(response)}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    admin: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_script", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the script is deleted."
    )
    assert admin.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("delete_script")) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_is_gone_when_only_the_answer_is_lost(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_script", kind)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().state == "done"


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_deletes_nothing_while_the_script_cannot_be_read(admin: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("get_script", kind, times=None)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("delete_script") == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    admin: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_script", kind, times=None)
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(admin: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(admin, URL)
    answers = [admin.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("delete_script")) == 1
    other = admin.post(URL, {**data, "force": "1"}, headers=HTMX)
    assert other.status_code == 409
    assert "Here is what it did: Delete script, done." in words(body(other))


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_once_when_one_form_is_sent_by_two_threads_at_once(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, URL)
    sandbox.faults.arm("delete_script", "delay", seconds=0.2)
    answers = at_once(*[lambda: admin.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sandbox.log.calls("delete_script")) == Operation.objects.count() == 1


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.scripts[DEPS] |= {"name": text, "description": text}
    response = admin.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 8_000
    done = admin.post(URL, filled(admin, URL), headers=HTMX)
    assert done.status_code == 200
    assert not unescaped(done)
