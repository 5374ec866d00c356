"""The second factor in a real browser: an app from set-up to sign-in, and passkeys of Chromium's virtual device."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from apps.account.demo import PASSWORD
from apps.account.models import SignInRules
from tests.apps.account.second_factors import code_of
from tests.browser.conftest import HOME

DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def password_step(page: Page, email: str = "operator@example.com") -> None:
    page.goto("/account/login/")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def confirm(page: Page) -> None:
    """Type the password again where the page asks for it."""
    page.wait_for_url("**/account/reauthenticate/**")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def sign_out(page: Page) -> None:
    page.goto("/account/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/account/login/**")


def device(page: Page) -> Callable[[str, dict[str, Any]], Any]:
    """Plug a virtual passkey device into the window."""
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    return session.send


@pytest.fixture
def required(db: None) -> Iterator[None]:
    SignInRules(pk=1, second_factor_roles=["operator"]).save()
    yield
    SignInRules.objects.all().delete()


@pytest.mark.parametrize("js", [True, False], ids=["with-script", "without-script"])
def test_it_goes_from_set_up_to_sign_in_with_an_app(
    open_page: Callable[..., Page], required: None, js: bool, tmp_path: Any
) -> None:
    # given a role that needs a second factor, and somebody who has none
    page = open_page(js=js)
    password_step(page)
    page.wait_for_url("**/account/mfa/")
    expect(page.get_by_text("Your role needs a second factor")).to_be_visible()

    # when the app is set up with the secret on the page
    page.get_by_role("link", name="Set up an app").click()
    confirm(page)
    secret = page.locator("#secret").inner_text().replace(" ", "")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.locator(".field-error")).to_contain_text("This code does not fit.")
    page.get_by_label("Code from the app").fill(code_of(secret, -1))
    page.get_by_role("button", name="Turn it on").click()

    # then the recovery codes come, once, and can be kept as a file
    page.wait_for_url("**/recovery-codes/")
    expect(page.locator(".codes li")).to_have_count(10)
    codes = page.locator(".codes code").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "barrack-recovery-codes.txt"
    download.value.save_as(tmp_path / "codes.txt")
    assert (tmp_path / "codes.txt").read_text().splitlines()[2:] == codes
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url(HOME)

    # and the next sign-in asks for a code: a wrong one, a right one, the same again
    sign_out(page)
    password_step(page)
    page.wait_for_url("**/mfa/authenticate/")
    page.get_by_label("Code from the app").fill("123")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".field-error")).to_contain_text("This code does not fit.")
    code = code_of(secret)
    page.get_by_label("Code from the app").fill(code)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(HOME)
    sign_out(page)
    password_step(page)
    page.get_by_label("Code from the app").fill(code)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".field-error")).to_contain_text("each works once")

    # and without the phone a recovery code does, once
    page.get_by_label("Code from the app").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(HOME)
    page.goto("/account/mfa/")
    expect(page.get_by_text("9 of 10 left.")).to_be_visible()


def test_it_adds_a_passkey_and_signs_in_with_it(open_page: Callable[..., Page]) -> None:
    page = open_page("operator")
    device(page)
    page.goto("/account/mfa/")
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    page.get_by_label("Name").fill("Test laptop")
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url("**/recovery-codes/")
    page.goto("/account/mfa/")
    expect(page.locator(".keys li")).to_contain_text("Test laptop")
    expect(page.locator(".keys li")).to_contain_text("Signs in without a password")

    # the same device again says that it holds one
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This device already holds a passkey for your account.")
    expect(page.get_by_role("button", name="Add passkey")).to_be_enabled()

    # alone, and back to where one was
    sign_out(page)
    page.goto("/account/login/?next=/activity/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("/activity/")

    # as the second step after the password
    sign_out(page)
    password_step(page)
    page.wait_for_url("**/mfa/authenticate/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(HOME)

    # and to confirm a change; renamed, removed, it signs in no more
    page.goto("/account/mfa/")
    page.get_by_role("link", name="Rename Test laptop").click()
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_label("Name").fill("Old laptop")
    page.get_by_role("button", name="Save name").click()
    page.get_by_role("link", name="Remove Old laptop").click()
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.locator(".notice-success")).to_contain_text("The passkey is removed.")
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator(".notice-danger:visible")).to_contain_text("This passkey was not accepted.")


def test_it_says_when_the_browser_is_refused(open_page: Callable[..., Page]) -> None:
    # given a person who closes the browser's question
    page = open_page()
    page.goto("/account/login/")
    page.evaluate("void (navigator.credentials.get = async () => { throw new DOMException('', 'NotAllowedError'); })")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    expect(button).to_be_enabled()


def test_it_offers_no_passkey_without_javascript(open_page: Callable[..., Page]) -> None:
    page = open_page(js=False)
    page.goto("/account/login/")
    expect(page.get_by_role("link", name="Login with OTP")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_it_fits_every_width(open_page: Callable[..., Page], width: int) -> None:
    page = open_page("admin", width=width)
    device(page)
    sideways = "document.documentElement.scrollWidth"
    page.goto("/account/mfa/webauthn/add/")
    confirm(page)
    page.get_by_label("Name").fill("W" * 50)
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url("**/recovery-codes/")
    assert page.evaluate(sideways) <= width
    keys = "".join(re.findall(r"keys/\d+/edit/", page.request.get("/account/mfa/").text())[:1])
    for path in ("", "members/rules/", "mfa/", "mfa/totp/activate/", "mfa/webauthn/add/", f"mfa/webauthn/{keys}",
                 "mfa/recovery-codes/generate/", "mfa/reauthenticate/", "mfa/webauthn/reauthenticate/"):  # fmt: skip
        page.goto(f"/account/{path}")
        assert page.evaluate(sideways) <= width, path
