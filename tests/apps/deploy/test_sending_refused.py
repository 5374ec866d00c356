"""Deployments that are refused: by the balance, by a price or a stock that has changed, and by the API."""

import html
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Event, Operation
from apps.deploy.models import Draft
from barrack_web.sandbox.prices import GPU_MODELS
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import MODEL, NAME, REGION, URL, errors, form_of, section
from tests.apps.deploy.sends import CREATE, again, drafted, filled, led_to, opened, send, vms, wanted
from tests.apps.snapshots.helpers import REFUSALS, SCRIPT, alert, body, unescaped, words
from tests.conftest import text_of

PRICE = Decimal("1.55")


def way_to_credits(page: str) -> str:
    """Return where the alert's link to Credits leads."""
    found = re.search(r'<a href="(/credits/[^"]*)"[^>]*>Add credits', page)
    assert found, "no way to Credits"
    return html.unescape(found[1])


# -- balance


@pytest.mark.feature("DEP-41")
@pytest.mark.parametrize(
    ("balance", "enough"), [("0", False), ("-3", False), ("0.01", False), ("1.54", False), ("1.55", True)]
)
def test_it_needs_credits_for_an_hour(operator: Client, sandbox: Sandbox, balance: str, enough: bool) -> None:
    # given a balance (C-23), and a form for $1.55 an hour
    data = filled(operator)
    sandbox.world.balances["USD"] = Decimal(balance)
    # when it is sent
    response = send(operator, data)
    # then it goes out only when the balance lasts an hour, and else says what is missing
    assert len(wanted(sandbox)) == enough
    if enough:
        assert led_to(response)
        return
    assert response.status_code == 422
    shown = "−$3.00" if balance == "-3" else f"${Decimal(balance):.2f}" if balance != "0.01" else "$0.01"
    assert alert(response).startswith(
        f"Insufficient Credits 1 × {MODEL} in {REGION} costs $1.55 / h and the balance is {shown}. Nothing was sent."
    )


@pytest.mark.feature("DEP-41")
@pytest.mark.parametrize("who", ["portal", "API"])
def test_it_leads_to_credits_and_back_to_the_form(operator: Client, sandbox: Sandbox, who: str) -> None:
    # given an account without credits, of which the portal or only the API knows
    data = filled(operator, rule=["ingress|icmp|IPv4|0.0.0.0/0||"], ssh_keys=["ci-runner"])
    if who == "portal":
        sandbox.world.balances["USD"] = Decimal(0)
    else:
        sandbox.faults.arm(CREATE, "status", status=402)
    response = send(operator, data, name="typed-just-now")
    assert response.status_code == 422
    assert alert(response).startswith("Insufficient Credits")
    # when somebody follows the link, buys credits and comes back
    credits_page = operator.get(way_to_credits(body(response)))
    back = re.search(r'href="([^"]*)">[^<]*<svg.*?</svg>Back to what you were doing', body(credits_page))
    assert back
    sandbox.world.balances["USD"] = Decimal(50)
    form = form_of(operator.get(html.unescape(back[1])))
    # then the form is as it was, and goes out
    assert [form[name] for name in ("name", "ssh_keys", "gpu_model")] == [["typed-just-now"], ["ci-runner"], [MODEL]]
    assert form["draft"] == data["draft"]
    assert led_to(send(operator, form, intent="create"))
    assert len(vms(sandbox, "typed-just-now")) == 1


@pytest.mark.feature("DEP-41")
def test_it_leads_back_also_when_a_refused_form_is_sent_again(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=402)
    first, second = send(operator, data), send(operator, data)
    assert way_to_credits(body(first)) == way_to_credits(body(second))
    assert len(wanted(sandbox)) == 1


def test_it_leaves_it_to_the_api_when_neither_balance_nor_price_is_known(operator: Client, sandbox: Sandbox) -> None:
    # given a portal that has never seen a balance or a price, and an account without credits
    sandbox.world.balances["USD"] = Decimal(0)
    for name in ("get_credit_balance", "get_pricing", "query_pricing"):
        sandbox.faults.arm(name, "status", status=500, times=None)
    data = filled(operator)
    assert data["seen_price"] == [""]
    # when the form is sent, then the API decides
    response = send(operator, data)
    assert alert(response).startswith("Insufficient Credits The balance does not cover this, so Barrack refused it.")
    assert (len(wanted(sandbox)), vms(sandbox)) == (1, [])


