"""The wizard's name, keys and network: DEP-22 to DEP-32 and DEP-44, as they stand on the page."""

import re

import pytest
from django.test import Client

from apps.deploy.models import Draft
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import (
    CHOICES,
    KEY,
    MODEL,
    choose,
    draft_id,
    errors,
    form_of,
    is_open,
    page,
    panel,
    post,
    ready,
    section,
)
from tests.apps.snapshots.helpers import body, words
from tests.conftest import text_of

NO_KEY = "At least one SSH key is required for VM deployment"
NOT_ADDED = "The rule that you typed is not added yet: press Add rule, or empty its fields."


def keys_left(sandbox: Sandbox, *names: str) -> None:
    """Leave these keys in the account."""
    for key in [key for key, record in sandbox.world.ssh_keys.items() if record["name"] not in names]:
        del sandbox.world.ssh_keys[key]


def named(browser: Client, name: str) -> list[str]:
    """Return what is wrong with a name."""
    return errors(section(choose(browser, gpu_model=MODEL, name=name), "access").partition("<fieldset")[0])


# -- the name


@pytest.mark.feature("DEP-44")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x", []),
        ("x" * 50, []),
        ("x" * 51, ["Use at most 50 characters; this has 51."]),
        ("  trainer-2.0_b  ", []),
        ("a/b", ["Not allowed: “/”. Use letters, numbers, spaces, hyphens (-), underscores (_) and periods (.)."]),
        ("eval-harness", ["A VM named “eval-harness” already exists. Choose another name."]),
        # A deleted VM's name is free again.
        ("old-benchmark", []),
    ],
)
def test_it_names_the_vm_by_the_rule_of_all_names(operator: Client, name: str, says: list[str]) -> None:
    assert named(operator, name) == says


@pytest.mark.feature("DEP-44")
def test_it_suggests_a_name_that_is_free_and_leaves_an_emptied_one_empty(operator: Client, sandbox: Sandbox) -> None:
    sandbox.world.instances["BRK-123456D"]["vm_name"] = "a100-vm"
    form = form_of(choose(operator, gpu_model=MODEL))
    assert form["name"] == ["a100-vm-2"]
    # when somebody empties it, then it is asked for and not filled in again
    answer = post(operator, form, name="", next="access")
    assert "Enter a name." in errors(section(answer, "access"))
    assert form_of(page(operator, draft=form["draft"][0]))["name"] == [""]


# -- SSH keys


@pytest.mark.feature("DEP-22")
def test_it_lists_the_accounts_keys_with_their_fingerprints(operator: Client, sandbox: Sandbox) -> None:
    html = section(choose(operator, gpu_model=MODEL), "access")
    found = re.findall(r'name="ssh_keys" value="([^"]+)".*?<code>([^<]+)</code>', html)
    assert sorted(found) == sorted((row["name"], row["fingerprint"]) for row in sandbox.world.ssh_keys.values())


@pytest.mark.feature("DEP-24")
def test_it_chooses_the_only_key_and_none_of_several(operator: Client, sandbox: Sandbox) -> None:
    assert "ssh_keys" not in form_of(choose(operator, gpu_model=MODEL))
    keys_left(sandbox, KEY, "ci-runner")
    assert "ssh_keys" not in form_of(choose(operator, gpu_model=MODEL))
    # given exactly one
    keys_left(sandbox, KEY)
    form = form_of(choose(operator, gpu_model=MODEL))
    assert form["ssh_keys"] == [KEY]
    # when somebody does not want it, then it does not come back
    post(operator, form, ssh_keys=None)
    assert "ssh_keys" not in form_of(page(operator, draft=form["draft"][0]))


