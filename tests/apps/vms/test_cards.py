"""The cards of /vms/ and the figures above them: what each state means, what it costs, what can be done."""

from typing import Any

import pytest
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.vms.helpers import (
    ONE,
    URL,
    body,
    buttons,
    card,
    cards,
    copies,
    facts,
    only,
    rows,
    set_prices,
    statistics,
    words,
)
from tests.conftest import HTMX, text_of

DETAILS = f"/vms/{ONE}/"


# --- what a card says


@pytest.mark.feature("VM-16", "STATE-01", "STATE-05")
def test_it_shows_what_an_active_vm_costs_per_hour_and_minute(viewer: Client, sandbox: Sandbox) -> None:
    # given two GPUs of $2.25 an hour each
    only(sandbox)
    shown = facts(card(viewer))
    assert shown["GPU"] == "2 × H100-PCIe-80GB"
    assert shown["Cost"] == "$4.50 / h · $0.0750 / min"
    assert (shown["Region"], shown["IP"]) == ("CANADA-1", "198.51.100.20")
    assert "Still billed" not in card(viewer)


@pytest.mark.feature("VM-18", "STATE-02")
def test_it_warns_of_every_stopped_vm_with_its_price(viewer: Client, sandbox: Sandbox) -> None:
    # given two stopped VMs among others, under either word
    sandbox.world.instances[ONE]["status"] = "STOPPED"
    for name, price in (("notebook-anna", "$0.69 / h"), ("ml-training-server", "$4.50 / h")):
        # then its card has the warning colour and says what it goes on costing
        found = card(viewer, name)
        assert 'class="state state-warning"' in found
        note = found.partition("facts-note billed")[2].partition("</div>")[0]
        assert words(note.partition(">")[2]) == f"Still billed at the full rate: {price}"
        # and so does its row
        row = rows(viewer, q=name)[name]
        assert "Stopped (SHUTOFF) still billed at the full rate" in row
        assert price in row
    # and no other VM has such a warning
    billed = [name for name, row in rows(viewer).items() if "still billed at the full rate" in row]
    assert sorted(billed) == ["ml-training-server", "notebook-anna"]
    assert [name for name in rows(viewer) if "billed" in card(viewer, name)] == [
        name for name in rows(viewer) if name in billed
    ]


@pytest.mark.feature("STATE-03")
@pytest.mark.parametrize(("currency", "price"), [("USD", "$0.01 / h"), ("EUR", "€0.01 / h"), ("INR", "₹1.00 / h")])
def test_it_shows_the_reduced_rate_of_a_hibernated_vm(
    viewer: Client, sandbox: Sandbox, currency: str, price: str
) -> None:
    sandbox.reset("demo", currency=currency)
    sandbox.world.speed = 0
    assert facts(card(viewer, "diffusion-lab"))["Cost"] == price
    assert statistics(viewer)["Hibernated"].startswith("1 ")


@pytest.mark.feature("STATE-04", "STATE-15", "STATE-16")
@pytest.mark.parametrize(
    ("status", "cost"),
    [
        ("DELETED", "$0.00 / h"),
        ("CREATING", "no additional charge"),
        ("STOPPING", "no additional charge"),
        ("ERROR", "no additional charge"),
        ("RESCUE", "–"),
    ],
)
def test_it_claims_no_price_where_none_is_charged_or_known(
    viewer: Client, sandbox: Sandbox, status: str, cost: str
) -> None:
    only(sandbox, status=status)
    assert facts(card(viewer))["Cost"] == cost
    assert statistics(viewer)["Cost per hour now"] in {"$0.00", "–"}


def test_it_shows_dashes_for_what_the_api_leaves_out(admin: Client, sandbox: Sandbox) -> None:
    # given a VM without flavor, image, addresses, GPU, price and time
    fields = ("flavor", "image", "private_ip", "public_ip", "gpu_type", "gpu_count", "created_at", "billing", "tier")
    only(sandbox, **dict.fromkeys(fields))
    assert facts(card(admin)) == {"GPU": "–", "Cost": "–", "Region": "CANADA-1", "IP": "–", "Created": "–"}
    # then what can be done is still there, and the figures say that a price is missing
    assert buttons(card(admin))["Stop"] == f"{DETAILS}stop/"
    assert statistics(admin)["Cost per hour now"] == "– 1 VM without a price"
    # and a model without a count is told as far as it is known
    only(sandbox, gpu_type="L40", gpu_count=None)
    assert facts(card(admin))["GPU"] == "? × L40"


