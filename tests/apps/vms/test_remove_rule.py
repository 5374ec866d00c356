"""/vms/<id>/rules/<rule>/delete/: one of a VM's own security rules is removed, with a warning before SSH is cut."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import (
    IMPOSSIBLE_IDS,
    LOST_AFTER,
    LOST_BEFORE,
    READ_FAULTS,
    REFUSALS,
    RIGHT_TO_LEFT,
    SCRIPT,
    alert,
    body,
    filled,
    leads_to,
    no_alert,
    submit_button,
    unescaped,
    unsure,
    words,
)
from tests.conftest import HTMX, text_of, token_of

# No firewall is attached to this one.
VM = "BRK-123517D"
RULE = f"{VM}-ssh"
URL = f"/vms/{VM}/rules/{RULE}/delete/"
REMOVE = "remove_instance_security_rule"
SUCCESS = "The rule is removed from whisper-batch: Ingress TCP 22 from 203.0.113.0/24."
LAST = "It is the last rule that lets anybody in on port 22"


def a_rule(rule_id: str = "7", **fields: Any) -> dict[str, Any]:
    """Return a rule as the cloud keeps it."""
    return {
        "id": rule_id,
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "192.0.2.0/24",
        "port_range_min": 22,
        "port_range_max": 22,
        "status": "SUCCESS",
        "created_at": "2026-01-05T07:08:09Z",
    } | fields


def add(sandbox: Sandbox, rule_id: str = "7", vm: str = VM, **fields: Any) -> str:
    """Give the VM one more rule and return the address at which it is removed."""
    sandbox.world.instances[vm]["security_rules"].append(a_rule(rule_id, **fields))
    return f"/vms/{vm}/rules/{rule_id}/delete/"


def attach(sandbox: Sandbox, *rules: dict[str, Any], status: str = "SUCCESS") -> None:
    """Attach one firewall with these rules to the VM, and no other one."""
    firewall = sandbox.world.firewalls["32"]
    vm = {"instance_id": VM, "vm_name": "whisper-batch"}
    firewall["rules"] = list(rules)
    firewall["attachments"] = [{"id": 1, "vm": vm, "status": status, "created_at": "2026-01-05T07:08:09Z"}]


def ids(sandbox: Sandbox, vm: str = VM) -> list[str]:
    """Return the ids of the VM's own rules as the cloud has them now."""
    return [rule["id"] for rule in sandbox.world.instances[vm]["security_rules"]]


def removals(sandbox: Sandbox) -> list[str]:
    """Return the paths of the removals that the cloud received."""
    return [call.path for call in sandbox.log.calls(REMOVE)]


# -- works


@pytest.mark.feature("VM-23")
def test_it_removes_that_rule_and_no_other(operator: Client, sandbox: Sandbox) -> None:
    add(sandbox, "8")
    data = filled(operator, URL)
    assert data["intent"] == "remove-rule"

    response = operator.post(URL, data, headers=HTMX)

    assert response.status_code == 200
    assert removals(sandbox) == [f"/instances/{VM}/security-rules/{RULE}"]
    assert response["HX-Trigger"] == '{"modal:close": true, "vms:changed": true}'
    assert SUCCESS in text_of(response)
    assert ids(sandbox) == ["8"]
    event = Event.objects.get()
    assert (event.action, event.target_id, event.result) == ("instance.remove-rule", VM, "done")
    assert event.name == "Ingress TCP 22 from 203.0.113.0/24"
    # and the VM's page shows the other one alone
    page = text_of(operator.get(f"/vms/{VM}/"))
    assert "Ingress TCP 22 from 192.0.2.0/24" in page
    assert "Ingress TCP 22 from 203.0.113.0/24" not in page.partition("Security rules")[2].partition("Activity")[0]


@pytest.mark.feature("VM-23")
def test_it_names_the_rule_and_the_vm(operator: Client) -> None:
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert "The rule Ingress TCP 22 from 203.0.113.0/24 is removed from whisper-batch" in words(body(response))
    assert "rules of attached firewalls stay" in text_of(response)
    assert 'class="btn btn-danger"' in submit_button(response)
    assert "Remove rule" in words(submit_button(response))
    assert "disabled" not in submit_button(response).partition(">")[0]
    assert leads_to(body(response), "Cancel") == f"/vms/{VM}/"
    assert no_alert(response)


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    page = operator.get(URL)
    assert "<html" in body(page)
    response = operator.post(URL, {"token": token_of(page), "intent": "remove-rule"})
    assert (response.status_code, response["Location"]) == (302, f"/vms/{VM}/")
    assert SUCCESS in text_of(operator.get(f"/vms/{VM}/"))
    assert ids(sandbox) == []


