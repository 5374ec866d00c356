"""Lists are walked to their end, at once, and never shown in half."""

import threading
import time

import httpx
import pytest

from barrack_web.client import Broken, Client, Listing, Missing, Snapshot, TimedOut, TimeLimits

from .conftest import Cloud, snapshot_row


def paged(cloud: Cloud, pages: list[list[dict[str, object]]], *, nested: bool = True) -> Client:
    def handle(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        facts = {"page": page, "limit": 100, "total": 9, "total_pages": len(pages)}
        more = {"pagination": facts} if nested else facts
        return httpx.Response(200, json={"success": True, "snapshots": pages[page - 1], **more})

    return cloud.client(handle)


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "top level"])
def test_it_walks_every_page_in_order(cloud: Cloud, nested: bool) -> None:
    listing = paged(cloud, [[snapshot_row(n)] for n in range(1, 8)], nested=nested).snapshots.list()
    assert [row.snapshot_name for row in listing] == [f"backup-{n}" for n in range(1, 8)]
    assert (listing.pages, listing.broken, listing.complete) == (7, 0, True)
    assert {request.url.params["limit"] for request in cloud.requests} == {"100"}


def test_it_takes_a_list_without_pagination_as_one_page(cloud: Cloud) -> None:
    for extra in ({}, {"pagination": None}, {"total": 1}):
        listing = cloud.answering({"snapshots": [snapshot_row()], **extra}).snapshots.list()
        assert (len(listing), listing.pages) == (1, 1)


def test_it_counts_the_pages_from_total_and_limit(cloud: Cloud) -> None:
    body = {"snapshots": [], "pagination": {"total": 41, "limit": 20}}
    assert cloud.answering(body).snapshots.list().pages == 3


@pytest.mark.parametrize("pagination", [{"total_pages": "three"}, {}, [], "x", {"total": 5, "limit": 0}], ids=str)
def test_it_calls_unreadable_pagination_broken(cloud: Cloud, pagination: object) -> None:
    with pytest.raises(Broken):
        cloud.answering({"snapshots": [snapshot_row()], "pagination": pagination}).snapshots.list()


def test_it_keeps_a_row_once_that_comes_on_two_pages(cloud: Cloud) -> None:
    pages = [[snapshot_row(1), snapshot_row(2)], [snapshot_row(2), snapshot_row(3)]]
    assert [row.snapshot_name for row in paged(cloud, pages).snapshots.list()] == ["backup-1", "backup-2", "backup-3"]


def test_it_fails_as_a_whole_when_one_page_fails(cloud: Cloud) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.params["page"] == "3":
            return httpx.Response(404, json={"message": "no such page"})
        return httpx.Response(200, json={"snapshots": [snapshot_row()], "pagination": {"total_pages": 4}})

    with pytest.raises(Missing, match="no such page"):
        cloud.client(handle).snapshots.list()


def test_it_stops_at_100_pages_and_says_so(cloud: Cloud) -> None:
    body = {"snapshots": [snapshot_row()], "pagination": {"total_pages": 10**9}}
    listing = cloud.answering(body).snapshots.list()
    assert (listing.pages, listing.complete, len(cloud.requests)) == (100, False, 100)


def test_it_reads_the_later_pages_at_once(cloud: Cloud) -> None:
    together = threading.Barrier(4, timeout=2)

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.params["page"] != "1":
            together.wait()  # breaks unless all four are under way together
        return httpx.Response(200, json={"snapshots": [], "pagination": {"total_pages": 5}})

    assert cloud.client(handle).snapshots.list().pages == 5


def test_it_survives_many_walks_at_once_on_few_threads(cloud: Cloud) -> None:
    body = {"snapshots": [snapshot_row()], "pagination": {"total_pages": 6}}
    client = cloud.client(lambda _request: httpx.Response(200, json=body), workers=2)
    results: list[Listing[Snapshot]] = []
    threads = [threading.Thread(target=lambda: results.append(client.snapshots.list())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [listing.pages for listing in results] == [6] * 8


def test_it_holds_one_time_limit_for_all_pages(cloud: Cloud) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        time.sleep(0.25)
        return httpx.Response(200, json={"snapshots": [], "pagination": {"total_pages": 3}})

    client = cloud.client(handle, limits=TimeLimits(read=0.4))
    start = time.monotonic()
    with pytest.raises(TimedOut):
        client.snapshots.list()
    assert time.monotonic() - start < 0.7
