"""activity.perform, as the restore form uses it: one form, one call, and its outcome written down."""

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import signing
from django.core.management import call_command
from django.core.signing import b62_encode
from django.db import connection
from django.test import Client

from apps.account.models import User
from apps.activity.models import Event, Operation
from apps.activity.perform import Target, perform
from apps.activity.tokens import MAX_AGE_SECONDS, SALT, new_token
from barrack_web import clock
from barrack_web.cached import PAGE_SECONDS, page_end_var
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import KIND, NAME, RESTORE, SNAPSHOT, at_once, form, new_row, put_vm, request_of, twin
from tests.conftest import HTMX, text_of, token_of

OTHER = "BRK-123463S"


def restores(sandbox: Sandbox) -> list[Any]:
    return [call.body for call in sandbox.log.calls("restore_snapshot")]


def vms_of_the_name(sandbox: Sandbox) -> list[str]:
    return [key for key, row in sandbox.world.instances.items() if row["vm_name"] == NAME]


def send(user: User, call: Any, **fields: Any) -> Any:
    """Perform a restore directly, with whatever call."""
    facts = {"kind": KIND, "target": Target(SNAPSHOT, "prod-backup-dec11"), "payload": {"name": [NAME]}, "name": NAME}
    token = new_token(user.pk, KIND, SNAPSHOT)
    return perform(request_of(user), call=call, **{**facts, "token": token, **fields})


# --- the row comes first


@pytest.mark.django_db(transaction=True)
def test_it_writes_the_row_before_the_call(sandbox: Sandbox, make_user: Any) -> None:
    # given a call that looks at the database
    seen = []

    def look(_: object, within: float) -> str:
        row = Operation.objects.get()
        seen.append((row.state, row.name, row.role, row.closed_at, connection.in_atomic_block, Event.objects.count()))
        return "BRK-900001D"

    # when it is performed
    outcome = send(make_user("operator"), look)
    # then the row was there as sent, no transaction was open, and afterwards it is closed with its event
    assert seen == [("sent", NAME, "operator", None, False, 0)]
    row = Operation.objects.get()
    assert (outcome.done, row.state, row.result_id) == (True, "done", "BRK-900001D")
    assert row.closed_at is not None
    assert row.duration_ms is not None


def test_it_writes_down_who_sent_what_from_where(operator: Client, sandbox: Sandbox) -> None:
    data = form(operator)
    operator.post(RESTORE, data, headers=HTMX | {"X-Request-ID": "from-the-test-1"}, REMOTE_ADDR="192.0.2.7")
    event = Event.objects.get()
    made = vms_of_the_name(sandbox)
    assert (event.who, event.role, event.action, event.result) == ("operator@example.com", "operator", KIND, "done")
    assert (event.target_id, event.target_name, event.name) == (SNAPSHOT, "prod-backup-dec11", NAME)
    assert (event.address, event.request_id, [event.result_id]) == ("192.0.2.7", "from-the-test-1", made)
    assert event.operation_id == Operation.objects.get().pk


# --- how it can end


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 418])
def test_it_calls_an_answer_of_refusal_refused(operator: Client, sandbox: Sandbox, status: int) -> None:
    # given an API that refuses
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "status", status=status)
    # when the form is sent
    response = operator.post(RESTORE, data, headers=HTMX)
    # then it is closed as refused, with the API's status, and the form is there again with what was typed
    row = Operation.objects.get()
    assert (row.state, row.upstream_status, row.result_id) == ("refused", status, "")
    assert row.closed_at is not None
    assert Event.objects.get().result == "refused"
    assert response.status_code >= 400
    assert f'value="{NAME}"' in response.content.decode()
    assert (len(restores(sandbox)), vms_of_the_name(sandbox)) == (1, [])


def test_it_calls_a_503_of_the_api_itself_refused_for_lack_of_stock(operator: Client, sandbox: Sandbox) -> None:
    data = form(operator)
    sandbox.world.stock[("CANADA-1", "H100-PCIe-80GB")] = 0
    response = operator.post(RESTORE, data, headers=HTMX)
    assert "No free GPUs" in text_of(response)
    assert (Operation.objects.get().state, Operation.objects.get().upstream_status) == ("refused", 503)


