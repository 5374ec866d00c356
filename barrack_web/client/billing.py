"""The account's credits, and the billing records of instances, snapshots and volumes."""

from datetime import datetime
from decimal import Decimal

import msgspec

from .reading import UNREADABLE, Answer, settle
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


class CreditData(msgspec.Struct):
    """The payload around the balances, before each of them is read (source: assumed)."""

    balances: msgspec.Raw
    primary_currency: str | None = None


class BillingRecord(msgspec.Struct, frozen=True):
    """One billed period of an instance, a snapshot or a volume (source: API reference pages).

    `total_cost` = `per_minute_rate` times `total_duration_minutes`, in `currency`; `end_time` is None while it runs.
    `size_gb` in GB. Only the fields of its own kind of resource are set.
    """

    billing_id: str
    start_time: datetime
    total_duration_minutes: int
    per_minute_rate: Decimal
    total_cost: Decimal
    currency: str
    end_time: datetime | None = None
    instance_id: str | None = None
    vm_name: str | None = None
    gpu_type: str | None = None
    gpu_count: int | None = None
    snapshot_id: str | None = None
    snapshot_name: str | None = None
    volume_id: str | None = None
    volume_name: str | None = None
    size_gb: Decimal | None = None
    tier: str | None = None
    status: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        settle(
            self,
            numbers=("per_minute_rate", "total_cost", "size_gb"),
            counts=("total_duration_minutes", "gpu_count"),
            times=("start_time", "end_time"),
        )


class BillingSummary(
    msgspec.Struct,
    frozen=True,
    rename={
        "total_minutes": "totalMinutes",
        "active_count": "activeCount",
        "completed_count": "completedCount",
        "hibernated_count": "hibernatedCount",
        "average_usage": "averageUsage",
        "total_size_gb": "totalSizeGB",
        "total_cost": "totalCost",
    },
):
    """Totals over all records: minutes, minutes per record, GB, money. camelCase on the wire.

    Source: API reference pages; completed and hibernated are counted for instances only, sizes for the others only.
    """

    total_minutes: int | None = None
    active_count: int | None = None
    completed_count: int | None = None
    hibernated_count: int | None = None
    average_usage: Decimal | None = None
    total_size_gb: Decimal | None = None
    total_cost: Decimal | None = None

    def __post_init__(self) -> None:
        settle(self, numbers=("average_usage", "total_size_gb", "total_cost"))


class BillingPage(msgspec.Struct, frozen=True):
    """One page of billing records, in the order of the API.

    `broken` counts the records that could not be read.
    """

    records: tuple[BillingRecord, ...]
    summary: BillingSummary
    total: int
    page: int
    limit: int
    total_pages: int
    currency: str | None = None
    broken: int = 0


class BillingHead(msgspec.Struct):
    """What stands around the records of a page (source: API reference pages)."""

    summary: msgspec.Raw
    total: int
    page: int
    limit: int
    total_pages: int
    currency: str | None = None


def billing_page(transport: Transport, name: str, page: int, limit: int, *, within: float | None = None) -> BillingPage:
    """One page of the billing records that an operation answers. Raises BarrackError.

    Source: API reference pages for the answer; that `limit` is at most 100 is assumed.
    """
    query = {"page": page, "limit": limit}
    answer = transport.send(transport.prepare(name, query=query, within=within))
    records, broken = answer.rows(BillingRecord)
    head = answer.top(BillingHead)
    return BillingPage(
        tuple(records),
        _summary(answer, head.summary),
        head.total,
        head.page,
        head.limit,
        head.total_pages,
        head.currency,
        broken,
    )


def _summary(answer: Answer, raw: msgspec.Raw) -> BillingSummary:
    try:
        return answer.row(raw, BillingSummary)
    except UNREADABLE as error:
        raise answer.broken(str(error)) from None


class Billing:
    """Calls for credits. `within`: seconds for the whole call, when less than the usual limit. Raise BarrackError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def balance(self, *, within: float | None = None) -> BalanceSheet:
        """The balances.

        Raises Broken also when there are some and none can be read: no credit is not an unknown credit.
        """
        answer = self._transport.send(self._transport.prepare("get_credit_balance", within=within))
        data = answer.one(CreditData)
        balances, broken = answer.nested_rows(data.balances, Balance)
        if broken and not balances:
            raise answer.broken("no balance can be read")
        return BalanceSheet(balances, data.primary_currency, broken)
