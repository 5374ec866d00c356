"""SSH keys: generated, imported, refused, deleted."""

import base64
from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import MD5
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
    ssh_key_fingerprint,
)

from barrack_web.sandbox.server import Sandbox

LAPTOP, YUBIKEY, WORKSTATION = 11, 13, 14
FIELDS = {"id", "name", "fingerprint", "public_key", "regions", "created_at"}


def line(pair: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


# The public half of a pair that was thrown away.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFWo0mCYGFQgSmKjsZYQlUVDt1glTF03L2Xi/D0dugmQ"
BODY = ED25519.split(" ")[1]


def test_it_lists_keys(api: httpx.Client) -> None:
    body = api.get("/ssh-keys", params={"limit": 3}).json()
    assert ([row["name"] for row in body["ssh_keys"]], body["pagination"]["total_pages"]) == (
        ["team-laptop", "ci-runner", "anna-yubikey"],
        2,
    )
    assert all(set(row) == FIELDS for row in body["ssh_keys"])
    assert body["ssh_keys"][0]["regions"] == ["NORWAY-1", "CANADA-1", "US-1"]
    found = api.get("/ssh-keys", params={"search": "YUBI", "region": "US-1"}).json()["ssh_keys"]
    assert [row["id"] for row in found] == [YUBIKEY]


def test_it_has_real_keys_in_the_demo(api: httpx.Client) -> None:
    for row in api.get("/ssh-keys").json()["ssh_keys"]:
        digest = ssh_key_fingerprint(load_ssh_public_key(row["public_key"].encode()), MD5())
        assert row["fingerprint"].replace(":", "") == digest.hex()


def test_it_shows_a_key(api: httpx.Client) -> None:
    assert api.get(f"/ssh-keys/{LAPTOP}").json()["ssh_key"]["name"] == "team-laptop"
    assert api.get("/ssh-keys/1").status_code == 404


def test_it_generates_a_pair_and_keeps_only_its_public_half(api: httpx.Client, sandbox: Sandbox) -> None:
    body = api.post("/ssh-keys", json={"name": "my-key"}).json()
    private = load_pem_private_key(body["private_key"].encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048
    assert body["ssh_key"]["public_key"] == f"{line(private)} my-key"
    again = api.get(f"/ssh-keys/{body['ssh_key']['id']}")
    assert again.json()["ssh_key"] == body["ssh_key"]
    assert "PRIVATE" not in again.text + str(sandbox.world.dump())


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("ed25519", lambda: f"{line(ed25519.Ed25519PrivateKey.generate())} anna@example.com, the blue one"),
        ("rsa", lambda: line(rsa.generate_private_key(public_exponent=65537, key_size=2048))),
        ("ecdsa-256", lambda: line(ec.generate_private_key(ec.SECP256R1()))),
        ("ecdsa-384", lambda: line(ec.generate_private_key(ec.SECP384R1()))),
        ("ecdsa-521", lambda: line(ec.generate_private_key(ec.SECP521R1()))),
    ],
)
def test_it_imports_a_key(api: httpx.Client, kind: str, make: Callable[[], str]) -> None:
    public_key = make()
    body = api.post("/ssh-keys", json={"name": "mine", "public_key": public_key}).json()
    assert body["private_key"] is None
    assert body["ssh_key"]["public_key"] == public_key
    digest = ssh_key_fingerprint(load_ssh_public_key(public_key.encode()), MD5())
    assert body["ssh_key"]["fingerprint"].replace(":", "") == digest.hex()


def test_it_refuses_dsa_with_the_reason(api: httpx.Client) -> None:
    numbers = dsa.generate_private_key(2048).public_key().public_numbers()
    values = [numbers.parameter_numbers.p, numbers.parameter_numbers.q, numbers.parameter_numbers.g, numbers.y]
    parts = [b"ssh-dss", *(value.to_bytes(value.bit_length() // 8 + 1, "big") for value in values)]
    blob = base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()
    answer = api.post("/ssh-keys", json={"name": "old", "public_key": f"ssh-dss {blob}"})
    assert answer.status_code == 422
    assert "dropped" in answer.json()["details"]["public_key"]


@pytest.mark.parametrize(
    "public_key",
    [
        "",
        None,
        5,
        BODY,
        f"ssh-ed25519 {BODY[:-8]}",
        f"ssh-rsa {BODY}",
        f"ssh-ed25519 {BODY}\n",
        f"ssh-ed25519 {BODY[:20]}\n{BODY[20:]}",
        f"ssh-ed25519  {BODY}",
        f"{ED25519} a\0b",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 A",
        "ssh-ed448 AAAA",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_it_refuses_what_is_no_key(api: httpx.Client, public_key: object) -> None:
    answer = api.post("/ssh-keys", json={"name": "mine", "public_key": public_key})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {"public_key"})


@pytest.mark.parametrize("name", ["", "my key", "a" * 51, "ä", "a\n", None, 5])
def test_it_keeps_the_rule_for_key_names(api: httpx.Client, name: object) -> None:
    answer = api.post("/ssh-keys", json={"name": name, "public_key": ED25519})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {"name"})


def test_it_keeps_names_apart_and_25_keys(api: httpx.Client) -> None:
    taken = api.post("/ssh-keys", json={"name": "team-laptop", "public_key": ED25519})
    assert (taken.status_code, taken.json()["error"]) == (409, "NAME_TAKEN")
    for number in range(21):
        assert api.post("/ssh-keys", json={"name": f"k{number}", "public_key": ED25519}).status_code == 200
    full = api.post("/ssh-keys", json={"name": "one-more", "public_key": ED25519})
    assert (full.status_code, full.json()["error"]) == (409, "LIMIT_REACHED")


def test_it_deletes_a_key_that_no_active_instance_uses(api: httpx.Client, sandbox: Sandbox) -> None:
    used = api.delete(f"/ssh-keys/{LAPTOP}")
    assert (used.status_code, used.json()["error"]) == (409, "KEY_IN_USE")
    assert "ml-training-server" in used.json()["message"]
    for record in sandbox.world.instances.values():
        record["status"] = "SHUTOFF"
    for number in (LAPTOP, WORKSTATION):
        assert api.delete(f"/ssh-keys/{number}").json()["success"] is True
        assert api.get(f"/ssh-keys/{number}").status_code == 404
        assert api.delete(f"/ssh-keys/{number}").status_code == 404


@pytest.mark.parametrize(
    ("status", "deleted"),
    [
        *((status, 409) for status in ("ACTIVE", "CREATING", "BUILD", "STARTING", "RESTORING", "REBOOTING")),
        *((status, 200) for status in ("SHUTOFF", "HIBERNATED", "STOPPING", "HIBERNATING", "DELETING", "ERROR")),
    ],
)
def test_it_keeps_the_key_of_an_instance_that_will_be_active(
    api: httpx.Client, sandbox: Sandbox, status: str, deleted: int
) -> None:
    sandbox.world.instances["BRK-123533D"]["status"] = status
    assert api.delete(f"/ssh-keys/{YUBIKEY}").status_code == deleted
