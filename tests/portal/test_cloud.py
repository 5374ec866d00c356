"""The reads by name, what a write makes them forget, and the one client of the process."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from barrack_web import clock, cloud
from barrack_web.client import Listing, Missing, Unreachable
from barrack_web.sandbox.server import Sandbox, serve

SNAPSHOT = "BRK-123456S"


def calls(sandbox: Sandbox) -> list[str]:
    return sorted(str(call.operation) for call in sandbox.log.calls())


@pytest.fixture(autouse=True)
def fresh_for_a_minute(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = settings.FRESH_BALANCE_SECONDS = settings.FRESH_CATALOG_SECONDS = 60.0


@pytest.mark.parametrize(
    ("setting", "source", "operation"),
    [
        ("FRESH_STATUS_SECONDS", cloud.instances, "list_instances"),
        ("FRESH_STATUS_SECONDS", cloud.eligible, "list_snapshot_eligible_instances"),
        ("FRESH_STATUS_SECONDS", cloud.snapshots, "list_snapshots"),
        ("FRESH_STATUS_SECONDS", cloud.ssh_keys, "list_ssh_keys"),
        ("FRESH_BALANCE_SECONDS", cloud.balance, "get_credit_balance"),
        ("FRESH_CATALOG_SECONDS", cloud.regions, "list_regions"),
        ("FRESH_CATALOG_SECONDS", cloud.prices, "get_pricing"),
    ],
)
def test_it_keeps_each_read_for_as_long_as_its_setting_says(
    sandbox: Sandbox, settings: Settings, setting: str, source: cloud.Source, operation: str
) -> None:
    setattr(settings, setting, 30.0)
    source.read()
    for seconds, expected in ((28, 1), (31, 2)):
        with clock.moved(timedelta(seconds=seconds)):
            source.read()
        assert len(sandbox.log.calls(operation)) == expected


def test_it_reads_a_very_large_account_less_often(sandbox: Sandbox, settings: Settings) -> None:
    # given 10 pages of snapshots, twice as many as are read at the usual pace
    sandbox.reset({"snapshots": 1000})
    settings.FRESH_STATUS_SECONDS = 20.0
    assert len(cloud.snapshots.read().value) == 1000
    assert len(sandbox.log.calls("list_snapshots")) == 10
    # then the copy counts as fresh for twice as long
    for seconds, expected in ((38, 10), (41, 20)):
        with clock.moved(timedelta(seconds=seconds)):
            cloud.snapshots.read()
        assert len(sandbox.log.calls("list_snapshots")) == expected


def test_it_reads_anew_what_a_change_of_instances_touches(sandbox: Sandbox) -> None:
    for source in (cloud.instances, cloud.eligible, cloud.balance, cloud.snapshots, cloud.regions):
        source.read()
    sandbox.log.clear()
    cloud.instances_changed()
    for source in (cloud.instances, cloud.eligible, cloud.balance, cloud.snapshots, cloud.regions):
        source.read()
    assert calls(sandbox) == ["get_credit_balance", "list_instances", "list_snapshot_eligible_instances"]


def test_it_reads_anew_what_a_change_of_a_snapshot_touches(sandbox: Sandbox) -> None:
    other = "BRK-123472S"
    sandbox.world.snapshots[other] = {**sandbox.world.snapshots[SNAPSHOT], "snapshot_id": other}
    for source in (cloud.snapshots, cloud.instances):
        source.read()
    for key in (SNAPSHOT, other):
        cloud.snapshot.read(key)
    cloud.snapshot_images.read(SNAPSHOT)
    sandbox.log.clear()
    cloud.snapshots_changed(SNAPSHOT)
    for source in (cloud.snapshots, cloud.instances):
        source.read()
    for key in (SNAPSHOT, other):
        cloud.snapshot.read(key)
    cloud.snapshot_images.read(SNAPSHOT)
    assert calls(sandbox) == ["get_snapshot", "get_snapshot_image_relationship", "list_snapshots"]


@pytest.mark.parametrize("key", ["..", "a/b", "../../balance", "x" * 200, "\u202e", ""])
def test_it_never_sends_an_impossible_id(sandbox: Sandbox, key: str) -> None:
    with pytest.raises(Missing):
        cloud.snapshot.read(key)
    assert calls(sandbox) == []


def test_it_goes_through_the_pages_for_one_snapshots_records(sandbox: Sandbox) -> None:
    records = cloud.snapshot_records.read(SNAPSHOT).value
    assert records.complete
    assert records.records
    assert {record.snapshot_id for record in records.records} == {SNAPSHOT}
    assert records.total == sum((record.total_cost for record in records.records), Decimal(0))


def test_it_offers_the_regions_that_the_api_lists_and_those_seen(sandbox: Sandbox) -> None:
    known = cloud.regions.read()
    listed = [region.name for region in known.value]
    assert cloud.region_names(known, ["MARS-1", "", listed[0]]) == sorted({*listed, "MARS-1"})
    # and without that operation, the documented ones
    assert cloud.region_names(None, ["MARS-1"]) == ["CANADA-1", "MARS-1", "NORWAY-1", "US-1"]


def test_it_knows_the_currency_once_the_balance_was_read(sandbox: Sandbox) -> None:
    sandbox.world.balances.clear()
    sandbox.world.balances["INR"] = Decimal("500.00")
    sandbox.world.currency = "INR"
    assert cloud.currency() == "USD"
    assert calls(sandbox) == []
    cloud.balance.read()
    assert cloud.currency() == "INR"


def test_it_names_a_batch_by_its_ids_in_any_order(sandbox: Sandbox) -> None:
    listing = cloud.snapshots.read().value
    assert cloud.batch_key(listing) == cloud.batch_key(Listing(tuple(reversed(listing.rows))))
    assert cloud.batch_key(listing).count(",") == 22


def test_it_has_one_client_until_reset(sandbox: Sandbox) -> None:
    first = cloud.client()
    assert cloud.client() is first
    cloud.reset()
    assert cloud.client() is not first


def test_it_forgets_every_copy_at_reset(sandbox: Sandbox, settings: Settings) -> None:
    from django.core.cache import cache

    cloud.snapshots.read()
    cache.clear()
    cloud.reset()
    assert cloud.snapshots.peek() is None


def test_it_has_no_sandbox_with_an_api_key(settings: Settings) -> None:
    settings.SANDBOX = False
    with pytest.raises(RuntimeError, match="no sandbox"):
        cloud.sandbox()


def test_it_speaks_to_a_real_address_with_the_key(sandbox: Sandbox, settings: Settings) -> None:
    # given the sandbox on a port, as the real API would be
    server = serve(sandbox, port=0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.SANDBOX = False
    settings.BARRACK_API_URL = f"http://127.0.0.1:{server.port}/api"
    try:
        for key, fits in (("sandbox-key", True), ("another-key", False)):
            settings.BARRACK_API_KEY = key
            cloud.reset()
            cloud.snapshots.forget()
            assert (cloud.snapshots.read().problem is None) is fits
        # and a server that goes away is an error of ours, never one of the HTTP library
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    cloud.reset()
    cloud.regions.forget()
    with pytest.raises(Unreachable):
        cloud.regions.read()
