"""/scripts/bulk/: several scripts are deleted after a question that lists them, with a result for each."""

import html
import re

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.scripts.helpers import LIST, chosen
from tests.apps.snapshots.helpers import SCRIPT, alert, body, submit_button, unescaped, words
from tests.conftest import HTMX, text_of

URL = f"{LIST}bulk/"
THREE = ["71", "72", "73"]
threads = pytest.mark.django_db(transaction=True)


def lines(response: HttpResponse) -> list[str]:
    """Return what the question or the result says of each script."""
    return [words(line) for line in re.findall(r"<li>(.*?)</li>", body(response).partition("bulk-rows")[2], re.DOTALL)]


@pytest.mark.feature("SCR-06")
def test_it_asks_with_names_and_count(admin: Client, sandbox: Sandbox) -> None:
    response = admin.get(URL, {"script": [*THREE, "71"]}, headers=HTMX)
    assert response.status_code == 200
    assert "3 scripts will be deleted with their text. This cannot be undone." in text_of(response)
    assert lines(response) == ["install-deps 71", "mount-corpus 72", "pytorch-env 73"]
    assert words(submit_button(response)) == "Delete 3 Deleting..."
    assert 'class="btn btn-danger"' in submit_button(response)
    # and as a page without JavaScript
    assert "<html" in body(admin.get(URL, {"script": THREE}))
    assert sandbox.log.calls("delete_script") == []


@pytest.mark.feature("SCR-06")
def test_its_list_has_the_boxes_and_a_way_to_choose_the_whole_page(admin: Client) -> None:
    page = body(admin.get(LIST))
    boxes = re.findall(r'<input type="checkbox" name="script" value="(\d+)" form="bulk"', page)
    assert sorted(boxes) == ["71", "72", "73", "74", "75", "76"]
    assert '<form id="bulk" class="bulk-bar" method="get" action="/scripts/bulk/"' in page
    assert "data-pick-all" in page
    # without JavaScript, a link to the question about all of them
    link = html.unescape(re.findall(r'class="btn without-script" href="([^"]+)"', page)[0])
    assert lines(admin.get(link)) == [words(f"{name} {number}") for name, number in (
        ("download-models", 76), ("shutdown-when-idle", 74), ("cloud-config-base", 75),
        ("pytorch-env", 73), ("mount-corpus", 72), ("install-deps", 71),
    )]  # fmt: skip


@threads
@pytest.mark.feature("SCR-06")
def test_it_deletes_them_and_says_so_of_each(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, chosen(admin, THREE), headers=HTMX)
    assert response.status_code == 200
    assert "3 of 3 are deleted." in text_of(response)
    assert lines(response) == ["install-deps 71 Deleted", "mount-corpus 72 Deleted", "pytorch-env 73 Deleted"]
    assert response["HX-Trigger"] == "scripts:changed"
    assert sorted(call.path for call in sandbox.log.calls("delete_script")) == [f"/scripts/{one}" for one in THREE]
    assert sorted(sandbox.world.scripts) == ["74", "75", "76"]
    assert sorted(Event.objects.values_list("action", "target_name", "result")) == [
        ("script.delete", name, "done") for name in ("install-deps", "mount-corpus", "pytorch-env")
    ]


@threads
@pytest.mark.feature("SCR-06")
def test_it_says_of_each_what_came_of_it_when_some_fail(admin: Client, sandbox: Sandbox) -> None:
    # given three chosen scripts of which one is gone since, and an API that refuses another
    data = chosen(admin, [*THREE, "74"])
    del sandbox.world.scripts["72"]
    sandbox.faults.arm("delete_script", "status", status=403)
    # when the form is sent
    response = admin.post(URL, data, headers=HTMX)
    # then two are deleted, and the others say why not
    assert response.status_code == 200
    assert "2 of 4 are deleted. The others are still there, or say what is not certain." in text_of(response)
    told = lines(response)
    assert told[1] == "72 72 Not sent It no longer exists."
    assert sum(line.endswith(" Deleted") for line in told) == 2
    (refused,) = [line for line in told if "Refused" in line]
    assert "Barrack does not allow this." in refused
    assert len(sandbox.world.scripts) == 3


def test_it_follows_one_that_is_not_certain(admin: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("delete_script", "hang")
    response = admin.post(URL, chosen(admin, ["71"]), headers=HTMX)
    assert "0 of 1 is deleted." in text_of(response)
    assert lines(response)[0].startswith("install-deps 71 Not certain Not seen yet.")
    assert f'href="{Operation.objects.get().get_absolute_url()}"' in body(response)


def test_it_is_deleted_once_when_sent_twice(admin: Client, sandbox: Sandbox) -> None:
    data = chosen(admin, ["71"])
    first, second = (admin.post(URL, data, headers=HTMX) for _ in range(2))
    assert lines(first) == lines(second) == ["install-deps 71 Deleted"]
    assert len(sandbox.log.calls("delete_script")) == Operation.objects.count() == 1


def test_it_works_as_a_page_without_javascript(admin: Client, sandbox: Sandbox) -> None:
    response = admin.post(URL, chosen(admin, ["71"]))
    assert response.status_code == 200
    assert "<html" in body(response)
    assert "1 of 1 is deleted." in text_of(response)


# -- wrong role, wrong method, bad input, bad days


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "delete", "script": THREE}, headers=HTMX)):
        assert response.status_code == 403
        assert f"Only an admin can delete scripts; your role is {role}." in text_of(response)
    assert sandbox.log.calls("delete_script") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize(
    ("ids", "title"),
    [([], "No script is chosen"), ([""], "No script is chosen"), ([str(n) for n in range(101)], "Too many scripts"),
     (["999"], "None of them can be deleted")],
)  # fmt: skip
def test_it_says_when_there_is_nothing_to_delete(admin: Client, sandbox: Sandbox, ids: list[str], title: str) -> None:
    response = admin.get(URL, {"script": ids}, headers=HTMX)
    assert response.status_code == 200
    assert alert(response).startswith(title)
    assert "disabled" in submit_button(response)
    posted = admin.post(URL, {"script": ids}, headers=HTMX)
    assert posted.status_code == 422
    assert sandbox.log.calls("delete_script") == []


def test_it_deletes_nothing_without_the_intent_or_with_a_token_of_another_form(admin: Client, sandbox: Sandbox) -> None:
    data = chosen(admin, ["71"])
    assert admin.post(URL, {**data, "intent": ""}, headers=HTMX).status_code == 422
    response = admin.post(URL, {**data, "token-71": chosen(admin, ["72"])["token-72"]}, headers=HTMX)
    assert lines(response)[0].startswith("install-deps 71 Not sent This form was not made for this page.")
    assert sandbox.log.calls("delete_script") == []


def test_it_deletes_nothing_while_the_list_cannot_be_read(admin: Client, sandbox: Sandbox) -> None:
    data = chosen(admin, ["71"])
    sandbox.faults.arm("list_scripts", "refuse", times=None)
    response = admin.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert sandbox.log.calls("delete_script") == []


def test_it_shows_hostile_texts_safely(admin: Client, sandbox: Sandbox) -> None:
    sandbox.world.scripts["71"]["name"] = SCRIPT
    for response in (
        admin.get(URL, {"script": ["71", SCRIPT, "A" * 9_999]}, headers=HTMX),
        admin.post(URL, chosen(admin, ["71"]), headers=HTMX),
    ):
        assert response.status_code == 200
        assert not unescaped(response)
        assert len(body(response)) < 9_000
