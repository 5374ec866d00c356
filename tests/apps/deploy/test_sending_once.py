"""One draft, one VM: whatever becomes of the answer, of the worker, and however often and from wherever it is sent."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from apps.activity.models import Event, Operation
from apps.deploy.models import Draft
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import at_once, put_vm, twin
from tests.apps.deploy.helpers import NAME, URL, errors, form_of, section
from tests.apps.deploy.sends import CREATE, again, drafted, filled, led_to, opened, page_of, send, vms, wanted
from tests.apps.snapshots.helpers import LOST_AFTER, LOST_BEFORE, alert, body
from tests.conftest import HTMX, text_of, token_of

# Ways in which nobody knows whether anything was done, and nothing was.
NOTHING_DONE = [
    *((kind, {}, shown) for kind, shown, _ in LOST_BEFORE),
    ("status", {"status": 500}, 502),
    ("status", {"status": 502}, 502),
    ("status", {"status": 504, "body": "gateway timeout"}, 502),
    ("status", {"status": 503, "body": "upstream connect error"}, 502),
    ("redirect", {}, 502),
]
# Ways in which it was done, and the answer does not say so.
ALL_DONE = [
    *((kind, {}) for kind in LOST_AFTER),
    ("delay", {"seconds": 1.0}),
    ("invalid_json", {"status": 500}),
    ("invalid_json", {"status": 502}),
    ("invalid_json", {"status": 504}),
]


def one_vm(sandbox: Sandbox) -> str:
    """Return the id of the one VM that was made."""
    (vm,) = vms(sandbox)
    return str(vm["instance_id"])


# -- the answer is lost


@pytest.mark.feature("DEP-43")
@pytest.mark.parametrize(("kind", "fields"), ALL_DONE)
def test_it_finds_the_vm_by_its_name(operator: Client, sandbox: Sandbox, kind: str, fields: dict[str, Any]) -> None:
    # given a deployment that is carried out, whose answer is lost
    data = filled(operator)
    sandbox.faults.arm(CREATE, kind, **fields)
    response = send(operator, data)
    # then the VM is found after one call, and all is as ever
    operation = Operation.objects.get()
    assert (operation.state, operation.result_id) == ("done", one_vm(sandbox))
    assert led_to(response) == page_of(operation)
    assert len(wanted(sandbox)) == 1
    # but for the id that stood in the answer alone
    page = text_of(operator.get(page_of(operation)))
    assert "Deployment ID not told: the answer that carries it did not arrive" in page


@pytest.mark.parametrize(("kind", "fields", "shown"), NOTHING_DONE)
def test_it_says_that_it_is_not_seen_yet(
    operator: Client, sandbox: Sandbox, kind: str, fields: dict[str, Any], shown: int
) -> None:
    # given a deployment of which nothing is known, and that was not carried out
    data = filled(operator)
    sandbox.faults.arm(CREATE, kind, **fields)
    response = send(operator, data)
    # then it says so, and leads to where it is followed
    operation = Operation.objects.get()
    assert (response.status_code, operation.state) == (shown, "unknown")
    assert alert(response).startswith("Not seen yet Barrack's answer ")
    assert "We keep looking for 10 minutes. Trying again under the same name cannot make a second VM." in alert(
        response
    )
    assert f'href="{page_of(operation)}"' in body(response)
    assert f'href="{operation.get_absolute_url()}"' not in body(response)
    # the same form sends nothing more
    assert alert(send(operator, data)).startswith("Not seen yet")
    assert (len(wanted(sandbox)), vms(sandbox)) == (1, [])
    # the one in the answer does, under the same name, and there is one VM
    assert led_to(send(operator, again(response)))
    call_command("tick")
    with clock.moved(timedelta(minutes=11)):
        call_command("tick")
    assert len(vms(sandbox)) == 1
    assert sorted(Operation.objects.values_list("state", flat=True)) == ["done", "not_seen"]


def test_it_waits_before_it_sends_an_uncertain_draft_under_another_name(operator: Client, sandbox: Sandbox) -> None:
    # given a draft of which nobody knows whether it was deployed
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    form = again(send(operator, data))
    first = Operation.objects.get()
    # when it is sent under another name
    response = send(operator, form, name="another")
    # then nothing goes out, and it says why and what helps
    assert response.status_code == 409
    assert alert(response) == (
        f"The first sending is not certain yet This form was sent as “{NAME}”, and what came of that is not known yet. "
        "Nothing more was sent. Under the same name it can be sent again: that cannot make a second VM. "
        "Starting over could. Follow that deployment"
    )
    assert f'href="{page_of(first)}"' in body(response)
    assert (len(wanted(sandbox)), Operation.objects.count()) == (1, 1)
    # and once it is known that nothing was made, it goes out, also where no tick has passed
    with clock.moved(timedelta(minutes=10, seconds=1)):
        assert led_to(send(operator, again(response)))
    assert [len(vms(sandbox, name)) for name in (NAME, "another")] == [0, 1]
    first.refresh_from_db()
    assert first.state == "not_seen"


@pytest.mark.parametrize("name", [NAME, "another"])
def test_it_leads_to_the_vm_that_a_lost_answer_has_made(operator: Client, sandbox: Sandbox, name: str) -> None:
    # given a deployment whose answer was lost, and whose VM was listed only later
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    sandbox.faults.arm(CREATE, "close")
    assert alert(send(operator, data)).startswith("Not seen yet")
    put_vm(sandbox, "BRK-900001D", NAME)
    # when the same draft is sent again from another window, under whichever name
    response = send(operator, window, name=name)
    # then the VM that is there now is not in its way: it is what the form has made
    operation = Operation.objects.get()
    assert led_to(response) == page_of(operation)
    assert (operation.state, operation.result_id) == ("done", one_vm(sandbox))
    assert len(wanted(sandbox)) == 1


def test_it_sends_nothing_more_while_the_list_cannot_be_read(operator: Client, sandbox: Sandbox) -> None:
    # given an unknown sending, and an API that fails since
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    form = again(send(operator, data))
    sandbox.faults.arm("list_instances", "refuse", times=None)
    # when it is sent again, then nothing goes out
    response = send(operator, form)
    assert response.status_code == 503
    assert (len(wanted(sandbox)), vms(sandbox)) == (1, [])


# -- the worker dies


def died(seconds: int) -> Operation:
    """Leave the one operation as a worker does that was killed in its middle so long ago."""
    operation = Operation.objects.get()
    operation.state, operation.result_id, operation.closed_at = "sent", "", None
    operation.sent_at = clock.now() - timedelta(seconds=seconds)
    operation.save()
    return operation


@pytest.mark.parametrize("how", ["same form", "other window", "other name", "tick"])
def test_it_finds_the_vm_of_a_worker_that_was_killed(
    operator: Client, sandbox: Sandbox, settings: Any, how: str
) -> None:
    # given a worker that was killed right after the cloud had made the VM
    settings.SENT_TWICE_WAIT_SECONDS = 0.1
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    send(operator, data)
    operation = died(seconds=40)
    # when the draft is sent again, or the portal looks by itself
    if how == "tick":
        call_command("tick")
    response = send(
        operator, window if how == "other window" else data, **({"name": "x"} if how == "other name" else {})
    )
    # then there is one VM, and the form leads to it
    operation.refresh_from_db()
    assert led_to(response) == page_of(operation)
    assert len(wanted(sandbox)) == len(vms(sandbox)) == 1
    if how in {"other window", "tick"}:
        assert (operation.state, operation.result_id) == ("done", one_vm(sandbox))


def test_it_sends_again_what_a_killed_worker_has_not_sent(operator: Client, sandbox: Sandbox) -> None:
    # given a worker that was killed right before the call
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    send(operator, data)
    sandbox.world.instances.pop(one_vm(sandbox))
    operation = died(seconds=40)
    # when the draft is sent again under another name, it waits for what became of the first
    response = send(operator, window, name="another")
    assert alert(response).startswith("The first sending is not certain yet")
    # and under the same name it goes out
    assert led_to(send(operator, again(response), name=NAME))
    assert len(vms(sandbox)) == 1
    with clock.moved(timedelta(minutes=11)):
        call_command("tick")
    operation.refresh_from_db()
    assert operation.state == "not_seen"


@pytest.mark.parametrize("name", [NAME, "another"])
def test_it_sends_nothing_beside_one_that_may_be_running(operator: Client, sandbox: Sandbox, name: str) -> None:
    # given a sending whose worker may still be at it
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    send(operator, data)
    sandbox.world.instances.pop(one_vm(sandbox))
    died(seconds=5)
    # when the draft is sent from another window
    response = send(operator, window, name=name)
    # then nothing goes out
    assert response.status_code == 409
    assert alert(response).startswith(
        "Another change is under way" if name == NAME else "The first sending is not certain yet"
    )
    assert len(wanted(sandbox)) == 1


# -- sent more than once


def test_it_makes_one_vm_of_a_form_that_is_sent_again(operator: Client, sandbox: Sandbox) -> None:
    # given a form that was sent, and somebody who goes Back and sends it again, even with something else in it
    data = filled(operator)
    first = send(operator, data)
    for second in (send(operator, data), send(operator, data, name="another"), operator.post(URL, data)):
        assert (led_to(second) or second["Location"]) == led_to(first)
    assert len(wanted(sandbox)) == 1
    assert Event.objects.count() == 1


@pytest.mark.parametrize("changed", [{}, {"name": "another"}, {"gpu_count": "2"}])
def test_it_makes_one_vm_of_two_windows(operator: Client, sandbox: Sandbox, changed: dict[str, str]) -> None:
    # given the same draft in two windows, each with a token of its own
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    assert data["token"] != window["token"]
    first = send(operator, data)
    # when the second is sent after the first, changed or not, then it leads to the VM of the first
    assert led_to(send(operator, window, **changed)) == led_to(first)
    assert (len(wanted(sandbox)), Operation.objects.count()) == (1, 1)


@pytest.mark.parametrize("kept", [True, False])
def test_it_leads_from_a_sent_draft_to_its_vm(operator: Client, sandbox: Sandbox, kept: bool) -> None:
    # given a draft that was sent, and perhaps is no longer kept
    data = filled(operator)
    first = led_to(send(operator, data))
    if not kept:
        Draft.objects.all().delete()
    # when somebody opens its address, chooses something or sends it again, then it leads to its VM
    assert operator.get(URL, {"draft": data["draft"]})["Location"] == first
    assert operator.post(URL, {**data, "intent": "update"})["Location"] == first
    again_without_token = {**data, "token": "x"}
    assert operator.post(URL, again_without_token)["Location"] == first
    assert len(wanted(sandbox)) == 1


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_vm_of_a_double_click(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given one form, and a cloud that takes a moment
    settings.API_WRITE_SECONDS = 3
    data = filled(operator)
    sandbox.faults.arm(CREATE, "delay", seconds=0.3, times=None)
    # when it comes twice at once
    tabs = [twin(operator), twin(operator)]
    answers = at_once(*(lambda tab=tab: send(tab, data) for tab in tabs))
    # then one deployment goes out, and both are led to it
    assert [led_to(answer) for answer in answers] == [page_of(Operation.objects.get())] * 2
    assert len(wanted(sandbox)) == len(vms(sandbox)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", [NAME, "another"])
def test_it_makes_one_vm_of_two_windows_at_once(operator: Client, sandbox: Sandbox, settings: Any, name: str) -> None:
    # given the same draft in two windows
    settings.API_WRITE_SECONDS = 3
    draft = drafted(operator)
    data, window = opened(operator, draft), opened(operator, draft)
    sandbox.faults.arm(CREATE, "delay", seconds=0.3, times=None)
    # when both are sent at once, under the same or another name
    tabs = [twin(operator), twin(operator)]
    answers = at_once(lambda: send(tabs[0], data), lambda: send(tabs[1], window, name=name))
    # then one deployment goes out, and the other one is told
    assert len(wanted(sandbox)) == len(vms(sandbox)) + len(vms(sandbox, "another")) == 1
    told = [answer for answer in answers if not led_to(answer)]
    assert len(told) <= 1
    for answer in told:
        assert answer.status_code == 409
        assert "sent" in alert(answer)
    # and leads to it afterwards
    assert operator.get(URL, {"draft": str(draft.pk)})["Location"] == page_of(Operation.objects.get(state="done"))


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_vm_of_two_drafts_of_one_name(
    operator: Client, admin: Client, sandbox: Sandbox, settings: Any
) -> None:
    # given two people with the same name in their drafts
    settings.API_WRITE_SECONDS = 3
    one, two = filled(operator), filled(admin)
    sandbox.faults.arm(CREATE, "delay", seconds=0.2, times=None)
    # when both send at once
    answers = at_once(lambda: send(operator, one), lambda: send(admin, two))
    # then one VM is made, the other one hears that the name is taken, and its draft can be sent under another
    assert len(vms(sandbox)) == 1
    (told,) = [number for number, answer in enumerate(answers) if not led_to(answer)]
    assert answers[told].status_code in {409, 422}
    assert "name" in alert(answers[told]) or errors(section(answers[told], "access"))
    browser, draft = [(operator, one["draft"]), (admin, two["draft"])][told]
    sandbox.faults.clear()
    form = form_of(browser.get(URL, {"draft": draft[0]}))
    assert led_to(send(browser, form, intent="create", name="another", seen_price="1.55 USD"))


def test_it_deploys_another_one_of_a_new_draft(operator: Client, sandbox: Sandbox) -> None:
    first = send(operator, filled(operator))
    second = send(operator, filled(operator, name="another"))
    assert led_to(first) != led_to(second)
    assert [len(vms(sandbox, name)) for name in (NAME, "another")] == [1, 1]


def test_it_says_on_the_form_that_what_came_of_it_is_not_known(operator: Client, sandbox: Sandbox) -> None:
    # given a draft whose answer was lost
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    send(operator, data)
    # when somebody opens it again, then it says so
    response = operator.get(URL, {"draft": data["draft"]})
    assert alert(response).startswith(f"The first sending is not certain yet This form was sent as “{NAME}”")
    assert f'href="{page_of(Operation.objects.get())}"' in body(response)


def test_it_leads_to_the_vm_when_a_draft_is_opened_whose_answer_was_lost(operator: Client, sandbox: Sandbox) -> None:
    # given a draft whose answer was lost, and its own VM in the list now
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    send(operator, data)
    put_vm(sandbox, "BRK-900001D", NAME)
    # when somebody opens it again, then its own name does not stand in its way
    assert operator.get(URL, {"draft": data["draft"]})["Location"] == page_of(Operation.objects.get())
    assert Operation.objects.get().result_id == one_vm(sandbox)


def test_it_does_not_take_the_vm_of_another_draft_for_its_own(
    operator: Client, admin: Client, sandbox: Sandbox
) -> None:
    # given a draft that was not carried out, of which that is not known yet
    one, two = filled(operator), filled(admin)
    sandbox.faults.arm(CREATE, "close")
    send(operator, one)
    first = Operation.objects.get()
    # when somebody else sends a draft under that name, then it waits
    response = send(admin, two)
    assert response.status_code == 409
    assert alert(response).startswith(f"This name is being used right now Another draft was sent as “{NAME}”")
    assert f'href="{page_of(first)}"' in body(response)
    assert (len(wanted(sandbox)), vms(sandbox)) == (1, [])
    # and goes out once it is known, or under another name
    assert led_to(send(admin, again(response), name="another"))
    with clock.moved(timedelta(minutes=11)):
        call_command("tick")
    assert led_to(send(admin, filled(admin)))
    first.refresh_from_db()
    assert (first.state, first.result_id, len(vms(sandbox))) == ("not_seen", "", 1)


def test_it_does_not_take_a_restored_vm_for_its_own(operator: Client, sandbox: Sandbox) -> None:
    # given a draft that was not carried out, and a snapshot that was restored under its name since
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    send(operator, data)
    address = "/snapshots/BRK-123456S/restore/"
    form = {"name": NAME, "intent": "restore", "token": token_of(operator.get(address, headers=HTMX))}
    assert operator.post(address, form, headers=HTMX).status_code == 200
    assert len(vms(sandbox)) == 1
    # when the draft's VM is looked for, then the restored one is not it
    call_command("tick")
    deployment = Operation.objects.get(kind="instance.create")
    assert (deployment.state, deployment.result_id) == ("unknown", "")
