"""/activity/: the filters, each alone and all together, in the address alone."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.activity.events import append
from apps.activity.filters import Filters
from apps.activity.models import ChainHead, Event
from barrack_web import clock
from tests.conftest import HTMX, text_of

URL = "/activity/"


def happened(thing: str, *, ago: timedelta = timedelta(0), **facts: Any) -> None:
    given = {"who": "ada@example.com", "role": "admin", "action": "snapshot.delete", "result": "done"}
    with clock.moved(-ago):
        append(**{**given, "target_name": thing, **facts})


def shown(browser: Client, **query: str) -> list[str]:
    """Return the names of the things in the table, sorted."""
    page = browser.get(URL, query).content.decode()
    return sorted(re.findall(r'data-label="Of"><div><bdi>([^<]*)</bdi>', page))


@pytest.fixture
def several(viewer: Client) -> Client:
    """A browser in front of events that differ in each filter."""
    happened("old", ago=timedelta(days=40))
    happened("month", ago=timedelta(days=20))
    happened("week", ago=timedelta(days=3))
    happened("mine", who="viewer@example.com", action="sign_in", role="viewer")
    happened("stopped", who="outside the portal", role="", action="instance.changed", result="observed")
    happened("refused", result="refused", target_id="BRK-77S", result_id="BRK-88D", name="copy-of-it")
    return viewer


@pytest.mark.parametrize(
    ("query", "fit"),
    [
        ({"who": "viewer@example.com"}, ["mine"]),
        ({"who": "outside the portal"}, ["stopped"]),
        ({"who": "viewer"}, []),
        ({"action": "instance.changed"}, ["stopped"]),
        ({"action": "no.such"}, []),
        ({"target": "BRK-77S"}, ["refused"]),
        ({"target": "brk-88d"}, ["refused"]),
        ({"target": "BRK-7"}, []),
        ({"target": "ONT"}, ["month"]),
        ({"target": "copy-of"}, ["refused"]),
        ({"result": "observed"}, ["stopped"]),
        ({"within": "24h"}, ["mine", "refused", "stopped"]),
        ({"within": "7d"}, ["mine", "refused", "stopped", "week"]),
        ({"within": "30d"}, ["mine", "month", "refused", "stopped", "week"]),
        ({"within": "30d", "who": "ada@example.com", "result": "done"}, ["month", "week"]),
        ({"within": "7d", "action": "snapshot.delete", "q": "refu"}, ["refused"]),
    ],
)
def test_it_filters_by_each_and_by_all_together(several: Client, query: dict[str, str], fit: list[str]) -> None:
    assert shown(several, **query) == fit


def test_it_filters_by_days_of_utc_both_included(viewer: Client) -> None:
    # given an event in the last second of a day, and one in the first of the next
    for name, moment in (
        ("last", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)),
        ("first", datetime(2026, 3, 2, tzinfo=UTC)),
    ):
        happened(name, ago=clock.now() - moment + timedelta(milliseconds=-200))
    # then each belongs to its own day
    assert shown(viewer, **{"from": "2026-03-01", "to": "2026-03-01"}) == ["last"]
    assert shown(viewer, **{"from": "2026-03-02", "to": "2026-03-02"}) == ["first"]
    assert shown(viewer, **{"from": "2026-03-01"}) == ["first", "last"]
    assert shown(viewer, to="2026-02-28") == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"to": "2026-02-30"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"within": "1000d"},
        {"result": "splendid"},
        {"from": "2026-01-01T00:00", "page": "x"},
    ],
)
def test_it_counts_what_makes_no_sense_as_not_said(several: Client, query: dict[str, str]) -> None:
    assert len(shown(several, **query)) == 6


def test_it_says_that_the_days_are_the_wrong_way_round(several: Client) -> None:
    words = text_of(several.get(URL, {"from": "2026-03-02", "to": "2026-03-01"}))
    assert "The first day is after the last one" in words
    assert "Show all events" in words


@pytest.mark.parametrize("name", ["who", "action", "target", "q"])
@pytest.mark.parametrize("value", ["%", "' OR 1=1 --", "x" * 5000, "\ud7ff", "🦉", "<b>x</b>", "a\nb"])
def test_it_takes_words_as_words(several: Client, name: str, value: str) -> None:
    response = several.get(URL, {name: value})
    assert response.status_code == 200
    assert "No event fits" in text_of(response)
    assert "<b>x</b>" not in response.content.decode()


# --- what stands in the page


def test_it_keeps_every_filter_in_its_field_and_unfolds_them(several: Client) -> None:
    query = {"q": "re", "who": "ada@example.com", "action": "snapshot.delete", "target": "refused", "result": "refused",
             "within": "24h", "from": "2020-01-01", "to": "2030-01-01"}  # fmt: skip
    page = several.get(URL, query).content.decode()
    for value in ("ada@example.com", "snapshot.delete", "refused", "24h"):
        assert f'<option value="{value}" selected>' in page
    for name, value in (("q", "re"), ("target", "refused"), ("from", "2020-01-01"), ("to", "2030-01-01")):
        assert re.search(rf'<input[^>]*name="{name}" value="{value}"', page)
    assert '<details class="more-filters" open>' in page
    assert '<details class="more-filters">' in several.get(URL).content.decode()


def test_it_shows_each_filter_as_a_chip_that_takes_it_off(several: Client) -> None:
    # given two filters
    page = several.get(URL, {"within": "24h", "who": "ada@example.com", "q": "", "page": "1"})
    html = page.content.decode()
    # then each is named in words, leads to the address without it, and one link takes off both
    assert "Person: ada@example.com" in text_of(page)
    assert "Time: Last 24 hours" in text_of(page)
    assert 'href="/activity/?within=24h"' in html
    assert 'href="/activity/?who=ada%40example.com"' in html
    assert '<a class="chip chip-all" href="/activity/">Show all</a>' in html
    assert "1 event that fits" in text_of(page)
    # and without a filter there is none
    assert 'class="chip' not in several.get(URL).content.decode()
    assert "6 events" in text_of(several.get(URL))


def test_it_offers_people_actions_and_results_to_choose(several: Client) -> None:
    page = several.get(URL).content.decode()
    for words in (
        "viewer@example.com",
        "outside the portal",
        "Sign in",
        "VM changed state",
        "Restore snapshot",
        "Observed",
    ):
        assert re.search(rf"<option[^>]*>{words}</option>", page), words
    # and an address of somebody who has no account is kept as the choice
    assert '<option value="ada@example.com" selected>' in several.get(URL, {"who": "ada@example.com"}).content.decode()


def test_it_works_without_javascript(several: Client) -> None:
    page = several.get(URL).content.decode()
    assert '<form id="filters" class="activity-filters" method="get" action="/activity/"' in page
    assert '<button type="submit"' in page.partition("</form>")[0]


def test_it_tells_the_chips_with_the_rows_to_htmx(several: Client) -> None:
    part = several.get(URL, {"who": "viewer@example.com"}, headers=HTMX)
    assert part.content.lstrip().startswith(b'<section id="rows"')
    assert "Person: viewer@example.com" in text_of(part)
    assert b"<form" not in part.content


def test_it_keeps_the_filters_in_the_pagers_links(viewer: Client) -> None:
    for number in range(30):
        happened(f"thing-{number}")
    page = viewer.get(URL, {"who": "ada@example.com", "within": "7d"}).content.decode()
    found = re.search(r'href="([^"]+)" rel="next"', page)
    assert found
    assert {"who=ada%40example.com", "within=7d", "page=2"} == set(found.group(1).partition("?")[2].split("&amp;"))


# --- how quick it is


def many(number: int) -> None:
    """Write so many events at once, as a chain."""
    moment, previous, rows = clock.now(), "", []
    actions = ("snapshot.restore", "snapshot.delete", "sign_in", "instance.changed")
    for n in range(1, number + 1):
        row = Event(number=n, at=moment - timedelta(minutes=number - n), who=f"p{n % 50}@example.com", role="operator",
                    action=actions[n % 4], target_id=f"BRK-{n % 900}S", target_name=f"thing-{n % 900}", result="done",
                    previous=previous)  # fmt: skip
        previous = row.digest = row.computed_digest()
        rows.append(row)
    Event.objects.bulk_create(rows, batch_size=2000)
    ChainHead.objects.update_or_create(pk=1, defaults={"number": number, "digest": previous})


def test_it_stays_quick_with_many_events(viewer: Client) -> None:
    # given as many events as some months bring
    many(10_000)
    viewer.get(URL)
    # then each page, the deepest too, needs few queries and no second; the limit is far above what it takes
    for query in ({}, {"page": "300"}, {"who": "p7@example.com"}, {"action": "sign_in", "result": "done"},
                  {"within": "7d"}, {"q": "thing-899"}, {"target": "BRK-7S", "who": "p7@example.com"}):  # fmt: skip
        began = time.monotonic()
        with CaptureQueriesContext(connection) as seen:
            assert viewer.get(URL, query).status_code == 200
        assert time.monotonic() - began < 1, query
        assert len(seen) <= 8


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the words of SQLite's plan")
@pytest.mark.parametrize("query", [{"who": "p7@example.com"}, {"action": "sign_in"}, {"result": "refused"}])
def test_it_finds_and_orders_by_an_index(db: None, query: dict[str, str]) -> None:
    plan = Filters(**query).rows()[:25].explain()
    assert "USING INDEX" in plan
    assert "TEMP B-TREE" not in plan
