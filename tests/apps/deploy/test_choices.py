"""What there is to choose from on /deploy/: GPUs, sizes, regions, and what a VM can boot from."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from barrack_web import clock, cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import (
    MODEL,
    REGION,
    Values,
    choose,
    errors,
    form_of,
    give_stock,
    options,
    page,
    post,
    section,
)
from tests.apps.snapshots.helpers import unescaped, words
from tests.conftest import text_of

UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
GOLDEN, GOLDEN_IMAGE = "BRK-123519V", "501"
NVLINK = "Multi-GPU setups automatically include NVLink for supported GPU types"


def cards(html: str) -> dict[str, str]:
    """Return the words on each GPU's card by its model, in their order."""
    found = re.findall(r'<label class="pick-card.*?</label>', html, re.DOTALL)
    return {words(re.findall(r"<bdi>(.*?)</bdi>", card)[0]): words(card) for card in found}


def chips(html: str, legend: str) -> dict[str, str]:
    """Return the words of each size or region by its value; those that cannot be picked begin with "off: "."""
    field = html.partition(f"<legend>{legend}</legend>")[2].partition("</fieldset>")[0]
    found = re.findall(r'value="([^"]*)"([^>]*)>(.*?)</label>', field, re.DOTALL)
    return {value: ("off: " if "disabled" in rest else "") + words(text) for value, rest, text in found}


def systems(html: str) -> list[str]:
    """Return the operating systems to choose from."""
    return re.findall(r'name="os_image" value="([^"]*)"', html)


def boots(browser: Client, source: str, region: str = REGION, **values: Any) -> tuple[str, Values]:
    """Choose a source in a region and return the boot section, and the form that it stands in."""
    shown = choose(browser, gpu_model=MODEL, gpu_count="1", region=region, boot=source, **values)
    return section(shown, "boot"), form_of(shown)


# -- GPU models


@pytest.mark.parametrize(
    ("model", "text", "best", "price"),
    [
        pytest.param(*row, marks=pytest.mark.feature(f"DEP-0{number}"))
        for number, row in enumerate(
            [
                (
                    "H100-SXM5-80GB",
                    "Highest performance for large-scale AI training",
                    "LLMs, complex AI research",
                    "$2.69",
                ),
                (
                    "H100-PCIe-NVLink-80GB",
                    "High-performance with NVLink",
                    "multi-GPU workloads, distributed training",
                    "$2.29",
                ),
                (
                    "H100-PCIe-80GB",
                    "High-performance PCIe interface",
                    "single-GPU inference, model training",
                    "$2.25",
                ),
                (
                    "A100-SXM4-80GB-NVLink",
                    "Excellent for deep learning and HPC",
                    "deep learning, scientific computing",
                    "$1.59",
                ),
                ("A100-PCIe-80GB", "High-performance PCIe A100", "ML training, data analytics", "$1.55"),
                ("L40", "Balanced performance for diverse workloads", "AI inference, graphics", "$1.19"),
                ("RTX-A6000", "Cost-effective for smaller workloads", "development, small-scale training", "$0.69"),
                ("A40", "Versatile professional GPU", "professional graphics, AI development", "$0.69"),
            ],
            start=1,
        )
    ],
)
def test_it_offers_each_documented_gpu_with_its_words_and_price(
    operator: Client, model: str, text: str, best: str, price: str
) -> None:
    card = cards(section(page(operator, new="1"), "gpu"))[model]
    assert text in card
    assert f"Best for: {best}" in card
    assert f"{price} / GPU h" in card


@pytest.mark.feature("DEP-09")
def test_it_offers_what_the_api_lists_and_nothing_else(operator: Client, sandbox: Sandbox) -> None:
    # given an API with one documented model, one that nobody knows and one with a hostile name
    hostile = '"><script>alert(1)</script>'
    rows = [
        {"region": "US-1", "model": name, "available": "4", "configurations": {"1x": 4, "2x": 2}}
        for name in ("L40", "Z9-96GB", hostile, "x" * 101, "")
    ]
    empty: dict[str, Any] = {"success": True}
    sandbox.faults.arm("get_gpu_stocks", "status", status=200, body=empty | {"stocks": rows}, times=None)
    sandbox.faults.arm("get_gpu_specs", "status", status=200, body=empty | {"specs": []}, times=None)
    line = {"prices": {"USD": 0.5}, "max_count": 8}
    data = {"pricing_data": {"gpus": {"pricing": {"legacy": {"Z9-96GB": line}}}}}
    sandbox.faults.arm("get_pricing", "status", status=200, body=empty | data, times=None)
    # then these are offered, the documented one first, each with what is known of it
    shown = page(operator, new="1")
    found = cards(section(shown, "gpu"))
    assert next(iter(found)) == "L40"
    assert set(found) == {"L40", "Z9-96GB", words(hostile.replace("<", "&lt;"))}
    assert "No price listed" in found["L40"]
    assert "$0.50 / GPU h" in found["Z9-96GB"]
    assert "Best for" not in found["Z9-96GB"]
    assert not unescaped(shown)


