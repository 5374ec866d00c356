"""/: one VM with what can be done with it, and the account beside it."""

import html
import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, include, path, reverse
from pytest_django.fixtures import Settings

from apps.account.models import BillingProfile
from apps.vms.dashboard import MOST_OPTIONS, NO_PAGE, dashboard
from barrack_web.sandbox.server import Sandbox
from barrack_web.urls import urlpatterns as portal
from tests.apps.snapshots.helpers import IMPOSSIBLE_IDS, body, button, facts, is_off, leads_to, no_alert, words
from tests.apps.vms.board import TRAINER, chosen, home, keep_copies, one_click, operations, options, section
from tests.conftest import HTMX, text_of

NEWEST = "BRK-123502D"
SHUTOFF = "BRK-123533D"
HIBERNATED = "BRK-123548D"
DELETED = "BRK-123560D"
ERROR = "BRK-123700D"
QUICK_ACTIONS = {
    "Deploy VM": "deploy:wizard",
    "SSH Keys": "security:ssh_keys",
    "Volumes": "storage:list",
    "Snapshots": "snapshots:list",
}
# The portal with every page that the dashboard leads to.
_later = {"deploy": ["wizard"], "security": ["ssh_keys", "firewalls"], "storage": ["list", "create"]}
urlpatterns = [
    *(
        path(f"{room}/", include(([path(f"{name}/", dashboard, name=name) for name in names], room)))
        for room, names in _later.items()
    ),
    *portal,
]


# -- three sections


@pytest.mark.feature("DASH-01")
def test_it_has_three_sections_in_the_documented_order(viewer: Client) -> None:
    response = home(viewer)
    assert response.status_code == 200
    board = body(response).partition('<div id="board"')[2]
    titles = re.findall(r'<section[^>]*aria-labelledby="([^"]*)">\s*<h2 id="\1">(.*?)</h2>', board)
    assert [html.unescape(title) for _, title in titles] == ["Instance Details", "VM Operations", "Account & Actions"]


@pytest.mark.feature("DASH-02", "DASH-03", "DASH-20")
def test_it_shows_what_the_vm_is_made_of(viewer: Client) -> None:
    part = section(home(viewer), "details")
    assert words(part).startswith("Instance Details ml-training-server BRK-123456D Active")
    shown = facts(part)
    assert shown["CPU"] == "56 vCPUs"
    assert shown["Memory"] == "360 GB"
    assert shown["Storage"] == "100 GB root, 1.46 TB ephemeral"
    assert shown["GPU"] == "2 × H100-PCIe-80GB"


@pytest.mark.feature("DASH-04", "DASH-20")
def test_it_shows_the_addresses_and_a_dash_without_one(viewer: Client, sandbox: Sandbox) -> None:
    shown = facts(section(home(viewer), "details"))
    assert (shown["Private IP"], shown["Public IP"], shown["Region"]) == ("10.0.0.10", "198.51.100.20", "CANADA-1")
    assert "ssh -i ~/.ssh/your_private_key ubuntu@198.51.100.20" in body(home(viewer))
    # without a public IP there is a dash, and nothing to copy
    part = section(home(viewer, "BRK-123489D"), "details")
    assert (facts(part)["Private IP"], facts(part)["Public IP"]) == ("10.0.0.12", "—")
    assert "ssh -i" not in part


@pytest.mark.feature("DASH-05")
@pytest.mark.parametrize(
    ("vm", "tone", "word"),
    [
        (TRAINER, "good", "Active"),
        (SHUTOFF, "warning", "Stopped (SHUTOFF)"),
        (HIBERNATED, "resting", "Hibernated"),
        (DELETED, "resting", "Deleted"),
        ("BRK-123622D", "moving", "Stopping"),
        (ERROR, "bad", "Error"),
        ("BRK-123715D", "neutral", "RESCUE"),
    ],
)
def test_it_says_the_status_in_a_word_and_never_by_colour_alone(viewer: Client, vm: str, tone: str, word: str) -> None:
    badge = re.search(
        r'<span class="state state-(\w+)"><span class="state-dot" aria-hidden="true"></span><bdi>(.*?)</bdi></span>',
        section(home(viewer, vm), "details"),
    )
    assert badge
    assert badge.groups() == (tone, word)


