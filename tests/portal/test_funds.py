"""Whether the balance covers something, what is said when it does not, and how long it lasts."""

from datetime import timedelta
from decimal import Decimal

import pytest

from barrack_web.client import Balance, BalanceSheet
from barrack_web.funds import LONGEST, Money, lasts


def money(amount: str, hour: str | None = None) -> Money:
    sheet = BalanceSheet([Balance("USD", Decimal(amount))], "USD")
    return Money(sheet, None if hour is None else Decimal(hour))


@pytest.mark.parametrize(
    ("amount", "hour", "short"),
    [
        ("0", None, True),
        ("-0.01", None, True),
        ("0.01", None, False),
        ("0", "0", True),
        ("4.49", "4.50", True),
        ("4.50", "4.50", False),
    ],
)
def test_it_asks_for_a_balance_above_zero_that_lasts_an_hour(amount: str, hour: str | None, short: bool) -> None:
    assert (money(amount, hour).shortfall("A new VM") is not None) is short


def test_it_holds_back_nothing_while_the_balance_is_not_known() -> None:
    assert Money(None, Decimal(1)).shortfall("A new VM") is None
    assert Money(BalanceSheet([], "USD"), Decimal(1)).shortfall("A new VM") is None


@pytest.mark.feature("NAV-24")
def test_it_leads_to_the_credits_beside_the_form() -> None:
    alert = money("1", "4.50").shortfall("A new VM")
    assert alert
    assert alert.title == "Insufficient Credits"
    assert alert.text == "A new VM costs $4.50 / h and the balance is $1.00. Nothing was sent."
    assert (alert.link, alert.link_text, alert.new_tab) == ("/credits/", "Add credits", True)


@pytest.mark.feature("NAV-24")
def test_it_leads_to_the_credits_and_back_again() -> None:
    alert = money("1", "4.50").shortfall("A new VM", back="/deploy/?step=3&gpu=A 40")
    assert alert
    assert alert.link == "/credits/?next=%2Fdeploy%2F%3Fstep%3D3%26gpu%3DA+40"
    assert not alert.new_tab


@pytest.mark.parametrize(
    ("amount", "hourly", "span"),
    [
        ("9", "4.50", timedelta(hours=2)),
        ("0.69", "0.69", timedelta(hours=1)),
        ("1", "3", timedelta(minutes=20)),
        ("1", "7", timedelta(seconds=514)),
        ("0", "4.50", timedelta(0)),
        ("-3", "4.50", timedelta(0)),
        ("0", "0", None),
        ("9", "0", None),
        ("9", "-1", None),
        ("999999999999", "0.01", LONGEST),
        ("87600", "1", LONGEST),
        ("1E+50", "1E-999999", LONGEST),
    ],
)
def test_it_says_how_long_an_amount_lasts(amount: str, hourly: str, span: timedelta | None) -> None:
    assert lasts(Decimal(amount), Decimal(hourly)) == span
