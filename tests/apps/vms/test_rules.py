"""/vms/<id>/rules/: a security rule of the VM's own is added, exactly as it was typed."""

import html
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    feedback,
    filled,
    leads_to,
    no_alert,
    sent,
    submit_button,
    typed,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

VM = "BRK-123456D"
URL = f"/vms/{VM}/rules/"
MINE = f"{URL}?mine=1"
ADD = "add_instance_security_rule"
RULE = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "192.0.2.0/24",
    "port_range_min": "8000",
    "port_range_max": "8080",
}
SENT = RULE | {"port_range_min": 8000, "port_range_max": 8080}
SUCCESS = "ml-training-server has a new rule: Ingress TCP 8000–8080 from 192.0.2.0/24."
TEXTS = ("remote_ip_prefix", "port_range_min", "port_range_max")
INNER = "This is an address of an inner network."


def fill(browser: Client, **fields: str) -> dict[str, str]:
    """Open the form and return what its submit button would send."""
    return filled(browser, URL, **RULE | fields)


def chosen(response: HttpResponse, field: str) -> str:
    """Return what is chosen in a list now."""
    found = re.search(rf'<select name="{field}".*?</select>', body(response), re.DOTALL)
    assert found, f"no list {field}"
    option = re.search(r'<option value="([^"]*)" selected>', found.group(0))
    return html.unescape(option.group(1)) if option else ""


def shown(response: HttpResponse) -> dict[str, str]:
    """Return all six values as the form shows them."""
    lists = {field: chosen(response, field) for field in ("direction", "protocol", "ethertype")}
    return lists | {field: typed(response, field) for field in TEXTS}


def rules(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the VM's own rules as the cloud has them now."""
    return list(sandbox.world.instances[VM]["security_rules"])


# -- works


@pytest.mark.feature("VM-22")
def test_it_adds_the_rule_that_was_typed(operator: Client, sandbox: Sandbox) -> None:
    # given an open form
    data = fill(operator)
    assert data["intent"] == "add-rule"
    # when it is sent
    response = operator.post(URL, data, headers=HTMX)
    # then the cloud received exactly that, once
    assert response.status_code == 200
    assert sent(sandbox, ADD) == [SENT]
    assert sandbox.log.calls(ADD)[0].path == f"/instances/{VM}/security-rules"
    assert response["HX-Trigger"] == '{"modal:close": true, "vms:changed": true}'
    assert SUCCESS in text_of(response)
    # and it is written down
    operation, event = Operation.objects.get(), Event.objects.get()
    assert (operation.state, operation.result_id) == ("done", rules(sandbox)[-1]["id"])
    assert (event.action, event.target_id, event.result) == ("instance.add-rule", VM, "done")
    assert event.name == "Ingress TCP 8000–8080 from 192.0.2.0/24"
    # and the VM's page has it at once
    assert "Ingress TCP 8000–8080 from 192.0.2.0/24" in text_of(operator.get(f"/vms/{VM}/"))


@pytest.mark.feature("VM-22")
@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"direction": "egress", "protocol": "udp"}, {"direction": "egress", "protocol": "udp"}),
        ({"port_range_min": "1", "port_range_max": "65535"}, {"port_range_min": 1, "port_range_max": 65535}),
        ({"port_range_min": " 022 ", "port_range_max": "22"}, {"port_range_min": 22, "port_range_max": 22}),
        ({"remote_ip_prefix": " 192.0.2.9/24 "}, {"remote_ip_prefix": "192.0.2.9/24"}),
        ({"remote_ip_prefix": "0.0.0.0/0"}, {"remote_ip_prefix": "0.0.0.0/0"}),
        ({"ethertype": "IPv6", "remote_ip_prefix": "::/0"}, {"ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
    ],
)
def test_it_sends_each_field_as_it_was_typed(
    operator: Client, sandbox: Sandbox, fields: dict[str, str], changed: dict[str, Any]
) -> None:
    assert operator.post(URL, fill(operator, **fields), headers=HTMX).status_code == 200
    assert sent(sandbox, ADD) == [SENT | changed]


@pytest.mark.feature("VM-22")
def test_it_sends_no_ports_for_icmp(operator: Client, sandbox: Sandbox) -> None:
    # given ports that still stand in fields which cannot be seen any more
    data = fill(operator, protocol="icmp", port_range_min="0", port_range_max="none")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert sent(sandbox, ADD) == [
        {"direction": "ingress", "protocol": "icmp", "ethertype": "IPv4", "remote_ip_prefix": "192.0.2.0/24"}
    ]
    assert "has a new rule: Ingress ICMP from 192.0.2.0/24." in text_of(response)


