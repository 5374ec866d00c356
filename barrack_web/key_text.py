"""What a public SSH key is: one line of type, base64 and perhaps a comment, read as somebody pasted it.

`check` says what it is, or what is wrong with it. Nothing here repeats a private key, not even a part of one.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

# An RSA key of 16,384 bits, the longest that OpenSSH takes, has 2,800 characters; comments are short.
MOST_CHARACTERS: Final = 8_000
LEAST_RSA_BITS: Final = 2_048
MOST_RSA_BITS: Final = 16_384
# Lines of a private key's base64 are longer than anything else that is pasted by mistake.
PRIVATE_LINE: Final = 60

# The types that can be imported: what they are called, their bits (0: in the key), and of how many fields they are.
# Source: user documentation for the types, RFC 4253 and RFC 5656 for the fields.
TYPES: Final = {
    "ssh-rsa": ("RSA", 0, 3),
    "ssh-ed25519": ("Ed25519", 256, 2),
    "ecdsa-sha2-nistp256": ("ECDSA nistp256", 256, 3),
    "ecdsa-sha2-nistp384": ("ECDSA nistp384", 384, 3),
    "ecdsa-sha2-nistp521": ("ECDSA nistp521", 521, 3),
}
_KEY_BEGINS = re.compile(r"(ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3})\s+AAAA")
_TYPE_NAMED = re.compile(r"ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-|sk-ecdsa-")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PRIVATE = re.compile(
    r"(?:BEGIN|END)\s[A-Z0-9\s]{0,40}PRIVATE\s+KEY|PuTTY-User-Key-File|Private-(?:Lines|MAC)|b3BlbnNzaC1rZXktdjE"
)
# DER of PKCS #1, PKCS #8 and SEC 1: a sequence that begins with a version.
_PRIVATE_DER = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01[\x00-\x03]", re.DOTALL)

HINTS: Final = {
    "line": "Make sure that the key is on a single line: its type, the long text, and perhaps a comment.",
    "whitespace": "Remove whitespace and every other character that does not belong to the key.",
    "type": "Use a supported type: RSA of 2,048 bits or more, Ed25519, or ECDSA nistp256, nistp384, nistp521.",
    "whole": "Make sure that the key is complete, from its first to its last character: it must not be truncated.",
}
PRIVATE_SAID: Final = (
    "This looks like a private key, or like a part of one. Never paste it anywhere: it was not kept, not sent on, "
    "and is not shown again. Paste the public key, which stands in the file that ends in .pub."
)
DSS_SAID: Final = (
    "This is an ssh-dss (DSA) key. OpenSSH has dropped that type, so a current VM would not let you in with it. "
    "Make a new key with: ssh-keygen -t ed25519"
)


@dataclass(frozen=True)
class PublicKey:
    """A public key: the line to send, its type in words, its size, its SHA-256 fingerprint as ssh-keygen writes it."""

    line: str
    kind: str
    bits: int
    fingerprint: str
    comment: str


@dataclass(frozen=True)
class Problem:
    """Why a text is no key that can be imported; `hint` names one of HINTS, or is empty."""

    text: str
    hint: str = ""


@dataclass(frozen=True)
class Checked:
    """What was pasted: a key, with what was changed in it, or a problem."""

    key: PublicKey | None = None
    problem: Problem | None = None
    notes: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        return HINTS.get(self.problem.hint, "") if self.problem else ""

    @property
    def private(self) -> bool:
        """Whether a private key was pasted, or what may be a part of one."""
        return self.problem is not None and self.problem.text == PRIVATE_SAID


def check(text: str) -> Checked:
    """Return the key with its line breaks and stray spaces taken out, or why it cannot be imported."""
    visible = _visible(text)
    try:
        _refuse_what_is_not_one_key(text, visible)
        key = _read(visible)
        _refuse_weak(key)
        _refuse_impossible(key)
    except _Wrong as wrong:
        return Checked(problem=wrong.problem)
    notes = []
    if "\n" in visible or "\r" in visible:
        notes.append("Line breaks inside it were taken out: a public key is one line.")
    elif key.line != visible:
        notes.append("Extra spaces were taken out.")
    if visible != text.strip():
        notes.append("Invisible characters were taken out.")
    return Checked(key, notes=tuple(notes))


def facts_of(text: str | None) -> PublicKey | None:
    """Return what a key of the account is, also one that could not be imported; None when it cannot be read."""
    try:
        return _read((text or "")[:MOST_CHARACTERS])
    except _Wrong:
        return None


def holds_private_key(text: str) -> bool:
    """Return whether a private key stands in the text, whole or cut off, by the marks that each format has."""
    text = _visible(text)
    if _PRIVATE.search(text):
        return True
    joined = "".join(text.split())[:64]
    try:
        return bool(_PRIVATE_DER.match(base64.b64decode(joined[: len(joined) // 4 * 4], validate=True)))
    except ValueError:
        return False


def may_be_private(text: str) -> bool:
    """Return whether the text should not be shown again: it is no public key, and could be a piece of a private one."""
    if holds_private_key(text):
        return True
    if _TYPE_NAMED.search(text) or "PUBLIC KEY" in text:
        return False
    return any(_BASE64.fullmatch(word) and len(word) >= PRIVATE_LINE for word in text.split())


def _visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable() or char.isspace()).strip()


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.problem = Problem(text, hint)


def _refuse_what_is_not_one_key(text: str, visible: str) -> None:
    """Raise for a text that as a whole is not one public key in OpenSSH's form."""
    if may_be_private(text):
        raise _Wrong(PRIVATE_SAID)
    if not visible:
        raise _Wrong("Paste your public key.")
    if visible.startswith(("-----BEGIN", "---- BEGIN")):
        way = "" if visible.startswith("---- ") else "-m PKCS8 "
        raise _Wrong(
            "This is a public key in another format, of several lines. "
            f"Show it in OpenSSH's with: ssh-keygen -i {way}-f file",
            "line",
        )
    keys = _KEY_BEGINS.findall(visible)
    if len(keys) > 1:
        raise _Wrong(f"These are {len(keys)} keys. Import one at a time.", "line")
    if len(visible) > MOST_CHARACTERS:
        raise _Wrong(f"A public key has at most {MOST_CHARACTERS:,} characters; this has {len(visible):,}.", "line")
    if keys and not visible.startswith(keys[0]):
        raise _Wrong(f"Something stands before the key. Paste it from “{keys[0]}” on.", "line")


