"""Lets the trail hear of what happens elsewhere: sign-ins, and lists of the cloud that were read anew."""

from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "apps.activity"

    def ready(self) -> None:
        # Models are there only now.
        from apps.activity import observe, signins  # noqa: PLC0415

        observe.connect()
        signins.connect()