# -- price


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("percent", "asked"), [("4.9", False), ("5.0", False), ("5.1", True)])
def test_it_asks_again_when_the_price_has_changed_by_more_than_5_percent(
    operator: Client,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    *,
    direction: int,
    percent: str,
    asked: bool,
) -> None:
    # given a price that is another one since the page was shown
    data = filled(operator)
    now = PRICE * (1 + direction * Decimal(percent) / 100)
    monkeypatch.setitem(GPU_MODELS[MODEL].prices, "USD", now)
    # when the button is pressed
    response = send(operator, data)
    # then it is sent, or both prices are named and the next press sends it
    assert len(wanted(sandbox)) == (not asked)
    if asked:
        assert response.status_code == 409
        assert alert(response) == (
            f"The price has changed It was $1.55 / h when you looked, and is ${now:.2f} / h now. Nothing was sent. "
            "If that is fine, press Deploy again; everything else is as you left it."
        )
        assert f"Deploy for ${now:.2f} / h" in text_of(response)
        response = send(operator, again(response))
    assert led_to(response)
    assert len(wanted(sandbox)) == 1


@pytest.mark.parametrize(
    "seen", ["", "NaN USD", "Infinity USD", "-1 USD", "1e999999 USD", "1.55", "1.55 EUR", "x" * 400, "1.55 USD USD"]
)
def test_it_asks_when_it_does_not_know_which_price_was_seen(operator: Client, sandbox: Sandbox, seen: str) -> None:
    response = send(operator, filled(operator), seen_price=seen)
    assert response.status_code == 409
    assert "$1.55 / h now. Nothing was sent." in alert(response)
    assert led_to(send(operator, again(response)))


def test_it_does_not_ask_about_a_gpu_without_a_price(
    operator: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = filled(operator)
    monkeypatch.setitem(GPU_MODELS[MODEL].prices, "USD", Decimal(0))
    response = send(operator, again(send(operator, data)))
    assert led_to(response)
    assert len(wanted(sandbox)) == 1


# -- stock


@pytest.mark.feature("DEP-42")
@pytest.mark.parametrize("who", ["portal", "API"])
def test_it_shows_what_is_free_instead_when_the_gpus_are_gone(operator: Client, sandbox: Sandbox, who: str) -> None:
    # given GPUs that were free when the page was shown, and that somebody else took, perhaps in this very moment
    data = filled(operator, gpu_count="4")
    if who == "portal":
        sandbox.world.stock[REGION, MODEL] = 2
    else:
        fault = {"success": False, "error": "OUT_OF_STOCK", "message": f"4 × {MODEL} is out of stock"}
        sandbox.faults.arm(CREATE, "status", status=503, body=fault)
    # when the form is sent
    response = send(operator, data)
    # then it says so, what was chosen stays, and what is free stands there
    assert response.status_code == 422
    assert alert(response).startswith("No free GPUs")
    assert vms(sandbox) == []
    assert len(wanted(sandbox)) == (who == "API")
    assert errors(section(response, "size")) == [f"No such GPUs are free in {REGION} now."]
    free = words(section(response, "size"))
    assert "Another region 4 × A100-PCIe-80GB in NORWAY-1 $6.20 / h" in free
    assert "Fewer GPUs 2 × A100-PCIe-80GB in CANADA-1 $3.10 / h" in free
    assert "Another GPU 4 × " in free
    assert "Later:" in free
    assert [Draft.objects.get().values[name] for name in ("name", "gpu_count")] == [[NAME], ["4"]]


def test_it_can_be_tried_again_when_the_api_had_no_stock(operator: Client, sandbox: Sandbox) -> None:
    # given a refusal for lack of stock, although the list says that some is free
    data = filled(operator)
    fault = {"success": False, "error": "OUT_OF_STOCK", "message": f"{MODEL} is out of stock in {REGION}"}
    sandbox.faults.arm(CREATE, "status", status=503, body=fault)
    response = send(operator, data)
    assert f"Barrack says: {MODEL} is out of stock in {REGION}" in alert(response)
    # when the page has asked for news, as it does by itself, then its button is back, and it works
    form = form_of(operator.get(URL, {"draft": data["draft"]}))
    assert led_to(send(operator, form, intent="create"))
    assert len(vms(sandbox)) == 1


# -- the API refuses


@pytest.mark.parametrize(
    ("status", "title", "shown"), [row for row in REFUSALS if row[0] not in {402, 422}] + [(400, REFUSALS[5][1], 422)]
)
def test_it_says_what_the_api_refused_and_keeps_the_form(
    operator: Client, sandbox: Sandbox, status: int, title: str, shown: int
) -> None:
    # given an API that refuses
    data = filled(operator, gpu_count="2")
    sandbox.faults.arm(CREATE, "status", status=status)
    response = send(operator, data)
    # then the reason stands in a red box, and nothing that was typed is lost
    assert response.status_code == shown
    assert alert(response).startswith(title)
    assert "Barrack says: The service had a problem" in alert(response)
    assert (Operation.objects.get().state, Event.objects.get().upstream_status) == ("refused", status)
    form = form_of(response)
    assert [form[name] for name in ("name", "gpu_count", "ssh_keys")] == [[NAME], ["2"], ["team-laptop"]]
    # and the form can be sent again at once
    assert led_to(send(operator, again(response)))
    assert len(vms(sandbox)) == 1


def test_it_says_at_the_name_that_it_is_taken(operator: Client, sandbox: Sandbox) -> None:
    # given a name that the list does not show, but the API knows
    data = filled(operator)
    fault = {"success": False, "error": "NAME_TAKEN", "message": "Taken", "details": {"vm_name": "This name is taken."}}
    sandbox.faults.arm(CREATE, "status", status=409, body=fault)
    response = send(operator, data)
    assert response.status_code == 422
    assert errors(section(response, "access")) == ["This name is taken."]
    assert form_of(response)["name"] == [NAME]
    # and under another one the same draft goes out
    form = again(response, name="another", seen_price=data["seen_price"])
    assert led_to(send(operator, form))
    assert Draft.objects.count() == 1


def test_it_shows_the_apis_words_at_each_field(operator: Client, sandbox: Sandbox) -> None:
    # given a refusal that names fields of several sections, in words that nobody should trust
    details = {
        "vm_name": f"Not {SCRIPT}",
        "ssh_keys": "Not these keys.",
        "security_rules.0.port_range_min": "Not this port.",
        "cloud_init": "Not this script.",
        "tier": "Not this tier.",
    }
    data = filled(operator, rule=["ingress|tcp|IPv4|0.0.0.0/0|22|22"], start="paste", cloud_init="#!/bin/sh\ndate\n")
    fault = {"success": False, "message": "Bad fields", "details": details}
    sandbox.faults.arm(CREATE, "status", status=422, body=fault)
    response = send(operator, data)
    # then each stands at its field as far as there is one, and else in the red box
    assert response.status_code == 422
    assert alert(response).startswith("Barrack did not accept a field")
    assert "security_rules.0.port_range_min: Not this port." in alert(response)
    assert "tier: Not this tier." in alert(response)
    assert errors(section(response, "access")) == [f"Not {SCRIPT}", "Not these keys."]
    assert not unescaped(response)
    assert Operation.objects.get().state == "refused"


def test_it_shows_the_apis_words_about_rules(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator, rule=["ingress|tcp|IPv4|203.0.113.0/24|22|22"])
    details = {"security_rules.0.port_range_min": "Not this port.", "security_rules": "Too many."}
    sandbox.faults.arm(CREATE, "status", status=422, body={"success": False, "message": "Bad", "details": details})
    response = send(operator, data)
    assert "security_rules.0.port_range_min: Not this port. security_rules: Too many." in alert(response)
    # and they are no reason not to send it again
    assert led_to(send(operator, again(response)))


def test_it_says_when_to_try_again_after_too_many_requests(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=429, headers={"Retry-After": "7"})
    assert "Try again in 7 s." in alert(send(operator, data))


def test_it_shows_a_refusal_again_when_the_same_form_comes_again(operator: Client, sandbox: Sandbox) -> None:
    # given a form that was refused
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=403)
    send(operator, data)
    # when exactly the same comes again, as after the reload of a page
    response = send(operator, data)
    # then nothing is sent, and it says the same
    assert alert(response).startswith("Barrack does not allow this")
    assert (len(wanted(sandbox)), Operation.objects.count()) == (1, 1)
    # and with another name under the same token, it leads to what that form did
    assert led_to(send(operator, data, name="other")) == f"{URL}{Operation.objects.get().pk}/"


def test_it_sends_a_name_that_has_become_free(operator: Client, sandbox: Sandbox) -> None:
    # given a name that was taken when the form was sent, and whose VM was deleted since
    sandbox.world.instances["BRK-123471D"]["vm_name"] = "busy"
    draft = drafted(operator, name="mine")
    refused = send(operator, opened(operator, draft), name="busy")
    assert errors(section(refused, "access")) == ["A VM named “busy” already exists. Choose another name."]
    sandbox.world.instances["BRK-123471D"]["status"] = "DELETED"
    # when it is sent again, then it is made
    data: dict[str, Any] = opened(operator, draft)
    assert led_to(send(operator, data, name="busy"))
    assert len(vms(sandbox, "busy")) == 2
