"""What starting, stopping, rebooting, hibernating and restoring say before they are sent, and where they differ."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import alert, body, facts, filled, leads_to, submit_button, words
from tests.apps.vms.helpers import set_prices
from tests.apps.vms.power_table import POWERS, state_of_operation, status_of, writes
from tests.conftest import HTMX, text_of, token_of

START, STOP, REBOOT, HIBERNATE, RESTORE = (POWERS[key] for key in ("start", "stop", "reboot", "hibernate", "restore"))
# What the restored VM needs.
PLACE = ("CANADA-1", "A100-SXM4-80GB-NVLink")


def compared(response: HttpResponse) -> dict[str, list[str]]:
    """Return the table of what each way costs: in an hour, a night and a weekend."""
    table = body(response).partition("<tbody>")[2].partition("</tbody>")[0]
    return {
        words(row.partition("<small>")[0]): [words(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
    }


def warning(response: HttpResponse) -> str:
    """Return what the yellow box says; there must be exactly one."""
    (found,) = re.findall(r'<div class="notice notice-warning">(.*?)</div>\s*</div>', body(response), re.DOTALL)
    return words(found)


# -- start


@pytest.mark.feature("VM-01", "VM-18")
def test_starting_says_that_the_price_does_not_change(admin: Client, sandbox: Sandbox) -> None:
    response = admin.get(START.url, headers=HTMX)
    assert facts(body(response)) == {
        "VM": "notebook-anna BRK-123533D",
        "Status": "Stopped (SHUTOFF)",
        "GPU": "1 × A40, NORWAY-1",
        "Cost": "$0.69 / h · $0.0115 / min",
    }
    text = text_of(response)
    assert "Its price does not change: a stopped VM is billed at the full rate already, $0.69 / h." in text
    assert "disks and addresses it has" in text
    # and it runs a while after it was sent
    admin.post(START.url, filled(admin, START.url), headers=HTMX)
    sandbox.world.advance(60)
    assert status_of(sandbox, START) == "ACTIVE"


def test_starting_takes_the_other_word_for_a_stopped_vm(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[START.vm]["status"] = "Stopped"
    assert "Stopped (SHUTOFF)" in text_of(admin.get(START.url, headers=HTMX))
    assert admin.post(START.url, filled(admin, START.url), headers=HTMX).status_code == 200
    assert status_of(sandbox, START) == "STARTING"


# -- stop


@pytest.mark.feature("VM-02", "VM-18")
def test_stopping_warns_that_the_full_rate_goes_on(admin: Client) -> None:
    response = admin.get(STOP.url, headers=HTMX)
    said = warning(response)
    assert said.startswith("A stopped VM is still billed at the full rate")
    assert "so stopping it saves nothing: $4.50 / h go on." in said
    assert "shut down gracefully" in text_of(response)
    # and the toast says it once more
    assert "stays billed at the full rate" in text_of(admin.post(STOP.url, filled(admin, STOP.url), headers=HTMX))


@pytest.mark.feature("VM-02", "VM-17")
def test_stopping_compares_what_each_way_costs(admin: Client) -> None:
    # given two GPUs at $2.25: 12 hours of $4.50 are $54, and 60 are $270
    assert compared(admin.get(STOP.url, headers=HTMX)) == {
        "Stop": ["$4.50", "$54.00", "$270.00"],
        "Hibernate": ["$0.01", "$0.12", "$0.60"],
        "Delete": ["$0.00", "$0.00", "$0.00"],
    }


def test_stopping_compares_with_the_prices_of_today(admin: Client, sandbox: Sandbox) -> None:
    set_prices(sandbox, {"H100-PCIe-80GB": 1.9995})
    assert compared(admin.get(STOP.url, headers=HTMX))["Stop"] == ["$4.00", "$47.99", "$239.94"]


def test_stopping_does_not_guess_a_price_that_is_not_known(admin: Client, sandbox: Sandbox) -> None:
    # given no price list, and a VM of which the API tells no price
    sandbox.faults.arm("get_pricing", "status", status=500, times=None)
    sandbox.world.instances[STOP.vm]["billing"] = None
    response = admin.get(STOP.url, headers=HTMX)
    found = compared(response)
    assert found["Stop"] == [found["Stop"][0]] * 3
    assert not re.search(r"\d", "".join(found["Stop"]))
    assert found["Hibernate"] == ["$0.01", "$0.12", "$0.60"]
    assert warning(response).startswith("A stopped VM is still billed at the full rate Its GPUs stay reserved for you.")


def test_stopping_leads_to_hibernating_instead(admin: Client) -> None:
    page = body(admin.get(STOP.url, headers=HTMX))
    assert f'<a href="/vms/{STOP.vm}/hibernate/" hx-get="/vms/{STOP.vm}/hibernate/"' in page
    assert "Hibernate VM" in text_of(admin.get(f"/vms/{STOP.vm}/hibernate/", headers=HTMX))


# -- reboot


@pytest.mark.feature("VM-03")
def test_rebooting_says_what_ends_and_what_stays(admin: Client, sandbox: Sandbox) -> None:
    text = text_of(admin.get(REBOOT.url, headers=HTMX))
    assert "Everything that runs on it is ended, and SSH connections are cut. Disks and addresses stay." in text
    assert "The price does not change: $5.38 / h." in text
    address = sandbox.world.instances[REBOOT.vm]["public_ip"]
    admin.post(REBOOT.url, filled(admin, REBOOT.url), headers=HTMX)
    sandbox.world.advance(60)
    assert status_of(sandbox, REBOOT) == "ACTIVE"
    assert sandbox.world.instances[REBOOT.vm]["public_ip"] == address


# -- hibernate


@pytest.mark.feature("VM-04", "VM-17")
@pytest.mark.parametrize("state", ["ACTIVE", "SHUTOFF"])
def test_hibernating_warns_what_may_be_lost_and_states_the_new_rate(
    admin: Client, sandbox: Sandbox, state: str
) -> None:
    sandbox.world.instances[HIBERNATE.vm]["status"] = state
    response = admin.get(HIBERNATE.url, headers=HTMX)
    text = text_of(response)
    assert "Once hibernated it costs $0.01 / h instead of $1.55 / h." in text
    said = warning(response)
    assert said.startswith("Only the root disk is certain to be kept")
    memory = "in memory or " if state == "ACTIVE" else ""
    assert f"What is {memory}on other local disks (ephemeral storage) may be lost." in said
    assert "Restoring it needs free GPUs" in text
    # and it can be sent from both states
    assert admin.post(HIBERNATE.url, filled(admin, HIBERNATE.url), headers=HTMX).status_code == 200
    sandbox.world.advance(120)
    assert status_of(sandbox, HIBERNATE) == "HIBERNATED"


@pytest.mark.feature("VM-04")
def test_hibernating_a_stopped_vm_that_the_api_refuses_says_to_start_it_first(admin: Client, sandbox: Sandbox) -> None:
    # given an API that hibernates running VMs only
    sandbox.world.instances[HIBERNATE.vm]["status"] = "SHUTOFF"
    data = filled(admin, HIBERNATE.url)
    body_of_api = {"success": False, "error": "INVALID_STATE", "message": "Only running instances."}
    sandbox.faults.arm("hibernate_instance", "status", status=409, body=body_of_api)
    # when a stopped one is to be hibernated
    response = admin.post(HIBERNATE.url, data, headers=HTMX)
    # then the way out is said, and it can be tried again
    assert response.status_code == 422
    said = alert(response)
    assert "Start it first, then hibernate it." in said
    assert "Barrack says: Only running instances." in said
    assert " disabled" not in submit_button(response)
    assert (state_of_operation(), status_of(sandbox, HIBERNATE)) == ("refused", "SHUTOFF")


# -- restore


@pytest.mark.feature("VM-05", "VM-17")
@pytest.mark.parametrize(("free", "shown"), [(16, "16"), (1, "1"), (0, "0"), (500, "200+")])
def test_restoring_says_how_many_gpus_are_free(admin: Client, sandbox: Sandbox, free: int, shown: str) -> None:
    sandbox.world.stock[PLACE] = free
    response = admin.get(RESTORE.url, headers=HTMX)
    text = text_of(response)
    assert f"It needs 2 free GPUs of the type A100-SXM4-80GB-NVLink in CANADA-1; free now: {shown}." in text
    assert "Without them it stays hibernated, at its reduced rate." in text
    assert "From the moment it is ACTIVE it costs $3.18 / h again." in text
    assert facts(body(response))["Cost"] == "$0.01 / h"
    # and the API decides, not this number
    assert " disabled" not in submit_button(response)


def test_restoring_does_not_say_what_is_free_when_it_is_not_known(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_gpu_stocks", "status", status=404, times=None)
    text = text_of(admin.get(RESTORE.url, headers=HTMX))
    assert "It needs 2 free GPUs of the type A100-SXM4-80GB-NVLink in CANADA-1." in text
    assert "free now" not in text


@pytest.mark.feature("VM-05")
def test_restoring_without_stock_says_that_it_stays_hibernated(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, RESTORE.url)
    sandbox.world.stock[PLACE] = 1
    response = admin.post(RESTORE.url, data, headers=HTMX)
    assert response.status_code == 422
    said = alert(response)
    assert said.startswith("No free GPUs No GPU of this type is free in this region now.")
    assert "The VM stays hibernated at its reduced rate. Try again later" in said
    assert "snapshot" not in said
    assert (state_of_operation(), status_of(sandbox, RESTORE)) == ("refused", "HIBERNATED")
    # and once there are GPUs, the form in the answer works
    sandbox.world.stock[PLACE] = 2
    again = {"intent": "restore", "token": token_of(response)}
    assert admin.post(RESTORE.url, again, headers=HTMX).status_code == 200
    sandbox.world.advance(120)
    assert (status_of(sandbox, RESTORE), sandbox.world.stock[PLACE]) == ("ACTIVE", 0)


def test_restoring_without_credit_says_so(admin: Client, sandbox: Sandbox) -> None:
    data = filled(admin, RESTORE.url)
    sandbox.world.balances["USD"] = sandbox.world.balances["USD"] * 0
    response = admin.post(RESTORE.url, data, headers=HTMX)
    assert alert(response).startswith("Insufficient Credits")
    assert status_of(sandbox, RESTORE) == "HIBERNATED"


# -- where they are shown


@pytest.mark.parametrize(
    ("power", "label"), [(START, "Start"), (STOP, "Stop"), (REBOOT, "Reboot"), (HIBERNATE, "Hibernate"),
                         (RESTORE, "Restore")],
    ids=lambda value: getattr(value, "key", None),
)  # fmt: skip
def test_it_opens_from_the_details_page_as_a_dialog(admin: Client, power: Any, label: str) -> None:
    page = body(admin.get(f"/vms/{power.vm}/"))
    bar = page.partition('<div class="action-bar"')[2].partition("</div>")[0]
    assert leads_to(bar, label) == power.url
    assert f'hx-get="{power.url}" hx-target="#modal-body"' in bar


def test_it_asks_for_the_vm_once_and_changes_nothing_by_being_opened(admin: Client, sandbox: Sandbox) -> None:
    for power in POWERS.values():
        sandbox.log.clear()
        admin.get(power.url, headers=HTMX)
        assert len(sandbox.log.calls("get_instance")) == 1
        assert writes(sandbox) == []
