"""/deploy/: the page as it opens, what each choice changes of it, and what it says while the API fails."""

import gzip
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from apps.deploy.models import Draft
from apps.deploy.wizard import HOLDS
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import (
    CHOICES,
    KEY,
    MODEL,
    SECTIONS,
    URL,
    choose,
    errors,
    form_of,
    is_open,
    page,
    panel,
    parts,
    post,
    ready,
    section,
)
from tests.apps.snapshots.helpers import body, words
from tests.conftest import HTMX, text_of

NO_KEY = "At least one SSH key is required for VM deployment"
SECRET = "#!/bin/bash\nexport HF_TOKEN=hf_abcdefgh12345678\n"


def marks(html: str) -> list[str]:
    """Return the titles of the sections that are marked as complete."""
    found = re.findall(r'class="step-mark step-done">.*?Complete: </span></span>(.*?)</h2>', html, re.DOTALL)
    return [words(title) for title in found]


def review(html: str) -> dict[str, str]:
    """Return what the review says, by its words."""
    return {
        words(term): words(value)
        for term, value in re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.DOTALL)
    }


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal's now stands still: nothing on the page grows older."""
    moment = clock.now()
    monkeypatch.setattr(clock, "timezone", SimpleNamespace(now=lambda: moment))


# -- opening


def test_it_asks_for_a_gpu_first_and_keeps_nothing_yet(operator: Client, sandbox: Sandbox) -> None:
    # when somebody opens the wizard for the first time
    shown = page(operator)
    # then the GPUs are there, and every other section says what it will hold
    assert is_open(shown) == ["gpu"]
    assert [words(section(shown, key).partition("</h2>")[2]) for key in SECTIONS[1:]] == list(HOLDS.values())
    assert "Choose a GPU to see what it costs." in words(panel(shown))
    # and nothing is kept, nothing is sent, nothing is wrong yet
    assert Draft.objects.count() == 0
    assert sandbox.log.calls("create_instance") == []
    assert errors(body(shown)) == []


@pytest.mark.feature("DEP-26", "DEP-45")
def test_it_opens_each_section_when_those_before_it_are_complete(operator: Client) -> None:
    form = form_of(page(operator, new="1"))
    # when a GPU is chosen, then size and boot source are filled in, and a key is asked for
    post(operator, form, gpu_model=MODEL)
    shown = page(operator)
    assert is_open(shown) == ["gpu", "size", "boot", "access"]
    assert marks(body(shown)) == ["GPU", "Size and region", "Boot source"]
    # and the panel says what to do next, and where
    assert f"Next: {NO_KEY}" in words(panel(shown))
    assert 'href="#step-access"' in panel(shown)
    assert 'value="create"' not in body(shown)
    # when a key is chosen, then the rest opens
    post(operator, form_of(shown), ssh_keys=KEY)
    shown = page(operator)
    assert is_open(shown) == list(SECTIONS)
    assert "Deploy for $1.55 / h" in words(section(shown, "review"))
    assert "Review and deploy" in words(panel(shown))
    # and it closes again when the key is taken away
    post(operator, form_of(shown), ssh_keys=None)
    assert is_open(page(operator)) == ["gpu", "size", "boot", "access"]


def test_it_says_what_is_missing_once_somebody_wants_to_go_on(operator: Client) -> None:
    form = form_of(choose(operator, gpu_model=MODEL, name="ok"))
    # given a section without a key: nothing in red at first, then it is said
    assert errors(section(page(operator), "access")) == []
    answer = post(operator, form, next="access")
    assert errors(section(answer, "access")) == [NO_KEY]


@pytest.mark.feature("DEP-45")
def test_it_reviews_every_choice_with_the_price_before_the_button(operator: Client) -> None:
    form = form_of(
        choose(
            operator,
            **CHOICES | {"gpu_count": "2", "ssh_keys": [KEY, "ci-runner"]},
            public_ip="on",
            rule=["ingress|tcp|IPv4|203.0.113.0/24|22|22", "egress|icmp|IPv6|::/0||"],
            start="paste",
            cloud_init="#!/bin/bash\necho hi\n",
            jupyter_enabled="on",
        )
    )
    html = section(page(operator, draft=form["draft"][0]), "review")
    assert review(html) == {
        "VM name": "trainer",
        "GPU": "2 × A100-PCIe-80GB",
        "Region": "CANADA-1",
        "Boots from": "Ubuntu Server 22.04 LTS R550 CUDA 12.4",
        "SSH keys": "team-laptop, ci-runner",
        "Public IP": "Yes",
        "Rules": "Ingress TCP 22 from 203.0.113.0/24 Egress ICMP to ::/0",
        "Startup script": "Pasted, Shell script (#!), 20 bytes",
        "Jupyter": "Yes, at port 8888",
        "Price": "$3.10 / h · $0.0517 / min · $74.40 a day · $2,232.00 in 30 days",
        "Balance": "$2,182.40, which lasts 5 days 7 hours with it",
    }
    assert "Deploy for $3.10 / h" in words(html)
    # and another source says what it is
    again = post(operator, form, boot="volume", volume_id="BRK-123519V", ssh_keys=KEY, public_ip=None, rule=[])
    changed = review(section(again, "review"))
    assert changed["Boots from"].startswith("Volume golden-boot – 150 GB")
    assert (changed["Public IP"], changed["Rules"]) == ("No: internal network only", "None")


