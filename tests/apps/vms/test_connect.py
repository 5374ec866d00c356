"""How to get into a VM: the user name, the command, the configuration file, and what stands in the way."""

import random
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from apps.vms.connect import (
    Check,
    Login,
    address_of,
    alias_of,
    checks,
    login_of,
    private_command,
    ssh_command,
    ssh_config,
)
from barrack_web.client import AttachedFirewall, FirewallRule, Instance, Listing, VMImage, VMSecurityRule

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VISITOR = "203.0.113.5"
KEY = "~/.ssh/your_private_key"
HOSTILE = [
    "$(rm -rf /)",
    "1.2.3.4\nProxyCommand x",
    "1.2.3.4; ls",
    "::1%eth0",
    "2001:db8::1%$(reboot)",
    "-oProxyCommand=x",
    "1.2.3.4 ",
    "1.2.3.4\x00",
    "1.2.3",
    "01.2.3.4",
    "16909060",
    "1.2.3.4/32",
    "[2001:db8::1]",
    "example.com",
    "",
    " ",
    None,
]
ODD_NAMES = [
    "",
    " ",
    "-rf",
    "..",
    ".",
    "=x",
    "Host evil",
    "a b  c",
    'say "hi"',
    "it's",
    "*",
    "web-*",
    "?",
    "!web",
    "# no comment",
    "two\nProxyCommand touch /tmp/x",
    "two\r\nHost *",
    "nul\x00byte",
    "\u202eevil\u200f",
    "🔥🔥",
    "gpu-🔥-box",
    "müller",
    "日本語",
    "x" * 300,
    "é" * 300,
    "a" * 63 + " b",
    "tab\there",
    "$(reboot)",
    "`id`",
    "a,b",
    "%h",
    "~root",
    "back\\slash",
    "\\",
    "line\u2028separator",
]


def vm(**fields: Any) -> Instance:
    """Make a VM that everything is right with."""
    usual: dict[str, Any] = {
        "instance_id": "BRK-123456D",
        "vm_name": "trainer",
        "status": "ACTIVE",
        "region": "CANADA-1",
        "public_ip": "198.51.100.20",
        "private_ip": "10.0.0.10",
        "image": VMImage("Ubuntu 22.04 LTS"),
        "ssh_keys": ("ada-laptop",),
        "security_rules": (rule(),),
    }
    return Instance(**{**usual, **fields})


def rule(**fields: Any) -> VMSecurityRule:
    """Make a rule that lets the visitor in."""
    return VMSecurityRule(**rule_fields(**fields))


def rule_fields(**fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "id": "r1",
        "direction": "ingress",
        "protocol": "tcp",
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 22,
        "port_range_max": 22,
        "created_at": NOW - timedelta(days=1),
    }
    return {**usual, **fields}


def firewall(*rules: dict[str, Any], name: str = "web-firewall") -> AttachedFirewall:
    return AttachedFirewall("7", name, "SUCCESS", tuple(FirewallRule(**rule_fields(**fields)) for fields in rules))


NO_FIREWALLS: Listing[AttachedFirewall] = Listing()


def look(
    instance: Instance,
    firewalls: Listing[AttachedFirewall] | None = NO_FIREWALLS,
    *,
    visitor: str | None = VISITOR,
    restored: bool = False,
) -> list[Check]:
    return checks(instance, firewalls, visitor=visitor, restored=restored, now=NOW)


def titled(found: list[Check], start: str) -> Check:
    """Return the one check whose title starts so."""
    (one,) = [check for check in found if check.title.startswith(start)]
    return one


def port(*args: Any, **options: Any) -> Check:
    return titled(look(*args, **options), "Port 22")


# -- the user name and the address


