"""Lists, details, the catalog, and the ways an address or a key can be wrong."""

import re

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox


def test_it_answers_in_the_envelope(api: httpx.Client) -> None:
    body = api.get("/snapshots").json()
    assert body["success"] is True
    assert body["message"]
    assert re.fullmatch(r"[0-9a-f]{8}", body["request_id"])
    assert body["pagination"] == {"page": 1, "limit": 20, "total": 23, "total_pages": 2}
    assert body["snapshots"][0]["snapshot_name"] == "prod-backup-dec11"


def test_it_pages_without_losing_or_repeating_a_row(api: httpx.Client) -> None:
    pages = [api.get("/snapshots", params={"page": n, "limit": 10}).json()["snapshots"] for n in (1, 2, 3, 4)]
    ids = [row["snapshot_id"] for page in pages for row in page]
    assert [len(page) for page in pages] == [10, 10, 3, 0]
    assert len(set(ids)) == 23


@pytest.mark.parametrize("query", [{"page": 0}, {"page": "x"}, {"limit": 0}, {"limit": 101}, {"page": "9" * 5000}])
def test_it_refuses_a_page_that_cannot_be(api: httpx.Client, query: dict[str, str]) -> None:
    answer = api.get("/instances", params=query)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert set(answer.json()["details"]) == set(query)


def test_it_filters_by_region_status_and_name(api: httpx.Client) -> None:
    snapshots = api.get("/snapshots", params={"region": "NORWAY-1", "search": "RERANK"}).json()["snapshots"]
    assert [row["snapshot_name"] for row in snapshots] == ["search-reranker-v2"]
    active = api.get("/instances", params={"region": "US-1", "status": "ACTIVE"}).json()["instances"]
    assert [row["vm_name"] for row in active] == ["whisper-batch"]
    images = api.get("/images", params={"region": "CANADA-1"}).json()["images"]
    assert [row["image_id"] for row in images] == [501, 502, 505, 506]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/instances", "instances"),
        ("/instances/snapshot-eligible", "vms"),
        ("/firewalls/available-instances", "vms"),
        ("/snapshots", "snapshots"),
        ("/images", "images"),
        ("/volumes", "volumes"),
        ("/firewalls", "firewalls"),
        ("/ssh-keys", "ssh_keys"),
        ("/os-images", "images"),
        ("/gpu-stocks", "stocks"),
    ],
)
def test_it_filters_every_list_by_region(api: httpx.Client, path: str, name: str) -> None:
    found = {region: api.get(path, params={"region": region}) for region in ("MOON-1", "US-1", "")}
    assert {answer.status_code for answer in found.values()} == {200}
    sizes = {region: len(answer.json()[name]) for region, answer in found.items()}
    assert sizes["MOON-1"] == 0 < sizes["US-1"] <= sizes[""] == len(api.get(path).json()[name])


@pytest.mark.parametrize("path", ["/snapshots", "/images", "/volumes", "/firewalls", "/ssh-keys"])
def test_it_filters_by_no_state_where_there_is_no_such_filter(api: httpx.Client, path: str) -> None:
    assert api.get(path, params={"status": "none"}).json()["pagination"]["total"] > 0


def test_it_shows_one_of_each(api: httpx.Client) -> None:
    instance = api.get("/instances/BRK-123456D").json()["instance"]
    assert instance["vm_name"] == "ml-training-server"
    assert instance["billing"]["price_per_hour"] == 4.5
    assert api.get("/snapshots/BRK-123456S").json()["snapshot"]["size_gb"] == 250
    assert api.get("/images/img-503").json()["image"]["name"] == "inference-gateway"


