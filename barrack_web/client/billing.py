"""The account's credits."""

from decimal import Decimal

import msgspec

from .reading import UNREADABLE, read_rows, settle
from .transport import Transport


class Balance(msgspec.Struct, frozen=True):
    """Spendable credit in one currency: `amount` in units of `currency` (shape source: assumed)."""

    currency: str
    amount: Decimal

    def __post_init__(self) -> None:
        settle(self, numbers=("amount",))


class BalanceSheet(msgspec.Struct, frozen=True):
    """The account's balances, one per currency, never transferable (source: user documentation).

    `broken` counts the balances that could not be read.
    """

    balances: list[Balance]
    primary_currency: str | None = None
    broken: int = 0

    @property
    def primary(self) -> Balance | None:
        """The balance in the account's own currency; the only one there is if the API names no currency; else None."""
        if self.primary_currency is None:
            return self.balances[0] if len(self.balances) == 1 and not self.broken else None
        wanted = self.primary_currency.casefold()
        return next((balance for balance in self.balances if balance.currency.casefold() == wanted), None)


class _Data(msgspec.Struct):
    balances: msgspec.Raw
    primary_currency: str | None = None


class Billing:
    """Calls for credits. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def balance(self, *, within: float | None = None) -> BalanceSheet:
        """The balances.

        Raises Broken also when there are some and none can be read: no credit is not an unknown credit.
        """
        answer = self._transport.send(self._transport.prepare("get_credit_balance", within=within))
        data = answer.one(_Data)
        try:
            balances, broken = read_rows(data.balances, Balance)
        except UNREADABLE as error:
            raise answer.broken(str(error)) from None
        if broken and not balances:
            raise answer.broken("no balance can be read")
        return BalanceSheet(balances, data.primary_currency, broken)
