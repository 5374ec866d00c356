"""Volumes: made, copied, enlarged, deleted, attached and detached, and every reason why not."""

from decimal import Decimal

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

ACTIVE, OTHER_REGION, STOPPED = "BRK-123456D", "BRK-123517D", "BRK-123533D"
CORPUS, GOLDEN, IMAGENET, FREE_US = "BRK-123458V", "BRK-123519V", "BRK-123527V", "BRK-123538V"
BOOT, BOOTED = "BRK-123504V", "BRK-123502D"
CREATING, BROKEN, UNKNOWN, ORPHAN = "BRK-123566V", "BRK-123573V", "BRK-123588V", "BRK-123544V"
UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
NEW = {"name": "fresh", "region": "CANADA-1", "size_gb": 100}
FIELDS = {
    "volume_id", "volume_name", "description", "size_gb", "region", "status", "bootable", "volume_type", "os_image",
    "instance_id", "attached_vm_name", "attached_vm_status", "tier", "created_at", "updated_at",
}  # fmt: skip


def volume(api: httpx.Client, volume_id: str) -> dict[str, object]:
    found = api.get(f"/volumes/{volume_id}").json()["volume"]
    assert isinstance(found, dict)
    return found


def attach(api: httpx.Client, *ids: str, vm: str = ACTIVE) -> httpx.Response:
    return api.post(f"/instances/{vm}/attach-volumes", json={"volume_ids": list(ids)})


def detach(api: httpx.Client, *ids: str, vm: str = ACTIVE) -> httpx.Response:
    return api.post(f"/instances/{vm}/detach-volumes", json={"volume_ids": list(ids)})


def test_it_lists_volumes_and_the_next_name(api: httpx.Client) -> None:
    body = api.get("/volumes", params={"limit": 6}).json()
    assert (len(body["volumes"]), body["pagination"]["total_pages"], body["next_name"]) == (6, 3, "volume2")
    assert all(set(row) == FIELDS for row in body["volumes"])
    found = api.get("/volumes", params={"region": "CANADA-1", "search": "GOLD"}).json()["volumes"]
    assert [row["volume_id"] for row in found] == [GOLDEN]
    assert api.post("/volumes", json={**NEW, "name": "volume2"}).status_code == 200
    assert api.get("/volumes").json()["next_name"] == "volume3"


@pytest.mark.parametrize("query", [{"search": "a" * 101}, {"page": "0"}])
def test_it_refuses_a_filter_that_cannot_be(api: httpx.Client, query: dict[str, str]) -> None:
    answer = api.get("/volumes", params=query)
    assert (answer.status_code, set(answer.json()["details"])) == (400, set(query))


