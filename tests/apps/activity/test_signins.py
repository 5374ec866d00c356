"""Sign-ins, failures, sign-outs, passwords and second factors in the trail."""

import re
from typing import Any

import pytest
from allauth.account.signals import password_reset
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.core.cache import cache
from django.test import Client, RequestFactory

from apps.account.models import User
from apps.activity.events import first_break
from apps.activity.kinds import TITLES
from apps.activity.models import Event
from apps.activity.signins import NOBODY, bounded, throttled
from tests.apps.activity.helpers import request_of
from tests.conftest import text_of

LOGIN = "/account/login/"
PASSWORD = "barrack-test-1"


@pytest.fixture(autouse=True)
def forget_failures() -> None:
    cache.clear()


@pytest.fixture
def person(make_user: Any) -> User:
    make_user("admin")
    return make_user("operator")


def trail() -> list[tuple[str, str, str]]:
    return list(Event.objects.order_by("number").values_list("action", "who", "result"))


def enter(browser: Client, email: str, password: str = PASSWORD, **headers: Any) -> Any:
    return browser.post(LOGIN, {"login": email, "password": password}, **headers)


@pytest.mark.feature("AUTH-01", "AUTH-12")
def test_it_writes_a_sign_in_and_a_sign_out(client: Client, person: User) -> None:
    # given somebody who signs in, from an address, and out again
    enter(client, "Operator@Example.com", REMOTE_ADDR="192.0.2.7", headers={"X-Request-ID": "from-the-test-1"})
    client.post("/account/logout/")
    # then both are there, with who it was
    assert trail() == [("sign_in", "operator@example.com", "done"), ("sign_out", "operator@example.com", "done")]
    event = Event.objects.get(number=1)
    assert (event.user, event.role, event.address, event.request_id) == (
        person,
        "operator",
        "192.0.2.7",
        "from-the-test-1",
    )
    assert first_break() is None


def test_it_writes_a_failure_without_the_password(client: Client, person: User) -> None:
    enter(client, "operator@example.com", "not-the-password-1", REMOTE_ADDR="192.0.2.7")
    event = Event.objects.get()
    assert (event.action, event.who, event.user, event.role, event.result, event.address) == (
        "sign_in", "operator@example.com", person, "", "refused", "192.0.2.7",
    )  # fmt: skip
    assert "not-the-password-1" not in str(Event.objects.values().get())


def test_it_writes_a_failure_for_an_account_that_does_not_exist(client: Client, person: User) -> None:
    enter(client, "nobody@example.com")
    event = Event.objects.get()
    assert (event.action, event.who, event.user, event.result) == ("sign_in", "nobody@example.com", None, "refused")


def test_it_writes_a_failure_for_somebody_who_is_switched_off(client: Client, make_user: Any) -> None:
    make_user("operator", is_active=False)
    enter(client, "operator@example.com")
    assert [(action, result) for action, _, result in trail()] == [("sign_in", "refused")]


@pytest.mark.parametrize(
    "data", [{}, {"login": "", "password": ""}, {"login": "x"}, {"login": "no address", "password": "p"}]
)
def test_it_writes_nothing_for_a_form_that_is_not_filled_in(client: Client, person: User, data: dict[str, str]) -> None:
    client.post(LOGIN, data)
    assert trail() == []


def test_it_shows_failures_in_the_list_as_text(admin: Client, client: Client) -> None:
    enter(client, "<b>x</b>@example.com")
    enter(client, '"><img/src=x>"@example.com')
    page = admin.get("/activity/", {"action": "sign_in"})
    assert "<img" not in page.content.decode()
    assert "<b>x" not in page.content.decode()


# --- a flood


def test_it_writes_no_more_failures_than_the_throttle_lets_through(client: Client, person: User) -> None:
    # given somebody who tries one account again and again
    for number in range(30):
        enter(client, "operator@example.com", f"guess-number-{number}")
    # then five attempts are written, and once that it was too often
    assert trail() == [("sign_in", "operator@example.com", "refused")] * 5 + [
        ("sign_in.throttled", "operator@example.com", "refused")
    ]


