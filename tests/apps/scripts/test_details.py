"""/scripts/<id>/: one script with its content, what it seems to hold, and what was done with it."""

import html
import re

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import CONFIG, DEPS, LIST, MODELS, TOKEN, opened, put
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    facts,
    filled,
    is_off,
    leads_to,
    no_alert,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of

URL = f"/scripts/{DEPS}/"


def content(response: HttpResponse) -> str:
    """Return the script as it stands on the page, which is what the button copies."""
    found = re.search(r'<pre class="script-text" id="script-content".*?>(.*)</pre>', body(response), re.DOTALL)
    assert found
    return html.unescape(re.sub(r"</?span[^>]*>", "", found.group(1)))


@pytest.mark.feature("SCR-03")
def test_it_shows_everything_and_the_content_as_it_is(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(URL)
    shown = facts(body(response))
    assert (shown["Name"], shown["Kind"], shown["Size"], shown["Script ID"]) == (
        "install-deps", "Shell script (#!)", "74 of 16,384 bytes", DEPS,
    )  # fmt: skip
    assert "UTC" in shown["Created"]
    assert "UTC" in shown["Updated"]
    assert "What every machine of the team has." in text_of(response)
    assert content(response) == sandbox.world.scripts[DEPS]["content"]
    assert body(response).count('<span class="script-line"') == 4
    # read-only, and copied by the button
    assert "<textarea" not in body(response)
    assert 'data-copy-from="#script-content"' in body(response)
    assert [call.path for call in sandbox.log.calls("get_script")] == ["/scripts/71"]


@pytest.mark.feature("SCR-03")
@pytest.mark.parametrize(
    "text", ["", "no end", "\n\n", "\tif a < b && c > d; then\n", "<b>&amp;</b>\n", "a\r\nb\rc", "x\n" * 3_000]
)
def test_it_copies_exactly_what_is_kept(viewer: Client, sandbox: Sandbox, text: str) -> None:
    put(sandbox, DEPS, content=text)
    response = viewer.get(URL)
    # a browser reads CR as LF
    assert content(response).replace("\r\n", "\n").replace("\r", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert ("The script is empty." in text_of(response)) == (not text)


def test_it_says_who_can_read_it(viewer: Client) -> None:
    assert "Everybody who can sign in to this portal, whatever their role" in text_of(viewer.get(URL))


@pytest.mark.feature("SCR-08")
def test_it_warns_of_a_secret_by_its_line_alone(viewer: Client) -> None:
    page = viewer.get(f"/scripts/{MODELS}/")
    notice = body(page).partition('<div class="notice notice-warning">')[2].partition('<div class="action-bar"')[0]
    assert words(notice).startswith("This script seems to hold a secret Line 3 looks like a Hugging Face token.")
    assert 'href="#line-3"' in notice
    assert 'id="line-3"' in body(page)
    assert TOKEN not in notice
    assert "seems to hold" not in text_of(viewer.get(f"/scripts/{CONFIG}/"))


@pytest.mark.parametrize(
    ("role", "actions"), [("viewer", []), ("billing", []), ("operator", ["Edit"]), ("admin", ["Edit", "Delete"])]
)
def test_it_shows_each_role_its_buttons(
    request: pytest.FixtureRequest, sandbox: Sandbox, role: str, actions: list[str]
) -> None:
    page = body(request.getfixturevalue(role).get(URL))
    bar = page.partition('class="action-bar"')[2].partition('<div class="panels">')[0]
    assert [words(found) for found in re.findall(r"<a .*?</a>", bar, re.DOTALL)] == actions
    assert ("Only an operator or an admin can create and edit scripts" in bar) == (not actions)
    assert not actions or leads_to(bar, "Edit") == f"{URL}edit/"


def test_it_shows_what_was_done_with_this_script_alone(admin: Client, sandbox: Sandbox) -> None:
    assert "Nothing was done with this script through the portal yet." in text_of(admin.get(URL))
    # given a script that is made, changed, and events of other things
    response = admin.post(
        f"{LIST}create/", filled(admin, f"{LIST}create/", name="mine", content="#!/bin/sh\n"), headers=HTMX
    )
    assert response.status_code == 200
    made = Event.objects.get().result_id
    admin.post(f"/scripts/{made}/edit/", opened(admin, made, content="#!/bin/bash\n"), headers=HTMX)
    admin.post(f"{URL}edit/", opened(admin, content="#!/bin/bash\n"), headers=HTMX)
    # then its page has its own two, the newest first, with the way to each
    page = body(admin.get(f"/scripts/{made}/")).partition('id="activity"')[2]
    titles = re.findall(r'<td data-label="What"><div><a href="/activity/\d+/">(.*?)</a>', page)
    assert titles == ["Edit script", "Create script"]
    assert "/activity/?q=mine" in page


def test_it_says_304_until_script_or_trail_changes(admin: Client, sandbox: Sandbox) -> None:
    first = admin.get(URL, headers=HTMX)
    again = {**HTMX, "If-None-Match": first["ETag"]}
    assert admin.get(URL, headers=again).status_code == 304
    admin.post(f"{URL}edit/", opened(admin, content="#!/bin/bash\n"), headers=HTMX)
    assert admin.get(URL, headers=again).status_code == 200


# -- bad days


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "999999"])
def test_it_has_no_page_for_a_script_that_is_not_there(viewer: Client, sandbox: Sandbox, impossible: str) -> None:
    response = viewer.get(f"/scripts/{impossible}/")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)
    asked = {call.path for call in sandbox.log.calls() if call.path.startswith("/scripts")}
    assert asked <= {"/scripts/999999"}


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize(("kind", "title", "status"), READ_FAULTS[:3])
def test_it_says_so_when_the_api_fails(viewer: Client, sandbox: Sandbox, kind: str, title: str, status: int) -> None:
    sandbox.faults.arm("get_script", kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == status
    assert alert(response).startswith(title)


def test_it_shows_the_copy_of_the_list_with_its_buttons_off(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    sandbox.faults.arm("get_script", "refuse", times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert content(response) == sandbox.world.scripts[DEPS]["content"]
    for action in ("Edit", "Delete"):
        assert is_off(body(response), action) == "Barrack does not answer, so nothing can be changed now."


@pytest.mark.parametrize("text", [SCRIPT, "A" * 200_000, RIGHT_TO_LEFT, "\x1b[2J", "{{ 7|add:7 }}"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.scripts[DEPS] |= {"name": text, "description": text, "content": text}
    response = admin.get(URL)
    assert response.status_code == 200
    assert not unescaped(response)
    assert no_alert(response)
    assert ">14<" not in body(response)
    assert len(body(response)) < 150_000
    assert ("Only the beginning is shown." in text_of(response)) == (len(text) > 100_000)
