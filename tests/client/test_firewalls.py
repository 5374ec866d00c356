"""Firewalls: what is asked, and what an answer becomes."""

import pytest

from barrack_web.client import Broken, Firewall, FirewallRequest, FirewallRuleRequest, Protocol

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

ROW = ROWS["Firewall"]
RULE = FirewallRuleRequest("ingress", "tcp", "IPv4", "203.0.113.0/24", 22, 23)


def test_it_reads_firewalls_with_rules_and_attachments(cloud: Cloud) -> None:
    listing = cloud.answering({"firewalls": [ROW, {"id": 1}]}).firewalls.list()
    assert (listing.rows, listing.broken) == ((STRUCT_OF["Firewall"],), 1)
    assert cloud.answering({"firewall": ROW}).firewalls.get("31") == STRUCT_OF["Firewall"]
    with pytest.raises(Broken):
        cloud.answering({"firewall": {}}).firewalls.get("31")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, "CANADA-1"),
        ({"region": None}, "CANADA-1"),
        ({"environment": None}, "CANADA-1"),
        ({"region": "US-1"}, "US-1"),
        ({"region": None, "environment": None}, ""),
        ({"region": None, "environment": {"name": "no region"}}, ""),
    ],
    ids=str,
)
def test_it_finds_the_region_wherever_it_is_said(cloud: Cloud, changes: dict[str, object], place: str) -> None:
    assert cloud.answering({"firewall": ROW | changes}).firewalls.get("31").place == place


def test_it_tells_no_rules_from_rules_that_were_not_sent(cloud: Cloud) -> None:
    bare = {"id": 31, "name": "web", "status": "SUCCESS"}
    assert cloud.answering({"firewall": bare}).firewalls.get("31") == Firewall("31", "web", "SUCCESS")
    none = cloud.answering({"firewall": bare | {"rules": [], "attachments": []}}).firewalls.get("31")
    assert (none.rules, none.attachments) == ((), ())
    unreadable = cloud.answering({"firewall": ROW | {"rules": [{}], "attachments": [{}]}}).firewalls.get("31")
    assert (unreadable.rules, unreadable.attachments) == (None, None)


def test_it_gives_an_attached_instance_its_state_in_one_form(cloud: Cloud) -> None:
    vm = {"instance_id": "BRK-1D", "name": "t"}
    rows = [{"vm": vm | said, "status": "SUCCESS"} for said in ({"status": "stopped"}, {"status": None}, {})]
    firewall = cloud.answering({"firewall": ROW | {"attachments": rows}}).firewalls.get("31")
    assert [row.vm.state for row in firewall.attachments or ()] == ["SHUTOFF", "", ""]


@pytest.mark.parametrize(
    ("protocols", "names", "ports", "broken"),
    [
        ([{"name": "tcp", "supports_ports": True}, {"name": "icmp"}, {}], ["tcp", "icmp"], [True, None], 1),
        (["tcp", "udp"], ["tcp", "udp"], [None, None], 0),
        ([], [], [], 0),
    ],
)
def test_it_reads_protocols_as_objects_and_as_words(
    cloud: Cloud, protocols: object, names: list[str], ports: list[bool | None], broken: int
) -> None:
    listing = cloud.answering({"protocols": protocols}).firewalls.protocols()
    assert listing.rows == tuple(Protocol(name, port) for name, port in zip(names, ports, strict=True))
    assert listing.broken == broken


@pytest.mark.parametrize("body", [{}, {"protocols": None}, {"protocols": "tcp"}, {"protocols": {"tcp": {}}}], ids=str)
def test_it_never_takes_a_wrong_shape_for_no_protocols(cloud: Cloud, body: object) -> None:
    with pytest.raises(Broken):
        cloud.answering(body).firewalls.protocols()


def test_it_reads_the_firewalls_of_an_instance_and_the_instances_for_one(cloud: Cloud) -> None:
    attached = cloud.answering({"firewalls": [ROWS["AttachedFirewall"], {}]}).firewalls.of_instance("BRK-1D")
    assert (attached.rows, attached.broken) == ((STRUCT_OF["AttachedFirewall"],), 1)
    client = cloud.answering({"vms": [ROWS["UserInstance"]]})
    assert client.firewalls.available_instances("US-1").rows == (STRUCT_OF["UserInstance"],)
    assert cloud.requests[-1].url.params["region"] == "US-1"
    client.firewalls.available_instances()
    assert "region" not in cloud.requests[-1].url.params


def test_it_sends_exactly_what_was_asked_for(cloud: Cloud) -> None:
    firewalls = cloud.answering({"success": True}).firewalls
    firewalls.create(FirewallRequest(name="web", region="US-1"))
    assert cloud.sent() == {"name": "web", "region": "US-1", "description": ""}
    firewalls.create(FirewallRequest(name="web", region="US-1", description="d"))
    assert cloud.sent() == {"name": "web", "region": "US-1", "description": "d"}
    firewalls.add_rule("31", RULE)
    assert cloud.sent() == {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 22,
        "port_range_max": 23,
    }
    firewalls.add_rule("31", FirewallRuleRequest("egress", "icmp", "IPv6", "::/0"))
    assert cloud.sent() == {
        "direction": "egress",
        "protocol": "icmp",
        "ethertype": "IPv6",
        "remote_ip_prefix": "::/0",
    }
    firewalls.attach("31", ("BRK-1D", "BRK-2D"))
    assert cloud.sent() == {"instance_ids": ["BRK-1D", "BRK-2D"]}
    firewalls.attach("31", ())
    assert cloud.sent() == {"instance_ids": []}


def test_it_reads_what_a_change_answers(cloud: Cloud) -> None:
    made = cloud.answering({"message": "Made", "firewall": ROW}).firewalls.create(FirewallRequest(name="w", region="r"))
    assert (made.message, made.firewall_id, made.firewall) == ("Made", "31", STRUCT_OF["Firewall"])
    added = cloud.answering({"firewall_id": 31, "rule": ROWS["FirewallRule"]}).firewalls.add_rule("31", RULE)
    assert (added.firewall_id, added.rule_id, added.rule) == ("31", "12", STRUCT_OF["FirewallRule"])
    attached = cloud.answering({"attachments": [ROWS["FirewallAttachment"]]}).firewalls.attach("31", ["BRK-1D"])
    assert attached.attachments == (STRUCT_OF["FirewallAttachment"],)
    removed = cloud.answering({"firewall_id": 31, "rule_id": 12}).firewalls.remove_rule("31", "12")
    assert (removed.firewall_id, removed.rule_id) == ("31", "12")
    assert cloud.answering(b"", 204).firewalls.delete("31").message == ""


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"firewall": None, "rule": None, "attachments": None, "firewall_id": None, "rule_id": None},
        {"firewall": {"id": 1}, "rule": "x", "attachments": [{}], "firewall_id": {}, "rule_id": 1.5},
    ],
    ids=str,
)
def test_it_survives_an_answer_that_says_little_or_nonsense(cloud: Cloud, body: object) -> None:
    firewalls = cloud.answering(body, headers={"X-Request-ID": "from-header"}).firewalls
    answers = (
        firewalls.create(FirewallRequest(name="w", region="r")),
        firewalls.add_rule("31", RULE),
        firewalls.attach("31", []),
        firewalls.remove_rule("31", "12"),
        firewalls.delete("31"),
    )
    for said in answers:
        assert (said.firewall, said.rule, said.attachments, said.firewall_id, said.rule_id) == (None,) * 5
        assert said.request_id == "from-header"
