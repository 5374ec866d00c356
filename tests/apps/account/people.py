"""What the tests of members, invitations and sessions begin with."""

import re
from typing import Any

from django.core import mail
from django.test import Client

from apps.activity.models import Event

INVITE = "/account/members/invite/"
PASSWORD = "a-long-enough-passphrase"
ACCEPT = {"name": "Nora New", "password1": PASSWORD, "password2": PASSWORD}


def events(*actions: str) -> list[tuple[str, str, str]]:
    """Return action, target and result of the trail, oldest first; only of these actions, where any are named."""
    rows = Event.objects.order_by("number").values_list("action", "target_name", "result")
    return [row for row in rows if not actions or row[0] in actions]


def invite(admin: Client, email: str = "new@example.com", role: str = "operator") -> str:
    """Invite somebody, and return the path of the link in the mail."""
    response = admin.post(INVITE, {"email": email, "role": role, "intent": "invite"})
    assert response.status_code == 302, response.content.decode()
    return link()


def link(number: int = -1) -> str:
    """Return the path of the invitation in the newest mail, or another one."""
    found = re.search(r"http://testserver(/account/members/invite/\S+/)", str(mail.outbox[number].body))
    assert found, "the mail holds no link"
    return found[1]


def may_read(browser: Client) -> bool:
    """Return whether somebody is signed in."""
    return browser.get("/account/").status_code == 200


def sign_in(email: str, password: str, **fields: Any) -> Client:
    """Give a browser in which that person has just signed in by the form."""
    browser = Client()
    browser.post("/account/login/", {"login": email, "password": password, **fields})
    return browser