@pytest.mark.feature("DEP-25", "DEP-26")
def test_it_takes_several_keys_and_at_least_one(operator: Client) -> None:
    form = form_of(choose(operator, gpu_model=MODEL, name="trainer"))
    # given two keys, then the rest opens with both
    post(operator, form, ssh_keys=[KEY, "ci-runner"])
    shown = page(operator, draft=form["draft"][0])
    assert form_of(shown)["ssh_keys"] == [KEY, "ci-runner"]
    assert "review" in is_open(shown)
    # given none, then it says so and goes no further
    answer = post(operator, form, ssh_keys=None, next="access")
    assert errors(section(answer, "access")) == [NO_KEY]
    assert "network" not in is_open(page(operator, draft=form["draft"][0]))


def test_it_says_which_key_is_gone(operator: Client, sandbox: Sandbox) -> None:
    keys_left(sandbox, "ci-runner")
    shown = choose(operator, **CHOICES)
    assert errors(section(shown, "access")) == [f"The account has no key “{KEY}” any more. Choose another one."]


@pytest.mark.feature("DEP-23")
def test_it_keeps_everything_while_a_key_is_made(operator: Client, sandbox: Sandbox) -> None:
    # given a form in the middle, in an account without a key
    keys_left(sandbox)
    shown = choose(operator, gpu_model="L40", gpu_count="2", name="half-way")
    html, draft = section(shown, "access"), draft_id(shown)
    assert "The account has no SSH key yet. Create one, or import the one you use already." in words(html)
    links = re.findall(r'href="([^"]+)"[^>]*>.*?</svg>(Create Key|Import Key)</a>', html, re.DOTALL)
    urls = [f"/ssh-keys/{what}/?to=deploy&draft={draft}" for what in ("create", "import")]
    assert links == list(zip(urls, ["Create Key", "Import Key"], strict=True))
    # when a key is imported from there
    opened = operator.get(urls[1])
    token = re.findall(r'name="token" value="([^"]+)"', body(opened))[0]
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGWfzqM/6+r2uh3cYe/YVP5NIHjCFxd45sxNxtbQHDYM ml@example.com"
    answer = operator.post(urls[1], {"token": token, "intent": "import", "name": "mine", "key": public})
    # then it leads back to the same draft with the key chosen, and nothing is lost
    assert answer["Location"] == f"/deploy/?draft={draft}&add_key=mine"
    back = operator.get(answer["Location"])
    assert back["Location"] == f"/deploy/?draft={draft}#step-access"
    form = form_of(operator.get(back["Location"]))
    assert (form["gpu_model"], form["gpu_count"], form["name"]) == (["L40"], ["2"], ["half-way"])
    assert form["ssh_keys"] == ["mine"]


def test_it_adds_a_key_to_those_chosen_once(operator: Client) -> None:
    draft = draft_id(choose(operator, **CHOICES))
    for _ in range(2):
        shown = page(operator, draft=draft, add_key="ci-runner")
    assert form_of(shown)["ssh_keys"] == [KEY, "ci-runner"]
    # and keeps no NUL of an address, which not every database takes
    page(operator, draft=draft, add_key="a\0b")
    assert Draft.objects.get().values["ssh_keys"][-1] == "ab"


# -- the network


@pytest.mark.feature("DEP-27", "DEP-28", "DEP-29")
def test_it_says_what_a_public_ip_means_and_keeps_the_choice(operator: Client) -> None:
    # given a new draft, then the VM gets one, with a warning beside it
    shown = choose(operator, **CHOICES)
    html = section(shown, "network")
    assert form_of(shown)["public_ip"] == ["on"]
    on, off = (re.findall(rf'{css}">(.*?)</(?:div></div|p)>', html, re.DOTALL)[0] for css in ("when-on", "when-off"))
    warning = "Enabling public IP makes your VM accessible from the internet. Ensure proper security measures"
    assert warning in words(on)
    assert words(off).startswith("Disabling public IP restricts access to internal network only")
    assert "VPN or a bastion host" in words(off)
    # when it is switched off, then it stays off
    post(operator, form_of(shown), public_ip=None)
    assert "public_ip" not in form_of(page(operator, draft=draft_id(shown)))


