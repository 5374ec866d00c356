"""/vms/bulk/: one action for several VMs; the question says what comes, the result what came of each."""

import html
import re
import time
from typing import Any, NamedTuple

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from apps.activity.events import first_break
from apps.activity.models import Event, Operation
from apps.activity.tokens import new_token
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import at_once
from tests.apps.vms.helpers import ONE, body, copies, only, words
from tests.conftest import HTMX, text_of

URL = "/vms/bulk/"
STOPPED, HIBERNATED, FAILED, DELETED = "BRK-123533D", "BRK-123548D", "BRK-123700D", "BRK-123560D"
BUSY = "BRK-123622D"
OPERATIONS = {
    "start": "start_instance",
    "stop": "stop_instance",
    "hibernate": "hibernate_instance",
    "delete": "delete_instance",
}
several = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _patient(settings: Any) -> None:
    """Let a busy machine take its time over reads: nothing here is about those that are slow."""
    settings.API_READ_SECONDS = 3


class Result(NamedTuple):
    tone: str
    word: str
    text: str


def ask(browser: Client, action: str, *ids: str, **query: str) -> HttpResponse:
    """Open the question."""
    return browser.get(URL, {"action": action, "vm": ids, **query}, headers=HTMX)


def filled(browser: Client, action: str, *ids: str, **fields: str) -> dict[str, Any]:
    """Open the question and return what its button would send."""
    page = body(ask(browser, action, *ids))
    hidden = re.findall(r'<input type="hidden" name="(token-[^"]+)" value="([^"]+)"', page)
    found: dict[str, Any] = {html.unescape(name): value for name, value in hidden}
    chosen = [html.unescape(value) for value in re.findall(r'<input type="hidden" name="vm" value="([^"]*)"', page)]
    return {"action": action, "intent": action, "vm": chosen, **found, **fields}


def send(browser: Client, form: dict[str, Any]) -> HttpResponse:
    return browser.post(URL, form, headers=HTMX)


def questions(response: HttpResponse) -> dict[str, str]:
    """Return what stands in each line of the question, by the VM's id."""
    lines = re.findall(r"<li>(.*?)</li>", body(response), flags=re.DOTALL)
    return {re.findall(r'name="vm" value="([^"]*)"', line)[0]: words(line) for line in lines if 'name="vm"' in line}


def results(response: HttpResponse) -> dict[str, Result]:
    """Return what came of each VM, by its id."""
    found = {}
    for line in re.findall(r"<li>(.*?)</li>", body(response), flags=re.DOTALL):
        instance_id = re.search(r"<small>(.*?)</small>", line)
        badge = re.search(r'class="state state-(\w+)"><span[^>]*></span><bdi>(.*?)</bdi>', line)
        if instance_id and badge:
            note = line.partition("rows-note")[2].partition(">")[2]
            found[html.unescape(instance_id[1])] = Result(badge[1], badge[2], words(note))
    return found


def sent(sandbox: Sandbox, action: str) -> list[str]:
    """Return the ids of the VMs that the cloud was asked to change like this."""
    return [call.path.split("/")[2] for call in sandbox.log.calls(OPERATIONS[action])]


def no_write(sandbox: Sandbox) -> bool:
    return not any(sandbox.log.calls(operation) for operation in OPERATIONS.values()) and not Operation.objects.exists()


def button(response: HttpResponse) -> str:
    """Return the HTML of the button that sends it."""
    found = re.search(r'<button type="submit" name="intent".*?</button>', body(response), re.DOTALL)
    assert found
    return found.group(0)


# --- the question


@pytest.mark.feature("VM-02", "VM-18")
def test_it_asks_with_a_line_for_each_vm(operator: Client, sandbox: Sandbox) -> None:
    # given a VM that runs, one that is stopped, one that changes, and one that does not exist
    response = ask(operator, "stop", ONE, STOPPED, BUSY, "BRK-1D", ONE)
    assert response.status_code == 200
    lines = questions(response)
    # then each has one line: what it is, and why nothing is sent for it
    assert list(lines) == [ONE, STOPPED, BUSY, "BRK-1D"]
    assert lines[ONE] == f"ml-training-server {ONE} Active"
    assert "Nothing is sent: Only an active VM can be stopped; this one is stopped" in lines[STOPPED]
    assert "Nothing is sent: The VM is stopping: wait until that is done." in lines[BUSY]
    assert "Nothing is sent: It no longer exists." in lines["BRK-1D"]
    # and what it means in money: of those alone for which something is sent
    text = text_of(response)
    assert "Stop 1 VM" in text
    assert "Stopped VMs are still billed at the full rate" in text
    assert "$4.50 / h" in text
    assert "disabled" not in button(response)
    assert no_write(sandbox)


