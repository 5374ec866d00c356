"""The operation table, the client, the sandbox and the document hold the same operations."""

import string

from barrack_web.client import OPERATIONS
from barrack_web.sandbox.routes import ROUTES
from tests.client.test_operations import CALLS

from .document import operations


def places(path: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(path) if name]


def test_it_is_the_same_set_everywhere() -> None:
    table = set(OPERATIONS)
    assert set(operations()) == table
    assert {route.operation for route in ROUTES} == table
    assert len(ROUTES) == len(table) == 71
    # The client's own test calls each of these and watches what is sent.
    assert set(CALLS) == {name for name, row in OPERATIONS.items() if not row.alias_of}
    assert len(CALLS) == 68


def test_it_says_the_same_of_each_operation() -> None:
    documented = operations()
    served = {route.operation: route for route in ROUTES}
    for name, row in OPERATIONS.items():
        operation, route = documented[name], served[name]
        assert (operation.method, operation.path) == (row.method, row.path), name
        assert (route.method, route.path) == (row.method, row.path), name
        assert operation.alias_of == (row.alias_of or None)
        assert sorted(places(row.path)) == sorted(p["name"] for p in operation.parameters if p["in"] == "path"), name


def test_it_names_only_documented_query_parameters_and_result_keys() -> None:
    for name, row in OPERATIONS.items():
        operation = operations()[name]
        known = {parameter["name"] for parameter in operation.parameters if parameter["in"] == "query"}
        assert set(row.query.values()) <= known, name
        if row.result:
            assert row.result in operation.examples[str(operation.success_status)], name
