"""How often an open page looks again."""

from collections.abc import Iterable

from django.conf import settings


def poll_seconds(in_transition: Iterable[bool]) -> int:
    """Return the seconds until the next look: soon while a row is changing, so that a change is seen within 10 s."""
    return settings.POLL_CHANGING_SECONDS if any(in_transition) else settings.POLL_SECONDS