@pytest.mark.parametrize("path", ["/instances/BRK-1D", "/snapshots/BRK-1S", "/images/9", "/snapshots/BRK-1S/billing"])
def test_it_says_404_for_what_is_not_there(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "NOT_FOUND"


def test_it_lists_only_active_instances_for_snapshots(api: httpx.Client, sandbox: Sandbox) -> None:
    body = api.get("/instances/snapshot-eligible", params={"region": "CANADA-1"}).json()
    assert [vm["vm_name"] for vm in body["vms"]] == ["ml-training-server", "rag-index-builder", "eval-harness"]
    assert "flavor" not in body["vms"][0]
    assert body["pagination"] is None
    sandbox.world.instances["BRK-123502D"]["status"] = "SHUTOFF"
    body = api.get("/instances/snapshot-eligible", params={"page": 1, "limit": 1, "region": "CANADA-1"}).json()
    assert body["pagination"]["total"] == 2


def test_it_serves_records_as_a_test_left_them(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots["BRK-123456S"]["status"] = "FROZEN"
    sandbox.world.snapshots["BRK-123456S"]["extra"] = [1]
    del sandbox.world.snapshots["BRK-123456S"]["size_gb"]
    shown = api.get("/snapshots").json()["snapshots"][0]
    assert (shown["status"], shown["extra"]) == ("FROZEN", [1])
    assert "size_gb" not in shown


def test_it_lists_regions_and_prices(api: httpx.Client) -> None:
    assert [row["name"] for row in api.get("/regions").json()["regions"]] == ["NORWAY-1", "CANADA-1", "US-1"]
    data = api.get("/pricing/").json()["pricing_data"]
    assert data["gpus"]["pricing"]["advanced"]["H100-SXM5-80GB"]["prices"] == {"USD": 2.69, "EUR": 2.49, "INR": 239}
    assert data["volumes"]["pricing"]["advanced"]["NVMe"]["prices"]["EUR"] == 0.35
    assert data["snapshots"]["pricing"]["legacy"]["fixed_size_gb"] == 100
    assert sum(len(models) for models in data["gpus"]["pricing"].values()) == 9


def test_it_narrows_prices(api: httpx.Client) -> None:
    wanted = {"resource_type": "gpus", "gpu_model": "L40", "currency": "EUR", "tier": "legacy"}
    data = api.post("/pricing/", json=wanted).json()["pricing_data"]
    assert data["gpus"]["pricing"]["legacy"]["L40"]["prices"] == {"EUR": 1.09}
    assert "volumes" not in data
    data = api.get("/pricing", params={"gpu_count": "8"}).json()["pricing_data"]
    assert "RTX-A6000" not in data["gpus"]["pricing"]["legacy"]
    assert api.post("/pricing/", json={"gpu_model": "3dfx"}).status_code == 422
    assert api.get("/pricing/", params={"volume_size_gb": "-1"}).status_code == 400


def test_it_wants_the_key_in_either_header(api: httpx.Client) -> None:
    refused = api.get("/balance", headers={"X-API-Key": "wrong"})
    assert refused.status_code == 401
    assert refused.json()["error"] == "INVALID_API_KEY"
    del api.headers["X-API-Key"]
    assert api.get("/balance").status_code == 401
    assert api.get("/balance", headers={"Authorization": "Bearer sandbox-key"}).status_code == 200
    assert api.get("/balance", headers={"Authorization": "Basic sandbox-key"}).status_code == 401


def test_it_knows_its_addresses(api: httpx.Client) -> None:
    assert api.get("/nothing").status_code == 404
    wrong = api.put("/snapshots")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "GET, POST"
    assert api.get("/snapshots/").status_code == 200
    assert api.get("/snapshots/a%2Fb").status_code == 404


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_it_refuses_a_body_that_is_no_json_object(api: httpx.Client, content: bytes) -> None:
    assert api.post("/snapshots", content=content).status_code == 400


def test_it_narrows_the_posted_price_list_by_query_and_body(api: httpx.Client) -> None:
    by_query = api.post("/pricing/?resource_type=gpus&tier=legacy").json()["pricing_data"]
    assert (set(by_query), set(by_query["gpus"]["pricing"])) == ({"gpus", "metadata"}, {"legacy"})
    by_both = api.post("/pricing/?resource_type=gpus", json={"resource_type": "volumes"}).json()["pricing_data"]
    assert set(by_both) == {"volumes", "metadata"}
    wrong = api.post("/pricing/?resource_type=moons", json={"resource_type": "volumes"})
    assert (wrong.status_code, set(wrong.json()["details"])) == (422, {"resource_type"})
