"""/account/login/code/: in by a code of six digits that is sent by email."""

import re
import smtplib
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.account.adapter import CODE_IS_VOID, TOO_MANY, AccountAdapter
from apps.account.models import User
from apps.account.signin import CODE_IS_OVER
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.doors import check_plain, code_in, newest, signed_in
from tests.conftest import text_of

ASK = "/account/login/code/"
TYPE = "/account/login/code/confirm/"
EMAIL = "operator@example.com"
NOTE = "This sandbox sends no mail. What it would send is printed where the portal runs."


@pytest.fixture
def person(sandbox: Sandbox, make_user: Any) -> User:
    return make_user("operator")


def ask(browser: Client, email: str = EMAIL, **more: str) -> str:
    """Ask for a code and return the one that was sent."""
    sent = len(mail.outbox)
    response = browser.post(ASK, {"email": email, **more})
    assert response.status_code == 302
    assert len(mail.outbox) == sent + 1
    return code_in(newest())


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def age(browser: Client, seconds: int) -> None:
    """Let the code that a browser waits for grow older."""
    session = browser.session
    session["account_login"]["state"]["stages"]["login_by_code"]["data"]["at"] -= seconds
    session.save()


# --- works


@pytest.mark.feature("AUTH-02", "AUTH-04")
def test_it_signs_in_with_a_code_by_email(client: Client, person: User) -> None:
    # given the sign-in page, which has the link
    page = client.get("/account/login/").content.decode()
    assert re.search(r'href="/account/login/code/">\s*<svg.*?</svg>Login with OTP</a>', page)
    assert "Secure one-time password login via email" in text_of(client.get(ASK))
    # when a code is asked for
    response = client.post(ASK, {"email": EMAIL})
    assert (response.status_code, response["Location"]) == (302, TYPE)
    page = client.get(TYPE)
    assert f"If {EMAIL} belongs to an account, a code is on its way there" in text_of(page)
    assert ">Verify and Login</button>" in page.content.decode()
    assert 'autocomplete="one-time-code"' in page.content.decode()
    assert not signed_in(client)
    # and typed, then one is in
    response = client.post(TYPE, {"code": code_in(newest())})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert EMAIL in text_of(client.get("/account/"))


@pytest.mark.feature("AUTH-03")
def test_it_sends_six_digits_and_says_who_asked(client: Client, person: User) -> None:
    codes = {ask(Client()) for _ in range(4)}
    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    assert len(codes) > 1
    message = newest()
    check_plain(message, EMAIL)
    assert message.subject == "[Barrack] Your sign-in code"
    assert "It works once, for 10 minutes" in message.body
    assert re.search(r"It was asked for on \d+ \w+ \d{4}, \d\d:\d\d UTC from the address 127\.0\.0\.1\.", message.body)


@pytest.mark.parametrize("dress", ["{0}", " {0} ", "{1} {2}", "{1}-{2}"])
def test_it_takes_the_code_as_people_copy_it(client: Client, person: User, dress: str) -> None:
    code = ask(client)
    client.post(TYPE, {"code": dress.format(code, code[:3], code[3:])})
    assert signed_in(client)


def test_it_takes_the_address_in_any_case(client: Client, person: User) -> None:
    client.post(TYPE, {"code": ask(client, " Operator@EXAMPLE.com ")})
    assert signed_in(client)


def test_it_starts_a_new_session_that_ends_with_the_browser(client: Client, person: User) -> None:
    code = ask(client)
    before = client.cookies["sessionid"].value
    client.post(TYPE, {"code": code})
    assert client.cookies["sessionid"].value != before
    assert client.cookies["sessionid"]["max-age"] == ""
    # and the old key is worth nothing
    thief = Client()
    thief.cookies["sessionid"] = before
    assert not signed_in(thief)


# --- once, ten minutes, three tries


@pytest.mark.feature("AUTH-03")
def test_a_code_works_once(client: Client, person: User) -> None:
    code = ask(client)
    client.post(TYPE, {"code": code})
    client.post("/account/logout/")
    # when it is typed again, in the same browser or in another, then it is worth nothing
    for browser in (client, Client()):
        response = browser.post(TYPE, {"code": code}, follow=True)
        assert CODE_IS_OVER in text_of(response)
        assert not signed_in(browser)


