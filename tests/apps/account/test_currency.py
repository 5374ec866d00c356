"""The currency that a billing country predicts, for every country there is."""

import pytest
from django_countries import countries

from apps.account.currency import currency_of

# The 27, as the European Union lists them; a copy of its own.
EUROPEAN_UNION = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]  # fmt: skip
# In Europe, or using the euro, and not a member.
NOT_MEMBERS = ("GB", "CH", "NO", "IS", "LI", "UA", "RS", "TR", "AD", "MC", "SM", "VA", "ME", "XK", "RE", "AX", "GL")


@pytest.mark.feature("ACC-09")
def test_it_predicts_rupees_for_india_alone() -> None:
    assert [code for code, _ in countries if currency_of(code) == "INR"] == ["IN"]


@pytest.mark.feature("ACC-10")
def test_it_predicts_euros_for_the_27_member_states_alone() -> None:
    assert len(EUROPEAN_UNION) == 27
    assert sorted(code for code, _ in countries if currency_of(code) == "EUR") == EUROPEAN_UNION


@pytest.mark.feature("ACC-11")
def test_it_predicts_dollars_for_all_others() -> None:
    others = [code for code, _ in countries if code not in {*EUROPEAN_UNION, "IN"}]
    assert len(others) > 200
    assert {currency_of(code) for code in others} == {"USD"}
    assert {currency_of(code) for code in NOT_MEMBERS} == {"USD"}


def test_it_predicts_nothing_without_a_country() -> None:
    assert currency_of("") == ""