def test_it_calls_no_connection_not_sent(operator: Client, sandbox: Sandbox) -> None:
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "refuse")
    response = operator.post(RESTORE, data, headers=HTMX)
    row = Operation.objects.get()
    assert (response.status_code, row.state, row.upstream_status) == (503, "not_sent", None)
    assert row.closed_at is not None
    assert "nothing was sent and nothing was changed" in text_of(response)
    assert (Event.objects.get().result, vms_of_the_name(sandbox)) == ("not_sent", [])


@pytest.mark.parametrize("kind", ["delay", "drop_answer", "invalid_json", "truncate", "drip"])
def test_it_finds_what_a_lost_answer_made(operator: Client, sandbox: Sandbox, kind: str) -> None:
    # given an API that does the work and loses the answer
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", kind)
    # when the form is sent
    response = operator.post(RESTORE, data, headers=HTMX)
    # then the VM is found and shown as created, after one call
    row = Operation.objects.get()
    assert (row.state, [row.result_id]) == ("done", vms_of_the_name(sandbox))
    assert (response.status_code, len(restores(sandbox))) == (200, 1)
    assert "is being created" in text_of(response)
    assert [event.result for event in Event.objects.all()] == ["done"]


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("hang", {}, 504),
        ("close", {}, 502),
        ("html", {}, 502),
        ("redirect", {}, 502),
        ("status", {"status": 500}, 502),
        ("status", {"status": 503, "body": "upstream connect error"}, 502),
    ],
)
def test_it_says_so_when_nothing_is_to_be_seen(
    operator: Client, sandbox: Sandbox, kind: str, fields: dict[str, Any], status: int
) -> None:
    # given an API that breaks off and has done nothing
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", kind, **fields)
    # when the form is sent
    began = time.monotonic()
    response = operator.post(RESTORE, data, headers=HTMX)
    # then the row stays open, and the page says what that means
    row = Operation.objects.get()
    assert (response.status_code, row.state, row.closed_at) == (status, "unknown", None)
    words = text_of(response)
    assert "not seen yet" in words
    assert "We keep looking for 10 minutes" in words
    assert "Trying again under the same name cannot make a second VM" in words
    assert row.get_absolute_url() in response.content.decode()
    assert Event.objects.get().result == "unknown"
    # and no second call was made by itself
    assert (len(restores(sandbox)), vms_of_the_name(sandbox)) == (1, [])
    assert time.monotonic() - began < 5


def test_it_says_so_when_the_whole_api_is_down_after_the_call(operator: Client, sandbox: Sandbox) -> None:
    # given a call that is done and loses its answer, and no list to look it up in
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "drop_answer")

    def api_goes_down(client: Any, within: float) -> str:
        sandbox.faults.arm("list_instances", "hang", times=None)
        return str(client.snapshots.restore(SNAPSHOT, new_vm_name=NAME).instance_id)

    # when it is performed
    outcome = send(User.objects.get(), api_goes_down, token=data["token"])
    # then it is unknown, and once the API is back a pass of tick finds it
    assert outcome.operation.state == "unknown"
    assert "not seen yet" in outcome.alert.text
    sandbox.faults.clear()
    call_command("tick")
    assert [Operation.objects.get().result_id] == vms_of_the_name(sandbox)
    assert len(restores(sandbox)) == 1


def test_it_leaves_the_row_unknown_after_a_fault_of_ours(sandbox: Sandbox, make_user: Any) -> None:
    # given code that fails after the request may have gone out
    user = make_user("operator")

    def fail(_: object, within: float) -> str:
        raise ZeroDivisionError("a mistake of ours")

    # when it is performed, then the error is not hidden
    with pytest.raises(ZeroDivisionError):
        send(user, fail)
    # and the row says unknown and not sent: it is looked for
    row = Operation.objects.get()
    assert (row.state, row.closed_at, Event.objects.get().result) == ("unknown", None, "unknown")
    with clock.moved(timedelta(seconds=601)):
        call_command("tick")
    row.refresh_from_db()
    assert row.state == "not_seen"


