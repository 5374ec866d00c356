"""/vms/: every virtual machine with its state, and how it changes by itself."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.vms.helpers import ONE, URL, badge_of, body, buttons, card, cards, copies, only, rows, set_prices
from tests.conftest import HTMX, text_of

# --- works


def test_it_shows_name_state_gpu_region_and_addresses(viewer: Client, sandbox: Sandbox) -> None:
    shown = rows(viewer)
    assert len(shown) == 18
    assert shown["ml-training-server"].startswith(
        "ml-training-server BRK-123456D Active 2 × H100-PCIe-80GB $4.50 / h CANADA-1 "
    )
    assert " 198.51.100.20 " in shown["ml-training-server"]
    assert " 10.0.0.10 " in shown["ml-training-server"]
    # what there is not is a dash
    assert " 10.0.0.12 " in shown["rag-index-builder"]
    assert " CANADA-1 – " in shown["rag-index-builder"]
    assert " CANADA-1 – " in shown["vision-pretrain"]
    assert "18 VMs" in text_of(viewer.get(URL))


def test_it_costs_one_call_for_each_thing_it_shows(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    assert sorted(call.operation for call in sandbox.log.calls() if call.operation) == [
        "get_credit_balance",
        "get_pricing",
        "list_instances",
        "list_regions",
    ]


@pytest.mark.feature("NAV-10")
def test_it_shows_the_vms_of_one_region(viewer: Client, sandbox: Sandbox) -> None:
    # given VMs in three regions, then each is listed under its own, and under no other
    per_region = {region: rows(viewer, region=region) for region in ("CANADA-1", "NORWAY-1", "US-1")}
    for region, found in per_region.items():
        assert found
        assert all(f" {region} " in row for row in found.values())
    assert sum(len(found) for found in per_region.values()) == 18
    # and the choice stands in the top bar
    page = viewer.get(URL, {"region": "NORWAY-1"}).content.decode()
    assert '<option value="NORWAY-1" selected>' in page
    assert f"{len(per_region['NORWAY-1'])} of 18 VMs" in text_of(viewer.get(URL, {"region": "NORWAY-1"}))


def test_it_offers_a_region_that_only_a_vm_names(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM in a region that the catalog does not list
    only(sandbox, region="MOON-1")
    assert '<option value="MOON-1">' in viewer.get(URL).content.decode()
    assert list(rows(viewer, region="MOON-1")) == ["the-vm"]
    # and when the API lists no regions at all, the documented ones are there
    sandbox.faults.arm("list_regions", "status", status=404, times=None)
    cloud.regions.drop()
    page = viewer.get(URL).content.decode()
    for region in ("CANADA-1", "MOON-1", "NORWAY-1", "US-1"):
        assert f'<option value="{region}">' in page


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("LLAMA", {"llama-ft-70b"}),
        ("brk-123471d", {"llama-ft-70b"}),
        ("198.51.100.21", {"llama-ft-70b"}),
        ("10.0.0.11", {"llama-ft-70b"}),
        ("h100-sxm5", {"llama-ft-70b"}),
        ("  llama  ", {"llama-ft-70b"}),
        ("eval", {"eval-harness", "nightly-eval"}),
    ],
)
def test_it_finds_by_name_id_gpu_and_address(viewer: Client, q: str, names: set[str]) -> None:
    assert set(rows(viewer, q=q)) == names
    assert f'value="{q.strip()}"' in viewer.get(URL, {"q": q}).content.decode()


def test_it_sorts(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[ONE]["vm_name"] = "Ml-training-server"
    by_name = list(rows(viewer, sort="name"))
    assert by_name == sorted(by_name, key=str.casefold)
    newest = list(rows(viewer, sort="newest"))
    assert newest[0] in {"vision-pretrain", "tts-voices"}
    assert newest[-1] == "old-benchmark"
    assert list(rows(viewer)) == newest
    by_state = list(rows(viewer, sort="status").values())
    states = [
        next(word for word in ("Active", "Build", "Creating", "Deleted") if f" {word} " in row) for row in by_state[:8]
    ]
    assert states == ["Active"] * 5 + ["Build", "Creating", "Deleted"]
    assert '<option value="status" selected>' in viewer.get(URL, {"sort": "status"}).content.decode()


def test_it_sorts_the_dearest_first_and_what_costs_nothing_last(viewer: Client, sandbox: Sandbox) -> None:
    # given two VMs under way, whose price is not charged, and one of a price that nobody knows
    sandbox.world.instances[ONE] |= {"gpu_type": "B200", "billing": None}
    names = list(rows(viewer, sort="dearest"))
    assert names[:5] == ["llama-ft-70b", "whisper-batch", "rag-index-builder", "eval-harness", "notebook-anna"]
    assert names[5] == "diffusion-lab"
    assert {"ml-training-server", "vision-pretrain", "old-benchmark"} <= set(names[6:])


def test_it_sorts_a_vm_without_a_time_last(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[ONE]["created_at"] = None
    assert list(rows(viewer))[-1] == "ml-training-server"


# --- filters


@pytest.mark.feature("VM-19")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"state": "SHUTOFF"}, {"notebook-anna"}),
        ({"state": "shutoff"}, {"notebook-anna"}),
        ({"state": " rescue "}, {"storage-recovery"}),
        ({"gpu": "L40"}, {"rag-index-builder", "tts-voices", "inference-gateway"}),
        ({"gpu": "L40", "region": "US-1"}, {"tts-voices"}),
        ({"state": "ACTIVE", "region": "CANADA-1"}, {"ml-training-server", "rag-index-builder", "eval-harness"}),
        ({"state": "ACTIVE", "gpu": "RTX-A6000", "region": "CANADA-1", "q": "EVAL"}, {"eval-harness"}),
        ({"gpu": "RTX-A6000", "region": "CANADA-1", "q": "eval"}, {"eval-harness", "nightly-eval"}),
    ],
)
def test_it_filters_by_state_gpu_region_and_words(viewer: Client, query: dict[str, str], names: set[str]) -> None:
    assert set(rows(viewer, **query)) == names


@pytest.mark.feature("VM-19")
def test_it_offers_the_states_and_models_that_there_are(viewer: Client, sandbox: Sandbox) -> None:
    only(sandbox, status="RESCUE", gpu_type="L40")
    page = body(viewer.get(URL, {"state": "RESCUE", "gpu": "L40", "sort": "dearest"}))
    for value in ("RESCUE", "L40", "dearest"):
        assert f'<option value="{value}" selected>' in page
    # and keeps showing a choice that has nothing left
    page = body(viewer.get(URL, {"state": "ACTIVE", "gpu": "A40"}))
    for value in ("ACTIVE", "A40"):
        assert f'<option value="{value}" selected>' in page
    assert "There is no VM with A40 in the state ACTIVE." in page


def test_it_finds_a_state_with_a_hyphen_under_what_it_offers(viewer: Client, sandbox: Sandbox) -> None:
    only(sandbox, status="Shelved-Offloaded")
    assert '<option value="SHELVED_OFFLOADED">' in body(viewer.get(URL))
    assert list(rows(viewer, state="SHELVED_OFFLOADED")) == ["the-vm"]


# --- cards and table


def test_it_shows_six_cards_unless_the_table_was_chosen(viewer: Client) -> None:
    page = viewer.get(URL)
    assert len(cards(page)) == 6
    assert "<table" not in body(page)
    table = viewer.get(URL, {"view": "table"})
    assert cards(table) == {}
    assert "<table" in body(table)


def test_it_remembers_the_view_in_the_browser(viewer: Client, sign_in: Any) -> None:
    # given somebody who chose the table
    chosen = viewer.get(URL, {"view": "table"})
    cookie = chosen.cookies["vms_view"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("table", True, "Lax")
    # then it is the table without being asked for, until cards are chosen
    assert "<table" in body(viewer.get(URL))
    assert "vms_view" not in viewer.get(URL).cookies
    viewer.get(URL, {"view": "cards"})
    assert len(cards(viewer.get(URL))) == 6
    # and another browser knows nothing of it
    viewer.get(URL, {"view": "table"})
    assert len(cards(sign_in("viewer").get(URL))) == 6


@pytest.mark.parametrize("value", ["spreadsheet", "<script>", "", "cards,table"])
def test_it_shows_cards_for_a_cookie_it_does_not_understand(viewer: Client, value: str) -> None:
    viewer.cookies["vms_view"] = value
    page = viewer.get(URL, {"view": "nonsense"})
    assert len(cards(page)) == 6
    assert "vms_view" not in page.cookies


def test_it_links_to_the_other_view_and_keeps_the_rest(viewer: Client) -> None:
    page = body(viewer.get(URL, {"region": "CANADA-1", "page": "2"}))
    switch = page.partition('<p class="view-switch"')[2].partition("</p>")[0]
    assert 'href="/vms/?region=CANADA-1&amp;view=table"' in switch
    assert re.search(r'href="/vms/\?region=CANADA-1&amp;view=cards"[^>]* aria-current="true"', switch)


# --- pages


def test_it_has_a_pager_from_the_seventh_card_on(viewer: Client, sandbox: Sandbox) -> None:
    copies(sandbox, 6)
    page = viewer.get(URL)
    assert len(cards(page)) == 6
    assert 'class="pager"' not in body(page)
    copies(sandbox, 7)
    page = viewer.get(URL)
    assert list(cards(page)) == [f"vm-0{number}" for number in range(1, 7)]
    assert "1–6 of 7 Previous 1 2 Next" in text_of(page)
    assert list(cards(viewer.get(URL, {"page": "2"}))) == ["vm-07"]
    # and all seven are one page of the table
    table = viewer.get(URL, {"view": "table"})
    assert 'class="pager"' not in body(table)
    assert len(rows(viewer)) == 7


def test_it_has_25_rows_on_a_page_of_the_table(viewer: Client, sandbox: Sandbox) -> None:
    copies(sandbox, 26)
    assert list(rows(viewer)) == [f"vm-{number:02}" for number in range(1, 26)]
    assert list(rows(viewer, page="2")) == ["vm-26"]


def test_it_shows_the_last_page_when_the_one_asked_for_is_gone(viewer: Client, sandbox: Sandbox) -> None:
    # given the second page of seven, and a VM that is deleted meanwhile
    ids = copies(sandbox, 7)
    assert len(cards(viewer.get(URL, {"page": "2"}))) == 1
    del sandbox.world.instances[ids[-1]]
    page = viewer.get(URL, {"page": "2"}, headers=HTMX)
    assert len(cards(page)) == 6
    assert 'class="pager"' not in body(page)


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "9" * 500, "1.5"])
def test_it_shows_some_page_for_a_bad_page_number(viewer: Client, page: str) -> None:
    assert len(cards(viewer.get(URL, {"page": page}))) == 6


# --- states


@pytest.mark.feature("STATE-18")
@pytest.mark.parametrize("status", ["SHUTOFF", "STOPPED", "Shutoff", "stopped"])
def test_it_calls_both_words_for_stopped_the_same_and_still_billed(
    viewer: Client, operator: Client, sandbox: Sandbox, status: str
) -> None:
    # given a stopped VM under either word
    only(sandbox, status=status)
    # then it has the one badge, and is found under the one word
    assert badge_of(viewer, "the-vm") == ("warning", "Stopped (SHUTOFF)")
    assert list(rows(viewer, state="SHUTOFF")) == ["the-vm"]
    assert "start" in buttons(card(operator))["Start"]


@pytest.mark.parametrize(
    ("status", "badge"),
    [
        ("ACTIVE", ("good", "Active")),
        ("HIBERNATED", ("resting", "Hibernated")),
        ("DELETED", ("resting", "Deleted")),
        ("CREATING", ("moving", "Creating")),
        ("BUILD", ("moving", "Build")),
        ("STARTING", ("moving", "Starting")),
        ("STOPPING", ("moving", "Stopping")),
        ("HIBERNATING", ("moving", "Hibernating")),
        ("RESTORING", ("moving", "Restoring")),
        ("REBOOTING", ("moving", "Rebooting")),
        ("DELETING", ("moving", "Deleting")),
        ("ERROR", ("bad", "Error")),
        ("active", ("good", "Active")),
    ],
)
def test_it_shows_each_known_state(viewer: Client, sandbox: Sandbox, status: str, badge: tuple[str, str]) -> None:
    only(sandbox, status=status)
    assert badge_of(viewer, "the-vm") == badge


@pytest.mark.feature("STATE-16")
@pytest.mark.parametrize(
    "status", ["RESCUE", "Shelved-Offloaded", "verify resize", "quarantined", "不明", "<b>new</b>"]
)
def test_it_shows_an_unknown_state_as_it_is(viewer: Client, sandbox: Sandbox, status: str) -> None:
    # given a state that nobody has heard of, then it is shown letter by letter, in neutral style
    only(sandbox, status=status)
    shown = status.replace("<", "&lt;").replace(">", "&gt;")
    assert badge_of(viewer, "the-vm") == ("neutral", shown)


@pytest.mark.parametrize("status", ["UNKNOWN", "DONE", "SENT", "REFUSED", "NOT_SEEN"])
def test_it_does_not_take_a_word_of_the_trail_for_a_state_of_a_vm(
    viewer: Client, sandbox: Sandbox, status: str
) -> None:
    only(sandbox, status=status)
    assert badge_of(viewer, "the-vm") == ("neutral", status)


@pytest.mark.parametrize("status", ["", "   "])
def test_it_shows_an_empty_state(viewer: Client, sandbox: Sandbox, status: str) -> None:
    only(sandbox, status=status)
    assert badge_of(viewer, "the-vm") == ("neutral", "No status")


# --- polling


@pytest.mark.feature("NAV-14")
@pytest.mark.parametrize(
    ("status", "seconds"),
    [("ACTIVE", 8), ("SHUTOFF", 8), ("ERROR", 8), ("HIBERNATED", 8), ("RESCUE", 8), ("DELETED", 8),
     ("CREATING", 5), ("BUILD", 5), ("DELETING", 5), ("rebooting", 5)],
)  # fmt: skip
def test_it_looks_again_sooner_while_a_vm_is_changing(
    viewer: Client, sandbox: Sandbox, status: str, seconds: int
) -> None:
    only(sandbox, status=status)
    page = viewer.get(URL, {"q": "the"}).content.decode()
    assert f'data-poll hx-get="/vms/?q=the" hx-trigger="every {seconds}s, vms:changed from:body"' in page


def test_it_looks_again_by_the_rows_one_sees(viewer: Client, sandbox: Sandbox) -> None:
    # given changing VMs that the search leaves out
    assert "every 8s" in viewer.get(URL, {"q": "llama"}).content.decode()
    assert "every 5s" in viewer.get(URL, {"q": "vision"}).content.decode()


@pytest.mark.feature("NAV-14")
def test_it_shows_a_change_at_the_next_look(viewer: Client, sandbox: Sandbox) -> None:
    # given a VM that is being started
    only(sandbox, status="CREATING")
    first = viewer.get(URL, headers=HTMX)
    assert "Creating" in text_of(first)
    # when it is ready, then the next look shows it, though it asks whether anything has changed
    sandbox.world.instances[ONE]["status"] = "ACTIVE"
    second = viewer.get(URL, headers=HTMX | {"If-None-Match": first["ETag"]})
    assert second.status_code == 200
    assert "Active" in text_of(second)
    assert "every 8s" in second.content.decode()


def test_it_answers_304_when_nothing_has_changed(viewer: Client, admin: Client, sandbox: Sandbox) -> None:
    # given a part that the browser has
    first = viewer.get(URL, headers=HTMX)
    have = HTMX | {"If-None-Match": first["ETag"]}
    # when it asks again, then the answer is short, also when a proxy made the tag a weak one
    again = viewer.get(URL, headers=have)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again["Cache-Control"] == "private, no-cache"
    assert viewer.get(URL, headers=HTMX | {"If-None-Match": f"W/{first['ETag']}"}).status_code == 304
    # and another question, another role, or a page instead of the part gets a whole answer
    assert viewer.get(URL, {"q": "llama"}, headers=have).status_code == 200
    assert admin.get(URL, headers=have).status_code == 200
    assert viewer.get(URL, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_it_answers_anew_when_the_view_or_a_price_has_changed(viewer: Client, sandbox: Sandbox) -> None:
    # given cards that the browser has
    only(sandbox)
    tag = viewer.get(URL, headers=HTMX)["ETag"]
    assert viewer.get(URL, headers=HTMX | {"If-None-Match": tag}).status_code == 304
    # when the table is chosen in another tab, then the same address has another answer
    viewer.get(URL, {"view": "table"})
    table = viewer.get(URL, headers=HTMX | {"If-None-Match": tag})
    assert table.status_code == 200
    assert "<table" in body(table)
    # and when the price list changes, though the VM does not
    set_prices(sandbox, {"H100-PCIe-80GB": 3})
    dearer = viewer.get(URL, headers=HTMX | {"If-None-Match": table["ETag"]})
    assert dearer.status_code == 200
    assert "$6.00 / h" in text_of(dearer)


def test_it_answers_anew_when_the_api_fails_and_when_it_is_back(viewer: Client, sandbox: Sandbox) -> None:
    # given a part that the browser has
    tag = viewer.get(URL, headers=HTMX)["ETag"]
    # when the API fails, then the banner comes, although the rows are the same
    sandbox.faults.arm("list_instances", "refuse", times=None)
    stale = viewer.get(URL, headers=HTMX | {"If-None-Match": tag})
    assert stale.status_code == 200
    assert "Barrack does not answer" in text_of(stale)
    assert viewer.get(URL, headers=HTMX | {"If-None-Match": stale["ETag"]}).status_code == 304
    # and goes when it is back
    sandbox.faults.clear()
    back = viewer.get(URL, headers=HTMX | {"If-None-Match": stale["ETag"]})
    assert back.status_code == 200
    assert "Barrack does not answer" not in text_of(back)


def test_it_makes_no_call_for_many_looks_within_two_seconds(
    viewer: Client, admin: Client, sandbox: Sandbox, settings: Any
) -> None:
    settings.FRESH_STATUS_SECONDS = settings.FRESH_CATALOG_SECONDS = settings.FRESH_BALANCE_SECONDS = 60
    for browser in (viewer, admin, viewer, admin):
        browser.get(URL, headers=HTMX)
    assert len(sandbox.log.calls()) == 4


# --- nothing to show


def test_it_says_what_a_vm_is_when_there_is_none(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.reset("empty")
    page = viewer.get(URL)
    assert "No virtual machines" in text_of(page)
    assert "billed by the minute" in text_of(page)
    assert 'href="/snapshots/"' in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"q": "no such vm"},
        {"region": "ATLANTIS-1"},
        {"q": "llama", "region": "US-1"},
        {"state": "MELTED"},
        {"gpu": "Voodoo-2"},
        {"gpu": "L40", "state": "SHUTOFF"},
    ],
)
def test_it_offers_all_vms_when_none_fits(viewer: Client, query: dict[str, str]) -> None:
    words = text_of(viewer.get(URL, query))
    assert "No VM fits" in words
    assert "Show all VMs" in words
    assert "No virtual machines" not in words


# --- how it is asked for


def test_it_answers_only_the_part_to_htmx(viewer: Client) -> None:
    part = viewer.get(URL, headers=HTMX)
    assert part.content.lstrip().startswith(b'<section id="list"')
    assert b"<html" not in part.content
    assert (part["X-Part"], part["Cache-Control"]) == ("1", "private, no-cache")
    assert "HX-Request" in part["Vary"]


@pytest.mark.parametrize(
    "query",
    [{"sort": "nonsense"}, {"page": "99"}, {"region": ""}, {"q": "   "}, {"nonsense": "1"}, {"q": "", "sort": "<b>"},
     {"state": "", "gpu": ""}],
)  # fmt: skip
def test_it_shows_all_for_an_address_it_does_not_understand(viewer: Client, query: dict[str, str]) -> None:
    assert len(rows(viewer, **query)) == 18


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", '"><b>', "x" * 5000, "\x00", "%00", "{{ 7 }}"])
def test_it_shows_search_words_as_text(viewer: Client, q: str) -> None:
    page = viewer.get(URL, {"q": q, "region": q, "state": q, "gpu": q, "view": q, "page": q})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert '"><b>' not in page.content.decode()
    assert "No VM fits" in text_of(page)


def test_it_is_there_for_every_role(sandbox: Sandbox, sign_in: Any) -> None:
    for role in ("viewer", "billing", "operator", "admin"):
        assert len(rows(sign_in(role))) == 18


def test_it_sends_a_visitor_to_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    response = client.get(URL, {"region": "US-1"})
    assert (response.status_code, response["Location"]) == (302, "/account/login/?next=/vms/%3Fregion%3DUS-1")
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


def test_it_does_not_keep_a_session_alive_by_polling(viewer: Client) -> None:
    # given a session that ends at some time
    from django.contrib.sessions.models import Session

    before = Session.objects.get().expire_date
    Session.objects.update(expire_date=before - timedelta(hours=1))
    # when a part is asked for, then nothing of it is written
    viewer.get(URL, headers=HTMX | {"X-Poll": "1"})
    assert Session.objects.get().expire_date == before - timedelta(hours=1)
