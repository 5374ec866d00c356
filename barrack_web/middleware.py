"""What happens around every request: its id, the headers of its answer, an expired sign-in, an API that fails."""

import re
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.signals import request_finished
from django.db import InterfaceError, OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from redis.exceptions import RedisError

from apps.account.cookies import set_cookie
from apps.account.kept import COOKIE as KEPT_COOKIE
from apps.account.kept import KEEP_SECONDS, keep
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
    # A form that leads to an identity provider is refused by the browser at the redirect, unless that host is named.
    policy = POLICY.replace("form-action 'self'", " ".join(["form-action 'self'", *settings.IDENTITY_ORIGINS]))

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["Content-Security-Policy"] = policy
        response.setdefault("Cache-Control", "private, no-cache")
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response

    return middleware


def expired_sign_in(get_response: GetResponse) -> GetResponse:
    """Lead whoever turns out not to be signed in to the sign-in page, and afterwards back to where they were.

    A part asked for by htmx sends the whole browser page there, once. A form keeps what was typed for afterwards.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        location = urlsplit(response.get("Location", ""))
        sign_in = resolve_url(settings.LOGIN_URL)
        part = getattr(request, "htmx", False)
        if location.path != sign_in or request.path == sign_in:
            return response
        if not part and (request.method != "POST" or REDIRECT_FIELD_NAME not in parse_qs(location.query)):
            return response
        key = keep(request) if request.method == "POST" and _stands_at_its_address(request) else None
        back = request.get_full_path() if key else _way_back(_page_of(request))
        if not back and not part:
            return response
        url = f"{sign_in}?{urlencode({REDIRECT_FIELD_NAME: back or '/'})}"
        answer = HttpResponse(headers={"HX-Redirect": url}) if part else HttpResponseRedirect(url)
        answer["Cache-Control"] = "no-store"
        if key:
            set_cookie(answer, KEPT_COOKIE, key, seconds=KEEP_SECONDS)
        return answer

    return middleware


def _page_of(request: HttpRequest) -> str:
    """Return the address of the page that a request comes from, "" when the browser does not say."""
    return request.headers.get("HX-Current-URL", "") or request.headers.get("Referer", "")


def _stands_at_its_address(request: HttpRequest) -> bool:
    """Return whether the form's own page is at the address that it is sent to, as that of every dialog is."""
    return "token" in request.POST or _way_back(_page_of(request)).partition("?")[0] == request.path


def _way_back(current: str) -> str:
    """Return path and query of the page the visitor stands on; "" for what could lead to another site."""
    try:
        page = urlsplit(current)
    except ValueError:
        return ""
    back = f"{page.path}?{page.query}" if page.query else page.path
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else ""


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
