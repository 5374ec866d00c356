"""What views need of htmx: the request's type, the answer to a finished write, and the choice between page and part."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from apps.account.models import User


class HtmxHttpRequest(HttpRequest):
    """A request after the middleware: signed in, and with what htmx says about itself."""

    htmx: HtmxDetails
    user: User


def show(
    request: HttpRequest, template: str, context: dict[str, Any], *, part: str = "", status: int = 200, tag: str = ""
) -> HttpResponse:
    """Return the page, or for htmx the named part of it; the view picks the part, never the request.

    `tag` is the ETag of the part, by which the browser asks whether it has changed.
    """
    as_part = bool(part and getattr(request, "htmx", False))
    response = render(request, f"{template}#{part}" if as_part else template, context, status=status)
    if as_part and tag:
        response["ETag"] = tag
    # Only answers that carry this header are swapped in when the status is 4xx or 5xx: a proxy's page never is.
    response["X-Part"] = "1"
    return private(response)


def private(response: HttpResponse) -> HttpResponse:
    """Mark an answer as one person's, with two bodies at one address."""
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "private, no-cache"
    return response


def current_path(request: HttpRequest) -> str:
    """Return the path of the page that an htmx request comes from, "" when it does not say or it makes no sense."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", "")).path
    except ValueError:
        return ""


def done(request: HtmxHttpRequest, *events: str, toast: str, then: str, gone: str = "") -> HttpResponse:
    """Answer a write that has happened: htmx closes the dialog and re-reads the lists, a plain form goes to `then`.

    `events` are names such as "snapshots:changed" that lists listen for. `gone` is the path of a page that the write
    has taken away: whoever stands on it, or on the form's own page, goes to `then` too.
    """
    here = current_path(request)
    leaving = here == request.path or (gone and here.startswith(gone))
    if leaving or not request.htmx:
        messages.success(request, toast)
    if not request.htmx:
        return HttpResponseRedirect(then)
    if leaving:
        return HttpResponse(headers={"HX-Redirect": then})
    response = render(
        request,
        "components/toast.html",
        {"text": toast, "level": "success", "then": "" if gone or here == then else then},
    )
    response["HX-Reswap"] = "none"
    response["HX-Trigger"] = json.dumps({"modal:close": True, **dict.fromkeys(events, True)})
    return private(response)