@pytest.mark.feature("DEP-11")
def test_it_labels_the_gpus_that_come_with_nvlink(operator: Client) -> None:
    html = section(page(operator, new="1"), "gpu")
    tagged = re.findall(r'<bdi>([^<]*)</bdi></strong><span class="tag" title="([^"]*)">NVLink</span>', html)
    assert tagged == [(m, NVLINK) for m in ("H100-SXM5-80GB", "H100-PCIe-NVLink-80GB", "A100-SXM4-80GB-NVLink")]
    assert NVLINK in words(html)


def test_it_shows_what_comes_with_one_gpu_and_where_it_is_free(operator: Client, sandbox: Sandbox) -> None:
    give_stock(sandbox, "L40", CANADA_1=201, US_1=3)
    card = cards(section(page(operator, new="1"), "gpu"))["L40"]
    assert "48 GB GPU memory · 28 vCPU · 58 GB RAM" in card
    assert "CANADA-1: 200+" in card
    assert "US-1: 3" in card
    assert "NORWAY-1" not in card


def test_it_says_that_a_gpu_is_out_of_stock_and_still_lets_it_be_chosen(operator: Client, sandbox: Sandbox) -> None:
    give_stock(sandbox, "L40")
    html = section(page(operator, new="1"), "gpu")
    assert "Out of stock" in cards(html)["L40"]
    # what is free instead is said when it is chosen
    shown = choose(operator, gpu_model="L40")
    assert "What is free instead" in section(shown, "size")


# -- sizes and regions


@pytest.mark.feature("DEP-10")
def test_it_lets_only_sizes_be_chosen_that_some_region_has(operator: Client, sandbox: Sandbox) -> None:
    # given three GPUs in one region and one in another
    give_stock(sandbox, US_1=3, CANADA_1=1)
    shown = choose(operator, gpu_model=MODEL)
    # then 1 and 2 can be chosen, 4 and 8 say why not
    assert chips(section(shown, "size"), "Number of GPUs") == {
        "1": "1 ×", "2": "2 ×", "4": "off: 4 × none free now", "8": "off: 8 × none free now",
    }  # fmt: skip
    # when one more comes back, then 4 can be chosen too
    sandbox.world.stock["US-1", MODEL] = 4
    assert chips(section(page(operator), "size"), "Number of GPUs")["4"] == "4 ×"


@pytest.mark.feature("DEP-10")
def test_it_refuses_a_size_that_is_gone_or_never_was(operator: Client, sandbox: Sandbox) -> None:
    form = form_of(choose(operator, gpu_model=MODEL, gpu_count="4", region="US-1"))
    give_stock(sandbox, US_1=3)
    gone = post(operator, form, next="size")
    assert "No region has 4 of these GPUs free now." in errors(section(gone, "size"))
    for number in ("3", "16", "-1", "1e1", "²", "many"):
        answer = post(operator, form, gpu_count=number, next="size")
        assert "This GPU does not come in this number." in errors(section(answer, "size")), number


def test_it_offers_no_more_gpus_than_a_model_comes_with(operator: Client) -> None:
    assert list(chips(section(choose(operator, gpu_model="A40"), "size"), "Number of GPUs")) == ["1", "2", "4"]


@pytest.mark.feature("DEP-12")
def test_it_says_how_old_the_stock_is(operator: Client, settings: Any) -> None:
    # given stock that is read once in a minute
    settings.FRESH_STOCK_SECONDS = 60
    assert "Stock read 0 s ago." in text_of(choose(operator, gpu_model=MODEL))
    # when 41 seconds have gone by
    with clock.moved(timedelta(seconds=41)):
        shown = text_of(page(operator))
    # then its age is shown, and that it changes
    assert "Stock read 41 s ago." in shown
    assert "GPU availability varies by region and is updated in real-time" in shown


@pytest.mark.feature("DEP-13", "DEP-14")
def test_it_filters_the_regions_by_what_they_have(operator: Client, sandbox: Sandbox) -> None:
    # given two of three regions with such GPUs
    give_stock(sandbox, US_1=5, NORWAY_1=1)
    # then each region says where it is and how many there are, and the empty one cannot be chosen
    assert chips(section(choose(operator, gpu_model=MODEL), "size"), "Region") == {
        "CANADA-1": "off: CANADA-1 North America · none free now",
        "NORWAY-1": "NORWAY-1 Europe · room for 1 VM",
        "US-1": "US-1 North America · room for 5 VMs",
    }
    # and for two GPUs only the region that has two is left
    two = chips(section(choose(operator, gpu_model=MODEL, gpu_count="2"), "size"), "Region")
    assert two["NORWAY-1"].startswith("off: ")
    assert two["US-1"] == "US-1 North America · room for 2 VMs"


