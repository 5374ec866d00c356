"""What a startup script may hold: its size, first line and YAML; and what looks like a secret."""

import time

import pytest
import yaml

from barrack_web import script_text
from barrack_web.script_text import (
    FIRST_LINE,
    MOST_BYTES,
    Kind,
    as_typed,
    changed_parts,
    check,
    digest,
    kind_of,
    secrets_in,
    size_of,
)

SHELL = "#!/bin/sh\n"
CONFIG = "#cloud-config\n"


def says(text: str) -> list[str]:
    return [str(problem) for problem in check(text).problems]


@pytest.fixture(params=["in C", "in Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's readers: the one in C is not everywhere."""
    if request.param == "in Python":
        monkeypatch.setattr(script_text, "LOADER", yaml.SafeLoader)


# -- size


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize("letter", ["x", "é", "€", "🚀"])
def test_it_counts_bytes_and_not_letters(letter: str) -> None:
    # given a text of exactly 16,384 bytes
    room = MOST_BYTES - len(SHELL)
    text = SHELL + letter * (room // len(letter.encode()))
    text += "x" * (MOST_BYTES - size_of(text))
    assert (size_of(text), says(text)) == (16_384, [])
    # when it has one more, then it says how many
    assert says(text + "x") == ["Use at most 16,384 bytes; this has 16,385."]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t\r\n", "\ufeff"])
def test_it_wants_a_text(text: str) -> None:
    assert says(text) == ["Enter the script."]


def test_it_is_quick_with_what_is_far_too_long() -> None:
    begun = time.perf_counter()
    checked = check(CONFIG + "a: [\n" * 200_000)
    assert [str(problem) for problem in checked.problems] == ["Use at most 16,384 bytes; this has 1,000,014."]
    assert checked.secrets == ()
    assert time.perf_counter() - begun < 0.5


# -- line ends and characters


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize("sent", ["#!/bin/sh\r\necho\r\n", "#!/bin/sh\recho\r", "#!/bin/sh\r\necho\n"])
def test_it_turns_line_ends_into_lf_and_says_so(sent: str) -> None:
    checked = check(sent)
    assert (checked.text, checked.notes) == ("#!/bin/sh\necho\n", ["Line ends were changed to LF."])


def test_it_drops_a_byte_order_mark_at_the_start_and_says_so() -> None:
    checked = check("\ufeff#!/bin/sh\n")
    assert (checked.text, checked.problems) == ("#!/bin/sh\n", [])
    assert checked.notes == ["The invisible byte order mark at the start was dropped."]


def test_it_has_nothing_to_say_of_a_text_that_stays_as_it_is() -> None:
    checked = check(f"{SHELL}\tindented\n")
    assert (checked.text, checked.notes, checked.problems) == (f"{SHELL}\tindented\n", [], [])


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("a", "a"),
        ("a\nb", "a\nb"),
        # no browser makes these of a form
        ("a\r\nb\n", "a\r\nb\n"),
        ("a\rb", "a\rb"),
        ("a\r\r\nb", "a\r\r\nb"),
    ],
)
def test_it_undoes_what_a_browser_does_to_line_ends(sent: str, typed: str) -> None:
    assert as_typed(sent) == typed


@pytest.mark.parametrize("character", ["\0", "\x07", "\x0b", "\x1b", "\x7f", "\x85", "\ud800"])
def test_it_names_the_line_of_a_control_character(character: str) -> None:
    assert says(f"{SHELL}echo\necho {character}x\n") == [
        f"Line 3: The invisible character U+{ord(character):04X} is not allowed. Delete it."
    ]


# -- the first line


@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize("line", ["#!/bin/bash", "#! /usr/bin/env python3", "#!/bin/sh -eu", "#!\t/bin/sh"])
def test_it_takes_any_interpreter_with_a_path(line: str) -> None:
    assert (kind_of(line), says(f"{line}\necho\n")) == (Kind.SHELL, [])


@pytest.mark.parametrize("line", ["#!", "#!bash", "#! ", "#!\n/bin/bash"])
def test_it_wants_the_path_of_the_interpreter(line: str) -> None:
    assert says(f"{line}\necho\n") == ["Line 1: After #! comes the whole path of an interpreter, such as #!/bin/bash."]


@pytest.mark.parametrize(
    "text",
    [
        "echo hello",
        "\n#!/bin/bash\n",
        " #!/bin/bash",
        "# cloud-config\na: 1",
        "#cloud-config-archive\n- a",
        "#CLOUD-CONFIG",
    ],
)
def test_it_refuses_any_other_first_line(text: str) -> None:
    assert (kind_of(text), says(text)) == (Kind.UNKNOWN, [f"Line 1: {FIRST_LINE}"])
    assert FIRST_LINE == "The first line has to be #!/bin/bash or another interpreter, or #cloud-config."


# -- cloud-config


@pytest.mark.usefixtures("loader")
@pytest.mark.feature("SCR-02")
@pytest.mark.parametrize(
    "text",
    [
        "packages:\n  - git\n",
        "# a comment\n---\npackages: [git]\n",
        "{package_update: true}\n",
        "write_files:\n  - content: |\n      all:\n      \tmake\n    path: /Makefile\n",
        "a: &a {x: 1}\nb: *a\nc: {<<: *a}\n",
        "a: 2025-01-31\n",
    ],
)
def test_it_takes_a_mapping(text: str) -> None:
    assert (kind_of(CONFIG + text), says(CONFIG + text)) == (Kind.CLOUD_CONFIG, [])


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["- git\n", "just words\n", "[git]\n", "42\n", "---\n- git\n"])
def test_it_wants_a_mapping_at_the_top(text: str) -> None:
    (said,) = says(CONFIG + text)
    assert said.startswith("Line ")
    assert "After #cloud-config come named settings, such as “packages:”, not a list or text." in said


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_it_wants_something_after_the_first_line(text: str) -> None:
    assert says(CONFIG + text) == ["Nothing stands after #cloud-config. Add settings, such as “packages:”."]


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a: b: c\n", "Line 2: This is no valid YAML at column 5: "),
        ("a: 1\nb: [1, 2\nc: 3\n", "Line 4: This is no valid YAML at column "),
        ("a: 'never closed\n", "Line 3: This is no valid YAML at column 1: "),
        ("a: *nobody\n", "Line 2: This is no valid YAML at column 4: found undefined alias"),
        ("a: !!python/object:os.system {}\n", "Line 2: This is no valid YAML at column 4: could not determine"),
        ("a: 1\n---\nb: 2\n", "Line 3: A second YAML document begins here."),
        ("a: \ufffe\n", "Line 2: A character stands here that YAML does not allow."),
        ("a: 2025-13-45\n", "cloud-init cannot read a value in it"),
    ],
)
def test_it_says_where_it_is_no_yaml(text: str, start: str) -> None:
    (said,) = says(CONFIG + text)
    assert said.startswith(start)