def test_it_warns_when_a_public_vm_lets_nobody_in_by_ssh(operator: Client) -> None:
    says = "No rule opens port 22, so nobody can sign in by SSH from outside."
    with_ip = choose(operator, **CHOICES, public_ip="on", rule=[])
    assert says in words(section(with_ip, "review"))
    assert says not in text_of(choose(operator, **CHOICES, public_ip="on", rule=["ingress|tcp|IPv4|1.2.3.4/32|20|30"]))
    assert says not in text_of(choose(operator, **CHOICES, public_ip=[], rule=[]))


@pytest.mark.parametrize("role", ["viewer", "billing"])
def test_it_is_for_those_who_may_deploy(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    browser = sign_in(role)
    response = browser.post(URL, {"gpu_model": MODEL, "seen": "gpu:-", "intent": "create"})
    assert response.status_code == 403
    assert "Only an operator or an admin can deploy VMs" in text_of(response)
    assert Draft.objects.count() == 0
    assert [call for call in sandbox.log.calls() if call.operation != "get_credit_balance"] == []


def test_it_takes_no_other_methods(operator: Client) -> None:
    assert {operator.put(URL).status_code, operator.delete(URL).status_code, operator.patch(URL).status_code} == {405}


@pytest.mark.parametrize(
    "query", ["draft=x", "draft=%00", "template=0", "template=²", "template=99999999999", "like=.."]
)
def test_it_lives_with_addresses_that_make_no_sense(operator: Client, query: str) -> None:
    response = operator.get(f"{URL}?{query}")
    assert response.status_code == (200 if query.startswith("draft") else 404)
    assert Draft.objects.count() == 0


@pytest.mark.parametrize("count", ["abc", "0", "-1", "99999", ""])
def test_it_says_that_an_addresss_number_is_none(operator: Client, count: str) -> None:
    shown = page(operator, gpu_model=MODEL, gpu_count=count)
    said = errors(section(shown, "size"))
    assert said == ([] if not count else ["This GPU does not come in this number."])


# -- each change


@pytest.mark.usefixtures("still")
@pytest.mark.feature("DEP-40")
def test_it_answers_a_choice_with_the_parts_that_change(operator: Client, sandbox: Sandbox) -> None:
    # given the whole form
    form = ready(operator, sandbox) | {"intent": "update"}
    # when nothing has changed, then there is nothing to send
    assert post(operator, form).status_code == 204
    # when one thing changes, then its section and what follows from it come, in one small answer
    for change, changed in [
        ({"gpu_count": "2"}, ["size", "review", "panel"]),
        ({"name": "another"}, ["access", "review"]),
        ({"public_ip": None}, ["network", "review"]),
        ({"start": "script", "script_id": "71"}, ["start", "review"]),
    ]:
        answer = post(operator, form, **change)
        assert parts(answer) == changed
        assert (answer["HX-Reswap"], answer["HX-Replace-Url"]) == ("none", f"{URL}?draft={form['draft'][0]}")
        assert len(gzip.compress(answer.content)) <= 3 * 1024, change
        assert body(answer).count('hx-swap-oob="morph"') == len(changed)
    # and what was ticked among the GPUs is not told back to the browser that ticked it
    assert "gpu" not in parts(post(operator, form, gpu_model="L40"))


def test_it_keeps_the_sections_that_a_form_does_not_show(operator: Client) -> None:
    form = form_of(choose(operator, **CHOICES))
    post(operator, {"draft": form["draft"]}, ("gpu",), gpu_model="L40")
    (draft,) = Draft.objects.all()
    assert (draft.values["gpu_model"], draft.values["ssh_keys"]) == (["L40"], [KEY])
    # and a section that is closed does not empty what was chosen in it
    post(operator, {"draft": form["draft"], "seen": ["gpu:-", "!access:-"]}, gpu_model=MODEL)
    draft.refresh_from_db()
    assert draft.values["ssh_keys"] == [KEY]


def test_it_works_without_javascript(operator: Client) -> None:
    # given a plain form, when each section is continued, then the page goes on at the next one
    form = form_of(page(operator, new="1"))
    address = f"{URL}?draft={form['draft'][0]}"
    answer = post(operator, form, htmx=False, gpu_model=MODEL, next="gpu")
    assert (answer.status_code, answer["Location"]) == (302, f"{address}#step-size")
    form = form_of(page(operator))
    assert post(operator, form, htmx=False, next="boot")["Location"] == f"{address}#step-access"
    # but stays where something is missing
    assert post(operator, form, htmx=False, next="access")["Location"] == f"{address}#step-access"
    answer = post(operator, form, htmx=False, ssh_keys=KEY, next="start")
    assert answer["Location"] == f"{address}#step-review"
    # and a step that there is not leads to the first one
    assert post(operator, form, htmx=False, next="../x")["Location"] == f"{address}#step-gpu"


@pytest.mark.feature("DEP-44")
def test_it_says_while_one_types_what_is_wrong_and_keeps_nothing(operator: Client, sandbox: Sandbox) -> None:
    form = ready(operator, sandbox)
    before = Draft.objects.values_list("values", flat=True).get()
    for name, says in [
        ("x" * 50, ""),
        ("x" * 51, "Use at most 50 characters; this has 51."),
        ("", "Enter a name."),
        ("a/b", "Not allowed: “/”."),
        ("eval-harness", "already exists"),
    ]:
        answer = post(operator, form, name=name, validate="name", intent=None)
        assert (answer.status_code, "HX-Replace-Url" in answer) == (200, False)
        assert says in words(body(answer))
        assert bool(says) == ("field-error" in body(answer))
    assert post(operator, form, validate="nothing-like-it", intent=None).status_code == 204
    assert Draft.objects.values_list("values", flat=True).get() == before


# -- the poll


def poll(browser: Client, form: dict[str, Any]) -> Any:
    data = {"draft": form["draft"][0], "seen": form["seen"]}
    return browser.get(URL, data, headers=HTMX | {"X-Poll": "1"})


@pytest.mark.usefixtures("still")
@pytest.mark.feature("DEP-12")
def test_it_polls_for_stock_and_sends_only_what_is_new(operator: Client, sandbox: Sandbox) -> None:
    # given an open page, when nothing is new, then a poll is answered without a body
    form = ready(operator, sandbox)
    assert 'hx-trigger="every ' in body(page(operator))
    answer = poll(operator, form)
    assert (answer.status_code, answer.content) == (204, b"")
    # when the stock of another GPU changes, then only the GPUs come
    sandbox.world.stock["US-1", "L40"] = 0
    answer = poll(operator, form)
    assert parts(answer) == ["gpu"]
    assert "HX-Replace-Url" not in answer
    # when that of the chosen one changes, then its sizes too
    sandbox.world.stock["US-1", MODEL] = 5
    assert parts(poll(operator, form)) == ["gpu", "size"]


@pytest.mark.usefixtures("still")
def test_it_leaves_alone_what_only_the_browser_has(operator: Client, sandbox: Sandbox) -> None:
    # given a script that seems to hold a secret, and a password: neither is kept
    form = ready(operator, sandbox) | {"start": "paste", "cloud_init": SECRET, "intent": "update"}
    answer = post(operator, form)
    assert parts(answer) == ["start", "review"]
    assert "deploy-button" in section(answer, "review")
    new = dict(re.findall(r'name="seen" value="(\w+):(\w+)"', body(answer)))
    seen = [f"{key}:{new.get(key, tag)}" for key, _, tag in (mark.partition(":") for mark in form["seen"])]
    # when the page polls, then it neither empties the script nor closes the review
    assert poll(operator, form | {"seen": seen}).status_code == 204
    # and so with a password's strength
    post(operator, form, cloud_init="", start="none", jupyter_enabled="on", jupyter_password="abcdefgh")
    assert "start" not in parts(poll(operator, form))


# -- the API fails


@pytest.mark.parametrize(
    ("operation", "key", "says"),
    [
        ("list_instances", "review", "Barrack has a problem"),
        ("list_ssh_keys", "access", "Barrack has a problem"),
        ("get_gpu_stocks", "gpu", "How many GPUs are free is not known now"),
        ("list_os_images", "boot", "Barrack has a problem"),
        # Lists that nothing chosen asks for are not read at all.
        ("list_volumes", "review", "Deploy for $1.55 / h"),
        ("list_images", "review", "Deploy for $1.55 / h"),
        ("list_scripts", "review", "Deploy for $1.55 / h"),
        ("get_pricing", "gpu", "Price not known now"),
        ("get_gpu_specs", "gpu", "H100-SXM5-80GB"),
        ("list_regions", "size", "CANADA-1 · room for 50 VMs"),
        ("get_credit_balance", "review", "Deploy for $1.55 / h"),
        ("list_firewall_protocols", "network", "ICMP"),
        ("query_pricing", "review", "Deploy for $1.55 / h"),
    ],
)
def test_it_shows_all_but_what_cannot_be_read(
    operator: Client, sandbox: Sandbox, operation: str, key: str, says: str
) -> None:
    # given an API that fails at one list, for good
    sandbox.world.stock["CANADA-1", MODEL] = 50
    sandbox.faults.arm(operation, "status", status=503, times=None)
    # then the page is there with all the rest, and what was chosen stays chosen
    shown = choose(operator, **CHOICES, os_image="Ubuntu Server 22.04 LTS R550 CUDA 12.4")
    assert shown.status_code == 200
    assert says in words(section(shown, key))
    assert (form_of(shown)["gpu_model"], form_of(shown)["ssh_keys"]) == ([MODEL], [KEY])
    # and only without the lists that a deployment stands on can it not be sent
    needed = {"list_instances", "list_ssh_keys", "list_os_images"}
    assert bool(re.search(r'deploy-button" disabled', body(shown))) == (operation in needed)


@pytest.mark.parametrize(
    ("operation", "chosen", "key", "says"),
    [
        ("list_volumes", {"boot": "volume", "volume_id": "BRK-123519V"}, "boot", "The volumes cannot be read now."),
        ("list_images", {"boot": "image", "image_id": "501"}, "boot", "The custom images cannot be read now."),
        ("list_scripts", {"start": "script", "script_id": "71"}, "start", "The saved scripts cannot be read now."),
    ],
)
def test_it_keeps_what_was_chosen_of_a_list_that_cannot_be_read(
    operator: Client, sandbox: Sandbox, *, operation: str, chosen: dict[str, str], key: str, says: str
) -> None:
    # given an API that fails at the list that something was chosen from
    sandbox.faults.arm(operation, "status", status=503, times=None)
    shown = choose(operator, **CHOICES, **chosen)
    # then the page says so, keeps the choice, and cannot send what nobody can check
    assert says in words(section(shown, key))
    assert form_of(shown).items() >= {name: [value] for name, value in chosen.items()}.items()
    assert re.search(r'deploy-button" disabled', body(shown))


@pytest.mark.parametrize("operation", ["get_gpu_stocks", "get_gpu_specs"])
def test_it_does_without_what_the_api_does_not_have(operator: Client, sandbox: Sandbox, operation: str) -> None:
    sandbox.faults.arm(operation, "status", status=404, times=None)
    shown = choose(operator, **CHOICES)
    says = "This API does not tell how many GPUs are free: a deployment finds out when it is sent."
    assert (says in text_of(shown)) == (operation == "get_gpu_stocks")
    assert ("28 vCPU" in section(shown, "gpu")) == (operation == "get_gpu_stocks")
    assert "Deploy for $1.55 / h" in words(section(shown, "review"))
    assert "notice-danger" not in body(shown)


def test_it_opens_while_the_api_is_down_and_says_so(operator: Client, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "refuse", times=None)
    shown = page(operator, new="1")
    assert shown.status_code == 200
    assert "The GPUs on offer cannot be read now. This page keeps asking." in text_of(shown)
    assert "How many GPUs are free is not known now" in text_of(shown)
    # and what was chosen before is not lost by it: the form sends it again
    form = form_of(choose(operator, **CHOICES, boot="os", os_image="kept"))
    assert (form["gpu_model"], form["os_image"], form["ssh_keys"]) == ([MODEL], ["kept"], [KEY])


def test_it_does_not_wait_for_slow_lists_that_it_can_do_without(operator: Client, sandbox: Sandbox) -> None:
    # given lists that hang, among them those that no choice needs
    for operation in ("list_scripts", "get_gpu_specs", "list_volumes", "list_images", "get_pricing"):
        sandbox.faults.arm(operation, "hang", times=None)
    # then the page comes all the same, and the latter were not asked for
    assert is_open(choose(operator, **CHOICES)) == list(SECTIONS)
    read = {call.operation for call in sandbox.log.calls()}
    assert not read & {"list_scripts", "list_volumes", "list_images"}


def test_it_takes_older_lists_for_the_page_and_not_for_the_button(operator: Client, sandbox: Sandbox) -> None:
    # given lists that were read before, and an API that has gone down since
    form = ready(operator, sandbox)
    sandbox.faults.arm("*", "status", status=503, times=None)
    shown = page(operator, draft=form["draft"][0])
    # then the page is as it was, says so, and cannot send
    assert is_open(shown) == list(SECTIONS)
    assert "Barrack has a problem" in words(section(shown, "review"))
    assert re.search(r'deploy-button" disabled', body(shown))
    assert "it cannot be read now" in words(panel(shown))
