"""How a snapshot becomes an image, and the image a VM, in a browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from barrack_web.sandbox.server import Sandbox

Open = Callable[..., Page]


@pytest.mark.feature("IMG-05", "IMG-09", "IMG-18")
def test_it_deploys_a_vm_from_an_image_of_a_snapshot(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/snapshots/?q=prod-backup")
    # given an image that is made from a snapshot's card
    page.get_by_role("link", name="Create Image prod-backup-dec11").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Image name").fill("trainer-base")
    dialog.get_by_role("button", name="Create Image").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("Image “trainer-base” is being created from prod-backup-dec11.")).to_be_visible()
    # then it is among the images, and cannot be used before it is complete
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Images").click()
    card = page.locator("article", has_text="trainer-base")
    expect(card).to_contain_text("Creating")
    expect(card.get_by_role("link", name="prod-backup-dec11", exact=True)).to_be_visible()
    expect(card.locator(".btn-primary.is-off")).to_be_visible()
    # when it is, the page says so by itself
    sandbox.world.advance(120)
    expect(card).to_contain_text("Success")
    card.get_by_role("link", name="Use in deployment trainer-base").click()
    # then the wizard has image and region, and asks for the rest
    page.locator("[name=gpu_model][value=L40]").check()
    expect(page.locator("[name=region][value=CANADA-1]")).to_be_checked()
    expect(page.locator("#boot-image")).to_be_checked()
    page.locator("[name=ssh_keys][value=anna-yubikey]").check()
    expect(page.locator(".review")).to_contain_text("trainer-base")
    page.locator(".deploy-button").click()
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    # and the VM is made of it
    (made,) = [row for row in sandbox.world.images.values() if row["name"] == "trainer-base"]
    (asked,) = [call.body for call in sandbox.log.calls("create_instance")]
    assert (str(asked["image_id"]), asked["region"]) == (str(made["image_id"]), "CANADA-1")
    assert "os_image" not in asked


def test_it_shows_the_region_of_the_chosen_snapshot(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto("/images/")
    # given the form with a name that is typed already
    page.get_by_role("link", name="Create Image", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Image name").fill("gateway-2")
    # when a snapshot is chosen, then its region and size stand below it, and the name stays
    dialog.get_by_label("Snapshot").select_option("BRK-123637S")
    expect(dialog.locator("#image-place")).to_contain_text("NORWAY-1")
    expect(dialog.get_by_label("Image name")).to_have_value("gateway-2")
    dialog.get_by_role("button", name="Create Image").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#list")).to_contain_text("gateway-2")
    page.locator("#toasts").get_by_role("link", name="Show").click()
    expect(page.locator("h1")).to_have_text("gateway-2")
