"""The one life cycle of writes that costs nothing: a startup script is made, changed and deleted."""

import secrets
from collections.abc import Callable
from time import monotonic

from ..errors import BarrackError, Missing
from ..scripts import Script, ScriptChange, ScriptRequest, Scripts
from .examination import Doctor
from .report import WriteStep

STEPS = 6
_FIRST = "#!/bin/sh\n# Made by manage.py check_api, which deletes it again.\n"
_SECOND = f"{_FIRST}# Changed once.\n"


class _Wrong(Exception):  # noqa: N818 - never leaves this file
    """A step went otherwise than it should."""


class ScriptLife:
    """Walks a script of its own through create, get, update, get, delete, get.

    What it made it deletes, also after a step that failed or an interruption. The doctor's report gets a record for
    each step, and the name and id of what could not be deleted.
    """

    def __init__(self, doctor: Doctor, progress: Callable[[int, int, str], None] = lambda *_: None) -> None:
        self._doctor = doctor
        self._progress = progress
        self._taken = 0
        self._id = ""
        self._may_exist = False
        self.name = f"barrack-web-check-{secrets.token_hex(4)}"

    def walk(self) -> None:
        """All steps, up to the first that fails; then the deletion. Raises no BarrackError."""
        try:
            steps: tuple[tuple[str, Callable[[], None]], ...] = (
                ("create_script", self._create),
                ("get_script", lambda: self._check_content(_FIRST)),
                ("update_script", self._update),
                ("get_script", lambda: self._check_content(_SECOND)),
            )
            all(self._step(operation, act) for operation, act in steps)  # stops at the first that fails
            if self._id and self._step("delete_script", self._delete):
                self._step("get_script", self._check_gone)
        finally:
            if self._may_exist:
                self._clear_away()

    @property
    def _scripts(self) -> Scripts:
        return self._doctor.client().scripts

    def _step(self, operation: str, act: Callable[[], None]) -> bool:
        """Whether the step went as it should."""
        self._taken += 1
        self._progress(self._taken, STEPS, f"{operation} {self.name}")
        start, problem = monotonic(), ""
        self._doctor.forget()
        try:
            act()
        except _Wrong as wrong:
            problem = str(wrong)
        except BarrackError as error:
            problem = f"{error.status or 'no answer'}: {error.detail or type(error).__name__}"
        seconds = round(monotonic() - start, 3)
        self._doctor.report.writes.append(WriteStep(operation, self._doctor.last_status(), seconds, problem))
        return not problem

    def _create(self) -> None:
        self._may_exist = True
        request = ScriptRequest(name=self.name, content=_FIRST, description="Made by manage.py check_api.")
        try:
            saved = self._scripts.create(request)
        except BarrackError as error:
            self._may_exist = error.may_have_happened
            raise
        if saved.script is None:
            raise _Wrong("the answer does not hold the new script, so its id is not known")
        self._id = saved.script.script_id
        self._check(saved.script, _FIRST)

    def _update(self) -> None:
        saved = self._scripts.update(self._id, ScriptChange(content=_SECOND))
        if saved.script is not None:
            self._check(saved.script, _SECOND)

    def _check_content(self, content: str) -> None:
        self._check(self._scripts.get(self._id), content)

    def _check(self, script: Script, content: str) -> None:
        if script.name != self.name:
            raise _Wrong("the script has another name than was sent")
        if script.content.strip() != content.strip():
            raise _Wrong("the script has another content than was sent")

    def _delete(self) -> None:
        self._scripts.delete(self._id)
        self._may_exist = False

    def _check_gone(self) -> None:
        try:
            self._scripts.get(self._id)
        except Missing:
            return
        self._may_exist = True
        raise _Wrong("the script is still there after it was deleted")

    def _clear_away(self) -> None:
        """Deletes what may be left; what is not seen to be gone is reported."""
        self._doctor.report.left_behind = f"{self.name} (id {self._id or 'unknown'})"
        try:
            found = [self._id] if self._id else self._ids_by_name()
            for script_id in found:
                self._doctor.report.left_behind = f"{self.name} (id {script_id})"
                if not self._is_removed(script_id):
                    return
        except BarrackError:
            return  # what the report says by now stays: somebody has to look
        late = f"{self.name} (nobody knows whether it was made; it may still appear)"
        self._doctor.report.left_behind = "" if found else late

    def _ids_by_name(self) -> list[str]:
        """The ids of the scripts of that name, of which nobody else knows."""
        return [row.script_id for row in self._scripts.list() if row.name == self.name]

    def _is_removed(self, script_id: str) -> bool:
        """Deletes a script; whether it is seen to be gone then."""
        try:
            self._scripts.delete(script_id)
            self._scripts.get(script_id)
        except Missing:
            return True
        return False
