"""Writing down how an operation ended."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from apps.activity.events import record_operation
from apps.activity.kinds import KINDS
from apps.activity.models import Operation, State
from barrack_web import clock

log = logging.getLogger("barrack.activity")


def close(operation: Operation) -> None:
    """Write the outcome and its event together, and have the lists read anew.

    An unknown outcome is written too, as an event of its own, and stays open until it is looked up.
    """
    operation.closed_at = None if operation.open else clock.now()
    with transaction.atomic():
        operation.save()
        record_operation(operation)
    KINDS[operation.kind].changed(operation)


def take_over_abandoned(**of: str) -> None:
    """Treat a row that still says "sent" long after its time limits as unknown: its process died in the middle."""
    longest = settings.API_WRITE_SECONDS + settings.API_LOOK_UP_SECONDS + 20
    before = clock.now() - timedelta(seconds=longest)
    for operation in Operation.objects.filter(state=State.SENT, sent_at__lt=before, kind__in=KINDS, **of):
        log.warning("operation %s was abandoned in the middle", operation.id)
        operation.state = State.UNKNOWN
        close(operation)
