"""manage.py demo: the whole portal on a simulated cloud, from nothing."""

import os
import socket
import sys
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from apps.account.demo import PASSWORD, create_accounts
from apps.account.models import User


class Command(BaseCommand):
    help = "Starts the portal on the sandbox with four demo accounts. Its database is emptied first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--prepare", action="store_true", help="make the database and accounts, start nothing")
        parser.add_argument(
            "--remove-accounts", action="store_true", help="switch the demo accounts off in this database"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if options["remove_accounts"]:
            count = User.objects.filter(is_demo=True).update(is_active=False, password="!")  # noqa: S106 - no password fits
            self.stdout.write(f"{count} demo accounts are switched off.")
            return
        if not settings.SANDBOX:
            raise CommandError("BARRACK_API_KEY is set. The demo runs on the sandbox only: unset the key first.")
        if not options["prepare"]:
            self._check_port(options["port"])
        self._empty_database()
        call_command("migrate", verbosity=0)
        people = create_accounts()
        if options["prepare"]:
            return
        call_command("collectstatic", interactive=False, verbosity=0)
        lines = [
            f"\nBarrack Web is at http://localhost:{options['port']}",
            "",
            f"Sign in with the password {PASSWORD} as",
        ]
        lines += [f"  {person.email:<24}{person.get_role_display()}" for person in people]
        self.stdout.write(
            "\n".join([*lines, "", "It is a simulated cloud: nothing here costs money. Stop it with Ctrl-C."])
        )
        self.stdout.flush()
        self._serve(options["port"])

    def _check_port(self, port: int) -> None:
        """Stop before anything is emptied when another program, a running demo say, holds the port."""
        with socket.socket() as probe:
            # The server shares its port with others of its kind: binding would succeed, so see whether one answers.
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise CommandError(
                    f"Port {port} is in use. Stop what runs there, or choose another: make demo PORT=8080"
                )

    def _empty_database(self) -> None:
        """Delete the sandbox's own database file: the simulated cloud starts anew, so its trail must too."""
        database = settings.DATABASES["default"]
        if not str(database["ENGINE"]).endswith("sqlite3"):
            raise CommandError("The demo empties its database, so it runs on SQLite only: unset DATABASE_URL.")
        with suppress(DatabaseError):
            if User.objects.filter(is_demo=False).exists():
                raise CommandError(
                    f"{database['NAME']} holds real accounts; the demo would delete it. Move it away first."
                )
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database['NAME']}{suffix}").unlink(missing_ok=True)

    def _serve(self, port: int) -> None:
        environment = os.environ | {"DEMO_TICK_SECONDS": "10"}
        # One process, since the simulated cloud lives in its memory; threads serve many browsers.
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--blocking-threads", "32", "--log-level", "error", "barrack_web.wsgi:application",
        ]  # fmt: skip
        os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell
