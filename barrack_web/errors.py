"""The pages for what cannot be shown: bad request, no permission, nothing here, our fault, and an API that fails."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from barrack_web import alerts
from barrack_web.client import BarrackError, Missing
from barrack_web.htmx import show

# Tells the page's script that the answer is an alert, not the part that was asked for: a form keeps what was typed.
ALERT_PART = "alert"
log = logging.getLogger("barrack")


def api_error(request: HttpRequest, error: BarrackError) -> HttpResponse:
    """Return the page, or for htmx the alert alone, that says what the API did and what to do."""
    if isinstance(error, Missing):
        return not_found(request)
    log.warning("the API failed: %s %s status=%s", type(error).__name__, error.operation, error.status)
    alert = alerts.for_error(error)
    response = show(request, "errors/api.html", {"alert": alert}, part="alert", status=alert.status)
    response["X-Part"] = ALERT_PART
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return _page(request, 400, "This request cannot be read", "Go back, reload the page and try again.")


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    text = "The page was open too long or in another sign-in, so nothing was sent. Reload the page and try again."
    return _page(request, 403, "This form is no longer valid", text)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 403, "Your role does not allow this", str(exception or "Ask an admin for help."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    text = "It may have been deleted, or the address has a typing mistake. The lists show everything that exists now."
    return _page(request, 404, "There is nothing at this address", text)


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    text = (
        "The portal made a mistake and has logged it. Nothing more happens by itself; look at Activity before a retry."
    )
    alert = alerts.Alert(title="The portal failed on this page", text=text, status=500)
    # Without the request: what failed may be the very database that its user and its shell are read from.
    page = render_to_string("errors/plain.html", {"alert": alert})
    return HttpResponse(page, status=500, headers={"Cache-Control": "no-store"})


def unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the page for the time in which the portal's own database or cache is away."""
    log.error("the portal's database or cache does not answer: %s", type(error).__name__)
    text = "Its database or cache does not answer. Running VMs are not touched by this. Try again in a minute."
    if request.method == "POST":
        text += " A form that was sent may have been carried out: look at Activity before you send it again."
    alert = alerts.Alert(title="The portal cannot do this right now", text=text, status=503)
    page = render_to_string("errors/plain.html", {"alert": alert})
    return HttpResponse(page, status=503, headers={"Cache-Control": "no-store", "Retry-After": "30"})


def _page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    alert = alerts.Alert(title=title, text=text, status=status)
    part = "errors/page.html#alert" if getattr(request, "htmx", False) else "errors/page.html"
    # The sign-in pages and static files have no shell to stand in.
    signed_in = getattr(getattr(request, "user", None), "is_authenticated", False)
    template = part if signed_in else "errors/plain.html"
    response = render(request, template, {"alert": alert}, status=status)
    response["X-Part"] = ALERT_PART
    response["Cache-Control"] = "no-store"
    return response
