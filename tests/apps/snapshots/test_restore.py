"""/snapshots/<id>/restore/: a snapshot becomes a new VM, once."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from apps.activity.tick import tick
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    BAD_NAMES,
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    at_once,
    body,
    card,
    counter,
    facts,
    feedback,
    filled,
    leads_to,
    no_alert,
    sent,
    snapshot_paths,
    submit_button,
    typed,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

PROD = "BRK-123456S"
URL = f"/snapshots/{PROD}/restore/"
SUGGESTED = "prod-backup-dec11-restored"
SUCCESS = f"VM “{SUGGESTED}” is being created from prod-backup-dec11."


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    return filled(browser, URL, **{"name": SUGGESTED, **fields})


def vms(sandbox: Sandbox, name: str = SUGGESTED) -> list[dict[str, Any]]:
    """Return the cloud's VMs of that name."""
    return [row for row in sandbox.world.instances.values() if row["vm_name"] == name]


# -- works


@pytest.mark.feature("SNAP-35")
def test_it_makes_one_new_vm(operator: Client, sandbox: Sandbox) -> None:
    # given an open form
    data = fill(operator)
    source = dict(sandbox.world.snapshots[PROD])
    # when it is sent
    response = operator.post(URL, data, headers=HTMX)
    # then the cloud received one restore, and the dialog closes with a toast
    assert response.status_code == 200
    assert sent(sandbox, "restore_snapshot") == [{"new_vm_name": SUGGESTED}]
    assert "modal:close" in response["HX-Trigger"]
    assert SUCCESS in text_of(response)
    operation = Operation.objects.get()
    assert (operation.state, Event.objects.get().result) == ("done", "done")
    # and there is one new VM, while the snapshot is as it was
    (vm,) = vms(sandbox)
    assert (vm["status"], vm["region"], vm["gpu_type"]) == ("CREATING", "CANADA-1", "H100-PCIe-80GB")
    assert operation.result_id == vm["instance_id"]
    assert sandbox.world.snapshots[PROD] == source


