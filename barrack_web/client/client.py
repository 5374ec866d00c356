"""The client: one object for the whole process, with the calls of each resource."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from .assistant import Assistant
from .billing import Billing
from .catalog import Catalog
from .firewalls import Firewalls
from .images import Images
from .instances import Instances
from .operations import OPERATIONS, Operation
from .scripts import Scripts
from .snapshots import Snapshots
from .ssh_keys import SSHKeys
from .transport import Observer, TimeLimits, Transport
from .volumes import Volumes
from .wire import Names


class Client:
    """The Barrack API. Safe to share between threads; `close` it, or use it in a `with` statement.

    Args:
        base_url: address with its path, such as https://barrack.ai/api (source: API reference page).
        key: the API key; stays inside and is in no repr, message or log line.
        auth_header: name of the header that carries the key (source: assumed).
        auth_prefix: word before the key in it, such as Bearer.
        limits: time limits in seconds.
        operations: the operation table.
        names: the names of the structs' fields on the wire, where they are not the usual ones.
        transport: an httpx transport in place of the network, for a cloud inside the process.
        workers: calls that can be under way at once.
        observer: is told of each call as it lands.

    Raises ValueError for a base URL, key or operation table that cannot work.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        auth_header: str = "X-API-Key",
        auth_prefix: str = "",
        limits: TimeLimits = TimeLimits(),  # noqa: B008 - frozen
        operations: Mapping[str, Operation] = OPERATIONS,
        names: Names = Names(),  # noqa: B008 - never changed without changes
        transport: httpx.BaseTransport | None = None,
        workers: int = 32,
        observer: Observer | None = None,
    ) -> None:
        self.limits = limits
        self._transport = Transport(
            base_url,
            key,
            auth_header=auth_header,
            auth_prefix=auth_prefix,
            limits=limits,
            operations=operations,
            names=names,
            transport=transport,
            workers=workers,
            observer=observer,
        )
        self.instances = Instances(self._transport)
        self.snapshots = Snapshots(self._transport)
        self.images = Images(self._transport)
        self.catalog = Catalog(self._transport)
        self.billing = Billing(self._transport)
        self.volumes = Volumes(self._transport)
        self.firewalls = Firewalls(self._transport)
        self.ssh_keys = SSHKeys(self._transport)
        self.scripts = Scripts(self._transport)
        self.assistant = Assistant(self._transport)

    def close(self) -> None:
        """Closes the connections; later calls raise Unreachable."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
