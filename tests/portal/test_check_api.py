"""manage.py check_api against a sandbox on a port: what it prints, with which exit code, and never the key."""

import io
import json
import re
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from jsonschema import validate
from pytest_django import Settings

from barrack_web import cloud
from barrack_web.capabilities import CAPABILITIES
from barrack_web.client import OPERATIONS, Doctor, ScriptLife, load_overrides
from barrack_web.sandbox.server import Sandbox, SandboxServer, serve

KEY = "sk-canary-0123456789abcdef"


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        return json.loads(self.out)

    @property
    def told(self) -> str:
        """What it printed on one line, so that a sentence is found wherever it was wrapped."""
        return " ".join(self.out.split())


class Terminal(io.StringIO):
    """What somebody looks at, or types into."""

    def isatty(self) -> bool:
        return True


Run = Callable[..., Outcome]


def run_command(*options: str, screen: type[io.StringIO] = io.StringIO) -> Outcome:
    out, err = screen(), screen()
    try:
        call_command("check_api", *options, stdout=out, stderr=err)
        code = 0
    except SystemExit as stop:
        code = int(str(stop.code))
    assert KEY not in out.getvalue() + err.getvalue()
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    """A sandbox on a port, without a process of its own."""
    running = serve(Sandbox(seed="demo", key=KEY, speed=0), port=0)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join(5)


@pytest.fixture
def remote(server: SandboxServer) -> Sandbox:
    return server.sandbox


