"""The form of a security rule at each of its bounds, what it draws, and the words for a rule."""

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.template.loader import render_to_string

from barrack_web.alerts import Alert
from barrack_web.client import FirewallRule, SecurityRuleRequest, VMSecurityRule
from barrack_web.rule_form import RuleForm, describe, opens_port, same_rule
from barrack_web.sandbox.routes.rules import rule_problems

TYPED = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "203.0.113.0/24",
    "port_range_min": "22",
    "port_range_max": "22",
}
RULE = VMSecurityRule("7", "ingress", "tcp", "IPv4", "203.0.113.0/24", 22, 22)


def typed(**changes: Any) -> RuleForm:
    return RuleForm(TYPED | changes)


def problems(**changes: Any) -> dict[str, str]:
    return {name: " ".join(words) for name, words in typed(**changes).errors.items()}


def sent(**changes: Any) -> dict[str, Any]:
    """What goes over the wire; the cloud agrees with every rule that the form lets through."""
    form = typed(**changes)
    assert form.errors == {}
    body = msgspec.json.decode(msgspec.json.encode(form.rule()))
    assert rule_problems(body) == {}
    return body


def other(**changes: Any) -> VMSecurityRule:
    return msgspec.structs.replace(RULE, **changes)


# --- What is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("VM-22", "FW-12", "FW-16")
@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_it_makes_a_rule_of_what_was_typed(direction: str, protocol: str) -> None:
    assert sent(direction=direction, protocol=protocol, port_range_min="8000", port_range_max=" 8080 ") == {
        "direction": direction,
        "protocol": protocol,
        "ethertype": "IPv4",
        "remote_ip_prefix": "203.0.113.0/24",
        "port_range_min": 8000,
        "port_range_max": 8080,
    }


@pytest.mark.feature("FW-12", "FW-13", "FW-14")
def test_it_offers_the_documented_choices_and_starts_with_the_usual_ones() -> None:
    form = RuleForm()
    assert form.fields["direction"].choices == [("ingress", "Ingress (Incoming)"), ("egress", "Egress (Outgoing)")]
    assert form.fields["protocol"].choices == [("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP")]
    assert form.fields["ethertype"].choices == [("IPv4", "IPv4"), ("IPv6", "IPv6")]
    assert [form[name].value() for name in ("direction", "protocol", "ethertype")] == ["ingress", "tcp", "IPv4"]


@pytest.mark.feature("FW-12", "FW-13", "FW-14")
def test_it_refuses_a_choice_that_it_does_not_offer() -> None:
    assert problems(direction="both", protocol="sctp", ethertype="ipv4") == {
        "direction": "Choose a direction.",
        "protocol": "Choose a protocol.",
        "ethertype": "Choose IPv4 or IPv6.",
    }
    # and neither does it say that nothing was chosen in other words
    assert problems(direction="", protocol="", ethertype="") == problems(direction="x", protocol="x", ethertype="x")


# --- Protocols of the API --------------------------------------------------------------------------------------------


@pytest.mark.feature("FW-13")
def test_it_offers_the_protocols_that_the_api_lists() -> None:
    form = RuleForm(protocols=["UDP", " tcp", "SCTP", "udp", "", " ", "a" * 20, "b" * 21, "left\u202eright"])
    assert form.fields["protocol"].choices == [
        ("udp", "UDP"),
        ("tcp", "TCP"),
        ("sctp", "sctp"),
        ("a" * 20, "a" * 20),
    ]
    assert form["protocol"].value() == "tcp"
    # and the next form starts anew
    assert len(RuleForm().fields["protocol"].choices) == 3


@pytest.mark.feature("FW-13")
def test_it_offers_at_most_20_protocols_and_never_none() -> None:
    many = RuleForm(protocols=[f"p{number}" for number in range(50)])
    assert [value for value, _ in many.fields["protocol"].choices] == [f"p{number}" for number in range(20)]
    assert many["protocol"].value() == "p0"
    assert [value for value, _ in RuleForm(protocols=["", "x" * 21]).fields["protocol"].choices] == [
        "tcp",
        "udp",
        "icmp",
    ]


