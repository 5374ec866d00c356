"""Where the API is, and how the key gets there without showing up anywhere else."""

import re
from typing import Final
from urllib.parse import urlsplit

USER_AGENT: Final = "barrack-web/0.1"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SHORTEST_REDACTED: Final = 8


class Secret:
    """Holds the key so that no repr, and no debug page that prints one, can show it."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def __repr__(self) -> str:
        return "<secret>"

    def removed_from(self, body: bytes) -> bytes:
        """The body without the key, should the API have repeated it. A very short key could be any word and is left."""
        return body.replace(self._key, b"[key]") if len(self._key) >= _SHORTEST_REDACTED else body


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
        complete = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        complete = False
    if not complete or "@" in url.netloc or url.query or url.fragment:
        raise ValueError("the API's address must be http(s)://host/path, without user, query or fragment")
    return base_url.rstrip("/")
