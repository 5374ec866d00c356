"""/images/: the account's custom images, six a page, with what they take and where they come from."""

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import KEY, MODEL, form_of, post
from tests.apps.images.helpers import BROKEN, CREATING, GOLDEN, GOLDEN_SNAPSHOT, LIST, ORPHAN, card, put
from tests.apps.snapshots.helpers import (
    READ_FAULTS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    button,
    card_names,
    facts,
    is_off,
    leads_to,
    unescaped,
    words,
)
from tests.conftest import HTMX, text_of


def stats(text: str) -> dict[str, str]:
    return facts(text.partition('id="stats"')[2].partition("</dl>")[0])


# -- works


@pytest.mark.feature("IMG-01", "IMG-14")
def test_it_shows_each_image_with_its_facts_and_its_snapshot(viewer: Client, sandbox: Sandbox) -> None:
    response = viewer.get(LIST)
    shown = card(response, GOLDEN)
    assert words(shown.partition("</header>")[0]) == "golden-cuda Success"
    known = facts(shown)
    assert (known["Size"], known["Region"], known["Snapshot"]) == ("100 GB", "CANADA-1", "eval-harness-golden")
    assert known["Created"].endswith("UTC")
    assert f'href="/snapshots/{GOLDEN_SNAPSHOT}/"' in shown
    assert f'href="/images/{GOLDEN}/"' in shown
    # and no call was made for a single row
    assert {call.operation for call in sandbox.log.calls()} == {
        "list_images", "list_snapshots", "list_regions", "get_credit_balance"
    }  # fmt: skip


@pytest.mark.feature("IMG-14")
def test_it_says_when_a_snapshot_no_longer_exists_and_only_when_that_is_certain(
    viewer: Client, sandbox: Sandbox
) -> None:
    assert facts(card(viewer.get(LIST), ORPHAN))["Snapshot"] == "no longer exists"
    # given a snapshot that cannot be read, then nobody knows
    del sandbox.world.snapshots["BRK-123463S"]["snapshot_name"]
    cloud.snapshots_changed()
    assert facts(card(viewer.get(LIST), ORPHAN))["Snapshot"] == "BRK-123412S"


@pytest.mark.feature("IMG-03")
def test_it_sums_up_the_storage_of_all_images(viewer: Client, sandbox: Sandbox) -> None:
    assert stats(body(viewer.get(LIST))) == {
        "Images": "6 in 3 regions",
        "Storage": "410 GB across all images",
        "Available": "4 ready to deploy",
        "Being created": "1 not usable yet",
    }
    # and says what is not in the sum
    put(sandbox, "600", name="unknown", size_gb=None)
    put(sandbox, "601", name="huge", size_gb=2048)
    cloud.images_changed()
    assert stats(body(viewer.get(LIST)))["Storage"] == "2.4 TB across all images; 1 of unknown size"


@pytest.mark.feature("IMG-02")
def test_it_filters_by_region(viewer: Client) -> None:
    response = viewer.get(LIST, {"region": "NORWAY-1"})
    assert card_names(response) == ["inference-gateway"]
    assert stats(body(response))["Storage"] == "70 GB across all images in NORWAY-1"
    assert '<option value="NORWAY-1" selected>' in body(response)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "RUNNER"}, ["ci-runner-next", "ci-runner-template"]),
        ({"q": "eval-harness"}, ["golden-cuda"]),
        ({"q": "BRK-123679S", "sort": "name"}, ["ci-runner-next", "ci-runner-template"]),
        ({"sort": "largest", "q": "o", "region": "CANADA-1"}, ["golden-cuda", "tokenizer"]),
        ({"sort": "nonsense", "page": "-3", "q": "golden"}, ["golden-cuda"]),
    ],
)
def test_it_searches_and_sorts(viewer: Client, query: dict[str, str], names: list[str]) -> None:
    assert card_names(viewer.get(LIST, query)) == names


def test_it_shows_six_a_page(viewer: Client, sandbox: Sandbox) -> None:
    put(sandbox, "600", name="seventh")
    assert len(card_names(viewer.get(LIST))) == 6
    second = viewer.get(LIST, {"page": "2", "sort": "name"})
    assert card_names(second) == ["vllm-serving-h100"]
    assert "7–7 of 7" in text_of(second)


# -- deploying from it


@pytest.mark.feature("IMG-09", "IMG-18", "DEP-20")
def test_it_leads_to_a_deployment_with_image_and_region(operator: Client) -> None:
    for image_id, region in ((GOLDEN, "CANADA-1"), ("502", "CANADA-1"), ("img-503", "NORWAY-1")):
        # given a complete image, SUCCESS or Available, when its link is followed
        address = leads_to(card(operator.get(LIST), image_id), "Use in deployment")
        wizard = operator.get(address, follow=True)
        # then the draft has both, and keeps them once a GPU is chosen
        assert wizard.status_code == 200
        chosen = post(operator, {**form_of(wizard), "gpu_model": MODEL, "ssh_keys": KEY}, htmx=False)
        form = form_of(operator.get(chosen["Location"]))
        assert (form["boot"], form["image_id"], form["region"]) == (["image"], [image_id], [region])


