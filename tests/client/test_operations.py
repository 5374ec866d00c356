"""Every call goes where its row of the table says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from barrack_web.client import OPERATIONS, BarrackError, Client, Missing, Operation

from .conftest import BASE, KEY, Cloud

# The test's own copy of the paths: operation → call, method, path.
CALLS: dict[str, tuple[Callable[[Client], object], str, str]] = {
    "get_credit_balance": (lambda c: c.billing.balance(), "GET", "/balance"),
    "list_regions": (lambda c: c.catalog.regions(), "GET", "/regions"),
    "get_pricing": (lambda c: c.catalog.prices(), "GET", "/pricing/"),
    "query_pricing": (lambda c: c.catalog.query_prices(tier="legacy"), "POST", "/pricing/"),
    "list_instances": (lambda c: c.instances.list(), "GET", "/instances"),
    "get_instance": (lambda c: c.instances.get("BRK-1D"), "GET", "/instances/BRK-1D"),
    "list_snapshot_eligible_instances": (
        lambda c: c.instances.eligible_for_snapshots("US-1"),
        "GET",
        "/instances/snapshot-eligible",
    ),
    "list_snapshots": (lambda c: c.snapshots.list(), "GET", "/snapshots"),
    "get_snapshot": (lambda c: c.snapshots.get("BRK-1S"), "GET", "/snapshots/BRK-1S"),
    "create_snapshot": (lambda c: c.snapshots.create(instance_id="BRK-1D", name="n"), "POST", "/snapshots"),
    "restore_snapshot": (
        lambda c: c.snapshots.restore("BRK-1S", new_vm_name="n"),
        "POST",
        "/snapshots/BRK-1S/restore",
    ),
    "delete_snapshot": (lambda c: c.snapshots.delete("BRK-1S"), "DELETE", "/snapshots/BRK-1S"),
    "get_snapshots_billing": (lambda c: c.snapshots.billing(), "GET", "/snapshots/billing"),
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
}


@pytest.mark.parametrize("name", CALLS)
def test_it_calls_method_and_path_of_the_table_with_the_key(cloud: Cloud, name: str) -> None:
    call, method, path = CALLS[name]
    with pytest.raises(BarrackError) as raised:
        call(cloud.answering({}, 418))
    (request,) = cloud.requests
    assert (request.method, str(request.url).split("?")[0]) == (method, BASE + path)
    assert request.headers["X-API-Key"] == KEY
    assert raised.value.operation == name


def test_it_has_a_call_for_every_row() -> None:
    assert set(CALLS) == set(OPERATIONS)


def test_it_marks_exactly_the_reads_as_safe_to_repeat() -> None:
    unsafe = {name for name, row in OPERATIONS.items() if not row.safe}
    assert unsafe == {"create_snapshot", "restore_snapshot", "delete_snapshot", "create_image_from_snapshot"}


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
    cloud.answering({"pricing_data": {}}).catalog.query_prices(gpu_model="L40", gpu_count=2)
    assert cloud.sent() == {"gpu_model": "L40", "gpu_count": 2}
