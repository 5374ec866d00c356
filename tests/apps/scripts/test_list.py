"""/scripts/: the list with its statistics, search, sorts, pager, polling, and what it says on bad days."""

import re
from typing import Any

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import CONFIG, DEPS, LIST, MODELS, TOKEN, card, put
from tests.apps.snapshots.helpers import (
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    card_names,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

NEWEST = [
    "download-models",
    "shutdown-when-idle",
    "cloud-config-base",
    "pytorch-env",
    "mount-corpus",
    "install-deps",
]
DOWN = "Barrack does not answer, so nothing can be changed now."


# -- works


@pytest.mark.feature("SCR-01")
def test_it_shows_the_scripts_last_changed_first(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(LIST)
    assert response.status_code == 200
    assert card_names(response) == NEWEST
    assert [call.operation for call in sandbox.log.calls()].count("list_scripts") == 1
    shown = facts(card(response, DEPS))
    assert shown["About"] == "What every machine of the team has."
    assert (shown["Kind"], shown["Size"]) == ("Shell script (#!)", "74 bytes")
    assert facts(card(response, CONFIG))["Kind"] == "cloud-config"
    assert leads_to(card(response, DEPS), "Details") == "/scripts/71/"
    # and the page is found in the navigation
    assert '<a href="/scripts/" aria-current="page">' in body(response)


@pytest.mark.feature("SCR-01")
def test_it_counts(viewer: Client, sandbox: Sandbox) -> None:
    put(sandbox, "80", name="big", content="#!/bin/sh\n" + "é" * 2_000)
    put(sandbox, "81", name="odd", content="echo")
    statistics = facts(body(viewer.get(LIST)))
    assert statistics["Total scripts"] == "8 6 shell, 1 cloud-config"
    assert statistics["With a possible secret"] == "1 better taken out"
    assert statistics["Largest"] == "4,010 of 16,384 bytes"
    assert facts(card(viewer.get(LIST), "81"))["Kind"] == "Unknown"


@pytest.mark.feature("SCR-08")
def test_it_marks_a_script_with_a_secret_and_does_not_show_it(viewer: Client) -> None:
    response = viewer.get(LIST)
    assert "Secrets?" in words(card(response, MODELS))
    assert body(response).count("Secrets?") == 1
    assert TOKEN not in body(response)


@pytest.mark.feature("SCR-01")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "CORPUS"}, ["mount-corpus"]),
        ({"q": "first volume"}, ["mount-corpus"]),
        ({"q": "hf_example"}, []),
        ({"sort": "name"}, sorted(NEWEST)),
        ({"sort": "largest"}, ["download-models", "shutdown-when-idle", "pytorch-env", "cloud-config-base",
                               "mount-corpus", "install-deps"]),
        ({"sort": "nonsense", "region": "US-1"}, NEWEST),
    ],
)  # fmt: skip
def test_it_searches_and_sorts(viewer: Client, query: dict[str, str], names: list[str]) -> None:
    response = viewer.get(LIST, query)
    assert card_names(response) == names
    if not names:
        assert "No script fits Nothing matches “hf_example”." in text_of(response)
        assert leads_to(body(response), "Show all scripts") == LIST


@pytest.mark.feature("SCR-01", "NAV-06")
def test_it_has_six_on_a_page(viewer: Client, sandbox: Sandbox) -> None:
    assert '<nav class="pager"' not in body(viewer.get(LIST))
    put(sandbox, "80", name="seventh")
    assert len(card_names(viewer.get(LIST))) == 6
    assert card_names(viewer.get(LIST, {"page": "2"})) == ["install-deps"]
    # and a page that is gone is the last one
    assert card_names(viewer.get(LIST, {"page": "99"})) == ["install-deps"]


