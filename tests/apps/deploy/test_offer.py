"""What the wizard makes of stock, prices and lists that are odd, very long, gone, or cannot be read."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.test import Client

from apps.deploy.boot import image_options, volume_options
from apps.deploy.offer import MOST_CHOICES
from barrack_web import cloud
from barrack_web.client import Price, Prices, Volume, VolumeListing
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import (
    CHOICES,
    KEY,
    MODEL,
    REGION,
    choose,
    errors,
    form_of,
    options,
    page,
    panel,
    post,
    ready,
    section,
)
from tests.apps.deploy.offers import offer, read, stock
from tests.apps.snapshots.helpers import body, words
from tests.conftest import text_of

NEVER = "Ubuntu Server 16.04 LTS"
VOLUME = "BRK-123519V"


def sizes(model: str, region: str, **configurations: int | None) -> dict[str, Any]:
    return stock(model, region, 4) | {
        "configurations": {name.lstrip("_"): free for name, free in configurations.items()}
    }


# -- stock


@pytest.mark.parametrize(
    ("stocks", "out"),
    [
        ([stock("L40", "A", 0), stock("L40", "B", 0)], True),
        ([stock("L40", "A", 0), stock("L40", "B", 1)], False),
        # Of a size that is not told nobody knows.
        ([sizes("L40", "A", _1x=0, _2x=None)], False),
        ([sizes("L40", "A")], False),
        # Stock that does not list the model at all has none of it.
        ([stock("A40", "A", 4)], True),
    ],
)
def test_it_says_out_of_stock_only_where_stock_says_so_everywhere(stocks: list[dict[str, Any]], out: bool) -> None:
    there = offer(*stocks, prices=read(Prices((Price("gpus", "legacy", "L40", {"USD": Decimal(1)}),))))
    assert {row.name: row.sold_out for row in there.models("")}["L40"] == out
    assert not any(row.sold_out for row in offer(stocks=None).models("L40"))


@pytest.mark.parametrize("name", ["9" * 5000 + "x", "²x", "x", "", "-1x", "1.5x", "0x", "999x", "1"])
def test_it_lives_with_configurations_that_make_no_sense(name: str) -> None:
    there = offer(stock("L40", "A", 4) | {"configurations": {name: 3, "2x": 2}})
    assert [choice.value for choice in there.counts("L40")] == ["2"]


def test_it_opens_with_configurations_that_make_no_sense(operator: Client, sandbox: Sandbox) -> None:
    row = {"region": REGION, "model": MODEL, "available": "9" * 5000, "configurations": {"9" * 5000 + "x": 1, "1x": 1}}
    body_ = {"success": True, "stocks": [row]}
    sandbox.faults.arm("get_gpu_stocks", "status", status=200, body=body_, times=None)
    shown = choose(operator, **CHOICES)
    assert 'value="create"' in section(shown, "review")
    assert "9" * 100 not in body(shown)


# -- what was chosen, and is no longer offered


@pytest.mark.parametrize(
    ("chosen", "key", "sentence"),
    [
        ({"gpu_count": "3"}, "size", "This GPU does not come in this number."),
        ({"region": "MARS-1"}, "size", "Barrack does not have this region. Choose another one."),
        ({"os_image": NEVER}, "boot", "The region does not have this OS image. Choose another one."),
    ],
)
def test_it_shows_what_is_no_longer_offered_as_chosen(
    operator: Client, chosen: dict[str, str], key: str, sentence: str
) -> None:
    # given a draft with a choice that cannot be made any more
    ((name, value),) = chosen.items()
    shown = choose(operator, **CHOICES | chosen)
    html = section(shown, key)
    # then it is one more choice, ticked, that says so
    assert f'name="{name}" value="{value}" checked' in html
    assert html.count(f'name="{name}" value="{value}"') == 1
    assert "not offered" in words(html)
    assert sentence in errors(html)
    # and no other choice changes it
    post(operator, form_of(shown), name="another")
    assert form_of(page(operator, draft=form_of(shown)["draft"][0]))[name] == [value]


def test_it_shows_nothing_as_gone_that_is_there(operator: Client) -> None:
    assert "not offered" not in text_of(choose(operator, **CHOICES))


# -- what cannot be read


def test_it_keeps_the_chosen_gpu_on_the_page_while_none_can_be_read(operator: Client, sandbox: Sandbox) -> None:
    for operation in ("get_gpu_stocks", "get_gpu_specs", "get_pricing", "query_pricing"):
        sandbox.faults.arm(operation, "status", status=503, times=None)
    shown = choose(operator, **CHOICES)
    # then its card is there, and nothing is called gone or for free
    assert f'value="{MODEL}" checked' in section(shown, "gpu")
    assert "Price not known now" in words(section(shown, "gpu"))
    assert "Out of stock" not in words(section(shown, "gpu"))
    assert "The price cannot be read now. This page keeps asking." in words(panel(shown))
    assert "Price not known now" in words(section(shown, "review"))
    # and without one chosen, it says that they cannot be read
    assert "The GPUs on offer cannot be read now. This page keeps asking." in text_of(page(operator, new="1"))


def test_it_asks_for_the_price_of_nothing_that_no_list_names(operator: Client, sandbox: Sandbox) -> None:
    cloud.prices.read()
    choose(operator, gpu_model="NO-SUCH-GPU", gpu_count="1")
    assert sandbox.log.calls("query_pricing") == []
    # but while the list is not known, for whatever was chosen
    cloud.prices.drop()
    sandbox.faults.arm("get_pricing", "status", status=503, times=None)
    choose(operator, **CHOICES)
    assert sandbox.log.calls("query_pricing")


@pytest.mark.parametrize(
    ("operation", "chosen", "blocks"),
    [
        ("get_gpu_stocks", {}, False),
        ("get_pricing", {}, False),
        ("list_volumes", {"boot": "volume", "volume_id": VOLUME}, True),
        ("list_images", {"boot": "image", "image_id": "501"}, True),
        ("list_volumes", {"volume_id": VOLUME}, False),
        ("list_ssh_keys", {}, True),
    ],
)
def test_it_takes_an_older_copy_only_where_nothing_depends_on_it(
    operator: Client, sandbox: Sandbox, *, operation: str, chosen: dict[str, str], blocks: bool
) -> None:
    # given lists that were read before, of which one cannot be read since
    data = ready(operator, sandbox, **chosen)
    sandbox.faults.arm(operation, "refuse", times=None)
    # when the form is sent, then it goes out unless what was chosen stands on that list
    response = post(operator, data)
    assert len(sandbox.log.calls("create_instance")) == (not blocks)
    assert response.status_code == (503 if blocks else 200)


# -- very long lists


def volumes(number: int) -> list[dict[str, Any]]:
    fields = {"region": "A", "bootable": True, "size_gb": 100, "status": "available"}
    return [{"volume_id": f"V{n}", "volume_name": f"v{n:04}", **fields} for n in range(number)]


def test_it_offers_the_first_of_very_many_and_the_one_that_is_chosen() -> None:
    rows = tuple(msgspec.convert(row, Volume) for row in volumes(MOST_CHOICES + 50))
    there = offer(volumes=read(VolumeListing(rows)))
    shown, _ = volume_options(there, "A", "")
    assert (len(shown), shown[-1][0]) == (MOST_CHOICES, f"V{MOST_CHOICES - 1}")
    shown, _ = volume_options(there, "A", "V249")
    assert (len(shown), shown[-1][0]) == (MOST_CHOICES + 1, "V249")
    assert image_options(offer(), "A", "x") == ([], {})


def test_it_says_that_there_are_more_and_cuts_no_keys(operator: Client, sandbox: Sandbox) -> None:
    # given more scripts, volumes and keys than anybody reads through
    for number in range(1000, 1250):
        world = sandbox.world
        world.add("scripts", str(number), world.scripts["71"] | {"script_id": str(number), "name": f"z{number}"})
        world.add("ssh_keys", str(number), world.ssh_keys["11"] | {"id": number, "name": f"z{number}"})
    shown = choose(operator, **CHOICES | {"ssh_keys": [KEY, "z1249"]}, start="script", script_id="1249")
    offered = options(section(shown, "start"), "script_id")
    assert offered[""] == "Choose a script (the first 200 of more)"
    assert (len(offered), offered["1249"]) == (MOST_CHOICES + 2, "z1249")
    assert "1248" not in offered
    assert form_of(shown)["script_id"] == ["1249"]
    # and every key can be chosen
    assert form_of(shown)["ssh_keys"] == [KEY, "z1249"]
    assert section(shown, "access").count('name="ssh_keys"') == 254
    # while a list that is not cut says nothing
    assert options(section(choose(operator, **CHOICES, boot="volume"), "boot"), "volume_id")[""] == "Choose a volume"


# -- of a field that is sent twice the last value counts


def test_it_takes_the_last_value_of_a_field_that_is_sent_twice(operator: Client, sandbox: Sandbox) -> None:
    data = ready(operator, sandbox)
    twice = {
        "gpu_count": ["1", "2"],
        "name": ["first", "last"],
        "public_ip": ["", "on"],
        "seen_price": ["1", "3.1 USD"],
    }
    # when it is chosen, then price and draft are those of the last
    assert "$3.10 / h" in words(panel(post(operator, data | twice | {"intent": "update"})))
    # and so is what is sent
    response = post(operator, data | twice)
    assert "HX-Redirect" in response, words(body(response))
    (call,) = sandbox.log.calls("create_instance")
    assert (call.body["gpu_count"], call.body["vm_name"]) == (2, "last")
