"""What can be had instead of GPUs that are not free: another region, fewer or more, another GPU, later."""

import html
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.deploy.alternatives import LATER, Alternative, alternatives
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import (
    CHOICES,
    MODEL,
    choose,
    draft_id,
    errors,
    form_of,
    give_stock,
    is_open,
    page,
    parts,
    post,
    section,
)
from tests.apps.deploy.offers import offer, stock
from tests.apps.snapshots.helpers import words
from tests.conftest import text_of


def told(found: list[Alternative]) -> list[tuple[str, str, int, str]]:
    return [(one.kind, one.model, one.count, one.region) for one in found]


def shown(fragment: str) -> dict[str, str]:
    """Return the suggestions on the page by their kind: what each leads to."""
    found = re.findall(r'<li><a href="([^"]+)"[^>]*><span>([^<]+)</span>', fragment)
    return {kind: html.unescape(url) for url, kind in found}


# -- worked out of stock


@pytest.mark.feature("DEP-42")
def test_it_suggests_the_nearest_of_each_kind() -> None:
    # given 4 L40 that region A does not have
    there = offer(
        stock("L40", "A", 3), stock("L40", "B", 9), stock("L40", "C", 4), stock("A40", "A", 4), stock("A40", "B", 8)
    )
    assert told(alternatives(there, "L40", 4, "A")) == [
        # the region with most of them first
        ("Another region", "L40", 4, "B"),
        ("Another region", "L40", 4, "C"),
        # fewer in the same region, where it has them; more where there are any
        ("Fewer GPUs", "L40", 2, "A"),
        ("More GPUs", "L40", 8, "B"),
        ("Another GPU", "A40", 4, "A"),
    ]


def test_it_suggests_nothing_that_is_not_free() -> None:
    assert alternatives(offer(stock("L40", "A", 0), stock("A40", "A", 3)), "L40", 4, "A") == []
    # and nothing at all without stock
    assert alternatives(offer(stocks=None), "L40", 1, "A") == []


def test_it_suggests_fewer_elsewhere_and_only_smaller_ones() -> None:
    there = offer(stock("L40", "A", 0), stock("L40", "B", 1))
    assert told(alternatives(there, "L40", 2, "A")) == [("Fewer GPUs", "L40", 1, "B")]
    # 1 is the least there is
    assert told(alternatives(there, "L40", 1, "A")) == [("Another region", "L40", 1, "B")]


def test_it_suggests_a_few_of_many() -> None:
    rows = [stock(f"M{n}", f"R{r}", 2) for n in range(9) for r in range(9)]
    kinds = [one.kind for one in alternatives(offer(*rows), "M0", 1, "R0")]
    assert {kind: kinds.count(kind) for kind in kinds} == {"Another region": 3, "More GPUs": 1, "Another GPU": 3}


def test_it_writes_an_address_that_makes_the_choice() -> None:
    one = Alternative("Another GPU", "A&B 1", 2, "US 1", Decimal(1))
    assert one.query == "gpu_model=A%26B+1&gpu_count=2&region=US+1"


# -- on the page


@pytest.fixture
def out(operator: Client, sandbox: Sandbox) -> Any:
    """A page with 4 A100 in CANADA-1, which has gone out of them; other GPUs are free."""
    give_stock(sandbox, CANADA_1=3, US_1=4)
    return choose(operator, **CHOICES | {"gpu_count": "4"})


@pytest.mark.feature("DEP-42")
def test_it_offers_four_ways_out(out: Any) -> None:
    html_ = section(out, "size")
    assert errors(html_) == ["No such GPUs are free in CANADA-1 now."]
    assert list(shown(html_)) == ["Another region", "Fewer GPUs", "Another GPU"]
    said = words(html_.partition("What is free instead")[2])
    assert "Another region 4 × A100-PCIe-80GB in US-1 $6.20 / h" in said
    assert "Fewer GPUs 2 × A100-PCIe-80GB in CANADA-1 $3.10 / h" in said
    # the GPU of the nearest price first, in the same region
    assert "Another GPU 4 × A100-SXM4-80GB-NVLink in CANADA-1 $6.36 / h" in said
    assert f"Later: {LATER}" in said


@pytest.mark.feature("DEP-42")
@pytest.mark.parametrize("kind", ["Another region", "Fewer GPUs", "Another GPU"])
def test_it_leads_to_a_form_that_can_be_sent(operator: Client, out: Any, kind: str) -> None:
    # given one of them, when it is followed without JavaScript
    address = shown(section(out, "size"))[kind]
    query = address.partition(f"draft={draft_id(out)}&")[2]
    there = operator.get(address, follow=True)
    # then the draft has that choice, with everything else, and only the button is left
    assert (draft_id(there), errors(section(there, "size"))) == (draft_id(out), [])
    assert "review" in is_open(there)
    form = form_of(there)
    assert form["name"] == ["trainer"]
    assert query == f"gpu_model={form['gpu_model'][0]}&gpu_count={form['gpu_count'][0]}&region={form['region'][0]}"
    # when it is picked on the page, then the parts come, the GPU that is ticked among them
    answer = post(operator, form_of(out), pick=query)
    assert {"gpu", "size", "review"} <= set(parts(answer))
    assert f'value="{form["gpu_model"][0]}" checked' in section(answer, "gpu")
    assert form_of(page(operator, draft=draft_id(out)))["gpu_count"] == form["gpu_count"]


@pytest.mark.feature("DEP-42")
def test_it_says_to_come_back_later_when_nothing_is_free(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.stock.clear()
    html_ = section(choose(operator, **CHOICES), "size")
    assert f"Nothing else is free at the moment. {LATER}" in words(html_)
    assert shown(html_) == {}


def test_it_suggests_nothing_while_the_choice_is_free(operator: Client) -> None:
    assert "What is free instead" not in text_of(choose(operator, **CHOICES))


@pytest.mark.parametrize("pick", ["", "draft=x&name=evil&ssh_keys=x&cloud_init=x"])
def test_it_picks_nothing_but_what_an_address_may_say(operator: Client, pick: str) -> None:
    form = form_of(choose(operator, **CHOICES))
    assert post(operator, form, pick=pick).status_code == 200
    kept = form_of(page(operator, draft=form["draft"][0]))
    assert (kept["name"], kept["ssh_keys"], kept["gpu_model"]) == (form["name"], form["ssh_keys"], [MODEL])