@pytest.mark.feature("AUTH-03")
@pytest.mark.parametrize(("seconds", "works"), [(590, True), (605, False)])
def test_a_code_works_for_ten_minutes(client: Client, person: User, seconds: int, works: bool) -> None:
    code = ask(client)
    age(client, seconds)
    response = client.post(TYPE, {"code": code}, follow=True)
    assert signed_in(client) is works
    assert (CODE_IS_OVER in text_of(response)) is not works


def test_a_code_works_in_the_browser_that_asked(client: Client, person: User) -> None:
    code = ask(client)
    other = Client()
    assert CODE_IS_OVER in text_of(other.post(TYPE, {"code": code}, follow=True))
    ask(other)
    other.post(TYPE, {"code": code})
    assert not signed_in(other)


def test_a_code_is_void_after_three_wrong_tries(client: Client, person: User) -> None:
    code = ask(client)
    for _ in range(2):
        response = client.post(TYPE, {"code": wrong(code)})
        assert response.status_code == 422
        assert "This code is not correct. After three wrong tries you need a new one." in text_of(response)
    response = client.post(TYPE, {"code": wrong(code)}, follow=True)
    assert response.redirect_chain == [(ASK, 302)]
    assert CODE_IS_VOID in text_of(response)
    # then the right one comes too late, and a new one works
    client.post(TYPE, {"code": code})
    assert not signed_in(client)
    client.post(TYPE, {"code": ask(client)})
    assert signed_in(client)


def test_a_new_code_ends_the_old_one(client: Client, person: User) -> None:
    # given the button "Send a new code"
    old = ask(client, next="/vms/")
    page = client.get(TYPE, {"next": "/vms/"}).content.decode()
    assert "Send a new code" in page
    assert page.count('<input type="hidden" name="next" value="/vms/">') == 2
    assert f'<input type="hidden" name="email" value="{EMAIL}">' in page
    # when it is pressed, then only the new one counts, for another ten minutes
    age(client, 590)
    new = ask(client)
    assert client.post(TYPE, {"code": old}).status_code == (422 if old != new else 302)
    age(client, 590)
    client.post(TYPE, {"code": new})
    assert signed_in(client)


# --- bad input


@pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "١٢٣٤٥٦", "\x00", "0" * 5000, "-", "😀"])
def test_it_refuses_what_is_no_code(client: Client, person: User, code: str) -> None:
    if ask(client) == code:
        return
    response = client.post(TYPE, {"code": code})
    assert response.status_code == 422
    assert 'class="field-error"' in response.content.decode()
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "Enter your email address."),
        ("operator", "This is not an email address, such as name@example.com."),
        ("a@b", "This is not an email address, such as name@example.com."),
        ("x" * 400 + "@example.com", "at most 320 characters"),
    ],
)
def test_it_says_what_is_wrong_with_an_address(client: Client, person: User, email: str, sentence: str) -> None:
    response = client.post(ASK, {"email": email})
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert mail.outbox == []


def test_it_needs_a_code_that_is_waited_for(client: Client, person: User) -> None:
    assert client.get(TYPE)["Location"] == ASK
    assert client.post(TYPE, {"code": "123456"})["Location"] == ASK


def test_it_sends_nothing_to_who_may_not_come_in(client: Client, person: User) -> None:
    User.objects.update(is_active=False)
    assert client.post(ASK, {"email": EMAIL}).status_code == 302
    assert client.post(ASK, {"email": "nobody@example.com"}).status_code == 302
    assert mail.outbox == []


def test_it_sends_nothing_to_an_address_that_nobody_has_confirmed(client: Client, person: User) -> None:
    # given somebody who signed up with an address that may be another person's
    person.emailaddress_set.update(verified=False)  # type: ignore[attr-defined]
    assert client.post(ASK, {"email": EMAIL}).status_code == 302
    assert mail.outbox == []


def test_it_stops_somebody_who_is_switched_off_in_between(client: Client, person: User) -> None:
    code = ask(client)
    User.objects.update(is_active=False)
    assert client.post(TYPE, {"code": code})["Location"] == "/account/inactive/"
    assert not signed_in(client)


# --- throttled


