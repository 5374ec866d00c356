"""make screenshots: the pictures in docs/screenshots/, each of a state that somebody can meet."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from barrack_web.sandbox.server import Sandbox

FOLDER = Path(settings.BASE_DIR) / "docs" / "screenshots"
VM = "BRK-123456D"
RESTORE = "article.card a:has-text('Restore')"


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(300)
    # The two settings keep Playwright from adding a style of its own, which the page forbids.
    page.screenshot(path=FOLDER / f"{name}.png", caret="initial", animations="allow")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_takes_pictures(open_page: Callable[..., Page], sandbox: Sandbox, width: int, *, dark: bool) -> None:
    suffix = f"{'dark' if dark else 'light'}-{width}"
    page = open_page("admin", width=width, dark=dark, height=900 if width == 1440 else 844)
    page.goto("/snapshots/?region=CANADA-1")
    keep(page, f"list-{suffix}")

    page.goto("/snapshots/?q=prod-backup")
    page.locator(RESTORE).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    keep(page, f"restore-{suffix}")

    body = {"success": False, "message": "Insufficient credits", "error": "INSUFFICIENT_CREDITS"}
    sandbox.faults.arm("restore_snapshot", "status", status=402, body=body)
    page.get_by_role("button", name="Restore Snapshot").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    keep(page, f"restore-refused-{suffix}")

    page.goto("/snapshots/BRK-123463S/")
    keep(page, f"details-{suffix}")

    sandbox.faults.arm("list_snapshots", "status", status=500, times=None)
    page.goto("/snapshots/")
    expect(page.get_by_text("Barrack does not answer")).to_be_visible()
    keep(page, f"stale-{suffix}")
    sandbox.reset("empty")
    page.goto("/snapshots/")
    expect(page.get_by_text("No snapshots yet")).to_be_visible()
    keep(page, f"empty-{suffix}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_takes_pictures_of_vms(open_page: Callable[..., Page], width: int, *, dark: bool) -> None:
    suffix = f"{'dark' if dark else 'light'}-{width}"
    page = open_page("admin", width=width, dark=dark, height=900 if width == 1440 else 844)
    dialog = page.get_by_role("dialog")
    page.goto(f"/?vm={VM}")
    expect(page.locator(".usage .footnote")).to_be_attached()
    keep(page, f"dashboard-{suffix}")

    page.get_by_role("link", name="Stop ml-training-server").click()
    expect(dialog).to_be_visible()
    keep(page, f"stop-{suffix}")

    page.goto(f"/vms/{VM}/")
    keep(page, f"vm-{suffix}")
    page.goto("/vms/?view=cards")
    keep(page, f"vms-{suffix}")

    page.goto("/vms/?view=table")
    for name in ("llama-ft-70b", "whisper-batch", "diffusion-lab"):
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    page.evaluate("scrollTo(0, 0)")
    keep(page, f"vms-table-{suffix}")

    page.locator("form#bulk").get_by_role("button", name="Hibernate").click()
    expect(dialog).to_be_visible()
    keep(page, f"bulk-{suffix}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_takes_pictures_of_deploying(open_page: Callable[..., Page], width: int, *, dark: bool) -> None:
    suffix = f"{'dark' if dark else 'light'}-{width}"
    page = open_page("admin", width=width, dark=dark, height=900 if width == 1440 else 844)
    page.goto("/deploy/?new=1")
    keep(page, f"deploy-{suffix}")
    page.goto("/deploy/?new=1&gpu_model=A100-PCIe-80GB&gpu_count=2&region=CANADA-1")
    page.screenshot(path=FOLDER / f"deploy-chosen-{suffix}.png", caret="initial", animations="allow", full_page=True)
    page.goto("/ssh-keys/")
    keep(page, f"keys-{suffix}")
    page.goto("/credits/")
    keep(page, f"credits-{suffix}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_takes_pictures_of_storage(open_page: Callable[..., Page], width: int, *, dark: bool) -> None:
    suffix = f"{'dark' if dark else 'light'}-{width}"
    page = open_page("admin", width=width, dark=dark, height=900 if width == 1440 else 844)
    dialog = page.get_by_role("dialog")
    page.goto("/volumes/?region=CANADA-1")
    keep(page, f"volumes-{suffix}")
    page.get_by_role("link", name="Create Volume").first.click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("switch", name="Make Bootable").check()
    expect(dialog.get_by_label("OS image")).to_be_visible()
    keep(page, f"volume-create-{suffix}")
    page.goto("/volumes/BRK-123519V/attach/")
    keep(page, f"volume-attach-{suffix}")
    page.goto("/volumes/BRK-123458V/")
    keep(page, f"volume-{suffix}")
    page.goto("/volumes/leftovers/")
    keep(page, f"leftovers-{suffix}")
    page.goto("/images/")
    keep(page, f"images-{suffix}")
    page.get_by_role("link", name="Create Image").first.click()
    expect(dialog).to_be_visible()
    keep(page, f"image-create-{suffix}")
