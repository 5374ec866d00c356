"""SSH keys: made or imported, and shared by all regions."""

from datetime import datetime

import msgspec

from .paging import walk
from .reading import Accepted, Listing, ResourceId, settle
from .transport import Transport


class SSHKey(msgspec.Struct, frozen=True):
    """A public key of the account; instances name it by `name` (source: user documentation; spelling assumed)."""

    name: str
    id: ResourceId | None = None
    fingerprint: str | None = None
    public_key: str | None = None
    regions: tuple[str, ...] | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("id",), times=("created_at",))


class SSHKeyRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key to import, or without `public_key` an RSA pair of 2048 bits to make (source: user documentation)."""

    name: str
    public_key: str | None = None


class SSHKeyCreated(Accepted, frozen=True):
    """A new key. `private_key` is set only for a pair that was just made, and never again: it goes straight to the one
    who asked, is stored nowhere, and is not in the repr (source: user documentation)."""

    ssh_key: SSHKey | None = None
    private_key: str | None = None

    def __repr__(self) -> str:
        return f"SSHKeyCreated({self.ssh_key!r}, private_key={'<secret>' if self.private_key else None})"


class SSHKeyDeleted(Accepted, frozen=True):
    """A key is gone from all regions (source: user documentation)."""


class SSHKeys:
    """Calls for SSH keys. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[SSHKey]:
        """Every key of the account, all pages walked. Names are unique in it (source: user documentation)."""
        return walk(self._transport, "list_ssh_keys", SSHKey, lambda row: row.id or row.name, within=within)

    def get(self, key_id: str, *, within: float | None = None) -> SSHKey:
        """One key. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_ssh_key", ids={"key_id": key_id}, within=within)
        return self._transport.send(call).one(SSHKey)

    def create(self, name: str, public_key: str | None = None, *, within: float | None = None) -> SSHKeyCreated:
        """Imports a public key, or makes a pair. Raises Conflict for a name in use, and at 25 keys."""
        call = self._transport.prepare("create_ssh_key", body=SSHKeyRequest(name, public_key), within=within)
        answer = self._transport.send(call)
        return msgspec.structs.replace(answer.accepted(SSHKeyCreated), ssh_key=answer.one_or_none(SSHKey))

    def delete(self, key_id: str, *, within: float | None = None) -> SSHKeyDeleted:
        """Deletes a key in all regions. Raises Conflict while an ACTIVE instance uses it (user documentation)."""
        call = self._transport.prepare("delete_ssh_key", ids={"key_id": key_id}, within=within)
        return self._transport.send(call).accepted(SSHKeyDeleted)