@pytest.mark.feature("DEP-31", "DEP-32")
def test_it_says_when_rules_hold(operator: Client) -> None:
    shown = words(section(choose(operator, **CHOICES), "network"))
    assert "Rules are applied automatically after VM becomes active." in shown
    assert "Security rules may take up to 10 minutes to be fully applied after VM deployment." in shown


@pytest.mark.feature("DEP-30")
def test_it_adds_a_rule_that_was_typed(operator: Client) -> None:
    # given a form with a rule typed into it
    form = form_of(choose(operator, **CHOICES))
    typed = {"new-remote_ip_prefix": "203.0.113.0/24", "new-port_range_min": "443", "new-port_range_max": "445"}
    # when it is added, then it stands among the rules, and its form is empty again
    answer = post(operator, form | typed, intent="add-rule")
    html = section(answer, "network")
    assert "Ingress TCP 443–445 from 203.0.113.0/24" in words(html)
    form = form_of(page(operator, draft=form["draft"][0]))
    assert form["rule"] == ["ingress|tcp|IPv4|203.0.113.0/24|443|445"]
    assert form["new-remote_ip_prefix"] == [""]
    # and UDP and ICMP go as well, a second time it is not added
    udp = {"new-protocol": "udp", "new-remote_ip_prefix": "::/0", "new-ethertype": "IPv6"}
    post(operator, form | udp | {"new-port_range_min": "53", "new-port_range_max": "53"}, intent="add-rule")
    for _ in range(2):
        form = form_of(page(operator, draft=form["draft"][0]))
        post(operator, form | {"new-protocol": "icmp", "new-remote_ip_prefix": "10.0.0.0/8"}, intent="add-rule")
    assert form_of(page(operator, draft=form["draft"][0]))["rule"][1:] == [
        "ingress|udp|IPv6|::/0|53|53",
        "ingress|icmp|IPv4|10.0.0.0/8||",
    ]


