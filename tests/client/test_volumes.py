"""Volumes: what is asked, and what an answer becomes."""

import httpx
import msgspec
import pytest

from barrack_web.client import Broken, VolumeListing, VolumeRequest

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

ROW = ROWS["Volume"]
SAID = {"success": True, "message": "Volume\n accepted\u202e\x00", "request_id": "a1b2c3d4"}


def test_it_lists_volumes_with_the_name_for_the_next_one(cloud: Cloud) -> None:
    listing = cloud.answering({"volumes": [ROW, {}], "next_name": "volume4"}).volumes.list()
    assert listing == VolumeListing((STRUCT_OF["Volume"],), broken=1, next_name="volume4")
    for silent in ({}, {"next_name": None}, {"next_name": 4}):
        assert cloud.answering({"volumes": [], **silent}).volumes.list().next_name is None


def test_it_takes_the_next_name_of_the_first_page(cloud: Cloud) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        page = request.url.params["page"]
        row = ROW | {"volume_id": f"BRK-{page}V"}
        body = {"volumes": [row], "next_name": f"volume{page}", "pagination": {"total_pages": 3}}
        return httpx.Response(200, json=body)

    listing = cloud.client(handle).volumes.list()
    assert [row.volume_id for row in listing] == ["BRK-1V", "BRK-2V", "BRK-3V"]
    assert (listing.next_name, listing.pages, listing.complete) == ("volume1", 3, True)


def test_it_keeps_a_listing_through_the_caches_format(cloud: Cloud) -> None:
    listing = cloud.answering({"volumes": [ROW, {}], "next_name": "volume4"}).volumes.list()
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(listing), type=VolumeListing)
    assert (again, repr(again)) == (listing, repr(listing))
    assert list(again) == [STRUCT_OF["Volume"]]


def test_it_reads_one_volume(cloud: Cloud) -> None:
    assert cloud.answering({"volume": ROW}).volumes.get("BRK-1V") == STRUCT_OF["Volume"]
    for bad in ({}, {"volume": None}, {"volume": ROW | {"size_gb": "NaN"}}, {"volume": [ROW]}):
        with pytest.raises(Broken) as raised:
            cloud.answering(bad).volumes.get("BRK-1V")
        assert not raised.value.may_have_happened


@pytest.mark.parametrize(
    ("status", "moving"),
    [("Creating", True), ("de-taching", False), ("detaching", True), ("in-use", False), ("", False)],
)
def test_it_knows_which_status_changes_by_itself(cloud: Cloud, status: str, moving: bool) -> None:
    volume = cloud.answering({"volume": ROW | {"status": status}}).volumes.get("BRK-1V")
    assert (volume.status, volume.in_transition) == (status, moving)


def test_it_reads_the_types_of_a_tier_or_of_all(cloud: Cloud) -> None:
    client = cloud.answering({"volume_types": ["SSD", "NVMe", "Cloud-SSD"]})
    assert client.volumes.types() == ("SSD", "NVMe", "Cloud-SSD")
    assert client.volumes.types("legacy") == ("SSD", "NVMe", "Cloud-SSD")
    assert [request.url.query for request in cloud.requests] == [b"", b"tier=legacy"]
    assert cloud.answering({"volume_types": []}).volumes.types() == ()
    for bad in ({}, {"volume_types": None}, {"volume_types": "SSD"}, {"volume_types": [1]}, {"volume_types": {}}):
        with pytest.raises(Broken):
            cloud.answering(bad).volumes.types()


