"""Startup scripts, kept by the API to be run by new instances. All fields source: assumed."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from .paging import walk
from .reading import Accepted, Listing, ResourceId, settle
from .transport import Transport


class Script(msgspec.Struct, frozen=True):
    """A startup script; `content` at most 16,384 bytes of UTF-8."""

    script_id: ResourceId
    name: str
    content: str
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        settle(self, ids=("script_id",), times=("created_at", "updated_at"))

    def __repr__(self) -> str:
        return f"Script({self.script_id!r}, {self.name!r})"  # its content may hold secrets


class ScriptRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new script."""

    name: str
    content: str
    description: str = ""

    def __repr__(self) -> str:
        return f"ScriptRequest({self.name!r})"


class ScriptChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changes in a script; None leaves a part as it is."""

    name: str | None = None
    content: str | None = None
    description: str | None = None

    def __repr__(self) -> str:
        return f"ScriptChange({self.name!r})"


class ScriptIds(msgspec.Struct, frozen=True):
    """The scripts to delete."""

    script_ids: list[str]


class ScriptSaved(Accepted, frozen=True):
    """A script as the API has it now; None when its answer did not say."""

    script: Script | None = None


class ScriptsDeleted(Accepted, frozen=True):
    """One or several scripts are gone."""


class Scripts:
    """Calls for startup scripts. `within`: seconds for the whole call, when less than the usual limit. Raise
    BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, within: float | None = None) -> Listing[Script]:
        """Every script of the account, all pages walked."""
        return walk(self._transport, "list_scripts", Script, lambda row: row.script_id, within=within)

    def get(self, script_id: str, *, within: float | None = None) -> Script:
        """One script. Raises Missing when there is none of that id."""
        call = self._transport.prepare("get_script", ids={"script_id": script_id}, within=within)
        return self._transport.send(call).one(Script)

    def create(self, request: ScriptRequest, *, within: float | None = None) -> ScriptSaved:
        """Saves a new script. Raises Conflict for a name in use."""
        answer = self._transport.send(self._transport.prepare("create_script", body=request, within=within))
        return msgspec.structs.replace(answer.accepted(ScriptSaved), script=answer.one_or_none(Script))

    def update(self, script_id: str, change: ScriptChange, *, within: float | None = None) -> ScriptSaved:
        """Changes a script. The API does not tell whether somebody else changed it meanwhile: read it first."""
        call = self._transport.prepare("update_script", ids={"script_id": script_id}, body=change, within=within)
        answer = self._transport.send(call)
        return msgspec.structs.replace(answer.accepted(ScriptSaved), script=answer.one_or_none(Script))

    def delete(self, script_id: str, *, within: float | None = None) -> ScriptsDeleted:
        """Deletes one script for good."""
        call = self._transport.prepare("delete_script", ids={"script_id": script_id}, within=within)
        return self._transport.send(call).accepted(ScriptsDeleted)

    def delete_several(self, script_ids: Sequence[str], *, within: float | None = None) -> ScriptsDeleted:
        """Deletes several scripts in one call. Raises Missing when one of them does not exist."""
        body = ScriptIds(list(script_ids))
        call = self._transport.prepare("delete_scripts", body=body, within=within)
        return self._transport.send(call).accepted(ScriptsDeleted)
