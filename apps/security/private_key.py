"""The private half of a new pair, on its way from the cloud's answer to the one who asked.

It is in one local variable of one request and in one answer: in no database, cache, session, message or log, and in no
second answer.
"""

import base64
import json
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from apps.activity.dialogs import finished
from apps.activity.kinds import KINDS
from apps.activity.perform import Outcome
from apps.security import key_rules
from barrack_web.client import Client, SSHKey, SSHKeyCreated
from barrack_web.htmx import HtmxHttpRequest, current_path, show
from barrack_web.key_text import facts_of

# A pair of 2,048 bits has 1,700; what is much longer is no private key.
MOST_CHARACTERS = 20_000


class Made:
    """The cloud's answer to one request, on its way to the one who asked. It lives as long as the request."""

    def __init__(self) -> None:
        # Whether it was this request that asked, and not another one with the same form.
        self.asked = False
        self.answer: SSHKeyCreated | None = None

    def send(self, api: Client, name: str, within: float) -> str | None:
        """Have the pair made and return the key's id, None when the API does not tell it."""
        self.asked = True
        self.answer = api.ssh_keys.create(name, within=within)
        return self.answer.ssh_key.id if self.answer.ssh_key else None

    @property
    def file(self) -> str:
        """The private key as a file holds it: OpenSSH takes none without the line end. "" when there is none."""
        text = (self.answer.private_key if self.answer else None) or ""
        text = text.replace("\r\n", "\n").strip()
        return f"{text}\n" if text and len(text) <= MOST_CHARACTERS else ""


def answer_with(request: HtmxHttpRequest, outcome: Outcome, made: Made) -> HttpResponse:
    """Answer with the private key, this once: nothing of this answer is kept, by us or by the browser."""
    operation, file = outcome.operation, made.file
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    if not outcome.done or not file:
        return answer_without(request, outcome, again=not made.asked)
    key = made.answer.ssh_key if made.answer else None
    context = {
        "title": "Save your private key",
        "file": file,
        "file_name": f"{operation.name}.pem",
        "address": f"data:application/x-pem-file;base64,{base64.b64encode(file.encode()).decode()}",
        "name": operation.name,
        "regions_of_keys": (key.regions if key else None) or (),
        "facts": facts_of(key.public_key) if key else None,
        "draft": key_rules.asking_draft(request),
    }
    return _end(request, "security/key_created.html", context, status=200)


def answer_without(request: HtmxHttpRequest, outcome: Outcome, *, again: bool) -> HttpResponse:
    """Answer for a pair that was made, when its private half is not at hand: shown before, or lost with the answer."""
    operation = outcome.operation
    assert operation is not None  # noqa: S101 - an outcome without an operation carries an alert
    if not outcome.done:
        return finished(request, outcome, then=reverse("security:ssh_keys"))
    context = {
        "title": "This key was already created" if again else "The private key was lost",
        "name": operation.name,
        "again": again,
        "page": key_rules.url_of(SSHKey(operation.name, id=operation.result_id)),
        "deployment": key_rules.deployment(request),
    }
    return _end(request, "security/key_created_before.html", context, status=409 if again else 200)


def _end(request: HtmxHttpRequest, template: str, context: dict[str, Any], *, status: int) -> HttpResponse:
    """Return what stands in place of the form; the list behind it is read anew."""
    context |= {
        "layout": "modal.html" if request.htmx else "page.html",
        "in_modal": request.htmx and current_path(request) != request.path,
        "back": reverse("security:ssh_keys"),
    }
    response = show(request, template, context, part="form", status=status)
    response["HX-Trigger"] = json.dumps(dict.fromkeys(KINDS["key.create"].events, True))
    response["Cache-Control"] = "no-store"
    return response
