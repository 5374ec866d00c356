"""Credits: each balance as it is now, how long it lasts, what credits do and where more are bought."""

from decimal import Decimal
from typing import Any, Final

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.account.gates import profile_gap, way_back
from apps.account.roles import Can, can
from barrack_web import alerts, cloud
from barrack_web.cached import Read
from barrack_web.client import BalanceSheet, BarrackError, Instance, Listing, Prices
from barrack_web.costs import burning
from barrack_web.funds import lasts
from barrack_web.htmx import HtmxHttpRequest, show
from barrack_web.lists import tag_of, tags, unchanged
from barrack_web.polling import poll_seconds
from barrack_web.templatetags.ui import money

# Barrack's smallest purchase in each currency (source: user documentation).
SMALLEST_PURCHASE: Final = {"USD": Decimal(5), "EUR": Decimal(5), "INR": Decimal(100)}
# There are three currencies; whatever else an answer holds, the page stays one.
MOST_BALANCES: Final = 12


def smallest_purchase() -> str:
    """Return "USD $5.00 / EUR €5.00 / INR ₹100.00"."""
    return " / ".join(f"{currency} {money(amount, currency)}" for currency, amount in SMALLEST_PURCHASE.items())


@require_safe
@can(Can.READ)
def credits_page(request: HtmxHttpRequest) -> HttpResponse:
    """The balances, read anew each time the page is opened; with ?next= a way back to the form that needs credits."""
    if not request.htmx:
        # Whoever opens it may have bought credits a moment ago.
        cloud.balance.forget()
    balance, instances, prices = cloud.balance.begin(), cloud.instances.begin(), cloud.prices.begin()
    context: dict[str, Any] = {
        "back": way_back(request),
        "gap": profile_gap(request, "Barrack sells credits"),
        "smallest": smallest_purchase(),
        "poll_seconds": poll_seconds([]),
    }
    try:
        found = balance.get()
    except BarrackError as error:
        alert = alerts.for_error(error)
        return show(request, "account/credits.html", context | {"alert": alert}, part="balances", status=alert.status)
    vms, price = instances.or_none(), prices.or_none()
    tag = tag_of(request, found.at.isoformat(), *tags([found, vms, price]))
    same = unchanged(request, tag)
    if same:
        return same
    context |= {"found": found, "balances": _primary_first(found.value)} | _use(found.value, vms, price)
    return show(request, "account/credits.html", context, part="balances", tag=tag)


def _primary_first(sheet: BalanceSheet) -> list[dict[str, Any]]:
    """Return the balances as cards: the account's own currency first, the others in the API's order."""
    cards = [{"balance": row, "primary": row is sheet.primary} for row in sheet.balances]
    return sorted(cards, key=lambda card: not card["primary"])[:MOST_BALANCES]


def _use(sheet: BalanceSheet, instances: Read[Listing[Instance]] | None, prices: Read[Prices] | None) -> dict[str, Any]:
    """Return what all VMs cost per hour now, and how long the balance lasts for them alone; nothing when not known."""
    if sheet.primary is None or instances is None:
        return {}
    hourly = burning(instances.value, prices, sheet.primary.currency)
    return {"hourly": hourly, "lasts": None if hourly is None else lasts(sheet.primary.amount, hourly)}
