"""Deploy one like this: a new draft with the choices of a VM that is there."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.account.models import User
from apps.activity.models import State
from apps.deploy.models import Draft
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.apps.deploy.helpers import URL, Values, choose, draft_id, errors, form_of, page, section
from tests.apps.snapshots.helpers import body, words
from tests.conftest import text_of

VM = "BRK-123456D"
UBUNTU = "Ubuntu Server 22.04 LTS R550 CUDA 12.4"


@pytest.fixture
def vm(sandbox: Sandbox) -> dict[str, Any]:
    """A VM of which everything is told: 2 H100 in CANADA-1 with two keys, one of them gone, and rules."""
    record = sandbox.world.instances[VM]
    record |= {"ssh_keys": ["team-laptop", "gone"], "image": {"name": UBUNTU}}
    return record


def like(browser: Client, instance_id: str = VM) -> Values:
    return form_of(page(browser, like=instance_id))


def test_it_makes_the_choices_of_the_vm_under_a_name_of_its_own(
    operator: Client, sandbox: Sandbox, vm: dict[str, Any]
) -> None:
    form = like(operator)
    assert {name: form.get(name) for name in ("gpu_model", "gpu_count", "region", "boot", "os_image", "public_ip")} == {
        "gpu_model": ["H100-PCIe-80GB"],
        "gpu_count": ["2"],
        "region": ["CANADA-1"],
        "boot": ["os"],
        "os_image": [UBUNTU],
        "public_ip": ["on"],
    }
    assert form["name"] == ["ml-training-server-2"]
    # with the keys that are still there, and its rules
    assert form["ssh_keys"] == ["team-laptop"]
    assert "ingress|tcp|IPv4|" in form["rule"][0]
    assert len(form["rule"]) == len(vm["security_rules"])
    # it is a draft of its own, and nothing was sent
    assert Draft.objects.count() == 1
    assert sandbox.log.calls("create_instance") == []


def test_it_makes_a_new_draft_and_leaves_the_one_under_way(operator: Client, vm: dict[str, Any]) -> None:
    first = draft_id(choose(operator, gpu_model="L40"))
    assert like(operator)["draft"] != [first]
    assert Draft.objects.get(pk=first).values["gpu_model"] == ["L40"]


def test_it_goes_on_counting_names_and_stays_within_fifty(
    operator: Client, sandbox: Sandbox, vm: dict[str, Any]
) -> None:
    sandbox.world.instances["BRK-123471D"]["vm_name"] = "ml-training-server-2"
    taken = [str(record["vm_name"]) for record in sandbox.world.instances.values()]
    assert like(operator)["name"][0] not in taken
    vm["vm_name"] = "x" * 50
    (name,) = like(operator)["name"]
    assert (len(name), name != "x" * 50) == (50, True)


def test_it_takes_no_public_ip_where_the_vm_has_none(operator: Client, vm: dict[str, Any]) -> None:
    vm["public_ip"] = None
    assert "public_ip" not in like(operator)
    vm["security_rules"] = []
    assert "rule" not in like(operator)


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"image": None}, "os_image", [UBUNTU]),
        # What the API does not tell is filled in, or asked for.
        ({"ssh_keys": None}, "ssh_keys", None),
        ({"gpu_count": None}, "gpu_count", ["1"]),
    ],
)
def test_it_fills_in_what_the_api_does_not_tell(
    operator: Client, vm: dict[str, Any], fields: dict[str, Any], name: str, value: Any
) -> None:
    vm |= fields
    assert like(operator).get(name) == value


def test_it_takes_the_accounts_own_image_of_that_name(operator: Client, sandbox: Sandbox, vm: dict[str, Any]) -> None:
    # given a VM made from a custom image, of which another region has one of the same name
    sandbox.world.images["img-503"] |= {"name": "golden-cuda", "region": "US-1"}
    vm["image"] = {"name": "golden-cuda"}
    form = like(operator)
    assert (form["boot"], form["image_id"]) == (["image"], ["501"])
    # but one of another region alone is none
    vm["region"] = "NORWAY-1"
    form = like(operator)
    assert (form["boot"], form["os_image"]) == (["os"], ["golden-cuda"])


def test_it_does_not_take_another_system_for_one_that_is_gone(operator: Client, vm: dict[str, Any]) -> None:
    vm["image"] = {"name": "Ubuntu Server 18.04"}
    shown = page(operator, like=VM)
    # then it stands there as what it is, and nothing goes on before somebody has chosen
    assert form_of(shown)["os_image"] == ["Ubuntu Server 18.04"]
    html = section(shown, "boot")
    assert "Ubuntu Server 18.04 not offered in this region" in words(html)
    assert errors(html) == ["The region does not have this OS image. Choose another one."]


def test_it_says_what_it_began_with(operator: Client, vm: dict[str, Any]) -> None:
    said = text_of(page(operator, like=VM))
    assert "Begun like “ml-training-server”: size, region, system, keys and its own rules." in said
    assert "are not copied. Nothing is deployed yet." in said


def test_it_drops_rules_that_say_too_little(operator: Client, vm: dict[str, Any]) -> None:
    rules = vm["security_rules"]
    vm["security_rules"] = [dict(rules[0], remote_ip_prefix=None), dict(rules[0], direction="INGRESS", protocol="TCP")]
    assert [line.partition("|IPv4")[0] for line in like(operator)["rule"]] == ["ingress|tcp"]


def test_it_says_that_its_gpus_are_not_free(operator: Client, sandbox: Sandbox, vm: dict[str, Any]) -> None:
    sandbox.world.stock["CANADA-1", "H100-PCIe-80GB"] = 1
    shown = page(operator, like=VM)
    assert form_of(shown)["region"] == ["CANADA-1"]
    assert errors(section(shown, "size")) == ["No such GPUs are free in CANADA-1 now."]


@pytest.mark.parametrize(("fault", "status"), [(404, 404), (503, 502), (401, 502)])
def test_it_says_so_when_the_vm_cannot_be_read(operator: Client, sandbox: Sandbox, fault: int, status: int) -> None:
    for operation in ("get_instance", "list_instances"):
        sandbox.faults.arm(operation, "status", status=fault, times=None)
    response = operator.get(URL, {"like": VM})
    assert response.status_code == status
    assert Draft.objects.count() == 0
    assert "Deploy" in text_of(response)


def test_it_makes_a_draft_although_other_lists_fail(operator: Client, sandbox: Sandbox, vm: dict[str, Any]) -> None:
    for operation in ("list_os_images", "list_ssh_keys", "list_instances"):
        sandbox.faults.arm(operation, "status", status=503, times=None)
    page(operator, like=VM)
    values = Draft.objects.get().values
    assert (values["gpu_model"], values["name"]) == (["H100-PCIe-80GB"], ["ml-training-server-2"])


def test_it_is_offered_after_a_deployment(operator: Client, vm: dict[str, Any]) -> None:
    row = new_row(User.objects.get(), kind="instance.create", target_id=str(uuid4()), state=State.DONE, result_id=VM)
    assert f'href="/deploy/?like={VM}"' in body(operator.get(f"/deploy/{row.pk}/"))
