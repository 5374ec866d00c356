"""/volumes/create/: a volume of a size, type and region is made, once."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from apps.account.models import BillingProfile
from apps.activity.models import Event, Operation
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    LOST_AFTER,
    LOST_BEFORE,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    counter,
    feedback,
    filled,
    no_alert,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
    words,
)
from tests.apps.storage.helpers import CREATE, LIST, card, chosen, options, put_balance
from tests.conftest import HTMX, text_of

UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"
SUCCESS = "Volume “scratch” is being created."
pytestmark = pytest.mark.usefixtures("profile")


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    usual = {"name": "scratch", "region": "US-1", "size_gb": "250", "volume_type": "SSD", "description": ""}
    return filled(browser, CREATE, **{**usual, **fields})


def bootable(browser: Client, **fields: str) -> dict[str, str]:
    """The same for a bootable one, whose form has been drawn anew since its box was ticked."""
    return fill(browser, **{"bootable": "on", "was_bootable": "1", "os_image": UBUNTU, **fields})


def made(sandbox: Sandbox, name: str = "scratch") -> list[dict[str, Any]]:
    return [row for row in sandbox.world.volumes.values() if row["volume_name"] == name]


def price_of(page: str) -> str:
    found = re.search(r'<div class="volume-price".*?</div>', page, re.DOTALL)
    assert found
    return words(found.group(0))


# -- works


@pytest.mark.feature("VOL-05", "NAV-18", "NAV-13")
def test_it_makes_one_volume_and_closes_and_shows_it_in_the_list(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, fill(operator, description="for the sweep"), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_volume") == [
        {"name": "scratch", "region": "US-1", "size_gb": 250, "volume_type": "SSD", "description": "for the sweep"}
    ]
    assert response["HX-Trigger"] == '{"modal:close": true, "volumes:changed": true}'
    assert SUCCESS in text_of(response)
    (row,) = made(sandbox)
    assert "Creating" in words(card(operator.get(LIST), row["volume_id"]))
    operation = Operation.objects.get()
    assert (operation.kind, operation.state, operation.result_id) == ("volume.create", "done", row["volume_id"])
    assert Event.objects.get().result == "done"


@pytest.mark.feature("VOL-08", "VOL-09")
def test_it_makes_a_bootable_volume_with_its_system(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, bootable(operator, size_gb="100"), headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, "create_volume")[0].items() >= {"bootable": True, "os_image": UBUNTU, "size_gb": 100}.items()


@pytest.mark.feature("VOL-18", "VOL-19", "VOL-24")
def test_it_begins_with_the_next_name_the_region_of_the_list_and_the_types(operator: Client, sandbox: Sandbox) -> None:
    response = operator.get(f"{CREATE}?region=NORWAY-1", headers=HTMX)
    # volume1 exists
    assert typed(response) == "volume2"
    assert counter(response) == "7/50"
    assert chosen(response, "region") == "NORWAY-1"
    assert options(response, "region") == ["Choose a region", "CANADA-1", "NORWAY-1", "US-1"]
    assert options(response, "volume_type")[0] == "Cloud-SSD – $0.10 per TB and hour"
    assert [row.partition(" ")[0] for row in options(response, "volume_type")] == ["Cloud-SSD", "HDD", "NVMe"]
    # and without a region chosen, or with one that does not exist, it has to be chosen
    for address in (CREATE, f"{CREATE}?region=MARS-1"):
        assert chosen(operator.get(address, headers=HTMX), "region") == ""
    refused = operator.post(CREATE, fill(operator, region=""), headers=HTMX)
    assert feedback(refused, "region") == "Choose a region."
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.parametrize("told", [None, "volume1", "a/b", "x" * 51, ""])
def test_it_finds_a_free_name_itself_when_the_api_suggests_none(
    operator: Client, sandbox: Sandbox, told: str | None
) -> None:
    rows = [{"volume_id": "V1", "volume_name": "volume1", "size_gb": 10, "region": "US-1", "status": "available",
             "bootable": False}]  # fmt: skip
    answer = {"success": True, "volumes": rows, "next_name": told, "pagination": None}
    sandbox.faults.arm("list_volumes", "status", status=200, body=answer, times=None)
    assert typed(operator.get(CREATE, headers=HTMX)) == "volume2"


@pytest.mark.feature("VOL-17", "VOL-23")
def test_it_has_two_rows_and_a_real_check_box(operator: Client) -> None:
    page = body(operator.get(CREATE, headers=HTMX))
    rows = page.split('<div class="volume-row">')[1:]
    assert [name for name in ("name", "region", "size_gb", "bootable") if f'name="{name}"' in rows[0]] == [
        "name",
        "region",
    ]
    assert 'name="size_gb"' in rows[1]
    assert re.search(r'<input type="checkbox" name="bootable" class="switch" role="switch"', rows[1])
    # and its animation stops for those who want none
    css = Path("static/css/app.css").read_text(encoding="utf-8")
    assert "@media (prefers-reduced-motion: reduce) { .switch, .switch::before { transition: none; } }" in css


# -- what follows from what is chosen


@pytest.mark.feature("VOL-20")
@pytest.mark.parametrize(("before", "after"), [("99", "100"), ("10", "100"), ("150", "150"), ("much", "much")])
def test_making_it_bootable_raises_the_size(operator: Client, sandbox: Sandbox, before: str, after: str) -> None:
    data = fill(operator, size_gb=before, bootable="on", name="")
    # when the box was ticked and nothing was sent yet
    response = operator.post(CREATE, {**data, "intent": "update"}, headers=HTMX)
    assert response.status_code == 200
    assert typed(response, "size_gb") == after
    assert ("Size raised to 100 GB, the least for it." in text_of(response)) == (before != after)
    # then nothing is said of what is still to be filled in
    assert feedback(response, "name") == ""
    assert feedback(response, "os_image") == ""
    # and the size that is typed after that is left alone, and refused
    later = operator.post(CREATE, {**data, "was_bootable": "1", "size_gb": "99", "intent": "update"}, headers=HTMX)
    assert typed(later, "size_gb") == "99"
    assert feedback(later, "size_gb") == "A bootable volume has at least 100 GB; this is 99 GB."
    assert sandbox.log.calls("create_volume") == []


def test_a_size_that_was_raised_is_not_sent_before_it_was_seen(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator, size_gb="99", bootable="on", os_image=UBUNTU)
    response = operator.post(CREATE, data)
    assert response.status_code == 422
    assert typed(response, "size_gb") == "100"
    assert feedback(response, "size_gb").startswith("Raised to 100 GB, the least for a bootable volume.")
    assert sandbox.log.calls("create_volume") == []
    assert 'name="was_bootable" value="1"' in body(response)


@pytest.mark.feature("VOL-21")
def test_it_offers_the_systems_of_the_region(operator: Client, sandbox: Sandbox) -> None:
    data = {**bootable(operator, region="CANADA-1", os_image=""), "intent": "update"}
    offered = options(operator.post(CREATE, data, headers=HTMX), "os_image")
    assert offered[0] == "Choose an OS image"
    assert UBUNTU in offered
    # and one is needed, of that region
    for system, said in (("", "A bootable volume needs an OS image. Choose one."),
                         ("TempleOS", "This OS image is not offered in the region. Choose another one.")):  # fmt: skip
        refused = operator.post(CREATE, bootable(operator, os_image=system), headers=HTMX)
        assert refused.status_code == 422
        assert feedback(refused, "os_image") == said
    assert sandbox.log.calls("create_volume") == []
    # but a volume that is not bootable is sent without
    assert operator.post(CREATE, fill(operator, os_image="TempleOS"), headers=HTMX).status_code == 200
    assert "os_image" not in sent(sandbox, "create_volume")[0]


@pytest.mark.feature("VOL-22")
def test_it_says_that_a_region_has_no_systems(operator: Client, sandbox: Sandbox) -> None:
    data = bootable(operator)
    sandbox.faults.arm("list_os_images", "status", status=200, body={"success": True, "images": []}, times=None)
    text = "No OS images are available for US-1, so no bootable volume can be made there."
    shown = operator.post(CREATE, {**data, "intent": "update"}, headers=HTMX)
    assert text in text_of(shown)
    refused = operator.post(CREATE, data, headers=HTMX)
    assert feedback(refused, "os_image").startswith(text)
    # nor can one be made while nobody knows which there are
    sandbox.faults.clear()
    data = bootable(operator, os_image="")
    sandbox.faults.arm("list_os_images", "status", status=500, times=None)
    cloud.os_images.drop()
    cache.clear()
    refused = operator.post(CREATE, data, headers=HTMX)
    assert feedback(refused, "os_image").startswith("The OS images cannot be read now.")
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.feature("VOL-11")
@pytest.mark.parametrize(
    ("size", "kind", "price"),
    [
        ("250", "SSD", "250 GB, Cloud-SSD $0.0244 / h $17.58 / 30 days"),
        ("1024", "SSD", "1 TB, Cloud-SSD $0.10 / h $72.00 / 30 days"),
        ("1024", "NVMe", "1 TB, NVMe $0.30 / h $216.00 / 30 days"),
        ("", "SSD", "Enter a size to see what it costs."),
        ("1e3", "SSD", "Enter a size to see what it costs."),
    ],
)
def test_it_shows_the_price_of_what_is_typed(operator: Client, size: str, kind: str, price: str) -> None:
    data = {**fill(operator, size_gb=size, volume_type=kind), "intent": "update"}
    for headers in (HTMX, {}):
        response = operator.post(CREATE, data, headers=headers)
        assert response.status_code == 200
        assert price_of(body(response)) == price
    assert 'hx-trigger="change, input delay:400ms from:find #id_size_gb"' in body(response)
    assert "Update price and choices" in text_of(response)


def test_a_large_volume_takes_one_more_tick_for_its_very_price(operator: Client, sandbox: Sandbox) -> None:
    # given 1,024 GB, which takes none
    assert 'name="confirmed"' not in body(operator.post(CREATE, {**fill(operator, size_gb="1024"), "intent": "update"}))
    # when one more is sent
    refused = operator.post(CREATE, fill(operator, size_gb="2048"), headers=HTMX)
    assert refused.status_code == 422
    assert "This is a large volume: 2 TB Create it for $0.20 / h, which is $144.00 in 30 days" in text_of(refused)
    assert feedback(refused, "confirmed") == "Tick this to create a volume so large."
    # or confirmed for another size
    other = operator.post(CREATE, fill(operator, size_gb="4096", confirmed="2048 SSD"), headers=HTMX)
    assert other.status_code == 422
    assert sandbox.log.calls("create_volume") == []
    # then only the tick of this size lets it go
    assert operator.post(CREATE, fill(operator, size_gb="2048", confirmed="2048 SSD"), headers=HTMX).status_code == 200
    assert sent(sandbox, "create_volume")[0]["size_gb"] == 2048


def test_a_part_that_follows_the_choices_stands_for_itself(operator: Client) -> None:
    # so that an answer that is none, an alert or a proxy's page, takes nothing out of the form
    data = {**fill(operator), "intent": "update"}
    assert 'hx-swap-oob="morph"' in body(operator.post(CREATE, data, headers=HTMX))
    for other in (operator.post(CREATE, data), operator.get(CREATE, headers=HTMX)):
        assert "hx-swap-oob" not in body(other).partition('id="volume-form"')[2].partition(">")[0]
        assert re.search(r'id="volume-form"[^>]* hx-swap="none"', body(other))


def test_it_answers_only_the_feedback_while_somebody_types_the_name(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(CREATE, {**fill(operator, name="volume1"), "validate": "name", "intent": ""}, headers=HTMX)
    assert feedback(response) == "A volume named “volume1” already exists. Choose another name."
    assert "<form" not in body(response)
    blank = operator.post(CREATE, {**fill(operator, name=""), "validate": "name", "intent": ""}, headers=HTMX)
    assert feedback(blank) == "Enter a name."


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    assert "<h1>Create volume</h1>" in re.sub(r"\s*\n\s*", "", body(operator.get(CREATE)))
    response = operator.post(CREATE, fill(operator))
    assert (response.status_code, response["Location"]) == (302, LIST)
    assert SUCCESS in text_of(operator.get(LIST))


# -- bad input


@pytest.mark.feature("VOL-05", "VOL-06", "VOL-52")
@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("9", "A standard volume has at least 10 GB; this is 9 GB."),
        ("0", "A standard volume has at least 10 GB; this is 0 GB."),
        ("1048577", "A volume has at most 1,024 TB (1,048,576 GB)."),
        ("", "Enter the size in GB."),
        *((text, "Enter the size as a whole number of GB, such as 250, in the digits 0 to 9 alone.")
          for text in ("10.5", "1e3", "-1", "+20", "1,000", "１００", "٢٥٠", "ten", "9" * 13)),
    ],
)  # fmt: skip
def test_it_says_at_the_field_what_is_wrong_with_a_size(
    operator: Client, sandbox: Sandbox, size: str, said: str
) -> None:
    response = operator.post(CREATE, fill(operator, size_gb=size, description="kept"), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "size_gb") == said
    assert typed(response, "size_gb") == size
    assert "kept</textarea>" in body(response)
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.feature("VOL-05", "VOL-06", "VOL-08")
@pytest.mark.parametrize(
    ("size", "boots"), [("10", False), (" 250 ", False), ("1048576", False), ("100", True), ("1048576", True)]
)
def test_it_takes_sizes_from_the_least_to_the_most(operator: Client, sandbox: Sandbox, size: str, boots: bool) -> None:
    data = (bootable if boots else fill)(operator, size_gb=size, confirmed="1048576 SSD")
    assert operator.post(CREATE, data, headers=HTMX).status_code == 200
    assert sent(sandbox, "create_volume")[0]["size_gb"] == int(size)


def test_the_largest_size_is_a_setting(operator: Client, settings: Settings) -> None:
    settings.VOLUME_MAX_GB = 1024
    response = operator.post(CREATE, fill(operator, size_gb="1025"), headers=HTMX)
    assert feedback(response, "size_gb") == "A volume has at most 1 TB (1,024 GB)."


def test_it_follows_the_least_size_of_the_price_list(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.volume_minimum_gb = 120
    assert "120 GB to 1,024 TB" in text_of(operator.get(CREATE, headers=HTMX))
    refused = operator.post(CREATE, fill(operator, size_gb="119"), headers=HTMX)
    assert feedback(refused, "size_gb") == "A standard volume has at least 120 GB; this is 119 GB."
    assert operator.post(CREATE, fill(operator, size_gb="120"), headers=HTMX).status_code == 200


@pytest.mark.feature("VOL-52", "NAV-20", "NAV-21")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Enter a name."),
        ("a/b", "Not allowed: “/”. Use letters, numbers, spaces, hyphens (-), underscores (_) and periods (.)."),
        ("x" * 51, "Use at most 50 characters; this has 51."),
        ("golden-boot", "A volume named “golden-boot” already exists. Choose another name."),
    ],
)
def test_it_says_at_the_field_what_is_wrong_with_a_name(
    operator: Client, sandbox: Sandbox, name: str, said: str
) -> None:
    response = operator.post(CREATE, fill(operator, name=name), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response) == said
    assert typed(response) == name
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.parametrize(
    ("field", "said"), [("region", "This region is not offered."), ("volume_type", "This type is not")]
)
def test_it_refuses_what_is_not_offered(operator: Client, sandbox: Sandbox, field: str, said: str) -> None:
    response = operator.post(CREATE, fill(operator, **{field: "MARS-1"}), headers=HTMX)
    assert feedback(response, field).startswith(said)
    assert sandbox.log.calls("create_volume") == []


# -- who may, and what it takes


@pytest.mark.feature("VOL-01", "NAV-23")
def test_it_needs_a_complete_billing_profile(operator: Client, sandbox: Sandbox, profile: BillingProfile) -> None:
    data = fill(operator)
    profile.country = ""
    profile.save()
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith(
        "The billing profile is not complete Volumes can be created once it has: Country."
    )
    assert '<a href="/account/?next=%2Fvolumes%2Fcreate%2F">My account</a>' in body(response)
    assert sandbox.log.calls("create_volume") == []
    assert "disabled" in submit_button(operator.get(CREATE, headers=HTMX))


@pytest.mark.feature("VOL-02", "VOL-03", "VOL-04")
@pytest.mark.parametrize(
    ("amount", "currency", "least"),
    [("0.99", "USD", "$1.00"), ("1.00", "USD", ""), ("0.99", "EUR", "€1.00"), ("1.00", "EUR", ""),
     ("99.99", "INR", "₹100.00"), ("100.00", "INR", "")],
)  # fmt: skip
def test_it_needs_the_least_balance(operator: Client, sandbox: Sandbox, amount: str, currency: str, least: str) -> None:
    put_balance(sandbox, amount, currency)
    opened = operator.get(CREATE, headers=HTMX)
    response = operator.post(CREATE, fill(operator), headers=HTMX)
    assert len(sandbox.log.calls("create_volume")) == (not least)
    if not least:
        assert no_alert(opened)
        assert response.status_code == 200
        return
    assert response.status_code == 422
    for answer in (opened, response):
        assert f"Insufficient Credits A new volume takes a balance of at least {least}" in alert(answer)
    assert '<a href="/credits/" target="_blank" rel="noopener">Add credits' in body(response)
    assert typed(response) == "scratch"


@pytest.mark.feature("VOL-52", "NAV-24")
def test_it_needs_one_hour_of_the_price(operator: Client, sandbox: Sandbox) -> None:
    # given a volume of 102.40 an hour
    put_balance(sandbox, "102.39")
    data = fill(operator, size_gb="1048576", confirmed="1048576 SSD")
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert "A volume of 1,024 TB costs $102.40 / h and the balance is $102.39." in alert(response)
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(CREATE), browser.post(CREATE, {"intent": "create"}, headers=HTMX)):
        assert response.status_code == 403
        assert "Only an operator or an admin can create, attach, detach" in text_of(response)
    assert sandbox.log.calls("create_volume") == []


def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox) -> None:
    assert operator.put(CREATE).status_code == 405
    assert sandbox.log.calls() == []


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(
    ("status", "title", "shown"),
    [
        (402, "Insufficient Credits", 422),
        (403, "Barrack does not allow this", 422),
        (422, "Barrack did not accept a field", 422),
    ],
)
def test_it_says_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm("create_volume", "status", status=status)
    response = operator.post(CREATE, fill(operator, description="kept"), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert (typed(response), typed(response, "size_gb")) == ("scratch", "250")
    assert "kept</textarea>" in body(response)
    assert Operation.objects.get().state == "refused"


def test_it_shows_the_apis_own_words_at_the_field(operator: Client, sandbox: Sandbox) -> None:
    fault = {"success": False, "message": "No", "error": "INVALID", "details": {"size_gb": f"Too large {SCRIPT}"}}
    sandbox.faults.arm("create_volume", "status", status=422, body=fault)
    response = operator.post(CREATE, fill(operator), headers=HTMX)
    assert feedback(response, "size_gb") == f"Too large {SCRIPT}"
    assert not unescaped(response)


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_volume", "refuse")
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)


def test_it_never_sends_a_lost_one_again(operator: Client, sandbox: Sandbox) -> None:
    kind, shown, happened = LOST_BEFORE[1]
    data = fill(operator)
    sandbox.faults.arm("create_volume", kind)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(f"Not seen yet Barrack's answer {happened}, and the new volume is not seen yet.")
    assert operator.post(CREATE, data, headers=HTMX).status_code == shown
    assert len(sandbox.log.calls("create_volume")) == 1


def test_it_finds_the_volume_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm("create_volume", LOST_AFTER[0])
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().result_id == made(sandbox)[0]["volume_id"]
    assert len(sandbox.log.calls("create_volume")) == 1


def test_it_keeps_the_form_and_sends_nothing_while_the_names_cannot_be_read(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator, description="kept")
    sandbox.faults.arm("list_volumes", "status", status=500, times=None)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 502
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert "kept</textarea>" in body(response)
    assert "disabled" in submit_button(response)
    assert sandbox.log.calls("create_volume") == []


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("get_pricing", "The price cannot be read now. You will be charged what Barrack charges."),
        ("list_volume_types", "250 GB $0.0244 / h"),
        ("list_regions", "250 GB, Cloud-SSD"),
        ("get_credit_balance", "250 GB, Cloud-SSD"),
        ("list_os_images", "250 GB, Cloud-SSD"),
    ],
)
def test_it_does_without_what_stands_beside_it(operator: Client, sandbox: Sandbox, operation: str, text: str) -> None:
    sandbox.faults.arm(operation, "status", status=500, times=None)
    data = fill(operator) | ({"volume_type": ""} if operation == "list_volume_types" else {})
    assert text in text_of(operator.post(CREATE, {**data, "intent": "update"}, headers=HTMX))
    assert operator.post(CREATE, data, headers=HTMX).status_code == 200
    assert len(made(sandbox)) == 1


def without_types_at_hand(browser: Client) -> dict[str, str]:
    """Open the form, choose a type, and forget the types that it was chosen from."""
    data = fill(browser, volume_type="HDD")
    cache.clear()
    cloud.volume_types.drop()
    return data


def test_it_waits_for_the_types_once_one_is_chosen(
    operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given types that take longer than what a page does without
    data = without_types_at_hand(operator)
    monkeypatch.setattr("apps.storage.create.OPTIONAL_SECONDS", 0.02)
    sandbox.faults.arm("list_volume_types", "delay", seconds=0.15, times=None)
    # then they are there all the same, and what is sent has the type
    shown = operator.post(CREATE, {**data, "intent": "update"}, headers=HTMX)
    assert (len(options(shown, "volume_type")), chosen(shown, "volume_type")) == (3, "HDD")
    cache.clear()
    cloud.volume_types.drop()
    assert operator.post(CREATE, data, headers=HTMX).status_code == 200
    assert [call["volume_type"] for call in sent(sandbox, "create_volume")] == ["HDD"]


def test_it_keeps_the_type_that_was_chosen_while_the_types_cannot_be_read(operator: Client, sandbox: Sandbox) -> None:
    data = without_types_at_hand(operator)
    sandbox.faults.arm("list_volume_types", "refuse", times=None)
    # when the form is drawn anew, also beside what is wrong elsewhere, then the type is in it still
    for again in ({"intent": "update"}, {"name": ""}):
        shown = operator.post(CREATE, {**data, **again}, headers=HTMX)
        assert chosen(shown, "volume_type") == "HDD"
        assert options(shown, "volume_type") == ["HDD – $0.08 per TB and hour"]
        assert "The other types cannot be read now." in text_of(shown)
    # and it is what is sent
    assert operator.post(CREATE, data, headers=HTMX).status_code == 200
    assert [call["volume_type"] for call in sent(sandbox, "create_volume")] == ["HDD"]


def test_it_says_that_there_are_no_types_any_more(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    answer = {"success": True, "volume_types": []}
    sandbox.faults.arm("list_volume_types", "status", status=200, body=answer, times=None)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "volume_type").startswith("This type is not offered any more.")
    assert sandbox.log.calls("create_volume") == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_makes_one_volume_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = fill(operator)
    answers = [operator.post(CREATE, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code
    assert len(made(sandbox)) == len(sandbox.log.calls("create_volume")) == 1


def test_it_says_that_the_form_was_sent_with_other_values(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    operator.post(CREATE, data, headers=HTMX)
    response = operator.post(CREATE, {**data, "size_gb": "500"}, headers=HTMX)
    assert response.status_code == 409
    assert len(sandbox.log.calls("create_volume")) == 1


@pytest.mark.parametrize("hostile", [SCRIPT, RIGHT_TO_LEFT])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, hostile: str) -> None:
    sandbox.faults.arm(
        "list_volume_types", "status", status=200, body={"success": True, "volume_types": [hostile]}, times=None
    )
    for row in sandbox.world.volumes.values():
        row["region"] = hostile
    data = fill(operator, name=hostile, description=hostile, os_image=hostile, bootable="on", confirmed=hostile)
    response = operator.post(CREATE, data, headers=HTMX)
    assert response.status_code == 422
    assert not unescaped(response)
