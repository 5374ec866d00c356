"""What every test of the portal starts from: an empty cache, a fresh simulated cloud, people of each role."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from apps.account.addresses import prove
from apps.account.models import BillingProfile, User
from barrack_web import cloud
from barrack_web.client import outcomes
from barrack_web.sandbox.server import Sandbox

pytest_plugins = ["tests.feature_markers"]

HTMX = {"HX-Request": "true"}
# Seconds that calls have, and those that they have once the cloud is made to hang.
PATIENT, SHORT = 4.0, 0.4
LIMITS = ("connect", "read", "write")


@pytest.fixture(autouse=True)
def _half_minute() -> Iterator[None]:
    """The clock of authenticator apps' codes stands still in each test: none runs into, or waits for, the next code."""
    now = time.time()
    auth.time = SimpleNamespace(time=lambda: now)
    yield
    auth.time = time


@pytest.fixture
def short_pauses() -> Iterator[None]:
    """Reads that fail in passing are repeated as often as ever, after a hundredth of the usual pauses."""
    usual = outcomes.RETRY_PAUSES
    outcomes.RETRY_PAUSES = tuple(seconds / 100 for seconds in usual)
    yield
    outcomes.RETRY_PAUSES = usual


def shorten(settings: Any) -> None:
    """Give the calls from now on a short time, each kind of them whose limit the test has not set itself."""
    short = {name: SHORT for name in LIMITS if getattr(settings, f"API_{name.upper()}_SECONDS") == PATIENT}
    for name, seconds in short.items():
        setattr(settings, f"API_{name.upper()}_SECONDS", seconds)
    transport = cloud.client()._transport
    transport.limits = replace(transport.limits, **short)


@pytest.fixture
def sandbox(short_pauses: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The simulated cloud with the demo's data, time standing still unless the test moves it, and no call logged."""
    cache.clear()
    cloud.reset()
    found = cloud.sandbox()
    found.reset("demo")
    found.world.speed = 0
    found.latency = 0.0
    arm = found.faults.arm

    def armed(operation: str, kind: str, **more: Any) -> None:
        # A busy machine makes no call fail; a cloud that hangs is not waited for.
        if kind in {"hang", "drip"} or (kind == "delay" and more.get("seconds", SHORT) >= SHORT):
            shorten(settings)
        arm(operation, kind, **more)

    monkeypatch.setattr(found.faults, "arm", armed)
    yield found
    found.faults.clear()
    cloud.reset()
    cache.clear()


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a person: make_user("operator"), or with any field."""

    def make(role: str = "viewer", **fields: Any) -> User:
        email = fields.pop("email", f"{role}@example.com")
        person = User.objects.create_user(email, "barrack-test-1", role=role, **fields)
        prove(person)
        return person

    return make


@pytest.fixture
def sign_in(make_user: Callable[..., User]) -> Callable[[str], Client]:
    """Give a browser in which a person of that role is signed in: sign_in("operator")."""

    def enter(role: str) -> Client:
        person = User.objects.filter(email=f"{role}@example.com").first() or make_user(role)
        browser = Client(raise_request_exception=True)
        browser.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        return browser

    return enter


@pytest.fixture
def viewer(sandbox: Sandbox, sign_in: Callable[[str], Client]) -> Client:
    return sign_in("viewer")


@pytest.fixture
def billing(sandbox: Sandbox, sign_in: Callable[[str], Client]) -> Client:
    return sign_in("billing")


@pytest.fixture
def operator(sandbox: Sandbox, sign_in: Callable[[str], Client]) -> Client:
    return sign_in("operator")


@pytest.fixture
def admin(sandbox: Sandbox, sign_in: Callable[[str], Client]) -> Client:
    return sign_in("admin")


@pytest.fixture
def profile(db: None) -> BillingProfile:
    """A complete billing profile, which creating snapshots needs."""
    found = BillingProfile.load()
    found.address_line, found.postal_code, found.country = "1 Harbour Street", "97201", "US"
    found.save()
    return found


def token_of(response: HttpResponse) -> str:
    """Return the one-time token of the form in an answer."""
    found = re.search(r'name="token" value="([^"]+)"', response.content.decode())
    assert found, "the answer holds no form with a token"
    return found.group(1)


def text_of(response: HttpResponse) -> str:
    """Return the answer's words without tags, white space folded, as somebody reads them."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    words = re.sub(r"<[^>]+>", " ", page)
    for entity, character in (("&quot;", '"'), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        words = words.replace(entity, character)
    return re.sub(r"\s+", " ", words).strip()