@pytest.mark.feature("VM-27")
@pytest.mark.parametrize(
    ("image", "login"),
    [
        ("Ubuntu 22.04 LTS", Login("ubuntu", sure=True)),
        ("ubuntu", Login("ubuntu", sure=True)),
        ("  UBUNTU Server", Login("ubuntu", sure=True)),
        ("Debian 12", Login("root", sure=False)),
        ("My Ubuntu", Login("root", sure=False)),
        ("ci-runner-template", Login("root", sure=False)),
        ("", Login("root", sure=False)),
        (None, Login("root", sure=False)),
    ],
)
def test_it_names_the_user_by_the_image(image: str | None, login: Login) -> None:
    assert login_of(image) == login


@pytest.mark.parametrize("text", ["198.51.100.20", "2001:db8::1", "0.0.0.0", "::"])
def test_it_reads_an_address(text: str) -> None:
    assert address_of(text) == ip_address(text)


def test_it_reads_an_ipv4_address_in_ipv6_dress_as_ipv4() -> None:
    assert str(address_of("::ffff:198.51.100.20")) == "198.51.100.20"


@pytest.mark.parametrize("text", HOSTILE)
def test_it_reads_nothing_else_as_an_address(text: str | None) -> None:
    assert address_of(text) is None


# -- the commands


@pytest.mark.feature("VM-26", "VM-27")
def test_it_writes_the_command_for_the_public_address() -> None:
    assert ssh_command(vm()) == f"ssh -i {KEY} ubuntu@198.51.100.20"
    assert ssh_command(vm(image=VMImage("Rocky Linux 9"))) == f"ssh -i {KEY} root@198.51.100.20"
    assert ssh_command(vm(image=None)) == f"ssh -i {KEY} root@198.51.100.20"
    assert ssh_command(vm(public_ip="2001:DB8:0::7")) == f"ssh -i {KEY} ubuntu@2001:db8::7"


@pytest.mark.feature("VM-26")
def test_it_writes_the_private_address_only_when_asked_for_it() -> None:
    # given a VM without a public address
    inside = vm(public_ip=None)

    # then only the command for the inside is there
    assert (ssh_command(inside), ssh_config(inside)) == ("", "")
    assert private_command(inside) == f"ssh -i {KEY} ubuntu@10.0.0.10"
    assert private_command(vm(private_ip=None)) == ""


@pytest.mark.feature("VM-26")
@pytest.mark.parametrize(
    "text", [*HOSTILE, "0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1"]
)
def test_it_writes_nothing_from_an_address_that_is_none(text: str | None) -> None:
    broken = vm(public_ip=text, private_ip=text)

    assert (ssh_command(broken), private_command(broken), ssh_config(broken)) == ("", "", "")


# -- the alias


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("trainer", "trainer"),
        ("Gpu_Box.v2-a", "Gpu_Box.v2-a"),
        ("a b  c", "a-b-c"),
        ("a -- b", "a-b"),
        ("-rf", "rf"),
        ("..", "BRK-1D"),
        (".-.hidden", "hidden"),
        ("=x", "x"),
        ("Host evil", "Host-evil"),
        ("*", "BRK-1D"),
        ("!web?", "web"),
        ("two\nHost *", "two-Host"),
        ("nul\x00byte", "nul-byte"),
        ("müller", "m-ller"),
        ("\u202eevil\u200f", "evil"),
        ("🔥", "BRK-1D"),
        ("", "BRK-1D"),
        ("x" * 300, "x" * 64),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_it_makes_an_alias_of_a_name(name: str, alias: str) -> None:
    assert alias_of(name, "BRK-1D") == alias


@pytest.mark.parametrize(("name", "known_id", "alias"), [("*", " ?id ", "id"), ("", "", "vm"), ("日本", "!!", "vm")])
def test_it_falls_back_to_the_id_and_then_to_a_word(name: str, known_id: str, alias: str) -> None:
    assert alias_of(name, known_id) == alias


@pytest.mark.parametrize("name", ODD_NAMES)
def test_it_never_makes_an_alias_that_is_a_pattern_or_an_option(name: str) -> None:
    for one, other in ((name, "BRK-1D"), ("", name), (name, name)):
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", alias_of(one, other))


# -- the configuration file