def test_it_says_what_hibernating_and_starting_mean_in_money(operator: Client, sandbox: Sandbox) -> None:
    text = text_of(ask(operator, "hibernate", ONE, STOPPED))
    assert "Hibernate 2 VMs" in text
    assert "They cost $5.19 / h now, and $0.02 / h hibernated." in text
    assert "Only root disks are certain to be kept" in text
    assert "Restoring them needs free GPUs" in text
    assert "does not change what they cost: $0.69 / h" in text_of(ask(operator, "start", STOPPED))
    # and nothing of money when a price is not known
    sandbox.world.instances[ONE] |= {"gpu_type": "B200", "billing": None}
    text = text_of(ask(operator, "hibernate", ONE, STOPPED))
    assert "/ h" not in text
    assert "Only root disks are certain to be kept" in text


@pytest.mark.feature("VM-09")
def test_it_asks_to_type_how_many_are_deleted(admin: Client, sandbox: Sandbox) -> None:
    # given two that can be deleted, one of which runs, and one that is gone already
    response = ask(admin, "delete", ONE, STOPPED, DELETED)
    text = text_of(response)
    assert "2 VMs will be deleted with their disks. This cannot be undone." in text
    assert "$5.19 / h end" in text
    assert "Volumes should stay, and snapshots do; both are still charged." in text
    assert "Type “delete 2” to delete them" in text
    assert "Nothing is sent: The VM is deleted." in questions(response)[DELETED]
    assert 'class="btn btn-danger"' in button(response)


def test_it_asks_for_no_words_to_delete_what_is_young_and_does_not_run(admin: Client, sandbox: Sandbox) -> None:
    # given a VM in ERROR, 36 hours old
    assert 'name="typed"' not in body(ask(admin, "delete", FAILED))
    response = send(admin, filled(admin, "delete", FAILED))
    assert results(response)[FAILED].word == "Done"
    assert sent(sandbox, "delete") == [FAILED]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ({"action": "stop"}, "No VM is chosen"),
        ({"action": "stop", "vm": ""}, "No VM is chosen"),
        ({"action": "stop", "all": "1", "q": "no such vm"}, "No VM is chosen"),
        ({"action": "fly", "vm": ONE}, "Nothing to do"),
        ({"action": "reboot", "vm": ONE}, "Nothing to do"),
        ({"vm": ONE}, "Nothing to do"),
        ({}, "Nothing to do"),
    ],
)
def test_it_says_when_nothing_is_chosen_or_wanted(
    operator: Client, sandbox: Sandbox, query: dict[str, str], title: str
) -> None:
    for response, status in ((operator.get(URL, query), 200), (operator.post(URL, query), 422)):
        assert response.status_code == status
        assert title in text_of(response)
        assert "disabled" in button(response)
        assert questions(response) == {}
    # also when the form says that it is to be sent
    assert operator.post(URL, {"intent": query.get("action", ""), **query}).status_code == 422
    assert no_write(sandbox)


def test_it_says_when_none_of_them_can_be_changed(operator: Client, sandbox: Sandbox) -> None:
    response = ask(operator, "start", ONE, HIBERNATED)
    assert "None of them can be changed like this" in text_of(response)
    assert "disabled" in button(response)
    assert len(questions(response)) == 2


