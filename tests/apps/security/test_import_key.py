"""/ssh-keys/import/: a public key is read as it was pasted, sent once; a private one is refused and never shown."""

import json
import logging
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from apps.account.kept import COOKIE
from apps.activity.models import Event, Operation
from barrack_web.key_text import HINTS, PRIVATE_SAID
from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import DRAFT, IMPORT, LIST, card, fill_up, key_says, new, pasted, public, secret
from tests.apps.security.test_create_key import everywhere, hidden, lines
from tests.apps.snapshots.helpers import (
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    SCRIPT,
    alert,
    at_once,
    body,
    feedback,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

SUCCESS = "SSH key “fresh” is imported."


# -- works


@pytest.mark.feature("KEY-14", "KEY-17", "NAV-13")
@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521"])
def test_it_imports_a_key_of_each_type(operator: Client, sandbox: Sandbox, kind: str) -> None:
    response = operator.post(IMPORT, new(operator, IMPORT, key=public(kind)), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_ssh_key") == [{"name": "fresh", "public_key": public(kind)}]
    assert json.loads(response["HX-Trigger"]) == {"modal:close": True, "keys:changed": True}
    assert text_of(response).startswith(SUCCESS)
    assert f'href="{LIST}{Operation.objects.get().result_id}/"' in body(response)
    assert public(kind) in card(operator.get(LIST), "fresh")
    assert (Operation.objects.get().state, Event.objects.get().action) == ("done", "key.import")


@pytest.mark.feature("KEY-14")
def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(IMPORT)
    assert "<html" in body(page)
    assert '<textarea name="key"' in body(page)
    data = {"name": "fresh", "key": f"{public()}\r\n", "intent": "import", "token": token_of(page)}
    response = operator.post(IMPORT, data)
    made = Operation.objects.get().result_id
    assert (response.status_code, response["Location"]) == (302, f"{LIST}{made}/")
    shown = text_of(operator.get(response["Location"]))
    assert SUCCESS in shown
    assert "Line breaks" not in shown


@pytest.mark.feature("KEY-16")
def test_it_mends_line_breaks_and_says_so(operator: Client, sandbox: Sandbox) -> None:
    line = public("rsa-2048")
    broken = "\r\n".join(line[at : at + 60] for at in range(0, len(line), 60))
    note = "Line breaks inside it were taken out: a public key is one line."
    live = operator.post(IMPORT, {**new(operator, IMPORT, key=broken), "intent": "", "validate": "key"}, headers=HTMX)
    assert key_says(live).startswith("RSA, 2,048 bits, “me@here” SHA256:")
    assert key_says(live).endswith(note)
    response = operator.post(IMPORT, new(operator, IMPORT, key=broken), headers=HTMX)
    assert f"{SUCCESS} {note}" in text_of(response)
    assert sent(sandbox, "create_ssh_key")[0]["public_key"] == line


@pytest.mark.feature("KEY-18")
def test_it_says_where_the_public_key_is(operator: Client) -> None:
    said = text_of(operator.get(IMPORT, headers=HTMX))
    assert "Linux and macOS cat ~/.ssh/id_ed25519.pub Copy cat ~/.ssh/id_rsa.pub Copy" in said
    assert r"Windows PowerShell Get-Content $env:USERPROFILE\.ssh\id_rsa.pub Copy" in said
    assert "<details" in body(operator.get(IMPORT))


# -- a private key


@pytest.mark.parametrize("headers", [HTMX, {}])
@pytest.mark.parametrize("text", [secret(), secret("rsa-2048"), "\n".join(secret("rsa-2048").splitlines()[8:12])])
def test_it_never_shows_or_keeps_a_private_key(
    operator: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, text: str, headers: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    response = operator.post(IMPORT, new(operator, IMPORT, key=text), headers=headers)
    # then the field is empty, and says why
    assert response.status_code == 422
    assert key_says(response) == PRIVATE_SAID
    assert (pasted(response), typed(response)) == ("", "fresh")
    # and it is nowhere: not in the answer, not in what is kept, not in the cloud
    assert [line for line in lines(text) if line in body(response) + everywhere(caplog)] == []
    assert sandbox.log.calls("create_ssh_key") == []
    assert Operation.objects.count() == 0


def test_it_empties_the_field_while_somebody_pastes(operator: Client) -> None:
    data = {**new(operator, IMPORT, key=secret()), "intent": "", "validate": "key"}
    live = operator.post(IMPORT, data, headers=HTMX)
    assert live.status_code == 200
    assert key_says(live) == PRIVATE_SAID
    assert pasted(live) == ""
    assert 'hx-swap-oob="true"' in body(live)
    # while any other text stays as it is
    other = operator.post(IMPORT, {**data, "key": "ssh-rsa AAAA"}, headers=HTMX)
    assert "textarea" not in body(other)


@pytest.mark.parametrize("text", [secret(), "\n".join(secret("rsa-2048").splitlines()[8:12])])
def test_it_is_not_kept_when_the_sign_in_has_ended(
    operator: Client, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    # given a form whose sender turns out to be signed out
    data = new(operator, IMPORT, key=text)
    Session.objects.all().delete()
    response = operator.post(IMPORT, {"csrfmiddlewaretoken": "x", **data})
    # then its name waits for the next sign-in, and the key does not
    assert response.status_code == 302
    kept = everywhere(caplog)
    assert [line for line in lines(text) if line in kept] == []
    assert COOKIE in response.cookies
    assert "'fields': {'name': ['fresh']}" in kept


# -- bad input


@pytest.mark.feature("KEY-31", "KEY-15")
@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "Paste your public key.", ""),
        (f"{public()}\n{public('ecdsa-256')}", "These are 2 keys. Import one at a time.", "line"),
        (f"{public()[:20]}…{public()[20:]}", "After ssh-ed25519 comes text that is not base64.", "whitespace"),
        ("ssh-dss AAAAB3NzaC1kc3M old", "This is an ssh-dss (DSA) key. OpenSSH has dropped that type", "type"),
        (public()[:50], "The ssh-ed25519 key is not complete: it ends in the middle.", "whole"),
        (f"ssh-rsa {'A' * 102_400}", "A public key has at most 8,000 characters; this has 102,408.", "line"),
        (public("rsa-1024"), "This RSA key has 1,024 bits. Keys of fewer than 2,048 bits can be broken", "type"),
    ],
)
def test_it_says_what_is_wrong_with_a_key_and_what_helps(
    operator: Client, sandbox: Sandbox, text: str, message: str, hint: str
) -> None:
    data = new(operator, IMPORT, key=text)
    live = operator.post(IMPORT, {**data, "intent": "", "validate": "key"}, headers=HTMX)
    response = operator.post(IMPORT, data, headers=HTMX)
    assert (live.status_code, response.status_code) == (200, 422)
    for said in (key_says(live), key_says(response)):
        assert said.startswith(message)
        assert said.endswith(HINTS.get(hint, message))
        assert [other for name, other in HINTS.items() if other in said and name != hint] == []
    assert pasted(response) == text
    assert 'aria-invalid="true"' in body(response)
    assert sandbox.log.calls("create_ssh_key") == []


def test_it_names_the_key_that_is_there_already(operator: Client, sandbox: Sandbox) -> None:
    kind, blob, _ = sandbox.world.ssh_keys["12"]["public_key"].split(" ")
    for comment in ("", "another comment"):
        response = operator.post(IMPORT, new(operator, IMPORT, key=f"{kind} {blob} {comment}"), headers=HTMX)
        assert response.status_code == 422
        assert key_says(response).startswith("The account has this key already: it is “ci-runner”.")
    assert sandbox.log.calls("create_ssh_key") == []


@pytest.mark.feature("KEY-02", "KEY-12")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my key", "Not allowed: a space."),
        ("team-laptop", "Key names must be unique within your account"),
        ("", "Enter a name."),
    ],
)
def test_it_refuses_a_name_that_cannot_be(operator: Client, sandbox: Sandbox, name: str, message: str) -> None:
    response = operator.post(IMPORT, new(operator, IMPORT, name=name), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response).startswith(message)
    assert pasted(response) == public()
    assert sandbox.log.calls("create_ssh_key") == []


