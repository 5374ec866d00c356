"""/vms/states/: what each state means and costs, with the price of a minute of each GPU."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.vms.states import KNOWN
from barrack_web.sandbox.server import Sandbox
from tests.apps.vms.helpers import body, set_prices, words
from tests.conftest import HTMX, text_of

URL = "/vms/states/"
FULL_RATE = "Full rate (per-minute billing)"


def legend(response: HttpResponse) -> dict[str, str]:
    """Return the lines of the legend by the words of their badges: the badge's tone, and what stands beside it."""
    badge = r'<span class="state state-(\w+)"><span[^>]*></span><bdi>(.*?)</bdi></span>'
    found = {}
    for line in re.findall(r"<li>(.*?)</li>", body(response), flags=re.DOTALL):
        found |= {word: f"{tone}: {words(re.sub(badge, '', line))}" for tone, word in re.findall(badge, line)}
    return found


def minutes(response: HttpResponse) -> dict[str, list[str]]:
    """Return the prices of each GPU: per hour and per minute."""
    table = body(response).partition("<tbody>")[2].partition("</tbody>")[0]
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL):
        model, *prices = (words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL))
        found[model] = prices
    return found


@pytest.mark.feature("STATE-01", "STATE-02", "STATE-03")
def test_it_says_what_the_resting_states_mean_and_cost(viewer: Client) -> None:
    shown = legend(viewer.get(URL))
    assert shown["Active"].startswith("good: The VM is running with all resources allocated.")
    assert "This is the standard working state." in shown["Active"]
    assert FULL_RATE in shown["Active"]
    assert "stopped but resources remain reserved exclusively for your use" in shown["Stopped (SHUTOFF)"]
    assert FULL_RATE in shown["Stopped (SHUTOFF)"]
    assert "state is saved while hardware resources are released." in shown["Hibernated"]
    assert "Only root disk storage remains allocated." in shown["Hibernated"]
    assert "$0.01 / h" in shown["Hibernated"]


@pytest.mark.feature("STATE-04", "STATE-14", "VM-17")
def test_it_says_what_deleted_and_error_mean_and_cost(viewer: Client) -> None:
    shown = legend(viewer.get(URL))
    assert shown["Deleted"].startswith("resting: ")
    assert "permanently removed with all resources released" in shown["Deleted"]
    assert "No charge" in shown["Deleted"]
    assert shown["Error"].startswith("bad: The VM encountered an issue during an operation.")
    assert "storage only" in shown["Hibernated"].lower()
    assert "reduced rate" in shown["Hibernated"]


TRANSITIONAL = {
    "Creating": "Initial creation and configuration",
    "Build": "Initial creation and configuration",
    "Starting": "Powering on",
    "Stopping": "Powering off",
    "Hibernating": "Entering hibernation",
    "Restoring": "Returning from hibernation",
    "Rebooting": "Restarting",
    "Deleting": "Being removed",
}


@pytest.mark.feature("STATE-07", "STATE-08", "STATE-09")
def test_it_says_of_each_state_on_the_way_what_it_is(viewer: Client) -> None:
    shown = legend(viewer.get(URL))
    for word, meaning in TRANSITIONAL.items():
        assert shown[word].startswith(f"moving: {meaning}")
        assert "no additional charge" in shown[word].lower()
        assert "Full rate" not in shown[word]


@pytest.mark.feature("STATE-10", "STATE-11", "STATE-12")
def test_it_has_a_line_for_each_state_that_the_portal_knows(viewer: Client) -> None:
    shown = legend(viewer.get(URL))
    assert {"SHUTOFF" if "SHUTOFF" in word else word.upper() for word in shown} == KNOWN
    assert len(KNOWN) == 13


@pytest.mark.feature("STATE-13", "STATE-15", "STATE-05")
def test_it_says_how_billing_goes(viewer: Client) -> None:
    text = text_of(viewer.get(URL))
    assert "No additional charges apply during these transitional states" in text
    assert "Actions are locked" in text
    assert "one-minute increments" in text


