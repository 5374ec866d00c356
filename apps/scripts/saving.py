"""Sending a script to the API, and finding out beforehand whether somebody else has changed it meanwhile."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from apps.account.models import User
from apps.activity.models import Operation, State
from apps.activity.perform import NotNeeded
from apps.scripts.forms import EditForm
from barrack_web.alerts import Alert
from barrack_web.client import Client, Script, ScriptChange, ScriptRequest
from barrack_web.script_text import Checked, changed_parts, digest

CHANGED = "The script was changed meanwhile"
SAME = Alert(
    title="There is nothing to save",
    text="The script says exactly this already, so nothing was sent.",
    status=409,
)


def create(api: Client, data: Mapping[str, str], within: float) -> str | None:
    """Keep a new script and return its id, None when the API does not tell it."""
    request = ScriptRequest(name=data["name"], description=data["description"], content=data["content"])
    made = api.scripts.create(request, within=within).script
    return made.script_id if made else None


def state_of(script: Script) -> dict[str, str]:
    """Return what a form begins with that is to change the script."""
    return {
        "name": script.name,
        "description": script.description or "",
        "content": script.content,
        "loaded": _digest(script),
    }


def shown_before(form: EditForm, script: Script) -> Script | None:
    """Return the script as it is now when the form has shown it already beside what was typed, and is to replace it."""
    return script if form.is_bound and form.data.get("over") == _digest(script) else None


class Save:
    """The change of one script as a call: read what is there, compare it with what was known, then write.

    Only one change of a script runs at a time, so nobody of this portal comes between the look and the change.
    """

    def __init__(self, script_id: str, data: Mapping[str, str], known: str, user: User) -> None:
        self.script_id = script_id
        self.known = known
        self.user = user
        self.change = ScriptChange(name=data["name"], description=data["description"], content=data["content"])
        self.there: Script | None = None
        self.conflict = False

    def __call__(self, api: Client, within: float) -> None:
        """Raises NotNeeded when it is so already, or when another change came first; nothing was sent then."""
        end = time.monotonic() + within
        self.there = there = api.scripts.get(self.script_id, within=within / 2)
        now = _digest(there)
        if now == digest(self.change.name or "", self.change.description, self.change.content or ""):
            raise NotNeeded(SAME)
        if now != self.known:
            self.conflict = True
            raise NotNeeded(_changed(there, self.known, self.user))
        api.scripts.update(self.script_id, self.change, within=max(0.1, end - time.monotonic()))


def _changed(there: Script, known: str, user: User) -> Alert:
    """Return the alert for a script that is not as it was when the form was opened."""
    parts = changed_parts(known, _digest(there))
    words = " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)
    return Alert(
        title=CHANGED,
        text=f"{_who(there, user)} changed its {words} after this form was opened. Nothing was sent.",
        todo="Compare the two versions, then save yours over the other one, or cancel. What you typed is kept.",
        status=409,
    )


def _who(there: Script, user: User) -> str:
    """Return who made the script what it is now: the trail knows those who did it here, and the API nobody."""
    last = Operation.objects.filter(kind="script.edit", target_id=there.script_id, state=State.DONE).first()
    if last is None or _digest(there) not in last.known_ids:
        return f"Somebody outside the portal{_at(there.updated_at)}"
    return (
        f"You{_at(last.sent_at, ', in another window')}" if last.user == user else last.user.email + _at(last.sent_at)
    )


def _at(moment: datetime | None, more: str = "") -> str:
    return f" ({moment.astimezone(UTC):%d %b %Y, %H:%M} UTC{more})" if moment else ""


def _digest(script: Script) -> str:
    return digest(script.name, script.description, script.content)


def remarks(checked: Checked) -> list[str]:
    """Return what was changed in a text that was saved, and where it seems to hold a secret."""
    if not checked.secrets:
        return checked.notes
    first = checked.secrets[0]
    others = len({secret.line for secret in checked.secrets} - {first.line})
    more = f"; {others} more line{'s need' if others > 1 else ' needs'} a look" if others else ""
    return [*checked.notes, f"Line {first.line} looks like {first.what}{more}."]