def test_it_takes_the_price_of_the_vm_itself_when_the_list_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_pricing", "status", status=500, times=None)
    assert facts(card(viewer, "ml-training-server"))["Cost"].startswith("$4.50 / h")
    # and says that it has none when the API tells neither
    sandbox.world.instances[ONE]["billing"] = None
    assert facts(card(viewer, "ml-training-server"))["Cost"] == "–"
    assert statistics(viewer)["Cost per hour now"] == "$9.51 1 VM without a price"


# --- the figures


@pytest.mark.feature("VM-19", "VM-18")
def test_it_counts_what_runs_what_is_stopped_and_what_it_costs(viewer: Client) -> None:
    # 4.50 + 5.38 + 1.19 + 0.69 + 1.55 run, 0.69 is stopped, 0.01 hibernated
    assert statistics(viewer) == {
        "Running": "5 in all regions",
        "Stopped, but billed": "1 $0.69 / h",
        "Hibernated": "1 storage only",
        "Cost per hour now": "$14.01",
    }
    page = body(viewer.get(URL))
    assert '<div class="stat stat-warning"><dt>Stopped, but billed</dt>' in page
    # and of one region
    assert statistics(viewer, region="CANADA-1") == {
        "Running": "3 in CANADA-1",
        "Stopped, but billed": "0",
        "Hibernated": "1 storage only",
        "Cost per hour now": "$6.39",
    }
    assert "stat-warning" not in body(viewer.get(URL, {"region": "CANADA-1"}))


def test_it_counts_all_of_a_region_whatever_else_is_filtered(viewer: Client) -> None:
    query = {"region": "NORWAY-1", "state": "REBOOTING", "q": "nothing", "gpu": "A40"}
    assert statistics(viewer, **query)["Cost per hour now"] == "$6.07"


def test_it_counts_the_vms_without_a_price(viewer: Client, sandbox: Sandbox) -> None:
    # given a price list that knows one model alone, and VMs that do not say their price
    for record in sandbox.world.instances.values():
        record["billing"] = None
    set_prices(sandbox, {"L40": 1.19})
    assert statistics(viewer)["Cost per hour now"] == "$1.20 5 VMs without a price"
    assert statistics(viewer)["Stopped, but billed"] == "1"
    assert statistics(viewer, region="NORWAY-1")["Cost per hour now"] == "– 2 VMs without a price"


def test_it_renews_the_figures_with_the_list(viewer: Client, sandbox: Sandbox) -> None:
    part = body(viewer.get(URL, headers=HTMX))
    assert '<dl class="stats" id="stats" hx-swap-oob="morph">' in part
    assert "$14.01" in part


def test_it_shows_no_figures_while_the_list_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_instances", "refuse", times=None)
    assert '<dl class="stats" id="stats" hidden>' in body(viewer.get(URL))
    assert "Cost per hour now" not in text_of(viewer.get(URL, headers=HTMX))


# --- what can be done


STATES: list[tuple[str, dict[str, str]]] = [
    ("ACTIVE", {"Stop": "stop", "Hibernate": "hibernate", "Details": "", "Delete": "delete"}),
    ("SHUTOFF", {"Start": "start", "Hibernate": "hibernate", "Details": "", "Delete": "delete"}),
    ("HIBERNATED", {"Restore": "restore", "Details": "", "Delete": "delete"}),
    ("ERROR", {"Details": "", "Delete": "delete"}),
]


