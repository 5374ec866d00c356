"""Two changes of one volume at once: whatever way the first was sent, the second waits until it is settled."""

from typing import Any

import pytest
from django.test import Client

from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.snapshots.helpers import alert
from tests.apps.storage.change_helpers import FREE, GOLDEN, RAG, USED, VM, Write
from tests.conftest import HTMX, text_of

ATTACH = Write(f"/volumes/{FREE}/attach/", "attach_volumes", "attach", {"instance_id": VM})
CHANGES = {
    "attach": ATTACH,
    "resize": Write(f"/volumes/{FREE}/resize/", "resize_volume", "resize", {"size_gb": "3000", "sure": "3000"}),
    "clone": Write(f"/volumes/{FREE}/clone/", "clone_volume", "clone", {"name": "a-copy"}),
    "delete": Write(f"/volumes/{FREE}/delete/", "delete_volume", "delete", {"name": "imagenet-copy"}),
    "detach": Write(f"/volumes/{USED}/detach/", "detach_volumes", "detach"),
}


@pytest.mark.feature("VOL-34")
@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize("state", ["sent", "unknown"])
@pytest.mark.parametrize("change", CHANGES)
def test_it_waits_for_several_that_were_sent_to_a_vm(
    admin: Client, sandbox: Sandbox, make_user: Any, change: str, state: str
) -> None:
    # given a form that is open, when the volume is sent to a VM with others, and nobody knows what came of that
    write = CHANGES[change]
    data = write.filled(admin)
    new_row(
        make_user("operator"), kind="instance.attach_volumes", target_id=RAG, exclusive=f"VM {RAG}", state=state,
        known_ids=[FREE, USED, GOLDEN],
    )  # fmt: skip
    response = admin.post(write.url, data, headers=HTMX)
    # then nothing is sent, and the dialog says why
    assert response.status_code == 409
    assert alert(response).startswith("Another operation is under way")
    assert write.sent(sandbox) == []


@pytest.mark.feature("VOL-34")
def test_it_goes_to_no_second_vm_while_the_first_answer_is_lost(operator: Client, sandbox: Sandbox) -> None:
    data = ATTACH.filled(operator)
    sandbox.faults.arm("attach_volumes", "close")
    assert operator.post(ATTACH.url, data, headers=HTMX).status_code == 502
    # when the dialog is opened again, and another VM chosen
    response = ATTACH.send(operator, instance_id=RAG)
    # then it says so, and sends nothing
    assert response.status_code == 422
    assert "The volume was sent to another VM, and what came of that is not known yet." in text_of(response)
    assert len(ATTACH.sent(sandbox)) == 1
    # while the same VM does no harm
    assert ATTACH.send(operator).status_code == 200
    assert [path for path, _ in ATTACH.sent(sandbox)] == [f"/instances/{VM}/attach-volumes"] * 2
    assert Operation.objects.latest("sent_at").state == "done"
