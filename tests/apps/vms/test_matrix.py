"""What can be done in which state of a VM: the documented table, held against pages, dialogs and forged forms."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.models import Event, Operation
from apps.activity.tokens import new_token
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import alert, body, is_off, submit_button, words
from tests.apps.vms.helpers import ONE, copies, only
from tests.apps.vms.power_table import writes
from tests.conftest import HTMX

# The documented table, y = offered. In the states that change by themselves, in DELETED, and in a state that nobody
# knows, nothing is.
TABLE = """
               ACTIVE  SHUTOFF  HIBERNATED  ERROR
    start      n       y        n           n
    stop       y       n        n           n
    reboot     y       n        n           n
    hibernate  y       y        n           n
    restore    n       n        y           n
    delete     y       y        y           y
    public-ip  y       n        n           n
    rules      y       n        n           n
    snapshot   y       n        n           n
"""
HEAD, *LINES = (line.split() for line in TABLE.strip().splitlines())
ALLOWED = {state: {key for key, *cells in LINES if cells[place] == "y"} for place, state in enumerate(HEAD)}
ACTIONS = tuple(key for key, *_ in LINES)
# The words that the API may send, and what each stands for in the table.
STATES = {
    "ACTIVE": "ACTIVE",
    "SHUTOFF": "SHUTOFF",
    "STOPPED": "SHUTOFF",
    "HIBERNATED": "HIBERNATED",
    "ERROR": "ERROR",
    "DELETED": "",
    "CREATING": "",
    "BUILD": "",
    "STARTING": "",
    "STOPPING": "",
    "HIBERNATING": "",
    "RESTORING": "",
    "REBOOTING": "",
    "DELETING": "",
    "RESCUE": "",
}
ROWS = {
    "ACTIVE": "STATE-01",
    "SHUTOFF": "STATE-02",
    "STOPPED": "STATE-18",
    "HIBERNATED": "STATE-03",
    "DELETED": "STATE-04",
    "CREATING": "STATE-07",
    "BUILD": "STATE-07",
    "STARTING": "STATE-08",
    "STOPPING": "STATE-09",
    "HIBERNATING": "STATE-10",
    "RESTORING": "STATE-11",
    "REBOOTING": "STATE-12",
    "DELETING": "STATE-13",
    "ERROR": "STATE-14",
    "RESCUE": "STATE-16",
}
# Why nothing is offered, in the states in which nothing is.
REASONS = {
    "DELETED": "The VM is deleted.",
    "CREATING": "The VM is being created: wait until that is done.",
    "BUILD": "The VM is being created: wait until that is done.",
    "STARTING": "The VM is starting: wait until that is done.",
    "STOPPING": "The VM is stopping: wait until that is done.",
    "HIBERNATING": "The VM is hibernating: wait until that is done.",
    "RESTORING": "The VM is being restored: wait until that is done.",
    "REBOOTING": "The VM is rebooting: wait until that is done.",
    "DELETING": "The VM is being deleted: wait until that is done.",
    "RESCUE": "This portal does not know the state RESCUE, so it offers nothing for it.",
}
# How the reason ends in a state in which other things can be done.
NOW = {
    "ACTIVE": "this one is active.",
    "SHUTOFF": "this one is stopped (SHUTOFF).",
    "STOPPED": "this one is stopped (SHUTOFF).",
    "HIBERNATED": "this one is hibernated.",
    "ERROR": "this one is in ERROR.",
}
# What the button says; the VM of these tests has a public IP.
LABELS = {
    "start": "Start",
    "stop": "Stop",
    "reboot": "Reboot",
    "hibernate": "Hibernate",
    "restore": "Restore",
    "delete": "Delete",
    "public-ip": "Remove public IP",
    "rules": "Add rule",
    "snapshot": "Take Snapshot",
}
# What a forged form says beside its token: kind of the token, and fields. A snapshot's form has tests of its own.
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "start": ("instance.start", {}),
    "stop": ("instance.stop", {}),
    "reboot": ("instance.reboot", {}),
    "hibernate": ("instance.hibernate", {}),
    "restore": ("instance.restore", {}),
    "delete": ("instance.delete", {"name": "vm-06"}),
    "public-ip": ("instance.remove-ip", {}),
    "rules": (
        "instance.add-rule",
        {
            "direction": "ingress",
            "protocol": "tcp",
            "ethertype": "IPv4",
            "remote_ip_prefix": "192.0.2.0/24",
            "port_range_min": "8080",
            "port_range_max": "8080",
        },
    ),
}
CALLS = {
    "public-ip": ("toggle_instance_public_ip", "POST", "toggle-public-ip"),
    "rules": ("add_instance_security_rule", "POST", "security-rules"),
}
in_each_state = pytest.mark.parametrize(
    "state", [pytest.param(state, id=state, marks=pytest.mark.feature(ROWS[state])) for state in STATES]
)


def allowed(state: str) -> set[str]:
    """Return what the table offers in a state, by the API's word for it."""
    return ALLOWED.get(STATES[state], set())


def is_reason(text: str, state: str) -> bool:
    """Return whether a text says why something cannot be done in that state."""
    return text == REASONS[state] if state in REASONS else text.startswith("Only ") and text.endswith(NOW[state])


def links(page: str) -> set[str]:
    """Return which actions of the VM any link of the page leads to, by click or by htmx."""
    found = re.findall(rf'(?:href|hx-get)="/vms/{ONE}/([a-z-]+)/(?:\?[^"]*)?"', page)
    return set(found) & set(ACTIONS)


