"""The security rules for usual purposes: what each opens, and for whom."""

import msgspec
import pytest

from barrack_web.rule_form import RuleForm, describe
from barrack_web.rule_presets import PRESETS
from barrack_web.sandbox.routes.rules import rule_problems

MINE, MINE_6 = "203.0.113.7", "2001:db8::7"


def opened(key: str, mine: str | None = MINE) -> list[str]:
    return [describe(rule) for rule in PRESETS[key].rules(mine)]


def test_it_has_the_five_documented_purposes_under_their_names() -> None:
    assert {key: preset.label for key, preset in PRESETS.items()} == {
        "ssh": "SSH Access",
        "web": "Web Server",
        "jupyter": "Jupyter Notebook",
        "database": "Database Access",
        "ping": "ICMP (Ping)",
    }
    assert all(key == preset.key and preset.text.endswith(".") for key, preset in PRESETS.items())


@pytest.mark.parametrize(("key", "port"), [("ssh", 22), ("jupyter", 8888)])
def test_it_opens_ssh_and_jupyter_for_the_visitors_address_alone(key: str, port: int) -> None:
    assert opened(key) == [f"Ingress TCP {port} from 203.0.113.7/32"]
    assert opened(key, MINE_6) == [f"Ingress TCP {port} from 2001:db8::7/128"]


@pytest.mark.parametrize("key", ["ssh", "jupyter"])
@pytest.mark.parametrize("mine", [None, ""])
def test_it_opens_neither_for_an_address_that_is_not_known(key: str, mine: str | None) -> None:
    assert PRESETS[key].rules(mine) == []


@pytest.mark.parametrize("mine", [MINE, MINE_6, None])
def test_it_opens_the_others_alike_for_every_visitor(mine: str | None) -> None:
    assert opened("web", mine) == ["Ingress TCP 80 from 0.0.0.0/0", "Ingress TCP 443 from 0.0.0.0/0"]
    assert opened("database", mine) == ["Ingress TCP 3306 from 10.0.0.0/8", "Ingress TCP 5432 from 10.0.0.0/8"]
    assert opened("ping", mine) == ["Ingress ICMP from 0.0.0.0/0"]


def test_it_sends_no_ports_for_icmp() -> None:
    (rule,) = PRESETS["ping"].rules(None)
    assert "port" not in msgspec.json.encode(rule).decode()


@pytest.mark.parametrize("key", PRESETS)
@pytest.mark.parametrize("mine", [MINE, MINE_6])
def test_it_makes_rules_that_the_form_and_the_cloud_take(key: str, mine: str) -> None:
    for rule in PRESETS[key].rules(mine):
        form = RuleForm(msgspec.structs.asdict(rule))
        assert form.errors == {}
        assert form.rule() == rule
        assert rule_problems(msgspec.json.decode(msgspec.json.encode(rule))) == {}
