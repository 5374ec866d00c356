"""The operations of the simulated API, one module per resource, and the way from a request to its operation."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote

from barrack_web.sandbox.routes import (
    assistant,
    billing,
    catalog,
    deploy,
    firewall_attachments,
    firewalls,
    images,
    instance_actions,
    instances,
    os_images,
    scripts,
    security_rules,
    snapshots,
    ssh_keys,
    stock,
    volume_attachments,
    volumes,
)
from barrack_web.sandbox.routes.answers import Route

ROUTES: tuple[Route, ...] = (
    *instances.ROUTES,
    *instance_actions.ROUTES,
    *security_rules.ROUTES,
    *deploy.ROUTES,
    *stock.ROUTES,
    *snapshots.ROUTES,
    *images.ROUTES,
    *catalog.ROUTES,
    *billing.ROUTES,
    *volumes.ROUTES,
    *volume_attachments.ROUTES,
    *firewalls.ROUTES,
    *firewall_attachments.ROUTES,
    *ssh_keys.ROUTES,
    *scripts.ROUTES,
    *os_images.ROUTES,
    *assistant.ROUTES,
)
OPERATIONS = frozenset(route.operation for route in ROUTES)


def _pieces(path: str) -> list[str]:
    return path.strip("/").split("/")


def _is_parameter(piece: str) -> bool:
    return piece.startswith("{")


def _table(moved: Mapping[str, str]) -> list[tuple[list[str], Route]]:
    rows = ((_pieces(moved.get(route.operation, route.path)), route) for route in ROUTES)
    # Fixed words win over parameters: /instances/snapshot-eligible is not an instance.
    return sorted(rows, key=lambda row: [_is_parameter(piece) for piece in row[0]])


_TABLE = _table({})


def resolve(
    method: str, path: str, moved: Mapping[str, str] = MappingProxyType({})
) -> tuple[Route | None, dict[str, str], list[str]]:
    """Return the route of a still percent-encoded path, its parameters, and the methods the path knows.

    A slash too many or too few at the end makes no difference. Without a route the first value is None. `moved` maps
    operations to paths that they are served at instead of their own.
    """
    asked = _pieces(path)
    allowed: list[str] = []
    chosen: list[bool] | None = None
    for pattern, route in _table(moved) if moved else _TABLE:
        if not _fits(pattern, asked):
            continue
        shape = [_is_parameter(piece) for piece in pattern]
        if chosen not in (None, shape):
            # An address in fixed words is only that, also for a method that it does not take.
            break
        chosen = shape
        if route.method == method:
            pairs = zip(pattern, asked, strict=True)
            return route, {name[1:-1]: unquote(value) for name, value in pairs if _is_parameter(name)}, []
        allowed.append(route.method)
    return None, {}, sorted(set(allowed))


def _fits(pattern: list[str], asked: list[str]) -> bool:
    return len(pattern) == len(asked) and all(
        word == piece or (_is_parameter(word) and piece) for word, piece in zip(pattern, asked, strict=True)
    )