# --- the token


def test_it_shows_the_first_result_when_the_same_form_comes_again(operator: Client, sandbox: Sandbox) -> None:
    data = form(operator)
    first, second = operator.post(RESTORE, data), operator.post(RESTORE, data)
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"]) == (302, "/vms/")
    assert (len(restores(sandbox)), Operation.objects.count(), Event.objects.count()) == (1, 1, 1)


def test_it_shows_the_refusal_again_when_a_refused_form_is_reloaded(operator: Client, sandbox: Sandbox) -> None:
    # given a form that was refused
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "status", status=402)
    operator.post(RESTORE, data, headers=HTMX)
    # when exactly the same form comes again
    again = operator.post(RESTORE, data, headers=HTMX)
    # then nothing is sent and it says the same
    assert again.status_code == 422
    assert "Insufficient Credits" in text_of(again)
    assert len(restores(sandbox)) == 1


def test_it_sends_a_refused_form_again_under_its_new_token(operator: Client, sandbox: Sandbox) -> None:
    # given a form that came back refused, with a new token in it
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "status", status=402)
    refused = operator.post(RESTORE, data, headers=HTMX)
    new = token_of(refused)
    assert new != data["token"]
    # when it is sent again
    response = operator.post(RESTORE, data | {"token": new}, headers=HTMX)
    # then that is a second call, and it is done
    assert (response.status_code, len(restores(sandbox)), len(vms_of_the_name(sandbox))) == (200, 2, 1)
    assert sorted(Operation.objects.values_list("state", flat=True)) == ["done", "refused"]


def test_it_does_not_send_another_name_under_a_used_token(operator: Client, sandbox: Sandbox) -> None:
    data = form(operator)
    operator.post(RESTORE, data, headers=HTMX)
    response = operator.post(RESTORE, data | {"name": "something-else"}, headers=HTMX)
    words = text_of(response)
    assert (response.status_code, len(restores(sandbox)), Operation.objects.count()) == (409, 1, 1)
    assert "This form was already sent" in words
    assert "Here is what it did: Restore snapshot" in words
    assert Operation.objects.get().get_absolute_url() in response.content.decode()


class Earlier(signing.TimestampSigner):
    """Signs as of some seconds ago."""

    ago = 0

    def timestamp(self) -> str:
        return b62_encode(int(time.time()) - self.ago)


def token_of_age(seconds: int, user: User) -> str:
    signer = Earlier(salt=SALT)
    signer.ago = seconds
    return str(signer.sign_object(["nonce-of-the-test", user.pk, KIND, SNAPSHOT]))


def test_it_takes_a_form_that_was_open_for_days(operator: Client, sandbox: Sandbox) -> None:
    token = token_of_age(MAX_AGE_SECONDS - 600, User.objects.get())
    response = operator.post(RESTORE, form(operator, token=token), headers=HTMX)
    assert (response.status_code, len(restores(sandbox))) == (200, 1)


@pytest.mark.parametrize("whose", ["forged", "empty", "cut", "foreign", "other target", "other kind", "expired"])
def test_it_sends_nothing_under_a_token_of_something_else(
    operator: Client, admin: Client, sandbox: Sandbox, whose: str
) -> None:
    # given a token that was not made for this form
    me = User.objects.get(role="operator")
    token = {
        "forged": lambda: signing.dumps(["n", me.pk, KIND, SNAPSHOT], key="another key", salt=SALT),
        "empty": lambda: "",
        "cut": lambda: new_token(me.pk, KIND, SNAPSHOT)[:-1],
        "foreign": lambda: form(admin)["token"],
        "other target": lambda: form(operator, f"/snapshots/{OTHER}/restore/")["token"],
        "other kind": lambda: new_token(me.pk, "snapshot.image", SNAPSHOT),
        "expired": lambda: token_of_age(MAX_AGE_SECONDS + 60, me),
    }[whose]()
    # when the form is sent with it
    response = operator.post(RESTORE, form(operator, token=token), headers=HTMX)
    # then nothing goes out, nothing is written, and what was typed is there with a token that works
    assert response.status_code == 422
    assert "This form was not made for this page" in text_of(response)
    assert (restores(sandbox), Operation.objects.count(), Event.objects.count()) == ([], 0, 0)
    assert f'value="{NAME}"' in response.content.decode()
    assert operator.post(RESTORE, form(operator, token=token_of(response)), headers=HTMX).status_code == 200


