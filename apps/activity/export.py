"""The activity as a file: streamed, so that it needs no more memory for many events than for a few."""

import csv
import json
from collections.abc import Callable, Iterator
from io import StringIO

from django.db.models import QuerySet

from apps.activity.kinds import title_of
from apps.activity.models import Event

# One file holds so many at the most: it keeps a thread of the server busy while it is sent.
MOST = 100_000
BATCH = 1000
COLUMNS = (
    "number", "at", "who", "role", "action", "title", "target_id", "target_name", "name", "result", "result_id",
    "upstream_status", "request_id", "duration_ms", "address", "operation_id", "previous", "digest",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula, and would carry it out.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Tells spreadsheets that the file is UTF-8.
BYTE_ORDER_MARK = "\ufeff"

Facts = dict[str, str | int | None]


def facts_of(event: Event) -> Facts:
    """Return one event as plain values; the time as ISO 8601 in UTC."""
    found: Facts = {name: getattr(event, name) for name in COLUMNS if name not in {"at", "title", "operation_id"}}
    found["at"] = event.at.isoformat().replace("+00:00", "Z")
    found["title"] = title_of(event.action)
    found["operation_id"] = str(event.operation_id) if event.operation_id else ""
    return {name: found[name] for name in COLUMNS}


def batches(rows: QuerySet[Event], newest: int) -> Iterator[list[Event]]:
    """Give the events up to that number, oldest first, some at a time: no query stays open for a slow reader."""
    last = 0
    while True:
        found = list(rows.filter(number__gt=last, number__lte=newest).order_by("number")[:BATCH])
        if not found:
            return
        yield found
        last = found[-1].number


def as_csv(rows: QuerySet[Event], newest: int) -> Iterator[str]:
    """Give the file in pieces: a header line, then a line for each event."""
    buffer = StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    yield BYTE_ORDER_MARK
    for events in batches(rows, newest):
        for event in events:
            writer.writerow([cell(value) for value in facts_of(event).values()])
        yield _taken(buffer)
    yield _taken(buffer)


def cell(value: str | int | None) -> str:
    """Return the value so that no spreadsheet takes it for a formula: what begins like one gets a quote before it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _taken(buffer: StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def as_json(rows: QuerySet[Event], newest: int) -> Iterator[str]:
    """Give the file in pieces: one array with an object for each event, each on a line of its own."""
    before = "[\n"
    for events in batches(rows, newest):
        yield before + ",\n".join(json.dumps(facts_of(event), ensure_ascii=False) for event in events)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


FORMATS: dict[str, tuple[str, Callable[[QuerySet[Event], int], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
}
