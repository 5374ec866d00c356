"""/scripts/<id>/edit/: a script is changed, and nobody's change is overwritten unasked."""

from typing import Any

import pytest
from django.test import Client

from apps.activity import lookup
from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import CONFIG, DEPS, LIST, SHELL, again, content_says, opened, put, text_in
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    feedback,
    no_alert,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
)
from tests.conftest import HTMX, text_of, token_of

URL = f"/scripts/{DEPS}/edit/"
PAGE = f"/scripts/{DEPS}/"
SUCCESS = "Script “install-deps” is saved."
THEIRS = "#!/bin/bash\necho theirs\n"


# -- works


@pytest.mark.feature("SCR-04", "NAV-13")
def test_it_changes_the_script_and_has_the_pages_read_anew(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, opened(operator, description="New.", content=SHELL), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "update_script") == [{"name": "install-deps", "content": SHELL, "description": "New."}]
    assert response["HX-Trigger"] == '{"modal:close": true, "scripts:changed": true}'
    assert SUCCESS in text_of(response)
    assert "echo hello" in body(operator.get(PAGE))
    event = Event.objects.get()
    assert (event.action, event.result, event.target_name, event.name) == ("script.edit", "done", "install-deps", "")


@pytest.mark.feature("SCR-04")
def test_it_opens_with_what_is_there(operator: Client, sandbox: Sandbox) -> None:
    response = operator.get(URL, headers=HTMX)
    assert typed(response) == "install-deps"
    assert text_in(response, "description") == "What every machine of the team has."
    assert text_in(response) == sandbox.world.scripts[DEPS]["content"]
    assert content_says(response).startswith("Shell script (#!), 74 of 16,384 bytes")
    assert "Save mine anyway" not in text_of(response)


@pytest.mark.feature("SCR-04")
def test_it_renames_and_says_so(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, opened(operator, name="renamed"), headers=HTMX)
    assert f"{SUCCESS} It is called “renamed” now." in text_of(response)
    assert sandbox.world.scripts[DEPS]["name"] == "renamed"
    assert (Event.objects.get().target_name, Event.objects.get().name) == ("install-deps", "renamed")


def test_it_empties_the_description(operator: Client, sandbox: Sandbox) -> None:
    operator.post(URL, opened(operator, description=""), headers=HTMX)
    assert sandbox.world.scripts[DEPS]["description"] == ""


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, opened(operator, content="#!/bin/sh\r\necho\r\n"))
    assert (response.status_code, response["Location"]) == (302, PAGE)
    assert sandbox.world.scripts[DEPS]["content"] == "#!/bin/sh\necho\n"
    assert SUCCESS in text_of(operator.get(PAGE))


def test_it_turns_kept_line_ends_into_lf(operator: Client, sandbox: Sandbox) -> None:
    # given a script that somebody has kept with CRLF outside the portal
    put(sandbox, DEPS, content="#!/bin/sh\r\necho\r\n")
    assert "Line ends were changed to LF." in content_says(operator.get(URL, headers=HTMX))
    # when it is saved as it is, then that is a change
    assert operator.post(URL, opened(operator, content="#!/bin/sh\necho\n"), headers=HTMX).status_code == 200
    assert sandbox.world.scripts[DEPS]["content"] == "#!/bin/sh\necho\n"


def test_it_sends_nothing_when_nothing_changes(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, opened(operator), headers=HTMX)
    assert response.status_code == 409
    assert alert(response).startswith("There is nothing to save")
    assert sandbox.log.calls("update_script") == []


# -- bad input, roles, methods, missing things


@pytest.mark.feature("SCR-02", "SCR-04")
@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"name": ""}, "name", "Enter a name."),
        ({"name": "mount-corpus"}, "name", "A script named “mount-corpus” already exists. Choose another name."),
        ({"description": "x" * 256}, "description", "Use at most 255 characters; this has 256."),
    ],
)
def test_it_refuses_what_cannot_be(
    operator: Client, sandbox: Sandbox, fields: dict[str, str], field: str, message: str
) -> None:
    response = operator.post(URL, opened(operator, **fields), headers=HTMX)
    assert (response.status_code, feedback(response, field)) == (422, message)
    assert sandbox.log.calls("update_script") == []


