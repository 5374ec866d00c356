"""/scripts/<id>/edit/ when somebody else has changed the script since the form was opened."""

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import DEPS, SHELL, again, opened, put, text_in
from tests.apps.snapshots.helpers import alert, at_once, body, feedback, submit_button, words
from tests.conftest import HTMX

URL = f"/scripts/{DEPS}/edit/"
PAGE = f"/scripts/{DEPS}/"
THEIRS = "#!/bin/bash\necho theirs\n"


@pytest.mark.feature("SCR-04")
def test_it_does_not_overwrite_a_change_from_outside_unasked(operator: Client, sandbox: Sandbox) -> None:
    # given an open form, and a change by somebody else since
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=THEIRS, description="Theirs.")
    # when it is sent
    response = operator.post(URL, data, headers=HTMX)
    # then nothing is, and it says who and what, shows both versions, and loses nothing
    assert response.status_code == 409
    assert sandbox.log.calls("update_script") == []
    said = alert(response)
    assert said.startswith("The script was changed meanwhile Somebody outside the portal (")
    assert " UTC) changed its description and content after this form was opened. Nothing was sent." in said
    other = body(response).partition('<details class="advanced other-version" open>')[2].partition("</details>")[0]
    assert "echo theirs" in other
    assert "Theirs." in other
    assert text_in(response) == SHELL
    assert words(submit_button(response)) == "Save mine anyway Saving..."
    assert Operation.objects.get().state == "not_sent"
    # and saving anyway replaces exactly what was shown
    data = again(data, response)
    assert operator.post(URL, data, headers=HTMX).status_code == 200
    assert sandbox.world.scripts[DEPS]["content"] == SHELL


@pytest.mark.feature("SCR-04")
def test_it_names_who_changed_it_through_the_portal(operator: Client, admin: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    admin.post(URL, opened(admin, content=THEIRS), headers=HTMX)
    assert "meanwhile admin@example.com (" in alert(operator.post(URL, data, headers=HTMX))
    # oneself in another tab
    data = opened(operator, content=SHELL)
    operator.post(URL, opened(operator, content="#!/bin/sh\necho mine\n"), headers=HTMX)
    assert " UTC, in another window) changed its content" in alert(operator.post(URL, data, headers=HTMX))
    # and nobody of the portal when somebody outside came later
    put(sandbox, DEPS, content="#!/bin/sh\necho outside\n")
    assert "Somebody outside the portal" in alert(
        operator.post(URL, {**data, "token": opened(operator)["token"]}, headers=HTMX)
    )


@pytest.mark.feature("SCR-04")
def test_it_asks_again_for_a_change_after_the_one_that_was_shown(operator: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=THEIRS)
    data = again(data, operator.post(URL, data, headers=HTMX))
    # given a third version, while the second was looked at
    put(sandbox, DEPS, content="#!/bin/sh\necho third\n")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 409
    assert "echo third" in body(response)
    assert sandbox.log.calls("update_script") == []
    assert operator.post(URL, again(data, response), headers=HTMX).status_code == 200
    assert sandbox.world.scripts[DEPS]["content"] == SHELL


@pytest.mark.feature("SCR-04")
def test_it_keeps_the_other_version_in_view_while_the_form_is_mended(operator: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=THEIRS)
    data = again(data, operator.post(URL, data, headers=HTMX))
    response = operator.post(URL, {**data, "name": ""}, headers=HTMX)
    assert (response.status_code, feedback(response)) == (422, "Enter a name.")
    assert "echo theirs" in body(response)
    assert words(submit_button(response)).startswith("Save mine anyway")
    assert operator.post(URL, again(data, response), headers=HTMX).status_code == 200


@pytest.mark.parametrize("loaded", ["", "x", "a.b.c"])
def test_it_asks_when_the_form_does_not_say_what_it_was_loaded_from(
    operator: Client, sandbox: Sandbox, loaded: str
) -> None:
    response = operator.post(URL, opened(operator, content=SHELL, loaded=loaded), headers=HTMX)
    assert response.status_code == 409
    assert alert(response).startswith("The script was changed meanwhile")
    assert sandbox.log.calls("update_script") == []


def test_it_is_content_when_somebody_else_saved_the_same(operator: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=SHELL)
    assert alert(operator.post(URL, data, headers=HTMX)).startswith("There is nothing to save")


def test_it_asks_without_javascript_too(operator: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=THEIRS)
    response = operator.post(URL, data)
    assert response.status_code == 409
    assert "<html" in body(response)
    assert "echo theirs" in body(response)
    assert operator.post(URL, again(data, response))["Location"] == PAGE


@pytest.mark.django_db(transaction=True)
def test_one_of_two_at_the_same_moment_is_told(operator: Client, sandbox: Sandbox) -> None:
    forms = [opened(operator, content=f"#!/bin/sh\necho {number}\n") for number in range(2)]
    sandbox.faults.arm("update_script", "delay", seconds=0.2, times=2)
    answers = at_once(*[lambda data=data: operator.post(URL, data, headers=HTMX) for data in forms])
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(sandbox.log.calls("update_script")) == 1


def test_it_shows_the_same_question_when_a_refused_form_is_sent_twice(operator: Client, sandbox: Sandbox) -> None:
    data = opened(operator, content=SHELL)
    put(sandbox, DEPS, content=THEIRS)
    first, second = (operator.post(URL, data, headers=HTMX) for _ in range(2))
    assert first.status_code == second.status_code == 409
    assert alert(first) == alert(second)
    assert "echo theirs" in body(second)
    assert words(submit_button(second)).startswith("Save mine anyway")
    assert Operation.objects.count() == 1


@pytest.mark.feature("SCR-04")
def test_it_still_asks_when_the_sign_in_ended_meanwhile(operator: Client, sandbox: Sandbox) -> None:
    # given a form whose sender turns out to be signed out, and a change by somebody else since it was opened
    data = opened(operator, content=SHELL)
    user = User.objects.get()
    operator.cookies["sessionid"] = "gone"
    operator.post(URL, data, headers={"Referer": f"http://testserver{URL}"})
    put(sandbox, DEPS, content=THEIRS)
    # when they sign in again, then the form has what was typed, and what it was loaded from
    kept = operator.cookies["kept"].value
    operator.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    operator.cookies["kept"] = kept
    page = operator.get(URL)
    assert text_in(page) == SHELL
    assert operator.post(URL, again(data, page), headers=HTMX).status_code == 409
    assert sandbox.log.calls("update_script") == []