def test_it_writes_a_configuration() -> None:
    assert ssh_config(vm()) == (
        "# trainer (BRK-123456D)\n"
        "Host trainer\n"
        "    HostName 198.51.100.20\n"
        "    User ubuntu\n"
        f"    IdentityFile {KEY}\n"
        "    IdentitiesOnly yes\n"
    )


@pytest.mark.feature("VM-27")
def test_it_says_in_the_configuration_that_the_user_name_is_a_guess() -> None:
    lines = ssh_config(vm(image=VMImage("Debian 12"))).splitlines()

    assert lines[3].lstrip() == "# The user name depends on the image (Debian 12): another one may be needed."
    assert lines[4].strip() == "User root"
    assert "(not named)" in ssh_config(vm(image=None))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_it_keeps_odd_names_inside_their_line(name: str) -> None:
    # when name, id and image are all odd
    text = ssh_config(vm(vm_name=name, instance_id=name, image=VMImage(name)))

    # then the file has its lines and no other, of printable ASCII characters, and no long one
    words = [line.split()[0] for line in text.split("\n")[:-1]]
    assert words == ["#", "Host", "HostName", "#", "User", "IdentityFile", "IdentitiesOnly"]
    assert re.fullmatch(r"[ -~\n]+\n", text)
    assert max(map(len, text.split("\n"))) < 220


def made_up(chance: random.Random) -> Instance:
    """Make a VM of an odd name, sometimes of an odd id too, with an address of either version."""
    piece = [*ODD_NAMES, "web", "-", ".", "\n", " Host *", "ProxyCommand x"]
    name = "".join(chance.choices(piece, k=chance.randint(1, 4)))
    known_id = chance.choice(["BRK-123456D", *ODD_NAMES])
    address = (
        f"198.51.100.{chance.randint(1, 254)}" if chance.random() < 0.6 else f"2001:db8::{chance.randint(1, 9999)}"
    )
    image = VMImage(chance.choice(["Ubuntu 24.04", "Debian 12", *ODD_NAMES]))
    return vm(vm_name=name, instance_id=known_id, public_ip=address, image=image)


@pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh on this machine")
def test_it_writes_what_ssh_itself_reads(tmp_path: Path) -> None:
    chance, file = random.Random(22), tmp_path / "config"
    for number in range(50):
        # given the configuration of some VM
        instance = made_up(chance)
        file.write_text(ssh_config(instance), encoding="utf-8", newline="")

        # when ssh is asked what it would do
        command = ["ssh", "-G", "-F", str(file), alias_of(instance.vm_name, instance.instance_id)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)

        # then it goes to that VM, as that user, with that key
        assert answer.returncode == 0, (number, instance.vm_name, answer.stderr)
        said = dict(line.partition(" ")[::2] for line in answer.stdout.splitlines())
        assert instance.image
        wanted = (instance.public_ip, login_of(instance.image.name).user, KEY, "yes")
        assert (said["hostname"], said["user"], said["identityfile"], said["identitiesonly"]) == wanted
        assert said.get("proxycommand", "none") == "none"


# -- the checks: state, public IP, keys, user name


@pytest.mark.feature("VM-27")
def test_it_finds_nothing_wrong_with_a_vm_that_can_be_reached() -> None:
    found = look(vm())

    assert [check.title for check in found] == [
        "Running",
        "Public IP",
        "Port 22 for your address",
        "Rules in effect",
        "SSH key",
        "User name",
    ]
    assert {(check.result, check.fix) for check in found} == {("good", "")}
    assert found[2].text == "Rule tcp 22 from 203.0.113.0/24 of this VM lets 203.0.113.5 in."
    assert found[-1].text == "Sign in as ubuntu."


