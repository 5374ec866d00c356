"""The currency that a billing country predicts."""

EU_MEMBERS = frozenset(
    {
        "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE",
        "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
    }
)  # fmt: skip


def currency_of(country: str) -> str:
    """Return INR for India, EUR for the members of the European Union, USD for every other country."""
    if country == "IN":
        return "INR"
    return "EUR" if country in EU_MEMBERS else "USD"