def test_it_takes_a_hundred_and_no_more(operator: Client, sandbox: Sandbox) -> None:
    ids = copies(sandbox, 101)
    assert len(questions(ask(operator, "stop", *ids[:100]))) == 100
    for response in (ask(operator, "stop", *ids), ask(operator, "stop", all="1")):
        assert "Too many VMs at once" in text_of(response)
        assert "disabled" in button(response)
    posted = operator.post(URL, {"action": "stop", "intent": "stop", "vm": ids})
    assert posted.status_code == 422
    assert no_write(sandbox)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"region": "CANADA-1", "state": "ACTIVE"}, {"ml-training-server", "rag-index-builder", "eval-harness"}),
        ({"gpu": "L40", "q": "brk"}, {"rag-index-builder", "tts-voices", "inference-gateway"}),
        ({"q": "eval", "page": "7", "view": "table"}, {"eval-harness", "nightly-eval"}),
    ],
)
def test_it_takes_all_that_fit_the_filters(operator: Client, query: dict[str, str], names: set[str]) -> None:
    # given filters, and a VM that was ticked beside "all"
    lines = questions(ask(operator, "hibernate", STOPPED, all="1", **query))
    assert {line.split(" BRK-")[0] for line in lines.values()} == names


def test_it_shows_hostile_names_and_ids_as_text(admin: Client, sandbox: Sandbox) -> None:
    hostile = '"><script>alert(1)</script>'
    only(sandbox, vm_name=hostile * 20, status=hostile)
    response = ask(admin, "stop", ONE, hostile, "x" * 5000, "\u202e", "a/b")
    assert response.status_code == 200
    assert "<script>alert" not in body(response)
    assert "x" * 129 not in body(response)
    assert len(questions(response)) == 5
    # also in the result
    sandbox.world.instances[ONE]["status"] = "ACTIVE"
    response = send(admin, filled(admin, "stop", ONE))
    assert "<script>alert" not in body(response)
    assert len(text_of(response)) < 2000


# --- who may, and how


@pytest.mark.parametrize("action", ["start", "stop", "hibernate", "delete"])
@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_is_for_those_who_may(sandbox: Sandbox, sign_in: Any, role: str, action: str) -> None:
    if role == "operator" and action != "delete":
        assert ask(sign_in(role), action, ONE).status_code == 200
        return
    browser = sign_in(role)
    for response in (ask(browser, action, ONE), send(browser, {"action": action, "intent": action, "vm": ONE})):
        assert response.status_code == 403
        assert f"your role is {role}." in text_of(response)
    assert no_write(sandbox)


def test_it_refuses_other_methods_and_visitors(admin: Client, client: Client, sandbox: Sandbox) -> None:
    for method in ("put", "patch", "delete"):
        assert getattr(admin, method)(URL).status_code == 405
    assert client.get(URL)["Location"].startswith("/account/login/")
    assert client.post(URL, {"action": "stop"})["Location"].startswith("/account/login/")
    assert sandbox.log.calls() == []


def test_it_sends_nothing_without_the_buttons_own_word(operator: Client, sandbox: Sandbox) -> None:
    form = filled(operator, "stop", ONE)
    for intent in ("", "start", "delete"):
        response = send(operator, form | {"intent": intent})
        assert response.status_code == 422
        assert list(questions(response)) == [ONE]
    assert no_write(sandbox)


def test_it_sends_nothing_for_a_token_that_is_not_its_own(operator: Client, admin: Client, sandbox: Sandbox) -> None:
    # given tokens of somebody else, of another action, of another VM, of nobody
    form, person = filled(operator, "stop", ONE), Operation._meta.get_field("user").related_model
    mine = person.objects.get(email="operator@example.com").pk
    forged = [
        filled(admin, "stop", ONE)[f"token-{ONE}"],
        new_token(mine, "instance.start", ONE),
        new_token(mine, "instance.stop", STOPPED),
        "x",
    ]
    for token in forged:
        found = results(send(operator, form | {f"token-{ONE}": token}))[ONE]
        assert found.word == "Not sent"
        assert "This form was not made for this page" in found.text
    assert no_write(sandbox)


# --- one VM


