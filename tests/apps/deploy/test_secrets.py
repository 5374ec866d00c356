"""Secrets in the wizard: what the API repeats of them is not written down, and no way through the form keeps one."""

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from apps.activity.models import Event, Operation
from apps.deploy.models import Draft
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, URL, choose, form_of, is_open, page, panel, post, ready, section
from tests.apps.deploy.sends import CREATE, again, filled, led_to, page_of, send
from tests.apps.deploy.test_drafts import everything_stored
from tests.apps.snapshots.helpers import alert, body, words
from tests.conftest import HTMX, text_of

PASSWORD, TOKEN = "correct-Horse-47-battery", "hf_abcdefgh12345678"
SECRET = f"#!/bin/bash\nexport HF_TOKEN={TOKEN}\n"
HARMLESS = "#!/bin/sh\ndate\n"


# -- what the API repeats


@pytest.mark.feature("DEP-34")
@pytest.mark.parametrize("repeated", [SECRET, f"export HF_TOKEN={TOKEN}", TOKEN, f"HF_TOKEN={TOKEN}"])
def test_it_writes_down_no_secret_that_the_api_repeats(
    operator: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, repeated: str
) -> None:
    caplog.set_level(logging.DEBUG)
    # given an API that repeats password and script in its refusal, in its message and at fields
    data = filled(operator, jupyter_enabled="on", password=PASSWORD) | {"start": "paste", "cloud_init": SECRET}
    details = {"jupyter_password": f"Not “{PASSWORD}”.", "cloud_init": f"Not: {repeated}", "tier": f"No: {PASSWORD}"}
    fault = {"success": False, "message": f"Bad {PASSWORD} and {repeated}", "details": details}
    sandbox.faults.arm(CREATE, "status", status=422, body=fault)
    response = send(operator, data)
    # then neither is in a row, an event, the log or the pages that show what was said
    operation = Operation.objects.get()
    assert (operation.state, Event.objects.count()) == ("refused", 1)
    stored = everything_stored() + caplog.text
    pages = [alert(response), panel(response), text_of(operator.get(page_of(operation)))]
    for text in (stored, *pages, text_of(operator.get(operation.get_absolute_url()))):
        assert (PASSWORD in text, TOKEN in text) == (False, False)
    assert "Barrack says: Bad ••• and" in alert(response)
    assert "Not “•••”." in words(section(response, "start"))
    # while the form keeps the script, to be sent again
    assert form_of(response)["cloud_init"] == [SECRET]


def test_it_leaves_the_apis_words_alone_without_secrets(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=422, body={"success": False, "message": "Bad name, date and all"})
    assert "Barrack says: Bad name, date and all" in alert(send(operator, data))


# -- the way without JavaScript


@pytest.mark.feature("DEP-37")
def test_it_keeps_a_secret_script_on_the_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    # given a script that is not kept, in a form that is sent by itself
    form = form_of(choose(operator, **CHOICES)) | {"start": "paste", "cloud_init": SECRET.replace("\n", "\r\n")}
    # when somebody continues, then the page itself comes with the script in it, and leads nowhere else
    shown = post(operator, form, htmx=False, next="start")
    assert shown.status_code == 200
    assert form_of(shown)["cloud_init"] == [SECRET]
    assert is_open(shown)[-1] == "review"
    assert TOKEN not in everything_stored()
    # and so does a rule that is added, from that page
    shown = post(operator, form_of(shown), htmx=False, preset="web")
    assert form_of(shown)["cloud_init"] == [SECRET]
    # and it can be deployed
    answer = post(operator, again(shown), htmx=False)
    assert (answer.status_code, answer["Location"]) == (302, page_of(Operation.objects.get()))
    assert [call.body["cloud_init"] for call in sandbox.log.calls(CREATE)] == [SECRET]
    # while a harmless one leads on as ever
    form = form_of(choose(operator, **CHOICES | {"name": "other"})) | {"start": "paste", "cloud_init": HARMLESS}
    assert post(operator, form, htmx=False, next="start").status_code == 302


