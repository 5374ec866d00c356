"""What was asked of the cloud and what came of it: operations, and the append-only trail of events."""

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from barrack_web.alerts import Alert


class State(models.TextChoices):
    SENT = "sent", "Sent"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    NOT_SENT = "not_sent", "Not sent"
    UNKNOWN = "unknown", "Not seen yet"
    NOT_SEEN = "not_seen", "Never seen"


OPEN_STATES = (State.SENT, State.UNKNOWN)
# How a change ended that nobody made here: it was only seen.
OBSERVED = "observed"
# The words for every result that an event can have.
RESULTS: dict[str, str] = {**dict(State.choices), OBSERVED: "Observed"}


class Operation(models.Model):
    """One form sent by one person: written before the API is called, closed when its outcome is known."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The form's one-time token: a second row with the same one cannot exist, so a form sent twice calls once.
    token = models.CharField(max_length=64, unique=True)
    payload = models.CharField(max_length=64)
    kind = models.CharField(max_length=40)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    role = models.CharField(max_length=10)
    address = models.GenericIPAddressField(null=True)
    target_id = models.CharField(max_length=128, blank=True)
    target_name = models.CharField(max_length=255, blank=True)
    # The name of what is to be made, empty where nothing is. Two operations under way cannot make the same name.
    name = models.CharField(max_length=255, blank=True)
    # The target's kind and id, where two operations on it must not be under way at once.
    exclusive = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SENT)
    sent_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # Ids of that name which were there before, so that a look-up does not take one of them for the result.
    known_ids = models.JSONField(default=list)
    result_id = models.CharField(max_length=128, blank=True)
    alert = models.JSONField(default=dict)
    upstream_status = models.PositiveSmallIntegerField(null=True)
    request_id = models.CharField(max_length=128, blank=True)
    duration_ms = models.PositiveIntegerField(null=True)

    class Meta:
        ordering = ["-sent_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name", "exclusive"],
                condition=Q(state="sent") & ~Q(name=""),
                name="one_operation_makes_a_name",
            ),
            models.UniqueConstraint(
                fields=["exclusive"],
                condition=Q(state="sent") & ~Q(exclusive=""),
                name="one_operation_changes_a_thing",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "sent_at"]),
            models.Index(fields=["kind", "target_id"]),
            models.Index(fields=["kind", "result_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.target_name}"

    def get_absolute_url(self) -> str:
        return reverse("activity:operation", args=[self.id])

    @property
    def open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def shown_alert(self) -> Alert | None:
        return Alert(**self.alert) if self.alert else None


class EventIsFinalError(TypeError):
    """An event was to be changed or deleted."""


class Event(models.Model):
    """One thing that happened, chained to the one before by its digest; never changed, never deleted."""

    number = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    who = models.CharField(max_length=254)
    role = models.CharField(max_length=10, blank=True)
    action = models.CharField(max_length=40)
    target_id = models.CharField(max_length=128, blank=True)
    target_name = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    result = models.CharField(max_length=10)
    result_id = models.CharField(max_length=128, blank=True)
    upstream_status = models.PositiveSmallIntegerField(null=True)
    request_id = models.CharField(max_length=128, blank=True)
    duration_ms = models.PositiveIntegerField(null=True)
    address = models.GenericIPAddressField(null=True)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        # The list's filters, each with the order in which it is shown.
        indexes = [
            models.Index(fields=["-at"]),
            models.Index(fields=["who", "-number"]),
            models.Index(fields=["action", "-number"]),
            models.Index(fields=["result", "-number"]),
            models.Index(fields=["target_id", "-number"]),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.result}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise EventIsFinalError("An event is never changed.")
        super().save(*args, force_insert=True, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("activity:event", args=[self.number])

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002
        raise EventIsFinalError("An event is never deleted.")

    @property
    def result_words(self) -> str:
        return RESULTS.get(self.result, self.result)

    def computed_digest(self) -> str:
        """Return the SHA-256 of the previous digest and of every field, so that a changed row breaks the chain."""
        facts = {
            column.attname: _plain(getattr(self, column.attname))
            for column in self._meta.concrete_fields
            if column.attname != "digest"
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class ChainHead(models.Model):
    """The number and digest of the newest event; the row that writers lock."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return str(self.number)


class ObservedList(models.Model):
    """How one of the cloud's lists was last seen; no row means that it was never seen."""

    kind = models.CharField(max_length=20, primary_key=True)
    # When the reading of it began: an answer that was asked for earlier tells nothing new.
    read_at = models.DateTimeField()
    # Of what is compared, so that a list that is as it was costs one query.
    signature = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.kind


class Observed(models.Model):
    """One thing of the cloud as it was last seen, for telling what changed without an operation of ours."""

    kind = models.CharField(max_length=20)
    resource_id = models.CharField(max_length=128)
    name = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=60, blank=True)
    present = models.BooleanField(default=True)
    # When this state was first seen.
    seen_at = models.DateTimeField()
    # The state is one that passes by itself, and what will follow from it belongs to an operation of ours.
    moving = models.BooleanField(default=False)
    ours = models.BooleanField(default=False)
    # When the newest operation was sent whose effect was seen here: it explains no later change.
    explained_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "resource_id"], name="one_row_for_each_thing_seen")]

    def __str__(self) -> str:
        return f"{self.resource_id} {self.state}"


class Lease(models.Model):
    """Who may do a job that only one process may do at a time, and until when."""

    job = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=64, blank=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.job


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