def dashboard(page: str) -> str:
    """Return the dashboard's section of the VM's operations."""
    return page.partition('aria-labelledby="board-operations"')[2].partition("</section>")[0]


# -- the table itself


def test_the_table_is_read_as_it_stands() -> None:
    assert (len(ACTIONS), len(STATES), set(ALLOWED)) == (9, 15, {"ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR"})
    assert sum(len(keys) for keys in ALLOWED.values()) == 13
    assert set(STATES) == set(ROWS) == set(REASONS) | set(NOW)


# -- buttons


@in_each_state
@pytest.mark.parametrize("address", [f"/vms/{ONE}/", f"/?vm={ONE}"], ids=["details", "dashboard"])
def test_a_button_leads_somewhere_exactly_when_the_table_says_so(
    admin: Client, sandbox: Sandbox, state: str, address: str
) -> None:
    # given a VM in that state, when a page shows it
    only(sandbox, status=state)
    page = body(admin.get(address))
    part = page if address.startswith("/vms/") else dashboard(page)
    # then links lead to what the table offers, and to nothing else
    assert links(page) == links(part) == allowed(state)
    # and the others are off and say why; starting and restoring stand in one place, each in its own time
    absent = "start" if state == "HIBERNATED" else "restore"
    off = set(ACTIONS) - allowed(state) - {absent}
    assert {key for key in off if not is_reason(is_off(part, LABELS[key]), state)} == set()
    assert f">{LABELS[absent]}<" not in part


@in_each_state
def test_the_rules_of_a_vm_can_be_removed_exactly_when_they_can_be_added(
    admin: Client, sandbox: Sandbox, state: str
) -> None:
    rule = only(sandbox, status=state)["security_rules"][0]["id"]
    remove = f"/vms/{ONE}/rules/{rule}/delete/"
    page = body(admin.get(f"/vms/{ONE}/"))
    assert (f'href="{remove}"' in page) is ("rules" in allowed(state))
    # and a forged form is not sent either
    user = User.objects.get(email="admin@example.com")
    data = {"token": new_token(user.pk, "instance.remove-rule", ONE), "intent": "remove-rule"}
    response = admin.post(remove, data, headers=HTMX)
    sent = [("remove_instance_security_rule", "DELETE", f"/instances/{ONE}/security-rules/{rule}")]
    assert writes(sandbox) == (sent if "rules" in allowed(state) else [])
    assert response.status_code == (200 if "rules" in allowed(state) else 409)


# -- dialogs


@in_each_state
def test_a_dialog_that_the_table_forbids_is_locked_and_says_why(admin: Client, sandbox: Sandbox, state: str) -> None:
    only(sandbox, status=state)
    for key in FORMS:
        response = admin.get(f"/vms/{ONE}/{key}/", headers=HTMX)
        locked = " disabled" in submit_button(response)
        assert response.status_code == 200
        assert locked is (key not in allowed(state)), key
        if locked:
            said = alert(response).partition(" is not possible now ")
            # Before the reason stands what is not possible: "Stop", "Public IP".
            assert 0 < len(said[0]) < 12
            assert is_reason(said[2], state), key
        else:
            assert 'role="alert"' not in body(response), key
    assert writes(sandbox) == []


# -- forged forms


@in_each_state
def test_a_forged_form_reaches_the_cloud_exactly_when_the_table_says_so(
    admin: Client, sandbox: Sandbox, state: str
) -> None:
    # given a VM for each action, all in that state, and GPUs to restore one
    vms = dict(zip(FORMS, copies(sandbox, len(FORMS), status=state), strict=True))
    sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] = 16
    user = User.objects.get(email="admin@example.com")
    # when every form is sent, with a token and an intent that are right
    answers = {}
    for key, (kind, fields) in FORMS.items():
        token = new_token(user.pk, kind, vms[key])
        data: dict[str, Any] = {"token": token, "intent": kind.partition(".")[2], **fields}
        answers[key] = admin.post(f"/vms/{vms[key]}/{key}/", data, headers=HTMX)
    # then the cloud received those of the table, each once, and no others
    wanted = [key for key in FORMS if key in allowed(state)]
    assert writes(sandbox) == [call_of(key, vms[key]) for key in wanted]
    assert Operation.objects.count() == Event.objects.filter(result="done").count() == len(wanted)
    # and the others say why
    assert {key: answer.status_code for key, answer in answers.items()} == {
        key: 200 if key in allowed(state) else 409 for key in FORMS
    }
    for key in set(FORMS) - set(wanted):
        assert is_reason(alert(answers[key]).partition(" is not possible now ")[2], state), key
        assert " disabled" in submit_button(answers[key])
        assert sandbox.world.instances[vms[key]]["status"] == state


def call_of(key: str, vm: str) -> tuple[str, str, str]:
    """Return the call that an action is: operation, method and path."""
    if key == "delete":
        return "delete_instance", "DELETE", f"/instances/{vm}"
    operation, method, path = CALLS.get(key, (f"{key}_instance", "POST", key))
    return operation, method, f"/instances/{vm}/{path}"


@in_each_state
def test_the_list_offers_nothing_that_the_table_forbids(admin: Client, sandbox: Sandbox, state: str) -> None:
    only(sandbox, status=state)
    pages = {view: body(admin.get("/vms/", {"view": view})) for view in ("cards", "table")}
    for page in pages.values():
        assert "the-vm" in words(page)
        assert links(page) <= allowed(state)
    assert ("delete" in links(pages["cards"])) is ("delete" in allowed(state))
