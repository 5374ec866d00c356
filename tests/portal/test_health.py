"""Two answers for whatever watches the process."""

import pytest
from django.db import connection
from django.test import Client

from barrack_web import cloud
from barrack_web.client import BarrackError
from barrack_web.sandbox.server import Sandbox


def test_it_is_alive_without_a_sign_in_or_a_database(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_it_is_ready_without_a_sign_in(client: Client, sandbox: Sandbox) -> None:
    cloud.snapshots.read()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "cache": "ok", "api": "ok"}
    assert client.head("/readyz").status_code == 200


@pytest.mark.django_db
def test_it_stays_ready_while_the_api_fails_and_says_so(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_snapshots", "refuse", times=None)
    with pytest.raises(BarrackError):
        cloud.snapshots.read()
    sandbox.log.clear()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["api"] == "failing"
    # and asking costs the API nothing
    assert sandbox.log.calls() == []


@pytest.mark.django_db
def test_it_is_not_ready_without_the_cache(client: Client, dead_redis: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "failing"
    assert response.json()["cache"] == "failing"
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_the_database(client: Client, sandbox: Sandbox) -> None:
    # given a connection to a file that cannot be
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "/no/such/folder/portal.sqlite3"
    try:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["database"] == "failing"
        assert client.get("/healthz").status_code == 200
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name


def test_it_tells_nothing_else(client: Client, db: None, sandbox: Sandbox) -> None:
    assert set(client.get("/readyz").json()) == {"status", "database", "cache", "api"}
    assert set(client.get("/healthz").json()) == {"status"}
