"""Startup scripts: kept, changed and deleted, one or many."""

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox

NEW = {"name": "fresh", "content": "#!/bin/bash\necho hi\n"}
DEPS, CORPUS = 71, 72


def test_it_lists_and_shows_scripts(api: httpx.Client) -> None:
    body = api.get("/scripts", params={"limit": 3}).json()
    assert (len(body["scripts"]), body["pagination"]["total"]) == (3, 6)
    script = api.get(f"/scripts/{DEPS}").json()["script"]
    assert set(script) == {"script_id", "name", "description", "content", "created_at", "updated_at"}
    assert script == body["scripts"][0]
    assert api.get("/scripts/1").status_code == 404


def test_it_keeps_a_script(api: httpx.Client) -> None:
    made = api.post("/scripts", json={**NEW, "description": None}).json()["script"]
    assert (made["name"], made["content"], made["description"]) == ("fresh", NEW["content"], None)
    assert made["created_at"] == made["updated_at"]
    assert api.get(f"/scripts/{made['script_id']}").json()["script"] == made
    taken = api.post("/scripts", json=NEW)
    assert (taken.status_code, taken.json()["error"]) == (409, "NAME_TAKEN")


def test_it_changes_what_the_body_names(api: httpx.Client, sandbox: Sandbox) -> None:
    before = api.get(f"/scripts/{DEPS}").json()["script"]
    after = api.put(f"/scripts/{DEPS}", json={"description": None}).json()["script"]
    assert after["updated_at"] > before["updated_at"]
    assert after == {**before, "description": None, "updated_at": after["updated_at"]}
    after = api.put(f"/scripts/{DEPS}", json={"name": "install-deps", "content": "x"}).json()["script"]
    assert (after["name"], after["content"]) == ("install-deps", "x")
    assert api.put(f"/scripts/{DEPS}", json={"name": "mount-corpus"}).json()["error"] == "NAME_TAKEN"
    assert api.put(f"/scripts/{DEPS}", json={}).status_code == 422
    assert api.put(f"/scripts/{DEPS}", json={"unknown": 1}).status_code == 200
    assert api.put("/scripts/1", json={"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a" * 51}, "name"),
        ({"name": None}, "name"),
        ({"description": "d" * 256}, "description"),
        ({"description": 5}, "description"),
        ({"content": ""}, "content"),
        ({"content": None}, "content"),
        ({"content": "a\0b"}, "content"),
        ({"content": "x" * 16_385}, "content"),
        ({"content": "ä" * 8_193}, "content"),
    ],
)
def test_it_refuses_what_cannot_be(api: httpx.Client, change: dict[str, object], field: str) -> None:
    for answer in (api.post("/scripts", json={**NEW, **change}), api.put(f"/scripts/{DEPS}", json=change)):
        assert (answer.status_code, set(answer.json()["details"])) == (422, {field})
    assert api.get(f"/scripts/{DEPS}").json()["script"]["name"] == "install-deps"


def test_it_accepts_the_longest_script(api: httpx.Client) -> None:
    assert api.post("/scripts", json={**NEW, "content": "ä" * 8_192}).status_code == 200
    assert api.post("/scripts", json={"name": "no content"}).status_code == 422


def test_it_deletes_scripts(api: httpx.Client) -> None:
    assert api.delete(f"/scripts/{DEPS}").json()["success"] is True
    assert api.delete(f"/scripts/{DEPS}").status_code == 404
    assert api.post("/scripts/bulk-delete", json={"script_ids": [CORPUS, "73"]}).status_code == 200
    assert [row["script_id"] for row in api.get("/scripts").json()["scripts"]] == [74, 75, 76]


@pytest.mark.parametrize(
    ("ids", "status"),
    [
        ([CORPUS, 1], 404),
        (["nothing"], 404),
        ([], 422),
        (list(range(101)), 422),
        ([CORPUS, CORPUS], 422),
        ([True], 422),
        ([[CORPUS]], 422),
        (CORPUS, 422),
        (None, 422),
    ],
)
def test_it_deletes_all_of_a_list_or_nothing(api: httpx.Client, ids: object, status: int) -> None:
    assert api.post("/scripts/bulk-delete", json={"script_ids": ids}).status_code == status
    assert len(api.get("/scripts").json()["scripts"]) == 6