def test_it_finds_a_region_that_only_a_volume_names(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[GOLDEN]["region"] = "MOON-1"
    found = api.get("/volumes", params={"region": "MOON-1"}).json()["volumes"]
    assert [row["volume_id"] for row in found] == [GOLDEN]


def test_it_lists_types_by_tier(api: httpx.Client) -> None:
    assert api.get("/volumes/types").json()["volume_types"] == ["SSD", "HDD", "NVMe"]
    assert api.get("/volumes/types", params={"tier": "advanced"}).json()["volume_types"] == ["HDD", "NVMe"]
    assert api.get("/volumes/types", params={"tier": "gold"}).status_code == 400


def test_it_shows_where_a_volume_is_attached_now(api: httpx.Client, sandbox: Sandbox) -> None:
    assert volume(api, CORPUS)["attached_vm_name"] == "ml-training-server"
    sandbox.world.instances[ACTIVE]["status"] = "SHUTOFF"
    assert volume(api, CORPUS)["attached_vm_status"] == "SHUTOFF"
    assert volume(api, ORPHAN)["attached_vm_status"] == "DELETED"
    assert api.get("/volumes/BRK-1V").status_code == 404


def test_it_makes_a_volume_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    body = api.post("/volumes", json={**NEW, "description": "for tests"}).json()
    made = body["volume"]
    assert (made["status"], made["volume_type"], made["tier"], body["tier"]) == ("creating", "SSD", "legacy", "legacy")
    assert set(made) == FIELDS
    assert api.delete(f"/volumes/{made['volume_id']}").status_code == 409
    sandbox.world.advance(20)
    assert volume(api, made["volume_id"])["status"] == "available"


@pytest.mark.parametrize(
    ("asked", "tier", "volume_type"),
    [
        ({"volume_type": "NVMe"}, "advanced", "NVMe"),
        ({"tier": "advanced"}, "advanced", "HDD"),
        ({"tier": "legacy", "volume_type": "Cloud-SSD"}, "legacy", "SSD"),
        ({"bootable": True, "os_image": UBUNTU}, "legacy", "SSD"),
        ({"size_gb": 10}, "legacy", "SSD"),
        ({"size_gb": 1_048_576}, "legacy", "SSD"),
    ],
)
def test_it_takes_what_is_allowed(api: httpx.Client, asked: dict[str, object], tier: str, volume_type: str) -> None:
    made = api.post("/volumes", json={**NEW, **asked}).json()["volume"]
    assert (made["tier"], made["volume_type"]) == (tier, volume_type)
    assert (made["size_gb"], made["os_image"]) == (asked.get("size_gb", 100), asked.get("os_image"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": "a" * 51}, "name"),
        ({"region": "MOON-1"}, "region"),
        ({"region": None}, "region"),
        ({"size_gb": 9}, "size_gb"),
        ({"size_gb": 1_048_577}, "size_gb"),
        ({"size_gb": 10.5}, "size_gb"),
        ({"size_gb": "100"}, "size_gb"),
        ({"size_gb": True}, "size_gb"),
        ({"bootable": True, "os_image": UBUNTU, "size_gb": 99}, "size_gb"),
        ({"bootable": True}, "os_image"),
        ({"bootable": True, "os_image": "Rocky Linux 9 R550 CUDA 12.4"}, "os_image"),
        ({"bootable": 1}, "bootable"),
        ({"os_image": UBUNTU}, "os_image"),
        ({"volume_type": "tape"}, "volume_type"),
        ({"volume_type": ["SSD"]}, "volume_type"),
        ({"volume_type": "SSD", "tier": "advanced"}, "volume_type"),
        ({"tier": "gold"}, "tier"),
        ({"tier": None}, "tier"),
        ({"description": 5}, "description"),
        ({"description": "a\0b"}, "description"),
    ],
)
def test_it_refuses_a_volume_that_cannot_be(api: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = api.post("/volumes", json={**NEW, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})


def test_it_refuses_a_taken_name(api: httpx.Client) -> None:
    for answer in (
        api.post("/volumes", json={**NEW, "name": "golden-boot"}),
        api.post(f"/volumes/{GOLDEN}/clone", json={"name": "golden-boot"}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (409, "NAME_TAKEN")


@pytest.mark.parametrize(("currency", "least"), [("USD", 1), ("EUR", 1), ("INR", 100)])
def test_it_wants_credit_for_a_volume(api: httpx.Client, sandbox: Sandbox, currency: str, least: int) -> None:
    sandbox.reset("demo", currency)
    sandbox.world.balances[currency] = Decimal(least) - Decimal("0.01")
    for path, body in (("/volumes", NEW), (f"/volumes/{GOLDEN}/clone", {"name": "copy"})):
        answer = api.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (402, "INSUFFICIENT_CREDITS")
        assert f"{least} {currency}" in answer.json()["message"]
    sandbox.world.balances[currency] = Decimal(least)
    assert api.post("/volumes", json=NEW).status_code == 200


def test_it_wants_a_profile_for_a_volume(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.profile_complete = False
    for path, body in (("/volumes", {**NEW, "name": "b"}), (f"/volumes/{GOLDEN}/clone", {"name": "copy"})):
        answer = api.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (403, "PROFILE_INCOMPLETE")


def test_it_copies_a_volume(api: httpx.Client, sandbox: Sandbox) -> None:
    copy = api.post(f"/volumes/{GOLDEN}/clone", json={"name": "golden-2"}).json()["volume"]
    assert (copy["size_gb"], copy["bootable"], copy["os_image"], copy["status"]) == (150, True, UBUNTU, "creating")
    sandbox.world.advance(20)
    assert volume(api, copy["volume_id"])["status"] == "available"
    of_attached = api.post(f"/volumes/{CORPUS}/clone", json={"name": "corpus-2"}).json()["volume"]
    assert of_attached["instance_id"] is None


@pytest.mark.parametrize("volume_id", [CREATING, BROKEN, UNKNOWN])
def test_it_copies_and_enlarges_complete_volumes_only(api: httpx.Client, volume_id: str) -> None:
    assert api.post(f"/volumes/{volume_id}/clone", json={"name": "copy"}).status_code == 409
    assert api.post(f"/volumes/{volume_id}/resize", json={"size_gb": 5000}).status_code == 409


def test_it_only_enlarges(api: httpx.Client, sandbox: Sandbox) -> None:
    for volume_id, size in ((CORPUS, 2001), (IMAGENET, 1_048_576)):
        body = api.post(f"/volumes/{volume_id}/resize", json={"size_gb": size}).json()
        assert body["volume"]["size_gb"] == size == volume(api, volume_id)["size_gb"]
    for size_gb, status in ((2001, 409), (2000, 409), (9, 422), (1_048_577, 422), (None, 422)):
        answer = api.post(f"/volumes/{CORPUS}/resize", json={"size_gb": size_gb})
        assert (answer.status_code, set(answer.json()["details"])) == (status, {"size_gb"})
    assert api.post("/volumes/BRK-1V/resize", json={"size_gb": 100}).status_code == 404
    sandbox.world.balances["USD"] = Decimal(0)
    assert api.post(f"/volumes/{CORPUS}/resize", json={"size_gb": 3000}).status_code == 402


def test_it_deletes_what_is_not_attached(api: httpx.Client, sandbox: Sandbox) -> None:
    body = api.delete(f"/volumes/{IMAGENET}").json()
    assert (body["volume_id"], body["tier"]) == (IMAGENET, "advanced")
    assert volume(api, IMAGENET)["status"] == "deleting"
    assert api.delete(f"/volumes/{IMAGENET}").status_code == 409
    sandbox.world.advance(10)
    assert api.get(f"/volumes/{IMAGENET}").status_code == 404
    assert api.delete(f"/volumes/{BROKEN}").status_code == 200
    for volume_id, status in ((CORPUS, 409), (ORPHAN, 409), (CREATING, 409), ("BRK-1V", 404)):
        assert api.delete(f"/volumes/{volume_id}").status_code == status


def test_it_takes_the_word_of_a_volume_that_is_in_use_by_nobody(api: httpx.Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[GOLDEN].update(status="in-use", instance_id=None)
    refused = api.delete(f"/volumes/{GOLDEN}")
    assert (refused.status_code, refused.json()["error"]) == (409, "VOLUME_IN_USE")
    assert attach(api, GOLDEN).json()["error"] == "INVALID_STATE"
    assert detach(api, GOLDEN).json()["error"] == "NOT_ATTACHED"


@pytest.mark.parametrize(
    ("minimum", "bootable", "least"),
    [(None, False, 10), (None, True, 100), (50, False, 50), (50, True, 100), (200, False, 200), (200, True, 200)],
)
def test_it_wants_the_size_that_the_price_list_names(
    api: httpx.Client, sandbox: Sandbox, minimum: int | None, *, bootable: bool, least: int
) -> None:
    sandbox.world.volume_minimum_gb = minimum
    data = api.get("/pricing/").json()["pricing_data"]
    told = (data["metadata"].get("volume_minimum_size_gb"), data["volumes"].get("minimum_size_gb"))
    assert told == (minimum, minimum)
    assert ("volume_minimum_size_gb" in data["metadata"]) is (minimum is not None)
    new = {**NEW, "bootable": True, "os_image": UBUNTU} if bootable else NEW
    assert set(api.post("/volumes", json={**new, "size_gb": least - 1}).json()["details"]) == {"size_gb"}
    assert api.post("/volumes", json={**new, "size_gb": least}).status_code == 200


def test_it_attaches_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    body = attach(api, GOLDEN, IMAGENET).json()
    assert (body["instance_id"], body["tier"]) == (ACTIVE, "legacy")
    assert [(row["volume_id"], row["device"], row["status"]) for row in body["volume_attachments"]] == [
        (GOLDEN, "/dev/vdc", "ATTACHING"),
        (IMAGENET, "/dev/vdd", "ATTACHING"),
    ]
    assert volume(api, GOLDEN)["status"] == "attaching"
    assert detach(api, GOLDEN).status_code == 409
    sandbox.world.advance(10)
    found = volume(api, GOLDEN)
    assert (found["status"], found["instance_id"], found["attached_vm_name"], found["attached_vm_status"]) == (
        "in-use",
        ACTIVE,
        "ml-training-server",
        "ACTIVE",
    )


def test_it_detaches_in_time(api: httpx.Client, sandbox: Sandbox) -> None:
    body = detach(api, CORPUS).json()
    assert [row["status"] for row in body["volume_attachments"]] == ["DETACHING"]
    assert volume(api, CORPUS)["status"] == "detaching"
    assert detach(api, CORPUS).status_code == 409
    sandbox.world.advance(10)
    found = volume(api, CORPUS)
    assert (found["status"], found["instance_id"], found["attached_vm_name"]) == ("available", None, None)
    assert attach(api, CORPUS).json()["volume_attachments"][0]["device"] == "/dev/vdb"


@pytest.mark.parametrize(
    ("ids", "vm", "status", "code"),
    [
        ([GOLDEN, CORPUS], ACTIVE, 409, "VOLUME_IN_USE"),
        ([GOLDEN, FREE_US], ACTIVE, 409, "REGION_MISMATCH"),
        ([BROKEN], OTHER_REGION, 409, "INVALID_STATE"),
        ([CREATING], OTHER_REGION, 409, "INVALID_STATE"),
        ([UNKNOWN], "BRK-123471D", 409, "INVALID_STATE"),
        ([GOLDEN], STOPPED, 409, "INVALID_STATE"),
        ([GOLDEN, "BRK-1V"], ACTIVE, 404, "NOT_FOUND"),
        ([GOLDEN], "BRK-1D", 404, "NOT_FOUND"),
        ([], ACTIVE, 422, "VALIDATION_ERROR"),
        ([GOLDEN, GOLDEN], ACTIVE, 422, "VALIDATION_ERROR"),
        ([GOLDEN, 5], ACTIVE, 422, "VALIDATION_ERROR"),
        ([""], ACTIVE, 422, "VALIDATION_ERROR"),
        (GOLDEN, ACTIVE, 422, "VALIDATION_ERROR"),
    ],
)
def test_it_attaches_all_or_nothing(api: httpx.Client, ids: object, vm: str, status: int, code: str) -> None:
    answer = api.post(f"/instances/{vm}/attach-volumes", json={"volume_ids": ids})
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert volume(api, GOLDEN)["status"] == "available"


@pytest.mark.parametrize(
    ("ids", "vm", "status", "code"),
    [
        ([CORPUS, GOLDEN], ACTIVE, 409, "NOT_ATTACHED"),
        ([CORPUS], BOOTED, 409, "NOT_ATTACHED"),
        ([BOOT], BOOTED, 409, "BOOT_VOLUME"),
        ([ORPHAN], "BRK-123560D", 409, "INVALID_STATE"),
        ([CORPUS, "BRK-1V"], ACTIVE, 404, "NOT_FOUND"),
        ([], ACTIVE, 422, "VALIDATION_ERROR"),
    ],
)
def test_it_detaches_all_or_nothing(api: httpx.Client, ids: list[str], vm: str, status: int, code: str) -> None:
    answer = detach(api, *ids, vm=vm)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert volume(api, CORPUS)["status"] == "in-use"


def test_it_checks_the_flag_of_an_attachment(api: httpx.Client) -> None:
    address = f"/instances/{ACTIVE}/attach-volumes"
    answer = api.post(address, json={"volume_ids": [GOLDEN], "protected": "yes"})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {"protected"})
    assert api.post(address, json={"volume_ids": [GOLDEN], "protected": True}).status_code == 200


def test_it_has_a_device_for_every_volume(api: httpx.Client, sandbox: Sandbox) -> None:
    ids = []
    for number in range(26):
        made = api.post("/volumes", json={**NEW, "name": f"v{number}"}).json()
        ids.append(made["volume"]["volume_id"])
    sandbox.world.advance(20)
    devices = [row["device"] for row in attach(api, *ids).json()["volume_attachments"]]
    assert len(set(devices)) == 26
    assert devices[-2:] == ["/dev/vdaa", "/dev/vdab"]
