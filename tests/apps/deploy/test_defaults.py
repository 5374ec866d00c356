"""What the wizard fills in by itself, and what it says of a choice that it changed because of another one."""

import pytest

from apps.deploy.defaults import as_count, complete
from apps.deploy.values import Values
from tests.apps.deploy.offers import offer, stock

FREE = (stock("L40", "A", 8), stock("L40", "B", 2), stock("A40", "B", 2))


def test_it_fills_in_nothing_but_switches_before_a_gpu_is_chosen() -> None:
    values, notes = complete({}, {}, offer(*FREE), None)
    assert values == {"boot": ["os"], "public_ip": ["on"], "start": ["none"], "jupyter_enabled": []}
    assert notes == []


@pytest.mark.feature("DEP-33", "DEP-24")
def test_it_fills_in_the_first_of_what_fits() -> None:
    values, notes = complete({"gpu_model": ["L40"]}, {}, offer(*FREE, keys=("only",), names=("l40-vm",)), "203.0.113.7")
    assert values == {
        "gpu_model": ["L40"],
        "gpu_count": ["1"],
        "region": ["A"],
        "boot": ["os"],
        "os_image": ["u22"],
        "name": ["l40-vm-2"],
        "ssh_keys": ["only"],
        "public_ip": ["on"],
        "rule": ["ingress|tcp|IPv4|203.0.113.7/32|22|22"],
        "start": ["none"],
        "jupyter_enabled": [],
    }
    assert notes == []


@pytest.mark.feature("DEP-24")
@pytest.mark.parametrize(("keys", "chosen"), [((), []), (("one",), ["one"]), (("one", "two"), [])])
def test_it_takes_a_key_only_when_it_is_the_only_one(keys: tuple[str, ...], chosen: list[str]) -> None:
    assert complete({"gpu_model": ["L40"]}, {}, offer(*FREE, keys=keys), None)[0]["ssh_keys"] == chosen


def test_it_leaves_what_somebody_has_emptied() -> None:
    emptied: Values = {"name": [], "ssh_keys": [], "rule": [], "public_ip": [], "start": ["paste"]}
    values, _ = complete({"gpu_model": ["L40"]} | emptied, {}, offer(*FREE, keys=("only",)), "203.0.113.7")
    assert {name: values[name] for name in emptied} == emptied


NAMED: Values = {"gpu_model": ["L40"], "name": ["l40-vm"]}


@pytest.mark.parametrize(
    ("values", "taken", "sending", "name"),
    [
        # As it was suggested: it follows the GPU, and makes way for a VM that has taken it.
        (NAMED, (), False, "l40-vm"),
        (NAMED | {"gpu_model": ["A40"]}, (), False, "a40-vm"),
        (NAMED, ("l40-vm", "l40-vm-2"), False, "l40-vm-3"),
        (NAMED | {"name": ["l40-vm-7"]}, ("l40-vm-7",), False, "l40-vm"),
        # But not while it is being sent under it.
        (NAMED, ("l40-vm",), True, "l40-vm"),
        (NAMED | {"gpu_model": ["A40"]}, (), True, "l40-vm"),
        # What somebody has typed is theirs, also when it is taken, or emptied.
        (NAMED | {"name": ["mine"]}, ("mine",), False, "mine"),
        (NAMED | {"name": ["l40-vmx"], "gpu_model": ["A40"]}, (), False, "l40-vmx"),
        (NAMED | {"name": [""]}, (), False, ""),
    ],
)
def test_it_renews_a_name_that_it_has_suggested_and_no_other(
    values: Values, taken: tuple[str, ...], sending: bool, name: str
) -> None:
    before = NAMED | {"name": values["name"]}
    found, _ = complete(values, before, offer(*FREE, names=taken), None, sending=sending)
    assert found["name"] == [name]


