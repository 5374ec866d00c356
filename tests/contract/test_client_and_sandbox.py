"""Every call of the client against the sandbox: what is asked and what is answered fits the document, both ways."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs

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
    Listing,
    PricingRequest,
    ScriptChange,
    ScriptRequest,
    SecurityRuleRequest,
    VolumeRequest,
)
from barrack_web.sandbox.core import to_json
from barrack_web.sandbox.server import Sandbox, transport

from .document import closed, operations, problems

KEY = "sandbox-key"
UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
SSH_RULE = SecurityRuleRequest("ingress", "tcp", "IPv4", "203.0.113.7/32", 22, 22)
PING_RULE = FirewallRuleRequest("ingress", "icmp", "IPv6", "::/0")
HELLO = (ChatMessage("system", "Be short."), ChatMessage("user", "What do idle GPUs cost?"))


class Seen(NamedTuple):
    """One request and its answer, as they were on the wire."""

    operation: str
    request: httpx.Request
    response: httpx.Response


class Recorder(httpx.BaseTransport):
    """Passes calls on to the sandbox and keeps them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.seen: list[Seen] = []
        self._inner = transport(sandbox)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = b"".join(response.stream)  # type: ignore[arg-type]
        copy = httpx.Response(response.status_code, headers=response.headers, content=body, request=request)
        called = self.sandbox.log.calls()[-1].operation
        assert called is not None
        self.seen.append(Seen(called, request, copy))
        return httpx.Response(response.status_code, headers=response.headers, content=body, request=request)


class Ids(NamedTuple):
    """Resources of the demo world on which each call can be made."""

    active: str
    stopped: str
    hibernated: str
    snapshot: str
    image: str
    loose_volume: str
    attached_volume: str
    volume_owner: str
    firewall: str
    loose_firewall: str
    rule: str
    key: str
    script: str


def ids_of(sandbox: Sandbox) -> Ids:
    world = sandbox.world
    active = world.instances["BRK-123456D"]
    volumes = list(world.volumes.values())
    loose = next(v for v in volumes if v["status"] == "available" and v["region"] == active["region"])
    attached = next(v for v in volumes if v["instance_id"] and not v["_attachment"].get("boot"))
    firewalls = list(world.firewalls.values())
    ruled = next(f for f in firewalls if f["rules"] and f["region"] == active["region"])
    used = {name for vm in world.instances.values() for name in vm["ssh_keys"] or []}
    return Ids(
        active=active["instance_id"],
        stopped=next(key for key, vm in world.instances.items() if vm["status"] == "SHUTOFF"),
        hibernated=next(key for key, vm in world.instances.items() if vm["status"] == "HIBERNATED"),
        snapshot="BRK-123456S",
        image=next(iter(world.images)),
        loose_volume=loose["volume_id"],
        attached_volume=attached["volume_id"],
        volume_owner=attached["instance_id"],
        firewall=str(ruled["id"]),
        loose_firewall=next(str(f["id"]) for f in firewalls if not f["attachments"]),
        rule=str(ruled["rules"][0]["id"]),
        key=next(str(key["id"]) for key in world.ssh_keys.values() if key["name"] not in used),
        script=next(iter(world.scripts)),
    )


def deployment(**changes: Any) -> DeploymentRequest:
    facts: dict[str, Any] = {
        "vm_name": "contract-vm",
        "gpu_model": "L40",
        "gpu_count": 2,
        "region": "CANADA-1",
        "ssh_keys": ("team-laptop",),
        "os_image": UBUNTU,
        "assign_public_ip": True,
        "security_rules": (SSH_RULE,),
        "jupyter_enabled": True,
        "jupyter_password": "a-long-password",
        "cloud_init": "#cloud-config\n",
    }
    return DeploymentRequest(**facts | changes)


def volume(**changes: Any) -> VolumeRequest:
    return VolumeRequest(**{"name": "contract-volume", "region": "CANADA-1", "size_gb": 100} | changes)


