"""The operation table: all that the client knows about methods, paths, query names and result keys.

Most paths and names are assumptions (source: assumed), so this is the only place they stand in. A row is replaced with
`dataclasses.replace(OPERATIONS[name], path=…)` in the mapping that is given to `Client(operations=…)`.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
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
        kind: which time limit holds, "read" or "write".
        result: key of the payload in the answer; empty when the whole answer is the payload.
        query: the client's name of a query parameter → its name on the wire. What is not listed is not sent.
        takes_stock: True when a 503 in the API's envelope means that no GPU is free.

    Raises ValueError for a row that could never be called, so that a bad override stops the start.
    """

    name: str
    method: str
    path: str
    safe: bool
    kind: Literal["read", "write"]
    result: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    takes_stock: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"{self.name}: the method must be one of {', '.join(sorted(METHODS))}")
        if not self.path.startswith("/") or any(mark in self.path for mark in "?#\\"):
            raise ValueError(f"{self.name}: the path must start with / and hold neither ?, # nor a backslash")
        if self.kind not in ("read", "write"):
            raise ValueError(f"{self.name}: the kind must be read or write")

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
    """Raises ValueError when a table lacks an operation, or a path asks for ids that its calls do not have."""
    for name, usual in OPERATIONS.items():
        row = operations.get(name)
        if row is None:
            raise ValueError(f"the operation {name} is missing from the table")
        if not row.places() <= usual.places():
            raise ValueError(f"{name}: the path may only ask for {sorted(usual.places()) or 'nothing'}")


# source: assumed; the answers' keys `page` and `limit` are documented, the query names follow them.
_PAGES: Final = {"page": "page", "limit": "limit"}
_PRICE_FILTER: Final = {
    name: name
    for name in ("tier", "currency", "resource_type", "volume_size_gb", "volume_type", "gpu_model", "gpu_count")
}

_ROWS: Final = (
    # Account and catalog
    Operation("get_credit_balance", "GET", "/balance", safe=True, kind="read", result="data"),
    Operation("list_regions", "GET", "/regions", safe=True, kind="read", result="regions"),
    Operation("get_pricing", "GET", "/pricing/", safe=True, kind="read", result="pricing_data", query=_PRICE_FILTER),
    # source: API reference page, with its trailing slash
    Operation("query_pricing", "POST", "/pricing/", safe=True, kind="read", result="pricing_data"),
    # Instances. Methods: user documentation
    Operation(
        "list_instances",
        "GET",
        "/instances",
        safe=True,
        kind="read",
        result="instances",
        query={**_PAGES, "region": "region", "status": "status"},
    ),
    Operation("get_instance", "GET", "/instances/{instance_id}", safe=True, kind="read", result="instance"),
    Operation(
        "list_snapshot_eligible_instances",
        "GET",
        "/instances/snapshot-eligible",
        safe=True,
        kind="read",
        result="vms",
        query={**_PAGES, "region": "region"},
    ),
    # Snapshots
    Operation(
        "list_snapshots",
        "GET",
        "/snapshots",
        safe=True,
        kind="read",
        result="snapshots",
        query={**_PAGES, "region": "region", "search": "search"},
    ),
    Operation("get_snapshot", "GET", "/snapshots/{snapshot_id}", safe=True, kind="read", result="snapshot"),
    Operation("create_snapshot", "POST", "/snapshots", safe=False, kind="write", result="snapshot"),
    Operation(
        "restore_snapshot", "POST", "/snapshots/{snapshot_id}/restore", safe=False, kind="write", takes_stock=True
    ),
    Operation("delete_snapshot", "DELETE", "/snapshots/{snapshot_id}", safe=False, kind="write"),
    Operation(
        "get_snapshots_billing", "GET", "/snapshots/billing", safe=True, kind="read", result="records", query=_PAGES
    ),
    # Images
    Operation("create_image_from_snapshot", "POST", "/images", safe=False, kind="write", result="image"),
    Operation("get_snapshot_image_relationship", "GET", "/snapshots/{snapshot_id}/image", safe=True, kind="read"),
    # A read by POST, because the list of ids is its body (source: assumed)
    Operation(
        "list_snapshot_image_relationships",
        "POST",
        "/snapshots/images/batch",
        safe=True,
        kind="read",
        result="relationships",
    ),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({row.name: row for row in _ROWS})
