"""What a public SSH key is, what is mended in a pasted one, and what is never repeated."""

import base64
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat, load_ssh_public_key

from barrack_web.key_text import (
    DSS_SAID,
    HINTS,
    MOST_CHARACTERS,
    PRIVATE_SAID,
    check,
    facts_of,
    holds_private_key,
    may_be_private,
)
from tests.apps.security.helpers import pair, public, secret

ED = public(comment="")
TYPE, BLOB = ED.split(" ")
DSS = "ssh-dss AAAAB3NzaC1kc3MAAACBAP1 old@example.com"


def says(text: str) -> tuple[str, str]:
    """Return what is wrong with a text, and which of the four helps stands beside it."""
    checked = check(text)
    assert checked.key is None
    assert checked.problem
    assert checked.hint == HINTS.get(checked.problem.hint, "")
    return checked.problem.text, checked.problem.hint


# -- what it is


@pytest.mark.feature("KEY-17", "KEY-32")
@pytest.mark.parametrize(
    ("kind", "name", "bits"),
    [
        ("rsa-2048", "RSA", 2048),
        ("rsa-3072", "RSA", 3072),
        ("ed25519", "Ed25519", 256),
        ("ecdsa-256", "ECDSA nistp256", 256),
        ("ecdsa-384", "ECDSA nistp384", 384),
        ("ecdsa-521", "ECDSA nistp521", 521),
    ],
)
def test_it_reads_each_type(kind: str, name: str, bits: int) -> None:
    line = public(kind, "anna on her laptop")
    checked = check(line)
    assert checked.key
    assert (checked.key.kind, checked.key.bits, checked.key.comment) == (name, bits, "anna on her laptop")
    assert (checked.key.line, checked.notes, checked.problem) == (line, (), None)
    assert facts_of(line) == checked.key
    assert load_ssh_public_key(checked.key.line.encode())


def test_its_fingerprint_is_that_of_ssh_keygen() -> None:
    # given a key, and what `ssh-keygen -lf` says of it
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGWfzqM/6+r2uh3cYe/YVP5NIHjCFxd45sxNxtbQHDYM ml@example.com"
    found = facts_of(line)
    assert found
    assert found.fingerprint == "SHA256:M0MgVJnSXH6Y4m6OAQU4hg1PuYa/dEIGJCGSLw/qEjg"


# -- what is mended


@pytest.mark.feature("KEY-16")
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n    ", " \r"])
@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519"])
def test_it_takes_line_breaks_out_and_says_so(kind: str, line_end: str) -> None:
    line = public(kind)
    broken = f"{line[:30]}{line_end}{line[30:61]}{line_end}{line[61:]}\n"
    checked = check(broken)
    assert checked.key
    assert checked.key.line == line
    assert checked.notes == ("Line breaks inside it were taken out: a public key is one line.",)


@pytest.mark.feature("KEY-16")
@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"  {TYPE}   {BLOB}  me  ", "Extra spaces were taken out."),
        (f"\ufeff{ED} me", "Invisible characters were taken out."),
        (f"{TYPE} {BLOB[:20]}\u200b{BLOB[20:]} me", "Invisible characters were taken out."),
    ],
)
def test_it_mends_stray_characters(text: str, note: str) -> None:
    checked = check(text)
    assert checked.key
    assert checked.key.line == f"{ED} me"
    assert checked.notes == (note,)


# -- what it refuses, each with the help that fits


@pytest.mark.feature("KEY-31", "KEY-15")
@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "Paste your public key.", ""),
        (f"{ED}\n{public('ecdsa-256')}", "These are 2 keys. Import one at a time.", "line"),
        (f"no-pty {ED}", "Something stands before the key. Paste it from “ssh-ed25519” on.", "line"),
        (f"{TYPE} {BLOB[:-6]} me@here", "The ssh-ed25519 key is not complete: it ends in the middle.", "whole"),
        (f"{TYPE} {BLOB[6:]}", "The ssh-ed25519 key is not complete: it ends in the middle.", "whole"),
        (TYPE, "The ssh-ed25519 key is not complete: it ends in the middle.", "whole"),
        (f"{TYPE} {BLOB}AAAA", "More text follows after the end of the key, without a space between.", "whitespace"),
        (f"{TYPE} {BLOB[:20]}…{BLOB[20:]}", "After ssh-ed25519 comes text that is not base64.", "whitespace"),
        (f"ssh-rsa {BLOB}", "The ssh-rsa key is not complete: it ends in the middle.", "whole"),
        (DSS, DSS_SAID, "type"),
        (f"sk-{TYPE}@openssh.com {BLOB}", "Keys on a security key (sk-…) are not among the types", "type"),
        (f"{TYPE}-cert-v01@openssh.com {BLOB}", "This is an SSH certificate.", "type"),
        ("hello", "A public key begins with ssh-rsa, ssh-ed25519 or ecdsa-sha2-nistp256 (384, 521).", "type"),
    ],
)
def test_it_says_what_is_wrong_and_what_helps(text: str, message: str, hint: str) -> None:
    said, found = says(text)
    assert said.startswith(message)
    assert found == hint


