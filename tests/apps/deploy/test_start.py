"""The wizard's first start: kept and pasted scripts, and Jupyter with its password."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from apps.deploy.models import Draft
from barrack_web.sandbox.server import Sandbox
from tests.apps.deploy.helpers import CHOICES, choose, errors, form_of, is_open, options, page, post, section
from tests.apps.snapshots.helpers import body, words

SHELL = "#!/bin/bash\n"
SECRET = f"{SHELL}export HF_TOKEN=hf_abcdefgh12345678\n"
PORT_OPEN = "A rule opens port 8888: the password then goes over the network unencrypted."


@pytest.fixture
def form(operator: Client) -> dict[str, Any]:
    """A form that lacks nothing."""
    return form_of(choose(operator, **CHOICES))


def pasted(browser: Client, form: dict[str, Any], text: str, **more: Any) -> str:
    """Paste a text and return the section as it is then."""
    answer = post(browser, form, start="paste", cloud_init=text, next="start", **more)
    return section(answer, "start")


def sized(size: int) -> str:
    """Return a shell script of so many bytes."""
    return SHELL + "#" * (size - len(SHELL) - 1) + "\n"


# -- scripts


@pytest.mark.feature("DEP-39", "SCR-07")
def test_it_offers_the_kept_scripts_by_name(operator: Client, sandbox: Sandbox, form: dict[str, Any]) -> None:
    # when a kept script is wanted, then one has to be chosen
    html = section(post(operator, form, start="script", next="start"), "start")
    assert errors(html) == ["Choose a script, or “No script”."]
    names = {key: str(record["name"]) for key, record in sandbox.world.scripts.items()}
    assert options(html, "script_id") == {"": "Choose a script"} | names
    assert list(options(html, "script_id").values())[1:] == sorted(names.values())
    # when one is, then it stands in the review, and nothing else counts
    answer = post(operator, form, start="script", script_id="71", cloud_init="no script at all")
    assert "“install-deps”" in section(answer, "review")
    assert errors(section(answer, "start")) == []
    # and one that is gone is said to be
    answer = post(operator, form, start="script", script_id="999")
    assert errors(section(answer, "start")) == ["This script does not exist any more. Choose another."]


@pytest.mark.feature("SCR-07")
def test_it_begins_with_the_script_that_an_address_names(operator: Client) -> None:
    shown = page(operator, start="script", script_id="72", gpu_model="L40")
    kept = Draft.objects.get().values
    assert (kept["start"], kept["script_id"]) == (["script"], ["72"])
    assert "gpu" in is_open(shown)


@pytest.mark.feature("DEP-37")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (sized(16_384), []),
        (sized(16_385), ["Use at most 16,384 bytes; this has 16,385."]),
        # Bytes and not characters: an umlaut has two, a rocket four.
        (sized(16_380) + "äö", []),
        (sized(16_381) + "äö", ["Use at most 16,384 bytes; this has 16,385."]),
        (sized(16_380) + "🚀", []),
        # What is counted is what is sent: without the byte order mark, with LF.
        ("\ufeff" + sized(16_384), []),
        ("#!/bin/bash\r\n" + "#" * 16_372, []),
        (sized(40_000), ["Use at most 16,384 bytes; this has 32,768."]),
    ],
    ids=["16384", "16385", "umlauts", "umlauts+1", "rocket", "bom", "crlf", "cut"],
)
def test_it_counts_the_bytes_of_a_pasted_script(
    operator: Client, form: dict[str, Any], text: str, says: list[str]
) -> None:
    html = pasted(operator, form, text)
    assert errors(html) == says
    assert ("16,384 of 16,384 bytes" in words(html)) == (not says)


@pytest.mark.feature("DEP-38")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Paste a script, or choose “No script”."),
        (" \n\t", "Paste a script, or choose “No script”."),
        ("echo hi", "Line 1: The first line has to be #!/bin/bash or another interpreter, or #cloud-config."),
        ("#!bash", "Line 1: After #! comes the whole path of an interpreter, such as #!/bin/bash."),
        ("#cloud-config\npackages:\n\t- git", "Line 3: It is indented with a tab. YAML takes spaces only."),
        ("#cloud-config\n- git", "Line 2: After #cloud-config come named settings, such as “packages:”"),
        ("#!/bin/sh\necho \x07", "Line 2: The invisible character U+0007 is not allowed. Delete it."),
    ],
)
def test_it_says_what_is_wrong_with_a_script_at_its_line(
    operator: Client, form: dict[str, Any], text: str, says: str
) -> None:
    assert says in " ".join(errors(pasted(operator, form, text)))


@pytest.mark.feature("DEP-38")
def test_it_says_what_it_changes_in_a_script(operator: Client, form: dict[str, Any]) -> None:
    says = "The invisible byte order mark at the start was dropped. Line ends were changed to LF."
    assert says in words(pasted(operator, form, "\ufeff#!/bin/sh\r\necho hi\r\n"))
    # tabs are no matter in a shell script; neither are the line ends that a plain form makes of LF
    answer = post(operator, form, htmx=False, start="paste", cloud_init="#!/bin/sh\r\n\techo hi\r\n", next="start")
    assert answer["Location"].endswith("#step-review")
    assert Draft.objects.get().values["cloud_init"] == ["#!/bin/sh\n\techo hi\n"]
    assert "Line ends" not in body(page(operator, draft=form["draft"][0]))


def test_it_checks_a_script_while_one_types(operator: Client, form: dict[str, Any]) -> None:
    answer = post(operator, form, start="paste", cloud_init=SECRET, validate="cloud_init")
    said = words(body(answer))
    assert "Shell script (#!), 48 of 16,384 bytes" in said
    assert "a Hugging Face token" in said
    assert "hf_abcdefgh12345678" not in body(answer)
    assert Draft.objects.get().values.get("cloud_init", [""]) in ([""], [])


def test_it_lets_a_script_with_a_secret_be_sent_from_the_page(operator: Client, form: dict[str, Any]) -> None:
    # given one, then the page carries it on and the review opens; what is kept goes without
    answer = post(operator, form, start="paste", cloud_init=SECRET)
    assert "hf_abcdefgh12345678" in section(answer, "start")
    assert "Pasted, Shell script (#!), 48 bytes" in words(section(answer, "review"))
    assert "hf_abcdefgh12345678" not in json.dumps(Draft.objects.get().values)


# -- Jupyter


@pytest.mark.feature("DEP-33")
def test_it_makes_no_jupyter_unless_asked(operator: Client, form: dict[str, Any]) -> None:
    assert "jupyter_enabled" not in form
    assert Draft.objects.get().values.get("jupyter_enabled", []) == []
    # and its password is not looked at then
    assert errors(section(post(operator, form, jupyter_password="x", next="start"), "start")) == []


@pytest.mark.feature("DEP-34")
@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", ["Enter a password: everybody who can reach the VM's port 8888 needs it."]),
        ("1234567", ["Use at least 8 characters; 1 more."]),
        ("12345678", []),
        ("x" * 128, []),
        ("x" * 129, ["Use at most 128 characters."]),
        # Characters, not bytes; and blanks belong to it.
        ("ääääääää", []),
        ("äääääää", ["Use at least 8 characters; 1 more."]),
        ("  pass  ", []),
    ],
)
def test_it_asks_for_a_password_of_8_characters(
    operator: Client, form: dict[str, Any], password: str, says: list[str]
) -> None:
    fields = {"jupyter_enabled": "on", "jupyter_password": password}
    answer = post(operator, form, **fields, next="start")
    assert errors(section(answer, "start")) == says
    # while one types as well
    answer = post(operator, form, **fields, validate="jupyter_password")
    assert errors(body(answer)) == (says if password else [])


@pytest.mark.feature("DEP-34")
def test_it_never_writes_a_password_back(operator: Client, form: dict[str, Any]) -> None:
    for htmx in (True, False):
        answer = post(operator, form, htmx=htmx, jupyter_enabled="on", jupyter_password="Tr0ub4dor&3-x")
        assert "Tr0ub4dor" not in body(answer)
    assert "Tr0ub4dor" not in body(page(operator, draft=form["draft"][0]))


@pytest.mark.feature("DEP-35")
@pytest.mark.parametrize(
    ("password", "level", "bar"),
    [("password1", "weak", 1), ("correcthorse", "medium", 2), ("glass-Otter-9-window", "strong", 3)],
)
def test_it_says_how_strong_a_password_is_in_words_and_by_a_bar(
    operator: Client, form: dict[str, Any], password: str, level: str, bar: int
) -> None:
    answer = body(post(operator, form, jupyter_enabled="on", jupyter_password=password, validate="jupyter_password"))
    assert f"Strength: {level}" in words(answer)
    assert re.findall(r'<meter min="0" max="3"[^>]* value="(\d)"', answer) == [str(bar)]
    assert f'class="strength strength-{level}"' in answer


@pytest.mark.feature("DEP-36")
def test_it_says_where_jupyter_will_be_and_warns_of_an_open_port(operator: Client, form: dict[str, Any]) -> None:
    html = section(post(operator, form, jupyter_enabled="on"), "start")
    assert "It will be at http://<vm-ip>:8888 , over plain HTTP." in words(html)
    assert "ssh -L 8888:localhost:8888 user@<vm-ip>" in words(html)
    assert PORT_OPEN not in words(html)
    html = section(post(operator, form, jupyter_enabled="on", rule="ingress|tcp|IPv4|0.0.0.0/0|8000|9000"), "start")
    assert PORT_OPEN in words(html)
