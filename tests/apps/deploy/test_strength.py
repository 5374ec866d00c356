"""How strong a Jupyter password is: three levels, and what would make it better."""

import time

import pytest

from apps.deploy.strength import LEVELS, strength_of

pytestmark = pytest.mark.feature("DEP-35")


@pytest.mark.parametrize(
    ("password", "level", "bar"),
    [
        # Too short is weak, whatever it is made of.
        ("xK9$vQ2", "weak", 1),
        ("12345678", "weak", 1),
        ("password1", "weak", 1),
        ("correcthorse", "medium", 2),
        ("glass-Otter-9-window", "strong", 3),
        ("パスワードは秘密です九", "strong", 3),
    ],
)
def test_it_knows_three_levels(password: str, level: str, bar: int) -> None:
    found = strength_of(password)
    assert found
    assert (found.level, found.bar) == (level, bar)
    # and gives advice until it is strong
    assert bool(found.advice) == (level != "strong")


def test_it_says_nothing_of_no_password() -> None:
    assert strength_of("") is None


def test_it_takes_each_step_of_the_estimate_to_a_level() -> None:
    assert LEVELS == ("weak", "weak", "medium", "strong", "strong")


def test_it_knows_the_words_that_somebody_would_try_first() -> None:
    name = "quartz-falcon-trainer"
    alone, known = strength_of(name), strength_of(name, name, "")
    assert alone
    assert known
    assert (alone.level, known.level) == ("strong", "weak")


def test_it_is_quick_for_any_length() -> None:
    begun = time.monotonic()
    found = strength_of("aB3$" * 5000)
    assert found
    assert time.monotonic() - begun < 1
