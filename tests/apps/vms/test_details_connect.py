"""The cards of /vms/<id>/ about getting in: network, SSH, "Can I connect?" and the security rules."""

import html
import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import (
    RIGHT_TO_LEFT,
    SCRIPT,
    body,
    button,
    facts,
    filled,
    is_off,
    leads_to,
    unescaped,
    words,
)
from tests.conftest import HTMX

# With a public IP, Ubuntu, a key, and a rule for port 22 of its own; no firewall is attached to it.
VM = "BRK-123517D"
URL = f"/vms/{VM}/"
# Within the range of its rule, and outside of it.
INSIDE, OUTSIDE = "203.0.113.5", "8.8.8.8"
RUNS, PUBLIC, PORT = "Running", "Public IP", "Port 22 for your address"
TIME, KEY, USER = "Rules in effect", "SSH key", "User name"
COMMAND = "ssh -i ~/.ssh/your_private_key ubuntu@198.51.100.24"
KEYS_SAID = "SSH keys need to be reconfigured for access."


@dataclass
class Shown:
    """One condition as the card shows it."""

    result: str
    text: str
    markup: str


def panel(response: HttpResponse, name: str) -> str:
    """Return the HTML of the card with this id."""
    found = re.search(
        rf'<div class="panel[^"]*" id="{name}">.*?(?=<div class="panel[" ]|</section>)', body(response), re.DOTALL
    )
    assert found, f"no card {name}"
    return found.group(0)


def checks(response: HttpResponse) -> dict[str, Shown]:
    """Return the conditions of "Can I connect?" by their titles."""
    found = {}
    card = panel(response, "connect")
    for result, markup in re.findall(r'<li class="check check-(\w+)">(.*?)</li>', card, re.DOTALL):
        title = re.search(r'<p class="check-title">(.*?)<span class="visually-hidden">: (.*?)</span>', markup)
        text = re.search(r'<p class="muted">(.*?)</p>', markup, re.DOTALL)
        assert title
        assert text
        # the colour is never all that tells
        assert title.group(2) == {"good": "yes", "bad": "no", "unknown": "not certain"}[result]
        found[words(title.group(1))] = Shown(result, words(text.group(1)), markup)
    return found


def verdict(response: HttpResponse) -> str:
    """Return the badge beside "Can I connect?"."""
    return words(panel(response, "connect").partition("</h2>")[0]).removeprefix("Can I connect? ")


def rule_rows(response: HttpResponse) -> list[tuple[str, str, str]]:
    """Return the rules of the table: the rule, whose it is, and where its button leads ("" without one)."""
    body_of = panel(response, "rules").partition("<tbody>")[2].partition("</tbody>")[0]
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", body_of, re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        found.append((words(cells[0]), words(cells[2]), leads_to(cells[5], "Remove")))
    return found


def commands(response: HttpResponse) -> list[str]:
    """Return what the copy buttons of the network card put on the clipboard."""
    card = panel(response, "network")
    copied = [html.unescape(text) for text in re.findall(r' data-copy="([^"]*)"', card)]
    # what is copied is what is seen
    assert copied == [words(text) for text in re.findall(r'<code class="copy-text"[^>]*>(.*?)</code>', card)]
    return copied


def look(browser: Client, url: str = URL, visitor: str = INSIDE) -> HttpResponse:
    response = browser.get(url, headers=HTMX, REMOTE_ADDR=visitor)
    assert response.status_code == 200
    return response


def a_rule(rule_id: str = "7", **fields: Any) -> dict[str, Any]:
    """Return a rule as the cloud keeps it."""
    return {
        "id": rule_id,
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "0.0.0.0/0",
        "port_range_min": 443,
        "port_range_max": 443,
        "status": "SUCCESS",
        "created_at": "2026-01-05T07:08:09Z",
    } | fields


