"""Instances: what a deployment and the actions ask, and what their answers become."""

from collections.abc import Callable

import pytest

from barrack_web.client import (
    Broken,
    Client,
    Deployment,
    DeploymentRequest,
    HibernatedCount,
    InstanceAccepted,
    PublicIPToggled,
    RuleAdded,
    RuleRemoved,
    SecurityRuleRequest,
)

from .conftest import Cloud
from .shapes import ROWS, STRUCT_OF

RULE = SecurityRuleRequest("ingress", "tcp", "IPv4", "203.0.113.0/24", 22, 23)
BARE = DeploymentRequest(vm_name="n", gpu_model="L40", gpu_count=1, region="US-1", ssh_keys=("k",))
FULL = DeploymentRequest(
    vm_name="trainer",
    gpu_model="L40",
    gpu_count=8,
    region="US-1",
    ssh_keys=("laptop", "ci"),
    tier="legacy",
    os_image="Ubuntu",
    volume_id="BRK-1V",
    image_id="501",
    assign_public_ip=False,
    security_rules=(RULE, SecurityRuleRequest("egress", "icmp", "IPv6", "::/0")),
    jupyter_enabled=True,
    jupyter_password="hidden-password",
    cloud_init="#cloud-config\nhidden: token",
    script_id="12",
)
Act = Callable[[Client], InstanceAccepted]
ACTIONS: dict[str, Act] = {
    "start": lambda client: client.instances.start("BRK-1D"),
    "stop": lambda client: client.instances.stop("BRK-1D"),
    "reboot": lambda client: client.instances.reboot("BRK-1D"),
    "hibernate": lambda client: client.instances.hibernate("BRK-1D"),
    "restore": lambda client: client.instances.restore("BRK-1D"),
    "delete": lambda client: client.instances.delete("BRK-1D"),
    "toggle": lambda client: client.instances.toggle_public_ip("BRK-1D"),
}


def test_it_sends_a_deployment_with_exactly_what_was_asked_for(cloud: Cloud) -> None:
    client = cloud.answering({"success": True})
    client.instances.deploy(BARE)
    assert cloud.sent() == {"vm_name": "n", "gpu_model": "L40", "gpu_count": 1, "region": "US-1", "ssh_keys": ["k"]}
    client.instances.deploy(FULL)
    assert cloud.sent() == {
        "vm_name": "trainer",
        "gpu_model": "L40",
        "gpu_count": 8,
        "region": "US-1",
        "ssh_keys": ["laptop", "ci"],
        "tier": "legacy",
        "os_image": "Ubuntu",
        "volume_id": "BRK-1V",
        "image_id": "501",
        "assign_public_ip": False,
        "security_rules": [
            {
                "direction": "ingress",
                "protocol": "tcp",
                "ethertype": "IPv4",
                "remote_ip_prefix": "203.0.113.0/24",
                "port_range_min": 22,
                "port_range_max": 23,
            },
            {"direction": "egress", "protocol": "icmp", "ethertype": "IPv6", "remote_ip_prefix": "::/0"},
        ],
        "jupyter_enabled": True,
        "jupyter_password": "hidden-password",
        "cloud_init": "#cloud-config\nhidden: token",
        "script_id": "12",
    }


def test_it_shows_neither_password_nor_cloud_init_of_a_deployment() -> None:
    for shown in (repr(FULL), str(FULL), f"{FULL}", repr([FULL]), repr({"request": FULL})):
        assert "trainer" in shown
        assert "hidden" not in shown


def test_it_reads_what_a_deployment_answers(cloud: Cloud) -> None:
    assert cloud.answering(ROWS["Deployment"], 201).instances.deploy(BARE) == STRUCT_OF["Deployment"]
    assert cloud.answering(b"", 204).instances.deploy(BARE) == Deployment(message="")
    odd = {"instance_id": 5, "deployment_id": [], "status": {}, "tier": 1, "message": 7, "request_id": 1.5}
    said = cloud.answering(odd, headers={"X-Request-ID": "from-header"}).instances.deploy(BARE)
    assert said == Deployment(message="", request_id="from-header")


