"""An identity provider on a port of this machine: it answers what a test says, over a real socket."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from django.http import HttpResponse
from django.test import Client

CLIENT_ID, SECRET = "portal-client", "portal-secret"


class Identity:
    """What the provider says of whoever signs in, and what it was asked."""

    def __init__(self) -> None:
        self.url, self.audience = "", CLIENT_ID
        self.claims: dict[str, Any] = {}
        self.broken: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def says(self, sub: str, email: str | None, *, verified: Any = True, **more: Any) -> None:
        self.claims = {"sub": sub, **more}
        if email is not None:
            self.claims |= {"email": email, "email_verified": verified}

    def answer(self, path: str) -> bytes:
        if path in self.broken:
            return self.broken[path]
        if path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
            found = {name: f"{self.url}/{end}" for name, end in ends.items()}
            return json.dumps(found | {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        if path == "/token":
            times = {"iat": int(time.time()), "exp": int(time.time()) + 300}
            issuer = {"iss": self.url, "aud": self.audience}
            token = jwt.encode(self.claims | times | issuer, "a-key-of-the-test-that-nobody-checks", algorithm="HS256")
            return json.dumps({"access_token": "access-canary", "token_type": "Bearer", "id_token": token}).encode()
        return json.dumps(self.claims).encode()


@contextmanager
def serving() -> Iterator[Identity]:
    identity = Identity()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            path = urlsplit(self.path).path
            identity.asked.append((path, parse_qs(self.rfile.read(length).decode())))
            body = identity.answer(path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server finds it by this name

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    identity.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield identity
    server.shutdown()
    server.server_close()
    thread.join()


def go(browser: Client, login: str, **form: str) -> dict[str, str]:
    """Press the button, and return what the provider is asked in the address that the browser is led to."""
    response = browser.post(login, form)
    assert response.status_code == 302, response.content.decode()
    query = parse_qs(urlsplit(response["Location"]).query)
    return {name: values[0] for name, values in query.items()}


def come_back(browser: Client, login: str, **form: str) -> HttpResponse:
    """Go to the provider and come back with a code, as a browser whose person has signed in there."""
    asked = go(browser, login, **form)
    return browser.get(f"{login}callback/", {"code": "code-canary", "state": asked["state"]})