@pytest.mark.feature("KEY-15")
def test_it_says_why_dss_is_refused() -> None:
    assert "OpenSSH has dropped that type" in says(DSS)[0]
    assert "ssh-keygen -t ed25519" in says(DSS)[0]


@pytest.mark.feature("KEY-17")
def test_it_refuses_an_rsa_key_that_can_be_broken() -> None:
    said, hint = says(public("rsa-1024"))
    assert said.startswith("This RSA key has 1,024 bits. Keys of fewer than 2,048 bits can be broken")
    assert hint == "type"
    # and one that is of the account all the same is shown as what it is
    found = facts_of(public("rsa-1024"))
    assert found
    assert found.bits == 1024


def test_it_refuses_numbers_that_are_no_key() -> None:
    blob = bytearray(base64.b64decode(public("ecdsa-256").split(" ")[1]))
    blob[-1] ^= 1
    said, hint = says(f"ecdsa-sha2-nistp256 {base64.b64encode(blob).decode()}")
    assert (said, hint) == (
        "Its numbers are those of no ecdsa-sha2-nistp256 key: a character was changed or lost.",
        "whole",
    )


@pytest.mark.parametrize("begin", ["ssh-rsa ", f"{ED} ", "hello ", "A" * 50 + " "])
def test_it_is_quick_with_what_is_far_too_long(begin: str) -> None:
    begun = time.perf_counter()
    says(begin + "A B\n" * 25_000 if begin != f"{ED} " else begin + "a b\n" * 25_000)
    assert time.perf_counter() - begun < 0.5
    assert (
        says("ssh-rsa " + "A" * 102_400)[0]
        == f"A public key has at most {MOST_CHARACTERS:,} characters; this has 102,408."
    )


@pytest.mark.feature("KEY-31")
def test_it_says_how_to_convert_a_key_of_another_format() -> None:
    pem = pair("rsa-2048").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    said, hint = says(pem)
    assert "ssh-keygen -i -m PKCS8 -f file" in said
    assert hint == "line"
    assert "ssh-keygen -i -f file" in says("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n")[0]


# -- private keys


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("rsa-2048", PrivateFormat.TraditionalOpenSSL),
        ("rsa-2048", PrivateFormat.PKCS8),
        ("rsa-2048", PrivateFormat.OpenSSH),
        ("ed25519", PrivateFormat.OpenSSH),
        ("ecdsa-256", PrivateFormat.TraditionalOpenSSL),
        ("ecdsa-256", PrivateFormat.PKCS8),
    ],
)
def test_it_knows_a_private_key_whole_or_in_parts(kind: str, form: PrivateFormat) -> None:
    text = secret(kind, form)
    lines = text.splitlines()
    inner = "\n".join(lines[1:-1])
    for found in (text, inner, f"{public()}\n{text}", text.replace("\n", " "), "\n".join(lines[:3]), lines[-1]):
        assert holds_private_key(found)
        assert says(found) == (PRIVATE_SAID, "")
    # and the middle of a long one, which nothing marks, is not taken for anything else
    if len(lines) > 8:
        assert may_be_private("\n".join(lines[4:7]))


def test_it_knows_a_private_key_of_putty() -> None:
    assert says("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n") == (PRIVATE_SAID, "")
    assert says("Private-Lines: 1\nAAAA\n") == (PRIVATE_SAID, "")


@pytest.mark.parametrize(
    "text", [public("rsa-2048"), public(comment="my private key laptop"), "", "hello", "x" * 59, DSS]
)
def test_it_takes_nothing_else_for_one(text: str) -> None:
    assert not holds_private_key(text)
    assert not may_be_private(text)


def test_no_word_of_it_repeats_a_private_key() -> None:
    text = secret("rsa-2048", PrivateFormat.TraditionalOpenSSL)
    assert all(line not in repr(check(text)) for line in text.splitlines()[1:-1])
    assert isinstance(pair("rsa-2048"), rsa.RSAPrivateKey)