@pytest.mark.feature("SNAP-30", "SNAP-29")
def test_it_shows_six_facts_of_the_snapshot(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[PROD]["created_at"] = "2026-01-05T07:08:09Z"
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert facts(body(response)) == {
        "Name": "prod-backup-dec11",
        "VM": "ml-training-server",
        "Size": "250 GB",
        "Region": "CANADA-1",
        "Created": "5 January 2026, 07:08:09 UTC",
        "Status": "Success",
    }
    # the VM stands beside a server's picture, the status beside a green dot
    assert re.search(r"<dt>VM</dt><dd><svg[^>]*>.*?</svg><bdi>ml-training-server</bdi>", body(response), re.DOTALL)
    assert '<span class="state state-good"><span class="state-dot"' in body(response)


@pytest.mark.feature("SNAP-30")
@pytest.mark.parametrize(("status", "tone"), [("ERROR", "bad"), ("CREATING", "moving"), ("VERIFYING", "neutral")])
def test_it_colours_the_status(operator: Client, sandbox: Sandbox, status: str, tone: str) -> None:
    sandbox.world.snapshots[PROD]["status"] = status
    page = body(operator.get(URL, headers=HTMX))
    assert f'<span class="state state-{tone}">' in page
    assert "state-good" not in page


@pytest.mark.feature("SNAP-31")
@pytest.mark.parametrize(
    ("snapshot", "suggested"),
    [
        ("prod-backup-dec11", "prod-backup-dec11-restored"),
        ("x" * 41, "x" * 41 + "-restored"),
        ("x" * 42, "x" * 41 + "-restored"),
        ("y" * 50, "y" * 41 + "-restored"),
        ("what/ever 🚀", "what-ever --restored"),
    ],
)
def test_it_suggests_a_name_that_fits(operator: Client, sandbox: Sandbox, snapshot: str, suggested: str) -> None:
    sandbox.world.snapshots[PROD]["snapshot_name"] = snapshot
    response = operator.get(URL, headers=HTMX)
    assert typed(response) == suggested
    assert counter(response) == f"{len(suggested)}/50"
    # and the suggestion is one that the form takes
    assert operator.post(URL, filled(operator, URL, name=suggested), headers=HTMX).status_code == 200


def test_it_numbers_the_suggestion_when_its_name_is_in_use(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123471D"]["vm_name"] = SUGGESTED
    assert typed(operator.get(URL, headers=HTMX)) == f"{SUGGESTED}-2"


@pytest.mark.feature("SNAP-33", "NAV-16", "NAV-17")
def test_it_has_a_button_that_spins_and_cannot_be_pressed_twice(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    pressed = submit_button(response)
    assert words(pressed) == "Restore Snapshot Restoring..."
    assert '<span class="when-idle">Restore Snapshot</span>' in pressed
    assert '<span class="when-busy"><span class="spinner" aria-hidden="true"></span>Restoring...</span>' in pressed
    assert 'value="restore"' in pressed
    assert "disabled" not in pressed
    assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


@pytest.mark.feature("SNAP-35", "SNAP-36", "SNAP-37")
def test_it_says_what_a_restore_makes(operator: Client) -> None:
    text = text_of(operator.get(URL, headers=HTMX))
    assert "A completely new virtual machine is created; the snapshot and its original VM stay as they are." in text
    assert "It gets a new IP address, private and, if applicable, public." in text
    assert "The restored VM will be in the same region as the snapshot: CANADA-1." in text


@pytest.mark.feature("SNAP-38")
def test_it_says_what_to_do_afterwards_and_what_it_costs(operator: Client) -> None:
    text = text_of(operator.get(URL, headers=HTMX))
    assert "Update your SSH configurations and firewall rules for it afterwards." in text
    # two H100 PCIe at $2.25
    assert "It costs $4.50 / h from the moment it is ACTIVE." in text


@pytest.mark.feature("SNAP-34", "NAV-18")
def test_it_closes_the_dialog_and_has_the_lists_read_anew(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert response["HX-Trigger"] == '{"modal:close": true, "snapshots:changed": true, "vms:changed": true}'
    assert response["HX-Reswap"] == "none"
    assert '<div hx-swap-oob="beforeend:#toasts">' in body(response)
    assert '<a href="/vms/">Show</a>' in body(response)
    assert SUGGESTED in text_of(operator.get("/vms/"))
    # but it stays open when the cloud refuses
    sandbox.faults.arm("restore_snapshot", "status", status=402)
    refused = operator.post(URL, fill(operator, name="other"), headers=HTMX)
    assert "HX-Trigger" not in refused
    assert alert(refused).startswith("Insufficient Credits")


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    assert f'<form class="dialog-form" method="post" action="{URL}"' in body(page)
    assert leads_to(body(page), "Cancel") == "/snapshots/"
    response = operator.post(URL, {"name": SUGGESTED, "token": token_of(page), "intent": "restore"})
    assert (response.status_code, response["Location"]) == (302, "/vms/")
    assert SUCCESS in text_of(operator.get("/vms/"))
    assert len(vms(sandbox)) == 1


# -- wrong role, wrong method, missing things


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"name": "vm", "intent": "restore"}, headers=HTMX)):
        assert response.status_code == 403
        assert (
            f"Only an operator or an admin can restore snapshots; your role is {role}. Ask an admin for help."
            in text_of(response)
        )
    assert sandbox.log.calls("restore_snapshot") == []


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    response = client.post(URL, {"name": "vm", "intent": "restore"})
    assert response["Location"].startswith("/account/login/")
    assert sandbox.log.calls() == []


def test_it_refuses_a_post_from_another_site(sandbox: Sandbox, operator: Client) -> None:
    operator.handler.enforce_csrf_checks = True
    response = operator.post(URL, {"name": "vm", "token": "x", "intent": "restore"})
    assert response.status_code == 403
    assert "This form is no longer valid" in text_of(response)
    assert sandbox.log.calls("restore_snapshot") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "a%2Fb", "BRK-999999S"])
def test_it_has_no_page_for_a_snapshot_that_is_not_there(operator: Client, sandbox: Sandbox, impossible: str) -> None:
    address = f"/snapshots/{impossible}/restore/"
    for response in (operator.get(address), operator.post(address, {"name": "vm", "intent": "restore"})):
        assert response.status_code == 404
        assert "There is nothing at this address" in text_of(response)
    assert snapshot_paths(sandbox) <= {"/snapshots/BRK-999999S"}


