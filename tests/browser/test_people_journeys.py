"""From an invitation to a sign-in with two factors, and back in with a forgotten password, as people walk it."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.account.models import Invitation
from apps.activity.models import Event
from tests.apps.account.doors import CODE, LINK
from tests.apps.account.second_factors import code_of
from tests.browser.conftest import HOME

Open = Callable[..., Page]
EMAIL, NAME = "nora.new@example.com", "Nora Newcomer"
PASSWORD, NEW = "quiet-harbour-seven", "three-blind-mice"
OPERATOR = "operator@example.com"

both = pytest.mark.parametrize("js", [True, False], ids=["with-script", "without-script"])


def last_mail(to: str, subject: str) -> str:
    """Return the words of the newest mail, which is to that person about that."""
    message = mail.outbox[-1]
    assert (message.to, message.subject) == ([to], f"[Barrack] {subject}")
    return str(message.body)


def only(pattern: re.Pattern[str], words: str) -> str:
    found = pattern.findall(words)
    assert len(found) == 1, words
    return str(found[0])


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def with_password(page: Page, email: str, password: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    press(page, "Sign in")


def new_password(page: Page, first: str, again: str, *, label: str = "New password") -> None:
    page.get_by_label(label, exact=True).fill(first)
    page.get_by_label(f"{label} again").fill(again)


def sign_out(page: Page) -> None:
    page.goto("/account/logout/")
    press(page, "Sign out")
    page.wait_for_url("**/account/login/**")


def is_in_as(page: Page, email: str, role: str) -> None:
    """The page of the account names the person and the role."""
    page.goto("/account/")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    expect(page.get_by_role("region", name="You")).to_contain_text(email)
    expect(page.get_by_role("region", name=f"Role {role}")).to_be_visible()


def is_out(page: Page) -> None:
    """The account leads to the sign-in page, or to the step of it that is still due."""
    page.goto("/account/")
    page.wait_for_url(re.compile(r"/account/(login|mfa/authenticate)/"))
    expect(page.get_by_role("heading", name="My account")).to_have_count(0)


def events(*kinds: str) -> list[tuple[str, str]]:
    """Return what was written down of these kinds, in order."""
    rows = Event.objects.filter(action__in=kinds).order_by("pk")
    return list(rows.values_list("action", "result"))


def invite(admin: Page, role: str) -> str:
    """Invite the new member as an admin does, and return the link of the mail."""
    admin.goto("/account/members/")
    admin.get_by_role("link", name="Invite member").click()
    # The list behind the dialog has a filter of the same name.
    form = admin.locator("form", has=admin.get_by_role("button", name="Send invitation"))
    form.get_by_label("Email address").fill(EMAIL)
    form.get_by_label("Role", exact=True).select_option(label=role)
    press(admin, "Send invitation")
    expect(admin.get_by_text(f"{EMAIL} is invited.")).to_be_visible()
    row = admin.get_by_role("region", name="Open invitations").get_by_role("row").filter(has_text=EMAIL)
    expect(row).to_contain_text(role)
    words = last_mail(EMAIL, f"Ada Admin invites you to {admin.url.split('/')[2]}")
    assert f"with the role {role.lower()}" in words
    return only(LINK, words)


def accept(page: Page, link: str) -> None:
    """Open the link, be told of a weak password, and choose a good one."""
    page.goto(link)
    expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
    page.get_by_label("Your name").fill(NAME)
    new_password(page, "short", "short", label="Password")
    press(page, "Accept and sign in")
    expect(page.locator(".field-error")).to_contain_text("12 characters")
    expect(page.get_by_label("Your name")).to_have_value(NAME)
    new_password(page, PASSWORD, PASSWORD, label="Password")
    press(page, "Accept and sign in")
    page.wait_for_url(HOME)


def set_up_app(page: Page) -> str:
    """Set up an authenticator app, and return the secret that the page shows."""
    page.goto("/account/mfa/")
    page.get_by_role("link", name="Set up an app").click()
    # The password was typed a moment ago, so that it is not asked for once more.
    secret = page.locator("#secret").inner_text().replace(" ", "")
    page.get_by_label("Code from the app").fill(code_of(secret, -1))
    press(page, "Turn it on")
    page.wait_for_url("**/recovery-codes/")
    expect(page.locator(".codes li")).to_have_count(10)
    last_mail(EMAIL, "Security: an authenticator app was added")
    return secret


def ask_for_code(page: Page, email: str) -> str:
    """Follow "Login with OTP" and return the code of the mail."""
    page.get_by_role("link", name="Login with OTP", exact=True).click()
    page.get_by_label("Email address").fill(email)
    press(page, "Send the code")
    page.wait_for_url("**/login/code/confirm/**")
    expect(page.get_by_text(f"If {email} belongs to an account")).to_be_visible()
    code = only(CODE, last_mail(email, "Your sign-in code"))
    assert re.fullmatch(r"\d{6}", code)
    return code


@both
@pytest.mark.feature("AUTH-02", "AUTH-03", "AUTH-04")
def test_an_invited_member_comes_in_by_two_factors(open_page: Open, js: bool) -> None:
    # given an invitation, opened in a browser that was never here
    link = invite(open_page("admin", js=js), "Operator")
    page = open_page(js=js)
    accept(page, link)
    # then one is in with the role of the invitation, and the admin sees the member in the place of the invitation
    is_in_as(page, EMAIL, "Operator")
    assert Invitation.objects.get().accepted_at is not None
    # when an app is set up and one signs out
    secret = set_up_app(page)
    sign_out(page)
    is_out(page)

    # then the code by mail is the first step: a wrong one does nothing
    code = ask_for_code(page, EMAIL)
    page.get_by_label("Code", exact=True).fill(f"{(int(code) + 1) % 1_000_000:06}")
    press(page, "Verify and Login")
    expect(page.locator(".field-error")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code)
    press(page, "Verify and Login")
    # and the app the second, without which nothing opens
    page.wait_for_url("**/mfa/authenticate/**")
    is_out(page)
    page.goto("/account/mfa/authenticate/")
    page.get_by_label("Code from the app").fill(code_of(secret))
    press(page, "Sign in")
    is_in_as(page, EMAIL, "Operator")

    # and all of it is written down, once each
    assert events("member.invite", "member.accept") == [("member.invite", "done"), ("member.accept", "done")]


@both
@pytest.mark.feature("AUTH-03")
def test_a_code_works_once(open_page: Open, js: bool) -> None:
    page = open_page(js=js)
    page.goto("/account/login/?next=/activity/")
    code = ask_for_code(page, OPERATOR)
    page.get_by_label("Code", exact=True).fill(code)
    press(page, "Verify and Login")
    page.wait_for_url("**/activity/")
    sign_out(page)
    # when another code is on its way, the used one is a wrong one
    newer = ask_for_code(page, OPERATOR)
    assert newer != code
    page.get_by_label("Code", exact=True).fill(code)
    press(page, "Verify and Login")
    expect(page.locator(".field-error")).to_be_visible()
    is_out(page)


@both
def test_an_invitation_lets_one_person_in_once(open_page: Open, js: bool) -> None:
    admin = open_page("admin", js=js)
    link = invite(admin, "Viewer")
    # the admin who opens the link to look at it is told whose it is
    admin.goto(link)
    expect(admin.get_by_role("heading", name="Somebody else is signed in here")).to_be_visible()
    first, second = open_page(js=js), open_page(js=js, width=390, height=844)
    second.goto(link)
    accept(first, link)
    is_in_as(first, EMAIL, "Viewer")
    # then the page that stood open elsewhere accepts it no second time, and says so
    second.get_by_label("Your name").fill("Somebody else")
    new_password(second, NEW, NEW, label="Password")
    press(second, "Accept and sign in")
    expect(second.get_by_role("heading", name="This invitation was accepted already")).to_be_visible()
    is_out(second)
    # and the list shows the member instead of the invitation
    admin.goto("/account/members/")
    expect(admin.get_by_role("region", name="People")).to_contain_text(EMAIL)
    expect(admin.get_by_role("region", name="Open invitations")).to_have_count(0)


@both
def test_a_revoked_invitation_lets_nobody_in(open_page: Open, js: bool) -> None:
    admin = open_page("admin", js=js)
    link = invite(admin, "Admin")
    admin.get_by_role("link", name=f"Revoke {EMAIL}").click()
    press(admin, "Revoke")
    expect(admin.get_by_text(f"The invitation of {EMAIL} is revoked.")).to_be_visible()
    page = open_page(js=js)
    page.goto(link)
    expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_count(0)


@both
@pytest.mark.feature("AUTH-06", "AUTH-08")
def test_a_forgotten_password_is_replaced(open_page: Open, js: bool, portal: str) -> None:
    # given somebody who is signed in elsewhere, and has forgotten the password here
    elsewhere = open_page("operator", js=js)
    page = open_page(js=js)
    page.goto("/account/login/")
    page.get_by_role("link", name="Forgot password?").click()
    page.get_by_label("Email address").fill(OPERATOR)
    press(page, "Send the link")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    link = only(LINK, last_mail(OPERATOR, "Choose a new password"))
    assert link.startswith(f"{portal}/account/password/reset/key/")

    # when the link is opened, then the secret leaves the address, and two bad passwords are refused
    page.goto(link)
    assert page.url != link
    new_password(page, "password1234", "password1234")
    press(page, "Set the new password")
    expect(page.locator(".field-error")).to_contain_text("too common")
    new_password(page, NEW, f"{NEW}s")
    press(page, "Set the new password")
    expect(page.locator(".field-error")).to_be_visible()
    assert len(mail.outbox) == 1
    new_password(page, NEW, NEW)
    press(page, "Set the new password")
    expect(page.get_by_role("heading", name="Your new password is set")).to_be_visible()

    # then a mail says so, every session has ended, and the old password opens nothing
    words = last_mail(OPERATOR, "Security: your password was reset")
    assert "from the address 127.0.0.1" in words
    assert NEW not in words
    is_out(elsewhere)
    with_password(page, OPERATOR, "barrack-demo")
    expect(page.get_by_role("alert")).to_be_visible()
    with_password(page, OPERATOR, NEW)
    page.wait_for_url(HOME)
    is_in_as(page, OPERATOR, "Operator")
    assert len(mail.outbox) == 2

    # and the link a second time leads to a page that says why it leads nowhere, also in a new browser
    for browser in (page, open_page(js=js)):
        browser.goto(link)
        expect(browser.get_by_role("heading", name="This link no longer works")).to_be_visible()
        expect(browser.get_by_label("New password")).to_have_count(0)
        expect(browser.get_by_role("link", name="Send me a new link")).to_be_visible()


@both
@pytest.mark.feature("AUTH-06")
def test_a_new_password_is_no_way_around_the_second_factor(open_page: Open, js: bool) -> None:
    # given a member with an app who is signed out
    page = open_page(js=js)
    accept(page, invite(open_page("admin", js=js), "Billing"))
    secret = set_up_app(page)
    sign_out(page)
    # when the password is forgotten and replaced
    page.get_by_role("link", name="Forgot password?").click()
    page.get_by_label("Email address").fill(EMAIL)
    press(page, "Send the link")
    page.goto(only(LINK, last_mail(EMAIL, "Choose a new password")))
    new_password(page, NEW, NEW)
    press(page, "Set the new password")
    page.get_by_role("link", name="Sign in").click()
    # then the app is asked for as before
    with_password(page, EMAIL, NEW)
    page.wait_for_url("**/mfa/authenticate/**")
    page.get_by_label("Code from the app").fill(code_of(secret))
    press(page, "Sign in")
    is_in_as(page, EMAIL, "Billing")


@both
@pytest.mark.feature("AUTH-08")
def test_a_changed_password_sends_a_note(open_page: Open, js: bool) -> None:
    page = open_page("operator", js=js)
    page.goto("/account/")
    page.get_by_role("link", name="Password Change it, or set one").click()
    page.get_by_label("Current password").fill("barrack-demo")
    new_password(page, "elevenchars", "elevenchars")
    press(page, "Change password")
    expect(page.locator(".field-error")).to_contain_text("12 characters")
    assert mail.outbox == []
    page.get_by_label("Current password").fill("barrack-demo")
    new_password(page, NEW, NEW)
    press(page, "Change password")
    expect(page.locator(".field-error")).to_have_count(0)
    page.wait_for_load_state()
    assert "was changed" in last_mail(OPERATOR, "Security: your password was changed")
    is_in_as(page, OPERATOR, "Operator")
