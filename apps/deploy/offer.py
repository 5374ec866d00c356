"""What the cloud has on offer for a new VM, read all at once; and what can be chosen of it."""

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from apps.deploy.gpus import GPU_WORDS, GpuWords, in_order
from barrack_web import alerts, cloud
from barrack_web.alerts import Alert
from barrack_web.cached import OPTIONAL_SECONDS, Pending, Read, Source
from barrack_web.client import (
    BalanceSheet,
    BarrackError,
    GPUSpec,
    GPUStock,
    Image,
    Instance,
    Listing,
    Missing,
    OSImage,
    Prices,
    Protocol,
    Region,
    Script,
    SSHKey,
    VolumeListing,
)

T = TypeVar("T")
# source: user documentation; asked for when neither stock nor facts tell the sizes of a model.
USUAL_COUNTS: Final = (1, 2, 4, 8)
MOST_CHOICES, LONGEST_NAME, LONGEST_SIZE = 200, 100, 5
# Asked for only when one of them is to be chosen from.
ON_DEMAND: Final[dict[str, Source[Any]]] = {
    "volumes": cloud.volumes,
    "images": cloud.images,
    "scripts": cloud.scripts,
}
NEEDED: Final = ("instances", "ssh_keys", "stocks", "os_images")


@dataclass(frozen=True)
class Model:
    """A GPU model: its documented words, price of one GPU per hour, facts of one, and where how many are free."""

    name: str
    words: GpuWords | None
    hourly: Decimal | None
    facts: GPUSpec | None
    free: list[str]
    sold_out: bool


@dataclass(frozen=True)
class Choice:
    """One size or region; `free` is how many such VMs can be made now, None when that is not told; `off` why not."""

    value: str
    label: str
    free: int | None
    off: str = ""


@dataclass(frozen=True)
class Offer:
    """Everything read. What is None could not be read, or was not asked for; `errors` says why, by the list's name."""

    instances: Read[Listing[Instance]] | None
    ssh_keys: Read[Listing[SSHKey]] | None
    stocks: Read[Listing[GPUStock]] | None
    os_images: Read[Listing[OSImage]] | None
    volumes: Read[VolumeListing] | None
    images: Read[Listing[Image]] | None
    scripts: Read[Listing[Script]] | None
    prices: Read[Prices] | None
    quote: Read[Prices] | None
    specs: Read[Listing[GPUSpec]] | None
    regions: Read[Listing[Region]] | None
    balance: Read[BalanceSheet] | None
    protocols: Read[Listing[Protocol]] | None
    errors: dict[str, BarrackError]
    currency: str

    @property
    def alerts(self) -> dict[str, Alert]:
        """What stands where a list could not be read."""
        return {name: alerts.for_error(error) for name, error in self.errors.items()}

    def unsure(self, *also: str) -> Alert | None:
        """Return why nothing can be sent: a list that it stands on cannot be read, or only an older copy of it."""
        needed = ("instances", "ssh_keys", "os_images", *also)
        error = next((self.errors[name] for name in needed if name in self.errors), None)
        if error is not None:
            return alerts.for_error(error, writing=True)
        reads: list[Read[Any] | None] = [getattr(self, name) for name in needed]
        problem = next((read.problem for read in reads if read is not None and read.problem is not None), None)
        return alerts.for_error(problem, writing=True) if problem is not None else None

    @property
    def protocol_names(self) -> list[str]:
        """The protocols that rules can have; none while the API does not say."""
        return [row.name for row in self.protocols.value] if self.protocols else []

    @property
    def names(self) -> set[str]:
        """The names that a new VM cannot have; a deleted VM's name is free again."""
        return {row.vm_name for row in self.instances.value if row.state != "DELETED"} if self.instances else set()

    def ids_of(self, name: str) -> list[str]:
        """Return the ids of the VMs that bear a name."""
        return [row.instance_id for row in self.instances.value if row.vm_name == name] if self.instances else []

    def unit_price(self, model: str) -> Decimal | None:
        """Return what one GPU of a model costs per hour: as asked for this model, else by the whole list."""
        for read in (self.quote, self.prices):
            price = read.value.gpu(model, self.currency) if read else None
            if price is not None:
                return price
        return None

    def models(self, chosen: str) -> list[Model]:
        """Return every model that stock, facts or prices name; while none of them can be read, the one chosen."""
        names = {row.model for row in self.stocks.value} if self.stocks else set()
        names |= {row.gpu_model for row in self.specs.value} if self.specs else set()
        names |= {row.item for row in self.prices.value.rows if row.section == "gpus"} if self.prices else set()
        names = names or ({chosen} if chosen else set())
        fitting = {name for name in names if 0 < len(name) <= LONGEST_NAME and name.isprintable()}
        return [self._model(name) for name in in_order(fitting)[:MOST_CHOICES]]

    def _model(self, name: str) -> Model:
        rows = [row for row in self.stocks.value if row.model == name] if self.stocks else []
        one = [row for row in self.specs.value if row.gpu_model == name and row.gpu_count == 1] if self.specs else []
        return Model(
            name=name,
            words=GPU_WORDS.get(name),
            hourly=self.prices.value.gpu(name, self.currency) if self.prices else None,
            facts=one[0] if one else None,
            free=[f"{row.region[:20]}: {row.available[:8]}" for row in rows if row.available != "0"],
            sold_out=self.stocks is not None and _none_left(rows),
        )

    def free(self, model: str, count: int, region: str) -> int | None:
        """Return how many such VMs can be made now; None when that is not told."""
        if self.stocks is None:
            return None
        row = next((row for row in self.stocks.value if row.model == model and row.region == region), None)
        return row.deployable(count) if row else 0

    def counts(self, model: str) -> list[Choice]:
        """Return the sizes a model comes in; those that no region has now are off."""
        return [self._count(model, count) for count in self._sizes(model)]

    def _sizes(self, model: str) -> list[int]:
        facts = {row.gpu_count for row in self.specs.value if row.gpu_model == model} if self.specs else set()
        stock = self._stock_sizes(model)
        most = self._most(model)
        found = facts | stock or {size for size in USUAL_COUNTS if most is None or size <= most}
        return sorted(size for size in found if 0 < size <= MOST_CHOICES)[:MOST_CHOICES]

    def _stock_sizes(self, model: str) -> set[int]:
        rows = [row for row in self.stocks.value if row.model == model] if self.stocks else []
        names = {name for row in rows for name, free in row.configurations.items() if free}
        sizes = {name[:-1] for name in names if name.endswith("x") and len(name) < LONGEST_SIZE}
        return {int(size) for size in sizes if size.isascii() and size.isdigit()}

    def _most(self, model: str) -> int | None:
        rows = self.prices.value.rows if self.prices else ()
        return next((row.max_count for row in rows if row.section == "gpus" and row.item == model), None)

    def _count(self, model: str, count: int) -> Choice:
        free = [self.free(model, count, region) for region in self.region_names()]
        known = [number for number in free if number is not None]
        off = "none free now" if known and not any(known) and len(known) == len(free) else ""
        return Choice(str(count), f"{count} ×", sum(known) if known else None, off)

    def region_names(self) -> list[str]:
        """Return the regions, sorted."""
        seen = [row.region for row in self.stocks.value] if self.stocks else []
        return cloud.region_names(self.regions, seen)

    def places(self) -> dict[str, str]:
        """Return where each region is, as far as the API says."""
        return {row.name: row.location or "" for row in self.regions.value} if self.regions else {}

    def region_choices(self, model: str, count: int) -> list[Choice]:
        """Return the regions; those without such GPUs now are off."""
        places = self.places()
        return [
            Choice(name, places.get(name, ""), free, "none free now" if free == 0 else "")
            for name in self.region_names()
            for free in (self.free(model, count, name),)
        ]


