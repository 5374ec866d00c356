"""What a person has in the pocket: an authenticator app (RFC 6238), and a passkey (WebAuthn) made of software."""

import hashlib
import hmac
import json
import os
import re
import struct
from base64 import b32decode, urlsafe_b64decode, urlsafe_b64encode
from html import unescape
from typing import Any

from allauth.mfa.totp.internal import auth
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.http import HttpResponse
from django.test import Client
from fido2 import cbor
from fido2.cose import ES256

PASSWORD = "barrack-test-1"
HOME = "/account/mfa/"
ACTIVATE, DEACTIVATE = f"{HOME}totp/activate/", f"{HOME}totp/deactivate/"
CODES, GENERATE = f"{HOME}recovery-codes/", f"{HOME}recovery-codes/generate/"
ADD, LOGIN, STEP = f"{HOME}webauthn/add/", f"{HOME}webauthn/login/", f"{HOME}authenticate/"
USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 1, 4, 64


def confirm(browser: Client) -> None:
    """Type the password again, as every change asks for."""
    assert browser.post("/account/reauthenticate/", {"password": PASSWORD}).status_code == 302


def code_of(secret: str, steps: int = 0) -> str:
    """Return what the app shows now, by the clock that stands still in each test, or so many half minutes later."""
    counter = struct.pack(">Q", int(auth.time.time()) // 30 + steps)
    digest = hmac.new(b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def secret_of(page: HttpResponse) -> str:
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page.content.decode())
    assert found, "the page shows no secret"
    return found.group(1).replace(" ", "")


def set_up_app(browser: Client) -> str:
    """Set up the app as one does, with the code of half a minute ago, and return its secret."""
    confirm(browser)
    secret = secret_of(browser.get(ACTIVATE))
    assert browser.post(ACTIVATE, {"code": code_of(secret, -1)}).status_code == 302
    return secret


def codes_of(page: HttpResponse) -> list[str]:
    """Return the recovery codes that a page shows."""
    return re.findall(r"<li><code>(\d{8})</code></li>", page.content.decode())


def begin_sign_in(email: str, **more: str) -> Client:
    """Give a browser in which the password was right and the second step is due."""
    browser = Client()
    response = browser.post("/account/login/", {"login": email, "password": PASSWORD, **more})
    assert (response.status_code, response["Location"].partition("?")[0]) == (302, STEP)
    return browser


def signed_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def question_of(page: HttpResponse) -> dict[str, Any]:
    """Return what a page asks a passkey."""
    found = re.search(r'<script id="question" type="application/json">(.*?)</script>', page.content.decode())
    assert found, "the page asks for no passkey"
    return json.loads(unescape(found.group(1)))["publicKey"]


class SoftPasskey:
    """A passkey for one account at one host."""

    def __init__(self, host: str = "testserver", *, verifies: bool = True) -> None:
        self.host, self.verifies = host, verifies
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(16)
        self.user_handle = ""

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a page that makes a passkey."""
        self.user_handle = asked["user"]["id"]
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        made = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(HAS_CREDENTIAL) + made
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {"attestationObject": text(attestation), "clientDataJSON": text(self._client("create", asked))},
            {"credProps": {"rk": self.verifies}},
        )

    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a page that asks for a passkey."""
        data, client = self._data(), self._client("get", asked)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {"authenticatorData": data, "clientDataJSON": client, "signature": signature}
        return self._credential(
            {name: text(value) for name, value in response.items()} | {"userHandle": self.user_handle}, {}
        )

    def _client(self, kind: str, asked: dict[str, Any]) -> bytes:
        facts = {"type": f"webauthn.{kind}", "challenge": asked["challenge"], "origin": f"http://{self.host}"}
        return json.dumps(facts).encode()

    def _data(self, flags: int = 0) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + bytes(4)

    def _credential(self, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        name = text(self.id)
        return {
            "id": name, "rawId": name, "type": "public-key", "authenticatorAttachment": "platform",
            "response": response, "clientExtensionResults": extensions,
        }  # fmt: skip


def text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def plain(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


def add_passkey(browser: Client, *, name: str = "Laptop", alone: bool = True) -> SoftPasskey:
    """Add a passkey as one does."""
    confirm(browser)
    passkey = SoftPasskey(verifies=alone)
    credential = passkey.create(question_of(browser.get(ADD)))
    form = {"name": name, "credential": json.dumps(credential)} | ({"passwordless": "on"} if alone else {})
    response = browser.post(ADD, form)
    assert response.status_code == 302, response.content.decode()
    return passkey


def question(browser: Client | None = None) -> dict[str, Any]:
    """Return what the sign-in page asks of any passkey."""
    answer = (browser or Client()).get(LOGIN, headers={"Accept": "application/json"})
    return answer.json()["request_options"]["publicKey"]


def sign_in_with(passkey: SoftPasskey, **more: str) -> tuple[Client, HttpResponse]:
    """Sign in with a passkey alone."""
    browser = Client()
    return browser, browser.post(LOGIN, {"credential": json.dumps(passkey.get(question(browser))), **more})
