"""/activity/export: the events that fit as CSV or JSON, for admins."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from apps.account.models import User
from apps.activity import export, views
from apps.activity.events import append, first_break
from apps.activity.models import Event
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import RESTORE, form, new_row
from tests.conftest import HTMX, text_of

URL = "/activity/export"


def happened(number: int = 1, **facts: Any) -> None:
    for n in range(number):
        given = {"who": "ada@example.com", "role": "admin", "action": "snapshot.delete", "result": "done"}
        append(**{**given, "target_name": f"thing-{n + 1}", **facts})


def body(response: Any) -> str:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response).decode()


def lines(browser: Client, **query: str) -> list[dict[str, str]]:
    text = body(browser.get(URL, {"format": "csv", **query}))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def objects(browser: Client, **query: str) -> list[dict[str, Any]]:
    return json.loads(body(browser.get(URL, {"format": "json", **query})))


def test_it_gives_every_event_oldest_first_as_csv(admin: Client) -> None:
    happened(3)
    response = admin.get(URL, {"format": "csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="barrack-activity-{clock.now():%Y-%m-%d}.csv"'
    assert response["Cache-Control"] == "no-store"
    text = body(response)
    # spreadsheets know by the first character that it is UTF-8
    assert text.startswith('\ufeff"number","at","who"')
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert [row["target_name"] for row in rows] == ["thing-1", "thing-2", "thing-3"]
    assert [row["title"] for row in rows] == ["Delete snapshot"] * 3


def test_it_gives_every_fact_as_json(admin: Client, sandbox: Sandbox) -> None:
    # given a restore
    admin.post(RESTORE, form(admin), headers=HTMX | {"X-Request-ID": "from-the-test-1"}, REMOTE_ADDR="192.0.2.7")
    event = Event.objects.get()
    response = admin.get(URL, {"format": "json"})
    assert response["Content-Type"] == "application/json"
    (found,) = json.loads(body(response))
    assert found == {
        "number": 1,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "who": "admin@example.com",
        "role": "admin",
        "action": "snapshot.restore",
        "title": "Restore snapshot",
        "target_id": "BRK-123456S",
        "target_name": "prod-backup-dec11",
        "name": event.name,
        "result": "done",
        "result_id": event.result_id,
        "upstream_status": None,
        "request_id": "from-the-test-1",
        "duration_ms": event.duration_ms,
        "address": "192.0.2.7",
        "operation_id": str(event.operation_id),
        "previous": "",
        "digest": event.digest,
    }


def test_it_takes_the_same_filters_as_the_list(admin: Client) -> None:
    with clock.moved(timedelta(days=-9)):
        happened(2, who="otto@example.com")
    happened(3)
    happened(1, result="refused", target_name="golden")
    for query, names in (
        ({"who": "otto@example.com"}, ["thing-1", "thing-2"]),
        ({"result": "refused"}, ["golden"]),
        ({"within": "7d", "action": "snapshot.delete"}, ["thing-1", "thing-2", "thing-3", "golden"]),
        ({"q": "gold", "within": "24h", "result": "refused"}, ["golden"]),
        ({"to": "2020-01-01"}, []),
    ):
        assert [row["target_name"] for row in objects(admin, **query)] == names
        assert [row["target_name"] for row in lines(admin, **query)] == names


def test_it_writes_that_it_was_made(admin: Client) -> None:
    happened(2)
    lines(admin, who="ada@example.com")
    event = Event.objects.get(action="activity.export")
    assert (event.who, event.name, event.target_name, event.result) == (
        "admin@example.com", "2 events as CSV", "who: ada@example.com", "done",
    )  # fmt: skip
    # the next one holds it, and the chain stays whole
    assert [row["action"] for row in objects(admin)].count("activity.export") == 1
    assert first_break() is None
    assert Event.objects.count() == 4


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_it_lets_no_cell_be_a_formula(admin: Client, start: str) -> None:
    happened(
        who=f'{start}HYPERLINK("http://evil.example","x")', target_name=f"{start}1+1", name=f"{start}cmd|' /C calc'!A0"
    )
    (row,) = lines(admin)
    for name in ("who", "target_name", "name"):
        assert row[name].startswith(f"'{start}")
    # and JSON, which nobody opens in a spreadsheet by a click, has it as it is
    assert objects(admin)[0]["target_name"] == f"{start}1+1"


def test_it_keeps_commas_quotes_lines_and_letters(admin: Client) -> None:
    name = 'a,"b";c\nd – क 🦉'
    happened(target_name=name)
    assert lines(admin)[0]["target_name"] == name
    assert objects(admin)[0]["target_name"] == name


def test_it_has_a_header_and_nothing_else_when_nothing_fits(admin: Client) -> None:
    assert lines(admin, who="nobody") == []
    assert objects(admin, who="nobody") == []


def test_it_is_csv_unless_said_otherwise(admin: Client) -> None:
    assert admin.get(URL)["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("kind", ["xml", "CSV", "", "json\x00", "../etc"])
def test_it_says_which_formats_there_are(admin: Client, kind: str) -> None:
    response = admin.get(URL, {"format": kind})
    assert response.status_code == 422
    assert "The activity can be exported as CSV and as JSON." in text_of(response)
    assert Event.objects.count() == 0


def test_it_refuses_more_than_one_file_holds(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST", 2)
    happened(3)
    response = admin.get(URL, {"format": "csv"})
    assert response.status_code == 422
    assert "3 events fit, and one file holds 2 at the most" in text_of(response)
    assert Event.objects.count() == 3
    assert "Narrow the time first" in admin.get("/activity/").content.decode()


def test_it_is_sent_in_pieces_without_a_query_left_open(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # given more events than one batch, and one that comes while the file is sent
    monkeypatch.setattr(export, "BATCH", 10)
    happened(35)
    response = admin.get(URL, {"format": "json"})
    pieces = iter(response)
    first = next(pieces)
    happened(1, target_name="late")
    rest = b"".join(pieces)
    # then it holds each event once, and not the late one
    assert [row["number"] for row in json.loads(first + rest)] == list(range(1, 36))


def test_it_is_compressed_for_those_who_take_it(admin: Client) -> None:
    import gzip

    happened(3)
    response = admin.get(URL, headers={"Accept-Encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert b"thing-3" in gzip.decompress(b"".join(response))


def test_it_is_offered_to_admins_with_the_filters_of_the_page(admin: Client, viewer: Client) -> None:
    happened(1, result="refused")
    page = admin.get("/activity/", {"result": "refused", "page": "1"}).content.decode()
    assert 'href="/activity/export?format=csv&amp;result=refused"' in page
    assert 'href="/activity/export?format=json&amp;result=refused"' in page
    assert "/activity/export" not in viewer.get("/activity/").content.decode()


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_is_refused_to_others(sign_in: Any, sandbox: Sandbox, role: str) -> None:
    happened()
    response = sign_in(role).get(URL, {"format": "csv"})
    assert response.status_code == 403
    assert "Only an admin can export the activity" in text_of(response)
    assert Event.objects.count() == 1


def test_it_sends_a_visitor_to_sign_in(client: Client, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"


@pytest.mark.parametrize("method", ["post", "put", "delete", "head"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert Event.objects.count() == 0


def test_it_names_the_operation(admin: Client, make_user: Any) -> None:
    row = new_row(User.objects.get())
    happened(operation=row)
    assert lines(admin)[0]["operation_id"] == str(row.pk)
