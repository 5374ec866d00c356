"""/snapshots/create/: an ACTIVE VM's disk is kept as a snapshot, once."""

import html
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.account.models import BillingProfile
from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    BAD_NAMES,
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
    no_alert,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

URL = "/snapshots/create/"
VM = "BRK-123456D"
SUCCESS = "Snapshot “nightly” of ml-training-server is being created."
pytestmark = pytest.mark.usefixtures("profile")


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    return filled(browser, URL, **{"instance_id": VM, "name": "nightly", "description": "", **fields})


def made(sandbox: Sandbox, name: str = "nightly") -> list[dict[str, Any]]:
    """Return the cloud's snapshots of that name."""
    return [row for row in sandbox.world.snapshots.values() if row["snapshot_name"] == name]


def options(page: str) -> dict[str, str]:
    """Return the choices of the VM list: id to its words; those that are off begin with "off: "."""
    found = re.findall(r'<option value="([^"]*)"([^>]*)>(.*?)</option>', page.partition("</select>")[0], re.DOTALL)
    return {value: ("off: " if "disabled" in rest else "") + words(text) for value, rest, text in found}


# -- works


@pytest.mark.feature("SNAP-24", "NAV-18", "NAV-13")
def test_it_takes_one_snapshot_and_closes_and_shows_it_in_the_list(operator: Client, sandbox: Sandbox) -> None:
    # given an open form, when it is sent
    response = operator.post(URL, fill(operator), headers=HTMX)
    # then the cloud received one create with all four fields
    assert response.status_code == 200
    assert sent(sandbox, "create_snapshot") == [
        {"instance_id": VM, "name": "nightly", "description": "", "create_as_image": False}
    ]
    # and the dialog closes, the list is read anew and shows it
    assert response["HX-Trigger"] == '{"modal:close": true, "snapshots:changed": true}'
    assert SUCCESS in text_of(response)
    (row,) = made(sandbox)
    shown = card(operator.get("/snapshots/", headers=HTMX), row["snapshot_id"])
    assert '<span class="state state-moving">' in shown
    assert facts(shown)["VM"] == "ml-training-server"
    operation = Operation.objects.get()
    assert (operation.state, operation.result_id, operation.target_name) == (
        "done",
        row["snapshot_id"],
        "ml-training-server",
    )
    assert Event.objects.get().result == "done"


