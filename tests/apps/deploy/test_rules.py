"""The wizard's security rules as lines of its form: made, read, tampered with, counted."""

import pytest
from django.test import Client

from apps.deploy.wanted_rules import (
    MOST_RULES,
    as_line,
    new_rule,
    open_to_everybody,
    opens,
    preset_rules,
    read_line,
    with_rules,
)
from barrack_web.client import SecurityRuleRequest
from barrack_web.rule_presets import PRESETS
from tests.apps.deploy.helpers import CHOICES, choose, errors, form_of, is_open, page, post, section
from tests.apps.snapshots.helpers import unescaped, words
from tests.conftest import text_of

WORDS = ("tcp", "udp", "icmp")
SSH = SecurityRuleRequest("ingress", "tcp", "IPv4", "203.0.113.7/32", 22, 22)
LINE = "ingress|tcp|IPv4|203.0.113.7/32|22|22"
PING = "egress|icmp|IPv6|::/0||"


def lines(number: int) -> list[str]:
    return [f"ingress|tcp|IPv4|0.0.0.0/0|{port}|{port}" for port in range(1000, 1000 + number)]


@pytest.mark.feature("DEP-30")
@pytest.mark.parametrize(
    "line", [LINE, PING, "ingress|udp|IPv6|2001:db8::/32|1|65535", "ingress|tcp|IPv4|10.0.0.1/8|80|81"]
)
def test_it_reads_what_it_writes(line: str) -> None:
    rule = read_line(line, WORDS)
    assert rule
    assert as_line(rule) == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ingress|tcp|IPv4|0.0.0.0/0|22",
        LINE + "|",
        LINE.replace("ingress", "sideways"),
        LINE.replace("tcp", "gre"),
        LINE.replace("IPv4", "IPv6"),
        LINE.replace("203.0.113.7/32", "203.0.113.7"),
        LINE.replace("203.0.113.7/32", "0.0.0.0/33"),
        LINE.replace("|22|22", "|0|22"),
        LINE.replace("|22|22", "|22|65536"),
        LINE.replace("|22|22", "|23|22"),
        LINE.replace("|22|22", "||22"),
        LINE.replace("|22|22", "||"),
        LINE.replace("|22|22", "|²|22"),
    ],
)
def test_it_takes_no_line_that_no_form_of_ours_has_made(line: str) -> None:
    assert read_line(line, WORDS) is None


def test_it_takes_the_protocols_of_the_api_and_the_documented_ones_without_them() -> None:
    sctp = LINE.replace("tcp", "sctp")
    assert read_line(sctp, WORDS) is None
    assert read_line(sctp, (*WORDS, "SCTP"))
    assert read_line(LINE, ()) == SSH


def test_it_adds_each_rule_once_however_it_is_written() -> None:
    same = SecurityRuleRequest("ingress", "tcp", "IPv4", "10.1.2.3/8", 80, 80)
    there = ["ingress|tcp|IPv4|10.0.0.0/8|80|80"]
    assert with_rules(there, [same, same, SSH]) == [*there, LINE]
    # and lines that it cannot read stay where they are, for their sender to see
    assert with_rules(["x"], [SSH]) == ["x", LINE]


def test_it_keeps_one_rule_too_many_and_no_more() -> None:
    assert with_rules(lines(24), [SSH]) == [*lines(24), LINE]
    assert with_rules(lines(25), [SSH]) == [*lines(25), LINE]
    assert with_rules(lines(26), [SSH]) == lines(26)


def test_it_has_the_presets_of_all_rules() -> None:
    assert [as_line(rule) for rule in preset_rules("ssh", "203.0.113.7")] == [LINE]
    assert [as_line(rule) for rule in preset_rules("ssh", "2001:db8::7")] == ["ingress|tcp|IPv6|2001:db8::7/128|22|22"]
    assert preset_rules("ssh", None) == []
    assert preset_rules("nothing", "203.0.113.7") == []
    # and each of them can be read again
    for key in PRESETS:
        rules = preset_rules(key, "203.0.113.7")
        assert rules
        assert [read_line(as_line(rule), WORDS) for rule in rules] == rules