@pytest.mark.feature("VM-23")
def test_it_removes_a_rule_without_ports(operator: Client, sandbox: Sandbox) -> None:
    url = add(sandbox, protocol="icmp", remote_ip_prefix="0.0.0.0/0", port_range_min=None, port_range_max=None)
    opened = operator.get(url, headers=HTMX)
    assert "The rule Ingress ICMP from 0.0.0.0/0 is removed from" in words(body(opened))
    assert LAST not in text_of(opened)
    response = operator.post(url, filled(operator, url), headers=HTMX)
    assert "The rule is removed from whisper-batch: Ingress ICMP from 0.0.0.0/0." in text_of(response)
    assert ids(sandbox) == [RULE]


# -- the last rule for SSH


@pytest.mark.feature("VM-23")
@pytest.mark.parametrize(
    "others",
    [
        [],
        [{"protocol": "udp"}],
        [{"direction": "egress"}],
        [{"protocol": "icmp", "port_range_min": None, "port_range_max": None}],
        [{"port_range_min": 23, "port_range_max": 65535}, {"port_range_min": 1, "port_range_max": 21}],
    ],
)
def test_it_warns_of_the_last_rule_for_ssh(operator: Client, sandbox: Sandbox, others: list[dict[str, Any]]) -> None:
    # given other rules, of the VM and of a firewall, that do not open the port
    for number, fields in enumerate(others):
        add(sandbox, str(number), **fields)
    attach(sandbox, *[a_rule(**fields) for fields in others])
    response = operator.get(URL, headers=HTMX)
    assert LAST in text_of(response)
    assert "SSH from outside is cut when it is gone." in text_of(response)
    # and it can be removed all the same
    assert operator.post(URL, filled(operator, URL), headers=HTMX).status_code == 200
    assert RULE not in ids(sandbox)


@pytest.mark.feature("VM-23")
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"protocol": "TCP", "direction": "INGRESS"},
        {"port_range_min": 1, "port_range_max": 65535},
        {"port_range_min": 20, "port_range_max": 22},
        {"protocol": "any", "port_range_min": None, "port_range_max": None},
        {"ethertype": "IPv6", "remote_ip_prefix": "::/0"},
    ],
)
@pytest.mark.parametrize("where", ["vm", "firewall"])
def test_it_does_not_warn_while_another_rule_opens_the_port(
    operator: Client, sandbox: Sandbox, where: str, fields: dict[str, Any]
) -> None:
    if where == "vm":
        add(sandbox, **fields)
    else:
        attach(sandbox, a_rule(**fields))
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert LAST not in text_of(response)


@pytest.mark.feature("VM-23")
@pytest.mark.parametrize("fields", [{"port_range_min": 443, "port_range_max": 443}, {"direction": "egress"}])
def test_it_does_not_warn_of_a_rule_that_does_not_open_it(
    operator: Client, sandbox: Sandbox, fields: dict[str, Any]
) -> None:
    # given a VM that nobody gets into by SSH anyway
    sandbox.world.instances[VM]["security_rules"] = []
    url = add(sandbox, **fields)
    assert LAST not in text_of(operator.get(url, headers=HTMX))


@pytest.mark.feature("VM-23")
def test_it_does_not_count_a_firewall_that_could_not_be_attached(operator: Client, sandbox: Sandbox) -> None:
    attach(sandbox, a_rule(), status="ERROR")
    assert LAST in text_of(operator.get(URL, headers=HTMX))


