"""What the tests of the SSH keys' pages share: keys to paste, and reading an answer as somebody sees it."""

import html
import re
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.http import HttpResponse
from django.test import Client

from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import body, filled, words

LIST = "/ssh-keys/"
CREATE, IMPORT = f"{LIST}create/", f"{LIST}import/"
# team-laptop and ci-runner (on active VMs), anna-yubikey (on two hibernated ones), old-workstation (on none).
LAPTOP, RUNNER, YUBIKEY, OLD = "11", "12", "13", "14"
DRAFT = "6f1c2d3e-0000-4000-8000-0123456789ab"

Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@cache
def pair(kind: str = "ed25519") -> Private:
    """Return a key pair of that kind, the same one each time: "rsa-2048", "ed25519", "ecdsa-384".

    All but RSA's are the same in every process, so that tests can be named after them.
    """
    name, _, bits = kind.partition("-")
    if name == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(bits))
    if name == "ecdsa":
        return ec.derive_private_key(0xBA44AC, {"256": ec.SECP256R1, "384": ec.SECP384R1, "521": ec.SECP521R1}[bits]())
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"a key of the tests, of 32 bytes.")


def public(kind: str = "ed25519", comment: str = "me@here") -> str:
    """Return the line that ssh-keygen writes into the file ending in .pub."""
    line = pair(kind).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{line} {comment}".rstrip()


@cache
def secret(kind: str = "ed25519", form: PrivateFormat = PrivateFormat.OpenSSH) -> str:
    """Return the private half as its file holds it."""
    return pair(kind).private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def new(browser: Client, url: str = CREATE, **fields: str) -> dict[str, str]:
    """Open the form of a new key and return what its button would send."""
    own = {"key": public()} if url.startswith(IMPORT) else {}
    return filled(browser, url, **{"name": "fresh", **own, **fields})


def shown_key(response: HttpResponse) -> str:
    """Return the private key that stands in an answer."""
    found = re.search(r'<pre class="key-private".*?>(.*?)</pre>', body(response), re.DOTALL)
    assert found, "no private key"
    return html.unescape(found.group(1))


def pasted(response: HttpResponse) -> str:
    """Return what stands in the text area of the public key."""
    found = re.search(r'<textarea name="key"[^>]*>\n(.*?)</textarea>', body(response), re.DOTALL)
    assert found, "no text area"
    return html.unescape(found.group(1))


def key_says(response: HttpResponse) -> str:
    """Return what stands below the text area: what is wrong and what helps, or what key it is."""
    found = re.search(
        r'data-field="id_key">(.*?)(?:<p class="field-help">One line|<textarea|$)', body(response), re.DOTALL
    )
    assert found, "no feedback of the key"
    return words(found.group(1))


def card(response: HttpResponse, name: str) -> str:
    """Return the HTML of one key's card."""
    found = re.search(rf'<article class="card" id="key-{name}-.*?</article>', body(response), re.DOTALL)
    assert found, f"no card of {name}"
    return found.group(0)


def put(sandbox: Sandbox, key_id: str, **fields: object) -> dict[str, object]:
    """Let a key appear in the cloud, or change one as somebody outside the portal would."""
    record = dict(sandbox.world.ssh_keys.get(key_id) or sandbox.world.ssh_keys[OLD])
    record |= {"id": int(key_id), "created_at": iso(sandbox.world.now()), **fields}
    sandbox.world.add("ssh_keys", key_id, record)
    return record


def fill_up(sandbox: Sandbox, number: int) -> None:
    """Let the account have so many keys."""
    for at in range(len(sandbox.world.ssh_keys), number):
        put(sandbox, str(900 + at), name=f"key-{at}")