def test_it_refuses_a_text_that_cannot_be(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, opened(operator, content="echo"), headers=HTMX)
    assert response.status_code == 422
    assert "Line 1: The first line has to be" in content_says(response)
    assert sandbox.log.calls("update_script") == []


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "edit"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create and edit scripts; your role is {role}." in text_of(response)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS[:4], "999999"])
def test_it_has_no_page_for_a_script_that_is_not_there(operator: Client, sandbox: Sandbox, impossible: str) -> None:
    for response in (
        operator.get(f"/scripts/{impossible}/edit/"),
        operator.post(f"/scripts/{impossible}/edit/", {"a": "b"}),
    ):
        assert response.status_code == 404


def test_it_keeps_what_was_typed_when_the_script_is_gone(operator: Client, sandbox: Sandbox) -> None:
    # given a script that is deleted between the look of the page and that of the change
    data = opened(operator, content=SHELL)
    sandbox.faults.arm("update_script", "status", status=404)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("It no longer exists")
    assert text_in(response) == SHELL
    # and gone before: the alert stands above the form, which stays in the browser
    del sandbox.world.scripts[DEPS]
    late = operator.post(URL, {**data, "token": token_of(response)}, headers=HTMX)
    assert (late.status_code, late["X-Part"]) == (404, "alert")


def test_it_refuses_a_token_of_another_script(operator: Client, sandbox: Sandbox) -> None:
    other = opened(operator, CONFIG)
    response = operator.post(URL, {**opened(operator, content=SHELL), "token": other["token"]}, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("update_script") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_what_the_api_refused_and_keeps_what_was_typed(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("update_script", "status", status=status)
    data = opened(operator, content=SHELL)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert text_in(response) == SHELL
    assert operator.post(URL, again(data, response), headers=HTMX).status_code == 200


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    sandbox.faults.arm("update_script", kind)
    data = opened(operator, content=SHELL)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the script is changed."
    )
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("update_script")) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_the_change_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("update_script", kind)
    response = operator.post(URL, opened(operator, content=SHELL), headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert (Operation.objects.get().state, len(sandbox.log.calls("update_script"))) == ("done", 1)


def test_it_sees_the_change_later(operator: Client, sandbox: Sandbox) -> None:
    # given a change of which nobody knows whether it has happened
    sandbox.faults.arm("update_script", "hang")
    operator.post(URL, opened(operator, content=SHELL), headers=HTMX)
    operation = Operation.objects.get()
    assert (operation.state, lookup.settle(operation)) == ("unknown", False)
    # when another text is there, then it is not this one
    put(sandbox, DEPS, content=THEIRS)
    assert not lookup.settle(operation)
    # and when its own is there, then it has happened
    put(sandbox, DEPS, content=SHELL)
    assert lookup.settle(operation)
    assert Operation.objects.get().state == "done"
    assert SHELL not in repr(Operation.objects.values())


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_sends_nothing_while_the_script_cannot_be_read(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = opened(operator, content=SHELL)
    sandbox.faults.arm("get_script", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert "disabled" in submit_button(response)
    assert text_in(response) == SHELL
    assert sandbox.log.calls("update_script") == []


def test_it_does_without_the_list(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_scripts", "status", status=500, times=None)
    assert operator.post(URL, opened(operator, content=SHELL), headers=HTMX).status_code == 200


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = opened(operator, name="renamed", content=SHELL)
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("update_script")) == 1
    assert operator.post(URL, {**data, "content": THEIRS}, headers=HTMX).status_code == 409


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 100_000, RIGHT_TO_LEFT, "", "</textarea><script>alert(1)</script>"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    values: dict[str, Any] = {"name": text, "description": text, "content": text}
    sandbox.world.scripts[DEPS] |= values
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
    # also as the other version
    data = {**opened(operator, CONFIG), "token": token_of(response), "name": "fresh", "content": SHELL}
    conflict = operator.post(URL, data, headers=HTMX)
    assert conflict.status_code == 409
    assert not unescaped(conflict)


def test_its_cancel_leads_to_the_script(operator: Client) -> None:
    assert f'<a class="btn" href="{PAGE}" data-close>Cancel</a>' in body(operator.get(URL, headers=HTMX))
    assert operator.get(LIST).status_code == 200
