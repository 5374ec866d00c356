"""/volumes/<id>/resize/: a volume grows, with its price in view, and what is left to do inside the VM."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.snapshots.helpers import alert, body, feedback, submit_button, typed, words
from tests.apps.storage import change_helpers as shared
from tests.apps.storage.change_helpers import FREE, US_VOLUME, USED, Write
from tests.conftest import HTMX, text_of

# 100 GB, not attached.
RESIZE = Write(
    f"/volumes/{US_VOLUME}/resize/", "resize_volume", "resize", {"size_gb": "200"}, events='{"volumes:changed": true}'
)
MOST = 1_048_576


def prices(response: HttpResponse) -> list[str]:
    """Return the table's rows: which, size, per hour, 30 days."""
    table = body(response).partition('id="resize-price"')[2].partition("</table>")[0]
    return [words(row) for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)]


@pytest.mark.feature("VOL-53")
def test_it_grows_the_volume_and_says_what_to_do_inside_the_vm(operator: Client, sandbox: Sandbox) -> None:
    response = RESIZE.send(operator)
    assert response.status_code == 200
    assert RESIZE.sent(sandbox) == [(f"/volumes/{US_VOLUME}/resize", {"size_gb": 200})]
    assert sandbox.world.volumes[US_VOLUME]["size_gb"] == 200
    # the dialog stays, and the lists are read anew
    assert response["HX-Trigger"] == RESIZE.events
    page = words(body(response))
    assert "volume1 is resized to 200 GB" in page
    assert "Grow it inside the VM once the volume is attached to one" in page
    for command in ("lsblk", "sudo growpart /dev/vdb 1", "sudo resize2fs /dev/vdb", "sudo xfs_growfs /mnt/volume1"):
        assert f'data-copy="{command}"' in body(response)
    event = Event.objects.get()
    assert (event.action, event.name, event.result) == ("volume.resize", "200", "done")


@pytest.mark.feature("VOL-53")
def test_it_shows_the_price_now_and_with_the_new_size(operator: Client) -> None:
    response = operator.get(RESIZE.url, headers=HTMX)
    assert prices(response) == ["Now 100 GB $0.0098 $7.03", "New – – –"]
    assert words(submit_button(response)) == "Resize Volume Resizing..."
    # while somebody types, without a call for it
    live = operator.post(RESIZE.url, {"size_gb": "500", "validate": "size_gb"}, headers=HTMX)
    assert prices(live) == ["Now 100 GB $0.0098 $7.03", "New 500 GB $0.0488 $35.16"]
    assert 'hx-swap-oob="true"' in body(live)
    assert feedback(live, "size_gb") == ""
    wrong = operator.post(RESIZE.url, {"size_gb": "50", "validate": "size_gb"}, headers=HTMX)
    assert feedback(wrong, "size_gb") == "A volume can only grow, never shrink. Enter more than 100."
    assert prices(wrong)[1] == "New – – –"
    # and without JavaScript by a button
    plain = operator.post(RESIZE.url, {"size_gb": "500", "intent": "update"})
    assert "Update price" in text_of(plain)
    assert prices(plain)[1] == "New 500 GB $0.0488 $35.16"
    assert typed(plain, "size_gb") == "500"


@pytest.mark.feature("VOL-53")
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("", "Enter the new size in GB."),
        ("100", "It has this size already. Enter more than 100."),
        ("99", "A volume can only grow, never shrink. Enter more than 100."),
        ("0", "A volume can only grow, never shrink. Enter more than 100."),
        ("200.5", "Enter the size as a whole number of GB"),
        ("1e3", "Enter the size as a whole number of GB"),
        ("-1", "Enter the size as a whole number of GB"),
        ("+200", "Enter the size as a whole number of GB"),
        ("٢٠٠", "Enter the size as a whole number of GB"),
        ("9" * 5000, "Enter the size as a whole number of GB"),
        (str(MOST + 1), "A volume has at most 1,024 TB (1,048,576 GB)."),
    ],
)
def test_it_refuses_other_sizes(operator: Client, sandbox: Sandbox, size: str, message: str) -> None:
    response = RESIZE.send(operator, size_gb=size)
    assert response.status_code == 422
    assert feedback(response, "size_gb").startswith(message)
    assert typed(response, "size_gb") == size
    assert RESIZE.sent(sandbox) == []


@pytest.mark.feature("VOL-53")
@pytest.mark.parametrize("size", ["101", " 1024 ", str(MOST)])
def test_it_takes_the_sizes_at_the_bounds(operator: Client, sandbox: Sandbox, size: str) -> None:
    assert RESIZE.send(operator, size_gb=size, sure=size).status_code == 200
    assert RESIZE.sent(sandbox)[0][1] == {"size_gb": int(size)}


