"""The operation table: all that the client knows about methods, paths, query names and result keys.

Most paths and names are assumptions (source: assumed), so this is the only place they stand in. `load_overrides` reads
the rows that a deployment changes from a file.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import quote

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
MAX_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table.

    Attributes:
        name: the operation's name, the same as its key in the table.
        method: HTTP method in capitals.
        path: relative to the base URL, with `{snapshot_id}`-like places; `places` lists them.
        safe: True when the call changes nothing, so that it may be repeated.
        kind: which time limit holds, "read", "write" or "stream".
        result: key of the payload in the answer; empty when the whole answer is the payload.
        query: the client's name of a query parameter → its name on the wire. What is not listed is not sent.
        takes_stock: True when a 503 in the API's envelope means that no GPU is free.
        alias_of: the operation that the list names twice and whose call is used; empty for all others. An alias has no
            call of its own (source: operation list).

    Raises ValueError for a row that could never be called, so that a bad override stops the start.
    """

    name: str
    method: str
    path: str
    safe: bool
    kind: Literal["read", "write", "stream"]
    result: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    takes_stock: bool = False
    alias_of: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"{self.name}: the method must be one of {', '.join(sorted(METHODS))}")
        if not self.path.startswith("/") or any(mark in self.path for mark in "?#\\"):
            raise ValueError(f"{self.name}: the path must start with / and hold neither ?, # nor a backslash")
        if self.kind not in ("read", "write", "stream"):
            raise ValueError(f"{self.name}: the kind must be read, write or stream")

    def places(self) -> frozenset[str]:
        """Names of the ids that the path asks for."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.path) if name is not None)

    def path_for(self, ids: Mapping[str, str]) -> str:
        """The path with every id quoted, slashes included."""
        return self.path.format_map({name: quote(value, safe="") for name, value in ids.items()})


def is_possible_id(value: object) -> bool:
    """Whether a value could be an id at all. Ids are opaque (source: API reference page), so only the impossible is
    refused: what is empty, over 128 characters, holds a slash, a backslash or an invisible character, or walks up a
    path."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID
        and value.isprintable()
        and not any(part in value for part in ("/", "\\", ".."))
        and value.strip(" .") != ""
    )


def check_table(operations: Mapping[str, Operation]) -> None:
    """Raises ValueError when a table lacks an operation, or a path does not ask for the ids that its calls have."""
    for name, usual in OPERATIONS.items():
        row = operations.get(name)
        if row is None:
            raise ValueError(f"the operation {name} is missing from the table")
        if row.places() != usual.places():
            raise ValueError(f"{name}: the path must ask for {sorted(usual.places()) or 'nothing'}")


# source: assumed; the answers' keys `page` and `limit` are documented, the query names follow them.
_PAGES: Final = {"page": "page", "limit": "limit"}
_REGION: Final = {"region": "region"}
_SEARCH: Final = {"search": "search"}
_PRICE_FILTER: Final = {
    name: name
    for name in ("tier", "currency", "resource_type", "volume_size_gb", "volume_type", "gpu_model", "gpu_count")
}


def _read(name: str, path: str, result: str = "", query: Mapping[str, str] | None = None) -> Operation:
    return Operation(name, "GET", path, safe=True, kind="read", result=result, query=query or {})


def _read_by_post(name: str, path: str, result: str) -> Operation:
    """A read whose question is a body, so that it is a POST and may be repeated all the same."""
    return Operation(name, "POST", path, safe=True, kind="read", result=result)


def _write(name: str, method: str, path: str, result: str = "", *, takes_stock: bool = False) -> Operation:
    return Operation(name, method, path, safe=False, kind="write", result=result, takes_stock=takes_stock)


_INSTANCE: Final = "/instances/{instance_id}"
_FIREWALL: Final = "/firewalls/{firewall_id}"
_SNAPSHOT: Final = "/snapshots/{snapshot_id}"
_VOLUME: Final = "/volumes/{volume_id}"

