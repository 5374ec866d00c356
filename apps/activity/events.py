"""Appending to the trail of events, and checking that nobody has changed it."""

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


def first_break() -> int | None:
    """Return the number of the first event that does not fit the chain, or None while the chain is whole."""
    previous, expected = "", 1
    for event in Event.objects.order_by("number").iterator():
        if (event.number, event.previous, event.digest) != (expected, previous, event.computed_digest()):
            return event.number
        previous, expected = event.digest, expected + 1
    head = ChainHead.objects.filter(pk=1).first() or ChainHead()
    if (head.number, head.digest) != (expected - 1, previous):
        return expected
    return None