def test_it_opens_with_the_usual_choices_and_empty_fields(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    assert shown(response) == {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        **dict.fromkeys(TEXTS, ""),
    }
    text = text_of(response)
    assert "Security rules may take up to 10 minutes to be fully applied after creation." in text
    assert "Port ranges are not applicable for ICMP protocol" in text
    assert "The rule is added to ml-training-server alone" in words(body(response))
    assert "Your address" not in text
    assert leads_to(body(response), "Cancel") == f"/vms/{VM}/"
    assert "Adding..." in words(submit_button(response))
    assert "disabled" not in submit_button(response).partition(">")[0]


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    response = operator.post(URL, {**RULE, "token": token_of(page), "intent": "add-rule"})
    assert (response.status_code, response["Location"]) == (302, f"/vms/{VM}/")
    assert SUCCESS in text_of(operator.get(f"/vms/{VM}/"))
    assert sent(sandbox, ADD) == [SENT]


def test_it_offers_the_protocols_that_the_api_names(operator: Client, sandbox: Sandbox) -> None:
    # given an API with one more protocol, and names that nobody could use
    protocols = [{"name": name} for name in ("UDP", "tcp", "esp", "x" * 21, "a\nb", "")]
    answer = {"success": True, "protocols": protocols}
    sandbox.faults.arm("list_firewall_protocols", "status", status=200, body=answer, times=None)
    page = body(operator.get(URL, headers=HTMX)).partition('<select name="protocol"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="([^"]*)"', page) == ["udp", "tcp", "esp"]


def test_it_offers_the_documented_ones_while_the_api_names_none(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("list_firewall_protocols", "status", status=500, times=None)
    data = fill(operator, protocol="udp")
    assert operator.post(URL, data, headers=HTMX).status_code == 200
    assert sent(sandbox, ADD) == [SENT | {"protocol": "udp"}]


# -- the visitor's own address


@pytest.mark.feature("VM-22")
@pytest.mark.parametrize(
    ("address", "version", "prefix"),
    [
        ("203.0.113.5", "IPv4", "203.0.113.5/32"),
        ("2001:db8::5", "IPv6", "2001:db8::5/128"),
        ("::ffff:203.0.113.5", "IPv4", "203.0.113.5/32"),
    ],
)
def test_it_is_filled_in_for_ssh_from_the_visitors_address(
    operator: Client, sandbox: Sandbox, address: str, version: str, prefix: str
) -> None:
    response = operator.get(MINE, headers=HTMX, REMOTE_ADDR=address)
    values = shown(response)
    assert values == {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": version,
        "remote_ip_prefix": prefix,
        "port_range_min": "22",
        "port_range_max": "22",
    }
    assert "The rule lets this one address in by SSH, and nobody else." in text_of(response)
    # and it can be sent as it is
    data = {**values, "token": token_of(response), "intent": "add-rule"}
    assert operator.post(MINE, data, headers=HTMX, REMOTE_ADDR=address).status_code == 200
    assert sent(sandbox, ADD) == [values | {"port_range_min": 22, "port_range_max": 22}]


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("192.168.1.7", True),
        ("10.0.0.1", True),
        ("100.64.0.9", True),
        ("127.0.0.1", True),
        ("fd00::7", True),
    ],
)
def test_it_warns_of_an_address_that_the_vm_may_see_differently(operator: Client, address: str, *, inner: bool) -> None:
    response = operator.get(MINE, headers=HTMX, REMOTE_ADDR=address)
    assert f"Your address, as this portal sees it: {address} ." in text_of(response)
    assert (INNER in text_of(response)) == inner


@pytest.mark.parametrize("address", ["", "unix:"])
def test_it_asks_for_the_address_when_it_is_not_known(operator: Client, address: str) -> None:
    response = operator.get(MINE, headers=HTMX, REMOTE_ADDR=address)
    assert response.status_code == 200
    assert "This portal cannot tell your address. Type it below, with /32" in text_of(response)
    assert [typed(response, field) for field in TEXTS] == ["", "", ""]
    assert INNER not in text_of(response)