@pytest.mark.feature("DASH-06")
def test_it_leads_from_the_overview_to_details_and_connection(viewer: Client) -> None:
    part = section(home(viewer), "details")
    assert leads_to(part, "View Details") == f"/vms/{TRAINER}/"
    assert leads_to(part, "Can I connect?") == f"/vms/{TRAINER}/#connect"
    assert '<div class="panel" id="connect">' in body(viewer.get(f"/vms/{TRAINER}/"))


# -- the selector


@pytest.mark.feature("DASH-07")
def test_it_offers_every_vm_that_is_not_deleted(viewer: Client, sandbox: Sandbox) -> None:
    found = options(home(viewer))
    assert set(found) == set(sandbox.world.instances) - {DELETED}
    assert found[TRAINER] == "ml-training-server (CANADA-1)"
    assert list(found.values()) == sorted(found.values(), key=str.casefold)
    assert chosen(home(viewer)) == TRAINER
    # a deleted one that was asked for by its address is among them as long as it is shown
    assert chosen(home(viewer, DELETED)) == DELETED
    assert len(options(home(viewer, DELETED))) == len(found) + 1


@pytest.mark.feature("DASH-07", "DASH-08")
def test_its_selector_works_with_and_without_scripts_and_keeps_the_choice_in_the_address(viewer: Client) -> None:
    page = home(viewer)
    form = re.search(r'<form class="selector".*?</form>', body(page), re.DOTALL)
    assert form
    # without scripts it is a form that asks for /?vm=ID, with a button
    assert 'method="get" action="/"' in form.group(0)
    assert '<select id="vm-selector" name="vm"' in form.group(0)
    assert re.search(r'<button type="submit" class="[^"]*\bwithout-script\b[^"]*">Show</button>', form.group(0))
    assert '<label for="vm-selector"' in form.group(0)
    # with them only the board is fetched, and the address in the browser follows
    assert 'hx-get="/" hx-target="#board"' in form.group(0)
    assert 'hx-push-url="true"' in form.group(0)
    assert re.search(r'hx-trigger="[^"]*\bchange\b', form.group(0))
    part = home(viewer, SHUTOFF, **HTMX)
    assert "<html" not in body(part)
    assert chosen(part) == SHUTOFF
    # and the board goes on looking after the chosen VM
    assert f'id="board" class="board" data-poll hx-get="/?vm={SHUTOFF}"' in body(part)


@pytest.mark.feature("DASH-08")
def test_it_shows_the_details_of_the_vm_that_is_chosen(operator: Client) -> None:
    response = home(operator, SHUTOFF)
    assert chosen(response) == SHUTOFF
    assert facts(section(response, "details"))["GPU"] == "1 × A40"
    assert one_click(section(response, "operations"), "Start") == f"/vms/{SHUTOFF}/start/"
    assert f"/vms/{TRAINER}/" not in body(response)


def test_it_begins_with_the_newest_vm_that_runs(viewer: Client, sandbox: Sandbox) -> None:
    assert chosen(home(viewer, "")) == NEWEST
    # none runs: the newest that is not deleted
    for record in sandbox.world.instances.values():
        if record["status"] == "ACTIVE":
            record["status"] = "SHUTOFF"
    sandbox.world.instances[SHUTOFF]["created_at"] = "2099-01-01T00:00:00Z"
    sandbox.world.instances[DELETED]["created_at"] = "2099-02-01T00:00:00Z"
    assert chosen(home(viewer, "")) == SHUTOFF
    # blanks are no choice
    assert chosen(viewer.get("/?vm=%20%20")) == SHUTOFF


def test_it_shows_none_when_all_are_deleted(viewer: Client, sandbox: Sandbox) -> None:
    for record in sandbox.world.instances.values():
        record["status"] = "DELETED"
    response = home(viewer, "")
    assert chosen(response) == ""
    assert "No VM yet" in text_of(response)


