"""docs/openapi.yaml itself: valid, complete, with its sources named and its examples right."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract import document
from tests.contract.document import Operation, Schema, nested, problems

SOURCES = {"API reference page", "user documentation", "operation list", "assumed"}
PARTS = {"name", "method", "path", "response"}
ALWAYS = {400, 401, 403, 429, 500}
SOMETIMES = {402, 404, 409, 422, 503}
OPERATIONS = document.operations()
SCHEMAS = document.schemas()

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
each_schema = pytest.mark.parametrize("name", SCHEMAS)


def test_it_is_valid_openapi() -> None:
    assert document.load()["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document.load()).iter_errors()] == []


def test_it_has_every_operation_of_the_list() -> None:
    assert len(OPERATIONS) == 71
    second = {name: operation.alias_of for name, operation in OPERATIONS.items() if operation.alias_of}
    assert second == {
        "create_instance_snapshot": "create_snapshot",
        "get_snapshot_billing": "get_snapshots_billing",
        "list_instances_for_firewall": "list_instances_for_firewalls",
    }


def test_it_keeps_the_order_of_the_groups() -> None:
    groups = [tag["name"] for tag in document.load()["tags"]]
    assert len(groups) == len(set(groups)) == 16
    used = {tag for operation in OPERATIONS.values() for tag in operation.about["tags"]}
    assert used == set(groups)


@each_operation
def test_it_says_where_an_operation_comes_from(operation: Operation) -> None:
    source = operation.about["x-source"]
    wanted = PARTS | {"request"} if operation.request_schema is not None else PARTS
    assert set(source) == wanted
    assert set(source.values()) <= SOURCES
    assert source["name"] == "operation list"


@each_schema
def test_it_says_where_a_schema_comes_from(name: str) -> None:
    assert SCHEMAS[name]["x-source"] in SOURCES


def test_it_knows_only_four_sources() -> None:
    words = {node["x-source"] for node in nested(document.load()) if isinstance(_source(node), str)}
    assert words == SOURCES - {"operation list"}


def test_it_names_the_page_of_all_that_a_page_shows() -> None:
    shown = {name for name, schema in SCHEMAS.items() if schema["x-source"] == "API reference page"}
    assert shown
    assert {name for name in shown if "x-page" not in SCHEMAS[name]} == set()
    by_page = {name for name, row in OPERATIONS.items() if "API reference page" in row.about["x-source"].values()}
    assert by_page == {name for name, row in OPERATIONS.items() if "x-page" in row.about}


def test_it_names_a_page_wherever_a_page_is_the_source() -> None:
    assert list(without_page(document.load(), has_page=False)) == []


def test_it_sees_a_source_without_its_page() -> None:
    shown = {"x-source": "API reference page"}
    assert (
        len(list(without_page({"a": [shown], "b": {"x-source": {"path": "API reference page"}}}, has_page=False))) == 2
    )
    assert list(without_page({"x-page": "https://…", "a": [shown]}, has_page=False)) == []


@each_operation
def test_it_lists_the_answers_of_an_operation(operation: Operation) -> None:
    begins = operation.name in {"create_snapshot", "create_instance_snapshot"}
    assert operation.success_status == (201 if begins else 200)
    assert set(operation.responses) - {operation.success_status} - SOMETIMES == ALWAYS
    if "{" in operation.path:
        assert 404 in operation.responses


@each_operation
def test_it_describes_every_place_of_a_path(operation: Operation) -> None:
    places = set(re.findall(r"{(\w+)}", operation.path))
    assert places == {parameter["name"] for parameter in operation.parameters if parameter["in"] == "path"}


@each_operation
def test_it_has_a_right_example_of_every_body(operation: Operation) -> None:
    wanted = {str(status) for status in operation.responses}
    assert set(operation.examples) == (wanted | {"request"} if operation.request_schema is not None else wanted)
    for status, schema in operation.responses.items():
        assert problems(document.closed(schema), operation.examples[str(status)]) == []
    if operation.request_schema is not None:
        assert problems(document.closed(operation.request_schema), operation.examples["request"]) == []


@each_operation
def test_it_has_a_right_example_of_every_parameter(operation: Operation) -> None:
    for parameter in operation.parameters:
        assert problems(parameter["schema"], parameter["example"]) == [], parameter["name"]


@each_schema
def test_it_has_right_examples_in_a_schema(name: str) -> None:
    for schema in nested(SCHEMAS[name]):
        for example in schema.get("examples", ()) if isinstance(schema, dict) else ():
            assert problems(schema, example) == []


@each_operation
def test_it_shows_the_error_envelope(operation: Operation) -> None:
    for status in set(operation.responses) - {operation.success_status}:
        example = operation.examples[str(status)]
        assert set(example) == {"success", "message", "error", "details", "request_id"}
        assert example["success"] is False


def test_it_uses_every_component() -> None:
    referred = {node["$ref"] for node in nested(document.load()) if isinstance(node, dict) and "$ref" in node}
    components = document.load()["components"]
    named = {f"#/components/{kind}/{name}" for kind in components for name in components[kind]}
    unused = {name for name in named - referred if "/securitySchemes/" not in name}
    assert unused == set()


def test_it_names_only_known_lists_of_values() -> None:
    lists = [node["x-known-values"] for node in nested(document.load()) if _has(node, "x-known-values")]
    named = {name for name in lists if isinstance(name, str)}
    assert named
    assert {name for name in named if not {"enum", "x-known-values"} & set(SCHEMAS[name])} == set()


def test_it_leaves_requests_and_answers_open() -> None:
    closing = [node for node in nested(document.load()) if _has(node, "additionalProperties")]
    assert [node for node in closing if node["additionalProperties"] is False] == []


RULE = {"direction": "ingress", "protocol": "tcp", "ethertype": "IPv4", "remote_ip_prefix": "0.0.0.0/0"}
PORTS = {"port_range_min": 22, "port_range_max": 22}
VOLUME = {"name": "data", "region": "US-1", "size_gb": 10}
MACHINE = {
    "vm_name": "trainer",
    "gpu_model": "A40",
    "gpu_count": 4,
    "region": "US-1",
    "ssh_keys": ["laptop"],
    "os_image": "Ubuntu",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("VMSecurityRuleRequest", RULE | PORTS),
        ("AddFirewallRuleRequest", RULE | PORTS | {"ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
        ("VMSecurityRuleRequest", RULE | PORTS | {"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::1:2/128"}),
        ("VMSecurityRuleRequest", RULE | {"protocol": "icmp"}),
        ("CreateVolumeRequest", VOLUME),
        ("CreateVolumeRequest", VOLUME | {"bootable": True, "size_gb": 100, "os_image": "Ubuntu"}),
        ("CreateVolumeRequest", VOLUME | {"tier": "advanced", "volume_type": "NVMe"}),
        ("DeploymentRequest", MACHINE),
        ("DeploymentRequest", MACHINE | {"jupyter_enabled": True, "jupyter_password": "12345678"}),
        ("CreateSSHKeyRequest", {"name": "laptop"}),
        ("ResourceName", " a"),
    ],
)
def test_it_lets_a_right_request_through(schema: str, value: object) -> None:
    assert problems(document.closed(SCHEMAS[schema]), value) == []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("VMSecurityRuleRequest", RULE),
        ("VMSecurityRuleRequest", RULE | {"port_range_min": 22}),
        ("VMSecurityRuleRequest", RULE | PORTS | {"protocol": "icmp"}),
        ("VMSecurityRuleRequest", RULE | PORTS | {"ethertype": "IPv6"}),
        ("VMSecurityRuleRequest", RULE | PORTS | {"remote_ip_prefix": "10.0.0.0/33"}),
        ("VMSecurityRuleRequest", RULE | PORTS | {"remote_ip_prefix": "10.0.0.0/8\n"}),
        ("AddFirewallRuleRequest", RULE | PORTS | {"ethertype": "IPv6", "remote_ip_prefix": ":::/0"}),
        ("CreateVolumeRequest", VOLUME | {"bootable": True, "size_gb": 100}),
        ("CreateVolumeRequest", VOLUME | {"bootable": True, "os_image": "Ubuntu"}),
        ("CreateVolumeRequest", VOLUME | {"os_image": "Ubuntu"}),
        ("CreateVolumeRequest", VOLUME | {"tier": "legacy", "volume_type": "HDD"}),
        ("DeploymentRequest", MACHINE | {"image_id": 501}),
        ("DeploymentRequest", {key: value for key, value in MACHINE.items() if key != "os_image"}),
        ("DeploymentRequest", MACHINE | {"jupyter_enabled": True}),
        ("DeploymentRequest", MACHINE | {"cloud_init": "a\0b"}),
        ("DeploymentRequest", MACHINE | {"gpu_count": 8}),
        ("DeploymentRequest", MACHINE | {"tier": "advanced"}),
        ("ResourceName", "   "),
        ("ResourceName", "a\n"),
        ("ResourceName", "a" * 51),
        ("SSHKeyName", "my key"),
        ("InstanceId", "a/b"),
        ("Time", "2025-01-15T10:30:00"),
    ],
)
def test_it_stops_a_wrong_request(schema: str, value: object) -> None:
    assert problems(SCHEMAS[schema], value) != []


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {}}}, {"a": 1, "b": 2}),
        ({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}, {"a": 1, "b": 2, "c": 3}),
        (
            {"oneOf": [{"$ref": "#/components/schemas/Balance"}, {"type": "null"}]},
            {"currency": "USD", "amount": 1, "x": 1},
        ),
        ({"$ref": "#/components/schemas/Balance", "description": "…"}, {"currency": "USD", "amount": 1, "x": 1}),
        ({"items": {"properties": {"a": {}}}}, [{"a": 1}, {"b": 1}]),
        ({"properties": {"a": {"properties": {"b": {}}}}}, {"a": {"c": 1}}),
        ({"additionalProperties": {"properties": {"a": {}}}}, {"free": {"b": 1}}),
    ],
)
def test_it_sees_an_unknown_key_once_closed(schema: Schema, value: object) -> None:
    assert problems(schema, value) == []
    assert problems(document.closed(schema), value) != []


def test_it_closes_no_branch_on_its_own() -> None:
    both = {"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}], "anyOf": [{"properties": {"c": {}}}]}
    assert problems(document.closed(both), {"a": 1, "b": 2, "c": 3}) == []
    assert problems(document.closed({"additionalProperties": {"type": "integer"}}), {"free": 1}) == []


def without_page(node: Any, *, has_page: bool) -> Iterator[Any]:
    """The objects that say a page shows them while neither they nor one around them names it."""
    if isinstance(node, dict):
        has_page = has_page or "x-page" in node
        source = node.get("x-source")
        if "API reference page" in (source.values() if isinstance(source, dict) else [source]) and not has_page:
            yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from without_page(child, has_page=has_page)


def _source(node: Any) -> Any:
    return node.get("x-source") if isinstance(node, dict) else None


def _has(node: Any, key: str) -> bool:
    return isinstance(node, dict) and key in node