def test_it_takes_a_name_typed_just_now_as_typed() -> None:
    # given a suggestion, and somebody who types another one like it, of a VM that is there
    found, _ = complete(NAMED | {"name": ["l40-vm-2"]}, NAMED, offer(*FREE, names=("l40-vm-2",)), None)
    assert found["name"] == ["l40-vm-2"]


CHOSEN: Values = {"gpu_model": ["L40"], "gpu_count": ["4"], "region": ["A"]}


@pytest.mark.feature("DEP-10", "DEP-14")
@pytest.mark.parametrize(
    ("change", "count", "region", "notes"),
    [
        # What was just chosen stays, even when it is not free.
        ({"gpu_count": ["8"]}, "8", "A", []),
        ({"region": ["B"]}, "4", "B", []),
        # Another size moves to a region that has it.
        ({"gpu_count": ["2"], "region": ["B"]}, "2", "B", []),
        # Another GPU takes the largest size that can be had, and where.
        (
            {"gpu_model": ["A40"]},
            "2",
            "B",
            ["2 × instead of 4 ×: no region has 4 × A40 now.", "B instead of A, which has no 2 × A40 now."],
        ),
        # But not when somebody chooses all three at once, as an alternative does.
        ({"gpu_model": ["A40"], "gpu_count": ["1"], "region": ["B"]}, "1", "B", []),
        # Of a GPU that nobody has, nothing is changed but a size that it does not come in.
        ({"gpu_model": ["Z9"]}, "4", "A", []),
    ],
)
def test_it_changes_a_choice_only_because_of_another_and_says_so(
    change: Values, count: str, region: str, notes: list[str]
) -> None:
    values, said = complete(CHOSEN | change, CHOSEN, offer(*FREE), None)
    assert (values["gpu_count"], values["region"], said) == ([count], [region], notes)


@pytest.mark.feature("DEP-14")
def test_it_moves_to_another_region_for_another_size() -> None:
    before: Values = {"gpu_model": ["L40"], "gpu_count": ["2"], "region": ["B"]}
    values, said = complete(before | {"gpu_count": ["4"]}, before, offer(*FREE), None)
    assert values["region"] == ["A"]
    assert said == ["A instead of B, which has no 4 × L40 now."]
    # and the operating system follows
    assert values["os_image"] == ["u22"]
    # but nothing moves without a choice, when stock just goes
    gone = offer(stock("L40", "A", 8), stock("L40", "B", 0))
    values, said = complete(before, before, gone, None)
    assert (values["region"], said) == (["B"], [])


@pytest.mark.feature("DEP-17")
def test_it_takes_an_operating_system_of_the_region() -> None:
    before = CHOSEN | {"region": ["A"], "os_image": ["u20"]}
    for region, taken in [("A", "u20"), ("B", "rocky"), ("C", "u20")]:
        found, _ = complete(before | {"region": [region]}, before, offer(*FREE), None)
        assert found["os_image"] == [taken], region


@pytest.mark.feature("DEP-17")
def test_it_gives_nobody_another_operating_system_unasked() -> None:
    # given one that the region has lost since it was chosen, then it stays, for the form to say so
    chosen = CHOSEN | {"os_image": ["gone"]}
    assert complete(chosen, chosen, offer(*FREE), None)[0]["os_image"] == ["gone"]


def test_it_does_what_it_can_when_nothing_is_told() -> None:
    nothing = offer(instances=None, ssh_keys=None, stocks=None, os_images=None)
    values, notes = complete({"gpu_model": ["L40"]}, {}, nothing, None)
    assert (values["gpu_count"], values["region"], notes) == (["1"], ["CANADA-1"], [])
    # with a name that may turn out to be taken, and is renewed then
    assert values["name"] == ["l40-vm"]
    # and leaves open what it cannot know, to be filled in when it can
    assert not {"ssh_keys", "os_image"} & values.keys()


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("8", 8), ("", 0), ("x", 0), ("-1", 0), ("²", 0), ("9999", 0)])
def test_it_reads_a_number_of_gpus(text: str, number: int) -> None:
    assert as_count({"gpu_count": [text]}) == number