@pytest.mark.parametrize(
    ("action", "instance_id", "said"),
    [
        ("start", STOPPED, "notebook-anna is starting."),
        ("stop", ONE, "ml-training-server is stopping. It stays billed at the full rate."),
        ("hibernate", STOPPED, "notebook-anna is hibernating."),
    ],
)
def test_it_carries_it_out_and_says_what_came_of_it(
    operator: Client, sandbox: Sandbox, action: str, instance_id: str, said: str
) -> None:
    response = send(operator, filled(operator, action, instance_id))
    assert response.status_code == 200
    assert results(response) == {instance_id: Result("good", "Done", said)}
    assert "1 of 1 is done" in text_of(response)
    assert response["HX-Trigger"] == "vms:changed"
    assert "<html" not in body(response)
    # and the cloud was asked once, and the trail has one event
    assert sent(sandbox, action) == [instance_id]
    assert [(row.action, row.target_id, row.result) for row in Event.objects.all()] == [
        (f"instance.{action}", instance_id, "done")
    ]


@pytest.mark.feature("NAV-18")
def test_it_is_sent_once_however_often_the_form_comes(operator: Client, sandbox: Sandbox) -> None:
    form = filled(operator, "stop", ONE)
    first, second = send(operator, form), send(operator, form)
    assert sent(sandbox, "stop") == [ONE]
    assert results(first) == results(second)
    assert Event.objects.count() == 1


@pytest.mark.parametrize("typed", ["", "delete", "delete 2", "ml-training-server", "DELETE 1", "x" * 5000])
def test_it_deletes_nothing_until_the_words_are_typed(admin: Client, sandbox: Sandbox, typed: str) -> None:
    form = filled(admin, "delete", ONE)
    response = send(admin, form | {"typed": typed})
    assert response.status_code == 422
    assert "Type “delete 1” exactly. Nothing is deleted until then." in text_of(response)
    assert 'aria-invalid="true"' in body(response)
    assert no_write(sandbox)
    # when they are, then it is deleted; the form that came back is as good as the first
    again = dict(re.findall(r'<input type="hidden" name="(token-[^"]+)" value="([^"]+)"', body(response)))
    assert results(send(admin, form | again | {"typed": " delete 1 "}))[ONE].word == "Done"
    assert sent(sandbox, "delete") == [ONE]


