"""Snapshots: made, restored, deleted, and every reason why not."""

from decimal import Decimal

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

ACTIVE = "BRK-123456D"
SNAPSHOT = "BRK-123456S"
NEW = {"instance_id": ACTIVE, "name": "fresh", "description": ""}


def restore(api: httpx.Client, name: str = "restored", snapshot_id: str = SNAPSHOT) -> httpx.Response:
    return api.post(f"/snapshots/{snapshot_id}/restore", json={"new_vm_name": name})


def test_it_makes_a_snapshot_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    answer = api.post("/snapshots", json=NEW)
    assert answer.status_code == 201
    snapshot_id = answer.json()["snapshot_id"]
    assert answer.json()["snapshot"]["status"] == "CREATING"
    sandbox.world.advance(59)
    assert api.get(f"/snapshots/{snapshot_id}").json()["snapshot"]["status"] == "CREATING"
    sandbox.world.advance(1)
    done = api.get(f"/snapshots/{snapshot_id}").json()["snapshot"]
    assert (done["status"], done["size_gb"], done["gpu_type"], done["cpu"]) == ("SUCCESS", 100, "H100-PCIe-80GB", 56)
    assert done["is_image"] is False


def test_it_makes_a_snapshot_at_the_instance_too(api: httpx.Client) -> None:
    assert api.post(f"/instances/{ACTIVE}/snapshots", json=NEW).status_code == 201
    other = api.post("/instances/BRK-123502D/snapshots", json={**NEW, "name": "b"})
    assert other.status_code == 422
    assert "instance_id" in other.json()["details"]


def test_it_makes_an_image_when_the_snapshot_is_complete(api: httpx.Client, sandbox: Sandbox) -> None:
    snapshot_id = api.post("/snapshots", json={**NEW, "create_as_image": True}).json()["snapshot_id"]
    relation = f"/snapshots/{snapshot_id}/image"
    assert api.get(relation).json()["has_image"] is False
    taken = api.post("/images", json={"snapshot_id": SNAPSHOT, "name": "fresh"})
    assert taken.json()["error"] == "NAME_TAKEN"
    sandbox.world.advance(61)
    (image,) = api.get(relation).json()["images"]
    assert (image["name"], image["status"]) == ("fresh", "Creating")
    assert api.get(f"/snapshots/{snapshot_id}").json()["snapshot"]["is_image"] is True
    sandbox.world.advance(90)
    assert api.get(relation).json()["images"][0]["status"] == "SUCCESS"


@pytest.mark.parametrize("name", ["", " ", "a" * 51, "ä", "a/b", "a\n", None, 5])
def test_it_keeps_the_rule_for_names(api: httpx.Client, name: object) -> None:
    made = api.post("/snapshots", json={**NEW, "name": name})
    assert (made.status_code, set(made.json()["details"])) == (422, {"name"})
    restored = api.post(f"/snapshots/{SNAPSHOT}/restore", json={"new_vm_name": name})
    assert (restored.status_code, set(restored.json()["details"])) == (422, {"new_vm_name"})


def test_it_accepts_the_longest_name(api: httpx.Client) -> None:
    assert restore(api, "a" * 50).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": 5}, "description"),
        ({"create_as_image": "yes"}, "create_as_image"),
        ({"instance_id": 1}, "instance_id"),
    ],
)
def test_it_checks_types(api: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = api.post("/snapshots", json={**NEW, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})


def test_it_wants_the_description_key(api: httpx.Client) -> None:
    answer = api.post("/snapshots", json={"instance_id": ACTIVE, "name": "fresh"})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {"description"})


def test_it_makes_snapshots_of_active_instances_only(api: httpx.Client, sandbox: Sandbox) -> None:
    for instance_id, record in sandbox.world.instances.items():
        answer = api.post("/snapshots", json={**NEW, "instance_id": instance_id, "name": record["vm_name"]})
        assert answer.status_code == (201 if record["status"] == "ACTIVE" else 409)
    assert api.post("/snapshots", json={**NEW, "instance_id": "BRK-1D"}).status_code == 404


def test_it_refuses_a_taken_snapshot_name(api: httpx.Client) -> None:
    answer = api.post("/snapshots", json={**NEW, "name": "prod-backup-dec11"})
    assert (answer.status_code, answer.json()["error"]) == (409, "NAME_TAKEN")
    assert set(answer.json()["details"]) == {"name"}


def test_it_refuses_the_name_of_an_image_for_a_snapshot_that_becomes_one(api: httpx.Client) -> None:
    named = {**NEW, "name": "golden-cuda"}
    answer = api.post("/snapshots", json={**named, "create_as_image": True})
    assert (answer.status_code, answer.json()["error"], set(answer.json()["details"])) == (409, "NAME_TAKEN", {"name"})
    assert api.post("/snapshots", json=named).status_code == 201


def test_it_refuses_a_snapshot_without_credit_or_profile(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.balances["USD"] = Decimal(0)
    answer = api.post("/snapshots", json=NEW)
    assert (answer.status_code, answer.json()["error"]) == (402, "INSUFFICIENT_CREDITS")
    sandbox.world.profile_complete = False
    assert api.post("/snapshots", json=NEW).json()["error"] == "PROFILE_INCOMPLETE"


def test_it_restores_into_a_new_instance(api: httpx.Client, sandbox: Sandbox) -> None:
    stock = sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"]
    answer = restore(api).json()
    assert (answer["vm_name"], answer["snapshot_id"]) == ("restored", SNAPSHOT)
    address = f"/instances/{answer['instance_id']}"
    new = api.get(address).json()["instance"]
    assert (new["status"], new["region"], new["private_ip"], new["public_ip"]) == ("CREATING", "CANADA-1", None, None)
    assert new["billing"]["price_per_hour"] is None
    assert sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] == stock - 2
    sandbox.world.advance(120)
    new = api.get(address).json()["instance"]
    source = api.get(f"/instances/{ACTIVE}").json()["instance"]
    assert new["status"] == "ACTIVE"
    assert new["private_ip"] not in {None, source["private_ip"]}
    assert new["public_ip"] not in {None, source["public_ip"]}
    assert (new["flavor"]["disk"], new["ssh_keys"]) == (250, source["ssh_keys"])