def test_it_warns_when_the_firewalls_cannot_be_read(operator: Client, sandbox: Sandbox) -> None:
    # given a firewall that opens the port, which nobody can know now
    attach(sandbox, a_rule())
    sandbox.faults.arm("get_instance_firewalls", "status", status=500, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == 200
    assert "last rule" in text_of(response)
    assert operator.post(URL, filled(operator, URL), headers=HTMX).status_code == 200
    assert ids(sandbox) == []


# -- the rule is gone


@pytest.mark.feature("VM-23")
def test_it_says_that_the_rule_is_gone_meanwhile(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, URL)
    sandbox.world.instances[VM]["security_rules"] = []
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 409
    assert alert(response).startswith("This rule is gone")
    assert "Nothing was sent." in alert(response)
    assert "disabled" in submit_button(response)
    assert removals(sandbox) == []


def test_it_says_what_the_cloud_says_when_it_was_gone_a_moment_before(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, URL)
    said = {"success": False, "error": "NOT_FOUND", "message": "Security rule not found"}
    sandbox.faults.arm(REMOVE, "status", status=404, body=said)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith("It no longer exists")
    assert "Barrack says: Security rule not found" in alert(response)


@pytest.mark.parametrize("rule_id", ["unknown", "BRK-123456D-ssh", "0", "%F0%9F%9A%80"])
def test_it_offers_no_removal_of_a_rule_that_the_vm_does_not_have(
    operator: Client, sandbox: Sandbox, rule_id: str
) -> None:
    url = f"/vms/{VM}/rules/{rule_id}/delete/"
    opened = operator.get(url, headers=HTMX)
    assert alert(opened).startswith("This rule is gone")
    assert "disabled" in submit_button(opened)
    assert "is removed from" not in text_of(opened)
    response = operator.post(url, {"token": token_of(opened), "intent": "remove-rule"}, headers=HTMX)
    assert response.status_code == 409
    assert removals(sandbox) == []
    assert ids(sandbox) == [RULE]


@pytest.mark.parametrize("impossible", IMPOSSIBLE_IDS)
def test_it_sends_nothing_for_a_rule_id_that_cannot_be(operator: Client, sandbox: Sandbox, impossible: str) -> None:
    url = f"/vms/{VM}/rules/{impossible}/delete/"
    for response in (operator.get(url), operator.post(url, {"intent": "remove-rule"}, headers=HTMX)):
        assert response.status_code in {200, 404, 409}
        assert not unescaped(response)
    assert removals(sandbox) == []


def test_it_refuses_a_token_that_removed_another_rule(operator: Client, sandbox: Sandbox) -> None:
    # given a form that has removed its own rule
    other = add(sandbox, "8")
    data = filled(operator, URL)
    assert operator.post(URL, data, headers=HTMX).status_code == 200
    # when it is sent to the address of another rule
    response = operator.post(other, data, headers=HTMX)
    # then nobody is told that this one is removed
    assert response.status_code in {409, 422}
    assert ids(sandbox) == ["8"]


def test_it_refuses_a_token_of_another_form(operator: Client, sandbox: Sandbox) -> None:
    add_form = filled(operator, f"/vms/{VM}/rules/") | {"intent": "remove-rule"}
    vm = filled(operator, "/vms/BRK-123456D/rules/BRK-123456D-ssh/delete/")
    for data in (add_form, vm, {"token": "", "intent": "remove-rule"}):
        response = operator.post(URL, data, headers=HTMX)
        assert response.status_code == 422
        assert alert(response).startswith("This form was not made for this page")
    assert removals(sandbox) == []


# -- wrong role, wrong method, missing things, bad input


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_says_who_can_to_those_who_cannot(request: pytest.FixtureRequest, sandbox: Sandbox, role: str) -> None:
    browser: Client = request.getfixturevalue(role)
    for response in (browser.get(URL), browser.post(URL, {"intent": "remove-rule"}, headers=HTMX)):
        assert response.status_code == 403
        assert "Only an operator or an admin can change public IPs and security rules" in text_of(response)
    assert removals(sandbox) == sandbox.log.calls("get_instance") == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_takes_no_other_method(operator: Client, sandbox: Sandbox, method: str) -> None:
    assert getattr(operator, method)(URL).status_code == 405
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("missing", ["BRK-999999D", "%00", "x" * 129])
def test_it_has_no_page_for_a_vm_that_is_not_there(operator: Client, sandbox: Sandbox, missing: str) -> None:
    address = f"/vms/{missing}/rules/{RULE}/delete/"
    for response in (operator.get(address), operator.post(address, {"intent": "remove-rule"})):
        assert response.status_code == 404
    assert removals(sandbox) == []


@pytest.mark.parametrize("intent", [None, "", "delete", "REMOVE-RULE"])
def test_it_removes_nothing_without_the_intent(operator: Client, sandbox: Sandbox, intent: str | None) -> None:
    data = {"token": filled(operator, URL)["token"]} | ({} if intent is None else {"intent": intent})
    for headers in (HTMX, {}):
        response = operator.post(URL, data, headers=headers)
        assert response.status_code == 200
        assert "Ingress TCP 22 from 203.0.113.0/24" in text_of(response)
    assert removals(sandbox) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("SHUTOFF", "Only an active VM can be given or rid of a rule; this one is stopped (SHUTOFF)."),
        ("HIBERNATED", "this one is hibernated."),
        ("DELETED", "The VM is deleted."),
        ("STOPPING", "The VM is stopping: wait until that is done."),
        ("RESCUE", "does not know the state RESCUE"),
    ],
)
def test_it_asks_nothing_of_a_vm_in_another_state(operator: Client, sandbox: Sandbox, status: str, reason: str) -> None:
    data = filled(operator, URL)
    sandbox.world.instances[VM]["status"] = status
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 409
    assert reason in alert(response)
    assert "disabled" in submit_button(operator.get(URL, headers=HTMX))
    assert removals(sandbox) == []
    assert Operation.objects.count() == 0


