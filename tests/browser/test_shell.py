"""Layout, keyboard, live refresh and safety of the pages, as a person's browser sees them."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from barrack_web.sandbox.server import Sandbox

PAGES = ["/snapshots/", "/snapshots/?tab=billing", "/snapshots/BRK-123456S/", "/snapshots/BRK-123456S/restore/",
         "/snapshots/create/", "/snapshots/BRK-123456S/delete/", "/snapshots/BRK-123456S/image/", "/activity/",
         "/", "/vms/", "/vms/?view=table", "/vms/?tab=billing", "/vms/states/", "/vms/BRK-123456D/",
         "/vms/BRK-123456D/?tab=billing", "/vms/BRK-123456D/stop/", "/vms/BRK-123456D/delete/",
         "/vms/BRK-123456D/rules/?mine=1", "/vms/bulk/?action=delete&vm=BRK-123456D&vm=BRK-123548D",
         "/account/", "/account/billing-profile/", "/nothing-here/"]  # fmt: skip


@pytest.mark.feature("NAV-05")
@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_it_never_scrolls_sideways(open_page: Callable[..., Page], width: int) -> None:
    page = open_page("admin", width=width)
    for address in PAGES:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.feature("NAV-02", "NAV-03", "NAV-06")
def test_it_shows_three_columns_and_one_on_a_phone(open_page: Callable[..., Page]) -> None:
    lefts = "els => new Set(els.map(el => Math.round(el.getBoundingClientRect().left))).size"
    page = open_page("viewer")
    page.goto("/snapshots/")
    assert page.locator("article.card").count() == 6
    assert page.locator("article.card").evaluate_all(lefts) == 3
    phone = open_page("viewer", width=390)
    phone.goto("/snapshots/")
    assert phone.locator("article.card").evaluate_all(lefts) == 1


@pytest.mark.feature("NAV-04")
def test_it_has_touch_targets_of_44_pixels_on_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page("admin", width=390)
    small = """els => els.filter(el => el.checkVisibility() && !el.closest('.visually-hidden, .sidebar'))
        .map(el => el.type === 'checkbox' ? el.closest('label') || el : el)
        .map(el => [el.textContent.trim() || el.getAttribute('aria-label'), el.getBoundingClientRect()])
        .filter(([, box]) => box.height < 44 || box.width < 44).map(([name]) => name)"""
    for address in ["/", "/snapshots/", "/snapshots/BRK-123456S/restore/", "/vms/", "/vms/?view=table", "/activity/",
                    "/vms/BRK-123456D/", "/vms/BRK-123456D/rules/?mine=1",
                    "/vms/bulk/?action=delete&vm=BRK-123456D&vm=BRK-123548D"]:  # fmt: skip
        page.goto(address)
        if page.locator("#bulk").count():
            page.locator("#list input[name=vm]").first.check()
        found = page.locator("button, .btn, select, input:not([type=hidden]), .pager a, .tabs a").evaluate_all(small)
        assert found == [], address


@pytest.mark.feature("NAV-01")
def test_it_reaches_the_menu_on_a_phone_by_its_button(open_page: Callable[..., Page]) -> None:
    page = open_page("viewer", width=390)
    activity = page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity")
    expect(activity).to_be_hidden()
    page.get_by_role("button", name="Menu", exact=True).click()
    activity.click()
    page.wait_for_url("**/activity/")


def test_it_moves_focus_into_the_dialog_and_back(open_page: Callable[..., Page]) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    button = page.locator("article.card").get_by_role("link", name="Restore")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()


@pytest.mark.feature("NAV-14", "NAV-13")
def test_it_shows_a_change_of_the_cloud_and_keeps_what_one_types(
    open_page: Callable[..., Page], sandbox: Sandbox
) -> None:
    page = open_page("viewer")
    page.goto("/snapshots/?region=US-1&sort=name")
    search = page.locator("#q")
    search.focus()
    sandbox.world.snapshots["BRK-123618S"]["status"] = "DELETING"
    expect(page.locator("#snapshot-brk-123618s .state")).to_contain_text("Deleting")
    expect(search).to_be_focused()


def test_it_does_not_poll_in_a_hidden_tab(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("viewer")
    page.goto("/vms/")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true}); window.away = true"
    )
    page.wait_for_timeout(300)
    sandbox.log.clear()
    page.wait_for_timeout(2500)
    assert sandbox.log.calls("list_instances") == []
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(700)
    assert len(sandbox.log.calls("list_instances")) >= 1


@pytest.mark.feature("NAV-12")
def test_it_refreshes_by_its_button_with_a_turning_icon(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("viewer")
    page.goto("/snapshots/")
    sandbox.latency = 0.6
    page.get_by_role("button", name="Refresh").click()
    icon = page.locator(".refresh .icon")
    expect(icon).not_to_have_css("animation-name", "none")
    sandbox.latency = 0.0
    expect(icon).to_have_css("animation-name", "none")


@pytest.mark.feature("NAV-10", "NAV-11")
def test_it_filters_by_region_search_and_sort_in_the_address(open_page: Callable[..., Page]) -> None:
    page = open_page("viewer")
    page.goto("/snapshots/")
    page.get_by_label("Region").select_option("US-1")
    page.wait_for_url("**region=US-1**")
    expect(page.locator("#stats .stat").first).to_contain_text("in US-1")
    regions = page.locator("article.card .facts dd").filter(has_text="NORWAY-1")
    expect(regions).to_have_count(0)
    page.locator("#q").fill("no snapshot is called so")
    expect(page.get_by_text("No snapshot fits")).to_be_visible()
    page.go_back()
    expect(page.locator("article.card").first).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


HOSTILE = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>\"'>{{7*7}}\u202e" + "x" * 10_000


def test_it_runs_no_script_of_a_hostile_cloud(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    for row in [*sandbox.world.snapshots.values(), *sandbox.world.instances.values()]:
        for field in ("snapshot_name", "vm_name", "description", "status", "region", "gpu_type", "public_ip"):
            if field in row:
                row[field] = HOSTILE
    page = open_page("admin")
    for address in [*PAGES, "/snapshots/?region=" + HOSTILE[:60]]:
        page.goto(address)
        page.wait_for_timeout(50)
        assert page.evaluate("window.pwned === undefined"), address
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440, address


@pytest.mark.feature("NAV-25")
def test_it_follows_the_system_into_the_dark_and_keeps_a_choice(open_page: Callable[..., Page]) -> None:
    page = open_page("viewer", dark=True)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Account menu").click()
    page.get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.goto("/vms/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_it_never_swaps_in_a_page_of_a_proxy(open_page: Callable[..., Page]) -> None:
    page = open_page("viewer")
    page.goto("/snapshots/")
    page.route("**/snapshots/**", lambda route: route.fulfill(status=502, body="<h1>Bad gateway of a proxy</h1>"))
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".toast-note")).to_contain_text("502")
    expect(page.get_by_text("Bad gateway of a proxy")).to_have_count(0)
    assert page.locator("article.card").count() == 6


def test_it_shows_local_times_with_their_zone_and_utc_on_hover(open_page: Callable[..., Page]) -> None:
    page = open_page("viewer")
    page.goto("/snapshots/BRK-123456S/")
    time = page.locator("time").first
    shown, full = time.inner_text(), time.get_attribute("title")
    assert full.endswith(" UTC")
    assert "CET" in shown or "CEST" in shown or "GMT+" in shown, json.dumps(shown)