def test_it_offers_at_most_two_hundred_and_leads_to_the_list_for_the_others(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.reset({"instances": 300})
    response = home(viewer, "")
    found = options(response)
    assert len(found) == MOST_OPTIONS == 200
    assert chosen(response) == "BRK-100001D"
    part = section(response, "operations")
    assert "200 of 300 VMs." in words(part)
    assert '<a href="/vms/">Find another one on the list</a>' in part
    # one that is not among them by its name is, once it is chosen
    assert "BRK-100290D" not in found
    assert chosen(home(viewer, "BRK-100290D")) == "BRK-100290D"
    assert len(body(response)) < 60_000


def test_it_does_not_speak_of_others_when_all_are_offered(viewer: Client) -> None:
    assert "Find another one" not in text_of(home(viewer))


# -- operations


@pytest.mark.feature("DASH-09", "DASH-10", "DASH-11")
def test_it_has_status_configuration_and_management_controls(admin: Client) -> None:
    part = section(home(admin), "operations")
    groups = re.findall(r'<h3>(\w+)</h3>\s*<div class="button-grid">(.*?)</div>', part, re.DOTALL)
    assert [title for title, _ in groups] == ["Status", "Configuration", "Management"]
    status, configuration, management = (grid for _, grid in groups)
    assert all(button(status, action) for action in ("Start", "Stop", "Hibernate", "Reboot"))
    assert all(button(configuration, action) for action in ("Remove public IP", "Add rule"))
    assert all(button(management, action) for action in ("Take Snapshot", "Create Volume", "Delete"))


@pytest.mark.feature("DASH-18")
def test_it_opens_the_confirm_step_by_one_click(admin: Client) -> None:
    part = section(home(admin), "operations")
    for action, where in {
        "Stop": "stop",
        "Hibernate": "hibernate",
        "Reboot": "reboot",
        "Remove public IP": "public-ip",
        "Add rule": "rules",
        "Take Snapshot": "snapshot",
        "Delete": "delete",
    }.items():
        assert one_click(part, action) == f"/vms/{TRAINER}/{where}/"
        opened = admin.get(f"/vms/{TRAINER}/{where}/", headers=HTMX, follow=True)
        assert opened.status_code == 200
        assert '<button type="submit"' in body(opened), f"{action} leads to no form"


@pytest.mark.feature("DASH-10", "DASH-11")
@pytest.mark.parametrize(
    ("vm", "on", "off"),
    [
        (
            TRAINER,
            {"Stop", "Hibernate", "Reboot", "Add rule", "Remove public IP", "Take Snapshot", "Delete"},
            {"Start"},
        ),
        (SHUTOFF, {"Start", "Hibernate", "Delete"}, {"Stop", "Reboot", "Add rule", "Take Snapshot"}),
        (HIBERNATED, {"Restore", "Delete"}, {"Stop", "Reboot", "Hibernate", "Add rule", "Take Snapshot"}),
        (ERROR, {"Delete"}, {"Start", "Stop", "Reboot", "Hibernate", "Add rule", "Take Snapshot"}),
        (DELETED, set(), {"Start", "Stop", "Reboot", "Hibernate", "Add rule", "Take Snapshot", "Delete"}),
        ("BRK-123622D", set(), {"Start", "Stop", "Reboot", "Hibernate", "Add rule", "Take Snapshot", "Delete"}),
        ("BRK-123715D", set(), {"Start", "Stop", "Reboot", "Hibernate", "Add rule", "Take Snapshot", "Delete"}),
    ],
)
def test_it_offers_what_the_state_allows_and_says_why_not(admin: Client, vm: str, on: set[str], off: set[str]) -> None:
    part = section(home(admin, vm), "operations")
    for action in on:
        assert one_click(part, action).startswith(f"/vms/{vm}/")
    for action in off:
        reason = is_off(part, action)
        assert reason.startswith(("Only a", "The VM is", "This portal does not know the state RESCUE"))


def test_it_says_in_words_why_a_button_is_off(admin: Client) -> None:
    part = section(home(admin), "operations")
    assert is_off(part, "Start") == "Only a stopped VM can be started; this one is active."
    part = section(home(admin, "BRK-123622D"), "operations")
    assert is_off(part, "Stop") == "The VM is stopping: wait until that is done."


def test_it_offers_no_snapshot_of_a_vm_that_the_cloud_does_not_list_for_it(operator: Client, sandbox: Sandbox) -> None:
    none = {"success": True, "vms": []}
    sandbox.faults.arm("list_snapshot_eligible_instances", "status", status=200, body=none, times=None)
    assert "does not offer it for snapshots" in is_off(section(home(operator), "operations"), "Take Snapshot")


@pytest.mark.feature("DASH-22")
@pytest.mark.urls(__name__)
def test_it_opens_the_form_of_a_new_volume(operator: Client) -> None:
    assert one_click(section(home(operator), "operations"), "Create Volume") == reverse("storage:create")


@pytest.mark.feature("DASH-22")
def test_its_volume_button_is_off_as_long_as_there_is_no_page(operator: Client) -> None:
    part = section(home(operator), "operations")
    if where := _address("storage:create"):
        assert one_click(part, "Create Volume") == where
    else:
        assert is_off(part, "Create Volume") == NO_PAGE


# -- what it costs


@pytest.mark.feature("DASH-12")
@pytest.mark.parametrize(
    ("currency", "now", "gpu"),
    [
        ("USD", "$4.50 / h · $0.0750 / min", "$2.25"),
        ("EUR", "€4.10 / h · €0.0683 / min", "€2.05"),
        ("INR", "₹390.00 / h · ₹6.50 / min", "₹195.00"),
    ],
)
def test_it_shows_the_price_per_hour_and_minute(
    viewer: Client, sandbox: Sandbox, currency: str, now: str, gpu: str
) -> None:
    # given two GPUs at the listed rate: the hour is twice that, the minute a sixtieth of the hour
    sandbox.reset("demo", currency)
    shown = facts(section(home(viewer), "operations"))
    assert (shown["Now"], shown["Rate"], shown["Made of"]) == (now, "Full rate", f"2 × {gpu} per GPU and hour")


@pytest.mark.parametrize(
    ("vm", "now", "says"),
    [
        (SHUTOFF, "$0.69 / h · $0.0115 / min", "continue to be billed at the full rate"),
        (HIBERNATED, "$0.01 / h · $0.0002 / min", "charged only for storage at a reduced rate"),
        (DELETED, "$0.00 / h · $0.00 / min", "No charge"),
        ("BRK-123622D", "No additional charge in this state", "No additional charges apply"),
        ("BRK-123715D", "–", "Not known"),
    ],
)
def test_it_shows_what_each_state_costs(viewer: Client, vm: str, now: str, says: str) -> None:
    part = section(home(viewer, vm), "operations")
    assert facts(part)["Now"] == now
    assert says in words(part)
    assert "Pricing is calculated per minute for exact usage tracking." in words(part)


@pytest.mark.feature("DASH-19")
def test_it_loads_the_bill_by_minutes_after_the_page(viewer: Client, sandbox: Sandbox) -> None:
    # given the page, which does not wait for the long list of records
    part = section(home(viewer), "operations")
    assert "get_instance_billing" not in operations(sandbox)
    found = re.search(r'<div class="usage"[^>]* hx-get="([^"]*)" hx-trigger="load"', part)
    assert found
    # when the card is loaded, then it says rate, minutes and amount
    assert found.group(1) == f"/vms/{TRAINER}/usage/"
    card = viewer.get(found.group(1), headers=HTMX)
    assert "$1,854.00 24,720 min × $0.07500 since" in text_of(card)
    # and without scripts there is a link to all of it
    assert f'<a href="/vms/{TRAINER}/?tab=billing">' in part


# -- the account


@pytest.mark.feature("DASH-13")
def test_it_says_who_is_signed_in_and_that_the_barrack_id_is_not_told(viewer: Client) -> None:
    shown = facts(section(home(viewer), "account"))
    assert "Viewer" in shown["Signed in"]
    assert "viewer@example.com" in shown["Signed in"]
    assert shown["Barrack ID"].startswith("Not told by Barrack's API")


@pytest.mark.feature("DASH-14")
@pytest.mark.parametrize(
    ("currency", "amount"), [("USD", "$2,182.40"), ("EUR", "€2,014.70"), ("INR", "₹193,860.00"), ("-", "−$3.20")]
)
def test_it_shows_the_balance_with_its_sign(viewer: Client, sandbox: Sandbox, currency: str, amount: str) -> None:
    if currency == "-":
        data = {"balances": [{"currency": "USD", "amount": -3.2}], "primary_currency": "USD"}
        body_ = {"success": True, "data": data}
        sandbox.faults.arm("get_credit_balance", "status", status=200, body=body_, times=None)
    else:
        sandbox.reset("demo", currency)
    part = section(home(viewer), "account")
    assert f'<p class="board-balance"><strong>{amount}</strong></p>' in part


@pytest.mark.feature("DASH-14")
def test_it_shows_what_all_vms_cost_and_which_of_them_are_stopped(viewer: Client, sandbox: Sandbox) -> None:
    part = section(home(viewer), "account")
    # 4.50 + 5.38 + 1.19 + 0.69 + 1.55 that run, 0.69 stopped, 0.01 hibernated
    assert "All VMs together cost $14.01 / h now." in words(part)
    assert facts(part)["Stopped"] == "1 VM , still billed: $0.69 / h"
    assert '<a href="/vms/?state=SHUTOFF">' in part
    sandbox.world.instances[SHUTOFF]["status"] = "ACTIVE"
    assert "Stopped" not in facts(section(home(viewer), "account"))


def test_it_shows_the_tax_number_and_the_way_to_it(viewer: Client, admin: Client, profile: BillingProfile) -> None:
    profile.tax_number = "29ABCDE1234F1Z5"
    profile.save()
    assert facts(section(home(admin), "account"))["GST / VAT"] == "29ABCDE1234F1Z5 Edit the tax number"
    assert 'href="/account/billing-profile/">Edit' in section(home(admin), "account")
    # who may not edit it can look at it
    assert 'href="/account/">View' in section(home(viewer), "account")
    assert "Incomplete" not in section(home(viewer), "account")


def test_it_says_that_the_profile_is_not_complete(viewer: Client, billing: Client) -> None:
    shown = facts(section(home(viewer), "account"))
    assert shown["Profile"] == "Incomplete My account"
    assert 'href="/account/billing-profile/">Add' in section(home(billing), "account")


@pytest.mark.feature("DASH-24")
def test_it_counts_the_hibernated_vms_as_the_api_says(viewer: Client, sandbox: Sandbox) -> None:
    part = section(home(viewer), "account")
    assert facts(part)["Hibernated"] == "1 VM"
    assert '<a href="/vms/?state=HIBERNATED">' in part
    # given an API that says another number than its list, then it is the API's
    answer = {"success": True, "count": 7}
    sandbox.faults.arm("get_hibernated_instances_count", "status", status=200, body=answer, times=None)
    assert facts(section(home(viewer), "account"))["Hibernated"] == "7 VMs"


@pytest.mark.feature("DASH-24")
@pytest.mark.parametrize("status", [404, 405])
def test_it_counts_them_from_the_list_when_the_api_does_not(viewer: Client, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.arm("get_hibernated_instances_count", "status", status=status, times=None)
    sandbox.world.instances[SHUTOFF]["status"] = "HIBERNATED"
    response = home(viewer)
    assert response.status_code == 200
    assert no_alert(response)
    assert facts(section(response, "account"))["Hibernated"] == "2 VMs"
    # and the operation is not asked for again
    home(viewer)
    assert len(sandbox.log.calls("get_hibernated_instances_count")) == 1


# -- quick actions


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def quick_actions(response: HttpResponse) -> list[str]:
    block = re.search(r'<h3>Quick Actions</h3>\s*<ul class="quick-actions">(.*?)</ul>', body(response), re.DOTALL)
    assert block
    return re.findall(r"<li>(.*?)</li>", block.group(1), re.DOTALL)


@pytest.mark.feature("DASH-16", "DASH-21")
def test_it_has_exactly_the_four_quick_actions(viewer: Client) -> None:
    found = quick_actions(home(viewer))
    assert [words(item) for item in found] == list(QUICK_ACTIONS)
    # and each leads to its page, or says that there is none yet
    for item, (action, name) in zip(found, QUICK_ACTIONS.items(), strict=True):
        where = _address(name)
        assert leads_to(item, action) == where
        assert where or is_off(item, action) == NO_PAGE
    assert leads_to(found[3], "Snapshots") == "/snapshots/"


@pytest.mark.feature("DASH-16", "DASH-21")
@pytest.mark.urls(__name__)
def test_its_quick_actions_are_links_once_their_pages_exist(viewer: Client) -> None:
    found = quick_actions(home(viewer))
    assert [leads_to(item, action) for item, action in zip(found, QUICK_ACTIONS, strict=True)] == [
        "/deploy/wizard/",
        "/security/ssh_keys/",
        "/storage/list/",
        "/snapshots/",
    ]


@pytest.mark.feature("DASH-16")
def test_it_leads_to_account_activity_and_the_first_steps(viewer: Client) -> None:
    part = section(home(viewer), "account")
    for where in ("/account/", "/activity/", "/account/onboarding/"):
        assert f'<a href="{where}">' in part
        assert viewer.get(where).status_code == 200


# -- an empty account


@pytest.mark.feature("DASH-23")
@pytest.mark.urls(__name__)
def test_it_leads_an_empty_account_to_its_first_vm(admin: Client, sandbox: Sandbox) -> None:
    sandbox.reset("empty")
    response = home(admin, "")
    assert response.status_code == 200
    part = section(response, "details")
    assert "No VM yet" in words(part)
    assert leads_to(part, "Getting started") == "/account/onboarding/"
    assert leads_to(part, "Deploy VM") == reverse("deploy:wizard")
    # there is nothing to choose from, nothing to operate and nothing to pay
    assert options(response) == {}
    operating = section(response, "operations")
    assert button(operating, "Start") == button(operating, "Create Volume") == ""
    assert "appear here with the first VM" in words(operating)
    account = section(response, "account")
    assert "<strong>$100,000.00</strong>" in account
    assert facts(account)["Hibernated"] == "No VM"
    assert "All VMs together cost" not in account


@pytest.mark.feature("DASH-23")
def test_its_first_step_is_to_deploy_for_those_who_may(viewer: Client, operator: Client, sandbox: Sandbox) -> None:
    sandbox.reset("empty")
    assert leads_to(section(home(operator, ""), "details"), "Deploy VM") == "/deploy/"
    reason = is_off(section(home(viewer, ""), "details"), "Deploy VM")
    assert reason.startswith("Only an operator or an admin can deploy VMs")


# -- roles and methods


def test_it_shows_each_role_only_what_it_may_do(viewer: Client, billing: Client, operator: Client) -> None:
    for browser, role in ((viewer, "viewer"), (billing, "billing")):
        part = section(home(browser), "operations")
        for action in ("Start", "Stop", "Hibernate", "Reboot", "Take Snapshot", "Add rule", "Create Volume", "Delete"):
            assert button(part, action) == ""
        assert "Only an operator or an admin can start, stop, reboot, hibernate and restore VMs" in words(part)
        assert f"your role is {role}" in words(part)
        # the price is for everybody
        assert facts(part)["Now"] == "$4.50 / h · $0.0750 / min"
        assert chosen(home(browser)) == TRAINER
    part = section(home(operator), "operations")
    assert one_click(part, "Stop") == f"/vms/{TRAINER}/stop/"
    assert button(part, "Delete") == ""


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get("/", {"vm": TRAINER})["Location"].startswith("/account/login/?next=/")
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)("/").status_code == 405
    assert sandbox.log.calls() == []


# -- missing things and bad input


def test_it_says_that_the_vm_is_gone_and_lets_another_be_chosen(admin: Client, sandbox: Sandbox) -> None:
    home(admin)
    del sandbox.world.instances[TRAINER]
    for headers in ({}, HTMX):
        response = home(admin, **headers)
        assert response.status_code == 200
        assert "This VM no longer exists" in words(section(response, "details"))
        assert "ml-training-server" not in body(response)
        found = options(response)
        assert found.pop("") == "Choose a VM"
        assert len(found) == 16
        assert button(section(response, "operations"), "Stop") == ""
        assert "<strong>$" in section(response, "account")


@pytest.mark.parametrize("impossible", [*(i for i in IMPOSSIBLE_IDS if i != "%20"), "x" * 5000, "%F0%9F%A6%89" * 3])
def test_it_takes_an_impossible_id_for_a_vm_that_is_gone(viewer: Client, sandbox: Sandbox, impossible: str) -> None:
    response = viewer.get(f"/?vm={impossible}")
    assert response.status_code == 200
    assert "This VM no longer exists" in words(section(response, "details"))
    assert len(options(response)) == 18
    assert {len(call.path) < 1300 for call in sandbox.log.calls()} == {True}
    assert {call.operation for call in sandbox.log.calls()} <= {
        "list_instances",
        "get_instance",
        "get_pricing",
        "get_credit_balance",
        "get_hibernated_instances_count",
        "list_snapshot_eligible_instances",
    }


# -- polling and calls


def test_it_answers_304_while_nothing_has_changed(viewer: Client, sandbox: Sandbox) -> None:
    first = home(viewer, **HTMX)
    assert "<html" not in body(first)
    assert first["X-Part"] == "1"
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    again = home(viewer, **tag)
    assert (again.status_code, again.content) == (304, b"")
    # another VM, another state of it, another balance: each is a change
    assert home(viewer, SHUTOFF, **tag).status_code == 200
    sandbox.world.instances[TRAINER]["status"] = "STOPPING"
    assert home(viewer, **tag).status_code == 200
    sandbox.world.instances[TRAINER]["status"] = "ACTIVE"
    assert home(viewer, **tag).status_code == 304
    sandbox.world.balances["USD"] -= 1
    assert home(viewer, **tag).status_code == 200
    # and a whole page is always whole
    assert home(viewer, **{"If-None-Match": first["ETag"]}).status_code == 200


def test_it_shows_a_tax_number_that_was_changed_meanwhile(viewer: Client, profile: BillingProfile) -> None:
    first = home(viewer, **HTMX)
    profile.tax_number = "29ABCDE1234F1Z5"
    profile.save()
    again = home(viewer, **HTMX, **{"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert "29ABCDE1234F1Z5" in body(again)


def test_it_does_not_keep_an_alert_that_no_longer_holds(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM that cannot be read, which then turns out to be gone
    sandbox.faults.arm("list_instances", "status", status=500, times=None)
    sandbox.faults.arm("get_instance", "status", status=500)
    first = home(viewer, "BRK-999999D", **HTMX)
    assert "Barrack has a problem" in words(section(first, "details"))
    again = home(viewer, "BRK-999999D", **HTMX, **{"If-None-Match": first["ETag"]})
    # then the open page is told
    assert again.status_code == 200
    assert "This VM no longer exists" in words(section(again, "details"))


@pytest.mark.feature("DASH-17")
def test_it_looks_again_sooner_while_the_vm_changes(operator: Client, sandbox: Sandbox) -> None:
    # given a VM at rest and one that is changing: the latter is looked at within 10 s
    events = "vms:changed from:body, snapshots:changed from:body"
    assert f'hx-trigger="every 8s, {events}" hx-swap="morph"' in body(home(operator))
    moving = home(operator, "BRK-123622D")
    assert f'hx-trigger="every 5s, {events}" hx-swap="morph"' in body(moving)
    # and what has become of it is there without a reload
    sandbox.world.instances["BRK-123622D"]["status"] = "SHUTOFF"
    part = home(operator, "BRK-123622D", **HTMX)
    assert "Stopped (SHUTOFF)" in section(part, "details")
    assert one_click(section(part, "operations"), "Start")
    assert "every 8s" in body(part)


COLD = [
    "get_credit_balance",
    "get_hibernated_instances_count",
    "get_pricing",
    "list_instances",
    "list_snapshot_eligible_instances",
]


def test_it_costs_one_call_for_each_thing_it_shows(viewer: Client, sandbox: Sandbox, settings: Settings) -> None:
    keep_copies(settings)
    # given nothing at hand, then each thing is asked for once, and the chosen VM is taken from the list
    home(viewer, "")
    assert operations(sandbox) == COLD
    # when all of it is at hand, then nothing is asked for: neither for this page, nor for a part of it
    sandbox.log.clear()
    home(viewer, "")
    home(viewer, "", **HTMX)
    assert operations(sandbox) == []
    # and a VM that was asked for costs one call more
    home(viewer)
    home(viewer)
    assert operations(sandbox) == ["get_instance"]


def test_the_board_stays_with_the_vm_that_it_shows(admin: Client, sandbox: Sandbox) -> None:
    # given the first choice, which is stopped from here
    page = admin.get("/").content.decode()
    assert 'hx-get="/?vm=BRK-123502D"' in page
    sandbox.world.instances["BRK-123502D"]["status"] = "STOPPING"
    # then looking again shows it still, although another VM is now the first choice
    assert "eval-harness BRK-123502D Stopping" in text_of(admin.get("/?vm=BRK-123502D", headers=HTMX))
    assert 'hx-get="/?vm=BRK-123471D"' in admin.get("/").content.decode()
