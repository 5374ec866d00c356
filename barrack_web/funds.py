"""Whether the balance covers something, and for how long."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.urls import reverse

from apps.account.gates import with_way_back
from barrack_web.alerts import Alert
from barrack_web.cached import Read
from barrack_web.client import BalanceSheet
from barrack_web.templatetags.ui import money

# Longer than any price holds.
LONGEST: Final = timedelta(days=3650)
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Money:
    """The balance, beside what one hour costs."""

    balance: BalanceSheet | None
    hour: Decimal | None

    @property
    def currency(self) -> str:
        primary = self.balance.primary if self.balance else None
        return primary.currency if primary else "USD"

    def shortfall(self, what: str, back: str = "") -> Alert | None:
        """Return the alert when the balance is empty or does not last an hour; None when it does or is not known.

        `back` is the page that Credits leads back to, "" for a form that stays open beside it.
        """
        primary = self.balance.primary if self.balance else None
        if primary is None or (primary.amount > 0 and (self.hour is None or primary.amount >= self.hour)):
            return None
        price = f"{what} costs {money(self.hour, self.currency)} / h and the" if self.hour else "The"
        return Alert(
            title="Insufficient Credits",
            text=f"{price} balance is {money(primary.amount, primary.currency)}. Nothing was sent.",
            todo="Add credits to the Barrack account, then send the form again; it keeps what you typed.",
            link=with_way_back(reverse("credits"), back),
            link_text="Add credits",
            new_tab=not back,
        )


def money_for(balance: Read[BalanceSheet] | None, hour: Decimal | None) -> Money:
    """Return the balance, if it could be read, beside the price of one hour."""
    return Money(balance.value if balance else None, hour)


def lasts(amount: Decimal, hourly: Decimal) -> timedelta | None:
    """Return how long so much lasts at so much per hour, in whole seconds and at most 3,650 days.

    None when nothing is used, nothing at all when the amount is used up.
    """
    if hourly <= 0:
        return None
    if amount <= 0:
        return timedelta(0)
    # Asked before it is divided: a tiny price would make a number that no timedelta holds.
    if amount >= hourly * (LONGEST // HOUR):
        return LONGEST
    return timedelta(seconds=int(amount * HOUR.seconds / hourly))
