"""How people deploy a VM in a browser: with the defaults, with everything, changing their mind, without JavaScript."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from barrack_web.sandbox.server import Sandbox
from tests.apps.security.helpers import public

Open = Callable[..., Page]
# Counts what a person clicks, over all pages of the window.
CLICKS = """addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
}, true)"""


def deployed(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return what the cloud was asked to deploy."""
    return [call.body for call in sandbox.log.calls("create_instance")]


def choose_l40(page: Page) -> None:
    page.goto("/deploy/?new=1")
    page.locator("[name=gpu_model][value=L40]").check()
    page.locator("[name=ssh_keys][value=anna-yubikey]").check()
    expect(page.locator(".deploy-button")).to_be_visible()


@pytest.mark.feature("DEP-09", "DEP-45")
def test_it_takes_a_newcomer_from_the_dashboard_to_a_vm_in_less_than_ten_clicks(
    open_page: Open, sandbox: Sandbox
) -> None:
    # given somebody who has just signed in
    page = open_page("operator")
    page.context.add_init_script(CLICKS)
    page.reload()
    # when they take what is offered, and choose only what nobody can choose for them
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Deploy VM").click()
    page.locator("[name=gpu_model][value=L40]").click()
    page.locator("[name=ssh_keys][value=anna-yubikey]").click()
    page.locator(".deploy-button").click()
    # then the VM is being created
    expect(page.get_by_text("Being created", exact=True)).to_be_visible()
    assert int(page.evaluate("sessionStorage.clicks")) < 10
    (asked,) = deployed(sandbox)
    assert (asked["gpu_model"], asked["gpu_count"], asked["ssh_keys"]) == ("L40", 1, ["anna-yubikey"])
    # and its page follows it until it can be used
    sandbox.world.advance(600)
    expect(page.get_by_role("link", name="Connect via SSH")).to_be_visible()


@pytest.mark.feature("DEP-40", "DEP-35")
def test_it_updates_the_price_with_each_choice_and_keeps_what_is_typed(open_page: Open, sandbox: Sandbox) -> None:
    # given a form with a password in it
    page = open_page("operator")
    choose_l40(page)
    price = page.locator(".price-hour strong")
    expect(price).to_have_text("$1.19")
    page.locator("#jupyter").check()
    password = page.get_by_label("Jupyter password")
    password.fill("horse-battery-9")
    expect(page.locator(".strength")).to_contain_text("strong")
    # when other things are chosen, one right after the other
    page.locator("#count-2").check()
    page.locator("[name=region][value=NORWAY-1]").check()
    page.locator("#public-ip").uncheck()
    # then price and form say so, and the password stands where it was typed
    expect(price).to_have_text("$2.38")
    expect(page.locator(".price-what")).to_have_text("2 × L40, NORWAY-1")
    expect(page.locator(".review")).to_contain_text("No: internal network only")
    expect(password).to_have_value("horse-battery-9")
    # and a reload has everything but the password
    page.reload()
    expect(page.locator("#count-2")).to_be_checked()
    expect(page.locator("#jupyter")).to_be_checked()
    expect(page.get_by_label("Jupyter password")).to_have_value("")


def test_it_loses_no_choice_to_the_news_that_it_asks_for(open_page: Open, sandbox: Sandbox) -> None:
    # given an API that takes its time once a size is chosen, and another choice made meanwhile
    page = open_page("operator")
    choose_l40(page)
    sandbox.faults.arm("query_pricing", "delay", seconds=2.5)
    page.locator("#count-2").check()
    page.locator("[name=region][value=NORWAY-1]").check()
    # then the page, which asks for news every second, has both in the end
    expect(page.locator(".price-what")).to_have_text("2 × L40, NORWAY-1", timeout=8_000)
    expect(page.locator("[name=region][value=NORWAY-1]")).to_be_checked()


