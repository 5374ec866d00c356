"""/deploy/<operation>/: what becomes of a deployment, until the VM can be used."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from apps.activity import observe
from apps.activity.models import Observed, Operation
from apps.deploy.models import Draft
from barrack_web import clock, cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row, put_vm
from tests.apps.deploy.helpers import MODEL, NAME, REGION, URL
from tests.apps.deploy.sends import CREATE, drafted, filled, page_of, person, send, vms
from tests.apps.snapshots.helpers import READ_FAULTS, SCRIPT, alert, body, facts, leads_to, unescaped, words
from tests.conftest import HTMX, text_of

RULES = "Security rules may take up to 10 minutes to be fully applied after VM deployment."
CREATING_SECONDS = 120


@pytest.fixture
def page(operator: Client, sandbox: Sandbox) -> str:
    """The address of the page of a VM that was just deployed."""
    send(operator, filled(operator))
    return page_of(Operation.objects.get())


def vm(sandbox: Sandbox) -> dict[str, Any]:
    """Return the VM that was deployed."""
    (found,) = vms(sandbox)
    return found


def steps(response: HttpResponse) -> list[tuple[str, str]]:
    """Return the steps: state, and what is said of each."""
    found = re.findall(r'<li class="stage-(\w+)".*?</li>', body(response), re.DOTALL)
    texts = re.findall(r"<div><strong>(.*?)</div></li>", body(response), re.DOTALL)
    return list(zip(found, map(words, texts), strict=True))


def polls(response: HttpResponse) -> bool:
    return 'id="deploying" data-poll' in body(response)


def see_active(sandbox: Sandbox, *, ago: timedelta = timedelta(0)) -> None:
    """Let the VM be ACTIVE, first seen so long ago."""
    sandbox.world.advance(CREATING_SECONDS)
    found = vm(sandbox)
    assert found["status"] == "ACTIVE"
    facts_ = {"name": NAME, "state": "ACTIVE", "seen_at": clock.now() - ago}
    Observed.objects.create(kind="instances", resource_id=found["instance_id"], **facts_)


# -- from accepted to ready


@pytest.mark.feature("DEP-43", "DEP-31")
def test_it_shows_a_vm_that_is_being_created(operator: Client, sandbox: Sandbox, page: str) -> None:
    response = operator.get(page)
    assert steps(response) == [
        ("done", "Accepted by Barrack"),
        ("now", "Being created This usually takes a few minutes. Nothing is charged until it is ACTIVE."),
        ("next", "Active"),
        ("next", "Rules in force Rules are applied automatically after VM becomes active."),
    ]
    shown = facts(body(response))
    assert shown["Deployment ID"] == Draft.objects.get().deployment_id
    assert re.fullmatch(r"DEP\d{7}", shown["Deployment ID"])
    assert (shown["VM"], shown["State"]) == (vm(sandbox)["instance_id"], "Creating")
    assert shown["What"] == f"1 × {MODEL} in {REGION}"
    assert shown["Sent"].endswith("by operator@example.com")
    assert polls(response)


@pytest.mark.feature("DEP-32", "DEP-31")
def test_it_counts_ten_minutes_from_active(operator: Client, sandbox: Sandbox, page: str) -> None:
    # given a VM that was seen ACTIVE four minutes ago
    see_active(sandbox, ago=timedelta(minutes=4))
    response = operator.get(page)
    until = Observed.objects.get().seen_at + timedelta(minutes=10)
    # then its rules hold six minutes from now at the latest, and the page keeps looking
    assert [state for state, _ in steps(response)] == ["done", "done", "done", "now"]
    assert steps(response)[3][1].startswith(f"Rules in force {RULES} At the latest by {until.day} ")
    assert f"{until:%H:%M:%S} UTC" in steps(response)[3][1]
    assert polls(response)
    # and when they are over, it says so and looks no more
    with clock.moved(timedelta(minutes=5, seconds=59)):
        assert polls(operator.get(page))
    with clock.moved(timedelta(minutes=6, seconds=1)):
        response = operator.get(page)
    assert steps(response)[3] == ("done", "Rules in force")
    assert not polls(response)


@pytest.fixture
def watching(settings: Any) -> Iterator[None]:
    settings.WATCH_OUTSIDE = True
    observe._rests_until.clear()
    yield
    observe._rests_until.clear()


@pytest.mark.feature("DEP-32")
@pytest.mark.usefixtures("watching")
def test_it_counts_from_when_the_portal_saw_it_active(operator: Client, sandbox: Sandbox) -> None:
    # given a portal that looks around by itself, and a page that stays open
    call_command("tick")
    send(operator, filled(operator))
    page = page_of(Operation.objects.get())
    call_command("tick")
    sandbox.world.advance(CREATING_SECONDS)
    # when the VM is ACTIVE, and nobody but this page has seen it yet
    first = operator.get(page, headers=HTMX)
    # then the time is not known yet, and the page keeps looking
    assert steps(first)[3] == ("now", f"Rules in force {RULES}")
    assert polls(first)
    # and when the portal has seen it, the page has the time by itself
    call_command("tick")
    second = operator.get(page, headers=HTMX | {"If-None-Match": first["ETag"]})
    assert second.status_code == 200
    assert "At the latest by" in steps(second)[3][1]


def test_it_leads_to_ssh_once_it_is_active(operator: Client, sandbox: Sandbox, page: str) -> None:
    where = f"/vms/{vm(sandbox)['instance_id']}/#connect"
    assert leads_to(body(operator.get(page)), "Open the VM") == where
    see_active(sandbox)
    response = operator.get(page)
    assert leads_to(body(response), "Connect via SSH") == where
    assert facts(body(response))["Public IP"] == vm(sandbox)["public_ip"]
    assert leads_to(body(response), "Deploy another one") == f"{URL}?like={vm(sandbox)['instance_id']}"


@pytest.mark.feature("DEP-36")
def test_it_shows_where_jupyter_is(operator: Client, sandbox: Sandbox) -> None:
    send(operator, filled(operator, jupyter_enabled="on", password="eight-ch"))
    page = page_of(Operation.objects.get())
    assert facts(body(operator.get(page)))["Jupyter"].startswith("http://<vm-ip>:8888 Plain HTTP")
    see_active(sandbox)
    address = vm(sandbox)["public_ip"]
    jupyter = facts(body(operator.get(page)))["Jupyter"]
    assert jupyter.startswith(f"http://{address}:8888 Plain HTTP")
    assert f"ssh -L 8888:localhost:8888 user@{address}" in jupyter


def test_it_shows_no_jupyter_where_there_is_none(operator: Client, page: str) -> None:
    assert "Jupyter" not in facts(body(operator.get(page)))


@pytest.mark.parametrize(
    ("state", "found", "moving"),
    [
        ("BUILD", ["done", "now", "next", "next"], True),
        ("ERROR", ["done", "failed", "next", "next"], False),
        ("SHUTOFF", ["done", "done", "done", "next"], False),
        ("REBOOTING", ["done", "done", "done", "next"], True),
        ("HIBERNATED", ["done", "done", "done", "next"], False),
        ("DELETED", ["done", "done", "done", "next"], False),
        ("TELEPORTING", ["done", "done", "done", "next"], False),
    ],
)
def test_it_shows_each_state(
    operator: Client, sandbox: Sandbox, page: str, *, state: str, found: list[str], moving: bool
) -> None:
    vm(sandbox)["status"] = state
    response = operator.get(page)
    assert [step for step, _ in steps(response)] == found
    assert polls(response) == moving
    if state == "ERROR":
        assert "Barrack says ERROR: it could not finish the VM. Delete it, or ask support." in text_of(response)
        assert "Connect via SSH" not in text_of(response)


def test_it_says_that_the_vm_is_gone(operator: Client, sandbox: Sandbox, page: str) -> None:
    del sandbox.world.instances[vm(sandbox)["instance_id"]]
    response = operator.get(page)
    assert response.status_code == 200
    assert "The VM has been deleted meanwhile." in text_of(response)
    assert "Open the VM" not in text_of(response)
    assert leads_to(body(response), "Deploy another one") == f"{URL}?new=1"
    assert not polls(response)


# -- how the sending ended


def row(browser: Client, state: str, **fields: Any) -> Operation:
    """Write down a deployment of a draft that ended like this."""
    draft = drafted(browser)
    more = {"kind": "instance.create", "target_id": str(draft.pk), "target_name": f"1 × {MODEL}", "name": NAME}
    return new_row(person(browser), state=state, **(more | fields))


@pytest.mark.parametrize(
    ("state", "first", "moving", "form"),
    [
        ("sent", ("now", "Sent to Barrack Barrack has not answered yet."), True, False),
        ("unknown", ("now", "Sent to Barrack The answer was lost. We look for the VM by its name."), True, True),
        ("refused", ("failed", "Not accepted No VM was made by this, and nothing is charged."), False, True),
        ("not_sent", ("failed", "Not accepted No VM was made by this, and nothing is charged."), False, True),
        ("not_seen", ("failed", "Not accepted No VM was made by this, and nothing is charged."), False, True),
    ],
)
def test_it_shows_how_the_sending_ended(
    operator: Client, sandbox: Sandbox, *, state: str, first: tuple[str, str], moving: bool, form: bool
) -> None:
    operation = row(operator, state)
    response = operator.get(page_of(operation))
    found = steps(response)
    assert found[0] == first
    assert [step for step, _ in found[1:]] == ["next", "next", "next"]
    assert polls(response) == moving
    assert facts(body(response))["Deployment ID"] == "–"
    # and the form is one click away once it can be sent again
    assert leads_to(body(response), "Back to the form") == (f"{URL}?draft={operation.target_id}" if form else "")
    assert leads_to(body(response), "Activity record") == operation.get_absolute_url()
    assert sandbox.log.calls("get_instance") == []


def test_it_shows_why_it_was_refused(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=403, body={"success": False, "message": f"No {SCRIPT}"})
    send(operator, data)
    response = operator.get(page_of(Operation.objects.get()))
    assert alert(response).startswith("Barrack does not allow this")
    assert f"Barrack says: No {SCRIPT}" in alert(response)
    assert not unescaped(response)


def test_it_goes_on_by_itself_once_the_vm_is_found(operator: Client, sandbox: Sandbox) -> None:
    # given a page that looks for a VM whose answer was lost
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    send(operator, data)
    page = page_of(Operation.objects.get())
    first = operator.get(page, headers=HTMX)
    assert alert(first).startswith("Not seen yet")
    assert operator.get(page, headers=HTMX | {"If-None-Match": first["ETag"]}).status_code == 304
    # when the portal has found it, then the page goes on, and does not claim an id that it never heard
    put_vm(sandbox, "BRK-900001D", NAME)
    sandbox.world.instances["BRK-900001D"]["status"] = "CREATING"
    call_command("tick")
    second = operator.get(page, headers=HTMX | {"If-None-Match": first["ETag"]})
    assert [step for step, _ in steps(second)][:2] == ["done", "now"]
    assert 'role="alert"' not in body(second)
    assert facts(body(second))["Deployment ID"] == "not told: the answer that carries it did not arrive"


def test_it_says_that_the_id_is_not_kept_for_ever(operator: Client, page: str) -> None:
    Draft.objects.all().delete()
    assert facts(body(operator.get(page)))["Deployment ID"] == "not kept any more: it is there for 7 days"


@pytest.mark.feature("DEP-43")
def test_it_shows_whatever_the_api_calls_the_deployment(operator: Client, sandbox: Sandbox) -> None:
    answer = {"success": True, "instance_id": "BRK-1D", "deployment_id": f"{SCRIPT}\u202e{'x' * 200}"}
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=200, body=answer)
    send(operator, data)
    response = operator.get(page_of(Operation.objects.get()))
    assert facts(body(response))["Deployment ID"].startswith(SCRIPT)
    assert not unescaped(response)
    assert "\u202e" not in body(response)


def test_it_says_when_the_api_has_not_told_which_vm_it_is(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=200, body={"success": True})
    send(operator, data)
    response = operator.get(page_of(Operation.objects.get()))
    told = "Being created Barrack has not told which VM it is; look for its name in the list."
    assert steps(response)[1] == ("next", told)
    assert "Open the VM" not in text_of(response)


# -- the API is down


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:3])
def test_it_says_that_the_state_cannot_be_read(
    operator: Client, sandbox: Sandbox, page: str, *, kind: str, title: str, shown: int
) -> None:
    # given an API that fails, and no copy of the VM
    cloud.instance.drop()
    cloud.instances.drop()
    cache.clear()
    for name in ("get_instance", "list_instances"):
        sandbox.faults.arm(name, kind, times=None)
    response = operator.get(page)
    # then the page says so instead of guessing, and keeps looking
    assert response.status_code == 200
    assert title in alert(response)
    assert steps(response)[1] == ("now", "Being created How far it is cannot be read now.")
    assert polls(response)
    # and is right again by itself
    sandbox.faults.clear()
    assert steps(operator.get(page, headers=HTMX))[1][1].startswith("Being created This usually takes")


def test_it_shows_an_older_copy_as_one(operator: Client, sandbox: Sandbox, page: str) -> None:
    operator.get(page)
    sandbox.faults.arm("get_instance", "refuse", times=None)
    response = operator.get(page)
    assert "Barrack does not answer; this is what it said at" in text_of(response)
    assert polls(response)


# -- polls, people, addresses


def test_it_sends_nothing_when_nothing_has_changed(operator: Client, sandbox: Sandbox, page: str) -> None:
    first = operator.get(page, headers=HTMX)
    assert "<html" not in body(first)
    tag = {"If-None-Match": first["ETag"]}
    unchanged = operator.get(page, headers=HTMX | tag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    # but the whole page always, and the part as soon as there is something new
    assert operator.get(page, headers=tag).status_code == 200
    see_active(sandbox)
    assert operator.get(page, headers=HTMX | tag).status_code == 200


@pytest.mark.parametrize("role", ["admin", "viewer", "billing"])
def test_it_shows_it_to_colleagues_without_their_colleagues_draft(
    request: pytest.FixtureRequest, operator: Client, sandbox: Sandbox, role: str
) -> None:
    browser: Client = request.getfixturevalue(role)
    refused = row(operator, "refused")
    send(operator, filled(operator, name="another"))
    done = Operation.objects.get(state="done")
    assert "Back to the form" not in text_of(browser.get(page_of(refused)))
    response = browser.get(page_of(done))
    assert facts(body(response))["Deployment ID"].startswith("DEP")
    assert bool(leads_to(body(response), "Deploy another one")) == (role == "admin")
    assert leads_to(body(response), "Open the VM")


def test_it_asks_for_a_sign_in(client: Client, page: str) -> None:
    assert client.get(page)["Location"] == f"/account/login/?next={page}"


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_takes_no_other_method(operator: Client, page: str, method: str) -> None:
    assert getattr(operator, method)(page).status_code == 405


def test_it_has_no_page_for_anything_else(operator: Client, sandbox: Sandbox) -> None:
    other = new_row(person(operator))
    for address in (f"{URL}00000000-0000-4000-8000-000000000000/", f"{URL}{other.pk}/"):
        assert operator.get(address).status_code == 404
    assert operator.get(f"{URL}not-an-id/").status_code == 404