Call = Callable[[Client, Ids], object]
CALLS: dict[str, Call] = {
    "get_credit_balance": lambda c, _: c.billing.balance(),
    "get_gpu_stocks": lambda c, _: c.catalog.stocks("US-1"),
    "get_gpu_specs": lambda c, _: c.catalog.specs("L40", "legacy"),
    "list_regions": lambda c, _: c.catalog.regions(),
    "get_pricing": lambda c, _: c.catalog.prices(),
    "query_pricing": lambda c, _: c.catalog.query_prices(
        PricingRequest(currency="EUR", resource_type="volumes", volume_type="SSD", volume_size_gb=100)
    ),
    "list_os_images": lambda c, _: c.catalog.os_images("NORWAY-1"),
    "create_instance": lambda c, _: c.instances.deploy(deployment()),
    "list_instances": lambda c, _: c.instances.list(),
    "get_instance": lambda c, i: c.instances.get(i.active),
    "delete_instance": lambda c, i: c.instances.delete(i.stopped),
    "get_instance_billing": lambda c, _: c.instances.billing(limit=5),
    "hibernate_instance": lambda c, i: c.instances.hibernate(i.active),
    "reboot_instance": lambda c, i: c.instances.reboot(i.active),
    "restore_instance": lambda c, i: c.instances.restore(i.hibernated),
    "start_instance": lambda c, i: c.instances.start(i.stopped),
    "stop_instance": lambda c, i: c.instances.stop(i.active),
    "toggle_instance_public_ip": lambda c, i: c.instances.toggle_public_ip(i.active),
    "get_hibernated_instances_count": lambda c, _: c.instances.hibernated_count(),
    "add_instance_security_rule": lambda c, i: c.instances.add_rule(i.active, SSH_RULE),
    "remove_instance_security_rule": lambda c, i: c.instances.remove_rule(
        i.active, str(c.instances.add_rule(i.active, SSH_RULE).rule_id)
    ),
    "list_ssh_keys": lambda c, _: c.ssh_keys.list(),
    "create_ssh_key": lambda c, _: c.ssh_keys.create("contract-key"),
    "get_ssh_key": lambda c, i: c.ssh_keys.get(i.key),
    "delete_ssh_key": lambda c, i: c.ssh_keys.delete(i.key),
    "list_scripts": lambda c, _: c.scripts.list(),
    "create_script": lambda c, _: c.scripts.create(ScriptRequest(name="contract", content="#!/bin/sh\n")),
    "get_script": lambda c, i: c.scripts.get(i.script),
    "update_script": lambda c, i: c.scripts.update(i.script, ScriptChange(description="changed")),
    "delete_script": lambda c, i: c.scripts.delete(i.script),
    "delete_scripts": lambda c, i: c.scripts.delete_several([i.script]),
    "list_firewalls": lambda c, _: c.firewalls.list(),
    "get_firewall": lambda c, i: c.firewalls.get(i.firewall),
    "attach_firewall": lambda c, i: c.firewalls.attach(i.firewall, [i.active]),
    "get_instance_firewalls": lambda c, i: c.firewalls.of_instance(i.active),
    "delete_firewall": lambda c, i: c.firewalls.delete(i.loose_firewall),
    "remove_firewall_rule": lambda c, i: c.firewalls.remove_rule(i.firewall, i.rule),
    "add_firewall_rule": lambda c, i: c.firewalls.add_rule(i.firewall, PING_RULE),
    "create_firewall": lambda c, _: c.firewalls.create(FirewallRequest(name="contract-firewall", region="US-1")),
    "list_firewall_protocols": lambda c, _: c.firewalls.protocols(),
    "list_instances_for_firewalls": lambda c, _: c.firewalls.available_instances("CANADA-1"),
    "list_snapshots": lambda c, _: c.snapshots.list(),
    "get_snapshots_billing": lambda c, _: c.snapshots.billing(page=2, limit=3),
    "list_snapshot_eligible_instances": lambda c, _: c.instances.eligible_for_snapshots("CANADA-1"),
    "get_snapshot": lambda c, i: c.snapshots.get(i.snapshot),
    "delete_snapshot": lambda c, i: c.snapshots.delete(i.snapshot),
    "restore_snapshot": lambda c, i: c.snapshots.restore(i.snapshot, new_vm_name="contract-restored"),
    "create_snapshot": lambda c, i: c.snapshots.create(instance_id=i.active, name="contract-snapshot"),
    "list_images": lambda c, _: c.images.list(),
    "get_image": lambda c, i: c.images.get(i.image),
    "delete_image": lambda c, i: c.images.delete(i.image),
    "create_image_from_snapshot": lambda c, i: c.images.create_from_snapshot(
        snapshot_id=i.snapshot, name="contract-image"
    ),
    "get_snapshot_image_relationship": lambda c, i: c.images.relationship(i.snapshot),
    "list_snapshot_image_relationships": lambda c, i: c.images.relationships([i.snapshot, "BRK-999999S"]),
    "chat_completions": lambda c, _: c.assistant.chat(c.assistant.models().rows[0].id, HELLO, max_tokens=50),
    "get_ai_usage_summary": lambda c, _: c.assistant.usage(),
    "get_ai_usage_history": lambda c, _: c.assistant.history(),
    "list_ai_models": lambda c, _: c.assistant.models(),
    "attach_volumes": lambda c, i: c.volumes.attach(i.active, [i.loose_volume]),
    "detach_volumes": lambda c, i: c.volumes.detach(i.volume_owner, [i.attached_volume]),
    "clone_volume": lambda c, i: c.volumes.clone(i.loose_volume, "contract-copy"),
    "resize_volume": lambda c, i: c.volumes.resize(i.loose_volume, 4096),
    "get_volume_billing": lambda c, _: c.volumes.billing(),
    "list_volume_types": lambda c, _: c.volumes.types("advanced"),
    "list_volumes": lambda c, _: c.volumes.list(),
    "create_volume": lambda c, _: c.volumes.create(volume(bootable=True, os_image=UBUNTU, volume_type="SSD")),
    "get_volume": lambda c, i: c.volumes.get(i.attached_volume),
    "delete_volume": lambda c, i: c.volumes.delete(i.loose_volume),
}