@pytest.mark.parametrize(("texts", "kept"), [([SECRET, HARMLESS], [HARMLESS]), ([HARMLESS, SECRET], None)])
def test_it_looks_at_the_script_that_counts(operator: Client, texts: list[str], kept: list[str] | None) -> None:
    # given a form that sends a script twice, of which the last one counts
    form = form_of(choose(operator, **CHOICES))
    post(operator, form, start="paste", cloud_init=texts)
    assert Draft.objects.get().values.get("cloud_init") == kept
    assert TOKEN not in everything_stored()


def test_it_tells_no_other_page_what_is_typed(operator: Client) -> None:
    # given the buttons that open a dialog over the form: their addresses take nothing of it along
    html = body(choose(operator, **CHOICES))
    steps = html.partition('<div id="deploy-steps"')[2].partition(">")[0]
    assert 'hx-disinherit="*"' in steps
    assert section(page(operator), "access").count('hx-params="none"') == 2


def test_it_takes_no_poll_for_a_missing_script(operator: Client, sandbox: Sandbox) -> None:
    # given an open review with a script that only the browser has, when the page polls
    form = ready(operator, sandbox)
    answer = post(operator, form | {"intent": "update", "start": "paste", "cloud_init": SECRET})
    shown = {"draft": form["draft"], "seen": [f"{key}:-" for key in ("start", "review", "panel")]}
    assert "review" in is_open(answer)
    said = panel(operator.get(URL, shown, headers=HTMX))
    # then the panel does not ask for it
    assert "Review and deploy" in words(said)
    # but it does while the review waits for one
    shown["seen"] = ["start:-", "!review:-", "panel:-"]
    assert "Next: Paste a script" in words(panel(operator.get(URL, shown, headers=HTMX)))


# -- the sign-in ends


@pytest.mark.parametrize("script", [SECRET, HARMLESS])
def test_it_brings_a_script_back_to_its_own_draft_unless_it_holds_a_secret(
    sandbox: Sandbox, make_user: Any, script: str
) -> None:
    # given somebody with two drafts, whose session ends while the older one is open
    make_user("operator")
    browser, enter = Client(), {"login": "operator@example.com", "password": "barrack-test-1"}
    browser.post("/account/login/", enter)
    form = form_of(choose(browser, **CHOICES))
    newer = form_of(choose(browser, **CHOICES | {"name": "newer"}))["draft"][0]
    Session.objects.all().delete()
    # when its form is sent, and they sign in again
    data = form | {"start": "paste", "cloud_init": script, "name": "older", "intent": "update"}
    answer = browser.post(URL, data, headers={"Referer": f"http://testserver{URL}"})
    assert TOKEN not in everything_stored()
    back = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    shown = browser.post("/account/login/", enter | {"next": back}, follow=True)
    # then the draft of that form is open, with all of it but a secret, and the other one is as it was
    found = form_of(shown)
    assert (found["draft"], found["name"], found["start"]) == (form["draft"], ["older"], ["paste"])
    assert found["cloud_init"] == ([HARMLESS] if script == HARMLESS else [""])
    assert Draft.objects.get(pk=newer).values["name"] == ["newer"]


def test_it_sends_a_secret_script_after_a_refusal(operator: Client, sandbox: Sandbox) -> None:
    # given a refusal, and a page that has asked for news since
    data = filled(operator) | {"start": "paste", "cloud_init": SECRET}
    sandbox.faults.arm(CREATE, "status", status=403)
    response = send(operator, data)
    form = form_of(response)
    news = operator.get(URL, {"draft": form["draft"], "seen": form["seen"]}, headers=HTMX)
    # then neither the alert nor the script was taken away, and the form goes out
    assert not {"start", "review", "alert"} & set(is_open(news))
    assert led_to(send(operator, again(response)))
