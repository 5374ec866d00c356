"""The list of features itself."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

FEATURES = Path(__file__).resolve().parents[1] / "docs" / "features.toml"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with FEATURES.open("rb") as file:
        return tomllib.load(file)["feature"]


def test_it_lists_434_rows(rows):
    assert len(rows) == 434


def test_it_gives_each_row_its_own_id(rows):
    assert [row_id for row_id, count in Counter(row["id"] for row in rows).items() if count > 1] == []


def test_it_writes_ids_as_letters_and_a_number(rows):
    assert [row["id"] for row in rows if not re.fullmatch(r"[A-Z]+-\d{2}", row["id"])] == []


def test_it_gives_each_row_a_title(rows):
    assert [row["id"] for row in rows if not row["title"].strip()] == []


def test_it_keeps_titles_within_140_characters(rows):
    assert [row["id"] for row in rows if len(row["title"]) > 140] == []
