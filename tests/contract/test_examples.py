"""Every example in the document is read by the client as it stands: answers by its calls, requests by its structs."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from barrack_web.client import BarrackError, Client, Listing
from barrack_web.client.structs import STRUCTS
from tests.client.test_operations import ALIASES, CALLS

from .document import closed, operations, problems

KEY = "sandbox-key"

# The struct that makes each request's body.
REQUESTS = {
    "query_pricing": "PricingRequest",
    "create_instance": "DeploymentRequest",
    "add_instance_security_rule": "SecurityRuleRequest",
    "create_ssh_key": "SSHKeyRequest",
    "create_script": "ScriptRequest",
    "update_script": "ScriptChange",
    "delete_scripts": "ScriptIds",
    "attach_firewall": "Attachments",
    "add_firewall_rule": "FirewallRuleRequest",
    "create_firewall": "FirewallRequest",
    "restore_snapshot": "RestoreRequest",
    "create_snapshot": "SnapshotRequest",
    "create_image_from_snapshot": "ImageRequest",
    "list_snapshot_image_relationships": "SnapshotIds",
    "chat_completions": "ChatRequest",
    "attach_volumes": "VolumeIds",
    "detach_volumes": "VolumeIds",
    "clone_volume": "CloneRequest",
    "resize_volume": "ResizeRequest",
    "create_volume": "VolumeRequest",
}
# What the examples show and the client leaves to its default, false.
LEFT_OUT = {"attach_volumes": {"protected"}, "chat_completions": {"stream"}}


def with_text_ids(example: dict[str, Any]) -> dict[str, Any]:
    """The example with ids as the client sends them: always as text, though both forms are taken."""
    changed = dict(example)
    if "script_id" in changed:
        changed["script_id"] = str(changed["script_id"])
    if "script_ids" in changed:
        changed["script_ids"] = [str(item) for item in changed["script_ids"]]
    return changed


class Api(httpx.BaseTransport):
    """Gives one answer to everything."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, json=self.body, request=request)


def client(status: int, body: Any) -> Client:
    return Client("http://cloud.test/api", KEY, transport=Api(status, body))


def refusals() -> Iterator[tuple[str, int]]:
    for name in CALLS:
        for status in operations()[name].responses:
            if status >= 400 and str(status) in operations()[name].examples:
                yield name, status


@pytest.mark.parametrize("name", CALLS)
def test_it_reads_each_example_of_an_answer(name: str) -> None:
    operation = operations()[name]
    status = operation.success_status
    with client(status, operation.examples[str(status)]) as barrack:
        result = CALLS[name][0](barrack)
    if isinstance(result, Listing):
        assert result.broken == 0
        assert len(result) > 0
    assert getattr(result, "broken", 0) == 0


@pytest.mark.parametrize(("name", "status"), list(refusals()))
def test_it_reads_each_example_of_a_refusal(name: str, status: int) -> None:
    example = operations()[name].examples[str(status)]
    with client(status, example) as barrack, pytest.raises(BarrackError) as raised:
        CALLS[name][0](barrack)
    error = raised.value
    assert (error.status, error.message, error.code) == (status, example["message"], example["error"])
    assert error.request_id == example["request_id"]
    assert set(error.fields) == set(example["details"] or {})


def test_it_has_a_struct_for_each_request_body() -> None:
    with_body = {name for name, operation in operations().items() if operation.request_schema is not None}
    assert set(REQUESTS) == with_body - set(ALIASES)


@pytest.mark.parametrize("name", REQUESTS)
def test_it_makes_each_example_of_a_request(name: str) -> None:
    shown = with_text_ids(operations()[name].examples["request"])
    example = {key: value for key, value in shown.items() if key not in LEFT_OUT.get(name, ())}
    made = msgspec.json.decode(json.dumps(example), type=STRUCTS[REQUESTS[name]])
    sent = json.loads(msgspec.json.encode(made))
    assert {key: sent.get(key) for key in example} == example
    # It adds only what is always sent.
    assert set(sent) - set(example) <= {"description", "create_as_image"}
    assert problems(closed(operations()[name].request_schema), sent) == []