# Calls that the API refuses, each with the status that the document gives for it.
REFUSED: dict[str, tuple[str, int, Call]] = {
    "no such instance": ("get_instance", 404, lambda c, _: c.instances.get("BRK-000000D")),
    "start of a running one": ("start_instance", 409, lambda c, i: c.instances.start(i.active)),
    "name in use": ("create_instance", 409, lambda c, _: c.instances.deploy(deployment(vm_name="eval-harness"))),
    "no boot source": ("create_instance", 422, lambda c, _: c.instances.deploy(deployment(os_image=None))),
    "no stock": (
        "create_instance",
        503,
        lambda c, _: c.instances.deploy(deployment(gpu_model="B300-262GB", gpu_count=8)),
    ),
    "bad rule": (
        "add_firewall_rule",
        422,
        lambda c, i: c.firewalls.add_rule(i.firewall, FirewallRuleRequest("ingress", "tcp", "IPv4", "10.0.0.1")),
    ),
    "volume too small": ("create_volume", 422, lambda c, _: c.volumes.create(volume(size_gb=9))),
    "firewall in use": ("delete_firewall", 409, lambda c, i: c.firewalls.delete(i.firewall)),
    "attached volume": ("delete_volume", 409, lambda c, i: c.volumes.delete(i.attached_volume)),
    "bad public key": ("create_ssh_key", 422, lambda c, _: c.ssh_keys.create("k", "ssh-rsa AAAA")),
    "no such script": ("delete_scripts", 404, lambda c, _: c.scripts.delete_several(["999999"])),
    "unknown model": ("chat_completions", 422, lambda c, _: c.assistant.chat("no-such-model", HELLO)),
}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Sandbox(seed="demo", speed=0))


