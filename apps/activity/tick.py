"""One pass of everything that nobody's click starts. Doing it twice, or in two processes, does no harm."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.activity.closing import close
from apps.activity.kinds import KINDS
from apps.activity.lookup import settle
from apps.activity.models import Lease, Operation, State
from barrack_web import clock

log = logging.getLogger("barrack.tick")

LEASE = timedelta(minutes=2)
# Looked up in one pass at the most, so that a pass ends well within its lease.
MOST = 20


def tick() -> int:
    """Look up operations of unknown outcome. Returns how many were closed; 0 when another process is at it."""
    with lease("tick") as mine:
        if not mine:
            return 0
        _take_over_abandoned()
        # In any order: some that cannot be looked up for now must not keep the others waiting.
        unknown = Operation.objects.filter(state=State.UNKNOWN, kind__in=KINDS).order_by("?")[:MOST]
        return sum(settle(operation) for operation in unknown)


def _take_over_abandoned() -> None:
    """Treat a row that still says "sent" long after its time limits as unknown: its process died in the middle."""
    longest = settings.API_WRITE_SECONDS + settings.API_LOOK_UP_SECONDS + 20
    before = clock.now() - timedelta(seconds=longest)
    for operation in Operation.objects.filter(state=State.SENT, sent_at__lt=before, kind__in=KINDS):
        log.warning("operation %s was abandoned in the middle", operation.id)
        operation.state = State.UNKNOWN
        close(operation)


@contextmanager
def lease(job: str) -> Iterator[bool]:
    """Give True while no other process does the job. A holder that died loses it after two minutes."""
    holder, now = secrets.token_hex(8), clock.now()
    mine = bool(Lease.objects.filter(job=job, until__lt=now).update(holder=holder, until=now + LEASE))
    if not mine:
        try:
            with transaction.atomic():
                Lease.objects.create(job=job, holder=holder, until=now + LEASE)
            mine = True
        except IntegrityError:
            mine = False
    try:
        yield mine
    finally:
        if mine:
            Lease.objects.filter(job=job, holder=holder).delete()
