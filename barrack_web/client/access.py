"""Where the API is, and how the key gets there without showing up anywhere else."""

import re
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

USER_AGENT: Final = "barrack-web/0.1"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SHORTEST_REDACTED: Final = 8


class Secret:
    """Holds the key so that no repr, and no debug page that prints one, can show it."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._in_json = re.compile(b"".join(_in_json(char) for char in key))

    def __repr__(self) -> str:
        return "<secret>"

    def removed_from(self, body: bytes) -> bytes:
        """The body without the key, should the API have repeated it. A very short key could be any word and is left."""
        if len(self._key) < _SHORTEST_REDACTED:
            return body
        plain = body.replace(self._key, b"[key]")
        return self._in_json.sub(b"[key]", plain) if b"\\" in plain else plain  # the pattern is slow, the search is not

    def is_in(self, text: str | None) -> bool:
        """Whether a text repeats the key. A very short key could be any word and is not looked for."""
        return len(self._key) >= _SHORTEST_REDACTED and self._key in (text or "").encode()


def _in_json(char: str) -> bytes:
    """A pattern for all ways to write a character in a JSON text: as it is, by its number, or after a backslash."""
    number = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(char):04x}")
    ways = [re.escape(char), rf"\\u{number}", *([rf"\\{re.escape(char)}"] if char in '"/\\' else [])]
    return f"(?:{'|'.join(ways)})".encode()


def headers_with_key(auth_header: str, auth_prefix: str, key: str) -> dict[str, str]:
    """The headers of every request; without a key, none that carries it.

    Raises ValueError, without the key in it, for a key or header name that HTTP cannot carry.
    """
    if not _HEADER_NAME.fullmatch(auth_header):
        raise ValueError("the name of the key's header is not a header name")
    value = f"{auth_prefix.strip()} {key}".strip()
    if not (value.isascii() and value.isprintable()):
        raise ValueError("the API key holds characters that no header can carry")
    usual = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
    return usual | ({auth_header: value} if key else {})


def checked_base(base_url: str) -> str:
    """The base URL without its last slash. Raises ValueError when calls could not be made from it."""
    try:
        url = urlsplit(base_url)
        (url.hostname or "").encode("idna")  # looking up a name that is none would raise this, and no error of ours
        complete = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        complete = False
    if not complete or "@" in url.netloc or url.query or url.fragment:
        raise ValueError("the API's address must be http(s)://host/path, without user, query or fragment")
    return base_url.rstrip("/")


def why_no_connection(error: BaseException) -> str:
    """Which kind of failure kept a connection from being made, in words without addresses."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (socket.gaierror, "no connection, the host's name is not known"),
        (ssl.SSLCertVerificationError, "no connection, the certificate is not trusted"),
        (ssl.SSLError, "no connection, no common language for TLS"),
        (ConnectionRefusedError, "no connection, the host refuses it on this port"),
    )
    cause: BaseException | None = error
    while cause is not None:
        for kind, words in kinds:
            if isinstance(cause, kind):
                return words
        cause = cause.__cause__ or cause.__context__
    return "no connection"
