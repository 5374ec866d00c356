"""Settings from the environment: a bad value stops the start, with its name and what is allowed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from barrack_web import env


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("A_NAME", "A_NAME_FILE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_it_takes_the_default_of_what_is_not_set(variable: pytest.MonkeyPatch) -> None:
    for value in (None, "", "  "):
        if value is not None:
            variable.setenv("A_NAME", value)
        assert env.integer("A_NAME", 7, low=1, high=9) == 7
        assert env.number("A_NAME", 0.5, low=0, high=1) == 0.5
        assert env.boolean("A_NAME", default=True) is True
        assert env.words("A_NAME") == []


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("YES", True), ("1", True), ("off", False), ("0", False)]
)
def test_it_reads_yes_and_no(variable: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    variable.setenv("A_NAME", value)
    assert env.boolean("A_NAME", default=not expected) is expected


def test_it_reads_numbers_within_their_bounds(variable: pytest.MonkeyPatch) -> None:
    for value in ("1", " 9 "):
        variable.setenv("A_NAME", value)
        assert env.integer("A_NAME", 5, low=1, high=9) == int(value)
    variable.setenv("A_NAME", "2.5")
    assert env.number("A_NAME", 5, low=1, high=9) == 2.5


@pytest.mark.parametrize("value", ["0", "10", "abc", "1.5", "nan", "inf", "-1", "1e3", "1;2"])
def test_it_refuses_another_whole_number_and_says_what_is_allowed(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv("A_NAME", value)
    with pytest.raises(ImproperlyConfigured, match=r"^A_NAME is .*allowed is a whole number from 1 to 9"):
        env.integer("A_NAME", 5, low=1, high=9)


@pytest.mark.parametrize("value", ["0.9", "9.1", "nan", "inf", "-inf", "two"])
def test_it_refuses_another_number_and_says_what_is_allowed(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv("A_NAME", value)
    with pytest.raises(ImproperlyConfigured, match=r"^A_NAME is .*allowed is a number from 1 to 9"):
        env.number("A_NAME", 5, low=1, high=9)


@pytest.mark.parametrize("value", ["maybe", "2", "tru"])
def test_it_refuses_another_word_than_yes_or_no(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv("A_NAME", value)
    with pytest.raises(ImproperlyConfigured, match=r"A_NAME is .*allowed are true and false"):
        env.boolean("A_NAME", default=False)


def test_it_splits_words(variable: pytest.MonkeyPatch) -> None:
    variable.setenv("A_NAME", " a.example , ,b.example,")
    assert env.words("A_NAME") == ["a.example", "b.example"]


def test_it_reads_a_secret_from_a_file(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n", encoding="utf-8")
    variable.setenv("A_NAME_FILE", str(file))
    assert env.text("A_NAME", "default") == "hush"


def test_it_refuses_a_file_that_cannot_be_read(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for file in (tmp_path / "absent", tmp_path):
        variable.setenv("A_NAME_FILE", str(file))
        with pytest.raises(ImproperlyConfigured, match=r"A_NAME_FILE names .*cannot be read"):
            env.text("A_NAME")


def test_it_refuses_a_file_that_is_no_text(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")
    variable.setenv("A_NAME_FILE", str(tmp_path / "secret"))
    with pytest.raises(ImproperlyConfigured, match=r"A_NAME_FILE names .*cannot be read"):
        env.text("A_NAME")


def test_it_refuses_a_value_and_a_file_at_once(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable.setenv("A_NAME", "hush")
    variable.setenv("A_NAME_FILE", str(tmp_path / "secret"))
    with pytest.raises(ImproperlyConfigured, match="both set") as caught:
        env.text("A_NAME")
    assert "hush" not in str(caught.value)


def test_it_reads_database_addresses(variable: pytest.MonkeyPatch) -> None:
    default = Path("/var/lib/portal.sqlite3")
    assert env.database("A_NAME", default)["NAME"] == str(default)
    for url, name in (("sqlite:////data/a b.sqlite3", "/data/a b.sqlite3"), ("sqlite:///a%20b", "a b")):
        variable.setenv("A_NAME", url)
        assert env.database("A_NAME", default)["NAME"] == name
    variable.setenv("A_NAME", "postgresql://us%40er:p%2Fw@db.example:5433/portal")
    found = env.database("A_NAME", default)
    wanted = ("us@er", "p/w", "db.example", "5433", "portal")
    assert tuple(found[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")) == wanted


def test_it_lets_writers_wait_for_their_turn(variable: pytest.MonkeyPatch) -> None:
    options = env.database("A_NAME", Path("x"))["OPTIONS"]
    assert isinstance(options, dict)
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]


@pytest.mark.parametrize("url", ["mysql://user:hush@host/name", "portal.sqlite3", "postgresql://u:hush@host:x/n"])
def test_it_refuses_another_database_without_telling_its_password(variable: pytest.MonkeyPatch, url: str) -> None:
    variable.setenv("A_NAME", url)
    with pytest.raises(ImproperlyConfigured, match=r"^A_NAME ") as caught:
        env.database("A_NAME", Path("x"))
    assert "hush" not in str(caught.value)


def test_it_reads_cache_addresses(variable: pytest.MonkeyPatch) -> None:
    assert "LocMem" in str(env.cache("A_NAME")["BACKEND"])
    variable.setenv("A_NAME", "redis://host:6379/0")
    assert env.cache("A_NAME")["LOCATION"] == "redis://host:6379/0"
    variable.setenv("A_NAME", "memcached://:hush@host")
    with pytest.raises(ImproperlyConfigured, match="A_NAME must begin with redis://") as caught:
        env.cache("A_NAME")
    assert "hush" not in str(caught.value)


def test_it_prints_mail_where_no_server_is_named(variable: pytest.MonkeyPatch) -> None:
    assert env.mail("A_NAME").backend == "django.core.mail.backends.console.EmailBackend"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, "", "", True, False)),
        ("smtps://me:hush@mail.example", ("mail.example", 465, "me", "hush", False, True)),
        ("smtp+plain://[::1]:2525", ("::1", 2525, "", "", False, False)),
        ("smtp://me%40a.example:h%2Fu%3Ash@b.example:25", ("b.example", 25, "me@a.example", "h/u:sh", True, False)),
    ],
)
def test_it_reads_mail_servers(variable: pytest.MonkeyPatch, url: str, expected: tuple[object, ...]) -> None:
    variable.setenv("A_NAME", url)
    found = env.mail("A_NAME")
    assert found.backend == "django.core.mail.backends.smtp.EmailBackend"
    # host, port, user, password, STARTTLS, TLS
    assert found[1:] == expected


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://u:hush@mail.example", "smtp://", "smtp://u:hush@", "smtp://u:hush@mail.example:port"],
)
def test_it_refuses_another_mail_server_without_telling_its_password(variable: pytest.MonkeyPatch, url: str) -> None:
    variable.setenv("A_NAME", url)
    with pytest.raises(ImproperlyConfigured, match=r"^A_NAME must be smtp://, smtps:// or smtp\+plain://") as caught:
        env.mail("A_NAME")
    assert "hush" not in str(caught.value)


GOOGLE = {"GOOGLE_CLIENT_ID": "google-id", "GOOGLE_CLIENT_SECRET": "hush"}
OIDC = {
    "OIDC_NAME": "Corp Login",
    "OIDC_SERVER_URL": "https://login.corp.example/realms/a",
    "OIDC_CLIENT_ID": "oidc-id",
    "OIDC_CLIENT_SECRET": "hush",
}


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*GOOGLE, *OIDC, "OIDC_SIGN_IN_ORIGINS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    return monkeypatch


def test_it_knows_no_identity_provider_unless_told(providers: pytest.MonkeyPatch) -> None:
    assert env.identity_providers() == {}
    assert env.identity_origins() == []


def test_it_reads_identity_providers(providers: pytest.MonkeyPatch) -> None:
    for name, value in (GOOGLE | OIDC).items():
        providers.setenv(name, value)
    found: Any = env.identity_providers()
    assert found["google"]["APPS"] == [{"client_id": "google-id", "secret": "hush", "key": ""}]
    assert found["google"]["OAUTH_PKCE_ENABLED"] is found["openid_connect"]["OAUTH_PKCE_ENABLED"] is True
    (app,) = found["openid_connect"]["APPS"]
    assert (app["provider_id"], app["name"], app["client_id"]) == ("oidc", "Corp Login", "oidc-id")
    assert app["settings"] == {"server_url": "https://login.corp.example/realms/a"}
    # and forms may lead to where people sign in
    assert env.identity_origins() == ["https://accounts.google.com", "https://login.corp.example"]
    providers.setenv("OIDC_SIGN_IN_ORIGINS", "https://a.example:8443, https://b.example/")
    assert env.identity_origins() == ["https://accounts.google.com", "https://a.example:8443", "https://b.example"]


@pytest.mark.parametrize("missing", [*GOOGLE, *OIDC])
def test_it_refuses_half_an_identity_provider(providers: pytest.MonkeyPatch, missing: str) -> None:
    given = GOOGLE if missing in GOOGLE else OIDC
    for name, value in given.items():
        if name != missing:
            providers.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=rf"^{missing} must be set too, or none of ") as caught:
        env.identity_providers()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "login.corp.example",
        "http://login.corp.example",
        "https://",
        "https://u:p@login.corp.example",
        "https://login.corp.example/?a=b",
        "https://login.corp.example; script-src *",
        "https://*.corp.example",
        "ftp://login.corp.example",
    ],
)
def test_it_refuses_an_identity_provider_at_another_kind_of_address(providers: pytest.MonkeyPatch, url: str) -> None:
    for name, value in OIDC.items():
        providers.setenv(name, value)
    providers.setenv("OIDC_SIGN_IN_ORIGINS", url)
    with pytest.raises(ImproperlyConfigured, match=r"^OIDC_SIGN_IN_ORIGINS is .*allowed is https://host/path"):
        env.identity_origins()
    providers.delenv("OIDC_SIGN_IN_ORIGINS")
    providers.setenv("OIDC_SERVER_URL", url)
    with pytest.raises(ImproperlyConfigured, match=r"^OIDC_SERVER_URL is .*allowed is https://host/path"):
        env.identity_providers()


def test_it_reads_the_changed_facts_of_the_api(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert env.overrides("A_NAME").operations["list_regions"].path == "/regions"
    file = tmp_path / "overrides.toml"
    file.write_text('[operations.list_regions]\npath = "/v2/regions"\n')
    variable.setenv("A_NAME", str(file))
    assert env.overrides("A_NAME").operations["list_regions"].path == "/v2/regions"


def test_it_refuses_overrides_with_the_line_and_the_reason(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "overrides.toml"
    file.write_text('[operations.list_regions]\npath = "/v2/regions"\n\n[operations.list_zones]\npath = "/zones"\n')
    variable.setenv("A_NAME", str(file))
    with pytest.raises(
        ImproperlyConfigured, match=r"^A_NAME: .*overrides.toml, line 4: there is no operation list_zones"
    ):
        env.overrides("A_NAME")


REAL = {"BARRACK_API_KEY": "brk-canary-key", "SECRET_KEY": "x" * 50, "ALLOWED_HOSTS": "portal.example"}


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of their own, with that environment and nothing else."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "import barrack_web.settings as s; print(s.SANDBOX, s.HTTPS)"],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_it_starts_with_good_values() -> None:
    found = start(**REAL)
    assert (found.returncode, found.stdout) == (0, "False True\n"), found.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SECRET_KEY": "x" * 50, "BARRACK_API_URL": "https://barrack.ai/api"}, "BARRACK_API_KEY is not"),
        ({**REAL, "SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({**REAL, "ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS is not set"),
        ({**REAL, "POLL_SECONDS": "often"}, "POLL_SECONDS is 'often'; allowed is a whole number from 1 to 600"),
        ({**REAL, "API_READ_SECONDS": "60"}, "API_READ_SECONDS is '60'; allowed is a number from 0.05 to 10"),
        ({**REAL, "HTTPS": "perhaps"}, "HTTPS is 'perhaps'; allowed are true and false"),
        ({**REAL, "CACHE_URL": "localhost"}, "CACHE_URL must begin with"),
        ({**REAL, "DATABASE_URL": "mysql://x"}, "DATABASE_URL must begin with"),
        ({**REAL, "BARRACK_API_KEY_FILE": "/nowhere"}, "BARRACK_API_KEY and BARRACK_API_KEY_FILE are both set"),
        ({**REAL, "BARRACK_API_URL": "ftp://barrack.ai"}, "BARRACK_API_URL"),
        ({**REAL, "BARRACK_API_OVERRIDES": "/nowhere.toml"}, "BARRACK_API_OVERRIDES: /nowhere.toml: No such file"),
        ({"BARRACK_API_OVERRIDES": os.devnull}, "BARRACK_API_OVERRIDES is set, but BARRACK_API_KEY is not"),
        ({**REAL, "BARRACK_API_AUTH_HEADER": "X API Key:"}, "BARRACK_API_AUTH_HEADER"),
        ({**REAL, "BARRACK_API_KEY": "brk-canary-key\u00e9"}, "BARRACK_API_KEY"),
    ],
)
def test_it_stops_the_start_and_names_the_bad_variable(variables: dict[str, str], words: str) -> None:
    found = start(**variables)
    assert found.returncode != 0
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert words in last
    assert "brk-canary-key" not in found.stderr + found.stdout


def test_it_stops_a_command_with_one_sentence() -> None:
    # given a bad setting, then the command line says so without a traceback
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={"PATH": os.environ["PATH"], **REAL, "POLL_SECONDS": "often"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The portal cannot start. POLL_SECONDS is 'often'")
    assert len(done.stderr.splitlines()) == 1
