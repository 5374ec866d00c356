"""What the tests of sending the wizard share: a form that is ready to be sent, and what came of it."""

import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from apps.account.models import User
from apps.activity.models import Operation
from apps.deploy.models import Draft
from barrack_web import clock, cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, NAME, URL, Values, form_of
from tests.conftest import HTMX

CREATE = "create_instance"
SYSTEM = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
# As a browser names the page that the form stands on.
HERE = HTMX | {"HX-Current-URL": f"http://testserver{URL}"}
OPERATION = re.compile(r"/deploy/([0-9a-f-]{36})/$")


def person(browser: Client) -> User:
    """Return who is signed in."""
    return User.objects.get(pk=browser.session["_auth_user_id"])


def drafted(browser: Client, **values: Any) -> Draft:
    """Keep a draft with every choice made, one A100 in CANADA-1 for team-laptop unless said otherwise."""
    chosen = {"boot": "os", "os_image": SYSTEM, "public_ip": "on", "start": "none", "rule": []} | CHOICES | values
    lists = {name: found if isinstance(found, list) else [found] for name, found in chosen.items()}
    return Draft.objects.create(user=person(browser), values=lists, updated_at=clock.now())


def opened(browser: Client, draft: Draft, **more: Any) -> Values:
    """Open a draft; return what the Deploy button would send, the cloud's log empty."""
    shown = browser.get(URL, {"draft": str(draft.pk)})
    form = form_of(shown)
    assert "seen_price" in form, f"the form is not complete: {form}"
    cloud.sandbox().log.clear()
    return form | {"intent": "create"} | more


def filled(browser: Client, *, password: str = "", **values: Any) -> Values:
    """Return what the Deploy button of a new draft with these choices would send; see `drafted`."""
    more = {"jupyter_password": password} if password else {}
    return opened(browser, drafted(browser, **values), **more)


def send(browser: Client, data: Values, **fields: Any) -> HttpResponse:
    """Press Deploy, as htmx does it."""
    return browser.post(URL, data | fields, headers=HERE)


def wanted(sandbox: Sandbox) -> list[Any]:
    """Return the bodies of the deployments that the cloud received."""
    return [call.body for call in sandbox.log.calls(CREATE)]


def vms(sandbox: Sandbox, name: str = NAME) -> list[dict[str, Any]]:
    """Return the cloud's VMs of that name."""
    return [row for row in sandbox.world.instances.values() if row["vm_name"] == name]


def page_of(operation: Operation) -> str:
    """Return the address of the page that follows a deployment."""
    return f"{URL}{operation.pk}/"


def led_to(response: HttpResponse) -> str:
    """Return where htmx is told to go."""
    return str(response.headers.get("HX-Redirect", ""))


def again(response: HttpResponse, **fields: Any) -> Values:
    """Return what the Deploy button of a form that came back would send."""
    return form_of(response) | {"intent": "create"} | fields
