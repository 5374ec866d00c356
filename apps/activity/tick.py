"""One pass of everything that nobody's click starts. Doing it twice, or in two processes, does no harm."""

import logging
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore

from apps.activity import observe
from apps.activity.closing import close
from apps.activity.kinds import KINDS
from apps.activity.leases import lease
from apps.activity.lookup import settle
from apps.activity.models import Operation, State
from barrack_web import clock

log = logging.getLogger("barrack.tick")

# Looked up in one pass at the most, so that a pass ends well within its lease.
MOST = 20


def tick() -> int:
    """Look up operations of unknown outcome, then see what changed without one.

    Returns how many operations were closed; 0 when another process is at it.
    """
    with lease("tick") as mine:
        if not mine:
            return 0
        _take_over_abandoned()
        # In any order: some that cannot be looked up for now must not keep the others waiting.
        unknown = Operation.objects.filter(state=State.UNKNOWN, kind__in=KINDS).order_by("?")[:MOST]
        closed = sum(settle(operation) for operation in unknown)
        # After the look-ups: what they found is an operation of ours.
        observe.look_around()
        # Also what was kept for visitors who never came back; nothing else deletes it.
        SessionStore.clear_expired()
        return closed


def _take_over_abandoned() -> None:
    """Treat a row that still says "sent" long after its time limits as unknown: its process died in the middle."""
    longest = settings.API_WRITE_SECONDS + settings.API_LOOK_UP_SECONDS + 20
    before = clock.now() - timedelta(seconds=longest)
    for operation in Operation.objects.filter(state=State.SENT, sent_at__lt=before, kind__in=KINDS):
        log.warning("operation %s was abandoned in the middle", operation.id)
        operation.state = State.UNKNOWN
        close(operation)
