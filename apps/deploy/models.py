"""What somebody has chosen in the wizard so far, and what a team keeps of it for the next time."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

from apps.deploy.values import words_of
from barrack_web import clock

KEPT_FOR = timedelta(days=7)
# A person's drafts; of more, the oldest go.
MOST_DRAFTS = 20
MOST_TEMPLATES = 200
TEMPLATE_NAME_LENGTH = 50


class Draft(models.Model):
    """One deployment that a person prepares: each has at most one VM, however often and from wherever it is sent.

    Its id is the target of the operation that sends it. `values` holds no password and no text that seems to hold one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    values = models.JSONField(default=dict)
    updated_at = models.DateTimeField()
    # Begun by a link that brought choices along, and left as it was: the next such link takes its place.
    untouched = models.BooleanField(default=False)
    # As Barrack answered; for its support. Empty while it was not sent, or when the answer was lost.
    deployment_id = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering = ["-updated_at"]
        indexes = [models.Index(fields=["user", "-updated_at"]), models.Index(fields=["updated_at"])]

    def __str__(self) -> str:
        return f"draft {self.id}"

    @property
    def words(self) -> str:
        return words_of(self.values)

    @property
    def kept_until(self) -> datetime:
        return self.updated_at + KEPT_FOR


class Template(models.Model):
    """A deployment's choices under a name, for everybody who may deploy; without its VM's name and without secrets."""

    name = models.CharField(max_length=TEMPLATE_NAME_LENGTH, unique=True)
    values = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def words(self) -> str:
        return words_of(self.values)


def expire_drafts() -> int:
    """Delete the drafts that nobody has touched for a week; return how many."""
    return Draft.objects.filter(updated_at__lt=clock.now() - KEPT_FOR).delete()[0]