@pytest.mark.feature("DEP-42")
def test_it_offers_what_is_free_instead_and_keeps_the_rest(open_page: Open, sandbox: Sandbox) -> None:
    # given a complete form whose GPUs are taken by somebody else at this moment
    page = open_page("operator")
    choose_l40(page)
    page.get_by_label("VM name").fill("mine")
    page.get_by_label("VM name").blur()
    for region in ("CANADA-1", "US-1"):
        sandbox.world.stock[region, "L40"] = 0
    # then the page says so by itself, and cannot be sent
    expect(page.get_by_text("No such GPUs are free in CANADA-1 now.").first).to_be_visible()
    expect(page.locator(".deploy-button")).to_have_count(0)
    # when an alternative is taken, it keeps what was typed
    page.get_by_role("link", name="1 × L40 in NORWAY-1").click()
    expect(page.locator("[name=region][value=NORWAY-1]")).to_be_checked()
    expect(page.get_by_label("VM name")).to_have_value("mine")
    page.locator(".deploy-button").click()
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    assert [asked["region"] for asked in deployed(sandbox)] == ["NORWAY-1"]


def test_it_makes_one_vm_when_somebody_goes_back_and_sends_the_form_again(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator")
    choose_l40(page)
    page.locator(".deploy-button").click()
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    there = page.url
    # when the form is sent from the page before
    page.go_back()
    page.wait_for_load_state()
    if page.locator(".deploy-button").count():
        page.locator(".deploy-button").click()
    # then it leads to the VM that there is
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    assert page.url == there
    assert len(deployed(sandbox)) == 1


@pytest.mark.feature("DEP-16", "DEP-30", "DEP-39")
def test_it_does_the_whole_wizard_without_javascript(open_page: Open, sandbox: Sandbox) -> None:
    # given a window that runs no script
    page = open_page("operator", js=False)
    page.goto("/deploy/")

    def go_on(section: str) -> None:
        page.locator(f"button[name=next][value={section}]").click()

    # when every section is filled in and continued
    page.locator("[name=gpu_model][value=L40]").check()
    go_on("gpu")
    page.locator("#count-2").check()
    page.locator("[name=region][value=NORWAY-1]").check()
    go_on("size")
    page.get_by_label("Debian 12 Bookworm R550 CUDA 12.4").check()
    go_on("boot")
    go_on("access")
    expect(page.get_by_text("At least one SSH key is required for VM deployment").first).to_be_visible()
    page.locator("[name=ssh_keys][value=ci-runner]").check()
    page.locator("[name=ssh_keys][value=anna-yubikey]").check()
    page.get_by_label("VM name").fill("by hand")
    go_on("access")
    page.get_by_role("button", name="Web Server").click()
    page.locator("#new-rule summary").click()
    page.get_by_label("Remote IP range (CIDR)").fill("203.0.113.0/24")
    page.get_by_label("From port").fill("22")
    page.get_by_label("To port").fill("22")
    page.get_by_role("button", name="Add rule").click()
    expect(page.locator(".rule-lines li")).to_have_count(3)
    page.locator("#start-paste").check()
    page.locator("[name=cloud_init]").fill("#cloud-config\npackages: [htop]\n")
    page.locator("#jupyter").check()
    go_on("start")
    page.get_by_label("Jupyter password").fill("horse-battery-9")
    page.locator(".deploy-button").click()
    # then all of it has reached the cloud
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    (asked,) = deployed(sandbox)
    assert asked["vm_name"] == "by hand"
    assert (asked["gpu_count"], asked["region"]) == (2, "NORWAY-1")
    assert asked["os_image"] == "Debian 12 Bookworm R550 CUDA 12.4"
    assert sorted(asked["ssh_keys"]) == ["anna-yubikey", "ci-runner"]
    assert [rule["port_range_min"] for rule in asked["security_rules"]] == [80, 443, 22]
    assert asked["cloud_init"] == "#cloud-config\npackages: [htop]\n"
    assert asked["jupyter_enabled"] is True


@pytest.mark.feature("DEP-23")
@pytest.mark.parametrize("js", [True, False])
def test_it_makes_a_key_in_the_middle_without_losing_anything(open_page: Open, sandbox: Sandbox, *, js: bool) -> None:
    # given a form that is half filled in
    page = open_page("operator", js=js)
    page.goto("/deploy/?new=1&gpu_model=L40&gpu_count=2")
    # when a key is made from within it
    page.get_by_role("link" if js else "button", name="Create Key").click()
    page.get_by_label("Key name").fill("made-in-between")
    page.get_by_role("button", name="Create Key").click()
    page.get_by_label("I saved it", exact=False).check()
    page.get_by_role("button", name="Use it in the deployment").click()
    # then it is chosen, and everything else is as it was
    expect(page.locator("[name=ssh_keys][value=made-in-between]")).to_be_checked()
    expect(page.locator("#count-2")).to_be_checked()
    expect(page.locator(".deploy-button")).to_be_visible()


@pytest.mark.feature("DEP-23")
@pytest.mark.parametrize("way", ["Create Key", "Import Key"])
def test_it_keeps_a_password_and_a_secret_script_while_a_key_is_made(
    open_page: Open, sandbox: Sandbox, *, way: str
) -> None:
    # given a form with what is kept in the page alone
    page = open_page("operator")
    choose_l40(page)
    page.locator("#jupyter").check()
    password = page.get_by_label("Jupyter password")
    password.fill("horse-battery-9")
    page.locator("#start-paste").check()
    script = page.locator("[name=cloud_init]")
    script.fill("#!/bin/sh\nexport HF_TOKEN=hf_abcdefgh12345678\n")
    script.blur()
    expect(page.locator(".review")).to_contain_text("Pasted, Shell script")
    # when a key is made in the dialog over it, or imported
    with page.expect_request("**/ssh-keys/**") as request:
        page.get_by_role("link", name=way).click()
    # then its address says which draft, and nothing of the form
    assert sorted(parse_qs(urlsplit(request.value.url).query)) == ["draft", "to"]
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key name").fill("made-in-between")
    if way == "Import Key":
        dialog.get_by_label("Public key", exact=True).fill(public())
    dialog.get_by_role("button", name=way).click()
    if way == "Create Key":
        dialog.get_by_label("I saved it").check()
        dialog.get_by_role("button", name="Use it in the deployment").click()
    # then the dialog is gone, the key is chosen, and neither is lost
    expect(dialog).to_be_hidden()
    expect(page.locator("[name=ssh_keys][value=made-in-between]")).to_be_checked()
    expect(page.locator("[name=ssh_keys][value=anna-yubikey]")).to_be_checked()
    expect(password).to_have_value("horse-battery-9")
    expect(script).to_have_value("#!/bin/sh\nexport HF_TOKEN=hf_abcdefgh12345678\n")
    page.locator(".deploy-button").click()
    expect(page.get_by_text("Accepted by Barrack")).to_be_visible()
    (asked,) = deployed(sandbox)
    assert sorted(asked["ssh_keys"]) == ["anna-yubikey", "made-in-between"]
    assert asked["cloud_init"] == "#!/bin/sh\nexport HF_TOKEN=hf_abcdefgh12345678\n"


def test_it_goes_to_what_kept_the_form_from_being_sent(open_page: Open, sandbox: Sandbox) -> None:
    # given a complete form, and an API that refuses
    page = open_page("operator")
    choose_l40(page)
    sandbox.faults.arm("create_instance", "status", status=403)
    page.locator(".deploy-button").click()
    # then the alert beside the button has the focus
    alert = page.locator("#step-review .notice[role=alert]")
    expect(alert).to_contain_text("Barrack does not allow this")
    expect(alert).to_be_focused()
    expect(page.locator("#deploy-alert .notice")).to_have_count(0)
    # and it stays while the page asks for news, until the next change
    with page.expect_response("**/deploy/?draft=*"):
        pass
    expect(alert).to_be_visible()
    page.locator("#public-ip").uncheck()
    expect(alert).to_have_count(0)
