"""From the list of snapshots to a running VM, with and without JavaScript."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox

NAME = "prod-backup-dec11-restored"


def card(page: Page, name: str = "prod-backup-dec11"):
    return page.locator("article.card", has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.feature("SNAP-33", "SNAP-34", "NAV-16")
def test_it_restores_a_snapshot_and_shows_the_vm_come_up(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    # given an operator on the list, and a cloud that takes its time
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    page.evaluate("window.notReloaded = true")
    card(page).get_by_role("link", name="Restore").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("New VM name")).to_have_value(NAME)
    sandbox.latency = 0.7

    # when the form is sent
    dialog.get_by_role("button", name="Restore Snapshot").click()

    # then the dialog stays open while it runs, with a spinner and no second sending, and closes with a toast
    busy = dialog.locator("button[name=intent]")
    expect(busy.locator(".when-busy")).to_be_visible()
    expect(busy).to_contain_text("Restoring...")
    expect(busy).to_be_disabled()
    expect(busy.locator(".spinner")).to_be_visible()
    expect(dialog).to_be_hidden()
    toast = page.locator(".toast-note")
    expect(toast).to_contain_text(f"VM “{NAME}” is being created from prod-backup-dec11.")
    assert page.evaluate("window.notReloaded") is True

    # and the VM goes from CREATING to ACTIVE on the list without a reload
    sandbox.latency = 0.0
    toast.get_by_role("link", name="Show").click()
    row = page.locator("article.card").filter(has_text=NAME)
    expect(row).to_contain_text("Creating")
    page.evaluate("window.notReloaded = true")
    sandbox.world.advance(600)
    expect(row).to_contain_text("Active")
    assert page.evaluate("window.notReloaded") is True
    assert len(sandbox.log.calls("restore_snapshot")) == 1


@pytest.mark.feature("SNAP-34")
def test_it_restores_a_snapshot_without_javascript(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator", js=False)
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    page.wait_for_url("**/restore/")
    expect(page.get_by_label("New VM name")).to_have_value(NAME)

    # a bad name comes back with its message, what was typed, and the right count
    page.get_by_label("New VM name").fill("bad/name")
    page.get_by_role("button", name="Restore Snapshot").click()
    expect(page.locator(".field-error")).to_contain_text("Not allowed: “/”")
    expect(page.get_by_label("New VM name")).to_have_value("bad/name")
    expect(page.locator(".counter")).to_contain_text("8/50")
    assert sandbox.log.calls("restore_snapshot") == []

    page.get_by_label("New VM name").fill(NAME)
    page.get_by_role("button", name="Restore Snapshot").click()
    page.wait_for_url("**/vms/")
    expect(page.locator(".notice-success")).to_contain_text(f"VM “{NAME}” is being created")
    expect(page.locator("article.card").filter(has_text=NAME)).to_contain_text("Creating")
    sandbox.world.advance(600)
    page.reload()
    expect(page.locator("article.card").filter(has_text=NAME)).to_contain_text("Active")
    assert len(sandbox.log.calls("restore_snapshot")) == 1


@pytest.mark.feature("NAV-19", "NAV-22", "NAV-21")
def test_it_counts_and_checks_while_one_types(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    name = page.get_by_label("New VM name")
    name.fill("")
    name.press_sequentially("ml-training-server")
    expect(page.locator(".counter")).to_contain_text("18/50")
    expect(page.locator(".field-error")).to_contain_text("A VM named “ml-training-server” already exists")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()
    name.press_sequentially("-2")
    expect(page.locator(".field-error")).to_have_count(0)
    expect(name).to_have_value("ml-training-server-2")
    expect(name).to_have_attribute("aria-invalid", "false")
    assert sandbox.log.calls("restore_snapshot") == []


@pytest.mark.feature("SNAP-34", "NAV-15")
def test_it_keeps_the_form_when_the_cloud_refuses(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    page.get_by_label("New VM name").fill("my-own-name")
    sandbox.faults.arm(
        "restore_snapshot", "status", status=503, times=1, body={"success": False, "message": "No capacity"}
    )
    page.get_by_role("button", name="Restore Snapshot").click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("No free GPUs")
    expect(page.get_by_label("New VM name")).to_have_value("my-own-name")
    # the second try, from the same dialog, goes through
    page.get_by_role("button", name="Restore Snapshot").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert [call.body for call in sandbox.log.calls("restore_snapshot")][-1] == {"new_vm_name": "my-own-name"}


@pytest.mark.feature("NAV-17")
def test_it_makes_one_vm_of_a_double_click(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    sandbox.latency = 0.4
    page.get_by_role("button", name="Restore Snapshot").dblclick()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert len(sandbox.log.calls("restore_snapshot")) == 1


def test_it_goes_back_to_the_list_when_the_snapshot_of_the_page_is_deleted(
    open_page: Callable[..., Page], sandbox: Sandbox
) -> None:
    page = open_page("admin")
    page.goto("/snapshots/BRK-123456S/")
    page.get_by_role("link", name="Delete prod-backup-dec11").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/snapshots/")
    expect(page.locator(".notice-success")).to_contain_text("Snapshot “prod-backup-dec11” is deleted.")
    assert len(sandbox.log.calls("delete_snapshot")) == 1


@pytest.mark.parametrize("fault", ["no connection", "a proxy's page"])
def test_it_says_so_when_the_portal_itself_does_not_answer(open_page: Callable[..., Page], fault: str) -> None:
    page = open_page("viewer")
    page.goto("/vms/")
    if fault == "no connection":
        page.route("**/vms/**", lambda route: route.abort())
    else:
        page.route("**/vms/**", lambda route: route.fulfill(status=502, body="<h1>Bad gateway of a proxy</h1>"))
    expect(page.locator("#offline")).to_be_visible()
    page.unroute("**/vms/**")
    expect(page.locator("#offline")).to_be_hidden()


def test_it_keeps_the_dialog_while_the_request_is_under_way(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    sandbox.latency = 0.8
    page.get_by_role("button", name="Restore Snapshot").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Restoring...")).to_be_visible()
    dialog.get_by_role("link", name="Cancel").click()
    dialog.get_by_role("button", name="Close").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    expect(page.locator(".toast-note")).to_contain_text("is being created")
    expect(dialog).to_be_hidden()


def test_it_leaves_the_forms_own_page_when_it_is_done(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/BRK-123456S/restore/")
    page.get_by_role("button", name="Restore Snapshot").click()
    page.wait_for_url("**/vms/")
    expect(page.locator(".notice-success")).to_contain_text(f"VM “{NAME}” is being created")
    assert len(sandbox.log.calls("restore_snapshot")) == 1


def test_it_keeps_what_was_typed_when_not_even_a_copy_is_at_hand(
    open_page: Callable[..., Page], sandbox: Sandbox
) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    page.get_by_label("New VM name").fill("typed-before-the-storm")
    # given a portal that starts anew while the cloud is away
    page.route("**/snapshots/?**", lambda route: route.abort())
    sandbox.faults.arm("*", "refuse", times=None)
    cache.clear()
    cloud.reset()
    page.get_by_role("button", name="Restore Snapshot").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Barrack does not answer")
    expect(page.get_by_label("New VM name")).to_have_value("typed-before-the-storm")
    expect(page.get_by_role("button", name="Restore Snapshot")).to_be_enabled()


def test_it_puts_the_cursor_into_the_first_field(open_page: Callable[..., Page]) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    card(page).get_by_role("link", name="Restore").click()
    expect(page.get_by_label("New VM name")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Create Snapshot").click()
    expect(page.get_by_label("Virtual machine")).to_be_focused()
