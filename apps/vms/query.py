"""Which part of the list of VMs an address asks for, and how it is to be shown."""

import hashlib
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

from apps.vms.inventory import SORTS
from barrack_web.client import instance_state
from barrack_web.lists import ListQuery

VIEWS: Final = ("cards", "table")
VIEW_COOKIE: Final = "vms_view"
VIEW_COOKIE_SECONDS: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class VmQuery(ListQuery):
    """?region=&q=&sort=&page=&state=&gpu=&view=; the view is remembered in a cookie of the browser."""

    state: str = ""
    model: str = ""
    view: str = "cards"

    @classmethod
    def of(cls, request: HttpRequest, sorts: object = None) -> "VmQuery":  # noqa: ARG003 - the list has its own
        """Read the address, bounded; anything it does not know counts as not said."""
        base = ListQuery.of(request, SORTS)
        asked = request.GET.get("view") or request.COOKIES.get(VIEW_COOKIE, "")
        return cls(
            region=base.region,
            q=base.q,
            sort=base.sort,
            page=base.page,
            state=instance_state(request.GET.get("state", ""))[:60],
            model=request.GET.get("gpu", "")[:60],
            view=asked if asked in VIEWS else VIEWS[0],
        )

    @property
    def key(self) -> str:
        """What is another one for other filters: a box that was ticked for these is not ticked for those."""
        asked = repr((self.region, self.state, self.model, self.q))
        return hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.region or self.state or self.model)

    @property
    def nothing_fits(self) -> str:
        """What was looked for in vain, in words."""
        parts = [f"in {self.region}" if self.region else "", f"with {self.model}" if self.model else ""]
        parts += [f"in the state {self.state}" if self.state else "", f"that matches “{self.q}”" if self.q else ""]
        return f"There is no VM {' '.join(part for part in parts if part)}."
