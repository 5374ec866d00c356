"""One pass of everything that nobody's click starts. Doing it twice, or in two processes, does no harm."""

import logging

from django.contrib.sessions.backends.db import SessionStore
from django.dispatch import Signal

from apps.activity import observe
from apps.activity.closing import take_over_abandoned
from apps.activity.kinds import KINDS
from apps.activity.leases import lease
from apps.activity.lookup import settle
from apps.activity.models import Operation, State

# Sent once in each pass, for what other apps have to tidy up.
ticking = Signal()

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
        take_over_abandoned()
        # In any order: some that cannot be looked up for now must not keep the others waiting.
        unknown = Operation.objects.filter(state=State.UNKNOWN, kind__in=KINDS).order_by("?")[:MOST]
        closed = sum(settle(operation) for operation in unknown)
        # After the look-ups: what they found is an operation of ours.
        observe.look_around()
        # Also what was kept for visitors who never came back; nothing else deletes it.
        SessionStore.clear_expired()
        ticking.send(None)
        return closed
