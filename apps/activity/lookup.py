"""Finding out what a write did whose answer was lost."""

import logging
from datetime import timedelta

from django.conf import settings

from apps.activity.closing import close
from apps.activity.kind import Shows
from apps.activity.kinds import KINDS
from apps.activity.models import Operation, State
from barrack_web import clock, cloud
from barrack_web.client import BarrackError, Missing

log = logging.getLogger("barrack.activity")

# The API's clock and ours may differ by so much.
CLOCK_SKEW = timedelta(seconds=60)


def find(operation: Operation, *, within: float) -> str | None:
    """Return the id of what the operation made ("" for anything else that happened), or None when it is not to be seen.

    A thing counts as made by the operation when it bears its name, was not there before, was not made before the click,
    and is not the result of another operation. `within` is in seconds. Raises BarrackError when nothing can be read.
    """
    kind = KINDS[operation.kind]
    if kind.shows is not None:
        return _seen(kind.shows, operation, within)
    assert kind.rows is not None  # noqa: S101 - a kind has one of the two
    try:
        rows = kind.rows(cloud.client(), operation, within)
    except Missing:
        # What the list belongs to is gone, so nothing new is in it.
        if not kind.makes:
            raise
        rows = []
    if not kind.makes:
        return None if any(row.id == operation.target_id for row in rows) else ""
    ours = [
        row.id
        for row in rows
        if row.name == operation.name
        and row.id not in operation.known_ids
        and (row.created_at is None or row.created_at >= operation.sent_at - CLOCK_SKEW)
    ]
    alike = [name for name, other in KINDS.items() if other.makes and other.noun == kind.noun]
    taken = set(
        Operation.objects.filter(kind__in=alike, result_id__in=ours)
        .exclude(pk=operation.pk)
        .values_list("result_id", flat=True)
    )
    return next((found for found in ours if found not in taken), None)


def _seen(shows: Shows, operation: Operation, within: float) -> str | None:
    try:
        return "" if shows(cloud.client(), operation, within) else None
    except Missing:
        # What was to be changed is gone, so the change will never be seen.
        return None


def settle(operation: Operation) -> bool:
    """Look for one unknown operation again; close it when it is seen, or when it was looked for long enough.

    An API that fails says nothing about it, however long it fails. Returns whether it is closed now.
    """
    try:
        found = find(operation, within=settings.API_LOOK_UP_SECONDS)
    except BarrackError as error:
        log.warning("looking for %s failed: %s", operation.id, type(error).__name__)
        return False
    if found is not None:
        operation.state, operation.result_id, operation.alert = State.DONE, found, {}
    elif clock.now() - operation.sent_at >= timedelta(seconds=settings.LOOK_FOR_SECONDS):
        operation.state, operation.alert = State.NOT_SEEN, {}
    else:
        return False
    close(operation)
    return True
