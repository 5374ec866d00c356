"""How money, sizes, times, states and icons are written."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import Client

from apps.account.models import User
from barrack_web.lists import page_of
from barrack_web.templatetags import ui


def drawn(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("2.69", "USD", "$2.69"),
        ("0.0448", "USD", "$0.0448"),
        ("0.04483", "USD", "$0.0448"),
        ("0.05", "USD", "$0.05"),
        ("0.01", "EUR", "€0.01"),
        ("1.00", "INR", "₹1.00"),
        ("0.1", "USD", "$0.10"),
        ("0.125", "USD", "$0.13"),
        ("0", "USD", "$0.00"),
        ("1234567.891", "USD", "$1,234,567.89"),
        ("-12.5", "USD", "−$12.50"),
        ("-0.0448", "EUR", "−€0.0448"),
        ("-0.00001", "USD", "$0.0000"),
        ("999999999999", "INR", "₹999,999,999,999.00"),
        ("5", "CHF", "CHF 5.00"),
    ],
)
def test_it_writes_money_with_sign_amount_and_as_many_decimals_as_it_needs(
    amount: str, currency: str, shown: str
) -> None:
    assert ui.money(Decimal(amount), currency) == shown


def test_it_writes_a_dash_for_what_is_not_known() -> None:
    assert [ui.money(None), ui.rate(None), ui.size(None), ui.when(None), ui.when_full(None), ui.duration(None)] == [
        "–"
    ] * 6


def test_it_writes_a_price_per_minute_with_the_decimals_of_the_api() -> None:
    assert ui.rate(Decimal("0.0448")) == "$0.04480"
    assert ui.rate(Decimal("0.00123"), "EUR") == "€0.00123"


@pytest.mark.parametrize(
    ("gb", "shown"),
    [
        (0, "0 GB"),
        (10, "10 GB"),
        (100, "100 GB"),
        (Decimal("250.50"), "250.5 GB"),
        (1_000, "1,000 GB"),
        (1_023, "1,023 GB"),
        (1_024, "1 TB"),
        (1_536, "1.5 TB"),
        (10_240, "10 TB"),
        (Decimal("1E+2"), "100 GB"),
        (1_048_576, "1,024 TB"),
    ],
)
def test_it_writes_sizes_in_gb_and_from_1024_on_in_tb(gb: Decimal | int, shown: str) -> None:
    assert ui.size(gb) == shown


def test_it_writes_a_time_with_its_zone_and_the_full_time_on_hover() -> None:
    moment = datetime(2026, 3, 5, 7, 8, 9, tzinfo=UTC)
    assert ui.when(moment) == (
        '<time datetime="2026-03-05T07:08:09Z" title="2026-03-05 07:08:09 UTC" data-local>5 Mar 2026, 07:08 UTC</time>'
    )
    assert "5 March 2026, 07:08:09 UTC" in ui.when_full(moment)


def test_it_writes_a_time_of_another_zone_in_utc() -> None:
    moment = datetime(2026, 3, 5, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert "4 Mar 2026, 19:30 UTC" in ui.when(moment)


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        ({}, "under a minute"),
        ({"hours": -5}, "under a minute"),
        ({"seconds": 59}, "under a minute"),
        ({"seconds": 60}, "1 min"),
        ({"minutes": 59, "seconds": 59}, "59 min"),
        ({"hours": 1}, "1 hour"),
        ({"hours": 5, "minutes": 12}, "5 hours 12 min"),
        ({"hours": 23, "minutes": 59, "seconds": 59}, "23 hours 59 min"),
        ({"days": 1}, "1 day"),
        ({"days": 1, "minutes": 59}, "1 day"),
        ({"days": 3, "hours": 4, "minutes": 5}, "3 days 4 hours"),
        ({"days": 365}, "365 days"),
        ({"days": 365, "seconds": 1}, "over a year"),
        ({"days": 999_999_999}, "over a year"),
    ],
)
def test_it_writes_a_length_of_time_in_its_two_largest_units(span: dict[str, int], shown: str) -> None:
    assert drawn("{{ span|duration }}", span=timedelta(**span)) == shown


@pytest.mark.parametrize(
    ("status", "tone", "label"),
    [
        ("SUCCESS", "good", "Success"),
        ("available", "good", "Available"),
        ("ACTIVE", "good", "Active"),
        ("CREATING", "moving", "Creating"),
        ("completed", "resting", "Completed"),
        ("in flight", "neutral", "in flight"),
        ("UNKNOWN", "neutral", "UNKNOWN"),
        ("ERROR", "bad", "Error"),
        ("HIBERNATED", "resting", "Hibernated"),
        ("FROZEN", "neutral", "FROZEN"),
        ("Half-Open", "neutral", "Half-Open"),
        ("", "neutral", "No status"),
    ],
)
@pytest.mark.feature("STATE-16")
def test_it_shows_a_known_state_in_its_colour_and_an_unknown_one_as_it_is(status: str, tone: str, label: str) -> None:
    html = drawn("{% badge status %}", status=status)
    assert f"state-{tone}" in html
    assert f">{label}<" in html


@pytest.mark.feature("STATE-16")
def test_it_shows_a_hostile_state_as_short_text() -> None:
    html = drawn("{% badge status %}", status="<script>alert(1)</script>" + "x" * 10_000)
    assert "<script" not in html
    assert "state-neutral" in html
    assert len(html) < 300


@pytest.mark.feature("STATE-18")
def test_it_has_one_badge_for_the_two_words_of_a_stopped_vm() -> None:
    html = drawn("{% vm_badge 'SHUTOFF' %}")
    assert drawn("{% vm_badge 'STOPPED' %}") == html
    assert "Stopped (SHUTOFF)" in html
    assert "state-good" in drawn("{% vm_badge 'ACTIVE' %}")
    assert "MELTED" in drawn("{% vm_badge 'MELTED' %}")


def test_it_inlines_an_icon_that_screen_readers_skip() -> None:
    html = drawn("{% icon 'camera' %}{% icon 'trash' 'big' %}")
    assert html.count("<svg ") == html.count('aria-hidden="true"') == 2
    assert 'class="icon"' in html
    assert 'class="icon big"' in html
    assert html.count("class=") == 2
    assert "<script" not in html


def test_it_fails_loudly_for_an_icon_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        drawn("{% icon 'no-such-icon' %}")


def test_it_says_who_may() -> None:
    viewer, admin = User(role="viewer"), User(role="admin")
    assert drawn("{{ user|may:'DELETE_SNAPSHOT' }}", user=admin) == "True"
    assert drawn("{{ user|may:'DELETE_SNAPSHOT' }}", user=viewer) == "False"
    assert "Only an admin can delete snapshots; your role is viewer." in ui.why_not(viewer, "DELETE_SNAPSHOT")


def test_it_shows_few_page_numbers_of_many() -> None:
    assert ui.elided(page_of(range(18), "2")) == [1, 2, 3]
    numbers = ui.elided(page_of(range(600), "50"))
    assert numbers == [1, "…", 49, 50, 51, "…", 100]


@pytest.mark.parametrize("path", ["/account/", "/account/mfa/", "/account/password/change/", "/account/sessions/"])
def test_it_marks_my_account_on_each_of_its_pages(viewer: Client, path: str) -> None:
    page = viewer.get(path).content.decode()
    assert re.search(r'<a href="/account/"[^>]* aria-current="page"', page)


@pytest.mark.parametrize("path", ["/", "/credits/", "/vms/", "/activity/"])
def test_it_marks_one_part_of_the_navigation(viewer: Client, path: str) -> None:
    navigation = viewer.get(path).content.decode().partition('aria-label="Main"')[2].partition("</nav>")[0]
    assert re.findall(r'<a href="([^"]*)"[^>]* aria-current="page"', navigation) == [path]
