"""/vms/<id>/ on a bad day: a VM that is gone, an API that fails, and one that sends what nobody expects."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from apps.activity.events import append
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    READ_FAULTS,
    READ_REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    facts,
    is_off,
    leads_to,
    no_alert,
    unescaped,
)
from tests.apps.vms.board import keep_copies, one_click, operations
from tests.conftest import HTMX, text_of

TRAINER = "BRK-123456D"
URL = f"/vms/{TRAINER}/"
ACTIONS = ("Stop", "Reboot", "Hibernate", "Take Snapshot", "Remove public IP", "Delete", "Add rule", "Remove")


def asked_for(sandbox: Sandbox) -> set[str]:
    """Return the paths of single VMs that the cloud was asked for."""
    lists = {"/instances/snapshot-eligible", "/instances/billing", "/instances/hibernated/count"}
    return {call.path for call in sandbox.log.calls() if call.path.startswith("/instances/")} - lists


# -- missing things


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("query", [{}, {"tab": "billing"}])
def test_it_says_that_a_vm_is_gone_and_leads_to_what_is_left(
    viewer: Client, sandbox: Sandbox, headers: dict[str, str], query: dict[str, str]
) -> None:
    # given a VM that was stopped through the portal, was read, and then went away
    append(action="instance.stop", target_id=TRAINER, target_name="ml-training-server", result="done", who="ada")
    viewer.get(URL, query, headers=headers)
    del sandbox.world.instances[TRAINER]
    response = viewer.get(URL, query, headers=headers)
    # then its page says so, with its name, its id and what was done to it
    assert response.status_code == 404
    assert f"Barrack knows no VM “ ml-training-server ” with the id {TRAINER}" in text_of(response)
    assert "Stop VM" in text_of(response)
    assert f'<a href="/activity/?target={TRAINER}">Its activity</a>' in body(response)
    for where in ("/vms/", "/snapshots/"):
        assert f'<a href="{where}">' in body(response)
    # an open page gets it in place, and stops looking
    assert response["X-Part"] == "1"
    assert ("<html" in body(response)) == (not headers)
    assert '<section id="vm"' in body(response)
    assert "data-poll" not in body(response)
    assert "198.51.100.20" not in body(response)


def test_it_says_so_of_a_vm_that_never_was(viewer: Client) -> None:
    response = viewer.get("/vms/BRK-999999D/")
    assert response.status_code == 404
    assert "Barrack knows no VM with the id BRK-999999D" in text_of(response)
    assert "Nothing was done to this VM through the portal" in text_of(response)


def test_it_takes_a_copy_in_the_list_for_no_proof(viewer: Client, sandbox: Sandbox) -> None:
    # given a list that was read before, then a VM that the API does not know any more
    viewer.get("/vms/")
    sandbox.faults.arm("get_instance", "status", status=404, times=None)
    assert viewer.get(URL).status_code == 404


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "<script>alert(1)<%2Fscript>", "A" * 5000])
def test_it_asks_the_cloud_for_no_impossible_id(viewer: Client, sandbox: Sandbox, impossible: str) -> None:
    for tab in ("", "?tab=billing"):
        response = viewer.get(f"/vms/{impossible}/{tab}")
        assert response.status_code == 404
        assert not unescaped(response)
        assert "A" * 200 not in text_of(response)
    assert asked_for(sandbox) == set()


@pytest.mark.parametrize("address", ["a%2Fb/", "..%2F..%2Fbalance/", "a/b/", "%2F/", "BRK-123456D/nothing/"])
def test_it_has_no_page_for_an_id_with_a_slash(viewer: Client, sandbox: Sandbox, address: str) -> None:
    response = viewer.get(f"/vms/{address}")
    assert response.status_code == 404
    assert "There is nothing at this address" in text_of(response)
    assert asked_for(sandbox) == set()


@pytest.mark.parametrize("odd", ["a%252Fb", "a%3Fb", "a%23b", "a%3Bb", "%C3%A9", "start%20"])
def test_it_quotes_an_odd_id_whole(viewer: Client, sandbox: Sandbox, odd: str) -> None:
    assert viewer.get(f"/vms/{odd}/").status_code == 404
    assert asked_for(sandbox) <= {f"/instances/{odd}", f"/instances/{odd}/firewalls"}


# -- roles and methods


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("tab", ["details", "nonsense", "", "BILLING", "<script>"])
def test_it_takes_any_other_tab_for_the_details(viewer: Client, sandbox: Sandbox, tab: str) -> None:
    response = viewer.get(URL, {"tab": tab})
    assert response.status_code == 200
    assert f'<a href="{URL}" aria-current="page">Details</a>' in body(response)
    assert sandbox.log.calls("get_instance_billing") == []


# -- parts, polling and calls


def test_it_answers_only_the_state_to_htmx_and_304_while_it_is_the_same(operator: Client, sandbox: Sandbox) -> None:
    first = operator.get(URL, headers=HTMX)
    assert "<html" not in body(first)
    assert f'data-poll hx-get="{URL}" hx-trigger="every 8s, ' in body(first)
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    again = operator.get(URL, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert operator.get(URL, {"tab": "billing"}, headers=tag).status_code == 200
    # each thing that the page shows is a change
    record = sandbox.world.instances[TRAINER]
    record["status"] = "STOPPING"
    assert operator.get(URL, headers=tag).status_code == 200
    record["status"] = "ACTIVE"
    assert operator.get(URL, headers=tag).status_code == 304
    sandbox.world.snapshots["BRK-123456S"]["status"] = "ERROR"
    assert operator.get(URL, headers=tag).status_code == 200
    sandbox.world.snapshots["BRK-123456S"]["status"] = "SUCCESS"
    append(action="instance.stop", target_id=TRAINER, target_name="x", result="done", who="ada")
    assert operator.get(URL, headers=tag).status_code == 200


def test_its_bill_is_a_change_too(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(URL, {"tab": "billing"}, headers=HTMX)
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    assert viewer.get(URL, {"tab": "billing"}, headers=tag).status_code == 304
    sandbox.world.advance(120)
    assert viewer.get(URL, {"tab": "billing"}, headers=tag).status_code == 200


def test_it_is_drawn_anew_when_time_alone_makes_a_young_rule_old(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM whose only rule is new, so that it may not hold yet
    sandbox.world.firewalls.clear()
    record = sandbox.world.instances[TRAINER]
    rule = {**record["security_rules"][0], "remote_ip_prefix": "0.0.0.0/0", "created_at": iso(sandbox.world.now())}
    record["security_rules"] = [rule]
    first = viewer.get(URL, headers=HTMX)
    assert "up to 10 minutes" in text_of(first)
    tag = {**HTMX, "If-None-Match": first["ETag"]}
    assert viewer.get(URL, headers=tag).status_code == 304
    # when nothing but time has passed, then the open page is told that it holds now
    with clock.moved(timedelta(minutes=11)):
        again = viewer.get(URL, headers=tag)
    assert again.status_code == 200
    assert "was not made in the last 10 minutes" in text_of(again)


def test_it_is_drawn_anew_when_the_vm_is_new_no_longer(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM that is a day old in two minutes
    sandbox.world.instances[TRAINER]["created_at"] = iso(sandbox.world.now() - timedelta(hours=23, minutes=58))
    first = viewer.get(URL, headers=HTMX)
    assert viewer.get(URL, headers={**HTMX, "If-None-Match": first["ETag"]}).status_code == 304
    with clock.moved(timedelta(minutes=3)):
        again = viewer.get(URL, headers={**HTMX, "If-None-Match": first["ETag"]})
    assert again.status_code == 200
    assert "whats-next" in body(first)
    assert "whats-next" not in body(again)
    assert facts(body(again))["ID"] == TRAINER


def test_it_costs_one_call_for_each_thing_it_shows(viewer: Client, sandbox: Sandbox, settings: Settings) -> None:
    keep_copies(settings)
    viewer.get(URL)
    assert operations(sandbox) == [
        "get_credit_balance",
        "get_instance",
        "get_instance_firewalls",
        "get_pricing",
        "list_snapshot_eligible_instances",
        "list_snapshots",
    ]
    # and with all of it at hand, none
    sandbox.log.clear()
    viewer.get(URL)
    viewer.get(URL, headers=HTMX)
    assert operations(sandbox) == []
    viewer.get(URL, {"tab": "billing"})
    assert operations(sandbox) == ["get_instance_billing"]


# -- bad days


@pytest.mark.parametrize(("status", "title", "shown"), READ_REFUSALS)
def test_it_says_what_the_api_refused(viewer: Client, sandbox: Sandbox, status: int, title: str, shown: int) -> None:
    sandbox.faults.arm("get_instance", "status", status=status, times=None)
    for headers in ({}, HTMX):
        response = viewer.get(URL, headers=headers)
        assert response.status_code == shown
        assert alert(response).startswith(title)


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_says_so_when_the_api_is_down(viewer: Client, sandbox: Sandbox, kind: str, title: str, shown: int) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = viewer.get(URL)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert f'href="{URL}">Try again</a>' in body(response)


@pytest.mark.parametrize("where", [URL, "/vms/"])
def test_it_shows_the_older_copy_with_its_age_and_no_write_buttons(admin: Client, sandbox: Sandbox, where: str) -> None:
    # given a VM that was read before, by itself or with the list
    admin.get(where)
    sandbox.faults.arm("get_instance", "status", status=500, times=None)
    response = admin.get(URL)
    assert response.status_code == 200
    assert facts(body(response))["ID"] == TRAINER
    assert re.search(r"this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(response))
    reason = "Barrack does not answer, so nothing can be changed now."
    assert [is_off(body(response), action) for action in ACTIONS] == [reason] * len(ACTIONS)
    # and it keeps trying: with the API the buttons come back
    assert "data-poll" in body(response)
    tag = {**HTMX, "If-None-Match": admin.get(URL, headers=HTMX)["ETag"]}
    sandbox.faults.clear()
    again = admin.get(URL, headers=tag)
    assert again.status_code == 200
    assert one_click(body(again), "Stop")


def test_it_says_what_to_do_about_a_refused_key_above_the_older_copy(admin: Client, sandbox: Sandbox) -> None:
    admin.get(URL)
    sandbox.faults.arm("get_instance", "status", status=401, times=None)
    response = admin.get(URL)
    assert "Barrack refused the portal's key; this is what it said at" in text_of(response)
    assert is_off(body(response), "Stop").startswith("Barrack refused the portal's key")


# What fails, and what the page says then in the place of it.
BESIDE = [
    ("get_instance_firewalls", "Firewalls could not be read"),
    ("get_pricing", "Now $4.50 / h"),
    ("list_snapshots", "The snapshots could not be read from Barrack"),
    ("list_snapshot_eligible_instances", "Take Snapshot"),
    ("get_credit_balance", "2 × $2.25 per GPU and hour"),
]


@pytest.mark.parametrize("fault", [("status", 500), ("status", 404), ("invalid_json", None), ("hang", None)])
@pytest.mark.parametrize(("operation", "says"), BESIDE)
def test_it_does_without_what_stands_beside_it(
    operator: Client, sandbox: Sandbox, operation: str, says: str, fault: tuple[str, int | None]
) -> None:
    sandbox.faults.arm(operation, fault[0], status=fault[1], times=None)
    response = operator.get(URL)
    assert response.status_code == 200
    assert no_alert(response)
    assert says in text_of(response)
    # and all the rest is there
    assert facts(body(response))["GPU"] == "2 × H100-PCIe-80GB"
    for action in ("Stop", "Take Snapshot", "Add rule"):
        assert one_click(body(response), action)
    for name, other in BESIDE[:3]:
        assert (other in text_of(response)) == (name in {operation, "get_pricing"})


def test_it_says_that_nothing_is_let_in_only_when_that_is_certain(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.firewalls.clear()
    sandbox.world.instances[TRAINER]["security_rules"] = []
    assert "There is no rule, so nothing is let in." in text_of(viewer.get(URL))


def test_it_says_that_rules_are_missing_without_the_firewalls(operator: Client, sandbox: Sandbox) -> None:
    # given a VM without a rule of its own, whose firewalls cannot be read
    sandbox.world.instances[TRAINER]["security_rules"] = []
    sandbox.faults.arm("get_instance_firewalls", "status", status=500, times=None)
    shown = text_of(operator.get(URL))
    assert "The attached firewalls could not be read, so their rules are missing here." in shown
    assert "The VM has no rule of its own." in shown
    # then nobody is told that nothing is let in
    assert "There is no rule, so nothing is let in." not in shown


# -- what the API may send


@pytest.mark.parametrize(
    "text", [SCRIPT, "<img src=x onerror=alert(1)>", "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J", "{{ 7|add:7 }}"]
)
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    world = sandbox.world
    row = world.instances[TRAINER]
    rule = row["security_rules"][0] | dict.fromkeys(
        ("direction", "protocol", "ethertype", "remote_ip_prefix", "status"), text
    )
    row.update(vm_name=text, region=text or "X", gpu_type=text, tier=text, private_ip=text, public_ip=text)
    row.update(image={"name": text}, ssh_keys=[text] * 30, security_rules=[rule] * 80, power_state=text)
    row["flavor"] |= {"name": text, "gpu": text}
    world.volumes["BRK-123458V"].update(volume_name=text, device=text, status=text, volume_type=text)
    for firewall in world.firewalls.values():
        firewall.update(name=text, status=text, rules=[rule] * 3)
    for snapshot in world.snapshots.values():
        snapshot.update(snapshot_name=text, status=text or "X", instance_id=TRAINER)
    for status in ("ACTIVE", "ERROR", text or "X"):
        row["status"] = status
        for tab in ("details", "billing"):
            response = admin.get(URL, {"tab": tab})
            assert response.status_code == 200
            assert not unescaped(response)
            assert ">14<" not in body(response)
            assert "A" * 210 not in body(response)
            assert len(body(response)) < 150_000


def test_it_keeps_the_direction_of_names_to_themselves(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER].update(vm_name=RIGHT_TO_LEFT, ssh_keys=[RIGHT_TO_LEFT])
    sandbox.world.volumes["BRK-123458V"]["volume_name"] = RIGHT_TO_LEFT
    sandbox.world.snapshots["BRK-123456S"]["snapshot_name"] = RIGHT_TO_LEFT
    page = body(viewer.get(URL))
    part = page.partition("<main")[2]
    assert part.count(RIGHT_TO_LEFT) == part.count(f"<bdi>{RIGHT_TO_LEFT}</bdi>") == 4


def test_it_shows_dashes_for_what_the_api_left_out(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.firewalls.clear()
    sandbox.world.volumes.clear()
    row = sandbox.world.instances[TRAINER]
    optional = set(row) - {"instance_id", "vm_name", "status", "region"}
    for name in optional:
        row[name] = None
    response = admin.get(URL)
    assert response.status_code == 200
    assert no_alert(response)
    shown = facts(body(response))
    dashes = ("Zone", "Tier", "Image", "Created", "CPU", "Memory", "Storage", "GPU", "Now", "Private IP", "SSH keys")
    assert [shown[name] for name in dashes] == ["–"] * len(dashes)
    assert (shown["Public IP"], shown["Rate"], shown["Firewalls"]) == ("—", "Not known", "None attached")
    assert "Barrack does not say which rules the VM has of its own." in text_of(response)
    assert "No volume is attached." in text_of(response)
    # and the same when the fields are not there at all
    for name in optional:
        del row[name]
    assert facts(body(admin.get(URL))) == shown


def test_it_says_when_the_volumes_are_not_told(viewer: Client, sandbox: Sandbox) -> None:
    bare = {"instance_id": TRAINER, "vm_name": "bare", "status": "ACTIVE", "region": "CANADA-1"}
    answer = {"success": True, "instance": bare}
    sandbox.faults.arm("get_instance", "status", status=200, body=answer, times=None)
    response = viewer.get(URL)
    assert response.status_code == 200
    assert "Barrack does not say which volumes are attached." in text_of(response)


@pytest.mark.parametrize("value", ["nonsense", -1, {"a": 1}, [None]])
def test_it_shows_a_vm_whose_optional_fields_are_odd(viewer: Client, sandbox: Sandbox, value: Any) -> None:
    sandbox.world.firewalls.clear()
    row = sandbox.world.instances[TRAINER]
    for field in set(row) - {"instance_id", "vm_name", "status", "region"}:
        before, row[field] = row[field], value
        response = viewer.get(URL)
        assert response.status_code == 200, f"{field}={value!r}"
        assert facts(body(response))["ID"] == TRAINER
        row[field] = before


@pytest.mark.parametrize("field", ["instance_id", "vm_name", "status", "region"])
def test_it_says_so_when_a_required_field_is_missing(viewer: Client, sandbox: Sandbox, field: str) -> None:
    del sandbox.world.instances[TRAINER][field]
    response = viewer.get(URL)
    assert response.status_code == 502
    assert alert(response).startswith("Barrack sent an answer that cannot be read")


def test_it_offers_nothing_for_an_id_that_fits_no_address(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER]["instance_id"] = "../a/b"
    response = admin.get(URL)
    assert response.status_code == 200
    for action in ("Stop", "Reboot", "Hibernate", "Take Snapshot", "Remove public IP", "Delete", "Add rule"):
        assert is_off(body(response), action) == "Barrack sent an id that cannot be used in an address."
    assert leads_to(body(response), "SSH config") == ""


@pytest.mark.parametrize("rule_id", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT])
def test_it_shows_a_rule_with_a_hostile_id_safely(admin: Client, sandbox: Sandbox, rule_id: str) -> None:
    sandbox.world.instances[TRAINER]["security_rules"][0]["id"] = rule_id
    response = admin.get(URL)
    assert response.status_code == 200
    assert not unescaped(response)
    # no id is so long, and so no address is
    assert "A" * 1000 not in body(response)


def test_it_offers_no_removal_of_a_rule_whose_id_fits_no_address(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[TRAINER]["security_rules"][0]["id"] = "a/b"
    response: HttpResponse = admin.get(URL)
    assert response.status_code == 200
    assert "/rules/a/b/delete/" not in body(response)
    assert one_click(body(response), "Add rule")
