"""/vms/<id>/: everything known of one VM, what can be done with it, and what it has cost."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, include, path, reverse

from apps.account.models import User
from apps.activity.events import append
from apps.vms.views import details
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from barrack_web.urls import urlpatterns as portal
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import body, button, facts, is_off, leads_to, no_alert, words
from tests.apps.vms.board import one_click
from tests.conftest import HTMX, text_of

TRAINER = "BRK-123456D"
URL = f"/vms/{TRAINER}/"
SHUTOFF = "BRK-123533D"
HIBERNATED = "BRK-123548D"
DELETED = "BRK-123560D"
ERROR = "BRK-123700D"
ACTIONS = ("Stop", "Reboot", "Hibernate", "Take Snapshot", "Remove public IP", "Delete")
# The portal with the pages of volumes.
urlpatterns = [
    path("storage/", include(([path("", details, name="list"), path("create/", details, name="create")], "storage"))),
    *portal,
]


def page(browser: Client, vm: str = TRAINER, **query: str) -> HttpResponse:
    return browser.get(f"/vms/{vm}/", query)


def card(response: HttpResponse, name: str) -> str:
    """Return the HTML of one card: by its id, or by its title where it has none."""
    for found in re.findall(
        r'<(?:div|section) class="panel[ "].*?(?=<(?:div|section) class="panel[ "]|\Z)', body(response), re.DOTALL
    ):
        title = re.search(r"<h2[^>]*>(.*?)</h2>", found, re.DOTALL)
        if f'id="{name}"' in found.partition(">")[0] or (title and words(title.group(1)) == name):
            return str(found)
    return ""


def bar(response: HttpResponse) -> str:
    """Return the HTML of the bar of actions."""
    return body(response).partition('<div class="action-bar" role="group"')[2].partition("</div>")[0]


# -- what it shows


@pytest.mark.feature("VM-06", "VM-14")
def test_it_shows_the_vm_at_an_address_of_its_own(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER]["created_at"] = "2026-01-05T07:08:09Z"
    response = page(viewer)
    assert response.status_code == 200
    assert "<h1><bdi>ml-training-server</bdi>" in body(response)
    assert f'<a href="{URL}" aria-current="page">Details</a>' in body(response)
    assert '<a href="/vms/">' in body(response)
    shown = facts(card(response, "Virtual machine"))
    assert shown["ID"] == TRAINER
    assert shown["Status"].startswith("Active")
    assert (shown["Region"], shown["Tier"]) == ("CANADA-1", "legacy")
    assert shown["Image"] == "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
    assert shown["Created"] == "5 January 2026, 07:08:09 UTC"


@pytest.mark.feature("VM-14")
def test_it_says_that_there_are_no_zones(viewer: Client) -> None:
    part = card(page(viewer), "Virtual machine")
    assert facts(part)["Zone"] == "–"
    assert "no availability zones" in part


@pytest.mark.feature("VM-10")
def test_it_shows_the_hardware(viewer: Client) -> None:
    shown = facts(card(page(viewer), "Hardware"))
    assert [shown[name] for name in ("CPU", "Memory", "Storage", "GPU")] == [
        "56 vCPUs",
        "360 GB",
        "100 GB root, 1.46 TB ephemeral",
        "2 × H100-PCIe-80GB",
    ]


@pytest.mark.feature("VM-11", "VM-24", "VM-26")
def test_it_shows_addresses_keys_and_firewalls(viewer: Client, sandbox: Sandbox) -> None:
    response = page(viewer)
    shown = facts(card(response, "network"))
    assert (shown["Private IP"], shown["Public IP"]) == ("10.0.0.10", "198.51.100.20")
    assert (shown["SSH keys"], shown["Firewalls"]) == ("team-laptop", "jupyter-office, debug-everything")
    assert "ssh -i ~/.ssh/your_private_key ubuntu@198.51.100.20" in card(response, "network")
    assert leads_to(card(response, "network"), "SSH config") == f"{URL}ssh-config/"
    # a VM without a public IP is reached from inside, and one with many keys names ten of them
    sandbox.world.instances[TRAINER].update(public_ip=None, ssh_keys=[f"key-{number}" for number in range(13)])
    part = card(page(viewer), "network")
    assert facts(part)["Public IP"] == "—"
    assert facts(part)["SSH keys"].endswith("key-9 and 3 more")
    assert "ubuntu@10.0.0.10" in part
    assert button(part, "SSH config") == ""


@pytest.mark.feature("VM-12", "VM-15", "VM-16")
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
    sandbox.reset("demo", currency)
    part = card(page(viewer), "Hardware")
    shown = facts(part)
    assert (shown["Now"], shown["Rate"], shown["Made of"]) == (now, "Full rate", f"2 × {gpu} per GPU and hour")
    assert "Pricing is calculated per minute for exact usage tracking." in words(part)


@pytest.mark.feature("VM-17", "VM-18", "STATE-18")
@pytest.mark.parametrize("status", ["SHUTOFF", "STOPPED", "stopped"])
def test_it_warns_that_a_stopped_vm_is_still_billed(viewer: Client, sandbox: Sandbox, status: str) -> None:
    sandbox.world.instances[SHUTOFF]["status"] = status
    part = card(page(viewer, SHUTOFF), "Hardware")
    warning = re.search(r'<div class="notice notice-warning[^"]*">(.*?)</div></div>', part, re.DOTALL)
    assert warning
    assert "Stopped VMs continue to be billed at the full rate as resources remain reserved: $0.69 / h." in words(
        warning.group(1)
    )
    assert facts(card(page(viewer, SHUTOFF), "Virtual machine"))["Status"].startswith("Stopped (SHUTOFF)")
    # a hibernated one says that it is charged for storage, at the reduced rate, and what it will cost again
    part = card(page(viewer, HIBERNATED), "Hardware")
    assert "A hibernated VM is charged only for storage at a reduced rate." in words(part)
    assert facts(part)["Now"].startswith("$0.01 / h")
    assert facts(part)["When ACTIVE"].startswith("$3.18 / h")
    assert "notice-warning" not in part


@pytest.mark.feature("STATE-15")
@pytest.mark.parametrize(
    "status", ["CREATING", "BUILD", "STARTING", "STOPPING", "HIBERNATING", "RESTORING", "REBOOTING", "DELETING"]
)
def test_it_charges_nothing_more_and_locks_the_actions_while_the_vm_changes(
    admin: Client, sandbox: Sandbox, status: str
) -> None:
    sandbox.world.instances[TRAINER]["status"] = status
    response = page(admin)
    part = card(response, "Hardware")
    assert facts(part)["Now"] == "No additional charge in this state"
    assert "No additional charges apply during these transitional states" in words(part)
    for action in ("Start", *ACTIONS):
        assert is_off(bar(response), action).endswith("wait until that is done.")
    assert 'hx-trigger="every 5s, vms:changed from:body, snapshots:changed from:body"' in body(response)


@pytest.mark.feature("VM-13")
def test_it_lists_the_volumes(viewer: Client, sandbox: Sandbox) -> None:
    part = card(page(viewer), "volumes")
    assert "training-corpus BRK-123458V 1.95 TB · /dev/vdb Attached / In-use" in words(part)
    assert "bootable" in words(card(page(viewer, "BRK-123502D"), "volumes"))
    # of 60 volumes, 50 are listed and the rest is counted
    record = sandbox.world.volumes["BRK-123458V"]
    for number in range(59):
        key = f"BRK-{number}V"
        sandbox.world.add("volumes", key, record | {"volume_id": key, "volume_name": f"disk-{number}"})
    part = card(page(viewer), "volumes")
    assert part.count("<li>") == 50
    assert "50 of 60 volumes." in words(part)
    sandbox.world.volumes.clear()
    part = card(page(viewer), "volumes")
    assert "No volume is attached." in words(part)
    assert "Create Volume" not in words(part)


def test_it_lists_its_own_snapshots_newest_first(viewer: Client, sandbox: Sandbox) -> None:
    part = card(page(viewer), "snapshots")
    assert [words(name) for name in re.findall(r"<bdi>(.*?)</bdi></a>", part)] == [
        "prod-backup-dec11",
        "ml-training-server-before-cuda-12.4",
    ]
    assert '<a href="/snapshots/BRK-123456S/">' in part
    assert "250 GB Success" in words(part)
    assert "None was taken of this VM." in words(card(page(viewer, DELETED), "snapshots"))
    # of many, ten are listed and the others are found on the list
    record = sandbox.world.snapshots["BRK-123456S"]
    for number in range(11):
        sandbox.world.add("snapshots", f"BRK-{number}S", record | {"snapshot_id": f"BRK-{number}S"})
    part = card(page(viewer), "snapshots")
    assert part.count("<li>") == 10
    assert '<a href="/snapshots/?q=ml-training-server">All 13 snapshots</a>' in part


def test_it_lists_what_was_done_to_it(viewer: Client, sandbox: Sandbox) -> None:
    assert "Nothing was done to this VM through the portal" in words(card(page(viewer), "activity"))
    # given six things that were done, and one to another VM
    for number in range(6):
        happened("instance.stop" if number % 2 else "instance.start", who=f"person-{number}@example.com")
    happened("instance.delete", target_id="BRK-1D", who="another@example.com")
    part = card(page(viewer), "activity")
    # then the last five are there, newest first, with the way to all of them
    assert re.findall(r"person-\d", part) == ["person-5", "person-4", "person-3", "person-2", "person-1"]
    assert "Stop VM" in words(part)
    assert "another@example.com" not in part
    assert f'<a href="/activity/?target={TRAINER}">All activity of this VM</a>' in part
    assert "person-0@example.com" in text_of(viewer.get("/activity/", {"target": TRAINER}))


def happened(action: str, **fields: Any) -> None:
    """Write down that something was done to the VM."""
    append(**{"action": action, "target_id": TRAINER, "target_name": "ml-training-server", "result": "done", **fields})


@pytest.mark.feature("VM-28")
def test_it_says_of_a_restored_vm_that_its_keys_need_work(viewer: Client, make_user: Any) -> None:
    person: User = make_user("operator")
    said = "SSH keys need to be reconfigured for access."
    first = viewer.get(URL, headers=HTMX)
    assert said not in text_of(first)
    new_row(person, state="done", result_id=TRAINER)
    # an open page is told, since the portal itself has found out
    assert viewer.get(URL, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == 200
    assert said in words(card(page(viewer), "network"))
    assert said not in text_of(page(viewer, SHUTOFF))


# -- what can be done


@pytest.mark.feature("VM-06")
def test_it_offers_what_the_state_allows(admin: Client) -> None:
    response = page(admin)
    for action, where in zip(ACTIONS, ("stop", "reboot", "hibernate", "snapshot", "public-ip", "delete"), strict=True):
        assert one_click(bar(response), action) == f"{URL}{where}/"
    assert is_off(bar(response), "Start") == "Only a stopped VM can be started; this one is active."
    assert one_click(card(response, "rules"), "Add rule") == f"{URL}rules/"
    assert one_click(card(response, "rules"), "Remove") == f"{URL}rules/{TRAINER}-ssh/delete/"
    response = page(admin, HIBERNATED)
    assert one_click(bar(response), "Restore") == f"/vms/{HIBERNATED}/restore/"
    assert button(bar(response), "Start") == ""
    assert is_off(bar(response), "Stop") == "Only an active VM can be stopped; this one is hibernated."


def test_it_shows_each_role_only_what_it_may_do(viewer: Client, billing: Client, operator: Client) -> None:
    for browser in (viewer, billing):
        response = page(browser)
        assert bar(response) == ""
        assert "Only an operator or an admin can start, stop, reboot, hibernate and restore VMs" in text_of(response)
        for action in (*ACTIONS, "Start", "Add rule", "Remove"):
            assert button(body(response), action) == ""
    response = page(operator)
    assert one_click(bar(response), "Stop")
    assert button(bar(response), "Delete") == ""


@pytest.mark.feature("VM-25")
def test_it_offers_a_snapshot_only_of_a_vm_that_the_cloud_lists_for_it(operator: Client, sandbox: Sandbox) -> None:
    # given an ACTIVE VM that is not on the list of those that snapshots can be taken of
    others = [{"instance_id": "BRK-1D", "vm_name": "x", "status": "ACTIVE", "region": "CANADA-1"}]
    answer = {"success": True, "vms": others}
    sandbox.faults.arm("list_snapshot_eligible_instances", "status", status=200, body=answer, times=None)
    response = page(operator)
    for part in (bar(response), card(response, "snapshots")):
        assert is_off(part, "Take Snapshot") == "The VM is ACTIVE, but the cloud does not offer it for snapshots now."
    # and the state comes first where it is the reason
    assert is_off(bar(page(operator, SHUTOFF)), "Take Snapshot").startswith("Only an active VM can be snapshotted")


@pytest.mark.feature("VM-25")
@pytest.mark.parametrize(("kind", "status"), [("status", 500), ("status", 404), ("hang", None), ("invalid_json", None)])
def test_it_offers_a_snapshot_while_that_list_cannot_be_read(
    operator: Client, sandbox: Sandbox, kind: str, status: int | None
) -> None:
    sandbox.faults.arm("list_snapshot_eligible_instances", kind, status=status, times=None)
    response = page(operator)
    assert response.status_code == 200
    assert no_alert(response)
    assert one_click(bar(response), "Take Snapshot") == f"{URL}snapshot/"


@pytest.mark.feature("VM-08")
def test_its_snapshot_button_leads_to_the_form_with_this_vm_chosen(operator: Client, profile: Any) -> None:
    where = one_click(bar(page(operator)), "Take Snapshot")
    for headers in ({}, HTMX):
        assert operator.get(where, headers=headers)["Location"] == f"/snapshots/create/?vm={TRAINER}"
        form = operator.get(where, headers=headers, follow=True)
        assert form.status_code == 200
        assert re.findall(r'<option value="([^"]*)"[^>]* selected', body(form)) == [TRAINER]


def test_its_way_to_the_snapshot_form_is_for_those_who_may_take_one(viewer: Client, admin: Client) -> None:
    assert viewer.get(f"{URL}snapshot/").status_code == 403
    assert admin.post(f"{URL}snapshot/").status_code == 405
    # an odd id stays one value of the address
    assert admin.get("/vms/a%26vm=b/snapshot/")["Location"] == "/snapshots/create/?vm=a%26vm%3Db"


@pytest.mark.feature("VM-07")
@pytest.mark.urls(__name__)
def test_it_leads_to_a_new_volume_in_the_vms_region(operator: Client, sandbox: Sandbox) -> None:
    assert one_click(card(page(operator), "volumes"), "Create Volume") == "/storage/create/?region=CANADA-1"
    sandbox.world.instances[TRAINER]["region"] = "A&B/C"
    assert one_click(card(page(operator), "volumes"), "Create Volume") == "/storage/create/?region=A%26B%2FC"


@pytest.mark.feature("VM-07")
def test_its_volume_button_is_off_as_long_as_there_is_no_page(operator: Client) -> None:
    part = card(page(operator), "volumes")
    try:
        there = reverse("storage:create")
    except NoReverseMatch:
        assert is_off(part, "Create Volume").startswith("This portal has no page for it yet")
    else:
        assert one_click(part, "Create Volume").startswith(there)


# -- states with a word of their own


@pytest.mark.feature("STATE-14")
def test_it_says_what_to_do_about_an_error(admin: Client, operator: Client, sandbox: Sandbox) -> None:
    response = page(admin, ERROR)
    notice = body(response).partition('<div class="notice notice-danger"')[2].partition("</div></div>")[0]
    assert "The VM encountered an issue during an operation" in words(notice)
    assert '<span class="state state-bad">' in card(response, "Virtual machine")
    # check again, delete, or write to support and name the VM
    assert f'<a href="/vms/{ERROR}/">Check again</a>' in notice
    assert f'<a href="/vms/{ERROR}/delete/" hx-get="/vms/{ERROR}/delete/" hx-target="#modal-body"' in notice
    support = re.search(r'href="mailto:([^"]*)"', notice)
    assert support
    assert ERROR in html.unescape(support.group(1))
    assert f"name {ERROR}" in words(notice)
    # who may not delete is not offered it, and everybody can check again
    assert "/delete/" not in body(page(operator, ERROR))
    assert "Check again" in text_of(page(operator, ERROR))
    assert "The VM encountered an issue" not in text_of(page(admin))


@pytest.mark.feature("STATE-04")
def test_it_keeps_a_page_for_a_deleted_vm(admin: Client) -> None:
    response = page(admin, DELETED)
    assert response.status_code == 200
    assert "This VM is deleted. Nothing is charged for it any more" in text_of(response)
    assert f'<a href="/activity/?target={DELETED}">Its activity</a>' in body(response)
    for action in ("Start", "Stop", "Reboot", "Hibernate", "Take Snapshot", "Delete"):
        assert is_off(bar(response), action) == "The VM is deleted."
    assert facts(card(response, "Hardware"))["Rate"] == "No charge"
    # and its bill can still be looked up
    assert "$117.30" in text_of(page(admin, DELETED, tab="billing"))


@pytest.mark.feature("STATE-16")
def test_it_shows_an_unknown_state_as_it_is(admin: Client) -> None:
    response = page(admin, "BRK-123715D")
    assert '<span class="state state-neutral">' in card(response, "Virtual machine")
    assert is_off(bar(response), "Delete") == "This portal does not know the state RESCUE, so it offers nothing for it."
    assert facts(card(response, "Hardware"))["Now"] == "–"


@pytest.mark.feature("ONB-04")
def test_it_says_what_comes_next_for_a_new_vm(operator: Client, sandbox: Sandbox) -> None:
    # given a VM that is nearly a day old
    sandbox.world.instances[TRAINER]["created_at"] = iso(sandbox.world.now() - timedelta(hours=23, minutes=58))
    response = page(operator)
    part = body(response).partition('aria-labelledby="whats-next"')[2].partition("</section>")[0]
    assert "What's Next?" in html.unescape(words(part))
    links = re.findall(r'<li><a href="([^"]*)">(.*?)<small>', part, re.DOTALL)
    assert [words(title) for _, title in links] == ["Connect via SSH", "Firewall rules", "Volumes", "Snapshots"]
    # then each leads to a card of this page, or to a page that is there
    for where, _ in links:
        found = f'id="{where[1:]}"' in body(response) if where[0] == "#" else operator.get(where).status_code == 200
        assert found, f"{where} is nowhere"
    # and when it is older than that, there is none of it
    with clock.moved(timedelta(minutes=3)):
        response = page(operator)
    assert "whats-next" not in body(response)
    assert one_click(bar(response), "Stop")


@pytest.mark.feature("ONB-04")
@pytest.mark.parametrize("fields", [{"created_at": None}, {"status": "ERROR"}, {"status": "DELETED"}])
def test_it_says_nothing_of_next_steps_where_there_are_none(
    operator: Client, sandbox: Sandbox, fields: dict[str, Any]
) -> None:
    record = sandbox.world.instances[TRAINER]
    record["created_at"] = iso(sandbox.world.now())
    assert "whats-next" in body(page(operator))
    record.update(fields)
    assert "whats-next" not in body(page(operator))


# -- what it has cost


@pytest.mark.feature("VM-20")
def test_it_has_the_billing_records_of_this_vm_and_their_total(viewer: Client, sandbox: Sandbox) -> None:
    response = page(viewer, HIBERNATED, tab="billing")
    assert response.status_code == 200
    assert f'<a href="/vms/{HIBERNATED}/?tab=billing" aria-current="page">Billing</a>' in body(response)
    table = body(response).partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [words(row) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)]
    # given 190 hours at the full rate, and 330 hibernated ones that still run
    assert len(rows) == 2
    assert all(row.startswith("diffusion-lab 2 × A100-SXM4-80GB-NVLink ") for row in rows)
    assert "until now 19,800 $0.00017 $3.30 Hibernated" in rows[0]
    assert "11,400 $0.05300 $604.20 Completed" in rows[1]
    assert re.search(r"In all \$607\.50\b.*, charged per minute\.", text_of(response))
    assert "ml-training-server" not in body(response)
    # and the whole list of the account was gone through for it
    assert [call.query for call in sandbox.log.calls("get_instance_billing")] == ["page=1&limit=100"]


@pytest.mark.feature("VM-20")
@pytest.mark.parametrize(("currency", "total"), [("EUR", "€1,689.12"), ("INR", "₹160,680.00")])
def test_it_has_the_bill_in_the_accounts_currency(viewer: Client, sandbox: Sandbox, currency: str, total: str) -> None:
    sandbox.reset("demo", currency)
    assert f"In all {total} " in text_of(page(viewer, tab="billing"))


def test_it_says_when_there_are_no_records_and_when_they_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    assert "No billing records yet" in text_of(page(viewer, "BRK-123574D", tab="billing"))
    sandbox.faults.arm("get_instance_billing", "status", status=500, times=None)
    response = page(viewer, SHUTOFF, tab="billing")
    assert response.status_code == 200
    assert "The billing records could not be read from Barrack." in text_of(response)
    assert "No billing records yet" not in text_of(response)


def test_it_says_when_a_record_of_the_account_could_not_be_read(viewer: Client, sandbox: Sandbox) -> None:
    whole = {
        "billing_id": "B1",
        "instance_id": TRAINER,
        "vm_name": "trainer",
        "start_time": "2026-01-01T00:00:00Z",
        "total_duration_minutes": 600,
        "per_minute_rate": "0.07500",
        "total_cost": "45.00",
        "currency": "USD",
    }
    answer = {
        "success": True,
        "records": [whole, {}],
        "summary": {},
        "total": 2,
        "page": 1,
        "limit": 100,
        "total_pages": 1,
    }
    sandbox.faults.arm("get_instance_billing", "status", status=200, body=answer, times=None)
    shown = text_of(page(viewer, tab="billing"))
    assert "some of this VM may be missing" in shown
    assert "In all $45.00" in shown
    # and the totals say so too when there are more pages than are gone through
    answer |= {"records": [whole], "total_pages": 11}
    assert "some of this VM may be missing" in text_of(page(viewer, tab="billing"))
    assert "some of this VM may be missing" not in text_of(page(viewer))
