"""The operations of the simulated API, one module per resource, and the way from a request to its operation."""

from urllib.parse import unquote

from barrack_web.sandbox.routes import billing, catalog, images, instances, snapshots
from barrack_web.sandbox.routes.answers import Route

ROUTES: tuple[Route, ...] = (
    *instances.ROUTES,
    *snapshots.ROUTES,
    *images.ROUTES,
    *catalog.ROUTES,
    *billing.ROUTES,
)
OPERATIONS = frozenset(route.operation for route in ROUTES)


def _pieces(path: str) -> list[str]:
    return path.strip("/").split("/")


def _is_parameter(piece: str) -> bool:
    return piece.startswith("{")


# Fixed words win over parameters: /instances/snapshot-eligible is not an instance.
_TABLE = sorted(
    ((_pieces(route.path), route) for route in ROUTES),
    key=lambda row: [_is_parameter(piece) for piece in row[0]],
)


def resolve(method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
    """Return the route of a still percent-encoded path, its parameters, and the methods the path knows.

    A slash too many or too few at the end makes no difference. Without a route the first value is None.
    """
    asked = _pieces(path)
    allowed: list[str] = []
    for pattern, route in _TABLE:
        if not _fits(pattern, asked):
            continue
        if route.method == method:
            pairs = zip(pattern, asked, strict=True)
            return route, {name[1:-1]: unquote(value) for name, value in pairs if _is_parameter(name)}, []
        allowed.append(route.method)
    return None, {}, sorted(set(allowed))


def _fits(pattern: list[str], asked: list[str]) -> bool:
    return len(pattern) == len(asked) and all(
        word == piece or (_is_parameter(word) and piece) for word, piece in zip(pattern, asked, strict=True)
    )
