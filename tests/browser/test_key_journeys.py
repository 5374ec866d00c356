"""What people do with SSH keys in a browser: have a pair made and save it, paste a key, copy one."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Error, Page, expect

from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import secret

Open = Callable[..., Page]


@pytest.mark.feature("KEY-04", "KEY-05", "KEY-01")
def test_the_private_key_downloads_by_itself_and_the_dialog_stays_until_it_is_saved(
    open_page: Open, sandbox: Sandbox
) -> None:
    page = open_page("operator")
    page.goto("/ssh-keys/")
    page.get_by_role("link", name="Create Key", exact=True).click()
    page.get_by_label("Key name").fill("anna-laptop")
    # when the pair is made, then the file is there without another click
    with page.expect_download() as download:
        page.get_by_role("button", name="Create Key").click()
    assert download.value.suggested_filename == "anna-laptop.pem"
    file = download.value.path().read_text(encoding="utf-8")
    assert file.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_have_text("Save your private key")
    expect(dialog.locator("#private-key")).to_have_text(file.strip())
    expect(page.locator("#list")).to_contain_text("anna-laptop")
    # and neither Escape nor the cross nor "Done" takes it away before the box is ticked
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Close").click()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("I saved it").check()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_be_hidden()
    assert page.locator("#modal-body").inner_html() == ""
    assert "PRIVATE KEY" not in page.content()


@pytest.mark.feature("KEY-05", "KEY-21")
def test_it_all_works_without_javascript(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator", js=False)
    page.goto("/ssh-keys/")
    # given a public key that is unfolded, then one click selects all of it
    page.get_by_text("Public key", exact=True).first.click()
    assert page.locator(".key-text").first.evaluate("text => getComputedStyle(text).userSelect") == "all"
    # and a pair is made on a page of its own, with the file behind a link
    page.get_by_role("link", name="Create Key", exact=True).click()
    page.get_by_label("Key name").fill("anna-laptop")
    page.get_by_role("button", name="Create Key").click()
    expect(page.locator("h1")).to_have_text("Save your private key")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download anna-laptop.pem").click()
    assert "PRIVATE KEY" in download.value.path().read_text(encoding="utf-8")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("h1")).to_have_text("Save your private key")
    page.get_by_label("I saved it").check()
    page.get_by_role("button", name="Done").click()
    page.wait_for_url("**/ssh-keys/?")
    # and going back shows it no more: the browser has kept nothing, and asks before it sends the form again
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        page.go_back()
    page.wait_for_url("chrome-error://**")
    assert "PRIVATE KEY" not in page.content()


@pytest.mark.feature("KEY-14", "KEY-31")
def test_a_private_key_that_is_pasted_is_taken_out_of_the_field(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator", width=390)
    page.goto("/ssh-keys/")
    page.get_by_role("link", name="Import Key", exact=True).click()
    field = page.get_by_label("Public key", exact=True)
    # The dialog listens as soon as it has settled.
    expect(page.locator("#modal-body:not(.htmx-settling) #id_key")).to_be_visible()
    field.fill("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5")
    expect(page.locator(".key-hint")).to_contain_text("it must not be truncated")
    field.fill(secret())
    expect(page.get_by_text("This looks like a private key")).to_be_visible()
    expect(field).to_have_value("")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_key_is_copied_by_one_click(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("viewer")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/ssh-keys/")
    page.get_by_role("button", name="Copy the public key ci-runner").click()
    expect(page.locator(".card", has_text="ci-runner")).to_contain_text("Copied")
    copied: Any = page.evaluate("navigator.clipboard.readText()")
    assert copied == sandbox.world.ssh_keys["12"]["public_key"]
