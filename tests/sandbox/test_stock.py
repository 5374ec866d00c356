"""GPUs: how many are said to be free, who takes them and who gives them back."""

import httpx
import pytest

from barrack_web.sandbox.prices import GPU_MODELS
from barrack_web.sandbox.server import Sandbox

VM = "BRK-123456D"
PLACE = ("CANADA-1", "H100-PCIe-80GB")


def test_it_tells_the_stock_of_each_model_in_each_region(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.stock[PLACE] = 7
    rows = {(row["region"], row["model"]): row for row in api.get("/gpu-stocks").json()["stocks"]}
    assert len(rows) == 3 * len(GPU_MODELS)
    row = rows[PLACE]
    assert (row["available"], row["tier"]) == ("7", "legacy")
    assert row["configurations"] == {"1x": 7, "2x": 3, "4x": 1, "8x": 0, "10x": 0}
    assert rows["US-1", "H100-SXM5-80GB"]["available"] == "0"


@pytest.mark.parametrize(("free", "told"), [(-1, "0"), (0, "0"), (200, "200"), (201, "200+"), (396, "200+")])
def test_it_rounds_a_large_stock_down(api: httpx.Client, sandbox: Sandbox, free: int, told: str) -> None:
    sandbox.world.stock[PLACE] = free
    rows = {(row["region"], row["model"]): row for row in api.get("/gpu-stocks").json()["stocks"]}
    assert (rows[PLACE]["available"], rows[PLACE]["configurations"]["1x"]) == (told, max(0, free))


def test_it_counts_only_sizes_that_a_model_comes_in(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.stock["US-1", "A40"] = 160
    (row,) = [r for r in api.get("/gpu-stocks", params={"region": "US-1"}).json()["stocks"] if r["model"] == "A40"]
    assert row["configurations"] == {"1x": 160, "2x": 80, "4x": 40, "8x": 0, "10x": 0}


def test_it_tells_the_stock_of_one_region(api: httpx.Client) -> None:
    rows = api.get("/gpu-stocks", params={"region": "NORWAY-1"}).json()["stocks"]
    assert {row["region"] for row in rows} == {"NORWAY-1"}
    assert api.get("/gpu-stocks", params={"region": "MOON-1"}).json()["stocks"] == []


def test_it_frees_the_gpus_of_a_hibernated_instance_and_takes_them_again(api: httpx.Client, sandbox: Sandbox) -> None:
    stock = sandbox.world.stock
    before = stock[PLACE]
    api.post(f"/instances/{VM}/hibernate")
    sandbox.world.advance(59)
    assert stock[PLACE] == before, "they are in use until it sleeps"
    sandbox.world.advance(1)
    assert stock[PLACE] == before + 2
    assert api.post(f"/instances/{VM}/restore").status_code == 200
    assert stock[PLACE] == before


@pytest.mark.parametrize(("status", "freed"), [("ACTIVE", 2), ("SHUTOFF", 2), ("ERROR", 2), ("HIBERNATED", 0)])
def test_it_frees_the_gpus_of_a_deleted_instance_once(
    api: httpx.Client, sandbox: Sandbox, status: str, freed: int
) -> None:
    stock = sandbox.world.stock
    before = stock[PLACE]
    sandbox.world.instances[VM]["status"] = status
    api.delete(f"/instances/{VM}")
    sandbox.world.advance(29)
    assert stock[PLACE] == before
    sandbox.world.advance(600)
    assert stock[PLACE] == before + freed


def test_it_keeps_the_gpus_of_a_stopped_instance(api: httpx.Client, sandbox: Sandbox) -> None:
    before = sandbox.world.stock[PLACE]
    api.post(f"/instances/{VM}/stop")
    sandbox.world.advance(600)
    assert sandbox.world.stock[PLACE] == before


def test_it_does_not_restore_without_stock_or_an_hour_of_credit(api: httpx.Client, sandbox: Sandbox) -> None:
    world = sandbox.world
    world.instances[VM]["status"] = "HIBERNATED"
    world.stock[PLACE] = 1
    refused = api.post(f"/instances/{VM}/restore")
    assert (refused.status_code, refused.json()["error"], world.stock[PLACE]) == (503, "OUT_OF_STOCK", 1)
    world.stock[PLACE] = 2
    world.balances["USD"] += 4 - world.balances["USD"]
    refused = api.post(f"/instances/{VM}/restore")
    assert (refused.status_code, refused.json()["error"], world.stock[PLACE]) == (402, "INSUFFICIENT_CREDITS", 2)
    assert world.instances[VM]["status"] == "HIBERNATED"


def test_it_tells_what_hardware_comes_with_a_model(api: httpx.Client) -> None:
    body = api.get("/gpu-specs").json()
    assert body["metadata"]["total"] == len(body["specs"]) == 7 * 4 + 2 * 3
    (spec,) = [row for row in body["specs"] if (row["gpu_model"], row["gpu_count"]) == ("L40", 2)]
    assert spec["specs"] == {"cpu": 56, "ram": 116, "disk": 100, "ephemeral": 1450, "gpu_memory_gb": 48}
    assert (spec["price"], spec["tier"], spec["region"]) == ({"USD": 2.38, "EUR": 2.18, "INR": 198}, "legacy", None)


def test_it_narrows_the_hardware_to_a_model_or_tier(api: httpx.Client) -> None:
    counts = [row["gpu_count"] for row in api.get("/gpu-specs", params={"gpu_model": "A40"}).json()["specs"]]
    assert counts == [1, 2, 4]
    models = {row["gpu_model"] for row in api.get("/gpu-specs", params={"tier": "advanced"}).json()["specs"]}
    assert models == {"H100-SXM5-80GB", "B300-262GB"}
    for query in ({"tier": "x"}, {"gpu_model": "\0"}):
        refused = api.get("/gpu-specs", params=query)
        assert (refused.status_code, set(refused.json()["details"])) == (400, set(query))
