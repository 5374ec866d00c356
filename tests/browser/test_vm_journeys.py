"""What people do with their VMs in a browser: look, choose, stop, connect, delete, several at once."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from barrack_web.sandbox.server import Sandbox

Open = Callable[..., Page]
LLAMA, WHISPER, EVAL = "BRK-123471D", "BRK-123517D", "BRK-123502D"


def row(page: Page, name: str) -> Locator:
    """Return the row or the card of a VM."""
    return page.locator("#list :is(tbody tr, article.card)").filter(has=page.get_by_role("link", name=name, exact=True))


def tick(page: Page, *names: str) -> None:
    for name in names:
        row(page, name).get_by_role("checkbox").check()


def chosen(page: Page) -> list[str]:
    return page.locator("#list input[name=vm]:checked").evaluate_all("boxes => boxes.map(box => box.value)")


def told_count(page: Page) -> str:
    """Return what the bar says of its count; the style sheet counts, so only assistive technology can be asked."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    texts = [node for node in nodes if node["role"]["value"] == "StaticText"]
    ends = [node["parentId"] for node in texts if node["name"]["value"] == " chosen"]
    return "".join(node["name"]["value"] for node in texts if node["parentId"] in ends)


def board(page: Page) -> Locator:
    return page.locator("#board")


@pytest.mark.feature("VM-19", "DASH-17", "NAV-14")
@pytest.mark.parametrize("view", ["cards", "table"])
def test_it_shows_a_change_and_keeps_what_the_visitor_is_doing(open_page: Open, sandbox: Sandbox, view: str) -> None:
    # given a list that is searched in, with two VMs chosen, scrolled down
    page = open_page("operator", height=500)
    page.goto(f"/vms/?view={view}")
    search = page.locator("#q")
    search.press_sequentially("80")
    expect(page.locator(".list-count")).to_have_text("8 of 18 VMs")
    tick(page, "whisper-batch", "quant-sweep")
    search.focus()
    page.evaluate("window.notReloaded = true")
    search.press_sequentially("g")
    page.evaluate("scrollTo(0, 150)")
    before = page.evaluate("scrollY")
    assert before > 100

    # when a VM changes in the cloud
    sandbox.world.instances[LLAMA]["status"] = "STOPPING"

    # then it is seen, and nothing of that is lost
    expect(row(page, "llama-ft-70b").locator(".state")).to_have_text("Stopping")
    expect(search).to_be_focused()
    expect(search).to_have_value("80g")
    assert sorted(chosen(page)) == [WHISPER, "BRK-123700D"]
    assert told_count(page) == "2 chosen"
    assert page.evaluate("scrollY") == before
    assert page.evaluate("window.notReloaded") is True

    # nor by the answer to the text that was typed meanwhile
    page.wait_for_url("**q=80g**")
    expect(search).to_be_focused()
    assert sorted(chosen(page)) == [WHISPER, "BRK-123700D"]