@pytest.mark.feature("DEP-14")
def test_it_refuses_a_region_without_such_gpus_and_one_that_is_none(operator: Client, sandbox: Sandbox) -> None:
    give_stock(sandbox, US_1=5)
    form = form_of(choose(operator, gpu_model=MODEL, gpu_count="1", region="US-1"))
    for region, says in [
        ("CANADA-1", "No such GPUs are free in CANADA-1 now."),
        ("MOON-1", "Barrack does not have this region. Choose another one."),
    ]:
        answer = post(operator, form, region=region)
        assert says in errors(section(answer, "size"))


@pytest.mark.feature("DEP-13")
def test_it_offers_the_documented_regions_when_the_api_lists_none(operator: Client, sandbox: Sandbox) -> None:
    for operation in ("list_regions", "get_gpu_stocks"):
        sandbox.faults.arm(operation, "status", status=404, times=None)
    found = chips(section(choose(operator, gpu_model=MODEL), "size"), "Region")
    assert list(found) == ["CANADA-1", "NORWAY-1", "US-1"]
    assert set(found.values()) == {f"{name} · stock unknown" for name in found}


@pytest.mark.feature("DEP-15")
def test_it_says_what_to_consider_when_choosing_a_region(operator: Client) -> None:
    shown = words(section(choose(operator, gpu_model=MODEL), "size"))
    assert "Latency: the nearer the region, the quicker your connection to it." in shown
    assert "Availability: GPU availability varies by region and is updated in real-time." in shown
    assert "Storage volumes and snapshots are region-specific" in shown


# -- boot source


@pytest.mark.feature("DEP-16")
def test_it_boots_from_one_of_three_sources(operator: Client) -> None:
    html, form = boots(operator, "os")
    sources = re.findall(r'name="boot" value="(\w+)".*?<span>(.*?)</span>', html)
    assert sources == [("os", "OS Images"), ("volume", "Volumes"), ("image", "Custom Images")]
    assert form["boot"] == ["os"]
    # when another source is chosen, then that one is asked for, and what stands behind the others is kept
    answer = post(operator, form, boot="volume", next="boot")
    assert errors(section(answer, "boot")) == ["Choose a volume."]
    answer = post(operator, form, boot="volume", volume_id=GOLDEN)
    assert errors(section(answer, "boot")) == []
    kept = form_of(page(operator, draft=form["draft"][0]))
    assert (kept["boot"], kept["volume_id"], kept["os_image"]) == (["volume"], [GOLDEN], [UBUNTU])
    # and a fourth one there is not
    answer = post(operator, form, boot="usb", next="boot")
    assert errors(section(answer, "boot")) == ["Choose one of the three boot sources."]


@pytest.mark.feature("DEP-17")
def test_it_lists_the_operating_systems_of_the_region(operator: Client) -> None:
    html, form = boots(operator, "os", "US-1", os_image="Rocky Linux 9 R550 CUDA 12.4")
    documented = [
        UBUNTU,
        f"{UBUNTU} with Docker",
        "Ubuntu Server 20.04 LTS R535 CUDA 12.2",
        "Ubuntu Server 20.04 LTS R535 CUDA 12.2 with Docker",
    ]
    assert systems(html) == [*documented, "Rocky Linux 9 R550 CUDA 12.4"]
    assert form["os_image"] == ["Rocky Linux 9 R550 CUDA 12.4"]
    # when the region changes, then so does the list, and one that is not there is no longer chosen
    html = section(post(operator, form, region="NORWAY-1"), "boot")
    assert systems(html) == [*documented, "Debian 12 Bookworm R550 CUDA 12.4"]
    assert form_of(page(operator, draft=form["draft"][0]))["os_image"] == [UBUNTU]