@pytest.mark.feature("STATE-06", "STATE-16", "STATE-18")
def test_it_says_what_is_not_billed_and_what_is_not_known(viewer: Client) -> None:
    text = text_of(viewer.get(URL))
    assert "no minimum usage requirements" in text
    assert "no rounding to hours" in text
    assert "STOPPED and SHUTOFF VMs continue to be billed at the full rate as resources remain reserved" in text
    assert "not in this list is shown as Barrack sends it" in text
    # and both words for stopped stand in one line
    assert "STOPPED" in legend(viewer.get(URL))["Stopped (SHUTOFF)"]


@pytest.mark.feature("STATE-17")
def test_it_shows_the_price_of_a_minute_of_each_gpu(viewer: Client, sandbox: Sandbox) -> None:
    shown = minutes(viewer.get(URL))
    assert {model: prices[1] for model, prices in shown.items()} == {
        "B300-262GB": "$0.0965",
        "H100-SXM5-80GB": "$0.0448",
        "H100-PCIe-NVLink-80GB": "$0.0382",
        "H100-PCIe-80GB": "$0.0375",
        "A100-SXM4-80GB-NVLink": "$0.0265",
        "A100-PCIe-80GB": "$0.0258",
        "L40": "$0.0198",
        "RTX-A6000": "$0.0115",
        "A40": "$0.0115",
    }
    assert shown["H100-SXM5-80GB"][0] == "$2.69"
    # they are Barrack's own prices, whatever these are
    set_prices(sandbox, {"L40": 1.19, "Z900": 6})
    assert minutes(viewer.get(URL)) == {"Z900": ["$6.00", "$0.10"], "L40": ["$1.19", "$0.0198"]}


@pytest.mark.parametrize(
    ("currency", "hibernated", "minute"), [("EUR", "€0.01 / h", "€0.0415"), ("INR", "₹1.00 / h", "₹3.98")]
)
def test_it_is_in_the_accounts_currency(
    viewer: Client, sandbox: Sandbox, currency: str, hibernated: str, minute: str
) -> None:
    sandbox.reset("demo", currency=currency)
    response = viewer.get(URL)
    assert hibernated in legend(response)["Hibernated"]
    assert minutes(response)["H100-SXM5-80GB"][1] == minute
    assert f"Barrack's prices in {currency}" in text_of(response).replace("&#x27;", "'")


def test_it_shows_the_hibernation_price_that_the_api_tells(viewer: Client, sandbox: Sandbox) -> None:
    body_of = {"success": True, "count": 2, "billing_metrics": {"rate_per_hour": 0.02, "currency": "USD"}}
    sandbox.faults.arm("get_hibernated_instances_count", "status", status=200, body=body_of, times=None)
    assert "$0.02 / h" in legend(viewer.get(URL))["Hibernated"]


@pytest.mark.parametrize("kind", ["refuse", "html", "invalid_json"])
def test_it_is_whole_without_prices(viewer: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("*", kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert "The prices could not be read from Barrack." in text_of(response)
    assert minutes(response) == {}
    # what is documented is there all the same
    assert "$0.01 / h" in legend(response)["Hibernated"]
    assert {"SHUTOFF" if "SHUTOFF" in word else word.upper() for word in legend(response)} == KNOWN


def test_it_is_whole_when_the_prices_hang(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_pricing", "hang", times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert len(legend(response)) == len(KNOWN)


def test_it_shows_a_hostile_price_list_as_text(viewer: Client, sandbox: Sandbox) -> None:
    set_prices(sandbox, {"<script>alert(1)</script>": 1, "x" * 5000: 2})
    response = viewer.get(URL)
    assert "<script>alert" not in body(response)
    assert "x" * 100 not in body(response)
    assert len(minutes(response)) == 2


def test_it_opens_in_a_dialog_or_as_a_page(viewer: Client) -> None:
    part = body(viewer.get(URL, headers=HTMX))
    assert "<html" not in part
    assert "VM states and billing" in part
    assert len(legend(viewer.get(URL, headers=HTMX))) == len(KNOWN)
    page = viewer.get(URL)
    assert "<html" in body(page)
    # and the list leads to it
    assert f'href="{URL}" hx-get="{URL}"' in body(viewer.get("/vms/"))


def test_it_is_there_for_every_role_and_takes_no_form(sandbox: Sandbox, sign_in: Any) -> None:
    for role in ("viewer", "billing", "operator", "admin"):
        assert sign_in(role).get(URL).status_code == 200
    assert sign_in("admin").post(URL).status_code == 405


def test_it_sends_a_visitor_to_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []
