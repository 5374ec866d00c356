"""Where the wizard says what kept the form from being sent, until when, and what it says once it was."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Operation
from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import NAME, URL, errors, is_open, page, parts, post, section
from tests.apps.deploy.sends import CREATE, again, filled, led_to, page_of, send, wanted
from tests.apps.snapshots.helpers import alert, body, no_alert, words
from tests.conftest import HTMX, text_of

GONE = ("get_pricing", "query_pricing")


def on_top(response: HttpResponse) -> str:
    """Return what stands above the sections."""
    return body(response).partition('id="deploy-alert"')[2].partition('class="deploy-columns"')[0]


def shown(response: HttpResponse) -> list[str]:
    """Return the sections and parts that the page in an answer has."""
    return re.findall(r'name="seen" value="([^"]*)"', body(response))


def unknown(operator: Client, sandbox: Sandbox) -> dict[str, Any]:
    """Leave a draft of which nobody knows what came of its sending; return its form."""
    data = filled(operator)
    sandbox.faults.arm(CREATE, "close")
    assert alert(send(operator, data)).startswith("Not seen yet")
    return data


# -- where, and until when


def test_it_stands_beside_the_button_while_there_is_one(operator: Client, sandbox: Sandbox) -> None:
    data = filled(operator)
    sandbox.faults.arm(CREATE, "status", status=403)
    response = send(operator, data)
    beside = section(response, "review")
    assert "Barrack does not allow this" in words(beside)
    assert beside.index('role="alert"') < beside.index('value="create"')
    assert "notice" not in on_top(response)


def test_it_stands_on_top_while_there_is_no_button(operator: Client, sandbox: Sandbox) -> None:
    # given GPUs that have gone meanwhile, so that the review is closed
    data = filled(operator, gpu_count="4")
    sandbox.world.stock["CANADA-1", "A100-PCIe-80GB"] = 0
    response = send(operator, data)
    assert is_open(response)[-1] != "review"
    assert words(on_top(response)).count("No free GPUs") == 1
    assert alert(response).startswith("No free GPUs")


@pytest.mark.parametrize("closed", [False, True])
def test_it_stays_until_the_next_change(operator: Client, sandbox: Sandbox, closed: bool) -> None:
    # given a form that came back with an alert
    data = filled(operator, gpu_count="4")
    if closed:
        sandbox.world.stock["CANADA-1", "A100-PCIe-80GB"] = 0
    else:
        sandbox.faults.arm(CREATE, "status", status=403)
    response = send(operator, data)
    form = again(response) | {"intent": "update"}
    place = "alert" if closed else "review"
    # when the page polls, then it stays
    news = operator.get(URL, {"draft": form["draft"], "seen": form["seen"]}, headers=HTMX)
    assert place not in parts(news)
    # when something changes, then it goes
    answer = post(operator, form, gpu_count="1", region="US-1")
    assert place in parts(answer)
    assert no_alert(answer)


# -- a price that cannot be read any more


@pytest.mark.feature("DEP-45")
def test_it_asks_once_before_it_deploys_without_a_price(operator: Client, sandbox: Sandbox) -> None:
    # given a price that was on the screen, and that cannot be read when Deploy is pressed
    data = filled(operator)
    cloud.prices.drop()
    cloud.quote.drop()
    cache.clear()
    for name in GONE:
        sandbox.faults.arm(name, "status", status=503, times=None)
    response = send(operator, data)
    # then nothing is sent, it says so, and the button names no price
    assert response.status_code == 409
    assert alert(response).startswith("The price cannot be read now It was on the screen when you looked")
    assert words(section(response, "review")).endswith("Deploy Deploying...")
    assert wanted(sandbox) == []
    # and the next press deploys
    assert led_to(send(operator, again(response)))
    assert len(wanted(sandbox)) == 1


# -- not certain


def test_it_does_not_take_its_own_name_for_another_ones(operator: Client, sandbox: Sandbox) -> None:
    # given a sending of which nobody knows, a VM of its name that another one has made, and pages of every kind
    data = unknown(operator, sandbox)
    sandbox.world.instances["BRK-123471D"]["vm_name"] = NAME
    taken = f"A VM named “{NAME}” already exists. Choose another name."
    sandbox.faults.arm("list_instances", "delay", seconds=0)
    opened = page(operator, draft=data["draft"][0])
    for answer in (opened, post(operator, again(opened) | {"intent": "update"}, public_ip=None)):
        assert taken not in errors(section(answer, "access"))
    live = post(operator, data, validate="name", intent=None)
    assert errors(body(live)) == []
    # and the name stays the one under which it can be sent again
    assert f'value="{NAME}"' in section(opened, "access")
    # while it is taken for a draft that was not sent
    other = send(operator, filled(operator, name="mine"), name=NAME)
    assert errors(section(other, "access")) == [taken]


# -- sent


def test_it_says_nothing_twice_once_it_is_sent(operator: Client, sandbox: Sandbox) -> None:
    response = send(operator, filled(operator))
    there = operator.get(led_to(response))
    # then the page that follows says all of it, and no message beside it does
    assert "toast-note" not in body(there)
    assert "is being created." not in text_of(there)
    operation = Operation.objects.get()
    assert led_to(response) == page_of(operation)
    actions = re.findall(r'<a class="btn[^"]*" href="([^"]*)">(?:<svg.*?</svg>)?([^<]*)</a>', body(there), re.DOTALL)
    assert {(words(text), url) for url, text in actions} >= {
        ("Open the VM", f"/vms/{operation.result_id}/#connect"),
        ("Deploy another one", f"{URL}?like={operation.result_id}"),
        ("Activity record", operation.get_absolute_url()),
    }