def test_it_believes_no_header_about_the_address(operator: Client) -> None:
    headers = HTMX | {"X-Forwarded-For": "198.51.100.66", "X-Real-IP": "198.51.100.66"}
    response = operator.get(f"{URL}?mine=198.51.100.66", headers=headers, REMOTE_ADDR="8.8.8.8")
    assert typed(response, "remote_ip_prefix") == "8.8.8.8/32"
    assert "198.51.100.66/32" not in body(response)


def test_it_keeps_what_was_typed_over_the_visitors_address(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, MINE, **RULE | {"remote_ip_prefix": "10.1.0.0/33"})
    response = operator.post(MINE, data, headers=HTMX, REMOTE_ADDR="8.8.8.8")
    assert response.status_code == 422
    assert shown(response) == RULE | {"remote_ip_prefix": "10.1.0.0/33"}
    assert f'action="{MINE}"' in body(response)
    assert sent(sandbox, ADD) == []


# -- bad input


@pytest.mark.feature("VM-22")
@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("remote_ip_prefix", "", "Enter an IP range, such as 192.168.1.0/24."),
        ("remote_ip_prefix", "anywhere", "Use an IP range with its prefix length"),
        ("remote_ip_prefix", "203.0.113.5", "a single address is 203.0.113.5/32."),
        ("remote_ip_prefix", "203.0.113.0/33", "An IPv4 prefix is 0 to 32; this is 33."),
        ("remote_ip_prefix", "256.0.0.0/8", "Each part of an IPv4 address is 0 to 255; this has 256."),
        ("remote_ip_prefix", "10.0.0.0/255.0.0.0", "After the slash goes a whole number from 0 to 32"),
        ("remote_ip_prefix", "2001:db8::/32", "2001:db8::/32 is an IPv6 range, but the rule is for IPv4."),
        ("remote_ip_prefix", SCRIPT, "Use an IP range with its prefix length"),
        ("ethertype", "IPv6", ""),
        ("port_range_min", "", "Enter a port from 1 to 65535. Use 8080 in both fields for a single port."),
        ("port_range_min", "0", "A port is 1 to 65535."),
        ("port_range_min", "9000", ""),
        ("port_range_max", "65536", "A port is 1 to 65535."),
        ("port_range_max", "80-90", "Use one whole number in plain digits"),
        ("port_range_max", "80", "Use 8000 or higher."),
    ],
)
def test_it_says_at_the_field_what_is_wrong_and_keeps_all(
    operator: Client, sandbox: Sandbox, field: str, value: str, sentence: str
) -> None:
    response = operator.post(URL, fill(operator, **{field: value}), headers=HTMX)
    assert response.status_code == 422
    # what is wrong between two fields stands at the one that has to give way
    place = {"ethertype": "remote_ip_prefix", "port_range_min": "port_range_max"}[field] if not sentence else field
    assert sentence in feedback(response, place)
    assert feedback(response, place)
    others = {"direction", "protocol", "ethertype", *TEXTS} - {place}
    assert [feedback(response, other) for other in others] == [""] * 5
    assert shown(response) == RULE | {field: value}
    assert not unescaped(response)
    assert no_alert(response)
    # and nothing was sent
    assert sent(sandbox, ADD) == []
    assert Operation.objects.count() == 0


def test_it_refuses_choices_that_it_does_not_offer(operator: Client, sandbox: Sandbox) -> None:
    odd = {"direction": "both", "protocol": "sctp", "ethertype": SCRIPT}
    response = operator.post(URL, fill(operator, **odd), headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "direction") == "Choose a direction."
    assert feedback(response, "protocol") == "Choose a protocol."
    assert feedback(response, "ethertype") == "Choose IPv4 or IPv6."
    assert {field: typed(response, field) for field in TEXTS} == {field: RULE[field] for field in TEXTS}
    assert not unescaped(response)
    assert sent(sandbox, ADD) == []


