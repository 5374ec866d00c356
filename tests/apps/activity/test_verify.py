"""manage.py verify_activity: names the first event that was changed, inserted or taken away."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from apps.activity.events import append
from apps.activity.models import ChainHead, Event


@pytest.fixture
def five(db: None) -> list[Event]:
    return [
        append(who=f"p{n}@example.com", role="admin", action="snapshot.delete", result="done", target_name=f"thing-{n}")
        for n in range(1, 6)
    ]


def verified(*options: str) -> tuple[int, str]:
    """Return the exit code, and what it printed."""
    out = StringIO()
    try:
        call_command("verify_activity", *options, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_it_finds_a_whole_one_whole(five: list[Event]) -> None:
    assert verified() == (0, "The activity is whole: 5 events.\n")


def test_it_finds_an_empty_one_whole(db: None) -> None:
    assert verified() == (0, "The activity is whole: 0 events.\n")


def test_it_names_a_hand_edited_row(five: list[Event]) -> None:
    # given somebody who changes a row in the database itself
    with connection.cursor() as cursor:
        cursor.execute("UPDATE activity_event SET who = 'eve@example.com' WHERE number = 3")
    # then its number, its time and what it says now are told
    code, said = verified()
    assert code == 1
    assert "The activity is broken at event 3. Its facts do not give its digest" in said
    assert f"It says now: {five[2].at.isoformat()} eve@example.com (admin): Delete snapshot thing-3: Done." in said


def test_it_names_a_deleted_row(five: list[Event]) -> None:
    Event.objects.filter(number=3).delete()
    code, said = verified()
    assert code == 1
    assert "broken at event 3. It is missing." in said
    assert "The next one, event 4, says:" in said


def test_it_names_a_row_put_in_another_ones_place(five: list[Event]) -> None:
    # given a row that was taken away and written anew, with a digest that fits its facts
    event = Event.objects.get(number=2)
    Event.objects.filter(number=2).delete()
    other = Event(
        number=2, at=event.at, who="eve@example.com", action="sign_in", result="done", previous=event.previous
    )
    other.digest = other.computed_digest()
    other.save()
    # then the one after it does not follow
    code, said = verified()
    assert (code, "broken at event 3. It does not follow the event before it" in said) == (1, True)


def test_it_names_a_row_inserted_at_the_end(five: list[Event]) -> None:
    # given an event that fits the chain, but was not written by the portal
    event = Event(
        number=6, at=five[4].at, who="eve@example.com", action="sign_in", result="done", previous=five[4].digest
    )
    event.digest = event.computed_digest()
    event.save()
    code, said = verified()
    assert (code, "broken at event 6. It was not written by the portal" in said) == (1, True)
    assert "eve@example.com" in said


def test_it_names_a_row_inserted_at_the_beginning(five: list[Event]) -> None:
    Event.objects.bulk_create([Event(number=0, at=five[0].at, who="eve@example.com", action="a", result="done")])
    code, said = verified()
    assert (code, "broken at event 0." in said) == (1, True)


def test_it_notices_a_deleted_tail(five: list[Event]) -> None:
    Event.objects.filter(number__gte=4).delete()
    code, said = verified()
    assert (code, said) == (1, "The activity is broken at event 4. It is missing.\n3 events before it are whole.\n")


def test_it_notices_an_emptied_one(five: list[Event]) -> None:
    Event.objects.all().delete()
    assert verified()[0] == 1


@pytest.mark.parametrize(
    ("change", "number", "reason"),
    [
        ({"digest": "0" * 64}, 5, "another digest"),
        ({"number": 3}, 4, "not written by the portal"),
        ({"number": 9}, 6, "missing"),
    ],
)
def test_it_notices_an_edited_head(five: list[Event], change: dict[str, Any], number: int, reason: str) -> None:
    ChainHead.objects.update(**change)
    code, said = verified()
    assert code == 1
    assert f"broken at event {number}." in said
    assert reason in said


def test_it_notices_a_deleted_head(five: list[Event]) -> None:
    ChainHead.objects.all().delete()
    assert "The head of the chain is missing" in verified()[1]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases take no such value")
@pytest.mark.parametrize("value", ["yesterday", "2026-13-45 00:00:00", ""])
def test_it_takes_a_time_that_is_none_for_a_change(five: list[Event], value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE activity_event SET at = %s WHERE number = 3", [value])
    code, said = verified()
    assert (code, "broken at event 3." in said) == (1, True)


def test_it_says_the_same_as_json(five: list[Event]) -> None:
    code, said = verified("--json")
    assert code == 0
    assert json.loads(said) == {"whole": True, "events": 5, "digest": five[4].digest, "first_break": None}
    Event.objects.filter(number=2).update(result="refused")
    code, said = verified("--json")
    found = json.loads(said)
    assert (code, found["whole"], found["events"], found["first_break"]["number"]) == (1, False, 1, 2)
    assert found["first_break"]["event"]["result"] == "refused"
    assert found["first_break"]["event"]["at"] == five[1].at.isoformat()
