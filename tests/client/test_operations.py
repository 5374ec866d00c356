"""Every call goes where its row of the table says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from barrack_web.client import (
    OPERATIONS,
    BarrackError,
    ChatMessage,
    Client,
    DeploymentRequest,
    FirewallRequest,
    FirewallRuleRequest,
    Missing,
    Operation,
    PricingRequest,
    ScriptChange,
    ScriptRequest,
    SecurityRuleRequest,
    VolumeRequest,
)

from .conftest import BASE, KEY, Cloud

RULE = SecurityRuleRequest("ingress", "tcp", "IPv4", "203.0.113.0/24", 22, 22)
FIREWALL_RULE = FirewallRuleRequest("ingress", "icmp", "IPv4", "0.0.0.0/0")
VM = DeploymentRequest(vm_name="n", gpu_model="L40", gpu_count=1, region="US-1", ssh_keys=("k",), os_image="Ubuntu")
VOLUME = VolumeRequest(name="n", region="US-1", size_gb=10)
HELLO = (ChatMessage("user", "hello"),)

# The test's own copy of the paths: operation → call, method, path.
CALLS: dict[str, tuple[Callable[[Client], object], str, str]] = {
    "get_credit_balance": (lambda c: c.billing.balance(), "GET", "/balance"),
    "get_gpu_stocks": (lambda c: c.catalog.stocks(), "GET", "/gpu-stocks"),
    "get_gpu_specs": (lambda c: c.catalog.specs(), "GET", "/gpu-specs"),
    "list_regions": (lambda c: c.catalog.regions(), "GET", "/regions"),
    "get_pricing": (lambda c: c.catalog.prices(), "GET", "/pricing/"),
    "query_pricing": (lambda c: c.catalog.query_prices(PricingRequest(tier="legacy")), "POST", "/pricing/"),
    "list_os_images": (lambda c: c.catalog.os_images(), "GET", "/os-images"),
    "create_instance": (lambda c: c.instances.deploy(VM), "POST", "/instances"),
    "list_instances": (lambda c: c.instances.list(), "GET", "/instances"),
    "get_instance": (lambda c: c.instances.get("BRK-1D"), "GET", "/instances/BRK-1D"),
    "delete_instance": (lambda c: c.instances.delete("BRK-1D"), "DELETE", "/instances/BRK-1D"),
    "get_instance_billing": (lambda c: c.instances.billing(), "GET", "/instances/billing"),
    "hibernate_instance": (lambda c: c.instances.hibernate("BRK-1D"), "POST", "/instances/BRK-1D/hibernate"),
    "reboot_instance": (lambda c: c.instances.reboot("BRK-1D"), "POST", "/instances/BRK-1D/reboot"),
    "restore_instance": (lambda c: c.instances.restore("BRK-1D"), "POST", "/instances/BRK-1D/restore"),
    "start_instance": (lambda c: c.instances.start("BRK-1D"), "POST", "/instances/BRK-1D/start"),
    "stop_instance": (lambda c: c.instances.stop("BRK-1D"), "POST", "/instances/BRK-1D/stop"),
    "toggle_instance_public_ip": (
        lambda c: c.instances.toggle_public_ip("BRK-1D"),
        "POST",
        "/instances/BRK-1D/toggle-public-ip",
    ),
    "get_hibernated_instances_count": (lambda c: c.instances.hibernated_count(), "GET", "/instances/hibernated/count"),
    "add_instance_security_rule": (
        lambda c: c.instances.add_rule("BRK-1D", RULE),
        "POST",
        "/instances/BRK-1D/security-rules",
    ),
    "remove_instance_security_rule": (
        lambda c: c.instances.remove_rule("BRK-1D", "77"),
        "DELETE",
        "/instances/BRK-1D/security-rules/77",
    ),
    "list_snapshot_eligible_instances": (
        lambda c: c.instances.eligible_for_snapshots("US-1"),
        "GET",
        "/instances/snapshot-eligible",
    ),
    "list_ssh_keys": (lambda c: c.ssh_keys.list(), "GET", "/ssh-keys"),
    "create_ssh_key": (lambda c: c.ssh_keys.create("laptop"), "POST", "/ssh-keys"),
    "get_ssh_key": (lambda c: c.ssh_keys.get("88"), "GET", "/ssh-keys/88"),
    "delete_ssh_key": (lambda c: c.ssh_keys.delete("88"), "DELETE", "/ssh-keys/88"),
    "list_scripts": (lambda c: c.scripts.list(), "GET", "/scripts"),
    "create_script": (lambda c: c.scripts.create(ScriptRequest(name="n", content="#!")), "POST", "/scripts"),
    "get_script": (lambda c: c.scripts.get("12"), "GET", "/scripts/12"),
    "update_script": (lambda c: c.scripts.update("12", ScriptChange(name="n")), "PUT", "/scripts/12"),
    "delete_script": (lambda c: c.scripts.delete("12"), "DELETE", "/scripts/12"),
    "delete_scripts": (lambda c: c.scripts.delete_several(["12", "13"]), "POST", "/scripts/bulk-delete"),
    "list_firewalls": (lambda c: c.firewalls.list(), "GET", "/firewalls"),
    "get_firewall": (lambda c: c.firewalls.get("31"), "GET", "/firewalls/31"),
    "attach_firewall": (lambda c: c.firewalls.attach("31", ["BRK-1D"]), "POST", "/firewalls/31/attachments"),
    "get_instance_firewalls": (lambda c: c.firewalls.of_instance("BRK-1D"), "GET", "/instances/BRK-1D/firewalls"),
    "delete_firewall": (lambda c: c.firewalls.delete("31"), "DELETE", "/firewalls/31"),
    "remove_firewall_rule": (lambda c: c.firewalls.remove_rule("31", "7"), "DELETE", "/firewalls/31/rules/7"),
    "add_firewall_rule": (lambda c: c.firewalls.add_rule("31", FIREWALL_RULE), "POST", "/firewalls/31/rules"),
    "create_firewall": (
        lambda c: c.firewalls.create(FirewallRequest(name="web", region="US-1")),
        "POST",
        "/firewalls",
    ),
    "list_firewall_protocols": (lambda c: c.firewalls.protocols(), "GET", "/firewalls/protocols"),
    "list_instances_for_firewalls": (
        lambda c: c.firewalls.available_instances(),
        "GET",
        "/firewalls/available-instances",
    ),
    "list_snapshots": (lambda c: c.snapshots.list(), "GET", "/snapshots"),
    "get_snapshots_billing": (lambda c: c.snapshots.billing(), "GET", "/snapshots/billing"),
    "get_snapshot": (lambda c: c.snapshots.get("BRK-1S"), "GET", "/snapshots/BRK-1S"),
    "delete_snapshot": (lambda c: c.snapshots.delete("BRK-1S"), "DELETE", "/snapshots/BRK-1S"),
    "restore_snapshot": (
        lambda c: c.snapshots.restore("BRK-1S", new_vm_name="n"),
        "POST",
        "/snapshots/BRK-1S/restore",
    ),
    "create_snapshot": (lambda c: c.snapshots.create(instance_id="BRK-1D", name="n"), "POST", "/snapshots"),
    "list_images": (lambda c: c.images.list(), "GET", "/images"),
    "get_image": (lambda c: c.images.get("501"), "GET", "/images/501"),
    "delete_image": (lambda c: c.images.delete("501"), "DELETE", "/images/501"),
    "create_image_from_snapshot": (
        lambda c: c.images.create_from_snapshot(snapshot_id="BRK-1S", name="n"),
        "POST",
        "/images",
    ),
    "get_snapshot_image_relationship": (lambda c: c.images.relationship("BRK-1S"), "GET", "/snapshots/BRK-1S/image"),
    "list_snapshot_image_relationships": (
        lambda c: c.images.relationships(["BRK-1S"]),
        "POST",
        "/snapshots/images/batch",
    ),
    "chat_completions": (lambda c: c.assistant.chat("m", HELLO), "POST", "/ai/chat/completions"),
    "get_ai_usage_summary": (lambda c: c.assistant.usage(), "GET", "/ai/usage/summary"),
    "get_ai_usage_history": (lambda c: c.assistant.history(), "GET", "/ai/usage/history"),
    "list_ai_models": (lambda c: c.assistant.models(), "GET", "/ai/models"),
    "attach_volumes": (
        lambda c: c.volumes.attach("BRK-1D", ["BRK-1V"]),
        "POST",
        "/instances/BRK-1D/attach-volumes",
    ),
    "detach_volumes": (
        lambda c: c.volumes.detach("BRK-1D", ["BRK-1V"]),
        "POST",
        "/instances/BRK-1D/detach-volumes",
    ),
    "clone_volume": (lambda c: c.volumes.clone("BRK-1V", "copy"), "POST", "/volumes/BRK-1V/clone"),
    "resize_volume": (lambda c: c.volumes.resize("BRK-1V", 200), "POST", "/volumes/BRK-1V/resize"),
    "get_volume_billing": (lambda c: c.volumes.billing(), "GET", "/volumes/billing"),
    "list_volume_types": (lambda c: c.volumes.types(), "GET", "/volumes/types"),
    "list_volumes": (lambda c: c.volumes.list(), "GET", "/volumes"),
    "create_volume": (lambda c: c.volumes.create(VOLUME), "POST", "/volumes"),
    "get_volume": (lambda c: c.volumes.get("BRK-1V"), "GET", "/volumes/BRK-1V"),
    "delete_volume": (lambda c: c.volumes.delete("BRK-1V"), "DELETE", "/volumes/BRK-1V"),
}
# Listed twice by the API under other paths; the first entry is the one that is called.
ALIASES = {
    "create_instance_snapshot": "create_snapshot",
    "get_snapshot_billing": "get_snapshots_billing",
    "list_instances_for_firewall": "list_instances_for_firewalls",
}
# Reads by POST, since their question is a body; nothing else that is no GET may be repeated.
READS_BY_POST = {"query_pricing", "list_snapshot_image_relationships"}


@pytest.mark.parametrize("name", CALLS)
def test_it_calls_method_and_path_of_the_table_with_the_key(cloud: Cloud, name: str) -> None:
    call, method, path = CALLS[name]
    with pytest.raises(BarrackError) as raised:
        call(cloud.answering({}, 418))
    (request,) = cloud.requests
    assert (request.method, str(request.url).split("?")[0]) == (method, BASE + path)
    assert request.headers["X-API-Key"] == KEY
    assert raised.value.operation == name


def test_it_has_a_call_for_every_row_that_is_no_alias() -> None:
    assert set(CALLS) == {name for name, row in OPERATIONS.items() if not row.alias_of}
    assert {name: row.alias_of for name, row in OPERATIONS.items() if row.alias_of} == ALIASES


def test_it_marks_exactly_the_reads_as_safe_to_repeat() -> None:
    safe = {name for name, row in OPERATIONS.items() if row.safe}
    assert safe == {name for name, row in OPERATIONS.items() if row.method == "GET"} | READS_BY_POST


def test_it_streams_by_the_same_row(cloud: Cloud) -> None:
    with pytest.raises(BarrackError) as raised:
        list(cloud.answering({}, 418).assistant.chat_stream("m", HELLO))
    (request,) = cloud.requests
    assert (request.method, str(request.url)) == ("POST", BASE + "/ai/chat/completions")
    assert raised.value.operation == "chat_completions"


def test_it_takes_method_path_query_names_and_result_key_from_a_replaced_row(cloud: Cloud) -> None:
    row = replace(OPERATIONS["list_snapshots"], path="/v2/snaps/", query={"page": "p"}, result="items")
    client = cloud.client(
        lambda _request: httpx.Response(200, json={"items": []}), operations={**OPERATIONS, "list_snapshots": row}
    )
    assert len(client.snapshots.list()) == 0
    assert str(cloud.requests[0].url) == BASE + "/v2/snaps/?p=1"


@pytest.mark.parametrize(
    "changes",
    [{"method": "FETCH"}, {"path": "no-slash"}, {"path": "/a?b=c"}, {"path": "/{other_id}"}, {"kind": "slow"}],
    ids=str,
)
def test_it_refuses_a_row_that_could_never_be_called(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="get_snapshot"):
        Client(BASE, KEY, operations={**OPERATIONS, "get_snapshot": replace(OPERATIONS["get_snapshot"], **changes)})


def test_it_refuses_a_table_that_lacks_an_operation() -> None:
    table: dict[str, Operation] = {name: row for name, row in OPERATIONS.items() if name != "list_regions"}
    with pytest.raises(ValueError, match="list_regions"):
        Client(BASE, KEY, operations=table)


@pytest.mark.parametrize(
    "impossible",
    ["", " ", ".", "..", "a/b", "a\\b", "../balance", "a..b", "a\nb", "a\x00", "x" * 129, "\ud800", "\u202ea"],
    ids=ascii,
)
def test_it_calls_an_impossible_id_missing_without_a_call(cloud: Cloud, impossible: str) -> None:
    client = cloud.answering({"success": True})
    for call in (client.snapshots.get, client.snapshots.delete, client.instances.get, client.images.relationship):
        with pytest.raises(Missing):
            call(impossible)
    assert cloud.requests == []


def test_it_quotes_ids(cloud: Cloud) -> None:
    with pytest.raises(Missing):
        cloud.answering({}, 404).snapshots.get("a?b#c%2Fd é")
    assert cloud.requests[0].url.raw_path == b"/api/snapshots/a%3Fb%23c%252Fd%20%C3%A9"


def test_it_sends_the_bodies_of_the_contract(cloud: Cloud) -> None:
    client = cloud.answering({"success": True})
    client.snapshots.create(instance_id="BRK-1D", name="nightly")
    assert cloud.sent() == {
        "instance_id": "BRK-1D",
        "name": "nightly",
        "description": "",
        "create_as_image": False,
    }
    client.snapshots.restore("BRK-1S", new_vm_name="back")
    assert cloud.sent() == {"new_vm_name": "back"}
    client.images.create_from_snapshot(snapshot_id="BRK-1S", name="golden", description="d")
    assert cloud.sent() == {"snapshot_id": "BRK-1S", "name": "golden", "description": "d"}


def test_it_leaves_out_price_filters_that_are_not_set(cloud: Cloud) -> None:
    cloud.answering({"pricing_data": {}}).catalog.query_prices(PricingRequest(gpu_model="L40", gpu_count=2))
    assert cloud.sent() == {"gpu_model": "L40", "gpu_count": 2}
