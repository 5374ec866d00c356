"""Names on the wire that a deployment changed: the structs stay as they are, the bytes follow."""

import json
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_web.client import (
    Accepted,
    DeploymentRequest,
    Firewall,
    FirewallRule,
    FirewallVM,
    Instance,
    InstanceAccepted,
    InstanceBilling,
    SecurityRuleRequest,
    Snapshot,
    VMSecurityRule,
    VolumeAccepted,
    VolumeRequest,
)
from barrack_web.client.paging import Pagination
from barrack_web.client.reading import UNREADABLE, read_row, read_rows
from barrack_web.client.wire import Names

from .conftest import Cloud, snapshot_row
from .shapes import ROWS, SHAPES, STRUCT_OF

REQUEST = DeploymentRequest(
    vm_name="n",
    gpu_model="L40",
    gpu_count=1,
    region="US-1",
    ssh_keys=("k",),
    security_rules=(SecurityRuleRequest("ingress", "icmp", "IPv4", "0.0.0.0/0"),),
)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(value if isinstance(value, bytes) else json.dumps(value).encode())


def read(row: object, names: Names, kind: type[Any]) -> Any:
    return read_row(names.usual(raw(row), kind), kind)


def test_it_reads_renamed_fields_at_the_top_and_inside() -> None:
    names = Names(
        {
            Instance: {"vm_name": "name", "security_rules": "rules", "billing": "cost"},
            InstanceBilling: {"price_per_hour": "hourly"},
            VMSecurityRule: {"direction": "way", "id": "rule_id"},
        }
    )
    rule = ROWS["VMSecurityRule"]
    row = ROWS["Instance"] | {
        "name": "trainer",
        "rules": [{"rule_id": rule["id"], "way": rule["direction"]} | rule],
        "cost": {"hourly": 9.96, "currency": "USD", "per_minute_rate": 0.166, "status": "active"},
    }
    for old in ("vm_name", "security_rules", "billing"):
        del row[old]
    assert read(row, names, Instance) == STRUCT_OF["Instance"]


def test_it_reads_renamed_fields_three_levels_down() -> None:
    names = Names({FirewallVM: {"name": "label"}, FirewallRule: {"protocol": "proto"}})
    firewall = json.loads(json.dumps(ROWS["Firewall"]))
    firewall["attachments"][0]["vm"]["label"] = firewall["attachments"][0]["vm"].pop("name")
    firewall["rules"][0]["proto"] = firewall["rules"][0].pop("protocol")
    assert read(firewall, names, Firewall) == STRUCT_OF["Firewall"]
    for part in (None, 5, "x", [], {}, [None]):  # what is no object there passes through
        assert read(firewall | {"rules": part}, names, Firewall).rules in (None, ())


def test_it_reads_names_that_changed_places() -> None:
    names = Names({Snapshot: {"snapshot_id": "snapshot_name", "snapshot_name": "snapshot_id"}})
    row = read(snapshot_row(snapshot_id="nightly", snapshot_name="BRK-1S"), names, Snapshot)
    assert (row.snapshot_id, row.snapshot_name) == ("BRK-1S", "nightly")


def test_it_does_not_read_a_usual_name_that_was_given_away() -> None:
    names = Names({Snapshot: {"description": "note"}})
    assert read(snapshot_row(description="something else"), names, Snapshot).description is None
    assert read(snapshot_row(description="something else", note="n"), names, Snapshot).description == "n"
    with pytest.raises(UNREADABLE):
        read(snapshot_row(), Names({Snapshot: {"region": "place"}}), Snapshot)


@pytest.mark.parametrize(
    "number", ["0.1", "1E+2", "1e-7", "99999999999.123456789012", "0.10", "-0.0", "250", "0.30000000000000004"]
)
def test_it_keeps_numbers_to_the_last_digit(number: str) -> None:
    names = Names({Snapshot: {"size_gb": "size"}})
    row = json.dumps(snapshot_row()).replace('"size_gb": 250', f'"size" : {number} ')
    assert str(read(row.encode(), names, Snapshot).size_gb) == str(Decimal(number))


def test_it_keeps_what_it_does_not_rename_byte_for_byte() -> None:
    names = Names({Snapshot: {"size_gb": "size"}})
    odd = b'[{"size":1, "id":12345678901234567890, "n":1e99999999999999999999, "t":"\\u00e9\\/", "l":[ 1 ]}]'
    assert bytes(names.usual(raw(odd), Snapshot)) == (
        b'[{"size_gb":1,"id":12345678901234567890,"n":1e99999999999999999999,"t":"\\u00e9\\/","l":[ 1 ]}]'
    )


def test_it_passes_the_same_object_through_where_nothing_changed() -> None:
    row = raw([snapshot_row()])
    assert Names().usual(row, Snapshot) is row
    assert Names({Instance: {"vm_name": "name"}}).usual(row, Snapshot) is row
    assert Names({Instance: {}}).usual(row, Instance) is row


