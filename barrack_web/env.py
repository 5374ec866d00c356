"""Reading settings from the environment: a bad value stops the start and says what is allowed."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from barrack_web.client import BadOverrides, Overrides, load_overrides


def text(name: str, default: str = "") -> str:
    """Return the variable's text, or that of the file that NAME_FILE names. Raises ImproperlyConfigured for both."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        if name in os.environ:
            raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ImproperlyConfigured(f"{name}_FILE names {file}, which cannot be read: {reason}.") from None
    return os.environ.get(name, default).strip()


def matching(name: str, default: str, pattern: str, allowed: str) -> str:
    """Return the variable's text if it has that form; an error says what is allowed and never repeats the value."""
    value = text(name, default)
    if not re.fullmatch(pattern, value, re.ASCII):
        raise ImproperlyConfigured(f"{name} has another form than allowed; allowed is {allowed}.")
    return value


def boolean(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if value in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return default if value == "" else value in {"1", "true", "yes", "on"}
    raise ImproperlyConfigured(f"{name} is {value!r}; allowed are true and false.")


def number(name: str, default: float, *, low: float, high: float) -> float:
    return _number(name, default, low, high, float)


def integer(name: str, default: int, *, low: int, high: int) -> int:
    return int(_number(name, default, low, high, int))


def _number(name: str, default: float, low: float, high: float, kind: Callable[[str], float]) -> float:
    value = text(name)
    try:
        found = kind(value) if value else default
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        word = "a whole number" if kind is int else "a number"
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed is {word} from {low:g} to {high:g}.")
    return found


def words(name: str) -> list[str]:
    """Return the comma-separated words of the variable."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def overrides(name: str) -> Overrides:
    """Return the changed facts of the API from the TOML file that the variable names; none when it is unset."""
    file = os.environ.get(name, "").strip()  # a file by itself, so NAME_FILE would say nothing more
    try:
        return load_overrides(file) if file else Overrides()
    except BadOverrides as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


class Mail(NamedTuple):
    """How mail leaves: Django's backend, and the server it speaks to. The console prints it instead."""

    backend: str
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


def mail(name: str) -> Mail:
    """Return how mail leaves: smtp://user:secret@host:587 (STARTTLS), smtps://…:465 (TLS), smtp+plain://… (neither).

    Unset: it is printed where the portal runs. An error never repeats the value, which holds a password.
    """
    value = text(name)
    if not value:
        return Mail("django.core.mail.backends.console.EmailBackend")
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    usual = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
    if not host or url.scheme not in usual:
        raise ImproperlyConfigured(f"{name} must be smtp://, smtps:// or smtp+plain://user:secret@host:port.")
    return Mail(
        "django.core.mail.backends.smtp.EmailBackend",
        host,
        port or usual[url.scheme],
        unquote(url.username or ""),
        unquote(url.password or ""),
        starttls=url.scheme == "smtp",
        tls=url.scheme == "smtps",
    )


def identity_providers() -> dict[str, object]:
    """Return what django-allauth needs to know of Google and of an OpenID Connect provider; nothing for what is unset.

    Raises ImproperlyConfigured when one has some of its variables and not all.
    """
    google = _together("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")
    oidc = _together("OIDC_NAME", "OIDC_SERVER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    found: dict[str, object] = {}
    app: dict[str, object]
    if google:
        app = {"client_id": google["GOOGLE_CLIENT_ID"], "secret": google["GOOGLE_CLIENT_SECRET"], "key": ""}
        found["google"] = {"APPS": [app], "SCOPE": ["profile", "email"], "OAUTH_PKCE_ENABLED": True}
    if oidc:
        _origin("OIDC_SERVER_URL", oidc["OIDC_SERVER_URL"])
        app = {
            "provider_id": "oidc",
            "name": oidc["OIDC_NAME"],
            "client_id": oidc["OIDC_CLIENT_ID"],
            "secret": oidc["OIDC_CLIENT_SECRET"],
            "settings": {"server_url": oidc["OIDC_SERVER_URL"]},
        }
        found["openid_connect"] = {"APPS": [app], "OAUTH_PKCE_ENABLED": True}
    return found


def identity_origins() -> list[str]:
    """Return the origins of the pages on which people sign in to what is set up: the browser lets forms go there only.

    An OpenID Connect provider has it at OIDC_SERVER_URL, unless OIDC_SIGN_IN_ORIGINS names others.
    """
    found = ["https://accounts.google.com"] if text("GOOGLE_CLIENT_ID") else []
    if text("OIDC_SERVER_URL"):
        given = words("OIDC_SIGN_IN_ORIGINS")
        found += [_origin("OIDC_SIGN_IN_ORIGINS", word) for word in given] or [
            _origin("OIDC_SERVER_URL", text("OIDC_SERVER_URL"))
        ]
    return found


def _origin(name: str, address: str) -> str:
    """Return scheme and host of an address; plain http only to this machine itself."""
    found = re.fullmatch(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^\s?#]*)?", address, re.ASCII)
    if not found or (found[1] == "http" and found[2] not in {"localhost", "127.0.0.1", "[::1]"}):
        raise ImproperlyConfigured(f"{name} is {address!r}; allowed is https://host/path, without query or fragment.")
    return f"{found[1]}://{found[2]}{found[3] or ''}"


def _together(*names: str) -> dict[str, str]:
    found = {name: text(name) for name in names}
    missing = [name for name, value in found.items() if not value]
    if len(missing) == len(names):
        return {}
    if missing:
        raise ImproperlyConfigured(f"{' and '.join(missing)} must be set too, or none of {', '.join(names)}.")
    return found


def database(name: str, default: Path) -> dict[str, object]:
    """Return Django's description of the database that a URL names: sqlite:///file or postgresql://user:secret@host/name."""
    value = text(name)
    try:
        url = urlsplit(value)
        port = str(url.port or "")
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is no address; allowed is postgresql://user:secret@host:port/name."
        ) from None
    if value and url.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname or "",
            "PORT": port,
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            # What the address asks for beyond that (sslmode=verify-full, say), and a bound for a host that is silent.
            "OPTIONS": {"connect_timeout": 5} | dict(parse_qsl(url.query)),
        }
    if value and url.scheme != "sqlite":
        raise ImproperlyConfigured(f"{name} must begin with sqlite:/// or postgresql://.")
    file = Path(unquote(url.path.removeprefix("/"))) if value else default
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        "CONN_MAX_AGE": 60,
        # Without IMMEDIATE and WAL, concurrent writers get "database is locked" instead of waiting their turn.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def cache(name: str) -> dict[str, object]:
    """Return Django's description of the cache that a URL names: redis://host:6379/0, or local memory when unset."""
    value = text(name)
    if not value:
        # The default of 300 entries would drop locks and throttles under load.
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}}
    if not value.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(f"{name} must begin with redis://, rediss:// or unix://.")
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": value,
        "KEY_PREFIX": "barrack",
        "OPTIONS": {
            "serializer": "barrack_web.cache.MsgpackSerializer",
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
        },
    }