def test_it_sends_exactly_what_was_asked_for(cloud: Cloud) -> None:
    volumes = cloud.answering({"success": True}).volumes
    volumes.create(VolumeRequest(name="data", region="US-1", size_gb=10))
    assert cloud.sent() == {"name": "data", "region": "US-1", "size_gb": 10}
    volumes.create(
        VolumeRequest(
            name="boot",
            region="US-1",
            size_gb=100,
            bootable=True,
            os_image="Ubuntu",
            volume_type="SSD",
            tier="legacy",
            description="d",
        )
    )
    assert cloud.sent() == {
        "name": "boot",
        "region": "US-1",
        "size_gb": 100,
        "bootable": True,
        "os_image": "Ubuntu",
        "volume_type": "SSD",
        "tier": "legacy",
        "description": "d",
    }
    volumes.clone("BRK-1V", "copy")
    assert cloud.sent() == {"name": "copy"}
    volumes.resize("BRK-1V", 200)
    assert cloud.sent() == {"size_gb": 200}
    volumes.attach("BRK-1D", ("BRK-1V", "BRK-2V"))
    assert cloud.sent() == {"volume_ids": ["BRK-1V", "BRK-2V"]}
    volumes.detach("BRK-1D", ["BRK-1V"])
    assert cloud.sent() == {"volume_ids": ["BRK-1V"]}
    volumes.delete("BRK-1V")
    assert cloud.requests[-1].content == b""


def test_it_reads_what_a_change_answers(cloud: Cloud) -> None:
    volumes = cloud.answering({**SAID, "volume": ROW, "tier": "Advanced"}).volumes
    request = VolumeRequest(name="data", region="US-1", size_gb=10)
    for done in (volumes.create(request), volumes.clone("BRK-1V", "c"), volumes.resize("BRK-1V", 20)):
        assert (done.message, done.request_id, done.tier) == ("Volume accepted", "a1b2c3d4", "Advanced")
        assert done.volume == STRUCT_OF["Volume"]
    moved = cloud.answering({**SAID, "instance_id": "BRK-1D", "volume_attachments": [ROWS["VMVolumeAttachment"]]})
    for answer in (moved.volumes.attach("BRK-1D", ["BRK-1V"]), moved.volumes.detach("BRK-1D", ["BRK-1V"])):
        assert answer.instance_id == "BRK-1D"
        assert answer.volume_attachments == (STRUCT_OF["VMVolumeAttachment"],)
    gone = cloud.answering({**SAID, "volume_id": "BRK-1V"}).volumes.delete("BRK-1V")
    assert (gone.volume_id, gone.message) == ("BRK-1V", "Volume accepted")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"success": True},
        {"volume": None, "volume_attachments": None, "message": None, "request_id": None},
        {"volume": {"odd": 1}, "volume_attachments": 5, "message": ["x"], "request_id": 7, "tier": 1, "volume_id": 1},
        {"volume": "x", "volume_attachments": [5], "message": {}, "request_id": [], "instance_id": 5},
    ],
    ids=str,
)
def test_it_survives_an_answer_that_says_little_or_nonsense(cloud: Cloud, body: object) -> None:
    volumes = cloud.answering(body, headers={"X-Request-ID": "from-header"}).volumes
    changed, moved, gone = volumes.resize("BRK-1V", 20), volumes.attach("BRK-1D", ["BRK-1V"]), volumes.delete("BRK-1V")
    assert (changed.volume, moved.volume_attachments, moved.instance_id, gone.volume_id) == (None, None, None, None)
    assert {done.message for done in (changed, moved, gone)} == {""}
    assert {done.request_id for done in (changed, moved, gone)} == {"from-header"}


def test_it_takes_an_answer_without_a_body(cloud: Cloud) -> None:
    volumes = cloud.answering(b"", 204, headers={"X-Request-ID": "from-header"}).volumes
    gone = volumes.delete("BRK-1V")
    assert (gone.message, gone.request_id, gone.volume_id) == ("", "from-header", None)
    assert volumes.attach("BRK-1D", ["BRK-1V"]).volume_attachments is None


def test_it_reads_billing_whose_times_have_no_zone(cloud: Cloud) -> None:
    body = {
        "success": True,
        "records": [ROWS["BillingRecord"]],
        "summary": {"totalMinutes": 60, "totalSizeGB": 250, "totalCost": None},
        "total": 1,
        "page": 1,
        "limit": 20,
        "total_pages": 1,
    }
    page = cloud.answering(body).volumes.billing()
    assert page.records == (STRUCT_OF["BillingRecord"],)
    assert (page.summary.total_cost, page.currency, page.broken) == (None, None, 0)