@pytest.mark.feature("SNAP-16")
def test_it_lists_active_vms_and_the_others_with_the_reason(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123700D"].update(status="ACTIVE", vm_name="my-vm", gpu_type="H100-SXM5-80GB")
    found = options(body(operator.get(URL, headers=HTMX)))
    assert found[""] == "Choose a VM"
    assert found["BRK-123700D"] == "my-vm - H100-SXM5-80GB (US-1)"
    assert found[VM] == "ml-training-server - H100-PCIe-80GB (CANADA-1)"
    assert found["BRK-123533D"] == (
        "off: notebook-anna - A40 (NORWAY-1) – stopped; only ACTIVE VMs can be snapshotted, so start it first"
    )
    assert found["BRK-123548D"].endswith("– hibernated; only ACTIVE VMs can be snapshotted, so restore it first")
    assert found["BRK-123574D"].endswith("– CREATING; only ACTIVE VMs can be snapshotted")
    assert sum(not words.startswith("off: ") for words in found.values()) == 1 + 6
    assert len(found) == 1 + 18


@pytest.mark.feature("STATE-16")
def test_it_shows_an_unknown_state_as_it_is(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["status"] = "WARMING_UP"
    found = options(body(operator.get(URL, headers=HTMX)))
    assert found[VM].endswith("(CANADA-1) – WARMING_UP; only ACTIVE VMs can be snapshotted")


def test_it_says_why_an_active_vm_is_not_offered(operator: Client, sandbox: Sandbox) -> None:
    fault = {"success": True, "vms": [], "pagination": None}
    sandbox.faults.arm("list_snapshot_eligible_instances", "status", status=200, body=fault, times=None)
    found = options(body(operator.get(URL, headers=HTMX)))
    assert found[VM].endswith("– ACTIVE, but the cloud does not offer it for snapshots now")


def test_it_offers_one_region_and_a_chosen_vm(operator: Client) -> None:
    page = body(operator.get(f"{URL}?region=US-1", headers=HTMX))
    assert [words for words in options(page).values() if not words.startswith("off: ")] == [
        "Choose a VM",
        "whisper-batch - A100-PCIe-80GB (US-1)",
    ]
    assert all("(US-1)" in words for value, words in options(page).items() if value)
    assert f'<option value="{VM}" selected>' in body(operator.get(f"{URL}?vm={VM}", headers=HTMX))


@pytest.mark.feature("SNAP-14", "SNAP-17")
def test_it_says_that_there_is_no_active_vm(operator: Client, sandbox: Sandbox) -> None:
    # given no ACTIVE VM in US-1
    data = filled(operator, f"{URL}?region=US-1", instance_id="BRK-123517D", name="nightly")
    sandbox.world.instances["BRK-123517D"]["status"] = "SHUTOFF"
    # when the form is opened there
    response = operator.get(f"{URL}?region=US-1", headers=HTMX)
    # then the list and the alert say so, and the button is off
    assert options(body(response))[""] == "No active VMs available"
    assert alert(response).startswith(
        "No active VMs available A snapshot needs an ACTIVE VM in US-1, and there is none."
    )
    assert "disabled" in submit_button(response)
    # and a form that was open is refused
    refused = operator.post(f"{URL}?region=US-1", data, headers=HTMX)
    assert refused.status_code == 422
    assert alert(refused).startswith("No active VMs available")
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.feature("SNAP-19")
def test_it_keeps_advanced_options_closed_until_they_are_used(operator: Client) -> None:
    page = body(operator.get(URL, headers=HTMX))
    assert '<details class="advanced">' in page
    assert "<summary>Show advanced options</summary>" in page
    inside = page.partition("<details")[2].partition("</details>")[0]
    assert 'name="description"' in inside
    assert 'name="create_as_image"' in inside
    # but an answer shows what was typed in them
    again = operator.post(URL, fill(operator, name="", description="kept words"), headers=HTMX)
    assert '<details class="advanced" open>' in body(again)
    assert "kept words</textarea>" in body(again)


@pytest.mark.feature("SNAP-20")
def test_it_takes_a_long_description_and_refuses_an_absurd_one(operator: Client, sandbox: Sandbox) -> None:
    long = ("Größe ✓ <b>\n" * 900)[:9_999] + "."
    response = operator.post(URL, fill(operator, description=long), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_snapshot")[0]["description"] == long
    refused = operator.post(URL, fill(operator, name="other", description="x" * 10_001), headers=HTMX)
    assert refused.status_code == 422
    assert feedback(refused, "description") == "Use at most 10,000 characters; this has 10,001."
    assert "x" * 10_001 in body(refused)
    assert '<details class="advanced" open>' in body(refused)
    assert len(sandbox.log.calls("create_snapshot")) == 1


@pytest.mark.feature("SNAP-21")
def test_it_makes_an_image_too_when_asked(operator: Client, sandbox: Sandbox) -> None:
    page = text_of(operator.get(URL, headers=HTMX))
    assert "Create as Image" in page
    assert "Also makes a custom image, which appears among the boot sources when you deploy a VM." in page
    operator.post(URL, fill(operator, create_as_image="on"), headers=HTMX)
    assert sent(sandbox, "create_snapshot")[0]["create_as_image"] is True
    # when the snapshot is complete, then its page names the image
    sandbox.world.advance(3600)
    (row,) = made(sandbox)
    shown = facts(body(operator.get(f"/snapshots/{row['snapshot_id']}/")))
    assert shown["Image"].startswith("Yes: nightly (")


@pytest.mark.feature("SNAP-22", "NAV-16", "NAV-17")
def test_it_has_a_button_that_spins_and_cannot_be_pressed_twice(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    pressed = submit_button(response)
    assert '<span class="when-idle">Create Snapshot</span>' in pressed
    assert '<span class="when-busy"><span class="spinner" aria-hidden="true"></span>Creating...</span>' in pressed
    assert "disabled" not in pressed
    assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


@pytest.mark.feature("SNAP-25", "SNAP-26")
def test_it_says_how_long_it_takes_and_that_the_vm_goes_on(operator: Client) -> None:
    text = text_of(operator.get(URL, headers=HTMX))
    assert "Creation can take several minutes depending on VM disk size." in text
    assert "The source VM remains operational during snapshot creation." in text


@pytest.mark.feature("SNAP-05")
def test_it_says_that_the_snapshot_stays_in_the_region(operator: Client) -> None:
    text = text_of(operator.get(URL, headers=HTMX))
    assert "The snapshot stays in the VM's region and is charged by its size until it is deleted." in text


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    data = {"instance_id": VM, "name": "nightly", "token": token_of(page), "intent": "create"}
    response = operator.post(URL, data)
    assert (response.status_code, response["Location"]) == (302, "/snapshots/")
    assert SUCCESS in text_of(operator.get("/snapshots/"))
    assert len(made(sandbox)) == 1


# -- profile and credits


@pytest.mark.feature("SNAP-13", "NAV-23")
@pytest.mark.parametrize(
    ("field", "label"), [("address_line", "Address line"), ("postal_code", "Postal code"), ("country", "Country")]
)
def test_it_needs_a_complete_billing_profile(
    operator: Client, sandbox: Sandbox, profile: BillingProfile, field: str, label: str
) -> None:
    # given a form that was opened while the profile was complete
    data = fill(operator)
    setattr(profile, field, "")
    profile.save()
    # when it is sent
    response = operator.post(URL, data, headers=HTMX)
    # then the missing field is named, with a link
    assert response.status_code == 422
    assert alert(response).startswith(
        f"The billing profile is not complete Snapshots can be created once it has: {label}."
    )
    assert '<a href="/account/?next=%2Fsnapshots%2Fcreate%2F">My account</a>' in body(response)
    assert typed(response) == "nightly"
    assert sandbox.log.calls("create_snapshot") == []
    assert "disabled" in submit_button(operator.get(URL, headers=HTMX))


@pytest.mark.feature("SNAP-15", "NAV-24")
@pytest.mark.parametrize(("balance", "enough"), [("0", False), ("-0.01", False), ("0.50", True)])
def test_it_needs_credits(operator: Client, sandbox: Sandbox, balance: str, enough: bool) -> None:
    sandbox.world.balances["USD"] = Decimal(balance)
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert len(sandbox.log.calls("create_snapshot")) == enough
    if enough:
        assert response.status_code == 200
        return
    assert response.status_code == 422
    assert alert(response).startswith("Insufficient Credits The balance is ")
    assert "Nothing was sent." in alert(response)
    assert '<a href="/credits/" target="_blank" rel="noopener">Add credits' in body(response)
    assert typed(response) == "nightly"


# -- wrong role, wrong method, missing things


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    data = {"instance_id": VM, "name": "nightly", "intent": "create"}
    for response in (browser.get(URL), browser.post(URL, data, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create snapshots; your role is {role}." in text_of(response)
    assert sandbox.log.calls("create_snapshot") == []


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize(
    ("vm", "message"),
    [
        ("", "Choose a VM."),
        ("BRK-999999D", "This VM does not exist any more. Choose another one."),
        ("../balance", "This VM does not exist any more. Choose another one."),
        (
            "BRK-123548D",
            "No snapshot can be taken of this VM: hibernated; only ACTIVE VMs can be snapshotted, so restore it first.",
        ),
    ],
)
def test_it_refuses_a_vm_that_cannot_be_chosen(operator: Client, sandbox: Sandbox, vm: str, message: str) -> None:
    response = operator.post(URL, fill(operator, instance_id=vm), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "instance_id") == message
    assert typed(response) == "nightly"
    assert sandbox.log.calls("create_snapshot") == []


def test_it_refuses_a_vm_that_was_stopped_since(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.world.instances[VM]["status"] = "SHUTOFF"
    response = operator.post(URL, data, headers=HTMX)
    assert feedback(response, "instance_id").startswith("No snapshot can be taken of this VM: stopped;")
    assert sandbox.log.calls("create_snapshot") == []


# -- bad input


@pytest.mark.feature("SNAP-18", "NAV-20", "NAV-19")
@pytest.mark.parametrize(("name", "message", "count"), BAD_NAMES)
def test_it_says_at_the_field_what_is_wrong_with_a_name(
    operator: Client, sandbox: Sandbox, name: str, message: str, count: str
) -> None:
    response = operator.post(URL, fill(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == message
    assert typed(response) == name
    assert counter(response) == count
    assert f'<option value="{VM}" selected>' in body(response)
    assert no_alert(response)
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.feature("SNAP-18", "NAV-21")
def test_it_refuses_a_name_in_use_in_any_region(operator: Client, sandbox: Sandbox) -> None:
    # given a snapshot of another region with that name
    response = operator.post(
        f"{URL}?region=CANADA-1", filled(operator, f"{URL}?region=CANADA-1", instance_id=VM, name="whisper-batch-base"),
        headers=HTMX,
    )  # fmt: skip
    assert response.status_code == 422
    assert feedback(response) == "A snapshot named “whisper-batch-base” already exists. Choose another name."
    assert counter(response) == "18/50"
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.feature("SNAP-18")
@pytest.mark.parametrize("name", ["a", "x" * 50, "My disk_1.0-b"])
def test_it_takes_names_of_one_to_fifty_characters(operator: Client, sandbox: Sandbox, name: str) -> None:
    assert operator.post(URL, fill(operator, name=name), headers=HTMX).status_code == 200
    assert len(made(sandbox, name)) == 1


@pytest.mark.feature("NAV-22")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("good name", ""),
        ("prod-backup-dec11", "A snapshot named “prod-backup-dec11” already exists. Choose another name."),
        ("x" * 51, "Use at most 50 characters; this has 51."),
    ],
)
def test_it_answers_only_the_feedback_while_somebody_types(
    operator: Client, sandbox: Sandbox, name: str, message: str
) -> None:
    response = operator.post(URL, {"name": name, "validate": "name"}, headers=HTMX)
    assert response.status_code == 200
    assert feedback(response) == message
    assert body(response).strip().startswith('<div class="field-feedback"')
    assert "<form" not in body(response)
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.parametrize("intent", [None, "", "restore", "CREATE"])
def test_it_creates_nothing_without_the_intent(operator: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = fill(operator)
    del data["intent"]
    extra = {} if intent is None else {"intent": intent}
    for headers in (HTMX, {}):
        response = operator.post(URL, {**data, **extra}, headers=headers)
        assert response.status_code == 200
        assert typed(response) == "nightly"
    assert sandbox.log.calls("create_snapshot") == []
    assert Operation.objects.count() == 0


def test_it_refuses_a_forged_token_and_keeps_the_form(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator, token="forged", description="kept"), headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert "kept</textarea>" in body(response)
    assert sandbox.log.calls("create_snapshot") == []


# -- the API refuses


@pytest.mark.feature("SNAP-23", "NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_snapshot", "status", status=status)
    data = fill(operator, description="some words", create_as_image="on")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert typed(response) == "nightly"
    assert "some words</textarea>" in body(response)
    assert re.search(r'name="create_as_image"[^>]* checked', body(response))
    assert f'<option value="{VM}" selected>' in body(response)
    assert "HX-Trigger" not in response
    assert len(sandbox.log.calls("create_snapshot")) == 1
    assert Operation.objects.get().state == "refused"


def test_it_shows_the_apis_own_words_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    # given a name that is taken by somebody else between the check and the call
    fault = {
        "success": False,
        "message": "Taken",
        "error": "NAME_TAKEN",
        "details": {"snapshot_name": f"Taken {SCRIPT}"},
    }
    sandbox.faults.arm("create_snapshot", "status", status=409, body=fault)
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert feedback(response) == f"Taken {SCRIPT}"
    assert not unescaped(response)


def test_it_says_that_the_profile_at_barrack_is_not_complete(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.profile_complete = False
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert response.status_code == 422
    assert "Barrack says: Complete the profile before creating snapshots." in alert(response)


# -- the API is down


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_snapshot", "refuse")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert Operation.objects.get().state == "not_sent"


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_seen_yet_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and the new snapshot is not seen yet. "
        "We keep looking for 10 minutes. Trying again under the same name cannot make a second snapshot."
    )
    assert typed(response) == "nightly"
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_snapshot")) == 1


def test_it_takes_a_503_for_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    # given an operation that takes no stock
    data = fill(operator)
    sandbox.faults.arm("create_snapshot", "status", status=503)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 502
    assert unsure(response).startswith("Not seen yet")
    assert Operation.objects.get().state == "unknown"


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_snapshot_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().result_id == made(sandbox)[0]["snapshot_id"]
    assert len(sandbox.log.calls("create_snapshot")) == 1


@pytest.mark.parametrize("operation", ["list_snapshots", "list_instances", "list_snapshot_eligible_instances"])
def test_it_keeps_the_form_and_sends_nothing_while_reads_fail(
    operator: Client, sandbox: Sandbox, operation: str
) -> None:
    data = fill(operator, description="some words")
    sandbox.faults.arm(operation, "status", status=500, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 502
    assert alert(response).startswith("Barrack has a problem")
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert typed(response) == "nightly"
    assert "some words</textarea>" in body(response)
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("create_snapshot") == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("list_snapshot_eligible_instances", kind, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_takes_one_snapshot_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = fill(operator)
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(made(sandbox)) == len(sandbox.log.calls("create_snapshot")) == 1
    if not headers:
        assert SUCCESS in text_of(operator.get("/snapshots/"))


@pytest.mark.parametrize("change", [{"name": "other"}, {"description": "other"}, {"instance_id": "BRK-123471D"}])
def test_it_says_that_the_form_was_sent_with_other_values(
    operator: Client, sandbox: Sandbox, change: dict[str, str]
) -> None:
    data = fill(operator)
    operator.post(URL, data, headers=HTMX)
    response = operator.post(URL, {**data, **change}, headers=HTMX)
    assert response.status_code == 409
    assert "Here is what it did: Create snapshot “nightly”, done." in words(body(response))
    assert len(sandbox.log.calls("create_snapshot")) == 1


def test_it_tells_the_second_of_two_tabs_that_the_name_is_taken(operator: Client, sandbox: Sandbox) -> None:
    one, two = fill(operator), fill(operator)
    operator.post(URL, one, headers=HTMX)
    response = operator.post(URL, two, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == "A snapshot named “nightly” already exists. Choose another name."
    assert len(sandbox.log.calls("create_snapshot")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_form", [True, False])
def test_it_takes_one_snapshot_when_two_threads_send_at_once(
    operator: Client, sandbox: Sandbox, same_form: bool
) -> None:
    forms = [fill(operator)] * 2 if same_form else [fill(operator), fill(operator)]
    sandbox.faults.arm("create_snapshot", "delay", seconds=0.3)
    answers = at_once(*[lambda data=data: operator.post(URL, data, headers=HTMX) for data in forms])
    assert sorted(answer.status_code for answer in answers) == ([200, 200] if same_form else [200, 409])
    assert len(made(sandbox)) == len(sandbox.log.calls("create_snapshot")) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.instances[VM].update(vm_name=text, gpu_type=text, region=text or "X")
    sandbox.world.instances["BRK-123533D"].update(vm_name=text, status=text or "X")
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    if text == SCRIPT:
        assert f"{html.escape(SCRIPT)} - {html.escape(SCRIPT)} (" in body(response)


def test_it_shows_a_vm_of_which_little_is_known(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM].update(gpu_type=None, gpu_count=None, tier=None, created_at=None, flavor=None)
    assert options(body(operator.get(URL, headers=HTMX)))[VM] == "ml-training-server (CANADA-1)"
