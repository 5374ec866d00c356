"""How people keep storage in a browser: from a new bootable volume to a VM of it, and a data volume's life."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from barrack_web.sandbox.server import Sandbox

Open = Callable[..., Page]
LIST = "/volumes/"


def card(page: Page, name: str) -> Locator:
    return page.locator("article.card", has=page.get_by_role("link", name=name, exact=True))


def asked(sandbox: Sandbox, operation: str) -> list[dict[str, Any]]:
    """Return what the cloud was asked to do."""
    return [call.body for call in sandbox.log.calls(operation)]


@pytest.mark.feature("VOL-10", "VOL-17", "VOL-20")
def test_it_goes_from_a_new_bootable_volume_to_a_vm_of_it(open_page: Open, sandbox: Sandbox) -> None:
    # given the dialog, with a size that is too small to boot from
    page = open_page("operator")
    page.goto(LIST)
    page.get_by_role("link", name="Create Volume").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Volume name")).to_have_value("volume2")
    dialog.get_by_label("Volume name").fill("boot-disk")
    dialog.get_by_label("Region").select_option("CANADA-1")
    dialog.get_by_label("Size (GB)").fill("99")
    # when it is to be bootable, then the size follows, the region's systems come, and the price
    dialog.get_by_role("switch", name="Make Bootable").check()
    expect(dialog.get_by_label("Size (GB)")).to_have_value("100")
    dialog.get_by_label("OS image").select_option(index=1)
    expect(dialog).to_contain_text("/ h")
    dialog.get_by_role("button", name="Create Volume").click()
    expect(page.locator(".toast-note")).to_contain_text("Volume “boot-disk” is being created.")
    made = asked(sandbox, "create_volume")
    assert [(row["name"], row["region"], row["size_gb"], row["bootable"]) for row in made] == [
        ("boot-disk", "CANADA-1", 100, True)
    ]
    # and once it is there, a VM boots from it
    expect(card(page, "boot-disk")).to_contain_text("Creating")
    sandbox.world.advance(60)
    expect(card(page, "boot-disk")).to_contain_text("Available")
    card(page, "boot-disk").get_by_role("link", name="boot-disk", exact=True).click()
    page.get_by_role("link", name="Deploy from it").click()
    page.locator("[name=gpu_model][value=L40]").check()
    expect(page.locator("[name=region][value=CANADA-1]")).to_be_checked()
    page.locator("[name=ssh_keys][value=anna-yubikey]").check()
    page.locator(".deploy-button").click()
    expect(page.get_by_text("Being created", exact=True)).to_be_visible()
    volume_id = next(row["volume_id"] for row in sandbox.world.volumes.values() if row["volume_name"] == "boot-disk")
    assert [row["volume_id"] for row in asked(sandbox, "create_instance")] == [volume_id]


@pytest.mark.parametrize("js", [True, False], ids=["with-script", "without-script"])
@pytest.mark.feature("VOL-32", "VOL-35")
def test_it_attaches_enlarges_and_detaches_a_volume(open_page: Open, sandbox: Sandbox, *, js: bool) -> None:
    # given a volume that no VM has
    page = open_page("operator", js=js)
    page.goto(f"{LIST}?q=imagenet-copy")
    box = card(page, "imagenet-copy")
    box.get_by_role("link", name="Attach").click()
    # when it is attached to the VM that is chosen already
    expect(page.locator("input[type=radio]:checked")).to_have_count(1)
    page.get_by_role("button", name="Attach Volume").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    sandbox.world.advance(60)
    page.goto(f"{LIST}?q=imagenet-copy")
    expect(box).to_contain_text("Attached / In-use")
    # then it can grow
    box.get_by_role("link", name="imagenet-copy", exact=True).click()
    page.get_by_role("link", name="Resize").click()
    page.get_by_label("New size").fill("1600")
    page.get_by_label("New size").press("Tab")
    if not js:
        page.get_by_role("button", name="Resize Volume").click()
    page.locator("[name=sure]").check()
    page.get_by_role("button", name="Resize Volume").click()
    expect(page.get_by_text("Its file system still has the old size.")).to_be_visible()
    page.goto(f"{LIST}?q=imagenet-copy")
    expect(box).to_contain_text("1.56 TB")
    # and be detached again
    box.get_by_role("link", name="Detach").click()
    page.get_by_role("button", name="Detach Volume").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    sandbox.world.advance(60)
    page.goto(f"{LIST}?q=imagenet-copy")
    expect(box).to_contain_text("Available")
    assert [row["size_gb"] for row in asked(sandbox, "resize_volume")] == [1600]
    assert [row["volume_ids"] for row in asked(sandbox, "attach_volumes")] == [["BRK-123527V"]]
    assert [row["volume_ids"] for row in asked(sandbox, "detach_volumes")] == [["BRK-123527V"]]