@pytest.fixture
def client(recorder: Recorder) -> Iterator[Client]:
    with Client("http://sandbox.invalid/api", KEY, transport=recorder) as client:
        yield client


def request_problems(seen: Seen) -> list[str]:
    """What the document says against a request: its query, and its body with no key that is not documented."""
    operation = operations()[seen.operation]
    known = {p["name"]: p["schema"] for p in operation.parameters if p["in"] == "query"}
    query = parse_qs(seen.request.url.query.decode(), keep_blank_values=True)
    found = [f"query {name} is not documented" for name in query if name not in known]
    for name, (value,) in query.items():
        typed: object = int(value) if name in known and known[name].get("type") == "integer" else value
        found += problems(known.get(name, True), typed)
    if operation.request_schema is None:
        return found + (["a body is not documented"] if seen.request.content else [])
    return found + problems(closed(operation.request_schema), json.loads(seen.request.content or b"null"))


def answer_problems(seen: Seen) -> list[str]:
    """What the document says against an answer: its status, and its body with no key that is not documented."""
    schema = operations()[seen.operation].responses.get(seen.response.status_code)
    if schema is None:
        return [f"status {seen.response.status_code} is not documented"]
    return problems(closed(schema), seen.response.json())


def test_it_calls_each_operation_that_is_no_alias() -> None:
    assert set(CALLS) == {name for name, row in OPERATIONS.items() if not row.alias_of}


@pytest.mark.parametrize("name", CALLS)
def test_it_speaks_as_documented_both_ways(recorder: Recorder, client: Client, name: str) -> None:
    result = CALLS[name](client, ids_of(recorder.sandbox))

    assert name in {seen.operation for seen in recorder.seen}
    for seen in recorder.seen:
        assert seen.response.is_success, seen.response.text
        assert request_problems(seen) == []
        assert answer_problems(seen) == []
    if isinstance(result, Listing):
        assert (result.broken, result.complete) == (0, True)
        assert len(result) > 0


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_as_documented(recorder: Recorder, client: Client, name: str) -> None:
    operation, status, call = REFUSED[name]
    with pytest.raises(BarrackError) as raised:
        call(client, ids_of(recorder.sandbox))

    last = recorder.seen[-1]
    assert (last.operation, last.response.status_code) == (operation, status)
    assert answer_problems(last) == []
    assert (raised.value.operation, raised.value.status) == (operation, status)
    assert raised.value.from_api
    assert raised.value.code


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("create_instance_snapshot", "POST", "/instances/BRK-123456D/snapshots", {"name": "second", "description": ""}),
        ("get_snapshot_billing", "GET", "/snapshots/BRK-123456S/billing", None),
        ("list_instances_for_firewall", "GET", "/firewalls/{firewall}/available-instances", None),
    ],
)
def test_it_serves_the_second_entries_too(
    recorder: Recorder, name: str, method: str, path: str, body: dict[str, str] | None
) -> None:
    address = "http://sandbox.invalid/api" + path.format(firewall=ids_of(recorder.sandbox).firewall)
    with httpx.Client(transport=recorder, headers={"X-API-Key": KEY}) as raw:
        raw.request(method, address, content=None if body is None else to_json(body))
    (seen,) = recorder.seen
    assert (seen.operation, seen.response.is_success) == (name, True)
    assert request_problems(seen) == []
    assert answer_problems(seen) == []


@pytest.mark.parametrize("field", ["vm_name", "gpu_model", "ssh_keys"])
def test_it_would_notice_a_request_that_is_not_as_documented(recorder: Recorder, client: Client, field: str) -> None:
    # The proof that the checks above can fail.
    client.instances.deploy(deployment())
    seen = recorder.seen[-1]
    body = json.loads(seen.request.content)
    body[f"{field}_"] = body.pop(field)
    changed = httpx.Request("POST", seen.request.url, content=to_json(body))
    assert request_problems(seen._replace(request=changed)) != []
