"""What the tests of sign-in share: reading mail, and comparing pages but for what differs from one to the next."""

import re
from typing import Any

from django.core import mail
from django.http import HttpResponse
from django.test import Client

CODE = re.compile(r"^ {4}(\d+)$", re.MULTILINE)
LINK = re.compile(r"https?://\S+/account/\S+")


def signed_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


def newest() -> Any:
    assert mail.outbox, "no mail was sent"
    return mail.outbox[-1]


def code_in(message: Any) -> str:
    found = CODE.findall(message.body)
    assert len(found) == 1, message.body
    return str(found[0])


def link_in(message: Any) -> str:
    found = LINK.findall(message.body)
    assert len(found) == 1, message.body
    return str(found[0])


def path_in(message: Any) -> str:
    """Return the link's path, as the test's browser opens it."""
    return "/" + link_in(message).split("/", 3)[3]


def check_plain(message: Any, to: str) -> None:
    """The mail is plain text for one person, and says who sent it and whom to ask."""
    assert message.to == [to]
    assert message.subject.startswith("[Barrack] ")
    assert "\n" not in message.subject
    assert getattr(message, "alternatives", []) == []
    assert "&" not in message.body
    assert "Barrack portal: http" in message.body
    assert "Questions: support@barrack.ai" in message.body
    assert "barrack-test" not in message.body


def same_but_for(response: HttpResponse, *words: str) -> tuple[int, str, list[str], str]:
    """Return everything that a visitor gets, without the form's secret and the words given."""
    page = re.sub(r'(name="csrfmiddlewaretoken" value=)"[^"]+"', r"\1", response.content.decode())
    headers = sorted(f"{name}: {value}" for name, value in response.items() if name not in {"X-Request-ID", "Expires"})
    cookies = sorted(f"{name} {dict(morsel)}" for name, morsel in response.cookies.items())
    for word in words:
        page = page.replace(word, "…")
        headers = [header.replace(word, "…") for header in headers]
    cookies = [re.sub(r"'expires': '[^']*'", "", cookie) for cookie in cookies]
    headers = [re.sub(r"Content-Length: \d+", "", header) for header in headers]
    return response.status_code, page, [*headers, *cookies], response.get("Location", "")
