"""What happens around every request: its id, the headers of its answer, an expired sign-in, an API that fails."""

import re
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.signals import request_finished
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from redis.exceptions import RedisError

from barrack_web import errors
from barrack_web.cached import PAGE_SECONDS, page_end_var
from barrack_web.client import BarrackError, request_id_var

GetResponse = Callable[[HttpRequest], HttpResponseBase]

POLICY = "; ".join(  # noqa: FLY002 - one directive a line
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def request_id(get_response: GetResponse) -> GetResponse:
    """Give each request an id that also goes upstream, into the log and into alerts; and a time by which to answer."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        value = given if re.fullmatch(r"[A-Za-z0-9-]{8,64}", given) else secrets.token_hex(8)
        request_id_var.set(value)
        page_end_var.set(time.monotonic() + PAGE_SECONDS)
        response = get_response(request)
        response["X-Request-ID"] = value
        return response

    return middleware


@receiver(request_finished)
def forget_request_id(**_: object) -> None:
    """End the id's time when the answer is out: Django writes its own log line after the middleware has returned."""
    request_id_var.set("")
    page_end_var.set(float("inf"))


def security_headers(get_response: GetResponse) -> GetResponse:
    """Forbid everything that the pages do not use: other hosts, inline scripts and styles, frames, sensors."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        response.setdefault("Cache-Control", "private, no-cache")
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response

    return middleware


def expired_sign_in(get_response: GetResponse) -> GetResponse:
    """Send the whole browser page to sign-in when an htmx request finds nobody signed in, and back to where it was."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        location = response.get("Location", "")
        sign_in = resolve_url(settings.LOGIN_URL)
        if not getattr(request, "htmx", False) or urlsplit(location).path != sign_in or request.path == sign_in:
            return response
        answer = HttpResponse(status=200)
        back = _way_back(request.headers.get("HX-Current-URL", ""))
        answer["HX-Redirect"] = f"{sign_in}?{urlencode({'next': back})}"
        answer["Cache-Control"] = "no-store"
        return answer

    return middleware


def _way_back(current: str) -> str:
    """Return path and query of the page the visitor stands on; "/" for what could lead to another site."""
    try:
        page = urlsplit(current)
    except ValueError:
        return "/"
    back = f"{page.path}?{page.query}" if page.query else page.path
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "/"


class ApiErrors:
    """Turn an error of the Barrack API, or of a server of ours that is away, into its page: no 500, no sign-out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, (RedisError, OperationalError, InterfaceError)):
            return errors.unavailable(request, exception)
        return errors.api_error(request, exception) if isinstance(exception, BarrackError) else None
