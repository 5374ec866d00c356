"""The currency that a billing country predicts."""

# The 27 member states of the European Union since 1 February 2020, when the United Kingdom had left; the last to join
# was Croatia, on 1 July 2013. Their territories with a code of their own (Réunion, Åland) count as other countries.
EU_MEMBERS = frozenset(
    {
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE",
        "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
    }
)  # fmt: skip


def currency_of(country: str) -> str:
    """Return INR for India, EUR for the members of the European Union, USD for every other country, "" for none.

    It is what Barrack is expected to bill in; what counts is the currency of the balance.
    """
    if country == "IN":
        return "INR"
    if country in EU_MEMBERS:
        return "EUR"
    return "USD" if country else ""
