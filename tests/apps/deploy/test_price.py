"""What the wizard says a VM costs: by the hour, minute, day and month, and how long the balance lasts with it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.deploy.price import Price, changed
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, MODEL, choose, form_of, page, panel, post, section
from tests.apps.snapshots.helpers import facts, words
from tests.apps.vms.helpers import set_prices
from tests.conftest import text_of

BESIDE = "With this VM beside those that are there now; volumes and snapshots not counted."


def alone(sandbox: Sandbox, balance: str, currency: str = "USD") -> None:
    """Leave no VM in the account, and this balance."""
    sandbox.world.instances.clear()
    put_balance(sandbox, balance, currency)


def put_balance(sandbox: Sandbox, amount: str, currency: str = "USD") -> None:
    data = {"balances": [{"currency": currency, "amount": amount}], "primary_currency": currency}
    body = {"success": True, "data": data}
    sandbox.faults.arm("get_credit_balance", "status", status=200, body=body, times=None)


def price(hourly: str | None, *, currency: str = "USD", before: str | None = "0", balance: str | None = "100") -> Price:
    amount, beside, left = (None if text is None else Decimal(text) for text in (hourly, before, balance))
    return Price(currency, amount, amount, None, beside, left)


# -- the panel


@pytest.mark.feature("DEP-40")
@pytest.mark.parametrize(
    ("currency", "figures"),
    [
        ("USD", ["$12.40", "$0.21", "$297.60", "$8,928.00"]),
        ("EUR", ["€11.12", "€0.19", "€266.88", "€8,006.40"]),
        ("INR", ["₹1,080.00", "₹18.00", "₹25,920.00", "₹777,600.00"]),
    ],
)
def test_it_shows_the_price_of_the_choice_in_the_accounts_currency(
    operator: Client, sandbox: Sandbox, currency: str, figures: list[str]
) -> None:
    # given 8 A100 at 1.55 USD, 1.39 EUR or 135 INR each, in an account of that currency
    put_balance(sandbox, "5000", currency)
    cloud.balance.read()
    html = panel(choose(operator, gpu_model=MODEL, gpu_count="8"))
    shown = facts(html)
    hour = words(html.partition('class="price-hour">')[2].partition("</p>")[0])
    assert [hour, shown["Per day"], shown["Per 30 days"]] == [f"{figures[0]} / h", figures[2], figures[3]]
    assert shown["Per minute"] == figures[1]


@pytest.mark.feature("DEP-40")
def test_it_follows_each_choice(operator: Client, sandbox: Sandbox) -> None:
    form = form_of(choose(operator, **CHOICES))
    for change, hour in [
        ({"gpu_count": "2"}, "$3.10 / h"),
        ({"gpu_model": "L40"}, "$1.19 / h"),
        ({"gpu_model": "L40", "gpu_count": "8"}, "$9.52 / h"),
    ]:
        answer = post(operator, form, **change)
        assert hour in words(panel(answer))
        assert f"Deploy for {hour}" in words(section(answer, "review"))
    # and asks for the price of just what was chosen
    assert sandbox.log.calls("query_pricing")[-1].body == {
        "resource_type": "gpus", "gpu_model": "L40", "gpu_count": 8,
    }  # fmt: skip


def test_it_takes_the_quote_before_the_list(operator: Client, sandbox: Sandbox) -> None:
    set_prices(sandbox, {MODEL: 9.0})
    assert "$1.55 / h" in words(panel(choose(operator, gpu_model=MODEL)))
    # and the list when the quote fails
    sandbox.faults.arm("query_pricing", "status", status=503, times=None)
    assert "$18.00 / h" in words(panel(choose(operator, gpu_model=MODEL, gpu_count="2")))


def test_it_says_that_no_price_is_known(operator: Client, sandbox: Sandbox) -> None:
    set_prices(sandbox, {"L40": 1.0})
    sandbox.faults.arm("query_pricing", "status", status=503, times=None)
    shown = choose(operator, **CHOICES)
    assert "Barrack lists no price for this GPU. You will be charged what Barrack charges." in words(panel(shown))
    assert "Price not listed" in words(section(shown, "review"))
    assert words(section(shown, "review")).endswith("Deploy Deploying...")
    assert form_of(shown)["seen_price"] == [""]


def test_it_says_how_it_is_charged(operator: Client) -> None:
    said = "Charged by the minute from ACTIVE on, until it is hibernated or deleted: a stopped VM costs the same."
    assert said in text_of(choose(operator, gpu_model=MODEL))


# -- how long the balance lasts


@pytest.mark.parametrize(
    ("balance", "lasts"),
    [
        # 1.55 an hour: 155 USD last 100 hours.
        ("155", "4 days 4 hours"),
        ("1.55", "1 hour"),
        ("0.02", "under a minute"),
        ("0", "under a minute"),
        ("-5", "under a minute"),
        ("1000000", "over a year"),
    ],
)
def test_it_says_how_long_the_balance_lasts(operator: Client, sandbox: Sandbox, balance: str, lasts: str) -> None:
    alone(sandbox, balance)
    html = panel(choose(operator, gpu_model=MODEL))
    assert facts(html)["Lasts"] == lasts


def test_it_counts_the_vms_that_are_there(operator: Client, sandbox: Sandbox) -> None:
    # given 2 H100 PCIe that run (at 2.25 each) and a hibernated VM (0.01)
    keep = {"BRK-123456D", "BRK-123548D"}
    for key in [key for key in sandbox.world.instances if key not in keep]:
        del sandbox.world.instances[key]
    put_balance(sandbox, "606")
    # then with an A100 (1.55) it is 6.06 an hour: 100 hours
    shown = choose(operator, gpu_model=MODEL)
    assert facts(panel(shown))["Lasts"] == "4 days 4 hours"
    assert BESIDE in text_of(shown)


def test_it_leaves_out_what_it_cannot_work_out(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=503, times=None)
    html = panel(choose(operator, gpu_model=MODEL))
    assert facts(html)["Balance"] == "not known now"
    assert "Lasts" not in facts(html)


def test_it_works_nothing_out_of_nothing() -> None:
    assert price(None).lasts is None
    assert price("1", before=None).lasts is None
    assert price("1", balance=None).lasts is None
    assert price("0").lasts is None
    assert price("1", before="1").lasts == timedelta(hours=50)
    assert (price(None).minute, price(None).day, price(None).month, price(None).seen) == (None, None, None, "")


# -- a price that changed since it was shown


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("percent", "told"), [("4.9", False), ("5.0", False), ("5.1", True)])
def test_it_asks_again_when_the_price_moved_by_more_than_five_percent(way: int, percent: str, told: bool) -> None:
    was = Decimal("2.00")
    now = price(str(was * (1 + way * Decimal(percent) / 100)))
    found = changed("2 USD", now)
    assert bool(found) == told
    if found:
        now_ = "2.10" if way > 0 else "1.90"
        assert found.text == f"It was $2.00 / h when you looked, and is ${now_} / h now. Nothing was sent."
        assert found.status == 409


@pytest.mark.parametrize("seen", ["", "2 EUR", "x USD", "NaN USD", "Infinity USD", "-2 USD", "2", "0 USD"])
def test_it_asks_again_when_it_does_not_know_what_was_seen(seen: str) -> None:
    assert changed(seen, price("2"))


def test_it_does_not_ask_again_without_a_price() -> None:
    assert changed("", price(None)) is None
    assert changed("0 USD", price("0")) is None


def test_it_asks_once_when_a_price_that_was_shown_cannot_be_read_any_more() -> None:
    found = changed("2 USD", price(None))
    assert found
    assert (found.title, found.status) == ("The price cannot be read now", 409)
    assert "Nothing was sent." in found.text
    # what the form in the answer carries is that none was shown
    assert changed(price(None).seen, price(None)) is None


@pytest.mark.parametrize("hourly", ["1.55", "100", "0.69", "1080", "0.00001"])
def test_it_reads_what_the_form_carries(hourly: str) -> None:
    assert changed(price(hourly).seen, price(hourly)) is None
    assert "E" not in price(hourly).seen


def test_it_carries_the_price_that_is_on_the_screen(operator: Client, sandbox: Sandbox) -> None:
    assert form_of(choose(operator, **CHOICES | {"gpu_count": "4"}))["seen_price"] == ["6.2 USD"]


def test_it_keeps_a_tampered_price_out_of_the_words() -> None:
    found: Any = changed("1" + "0" * 5000 + " USD", price("2"))
    assert found
    assert len(found.text) < 400


@pytest.mark.parametrize(
    ("source", "field", "key", "name"),
    [("image", "image_id", "501", "golden-cuda"), ("volume", "volume_id", "BRK-123519V", "golden-boot")],
)
def test_it_says_from_the_start_what_was_brought_along(
    operator: Client, source: str, field: str, key: str, name: str
) -> None:
    shown = page(operator, new="1", region="CANADA-1", boot=source, **{field: key})
    assert f"From {name}, CANADA-1. Choose a GPU to see what it costs." in words(panel(shown))
    assert "From" not in words(panel(page(operator, new="1")))