@pytest.mark.parametrize("text", [SCRIPT, "</textarea><script>alert(1)</script>", "\x00ssh-rsa AAAA\x1b[2J"])
def test_it_gives_back_hostile_texts_as_text(operator: Client, sandbox: Sandbox, text: str) -> None:
    response = operator.post(IMPORT, new(operator, IMPORT, name=text, key=text), headers=HTMX)
    assert response.status_code == 422
    assert not unescaped(response)


@pytest.mark.feature("KEY-11")
def test_it_takes_the_25th_key_and_refuses_the_26th(operator: Client, sandbox: Sandbox) -> None:
    fill_up(sandbox, 24)
    assert operator.post(IMPORT, new(operator, IMPORT), headers=HTMX).status_code == 200
    response = operator.get(IMPORT, headers=HTMX)
    assert alert(response).startswith(
        "There is no room for another key Maximum of 25 SSH keys per region: there are 25"
    )
    assert "disabled" in submit_button(response)


# -- roles, methods


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(IMPORT), browser.post(IMPORT, {"intent": "import"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create and import SSH keys; your role is {role}." in text_of(response)
    assert sandbox.log.calls("create_ssh_key") == []


@pytest.mark.parametrize("method", ["put", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(IMPORT).status_code == 405
    assert sandbox.log.calls() == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    for token in ("x", token_of(operator.get(f"{LIST}create/", headers=HTMX))):
        response = operator.post(IMPORT, {**new(operator, IMPORT), "token": token}, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("create_ssh_key") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_what_the_api_refused_and_keeps_what_was_typed(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_ssh_key", "status", status=status)
    data = new(operator, IMPORT)
    response = operator.post(IMPORT, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert pasted(response) == public()
    assert operator.post(IMPORT, {**data, "token": token_of(response)}, headers=HTMX).status_code == 200


def test_it_shows_the_apis_own_word_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    details = {"public_key": "Barrack does not like this key."}
    answer = {"success": False, "error": "VALIDATION_ERROR", "message": "bad", "details": details}
    sandbox.faults.arm("create_ssh_key", "status", status=422, body=answer)
    response = operator.post(IMPORT, new(operator, IMPORT), headers=HTMX)
    assert key_says(response).startswith("Barrack does not like this key.")


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_looks_for_a_key_whose_answer_was_lost(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    sandbox.faults.arm("create_ssh_key", kind)
    data = new(operator, IMPORT)
    response = operator.post(IMPORT, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and the new SSH key is not seen yet."
    )
    assert "private" not in unsure(response)
    assert operator.post(IMPORT, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_ssh_key")) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_key_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("create_ssh_key", kind)
    response = operator.post(IMPORT, new(operator, IMPORT), headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().result_id in sandbox.world.ssh_keys


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_sends_nothing_while_the_names_cannot_be_read(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = new(operator, IMPORT)
    sandbox.faults.arm("list_ssh_keys", kind, times=None)
    response = operator.post(IMPORT, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert pasted(response) == public()
    assert sandbox.log.calls("create_ssh_key") == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_is_imported_once_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = new(operator, IMPORT, key=f"{public()}  x")
    answers = [operator.post(IMPORT, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sandbox.log.calls("create_ssh_key")) == Operation.objects.count() == 1
    other = operator.post(IMPORT, {**data, "name": "other"}, headers=HTMX)
    assert (other.status_code, "Here is what it did: Import SSH key" in words(body(other))) == (409, True)


@pytest.mark.django_db(transaction=True)
def test_it_is_imported_once_when_sent_by_two_threads_at_once(operator: Client, sandbox: Sandbox) -> None:
    data = new(operator, IMPORT)
    sandbox.faults.arm("create_ssh_key", "delay", seconds=0.2)
    answers = at_once(*[lambda: operator.post(IMPORT, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(sandbox.log.calls("create_ssh_key")) == 1


# -- for a deployment


def test_it_takes_the_key_into_the_deployment_by_itself(operator: Client, sandbox: Sandbox) -> None:
    # given the dialog over the wizard's page
    url, wizard = f"{IMPORT}?to=deploy&draft={DRAFT}", reverse("deploy:wizard")
    data = new(operator, url)
    here = HTMX | {"HX-Current-URL": f"http://testserver{wizard}?draft={DRAFT}"}
    # when the key is imported, and when the same form comes again
    for response in (operator.post(url, data, headers=here), operator.post(url, data, headers=here)):
        # then the page stays, and what stands in the dialog sends its form with the key as soon as it is there
        assert (response.status_code, "HX-Redirect" in response) == (200, False)
        form = re.findall(r'<form class="dialog-form"[^>]*>', body(response))[0]
        assert f'hx-post="{wizard}" hx-include="#deploy"' in form
        assert 'hx-trigger="load, submit"' in form
        assert hidden(body(response)) == {"draft": DRAFT, "add_key": "fresh"}
        assert text_of(response).startswith(SUCCESS)
    assert len(sandbox.log.calls("create_ssh_key")) == 1


@pytest.mark.parametrize("headers", [HTMX | {"HX-Current-URL": f"http://testserver{IMPORT}"}, {}])
def test_it_goes_on_with_the_deployment_that_asked(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    # given the form as a page of its own, with JavaScript or without
    url = f"{IMPORT}?to=deploy&draft={DRAFT}"
    response = operator.post(url, new(operator, url), headers=headers)
    then = f"{reverse('deploy:wizard')}?draft={DRAFT}&add_key=fresh"
    assert (response.get("HX-Redirect") or response["Location"]) == then
