"""/vms/ on a bad day: an API that fails, and one that sends what nobody expects."""

import re
from typing import Any

import pytest
from django.test import Client

from apps.vms.inventory import SORTS
from barrack_web.sandbox.server import Sandbox
from tests.apps.vms.helpers import ONE, URL, cards, only, rows
from tests.conftest import HTMX, text_of

# --- a bad day


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (("hang", {}), 504, "Barrack takes too long"),
        (("refuse", {}), 503, "Barrack does not answer"),
        (("close", {}), 502, "Barrack sent an answer that cannot be read"),
        (("html", {}), 502, "Barrack has a problem"),
        (("invalid_json", {}), 502, "Barrack sent an answer that cannot be read"),
        (("truncate", {}), 502, "Barrack sent an answer that cannot be read"),
        (("status", {"status": 500}), 502, "Barrack has a problem"),
        (("status", {"status": 401}), 502, "Barrack refused the portal's key"),
        (("status", {"status": 403}), 502, "Barrack does not allow this"),
        (("status", {"status": 429}), 503, "Barrack asks for fewer requests"),
        (("status", {"status": 200, "body": {"success": True}}), 502, "Barrack sent an answer that cannot be read"),
        (("status", {"status": 200, "body": {"success": True, "instances": None}}), 502, "cannot be read"),
    ],
)
def test_it_says_so_when_the_api_fails(
    viewer: Client, sandbox: Sandbox, fault: tuple[str, dict[str, Any]], status: int, words: str
) -> None:
    # given an API that fails, and no older copy
    kind, fields = fault
    sandbox.faults.arm("list_instances", kind, times=None, **fields)
    for headers in ({}, HTMX):
        response = viewer.get(URL, headers=headers)
        # then it says what happened in a red box, and never that there are no VMs
        assert response.status_code == status
        assert words in text_of(response)
        assert 'class="notice notice-danger" role="alert"' in response.content.decode()
        assert "No virtual machines" not in text_of(response)
        assert "sandbox-key" not in response.content.decode()
        # and it keeps trying
        assert "data-poll" in response.content.decode()
        assert response["X-Part"] == "1"
    asked = {call.operation for call in sandbox.log.calls()}
    assert asked <= {"list_instances", "list_regions", "get_credit_balance", "get_pricing"}


def test_it_shows_an_older_copy_with_its_age(viewer: Client, sandbox: Sandbox) -> None:
    # given a list that was read before
    before = rows(viewer)
    sandbox.faults.arm("list_instances", "refuse", times=None)
    # when the API is down, then the copy is shown, with a banner that says from when it is
    page = viewer.get(URL)
    assert page.status_code == 200
    assert re.search(
        r"Barrack does not answer; this is what it said at \d+ \w+ \d{4}, \d\d:\d\d:\d\d UTC", text_of(page)
    )
    assert "States may have changed since" in text_of(page)
    assert rows(viewer) == before


def test_it_is_whole_when_only_its_side_services_fail(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_regions", "hang", times=None)
    sandbox.faults.arm("get_credit_balance", "html", times=None)
    sandbox.faults.arm("get_pricing", "close", times=None)
    page = viewer.get(URL)
    assert page.status_code == 200
    assert len(rows(viewer)) == 18
    assert "Balance unknown" in text_of(page)
    for region in ("CANADA-1", "NORWAY-1", "US-1"):
        assert f'<option value="{region}">' in page.content.decode()


# --- what the API may send


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7|add:7 }}",
        "\u202egnp.exe",
        "x" * 10_000,
        "a\0b",
        "🦉" * 200,
        "&amp;",
        "' onclick='x",
        "\n\n",
    ],
)
def test_it_shows_hostile_values_as_text(admin: Client, sandbox: Sandbox, value: str) -> None:
    # given a VM of which every text is such a value
    fields = ("vm_name", "gpu_type", "region", "private_ip", "public_ip", "instance_id", "status")
    only(sandbox, **dict.fromkeys(fields, value))
    for query, start in (({"view": "table", "sort": "status"}, "<tbody>"), ({"view": "cards"}, "<article")):
        response = admin.get(URL, query)
        page = response.content.decode()
        # then they are shown as text, cut to what fits, in an element that keeps its direction to itself
        assert response.status_code == 200
        assert "1 VM" in text_of(response)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "onclick='x" not in page
        assert ">14<" not in page
        assert "x" * 201 not in text_of(response)
        assert "<bdi>" in page.partition(start)[2]


