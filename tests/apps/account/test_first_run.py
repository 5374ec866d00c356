"""The sign-in page while nobody could pass it: it says how to make the first admin."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from apps.account.models import User
from tests.apps.account.people import PASSWORD, may_read, sign_in
from tests.conftest import text_of

URL = "/account/login/"
COMMAND = "python manage.py createadmin you@company.example"


@pytest.fixture
def words(client: Client, db: None) -> Any:
    return lambda: text_of(client.get(URL))


def test_it_names_the_command_in_place_of_a_form(client: Client, words: Any) -> None:
    said = words()
    assert "Nobody can sign in yet" in said
    assert COMMAND in said
    page = client.get(URL).content.decode()
    assert 'type="password"' not in page
    # and every page leads there
    assert client.get("/snapshots/")["Location"].startswith(URL)


@pytest.mark.parametrize("fields", [{"role": "admin", "is_active": False}, {"role": "viewer", "is_active": False}])
def test_it_counts_nobody_who_is_switched_off(words: Any, make_user: Any, fields: dict[str, Any]) -> None:
    make_user(fields.pop("role"), **fields)
    assert COMMAND in words()


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_shows_the_form_as_soon_as_somebody_could_pass_it(
    client: Client, words: Any, make_user: Any, role: str
) -> None:
    make_user(role)
    assert COMMAND not in words()
    assert 'type="password"' in client.get(URL).content.decode()


def test_the_command_that_it_names_leads_in(words: Any, monkeypatch: Any) -> None:
    # given the page of the first run, and its command typed as it stands there
    assert COMMAND in words()
    _, _, *arguments = COMMAND.split()
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD))
    call_command(*arguments, "--password-stdin", stdout=io.StringIO())
    # then the form is there, and lets in
    assert COMMAND not in words()
    assert may_read(sign_in("you@company.example", PASSWORD))
    assert User.objects.get().role == "admin"
