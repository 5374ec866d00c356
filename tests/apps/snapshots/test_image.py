"""/snapshots/<id>/image/: a complete snapshot becomes a custom image, once."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
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
    counter,
    facts,
    feedback,
    filled,
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
URL = f"/snapshots/{PROD}/image/"
SUGGESTED = "prod-backup-dec11-image"
SUCCESS = f"Image “{SUGGESTED}” is being created from prod-backup-dec11."


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    return filled(browser, URL, **{"name": SUGGESTED, "description": "", **fields})


def made(sandbox: Sandbox, name: str = SUGGESTED) -> list[dict[str, Any]]:
    """Return the cloud's images of that name."""
    return [row for row in sandbox.world.images.values() if row["name"] == name]


# -- works


@pytest.mark.feature("SNAP-50", "NAV-18")
def test_it_makes_one_image_that_the_snapshots_page_then_names(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator, description="What it is for"), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_image_from_snapshot") == [
        {"snapshot_id": PROD, "name": SUGGESTED, "description": "What it is for"}
    ]
    assert response["HX-Trigger"] == '{"modal:close": true, "snapshots:changed": true, "images:changed": true}'
    assert SUCCESS in text_of(response)
    (image,) = made(sandbox)
    operation = Operation.objects.get()
    assert (operation.state, operation.result_id) == ("done", str(image["image_id"]))
    assert Event.objects.get().result == "done"
    shown = facts(body(operator.get(f"/snapshots/{PROD}/")))
    assert (shown["Image"], shown["Type"]) == (f"Yes: {SUGGESTED} (Creating)", "Image")


