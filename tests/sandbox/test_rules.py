"""The rule for security rules, as an instance takes them: every field, every bound."""

import httpx
import pytest

ADDRESS = "/instances/BRK-123456D/security-rules"
TCP = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "10.0.0.0/8",
    "port_range_min": 1,
    "port_range_max": 65535,
}
ICMP = {key: value for key, value in TCP.items() if not key.startswith("port")} | {"protocol": "icmp"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"direction": "egress", "protocol": "udp"},
        {"port_range_min": 22, "port_range_max": 22},
        {"remote_ip_prefix": "0.0.0.0/0"},
        {"remote_ip_prefix": "203.0.113.9/32"},
        {"remote_ip_prefix": "203.0.113.9/24"},
        {"ethertype": "IPv6", "remote_ip_prefix": "::/0"},
        {"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::1/64"},
        {"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::1/128"},
    ],
)
def test_it_accepts_and_does_not_rewrite(api: httpx.Client, change: dict[str, object]) -> None:
    answer = api.post(ADDRESS, json={**TCP, **change})
    assert answer.status_code == 200
    assert answer.json()["security_rule"].items() >= {**TCP, **change}.items()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"direction": "INGRESS"}, "direction"),
        ({"direction": []}, "direction"),
        ({"protocol": "sctp"}, "protocol"),
        ({"ethertype": "ipv4"}, "ethertype"),
        ({"ethertype": None}, "ethertype"),
        ({"remote_ip_prefix": "10.0.0.0"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.0/33"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.256/24"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.0/255.0.0.0"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "10.0.0.0/8\n"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": "2001:db8::/32"}, "remote_ip_prefix"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}, "remote_ip_prefix"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "2001:db8::/129"}, "remote_ip_prefix"),
        ({"ethertype": "IPv6", "remote_ip_prefix": "fe80::%eth0/64"}, "remote_ip_prefix"),
        ({"remote_ip_prefix": 10}, "remote_ip_prefix"),
        ({"port_range_min": 0}, "port_range_min"),
        ({"port_range_max": 65536}, "port_range_max"),
        ({"port_range_min": "22"}, "port_range_min"),
        ({"port_range_min": True}, "port_range_min"),
        ({"port_range_max": None}, "port_range_max"),
        ({"port_range_min": 443, "port_range_max": 22}, "port_range_max"),
        ({"port_range_min": 10**400}, "port_range_min"),
    ],
)
def test_it_names_the_field_that_is_wrong(api: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = api.post(ADDRESS, json={**TCP, **change})
    assert (answer.status_code, set(answer.json()["details"])) == (422, {field})


def test_it_names_every_field_that_is_missing(api: httpx.Client) -> None:
    assert set(api.post(ADDRESS, json={}).json()["details"]) == set(TCP)


def test_it_knows_no_ports_for_icmp(api: httpx.Client) -> None:
    made = api.post(ADDRESS, json=ICMP).json()["security_rule"]
    assert (made["port_range_min"], made["port_range_max"]) == (None, None)
    refused = api.post(ADDRESS, json={**ICMP, "port_range_min": 8})
    assert (refused.status_code, set(refused.json()["details"])) == (422, {"port_range_min"})