@pytest.mark.feature("IMG-10")
def test_it_offers_no_deployment_of_an_image_that_is_not_complete(operator: Client) -> None:
    response = operator.get(LIST)
    assert is_off(card(response, CREATING), "Use in deployment") == (
        "The image is not complete yet (Creating). This takes several minutes."
    )
    assert is_off(card(response, BROKEN), "Use in deployment").startswith("The status is ERROR. Only an image")


@pytest.mark.feature("IMG-15", "IMG-16")
def test_it_says_whose_images_are_and_where(viewer: Client) -> None:
    text = text_of(viewer.get(LIST))
    assert "Images are private to your account and cannot be shared with other users." in text
    assert "Cross-region transfer needs a new snapshot and a new image in the other region." in text


# -- roles, methods, polling


@pytest.mark.feature("IMG-05")
@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_it_has_the_buttons_of_the_role(request: pytest.FixtureRequest, role: str) -> None:
    response = request.getfixturevalue(role).get(LIST)
    shown = card(response, GOLDEN)
    assert bool(button(shown, "Use in deployment")) == (role != "viewer")
    assert bool(button(shown, "Delete")) == (role == "admin")
    assert leads_to(shown, "Details") == f"/images/{GOLDEN}/"
    if role == "viewer":
        assert "Only an operator or an admin can create images" in is_off(body(response), "Create Image")
    else:
        assert leads_to(body(response), "Create Image") == "/images/create/"


def test_it_takes_no_form(admin: Client, sandbox: Sandbox) -> None:
    assert admin.post(LIST).status_code == 405
    assert sandbox.log.calls() == []


def test_it_renders_nothing_for_an_unchanged_poll(viewer: Client, sandbox: Sandbox) -> None:
    first = viewer.get(LIST, headers=HTMX)
    same = viewer.get(LIST, headers={**HTMX, "If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert "images:changed from:body" in body(first)
    assert 'id="head-count" hx-swap-oob="morph"' in body(first)


# -- nothing, broken rows, the API down


def test_it_says_what_images_are_for_when_there_is_none(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.images.clear()
    response = operator.get(LIST)
    assert "No images yet" in text_of(response)
    assert leads_to(body(response).partition('id="list"')[2], "Create Image") == "/images/create/"


def test_it_says_that_nothing_fits(viewer: Client) -> None:
    assert "No image fits Nothing matches “nope” in US-1." in text_of(viewer.get(LIST, {"q": "nope", "region": "US-1"}))


def test_it_shows_the_others_beside_a_row_that_cannot_be_read(viewer: Client, sandbox: Sandbox) -> None:
    del sandbox.world.images[CREATING]["name"]
    response = viewer.get(LIST)
    assert "1 image could not be read: Barrack sent it without a required field." in text_of(response)
    assert len(card_names(response)) == 5


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:3])
def test_it_never_takes_a_failure_for_an_empty_list(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("list_images", kind, times=None)
    response = operator.get(LIST)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "No images yet" not in text_of(response)
    assert is_off(body(response), "Create Image").endswith("so nothing can be created now.")


def test_it_shows_the_older_copy_with_its_buttons_off(admin: Client, sandbox: Sandbox) -> None:
    admin.get(LIST)
    cloud.images_changed()
    sandbox.faults.arm("list_images", "refuse", times=None)
    response = admin.get(LIST)
    assert response.status_code == 200
    assert "Barrack does not answer; this is what it said at" in text_of(response)
    shown = card(response, GOLDEN)
    assert is_off(shown, "Use in deployment") == "Barrack does not answer, so nothing can be deployed now."
    assert is_off(shown, "Delete") == "Barrack does not answer, so nothing can be changed now."


def test_it_can_do_without_snapshots_and_regions(viewer: Client, sandbox: Sandbox) -> None:
    for operation in ("list_snapshots", "list_regions", "get_credit_balance"):
        sandbox.faults.arm(operation, "refuse", times=None)
    response = viewer.get(LIST)
    assert response.status_code == 200
    assert facts(card(response, GOLDEN))["Snapshot"] == GOLDEN_SNAPSHOT


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "", "\x1b[2J", "a/b"])
def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.images[GOLDEN] |= {"name": text, "status": text, "region": text or "X", "snapshot_id": text}
    put(sandbox, "odd", image_id=text or "..")
    response = admin.get(LIST)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 60_000