def test_it_throttles_who_asks_for_many_codes(client: Client, person: User) -> None:
    for _ in range(5):
        ask(client)
    response = client.post(ASK, {"email": EMAIL})
    assert response.status_code == 422
    assert TOO_MANY in text_of(response)
    assert len(mail.outbox) == 5


# --- around it


@pytest.mark.parametrize("target", ["/vms/?q=a&sort=name", "/activity/"])
def test_it_goes_back_to_the_page_one_came_from(client: Client, person: User, target: str) -> None:
    # given a visitor who was sent to sign in from a page
    page = client.get("/account/login/", {"next": target}).content.decode()
    link = re.search(r'href="(/account/login/code/\?next=[^"]+)"', page)
    assert link
    page = client.get(link[1].replace("&amp;", "&")).content.decode()
    field = f'<input type="hidden" name="next" value="{target.replace("&", "&amp;")}">'
    assert field in page
    # when the code is asked for, mistyped once and then right
    sent = client.post(ASK, {"email": EMAIL, "next": target})
    assert field in client.get(sent["Location"]).content.decode()
    code = code_in(newest())
    assert field in client.post(TYPE, {"code": wrong(code), "next": target}).content.decode()
    assert client.post(TYPE, {"code": code, "next": target})["Location"] == target


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "//testserver@evil.example"],
)
def test_it_goes_to_no_other_host(client: Client, person: User, target: str) -> None:
    sent = client.post(ASK, {"email": EMAIL, "next": target})
    assert sent["Location"].split("?")[0] == TYPE
    assert client.post(TYPE, {"code": code_in(newest()), "next": target})["Location"] == "/"


def test_it_lets_one_take_another_way_instead(client: Client, person: User) -> None:
    # given somebody who waits for a code that does not come
    ask(client)
    page = client.get(TYPE).content.decode()
    assert "Back to sign-in" in page
    # when the password is typed after all, then the code is no obstacle
    response = client.post("/account/login/", {"login": EMAIL, "password": "barrack-test-1"})
    assert response["Location"] == "/"
    assert signed_in(client)


def test_it_leads_back_to_the_first_step(client: Client, person: User) -> None:
    ask(client)
    assert client.get("/account/login/")["Location"] == TYPE
    assert (
        client.post("/account/logout/", {"next": "/account/login/?next=/vms/"})["Location"]
        == "/account/login/?next=/vms/"
    )
    assert client.get("/account/login/").status_code == 200


def test_it_says_where_mail_is_printed(client: Client, person: User, settings: Any) -> None:
    ask(client)
    assert NOTE not in text_of(client.get(TYPE))
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert NOTE in text_of(client.get(TYPE))
    settings.SANDBOX = False
    assert NOTE.replace("sandbox", "portal") in text_of(client.get(TYPE))


def test_it_goes_on_when_mail_does_not_leave(
    client: Client, person: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given a mail server that is away, which must not tell who has an account
    def refuse(self: AccountAdapter, *_: Any, **__: Any) -> Any:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    response = client.post(ASK, {"email": EMAIL})
    assert (response.status_code, response["Location"]) == (302, TYPE)
    assert "the mail account/email/login_code could not be sent: SMTPServerDisconnected" in caplog.text


@pytest.mark.parametrize("url", [ASK, TYPE])
def test_it_needs_the_forms_own_secret(person: User, url: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(url, {"email": EMAIL, "code": "1"}).status_code == 403
    assert mail.outbox == []


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_it_refuses_other_methods(client: Client, person: User, method: str) -> None:
    assert getattr(client, method)(ASK).status_code == 405
    ask(client)
    assert getattr(client, method)(TYPE).status_code == 405


@pytest.mark.parametrize("url", [ASK, TYPE])
def test_it_sends_somebody_who_is_in_already_to_the_start_page(operator: Client, url: str) -> None:
    assert operator.get(url)["Location"] == "/"


def test_it_needs_no_answer_of_the_api(client: Client, person: User, sandbox: Sandbox) -> None:
    sandbox.faults.arm("*", "hang", times=None)
    code = ask(client)
    client.get(TYPE)
    assert client.post(TYPE, {"code": code}).status_code == 302
    assert sandbox.log.calls() == []