@pytest.mark.feature("FW-13", "FW-16")
@pytest.mark.parametrize(
    ("low", "high", "wrong"),
    [("", "", []), ("1", "9", []), ("1", "", ["port_range_max"]), ("", "9", ["port_range_min"])],
)
def test_it_takes_a_protocol_of_tomorrow_with_both_ports_or_none(low: str, high: str, wrong: list[str]) -> None:
    form = RuleForm(TYPED | {"protocol": "sctp", "port_range_min": low, "port_range_max": high}, protocols=["sctp"])
    assert list(form.errors) == wrong
    if not wrong:
        rule = form.rule()
        assert (rule.protocol, rule.port_range_min) == ("sctp", int(low) if low else None)


# --- The range -------------------------------------------------------------------------------------------------------


@pytest.mark.feature("FW-15", "FW-20", "FW-21")
@pytest.mark.parametrize(
    "prefix",
    ["192.168.1.0/24", "0.0.0.0/0", "255.255.255.255/32", "10.1.2.3/8", "203.0.113.5/32", "128.0.0.0/1", "0.0.0.0/31"],
)
def test_it_takes_an_ipv4_range_and_sends_it_as_typed(prefix: str) -> None:
    assert sent(remote_ip_prefix=f" {prefix}\t")["remote_ip_prefix"] == prefix


@pytest.mark.feature("FW-15", "FW-22", "FW-23")
@pytest.mark.parametrize(
    "prefix",
    [
        "2001:db8::/32",
        "::/0",
        "2001:DB8::1/64",
        "::1/128",
        "fe80::/127",
        "2001:0db8:0000:0000:0000:0000:0000:0001/128",
        "::ffff:192.0.2.1/128",
    ],
)
def test_it_takes_an_ipv6_range_and_sends_it_as_typed(prefix: str) -> None:
    assert sent(ethertype="IPv6", remote_ip_prefix=f"  {prefix} ")["remote_ip_prefix"] == prefix


IPV4_PARTS = "An IPv4 address has 4 numbers with dots between them, such as 192.168.1.0."
NO_RANGE = "Use an IP range with its prefix length, such as 192.168.1.0/24 or 2001:db8::/32."
IPV4_PREFIX = "After the slash goes a whole number from 0 to 32, without leading zeros."


@pytest.mark.feature("FW-15", "FW-20", "FW-21")
@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("", "Enter an IP range, such as 192.168.1.0/24."),
        ("   ", "Enter an IP range, such as 192.168.1.0/24."),
        ("203.0.113.5", "Add the prefix length, such as /24; a single address is 203.0.113.5/32."),
        ("203.0.113.5/", "Add the prefix length, such as /24; a single address is 203.0.113.5/32."),
        ("256.0.0.0/8", "Each part of an IPv4 address is 0 to 255; this has 256."),
        ("1.2.3.999/8", "Each part of an IPv4 address is 0 to 255; this has 999."),
        ("010.0.0.1/8", "Leave out leading zeros: 10 instead of 010."),
        ("10.0.0.00/8", "Leave out leading zeros: 0 instead of 00."),
        ("10.0.0/8", IPV4_PARTS),
        ("1.2.3.4.5/8", IPV4_PARTS),
        ("1..2.3/8", IPV4_PARTS),
        ("42/8", IPV4_PARTS),
        ("10.0.0.0/33", "An IPv4 prefix is 0 to 32; this is 33."),
        ("10.0.0.0/999", "An IPv4 prefix is 0 to 32; this is 999."),
        ("10.0.0.0/-1", IPV4_PREFIX),
        ("10.0.0.0/08", IPV4_PREFIX),
        ("10.0.0.0/8.5", IPV4_PREFIX),
        ("10.0.0.0/ 8", IPV4_PREFIX),
        ("10.0.0.0/8/8", IPV4_PREFIX),
        ("10.0.0.0/255.0.0.0", IPV4_PREFIX),
        ("10.0.0.0/２４", IPV4_PREFIX),
        ("１0.0.0.0/8", NO_RANGE),
        ("/24", NO_RANGE),
        ("10.0.0.0 /8", NO_RANGE),
        ("-1.0.0.0/8", NO_RANGE),
        ("10.0.0.0/8,10.1.0.0/16", IPV4_PREFIX),
        ("10.0.0.0\x00/8", NO_RANGE),
        ("example.com/24", NO_RANGE),
        ("<b>anywhere</b>", NO_RANGE),
        ("1" * 43, IPV4_PARTS),
        ("1" * 44, "Use at most 43 characters; this has 44."),
        ("9" * 100_000, "Use at most 43 characters; this has 100,000."),
    ],
)
def test_it_refuses_what_is_no_ipv4_range_and_says_why(prefix: str, sentence: str) -> None:
    assert problems(remote_ip_prefix=prefix) == {"remote_ip_prefix": sentence}


@pytest.mark.feature("FW-15", "FW-22", "FW-23")
@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("2001:db8::5", "Add the prefix length, such as /64; a single address is 2001:db8::5/128."),
        ("2001:db8::/129", "An IPv6 prefix is 0 to 128; this is 129."),
        ("::/032", "After the slash goes a whole number from 0 to 128, without leading zeros."),
        ("2001:::/32", "This is not an IPv6 address. Use a range such as 2001:db8::/32."),
        ("1::2::3/64", "This is not an IPv6 address. Use a range such as 2001:db8::/32."),
        ("2001:db8::g/64", "This is not an IPv6 address. Use a range such as 2001:db8::/32."),
        ("12345::/64", "This is not an IPv6 address. Use a range such as 2001:db8::/32."),
        ("10.0.0.1:22", "This is not an IPv6 address. Use a range such as 2001:db8::/32."),
        ("fe80::1%eth0/64", NO_RANGE),
    ],
)
def test_it_refuses_what_is_no_ipv6_range_and_says_why(prefix: str, sentence: str) -> None:
    assert problems(ethertype="IPv6", remote_ip_prefix=prefix) == {"remote_ip_prefix": sentence}


@pytest.mark.feature("FW-14", "FW-24")
def test_it_refuses_a_range_of_the_other_version_and_says_what_to_change() -> None:
    assert problems(ethertype="IPv4", remote_ip_prefix="::/0") == {
        "remote_ip_prefix": "::/0 is an IPv6 range, but the rule is for IPv4. "
        "Change the IP version to IPv6, or enter an IPv4 range such as 0.0.0.0/0."
    }
    assert problems(ethertype="IPv6", remote_ip_prefix="10.0.0.0/8") == {
        "remote_ip_prefix": "10.0.0.0/8 is an IPv4 range, but the rule is for IPv6. "
        "Change the IP version to IPv4, or enter an IPv6 range such as ::/0."
    }


# --- Ports -----------------------------------------------------------------------------------------------------------


@pytest.mark.feature("FW-17", "FW-18")
@pytest.mark.parametrize(
    ("low", "high"), [("1", "1"), ("1", "65535"), ("65535", "65535"), ("22", "23"), ("0080", "80")]
)
def test_it_takes_ports_within_their_bounds(low: str, high: str) -> None:
    body = sent(port_range_min=low, port_range_max=high)
    assert (body["port_range_min"], body["port_range_max"]) == (int(low), int(high))


NUMBER = "Use one whole number in plain digits, such as 443; a range takes both fields."
BOUNDS = "A port is 1 to 65535."


@pytest.mark.feature("FW-17")
@pytest.mark.parametrize(
    ("port", "sentence"),
    [
        ("0", BOUNDS),
        ("000", BOUNDS),
        ("65536", BOUNDS),
        ("9" * 5_000, BOUNDS),
        ("22.5", NUMBER),
        ("22.0", NUMBER),
        ("１２", NUMBER),
        ("٢٢", NUMBER),
        ("²", NUMBER),
        ("-1", NUMBER),
        ("+1", NUMBER),
        ("22-80", NUMBER),
        ("2 2", NUMBER),
        ("1e3", NUMBER),
        ("0x16", NUMBER),
        ("1_000", NUMBER),
        ("ssh", NUMBER),
        ("2\x002", NUMBER),
    ],
)
def test_it_refuses_a_port_outside_the_bounds_at_its_field(port: str, sentence: str) -> None:
    assert problems(port_range_min=port, port_range_max="65535") == {"port_range_min": sentence}
    assert problems(port_range_min="1", port_range_max=port) == {"port_range_max": sentence}


@pytest.mark.feature("FW-16", "FW-18")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_it_refuses_one_port_alone_at_the_empty_field(protocol: str) -> None:
    sentence = "Enter a port from 1 to 65535."
    single = f"{sentence} Use 8080 in both fields for a single port."
    assert problems(protocol=protocol, port_range_min="8080", port_range_max=" ") == {"port_range_max": single}
    assert problems(protocol=protocol, port_range_min="", port_range_max="8080") == {"port_range_min": single}
    assert problems(protocol=protocol, port_range_min="", port_range_max="") == {
        "port_range_min": sentence,
        "port_range_max": sentence,
    }
    # and one that is wrong does not hide that the other one is missing
    assert problems(protocol=protocol, port_range_min="x", port_range_max="") == {
        "port_range_min": NUMBER,
        "port_range_max": sentence,
    }


@pytest.mark.feature("FW-18")
@pytest.mark.parametrize(("low", "high"), [("23", "22"), ("65535", "1"), ("100", "99")])
def test_it_refuses_ports_in_the_wrong_order(low: str, high: str) -> None:
    # given that the numbers count, not their first digits: "100" comes before "99" as text
    sentence = f"This is lower than “From port”. Use {low} or higher."
    assert problems(port_range_min=low, port_range_max=high) == {"port_range_max": sentence}


@pytest.mark.feature("VM-22", "FW-19")
@pytest.mark.parametrize(
    ("low", "high"), [("", ""), ("22", "80"), ("22", ""), ("80", "22"), ("ssh", "0"), ("\x00", "x")]
)
def test_it_neither_checks_nor_sends_ports_for_icmp(low: str, high: str) -> None:
    body = sent(protocol="icmp", port_range_min=low, port_range_max=high)
    assert "port_range_min" not in body
    assert "port_range_max" not in body
    # and what was typed is still in its field
    form = typed(protocol="icmp", port_range_min=low, port_range_max=high)
    assert (form["port_range_min"].value(), form["port_range_max"].value()) == (low, high)


def test_it_shows_every_problem_at_once_and_forgives_missing_fields() -> None:
    assert set(problems(remote_ip_prefix="10.0.0.0/33", port_range_min="0", port_range_max="x")) == {
        "remote_ip_prefix",
        "port_range_min",
        "port_range_max",
    }
    # and a request without any field is just as wrong
    assert set(RuleForm({}).errors) == {"direction", "protocol", "ethertype", "remote_ip_prefix"}


def test_it_shows_what_the_api_refused_at_its_field() -> None:
    form = typed()
    form.add_api_error(Alert(title="Not added", text="Check the fields.", fields={"remote_ip_prefix": "Too wide."}))
    assert form.errors == {"remote_ip_prefix": ["Too wide."]}


# --- The fields on the page ------------------------------------------------------------------------------------------


def drawn(form: RuleForm) -> str:
    return render_to_string("forms/rule_fields.html", {"form": form})


def control(html: str, name: str) -> str:
    found = re.search(rf'<(?:input|select)[^>]*\bname="{name}"[^>]*>', html)
    assert found, name
    return found[0]