def test_it_says_what_the_cloud_refused(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given a VM that somebody else has stopped, which the portal's list does not show yet
    settings.FRESH_STATUS_SECONDS = 60
    form = filled(operator, "stop", ONE)
    sandbox.world.instances[ONE]["status"] = "SHUTOFF"
    found = results(send(operator, form))[ONE]
    assert (found.tone, found.word) == ("bad", "Refused")
    assert "SHUTOFF" in found.text
    assert Event.objects.get().result == "refused"


def test_it_sends_nothing_for_what_has_changed_since(operator: Client, sandbox: Sandbox) -> None:
    form = filled(operator, "stop", ONE)
    sandbox.world.instances[ONE]["status"] = "HIBERNATED"
    found = results(send(operator, form))[ONE]
    assert found == Result("neutral", "Not sent", "Only an active VM can be stopped; this one is hibernated.")
    # also for one that is gone
    del sandbox.world.instances[ONE]
    assert results(send(operator, form))[ONE] == Result("neutral", "Not sent", "It no longer exists.")
    assert no_write(sandbox)


@pytest.mark.parametrize("kind", ["hang", "html", "close"])
def test_it_says_what_is_not_certain(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("stop_instance", kind)
    response = send(operator, filled(operator, "stop", ONE))
    found = results(response)[ONE]
    assert (found.tone, found.word) == ("moving", "Not certain")
    assert "it is not certain yet whether the VM is stopping" in found.text
    assert f'<a href="/activity/{Operation.objects.get().pk}/">Follow this operation</a>' in body(response)
    assert "0 of 1 is done" in text_of(response)


@pytest.mark.parametrize("kind", ["drop_answer", "invalid_json", "truncate"])
def test_it_sees_for_itself_what_an_answer_did_not_say(operator: Client, sandbox: Sandbox, kind: str) -> None:
    sandbox.faults.arm("stop_instance", kind)
    assert results(send(operator, filled(operator, "stop", ONE)))[ONE].word == "Done"
    assert sent(sandbox, "stop") == [ONE]


# --- a bad day


def test_it_says_so_when_the_list_cannot_be_read(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    for response in (ask(operator, "stop", ONE), send(operator, {"action": "stop", "intent": "stop", "vm": ONE})):
        assert response.status_code == 503
        assert "Barrack does not answer" in text_of(response)
    assert no_write(sandbox)


def test_it_changes_nothing_from_an_older_copy(operator: Client, sandbox: Sandbox) -> None:
    form = filled(operator, "stop", ONE)
    sandbox.faults.arm("*", "refuse", times=None)
    opened, posted = ask(operator, "stop", ONE), send(operator, form)
    assert "Barrack does not answer" in text_of(opened)
    assert "disabled" in button(opened)
    assert posted.status_code >= 400
    assert "Barrack does not answer" in text_of(posted)
    assert no_write(sandbox)


def test_it_says_not_sent_when_only_the_call_does_not_come_through(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("stop_instance", "refuse")
    found = results(send(operator, filled(operator, "stop", ONE)))[ONE]
    assert found.word == "Not sent"
    assert "nothing was changed" in found.text
    assert sandbox.world.instances[ONE]["status"] == "ACTIVE"


# --- several, at once


@several
def test_it_does_the_rest_when_some_of_fifty_fail(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given fifty VMs, of which three are not what the list says, and a cloud that fails now and then
    settings.FRESH_STATUS_SECONDS, settings.API_WRITE_SECONDS = 60, 3
    ids = copies(sandbox, 50)
    form = filled(operator, "stop", *ids)
    for instance_id in ids[10:13]:
        sandbox.world.instances[instance_id]["status"] = "HIBERNATED"
    sandbox.faults.arm("stop_instance", "html", times=2)
    sandbox.faults.arm("stop_instance", "status", status=429, times=2)
    sandbox.faults.arm("stop_instance", "drop_answer", times=2)
    # when all are to be stopped
    response = send(operator, form)
    # then each was sent once, and its line says what the cloud answered
    assert sorted(sent(sandbox, "stop")) == sorted(ids)
    lost = {call.path.split("/")[2] for call in sandbox.log.calls("stop_instance") if call.status == 502}
    busy = {call.path.split("/")[2] for call in sandbox.log.calls("stop_instance") if call.status == 429}
    refused = set(ids[10:13]) - lost - busy
    assert (len(lost), len(busy)) == (2, 2)
    found = results(response)
    assert list(found) == ids
    assert {key for key in ids if found[key].word == "Not certain"} == lost
    assert {key for key in ids if found[key].word == "Refused"} == busy | refused
    done = {key for key in ids if found[key].word == "Done"}
    assert done == set(ids) - lost - busy - refused
    assert len(done) >= 43
    assert f"{len(done)} of 50 are done" in text_of(response)
    assert all("HIBERNATED" in found[key].text for key in refused)
    assert all(sandbox.world.instances[key]["status"] == "STOPPING" for key in done)
    # and the trail has one event for each that is settled, in one unbroken chain
    settled = Event.objects.filter(action="instance.stop", result__in=["done", "refused"])
    assert sorted(settled.values_list("target_id", flat=True)) == sorted(set(ids) - lost)
    assert Event.objects.count() == len(set(Event.objects.values_list("target_id", flat=True)))
    assert first_break() is None
    # when the form comes once more, then nothing is sent, and every line is as it was
    assert results(send(operator, form)) == found
    assert len(sent(sandbox, "stop")) == 50


@several
def test_it_answers_in_time_however_long_the_cloud_hangs(
    operator: Client, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given ten VMs, eight of which are sent at once, and a cloud that does not answer
    monkeypatch.setattr("barrack_web.middleware.PAGE_SECONDS", 4)
    settings.API_WRITE_SECONDS = 5
    ids = copies(sandbox, 10)
    form = filled(operator, "stop", *ids)
    sandbox.faults.arm("stop_instance", "hang", times=None)
    began = time.monotonic()
    response = send(operator, form)
    # then the answer comes in time: eight are not certain, and for the others there was none left
    assert time.monotonic() - began < 6
    assert response.status_code == 200
    found = results(response)
    assert [line.word for line in found.values()].count("Not certain") == len(sent(sandbox, "stop")) == 8
    late = [line for line in found.values() if line.word == "Not sent"]
    assert len(late) == 2
    assert all("there was no time left for it. Nothing was sent." in line.text for line in late)
    assert "0 of 10 are done" in text_of(response)


@several
def test_it_works_as_a_plain_page(admin: Client, sandbox: Sandbox) -> None:
    # given somebody without JavaScript, and three VMs of which two can be deleted
    opened = admin.get(URL, {"action": "delete", "vm": [ONE, FAILED, DELETED]})
    assert "<html" in body(opened)
    assert 'method="post" action="/vms/bulk/"' in body(opened)
    form = filled(admin, "delete", ONE, FAILED, DELETED)
    # when the words are wrong, then the page comes back with what was typed
    wrong = admin.post(URL, form | {"typed": "delete 3"})
    assert wrong.status_code == 422
    assert "<html" in body(wrong)
    assert 'value="delete 3"' in body(wrong)
    assert no_write(sandbox)
    # and when they are right, then the result is a page with a way back
    response = admin.post(URL, form | {"typed": "delete 2"})
    assert response.status_code == 200
    assert "<html" in body(response)
    assert [line.word for line in results(response).values()] == ["Done", "Done", "Not sent"]
    assert results(response)[DELETED].text == "The VM is deleted."
    assert 'href="/vms/"' in body(response)
    assert sorted(sent(sandbox, "delete")) == [ONE, FAILED]
    assert Event.objects.filter(action="instance.delete").count() == 2


@several
def test_it_shows_the_same_result_when_a_deletion_with_a_refusal_is_sent_again(
    admin: Client, sandbox: Sandbox, settings: Any
) -> None:
    settings.API_WRITE_SECONDS = 3
    # given two VMs of which one is refused, and so is still there
    ids = copies(sandbox, 2)
    form = filled(admin, "delete", *ids, typed="delete 2")
    sandbox.faults.arm("delete_instance", "status", status=429)
    first = send(admin, form)
    assert sorted(line.word for line in results(first).values()) == ["Done", "Refused"]
    # when the same form comes once more, then nothing is sent, and the result is the same
    second = send(admin, form)
    assert results(second) == results(first)
    assert len(sent(sandbox, "delete")) == 2


@several
def test_it_is_sent_once_by_two_clicks_at_the_same_moment(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    settings.API_WRITE_SECONDS = 3
    ids = copies(sandbox, 3)
    form = filled(operator, "stop", *ids)
    sandbox.latency = 0.05
    first, second = at_once(*[lambda: send(operator, form)] * 2)
    assert results(first) == results(second)
    assert [line.word for line in results(first).values()] == ["Done"] * 3
    assert sorted(sent(sandbox, "stop")) == ids
    assert Event.objects.count() == 3


def test_it_sends_nothing_for_a_vm_that_was_not_offered(operator: Client, sandbox: Sandbox) -> None:
    # given a question in which one VM of two could not be hibernated
    form = filled(operator, "hibernate", ONE, BUSY)
    # when it can be by the time of the answer
    sandbox.world.instances[BUSY]["status"] = "ACTIVE"
    found = results(send(operator, {**form, "vm": [BUSY]}))
    # then it is left alone: it was not part of what was confirmed
    assert found[BUSY].word == "Not sent"
    assert "It was not part of what was confirmed" in found[BUSY].text
    assert sent(sandbox, "hibernate") == []


def test_it_sends_nothing_without_the_tokens_of_its_own_form(operator: Client, sandbox: Sandbox) -> None:
    response = send(operator, {"action": "stop", "intent": "stop", "vm": [ONE]})
    assert results(response)[ONE].word == "Not sent"
    assert sent(sandbox, "stop") == []


def test_it_goes_on_after_a_fault_of_its_own(
    operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given a database that fails while one VM's result is written
    def failing(*_: object) -> None:
        raise OperationalError("the disk is full")

    form = filled(operator, "stop", ONE)
    monkeypatch.setattr("apps.activity.perform.close", failing)
    found = results(send(operator, form))
    assert found[ONE].word == "Not certain"
    assert "Look at Activity" in found[ONE].text
    assert "the bulk stop of one VM failed" in caplog.text
