"""The trail of events: a chain in which a change, a gap and a cut are found."""

from typing import Any

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.events import append, first_break
from apps.activity.models import ChainHead, Event, EventIsFinalError
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import RESTORE, at_once, form
from tests.conftest import HTMX


@pytest.fixture
def three(db: None) -> list[Event]:
    return [append(who="ada@example.com", action="snapshot.delete", result="done", name=f"n{n}") for n in (1, 2, 3)]


def test_it_chains_each_event_to_the_one_before(three: list[Event]) -> None:
    # given three events, then their numbers run on, each knows the digest before, and the head is the last one
    assert [event.number for event in three] == [1, 2, 3]
    assert [event.previous for event in three] == ["", three[0].digest, three[1].digest]
    assert len({event.digest for event in three}) == 3
    assert (ChainHead.objects.get().number, ChainHead.objects.get().digest) == (3, three[2].digest)
    assert first_break() is None


def test_it_finds_an_empty_trail_whole(db: None) -> None:
    assert first_break() is None


def test_it_stays_whole_over_real_operations(operator: Client, admin: Client, sandbox: Sandbox, profile: Any) -> None:
    # given a refused and a finished restore, a deletion and an edited profile, from several kinds of address
    sandbox.faults.arm("restore_snapshot", "status", status=402)
    operator.post(RESTORE, form(operator), headers=HTMX, REMOTE_ADDR="2001:0DB8::00A1")
    operator.post(RESTORE, form(operator), headers=HTMX, REMOTE_ADDR="::ffff:192.0.2.1")
    delete = "/snapshots/BRK-123463S/delete/"
    admin.post(delete, form(admin, delete) | {"intent": "delete"}, headers=HTMX)
    admin.post("/account/billing-profile/", {"address_line": "1 क Street", "postal_code": "1", "country": "IN"})
    # then the rows as they are read back from the database fit the chain
    assert Event.objects.count() == 4
    assert first_break() is None


@pytest.mark.parametrize(
    "change",
    [
        {"who": "eve@example.com"},
        {"result": "refused"},
        {"name": ""},
        {"role": "admin"},
        {"target_id": "BRK-1S"},
        {"address": "192.0.2.1"},
        {"upstream_status": 200},
        {"duration_ms": 1},
        {"request_id": "x"},
        {"at": "2020-01-01T00:00:00Z"},
        {"previous": "0" * 64},
        {"digest": "0" * 64},
    ],
)
def test_it_finds_a_changed_row(three: list[Event], change: dict[str, Any]) -> None:
    # given a row that somebody changes in the database itself
    Event.objects.filter(number=2).update(**change)
    # then the chain breaks there
    assert first_break() == 2


def test_it_finds_a_row_changed_together_with_its_digest(three: list[Event]) -> None:
    # given somebody who also works out the new digest
    event = Event.objects.get(number=2)
    event.who = "eve@example.com"
    Event.objects.filter(number=2).update(who=event.who, digest=event.computed_digest())
    # then the next row does not fit
    assert first_break() == 3


@pytest.mark.parametrize(("number", "found"), [(1, 1), (2, 2), (3, 3)])
def test_it_finds_a_deleted_row(three: list[Event], number: int, found: int) -> None:
    Event.objects.filter(number=number).delete()
    assert first_break() == found


def test_it_finds_a_trail_that_was_emptied(three: list[Event]) -> None:
    Event.objects.all().delete()
    assert first_break() == 1


@pytest.mark.parametrize(("change", "found"), [({"digest": "0" * 64}, 3), ({"number": 2}, 3), ({"number": 9}, 4)])
def test_it_finds_a_changed_head(three: list[Event], change: dict[str, Any], found: int) -> None:
    ChainHead.objects.update(**change)
    assert first_break() == found


def test_it_finds_a_deleted_head(three: list[Event]) -> None:
    # given somebody who cuts off the end and the head that would tell of it
    Event.objects.filter(number=3).delete()
    ChainHead.objects.all().delete()
    assert first_break() == 3


def test_it_refuses_to_change_or_delete_an_event(three: list[Event]) -> None:
    event = Event.objects.get(number=2)
    event.who = "eve@example.com"
    with pytest.raises(EventIsFinalError):
        event.save()
    with pytest.raises(EventIsFinalError):
        event.delete()
    assert Event.objects.get(number=2).who == "ada@example.com"
    assert first_break() is None


def test_it_refuses_to_delete_a_person_who_is_in_the_trail(make_user: Any) -> None:
    from django.db.models import ProtectedError

    person: User = make_user("operator")
    append(user=person, who=person.email, action="snapshot.delete", result="done")
    with pytest.raises(ProtectedError):
        person.delete()


@pytest.mark.django_db(transaction=True)
def test_it_appends_from_twenty_threads_without_a_gap() -> None:
    # when twenty threads append at the same moment
    results = at_once(*(lambda n=n: append(who=f"p{n}", action="a", result="done") for n in range(20)))
    # then there are twenty numbers in a row, each thread's event among them, and the chain is whole
    assert [type(result) for result in results] == [Event] * 20
    assert list(Event.objects.order_by("number").values_list("number", flat=True)) == list(range(1, 21))
    assert sorted(Event.objects.values_list("who", flat=True)) == sorted(f"p{n}" for n in range(20))
    assert first_break() is None
