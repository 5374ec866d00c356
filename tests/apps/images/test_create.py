"""/images/create/: a complete snapshot, chosen in the form, becomes a custom image, once."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.images.helpers import CREATE, LIST, PROD, images_named
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

NAME = "trainer-base"
SUCCESS = f"Image “{NAME}” is being created from prod-backup-dec11."
WRITE = "create_image_from_snapshot"


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    return filled(browser, CREATE, **{"snapshot_id": PROD, "name": NAME, "description": "", **fields})


def options(response: HttpResponse) -> dict[str, tuple[str, str]]:
    """Return the snapshots on offer: their words, and "off", "chosen" or ""."""
    found = re.findall(r'<option value="([^"]*)"([^>]*)>(.*?)</option>', body(response), re.DOTALL)
    state = {" disabled": "off", " selected": "chosen"}
    return {value: (words(label), state.get(attributes.rstrip(), "")) for value, attributes, label in found}


# -- works


@pytest.mark.feature("IMG-04", "IMG-05", "IMG-07")
def test_it_makes_one_image_of_the_chosen_snapshot(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, fill(operator, description="For the trainers"), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, WRITE) == [{"snapshot_id": PROD, "name": NAME, "description": "For the trainers"}]
    assert response["HX-Trigger"] == '{"modal:close": true, "images:changed": true, "snapshots:changed": true}'
    (image,) = images_named(sandbox, NAME)
    assert SUCCESS in text_of(response)
    assert f'href="{LIST}{image["image_id"]}/"' in body(response)
    assert Operation.objects.get().result_id == str(image["image_id"])
    assert Event.objects.get().action == "image.create"
    assert facts(body(operator.get(f"{LIST}{image['image_id']}/")))["Snapshot"] == "prod-backup-dec11 Success"


@pytest.mark.feature("IMG-14")
def test_it_has_the_snapshots_page_name_the_image_at_once(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given copies that count as fresh for a minute
    settings.FRESH_STATUS_SECONDS = 60.0
    page = f"/snapshots/{PROD}/"
    assert facts(body(operator.get(page)))["Image"] == "No"
    data = fill(operator)
    # when an image is made
    assert operator.post(CREATE, data, headers=HTMX).status_code == 200
    # then the operation knows its snapshot, and the snapshot's page was read anew
    assert Operation.objects.get().known_ids == [PROD]
    shown = facts(body(operator.get(page)))
    assert (shown["Image"], shown["Type"]) == (f"Yes: {NAME} (Creating)", "Image")


@pytest.mark.feature("IMG-04")
def test_it_lists_snapshots_that_are_not_complete_but_off(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots["BRK-123463S"]["status"] = "ERROR"
    sandbox.world.snapshots["BRK-123490S"]["status"] = "CREATING"
    shown = options(operator.get(CREATE, headers=HTMX))
    assert shown[PROD] == ("prod-backup-dec11, 250 GB (CANADA-1)", "")
    assert shown["BRK-123463S"][0].endswith("– ERROR, not in a completed state")
    assert shown["BRK-123490S"][0].endswith("– CREATING, not in a completed state yet")
    assert {shown["BRK-123463S"][1], shown["BRK-123490S"][1]} == {"off"}
    # and one that is sent all the same is refused at its field
    response = operator.post(CREATE, fill(operator, snapshot_id="BRK-123463S"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "snapshot_id") == (
        "No image can be made of this snapshot: ERROR, not in a completed state."
    )
    assert typed(response) == NAME
    assert sandbox.log.calls(WRITE) == []


@pytest.mark.feature("IMG-08", "IMG-06")
def test_it_begins_with_a_snapshot_of_the_address_and_shows_its_region(operator: Client) -> None:
    response = operator.get(CREATE, {"snapshot": PROD}, headers=HTMX)
    assert options(response)[PROD][1] == "chosen"
    assert facts(body(response)) == {"Region": "CANADA-1", "Size": "250 GB"}
    assert (typed(response), counter(response)) == ("prod-backup-dec11-image", "23/50")
    assert 'name="region"' not in body(response)
    # and follows the choice
    news = operator.post(CREATE, {"validate": "snapshot_id", "snapshot_id": "BRK-123637S"}, headers=HTMX)
    assert facts(body(news))["Region"] == "NORWAY-1"
    assert 'hx-swap-oob="true"' in body(news)
    # while nothing that can be used is chosen, it says whose they will be
    for address in ({"snapshot": "BRK-999999S"}, {}):
        assert facts(body(operator.get(CREATE, address, headers=HTMX)))["Region"] == "–"


@pytest.mark.feature("IMG-17", "IMG-19")
def test_it_says_what_an_image_is_and_what_can_go_wrong(operator: Client) -> None:
    text = text_of(operator.get(CREATE, headers=HTMX)).replace("&#39;", "'")
    assert "It inherits the storage footprint of the source snapshot. Creation takes several minutes." in text
    for reason in (
        "The snapshot has to be in a completed state: SUCCESS or available.",
        "The image name has to be unique in your account.",
        "The snapshot has to be accessible: it still exists, in your account.",
        "There have to be enough credits.",
    ):
        assert reason in text


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(CREATE)
    assert "<html" in body(page)
    data = {"snapshot_id": PROD, "name": NAME, "token": token_of(page), "intent": "create"}
    response = operator.post(CREATE, data)
    (image,) = images_named(sandbox, NAME)
    assert (response.status_code, response["Location"]) == (302, f"{LIST}{image['image_id']}/")
    assert SUCCESS in text_of(operator.get(response["Location"]))


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(CREATE), browser.post(CREATE, {"intent": "create"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create images; your role is {role}." in text_of(response)
    assert sandbox.log.calls(WRITE) == []


def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox) -> None:
    assert (operator.put(CREATE).status_code, operator.delete(CREATE).status_code) == (405, 405)
    assert sandbox.log.calls() == []


@pytest.mark.feature("IMG-19")
@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        ("", "Choose a snapshot."),
        ("BRK-999999S", "This snapshot is not accessible: it does not exist any more. Choose another one."),
        (SCRIPT, "This snapshot is not accessible: it does not exist any more. Choose another one."),
    ],
)
def test_it_refuses_a_snapshot_that_is_not_there(operator: Client, sandbox: Sandbox, snapshot: str, said: str) -> None:
    response = operator.post(CREATE, fill(operator, snapshot_id=snapshot, description="kept"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "snapshot_id") == said
    assert typed(response) == NAME
    assert "kept</textarea>" in body(response)
    assert sandbox.log.calls(WRITE) == []


@pytest.mark.feature("IMG-06")
@pytest.mark.parametrize(("name", "message", "count"), BAD_NAMES)
def test_it_refuses_a_bad_name_and_keeps_everything(
    operator: Client, sandbox: Sandbox, name: str, message: str, count: str
) -> None:
    response = operator.post(CREATE, fill(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert (feedback(response), typed(response), counter(response)) == (message, name, count)
    assert options(response)[PROD][1] == "chosen"
    assert sandbox.log.calls(WRITE) == []


@pytest.mark.feature("IMG-06", "IMG-19")
def test_it_refuses_the_name_of_another_image(operator: Client, sandbox: Sandbox) -> None:
    said = "An image named “golden-cuda” already exists. Choose another name."
    live = operator.post(CREATE, {"name": "golden-cuda", "validate": "name"}, headers=HTMX)
    assert feedback(live) == said
    response = operator.post(CREATE, fill(operator, name="golden-cuda"), headers=HTMX)
    assert (response.status_code, feedback(response)) == (422, said)
    assert sandbox.log.calls(WRITE) == []


def test_it_refuses_an_absurd_description(operator: Client) -> None:
    response = operator.post(CREATE, fill(operator, description="x" * 10_001), headers=HTMX)
    assert feedback(response, "description") == "Use at most 10,000 characters; this has 10,001."


@pytest.mark.feature("IMG-19")
def test_it_sends_nothing_without_credits(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.world.balances["USD"] = Decimal(0)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("Insufficient Credits")
    assert '<details class="advanced" open>' in body(response)
    assert sandbox.log.calls(WRITE) == []


def test_it_says_so_when_there_is_no_complete_snapshot(operator: Client, sandbox: Sandbox) -> None:
    for row in sandbox.world.snapshots.values():
        row["status"] = "CREATING"
    response = operator.get(CREATE, headers=HTMX)
    assert alert(response).startswith("There is no snapshot to make an image of")
    assert "disabled" in submit_button(response)
    sandbox.world.snapshots.clear()
    assert operator.post(CREATE, {"intent": "create", "token": token_of(response)}, headers=HTMX).status_code == 422
    assert sandbox.log.calls(WRITE) == []


@pytest.mark.parametrize("intent", [None, "image", "CREATE"])
def test_it_makes_nothing_without_the_intent(operator: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {name: value for name, value in fill(operator).items() if name != "intent"}
    data |= {"intent": intent} if intent else {}
    for headers in (HTMX, {}):
        response = operator.post(CREATE, data, headers=headers)
        assert (response.status_code, typed(response)) == (200, NAME)
    assert sandbox.log.calls(WRITE) == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    other = filled(operator, f"/snapshots/{PROD}/image/")["token"]
    response = operator.post(CREATE, {**fill(operator), "token": other}, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert sandbox.log.calls(WRITE) == []


# -- the API refuses, or is down


@pytest.mark.feature("IMG-19", "NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm(WRITE, "status", status=status)
    response = operator.post(CREATE, fill(operator, description="kept words"), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert (typed(response), options(response)[PROD][1]) == (NAME, "chosen")
    assert "kept words</textarea>" in body(response)
    assert '<details class="advanced" open>' in body(response)
    assert Operation.objects.get().state == "refused"


def test_it_shows_the_apis_own_words_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    # given images that cannot be read, so that the portal does not know the name
    sandbox.faults.arm("list_images", "status", status=500, times=None)
    response = operator.post(CREATE, fill(operator, name="golden-cuda"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == 'The account already has an image named "golden-cuda".'


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_seen_yet_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = fill(operator)
    sandbox.faults.arm(WRITE, kind)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(f"Not seen yet Barrack's answer {happened}, and the new image is not seen yet.")
    assert operator.post(CREATE, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls(WRITE)) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_image_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm(WRITE, kind)
    assert SUCCESS in text_of(operator.post(CREATE, data, headers=HTMX))
    assert Operation.objects.get().result_id == str(images_named(sandbox, NAME)[0]["image_id"])
    assert len(sandbox.log.calls(WRITE)) == 1


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_sends_nothing_while_the_snapshots_cannot_be_read(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    data = fill(operator)
    sandbox.faults.arm("list_snapshots", kind, times=None)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert typed(response) == NAME
    assert sandbox.log.calls(WRITE) == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_makes_one_image_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = fill(operator)
    answers = [operator.post(CREATE, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(images_named(sandbox, NAME)) == len(sandbox.log.calls(WRITE)) == 1
    other = operator.post(CREATE, {**data, "name": "other"}, headers=HTMX)
    assert other.status_code == 409
    assert f"Here is what it did: Create image “{NAME}”, done." in words(body(other))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_form", [True, False])
def test_it_makes_one_image_when_two_threads_send_at_once(operator: Client, sandbox: Sandbox, same_form: bool) -> None:
    forms = [fill(operator)] * 2 if same_form else [fill(operator), fill(operator)]
    sandbox.faults.arm(WRITE, "delay", seconds=0.3)
    answers = at_once(*[lambda data=data: operator.post(CREATE, data, headers=HTMX) for data in forms])
    assert sorted(answer.status_code for answer in answers) == ([200, 200] if same_form else [200, 409])
    assert len(images_named(sandbox, NAME)) == len(sandbox.log.calls(WRITE)) == 1


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.snapshots[PROD] |= {"snapshot_name": text, "region": text or "X", "size_gb": None}
    sandbox.world.snapshots["BRK-123463S"] |= {"snapshot_name": text, "status": text}
    response = operator.get(CREATE, {"snapshot": PROD}, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(typed(response)) <= 50
    done = operator.post(CREATE, fill(operator), headers=HTMX)
    assert (done.status_code, unescaped(done), no_alert(done)) == (200, False, True)
