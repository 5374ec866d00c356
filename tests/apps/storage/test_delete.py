"""/volumes/<id>/delete/: a volume that no VM has is removed for good, by an admin who has typed its name."""

from datetime import timedelta

import pytest
from django.test import Client

from apps.activity.models import Event
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import alert, body, feedback, is_off, submit_button, typed, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import DELETES, FREE, GOLDEN, RAG, US_VOLUME, USED, Write
from tests.conftest import HTMX, text_of

DELETE = Write(
    f"/volumes/{US_VOLUME}/delete/",
    "delete_volume",
    "delete",
    {"name": "volume1"},
    DELETES,
    '{"modal:close": true, "volumes:changed": true}',
)
SUCCESS = "Volume “volume1” is being deleted."


@pytest.mark.feature("VOL-42")
def test_it_deletes_the_volume(admin: Client, sandbox: Sandbox) -> None:
    response = DELETE.send(admin)
    assert response.status_code == 200
    assert [path for path, _ in DELETE.sent(sandbox)] == [f"/volumes/{US_VOLUME}"]
    assert response["HX-Trigger"] == DELETE.events
    assert SUCCESS in text_of(response)
    assert sandbox.world.volumes[US_VOLUME]["status"] == "deleting"
    assert alert(admin.get(DELETE.url, headers=HTMX)).startswith(
        "This volume cannot be deleted now Its status is deleting"
    )
    sandbox.world.advance(60)
    assert US_VOLUME not in sandbox.world.volumes
    assert (Event.objects.get().action, Event.objects.get().target_name) == ("volume.delete", "volume1")


@pytest.mark.feature("VOL-42")
def test_it_names_the_volume_and_what_is_lost_and_saved(admin: Client) -> None:
    response = admin.get(DELETE.url, headers=HTMX)
    page = body(response)
    assert "<p>The volume <strong><bdi>volume1</bdi></strong> will be deleted. This cannot be undone.</p>" in page
    text = words(page)
    assert "100 GB, Cloud-SSD, US-1. Its cost of $0.0098 / h ends, $7.03 in 30 days." in text
    assert "All data on it are permanently lost." in text
    assert 'class="btn btn-danger"' in submit_button(response)
    assert words(submit_button(response)) == "Delete Deleting..."
    assert "no VM can be deployed from it any more" in text_of(admin.get(f"/volumes/{GOLDEN}/delete/", headers=HTMX))


def test_it_asks_for_the_name_of_all_but_new_ones(admin: Client, sandbox: Sandbox) -> None:
    for wrong in ("", "volume2", "VOLUME1", "volume 1"):
        response = DELETE.send(admin, name=wrong)
        assert response.status_code == 422
        assert feedback(response).startswith("This is not the volume's name. Nothing is deleted")
        assert typed(response) == wrong
    assert DELETE.sent(sandbox) == []
    sandbox.world.volumes[US_VOLUME]["created_at"] = iso(clock.now() - timedelta(days=6))
    data = {key: value for key, value in DELETE.filled(admin).items() if key != "name"}
    assert 'name="name"' not in body(admin.get(DELETE.url, headers=HTMX))
    assert admin.post(DELETE.url, data, headers=HTMX).status_code == 200


@pytest.mark.feature("VOL-41")
def test_it_deletes_only_what_no_vm_has(admin: Client, sandbox: Sandbox) -> None:
    # the button is off on the card, and the dialog says why
    card = body(admin.get("/volumes/", {"q": "training-corpus"}, headers=HTMX))
    assert "It is attached to ml-training-server. Detach it first." in is_off(card, "Delete training-corpus")
    response = admin.get(f"/volumes/{USED}/delete/", headers=HTMX)
    assert alert(response) == "This volume cannot be deleted now It is attached to rag-index-builder. Detach it first."
    assert "disabled" in submit_button(response)
    # also of one that was attached while the form was open
    data = DELETE.filled(admin)
    sandbox.world.volumes[US_VOLUME].update(status="in-use", instance_id=RAG, attached_vm_name="rag")
    refused = admin.post(DELETE.url, data, headers=HTMX)
    assert refused.status_code == 422
    assert alert(refused) == "This volume cannot be deleted now It is attached to rag. Detach it first."
    assert DELETE.sent(sandbox) == []


@pytest.mark.parametrize("where", [f"/volumes/{US_VOLUME}/", f"/volumes/{US_VOLUME}/?tab=billing", DELETE.url])
def test_it_leads_away_from_the_page_of_what_it_deletes(admin: Client, where: str) -> None:
    headers = HTMX | {"HX-Current-URL": f"http://testserver{where}"}
    response = admin.post(DELETE.url, DELETE.filled(admin), headers=headers)
    assert (response.status_code, response["HX-Redirect"]) == (200, "/volumes/")
    assert SUCCESS in text_of(admin.get("/volumes/"))


def test_it_works_as_a_page_without_javascript(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(DELETE.url, DELETE.filled(admin))
    assert (response.status_code, response["Location"]) == (302, "/volumes/")


def test_it_is_for_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(DELETE, request, sandbox)


def test_it_knows_what_is_not_there(admin: Client, sandbox: Sandbox) -> None:
    shared.check_missing(DELETE, admin, sandbox, US_VOLUME)


def test_it_says_why_the_cloud_refused(admin: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(DELETE, admin, sandbox)


def test_it_sends_nothing_while_the_cloud_does_not_answer(admin: Client, sandbox: Sandbox) -> None:
    shared.check_down(DELETE, admin, sandbox, "get_volume")


def test_it_is_sent_once(admin: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(DELETE, admin, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(admin: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(DELETE, admin, sandbox)


def test_it_escapes_what_the_cloud_says(admin: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(Write(f"/volumes/{FREE}/delete/", "delete_volume", "delete"), admin, sandbox, FREE)
