"""A form that was being filled when the sign-in ended: what was typed comes back, secrets excepted, nothing is sent."""

import re
import time
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client

from apps.account.kept import MOST_BYTES, NOTICE, SALT
from apps.account.models import BillingProfile, User
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.people import events
from tests.conftest import HTMX, text_of, token_of

RESTORE = "/snapshots/BRK-123456S/restore/"
CREATE = "/snapshots/create/"
IMAGE = "/snapshots/BRK-123456S/image/"
BILLING = "/account/billing-profile/"
HOST = "http://testserver"
PASSWORD = "barrack-test-1"


def enter(browser: Client, person: str, back: str) -> Any:
    """Sign in by the form, and return the page that follows."""
    data = {"login": f"{person}@example.com", "password": PASSWORD, "next": back}
    return browser.post("/account/login/", data, follow=True)


@pytest.fixture
def browser(sandbox: Sandbox, make_user: Any, profile: BillingProfile) -> Client:
    """Somebody signed in, with every right that the forms need."""
    make_user("admin")
    found = Client()
    enter(found, "admin", "/account/")
    return found


def end(browser: Client) -> None:
    """End the session on the server, as an admin or another device does."""
    Session.objects.all().delete()


def sent(browser: Client, url: str, data: dict[str, Any], way: str) -> str:
    """Send a form after its sign-in has ended, and return where the browser is led to."""
    data = {"csrfmiddlewaretoken": "x", **data}
    if way == "with JavaScript":
        headers = HTMX | {"HX-Current-URL": f"{HOST}/snapshots/?q=a"}
        response = browser.post(url, data, headers=headers)
        assert (response.status_code, response.content) == (200, b"")
        return str(response["HX-Redirect"])
    response = browser.post(url, data, headers={"Referer": f"{HOST}{url}"})
    assert response.status_code == 302
    return str(response["Location"])


def back_of(location: str) -> str:
    from urllib.parse import parse_qs, urlsplit

    assert urlsplit(location).path == "/account/login/"
    return parse_qs(urlsplit(location).query)["next"][0]