@pytest.mark.parametrize("value", [None, "nonsense", -1, [], {"a": 1}])
def test_it_shows_vms_whose_optional_fields_are_odd(viewer: Client, sandbox: Sandbox, value: Any) -> None:
    # given a VM for each optional field, in which that field is something else
    fields = ["gpu_type", "gpu_count", "tier", "private_ip", "public_ip", "server_uuid", "created_at", "flavor"]
    fields += ["image", "ssh_keys", "security_rules", "volumes", "power_state", "billing"]
    record = dict(only(sandbox))
    for field in fields:
        key = f"BRK-{field}"
        sandbox.world.add("instances", key, record | {"instance_id": key, "vm_name": f"odd-{field}", field: value})
    # then all of them are there, in every order, as rows and as cards
    names = {"the-vm", *(f"odd-{field}" for field in fields)}
    for sort in SORTS:
        assert set(rows(viewer, sort=sort)) == names
    pages = [cards(viewer.get(URL, {"view": "cards", "page": str(number)})) for number in (1, 2, 3)]
    assert {name for page in pages for name in page} == names


def test_it_shows_a_vm_with_fields_missing_and_fields_more(viewer: Client, sandbox: Sandbox) -> None:
    record = only(sandbox, surprise={"deep": [1, 2]})
    for field in [f for f in record if f not in {"instance_id", "vm_name", "status", "region", "surprise"}]:
        del record[field]
    assert "the-vm BRK-123456D Active – – CANADA-1 – –" in rows(viewer)["the-vm"]


@pytest.mark.parametrize("field", ["instance_id", "vm_name", "status", "region"])
def test_it_says_that_a_vm_could_not_be_read_and_shows_the_others(viewer: Client, sandbox: Sandbox, field: str) -> None:
    # given a VM without a field that it must have
    del sandbox.world.instances["BRK-123471D"][field]
    # then the others are there, and the gap is told
    assert len(rows(viewer)) == 17
    assert "1 VM could not be read: Barrack sent it without a required field." in text_of(viewer.get(URL))


def test_it_never_takes_unreadable_vms_for_none(viewer: Client, sandbox: Sandbox) -> None:
    only(sandbox, vm_name=None)
    words = text_of(viewer.get(URL))
    assert "No virtual machines" not in words
    assert "could not be read" in words or "cannot be read" in words


def test_it_shows_two_hundred_vms(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.reset({"instances": 230})
    found = [name for number in range(1, 11) for name in rows(viewer, page=str(number), sort="name")]
    assert len(found) == len(set(found)) == 230
    assert "230 VMs" in text_of(viewer.get(URL))


@pytest.mark.parametrize("number", [10**13, -3, 2**63])
def test_it_takes_a_count_that_cannot_be_for_none(admin: Client, sandbox: Sandbox, number: int) -> None:
    # given numbers that no machine has
    record = only(sandbox, gpu_count=number)
    record["flavor"] = {**record["flavor"], "cpu": number, "disk": number}
    # then every page stands, without them
    for url in ("/", "/vms/", "/vms/?view=table", f"/vms/{ONE}/", f"/vms/{ONE}/stop/", f"/vms/{ONE}/delete/"):
        response = admin.get(url)
        assert response.status_code == 200, url
        assert str(number) not in text_of(response), url