@pytest.mark.feature("FW-16", "FW-20", "FW-22")
def test_it_draws_the_fields_with_the_documented_examples() -> None:
    form = RuleForm()
    form.live_url = "/somewhere/"
    html = drawn(form)
    for name in TYPED:
        assert "aria-invalid" not in control(html, name)
    for words in ("192.168.1.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "For one port, type it in both fields"):
        assert words in html
    # and the three that are typed ask for their feedback
    assert re.findall(r'"validate": "(\w+)"', html) == ["remote_ip_prefix", "port_range_min", "port_range_max"]
    # and a phone shows digits, while the browser keeps what is no number
    assert 'type="text"' in control(html, "port_range_min")
    assert 'inputmode="numeric"' in control(html, "port_range_max")


@pytest.mark.feature("VM-22", "FW-15", "FW-17")
def test_it_keeps_what_was_typed_beside_what_is_wrong() -> None:
    # given three fields that are wrong and choices that are not the first ones
    wrong = {"remote_ip_prefix": '"><b>anywhere/33', "port_range_min": "22-80", "port_range_max": "65536"}
    html = drawn(typed(direction="egress", protocol="udp", ethertype="IPv6", **wrong))
    # then each is marked, tied to its sentence and shown as typed
    for name in wrong:
        assert 'aria-invalid="true"' in control(html, name)
        assert f"id_{name}_error" in control(html, name)
    assert 'value="&quot;&gt;&lt;b&gt;anywhere/33"' in html
    assert "<b>" not in html
    assert 'value="22-80"' in html
    assert 'value="65536"' in html
    assert BOUNDS in html
    # and the choices stay
    assert re.findall(r'<option value="(\w+)" selected', html) == ["egress", "udp", "IPv6"]
    assert "aria-invalid" not in control(html, "ethertype")


@pytest.mark.feature("FW-19")
def test_it_hides_the_ports_of_icmp_with_its_sentence_and_keeps_them_in_the_form() -> None:
    html = drawn(typed(protocol="icmp", port_range_min="22", port_range_max="x"))
    assert '<option value="icmp" selected' in html
    assert '<p class="rule-portless">Port ranges are not applicable for ICMP protocol</p>' in html
    assert 'value="22"' in control(html, "port_range_min")
    assert 'value="x"' in control(html, "port_range_max")
    assert "field-error" not in html


@pytest.mark.feature("FW-19")
def test_it_hides_the_ports_by_style_alone(settings: Any) -> None:
    css = (settings.BASE_DIR / "static" / "css" / "app.css").read_text(encoding="utf-8")
    chosen = '.rule-fields:has(option[value="icmp"]:checked)'
    assert f"{chosen} .rule-ports {{ display: none; }}" in css
    assert f"{chosen} .rule-portless {{ display: block; }}" in css
    # and a browser that does not know :has shows the ports, not the sentence
    assert re.search(r"^\.rule-portless { display: none;", css, re.MULTILINE)
    assert re.search(r"^\.rule-ports { display: none", css, re.MULTILINE) is None


# --- Words for a rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RULE, "Ingress TCP 22 from 203.0.113.0/24"),
        (other(port_range_min=8000, port_range_max=8080), "Ingress TCP 8000–8080 from 203.0.113.0/24"),
        (other(port_range_min=None, port_range_max=None), "Ingress TCP all ports from 203.0.113.0/24"),
        (other(port_range_max=None), "Ingress TCP 22–any from 203.0.113.0/24"),
        (other(port_range_min=None), "Ingress TCP any–22 from 203.0.113.0/24"),
        (SecurityRuleRequest("egress", "icmp", "IPv6", "::/0"), "Egress ICMP to ::/0"),
        (FirewallRule("7", "EGRESS", "Udp", None, None, 53, 53), "Egress UDP 53 to any"),
        (FirewallRule("7", "sideways", "Sctp", None, "10.0.0.0/8"), "sideways Sctp all ports with 10.0.0.0/8"),
        (FirewallRule("7", "", "", None, "", 1, 2), "any any 1–2 with any"),
    ],
)
def test_it_says_a_rule_in_a_few_words(rule: Any, words: str) -> None:
    assert describe(rule) == words


