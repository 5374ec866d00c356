"""manage.py tick: one pass of everything that nobody's click starts, or one every N seconds."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from apps.activity.tick import log, tick


class Command(BaseCommand):
    help = (
        "Looks up operations whose outcome is unknown, and writes down what changed without the portal. "
        "With --every N it goes on until it is stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=0, metavar="SECONDS", help="repeat, instead of one pass")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if not options["every"]:
            self.stdout.write(f"{tick()} operations closed.")
            return
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        repeat(options["every"], stop)


def repeat(every: float, stop: threading.Event) -> None:
    """Tick until stopped; a pass that fails is logged and the next one tries again."""
    while not stop.is_set():
        close_old_connections()
        try:
            tick()
        except Exception:  # noqa: BLE001 - one failed pass must not end the process; it is logged whole
            log.exception("a pass of tick failed")
        stop.wait(every)
