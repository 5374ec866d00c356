"""Count the rows of docs/features.toml that have a passing test.

Run the tests with `--features-report=FILE`, then call this script with that file.
"""

import argparse
import json
import textwrap
import tomllib
from pathlib import Path

FEATURES = Path(__file__).resolve().parents[1] / "docs" / "features.toml"

Titles = dict[str, str]
Report = dict[str, dict[str, list[str]]]


def group_of(row_id: str) -> str:
    return row_id.partition("-")[0]


def read_groups(path: Path) -> dict[str, Titles]:
    """Return the titles by id, by group, in the order of the file."""
    with path.open("rb") as file:
        rows = tomllib.load(file)["feature"]
    groups: dict[str, Titles] = {}
    for row in rows:
        groups.setdefault(group_of(row["id"]), {})[row["id"]] = row["title"]
    return groups


def print_table(groups: dict[str, Titles], passed: dict[str, list[str]]) -> None:
    for group, titles in groups.items():
        missing = [row_id for row_id in titles if row_id not in passed]
        print(f"{group:<6} {len(titles) - len(missing):>3}/{len(titles)}")
        if missing:
            print(
                textwrap.fill(
                    " ".join(missing), 100, initial_indent=" " * 7, subsequent_indent=" " * 7, break_on_hyphens=False
                )
            )


def print_group(titles: Titles, report: Report) -> None:
    for row_id, title in titles.items():
        passed = report["passed"].get(row_id, [])
        failed = report["failed"].get(row_id, [])
        print(f"{row_id}  {title}")
        for nodeid in passed:
            print(f"    passed  {nodeid}")
        for nodeid in failed:
            print(f"    failed  {nodeid}")
        if not passed and not failed:
            print("    no test")


def main() -> None:
    groups = read_groups(FEATURES)
    parser = argparse.ArgumentParser(description="Count the feature rows that have a passing test.")
    parser.add_argument("report", type=Path, help="the file written by pytest --features-report=FILE")
    parser.add_argument("--group", choices=groups, help="list each row of this group with its tests")
    arguments = parser.parse_args()
    report: Report = json.loads(arguments.report.read_text(encoding="utf-8"))

    if arguments.group:
        groups = {arguments.group: groups[arguments.group]}
        print_group(groups[arguments.group], report)
        print()
    print_table(groups, report["passed"])
    rows = [row_id for titles in groups.values() for row_id in titles]
    done = sum(row_id in report["passed"] for row_id in rows)
    print(f"{done} of {len(rows)} rows have a passing test")


if __name__ == "__main__":
    main()
