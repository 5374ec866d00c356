"""Moments as the API writes them."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """Return a moment as the API prints it: ISO 8601 in whole seconds, ending in Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