@pytest.mark.feature("VM-22")
@pytest.mark.parametrize(
    ("validate", "fields", "sentence"),
    [
        ("remote_ip_prefix", {"remote_ip_prefix": "192.0.2.0/24"}, ""),
        ("remote_ip_prefix", {"remote_ip_prefix": "192.0.2.0/99"}, "An IPv4 prefix is 0 to 32; this is 99."),
        ("remote_ip_prefix", {"remote_ip_prefix": "::/0"}, "::/0 is an IPv6 range, but the rule is for IPv4."),
        ("port_range_min", {"port_range_min": "x"}, "Use one whole number in plain digits"),
        ("port_range_max", {"port_range_min": "443", "port_range_max": "80"}, "Use 443 or higher."),
        ("port_range_max", {"protocol": "icmp", "port_range_max": "x"}, ""),
    ],
)
def test_it_says_it_while_somebody_types(
    operator: Client, sandbox: Sandbox, validate: str, fields: dict[str, str], sentence: str
) -> None:
    response = operator.post(URL, {**RULE, **fields, "validate": validate}, headers=HTMX)
    assert response.status_code == 200
    # the answer is that field's feedback alone
    assert re.findall(r'data-field="(\w+)"', body(response)) == [f"id_{validate}"]
    assert "<form" not in body(response)
    found = feedback(response, validate)
    assert sentence in found
    assert bool(found) == bool(sentence)
    assert sent(sandbox, ADD) == []
    # and each of these fields asks for it
    form = body(operator.get(URL, headers=HTMX))
    assert f'hx-post="{URL}" hx-trigger="input delay:300ms" hx-target="find .field-feedback"' in form
    assert f"""hx-vals='{{"validate": "{validate}"}}'""" in form


@pytest.mark.parametrize(("headers", "intent"), [(HTMX, None), (HTMX, "ADD-RULE"), ({}, ""), ({}, "remove-rule")])
def test_it_adds_nothing_without_the_intent(
    operator: Client, sandbox: Sandbox, headers: dict[str, str], intent: str | None
) -> None:
    data = fill(operator)
    del data["intent"]
    response = operator.post(URL, data | ({} if intent is None else {"intent": intent}), headers=headers)
    assert response.status_code == 200
    assert shown(response) == RULE
    assert sent(sandbox, ADD) == []


# -- it is there already


@pytest.mark.feature("VM-22")
@pytest.mark.parametrize("prefix", ["203.0.113.0/24", "203.0.113.7/24"])
def test_it_says_at_the_field_that_the_vm_has_this_rule(operator: Client, sandbox: Sandbox, prefix: str) -> None:
    data = fill(operator, remote_ip_prefix=prefix, port_range_min="22", port_range_max="22")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "remote_ip_prefix") == "The VM has this rule already."
    assert typed(response, "remote_ip_prefix") == prefix
    assert sent(sandbox, ADD) == []
    # and a rule that differs in anything is taken
    data = fill(operator, remote_ip_prefix=prefix, port_range_min="22", port_range_max="22", protocol="udp")
    assert operator.post(URL, data, headers=HTMX).status_code == 200


def test_it_takes_a_rule_that_only_a_firewall_has(operator: Client, sandbox: Sandbox) -> None:
    # given the rule 8888 of the firewall jupyter-office
    data = fill(operator, remote_ip_prefix="203.0.113.0/24", port_range_min="8888", port_range_max="8888")
    assert operator.post(URL, data, headers=HTMX).status_code == 200
    assert len(sent(sandbox, ADD)) == 1


def test_it_tells_the_second_of_two_tabs_that_the_rule_is_there(operator: Client, sandbox: Sandbox) -> None:
    one, two = fill(operator), fill(operator)
    assert operator.post(URL, one, headers=HTMX).status_code == 200
    response = operator.post(URL, two, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "remote_ip_prefix") == "The VM has this rule already."
    assert len(sent(sandbox, ADD)) == 1


# -- wrong role, wrong method, missing things


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(MINE), browser.post(URL, {**RULE, "intent": "add-rule"}, headers=HTMX)):
        assert response.status_code == 403
        assert "Only an operator or an admin can change public IPs and security rules" in text_of(response)
    assert sandbox.log.calls(ADD) == sandbox.log.calls("get_instance") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("missing", ["BRK-999999D", "a%2Fb", "%00", "x" * 129])
