"""What a startup script may hold: its size, first line, YAML where it is cloud-config; and what looks like a secret.

`check` reads a text as somebody typed it. It never runs anything, and never quotes a secret.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import yaml

# cloud-init's bound, in bytes of UTF-8.
MOST_BYTES = 16_384
# What no cloud-config of people needs, and what a text made to exhaust its reader has.
MOST_ALIASES = 20
DEEPEST = 50
# Sentences about one text; the rest is seen when these are mended.
MOST_PROBLEMS = 5
MOST_SECRETS = 50

INTERPRETER = re.compile(r"#![ \t]*/\S")
CLOUD_CONFIG = re.compile(r"#cloud-config(\s|$)")
FIRST_LINE = "The first line has to be #!/bin/bash or another interpreter, or #cloud-config."
BYTE_ORDER_MARK = "\ufeff"
# The one written in C, where PyYAML has it: twenty times as fast, and somebody is typing.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Kind(StrEnum):
    """Who reads the script, by its first line."""

    SHELL = "Shell script (#!)"
    CLOUD_CONFIG = "cloud-config"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Problem:
    """Why the text cannot be sent; `line` counts from 1 and is 0 for the text as a whole."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.text}" if self.line else self.text


@dataclass(frozen=True)
class Secret:
    """What a line seems to hold, in words that do not tell it."""

    line: int
    what: str


@dataclass(frozen=True)
class Checked:
    """A text as it would be sent, what was changed in it, and what was found."""

    text: str
    notes: list[str]
    problems: list[Problem]
    kind: Kind
    secrets: tuple[Secret, ...]

    @property
    def size(self) -> int:
        return size_of(self.text)


def check(text: str) -> Checked:
    """Return the text with LF line ends and without a byte order mark, and what is wrong or doubtful with it."""
    notes = []
    if text.startswith(BYTE_ORDER_MARK):
        text = text.removeprefix(BYTE_ORDER_MARK)
        notes.append("The invisible byte order mark at the start was dropped.")
    if "\r" in text:
        text = _with_lf(text)
        notes.append("Line ends were changed to LF.")
    kind = kind_of(text)
    # Nobody waits for a long text to be gone through that is refused anyway.
    problems = _too_long(text) or [*_unprintable(text), *_first_line(text)] or _yaml(text, kind)
    secrets = () if size_of(text) > MOST_BYTES else secrets_in(text)
    return Checked(text, notes, problems[:MOST_PROBLEMS], kind, secrets)


def as_typed(text: str) -> str:
    """Undo what a browser does to the line ends of a form that it sends by itself: all of them become CRLF."""
    typed = text.replace("\r\n", "\n")
    return text if "\r" in typed or typed.count("\n") != text.count("\r\n") else typed


def size_of(text: str) -> int:
    """Return the bytes of the text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def kind_of(text: str) -> Kind:
    """Return who reads the text."""
    if text.startswith("#!"):
        return Kind.SHELL
    return Kind.CLOUD_CONFIG if CLOUD_CONFIG.match(text) else Kind.UNKNOWN


def digest(name: str, description: str | None, content: str) -> str:
    """Return what tells one state of a script from another, part by part, without telling what stands in it."""
    return ".".join(
        hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
        for part in (name, description or "", content)
    )


def changed_parts(before: str, now: str) -> list[str]:
    """Return which parts differ between two digests; all of them when the first one is none."""
    known = before.split(".") if before.count(".") == 2 else ["", "", ""]
    pairs = zip(("name", "description", "content"), known, now.split("."), strict=True)
    return [part for part, one, other in pairs if one != other]


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_long(text: str) -> list[Problem]:
    size = size_of(text)
    if not text.strip():
        return [Problem(0, "Enter the script.")]
    if size > MOST_BYTES:
        return [Problem(0, f"Use at most {MOST_BYTES:,} bytes; this has {size:,}.")]
    return []


def _unprintable(text: str) -> Iterator[Problem]:
    for number, line in enumerate(text.split("\n"), start=1):
        wrong = next((char for char in line if unicodedata.category(char) in {"Cc", "Cs"} and char != "\t"), None)
        if wrong is not None:
            yield Problem(number, f"The invisible character U+{ord(wrong):04X} is not allowed. Delete it.")


def _first_line(text: str) -> Iterator[Problem]:
    if text.startswith("#!"):
        if not INTERPRETER.match(text):
            yield Problem(1, "After #! comes the whole path of an interpreter, such as #!/bin/bash.")
    elif not CLOUD_CONFIG.match(text):
        yield Problem(1, FIRST_LINE)


# --- cloud-config ----------------------------------------------------------------------------------------------------


def _yaml(text: str, kind: Kind) -> list[Problem]:
    """Return what keeps cloud-init from reading a cloud-config, at its line; nothing for other scripts."""
    if kind is not Kind.CLOUD_CONFIG:
        return []
    try:
        found = _shape(text)
        if found is None:
            # Bounded in depth and aliases by now. What cloud-init would make of it shows dates and keys that cannot be.
            yaml.load(text, Loader=LOADER)  # noqa: S506 - it is the safe loader
    except yaml.MarkedYAMLError as error:
        return [_marked(text, error)]
    except yaml.reader.ReaderError as error:
        return [Problem(text.count("\n", 0, error.position) + 1, "A character stands here that YAML does not allow.")]
    except RecursionError:
        return [TOO_DEEP]
    except (yaml.YAMLError, ValueError, TypeError, ArithmeticError):
        return [Problem(0, "cloud-init cannot read a value in it: look for a date, time or number that cannot be.")]
    return [] if found is None else [found]


TOO_DEEP = Problem(0, f"Lists and mappings stand more than {DEEPEST} deep inside each other. cloud-init needs a few.")


def _shape(text: str) -> Problem | None:
    """Go through the YAML event by event, without making anything of it, and return what is wrong with its shape."""
    depth = aliases = documents = 0
    top = False
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            documents, top = documents + 1, True
            if documents > 1:
                return Problem(line, "A second YAML document begins here. cloud-init reads one.")
            continue
        if top and not isinstance(event, yaml.MappingStartEvent):
            return Problem(line, "After #cloud-config come named settings, such as “packages:”, not a list or text.")
        top = False
        aliases += isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return TOO_DEEP
        if aliases > MOST_ALIASES:
            return Problem(line, f"This is alias number {aliases}. Use at most {MOST_ALIASES}, or write the text out.")
    return None if documents else Problem(0, "Nothing stands after #cloud-config. Add settings, such as “packages:”.")


def _marked(text: str, error: yaml.MarkedYAMLError) -> Problem:
    """Return the parser's own words, which do not quote the text, at their line; a tab is called a tab."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(0, "This is no YAML that cloud-init can read.")
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(mark.line + 1, "It is indented with a tab. YAML takes spaces only.")
    begun = error.context_mark.line + 1 if error.context_mark else mark.line + 1
    where = f" It belongs to what begins in line {begun}." if begun != mark.line + 1 else ""
    return Problem(mark.line + 1, f"This is no valid YAML at column {mark.column + 1}: {_words(error)}.{where}")


