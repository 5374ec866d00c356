"""manage.py verify_activity: goes through the chain of events and names the first one that does not fit."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from apps.activity.events import Break, check_chain
from apps.activity.kinds import title_of
from apps.activity.models import Event

# What is told of the event that does not fit, beside its time.
SHOWN = ("number", "who", "role", "action", "target_id", "target_name", "name", "result")


class Command(BaseCommand):
    help = "Checks that no event of the activity was changed, inserted or taken away. Exit code 1 when one was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document in place of sentences")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        found = check_chain()
        if options["json"]:
            facts = {"whole": found.broken is None, "events": found.events, "digest": found.digest}
            self.stdout.write(json.dumps(facts | {"first_break": as_json(found.broken)}, indent=2))
        elif found.broken is None:
            self.stdout.write(f"The activity is whole: {found.events} events.")
        else:
            self.stdout.write(f"The activity is broken at event {found.broken.number}. {found.broken.reason}")
            self.stdout.write(said(found.broken))
        if found.broken:
            raise SystemExit(1)


def said(broken: Break) -> str:
    """Return what the event says now, in one line."""
    event = broken.event
    if event is None:
        return f"{broken.number - 1} events before it are whole."
    now = "It says now" if event.number == broken.number else f"The next one, event {event.number}, says"
    thing = " ".join(word for word in (event.name, event.target_name, event.target_id) if word)
    who = f"{event.who} ({event.role})" if event.role else event.who
    return f"{now}: {_time(event)} {who}: {title_of(event.action)} {thing}: {event.result_words}."


def _time(event: Event) -> str:
    # A changed row may hold what is no time.
    return event.at.isoformat() if isinstance(event.at, datetime) else "at no time"


def as_json(broken: Break | None) -> dict[str, Any] | None:
    """Return the break as plain values."""
    if broken is None:
        return None
    event = broken.event
    says = None
    if event is not None:
        says = {name: getattr(event, name) for name in SHOWN}
        says["at"] = _time(event)
    return {"number": broken.number, "reason": broken.reason, "event": says}