@pytest.fixture(autouse=True)
def on_ubuntu(sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["image"] = {"name": "Ubuntu Server 22.04 LTS"}


# -- can I connect?


@pytest.mark.feature("VM-26")
def test_it_is_all_green_for_a_vm_that_can_be_reached(operator: Client) -> None:
    response = look(operator)
    found = checks(response)
    assert {title: check.result for title, check in found.items()} == dict.fromkeys(
        (RUNS, PUBLIC, PORT, TIME, KEY, USER), "good"
    )
    assert verdict(response) == "It should work"
    assert 'class="btn' not in panel(response, "connect")
    assert found[PORT].text == "Rule tcp 22 from 203.0.113.0/24 of this VM lets 203.0.113.5 in."
    # and the whole page says the same as the part that is read anew
    assert checks(operator.get(URL, REMOTE_ADDR=INSIDE)) == found


@pytest.mark.feature("VM-26")
@pytest.mark.parametrize(
    ("fields", "says", "mends"),
    [
        ({"status": "SHUTOFF"}, (RUNS, "Start it first."), ("Start", "start/")),
        ({"status": "STOPPED"}, (RUNS, "Start it first."), ("Start", "start/")),
        ({"status": "HIBERNATED"}, (RUNS, "Restore it first."), ("Restore", "restore/")),
        ({"public_ip": None}, (PUBLIC, "by its private IP 10.0.0.14"), ("Add public IP", "public-ip/")),
        ({"security_rules": []}, (PORT, "No rule lets 203.0.113.5 in."), ("Allow my address", "rules/?mine=1")),
    ],
)
def test_it_offers_what_mends_it(
    operator: Client, sandbox: Sandbox, fields: dict[str, Any], says: tuple[str, str], mends: tuple[str, str]
) -> None:
    (title, said), (label, leads) = says, mends
    sandbox.world.instances[VM].update(fields)
    response = look(operator)
    check = checks(response)[title]
    assert check.result == "bad"
    assert said in check.text
    assert leads_to(check.markup, label) == URL + leads
    assert f'hx-get="{URL}{leads}"' in button(check.markup, label)
    assert verdict(response) == "Not yet"
    # and the address is there
    opened = operator.get(URL + leads, headers=HTMX, REMOTE_ADDR=INSIDE)
    assert opened.status_code == 200
    assert 'role="alert"' not in body(opened)


@pytest.mark.parametrize(
    ("fields", "title", "said"),
    [
        ({"status": "BUILD"}, RUNS, "Wait until that is over."),
        ({"status": "ERROR"}, RUNS, "Only an ACTIVE VM can be reached."),
        ({"status": "DELETED"}, RUNS, "Only an ACTIVE VM can be reached."),
        ({"ssh_keys": []}, KEY, "It was made without an SSH key."),
        ({"public_ip": "$(reboot)"}, PUBLIC, "no usable address"),
    ],
)
def test_it_says_what_no_button_mends(
    operator: Client, sandbox: Sandbox, fields: dict[str, Any], title: str, said: str
) -> None:
    sandbox.world.instances[VM].update(fields)
    response = look(operator)
    check = checks(response)[title]
    assert check.result == "bad"
    assert said in check.text
    assert 'class="btn' not in check.markup
    assert verdict(response) == ("No: it is deleted" if fields.get("status") == "DELETED" else "Not yet")


def test_it_asks_for_patience_with_a_young_rule(operator: Client, sandbox: Sandbox) -> None:
    # given a VM whose visitor is let in by a rule that was added through the portal
    sandbox.world.instances[VM]["security_rules"] = []
    url = leads_to(checks(look(operator))[PORT].markup, "Allow my address")
    opened = operator.get(url, headers=HTMX, REMOTE_ADDR=INSIDE)
    values = dict(re.findall(r'<input type="text" name="(\w+)" value="([^"]*)"', body(opened)))
    data = filled(operator, url, direction="ingress", protocol="tcp", ethertype="IPv4", **values)
    assert operator.post(url, data, headers=HTMX, REMOTE_ADDR=INSIDE).status_code == 200
    # when the page is looked at, then the port is open, and the rule is too young
    found = checks(look(operator))
    assert found[PORT].result == "good"
    assert found[TIME].result == "bad"
    assert "Security rules may take up to 10 minutes to be fully applied after creation." in found[TIME].text


def test_it_says_why_its_buttons_are_off(operator: Client, sandbox: Sandbox) -> None:
    # given a stopped VM, without rules and public IP
    sandbox.world.instances[VM].update(status="SHUTOFF", public_ip=None, security_rules=[])
    found = checks(look(operator))
    assert leads_to(found[RUNS].markup, "Start") == f"{URL}start/"
    assert "this one is stopped (SHUTOFF)." in is_off(found[PUBLIC].markup, "Add public IP")
    assert "this one is stopped (SHUTOFF)." in is_off(found[PORT].markup, "Allow my address")
    # and one whose state cannot be read any more
    sandbox.faults.arm("get_instance", "refuse", times=None)
    found = checks(look(operator))
    assert is_off(found[RUNS].markup, "Start") == "Barrack does not answer, so nothing can be changed now."


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_has_no_buttons_for_those_who_may_not(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    sandbox.world.instances[VM].update(status="SHUTOFF", public_ip=None)
    response = look(request.getfixturevalue(role), visitor=OUTSIDE)
    found = checks(response)
    assert [found[title].result for title in (RUNS, PUBLIC, PORT)] == ["bad"] * 3
    for name in ("connect", "rules"):
        assert 'class="btn' not in panel(response, name)
    assert rule_rows(response) == [("Ingress TCP 22 from 203.0.113.0/24", "this VM", "")]


def test_it_goes_by_the_visitors_own_address(operator: Client) -> None:
    assert checks(look(operator, visitor=OUTSIDE))[PORT].text.startswith("No rule lets 8.8.8.8 in.")
    inner = checks(look(operator, visitor="192.168.1.7"))[PORT].text
    assert "The portal sees you at 192.168.1.7, a private address" in inner
    unknown = checks(look(operator, visitor=""))[PORT]
    assert unknown.result == "unknown"
    assert "Your address is not known to the portal." in unknown.text


@pytest.mark.feature("VM-24")
def test_it_counts_the_rules_of_firewalls(operator: Client, sandbox: Sandbox) -> None:
    # given a VM that only a firewall opens: jupyter-office, for the office
    sandbox.world.instances["BRK-123456D"]["security_rules"] = []
    found = checks(look(operator, "/vms/BRK-123456D/"))
    assert found[PORT].result == "good"
    assert "of the firewall jupyter-office lets 203.0.113.5 in." in found[PORT].text


@pytest.mark.feature("VM-24")
def test_it_does_not_count_a_firewall_that_could_not_be_attached(operator: Client) -> None:
    # given debug-everything, which is open to all, but whose attachment to this VM has failed
    response = look(operator, "/vms/BRK-123502D/", OUTSIDE)
    assert "debug-everything (ERROR)" in words(panel(response, "network"))
    assert checks(response)[PORT].result != "good"


# -- the firewalls cannot be read


@pytest.mark.feature("VM-24")
@pytest.mark.parametrize(
    "fault", [("status", {"status": 500}), ("status", {"status": 404}), ("html", {}), ("refuse", {}), ("hang", {})]
)
def test_it_says_what_is_missing_while_the_firewalls_cannot_be_read(
    operator: Client, sandbox: Sandbox, fault: tuple[str, dict[str, Any]]
) -> None:
    kind, more = fault
    sandbox.faults.arm("get_instance_firewalls", kind, times=None, **more)
    response = look(operator, visitor=OUTSIDE)
    assert facts(panel(response, "network"))["Firewalls"] == "could not be read"
    rules = panel(response, "rules")
    assert "The attached firewalls could not be read, so their rules are missing here." in words(rules)
    # its own rule is listed, and nobody is told that the port is closed
    assert rule_rows(response) == [("Ingress TCP 22 from 203.0.113.0/24", "this VM", f"{URL}rules/{VM}-ssh/delete/")]
    check = checks(response)[PORT]
    assert check.result == "unknown"
    assert "The firewalls could not be read, and one of their rules may let you in." in check.text
    # and one without a rule of its own is not called closed
    sandbox.world.instances[VM]["security_rules"] = []
    alone = words(panel(look(operator, visitor=OUTSIDE), "rules"))
    assert "The VM has no rule of its own." in alone
    assert "nothing is let in" not in alone


# -- the rules


@pytest.mark.feature("VM-24", "VM-23")
def test_it_lists_its_own_rules_and_those_of_its_firewalls(operator: Client) -> None:
    response = look(operator, "/vms/BRK-123456D/")
    own = "/vms/BRK-123456D/rules/BRK-123456D-ssh/delete/"
    assert rule_rows(response) == [
        ("Ingress TCP 22 from 203.0.113.0/24", "this VM", own),
        ("Ingress TCP 8888 from 203.0.113.0/24", "firewall jupyter-office", ""),
        ("Ingress TCP 22 from 203.0.113.0/24", "firewall jupyter-office", ""),
        ("Ingress TCP 1–65535 from 0.0.0.0/0", "firewall debug-everything", ""),
    ]
    rules = panel(response, "rules")
    assert f'hx-get="{own}" hx-target="#modal-body"' in rules
    assert leads_to(rules, "Add rule") == "/vms/BRK-123456D/rules/"
    assert facts(panel(response, "network"))["Firewalls"] == "jupyter-office, debug-everything"


@pytest.mark.feature("VM-24")
def test_it_says_how_far_a_firewall_is_attached(operator: Client) -> None:
    network = panel(look(operator, "/vms/BRK-123489D/"), "network")
    assert facts(network)["Firewalls"] == "web-firewall, debug-everything (ATTACHING)"
    assert facts(panel(look(operator), "network"))["Firewalls"] == "None attached"


def test_it_says_that_nothing_is_let_in_without_any_rule(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["security_rules"] = []
    rules = panel(look(operator), "rules")
    assert "There is no rule, so nothing is let in." in words(rules)
    assert "<table" not in rules


def test_it_says_why_a_rule_cannot_be_removed_now(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["status"] = "HIBERNATED"
    rules = panel(look(operator), "rules")
    for label in ("Remove", "Add rule"):
        assert is_off(rules, label) == "Only an active VM can be given or rid of a rule; this one is hibernated."


def test_it_lists_fifty_rules_and_counts_the_rest(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["security_rules"] = [a_rule(str(number)) for number in range(1, 71)]
    response = look(operator)
    assert len(rule_rows(response)) == 50
    assert "50 of 70 rules." in words(panel(response, "rules"))


# -- network and SSH


@pytest.mark.feature("VM-11")
def test_it_shows_addresses_keys_and_firewalls(viewer: Client, sandbox: Sandbox) -> None:
    assert facts(panel(look(viewer), "network")) == {
        "Private IP": "10.0.0.14",
        "Public IP": "198.51.100.24",
        "SSH keys": "team-laptop",
        "Firewalls": "None attached",
    }
    # and what is not there
    sandbox.world.instances[VM].update(private_ip=None, public_ip=None, ssh_keys=[])
    found = facts(panel(look(viewer), "network"))
    assert (found["Private IP"], found["Public IP"], found["SSH keys"]) == ("–", "—", "–")
    # and more keys than one reads
    sandbox.world.instances[VM]["ssh_keys"] = [f"key-{number}" for number in range(1, 13)]
    keys = facts(panel(look(viewer), "network"))["SSH keys"]
    assert keys.startswith("key-1, key-2, ")
    assert keys.endswith("key-10 and 2 more")


@pytest.mark.feature("VM-26", "VM-27")
@pytest.mark.parametrize(
    ("image", "user", "hint"),
    [
        ("Ubuntu Server 24.04 LTS", "ubuntu", "The user name is ubuntu on Ubuntu images."),
        ("Debian 12", "root", "The user name depends on the image: root for other systems than Ubuntu"),
        ("golden-cuda", "root", "or the one that the image was made with."),
        (None, "root", "The user name depends on the image"),
    ],
)
def test_it_has_the_command_ready_to_copy(
    viewer: Client, sandbox: Sandbox, image: str | None, user: str, hint: str
) -> None:
    sandbox.world.instances[VM]["image"] = {"name": image}
    response = look(viewer)
    assert commands(response) == [COMMAND.replace("ubuntu@", f"{user}@")]
    network = panel(response, "network")
    assert hint in words(network)
    assert leads_to(network, "SSH config") == f"{URL}ssh-config/"
    assert checks(response)[USER].result == ("good" if user == "ubuntu" else "unknown")


@pytest.mark.feature("VM-26")
@pytest.mark.parametrize(
    "public", [None, "", "0.0.0.0", "127.0.0.1", "$(reboot)", "8.8.8.8; rm -rf ~", '"><script>alert(1)</script>']
)
def test_it_has_no_such_command_without_a_usable_public_ip(
    viewer: Client, sandbox: Sandbox, public: str | None
) -> None:
    # given only a private address: the command is for those inside
    sandbox.world.instances[VM]["public_ip"] = public
    response = look(viewer)
    network = panel(response, "network")
    assert commands(response) == ["ssh -i ~/.ssh/your_private_key ubuntu@10.0.0.14"]
    assert "SSH, from inside the network" in words(network)
    assert "ssh-config" not in network
    assert not unescaped(response)
    # given none at all
    sandbox.world.instances[VM]["private_ip"] = public
    response = look(viewer)
    assert commands(response) == []
    assert "ssh -i" not in body(response)


def test_it_takes_an_address_of_ipv6(viewer: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances[VM]["public_ip"] = "2001:db8::20"
    assert commands(look(viewer)) == ["ssh -i ~/.ssh/your_private_key ubuntu@2001:db8::20"]


# -- a restored VM


@pytest.mark.feature("VM-28")
def test_it_says_on_a_restored_vm_that_its_keys_are_to_be_set_up(operator: Client, sandbox: Sandbox) -> None:
    # given a VM that was restored from a snapshot through the portal, and is ready
    restore = "/snapshots/BRK-123456S/restore/"
    assert operator.post(restore, filled(operator, restore, name="second-trainer"), headers=HTMX).status_code == 200
    sandbox.world.advance(600)
    new = Operation.objects.get().result_id
    # when its page is looked at
    response = look(operator, f"/vms/{new}/")
    # then it says so, beside its keys and among the conditions
    assert facts(panel(response, "network"))["Public IP"] == sandbox.world.instances[new]["public_ip"]
    assert f"This VM was restored from a snapshot. {KEYS_SAID}" in words(panel(response, "network"))
    check = checks(response)[KEY]
    assert check.result == "unknown"
    assert f"This VM was made from a snapshot. {KEYS_SAID}" in check.text
    # and the page of the VM that the snapshot was taken of does not
    assert KEYS_SAID not in words(body(look(operator, "/vms/BRK-123456D/")))


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J", "<img src=x onerror=alert(1)>"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    # given texts of others in everything that the cards show
    rule = a_rule(direction=text, protocol=text, ethertype=text, remote_ip_prefix=text, status=text)
    record = sandbox.world.instances[VM]
    record.update(vm_name=text, private_ip=text, public_ip=text, ssh_keys=[text] * 20, image={"name": text})
    record["security_rules"] = [rule, {**rule, "id": "a/../b"}, {**rule, "id": text}]
    vm = {"instance_id": VM, "vm_name": text}
    attachment = {"id": 1, "vm": vm, "status": text, "created_at": iso(sandbox.world.now())}
    sandbox.world.firewalls["32"].update(name=text, rules=[rule], attachments=[attachment])

    response = look(operator)

    assert not unescaped(response)
    rows = rule_rows(response)
    assert len(rows) == 4
    assert rows[3][1].startswith("firewall")
    assert rows[0][2] == f"{URL}rules/7/delete/"
    # an id that cannot stand in an address has no button
    assert rows[1][2] == ""
    assert commands(response) == []
    assert len(body(response)) < 60_000
    for name in ("network", "connect", "rules"):
        assert len(words(panel(response, name))) < 6_000
    # names stand apart from the words around them
    assert "<dt>SSH keys</dt><dd><bdi>" in panel(response, "network")
    assert "firewall <bdi>" in panel(response, "rules")


def test_it_shows_what_the_api_leaves_out(operator: Client, sandbox: Sandbox) -> None:
    # given a VM of which only the required fields are told
    record = sandbox.world.instances[VM]
    for field in ("private_ip", "public_ip", "ssh_keys", "security_rules", "image", "created_at"):
        del record[field]
    response = look(operator)
    assert facts(panel(response, "network"))["SSH keys"] == "–"
    found = checks(response)
    assert [found[title].result for title in (PORT, KEY, USER)] == ["unknown"] * 3
    assert "Barrack did not send the rules of this VM" in found[PORT].text
    # and nobody is told that it has no rules
    assert "There is no rule, so nothing is let in." not in words(panel(response, "rules"))


def test_it_says_of_a_rule_whose_firewall_is_not_in_force(operator: Client, sandbox: Sandbox) -> None:
    # given a VM with a firewall whose attachment went wrong
    page = body(operator.get("/vms/BRK-123502D/"))
    row = next(
        row
        for row in page.partition('id="rules"')[2].partition("</table>")[0].split("<tr>")
        if "debug-everything" in row
    )
    assert "its firewall is not in force here" in row
    assert "Error" in row
    assert "Success" not in row