@pytest.mark.parametrize(
    ("status", "result", "fix", "word"),
    [
        ("active", "good", "", "ACTIVE"),
        ("SHUTOFF", "bad", "start", "SHUTOFF"),
        ("STOPPED", "bad", "start", "SHUTOFF"),
        ("HIBERNATED", "bad", "restore", "HIBERNATED"),
        ("BUILD", "bad", "wait", "BUILD"),
        ("STARTING", "bad", "wait", "STARTING"),
        ("HIBERNATING", "bad", "wait", "HIBERNATING"),
        ("DELETING", "bad", "", "DELETING"),
        ("ERROR", "bad", "", "ERROR"),
        ("odd\u202e" + "X" * 200, "bad", "", "ODDXXX"),
        ("", "bad", "", "not known"),
    ],
)
def test_it_says_whether_the_vm_runs(status: str, result: str, fix: str, word: str) -> None:
    check = titled(look(vm(status=status)), "Running")

    assert (check.result, check.fix) == (result, fix)
    assert word in check.text
    assert len(check.text) < 120
    assert check.text.isprintable()


@pytest.mark.parametrize("none", [None, "", " "])
def test_it_says_that_there_is_no_public_ip(none: str | None) -> None:
    check = titled(look(vm(public_ip=none)), "Public IP")

    assert (check.result, check.fix) == ("bad", "public-ip")
    assert "by its private IP 10.0.0.10 from inside its network" in check.text
    assert "its private IP from inside" in titled(look(vm(public_ip=none, private_ip=None)), "Public IP").text


def test_it_offers_no_flip_of_a_public_ip_that_cannot_be_read() -> None:
    check = titled(look(vm(public_ip="$(reboot)")), "Public IP")

    assert (check.result, check.fix) == ("bad", "")
    assert "reboot" not in check.text


@pytest.mark.parametrize(
    ("keys", "result", "fix", "text"),
    [
        (("a", "b"), "good", "", "a, b."),
        (tuple("abcde"), "good", "", "a, b, c, d, e."),
        (tuple("abcdefg"), "good", "", "a, b, c, d, e and 2 more."),
        (("k" * 61, "x" * 60), "good", "", "k" * 59 + "…, " + "x" * 60 + "."),
        (("\u202e", "b"), "good", "", "(no name), b."),
        ((), "bad", "keys", "without an SSH key"),
        (None, "unknown", "keys", "did not say"),
    ],
)
def test_it_says_which_keys_are_on_it(keys: tuple[str, ...] | None, result: str, fix: str, text: str) -> None:
    check = titled(look(vm(ssh_keys=keys)), "SSH key")

    assert (check.result, check.fix) == (result, fix)
    assert text in check.text
    assert "k" * 60 not in check.text


@pytest.mark.feature("VM-28")
@pytest.mark.parametrize("keys", [("ada-laptop",), (), None])
def test_it_says_that_a_restored_vm_needs_its_keys_again(keys: tuple[str, ...] | None) -> None:
    check = titled(look(vm(ssh_keys=keys), restored=True), "SSH key")

    assert (check.result, check.fix) == ("unknown", "keys")
    assert "SSH keys need to be reconfigured for access." in check.text
    assert ("ada-laptop" in check.text) == bool(keys)


@pytest.mark.feature("VM-27")
@pytest.mark.parametrize(
    ("image", "named"), [("Debian 12", "Debian 12"), ("D" * 300, "D" * 59 + "…"), (None, "not named")]
)
def test_it_says_that_the_user_name_is_a_guess(image: str | None, named: str) -> None:
    check = look(vm(image=VMImage(image)))[-1]

    assert (check.title, check.result, check.fix) == ("User name", "unknown", "")
    assert check.text == f"Try root first; it depends on the image ({named})."