# --- at the same moment


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_call_for_one_form_in_two_threads(operator: Client, sandbox: Sandbox, settings: Any) -> None:
    # given one form and a call that takes a moment
    settings.API_WRITE_SECONDS = 3
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "delay", seconds=0.5, times=None)
    # when it comes twice at once
    tabs = [twin(operator), twin(operator)]
    answers = at_once(*(lambda tab=tab: tab.post(RESTORE, data, headers=HTMX) for tab in tabs))
    # then one call goes out, and both see its result
    assert (len(restores(sandbox)), Operation.objects.count(), len(vms_of_the_name(sandbox))) == (1, 1, 1)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert text_of(answers[0]) == text_of(answers[1])
    assert "is being created" in text_of(answers[0])


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_vm_for_two_forms_of_one_name(
    operator: Client, admin: Client, sandbox: Sandbox, settings: Any
) -> None:
    # given two people with the same name in their forms
    settings.API_WRITE_SECONDS = 3
    one, two = form(operator), form(admin)
    sandbox.faults.arm("restore_snapshot", "delay", seconds=1.0, times=None)
    # when both send at once
    answers = at_once(lambda: operator.post(RESTORE, one, headers=HTMX), lambda: admin.post(RESTORE, two, headers=HTMX))
    # then one call goes out, and the other one is told
    assert (len(restores(sandbox)), len(vms_of_the_name(sandbox))) == (1, 1)
    told, made = sorted(answers, key=lambda answer: -answer.status_code)
    assert (made.status_code, told.status_code) == (200, 409)
    assert "This name is being used right now" in text_of(told)
    assert f'value="{NAME}"' in told.content.decode()
    assert [row.state for row in Operation.objects.all()] == ["done"]


@pytest.mark.django_db(transaction=True)
def test_it_sends_the_operations_page_when_the_first_takes_too_long(
    operator: Client, sandbox: Sandbox, settings: Any
) -> None:
    # given a form whose first sending is still on its way
    settings.SENT_TWICE_WAIT_SECONDS = 0.1
    settings.API_WRITE_SECONDS = 3
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "delay", seconds=0.8)
    # when it is pressed again meanwhile
    tabs = [twin(operator), twin(operator)]
    answers = at_once(*(lambda tab=tab: tab.post(RESTORE, data, headers=HTMX) for tab in tabs))
    # then the second is led to the operation
    page = Operation.objects.get().get_absolute_url()
    assert sorted(answer.headers.get("HX-Redirect", "") for answer in answers) == ["", page]
    assert len(restores(sandbox)) == 1


def test_it_leaves_a_name_free_once_its_operation_has_ended(operator: Client, sandbox: Sandbox) -> None:
    # given a VM of the name that was made and then deleted again
    operator.post(RESTORE, form(operator), headers=HTMX)
    del sandbox.world.instances[vms_of_the_name(sandbox)[0]]
    sandbox.world.balances["USD"] = Decimal(1000)
    # when the same name is asked for
    response = operator.post(RESTORE, form(operator), headers=HTMX)
    # then it is made
    assert (response.status_code, len(restores(sandbox))) == (200, 2)


# --- a process that dies


def test_it_is_looked_for_when_its_process_died_in_the_middle(operator: Client, sandbox: Sandbox) -> None:
    # given a row that says "sent" long after every time limit, and the VM that it made
    row = new_row(User.objects.get(), state="sent", sent_at=clock.now() - timedelta(seconds=60))
    put_vm(sandbox, "BRK-900001D", created=row.sent_at)
    # when tick passes
    call_command("tick")
    # then it is found without a second call, and both steps are in the trail
    row.refresh_from_db()
    assert (row.state, row.result_id) == ("done", "BRK-900001D")
    assert list(Event.objects.order_by("number").values_list("result", flat=True)) == ["unknown", "done"]
    assert restores(sandbox) == []