def value(page: str, name: str) -> str:
    found = re.search(
        rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"|<input[^>]*value="([^"]*)"[^>]*name="{name}"', page
    )
    assert found, f"no value in {name}"
    return found[1] or found[2]


WAYS = ["with JavaScript", "without"]


# --- works


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("over", ["ended elsewhere", "idle"])
def test_a_restore_comes_back(browser: Client, sandbox: Sandbox, way: str, over: str) -> None:
    # given an open form, into which a name was typed while the sign-in ended
    token = token_of(browser.get(RESTORE))
    if over == "ended elsewhere":
        end(browser)
    with clock.moved(timedelta(hours=13 if over == "idle" else 0)):
        location = sent(browser, RESTORE, {"name": "my-own-name", "token": token, "intent": "restore"}, way)
        # then it leads to sign-in and, after that, to the form itself
        assert back_of(location) == RESTORE
        page = enter(browser, "admin", back_of(location))
        assert page.redirect_chain == [(RESTORE, 302)]
        # with what was typed, a sentence that says so, and a token of the new sign-in
        assert value(page.content.decode(), "name") == "my-own-name"
        assert text_of(page).count(NOTICE) == 1
        assert NOTICE == (
            "You were signed out. What you typed is back, except passwords and what looks like one; nothing was sent."
        )
        assert token_of(page) != token
        # and nothing was sent until the button is pressed
        assert sandbox.log.calls("restore_snapshot") == []
        data = {"name": "my-own-name", "token": token_of(page), "intent": "restore"}
        assert browser.post(RESTORE, data).status_code == 302
        (call,) = sandbox.log.calls("restore_snapshot")
        assert call.body == {"new_vm_name": "my-own-name"}


@pytest.mark.parametrize("way", WAYS)
def test_a_snapshot_comes_back_with_all_its_fields(browser: Client, sandbox: Sandbox, way: str) -> None:
    url = f"{CREATE}?region=CANADA-1"
    page = browser.get(url).content.decode()
    vm = re.findall(r'<option value="(BRK-[^"]+)">', page)[-1]
    end(browser)
    typed = {"instance_id": vm, "name": "", "description": "Two\nlines & <b>", "create_as_image": "on", "token": "x"}
    location = sent(browser, url, typed, way)
    assert back_of(location) == url
    html = enter(browser, "admin", url).content.decode()
    assert f'<option value="{vm}" selected>' in html
    assert "Two\nlines &amp; &lt;b&gt;" in html
    assert re.search(r'name="create_as_image"[^>]* checked', html)
    # and what stood behind the advanced options is seen again
    assert '<details class="advanced" open>' in html


@pytest.mark.parametrize("way", WAYS)
def test_an_image_comes_back(browser: Client, way: str) -> None:
    end(browser)
    location = sent(browser, IMAGE, {"name": "golden", "description": "for all", "token": "x"}, way)
    html = enter(browser, "admin", back_of(location)).content.decode()
    assert value(html, "name") == "golden"
    assert "for all</textarea>" in html


def test_a_billing_profile_comes_back(browser: Client) -> None:
    end(browser)
    typed = {"address_line": "2 New Street", "postal_code": "75001", "country": "FR", "city": "", "tax_number": "FR 1"}
    location = sent(browser, BILLING, typed, "without")
    html = enter(browser, "admin", back_of(location)).content.decode()
    assert value(html, "address_line") == "2 New Street"
    assert value(html, "postal_code") == "75001"
    assert value(html, "tax_number") == "FR 1"
    assert '<option value="FR" selected>' in html
    assert BillingProfile.load().address_line == "1 Harbour Street"


def test_a_box_that_was_unticked_comes_back_unticked(browser: Client) -> None:
    User.objects.update(sms_alerts=True, marketing=True)
    end(browser)
    location = sent(browser, "/account/profile/", {"name": "New Name", "marketing": "on"}, "without")
    html = enter(browser, "admin", back_of(location)).content.decode()
    assert re.search(r'name="marketing"[^>]* checked', html)
    assert not re.search(r'name="sms_alerts"[^>]* checked', html)


def test_a_profile_and_an_invitation_come_back(browser: Client) -> None:
    for url, name, typed in (
        ("/account/profile/", "name", "New Name"),
        ("/account/members/invite/", "email", "a@b.ch"),
    ):
        end(browser)
        location = sent(browser, url, {name: typed}, "without")
        assert value(enter(browser, "admin", back_of(location)).content.decode(), name) == typed
    assert events("member.invite", "profile.edit") == []


def test_what_one_types_when_the_check_finds_the_session_over_comes_back(browser: Client) -> None:
    # given a field that asks for its feedback while somebody types
    end(browser)
    location = sent(browser, RESTORE, {"name": "half-a-na", "token": "x", "validate": "name"}, "with JavaScript")
    assert value(enter(browser, "admin", back_of(location)).content.decode(), "name") == "half-a-na"


# --- once, and only to whom it belongs


def test_it_comes_back_once(browser: Client) -> None:
    end(browser)
    location = sent(browser, RESTORE, {"name": "my-own-name", "token": "x"}, "without")
    enter(browser, "admin", back_of(location))
    page = browser.get(RESTORE)
    assert NOTICE not in text_of(page)
    assert value(page.content.decode(), "name") == "prod-backup-dec11-restored"


def test_the_last_one_counts(browser: Client) -> None:
    end(browser)
    sent(browser, IMAGE, {"name": "first", "token": "x"}, "without")
    rows = Session.objects.count()
    location = sent(browser, RESTORE, {"name": "second", "token": "x"}, "without")
    assert Session.objects.count() == rows
    assert value(enter(browser, "admin", back_of(location)).content.decode(), "name") == "second"
    assert NOTICE not in text_of(browser.get(IMAGE))


def test_it_waits_for_the_page_that_it_belongs_to(browser: Client) -> None:
    end(browser)
    sent(browser, RESTORE, {"name": "my-own-name", "token": "x"}, "without")
    # given somebody who goes elsewhere first, and opens the dialog in between
    assert NOTICE not in text_of(enter(browser, "admin", "/account/"))
    assert NOTICE not in text_of(browser.get(IMAGE))
    assert "my-own-name" not in text_of(browser.get(RESTORE, headers=HTMX))
    assert NOTICE in text_of(browser.get(RESTORE))


def test_somebody_else_does_not_see_it(browser: Client, make_user: Any) -> None:
    make_user("operator")
    end(browser)
    location = sent(browser, RESTORE, {"name": "secret-project", "token": "x"}, "without")
    page = enter(browser, "operator", back_of(location))
    assert page.status_code == 200
    assert "secret-project" not in page.content.decode()
    assert NOTICE not in text_of(page)
    # and it is gone for good
    browser.post("/account/logout/")
    assert "secret-project" not in enter(browser, "admin", RESTORE).content.decode()


def test_it_is_kept_for_an_hour(browser: Client) -> None:
    end(browser)
    sent(browser, RESTORE, {"name": "my-own-name", "token": "x"}, "without")
    assert browser.cookies["kept"]["max-age"] == 3600
    Session.objects.update(expire_date=clock.now())
    assert "my-own-name" not in enter(browser, "admin", RESTORE).content.decode()


# --- what is not kept


def stored() -> list[dict[str, Any]]:
    found = [row.get_decoded() for row in Session.objects.all()]
    return [data["kept"]["fields"] for data in found if "kept" in data]


def test_it_keeps_no_secrets(browser: Client) -> None:
    end(browser)
    secrets = {
        name: f"hush-{name}"
        for name in ("password", "password1", "new_password", "Passphrase", "private_key", "api_token", "token", "code")
    }
    secrets |= {"otp": "hush-1", "client_secret": "hush-2", "key": "hush-3", "csrfmiddlewaretoken": "hush-4"}
    sent(browser, RESTORE, secrets | {"name": "n", "postal_code": "97201", "public_key": "ssh-ed25519 A"}, "without")
    assert stored() == [{"name": ["n"], "postal_code": ["97201"], "public_key": ["ssh-ed25519 A"]}]


def test_it_keeps_nothing_without_bounds(browser: Client) -> None:
    end(browser)
    sent(browser, IMAGE, {"name": "n", "description": "é" * (MOST_BYTES // 2), "token": "x"}, "without")
    assert stored() == []
    sent(browser, IMAGE, {"name": "n", "description": "é" * (MOST_BYTES // 2 - 20), "token": "x"}, "without")
    assert len(stored()) == 1


def test_it_keeps_nothing_of_strangers(client: Client, sandbox: Sandbox, db: None) -> None:
    # given browsers in which nobody was ever signed in, one of them with a made-up mark
    for cookie in ("", "1", "MQ:1abcde:forged", "x" * 5000):
        client.cookies["person"] = cookie
        location = sent(client, RESTORE, {"name": "n", "token": "x"}, "without")
        assert "kept" not in client.cookies
        assert location.startswith("/account/login/?next=")
    assert Session.objects.count() == 0


@pytest.mark.parametrize("gone", ["deactivated", "long ago"])
def test_it_keeps_nothing_of_who_has_left(browser: Client, gone: str) -> None:
    # given the mark of a person who cannot sign in any more, or has not for longer than a sign-in lasts
    end(browser)
    if gone == "deactivated":
        User.objects.update(is_active=False)
    else:
        browser.cookies["person"] = _mark_of(User.objects.get().pk, time.time() - 40 * 86_400)
    sent(browser, RESTORE, {"name": "n", "token": "x"}, "without")
    assert stored() == []


def _mark_of(person: int, at: float) -> str:
    with patch("django.core.signing.time.time", lambda: at):
        return str(signing.dumps(person, salt=SALT))


@pytest.mark.parametrize("url", ["/account/logout/", "/account/login/", "/account/theme/", "/healthz"])
def test_it_keeps_nothing_sent_to_public_pages(browser: Client, url: str) -> None:
    end(browser)
    browser.post(url, {"name": "n", "login": "a", "password": "b"}, headers={"Referer": f"{HOST}{url}"})
    assert stored() == []


def test_it_keeps_nothing_of_a_button(browser: Client) -> None:
    end(browser)
    response = browser.post(
        "/account/sessions/end-others/", {"a": "b"}, headers={"Referer": f"{HOST}/account/sessions/"}
    )
    assert back_of(response["Location"]) == "/account/sessions/"
    assert stored() == []


def test_it_keeps_nothing_of_a_forged_form(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    end(browser)
    assert strict.post(RESTORE, {"name": "n", "token": "x"}, headers={"Referer": f"{HOST}{RESTORE}"}).status_code == 403
    assert stored() == []


def test_a_key_of_something_else_opens_nothing(browser: Client, make_user: Any) -> None:
    # given a browser whose cookie for what was kept holds the key of somebody's session
    make_user("operator")
    other = Client()
    enter(other, "operator", "/account/")
    browser.cookies["kept"] = other.cookies["sessionid"].value
    assert browser.get(RESTORE).status_code == 200
    end_of = Session.objects.count()
    thief = Client()
    for name in ("kept", "person"):
        thief.cookies[name] = browser.cookies[name].value
    sent(thief, RESTORE, {"name": "n"}, "without")
    # then that session is neither read nor ended
    assert other.get("/account/").status_code == 200
    assert Session.objects.count() == end_of + 1


def test_it_is_bound_to_the_person_of_the_browser(browser: Client, make_user: Any) -> None:
    # given a browser in which one person follows another
    make_user("operator")
    browser.post("/account/logout/")
    enter(browser, "operator", "/account/")
    end(browser)
    sent(browser, RESTORE, {"name": "n", "token": "x"}, "without")
    data = [row.get_decoded()["kept"] for row in Session.objects.all() if "kept" in row.get_decoded()]
    assert [row["person"] for row in data] == [User.objects.get(role="operator").pk]
