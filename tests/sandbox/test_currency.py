"""Accounts in each currency, and records that keep the one they were charged in."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from barrack_web.sandbox.server import Sandbox, transport

HOUR = 3600
BILLS = ("/instances/billing", "/snapshots/billing", "/volumes/billing")
ASK = {"model": "llama-3.1-8b", "messages": [{"role": "user", "content": "idle?"}]}


def client(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(
        transport=transport(sandbox), base_url="http://sandbox/api", headers={"X-API-Key": "sandbox-key"}
    )


@pytest.mark.parametrize("currency", ["USD", "EUR", "INR"])
@pytest.mark.parametrize("seed", ["demo", "empty", {"instances": 2, "snapshots": 2, "volumes": 2}])
def test_it_keeps_an_account_in_its_currency(seed: str | dict[str, int], currency: str) -> None:
    sandbox = Sandbox(seed=seed, speed=0, currency=currency)
    with client(sandbox) as api:
        data = api.get("/balance").json()["data"]
        assert [row["currency"] for row in data["balances"]] == [data["primary_currency"]] == [currency]
        assert data["balances"][0]["amount"] > 0
        bills = [api.get(path, params={"limit": 100}).json() for path in BILLS]
        assert {body["currency"] for body in bills} == {currency}
        assert {row["currency"] for body in bills for row in body["records"]} <= {currency}
        assert api.get("/ai/usage/summary").json()["currency"] == currency


@pytest.mark.parametrize(
    ("currency", "instance", "snapshot", "volume"),
    [("USD", 0.075, 0.00417, 0.00326), ("EUR", 0.06833, 0.00417, 0.00326), ("INR", 6.5, 0.41667, 0.32552)],
)
def test_it_charges_the_prices_of_the_currency(currency: str, instance: float, snapshot: float, volume: float) -> None:
    with client(Sandbox(seed="demo", speed=0, currency=currency)) as api:
        rates = {
            row.get("instance_id") or row.get("snapshot_id") or row.get("volume_id"): row["per_minute_rate"]
            for path in BILLS
            for row in api.get(path, params={"limit": 100}).json()["records"]
        }
    assert (rates["BRK-123456D"], rates["BRK-123456S"], rates["BRK-123458V"]) == (instance, snapshot, volume)


def test_it_starts_over_in_the_first_currency_or_another() -> None:
    sandbox = Sandbox(seed="empty", speed=0, currency="EUR")
    for currency, expected in (("INR", "INR"), (None, "EUR")):
        sandbox.reset("demo", currency)
        assert sandbox.world.currency == expected


@pytest.mark.parametrize("currency", ["GBP", "usd", "", 5, ["USD"]])
def test_it_knows_three_currencies(sandbox: Sandbox, currency: str) -> None:
    with pytest.raises(ValueError, match="the currency is USD, EUR or INR"):
        Sandbox(currency=currency)
    world = sandbox.world
    with pytest.raises(ValueError, match="the currency is"):
        sandbox.reset("demo", currency)
    assert sandbox.world is world


def test_it_keeps_the_currency_of_what_was_charged(api: httpx.Client, sandbox: Sandbox) -> None:
    world = sandbox.world
    before = {path: api.get(path, params={"limit": 100}).json() for path in BILLS}
    world.currency = "EUR"
    world.balances["EUR"] = Decimal(1000)
    dollars = world.balances["USD"]
    world.advance(HOUR)
    assert (world.balances["USD"], world.balances["EUR"] < 1000) == (dollars, True)
    for path in BILLS:
        body = api.get(path, params={"limit": 100}).json()
        by_currency: dict[str, list[dict[str, Any]]] = {"USD": [], "EUR": []}
        for row in body["records"]:
            by_currency[row["currency"]].append(row)
        # A volume or snapshot costs the same number of euros, and still begins another record.
        assert len(by_currency["USD"]) == before[path]["total"]
        assert body["total"] == len(by_currency["USD"]) + len(by_currency["EUR"])
        assert body["summary"]["totalCost"] == pytest.approx(sum(row["total_cost"] for row in by_currency["EUR"]))
        assert body["summary"]["totalMinutes"] == sum(row["total_duration_minutes"] for row in by_currency["EUR"])
        assert {row["end_time"] is None for row in by_currency["USD"]} == {False}
    assert api.get("/instances/hibernated/count").json()["billing_metrics"] == {
        "rate_per_hour": 0.01,
        "currency": "EUR",
        "total_duration_minutes": 60,
        "total_cost": pytest.approx(0.01, rel=0.01),
    }


def test_it_sums_up_the_assistant_in_the_account_currency(api: httpx.Client, sandbox: Sandbox) -> None:
    dollars = api.get("/ai/usage/summary").json()
    sandbox.world.currency = "INR"
    sandbox.world.balances["INR"] = Decimal(100)
    assert api.get("/ai/usage/summary").json()["total_requests"] == 0
    tokens = api.post("/ai/chat/completions", json=ASK).json()["usage"]["total_tokens"]
    rupees = api.get("/ai/usage/summary").json()
    assert (rupees["total_requests"], rupees["total_tokens"], rupees["currency"]) == (1, tokens, "INR")
    assert rupees["total_cost"] == pytest.approx(0.03 * tokens / 1000)
    rows = api.get("/ai/usage/history", params={"limit": 100}).json()["transactions"]
    assert [row["currency"] for row in rows] == ["INR", *["USD"] * dollars["total_requests"]]
