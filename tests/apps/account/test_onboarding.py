"""/account/onboarding/: the five steps to the first VM, each ticked by what the cloud says."""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.account import onboarding
from apps.account.models import BillingProfile
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.conftest import text_of

URL = "/account/onboarding/"
TITLES = ["Account", "Profile", "Credits", "SSH key", "First VM"]
READS = {"Credits": "get_credit_balance", "SSH key": "list_ssh_keys", "First VM": "list_instances"}
DONE = dict.fromkeys(TITLES, "Done")


def steps(response: HttpResponse) -> dict[str, str]:
    """Return the words of each step by its title, in their order."""
    found = re.findall(r'<li class="start-step.*?</li>', response.content.decode(), re.DOTALL)
    words = [text_of(HttpResponse(step)).removeprefix(str(number)).strip() for number, step in enumerate(found, 1)]
    matches = [re.fullmatch(r"Step \d: (.+?) ((?:Done|Not done|Not known) .*)", step) for step in words]
    return {match[1]: match[2] for match in matches if match}


def states(response: HttpResponse) -> dict[str, str]:
    """Return "Done", "Not done" or "Not known" by step."""
    return {title: re.match(r"Done|Not done|Not known", words)[0] for title, words in steps(response).items()}  # type: ignore[index]


def link(response: HttpResponse, words: str) -> str:
    page = response.content.decode().partition('<ol class="start-steps">')[2]
    match = re.search(rf'href="([^"]*)"[^>]*>{words}<', page)
    return match[1].replace("&amp;", "&") if match else ""


@pytest.fixture
def empty(sandbox: Sandbox) -> Sandbox:
    """An account in which nothing has been done."""
    sandbox.reset("empty")
    sandbox.world.balances.clear()
    sandbox.world.balances["USD"] = Decimal(0)
    return sandbox


# --- what is done


@pytest.mark.feature("ONB-01")
def test_it_shows_five_steps_in_their_order(viewer: Client) -> None:
    response = viewer.get(URL)
    assert response.status_code == 200
    assert list(steps(response)) == TITLES


@pytest.mark.feature("ONB-01")
def test_it_ticks_only_the_account_at_the_start(viewer: Client, empty: Sandbox) -> None:
    response = viewer.get(URL)
    assert states(response) == {"Account": "Done"} | dict.fromkeys(TITLES[1:], "Not done")
    assert "1 of 5 steps are done." in text_of(response)
    assert '<progress value="1" max="5"' in response.content.decode()
    words = steps(response)
    assert "You are signed in as viewer@example.com, with the role viewer." in words["Account"]
    assert "Missing: Address line, Postal code, Country." in words["Profile"]
    assert "The balance is $0.00." in words["Credits"]
    assert "The account has no SSH key yet." in words["SSH key"]
    assert "The account has no VM yet." in words["First VM"]


@pytest.mark.feature("ONB-01")
def test_it_ticks_each_step_by_what_it_finds(viewer: Client, sandbox: Sandbox, profile: BillingProfile) -> None:
    # given the demo's account and a complete profile
    response = viewer.get(URL)
    assert states(response) == DONE
    assert "5 of 5 steps are done." in text_of(response)
    assert "All five are done" in text_of(response)
    words = steps(response)
    assert "The balance is $2,182.40." in words["Credits"]
    assert f"The account has {len(sandbox.world.ssh_keys)} SSH keys." in words["SSH key"]
    alive = [row for row in sandbox.world.instances.values() if row["status"] != "DELETED"]
    assert f"The account has {len(alive)} VMs." in words["First VM"]
    # when one thing after the other is gone, then its step alone is not done
    sandbox.world.balances["USD"] = Decimal("-0.01")
    assert states(viewer.get(URL)) == DONE | {"Credits": "Not done"}
    sandbox.world.ssh_keys.clear()
    assert states(viewer.get(URL)) == DONE | {"Credits": "Not done", "SSH key": "Not done"}


def test_it_does_not_count_a_deleted_vm(viewer: Client, sandbox: Sandbox) -> None:
    for row in sandbox.world.instances.values():
        row["status"] = "DELETED"
    assert states(viewer.get(URL))["First VM"] == "Not done"


def test_it_counts_one_as_one(viewer: Client, sandbox: Sandbox) -> None:
    for rows in (sandbox.world.instances, sandbox.world.ssh_keys):
        for key in list(rows)[1:]:
            del rows[key]
    words = steps(viewer.get(URL))
    assert "The account has 1 VM." in words["First VM"]
    assert "The account has 1 SSH key." in words["SSH key"]