def _words(error: yaml.MarkedYAMLError) -> str:
    """Return what the parser says without what it quotes: an anchor, a key or a tag could be anything."""
    said = error.problem or "it cannot be read"
    return re.sub(r"\s*'([^'<][^']{2,})'|'[^']*'", lambda found: "" if found[1] else found[0], said)[:120].strip()


# --- secrets ---------------------------------------------------------------------------------------------------------

_VALUE = r"""\s*["']?([^\s"'#;&|]*)"""
# Where the value is a group, a placeholder in it is none. Each is bounded, so that no text makes it slow.
SPECIFIC: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("a Hugging Face token", r"(?:HF|HUGGING_?FACE|HUGGINGFACE_?HUB)_(?:API_)?(?:TOKEN|KEY)[\"']?\s*[=:]" + _VALUE),
        ("a Hugging Face token", r"(?<![A-Za-z0-9])(hf_[A-Za-z0-9_]{8,})"),
        ("an AWS access key", r"(?<![A-Za-z0-9])((?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])"),
        ("an AWS secret key", r"(?i:aws_secret_access_key)[\"']?\s*[=:]" + _VALUE),
        ("an AWS session token", r"(?i:aws_session_token)[\"']?\s*[=:]" + _VALUE),
        ("a GitHub token", r"(?<![A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})"),
        ("a Slack token", r"(?<![A-Za-z0-9])(xox[abeoprs]-[A-Za-z0-9-]{8,})"),
        ("an API key", r"(?<![A-Za-z0-9_-])(sk-[A-Za-z0-9_-]{16,})"),
        ("a private key", r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----"),
        ("an authorization header", r"(?i:authorization):\s*(?i:bearer|basic|token)\s+([^\s\"']{1,200})"),
        ("an address with a password", r"://[^\s/:@'\"]{0,200}:([^\s/@'\"]{1,200})@"),
    )
)
GENERIC: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern, re.IGNORECASE))
    for what, pattern in (
        ("a password", r"(?:password|passwd|passphrase)[\"']?[ \t]*=(?!=)" + _VALUE),
        ("a password", r"(?:password|passwd|passphrase)[\"']?:[ \t]+[\"']?(\S+?)[\"']?[ \t]*,?$"),
        ("a token or key", r"(?:token|secret|secret_key|api_?key)[\"']?[ \t]*=(?!=)" + _VALUE),
        ("a token or key", r"(?:token|secret|secret_key|api_?key)[\"']?:[ \t]+[\"']?(\S+?)[\"']?[ \t]*,?$"),
    )
)
PLACEHOLDER = re.compile(
    r"""(?ix) [$`<%{\[(\\] .* | .{0,11}? [x*.…_-]{3,} | (?:change|replace|fill)[_-]?(?:me|this|it|in) | your[_-] .*
    | changeit | placeholder | redacted | todo | none | null | nil | true | false | yes | no | on | off | ~ """
)


@lru_cache(maxsize=512)
def secrets_in(text: str) -> tuple[Secret, ...]:
    """Return the lines that seem to hold a secret, with its kind; obvious placeholders are none."""
    found: dict[Secret, None] = {}
    for number, line in enumerate(_with_lf(text).split("\n"), start=1):
        whats = _kinds(line, SPECIFIC) or _kinds(line, GENERIC)
        found |= dict.fromkeys(Secret(number, what) for what in whats)
        if len(found) >= MOST_SECRETS:
            break
    return tuple(found)[:MOST_SECRETS]


def _kinds(line: str, patterns: tuple[tuple[str, re.Pattern[str]], ...]) -> list[str]:
    return [what for what, pattern in patterns if any(_is_secret(match) for match in pattern.finditer(line))]


def _is_secret(match: re.Match[str]) -> bool:
    value = match.group(1) if match.re.groups else "-"
    return bool(value) and (not match.re.groups or not PLACEHOLDER.fullmatch(value))
