"""manage.py tick: one pass, one process at a time, again and again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import OperationalError, connection

from apps.account.models import User
from apps.activity.leases import LEASE, lease
from apps.activity.models import Event, Lease, Operation
from apps.activity.tick import MOST, tick
from barrack_web import clock
from barrack_web.management.commands.tick import repeat
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import at_once, new_row, put_vm

MADE = "BRK-900001D"


@pytest.fixture
def user(make_user: Any) -> User:
    return make_user("operator")


def passed() -> str:
    out = StringIO()
    call_command("tick", stdout=out)
    return out.getvalue()


def test_it_closes_what_it_finds(sandbox: Sandbox, user: User) -> None:
    # given one operation whose VM is there and one whose VM is not
    found, other = new_row(user), new_row(user, token="other", name="not-there")
    put_vm(sandbox, MADE)
    # when tick passes
    assert passed() == "1 operations closed.\n"
    # then the one is done and the other is still looked for
    assert list(Operation.objects.order_by("state").values_list("pk", "state")) == [
        (found.pk, "done"),
        (other.pk, "unknown"),
    ]
    # and a second pass changes nothing more
    assert passed() == "0 operations closed.\n"
    assert Event.objects.count() == 1


def test_it_calls_nothing_when_nothing_is_unknown(sandbox: Sandbox, user: User) -> None:
    new_row(user, state="done", result_id=MADE)
    assert passed() == "0 operations closed.\n"
    assert sandbox.log.calls() == []


def test_it_never_sends_a_write(sandbox: Sandbox, user: User) -> None:
    new_row(user)
    with clock.moved(timedelta(hours=1)):
        passed()
    assert {call.method for call in sandbox.log.calls()} == {"GET"}


def test_it_looks_up_a_bounded_number_in_one_pass(sandbox: Sandbox, user: User) -> None:
    # given more operations than one pass takes, all long over
    for number in range(MOST + 3):
        new_row(user, token=f"t{number}", name=f"vm-{number}", sent_at=clock.now() - timedelta(minutes=60 - number))
    # when it passes, then some are left, and the next pass takes the rest
    assert tick() == MOST
    assert Operation.objects.filter(state="unknown").count() == 3
    assert tick() == 3


# --- the lease


def test_it_deletes_what_sessions_have_left_behind(sandbox: Sandbox, db: None) -> None:
    # given sessions of visitors who never came back, and what was typed into forms of theirs
    for hours in (-1, 1):
        Session.objects.create(
            session_key=f"key{hours}", session_data="", expire_date=clock.now() + timedelta(hours=hours)
        )
    tick()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["key1"]


def test_it_does_nothing_while_another_process_is_at_it(sandbox: Sandbox, user: User) -> None:
    # given a process in the middle of a pass
    new_row(user)
    put_vm(sandbox, MADE)
    with lease("tick") as mine:
        assert mine
        # when a second one starts, then it does nothing
        assert tick() == 0
        assert sandbox.log.calls() == []
    # and when the first has ended, it works
    assert tick() == 1


def test_it_takes_the_lease_of_a_dead_holder_when_it_is_over(sandbox: Sandbox, user: User) -> None:
    # given a process that died in a pass
    new_row(user)
    put_vm(sandbox, MADE)
    Lease.objects.create(job="tick", holder="dead", until=clock.now() + LEASE)
    # when its lease still runs, then nobody else works
    with clock.moved(LEASE - timedelta(seconds=5)):
        assert tick() == 0
    # and when it is over, the next one does
    with clock.moved(LEASE + timedelta(seconds=1)):
        assert tick() == 1
    assert Lease.objects.count() == 0


def test_it_leaves_a_lease_alone_that_somebody_else_has_taken_over(db: None) -> None:
    # given a pass that outlived its own lease
    with lease("tick"):
        Lease.objects.update(holder="the next one")
    # then its end does not take the lease from the next one
    assert Lease.objects.get().holder == "the next one"


def test_it_gives_the_lease_back_after_a_failure(db: None) -> None:
    with pytest.raises(ZeroDivisionError), lease("tick"):
        raise ZeroDivisionError
    with lease("tick") as mine:
        assert mine


def test_it_gives_two_jobs_a_lease_each(db: None) -> None:
    with lease("tick") as one, lease("other") as two, lease("tick") as third:
        assert (one, two, third) == (True, True, False)


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_many_processes_pass(sandbox: Sandbox, user: User) -> None:
    # given an unknown operation, and a look-up that takes a moment
    new_row(user)
    put_vm(sandbox, MADE)
    sandbox.faults.arm("list_instances", "delay", seconds=0.25, times=None)
    # when four processes tick at once
    closed = at_once(tick, tick, tick, tick)
    # then one did it, with one look and one event
    assert sorted(closed) == [0, 0, 0, 1]
    assert len(sandbox.log.calls("list_instances")) == 1
    assert Event.objects.count() == 1


# --- --every


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 8
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_after_a_pass_that_failed(sandbox: Sandbox, user: User, caplog: pytest.LogCaptureFixture) -> None:
    # given a database that fails in the first pass
    row = new_row(user)
    put_vm(sandbox, MADE)
    failed, stop = [], threading.Event()

    def fail_once(execute: Any, *statement: Any) -> Any:
        if not failed:
            failed.append(statement[0])
            raise OperationalError("disk I/O error")
        return execute(*statement)

    def run() -> None:
        with connection.execute_wrapper(fail_once):
            repeat(0.05, stop)
        connection.close()

    # when it repeats
    thread = threading.Thread(target=run)
    thread.start()
    done = until(lambda: Operation.objects.get(pk=row.pk).state == "done")
    stop.set()
    thread.join(timeout=5)
    # then the failure is logged, a later pass does the work, and it ends when told to
    assert failed
    assert "a pass of tick failed" in caplog.text
    assert done
    assert not thread.is_alive()


def test_it_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    # given a process that ticks every ten minutes
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "PYTHONUNBUFFERED": "1"}
    manage = [sys.executable, str(django_settings.BASE_DIR / "manage.py")]
    process = subprocess.Popen([*manage, "tick", "--every", "600"], env=environment, stderr=subprocess.PIPE, text=True)
    # its database is empty, so its first pass fails, and says so
    assert process.stderr is not None
    said = process.stderr.readline()
    # when it is terminated
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    # then it ends well, without waiting for the next pass
    assert "a pass of tick failed" in said
    assert process.returncode == 0
    assert time.monotonic() - began < 5