@pytest.mark.usefixtures("loader")
def test_it_says_where_that_begins_which_never_ends() -> None:
    assert says(f"{CONFIG}a: 1\nb: 'never\n\n\n")[0].endswith(" It belongs to what begins in line 3.")


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["packages:\n\t- git\n", "a:\n  b: 1\n\tc: 2\n", "a:\n  b: 1\n  \tc: 2\n"])
def test_it_calls_a_tab_a_tab(text: str) -> None:
    line = text[: text.index("\t")].count("\n") + 2
    assert says(CONFIG + text) == [f"Line {line}: It is indented with a tab. YAML takes spaces only."]


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["'hf_abcdefghijkl': [", "a: &hf_abcdefghijkl", "hf_abcdefghijkl: *sk_1234567890"])
def test_it_never_quotes_the_text(text: str) -> None:
    said = " ".join(says(CONFIG + text))
    assert "hf_abc" not in said
    assert "sk_123" not in said


BOMB = "a: &a [x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "This is alias number 21. Use at most 20, or write the text out."),
        ("a: " + "[" * 16_000, "more than 50 deep inside each other"),
        ("a: " + "{a: " * 4_000, "more than 50 deep inside each other"),
        ("a:\n" + "- " * 8_000, "more than 50 deep inside each other"),
    ],
)
def test_it_is_not_worn_out_by_a_text_made_for_it(text: str, words: str) -> None:
    begun = time.perf_counter()
    (said,) = says(CONFIG + text)
    assert words in said
    assert time.perf_counter() - begun < 5


# -- secrets


