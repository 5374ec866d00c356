"""Rows and machines that the tests of this folder begin with."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection
from django.test import Client, RequestFactory

from apps.account.models import User
from apps.activity.models import Operation
from apps.activity.tokens import new_token
from barrack_web import clock
from barrack_web.htmx import HtmxHttpRequest
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.conftest import HTMX, token_of

SNAPSHOT = "BRK-123456S"
RESTORE = f"/snapshots/{SNAPSHOT}/restore/"
KIND = "snapshot.restore"
NAME = "second-trainer"


def form(browser: Client, url: str = RESTORE, **fields: str) -> dict[str, str]:
    """Open a restore form and return what its submit button would send."""
    return {"name": NAME, "token": token_of(browser.get(url, headers=HTMX)), "intent": "restore", **fields}


def new_row(user: User, **fields: Any) -> Operation:
    """Write an operation: the restore of a snapshot, sent now, its outcome unknown, unless said otherwise."""
    facts = {
        "token": new_token(user.pk, KIND, SNAPSHOT)[-60:],
        "payload": "-",
        "kind": KIND,
        "user": user,
        "role": user.role,
        "target_id": SNAPSHOT,
        "target_name": "prod-backup-dec11",
        "name": NAME,
        "state": "unknown",
        "sent_at": clock.now(),
        "request_id": "req-of-this-row",
    }
    return Operation.objects.create(**{**facts, **fields})


def put_vm(sandbox: Sandbox, vm_id: str, name: str = NAME, created: datetime | None = None) -> None:
    """Let a VM of that name appear in the cloud, made now or at the given time."""
    record = dict(sandbox.world.instances["BRK-123456D"])
    record |= {"instance_id": vm_id, "vm_name": name, "created_at": iso(created or clock.now())}
    sandbox.world.add("instances", vm_id, record)


def request_of(user: User) -> HtmxHttpRequest:
    """Return a request such as a view gets it."""
    request = RequestFactory().post("/")
    request.user = user
    request.htmx = False
    return request


def twin(browser: Client) -> Client:
    """Return a second tab of the same browser."""
    other = Client()
    other.cookies = browser.cookies
    return other


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run the jobs at the same moment, each in a thread; return what they return, in their order."""
    start, results = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = jobs[number]()
        except Exception as error:  # noqa: BLE001 - told to the test, which runs in another thread
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return results
