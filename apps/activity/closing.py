"""Writing down how an operation ended."""

from django.db import transaction

from apps.activity.events import record_operation
from apps.activity.kinds import KINDS
from apps.activity.models import Operation
from barrack_web import clock


def close(operation: Operation) -> None:
    """Write the outcome and its event together, and have the lists read anew.

    An unknown outcome is written too, as an event of its own, and stays open until it is looked up.
    """
    operation.closed_at = None if operation.open else clock.now()
    with transaction.atomic():
        operation.save()
        record_operation(operation)
    KINDS[operation.kind].changed(operation)
