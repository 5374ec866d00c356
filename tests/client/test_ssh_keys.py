"""SSH keys: what is asked, what an answer becomes, and the private key that nobody else sees."""

import pytest

from barrack_web.client import Broken, SSHKey

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

ROW = ROWS["SSHKey"]
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n"


def test_it_reads_keys_with_and_without_an_id(cloud: Cloud) -> None:
    rows = [ROW, {"name": "a"}, {"name": "b"}, {"name": "a"}, {"id": 5}]
    listing = cloud.answering({"ssh_keys": rows}).ssh_keys.list()
    assert listing.rows == (STRUCT_OF["SSHKey"], SSHKey("a"), SSHKey("b"))
    assert listing.broken == 1
    assert cloud.answering({"ssh_key": ROW}).ssh_keys.get("88") == STRUCT_OF["SSHKey"]
    with pytest.raises(Broken):
        cloud.answering({"ssh_key": {"id": 88}}).ssh_keys.get("88")


def test_it_sends_exactly_what_was_asked_for(cloud: Cloud) -> None:
    ssh_keys = cloud.answering({"success": True}).ssh_keys
    ssh_keys.create("laptop")
    assert cloud.sent() == {"name": "laptop"}
    ssh_keys.create("laptop", "ssh-ed25519 AAAA a@b")
    assert cloud.sent() == {"name": "laptop", "public_key": "ssh-ed25519 AAAA a@b"}


def test_it_gives_the_private_key_as_it_came_and_shows_it_nowhere_else(cloud: Cloud) -> None:
    body = {"message": "Made", "ssh_key": ROW, "private_key": PRIVATE}
    made = cloud.answering(body, 201).ssh_keys.create("laptop")
    assert (made.private_key, made.message, made.ssh_key) == (PRIVATE, "Made", STRUCT_OF["SSHKey"])
    for shown in (repr(made), str(made), f"{made}", repr([made]), repr({"made": made})):
        assert "MIIEow" not in shown
        assert "<secret>" in shown
    imported = cloud.answering({"ssh_key": ROW}).ssh_keys.create("laptop", "ssh-ed25519 AAAA")
    assert imported.private_key is None
    assert "private_key=None" in repr(imported)


@pytest.mark.parametrize(
    "body", [{}, {"ssh_key": None, "private_key": None}, {"ssh_key": {}, "private_key": 5, "message": 5}], ids=str
)
def test_it_survives_an_answer_that_says_little_or_nonsense(cloud: Cloud, body: object) -> None:
    ssh_keys = cloud.answering(body, headers={"X-Request-ID": "from-header"}).ssh_keys
    made = ssh_keys.create("laptop")
    assert (made.ssh_key, made.private_key, made.message, made.request_id) == (None, None, "", "from-header")
    assert ssh_keys.delete("88").request_id == "from-header"


def test_it_reads_what_a_delete_answers(cloud: Cloud) -> None:
    gone = cloud.answering({"message": "Gone\r\n", "request_id": "a1"}, headers={"X-Request-ID": "b2"}).ssh_keys.delete(
        "8"
    )
    assert (gone.message, gone.request_id) == ("Gone", "a1")
    assert cloud.answering(b"", 204).ssh_keys.delete("88").request_id is None