def test_it_writes_once_that_an_address_tries_too_many_accounts(client: Client, person: User) -> None:
    for number in range(40):
        enter(client, f"p{number}@example.com")
    actions = [action for action, _, _ in trail()]
    assert (actions.count("sign_in"), actions.count("sign_in.throttled")) == (20, 1)


def test_it_bounds_what_is_written_of_one_account_from_many_addresses(person: User) -> None:
    for number in range(10):
        throttled(RequestFactory().post("/", REMOTE_ADDR=f"192.0.2.{number}"), "operator@example.com")
    assert len(trail()) == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\x00b\nc\u202e@example.com", "abc@example.com"),
        ("x" * 400, "x" * 254),
        ("  a@b.c ", "a@b.c"),
        (None, ""),
        (7, "7"),
    ],
)
def test_it_bounds_what_a_stranger_typed(typed: object, kept: str) -> None:
    assert bounded(typed) == kept


def test_it_has_a_word_for_whoever_typed_nothing(db: None) -> None:
    throttled(RequestFactory().post("/"), "")
    assert Event.objects.get().who == NOBODY


# --- passwords, second factors, accounts of providers


def signal(kind: Any, person: User, **facts: Any) -> None:
    kind.send(sender=Authenticator, request=request_of(person), user=person, **facts)


@pytest.mark.feature("AUTH-06")
def test_it_writes_a_reset_password(person: User) -> None:
    password_reset.send(sender=User, request=request_of(person), user=person)
    assert trail() == [("password.reset", "operator@example.com", "done")]


def test_it_writes_second_factors_and_recovery_codes_once_each(person: User) -> None:
    # given an app that is added, with the recovery codes that come with the first factor, and taken away with them
    app, codes = (Authenticator(user=person, type=kind, data={}) for kind in ("totp", "recovery_codes"))
    for kind in (authenticator_added, authenticator_removed):
        signal(kind, person, authenticator=app)
        signal(kind, person, authenticator=codes)
    # and new codes
    signal(authenticator_reset, person, authenticator=codes)
    assert [(action, result) for action, _, result in trail()] == [
        ("second_factor.add", "done"), ("second_factor.remove", "done"), ("recovery_codes.make", "done"),
    ]  # fmt: skip
    assert Event.objects.get(number=1).name == "Authenticator app"


def test_it_writes_that_an_account_of_a_provider_was_connected(person: User) -> None:
    from allauth.socialaccount.models import SocialAccount, SocialLogin

    account = SocialAccount(user=person, provider="google", uid="1")
    social_account_added.send(
        sender=SocialLogin, request=request_of(person), sociallogin=SocialLogin(user=person, account=account)
    )
    social_account_removed.send(sender=SocialAccount, request=request_of(person), socialaccount=account)
    assert list(Event.objects.order_by("number").values_list("action", "name")) == [
        ("social_account.add", "google"), ("social_account.remove", "google"),
    ]  # fmt: skip


def test_it_has_words_for_every_action_that_is_written_anywhere(settings: Any) -> None:
    """A title for each action that stands in the code as a literal."""
    pattern = re.compile(
        r'(?:\brecord\(\s*request,|\bwrite\(\s*request,|\b_change\(\s*request, member_id,|\baction=)\s*"([a-z_.]+)"'
    )
    found = set()
    for file in settings.BASE_DIR.glob("apps/*/*.py"):
        found |= set(pattern.findall(file.read_text(encoding="utf-8")))
    assert {"billing_profile.edit", "sign_in.throttled", "activity.export"} <= found
    assert sorted(found - set(TITLES)) == []


def test_it_shows_words_for_people_in_the_list(admin: Client, client: Client) -> None:
    enter(client, "nobody@example.com")
    assert "Sign in" in text_of(admin.get("/activity/"))
