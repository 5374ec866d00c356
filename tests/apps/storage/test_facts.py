"""What a volume costs by the price list: by its type and tier, and by its type alone where there is no such price."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.storage import facts
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.storage.helpers import SMALL
from tests.conftest import HTMX, text_of

pytestmark = pytest.mark.usefixtures("sandbox")


@pytest.mark.parametrize(
    ("kind", "tier", "price"),
    [
        ("NVMe", "advanced", "0.30"),
        ("NVMe", None, "0.30"),
        # the list knows this type in another tier only
        ("SSD", "advanced", "0.10"),
        ("NVMe", "platinum", "0.30"),
        ("Floppy", "advanced", None),
    ],
)
def test_it_takes_the_price_of_the_tier_else_that_of_the_type(kind: str, tier: str | None, price: str | None) -> None:
    found = facts.price(1024, kind, tier, cloud.prices.read(), "USD")
    assert found == (Decimal(price) if price else None)


def test_a_volume_of_a_tier_without_a_price_shows_what_its_type_costs(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.volumes[SMALL]["tier"] = "platinum"
    assert "Now 100 GB $0.0098 $7.03" in text_of(operator.get(f"/volumes/{SMALL}/resize/", headers=HTMX))
