"""Small cookies beside the session's, for what must be told when there is no session."""

from django.conf import settings
from django.http import HttpResponseBase


def set_cookie(response: HttpResponseBase, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie that scripts cannot read; without `seconds` it ends with the browser."""
    response.set_cookie(
        name, value, max_age=seconds, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