def _read(text: str) -> PublicKey:
    """Take a key apart. Its base64 may be broken into several words: it says itself how long it is."""
    name, *words = text.split() or [""]
    if name not in TYPES:
        raise _unsupported(name)
    joined = ""
    for number, word in enumerate(words, start=1):
        if not _BASE64.fullmatch(word):
            break
        joined += word
        fields = _fields(joined, TYPES[name][2])
        if fields:
            return _made(name, joined, fields, " ".join(words[number:]))
    if words and not _BASE64.fullmatch(words[0]):
        raise _Wrong(f"After {name} comes text that is not base64.", "whitespace")
    raise _Wrong(f"The {name} key is not complete: it ends in the middle.", "whole")


def _unsupported(name: str) -> _Wrong:
    if name == "ssh-dss":
        return _Wrong(DSS_SAID, "type")
    if name.startswith("sk-"):
        return _Wrong("Keys on a security key (sk-…) are not among the types that Barrack takes.", "type")
    if "-cert-v01@" in name:
        return _Wrong("This is an SSH certificate. Paste the public key that it was made for.", "type")
    return _Wrong("A public key begins with ssh-rsa, ssh-ed25519 or ecdsa-sha2-nistp256 (384, 521).", "type")


def _fields(joined: str, count: int) -> list[bytes] | None:
    """Return the key's fields when the base64 holds all of them; None while it is too short."""
    try:
        blob = base64.b64decode(joined, validate=True)
    except binascii.Error:
        return None
    fields, at = [], 0
    for _ in range(count):
        end = at + 4 + int.from_bytes(blob[at : at + 4])
        if at + 4 > len(blob) or end > len(blob):
            return None
        fields.append(blob[at + 4 : end])
        at = end
    if at != len(blob):
        raise _Wrong("More text follows after the end of the key, without a space between.", "whitespace")
    return fields


def _made(name: str, joined: str, fields: list[bytes], comment: str) -> PublicKey:
    if fields[0] != name.encode():
        raise _Wrong(f"It says {name} at the beginning, and another type inside.", "type")
    kind, bits, _ = TYPES[name]
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(joined)).digest()).decode().rstrip("=")
    return PublicKey(
        line=f"{name} {joined} {comment}".rstrip(),
        kind=kind,
        bits=bits or int.from_bytes(fields[2]).bit_length(),
        fingerprint=f"SHA256:{digest}",
        comment=comment,
    )


def _refuse_weak(key: PublicKey) -> None:
    if key.kind != "RSA" or LEAST_RSA_BITS <= key.bits <= MOST_RSA_BITS:
        return
    if key.bits > MOST_RSA_BITS:
        raise _Wrong(f"This RSA key has {key.bits:,} bits; OpenSSH takes at most {MOST_RSA_BITS:,}.", "type")
    raise _Wrong(
        f"This RSA key has {key.bits:,} bits. Keys of fewer than {LEAST_RSA_BITS:,} bits can be broken, "
        "so they do not protect a VM. Make a new key with: ssh-keygen -t ed25519",
        "type",
    )


def _refuse_impossible(key: PublicKey) -> None:
    name, joined, *_ = key.line.split(" ")
    try:
        load_ssh_public_key(f"{name} {joined}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _Wrong(f"Its numbers are those of no {name} key: a character was changed or lost.", "whole") from error
