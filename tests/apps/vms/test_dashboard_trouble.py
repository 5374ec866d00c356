"""/ on a bad day: calls that fail leave a hole in their own card only; and an API that sends what nobody expects."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import RIGHT_TO_LEFT, SCRIPT, alert, body, button, facts, is_off, unescaped, words
from tests.apps.vms.board import TRAINER, home, one_click, operations, options, section
from tests.conftest import HTMX, text_of

ALL = {"details", "operations", "account"}
# Kind and fields of a fault, and the title of the alert about it.
Fault = tuple[str, dict[str, Any], str]
FAULTS: list[Fault] = [
    ("status", {"status": 500}, "Barrack has a problem"),
    ("hang", {}, "Barrack takes too long"),
    ("invalid_json", {}, "Barrack sent an answer that cannot be read"),
]


def complete(response: HttpResponse) -> set[str]:
    """Return the sections that have all that they can have."""
    details, operating, account = (section(response, name) for name in ("details", "operations", "account"))
    whole = set()
    if facts(details).get("CPU") == "56 vCPUs" and facts(details).get("Public IP") == "198.51.100.20":
        whole.add("details")
    offered = [button(operating, action) for action in ("Stop", "Hibernate", "Take Snapshot", "Delete")]
    made_of = facts(operating).get("Made of")
    if (
        len(options(response)) == 17
        and all("hx-get" in found for found in offered)
        and made_of == "2 × $2.25 per GPU and hour"
    ):
        whole.add("operations")
    if (
        "<strong>$2,182.40</strong>" in account
        and facts(account)["Hibernated"] == "1 VM"
        and "cost $14.01 / h" in words(account)
    ):
        whole.add("account")
    return whole


def test_it_is_complete_on_a_good_day(admin: Client) -> None:
    assert complete(home(admin)) == ALL


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
# An operation, the sections that stay whole without it, and the one that suffers, with what it says then.
@pytest.mark.parametrize(
    "case",
    [
        ("list_instances", {"details"}, "operations", "{title}"),
        ("get_credit_balance", {"details", "operations"}, "account", "The balance could not be read."),
        ("get_pricing", {"details"}, "operations", "Now $4.50 / h · $0.0750 / min Rate Full rate"),
        # these two are done without: the list is counted, and the cloud will say what it does not allow
        ("get_hibernated_instances_count", ALL, "account", "Hibernated 1 VM"),
        ("list_snapshot_eligible_instances", ALL, "operations", "Take Snapshot"),
    ],
)
def test_a_call_that_fails_hurts_its_own_card_only(
    admin: Client,
    sandbox: Sandbox,
    fault: Fault,
    case: tuple[str, set[str], str, str],
) -> None:
    (operation, whole, hurt, says), (kind, fields, title) = case, fault
    sandbox.faults.arm(operation, kind, times=None, **fields)
    response = home(admin)
    assert response.status_code == 200
    assert whole <= complete(response)
    assert says.format(title=title) in words(section(response, hurt))
    # what it still knows is there
    assert one_click(section(response, "operations"), "Stop") == f"/vms/{TRAINER}/stop/"
    if operation == "list_instances":
        assert list(options(response)) == [TRAINER]
        assert "<strong>$2,182.40</strong>" in section(response, "account")
        assert facts(section(response, "account"))["Hibernated"] == "1 VM"
    if operation == "get_pricing":
        assert "<strong>$2,182.40</strong>" in section(response, "account")
    assert operation in operations(sandbox)


def test_without_the_vm_the_others_can_be_chosen(admin: Client, sandbox: Sandbox) -> None:
    # given a VM that cannot be read and is not on the list
    sandbox.faults.arm("get_instance", "status", status=500)
    response = home(admin, "BRK-777777D")
    assert response.status_code == 200
    assert "Barrack has a problem" in words(section(response, "details"))
    found = options(response)
    assert found.pop("") == "Choose a VM"
    assert len(found) == 17
    assert button(section(response, "operations"), "Stop") == ""
    assert "account" in complete(response)


def test_without_the_vm_itself_it_is_shown_from_the_list(admin: Client, sandbox: Sandbox) -> None:
    # given a VM whose page was never read, and a list that comes later
    sandbox.faults.arm("get_instance", "status", status=500)
    sandbox.faults.arm("list_instances", "delay", seconds=0.2)
    response = home(admin)
    assert {"details", "operations", "account"} <= complete(response)
    assert "ml-training-server BRK-123456D Active" in words(section(response, "details"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_without_an_answer_the_vm_is_shown_as_it_was(admin: Client, sandbox: Sandbox, fault: Fault) -> None:
    # given a VM that was read before, if only with the list
    home(admin, "")
    sandbox.faults.arm("get_instance", fault[0], times=None, **fault[1])
    response = home(admin)
    assert response.status_code == 200
    assert "details" in complete(response)
    assert "account" in complete(response)
    # then it says from when that is, and nothing can be changed
    assert re.search(
        r"Barrack does not answer; this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(response)
    )
    for action in ("Stop", "Hibernate", "Take Snapshot", "Delete"):
        reason = is_off(section(response, "operations"), action)
        assert reason == "Barrack does not answer, so nothing can be changed now."


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
@pytest.mark.parametrize("vm", ["", TRAINER])
def test_it_stands_when_everything_fails(admin: Client, sandbox: Sandbox, vm: str, fault: Fault) -> None:
    # given an API of which nothing answers, and no older copy
    kind, fields, title = fault
    sandbox.faults.arm("*", kind, times=None, **fields)
    response = home(admin, vm, **HTMX)
    assert response.status_code == 200
    details, operating, account = (section(response, name) for name in ("details", "operations", "account"))
    # then each section says so, and never that there are no VMs, no credits or no cost
    assert (title if vm else "No VM can be shown while the list cannot be read.") in words(details)
    assert title in words(operating)
    assert "The balance could not be read." in words(account)
    assert facts(account)["Hibernated"] == "–"
    for lie in ("No VM yet", "No VM ", "$0.00", "first VM"):
        assert lie not in text_of(response).replace("No VM can be shown", "")
    # and what needs no call is there
    assert "admin@example.com" in account
    assert 'href="/snapshots/">' in account
    # it keeps trying
    assert 'data-poll hx-get="' in body(response)


def test_it_says_what_an_admin_has_to_do(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "status", status=401, times=None)
    response = home(viewer, "")
    assert response.status_code == 200
    assert alert(response).startswith("Barrack refused the portal's key")
    assert "An admin has to set a valid BARRACK_API_KEY" in text_of(response)
    assert "sandbox-key" not in body(response)


def test_it_shows_an_older_copy_of_everything(admin: Client, sandbox: Sandbox) -> None:
    # given a page that was read, then an API that is down
    home(admin, "")
    home(admin)
    sandbox.faults.arm("*", "refuse", times=None)
    for vm in ("", TRAINER):
        response = home(admin, vm)
        assert response.status_code == 200
        assert "Barrack does not answer; this is what it said at" in text_of(response)
        assert body(response).count("this is what it said at") == 1
        assert len(options(response)) == 17
        assert (
            is_off(section(response, "operations"), "Stop") == "Barrack does not answer, so nothing can be changed now."
        )
        # the balance says how old it is
        assert re.search(r"<strong>\$2,182\.40</strong> <span class=\"muted\">read <time", section(response, "account"))


def test_it_says_so_when_only_the_list_is_old(admin: Client, sandbox: Sandbox) -> None:
    home(admin)
    sandbox.faults.arm("list_instances", "status", status=500, times=None)
    response = home(admin)
    assert "this is what it said at" in text_of(response)
    # the VM itself was read anew, so it can be operated
    assert one_click(section(response, "operations"), "Stop")


def test_it_is_told_when_the_api_comes_back(viewer: Client, sandbox: Sandbox) -> None:
    # given an open page without anything on it, then an API that answers again
    sandbox.faults.arm("*", "status", status=500, times=None)
    first = home(viewer, "", **HTMX)
    sandbox.faults.clear()
    again = home(viewer, "", **HTMX, **{"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert len(options(again)) == 17


def test_it_is_told_when_the_list_fails_for_another_reason(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_instances", "status", status=500)
    first = home(viewer, "", **HTMX)
    sandbox.faults.arm("list_instances", "status", status=401)
    again = home(viewer, "", **HTMX, **{"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert alert(again).startswith("Barrack refused the portal's key")


# -- what the API may send


@pytest.mark.parametrize(
    "text", [SCRIPT, "<img src=x onerror=alert(1)>", "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J", "{{ 7|add:7 }}"]
)
@pytest.mark.parametrize("status", ["ACTIVE", "ERROR"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str, status: str) -> None:
    row = sandbox.world.instances[TRAINER]
    row.update(vm_name=text, region=text, gpu_type=text, tier=text, private_ip=text, public_ip=text, status=status)
    row.update(image={"name": text}, ssh_keys=[text])
    response = home(admin)
    assert response.status_code == 200
    assert not unescaped(response)
    assert ">14<" not in body(response)
    assert len(body(response)) < 60_000
    assert "A" * 200 not in body(response)
    # a hostile name keeps its direction to itself
    assert '<p class="board-name"><a href="/vms/BRK-123456D/"><bdi>' in body(response)


def test_it_shows_a_hostile_state_and_offers_nothing_for_it(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER]["status"] = SCRIPT
    response = home(admin)
    assert not unescaped(response)
    assert "does not know the state" in is_off(section(response, "operations"), "Stop")


@pytest.mark.parametrize("odd", ["../a/b", "a/b", "", " "])
def test_it_offers_nothing_for_an_id_that_fits_no_address(admin: Client, sandbox: Sandbox, odd: str) -> None:
    # given a VM that is the newest, with an id that no address can hold
    record = dict(sandbox.world.instances[TRAINER])
    sandbox.world.add("instances", "odd", record | {"instance_id": odd, "created_at": "2099-01-01T00:00:00Z"})
    response = home(admin, "")
    assert response.status_code == 200
    assert 'href="/vms//' not in body(response)
    if "/" in odd:
        part = section(response, "operations")
        for action in ("Stop", "Hibernate", "Reboot", "Take Snapshot", "Delete"):
            assert is_off(part, action) == "Barrack sent an id that cannot be used in an address."


def test_it_shows_dashes_for_what_the_api_left_out(viewer: Client, sandbox: Sandbox) -> None:
    row = sandbox.world.instances[TRAINER]
    for name in set(row) - {"instance_id", "vm_name", "status", "region"}:
        row[name] = None
    response = home(viewer)
    assert response.status_code == 200
    shown = facts(section(response, "details"))
    assert [shown[name] for name in ("CPU", "Memory", "Storage", "GPU", "Private IP")] == ["–"] * 5
    assert shown["Public IP"] == "—"
    assert facts(section(response, "operations"))["Now"] == "–"
    # and the same without the fields at all
    for name in set(row) - {"instance_id", "vm_name", "status", "region"}:
        del row[name]
    assert facts(section(home(viewer), "details")) == shown


@pytest.mark.parametrize("flavor", [{}, {"cpu": 8}, {"ram": "12.5", "disk": 0, "ephemeral": 0}, "nonsense", []])
def test_it_shows_as_much_of_the_hardware_as_is_known(viewer: Client, sandbox: Sandbox, flavor: object) -> None:
    sandbox.world.instances[TRAINER]["flavor"] = flavor
    response = home(viewer)
    assert response.status_code == 200
    shown = facts(section(response, "details"))
    known = flavor if isinstance(flavor, dict) else {}
    assert shown["CPU"] == ("8 vCPUs" if "cpu" in known else "–")
    assert shown["Memory"] == ("12.5 GB" if "ram" in known else "–")
    assert shown["Storage"] == ("0 GB" if "disk" in known else "–")
