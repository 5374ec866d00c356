"""SSH keys: generated here or imported, known in every region, and never stored with their private half."""

import base64
import hashlib
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from barrack_web.sandbox.prices import normal
from barrack_web.sandbox.routes.answers import (
    Answer,
    ApiError,
    Json,
    Route,
    bad_state,
    find,
    invalid,
    name_taken,
    ok,
    page_of,
    public,
)
from barrack_web.sandbox.routes.filters import REGION_NAMES, matching
from barrack_web.sandbox.world import World, iso

MOST_KEYS = 25
_GENERATED_BITS = 2048
# ACTIVE, and the states that lead to it.
_IN_USE = frozenset({"ACTIVE", "CREATING", "BUILD", "STARTING", "RESTORING", "REBOOTING"})
_NAME = re.compile(r"[A-Za-z0-9._-]{1,50}")
_LINE = re.compile(
    r"(?P<type>ssh-rsa|ssh-ed25519|ssh-dss|ecdsa-sha2-nistp(?:256|384|521))"
    r" (?P<blob>[A-Za-z0-9+/]+={0,3})(?: [^\r\n\0]*)?"
)


def made(number: int, name: str, public_key: str, created_at: str) -> Json:
    """Return the record of a key. The public key is one line of type, base64 and maybe a comment."""
    return {
        "id": number,
        "name": name,
        "fingerprint": _fingerprint(public_key),
        "public_key": public_key,
        "regions": list(REGION_NAMES),
        "created_at": created_at,
    }


def list_ssh_keys(world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer a page of the keys, filtered by region and a part of the name."""
    rows, paging = page_of(matching(world.ssh_keys.values(), query, search_in="name"), query)
    return ok("SSH keys retrieved", ssh_keys=[public(row) for row in rows], pagination=paging)


def get_ssh_key(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Answer one key, or 404."""
    return ok("SSH key retrieved", ssh_key=public(find(world.ssh_keys, params["key_id"], "SSH key")))


def create_ssh_key(world: World, _params: dict[str, str], _query: dict[str, str], body: Json) -> Answer:
    """Import the public key of the body, or generate a pair and answer its private half, this once.

    409 (name taken, 25 there already), 422.
    """
    name = body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid(name="Use 1 to 50 letters, digits, hyphens, underscores or periods.")
    public_key = _checked_public_key(body["public_key"]) if "public_key" in body else None
    if any(key.get("name") == name for key in world.ssh_keys.values()):
        raise name_taken("name", name, "an SSH key")
    if len(world.ssh_keys) >= MOST_KEYS:
        raise ApiError(409, "LIMIT_REACHED", f"An account has at most {MOST_KEYS} SSH keys.")
    private_key = None
    if public_key is None:
        public_key, private_key = _generated(name)
    number = world.new_number()
    key = world.add("ssh_keys", str(number), made(number, name, public_key, iso(world.now())))
    message = "SSH key imported" if private_key is None else "SSH key created"
    return ok(message, ssh_key=public(key), private_key=private_key)


def delete_ssh_key(world: World, params: dict[str, str], _query: dict[str, str], _body: Json) -> Answer:
    """Remove a key from all regions for good. 404, 409 while an instance uses it that is ACTIVE or about to be."""
    key = find(world.ssh_keys, params["key_id"], "SSH key")
    users = [
        str(instance.get("vm_name"))
        for instance in world.instances.values()
        if normal(instance.get("status")) in _IN_USE and key["name"] in (instance.get("ssh_keys") or [])
    ]
    if users:
        raise bad_state(f"Instances that are active or about to be use this key: {', '.join(users)}.", "KEY_IN_USE")
    del world.ssh_keys[params["key_id"]]
    return ok("SSH key deleted")


def _checked_public_key(line: object) -> str:
    """Return a public key that OpenSSH would take too; raise the 422 that says what is wrong with it."""
    found = _LINE.fullmatch(line) if isinstance(line, str) else None
    if not isinstance(line, str) or found is None:
        raise invalid(public_key="Paste one line: the type, the key in base64, and maybe a comment.")
    if found["type"] == "ssh-dss":
        raise invalid(public_key="OpenSSH has dropped ssh-dss keys; use an RSA, Ed25519 or ECDSA key.")
    try:
        load_ssh_public_key(f"{found['type']} {found['blob']}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise invalid(public_key=f"This is no complete {found['type']} key.") from error
    return line


def _generated(name: str) -> tuple[str, str]:
    pair = rsa.generate_private_key(public_exponent=65537, key_size=_GENERATED_BITS)
    private_key = pair.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public_key = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public_key.decode()} {name}", private_key.decode()


def _fingerprint(public_key: str) -> str:
    blob = base64.b64decode(public_key.split(" ")[1])
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


ROUTES = (
    Route("list_ssh_keys", "GET", "/ssh-keys", list_ssh_keys),
    Route("get_ssh_key", "GET", "/ssh-keys/{key_id}", get_ssh_key),
    Route("create_ssh_key", "POST", "/ssh-keys", create_ssh_key),
    Route("delete_ssh_key", "DELETE", "/ssh-keys/{key_id}", delete_ssh_key),
)
