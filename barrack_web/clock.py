"""The portal's now. Tests move it; everything that compares times asks here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils import timezone

_offset = timedelta(0)


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return timezone.now() + _offset


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Move the portal's now while the block runs."""
    global _offset  # noqa: PLW0603 - one process-wide clock is the point
    before = _offset
    _offset = before + by
    try:
        yield
    finally:
        _offset = before