# --- what cannot be told


@pytest.mark.feature("ONB-01")
@pytest.mark.parametrize("kind", ["hang", "refuse", "html", "invalid_json", "truncate"])
@pytest.mark.parametrize("title", READS)
def test_it_does_not_take_a_failing_read_for_not_done(viewer: Client, sandbox: Sandbox, title: str, kind: str) -> None:
    # given one read that fails
    sandbox.faults.arm(READS[title], kind, times=None)
    response = viewer.get(URL)
    # then that step is neither done nor not done, and the others are as they are
    assert response.status_code == 200
    assert states(response) == DONE | {"Profile": "Not done", title: "Not known"}
    assert "this cannot be told now" in steps(response)[title]
    assert "3 of 5 steps are done; 1 cannot be told now." in text_of(response)
    assert f'<a href="{URL}">Look again</a>' in response.content.decode()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_it_does_not_take_a_refusal_for_not_done(viewer: Client, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.arm("*", "status", status=status, times=None)
    assert states(viewer.get(URL)) == {"Account": "Done", "Profile": "Not done"} | dict.fromkeys(READS, "Not known")


def test_it_does_not_wait_long(viewer: Client, sandbox: Sandbox, settings: Any, monkeypatch: Any) -> None:
    # given an API that takes longer than this page waits
    settings.API_READ_SECONDS = 3
    monkeypatch.setattr(onboarding, "WAIT_SECONDS", 0.2)
    sandbox.faults.arm("*", "delay", seconds=1.5, times=None)
    begun = time.monotonic()
    response = viewer.get(URL)
    # then what it has not heard is not known; the top bar may wait for the balance a moment more
    assert time.monotonic() - begun < 1.2
    assert [title for title, state in states(response).items() if state == "Not known"] == list(READS)


def test_it_does_not_go_by_an_older_copy(viewer: Client, sandbox: Sandbox) -> None:
    # given a page that was read before, and an API that is down since
    viewer.get(URL)
    sandbox.faults.arm("*", "refuse", times=None)
    assert [title for title, state in states(viewer.get(URL)).items() if state == "Not known"] == list(READS)


@pytest.mark.parametrize("title", ["SSH key", "First VM"])
def test_it_does_not_take_unreadable_rows_for_none(viewer: Client, sandbox: Sandbox, title: str) -> None:
    # given lists of rows without their required fields
    body = {"success": True, "data": [{"status": "ACTIVE"}]}
    sandbox.faults.arm(READS[title], "status", status=200, body=body, times=None)
    assert states(viewer.get(URL))[title] == "Not known"


def test_it_does_not_take_an_unknown_balance_for_none(viewer: Client, sandbox: Sandbox) -> None:
    body = {"success": True, "data": {"balances": [], "primary_currency": "USD"}}
    sandbox.faults.arm("get_credit_balance", "status", status=200, body=body, times=None)
    assert states(viewer.get(URL))["Credits"] == "Not known"


# --- what each step says


@pytest.mark.feature("ONB-02")
def test_it_says_what_the_profile_is_for(viewer: Client) -> None:
    assert "Required for payments" in steps(viewer.get(URL))["Profile"]


@pytest.mark.feature("ONB-03")
def test_it_says_that_a_key_can_be_made_or_imported(viewer: Client) -> None:
    words = steps(viewer.get(URL))["SSH key"]
    assert "Create a pair" in words
    assert "import the public key" in words
    assert link(viewer.get(URL), "SSH Keys") == "/ssh-keys/"


@pytest.mark.feature("ONB-05")
def test_it_names_the_smallest_purchases(viewer: Client) -> None:
    words = steps(viewer.get(URL))["Credits"]
    assert "USD $5.00 / EUR €5.00 / INR ₹100.00" in words
    assert "This portal takes no payment" in words


@pytest.mark.parametrize(
    ("currency", "amount", "shown"), [("EUR", "0.01", "€0.01"), ("INR", "99999.5", "₹99,999.50"), ("USD", "7", "$7.00")]
)
def test_it_shows_the_balance_in_its_currency(
    viewer: Client, sandbox: Sandbox, currency: str, amount: str, shown: str
) -> None:
    sandbox.world.currency = currency
    sandbox.world.balances.clear()
    sandbox.world.balances[currency] = Decimal(amount)
    response = viewer.get(URL)
    assert f"The balance is {shown}." in steps(response)["Credits"]
    assert states(response)["Credits"] == "Done"


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", False), ("billing", True), ("admin", True)])
def test_it_names_the_roles_that_can_do_a_step(sandbox: Sandbox, sign_in: Any, role: str, may: bool) -> None:
    response = sign_in(role).get(URL)
    words = steps(response)
    assert "Who can do it: billing or admin." in words["Profile"]
    assert "Who can do it: operator or admin." in words["First VM"]
    # and offers the form only to those who may use it
    assert link(response, "Edit billing profile") == (
        "/account/billing-profile/?next=%2Faccount%2Fonboarding%2F" if may else ""
    )
    refusal = f"Only a billing or an admin can edit the billing profile; your role is {role}."
    assert (refusal in response.content.decode()) is not may


def test_it_comes_back_from_the_profile(billing: Client) -> None:
    # given somebody who follows the link of step 2 and fills in the form
    url = link(billing.get(URL), "Edit billing profile")
    form = {"address_line": "1 Harbour Street", "postal_code": "97201", "country": "US", "next": URL}
    # then this page says that it is done
    response = billing.post(url, form, follow=True)
    assert response.redirect_chain == [(URL, 302)]
    assert states(response)["Profile"] == "Done"
    assert "The billing profile is saved." in text_of(response)


@pytest.mark.feature("ONB-01")
def test_it_leads_to_the_pages_that_exist(viewer: Client, empty: Sandbox) -> None:
    response = viewer.get(URL)
    assert link(response, "My account") == "/account/"
    assert link(response, "Credits") == "/credits/?next=%2Faccount%2Fonboarding%2F"
    assert link(response, "SSH Keys") == "/ssh-keys/"
    for url in ("/account/", "/credits/", "/ssh-keys/"):
        assert viewer.get(url).status_code == 200


def test_it_leads_to_the_first_vm_only_those_who_may_deploy(
    viewer: Client, sign_in: Callable[[str], Client], empty: Sandbox
) -> None:
    assert link(sign_in("operator").get(URL), "Deploy VM") == "/deploy/"
    assert link(viewer.get(URL), "Deploy VM") == ""
    assert "Only an operator or an admin can deploy VMs" in viewer.get(URL).content.decode()


def test_it_leads_to_the_vms_once_there_are_some(viewer: Client) -> None:
    assert link(viewer.get(URL), "Virtual machines") == "/vms/"


def test_it_points_out_the_next_step(billing: Client, empty: Sandbox, profile: BillingProfile) -> None:
    # given an account whose profile is complete, then credits come next
    page = billing.get(URL).content.decode()
    assert page.count('aria-current="step"') == 1
    current = page.partition('aria-current="step"')[2]
    assert "Credits" in current.partition("</li>")[0]


# --- the way here


def test_it_is_linked_from_the_account(viewer: Client) -> None:
    assert f'href="{URL}">Getting started</a>' in viewer.get("/account/").content.decode()


def test_it_is_linked_from_a_list_without_vms(viewer: Client, empty: Sandbox) -> None:
    assert f'href="{URL}">Getting started</a>' in viewer.get("/vms/").content.decode()
    empty.reset("demo")
    assert URL not in viewer.get("/vms/").content.decode()


def test_it_changes_nothing_in_the_cloud(viewer: Client, sandbox: Sandbox) -> None:
    viewer.get(URL)
    assert {call.method for call in sandbox.log.calls()} == {"GET"}
    assert sorted(str(call.operation) for call in sandbox.log.calls()) == sorted(READS.values())


def test_it_sends_a_visitor_to_sign_in(client: Client, sandbox: Sandbox, db: None) -> None:
    assert client.get(URL)["Location"] == f"/account/login/?next={URL}"
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(URL).status_code == 405


@pytest.mark.feature("ONB-04")
def test_it_says_where_the_next_steps_are(viewer: Client, sandbox: Sandbox) -> None:
    words = text_of(viewer.get(URL))
    assert "connecting by SSH, firewall rules, volumes, snapshots" in words
    assert "stands on the VM's own page" in words
    # and there they are, while the VM is new
    sandbox.world.instances["BRK-123456D"]["created_at"] = iso(sandbox.world.now())
    page = viewer.get("/vms/BRK-123456D/").content.decode()
    for step in ("SSH", "Firewall", "Volumes", "Snapshots"):
        assert step in page.partition('class="next-steps"')[2].partition("</ul>")[0]