def test_it_says_that_a_region_has_no_operating_systems(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_os_images", "status", status=200, body={"success": True, "images": []}, times=None)
    html, _ = boots(operator, "os")
    assert "Barrack lists no OS images for CANADA-1. Choose another region, a volume or an image." in words(html)


@pytest.mark.feature("DEP-18", "DEP-19")
def test_it_offers_the_regions_bootable_volumes_and_says_which_cannot_be_used(
    operator: Client, sandbox: Sandbox
) -> None:
    # given volumes of every kind, of 100 GB and one less, and one on its way
    for key, fields in {
        "BRK-900001V": {"volume_name": "just-enough", "size_gb": 100},
        "BRK-900002V": {"volume_name": "too-small", "size_gb": 99},
        "BRK-900003V": {"volume_name": "on-its-way", "status": "creating"},
        "BRK-900004V": {"volume_name": "elsewhere", "region": "US-1"},
    }.items():
        sandbox.world.add("volumes", key, sandbox.world.volumes[GOLDEN] | {"volume_id": key} | fields)
    # then those of the region that boot are offered; the others of them say why not
    html, form = boots(operator, "volume")
    assert options(html, "volume_id") == {
        "": "Choose a volume",
        GOLDEN: f"golden-boot – 150 GB, {UBUNTU}",
        "BRK-900001V": f"just-enough – 100 GB, {UBUNTU}",
        "BRK-123504V": f"off: eval-harness-boot – 100 GB, {UBUNTU} – attached to eval-harness",
        "BRK-900003V": f"off: on-its-way – 150 GB, {UBUNTU} – its status is creating",
        "BRK-900002V": f"off: too-small – 99 GB, {UBUNTU} – smaller than 100 GB",
    }
    assert "Requires a bootable volume in the same region (CANADA-1), of 100 GB or more" in words(html)
    # and sent all the same they are refused
    for key, says in {
        "BRK-900001V": [],
        "BRK-900002V": ["The VM cannot boot from it: smaller than 100 GB."],
        "BRK-123504V": ["The VM cannot boot from it: attached to eval-harness."],
        "BRK-900004V": [
            "This volume is not in the region chosen, and stays in its own. Choose another one, or its region."
        ],
        "BRK-123527V": [
            "This volume is not in the region chosen, and stays in its own. Choose another one, or its region."
        ],
    }.items():
        assert errors(section(post(operator, form, volume_id=key), "boot")) == says, key


@pytest.mark.feature("DEP-20")
def test_it_offers_the_regions_images_and_says_which_cannot_be_used(operator: Client) -> None:
    html, form = boots(operator, "image")
    assert options(html, "image_id") == {
        "": "Choose an image",
        "502": "ci-runner-template – 40 GB",
        "501": "golden-cuda – 100 GB",
        "505": "tokenizer – 60 GB",
        "506": "off: ci-runner-next – 40 GB – its status is ERROR",
    }
    assert "Images are filtered by the selected region automatically (CANADA-1)." in words(html)
    for key, says in {
        GOLDEN_IMAGE: [],
        "506": ["The VM cannot boot from it: its status is ERROR."],
        "img-503": ["This image is not in the region chosen, and stays in its own. Choose another one, or its region."],
        "": ["Choose an image."],
    }.items():
        answer = post(operator, form | {"seen": ["boot:-"]}, image_id=key, next="boot")
        assert errors(section(answer, "boot")) == says, key


@pytest.mark.feature("DEP-18", "DEP-20")
def test_it_takes_no_volume_and_no_image_to_another_region(operator: Client) -> None:
    for source, field, key, says in [
        (
            "volume",
            "volume_id",
            GOLDEN,
            "This volume is not in the region chosen, and stays in its own. Choose another one, or its region.",
        ),
        (
            "image",
            "image_id",
            GOLDEN_IMAGE,
            "This image is not in the region chosen, and stays in its own. Choose another one, or its region.",
        ),
    ]:
        _, form = boots(operator, source, **{field: key})
        assert form[field] == [key]
        moved = post(operator, form, region="US-1")
        assert errors(section(moved, "boot")) == [says]
        assert key not in options(section(moved, "boot"), field)


@pytest.mark.feature("DEP-21")
def test_it_shows_volumes_and_images_to_people_who_are_signed_in_alone(client: Client, sandbox: Sandbox) -> None:
    # given a visitor, then nothing of the account is read
    response = client.get("/deploy/", {"gpu_model": MODEL, "boot": "volume"})
    assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/account/login/")
    assert sandbox.log.calls() == []


@pytest.mark.feature("DEP-21")
def test_it_offers_volumes_and_images_to_those_who_are(operator: Client) -> None:
    assert "golden-boot" in boots(operator, "volume")[0]
    assert "golden-cuda" in boots(operator, "image")[0]


def test_it_escapes_what_the_api_says(operator: Client, sandbox: Sandbox) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    for records, field in [
        (sandbox.world.volumes, "volume_name"),
        (sandbox.world.images, "name"),
        (sandbox.world.scripts, "name"),
        (sandbox.world.ssh_keys, "name"),
        (sandbox.world.instances, "vm_name"),
    ]:
        for record in records.values():
            record[field] = hostile
    cloud.reset()
    for source in ("volume", "image"):
        shown = choose(operator, gpu_model=MODEL, gpu_count="1", region=REGION, boot=source, start="script")
        assert not unescaped(shown)
        assert "alert(1)" in text_of(shown)