def test_it_asks_once_more_above_1024_gb(operator: Client, sandbox: Sandbox) -> None:
    response = RESIZE.send(operator, size_gb="1025")
    assert response.status_code == 422
    assert feedback(response, "sure") == "Tick this to make a volume so large."
    assert "Resize it for $0.10 / h, which is $72.07 in 30 days" in text_of(response)
    # a tick for another size is none
    assert RESIZE.send(operator, size_gb="4096", sure="1025").status_code == 422
    assert RESIZE.sent(sandbox) == []
    assert RESIZE.send(operator, size_gb="4096", sure="4096").status_code == 200
    # none is asked for up to there
    assert 'name="sure"' not in body(
        operator.post(RESIZE.url, {"size_gb": "1024", "validate": "size_gb"}, headers=HTMX)
    )


def test_it_says_nothing_of_the_tick_before_its_box_was_seen(operator: Client, sandbox: Sandbox) -> None:
    # when somebody without JavaScript asks for the price of a large volume
    shown = operator.post(RESIZE.url, {**RESIZE.filled(operator), "size_gb": "3000", "intent": "update"})
    # then its box is there, and nothing is wrong yet
    assert shown.status_code == 200
    assert 'name="sure" id="id_sure" value="3000"' in body(shown)
    assert feedback(shown, "sure") == ""
    assert "Tick this" not in text_of(shown)
    # until it is sent without it
    refused = operator.post(RESIZE.url, RESIZE.filled(operator, size_gb="3000"))
    assert refused.status_code == 422
    assert feedback(refused, "sure") == "Tick this to make a volume so large."
    assert RESIZE.sent(sandbox) == []


def test_it_needs_a_balance_that_lasts_an_hour(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.balances["USD"] = 0
    response = RESIZE.send(operator)
    assert response.status_code == 422
    assert alert(response).startswith("Insufficient Credits A volume of 200 GB costs $0.0195 / h")
    assert RESIZE.sent(sandbox) == []


def test_it_names_the_disk_as_the_vm_does(operator: Client) -> None:
    assert 'data-copy="sudo growpart /dev/vdc 1"' in body(operator.get("/volumes/BRK-123594V/resize/"))
    # also of a volume in use
    attached = Write(f"/volumes/{USED}/resize/", "resize_volume", "resize", {"size_gb": "600"})
    assert "Grow it inside the VM:" in words(body(attached.send(operator)))


@pytest.mark.parametrize("status", ["creating", "error", "deleting", "maintenance"])
def test_it_says_which_state_stands_in_the_way(operator: Client, sandbox: Sandbox, status: str) -> None:
    data = RESIZE.filled(operator)
    sandbox.world.volumes[US_VOLUME]["status"] = status
    response = operator.post(RESIZE.url, data, headers=HTMX)
    assert response.status_code == 422
    assert alert(response).startswith(f"This volume cannot be resized now Its status is {status}.")
    assert RESIZE.sent(sandbox) == []


def test_it_says_so_when_somebody_was_quicker(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("resize_volume", "status", status=409)
    assert "Its size or its status has changed meanwhile. Nothing was changed." in alert(RESIZE.send(operator))
    sandbox.world.volumes[US_VOLUME]["size_gb"] = MOST
    assert alert(operator.get(RESIZE.url, headers=HTMX)).startswith("It cannot grow any more 1,024 TB is the largest")


def test_it_does_without_prices(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("get_pricing", "status", status=500, times=None)
    assert "The price cannot be read now." in text_of(operator.get(RESIZE.url, headers=HTMX))
    assert RESIZE.send(operator).status_code == 200


def test_it_works_as_a_page_without_javascript(operator: Client, sandbox: Sandbox) -> None:
    response = operator.post(RESIZE.url, RESIZE.filled(operator))
    assert "<html" in body(response)
    assert "volume1 is resized to 200 GB" in text_of(response)
    assert f'href="/volumes/{US_VOLUME}/"' in body(response)


def test_it_is_for_operators_and_admins(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    shared.check_is_for_some_roles(RESIZE, request, sandbox)


def test_it_knows_what_is_not_there(operator: Client, sandbox: Sandbox) -> None:
    shared.check_missing(RESIZE, operator, sandbox, US_VOLUME)


def test_it_says_why_the_cloud_refused(operator: Client, sandbox: Sandbox) -> None:
    shared.check_refusals(RESIZE, operator, sandbox)


def test_it_sends_nothing_while_the_cloud_does_not_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_down(RESIZE, operator, sandbox, "get_volume")


def test_it_is_sent_once(operator: Client, sandbox: Sandbox) -> None:
    shared.check_sent_twice(RESIZE, operator, sandbox)


def test_it_finds_out_what_came_of_a_lost_answer(operator: Client, sandbox: Sandbox) -> None:
    shared.check_lost_answer(RESIZE, operator, sandbox)


def test_it_escapes_what_the_cloud_says(operator: Client, sandbox: Sandbox) -> None:
    shared.check_hostile(Write(f"/volumes/{FREE}/resize/", "resize_volume", "resize"), operator, sandbox, FREE)