def test_it_counts_only_the_broken_rows_of_a_renamed_list() -> None:
    names = Names({Snapshot: {"snapshot_name": "name"}})
    good = snapshot_row(name="n", size_gb="odd")
    rows, broken = read_rows(names.usual(raw([good, {}, None, 5, "x", [good], good]), Snapshot), Snapshot)
    assert ([row.snapshot_name for row in rows], [row.size_gb for row in rows], broken) == (["n"] * 2, [None] * 2, 5)


@pytest.mark.parametrize("bad", [b"", b"[", b'{"a"', b"[1,]", b'{"a": }', b"\xff", b"nothing"])
def test_it_calls_bytes_that_are_no_json_unreadable(bad: bytes) -> None:
    with pytest.raises(UNREADABLE):
        read(bad, Names({Snapshot: {"snapshot_name": "name"}}), Snapshot)


def test_it_sends_renamed_fields_also_inside() -> None:
    names = Names({DeploymentRequest: {"security_rules": "rules"}, SecurityRuleRequest: {"remote_ip_prefix": "cidr"}})
    rule = {"direction": "ingress", "protocol": "icmp", "ethertype": "IPv4", "cidr": "0.0.0.0/0"}
    assert json.loads(names.body(REQUEST)) == {
        "vm_name": "n",
        "gpu_model": "L40",
        "gpu_count": 1,
        "region": "US-1",
        "ssh_keys": ["k"],
        "rules": [rule],
    }
    swapped = Names({VolumeRequest: {"name": "region", "region": "name"}})
    volume = VolumeRequest(name="data", region="US-1", size_gb=10)
    assert json.loads(swapped.body(volume)) == {"region": "data", "name": "US-1", "size_gb": 10}
    with pytest.raises(UnicodeEncodeError):
        names.body(VolumeRequest(name="\ud800", region="US-1", size_gb=10))


def test_it_renames_for_all_kinds_of_a_struct_and_for_one_kind_first() -> None:
    names = Names({Accepted: {"message": "msg"}, VolumeAccepted: {"message": "text"}})
    body = {"msg": "all", "text": "volumes", "message": "nobody"}
    assert read(body, names, InstanceAccepted).message == "all"
    assert read(body, names, VolumeAccepted).message == "volumes"
    assert names.on_the_wire(VolumeAccepted)["message"] == "text"
    assert names.on_the_wire(VolumeAccepted)["request_id"] == "request_id"


def test_it_uses_the_names_in_a_whole_call(cloud: Cloud) -> None:
    names = Names(
        {Instance: {"vm_name": "name"}, Pagination: {"total_pages": "pages"}, InstanceAccepted: {"status": "state"}}
    )
    row = {"instance_id": "BRK-1D", "name": "trainer", "status": "ACTIVE", "region": "US-1"}
    body = {"instances": [row], "pagination": {"pages": 2}, "instance": row, "state": "STOPPING"}
    client = cloud.client(lambda _request: httpx.Response(200, json=body), names=names)
    listing = client.instances.list()
    assert ([found.vm_name for found in listing], listing.pages) == (["trainer"], 2)
    assert client.instances.get("BRK-1D").vm_name == "trainer"
    assert client.instances.stop("BRK-1D").status == "STOPPING"
    assert client.instances.deploy(REQUEST).instance_id is None
    assert cloud.sent()["vm_name"] == "n"  # only the answer's struct was renamed


@settings(deadline=None)  # other work shares the machine
@given(data=st.data(), shape=st.sampled_from(SHAPES))
def test_it_reads_any_object_under_any_names(
    data: st.DataObject, shape: tuple[msgspec.Struct, dict[str, object]]
) -> None:
    struct, row = shape
    kind = type(struct)
    attributes, usual = kind.__struct_fields__, kind.__struct_encode_fields__
    free = st.sampled_from(usual) | st.text(min_size=1, max_size=3).filter(lambda text: text.isprintable())
    size = len(attributes)
    wires = data.draw(st.lists(free, min_size=size, max_size=size, unique=True))
    given_away = {name: {"no": "meaning"} for name in usual if name not in wires}
    sent = given_away | {wire: row[name] for wire, name in zip(wires, usual, strict=True)}
    assert read(sent, Names({kind: dict(zip(attributes, wires, strict=True))}), kind) == struct


@settings(deadline=None)  # other work shares the machine
@given(wires=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=8, unique=True), swap=st.booleans())
def test_it_sends_any_request_under_any_names(wires: list[str], swap: bool) -> None:
    volume = VolumeRequest(
        name="n", region="r", size_gb=10, bootable=True, os_image="o", volume_type="SSD", tier="t", description="d"
    )
    fields = VolumeRequest.__struct_fields__
    wires = sorted(fields, reverse=True) if swap else wires
    sent = json.loads(Names({VolumeRequest: dict(zip(fields, wires, strict=True))}).body(volume))
    assert sent == {wire: getattr(volume, name) for name, wire in zip(fields, wires, strict=True)}