@pytest.mark.feature("VM-19")
def test_it_hibernates_three_vms_at_once(open_page: Open, sandbox: Sandbox) -> None:
    # given three VMs of the table: two that can be hibernated, and one that is hibernated already
    page = open_page("operator")
    page.goto("/vms/?view=table")
    expect(page.locator("form#bulk")).to_be_hidden()
    tick(page, "llama-ft-70b", "notebook-anna", "diffusion-lab")
    assert told_count(page) == "3 chosen"
    page.locator("form#bulk").get_by_role("button", name="Hibernate").click()

    # when the question is answered
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".dialog-title")).to_have_text("Hibernate 2 VMs")
    expect(dialog.locator("li", has_text="diffusion-lab")).to_contain_text("Nothing is sent")
    dialog.get_by_role("button", name="Hibernate 2").click()

    # then there is a line for each, and behind the dialog the list is as it is now
    expect(dialog.locator(".bulk-sum")).to_contain_text("2 of 3 are done")
    expect(dialog.locator("li", has_text="llama-ft-70b").locator(".state")).to_have_text("Done")
    expect(dialog.locator("li", has_text="diffusion-lab").locator(".state")).to_have_text("Not sent")
    dialog.get_by_role("link", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(row(page, "llama-ft-70b").locator(".state")).to_have_text("Hibernating")
    expect(row(page, "notebook-anna").locator(".state")).to_have_text("Hibernating")
    assert len(sandbox.log.calls("hibernate_instance")) == 2


@pytest.mark.feature("VM-19")
def test_it_chooses_all_of_the_page_and_none(open_page: Open) -> None:
    page = open_page("operator")
    page.goto("/vms/?view=table")
    everything = page.get_by_role("checkbox", name="Choose all of this page")
    everything.check()
    assert len(chosen(page)) == page.locator("#list tbody tr").count() == 18
    assert told_count(page) == "18 chosen"
    everything.uncheck()
    assert chosen(page) == []
    expect(page.locator("form#bulk")).to_be_hidden()


@pytest.mark.feature("VM-19")
@pytest.mark.parametrize("view", ["cards", "table"])
def test_it_never_passes_a_tick_on_to_another_vm(open_page: Open, sandbox: Sandbox, view: str) -> None:
    page = open_page("operator")
    page.goto(f"/vms/?view={view}")
    tick(page, "vision-pretrain", "scratch-temp")
    page.locator("#q").fill("whisper")
    expect(page.locator(".list-count")).to_have_text("1 of 18 VMs")
    assert chosen(page) == []

    # a VM that comes into the place of a chosen one
    tick(page, "whisper-batch")
    old = sandbox.world.instances.pop(WHISPER)
    new = {"instance_id": "BRK-999999D", "vm_name": "whisper-newcomer"}
    sandbox.world.add("instances", "BRK-999999D", old | new)
    expect(row(page, "whisper-newcomer")).to_be_visible()
    assert chosen(page) == []


def hold_one_poll(page: Page) -> Route:
    """Return the next poll of the page, not yet sent to the portal; the later ones go through."""
    held: list[Route] = []
    page.route(
        "**/*",
        lambda route: held.append(route) if route.request.headers.get("x-poll") and not held else route.continue_(),
    )
    while not held:
        page.wait_for_timeout(50)
    return held[0]


@pytest.mark.feature("DASH-07", "DASH-08")
def test_it_stays_on_the_chosen_vm_when_an_older_answer_comes_late(open_page: Open) -> None:
    page = open_page("operator")
    name, selector = board(page).locator(".board-name"), page.locator("#vm-selector")
    poll = hold_one_poll(page)
    selector.select_option(WHISPER)
    expect(name).to_contain_text("whisper-batch")
    with page.expect_response(lambda answer: answer.request == poll.request):
        poll.continue_()
    page.wait_for_timeout(300)
    expect(name).to_contain_text("whisper-batch", timeout=200)
    expect(selector).to_have_value(WHISPER)


@pytest.mark.feature("VM-19")
def test_it_keeps_the_search_when_an_older_answer_comes_late(open_page: Open) -> None:
    page = open_page("operator")
    page.goto("/vms/")
    poll = hold_one_poll(page)
    page.locator("#q").fill("whisper")
    expect(page.locator(".list-count")).to_have_text("1 of 18 VMs")
    with page.expect_response(lambda answer: answer.request == poll.request):
        poll.continue_()
    page.wait_for_timeout(300)
    expect(page.locator(".list-count")).to_have_text("1 of 18 VMs", timeout=200)


@pytest.mark.feature("DASH-07", "DASH-08")
def test_it_switches_to_another_vm_and_back(open_page: Open) -> None:
    page = open_page("operator")
    name, selector = board(page).locator(".board-name"), page.locator("#vm-selector")
    expect(name).to_contain_text("eval-harness")
    page.evaluate("window.notReloaded = true")
    selector.select_option(WHISPER)
    expect(name).to_contain_text("whisper-batch")
    page.wait_for_url(f"**/?vm={WHISPER}")
    expect(selector).to_have_value(WHISPER)
    expect(page.get_by_role("link", name="Stop whisper-batch")).to_be_visible()
    assert page.evaluate("window.notReloaded") is True

    # the address is enough to come back to the VM
    page.reload()
    expect(name).to_contain_text("whisper-batch")
    page.go_back()
    expect(name).to_contain_text("eval-harness")
    expect(selector).to_have_value(EVAL)


@pytest.mark.feature("DASH-19")
def test_it_keeps_what_the_vm_has_cost_while_the_dashboard_refreshes(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("viewer")
    page.goto(f"/?vm={LLAMA}")
    records = page.locator(".usage .usage-rows li")
    expect(records.first).to_contain_text("min ×")
    sandbox.world.instances[LLAMA]["private_ip"] = "10.9.8.7"
    expect(board(page).get_by_text("10.9.8.7")).to_be_attached()
    page.wait_for_timeout(200)
    expect(records.first).to_contain_text("min ×")
    # another VM has its own
    page.locator("#vm-selector").select_option(WHISPER)
    expect(page.locator(f"#usage-{WHISPER.lower()} .usage-rows li").first).to_contain_text("min ×")
    expect(page.locator(".usage")).to_have_count(1)


@pytest.mark.feature("DASH-18", "VM-02", "DASH-17")
def test_it_stops_a_vm_from_the_dashboard(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto(f"/?vm={LLAMA}")
    page.evaluate("window.notReloaded = true")

    # one click to the question, which compares what it would cost
    page.get_by_role("link", name="Stop llama-ft-70b").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("still billed at the full rate")
    ways = dialog.get_by_role("region", name="What it costs").get_by_role("rowheader")
    expect(ways).to_have_count(3)
    dialog.get_by_role("button", name="Stop").click()

    # one more, and the badge follows the cloud
    expect(page.locator(".toast-note")).to_contain_text("llama-ft-70b")
    expect(dialog).to_be_hidden()
    badge = board(page).locator(".board-vm .state")
    expect(badge).to_have_text("Stopping")
    sandbox.world.advance(60)
    expect(badge).to_contain_text("Stopped")
    expect(page.get_by_role("link", name="Start llama-ft-70b")).not_to_have_attribute("aria-disabled", "true")
    assert page.evaluate("window.notReloaded") is True
    assert [call.path.split("/")[-2] for call in sandbox.log.calls("stop_instance")] == [LLAMA]


@pytest.mark.feature("DASH-18")
def test_it_opens_a_question_by_the_keyboard_and_gives_the_focus_back(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("operator")
    page.goto(f"/?vm={LLAMA}")
    stop, dialog = page.get_by_role("link", name="Stop llama-ft-70b"), page.get_by_role("dialog")
    page.locator("#vm-selector").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
        if stop.evaluate("link => link === document.activeElement"):
            break
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")

    # the page behind it goes on looking
    sandbox.world.instances[LLAMA]["private_ip"] = "10.9.8.7"
    expect(board(page).get_by_text("10.9.8.7")).to_be_attached()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(stop).to_be_focused()
    assert sandbox.log.calls("stop_instance") == []


@pytest.mark.feature("VM-26", "VM-27")
def test_it_copies_the_ssh_command(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("viewer")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/vms/{LLAMA}/")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    address = sandbox.world.instances[LLAMA]["public_ip"]
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"ssh -i ~/.ssh/your_private_key ubuntu@{address}"


@pytest.mark.feature("VM-22")
def test_it_lets_the_visitors_own_address_in(open_page: Open, sandbox: Sandbox) -> None:
    # given a VM that lets nobody in
    sandbox.world.instances[LLAMA]["security_rules"] = []
    page = open_page("operator")
    page.goto(f"/vms/{LLAMA}/")
    page.evaluate("window.notReloaded = true")
    page.locator("#connect").get_by_role("link", name="Allow my address").click()
    dialog = page.get_by_role("dialog")
    prefix = dialog.get_by_label("IP range")
    expect(prefix).to_have_value("127.0.0.1/32")
    expect(dialog.locator("[name=port_range_min]")).to_have_value("22")

    # ICMP has no ports
    protocol, ports = dialog.locator("[name=protocol]"), dialog.locator(".rule-ports")
    expect(ports).to_be_visible()
    protocol.select_option("icmp")
    expect(ports).to_be_hidden()
    expect(dialog.get_by_text("Port ranges are not applicable for ICMP protocol")).to_be_visible()
    protocol.select_option("tcp")
    expect(ports).to_be_visible()

    # when it is sent
    dialog.get_by_role("button", name="Add rule").click()

    # then the rule stands on the page
    expect(dialog).to_be_hidden()
    expect(page.locator("#rules tbody tr", has_text="127.0.0.1/32")).to_contain_text("Ingress TCP 22")
    expect(page.locator("#connect").get_by_role("link", name="Allow my address")).to_have_count(0)
    assert page.evaluate("window.notReloaded") is True
    body = sandbox.log.calls("add_instance_security_rule")[0].body
    assert (body["remote_ip_prefix"], body["port_range_min"], body["port_range_max"]) == ("127.0.0.1/32", 22, 22)


@pytest.mark.feature("VM-09")
def test_it_deletes_a_vm_once_its_name_is_typed(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("admin")
    page.goto(f"/vms/{LLAMA}/")
    page.get_by_role("link", name="Delete llama-ft-70b").click()
    dialog = page.get_by_role("dialog")
    typed = dialog.get_by_label("Type the VM's name")
    expect(typed).to_be_focused()
    typed.fill("llama")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.locator(".field-error")).to_contain_text("not the VM's name")
    expect(typed).to_have_value("llama")
    assert sandbox.log.calls("delete_instance") == []

    typed.fill("llama-ft-70b")
    dialog.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/vms/")
    expect(page.locator(".notice-success")).to_contain_text("llama-ft-70b")
    page.goto("/vms/?q=llama")
    expect(row(page, "llama-ft-70b").locator(".state")).to_have_text("Deleting")
    assert len(sandbox.log.calls("delete_instance")) == 1


@pytest.mark.feature("VM-06", "DASH-17")
def test_it_says_that_the_vm_of_the_page_is_gone_and_asks_no_more(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page("viewer")
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"/vms/{LLAMA}/")
    expect(page.locator("#network")).to_be_visible()
    del sandbox.world.instances[LLAMA]
    gone = page.locator("#vm .notice")
    expect(gone).to_contain_text("Barrack knows no VM")
    expect(gone).to_contain_text(LLAMA)
    expect(page.locator("#network")).to_have_count(0)
    sandbox.log.clear()
    page.wait_for_timeout(1300)
    assert sandbox.log.calls("get_instance") == []
    assert [text for text in errors if "404" not in text] == []
    assert len(errors) <= 2


@pytest.fixture
def plain(open_page: Open) -> Page:
    """An operator's window without JavaScript."""
    return open_page("operator", js=False)


@pytest.mark.feature("DASH-08", "DASH-18", "VM-02")
def test_it_chooses_and_stops_a_vm_without_javascript(plain: Page, sandbox: Sandbox) -> None:
    plain.locator("#vm-selector").select_option(WHISPER)
    plain.get_by_role("button", name="Show").click()
    plain.wait_for_url(f"**/?vm={WHISPER}")
    expect(board(plain).locator(".board-name")).to_contain_text("whisper-batch")
    plain.get_by_role("link", name="Stop whisper-batch").click()
    plain.wait_for_url(f"**/vms/{WHISPER}/stop/")
    expect(plain.get_by_role("region", name="What it costs").get_by_role("rowheader")).to_have_count(3)
    plain.locator("button[name=intent]").click()
    plain.wait_for_url(f"**/vms/{WHISPER}/")
    expect(plain.locator(".notice-success")).to_contain_text("whisper-batch")
    expect(plain.locator("#vm .state").first).to_have_text("Stopping")
    assert len(sandbox.log.calls("stop_instance")) == 1


@pytest.mark.feature("VM-19", "STATE-15")
def test_it_changes_several_vms_without_javascript(plain: Page, sandbox: Sandbox) -> None:
    plain.goto("/vms/")
    plain.get_by_role("link", name="Table", exact=True).click()
    expect(plain.get_by_role("table")).to_be_visible()
    plain.goto("/vms/")
    expect(plain.get_by_role("table")).to_be_visible()
    expect(plain.locator("[data-pick-all]")).to_be_hidden()
    tick(plain, "llama-ft-70b", "whisper-batch")
    plain.locator("form#bulk").get_by_role("button", name="Stop").click()
    plain.wait_for_url("**/vms/bulk/?**")
    expect(plain.get_by_role("heading", level=1)).to_have_text("Stop 2 VMs")
    plain.locator("button[name=intent]").click()
    expect(plain.locator(".bulk-sum")).to_contain_text("2 of 2 are done")
    plain.get_by_role("link", name="Close").click()
    plain.wait_for_url("**/vms/")
    expect(row(plain, "llama-ft-70b").locator(".state")).to_have_text("Stopping")
    assert len(sandbox.log.calls("stop_instance")) == 2

    # what the states mean is a page too
    plain.get_by_role("link", name="States and billing").click()
    plain.wait_for_url("**/vms/states/")
    expect(plain.get_by_text("No additional charges apply during these transitional states")).to_be_visible()


def test_a_button_that_has_the_focus_says_what_it_does_now(open_page: Callable[..., Page], sandbox: Sandbox) -> None:
    # given somebody who has just taken the public IP away: the focus is back on the button
    page = open_page("operator")
    page.goto("/vms/BRK-123456D/")
    bar = page.get_by_role("group", name="Actions")
    bar.get_by_role("link", name="Remove public IP").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove public IP").click()
    # then it offers to add one
    expect(bar.get_by_role("link", name="Add public IP")).to_be_visible()
    expect(bar.get_by_role("link", name="Remove public IP")).to_have_count(0)