def test_it_gives_a_public_address_only_if_the_source_has_one(api: httpx.Client, sandbox: Sandbox) -> None:
    ids = [
        restore(api, f"vm-{snapshot}", snapshot).json()["instance_id"] for snapshot in ("BRK-123478S", "BRK-123577S")
    ]
    sandbox.world.advance(120)
    for instance_id in ids:
        record = sandbox.world.instances[instance_id]
        assert (record["status"], record["public_ip"]) == ("ACTIVE", None)
        assert record["private_ip"]


def test_it_restores_complete_snapshots_only(api: httpx.Client, sandbox: Sandbox) -> None:
    for status, expected in {"SUCCESS": 200, "available": 200, "CREATING": 409, "ERROR": 409, "VERIFYING": 409}.items():
        sandbox.world.snapshots[SNAPSHOT]["status"] = status
        assert restore(api, f"vm-{status}").status_code == expected
    assert restore(api, "x", "BRK-1S").status_code == 404


def test_it_refuses_a_taken_instance_name(api: httpx.Client) -> None:
    answer = restore(api, "ml-training-server")
    assert (answer.status_code, answer.json()["error"]) == (409, "NAME_TAKEN")
    assert set(answer.json()["details"]) == {"new_vm_name"}
    assert restore(api, "old-benchmark").status_code == 200, "the name of a deleted instance is free"


def test_it_refuses_a_restore_without_an_hour_of_credit(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.balances["USD"] = Decimal("4.49")
    answer = restore(api)
    assert (answer.status_code, answer.json()["error"]) == (402, "INSUFFICIENT_CREDITS")
    sandbox.world.balances["USD"] = Decimal("4.50")
    assert restore(api).status_code == 200


def test_it_runs_out_of_stock(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] = 3
    assert restore(api, "first").status_code == 200
    before = len(sandbox.world.instances)
    answer = restore(api, "second")
    assert (answer.status_code, answer.json()["error"]) == (503, "OUT_OF_STOCK")
    assert len(sandbox.world.instances) == before
    assert sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] == 1


def test_it_deletes_a_snapshot_unless_it_is_being_restored(api: httpx.Client, sandbox: Sandbox) -> None:
    restore(api)
    answer = api.delete(f"/snapshots/{SNAPSHOT}")
    assert (answer.status_code, answer.json()["error"]) == (409, "RESTORE_IN_PROGRESS")
    sandbox.world.advance(120)
    assert api.delete(f"/snapshots/{SNAPSHOT}").json()["snapshot_id"] == SNAPSHOT
    assert api.delete(f"/snapshots/{SNAPSHOT}").status_code == 404


def test_it_forgets_the_image_of_a_snapshot_deleted_too_early(api: httpx.Client, sandbox: Sandbox) -> None:
    snapshot_id = api.post("/snapshots", json={**NEW, "create_as_image": True}).json()["snapshot_id"]
    assert api.delete(f"/snapshots/{snapshot_id}").status_code == 200
    sandbox.world.advance(600)
    assert all(image["name"] != "fresh" for image in sandbox.world.images.values())
    assert api.post("/images", json={"snapshot_id": SNAPSHOT, "name": "fresh"}).status_code == 200


def test_it_makes_images_of_complete_snapshots_under_new_names(api: httpx.Client, sandbox: Sandbox) -> None:
    wanted = {"snapshot_id": SNAPSHOT, "name": "base", "description": None}
    image_id = api.post("/images", json=wanted).json()["image_id"]
    assert api.post("/images", json=wanted).json()["error"] == "NAME_TAKEN"
    assert api.post("/images", json={**wanted, "name": "b", "snapshot_id": "BRK-123541S"}).status_code == 409
    assert api.post("/images", json={**wanted, "name": "b", "snapshot_id": "BRK-1S"}).status_code == 404
    assert set(api.post("/images", json={"name": "b"}).json()["details"]) == {"snapshot_id"}
    assert api.get(f"/images/{image_id}").json()["image"]["status"] == "Creating"
    sandbox.world.advance(90)
    image = api.get(f"/images/{image_id}").json()["image"]
    assert (image["status"], image["size_gb"], image["region"]) == ("SUCCESS", 250, "CANADA-1")
    assert api.delete(f"/snapshots/{SNAPSHOT}").status_code == 200
    assert api.get(f"/images/{image_id}").status_code == 200


def test_it_relates_many_snapshots_to_their_images(api: httpx.Client) -> None:
    ids = ["BRK-123490S", "BRK-123456S", "BRK-1S"]
    rows = api.post("/snapshots/images/batch", json={"snapshot_ids": ids}).json()["relationships"]
    assert [(row["snapshot_id"], row["has_image"]) for row in rows] == [(ids[0], True), (ids[1], False)]
    assert rows[0]["images"][0]["image_id"] == 501
    for bad in ([], ["x"] * 101, "BRK-123490S", [1]):
        assert api.post("/snapshots/images/batch", json={"snapshot_ids": bad}).status_code == 422
