"""The control door sets the account up from outside: credit, profile, stock, rules and currency."""

import json
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from barrack_web.sandbox.control import answer
from barrack_web.sandbox.server import Sandbox

PLACE = ("US-1", "A40")


def post(sandbox: Sandbox, door: str, body: object) -> tuple[int, dict[str, Any]]:
    return answer(sandbox, "POST", f"/_sandbox/{door}", json.dumps(body).encode())


def account(sandbox: Sandbox) -> tuple[object, ...]:
    world = sandbox.world
    return dict(world.balances), world.profile_complete, dict(world.stock), world.volume_minimum_gb


def test_it_sets_up_the_account_over_http(control: httpx.Client, remote: httpx.Client) -> None:
    body = {
        "balances": {"USD": 0.1, "INR": 250},
        "profile_complete": False,
        "stock": [{"region": "US-1", "model": "A40", "available": 300}],
        "volume_minimum_gb": 120,
    }
    assert control.post("/account", json=body).json() == {"account": body}
    assert remote.get("/balance").json()["data"]["balances"] == [
        {"currency": "USD", "amount": 0.1},
        {"currency": "INR", "amount": 250},
    ]
    rows = remote.get("/gpu-stocks", params={"region": "US-1"}).json()["stocks"]
    assert {row["model"]: row["available"] for row in rows}["A40"] == "200+"
    new = {"name": "fresh", "region": "US-1", "size_gb": 119}
    assert remote.post("/volumes", json=new).status_code == 422
    assert remote.post("/volumes", json={**new, "size_gb": 120}).json()["error"] == "PROFILE_INCOMPLETE"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"balances": {"USD": 7}}, (7, True, None)),
        ({"balances": {"USD": -3.5}}, (-3.5, True, None)),
        ({"profile_complete": False}, (None, False, None)),
        ({"volume_minimum_gb": 100}, (None, True, 100)),
        ({"volume_minimum_gb": None}, (None, True, None)),
        ({"stock": []}, (None, True, None)),
    ],
)
def test_it_changes_only_what_the_body_names(
    sandbox: Sandbox, body: dict[str, object], expected: tuple[float | None, bool, int | None]
) -> None:
    before = sandbox.world.balance()
    assert post(sandbox, "account", body)[0] == 200
    balance, profile_complete, minimum = expected
    assert sandbox.world.balance() == (before if balance is None else balance)
    assert (sandbox.world.profile_complete, sandbox.world.volume_minimum_gb) == (profile_complete, minimum)


def test_it_takes_the_rule_for_sizes_away_again(sandbox: Sandbox) -> None:
    for minimum in (100, None):
        post(sandbox, "account", {"volume_minimum_gb": minimum})
        assert sandbox.world.volume_minimum_gb == minimum


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "rich",
        {"credit": 5},
        {"balances": 5},
        {"balances": {"GBP": 5}},
        {"balances": {"USD": "5"}},
        {"balances": {"USD": True}},
        {"balances": {"USD": 10**400}},
        {"balances": {"USD": float("nan")}},
        {"profile_complete": 1},
        {"profile_complete": None},
        {"stock": {"US-1": 5}},
        {"stock": [5]},
        {"stock": [{"region": "US-1", "model": "A40"}]},
        {"stock": [{"region": "MOON-1", "model": "A40", "available": 1}]},
        {"stock": [{"region": ["US-1"], "model": "A40", "available": 1}]},
        {"stock": [{"region": "US-1", "model": {"A40": 1}, "available": 1}]},
        {"stock": [{"region": "US-1", "model": "A40", "available": -1}]},
        {"stock": [{"region": "US-1", "model": "A40", "available": 1.5}]},
        {"volume_minimum_gb": 0},
        {"volume_minimum_gb": 1_048_577},
        {"volume_minimum_gb": "100"},
    ],
    ids=str,
)
def test_it_refuses_an_account_that_cannot_be(sandbox: Sandbox, wrong: object) -> None:
    before = account(sandbox)
    # What is right beside it is not followed either.
    body = {"balances": {"USD": 1}, "profile_complete": False, **wrong} if isinstance(wrong, dict) and wrong else wrong
    status, said = post(sandbox, "account", body)
    assert (status, said["error"][-1]) == (400, ".")
    assert said["error"][0].isupper()
    assert account(sandbox) == before


@pytest.mark.parametrize(
    ("body", "currency", "instances"),
    [
        ({"seed": "demo", "currency": "INR"}, "INR", 18),
        ({"currency": "EUR"}, "EUR", 18),
        ({"seed": {"instances": 2}, "currency": "EUR"}, "EUR", 2),
        ({"seed": "empty", "currency": None}, "USD", 0),
        ({"seed": None}, "USD", 18),
        ({"instances": 3}, "USD", 3),
        (None, "USD", 18),
    ],
)
def test_it_resets_to_a_seed_in_a_currency(sandbox: Sandbox, body: object, currency: str, instances: int) -> None:
    status, said = post(sandbox, "reset", body)
    assert (status, said["currency"], sandbox.world.currency) == (200, currency, currency)
    assert len(sandbox.world.instances) == instances


@pytest.mark.parametrize(
    "body", [{"seed": "demo", "currency": "GBP"}, {"currency": 5}, {"seed": "demo", "instances": 2}], ids=str
)
def test_it_refuses_a_reset_that_cannot_be(sandbox: Sandbox, body: object) -> None:
    world = sandbox.world
    assert post(sandbox, "reset", body)[0] == 400
    assert sandbox.world is world


@pytest.mark.parametrize("body", [{"advance": 60, "speed": -1}, {"advance": -1, "speed": 5}], ids=str)
def test_it_moves_the_clock_as_a_whole_or_not_at_all(sandbox: Sandbox, body: object) -> None:
    before = sandbox.world.now()
    assert post(sandbox, "clock", body)[0] == 400
    assert (sandbox.world.now() - before).total_seconds() < 30
    assert sandbox.world.speed == 0


def test_it_takes_the_currency_from_the_command_line() -> None:
    with pytest.raises(CommandError, match="the currency is USD, EUR or INR"):
        call_command("sandbox", "--currency", "GBP", "--port", "0")
