"""/activity/: who did what, newest first, with search, filter and pager."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.account.models import User
from apps.activity.events import append
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import NAME, RESTORE, form, new_row
from tests.conftest import HTMX, text_of

URL = "/activity/"


def happened(number: int = 1, **facts: Any) -> None:
    for n in range(number):
        given = {"who": "ada@example.com", "role": "admin", "action": "snapshot.delete", "result": "done"}
        append(**{**given, "target_name": f"thing-{n + 1:03d}", "target_id": f"BRK-{n + 1:03d}S", **facts})


def shown(browser: Client, **query: str) -> list[str]:
    """Return the names of the things in the table, from top to bottom."""
    page = browser.get(URL, query).content.decode()
    return re.findall(r'data-label="Of"><div><bdi>([^<]*)</bdi>', page)


def test_it_shows_what_somebody_did(operator: Client, sandbox: Sandbox) -> None:
    # given a restore
    operator.post(RESTORE, form(operator), headers=HTMX)
    # when the trail is opened
    response = operator.get(URL)
    # then it says who, in which role, what, of what, how it ended, and leads to the event
    words = text_of(response)
    for word in ("operator@example.com", "operator", "Restore snapshot", NAME, "prod-backup-dec11", "Done"):
        assert word in words
    assert f'href="/activity/{Event.objects.get().number}/"' in response.content.decode()


def test_it_shows_the_newest_first(viewer: Client) -> None:
    happened(3)
    assert shown(viewer) == ["thing-003", "thing-002", "thing-001"]


def test_it_shows_an_action_it_no_longer_knows_as_it_is(viewer: Client) -> None:
    happened(action="volume.teleport")
    assert "volume.teleport" in text_of(viewer.get(URL))


def test_it_calls_the_portal_by_name_where_nobody_clicked(viewer: Client) -> None:
    happened(who="", role="")
    assert "the portal" in text_of(viewer.get(URL))


# --- search and filter


@pytest.mark.parametrize(
    "q",
    ["OTTO", "otto@example.com", "golden-image", "GOLDEN", "nightly-9", "BRK-777S", "brk-777s", "BRK-888D", "req-77",
     "restore snap", "  golden  "],
)  # fmt: skip
def test_it_finds_by_person_thing_result_action_and_request(viewer: Client, q: str) -> None:
    # given an event among others
    happened(3)
    happened(who="otto@example.com", action="snapshot.restore", target_name="golden-image", target_id="BRK-777S",
             name="nightly-9", result_id="BRK-888D", request_id="req-77")  # fmt: skip
    # when it is searched for, then it alone is shown, and the words stay in the field
    assert shown(viewer, q=q) == ["golden-image"]
    assert f'value="{q.strip()}"' in viewer.get(URL, {"q": q}).content.decode()


def test_it_filters_by_result(viewer: Client) -> None:
    for result in ("done", "refused", "not_sent", "unknown", "not_seen"):
        happened(result=result, target_name=f"{result}-thing")
    for result in ("done", "refused", "not_sent", "unknown", "not_seen"):
        assert shown(viewer, result=result) == [f"{result}-thing"]
    assert len(shown(viewer, result="")) == 5


def test_it_keeps_search_and_filter_together(viewer: Client) -> None:
    happened(2)
    happened(2, result="refused")
    assert shown(viewer, q="thing-001", result="refused") == ["thing-001"]
    assert '<option value="refused" selected>' in viewer.get(URL, {"result": "refused"}).content.decode()


@pytest.mark.parametrize(
    "query",
    [{"result": "nonsense"}, {"page": "-1"}, {"page": "x"}, {"page": "9" * 400}, {"page": "\x00"}, {"nonsense": "1"}],
)
def test_it_shows_the_list_for_an_address_it_does_not_understand(viewer: Client, query: dict[str, str]) -> None:
    happened(2)
    assert shown(viewer, **query) == ["thing-002", "thing-001"]


@pytest.mark.parametrize("q", ["%", "_", "' OR 1=1 --", "\\", "x" * 5000, "\ud7ff", "🦉"])
def test_it_takes_search_words_as_words(viewer: Client, q: str) -> None:
    happened(2)
    response = viewer.get(URL, {"q": q})
    assert response.status_code == 200
    assert "No event fits" in text_of(response)


def test_it_passes_over_a_character_that_no_database_takes(viewer: Client) -> None:
    happened(2)
    assert shown(viewer, q="thing\x00-001") == ["thing-001"]
    assert len(shown(viewer, q="\x00")) == 2


# --- pager and empty states


@pytest.mark.feature("NAV-07", "NAV-08")
def test_it_has_a_pager_only_when_one_page_is_too_small(viewer: Client) -> None:
    # given as many events as fit on a page, then there is no pager
    happened(25)
    assert 'class="pager"' not in viewer.get(URL).content.decode()
    # and with one more, there is
    happened(1, target_name="the newest")
    page = viewer.get(URL)
    assert "1–25 of 26" in text_of(page)
    assert shown(viewer)[0] == "the newest"
    assert shown(viewer, page="2") == ["thing-001"]
    second = viewer.get(URL, {"page": "2"}).content.decode()
    assert 'rel="prev"' in second
    assert 'aria-current="page">2<' in second
    assert 'rel="next"' not in second


def test_it_shows_the_last_page_for_one_that_is_gone(viewer: Client) -> None:
    happened(26)
    assert shown(viewer, page="7") == ["thing-001"]


def test_it_keeps_the_search_in_the_pagers_links(viewer: Client) -> None:
    happened(30)
    page = viewer.get(URL, {"q": "thing", "result": "done"}).content.decode()
    found = re.search(r'href="([^"]+)" rel="next"', page)
    assert found
    assert sorted(found.group(1).replace("&amp;", "&").partition("?")[2].split("&")) == [
        "page=2",
        "q=thing",
        "result=done",
    ]


def test_it_says_what_it_is_for_when_nothing_has_happened(viewer: Client) -> None:
    words = text_of(viewer.get(URL))
    assert "Nothing has happened yet" in words
    assert "Whatever somebody changes through this portal is written down here" in words


def test_it_offers_all_events_when_none_fits(viewer: Client) -> None:
    happened(1)
    page = viewer.get(URL, {"q": "no such words"})
    assert "No event fits" in text_of(page)
    assert "Nothing has happened yet" not in text_of(page)
    assert 'href="/activity/"' in page.content.decode()


# --- how it is asked for


def test_it_answers_only_the_part_to_htmx(viewer: Client) -> None:
    happened(1)
    page, part = viewer.get(URL), viewer.get(URL, headers=HTMX)
    assert page.content.lstrip().startswith(b"<!doctype html>")
    assert part.content.lstrip().startswith(b'<section id="rows"')
    assert b"thing-001" in part.content
    assert b"<html" not in part.content
    assert part["X-Part"] == "1"
    assert "HX-Request" in part["Vary"]
    assert part["Cache-Control"] == "private, no-cache"


def test_it_is_there_for_every_role(sign_in: Any, sandbox: Sandbox) -> None:
    happened(1)
    for role in ("viewer", "billing", "operator", "admin"):
        assert shown(sign_in(role)) == ["thing-001"]


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    happened(1)
    response = client.get(URL)
    assert (response.status_code, response["Location"]) == (302, "/account/login/?next=/activity/")


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    happened(1)
    assert getattr(admin, method)(URL).status_code == 405
    assert Event.objects.count() == 1


def test_it_needs_no_answer_of_the_api(viewer: Client, sandbox: Sandbox) -> None:
    happened(1)
    sandbox.faults.arm("*", "hang", times=None)
    assert shown(viewer) == ["thing-001"]


def test_it_shows_hostile_names_as_text(viewer: Client) -> None:
    happened(1, target_name="<script>alert(1)</script>", name="\u202e" + "x" * 200, who="<b>@example.com")
    page = viewer.get(URL).content.decode()
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>@" not in page
    assert "x" * 61 not in page


def test_it_asks_the_database_as_often_for_many_events_as_for_one(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            viewer.get(URL)
        return len(seen)

    # given a page of one event, and then a full one; the first request of a sign-in notes its device as well
    user = User.objects.get()
    happened(1, operation=new_row(user, token="t"), user=user)
    queries()
    one = queries()
    for number in range(24):
        happened(1, operation=new_row(user, token=f"t{number}"), user=user)
    # then the full one costs no query more, and all in all there are few
    assert queries() == one
    assert one <= 8