@pytest.mark.parametrize("name", ACTIONS)
def test_it_reads_what_an_action_answers(cloud: Cloud, name: str) -> None:
    body = {"success": True, "message": "All\tright\u200b", "instance_id": "BRK-1D", "status": "STARTING"}
    said = ACTIONS[name](cloud.answering(body | {"tier": "Legacy", "request_id": "a1b2c3d4"}))
    assert (said.message, said.request_id) == ("All right", "a1b2c3d4")
    assert (said.instance_id, said.status, said.tier) == ("BRK-1D", "STARTING", "Legacy")
    assert cloud.requests[-1].content == b""
    for quiet in (b'{"success": true}', b"{}", b'{"status": null, "instance_id": 1, "tier": [], "public_ip": 4}'):
        said = ACTIONS[name](cloud.answering(quiet))
        assert (said.message, said.request_id, said.instance_id, said.status, said.tier) == ("", *(None,) * 4)
    assert ACTIONS[name](cloud.answering(b"", 204)).message == ""


def test_it_reads_the_address_that_a_toggle_gives_or_takes_away(cloud: Cloud) -> None:
    given = cloud.answering(ROWS["PublicIPToggled"]).instances.toggle_public_ip("BRK-1D")
    assert given == STRUCT_OF["PublicIPToggled"]
    taken = cloud.answering({"instance_id": "BRK-1D", "public_ip": None}).instances.toggle_public_ip("BRK-1D")
    assert taken == PublicIPToggled(message="", instance_id="BRK-1D")


def test_it_adds_a_rule(cloud: Cloud) -> None:
    rule = ROWS["VMSecurityRule"]
    client = cloud.answering({"message": "ok", "instance_id": "BRK-1D", "rule_id": 77, "security_rule": rule})
    assert client.instances.add_rule("BRK-1D", RULE) == RuleAdded(
        "ok", None, "BRK-1D", "77", STRUCT_OF["VMSecurityRule"]
    )
    assert cloud.sent() == {
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 22,
        "port_range_max": 23,
    }
    assert cloud.answering({"security_rule": rule}).instances.add_rule("BRK-1D", RULE).rule_id == "12"
    for quiet in ({}, {"security_rule": None, "rule_id": None}, {"security_rule": {"id": 5}, "rule_id": {}}):
        said = cloud.answering(quiet).instances.add_rule("BRK-1D", RULE)
        assert said == RuleAdded(message="")


def test_it_removes_a_rule(cloud: Cloud) -> None:
    assert cloud.answering(ROWS["RuleRemoved"]).instances.remove_rule("BRK-1D", "12") == STRUCT_OF["RuleRemoved"]
    assert cloud.answering(b"", 204).instances.remove_rule("BRK-1D", "12") == RuleRemoved(message="")


def test_it_counts_the_hibernated_instances(cloud: Cloud) -> None:
    body = {"success": True, "message": "ok", **ROWS["HibernatedCount"]}
    assert cloud.answering(body).instances.hibernated_count() == STRUCT_OF["HibernatedCount"]
    for silent in ({}, {"recent_hibernations": None, "billing_metrics": None}, {"recent_hibernations": [{}]}):
        assert cloud.answering({"count": 0, **silent}).instances.hibernated_count() == HibernatedCount(0)
    for bad in ({}, {"count": None}, {"count": "three"}, {"count": 1.5}):
        with pytest.raises(Broken):
            cloud.answering(bad).instances.hibernated_count()


def test_it_goes_on_without_the_parts_of_an_instance_that_are_unreadable(cloud: Cloud) -> None:
    odd = {
        "flavor": {"ram": "much"},
        "security_rules": [{"id": 1}],
        "volumes": [5],
        "billing": {"price_per_hour": -1e15},
    }
    instance = cloud.answering({"instance": ROWS["Instance"] | odd}).instances.get("BRK-1D")
    assert (instance.flavor, instance.security_rules, instance.volumes, instance.billing) == (None,) * 4
    assert (instance.vm_name, instance.ssh_keys) == ("trainer", ("k",))


def test_it_asks_for_one_region_or_for_all(cloud: Cloud) -> None:
    instances = cloud.answering({"vms": [ROWS["UserInstance"]]}).instances
    assert instances.eligible_for_snapshots("US-1").rows == (STRUCT_OF["UserInstance"],)
    instances.eligible_for_snapshots()
    assert [request.url.params.get("region") for request in cloud.requests] == ["US-1", None]