@pytest.fixture
def check(server: SandboxServer, settings: Settings, short_pauses: None) -> Iterator[Run]:
    """The command in a portal that is set to use that sandbox as the real API."""
    settings.SANDBOX, settings.BARRACK_API_KEY = False, KEY
    settings.BARRACK_API_URL = f"http://127.0.0.1:{server.port}/api"
    settings.API_CONNECT_SECONDS = settings.API_READ_SECONDS = settings.API_WRITE_SECONDS = 4.0
    cloud.reset()
    yield run_command
    cloud.reset()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have somebody sit at a terminal and type a line."""

    def sit(line: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(f"{line}\n"))

    return sit


# --- What it prints --------------------------------------------------------------------------------------------------


def test_it_finds_everything_as_it_should_be(check: Run) -> None:
    found = check()
    assert found.code == 0
    assert found.out.startswith("Checks http://127.0.0.1:")
    assert "The key is accepted in the header X-API-Key." in found.told
    assert "The portal can read all that it needs." in found.told
    assert "0 failing, 0 absent." in found.told
    assert re.search(r"^  ok +list_images +200 +\d\.\d\d  GET /images$", found.out, re.MULTILINE)


def test_it_lists_each_safe_operation_once_in_its_group(check: Run) -> None:
    found = check("--quiet")
    table = found.out.partition("What errors look like")[0]
    for operation in OPERATIONS.values():
        lines = re.findall(rf"^  \w[\w ]+ {operation.name} ", table, re.MULTILINE)
        assert len(lines) == int(operation.safe or operation.name == "chat_completions"), operation.name
    assert re.findall(r"^\w[\w ]+$", table, re.MULTILINE) == [
        "Account and catalog", "Instances", "SSH keys", "Startup scripts", "Firewalls", "Snapshots", "Images",
        "Assistant", "Volumes",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 100, 160, 300])
def test_it_fits_the_screen(check: Run, remote: Sandbox, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    remote.faults.arm("list_images", "status", status=200, body={f"field_{n}": n for n in range(30)}, times=None)
    found = check("--quiet")
    table = found.out.splitlines()[1:]
    assert max(map(len, table)) < max(80, min(160, columns))


def test_it_shows_progress_line_by_line(check: Run) -> None:
    lines = check().err.splitlines()
    assert lines[0] == "[key] get_credit_balance with X-API-Key"
    assert lines[1] == "[ 1/38] get_credit_balance"
    assert lines[-1] == "[38/38] get_credit_balance: a call without a key"


def test_it_shows_progress_on_one_line_of_a_terminal(check: Run) -> None:
    found = check("--no-color", screen=Terminal)
    assert "\n" not in found.err
    assert found.err.count("\r\x1b[K") == 40
    assert found.err.endswith("\r\x1b[K")


def test_it_is_quiet_when_asked(check: Run) -> None:
    assert check("--quiet").err == ""


def test_it_is_coloured_on_a_terminal_only(check: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in check("--quiet").out
    assert "\x1b[" in check("--quiet", screen=Terminal).out
    assert "\x1b[" not in check("--quiet", "--no-color", screen=Terminal).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in check("--quiet", screen=Terminal).out


def test_it_tells_what_an_absent_capability_hides(check: Run, remote: Sandbox) -> None:
    remote.faults.arm("get_gpu_stocks", "status", status=404, times=None)
    found = check("--quiet")
    assert found.code == 0
    assert re.search(r"^  absent +get_gpu_stocks +404 ", found.out, re.MULTILINE)
    capability = CAPABILITIES["get_gpu_stocks"]
    assert f"get_gpu_stocks is absent. {capability.title}: {capability.hides}" in found.told


def test_it_takes_the_same_operations_for_capabilities_as_the_portal(check: Run) -> None:
    rows = check("--quiet", "--json").facts["operations"]
    tried = {row["operation"] for row in rows if not row["reason"] and row["state"] != "not used"}
    assert tried == set(CAPABILITIES)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "status", "status": 404}, "404: there is nothing at this path"),
        ({"kind": "html"}, "the body is HTML"),
        ({"kind": "invalid_json"}, "the body is no JSON object"),
        ({"kind": "status", "status": 200, "body": {"images": [{"image_id": 1}]}}, "name is missing"),
        ({"kind": "status", "status": 200, "body": {"rows": []}}, "no images in the answer"),
        ({"kind": "close"}, "the connection was cut"),
        ({"kind": "redirect", "headers": {"Location": "http://elsewhere.invalid/"}}, "a redirect"),
    ],
)
def test_it_fails_when_a_needed_read_does(check: Run, remote: Sandbox, fault: dict[str, Any], words: str) -> None:
    remote.faults.arm("list_images", times=None, **fault)
    found = check("--quiet")
    assert found.code == 1
    assert re.search(r"^  fails +list_images ", found.out, re.MULTILINE)
    assert words in found.told
    assert "list_images fails; it is needed for the list of images." in found.told
    assert "The portal would not work as it is configured now." in found.told


def test_it_passes_what_only_differs(check: Run, remote: Sandbox) -> None:
    row = {"image_id": 1, "name": "n", "region": "US-1", "status": "BAKED", "colour": "red", "size_gb": []}
    remote.faults.arm("list_images", "status", status=200, body={"images": [row]}, times=None)
    remote.faults.arm("get_image", "status", status=200, body={"image": row}, times=None)
    found = check("--quiet")
    assert found.code == 0
    assert "- status: BAKED is no known status word (once)" in found.told
    assert "note: not read: colour" in found.told
    assert "- size_gb: Expected" in found.told


def test_it_gives_a_start_for_an_overrides_file(check: Run, remote: Sandbox, tmp_path: Any) -> None:
    remote.faults.arm("list_scripts", "status", status=404, times=None)
    remote.faults.arm("list_images", "status", status=200, body={"images": [{"id": 1, "name": "n"}]}, times=None)
    found = check("--quiet")
    snippet = "\n".join(line[4:] for line in found.out.partition("BARRACK_API_OVERRIDES:")[2].splitlines())
    assert tomllib.loads(snippet) == {
        "operations": {"list_scripts": {"path": "/scripts"}},
        "structs": {"Image": {"image_id": "image_id", "region": "region"}},
    }
    told = " ".join(snippet.replace("#", "").split())
    assert "Not tried, and probably moved too: create_script, delete_script, delete_scripts, update_script" in told
    assert "missing; fields of the answer that are not read: id" in told
    # and as it stands it changes nothing
    (tmp_path / "overrides.toml").write_text(snippet)
    assert load_overrides(tmp_path / "overrides.toml").operations == OPERATIONS


def test_it_says_what_an_empty_account_leaves_untried(check: Run, remote: Sandbox) -> None:
    remote.reset("empty")
    found = check("--quiet")
    assert found.code == 0
    assert re.search(r"^  not tried +get_snapshot +- +-", found.out, re.MULTILINE)
    assert "note: the account has no snapshot" in found.told


def test_it_asks_whether_the_address_is_right_when_nothing_is_there(check: Run, settings: Settings) -> None:
    settings.BARRACK_API_URL = settings.BARRACK_API_URL.replace("/api", "/elsewhere")
    found = check("--quiet")
    assert found.code == 1
    assert f"is BARRACK_API_URL, {settings.BARRACK_API_URL}, the address of the API?" in found.told
    assert "BARRACK_API_OVERRIDES" not in found.told


def test_it_says_when_the_api_itself_is_not_well(check: Run, remote: Sandbox) -> None:
    remote.faults.arm("*", "html", times=None)
    found = check("--quiet")
    assert found.code == 1
    assert "None of the needed reads works: the API itself is not well." in found.told


# --- The key ---------------------------------------------------------------------------------------------------------


def test_it_says_which_settings_to_set_for_another_header(check: Run, settings: Settings) -> None:
    settings.BARRACK_API_AUTH_HEADER = "X-Wrong"
    found = check("--quiet")
    assert found.code == 1
    assert "Set BARRACK_API_AUTH_HEADER=X-API-Key and BARRACK_API_AUTH_PREFIX=." in found.told
    assert "0 failing, 0 absent." in found.told
    assert check("--quiet", "--json").facts["key"]["set"] == {
        "BARRACK_API_AUTH_HEADER": "X-API-Key",
        "BARRACK_API_AUTH_PREFIX": "",
    }


def test_it_takes_a_bearer_token(check: Run, settings: Settings) -> None:
    settings.BARRACK_API_AUTH_HEADER, settings.BARRACK_API_AUTH_PREFIX = "Authorization", "Bearer"
    found = check("--quiet")
    assert found.code == 0
    assert "The key is accepted in the header Authorization: Bearer." in found.told


def test_it_makes_no_further_call_when_the_key_is_refused(check: Run, remote: Sandbox) -> None:
    remote.key = "another"
    found = check("--quiet")
    assert found.code == 1
    assert "refuses the key in each of the headers that were tried: X-API-Key, Authorization: Bearer, api_key." in (
        found.told
    )
    assert len(remote.log.calls()) == 3


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/api", "no connection, the host refuses it on this port"),
        ("http://no-such-host.invalid/api", "no connection, the host's name is not known"),
    ],
)
def test_it_says_in_one_sentence_that_nothing_answers(check: Run, settings: Settings, url: str, reason: str) -> None:
    settings.BARRACK_API_URL = url
    found = check("--quiet")
    assert found.code == 1
    assert found.told.endswith(f"Summary The API at {url} cannot be reached: {reason}.")


# --- JSON ------------------------------------------------------------------------------------------------------------

WORD, TEXT, FLAG, NUMBER = {"type": "string"}, {"type": ["string", "null"]}, {"type": "boolean"}, {"type": "integer"}
TEXTS = {"type": "array", "items": WORD}
COUNT = {"type": ["integer", "null"]}


def table(**columns: Any) -> dict[str, Any]:
    return {"type": "object", "properties": columns, "required": sorted(columns), "additionalProperties": False}


def rows(**columns: Any) -> dict[str, Any]:
    return {"type": "array", "items": table(**columns)}


SCHEMA = table(
    sandbox=FLAG, url=WORD, works=FLAG, interrupted=FLAG, out_of_reach=WORD, left_behind=WORD, summary=TEXTS,
    overrides=WORD,
    key=table(
        result=WORD, header=WORD, prefix=WORD, set={"type": "object"},
        tries=rows(header=WORD, prefix=WORD, operation=WORD, status=COUNT, accepted=FLAG),
    ),
    operations=rows(
        operation=WORD, group=WORD, method=WORD, path=WORD, reason=WORD, status=COUNT, repeated=NUMBER, rows=COUNT,
        broken=COUNT, problems=TEXTS, notes=TEXTS,
        state={"enum": ["ok", "differs", "fails", "absent", "not tried", "not used"]},
        seconds={"type": ["number", "null"]},
        pagination={"enum": ["nested", "top", "absent", None]},
        success_flag={"type": ["boolean", "null"]},
        request_id={"enum": ["body", "header", "absent", None]},
        mends=rows(table=WORD, key=WORD, value=WORD, why=WORD),
    ),
    errors=rows(
        case=WORD, operation=WORD, expected={"type": "array", "items": NUMBER}, status=COUNT, body=WORD, keys=TEXTS,
        problems=TEXTS, state={"enum": ["ok", "differs", "fails"]},
    ),
    writes=rows(operation=WORD, status=COUNT, seconds={"type": "number"}, problem=WORD),
    absent={"type": "object", "additionalProperties": table(title=WORD, hides=WORD)},
)  # fmt: skip


def test_it_prints_one_json_document(check: Run, remote: Sandbox) -> None:
    remote.faults.arm("get_gpu_stocks", "status", status=404, times=None)
    remote.faults.arm("list_scripts", "status", status=404, times=None)
    found = check("--json", "--write", "--yes-write-to-the-account")
    validate(found.facts, SCHEMA)
    assert found.code == 1
    assert found.facts["works"] is False
    assert list(found.facts["absent"]) == ["get_gpu_stocks"]
    assert "[operations.list_scripts]" in found.facts["overrides"]
    assert "[38/38]" in found.err


@pytest.mark.parametrize("port", [1, None])
def test_it_prints_json_of_the_same_form_on_a_bad_day(check: Run, settings: Settings, port: int | None) -> None:
    settings.BARRACK_API_URL = f"http://127.0.0.1:{port}/api" if port else settings.BARRACK_API_URL
    settings.BARRACK_API_KEY = "wrong"
    found = check("--json", "--quiet")
    validate(found.facts, SCHEMA)
    assert found.code == 1
    assert bool(found.facts["out_of_reach"]) == bool(port)


# --- Writing ---------------------------------------------------------------------------------------------------------


def test_it_writes_after_the_word_was_typed(check: Run, remote: Sandbox, typed: Callable[[str], None]) -> None:
    typed("write")
    found = check("--write", "--quiet")
    assert found.code == 0
    assert re.search(r"Makes the startup script barrack-web-check-[0-9a-f]{8} in the account", found.err)
    assert "Type write to go on: " in found.err
    assert "Writing works: a script was made and deleted." in found.told
    assert [call.status for call in remote.log.calls("create_script")] == [200]


@pytest.mark.parametrize("line", ["", "yes", "Write"])
def test_it_writes_nothing_after_any_other_word(
    check: Run, remote: Sandbox, typed: Callable[[str], None], line: str
) -> None:
    typed(line)
    found = check("--write", "--quiet")
    assert found.code == 0
    assert "Nothing was written." in found.err
    assert remote.log.calls("create_script") == []


def test_it_refuses_to_write_with_nobody_to_ask(check: Run, remote: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("write\n"))
    with pytest.raises(CommandError, match="--yes-write-to-the-account"):
        check("--write")
    assert remote.log.calls() == []


def test_it_writes_unasked_when_told_so(check: Run, remote: Sandbox) -> None:
    before = dict(remote.world.scripts)
    found = check("--write", "--yes-write-to-the-account", "--quiet")
    assert found.code == 0
    assert [len(remote.log.calls(name)) for name in ("create_script", "update_script", "delete_script")] == [1, 1, 1]
    assert remote.world.scripts == before


def test_it_only_reads_unless_told_otherwise(check: Run, remote: Sandbox) -> None:
    check("--yes-write-to-the-account", "--quiet")
    assert all(OPERATIONS[str(call.operation)].safe for call in remote.log.calls())


def test_it_writes_nothing_when_scripts_cannot_be_read(check: Run, remote: Sandbox) -> None:
    remote.faults.arm("list_scripts", "status", status=500, times=None)
    found = check("--write", "--yes-write-to-the-account", "--quiet")
    assert found.code == 1
    assert "Nothing is written: list_scripts does not work." in found.err
    assert remote.log.calls("create_script") == []


def test_it_fails_with_a_step_and_names_what_is_left(check: Run, remote: Sandbox) -> None:
    remote.faults.arm("update_script", "status", status=500, times=None)
    remote.faults.arm("delete_script", "status", status=500, times=None)
    found = check("--write", "--yes-write-to-the-account", "--quiet")
    assert found.code == 1
    assert "Writing fails at update_script, delete_script." in found.told
    left = next(str(key) for key, row in remote.world.scripts.items() if row["name"].startswith("barrack-web-check"))
    assert re.search(rf"Left behind: the startup script barrack-web-check-\w+ \(id {left}\)\.", found.told)
    assert "The portal can read all that it needs." in found.told


# --- Interruptions, and no key at all --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [("--quiet",), ("--quiet", "--json")])
def test_it_prints_what_it_has_when_it_is_interrupted(
    check: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    usual = Doctor._checked

    def stop_at_images(doctor: Doctor, step: Any) -> Any:
        if step.operation == "list_images":
            raise KeyboardInterrupt
        return usual(doctor, step)

    monkeypatch.setattr(Doctor, "_checked", stop_at_images)
    found = check(*options)
    assert found.code == 130
    assert "list_snapshots" in found.out
    assert "Interrupted: this is what was found so far." in found.told
    assert "The portal can" not in found.told


def test_it_tidies_up_when_it_is_interrupted_while_writing(
    check: Run, remote: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_life: ScriptLife) -> None:
        raise KeyboardInterrupt

    before = dict(remote.world.scripts)
    monkeypatch.setattr(ScriptLife, "_update", stop)
    assert check("--write", "--yes-write-to-the-account", "--quiet").code == 130
    assert len(remote.log.calls("create_script")) == 1
    assert remote.world.scripts == before


def test_it_says_that_it_checks_the_simulated_cloud(sandbox: Sandbox) -> None:
    found = run_command("--quiet")
    assert found.code == 0
    assert found.out.startswith("BARRACK_API_KEY is not set: this checks the simulated cloud inside the portal, not")
    assert len(sandbox.log.calls("list_instances")) == 2


def test_it_says_in_its_help_that_nothing_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from barrack_web.management.commands.check_api import Command

    Command().create_parser("manage.py", "check_api").print_help()
    assert "never the key or other values" in " ".join(capsys.readouterr().out.split())