def test_it_has_no_page_for_a_vm_that_is_not_there(operator: Client, sandbox: Sandbox, missing: str) -> None:
    address = f"/vms/{missing}/rules/"
    for response in (operator.get(address), operator.post(address, {**RULE, "intent": "add-rule"})):
        assert response.status_code == 404
    assert sent(sandbox, ADD) == []


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    other = filled(operator, "/vms/BRK-123502D/rules/", **RULE)
    toggle = RULE | {"token": filled(operator, f"/vms/{VM}/public-ip/")["token"], "intent": "add-rule"}
    for data in (other, toggle, {**RULE, "token": "", "intent": "add-rule"}):
        response = operator.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
        assert shown(response) == RULE
    assert sent(sandbox, ADD) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("SHUTOFF", "Only an active VM can be given or rid of a rule; this one is stopped (SHUTOFF)."),
        ("HIBERNATED", "this one is hibernated."),
        ("ERROR", "this one is in ERROR."),
        ("DELETED", "The VM is deleted."),
        ("CREATING", "The VM is being created: wait until that is done."),
        ("RESCUE", "does not know the state RESCUE"),
    ],
)
def test_it_asks_nothing_of_a_vm_in_another_state(operator: Client, sandbox: Sandbox, status: str, reason: str) -> None:
    data = fill(operator)
    sandbox.world.instances[VM]["status"] = status

    response = operator.post(URL, data, headers=HTMX)

    assert response.status_code == 409
    assert alert(response).startswith("Add rule is not possible now")
    assert reason in alert(response)
    assert shown(response) == RULE
    opened = operator.get(MINE, headers=HTMX)
    assert reason in alert(opened)
    assert "disabled" in submit_button(opened)
    assert sent(sandbox, ADD) == []
    assert Operation.objects.count() == 0


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "code"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    operator: Client, sandbox: Sandbox, status: int, title: str, code: int
) -> None:
    sandbox.faults.arm(ADD, "status", status=status)
    response = operator.post(URL, fill(operator), headers=HTMX)
    assert response.status_code == code
    assert alert(response).startswith(title)
    assert shown(response) == RULE
    assert "HX-Trigger" not in response
    assert len(rules(sandbox)) == 1
    assert Operation.objects.get().state == "refused"
    # and the form in the answer works
    again = {**RULE, "intent": "add-rule", "token": token_of(response)}
    assert operator.post(URL, again, headers=HTMX).status_code == 200
    assert len(rules(sandbox)) == 2


def test_it_shows_at_the_field_what_the_api_says_of_it(operator: Client, sandbox: Sandbox) -> None:
    said = {"remote_ip_prefix": "This range is <b>reserved</b>.", "port_range_max": "Not this port."}
    answer = {"success": False, "error": "VALIDATION_ERROR", "message": "No.", "details": said}
    data = fill(operator)
    sandbox.faults.arm(ADD, "status", status=422, body=answer)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert feedback(response, "remote_ip_prefix") == "This range is <b>reserved</b>."
    assert feedback(response, "port_range_max") == "Not this port."
    assert "<b>reserved" not in body(response)
    assert shown(response) == RULE


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    sandbox.faults.arm(ADD, "refuse")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert shown(response) == RULE
    assert Operation.objects.get().state == "not_sent"


@pytest.mark.parametrize(("kind", "code", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, code: int, happened: str
) -> None:
    data = fill(operator)
    sandbox.faults.arm(ADD, kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == code
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the VM has the new rule."
    )
    assert shown(response) == RULE
    assert operator.post(URL, data, headers=HTMX).status_code == code
    assert len(sent(sandbox, ADD)) == 1


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_happened_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm(ADD, kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().state == "done"
    assert len(sent(sandbox, ADD)) == 1
    assert len(rules(sandbox)) == 2


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_adds_nothing_while_the_vm_cannot_be_read(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = fill(operator)
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert shown(response) == RULE
    assert sent(sandbox, ADD) == []


@pytest.mark.parametrize(("kind", "title", "code"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, code: int
) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == code
    assert alert(response).startswith(title)


def test_it_does_without_the_balance(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=500, times=None)
    assert operator.post(URL, fill(operator), headers=HTMX).status_code == 200
    assert len(rules(sandbox)) == 2


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = fill(operator)
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(sent(sandbox, ADD)) == 1


def test_it_says_that_the_form_was_sent_with_other_values(operator: Client, sandbox: Sandbox) -> None:
    data = fill(operator)
    operator.post(URL, data, headers=HTMX)
    response = operator.post(URL, {**data, "port_range_max": "8090"}, headers=HTMX)
    assert response.status_code == 409
    assert "Add security rule “Ingress TCP 8000–8080 from 192.0.2.0/24”, done." in words(body(response))
    assert len(sent(sandbox, ADD)) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    record = sandbox.world.instances[VM]
    record.update(vm_name=text)
    record["security_rules"] = [{"id": text or "1", "direction": text, "protocol": text, "remote_ip_prefix": text}]
    response = operator.get(MINE, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 12_000
    # and a rule can be added, with a toast that is as safe
    added = operator.post(URL, fill(operator), headers=HTMX)
    assert added.status_code == 200
    assert not unescaped(added)
    assert sent(sandbox, ADD) == [SENT]