def test_it_shows_the_snapshot_and_what_an_image_is(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    assert facts(body(response)) == {"Snapshot": "prod-backup-dec11", "Size": "250 GB", "Region": "CANADA-1"}
    text = text_of(response)
    assert "The image is created in the snapshot's region and has its size; this takes several minutes." in text
    assert "Images are private to your account and cannot be shared with other users." in text


@pytest.mark.parametrize(
    ("snapshot", "suggested"), [("prod-backup-dec11", SUGGESTED), ("x" * 50, "x" * 44 + "-image"), ("a/b", "a-b-image")]
)
def test_it_suggests_a_name_that_fits(operator: Client, sandbox: Sandbox, snapshot: str, suggested: str) -> None:
    sandbox.world.snapshots[PROD]["snapshot_name"] = snapshot
    response = operator.get(URL, headers=HTMX)
    assert typed(response) == suggested
    assert counter(response) == f"{len(suggested)}/50"


@pytest.mark.feature("NAV-16", "NAV-17")
def test_it_has_a_button_that_spins_and_cannot_be_pressed_twice(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    pressed = submit_button(response)
    assert '<span class="when-idle">Create Image</span>' in pressed
    assert '<span class="when-busy"><span class="spinner" aria-hidden="true"></span>Creating...</span>' in pressed
    assert 'hx-disabled-elt="find button[type=submit]"' in body(response)


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    data = {"name": SUGGESTED, "description": "", "token": token_of(page), "intent": "image"}
    response = operator.post(URL, data)
    assert (response.status_code, response["Location"]) == (302, f"/snapshots/{PROD}/")
    assert SUCCESS in text_of(operator.get(f"/snapshots/{PROD}/"))
    assert len(made(sandbox)) == 1


# -- wrong role, wrong method, missing things


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"name": "image", "intent": "image"}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an operator or an admin can create images; your role is {role}." in text_of(response)
    assert sandbox.log.calls("create_image_from_snapshot") == []


def test_it_asks_for_a_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("impossible", [*IMPOSSIBLE_IDS, "a%2Fb", "BRK-999999S"])
def test_it_has_no_page_for_a_snapshot_that_is_not_there(operator: Client, sandbox: Sandbox, impossible: str) -> None:
    address = f"/snapshots/{impossible}/image/"
    for response in (operator.get(address), operator.post(address, {"name": "x", "intent": "image"})):
        assert response.status_code == 404
        assert "There is nothing at this address" in text_of(response)
    assert snapshot_paths(sandbox) <= {"/snapshots/BRK-999999S"}


@pytest.mark.parametrize("status", ["CREATING", "ERROR", "VERIFYING"])
def test_it_refuses_a_snapshot_that_is_not_complete(operator: Client, sandbox: Sandbox, status: str) -> None:
    data = fill(operator)
    sandbox.world.snapshots[PROD]["status"] = status
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This snapshot cannot be used now")
    assert "disabled" in submit_button(response)
    assert typed(response) == SUGGESTED
    assert sandbox.log.calls("create_image_from_snapshot") == []


# -- bad input


@pytest.mark.feature("NAV-20", "NAV-19")
@pytest.mark.parametrize(("name", "message", "count"), BAD_NAMES)
def test_it_says_at_the_field_what_is_wrong_with_a_name(
    operator: Client, sandbox: Sandbox, name: str, message: str, count: str
) -> None:
    response = operator.post(URL, fill(operator, name=name, description="kept words"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == message
    assert typed(response) == name
    assert counter(response) == count
    assert "kept words</textarea>" in body(response)
    assert no_alert(response)
    assert sandbox.log.calls("create_image_from_snapshot") == []


@pytest.mark.feature("NAV-21")
def test_it_refuses_the_name_of_another_snapshots_image(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator, name="golden-cuda"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response).endswith(" image named “golden-cuda” already exists. Choose another name.")
    assert sandbox.log.calls("create_image_from_snapshot") == []


@pytest.mark.parametrize("name", ["a", "x" * 50, "My image_1.0-b"])
def test_it_takes_names_of_one_to_fifty_characters(operator: Client, sandbox: Sandbox, name: str) -> None:
    assert operator.post(URL, fill(operator, name=name), headers=HTMX).status_code == 200
    assert len(made(sandbox, name)) == 1


def test_it_refuses_an_absurd_description(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(URL, fill(operator, description="x" * 10_001), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "description") == "Use at most 10,000 characters; this has 10,001."
    assert sandbox.log.calls("create_image_from_snapshot") == []


@pytest.mark.feature("NAV-22")
@pytest.mark.parametrize(
    ("name", "message"),
    [("good name", ""), ("x" * 51, "Use at most 50 characters; this has 51."), ("", "Enter a name.")],
)
def test_it_answers_only_the_feedback_while_somebody_types(
    operator: Client, sandbox: Sandbox, name: str, message: str
) -> None:
    response = operator.post(URL, {"name": name, "validate": "name"}, headers=HTMX)
    assert response.status_code == 200
    assert feedback(response) == message
    assert body(response).strip().startswith('<div class="field-feedback"')
    assert "<form" not in body(response)


@pytest.mark.parametrize("intent", [None, "", "restore", "IMAGE"])
def test_it_makes_nothing_without_the_intent(operator: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = fill(operator)
    del data["intent"]
    extra = {} if intent is None else {"intent": intent}
    for headers in (HTMX, {}):
        response = operator.post(URL, {**data, **extra}, headers=headers)
        assert response.status_code == 200
        assert typed(response) == SUGGESTED
    assert sandbox.log.calls("create_image_from_snapshot") == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    restore = filled(operator, f"/snapshots/{PROD}/restore/", name="kept") | {"intent": "image"}
    response = operator.post(URL, restore, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("This form was not made for this page")
    assert typed(response) == "kept"
    assert sandbox.log.calls("create_image_from_snapshot") == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_image_from_snapshot", "status", status=status)
    response = operator.post(URL, fill(operator, name="kept", description="kept words"), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert typed(response) == "kept"
    assert "kept words</textarea>" in body(response)
    assert "HX-Trigger" not in response
    assert len(sandbox.log.calls("create_image_from_snapshot")) == 1
    assert Operation.objects.get().state == "refused"


def test_it_shows_the_apis_own_words_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    # given the name of an image that the portal does not know of, as the images cannot be read
    sandbox.faults.arm("list_images", "status", status=500, times=None)
    response = operator.post(URL, fill(operator, name="golden-cuda"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == 'The account already has an image named "golden-cuda".'
    assert alert(response).startswith("Barrack refused this in the present state")


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_image_from_snapshot", "refuse")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert Operation.objects.get().state == "not_sent"


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_seen_yet_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_image_from_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and the new image is not seen yet. We keep looking for 10 minutes. "
        "Trying again under the same name cannot make a second image."
    )
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_image_from_snapshot")) == 1


def test_it_takes_a_503_for_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_image_from_snapshot", "status", status=503)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 502
    assert unsure(response).startswith("Not seen yet")


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_finds_the_image_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_image_from_snapshot", kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().result_id == str(made(sandbox)[0]["image_id"])
    assert len(sandbox.log.calls("create_image_from_snapshot")) == 1


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_keeps_the_form_and_sends_nothing_while_reads_fail(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator, name="kept")
    sandbox.faults.arm("get_snapshot", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert typed(response) == "kept"
    assert sandbox.log.calls("create_image_from_snapshot") == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    for operation in ("get_snapshot", "list_snapshots"):
        sandbox.faults.arm(operation, kind, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


def test_it_leaves_the_check_of_the_name_to_the_api_when_it_cannot_be_made(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_images", "status", status=500, times=None)
    assert operator.post(URL, fill(operator), headers=HTMX).status_code == 200
    assert len(made(sandbox)) == 1


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_makes_one_image_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = fill(operator)
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(made(sandbox)) == len(sandbox.log.calls("create_image_from_snapshot")) == 1


def test_it_says_that_the_form_was_sent_with_other_values(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    operator.post(URL, data, headers=HTMX)
    response = operator.post(URL, {**data, "name": "other"}, headers=HTMX)
    assert response.status_code == 409
    assert f"Here is what it did: Create image “{SUGGESTED}”, done." in words(body(response))
    assert len(sandbox.log.calls("create_image_from_snapshot")) == 1


def test_it_tells_the_second_of_two_tabs_that_the_name_is_taken(operator: Client, sandbox: Sandbox) -> None:
    one, two = fill(operator), fill(operator)
    operator.post(URL, one, headers=HTMX)
    response = operator.post(URL, two, headers=HTMX)
    assert response.status_code == 422
    assert "already exists. Choose another name." in feedback(response)
    assert len(sandbox.log.calls("create_image_from_snapshot")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_form", [True, False])
def test_it_makes_one_image_when_two_threads_send_at_once(operator: Client, sandbox: Sandbox, same_form: bool) -> None:
    forms = [fill(operator)] * 2 if same_form else [fill(operator), fill(operator)]
    sandbox.faults.arm("create_image_from_snapshot", "delay", seconds=0.3)
    answers = at_once(*[lambda data=data: operator.post(URL, data, headers=HTMX) for data in forms])
    assert sorted(answer.status_code for answer in answers) == ([200, 200] if same_form else [200, 409])
    assert len(made(sandbox)) == len(sandbox.log.calls("create_image_from_snapshot")) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.snapshots[PROD].update(snapshot_name=text, vm_name=text, region=text or "X", size_gb=None)
    sandbox.world.images["501"].update(name=text, description=text, status=text)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(typed(response)) <= 50
    done = operator.post(URL, fill(operator), headers=HTMX)
    assert done.status_code == 200
    assert not unescaped(done)