@pytest.mark.feature("DEP-30")
def test_it_keeps_a_wrong_rule_in_its_form_and_says_what_is_wrong(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    typed = {"new-remote_ip_prefix": "300.0.0.0/8", "new-port_range_min": "0", "new-port_range_max": "65536"}
    for htmx in (True, False):
        answer = post(operator, form | typed, htmx=htmx, intent="add-rule")
        assert answer.status_code == (200 if htmx else 422)
        assert errors(section(answer, "network")) == [
            "Each part of an IPv4 address is 0 to 255; this has 300.",
            "A port is 1 to 65535.",
            "A port is 1 to 65535.",
        ]
        assert 'value="300.0.0.0/8"' in section(answer, "network")
    assert Draft.objects.get().values.get("rule", []) == []
    # and an empty one too
    answer = post(operator, form, intent="add-rule")
    assert "Enter an IP range, such as 192.168.1.0/24." in errors(section(answer, "network"))


@pytest.mark.feature("DEP-30")
def test_it_adds_and_drops_rules_with_one_click(operator: Client) -> None:
    # given a visitor whose address the internet knows
    operator.defaults["REMOTE_ADDR"] = "198.51.99.7"
    shown = choose(operator, **CHOICES)
    # then a new draft lets them in, and only them
    form = form_of(shown)
    assert form["rule"] == ["ingress|tcp|IPv4|198.51.99.7/32|22|22"]
    assert "let in your address only: 198.51.99.7" in words(section(shown, "network"))
    # when a preset is added, twice, then its rules are there once
    for _ in range(2):
        post(operator, form, preset="web")
        form = form_of(page(operator, draft=form["draft"][0]))
    web = ["ingress|tcp|IPv4|0.0.0.0/0|80|80", "ingress|tcp|IPv4|0.0.0.0/0|443|443"]
    assert form["rule"][1:] == web
    # when one is removed, then the others stay
    post(operator, form, drop_rule=form["rule"][0])
    assert form_of(page(operator, draft=form["draft"][0]))["rule"] == web
    # and a preset or rule that there is not changes nothing
    post(operator, form | {"rule": web}, preset="everything")
    post(operator, form | {"rule": web}, drop_rule="x")
    assert form_of(page(operator, draft=form["draft"][0]))["rule"] == web
    # without JavaScript the page comes back to the rules
    assert post(operator, form, htmx=False, preset="web")["Location"].endswith("#step-network")


def test_it_says_why_presets_for_ones_own_address_are_off(operator: Client) -> None:
    # given a visitor from within a private network
    html = section(choose(operator, **CHOICES), "network")
    off = re.findall(
        r'<button type="submit" name="preset" value="(\w+)"[^>]* disabled aria-describedby="no-mine"', html
    )
    assert sorted(off) == ["jupyter", "ssh"]
    assert "SSH Access and Jupyter Notebook need your public address, which is not known here" in words(html)
    assert "None yet: nobody gets in from outside." in words(html)


@pytest.mark.feature("DEP-30")
def test_it_keeps_a_rule_that_is_being_typed_and_does_not_go_on_without_it(operator: Client) -> None:
    # given a rule that was typed, and not added
    form = form_of(choose(operator, **CHOICES))
    post(operator, form, **{"new-remote_ip_prefix": "203.0.113.0/24", "new-protocol": "udp"})
    shown = page(operator, draft=form["draft"][0])
    # then it stands in its form, is none of the rules, and what comes after it waits
    back = form_of(shown)
    assert (back["new-remote_ip_prefix"], back["new-protocol"]) == (["203.0.113.0/24"], ["udp"])
    assert "None yet: nobody gets in from outside." in text_of(shown)
    assert is_open(shown)[-1] == "network"
    assert f"Next: {NOT_ADDED}" in words(panel(shown))
    # also one that would be right, and one of which only a port is there
    whole = {"new-port_range_min": "53", "new-port_range_max": "53"}
    assert errors(section(post(operator, back | whole), "network")) == [NOT_ADDED]
    assert is_open(page(operator, draft=form["draft"][0]))[-1] == "network"
    post(operator, back | {"new-remote_ip_prefix": "", "new-port_range_max": "53"})
    assert is_open(page(operator, draft=form["draft"][0]))[-1] == "network"
    # and when its fields are emptied, then it is forgotten; a protocol alone is no rule
    post(operator, back, **{"new-remote_ip_prefix": ""})
    assert is_open(page(operator, draft=form["draft"][0]))[-1] == "review"


@pytest.mark.feature("DEP-30")
def test_it_sends_nothing_while_a_rule_is_typed_and_not_added(operator: Client, sandbox: Sandbox) -> None:
    data = ready(operator, sandbox)
    response = post(operator, data, **{"new-remote_ip_prefix": "203.0.113.0/24"})
    assert response.status_code == 422
    assert f"Next: {NOT_ADDED}" in words(panel(response))
    assert 'value="create"' not in body(response)
    assert sandbox.log.calls("create_instance") == []


@pytest.mark.feature("DEP-30")
@pytest.mark.parametrize("htmx", [True, False])
def test_it_says_at_its_field_that_a_rule_is_there_already(operator: Client, htmx: bool) -> None:
    # given a rule that is there, typed once more with other host bits
    there = "ingress|tcp|IPv4|10.0.0.0/8|80|80"
    form = form_of(choose(operator, **CHOICES, rule=[there]))
    typed = {"new-remote_ip_prefix": "10.1.2.3/8", "new-port_range_min": "80", "new-port_range_max": "80"}
    answer = post(operator, form | typed, htmx=htmx, intent="add-rule")
    assert "This rule is there already." in errors(section(answer, "network"))
    assert 'value="10.1.2.3/8"' in section(answer, "network")
    assert Draft.objects.get().values["rule"] == [there]
