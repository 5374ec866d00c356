"""`manage.py check_api`: whether the API is as the portal believes. To be run first, before anybody signs in."""

import json
import os
import shutil
import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.management.color import color_style, no_style

from barrack_web import cloud
from barrack_web.capabilities import CAPABILITIES
from barrack_web.client import (
    ApiReport,
    Client,
    Doctor,
    KeyWay,
    Observer,
    Overrides,
    ReportText,
    ScriptLife,
    TimeLimits,
)
from barrack_web.sandbox.server import transport

WORD: Final = "write"
INTERRUPTED: Final = 130
_SANDBOX_URL: Final = "http://sandbox.invalid/api"
# Few at once, so that the pages of a long list do not come all together.
_WORKERS: Final = 4
_COLOURS: Final = {"ok": "SUCCESS", "differs": "WARNING", "absent": "WARNING", "fails": "ERROR"}


class Command(BaseCommand):
    """Asks the doctor, shows what it found, and exits with 0 when every needed read works."""

    help = (
        "Tries every read of the API and says what differs from what the portal expects, which capabilities are "
        "absent, and which header carries the key. It changes nothing unless --write is given. The output shows "
        "names, types and status words only, never the key or other values, so that it can be pasted into a ticket. "
        "Exit code 0: every needed read works; 1: one does not; 130: interrupted."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
        parser.add_argument("--quiet", action="store_true", help="show no progress")
        parser.add_argument(
            "--write",
            action="store_true",
            help=f"also make, change and delete one startup script, after you have typed the word {WORD}",
        )
        parser.add_argument(
            "--yes-write-to-the-account",
            action="store_true",
            help="with --write: do not ask, for where there is no terminal",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Examine, print, exit. Raises CommandError when --write has nobody to ask."""
        asks = options["write"] and not options["yes_write_to_the_account"]
        if asks and not sys.stdin.isatty():
            raise CommandError("--write asks before it writes, and there is no terminal: --yes-write-to-the-account.")
        self._options = options
        with _doctor(self._show_progress) as doctor:
            if not options["json"]:
                self.stdout.write(_first_line(doctor.report))
                self.stdout.flush()
            try:
                doctor.run()
                if options["write"]:
                    self._write(doctor, asks=asks)
            except KeyboardInterrupt:
                doctor.report.interrupted = True
            self._clear_progress()
            self._print(doctor)
            report = doctor.report
        code = INTERRUPTED if report.interrupted else int(not report.works)
        if code:
            sys.exit(code)

    # -- writing to the account

    def _write(self, doctor: Doctor, *, asks: bool) -> None:
        self._clear_progress()
        broken = [row.operation for row in doctor.report.failed if "script" in row.operation]
        if not doctor.report.operations or broken:
            self._say(f"Nothing is written: {', '.join(broken) or 'the API'} does not work.")
            return
        life = ScriptLife(doctor, self._show_progress)
        self._say(
            f"Makes the startup script {life.name} in the account, changes it and deletes it. That costs nothing."
        )
        if asks and not self._confirmed():
            self._say("Nothing was written.")
            return
        life.walk()

    def _confirmed(self) -> bool:
        self._say(f"Type {WORD} to go on: ", ending="")
        return sys.stdin.readline().strip() == WORD

    # -- what is printed

    def _print(self, doctor: Doctor) -> None:
        report = doctor.report
        text = ReportText(
            report,
            doctor.operations,
            hides={name: f"{CAPABILITIES[name].title}: {CAPABILITIES[name].hides}" for name in report.absent},
            width=_columns(),
            paint=self._paint,
        )
        self.stdout.write(_json(doctor, list(text.summary())) if self._options["json"] else str(text))

    def _paint(self, state: str, text: str) -> str:
        wanted = self.stdout.isatty() and not os.environ.get("NO_COLOR")
        coloured = self._options["force_color"] or (wanted and not self._options["no_color"])
        style = color_style(force_color=True) if coloured else no_style()
        return str(getattr(style, _COLOURS[state])(text)) if state in _COLOURS else text

    def _show_progress(self, number: int, steps: int, what: str) -> None:
        if self._options["quiet"]:
            return
        line = f"[{number:>2}/{steps}] {what}" if steps else f"[key] {what}"
        if self.stderr.isatty():
            self._say(f"\r\x1b[K{line[: _columns() - 1]}", ending="")
            self.stderr.flush()
        else:
            self._say(line)

    def _clear_progress(self) -> None:
        if self.stderr.isatty() and not self._options["quiet"]:
            self._say("\r\x1b[K", ending="")

    def _say(self, text: str, ending: str = "\n") -> None:
        """Say something beside the report; without Django's red, since it is no error."""
        self.stderr.write(text, style_func=str, ending=ending)


def _doctor(progress: Any) -> Doctor:
    """Return a doctor for the API of the settings, or for the cloud inside the process when there is no key."""
    limits = TimeLimits(
        connect=settings.API_CONNECT_SECONDS,
        read=settings.API_READ_SECONDS,
        write=settings.API_WRITE_SECONDS,
        look_up=settings.API_LOOK_UP_SECONDS,
    )
    sandbox = cloud.sandbox() if settings.SANDBOX else None
    way = KeyWay(settings.BARRACK_API_AUTH_HEADER, settings.BARRACK_API_AUTH_PREFIX)
    overrides: Overrides = Overrides() if sandbox else settings.BARRACK_API_OVERRIDES
    url = _SANDBOX_URL if sandbox else settings.BARRACK_API_URL

    def connect(with_key: KeyWay | None, observer: Observer) -> Client:
        key = sandbox.key if sandbox else settings.BARRACK_API_KEY
        return Client(
            url,
            key if with_key else "",
            auth_header=with_key.header if with_key else way.header,
            auth_prefix=with_key.prefix if with_key else "",
            limits=limits,
            operations=overrides.operations,
            names=overrides.names,
            transport=transport(sandbox) if sandbox else None,
            workers=_WORKERS,
            observer=observer,
        )

    return Doctor(connect, url=url, way=KeyWay("X-API-Key") if sandbox else way, overrides=overrides, progress=progress)


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _first_line(report: ApiReport) -> str:
    if settings.SANDBOX:
        return "BARRACK_API_KEY is not set: this checks the simulated cloud inside the portal, not the real API."
    return f"Checks {report.url} with the key in the header {report.way}."


def _json(doctor: Doctor, summary: list[str]) -> str:
    """Return the report as one JSON document."""
    report = doctor.report
    facts = {
        "sandbox": settings.SANDBOX,
        **report.as_json(),
        "absent": {
            name: {"title": CAPABILITIES[name].title, "hides": CAPABILITIES[name].hides} for name in report.absent
        },
        "summary": summary,
        "overrides": report.overrides(doctor.operations),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False)
