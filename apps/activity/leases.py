"""Jobs that only one process may do at a time."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, transaction

from apps.activity.models import Lease
from barrack_web import clock

LEASE = timedelta(minutes=2)


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