# -- the checks: port 22


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Rule tcp 22 from 203.0.113.0/24"),
        ({"direction": "INGRESS", "protocol": "TCP", "ethertype": "ipv4"}, "Rule tcp 22 from"),
        ({"protocol": "any"}, "Rule any 22 from"),
        ({"protocol": "all", "port_range_min": None, "port_range_max": None}, "Rule all all ports from"),
        ({"protocol": ""}, "Rule any 22 from"),
        ({"port_range_min": 20, "port_range_max": 30}, "Rule tcp 20-30 from"),
        ({"port_range_min": 1, "port_range_max": 22}, "Rule tcp 1-22 from"),
        ({"port_range_min": None}, "Rule tcp 22 from"),
        ({"port_range_max": None}, "Rule tcp 22 from"),
        ({"ethertype": None}, "from 203.0.113.0/24"),
        ({"remote_ip_prefix": "203.0.113.9/24"}, "from 203.0.113.0/24"),
        ({"remote_ip_prefix": "203.0.113.5"}, "from 203.0.113.5/32"),
        ({"remote_ip_prefix": "0.0.0.0/0"}, "from anywhere"),
        ({"remote_ip_prefix": None}, "from anywhere"),
        ({"remote_ip_prefix": "", "ethertype": None}, "from anywhere"),
    ],
)
def test_it_finds_the_rule_that_lets_the_visitor_in(fields: dict[str, Any], text: str) -> None:
    check = port(vm(security_rules=(rule(protocol="udp"), rule(**fields))))

    assert (check.result, check.fix) == ("good", "")
    assert text in check.text
    assert check.text.endswith("of this VM lets 203.0.113.5 in.")


@pytest.mark.parametrize(
    "fields",
    [
        {"direction": "egress"},
        {"protocol": "udp"},
        {"protocol": "icmp", "port_range_min": None, "port_range_max": None},
        {"port_range_min": 23, "port_range_max": 80},
        {"port_range_min": 1, "port_range_max": 21},
        {"port_range_min": 80, "port_range_max": 1},
        {"remote_ip_prefix": "203.0.112.0/24"},
        {"remote_ip_prefix": "203.0.113.6/32"},
        {"ethertype": "IPv6"},
        {"ethertype": "IPv6", "remote_ip_prefix": None},
        {"ethertype": "odd", "remote_ip_prefix": None},
        {"ethertype": None, "remote_ip_prefix": "::/0"},
        {"remote_ip_prefix": "::/0"},
        {"remote_ip_prefix": "anywhere"},
        {"remote_ip_prefix": "203.0.113.0/33"},
        {"remote_ip_prefix": "203.0.113.0/"},
        {"remote_ip_prefix": "203.0.113.0/-1"},
        {"remote_ip_prefix": "0.0.0.0/0.0.0.0"},
        {"remote_ip_prefix": "203.0.113.0/" + "9" * 5000},
        {"remote_ip_prefix": "203.0.113.0/²"},
        {"remote_ip_prefix": " "},
        {"remote_ip_prefix": "/"},
        {"remote_ip_prefix": "/0"},
        {"remote_ip_prefix": "fe80::%eth0/64", "ethertype": None},
        {"remote_ip_prefix": "203.0.113.0/24\x00"},
    ],
)
def test_it_offers_to_let_the_visitor_in_when_no_rule_does(fields: dict[str, Any]) -> None:
    found = look(vm(security_rules=(rule(**fields),)), Listing((firewall(fields),)))

    # the age of a rule that does not fit says nothing
    assert len(found) == 5
    check = titled(found, "Port 22")
    assert (check.result, check.fix) == ("bad", "allow")
    assert check.text.startswith("No rule lets 203.0.113.5 in.")


def test_it_names_whom_port_22_is_open_for() -> None:
    # given rules for five other ranges, one of them twice
    others = [{"remote_ip_prefix": f"192.0.2.{number}/32"} for number in (1, 2, 3, 4, 5, 5)]

    check = port(vm(security_rules=()), Listing((firewall(*others),)))

    assert check.text.endswith("Port 22 is open for 192.0.2.1/32, 192.0.2.2/32, 192.0.2.3/32 and 2 more.")
    assert "No rule opens port 22 for IPv4." in port(vm(security_rules=())).text


