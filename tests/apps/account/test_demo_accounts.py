"""The demo accounts: made by `manage.py demo`, refused where money is at stake, removed by one command."""

import os
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from apps.account.demo import PASSWORD, create_accounts, refuse_demo_accounts
from apps.account.models import BillingProfile, User
from barrack_web.sandbox.server import Sandbox

COMMAND = "python manage.py demo --remove-accounts"
REAL = {
    "BARRACK_API_KEY": "key-of-the-test",
    "SECRET_KEY": "x" * 60,
    "ALLOWED_HOSTS": "portal.example",
}


def run(*arguments: str, database: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project, on a database file of its own."""
    own = {"DATABASE_URL": f"sqlite:///{database}", "DJANGO_SETTINGS_MODULE": "barrack_web.settings"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=django_settings.BASE_DIR,
        env=os.environ | own | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def can_sign_in(email: str, password: str = PASSWORD) -> bool:
    browser = Client()
    browser.post("/account/login/", {"login": email, "password": password})
    return browser.get("/account/").status_code == 200


# --- making them


def test_it_makes_four_accounts_and_a_complete_profile(sandbox: Sandbox, db: None) -> None:
    create_accounts()
    people = User.objects.order_by("email")
    assert [(person.email, person.role, person.is_demo, person.is_active) for person in people] == [
        ("admin@example.com", "admin", True, True),
        ("billing@example.com", "billing", True, True),
        ("operator@example.com", "operator", True, True),
        ("viewer@example.com", "viewer", True, True),
    ]
    assert BillingProfile.load().complete
    assert all(can_sign_in(person.email) for person in people)


def test_it_puts_changed_accounts_back(sandbox: Sandbox, db: None) -> None:
    # given accounts that somebody has changed
    create_accounts()
    User.objects.update(is_active=False, role="viewer", password="!")
    BillingProfile.objects.all().delete()
    # when they are made once more
    create_accounts()
    # then there are four, as they were
    assert sorted(User.objects.values_list("role", flat=True)) == ["admin", "billing", "operator", "viewer"]
    assert BillingProfile.load().complete
    assert can_sign_in("admin@example.com")


# --- refusing them


def test_it_refuses_to_start_with_a_key_while_one_is_active(settings: Any, db: None) -> None:
    # given demo accounts and an API key
    create_accounts()
    settings.SANDBOX = False
    # then the start fails, names them and the command that removes them
    with pytest.raises(ImproperlyConfigured) as failure:
        refuse_demo_accounts()
    assert COMMAND in str(failure.value)
    for role in ("admin", "operator", "billing", "viewer"):
        assert f"{role}@example.com" in str(failure.value)


def test_it_refuses_one_that_is_left(settings: Any, db: None) -> None:
    create_accounts()
    User.objects.exclude(role="viewer").update(is_active=False)
    settings.SANDBOX = False
    with pytest.raises(ImproperlyConfigured, match=r"viewer@example\.com\. Remove"):
        refuse_demo_accounts()


def test_it_lets_the_sandbox_and_a_portal_without_them_start(settings: Any, make_user: Any) -> None:
    # given real people and an API key, then it starts
    make_user("admin")
    settings.SANDBOX = False
    refuse_demo_accounts()
    # and in the sandbox it starts with demo accounts too
    create_accounts()
    settings.SANDBOX = True
    refuse_demo_accounts()


# --- removing them


def test_it_removes_them(sandbox: Sandbox, settings: Any, make_user: Any) -> None:
    # given demo accounts beside a real person
    make_user("operator", email="real@corp.example")
    create_accounts()
    # when they are removed
    out = StringIO()
    call_command("demo", "--remove-accounts", stdout=out)
    # then nobody can sign in as one of them, not even when one is switched on again by mistake
    assert out.getvalue() == "4 demo accounts are switched off.\n"
    assert not can_sign_in("admin@example.com")
    User.objects.update(is_active=True)
    assert not can_sign_in("viewer@example.com")
    assert can_sign_in("real@corp.example", "barrack-test-1")


def test_it_starts_with_a_key_once_they_are_removed(settings: Any, db: None) -> None:
    create_accounts()
    call_command("demo", "--remove-accounts", stdout=StringIO())
    settings.SANDBOX = False
    refuse_demo_accounts()


def test_it_ends_the_sessions_of_those_it_removes(sandbox: Sandbox, client: Client, db: None) -> None:
    create_accounts()
    client.post("/account/login/", {"login": "admin@example.com", "password": PASSWORD})
    assert client.get("/account/").status_code == 200
    call_command("demo", "--remove-accounts", stdout=StringIO())
    assert client.get("/account/").status_code == 302


# --- the command


def test_it_does_not_run_the_demo_with_a_key(settings: Any, db: None) -> None:
    settings.SANDBOX = False
    with pytest.raises(CommandError, match="unset the key first"):
        call_command("demo", "--prepare")
    assert User.objects.count() == 0


def test_it_does_not_empty_a_database_that_is_no_file(tmp_path: Path) -> None:
    # given a database server, which nobody needs to reach for this
    server = "postgresql://portal:secret-of-the-test@127.0.0.1:1/production"
    done = run("manage.py", "demo", "--prepare", database=tmp_path / "unused", DATABASE_URL=server)
    # then it is refused in one sentence
    assert done.returncode == 1
    assert (
        done.stderr == "CommandError: The demo empties its database, so it runs on SQLite only: unset DATABASE_URL.\n"
    )


def test_it_prepares_an_empty_database_and_a_key_then_does_not_start(tmp_path: Path) -> None:
    # given a database file from an earlier demo, with somebody else's rows
    file = tmp_path / "demo.sqlite3"
    with sqlite3.connect(file) as old:
        old.execute("CREATE TABLE leftover (id INTEGER)")
    old.close()
    # when the demo is prepared
    done = run("manage.py", "demo", "--prepare", database=file)
    # then the file holds the four accounts and nothing of before
    assert (done.returncode, done.stderr) == (0, "")
    base = sqlite3.connect(file)
    people = base.execute("SELECT email, role, is_demo, is_active FROM people_user ORDER BY email").fetchall()
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    base.close()
    assert people == [(f"{role}@example.com", role, 1, 1) for role in ("admin", "billing", "operator", "viewer")]
    assert "leftover" not in tables
    # and with an API key, a server does not start on it, and says what to do
    refused = run("-c", "import barrack_web.wsgi", database=file, **REAL)
    assert refused.returncode == 1
    assert f"Remove them with: {COMMAND}" in refused.stderr
    assert "key-of-the-test" not in refused.stderr
    # and the command that it names works with that key
    removed = run("manage.py", "demo", "--remove-accounts", database=file, **REAL)
    assert (removed.returncode, removed.stdout) == (0, "4 demo accounts are switched off.\n")


def test_it_starts_before_the_first_migration(tmp_path: Path) -> None:
    # given a database without tables, then the process starts, so that its health check can tell
    started = run("-c", "import barrack_web.wsgi; print('started')", database=tmp_path / "new.sqlite3", **REAL)
    assert (started.returncode, started.stdout) == (0, "started\n")
