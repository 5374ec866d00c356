"""/scripts/create/: a new script, checked as it is typed, sent once."""

import json
import re

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import LIST, SHELL, card, content_says, new, text_in
from tests.apps.snapshots.helpers import (
    BAD_NAMES,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    SCRIPT,
    alert,
    at_once,
    body,
    card_names,
    feedback,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
)
from tests.conftest import HTMX, text_of, token_of

URL = f"{LIST}create/"
SUCCESS = "Script “fresh” is created."
CONFIG = "#cloud-config\npackages:\n  - git\n"
SECRET = "hf_abcdefghijklmnop"


# -- works


@pytest.mark.feature("SCR-02", "NAV-13", "NAV-18")
@pytest.mark.parametrize("content", [SHELL, CONFIG])
def test_it_keeps_the_script_and_has_the_list_read_anew(operator: Client, sandbox: Sandbox, content: str) -> None:
    response = operator.post(URL, new(operator, content=content, description="For all."), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_script") == [{"name": "fresh", "content": content, "description": "For all."}]
    assert json.loads(response["HX-Trigger"]) == {"modal:close": True, "scripts:changed": True}
    assert text_of(response).startswith(SUCCESS)
    made = Operation.objects.get().result_id
    assert f'href="/scripts/{made}/"' in body(response)
    assert card_names(operator.get(LIST))[0] == "fresh"
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "script.create")


@pytest.mark.feature("SCR-02")
def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    # when a browser sends it, with the line ends that it makes of every text
    data = {**new(operator, content="#!/bin/sh\r\necho\r\n", description="a\r\nb"), "token": token_of(page)}
    response = operator.post(URL, data)
    # then what was typed is kept, and there is nothing to say about it
    assert sent(sandbox, "create_script")[0]["content"] == "#!/bin/sh\necho\n"
    assert sent(sandbox, "create_script")[0]["description"] == "a\nb"
    made = Operation.objects.get().result_id
    assert (response.status_code, response["Location"]) == (302, f"/scripts/{made}/")
    shown = text_of(operator.get(response["Location"]))
    assert SUCCESS in shown
    assert "Line ends" not in shown


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize(
    ("content", "headers", "note"),
    [
        ("#!/bin/sh\r\necho\n", HTMX, "Line ends were changed to LF."),
        ("#!/bin/sh\recho\r", {}, "Line ends were changed to LF."),
        ("\ufeff#!/bin/sh\necho\n", HTMX, "The invisible byte order mark at the start was dropped."),
    ],
)
def test_it_says_what_it_changed_in_the_text(
    operator: Client, sandbox: Sandbox, content: str, headers: dict[str, str], note: str
) -> None:
    response = operator.post(URL, new(operator, content=content), headers=headers)
    assert sent(sandbox, "create_script")[0]["content"] == "#!/bin/sh\necho\n"
    shown = response if headers else operator.get(response["Location"])
    assert f"{SUCCESS} {note}" in text_of(shown)


