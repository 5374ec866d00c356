"""What the sign-in page says before anybody has typed: why one stands here, and what to do at the first run."""

from typing import Any

from django import template
from django.conf import settings

from apps.account.limits import WHY_COOKIE
from apps.account.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def why_signed_out(context: dict[str, Any]) -> str:
    """Return why the last sign-in in this browser has ended by itself, "" when it has not."""
    why = {
        "idle": f"You were signed out, since nothing was done here for {_words(settings.SESSION_IDLE_SECONDS)}.",
        "most": f"You were signed out: a sign-in lasts {_words(settings.SESSION_MOST_SECONDS)} at most.",
    }
    request = context.get("request")
    return why.get(request.COOKIES.get(WHY_COOKIE, ""), "") if request else ""


@register.simple_tag
def nobody_yet() -> bool:
    """Return whether there is nobody who could sign in."""
    return not User.objects.filter(is_active=True).exists()


def _words(seconds: int) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"