def test_it_is_left_alone_while_its_call_may_be_running(operator: Client, sandbox: Sandbox) -> None:
    row = new_row(User.objects.get(), state="sent", sent_at=clock.now() - timedelta(seconds=5))
    call_command("tick")
    row.refresh_from_db()
    assert (row.state, Event.objects.count()) == ("sent", 0)


# --- an answer within ten seconds


@pytest.fixture
def usual_limits(settings: Any) -> Iterator[None]:
    settings.API_WRITE_SECONDS, settings.API_LOOK_UP_SECONDS = 5, 3
    token = page_end_var.set(float("inf"))
    yield
    page_end_var.reset(token)


@pytest.mark.usefixtures("usual_limits")
@pytest.mark.parametrize(("gone", "left"), [(0.0, 5.0), (3.5, 2.5)])
def test_it_gives_the_call_what_the_reads_before_it_have_left(
    sandbox: Sandbox, make_user: Any, gone: float, left: float
) -> None:
    # given a page that has waited for its reads already
    user, given = make_user("operator"), []
    page_end_var.set(time.monotonic() + PAGE_SECONDS - gone)
    # when it is performed
    send(user, lambda _, within: given.append(within))
    # then the call, a look-up after it and what has gone by fit into ten seconds
    assert given == [pytest.approx(left, abs=0.1)]


@pytest.mark.usefixtures("usual_limits")
def test_it_sends_nothing_when_the_reads_have_left_too_little(sandbox: Sandbox, make_user: Any) -> None:
    user, given = make_user("operator"), []
    page_end_var.set(time.monotonic() + PAGE_SECONDS - 6)
    outcome = send(user, lambda _, within: given.append(within))
    assert (given, Operation.objects.count()) == ([], 0)
    assert "Nothing was changed" in outcome.alert.text
    assert outcome.alert.status == 504


# --- what the API may send is bounded before it is kept


def test_it_keeps_a_refusal_whose_request_id_is_absurd(operator: Client, sandbox: Sandbox) -> None:
    body = {"success": False, "message": "no\x00 money", "request_id": "r" * 300 + "\x00"}
    sandbox.faults.arm("restore_snapshot", "status", status=402, body=body)
    response = operator.post(RESTORE, form(operator), headers=HTMX)
    row = Operation.objects.get()
    assert (response.status_code, row.state, row.request_id) == (422, "refused", "r" * 128)


def test_it_keeps_an_answer_whose_id_is_absurd(operator: Client, sandbox: Sandbox) -> None:
    body = {"success": True, "instance_id": "i" * 300 + "\x00"}
    sandbox.faults.arm("restore_snapshot", "status", status=200, body=body)
    assert operator.post(RESTORE, form(operator), headers=HTMX).status_code == 200
    assert (Operation.objects.get().state, Operation.objects.get().result_id) == ("done", "i" * 128)


def test_it_keeps_the_name_of_a_target_without_what_no_database_takes(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.snapshots[SNAPSHOT]["snapshot_name"] = "prod\x00-backup" + "x" * 300
    assert operator.post(RESTORE, form(operator), headers=HTMX).status_code == 200
    assert Operation.objects.get().target_name == ("prod-backup" + "x" * 300)[:255]


def test_it_shows_what_became_of_the_first_sending_while_reads_fail(operator: Client, sandbox: Sandbox) -> None:
    # given a restore whose outcome is not known, and an API that fails since
    data = form(operator)
    sandbox.faults.arm("restore_snapshot", "hang")
    operator.post(RESTORE, data, headers=HTMX)
    for name in ("get_snapshot", "list_instances"):
        sandbox.faults.arm(name, "status", status=500, times=None)
    # when the same form is sent again
    words = text_of(operator.post(RESTORE, data, headers=HTMX))
    # then it is told of the first sending, and never that nothing was sent
    assert "Not seen yet" in words
    assert "nothing was sent" not in words
