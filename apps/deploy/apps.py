"""Has old drafts deleted in the pass of everything that nobody's click starts."""

from typing import Any

from django.apps import AppConfig


class DeployConfig(AppConfig):
    name = "apps.deploy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models are there only now.
        from apps.activity.tick import ticking  # noqa: PLC0415

        ticking.connect(_expire, dispatch_uid="deploy.expire")


def _expire(sender: Any, **_: object) -> None:  # noqa: ARG001
    from apps.deploy.models import expire_drafts  # noqa: PLC0415

    expire_drafts()