@pytest.mark.feature("SCR-02")
def test_it_takes_16384_bytes_and_not_one_more(operator: Client, sandbox: Sandbox) -> None:
    most = SHELL + "é" * ((16_384 - len(SHELL)) // 2) + "x" * (len(SHELL) % 2)
    response = operator.post(URL, new(operator, content=most + "x"), headers=HTMX)
    assert response.status_code == 422
    assert "Use at most 16,384 bytes; this has 16,385." in content_says(response)
    assert text_in(response) == most + "x"
    assert operator.post(URL, new(operator, content=most), headers=HTMX).status_code == 200
    assert [len(body["content"].encode()) for body in sent(sandbox, "create_script")] == [16_384]


@pytest.mark.feature("SCR-08")
def test_it_warns_of_a_secret_and_saves_it_all_the_same(operator: Client, sandbox: Sandbox) -> None:
    content = f"#!/bin/sh\nexport HF_TOKEN={SECRET}\nPASSWORD=hunter2\n"
    # when it is typed, then the lines are named, and the secrets are not
    live = operator.post(URL, {**new(operator, content=content), "intent": "", "validate": "content"}, headers=HTMX)
    assert content_says(live).startswith("Shell script (#!), 63 of 16,384 bytes")
    assert "Line 2 looks like a Hugging Face token. Line 3 looks like a password." in content_says(live)
    assert "It can be saved as it is." in content_says(live)
    assert SECRET not in body(live)
    assert "hunter2" not in body(live)
    # and it is saved
    response = operator.post(URL, new(operator, content=content), headers=HTMX)
    assert f"{SUCCESS} Line 2 looks like a Hugging Face token; 1 more line needs a look." in text_of(response)
    assert SECRET not in body(response)
    assert sent(sandbox, "create_script")[0]["content"] == content
    assert "Secrets?" in card(operator.get(LIST), Operation.objects.get().result_id)


@pytest.mark.feature("SCR-08")
def test_it_writes_no_content_down(operator: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    # given a script with a secret, whose saving goes wrong in every way
    for kind in ("close", "invalid_json", "status"):
        sandbox.faults.arm("create_script", kind, **({"status": 422} if kind == "status" else {}))
        operator.post(URL, new(operator, name=f"fresh {kind}", content=f"#!/bin/sh\nHF_TOKEN={SECRET}\n"), headers=HTMX)
    # then the log, the operations and the trail hold its name alone
    rows = [*Operation.objects.values(), *Event.objects.values()]
    assert Operation.objects.count() == 3
    assert "fresh close" in repr(rows)
    assert SECRET not in repr(rows) + caplog.text


# -- bad input


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize(("name", "message", "counted"), BAD_NAMES)
def test_it_refuses_a_name_that_cannot_be(
    operator: Client, sandbox: Sandbox, name: str, message: str, counted: str
) -> None:
    response = operator.post(URL, new(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == message
    assert typed(response) == name
    assert counted in text_of(response)
    assert text_in(response) == SHELL
    assert sandbox.log.calls("create_script") == []


@pytest.mark.feature("SCR-02")
def test_it_refuses_a_name_in_use(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, new(operator, name="install-deps"), headers=HTMX)
    assert feedback(response) == "A script named “install-deps” already exists. Choose another name."
    assert sandbox.log.calls("create_script") == []
    # and one that is taken since the form was read
    sandbox.faults.arm(
        "create_script", "status", status=409,
        body={"success": False, "error": "NAME_TAKEN", "message": "taken", "details": {"name": "It is taken."}},
    )  # fmt: skip
    late = operator.post(URL, new(operator), headers=HTMX)
    assert (late.status_code, feedback(late)) == (422, "It is taken.")


@pytest.mark.feature("SCR-02")
def test_it_takes_255_characters_of_description_and_not_one_more(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, new(operator, description="é" * 256), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "description") == "Use at most 255 characters; this has 256."
    assert operator.post(URL, new(operator, description="é" * 255), headers=HTMX).status_code == 200


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Enter the script."),
        ("echo", "Line 1: The first line has to be #!/bin/bash or another interpreter, or #cloud-config."),
        ("#!bash", "Line 1: After #! comes the whole path of an interpreter, such as #!/bin/bash."),
        ("#!/bin/sh\na\0b", "Line 2: The invisible character U+0000 is not allowed. Delete it."),
        ("#cloud-config\npackages:\n\t- git", "Line 3: It is indented with a tab. YAML takes spaces only."),
        ("#cloud-config\n- git", "Line 2: After #cloud-config come named settings"),
    ],
)
def test_it_refuses_a_text_that_cannot_be(operator: Client, sandbox: Sandbox, content: str, message: str) -> None:
    # while it is typed
    data = new(operator, content=content)
    live = operator.post(URL, {**data, "intent": "", "validate": "content"}, headers=HTMX)
    assert (live.status_code, message in content_says(live)) == (200, True)
    assert "<form" not in body(live)
    # and when it is sent
    for headers in (HTMX, {}):
        response = operator.post(URL, {**data, "token": new(operator)["token"]}, headers=headers)
        assert response.status_code == 422
        assert message in content_says(response)
        assert 'aria-invalid="true"' in body(response)
    assert sandbox.log.calls("create_script") == []
    assert Operation.objects.count() == 0


def test_it_tells_other_fields_while_they_are_typed(operator: Client, sandbox: Sandbox) -> None:
    live = operator.post(URL, {**new(operator, name="a/b"), "intent": "", "validate": "name"}, headers=HTMX)
    assert feedback(live).startswith("Not allowed: “/”.")
    assert sandbox.log.calls("create_script") == []


@pytest.mark.parametrize("text", [SCRIPT, "</textarea><script>alert(1)</script>"])
def test_it_gives_back_hostile_texts_as_text(operator: Client, sandbox: Sandbox, text: str) -> None:
    response = operator.post(URL, new(operator, name=text, description=text, content=text), headers=HTMX)
    assert response.status_code == 422
    assert not unescaped(response)
    assert text_in(response) == text


# -- roles, methods


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "create"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create and edit scripts; your role is {role}." in text_of(response)
    assert sandbox.log.calls("create_script") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, {**new(operator), "token": "x"}, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert text_in(response) == SHELL
    assert sandbox.log.calls("create_script") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_what_the_api_refused_and_keeps_what_was_typed(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_script", "status", status=status)
    data = new(operator)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert text_in(response) == SHELL
    # and the form in the answer works
    assert operator.post(URL, {**data, "token": token_of(response)}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_looks_for_a_script_whose_answer_was_lost(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    sandbox.faults.arm("create_script", kind)
    data = new(operator)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(f"Not seen yet Barrack's answer {happened}, and the new script is not seen yet.")
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_script")) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_script_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("create_script", kind)
    response = operator.post(URL, new(operator), headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().result_id in sandbox.world.scripts
    assert len(sandbox.log.calls("create_script")) == 1


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_sends_nothing_while_the_names_cannot_be_read(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = new(operator)
    sandbox.faults.arm("list_scripts", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "disabled" in submit_button(response)
    assert text_in(response) == SHELL
    assert sandbox.log.calls("create_script") == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_is_kept_once_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = new(operator, content="#!/bin/sh\nPASSWORD=hunter2\n")
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("create_script")) == Operation.objects.count() == 1
    other = operator.post(URL, {**data, "content": SHELL}, headers=HTMX)
    assert other.status_code == 409
    assert re.search(r"Here is what it did:\s+Create script", text_of(other))


@pytest.mark.django_db(transaction=True)
def test_it_is_kept_once_when_sent_by_two_threads_at_once(operator: Client, sandbox: Sandbox) -> None:
    data = new(operator)
    sandbox.faults.arm("create_script", "delay", seconds=0.2)
    answers = at_once(*[lambda: operator.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sandbox.log.calls("create_script")) == Operation.objects.count() == 1
