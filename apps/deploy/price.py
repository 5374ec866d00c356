"""What the chosen VM costs, and how long the balance lasts with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from apps.deploy.offer import Offer
from barrack_web.alerts import Alert
from barrack_web.costs import DAY_HOURS, MINUTES, MONTH_HOURS, burning
from barrack_web.funds import lasts
from barrack_web.templatetags.ui import money

# A price that has moved further since it was shown is asked about again.
TOLERANCE: Final = Decimal("0.05")
# Far above any price per hour.
MOST: Final = Decimal(10) ** 9

NOT_KNOWN: Final = Alert(
    title="The price cannot be read now",
    text="It was on the screen when you looked, and Barrack does not tell it at the moment. Nothing was sent.",
    todo="Try again in a minute; or press Deploy again to deploy without knowing it.",
    status=409,
)


@dataclass(frozen=True)
class Price:
    """`unit` is one GPU per hour and `hourly` all of them, None while no price is known.

    `others` is what the account's VMs cost per hour already, `balance` what is left.
    """

    currency: str
    unit: Decimal | None
    hourly: Decimal | None
    read_at: datetime | None
    others: Decimal | None
    balance: Decimal | None

    @property
    def minute(self) -> Decimal | None:
        return None if self.hourly is None else self.hourly / MINUTES

    @property
    def day(self) -> Decimal | None:
        return None if self.hourly is None else self.hourly * DAY_HOURS

    @property
    def month(self) -> Decimal | None:
        """Return what 30 days cost."""
        return None if self.hourly is None else self.hourly * MONTH_HOURS

    @property
    def lasts(self) -> timedelta | None:
        """Return how long the balance lasts with this VM beside those there are; None where that is not known."""
        if self.hourly is None or self.others is None or self.balance is None:
            return None
        return lasts(self.balance, self.hourly + self.others)

    @property
    def seen(self) -> str:
        """Return what the form carries, to tell later what was on the screen."""
        return "" if self.hourly is None else f"{self.hourly.normalize():f} {self.currency}"


def price_of(offer: Offer, model: str, count: int) -> Price:
    """Return what that many GPUs of a model cost at the prices that were read."""
    unit = offer.unit_price(model) if model else None
    read = offer.quote if offer.quote and offer.quote.value.gpu(model, offer.currency) is not None else offer.prices
    primary = offer.balance.value.primary if offer.balance else None
    return Price(
        currency=offer.currency,
        unit=unit,
        hourly=None if unit is None or not count else unit * count,
        read_at=read.at if read and unit is not None else None,
        others=burning(offer.instances.value, offer.prices, offer.currency) if offer.instances else None,
        balance=primary.amount if primary else None,
    )


def changed(seen: str, now: Price) -> Alert | None:
    """Return the alert when the price is not what was on the screen when the button was pressed."""
    amount, _, currency = seen.partition(" ")
    was = _amount(amount)
    if now.hourly is None:
        return NOT_KNOWN if was is not None else None
    if was is not None and currency == now.currency and _near(was, now.hourly):
        return None
    before = f"It was {money(was, currency)} / h when you looked, and" if was is not None else "It"
    return Alert(
        title="The price has changed",
        text=f"{before} is {money(now.hourly, now.currency)} / h now. Nothing was sent.",
        todo="If that is fine, press Deploy again; everything else is as you left it.",
        status=409,
    )


def _amount(text: str) -> Decimal | None:
    """Return a price as the form carries it; None for anything else, since anybody can send a form."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < MOST else None


def _near(was: Decimal, now: Decimal) -> bool:
    return abs(now - was) <= was * TOLERANCE