def test_it_names_the_firewall_whose_rule_fits() -> None:
    # given a rule of the second firewall
    walls = Listing((firewall(name="empty"), firewall({}, name="web-firewall")))

    assert port(vm(security_rules=()), walls).text == (
        "Rule tcp 22 from 203.0.113.0/24 of the firewall web-firewall lets 203.0.113.5 in."
    )
    # and one of a hostile name
    check = port(vm(security_rules=()), Listing((firewall({}, name="\u202e" + "n" * 300),)))
    assert "n" * 59 + "…" in check.text
    assert check.text.isprintable()
    assert "n" * 60 not in check.text


@pytest.mark.parametrize(
    ("own", "walls", "reason"),
    [
        ((), None, "The firewalls could not be read"),
        (None, NO_FIREWALLS, "did not send the rules of this VM"),
        ((), Listing((AttachedFirewall("7", "silent"),)), "did not send the rules of the firewall silent"),
        ((), Listing((firewall(),), broken=1), "Not all of the firewalls"),
        ((), Listing((firewall(),), complete=False), "Not all of the firewalls"),
    ],
)
def test_it_does_not_know_while_rules_could_not_be_read(own: Any, walls: Any, reason: str) -> None:
    check = port(vm(security_rules=own), walls)

    assert (check.result, check.fix) == ("unknown", "")
    assert reason in check.text
    # and a visitor whose address is not known hears of it too
    assert reason in port(vm(security_rules=own), walls, visitor=None).text


def test_it_takes_a_rule_that_fits_though_others_could_not_be_read() -> None:
    assert port(vm(), None).result == "good"
    assert port(vm(security_rules=None), Listing((firewall({}),))).result == "good"


@pytest.mark.parametrize("visitor", [None, "", "no address", "203.0.113.5; ls", "2001:db8::5"])
def test_it_does_not_know_for_a_visitor_whom_the_rules_cannot_be_held_against(visitor: str | None) -> None:
    # given a rule for some: it is not known
    check = port(vm(), visitor=visitor)
    assert (check.result, check.fix) == ("unknown", "")
    assert "Port 22 is open for 203.0.113.0/24." in check.text
    assert ";" not in check.text

    # given a rule for everybody, of the VM's IP version: it is good
    for anyone in ("0.0.0.0/0", None):
        check = port(vm(security_rules=(rule(remote_ip_prefix=anyone),)), visitor=visitor)
        assert (check.result, check.text) == ("good", "Rule tcp 22 from anywhere of this VM lets everybody in.")

    # given one for everybody of the other version: it is not known
    other = rule(remote_ip_prefix="::/0", ethertype=None)
    check = port(vm(security_rules=(other,)), visitor=visitor)
    assert (check.result, "No rule opens port 22 for IPv4." in check.text) == ("unknown", True)


def test_it_compares_addresses_of_ipv6_too() -> None:
    # given a VM with an address of IPv6
    six = rule(remote_ip_prefix="2001:db8:1::/48", ethertype="IPv6")
    instance = vm(public_ip="2001:db8::20", security_rules=(six,))

    assert port(instance, visitor="2001:db8:1::5").result == "good"
    assert port(instance, visitor="2001:db8:2::5").result == "bad"
    assert port(instance, visitor=VISITOR).text.startswith("You came by IPv4, the VM's address is IPv6.")


def test_it_takes_a_range_with_a_scope_for_no_range() -> None:
    # given a prefix that Python itself would read as everybody's
    scoped = rule(remote_ip_prefix="::%eth0/0", ethertype=None)

    assert port(vm(public_ip="2001:db8::20", security_rules=(scoped,)), visitor="2001:db8:1::5").result == "bad"


def test_it_goes_by_ipv4_when_neither_address_is_known() -> None:
    unknown = port(vm(public_ip=None), visitor=None)
    assert (unknown.result, "Port 22 is open for 203.0.113.0/24." in unknown.text) == ("unknown", True)
    assert port(vm(public_ip=None), visitor=VISITOR).result == "good"


def test_it_compares_an_ipv4_visitor_in_ipv6_dress() -> None:
    assert port(vm(), visitor="::ffff:203.0.113.5").result == "good"