def test_it_says_at_most_120_characters() -> None:
    # given a rule whose words are exactly 120 characters, and one with one more
    rest = len(describe(other(remote_ip_prefix="x"))) - 1
    assert describe(other(remote_ip_prefix="x" * (120 - rest))).endswith("x" * (120 - rest))
    cut = describe(other(remote_ip_prefix="x" * (121 - rest)))
    assert len(cut) == 120
    assert cut.endswith("x…")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "8", "status": "SUCCESS"},
        {"direction": "INGRESS"},
        {"protocol": "TCP"},
        {"ethertype": "ipv4"},
        {"ethertype": None},
        {"remote_ip_prefix": "203.0.113.77/24"},
    ],
)
def test_it_knows_the_same_rule_again(changes: dict[str, Any]) -> None:
    assert same_rule(RULE, other(**changes))
    assert same_rule(other(**changes), RULE)


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": "egress"},
        {"protocol": "udp"},
        {"ethertype": "IPv6"},
        {"remote_ip_prefix": "203.0.113.0/25"},
        {"remote_ip_prefix": "203.0.112.0/24"},
        {"remote_ip_prefix": None},
        {"remote_ip_prefix": "anywhere"},
        {"port_range_min": 21},
        {"port_range_max": 23},
        {"port_range_min": None, "port_range_max": None},
    ],
)
def test_it_tells_different_rules_apart(changes: dict[str, Any]) -> None:
    assert not same_rule(RULE, other(**changes))
    assert not same_rule(other(**changes), RULE)


def test_it_compares_ranges_that_it_cannot_read_as_text() -> None:
    assert same_rule(other(remote_ip_prefix="anywhere"), other(remote_ip_prefix="anywhere"))
    assert same_rule(other(remote_ip_prefix=None), other(remote_ip_prefix=None))
    assert not same_rule(other(remote_ip_prefix="anywhere"), other(remote_ip_prefix="nowhere"))
    # and IPv6 in its many spellings as one
    short, long = (other(ethertype="IPv6", remote_ip_prefix=text) for text in ("2001:db8::/32", "2001:0DB8:0::/32"))
    assert same_rule(short, long)
    # and a new rule with one that is there
    assert same_rule(typed_rule(), RULE)


def typed_rule() -> SecurityRuleRequest:
    form = typed()
    assert form.is_valid()
    return form.rule()


@pytest.mark.parametrize(
    ("changes", "opens"),
    [
        ({}, True),
        ({"direction": "Ingress", "protocol": "TCP"}, True),
        ({"protocol": "any"}, True),
        ({"protocol": "all"}, True),
        ({"protocol": ""}, True),
        ({"port_range_min": None, "port_range_max": None}, True),
        ({"port_range_min": 21}, True),
        ({"port_range_max": 23}, True),
        ({"port_range_min": 1, "port_range_max": 65535}, True),
        ({"port_range_min": None}, True),
        ({"port_range_max": None}, True),
        ({"port_range_min": 23, "port_range_max": 80}, False),
        ({"port_range_min": 1, "port_range_max": 21}, False),
        ({"port_range_min": 23, "port_range_max": None}, False),
        ({"port_range_min": None, "port_range_max": 21}, False),
        ({"direction": "egress"}, False),
        ({"direction": ""}, False),
        ({"protocol": "udp"}, False),
        ({"protocol": "icmp", "port_range_min": None, "port_range_max": None}, False),
    ],
)
def test_it_knows_which_rules_open_a_port(changes: dict[str, Any], opens: bool) -> None:
    assert opens_port(other(**changes), 22) is opens


def test_it_reads_anything_that_looks_like_a_rule() -> None:
    rule = SimpleNamespace(**TYPED | {"port_range_min": 22, "port_range_max": 22})
    assert describe(rule) == describe(RULE)
    assert same_rule(rule, RULE)
    assert opens_port(rule, 22)