def _none_left(rows: list[GPUStock]) -> bool:
    """Return whether none can be had: no region lists them, or each says so for every size."""
    told = [free for row in rows for free in row.configurations.values()]
    return not rows or (bool(told) and all(free == 0 for free in told))


@dataclass
class Asked:
    """The reads under way, and the names of those that are waited for."""

    pending: dict[str, Pending[Any]]
    needed: tuple[str, ...]

    def wait(self, patience: float | None) -> Offer:
        """Return what could be read. Lists that a deployment needs are waited for, the others only a moment more."""
        found: dict[str, Any] = {}
        errors: dict[str, BarrackError] = {}
        for name in self.needed:
            found[name], error = _read(self.pending[name], patience)
            if error is not None:
                errors[name] = error
        end = time.monotonic() + OPTIONAL_SECONDS
        for name, pending in self.pending.items():
            if name not in found:
                found[name] = pending.or_none(end)
        rest = dict.fromkeys({"quote", "protocols", *ON_DEMAND} - found.keys())
        return Offer(**found, **rest, errors=errors, currency=cloud.currency())


def ask(model: str, count: str, *also: str, rules: bool = False) -> Asked:
    """Begin every read that the wizard needs, the price of what is chosen among them.

    `also` names those of ON_DEMAND that the choices ask for; like the other lists without which nothing can be sent,
    they are waited for. `rules` tells whether the security rules' section can be open, which needs the protocols.
    """
    pending: dict[str, Pending[Any]] = {
        "instances": cloud.instances.begin(),
        "ssh_keys": cloud.ssh_keys.begin(),
        "stocks": cloud.stocks.begin(),
        "os_images": cloud.os_images.begin(),
        "prices": cloud.prices.begin(),
        "specs": cloud.specs.begin(),
        "regions": cloud.regions.begin(),
        "balance": cloud.balance.begin(),
    }
    if rules:
        pending["protocols"] = cloud.protocols.begin()
    pending |= {name: ON_DEMAND[name].begin() for name in also}
    prices = cloud.prices.peek()
    # One that no list names has no price either, and would be asked for again and again.
    if model and (prices is None or any(row.item == model for row in prices.value.rows)):
        pending["quote"] = cloud.quote.begin(f"{model}/{count}")
    return Asked(pending, (*NEEDED, *also))


def _read(pending: Pending[T], patience: float | None) -> tuple[Read[T] | None, BarrackError | None]:
    """Return the read, or why there is none; an API that does not have the list at all is no error."""
    try:
        return pending.get(patience), None
    except Missing:
        return None, None
    except BarrackError as error:
        return None, error
