"""Appending to the trail of events, and checking that nobody has changed it."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest

from apps.account.models import User
from apps.activity.models import ChainHead, Event, Operation
from barrack_web import clock
from barrack_web.client import request_id_var


def client_address(request: HttpRequest) -> str | None:
    """Return the visitor's address, by as many proxies' word as TRUSTED_PROXY_COUNT says; None when none is told."""
    try:
        address = ip_address(get_adapter(request).get_client_ip(request))
    except (PermissionDenied, ValueError):
        return None
    # An IPv4 address in IPv6 dress has several spellings, and the digest needs the one that the database keeps.
    return str(getattr(address, "ipv4_mapped", None) or address)


def record(request: HttpRequest, action: str, *, result: str, **facts: Any) -> Event:
    """Append what the signed-in person did, where no operation of the API was needed."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - every view needs a sign-in
    return append(
        user=user,
        who=user.email,
        role=user.role,
        action=action,
        result=result,
        address=client_address(request),
        request_id=request_id_var.get() or "",
        **facts,
    )


def record_operation(operation: Operation) -> Event:
    """Append how an operation ended, or that its outcome is not known yet."""
    return append(
        user=operation.user,
        who=operation.user.email,
        role=operation.role,
        action=operation.kind,
        target_id=operation.target_id,
        target_name=operation.target_name,
        name=operation.name,
        result=operation.state,
        result_id=operation.result_id,
        upstream_status=operation.upstream_status,
        request_id=operation.request_id,
        duration_ms=operation.duration_ms,
        address=operation.address,
        operation=operation,
    )


def append(**facts: Any) -> Event:
    """Write the next event of the chain, one writer at a time."""
    with transaction.atomic():
        ChainHead.objects.get_or_create(pk=1)
        head = ChainHead.objects.select_for_update().get(pk=1)
        event = Event(number=head.number + 1, at=clock.now(), previous=head.digest, **facts)
        event.digest = event.computed_digest()
        event.save()
        head.number, head.digest = event.number, event.digest
        head.save()
    return event


@dataclass(frozen=True)
class Break:
    """Where the chain breaks first: the number, why, and the event that stands there now, or the next one."""

    number: int
    event: Event | None
    reason: str


@dataclass(frozen=True)
class Checked:
    """What was found: how many events were gone through, the newest digest, and the first break, if any."""

    events: int
    digest: str
    broken: Break | None = None


CHANGED = "Its facts do not give its digest: it was changed after it was written."
NOT_NEXT = "It does not follow the event before it: one of the two was changed, or one between them was taken away."
MISSING = "It is missing."
UNREADABLE = "It holds what is no event: it was changed after it was written."
UNKNOWN = "It was not written by the portal: the head of the chain does not know it."
OTHER_DIGEST = "The head of the chain knows another digest: this event or the head was changed."
NO_HEAD = "The head of the chain is missing, so nothing tells whether this is where the events end."


def check_chain() -> Checked:
    """Go through every event, oldest first, and compare the end with the head; stop at the first break."""
    previous, count = "", 0
    try:
        for event in Event.objects.order_by("number").iterator(chunk_size=2000):
            if event.number != count + 1:
                found = Break(
                    *((count + 1, event, MISSING) if event.number > count else (event.number, event, UNKNOWN))
                )
                return Checked(count, previous, found)
            if event.previous != previous:
                return Checked(count, previous, Break(event.number, event, NOT_NEXT))
            if event.digest != event.computed_digest():
                return Checked(count, previous, Break(event.number, event, CHANGED))
            previous, count = event.digest, count + 1
    except (ValueError, TypeError):
        # A hand that wrote past Django can leave what is no date, say.
        return Checked(count, previous, Break(_first_unreadable(count), None, UNREADABLE))
    return Checked(count, previous, _end_break(count, previous))


def _first_unreadable(after: int) -> int:
    """Return the number of the first event after that one which cannot be read: rows are read some at a time."""
    for number in Event.objects.filter(number__gt=after).order_by("number").values_list("number", flat=True):
        try:
            Event.objects.get(number=number)
        except (ValueError, TypeError):
            return number
    return after + 1


def _end_break(count: int, digest: str) -> Break | None:
    head = ChainHead.objects.filter(pk=1).first()
    if head is None:
        return Break(count + 1, None, NO_HEAD) if count else None
    if head.number > count:
        return Break(count + 1, None, MISSING)
    number, reason = (head.number + 1, UNKNOWN) if head.number < count else (count, OTHER_DIGEST)
    if head.number == count and head.digest == digest:
        return None
    return Break(number, Event.objects.filter(number=number).first(), reason)


def first_break() -> int | None:
    """Return the number of the first event that does not fit the chain, or None while the chain is whole."""
    broken = check_chain().broken
    return broken.number if broken else None