def test_it_knows_which_ports_are_open() -> None:
    wide = SecurityRuleRequest("ingress", "tcp", "IPv4", "0.0.0.0/0", 20, 30)
    out = SecurityRuleRequest("egress", "tcp", "IPv4", "0.0.0.0/0", 22, 22)
    assert (opens([wide], 22), opens([wide], 31), opens([out], 22), opens([], 22)) == (True, False, False, False)


@pytest.mark.parametrize(
    ("line", "wide"),
    [
        ("ingress|tcp|IPv4|0.0.0.0/0|22|22", True),
        ("ingress|tcp|IPv6|::/0|8888|8888", True),
        ("ingress|tcp|IPv4|0.0.0.0/0|20|30", True),
        # All addresses, written in another way.
        ("ingress|tcp|IPv4|203.0.113.7/0|22|22", True),
        # A thousand ports and one less.
        ("ingress|tcp|IPv4|0.0.0.0/0|9000|9999", True),
        ("ingress|udp|IPv4|0.0.0.0/0|9000|9999", True),
        ("ingress|tcp|IPv4|0.0.0.0/0|9000|9998", False),
        # What web servers and pings need, some addresses only, and what goes out.
        ("ingress|tcp|IPv4|0.0.0.0/0|443|443", False),
        ("ingress|icmp|IPv4|0.0.0.0/0||", False),
        ("ingress|tcp|IPv4|203.0.113.0/24|22|22", False),
        ("egress|tcp|IPv4|0.0.0.0/0|1|65535", False),
    ],
)
def test_it_knows_what_is_open_to_everybody(line: str, wide: bool) -> None:
    rule = read_line(line, WORDS)
    assert rule
    assert bool(open_to_everybody([rule])) == wide


def test_it_names_what_is_open_to_everybody_at_the_rules_and_in_the_review(operator: Client) -> None:
    everybody = ["ingress|tcp|IPv4|0.0.0.0/0|22|22", "ingress|tcp|IPv6|::/0|1|65535"]
    shown = choose(operator, **CHOICES, rule=[*everybody, "ingress|tcp|IPv4|0.0.0.0/0|80|80"])
    says = "Open to everybody on the internet"
    listed = "Ingress TCP 22 from 0.0.0.0/0; Ingress TCP 1–65535 from ::/0."
    assert f"{says}: {listed}" in errors(section(shown, "network"))
    review = words(section(shown, "review")).partition(says)[2]
    assert review.startswith(" Ingress TCP 22 from 0.0.0.0/0 Ingress TCP 1–65535 from ::/0 Better name")
    # and it is no reason not to deploy
    assert 'value="create"' in section(shown, "review")
    assert says not in text_of(choose(operator, **CHOICES, rule=[LINE]))


def test_it_says_nothing_of_a_rule_that_nobody_has_begun() -> None:
    chosen = {"new-protocol": ["udp"], "new-port_range_min": [""]}
    assert not new_rule(chosen, WORDS, sent=False).is_bound
    assert new_rule(chosen, WORDS, sent=True).is_bound
    assert new_rule(chosen | {"new-remote_ip_prefix": ["1"]}, WORDS, sent=False).is_bound


@pytest.mark.feature("DEP-30")
def test_it_takes_25_rules_and_not_26(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES, rule=lines(MOST_RULES)))
    assert len(form["rule"]) == 25
    assert "start" in is_open(page(operator, draft=form["draft"][0]))
    answer = post(operator, form, rule=lines(26))
    assert errors(section(answer, "network")) == ["Use at most 25 rules."]
    assert "start" not in is_open(page(operator, draft=form["draft"][0]))


def test_it_says_that_there_is_no_room_for_another_rule(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES, rule=lines(25)))
    typed = {"new-remote_ip_prefix": "10.0.0.0/8", "new-port_range_min": "9", "new-port_range_max": "9"}
    for more in ({"preset": "web"}, typed | {"intent": "add-rule"}):
        answer = post(operator, form | more)
        assert errors(section(answer, "network")) == ["Use at most 25 rules."]


def test_it_refuses_a_tampered_line_and_names_it(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    bad = "ingress|tcp|IPv4|<script>alert(1)</script>|22|22"
    answer = post(operator, form, rule=[LINE, bad])
    assert errors(section(answer, "network")) == [f"This is no security rule: {bad}"]
    assert not unescaped(answer)
    # and it can be dropped
    again = post(operator, form, rule=[LINE, bad], drop_rule=bad)
    assert errors(section(again, "network")) == []
