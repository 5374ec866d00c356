"""What the tests of a volume's changes share: sending a form, and what each of the six dialogs does alike."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import REFUSALS, alert, body, submit_button, unescaped, unsure
from tests.conftest import HTMX, text_of, token_of

# In CANADA-1 unless said otherwise: available, in use by RAG, the disk that a VM runs from, bootable and available.
FREE, USED, BOOT, GOLDEN = "BRK-123527V", "BRK-123492V", "BRK-123504V", "BRK-123519V"
# ACTIVE in CANADA-1; RAG has the volume USED.
VM, RAG = "BRK-123456D", "BRK-123489D"
# Of US-1: an ACTIVE VM, a volume.
US_VM, US_VOLUME = "BRK-123517D", "BRK-123538V"
EDITS = "Only an operator or an admin can create, attach, detach, resize and clone volumes"
DELETES = "Only an admin can delete volumes"
HOSTILE = "<script>alert(1)</script>\u202egnp"


@dataclass(frozen=True)
class Write:
    """One dialog: where it stands, what it calls, what is filled in, who may."""

    url: str
    operation: str
    intent: str
    fields: dict[str, Any] = field(default_factory=dict)
    sentence: str = EDITS
    events: str = '{"modal:close": true, "volumes:changed": true, "vms:changed": true}'

    def filled(self, browser: Client, **fields: Any) -> dict[str, Any]:
        """Open the form and return what its submit button would send."""
        opened = browser.get(self.url, headers=HTMX)
        assert f'name="intent" value="{self.intent}"' in submit_button(opened)
        return {"token": token_of(opened), "intent": self.intent, **self.fields, **fields}

    def send(self, browser: Client, **fields: Any) -> HttpResponse:
        return browser.post(self.url, self.filled(browser, **fields), headers=HTMX)

    def sent(self, sandbox: Sandbox) -> list[tuple[str, Any]]:
        """Return path and body of what the cloud received."""
        return [(call.path, call.body) for call in sandbox.log.calls(self.operation)]


def check_is_for_some_roles(write: Write, request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    """Those who may not are told who may, before anything is read or sent; other methods are refused to all."""
    for role in ("viewer", "billing") + (("operator",) if write.sentence == DELETES else ()):
        browser: Client = request.getfixturevalue(role)
        for response in (browser.get(write.url), browser.post(write.url, {"intent": write.intent}, headers=HTMX)):
            assert response.status_code == 403
            assert f"{write.sentence}; your role is {role}." in text_of(response)
    admin: Client = request.getfixturevalue("admin")
    for method in ("put", "patch", "delete"):
        assert getattr(admin, method)(write.url).status_code == 405
    assert sandbox.log.calls(write.operation) == []


def check_missing(write: Write, browser: Client, sandbox: Sandbox, there: str) -> None:
    """What is not there is a page that says so, also for a form sent to it."""
    for wanted in ("BRK-999999X", "..", "a%252Fb", "%00", "x" * 129):
        url = write.url.replace(there, wanted)
        for response in (browser.get(url), browser.post(url, {"intent": write.intent, **write.fields})):
            assert response.status_code == 404
    assert sandbox.log.calls(write.operation) == []


def check_refusals(write: Write, browser: Client, sandbox: Sandbox) -> None:
    """Each refusal of the API is said in the dialog, which stays as it was, and can be sent again."""
    for status, title, shown in REFUSALS:
        sandbox.faults.arm(write.operation, "status", status=status)
        response = write.send(browser)
        assert (response.status_code, alert(response)[: len(title)]) == (shown, title)
        assert "HX-Trigger" not in response
    assert {event.result for event in Event.objects.all()} == {"refused"}
    assert write.send(browser).status_code == 200


def check_down(write: Write, browser: Client, sandbox: Sandbox, *reads: str) -> None:
    """Without what the form stands on it cannot be opened; an open one sends nothing and says why."""
    data = write.filled(browser)
    for read in reads:
        sandbox.faults.arm(read, "refuse", times=None)
    response = browser.post(write.url, data, headers=HTMX)
    assert response.status_code == 503
    assert "Barrack does not answer" in text_of(response)
    assert sandbox.log.calls(write.operation) == []
    assert Operation.objects.count() == 0


def check_sent_twice(write: Write, browser: Client, sandbox: Sandbox) -> None:
    """The same form sent once more, also after it is settled, shows the same and calls nobody."""
    data = write.filled(browser)
    first, second = (browser.post(write.url, data, headers=HTMX) for _ in range(2))
    sandbox.world.advance(120)
    third = browser.post(write.url, data, headers=HTMX)
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 200]
    assert len(sandbox.log.calls(write.operation)) == 1
    assert (Operation.objects.get().state, Event.objects.get().result) == ("done", "done")
    assert all("HX-Trigger" in answer for answer in (first, second, third))
    # without JavaScript: another form of the same kind is another sending, a repeated one is not
    assert browser.post(write.url, data).status_code in {200, 302}
    assert len(sandbox.log.calls(write.operation)) == 1


def check_lost_answer(write: Write, browser: Client, sandbox: Sandbox) -> None:
    """When only the answer is lost the change is seen; when nothing was done the dialog says that nobody knows."""
    data = write.filled(browser)
    sandbox.faults.arm(write.operation, "close")
    lost = browser.post(write.url, data, headers=HTMX)
    assert lost.status_code == 502
    assert unsure(lost).startswith("Not seen yet")
    assert Operation.objects.get().state == "unknown"
    # sending it again meanwhile does no harm
    sandbox.faults.arm(write.operation, "drop_answer")
    response = write.send(browser)
    assert response.status_code == 200, text_of(response)
    assert Operation.objects.latest("sent_at").state == "done"
    assert len(sandbox.log.calls(write.operation)) == 2


def check_hostile(write: Write, browser: Client, sandbox: Sandbox, volume: str) -> None:
    """What the API says is never markup."""
    sandbox.world.volumes[volume].update(volume_name=HOSTILE, volume_type=HOSTILE)
    response = browser.get(write.url, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert "&lt;script&gt;" in body(response)


def lost(user: Any, kind: str, volume: str, vm: str) -> Operation:
    """Write a move of a volume whose answer was lost."""
    return new_row(
        user, kind=kind, target_id=volume, exclusive=f"volume {volume}", name=vm, known_ids=[vm], state="unknown"
    )


def arm_vm(sandbox: Sandbox, vm: str, volumes: list[str]) -> None:
    """Have the API say of a VM that it has these volumes."""
    record = {key: value for key, value in sandbox.world.instances[vm].items() if not key.startswith("_")}
    answer = {"success": True, "instance": {**record, "volumes": [{"volume_id": found} for found in volumes]}}
    sandbox.faults.arm("get_instance", "status", status=200, body=answer, times=None)