@pytest.mark.feature("VM-01", "VM-02", "VM-05")
@pytest.mark.parametrize(("status", "paths"), STATES)
def test_it_offers_what_the_state_allows_and_the_role_may(
    sandbox: Sandbox, sign_in: Any, status: str, paths: dict[str, str]
) -> None:
    only(sandbox, status=status)
    wanted = {label: f"{DETAILS}{path}/" if path else DETAILS for label, path in paths.items()}
    # an admin has all of it, an operator all but deleting, the others look only
    assert buttons(card(sign_in("admin"))) == wanted
    assert buttons(card(sign_in("operator"))) == {label: url for label, url in wanted.items() if label != "Delete"}
    for role in ("viewer", "billing"):
        assert buttons(card(sign_in(role))) == {"Details": DETAILS}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("CREATING", "The VM is being created: wait until that is done."),
        ("BUILD", "The VM is being created: wait until that is done."),
        ("STARTING", "The VM is starting: wait until that is done."),
        ("STOPPING", "The VM is stopping: wait until that is done."),
        ("HIBERNATING", "The VM is hibernating: wait until that is done."),
        ("RESTORING", "The VM is being restored: wait until that is done."),
        ("REBOOTING", "The VM is rebooting: wait until that is done."),
        ("DELETING", "The VM is being deleted: wait until that is done."),
    ],
)
def test_it_locks_everything_while_a_vm_changes(admin: Client, sandbox: Sandbox, status: str, reason: str) -> None:
    only(sandbox, status=status)
    shown = buttons(card(admin))
    assert shown.pop("Details") == DETAILS
    assert shown == {"Stop": reason, "Hibernate": reason, "Delete": reason}


@pytest.mark.feature("STATE-16")
@pytest.mark.parametrize(
    ("status", "reason"),
    [("DELETED", "The VM is deleted."), ("RESCUE", "does not know the state RESCUE"), ("", "does not know the state")],
)
def test_it_offers_nothing_for_what_is_deleted_or_unknown(
    admin: Client, sandbox: Sandbox, status: str, reason: str
) -> None:
    only(sandbox, status=status)
    shown = buttons(card(admin))
    assert set(shown) == {"Details", "Delete"}
    assert reason in shown["Delete"]


@pytest.mark.parametrize("view", ["cards", "table"])
def test_it_lets_those_choose_several_who_may_change_them(sandbox: Sandbox, sign_in: Any, view: str) -> None:
    copies(sandbox, 2)
    for role, actions in {
        "viewer": [],
        "billing": [],
        "operator": ["start", "stop", "hibernate"],
        "admin": ["start", "stop", "hibernate", "delete"],
    }.items():
        page = body(sign_in(role).get(URL, {"view": view, "q": "vm-0"}))
        assert page.count('type="checkbox" name="vm"') == (2 if actions else 0)
        assert ('<input type="checkbox" name="vm" value="BRK-101D" form="bulk"' in page) == bool(actions)
        bar = page.partition('<form id="bulk"')[2].partition("</form>")[0]
        assert [action for action in ("start", "stop", "hibernate", "delete") if f'value="{action}"' in bar] == actions
        # all that fit are on this page, so that there is no choice beyond it
        assert 'name="all"' not in bar


def test_it_offers_all_pages_with_the_filters_of_the_list(operator: Client, sandbox: Sandbox) -> None:
    copies(sandbox, 8)
    query = {"region": "CANADA-1", "state": "ACTIVE", "gpu": "H100-PCIe-80GB", "q": "vm-"}
    page = body(operator.get(URL, query))
    bar = page.partition('<form id="bulk"')[2].partition("</form>")[0]
    for name, value in query.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in bar
    assert 'name="all" value="1"' in bar
    assert "All 8 that fit, on every page" in words(bar)


# --- an older copy


@pytest.mark.feature("NAV-15")
def test_it_changes_nothing_from_an_older_copy(admin: Client, sandbox: Sandbox) -> None:
    only(sandbox)
    assert 'id="bulk"' in body(admin.get(URL))
    # when the API is down, then the card is there, its buttons are off and say why, and there is no bar
    sandbox.faults.arm("list_instances", "refuse", times=None)
    page = admin.get(URL)
    assert list(cards(page)) == ["the-vm"]
    assert 'id="bulk"' not in body(page)
    assert 'id="bulk"' not in body(admin.get(URL, {"view": "table"}))
    shown = buttons(cards(page)["the-vm"])
    assert shown.pop("Details") == DETAILS
    assert shown == dict.fromkeys(
        ("Stop", "Hibernate", "Delete"), "Barrack does not answer, so nothing can be changed now."
    )


@pytest.mark.parametrize("instance_id", ["a/b", "a\nb", "😀/", "../../account"])
def test_it_offers_nothing_for_an_id_that_no_address_can_hold(
    admin: Client, sandbox: Sandbox, instance_id: str
) -> None:
    only(sandbox, instance_id=instance_id)
    found = card(admin)
    assert 'href="/vms/../' not in found
    assert 'href=""' not in found
    for label, there in buttons(found).items():
        assert there.startswith("/vms/") or "cannot be used in an address" in there, (label, there)
        assert "/../" not in there