# Names: operation list. Methods of instances: user documentation; the others and nearly all paths: assumed.
_ROWS: Final = (
    # Account and catalog
    _read("get_credit_balance", "/balance", "data"),
    _read("get_gpu_stocks", "/gpu-stocks", "stocks", _REGION),
    _read("get_gpu_specs", "/gpu-specs", "specs", {"gpu_model": "gpu_model", "tier": "tier"}),
    _read("list_regions", "/regions", "regions"),
    _read("get_pricing", "/pricing/", "pricing_data", _PRICE_FILTER),
    # source: API reference page, with its trailing slash
    _read_by_post("query_pricing", "/pricing/", "pricing_data"),
    _read("list_os_images", "/os-images", "images", _REGION),
    # Instances
    _write("create_instance", "POST", "/instances", takes_stock=True),
    _read("list_instances", "/instances", "instances", {**_PAGES, **_REGION, "status": "status"}),
    _read("get_instance", _INSTANCE, "instance"),
    _write("delete_instance", "DELETE", _INSTANCE),
    _read("get_instance_billing", "/instances/billing", "records", _PAGES),
    _write("hibernate_instance", "POST", f"{_INSTANCE}/hibernate"),
    _write("reboot_instance", "POST", f"{_INSTANCE}/reboot"),
    _write("restore_instance", "POST", f"{_INSTANCE}/restore", takes_stock=True),
    _write("start_instance", "POST", f"{_INSTANCE}/start"),
    _write("stop_instance", "POST", f"{_INSTANCE}/stop"),
    _write("toggle_instance_public_ip", "POST", f"{_INSTANCE}/toggle-public-ip"),
    _read("get_hibernated_instances_count", "/instances/hibernated/count"),
    _write("add_instance_security_rule", "POST", f"{_INSTANCE}/security-rules", "security_rule"),
    # source of the answer: API reference page
    _write("remove_instance_security_rule", "DELETE", f"{_INSTANCE}/security-rules/{{rule_id}}"),
    # SSH keys
    _read("list_ssh_keys", "/ssh-keys", "ssh_keys", {**_PAGES, **_REGION, **_SEARCH}),
    _write("create_ssh_key", "POST", "/ssh-keys", "ssh_key"),
    _read("get_ssh_key", "/ssh-keys/{key_id}", "ssh_key"),
    _write("delete_ssh_key", "DELETE", "/ssh-keys/{key_id}"),
    # Startup scripts
    _read("list_scripts", "/scripts", "scripts", _PAGES),
    _write("create_script", "POST", "/scripts", "script"),
    _read("get_script", "/scripts/{script_id}", "script"),
    _write("update_script", "PUT", "/scripts/{script_id}", "script"),
    _write("delete_script", "DELETE", "/scripts/{script_id}"),
    _write("delete_scripts", "POST", "/scripts/bulk-delete"),
    # Firewalls
    _read("list_firewalls", "/firewalls", "firewalls", {**_PAGES, **_REGION, **_SEARCH}),
    _read("get_firewall", _FIREWALL, "firewall"),
    _write("attach_firewall", "POST", f"{_FIREWALL}/attachments", "attachments"),
    _read("get_instance_firewalls", f"{_INSTANCE}/firewalls", "firewalls"),
    _write("delete_firewall", "DELETE", _FIREWALL),
    _write("remove_firewall_rule", "DELETE", f"{_FIREWALL}/rules/{{rule_id}}"),
    _write("add_firewall_rule", "POST", f"{_FIREWALL}/rules", "rule"),
    _write("create_firewall", "POST", "/firewalls", "firewall"),
    _read("list_firewall_protocols", "/firewalls/protocols", "protocols"),
    _read("list_instances_for_firewalls", "/firewalls/available-instances", "vms", _REGION),
    # Snapshots
    _read("list_snapshots", "/snapshots", "snapshots", {**_PAGES, **_REGION, **_SEARCH}),
    _read("get_snapshots_billing", "/snapshots/billing", "records", _PAGES),
    _read("list_snapshot_eligible_instances", "/instances/snapshot-eligible", "vms", {**_PAGES, **_REGION}),
    _read("get_snapshot", _SNAPSHOT, "snapshot"),
    _write("delete_snapshot", "DELETE", _SNAPSHOT),
    _write("restore_snapshot", "POST", f"{_SNAPSHOT}/restore", takes_stock=True),
    _write("create_snapshot", "POST", "/snapshots", "snapshot"),
    # Images
    _read("list_images", "/images", "images", {**_PAGES, **_REGION, **_SEARCH}),
    _read("get_image", "/images/{image_id}", "image"),
    _write("delete_image", "DELETE", "/images/{image_id}"),
    _write("create_image_from_snapshot", "POST", "/images", "image"),
    _read("get_snapshot_image_relationship", f"{_SNAPSHOT}/image"),
    _read_by_post("list_snapshot_image_relationships", "/snapshots/images/batch", "relationships"),
    # Assistant
    # A language model takes its time, also when it does not stream
    replace(_write("chat_completions", "POST", "/ai/chat/completions"), kind="stream"),
    _read("get_ai_usage_summary", "/ai/usage/summary"),
    _read("get_ai_usage_history", "/ai/usage/history", "transactions", _PAGES),
    _read("list_ai_models", "/ai/models", "models"),
    # Volumes
    _write("attach_volumes", "POST", f"{_INSTANCE}/attach-volumes", "volume_attachments"),
    _write("detach_volumes", "POST", f"{_INSTANCE}/detach-volumes", "volume_attachments"),
    _write("clone_volume", "POST", f"{_VOLUME}/clone", "volume"),
    _write("resize_volume", "POST", f"{_VOLUME}/resize", "volume"),
    _read("get_volume_billing", "/volumes/billing", "records", _PAGES),
    _read("list_volume_types", "/volumes/types", "volume_types", {"tier": "tier"}),
    _read("list_volumes", "/volumes", "volumes", {**_PAGES, **_REGION, **_SEARCH}),
    _write("create_volume", "POST", "/volumes", "volume"),
    _read("get_volume", _VOLUME, "volume"),
    _write("delete_volume", "DELETE", _VOLUME),
    # Listed a second time under another path
    replace(
        _write("create_instance_snapshot", "POST", f"{_INSTANCE}/snapshots", "snapshot"), alias_of="create_snapshot"
    ),
    replace(_read("get_snapshot_billing", f"{_SNAPSHOT}/billing", "records", _PAGES), alias_of="get_snapshots_billing"),
    replace(
        _read("list_instances_for_firewall", f"{_FIREWALL}/available-instances", "instances"),
        alias_of="list_instances_for_firewalls",
    ),
)

# What they ask or change is in a body, which many gateways drop from a GET.
WITH_A_BODY: Final = frozenset(
    {
        "query_pricing", "create_instance", "add_instance_security_rule", "create_ssh_key", "create_script",
        "update_script", "delete_scripts", "attach_firewall", "add_firewall_rule", "create_firewall",
        "restore_snapshot", "create_snapshot", "create_image_from_snapshot", "list_snapshot_image_relationships",
        "chat_completions", "attach_volumes", "detach_volumes", "clone_volume", "resize_volume", "create_volume",
        "create_instance_snapshot",
    }
)  # fmt: skip

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({row.name: row for row in _ROWS})