def test_it_says_304_while_nothing_changes(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(LIST, headers=HTMX)
    assert 'hx-trigger="every 8s, scripts:changed from:body"' in body(first)
    assert 'hx-swap-oob="morph"' in body(first)
    again = viewer.get(LIST, headers={**HTMX, "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    put(sandbox, DEPS, content="#!/bin/sh\n")
    assert viewer.get(LIST, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.feature("SCR-01")
def test_it_says_what_a_script_is_for_when_there_is_none(operator: Client, viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.scripts.clear()
    page = operator.get(LIST)
    assert "A startup script runs once, at the first start of a new VM" in text_of(page)
    assert leads_to(body(page).partition("empty-state")[2], "Create Script") == "/scripts/create/"
    assert "Somebody with the role operator can create one." in text_of(viewer.get(LIST))


# -- roles


@pytest.mark.parametrize(
    ("role", "buttons", "boxes"),
    [("viewer", ["Details"], 0), ("billing", ["Details"], 0), ("operator", ["Edit", "Details"], 0),
     ("admin", ["Edit", "Details", "Delete"], 6)],
)  # fmt: skip
def test_it_shows_each_role_its_buttons(
    request: pytest.FixtureRequest, sandbox: Sandbox, role: str, buttons: list[str], boxes: int
) -> None:
    response = request.getfixturevalue(role).get(LIST)
    foot = card(response, DEPS).partition('<footer class="card-foot">')[2]
    assert [words(found) for found in re.findall(r"<a .*?</a>", foot, re.DOTALL)] == buttons
    assert len(re.findall(r'name="script" value="\d+" form="bulk"', body(response))) == boxes
    assert ("Select all on this page" in text_of(response)) == (role == "admin")
    create = body(response).partition('id="create-script"')[2].partition("</div>")[0]
    if "Edit" in buttons:
        assert leads_to(create, "Create Script") == "/scripts/create/"
    else:
        assert is_off(create, "Create Script").startswith("Only an operator or an admin can create and edit scripts")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(LIST).status_code == 405
    assert sandbox.log.calls() == []


# -- a bad day


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS)
def test_it_says_so_when_the_api_fails(admin: Client, sandbox: Sandbox, kind: str, title: str, status: int) -> None:
    sandbox.faults.arm("list_scripts", kind, times=None)
    response = admin.get(LIST)
    assert response.status_code == status
    assert alert(response).startswith(title)
    assert "No startup scripts yet" not in text_of(response)
    assert "data-poll" in body(response)
    assert is_off(body(response), "Create Script").endswith("so nothing can be created now.")


def test_it_shows_an_older_copy_with_its_buttons_off(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("list_scripts", "refuse", times=None)
    response = admin.get(LIST)
    assert response.status_code == 200
    assert card_names(response) == NEWEST
    assert "Barrack does not answer; this is what it said at" in text_of(response)
    for action in ("Edit", "Delete"):
        assert is_off(card(response, DEPS), action) == DOWN
    assert 'form="bulk"' not in body(response)
    assert leads_to(card(response, DEPS), "Details") == "/scripts/71/"


def test_it_does_without_the_balance(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=500, times=None)
    assert card_names(viewer.get(LIST)) == NEWEST


@pytest.mark.parametrize("field", ["script_id", "name", "content"])
def test_it_says_that_a_script_could_not_be_read_and_shows_the_others(
    viewer: Client, sandbox: Sandbox, field: str
) -> None:
    del sandbox.world.scripts[DEPS][field]
    response = viewer.get(LIST)
    assert card_names(response) == NEWEST[:-1]
    assert "1 script could not be read: Barrack sent it without a required field." in text_of(response)


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J", "{{ 7|add:7 }}"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.scripts.pop(CONFIG)
    sandbox.world.scripts[DEPS] |= {"name": text, "description": text, "content": text, "script_id": text or "x/y"}
    response = admin.get(LIST)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
    assert len(card_names(response)) == 5
    assert len(body(response)) < 60_000
    assert ">14<" not in body(response)


@pytest.mark.parametrize("value", [None, "nonsense", -1, [], {"a": 1}])
def test_it_shows_scripts_whose_optional_fields_are_odd(viewer: Client, sandbox: Sandbox, value: Any) -> None:
    for field in ("description", "created_at", "updated_at"):
        sandbox.world.scripts[DEPS][field] = value
    for sort in ("newest", "name", "largest"):
        assert "install-deps" in card_names(viewer.get(LIST, {"sort": sort}))


def test_it_has_no_button_for_an_id_that_stands_in_no_address(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.scripts[DEPS]["script_id"] = "a/b"
    shown = card(admin.get(LIST), "ab")
    assert is_off(shown, "Edit") == "Barrack sent an id that cannot be used in an address."
    assert button(shown, "Details") == ""
    assert "checkbox" not in shown


def test_many_viewers_cost_one_call(viewer: Client, sandbox: Sandbox, settings: Any) -> None:
    settings.FRESH_STATUS_SECONDS = 2
    for _ in range(3):
        viewer.get(LIST)
    assert len(sandbox.log.calls("list_scripts")) == 1
    # and a script's own page is read afresh after a change
    cloud.scripts_changed(DEPS)
    viewer.get(LIST)
    assert len(sandbox.log.calls("list_scripts")) == 2