def test_it_sends_nothing_when_the_snapshot_is_gone(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    del sandbox.world.snapshots[PROD]
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 404
    assert "It may have been deleted" in alert(response)
    assert sandbox.log.calls("restore_snapshot") == []


@pytest.mark.feature("SNAP-27")
@pytest.mark.parametrize("status", ["CREATING", "ERROR", "VERIFYING", "", "success!"])
def test_it_refuses_a_snapshot_that_is_not_complete(operator: Client, sandbox: Sandbox, status: str) -> None:
    # given a form that was opened while it was complete
    data = fill(operator)
    sandbox.world.snapshots[PROD]["status"] = status
    # when it is sent all the same
    response = operator.post(URL, data, headers=HTMX)
    # then nothing goes out, the reason stands in a red box, and the button is off
    assert response.status_code == 422
    assert alert(response).startswith("This snapshot cannot be used now")
    assert 'class="btn btn-primary" disabled>' in submit_button(response)
    assert typed(response) == SUGGESTED
    assert sandbox.log.calls("restore_snapshot") == []
    opened = operator.get(URL, headers=HTMX)
    assert alert(opened).startswith("This snapshot cannot be used now")
    assert "disabled" in submit_button(opened)


# -- bad input


@pytest.mark.feature("SNAP-32", "NAV-20", "NAV-19")
@pytest.mark.parametrize(("name", "message", "count"), BAD_NAMES)
def test_it_says_at_the_field_what_is_wrong_with_a_name(
    operator: Client, sandbox: Sandbox, name: str, message: str, count: str
) -> None:
    response = operator.post(URL, fill(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == message
    assert typed(response) == name
    assert counter(response) == count
    assert 'aria-invalid="true"' in body(response)
    assert no_alert(response)
    assert sandbox.log.calls("restore_snapshot") == []


@pytest.mark.feature("SNAP-32")
@pytest.mark.parametrize(("name", "wire"), [("a", "a"), ("x" * 50, "x" * 50), ("My VM_1.0-b", None), ("  vm  ", "vm")])
def test_it_takes_names_of_one_to_fifty_characters(
    operator: Client, sandbox: Sandbox, name: str, wire: str | None
) -> None:
    assert operator.post(URL, fill(operator, name=name), headers=HTMX).status_code == 200
    assert sent(sandbox, "restore_snapshot") == [{"new_vm_name": wire or name}]


@pytest.mark.feature("NAV-21")
def test_it_refuses_a_name_in_use_before_anything_is_sent(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator, name="llama-ft-70b"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == "A VM named “llama-ft-70b” already exists. Choose another name."
    assert typed(response) == "llama-ft-70b"
    assert counter(response) == "12/50"
    assert sandbox.log.calls("restore_snapshot") == []
    # but a deleted VM's name is free again
    assert operator.post(URL, fill(operator, name="old-benchmark"), headers=HTMX).status_code == 200
    assert sent(sandbox, "restore_snapshot") == [{"new_vm_name": "old-benchmark"}]


@pytest.mark.feature("NAV-22", "NAV-21")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("good name", ""),
        ("llama-ft-70b", "A VM named “llama-ft-70b” already exists. Choose another name."),
        *((name, message) for name, message, _ in BAD_NAMES),
    ],
)
def test_it_answers_only_the_feedback_while_somebody_types(
    operator: Client, sandbox: Sandbox, name: str, message: str
) -> None:
    response = operator.post(URL, {"name": name, "validate": "name", "token": "any"}, headers=HTMX)
    assert response.status_code == 200
    assert feedback(response) == message
    assert body(response).strip().startswith('<div class="field-feedback"')
    assert "<form" not in body(response)
    assert "<input" not in body(response)
    assert sandbox.log.calls("restore_snapshot") == []
    assert Operation.objects.count() == 0


def test_it_asks_for_feedback_while_somebody_types(operator: Client) -> None:
    page = body(operator.get(URL, headers=HTMX))
    assert f'hx-post="{URL}" hx-trigger="input delay:300ms" hx-target="find .field-feedback"' in page
    assert """hx-vals='{"validate": "name"}'""" in page
    assert 'data-counter="id_name" data-most="50"' in page


@pytest.mark.parametrize(
    "extra",
    [{}, {"intent": "delete"}, {"intent": "RESTORE"}, {"intent": ""}, {"validate": "nothing"}, {"validate": "token"}],
)
@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_restores_nothing_without_the_intent(
    operator: Client, sandbox: Sandbox, extra: dict[str, str], headers: dict[str, str]
) -> None:
    data = fill(operator, name="a/b")
    del data["intent"]
    response = operator.post(URL, {**data, **extra}, headers=headers)
    assert response.status_code == 200
    assert typed(response) == "a/b"
    assert feedback(response).startswith("Not allowed: “/”.")
    data["name"] = "good name"
    assert operator.post(URL, {**data, **extra}, headers=headers).status_code == 200
    assert sandbox.log.calls("restore_snapshot") == []
    assert Operation.objects.count() == 0


@pytest.mark.parametrize("token", ["", "forged", "a:b:c"])
def test_it_refuses_a_forged_token_and_keeps_the_form(operator: Client, sandbox: Sandbox, token: str) -> None:
    response = operator.post(URL, fill(operator, token=token, name="kept"), headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert typed(response) == "kept"
    assert sandbox.log.calls("restore_snapshot") == []
    # and the form in the answer works
    again = {"name": "kept", "intent": "restore", "token": token_of(response)}
    assert operator.post(URL, again, headers=HTMX).status_code == 200


def test_it_refuses_the_token_of_another_snapshot_or_person(operator: Client, admin: Client, sandbox: Sandbox) -> None:
    other = filled(operator, "/snapshots/BRK-123463S/restore/", name="vm-a")
    foreign = filled(admin, URL, name="vm-b")
    for data in (other, foreign):
        response = operator.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls("restore_snapshot") == []


# -- the API refuses


@pytest.mark.feature("SNAP-34", "NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), [*REFUSALS, (503, "No free GPUs", 422)])
def test_it_says_in_a_red_box_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("restore_snapshot", "status", status=status)
    response = operator.post(URL, fill(operator, name="kept"), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "Barrack says: The service had a problem" in alert(response)
    assert typed(response) == "kept"
    assert "HX-Trigger" not in response
    assert response["X-Part"] == "1"
    assert len(sandbox.log.calls("restore_snapshot")) == 1
    assert (Operation.objects.get().state, Event.objects.get().upstream_status) == ("refused", status)
    # and the form can be sent again at once
    again = {"name": "kept", "intent": "restore", "token": token_of(response)}
    assert operator.post(URL, again, headers=HTMX).status_code == 200
    assert len(vms(sandbox, "kept")) == 1


def test_it_says_when_to_try_again_after_too_many_requests(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("restore_snapshot", "status", status=429, headers={"Retry-After": "7"})
    assert "Try again in 7 s." in alert(operator.post(URL, fill(operator), headers=HTMX))


def test_it_shows_the_apis_own_words_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    fault = {"success": False, "message": f"Bad {SCRIPT}", "details": {"new_vm_name": f"Not {SCRIPT}", "other": "x"}}
    sandbox.faults.arm("restore_snapshot", "status", status=422, body=fault)
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert feedback(response) == f"Not {SCRIPT}"
    assert f"Barrack says: Bad {SCRIPT}" in alert(response)
    assert not unescaped(response)


def test_it_says_that_gpus_are_out_of_stock(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] = 1
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith(
        "No free GPUs No GPU of this type is free in this region at the moment. Nothing was created"
    )
    assert "2 × H100-PCIe-80GB is out of stock in CANADA-1" in alert(response)
    assert vms(sandbox) == []


@pytest.mark.feature("SNAP-28", "NAV-24")
@pytest.mark.parametrize(("balance", "enough"), [("4.49", False), ("0", False), ("-3", False), ("4.60", True)])
def test_it_needs_credits_for_an_hour_of_the_new_vm(
    operator: Client, sandbox: Sandbox, balance: str, enough: bool
) -> None:
    # given two GPUs at $2.25 an hour (C-23)
    sandbox.world.balances["USD"] = Decimal(balance)
    response = operator.post(URL, fill(operator, name="kept"), headers=HTMX)
    assert len(sandbox.log.calls("restore_snapshot")) == enough
    if enough:
        assert response.status_code == 200
        return
    assert response.status_code == 422
    assert alert(response).startswith("Insufficient Credits A new H100-PCIe-80GB VM costs $4.50 / h and the balance is")
    assert '<a href="/credits/" target="_blank" rel="noopener">Add credits' in body(response)
    assert typed(response) == "kept"


# -- the API is down


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator, name="kept")
    sandbox.faults.arm("restore_snapshot", "refuse")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert alert(response).startswith("Barrack does not answer No connection to the Barrack API, so nothing was sent")
    assert typed(response) == "kept"
    assert Operation.objects.get().state == "not_sent"


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_seen_yet_and_never_sends_a_second_restore(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    # given a request whose answer is lost, and that did nothing
    data = fill(operator)
    sandbox.faults.arm("restore_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    # then the outcome is unknown, in these words
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and the new VM is not seen yet. We keep looking for 10 minutes. "
        "Trying again under the same name cannot make a second VM."
    )
    operation = Operation.objects.get()
    assert f'<a href="{operation.get_absolute_url()}">Follow this operation</a>' in body(response)
    assert typed(response) == SUGGESTED
    assert operation.state == "unknown"
    # and neither time nor the same form sends another one
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    tick()
    with clock.moved(timedelta(minutes=11)):
        tick()
    assert len(sandbox.log.calls("restore_snapshot")) == 1
    operation.refresh_from_db()
    assert operation.state == "not_seen"


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_vm_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm("restore_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    (vm,) = vms(sandbox)
    operation = Operation.objects.get()
    assert (operation.state, operation.result_id) == ("done", vm["instance_id"])
    assert len(sandbox.log.calls("restore_snapshot")) == 1


def test_it_finds_the_vm_later_when_it_is_not_listed_at_once(operator: Client, sandbox: Sandbox) -> None:
    # given a restore that was done, whose answer is lost while the list cannot be read either
    data = fill(operator)
    sandbox.faults.arm("restore_snapshot", "drop_answer")
    sandbox.faults.arm("list_instances", "delay", seconds=0)
    sandbox.faults.arm("list_instances", "status", status=500)
    response = operator.post(URL, data, headers=HTMX)
    assert unsure(response).startswith("Not seen yet")
    # when the portal looks again
    assert tick() == 1
    # then the operation says that the VM exists, and trying again under the same name makes no second one
    operation = Operation.objects.get()
    assert (operation.state, operation.result_id) == ("done", vms(sandbox)[0]["instance_id"])
    assert f"The VM “{SUGGESTED}” was made." in words(body(operator.get(operation.get_absolute_url())))
    again = {"name": SUGGESTED, "intent": "restore", "token": token_of(response)}
    second = operator.post(URL, again, headers=HTMX)
    assert feedback(second) == f"A VM named “{SUGGESTED}” already exists. Choose another name."
    assert len(vms(sandbox)) == 1


def test_it_does_not_take_an_older_vm_of_that_name_for_the_new_one(operator: Client, sandbox: Sandbox) -> None:
    # given a deleted VM that bears the name still, and a request that did nothing
    old = sandbox.world.instances["BRK-123560D"]
    old.update(vm_name=SUGGESTED, created_at="2099-01-01T00:00:00Z")
    data = fill(operator)
    sandbox.faults.arm("restore_snapshot", "close")
    assert unsure(operator.post(URL, data, headers=HTMX)).startswith("Not seen yet")


@pytest.mark.parametrize(
    ("kind", "title", "shown"), [("refuse", "Barrack does not answer", 503), ("hang", "Barrack takes too long", 504)]
)
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_snapshot", kind, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "<html" not in body(response)


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS)
def test_it_keeps_the_form_and_sends_nothing_while_reads_fail(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    # given a form that was opened before the API failed
    data = fill(operator, name="kept")
    sandbox.faults.arm("list_instances", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert typed(response) == "kept"
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("restore_snapshot") == []


# -- sent twice


def test_it_makes_one_vm_when_sent_twice(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    first = operator.post(URL, data, headers=HTMX)
    second = operator.post(URL, data, headers=HTMX)
    assert len(sandbox.log.calls("restore_snapshot")) == 1
    assert text_of(second) == text_of(first)
    assert second["HX-Trigger"] == first["HX-Trigger"]
    assert len(vms(sandbox)) == 1


def test_it_shows_the_first_result_when_the_plain_form_is_reloaded(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    for _ in range(2):
        response = operator.post(URL, data)
        assert (response.status_code, response["Location"]) == (302, "/vms/")
        assert SUCCESS in text_of(operator.get("/vms/"))
    assert len(sandbox.log.calls("restore_snapshot")) == 1


def test_it_shows_the_first_result_though_the_snapshot_is_gone_since(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    first = operator.post(URL, data, headers=HTMX)
    del sandbox.world.snapshots[PROD]
    assert text_of(operator.post(URL, data, headers=HTMX)) == text_of(first)


def test_it_shows_the_same_refusal_when_sent_twice(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("restore_snapshot", "status", status=402)
    first = operator.post(URL, data, headers=HTMX)
    second = operator.post(URL, data, headers=HTMX)
    assert second.status_code == first.status_code == 422
    assert alert(second) == alert(first)
    assert len(sandbox.log.calls("restore_snapshot")) == 1


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_says_that_the_form_was_sent_with_other_values(
    operator: Client, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    data = fill(operator)
    operator.post(URL, data, headers=headers)
    response = operator.post(URL, {**data, "name": "something-else"}, headers=headers)
    assert response.status_code == 409
    shown = words(body(response))
    assert "This form was already sent It was sent with other values, so nothing was sent now." in shown
    assert f"Here is what it did: Restore snapshot “{SUGGESTED}”, done." in shown
    assert headers or shown.startswith("Restore snapshot · Barrack")
    assert f'<a href="{Operation.objects.get().get_absolute_url()}">See this operation</a>' in body(response)
    assert sent(sandbox, "restore_snapshot") == [{"new_vm_name": SUGGESTED}]


def test_it_tells_the_second_of_two_tabs_that_the_name_is_taken(operator: Client, sandbox: Sandbox) -> None:
    one, two = fill(operator), fill(operator)
    assert operator.post(URL, one, headers=HTMX).status_code == 200
    response = operator.post(URL, two, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == f"A VM named “{SUGGESTED}” already exists. Choose another name."
    assert len(sandbox.log.calls("restore_snapshot")) == 1


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_vm_when_one_form_is_sent_by_two_threads_at_once(operator: Client, sandbox: Sandbox) -> None:
    # given reads that take a while, so that both have found the form unsent before either is sent
    data = fill(operator)
    sandbox.faults.arm("get_snapshot", "delay", seconds=0.2, times=2)
    sandbox.faults.arm("restore_snapshot", "delay", seconds=0.2)
    answers = at_once(*[lambda: operator.post(URL, data, headers=HTMX)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert text_of(answers[0]) == text_of(answers[1])
    assert SUCCESS in text_of(answers[0])
    assert len(sandbox.log.calls("restore_snapshot")) == 1
    assert len(vms(sandbox)) == Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_vm_when_two_tabs_send_one_name_at_once(operator: Client, sandbox: Sandbox) -> None:
    forms = [fill(operator), fill(operator)]
    sandbox.faults.arm("restore_snapshot", "delay", seconds=0.3)
    answers = at_once(*[lambda data=data: operator.post(URL, data, headers=HTMX) for data in forms])
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    assert refused.status_code == 409
    assert alert(refused).startswith(
        f"This name is being used right now Another form is making the VM {SUGGESTED} at this moment"
    )
    assert typed(refused) == SUGGESTED
    assert len(sandbox.log.calls("restore_snapshot")) == 1
    assert len(vms(sandbox)) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.snapshots[PROD].update(snapshot_name=text, vm_name=text, region=text or "X", gpu_type=text)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 12_000
    assert typed(response).endswith("-restored")
    assert len(typed(response)) <= 50
    # and what the cloud refuses of it is said
    assert operator.post(URL, fill(operator, name="vm"), headers=HTMX).status_code in {200, 422}


def test_it_restores_a_snapshot_of_which_nothing_else_is_known(operator: Client, sandbox: Sandbox) -> None:
    row = sandbox.world.snapshots[PROD]
    for name in set(row) - {"snapshot_id", "snapshot_name", "status", "region", "created_at"}:
        row[name] = None
    opened = operator.get(URL, headers=HTMX)
    assert facts(body(opened))["VM"] == facts(body(opened))["Size"] == "–"
    assert "It costs" not in text_of(opened)
    assert operator.post(URL, fill(operator), headers=HTMX).status_code == 200


def test_it_keeps_the_snapshot_in_the_list_while_it_is_restored(operator: Client) -> None:
    operator.post(URL, fill(operator), headers=HTMX)
    assert "prod-backup-dec11" in card(operator.get("/snapshots/", {"q": "prod-backup"}), PROD)