@pytest.mark.feature("SCR-08")
@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("export HF_TOKEN=abc123", "a Hugging Face token"),
        ("login --token hf_AbCdEfGhIjKlMnOp", "a Hugging Face token"),
        ("aws configure set x AKIAIOSFODNN7ABCDEFG", "an AWS access key"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "an AWS secret key"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "an AWS secret key"),
        ("git clone https://ghp_0123456789abcdefABCD@x", "a GitHub token"),
        ("x=github_pat_0123456789abcdefABCD", "a GitHub token"),
        ("OPENAI=sk-proj-0123456789abcdef", "an API key"),
        ("curl -d xoxb-123456789-abcdef", "a Slack token"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
        ("    -----BEGIN PRIVATE KEY-----", "a private key"),
        ("PASSWORD=hunter2", "a password"),
        ('DB_PASSWORD="hunter2"', "a password"),
        ("    password: hunter2", "a password"),
        ("TOKEN=abc123", "a token or key"),
        ("curl --token=abc123 x", "a token or key"),
        ("pip install --index-url https://me:hunter2@pypi.example/simple", "an address with a password"),
        ('curl -H "Authorization: Bearer abc123" x', "an authorization header"),
        ("# password=hunter2", "a password"),
    ],
)
def test_it_sees_a_secret_and_tells_the_line_alone(line: str, what: str) -> None:
    (secret,) = secrets_in(f"{SHELL}echo\n{line}\n")
    assert (secret.line, secret.what) == (3, what)
    # and it is a warning: nothing stands in the way
    assert says(f"{SHELL}{line}\n") == []


@pytest.mark.feature("SCR-08")
@pytest.mark.parametrize(
    "line",
    [
        "HF_TOKEN=",
        'HF_TOKEN=""',
        "HF_TOKEN=$HF_TOKEN",
        'TOKEN="${TOKEN}"',
        "TOKEN=$(cat /run/token)",
        "TOKEN=`token`",
        "PASSWORD=<your password>",
        "PASSWORD=changeme",
        "password: change_me",
        "PASSWORD=xxxxxxxx",
        "TOKEN=***",
        "TOKEN=...",
        "HF_TOKEN=hf_xxxxxxxxxxxx",
        "HF_TOKEN=your-token",
        "password: null",
        "lock_passwd: false",
        "password: {{ secret }}",
        "max_tokens=512",
        "tokenizer=llama",
        "TOKEN_FILE=/run/token",
        'if [ "$TOKEN" == "$OTHER" ]; then',
        "# the password: see vault",
        "https://user:$TOKEN@example.com/",
        "https://example.com:8080/a@b",
        "git@github.com:a/b.git",
        "desk-0123456789abcdef01",
        "-----BEGIN PUBLIC KEY-----",
        "ssh_pwauth: true",
        "echo no secret here",
        "AKIA is a prefix",
    ],
)
def test_it_lets_placeholders_and_plain_words_be(line: str) -> None:
    assert secrets_in(f"{SHELL}{line}\n") == ()


def test_it_tells_every_line_and_each_kind_once() -> None:
    text = f"{SHELL}HF_TOKEN=hf_abcdefghijkl\r\n\rAWS=AKIAIOSFODNN7ABCDEFG:ghp_0123456789abcdefABCD\n"
    assert [(secret.line, secret.what) for secret in secrets_in(text)] == [
        (2, "a Hugging Face token"),
        (4, "an AWS access key"),
        (4, "a GitHub token"),
    ]


@pytest.mark.parametrize(
    "text", ["password" * 2000, "://" * 5000, "://a" + ":" * 16_000, "password=" + "x" * 16_000 + "a"]
)
def test_it_is_quick_with_any_line(text: str) -> None:
    begun = time.perf_counter()
    secrets_in(text)
    assert time.perf_counter() - begun < 1


def test_it_stops_at_fifty() -> None:
    assert len(secrets_in("PASSWORD=hunter2\n" * 900)) == 50


# -- digests


def test_it_tells_which_part_has_changed_without_telling_it() -> None:
    before = digest("a", None, "secret")
    assert "secret" not in before
    assert before == digest("a", "", "secret")
    assert changed_parts(before, before) == []
    assert changed_parts(before, digest("b", "", "other")) == ["name", "content"]
    assert changed_parts(before, digest("a", "x", "secret")) == ["description"]
    assert changed_parts("", before) == ["name", "description", "content"]
    assert len(before) <= 80
