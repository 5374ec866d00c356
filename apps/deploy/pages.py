"""What the wizard's views share: reading the form that was sent, and showing the page or what has changed of it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render

from apps.activity.tokens import new_token
from apps.deploy.kept_drafts import KIND, saved, unsent
from apps.deploy.models import Template
from apps.deploy.values import Values, first, sent
from apps.deploy.wizard import Wizard
from barrack_web.htmx import HtmxHttpRequest, private, show
from barrack_web.script_text import as_typed


def typed(request: HtmxHttpRequest, known: Values) -> Values:
    """Return the values of the form that was sent, with those of its sections that it did not show."""
    values = sent(request.POST, known)
    if not request.htmx and "cloud_init" in values:
        # A browser that sends the form by itself turns every line end into CRLF.
        values["cloud_init"] = [as_typed(text) for text in values["cloud_init"]]
    return with_key(values, request.POST.get("add_key", ""))


def with_key(values: Values, name: str) -> Values:
    """Return the values with one more SSH key chosen: the one that was just made for this draft."""
    chosen = values.get("ssh_keys", [])
    if not name or name in chosen:
        return values
    return values | {"ssh_keys": [*chosen, name[:50]]}


def changes(request: HtmxHttpRequest, page: Wizard, *, poll: bool = False) -> HttpResponse:
    """Return the parts that differ from those the browser has; a poll that finds none has no body."""
    asked = request.GET if poll else request.POST
    has = dict(text.lstrip("!").partition(":")[::2] for text in asked.getlist("seen"))
    # An alternative that was picked is ticked by the server.
    alone = _in_the_browser(page.values, said="said" in has) if poll else frozenset()
    if "start" in alone and any(text.startswith("review:") for text in asked.getlist("seen")):
        # The review is open, so nothing was missing: the browser has what is not kept.
        page.gaps["start"] = []
    parts = [
        part
        for key, part in page.parts().items()
        if key not in alone and (has.get(key) != part.tag or (key == "gpu" and "pick" in asked))
    ]
    if not parts:
        return private(HttpResponse(status=204))
    response = private(render(request, "deploy/changed.html", {"parts": parts, "oob": True}))
    response["HX-Reswap"] = "none"
    if not poll:
        response["HX-Replace-Url"] = page.url
    if "add_key" in asked:
        # It was asked for from the dialog in which the key was made.
        response["HX-Trigger"] = "modal:close"
    return response


def _in_the_browser(values: Values, *, said: bool) -> frozenset[str]:
    """Return the parts that a poll leaves alone: something may stand in them that is kept in the browser only.

    That is a secret, or with `said` what went wrong when the form was sent, which stays until the next change.
    """
    if said:
        return frozenset({"start", "review", "alert"})
    if first(values, "start") == "paste" and not first(values, "cloud_init"):
        return frozenset({"start", "review"})
    return frozenset({"start"}) if first(values, "jupyter_enabled") else frozenset()


def show_page(
    request: HtmxHttpRequest,
    page: Wizard,
    *,
    status: int = 200,
    resumed: bool = False,
    others: int | None = None,
    **more: Any,
) -> HttpResponse:
    """Return the whole page, or for htmx the form in it. `others` is what `others_of` found, if asked before."""
    parts = page.parts()
    context = {
        "wizard": page,
        "parts": [part for part in parts.values() if part.number],
        "head": parts["head"],
        "panel": parts["panel"],
        "said": parts["alert"],
        "token": new_token(request.user.pk, KIND, str(page.draft.pk)),
        "resumed": page.draft if resumed else None,
        "saved": saved(page.draft),
        "others": others_of(request) if others is None else others,
        **more,
    }
    return show(request, "deploy/wizard.html", context, part="form", status=status)


def others_of(request: HtmxHttpRequest) -> int:
    """Return how many drafts and templates stand on the page of them."""
    return len(unsent(request.user)) + Template.objects.count()


def elsewhere(request: HtmxHttpRequest, url: str) -> HttpResponse:
    """Lead to another page, by htmx too."""
    return HttpResponse(headers={"HX-Redirect": url}) if request.htmx else redirect(url)