# -- the API refuses, or is down


@pytest.mark.feature("NAV-15")
@pytest.mark.parametrize(("status", "title", "shown"), REFUSALS)
def test_it_says_in_a_red_box_what_the_api_refused(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    sandbox.faults.arm(REMOVE, "status", status=status)
    response = operator.post(URL, filled(operator, URL), headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "HX-Trigger" not in response
    assert ids(sandbox) == [RULE]
    assert Operation.objects.get().state == "refused"
    # and the form in the answer works
    again = {"intent": "remove-rule", "token": token_of(response)}
    assert operator.post(URL, again, headers=HTMX).status_code == 200
    assert ids(sandbox) == []


def test_it_says_that_nothing_was_sent_when_the_api_cannot_be_reached(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, URL)
    sandbox.faults.arm(REMOVE, "refuse")
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 503
    assert "so nothing was sent and nothing was changed" in alert(response)
    assert Operation.objects.get().state == "not_sent"
    assert ids(sandbox) == [RULE]


@pytest.mark.parametrize(("kind", "shown", "happened"), LOST_BEFORE)
def test_it_says_that_it_is_not_certain_and_never_sends_it_again(
    operator: Client, sandbox: Sandbox, kind: str, shown: int, happened: str
) -> None:
    data = filled(operator, URL)
    sandbox.faults.arm(REMOVE, kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == shown
    assert unsure(response).startswith(
        f"Not seen yet Barrack's answer {happened}, and it is not certain yet whether the rule is gone."
    )
    assert operator.post(URL, data, headers=HTMX).status_code == shown
    assert len(removals(sandbox)) == 1
    assert ids(sandbox) == [RULE]


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_it_sees_that_it_is_gone_when_only_the_answer_is_lost(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(operator, URL)
    sandbox.faults.arm(REMOVE, kind)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == 200
    assert SUCCESS in text_of(response)
    assert Operation.objects.get().state == "done"
    assert len(removals(sandbox)) == 1


@pytest.mark.parametrize("kind", ["refuse", "hang"])
def test_it_removes_nothing_while_the_vm_cannot_be_read(operator: Client, sandbox: Sandbox, kind: str) -> None:
    data = filled(operator, URL)
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.post(URL, data, headers=HTMX)
    assert response.status_code == {"refuse": 503, "hang": 504}[kind]
    assert "so nothing was sent and nothing was changed." in alert(response)
    assert "disabled" in submit_button(response)
    assert removals(sandbox) == []


@pytest.mark.parametrize(("kind", "title", "shown"), READ_FAULTS[:2])
def test_it_says_so_when_the_form_cannot_be_opened(
    operator: Client, sandbox: Sandbox, kind: str, title: str, shown: int
) -> None:
    sandbox.faults.arm("get_instance", kind, times=None)
    response = operator.get(URL, headers=HTMX)
    assert response.status_code == shown
    assert alert(response).startswith(title)


def test_it_does_without_the_balance(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_credit_balance", "status", status=500, times=None)
    assert operator.post(URL, filled(operator, URL), headers=HTMX).status_code == 200
    assert ids(sandbox) == []


# -- sent twice


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_it_shows_the_same_result_when_sent_twice(operator: Client, sandbox: Sandbox, headers: dict[str, str]) -> None:
    data = filled(operator, URL)
    answers = [operator.post(URL, data, headers=headers) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == (200 if headers else 302)
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(removals(sandbox)) == 1


def test_it_tells_the_second_of_two_tabs_that_it_is_gone(operator: Client, sandbox: Sandbox) -> None:
    one, two = filled(operator, URL), filled(operator, URL)
    assert operator.post(URL, one, headers=HTMX).status_code == 200
    response = operator.post(URL, two, headers=HTMX)
    assert response.status_code == 409
    assert alert(response).startswith("This rule is gone")
    assert len(removals(sandbox)) == 1


# -- a hostile API


@pytest.mark.parametrize("text", [SCRIPT, "A" * 10_000, RIGHT_TO_LEFT, "\x00\x1b[2J"])
def test_it_shows_hostile_texts_safely(operator: Client, sandbox: Sandbox, text: str) -> None:
    sandbox.world.instances[VM].update(vm_name=text)
    url = add(sandbox, direction=text, protocol=text, ethertype=text, remote_ip_prefix=text)
    response = operator.get(url, headers=HTMX)
    assert response.status_code == 200
    assert not unescaped(response)
    assert len(body(response)) < 6_000
    # and it can be removed, with a toast that is as safe
    gone = operator.post(url, filled(operator, url), headers=HTMX)
    assert gone.status_code == 200
    assert not unescaped(gone)
    assert ids(sandbox) == [RULE]
