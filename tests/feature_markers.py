"""A pytest plugin that ties tests to the rows of docs/features.toml.

`@pytest.mark.feature("SNAP-31")` names the rows that a test shows, three at most. A marker that names an unknown row is
a collection error. `--features-report=FILE` writes which rows have passing and failing tests, for scripts/features.py.
"""

import json
import tomllib
from collections.abc import Generator
from pathlib import Path

import pytest

FEATURES = Path(__file__).resolve().parents[1] / "docs" / "features.toml"
MOST_IDS = 3
PROPERTY = "feature"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("features")
    group.addoption("--features-report", metavar="FILE", help="write which feature rows have passing tests, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    with FEATURES.open("rb") as file:
        known = frozenset(row["id"] for row in tomllib.load(file)["feature"])
    config.pluginmanager.register(FeatureMarkers(known), "feature-markers")
    target = config.getoption("--features-report")
    # A worker of pytest-xdist hands its reports to the controller, which alone writes the file.
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FeatureReport(config.invocation_params.dir / target), "feature-report")


def feature_ids(item: pytest.Item) -> list[str]:
    """Return the ids on the item, its class and its module, each once, in the order of the source."""
    markers = reversed(list(item.iter_markers(PROPERTY)))
    return list(dict.fromkeys(str(name) for marker in markers for name in marker.args))


class FeatureMarkers:
    def __init__(self, known: frozenset[str]) -> None:
        self.known = known

    def check(self, item: pytest.Item) -> None:
        if item.get_closest_marker(PROPERTY) is None:
            return
        ids = feature_ids(item)
        unknown = [name for name in ids if name not in self.known]
        if not ids:
            raise pytest.UsageError(f"{item.nodeid}: the feature marker names no row")
        if len(ids) > MOST_IDS:
            raise pytest.UsageError(f"{item.nodeid}: {len(ids)} feature rows, at most {MOST_IDS}: {', '.join(ids)}")
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: not in docs/features.toml: {', '.join(unknown)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        # An exception out of pytest_collection_modifyitems would take an xdist worker down without its message;
        # a failed collect report reaches the controller and lists every wrong test at once.
        report = yield
        problems = []
        for node in report.result or []:
            if isinstance(node, pytest.Item):
                try:
                    self.check(node)
                except pytest.UsageError as error:
                    problems.append(f"UsageError: {error}")
        if problems:
            report.outcome = "failed"
            report.longrepr = "\n".join(problems)
            report.result = []
        return report

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        # Each report of a test carries the item's user properties, also from a worker to the controller.
        item.user_properties.extend((PROPERTY, name) for name in feature_ids(item))


class FeatureReport:
    def __init__(self, target: Path) -> None:
        self.target = target
        self.ids: dict[str, list[str]] = {}
        self.outcomes: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ids = [str(value) for name, value in report.user_properties if name == PROPERTY]
        if not ids:
            return
        self.ids[report.nodeid] = ids
        phases = self.outcomes.setdefault(report.nodeid, {})
        # One phase can report several times, once for each subtest: a failure stays.
        if phases.get(report.when) != "failed":
            phases[report.when] = report.outcome

    def pytest_sessionfinish(self) -> None:
        result: dict[str, dict[str, list[str]]] = {"passed": {}, "failed": {}}
        for nodeid, ids in sorted(self.ids.items()):
            phases = self.outcomes[nodeid]
            if "failed" in phases.values():
                outcome = "failed"
            elif phases.get("call") == "passed":
                outcome = "passed"
            else:
                continue
            for name in ids:
                result[outcome].setdefault(name, []).append(nodeid)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.target.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")
