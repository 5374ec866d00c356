"""/volumes/<id>/clone/: a copy under a new name, with what it costs."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.account.models import BillingProfile
from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import BAD_NAMES, alert, body, feedback, submit_button, typed, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import FREE, GOLDEN, USED, Write
from tests.conftest import HTMX, text_of

CLONE = Write(
    f"/volumes/{USED}/clone/",
    "clone_volume",
    "clone",
    {"name": "rag-index-copy"},
    events='{"modal:close": true, "volumes:changed": true}',
)
SUCCESS = "Volume “rag-index-copy” is being made as a copy of “rag-index”."
pytestmark = pytest.mark.usefixtures("profile")


@pytest.mark.feature("VOL-54")
def test_it_makes_a_copy_and_leads_to_it(operator: Client, sandbox: Sandbox) -> None:
    response = CLONE.send(operator)
    assert response.status_code == 200
    assert CLONE.sent(sandbox) == [(f"/volumes/{USED}/clone", {"name": "rag-index-copy"})]
    assert response["HX-Trigger"] == CLONE.events
    made = next(row for row in sandbox.world.volumes.values() if row["volume_name"] == "rag-index-copy")
    assert (made["size_gb"], made["region"], made["volume_type"]) == (512, "CANADA-1", "SSD")
    assert SUCCESS in text_of(response)
    assert f'href="/volumes/{made["volume_id"]}/"' in body(response)
    assert Operation.objects.get().result_id == made["volume_id"]
    # without JavaScript it leads there at once; the next suggestion is a free name
    assert typed(operator.get(CLONE.url)) == "rag-index-copy-2"
    plain = operator.post(CLONE.url, CLONE.filled(operator, name="third"))
    assert (plain.status_code, plain["Location"].startswith("/volumes/BRK-")) == (302, True)


@pytest.mark.feature("VOL-54")
def test_it_shows_the_price_and_suggests_a_name(operator: Client) -> None:
    response = operator.get(CLONE.url, headers=HTMX)
    page = words(body(response))
    assert "512 GB, Cloud-SSD $0.05 / h $36.00 / 30 days" in page
    assert "A VM is using it" in page
    assert typed(response) == "rag-index-copy"
    assert words(submit_button(response)) == "Clone Volume Cloning..."
    free = text_of(operator.get(f"/volumes/{GOLDEN}/clone/", headers=HTMX))
    assert "A VM is using it" not in free
    assert "VMs can boot from it too" in free


@pytest.mark.feature("VOL-54")
@pytest.mark.parametrize(
    ("name", "message", "count"), [*BAD_NAMES[:4], ("rag-index", "A volume named “rag-index”", "")]
)
def test_it_says_what_is_wrong_with_a_name(
    operator: Client, sandbox: Sandbox, name: str, message: str, count: str
) -> None:
    response = CLONE.send(operator, name=name)
    assert response.status_code == 422
    assert feedback(response).startswith(message)
    assert typed(response) == name
    assert count in body(response)
    assert CLONE.sent(sandbox) == []


@pytest.mark.parametrize(
    ("currency", "balance", "least"),
    [("USD", "0.99", "$1.00"), ("USD", "1.00", ""), ("EUR", "0.99", "€1.00"), ("INR", "99.99", "₹100.00"),
     ("INR", "100.00", "")],
)  # fmt: skip
def test_it_needs_the_least_balance_of_a_new_volume(
    operator: Client, sandbox: Sandbox, currency: str, balance: str, least: str
) -> None:
    sandbox.world.currency = currency
    sandbox.world.balances[currency] = Decimal(balance)
    response = CLONE.send(operator)
    assert response.status_code == (422 if least else 200)
    assert len(CLONE.sent(sandbox)) == (not least)
    if least:
        assert alert(response).startswith(
            f"Insufficient Credits A new volume takes a balance of at least {least}; it is {least[0]}{balance}."
        )
        assert typed(response) == "rag-index-copy"


def test_it_needs_an_hour_of_the_price(operator: Client, sandbox: Sandbox) -> None:
    # given a volume so large that an hour of it costs $2.34
    sandbox.world.volumes[FREE].update(size_gb=24_000, volume_type="SSD", tier="legacy")
    sandbox.world.balances["USD"] = Decimal("2.00")
    large = Write(f"/volumes/{FREE}/clone/", "clone_volume", "clone", {"name": "second"})
    assert alert(large.send(operator)).startswith(
        "Insufficient Credits The copy costs $2.34 / h and the balance is $2.00"
    )
    assert CLONE.sent(sandbox) == []


def test_it_needs_a_complete_billing_profile(operator: Client, sandbox: Sandbox, profile: BillingProfile) -> None:
    data = CLONE.filled(operator)
    BillingProfile.objects.filter(pk=profile.pk).update(postal_code="")
    response = operator.post(CLONE.url, data, headers=HTMX)
    assert response.status_code == 422
    said = "The billing profile is not complete Volumes can be cloned once it has: Postal code."
    assert alert(response).startswith(said)
    assert CLONE.sent(sandbox) == []


@pytest.mark.parametrize("status", ["creating", "error", "deleting"])
def test_it_says_which_state_stands_in_the_way(operator: Client, sandbox: Sandbox, status: str) -> None:
    data = CLONE.filled(operator)
    sandbox.world.volumes[USED].update(status=status)
    response = operator.post(CLONE.url, data, headers=HTMX)
    assert alert(response).startswith(f"This volume cannot be cloned now Its status is {status}.")
    assert CLONE.sent(sandbox) == []


def test_it_is_for_operators_and_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(CLONE, request, sandbox)


def test_it_knows_what_is_not_there(operator: Client, sandbox: Sandbox) -> None:
    shared.check_missing(CLONE, operator, sandbox, USED)


def test_it_says_why_the_cloud_refused(operator: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(CLONE, operator, sandbox)


@pytest.mark.parametrize("read", ["get_volume", "list_volumes"])
def test_it_sends_nothing_while_the_cloud_does_not_answer(operator: Client, sandbox: Sandbox, read: str) -> None:
    shared.check_down(CLONE, operator, sandbox, read)


def test_it_is_sent_once(operator: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(CLONE, operator, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(CLONE, operator, sandbox)
    made = [key for key, row in sandbox.world.volumes.items() if row["volume_name"] == "rag-index-copy"]
    assert [Operation.objects.latest("sent_at").result_id] == made


def test_it_escapes_what_the_cloud_says(operator: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(CLONE, operator, sandbox, USED)
