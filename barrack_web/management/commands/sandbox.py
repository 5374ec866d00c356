"""`manage.py sandbox`: the simulated Barrack cloud on a port, for demos, experiments and tests of other programs."""

import json
import signal
from argparse import ArgumentParser, ArgumentTypeError
from types import FrameType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from barrack_web.sandbox.server import Sandbox, SandboxServer, serve


class Command(BaseCommand):
    """Serves the sandbox until it is told to stop. It uses neither the database nor the other settings."""

    help = "Serve the simulated Barrack cloud at http://127.0.0.1:PORT/api, its control door at /_sandbox/."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=9000, help="port to listen on; 0 takes a free one")
        parser.add_argument("--key", default="sandbox-key", help="the API key it accepts")
        parser.add_argument("--speed", type=float, default=1.0, help="divides how long transitions take; 0 stops them")
        parser.add_argument("--currency", default="USD", help="the account's currency: USD, EUR or INR (default: USD)")
        parser.add_argument("--latency", type=_latency, default=0.0, help="seconds added to each call")
        parser.add_argument("--seed", default="demo", help='"demo", "empty" or counts: {"instances": 200}')
        parser.add_argument(
            "--fault",
            action="append",
            default=[],
            metavar="JSON",
            help='a fault to start with, such as {"operation": "list_snapshots", "kind": "delay", "seconds": 2}',
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until Ctrl-C or SIGTERM. Raises CommandError for a bad option or a port that is taken."""
        server = self._server(options)
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, _interrupt)
        self.stdout.write(
            f"Sandbox at http://{options['host']}:{server.port}/api (control door /_sandbox/). Ctrl-C stops it."
        )
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Sandbox stopped.")
        finally:
            server.server_close()

    def _server(self, options: dict[str, Any]) -> SandboxServer:
        try:
            seed = options["seed"]
            sandbox = Sandbox(
                seed=json.loads(seed) if seed.startswith("{") else seed,
                key=options["key"],
                speed=options["speed"],
                latency=options["latency"],
                currency=options["currency"],
            )
            for fault in options["fault"]:
                sandbox.faults.arm_from(json.loads(fault))
            return serve(sandbox, options["host"], options["port"])
        except (ValueError, OSError, OverflowError) as error:
            raise CommandError(f"The sandbox cannot start: {error}.") from error


def _latency(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ArgumentTypeError("takes a number of seconds from 0 to 3600")
    return seconds


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