@pytest.mark.parametrize(
    ("visitor", "prefix"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("192.168.1.7", "192.168.0.0/16"),
        ("172.31.0.1", "172.16.0.0/12"),
        ("100.64.0.9", "100.64.0.0/10"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("169.254.9.9", "169.254.0.0/16"),
    ],
)
def test_it_does_not_trust_a_private_address_of_the_visitor(visitor: str, prefix: str) -> None:
    note = f"The portal sees you at {visitor}, a private address: the VM may see another one."
    some, anyone = rule(remote_ip_prefix=prefix), rule(id="r2", remote_ip_prefix="0.0.0.0/0")

    # a rule that fits this address only: perhaps
    check = port(vm(security_rules=(some,)), visitor=visitor)
    assert (check.result, note in check.text) == ("unknown", True)
    # a rule for everybody: surely
    check = port(vm(security_rules=(some, anyone)), visitor=visitor)
    assert (check.result, "from anywhere" in check.text, note in check.text) == ("good", True, True)
    # none: no, as computed
    check = port(vm(), visitor=visitor)
    assert (check.result, check.fix, note in check.text) == ("bad", "allow", True)
    # a VM whose own public address is private, as inside a company: no doubt
    check = port(vm(public_ip="10.9.9.9", security_rules=(some,)), visitor=visitor)
    assert (check.result, note in check.text) == ("good", False)


@pytest.mark.parametrize("visitor", ["::1", "fe80::7", "fd00::7"])
def test_it_does_not_trust_a_private_address_of_ipv6_either(visitor: str) -> None:
    six = rule(remote_ip_prefix=f"{visitor}/128", ethertype="IPv6")

    check = port(vm(public_ip="2001:db8::20", security_rules=(six,)), visitor=visitor)

    assert check.result == "unknown"
    assert f"The portal sees you at {visitor}, a private address" in check.text


# -- the checks: time


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=0), "less than a minute ago"),
        (timedelta(seconds=59), "less than a minute ago"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=9, seconds=59), "9 minutes ago"),
        (timedelta(seconds=-30), "less than a minute ago"),
    ],
)
def test_it_asks_for_patience_with_a_young_rule(age: timedelta, text: str) -> None:
    found = look(vm(security_rules=(rule(created_at=NOW - age),)))

    check = titled(found, "Rules in effect")
    assert (check.result, check.fix, found.index(check)) == ("bad", "wait", 3)
    assert f"was added {text}. Security rules may take up to 10 minutes" in check.text
    # and the port itself is open
    assert found[2].result == "good"


@pytest.mark.parametrize("age", [timedelta(minutes=10), timedelta(days=9), timedelta(minutes=-10), None])
def test_it_takes_an_older_rule_as_settled(age: timedelta | None) -> None:
    found = look(vm(security_rules=(rule(created_at=None if age is None else NOW - age),)))

    assert titled(found, "Rules in effect").result == "good"


def test_it_goes_by_the_oldest_rule_that_fits() -> None:
    # given young rules of 2 and 7 minutes
    two, seven = ({"created_at": NOW - timedelta(minutes=minutes)} for minutes in (2, 7))
    young = vm(security_rules=(rule(**two),))
    assert "added 7 minutes ago" in titled(look(young, Listing((firewall(seven),))), "Rules in effect").text

    # when an old one that does not fit is there: no change
    other = firewall(seven, {"remote_ip_prefix": "192.0.2.0/24"})
    assert titled(look(young, Listing((other,))), "Rules in effect").result == "bad"

    # when an old one that fits is there: that one is named, and holds
    found = look(young, Listing((firewall(seven, {"remote_ip_prefix": "203.0.0.0/16"}),)))
    assert titled(found, "Rules in effect").result == "good"
    assert "203.0.0.0/16" in titled(found, "Port 22").text


def test_it_leaves_time_out_when_no_rule_is_known_to_fit() -> None:
    titles = [check.title for check in look(vm(), visitor=None)]

    assert len(titles) == 5
    assert "Rules in effect" not in titles
