"""/account/mfa/webauthn/…: passkeys, made by the browser: added, renamed, removed; alone or as a second step."""

import json
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client

from apps.account.models import User
from tests.apps.account.second_factors import (
    ADD,
    CODES,
    HOME,
    LOGIN,
    STEP,
    SoftPasskey,
    add_passkey,
    begin_sign_in,
    confirm,
    plain,
    question,
    question_of,
    sign_in_with,
    signed_in,
    text,
)
from tests.conftest import text_of

MAIL = "operator@example.com"
AGAIN = f"{HOME}webauthn/reauthenticate/"
REFUSED = "This passkey was not accepted."


def key(number: int, what: str) -> str:
    return f"{HOME}webauthn/keys/{number}/{what}/"


def spoilt(good: dict[str, Any]) -> list[str]:
    """Return what somebody might send in place of a passkey's answer."""
    response = good["response"]
    wrong: list[dict[str, Any]] = [
        {"id": 5}, {"id": "!!"}, {"rawId": None}, {"id": "AAAA", "rawId": "AAAA"}, {"type": "password"},
        {"response": []}, {"response": {}}, {"clientExtensionResults": []},
        {"clientExtensionResults": {"credProps": 1}},
    ]  # fmt: skip
    for name, value in response.items():
        half = text(plain(value)[: len(plain(value)) // 2])
        flipped = text(bytes(byte ^ 1 for byte in plain(value)))
        others = (None, 5, [], "", "A", "AAAA", "é", "{}", half, flipped, value + value)
        wrong += [{"response": response | {name: other}} for other in others]
        wrong.append({"response": {key: response[key] for key in response if key != name}})
    texts = [json.dumps(good | change) for change in wrong]
    no_credential = ["", "null", "[]", "1", "true", '"a"', "{", "\0", "é", "[" * 5_000, "{" * 30_000]
    return [*texts, *no_credential, json.dumps(good) * 2]


# --- adding


def test_it_asks_for_the_password_first(operator: Client) -> None:
    assert operator.get(ADD)["Location"].startswith("/account/reauthenticate/?next=")
    assert operator.post(ADD, {"credential": "{}"})["Location"].startswith("/account/reauthenticate/?next=")


def test_it_asks_the_browser_for_one_of_this_portal(operator: Client) -> None:
    confirm(operator)
    page = operator.get(ADD)
    asked = question_of(page)
    assert (asked["rp"], asked["user"]["name"]) == ({"id": "testserver", "name": "Barrack"}, MAIL)
    assert "Passkeys need JavaScript, which is off in this browser." in text_of(page)
    assert 'value="Passkey"' in page.content.decode()
    assert page["Cache-Control"] == "no-store"


def test_it_is_added_with_its_name(operator: Client) -> None:
    add_passkey(operator, name="Work <laptop>")
    words = operator.get(HOME).content.decode()
    assert "The passkey is added." in words
    assert "<strong>Work &lt;laptop&gt;</strong>" in words
    assert "Signs in without a password" in words
    assert [sent.to for sent in mail.outbox] == [[MAIL]]
    # the first factor brings the recovery codes
    assert Authenticator.objects.filter(type="recovery_codes").exists()


def test_it_leads_to_the_recovery_codes_the_first_time(operator: Client) -> None:
    confirm(operator)
    for where in (CODES, HOME):
        credential = SoftPasskey().create(question_of(operator.get(ADD)))
        assert operator.post(ADD, {"name": "A", "credential": json.dumps(credential)})["Location"] == where


def test_it_numbers_passkeys_without_a_name(operator: Client) -> None:
    add_passkey(operator, name="")
    add_passkey(operator, name=" ")
    assert [one.wrap().name for one in Authenticator.objects.filter(type="webauthn").order_by("pk")] == [
        "Passkey",
        "Passkey 2",
    ]


def test_it_names_the_ones_that_are_there_so_that_none_is_added_twice(operator: Client) -> None:
    passkey = add_passkey(operator)
    excluded = question_of(operator.get(ADD))["excludeCredentials"]
    assert [one["id"] for one in excluded] == [text(passkey.id)]


def test_it_refuses_a_name_that_is_too_long_and_keeps_it(operator: Client) -> None:
    confirm(operator)
    credential = SoftPasskey().create(question_of(operator.get(ADD)))
    page = operator.post(ADD, {"name": "a" * 51, "credential": json.dumps(credential)})
    assert page.status_code == 422
    assert "Use at most 50 characters; this has 51." in text_of(page)
    assert REFUSED not in text_of(page)
    assert "a" * 51 in page.content.decode()
    # the page asks anew, and its question can be answered
    credential = SoftPasskey().create(question_of(page))
    assert operator.post(ADD, {"name": "a" * 50, "credential": json.dumps(credential)}).status_code == 302


def test_it_refuses_what_is_no_passkey(operator: Client) -> None:
    confirm(operator)
    for number in range(len(spoilt(SoftPasskey().create(question_of(operator.get(ADD)))))):
        good = SoftPasskey().create(question_of(operator.get(ADD)))
        sent = spoilt(good)[number]
        page = operator.post(ADD, {"name": "Mine", "credential": sent})
        if page.status_code == 302:
            # what nobody reads may be wrong: the passkey's own part names it
            assert json.loads(sent)["response"] == good["response"]
            Authenticator.objects.all().delete()
            continue
        assert page.status_code == 422, sent[:300]
        assert REFUSED in text_of(page) or "The browser sent no passkey." in text_of(page)
        assert 'value="Mine"' in page.content.decode()
    assert not Authenticator.objects.exists()


def test_it_refuses_an_answer_to_another_question(operator: Client) -> None:
    confirm(operator)
    asked = question_of(operator.get(ADD))
    operator.get(ADD)
    credential = json.dumps(SoftPasskey().create(asked))
    assert operator.post(ADD, {"credential": credential}).status_code == 422
    # and the same answer twice
    credential = json.dumps(SoftPasskey().create(question_of(operator.get(ADD))))
    assert operator.post(ADD, {"credential": credential}).status_code == 302
    assert operator.post(ADD, {"credential": credential}).status_code == 422


def test_it_refuses_a_passkey_of_another_host(operator: Client) -> None:
    confirm(operator)
    credential = SoftPasskey("evil.example").create(question_of(operator.get(ADD)))
    assert operator.post(ADD, {"credential": json.dumps(credential)}).status_code == 422


def test_it_refuses_to_sign_in_alone_with_one_that_asks_for_nothing(operator: Client) -> None:
    # given a security key without PIN, which whoever finds it can use
    confirm(operator)
    credential = SoftPasskey(verifies=False).create(question_of(operator.get(ADD)))
    page = operator.post(ADD, {"credential": json.dumps(credential), "passwordless": "on"})
    assert page.status_code == 422
    assert REFUSED in text_of(page)


# --- signing in with a passkey alone


def test_it_signs_in_alone(operator: Client) -> None:
    passkey = add_passkey(operator)
    browser, response = sign_in_with(passkey, next="/activity/?q=a")
    assert (response.status_code, response["Location"]) == (302, "/activity/?q=a")
    assert signed_in(browser)
    assert "Last used" in text_of(browser.get(HOME))


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:a()"])
def test_it_leads_to_no_other_host(operator: Client, target: str) -> None:
    _, response = sign_in_with(add_passkey(operator), next=target)
    assert response["Location"] == "/"


def test_it_says_when_a_passkey_is_not_known(operator: Client) -> None:
    # given a passkey that was removed here, but not from the device
    passkey = add_passkey(operator)
    Authenticator.objects.all().delete()
    browser, response = sign_in_with(passkey)
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    assert not signed_in(browser)
    assert REFUSED in text_of(browser.get("/account/login/"))


def test_it_lets_nobody_in_by_what_is_no_passkey(operator: Client, client: Client) -> None:
    passkey = add_passkey(operator)
    good = passkey.get(question())
    for number in range(len(spoilt(good))):
        # given a browser that is asked anew, and no memory of earlier tries
        cache.clear()
        good = passkey.get(question(client))
        sent = spoilt(good)[number]
        # when something else is sent in place of the answer
        response = client.post(LOGIN, {"credential": sent})
        if signed_in(client):
            # then only what nobody reads may be wrong: a passkey is known by its signature
            assert json.loads(sent)["response"] == good["response"]
            client.logout()
        else:
            assert (response.status_code, response["Location"]) == (302, "/account/login/"), sent[:300]


def test_it_needs_more_than_a_found_key(operator: Client) -> None:
    # given a security key that asks for no PIN, added as a second step
    passkey = add_passkey(operator, alone=False)
    browser, _ = sign_in_with(passkey)
    assert not signed_in(browser)


def test_it_takes_no_answer_to_the_question_of_a_second_step(operator: Client, make_user: Any) -> None:
    # given a found security key that asks for no PIN, and somebody with an account and a passkey of their own
    found = add_passkey(operator, alone=False)
    make_user("viewer")
    thief = Client()
    thief.force_login(User.objects.get(role="viewer"))
    add_passkey(thief, alone=False)
    # when they get as far as the second step of their own sign-in, whose question asks for no PIN either
    browser = begin_sign_in("viewer@example.com")
    asked = question_of(browser.get(STEP))
    # and let that sign-in lapse, after a quarter of an hour
    session = browser.session
    session["account_login"] |= {"initiated_at": time.time() - 901}
    session.save()
    browser.post(LOGIN, {"credential": json.dumps(found.get(asked))})
    # then the answer to it does not open the owner's account without the password
    assert not signed_in(browser)


def test_it_keeps_out_who_is_deactivated(operator: Client) -> None:
    passkey = add_passkey(operator)
    User.objects.update(is_active=False)
    browser, response = sign_in_with(passkey)
    assert response["Location"] == "/account/inactive/"
    assert not signed_in(browser)


def test_it_does_not_take_an_answer_twice(operator: Client) -> None:
    passkey = add_passkey(operator)
    browser = Client()
    sent = json.dumps(passkey.get(question(browser)))
    browser.post(LOGIN, {"credential": sent})
    browser.logout()
    browser.post(LOGIN, {"credential": sent})
    assert not signed_in(browser)


def test_it_says_that_it_needs_javascript(client: Client, make_user: Any) -> None:
    make_user("viewer")
    page = client.get("/account/login/").content.decode()
    assert '<noscript><p class="muted">Signing in with a passkey needs JavaScript' in page
    assert 'src="/static/js/passkeys.js"' in page


def test_it_asks_only_scripts(client: Client, db: None) -> None:
    response = client.get(LOGIN)
    assert (response.status_code, response["Location"]) == (302, "/account/login/")
    answer = client.get(LOGIN, headers={"Accept": "application/json"})
    assert answer["Cache-Control"] == "no-store"
    # it tells nothing about who has a passkey
    assert answer.json()["request_options"]["publicKey"]["allowCredentials"] == []


def test_it_ends_trying(client: Client, sandbox: object, db: None) -> None:
    answers = [client.post(LOGIN, {"credential": "{}"}).status_code for _ in range(61)]
    assert answers == [302] * 60 + [429]


# --- as the second step, and to confirm a change


def test_it_is_the_second_step(operator: Client) -> None:
    passkey = add_passkey(operator, alone=False)
    assert "Second step after the password" in text_of(operator.get(HOME))
    browser = begin_sign_in(MAIL)
    page = browser.get(STEP)
    assert "Use a passkey" in text_of(page)
    # without an app, the code's field is for recovery codes
    assert "Recovery code" in text_of(page)
    assert "Code from the app" not in text_of(page)
    answer = json.dumps(passkey.get(question_of(page)))
    assert browser.post(STEP, {"credential": answer}).status_code == 302
    assert signed_in(browser)


@pytest.mark.parametrize("sent", ["", "{}", "null", "[" * 3_000, '{"response": {}}'])
def test_it_refuses_what_does_not_fit_as_the_second_step(operator: Client, sent: str) -> None:
    add_passkey(operator)
    browser = begin_sign_in(MAIL)
    page = browser.post(STEP, {"credential": sent})
    assert page.status_code == 422
    assert REFUSED in text_of(page) or "The browser sent no passkey." in text_of(page)
    assert not signed_in(browser)


def test_it_confirms_a_change(operator: Client) -> None:
    passkey = add_passkey(operator)
    browser, _ = sign_in_with(passkey)
    page = browser.get(f"{AGAIN}?next={ADD}")
    assert "Use your password" in text_of(page)
    answer = passkey.get(question_of(page))
    bad = browser.post(AGAIN, {"credential": json.dumps(answer | {"id": "AAAA", "rawId": "AAAA"}), "next": ADD})
    assert bad.status_code == 422
    assert REFUSED in text_of(bad)
    good = browser.post(AGAIN, {"credential": json.dumps(passkey.get(question_of(bad))), "next": ADD})
    assert (good.status_code, good["Location"]) == (302, ADD)
    assert browser.get(ADD).status_code == 200


# --- renaming and removing


def test_it_is_renamed(operator: Client) -> None:
    add_passkey(operator)
    url = key(Authenticator.objects.get(type="webauthn").pk, "edit")
    assert 'value="Laptop"' in operator.get(url).content.decode()
    for name, sentence in (("", "Enter a name."), (" ", "Enter a name."), ("b" * 51, "at most 50 characters")):
        page = operator.post(url, {"name": name})
        assert page.status_code == 422
        assert sentence in text_of(page)
    assert operator.post(url, {"name": "Phone"})["Location"] == HOME
    words = text_of(operator.get(HOME))
    assert "The passkey is renamed." in words
    assert "Phone" in words
    assert "Laptop" not in words


def test_it_is_removed(operator: Client) -> None:
    passkey = add_passkey(operator)
    mail.outbox.clear()
    url = key(Authenticator.objects.get(type="webauthn").pk, "remove")
    assert "“Laptop” no longer signs you in." in text_of(operator.get(url))
    assert operator.post(url)["Location"] == HOME
    assert "The passkey is removed." in text_of(operator.get(HOME))
    assert not Authenticator.objects.exists()
    assert len(mail.outbox) == 1
    browser, _ = sign_in_with(passkey)
    assert not signed_in(browser)
    # a second time there is nothing to remove
    assert operator.post(url).status_code == 404


@pytest.mark.parametrize("what", ["edit", "remove"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_it_touches_only_ones_own(operator: Client, viewer: Client, what: str, method: str) -> None:
    add_passkey(operator)
    confirm(viewer)
    url = key(Authenticator.objects.get(type="webauthn").pk, what)
    assert getattr(viewer, method)(url, {"name": "Mine now"}).status_code == 404
    assert Authenticator.objects.get(type="webauthn").wrap().name == "Laptop"


def test_it_is_listed_on_the_page_of_the_second_factor(operator: Client) -> None:
    assert operator.get(f"{HOME}webauthn/")["Location"] == HOME


@pytest.mark.parametrize("path", [ADD, LOGIN, AGAIN, key(1, "edit"), key(1, "remove")])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_it_refuses_other_methods(operator: Client, path: str, method: str) -> None:
    assert getattr(operator, method)(path).status_code == 405


@pytest.mark.parametrize("path", [ADD, LOGIN, AGAIN])
def test_it_needs_the_forms_own_secret(operator: Client, path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = operator.cookies
    assert browser.post(path, {"credential": "{}"}).status_code == 403
