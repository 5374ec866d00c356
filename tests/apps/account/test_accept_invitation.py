"""/account/members/invite/<token>/: the page behind the link in the mail. It works once, for seven days."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import signing
from django.db import connection
from django.test import Client

from apps.account.invitations import SIGNER, InvitationClosedError, accept, open_for, token_of
from apps.account.models import Invitation, User
from apps.activity.models import Event
from barrack_web import clock
from tests.apps.account.people import ACCEPT, INVITE, PASSWORD, events, invite, may_read, sign_in
from tests.conftest import text_of


@pytest.fixture
def path(admin: Client) -> str:
    return invite(admin)


# --- works


@pytest.mark.feature("AUTH-09", "AUTH-08")
def test_it_makes_a_member_and_signs_them_in(client: Client, path: str) -> None:
    # given somebody who opens the link
    page = client.get(path)
    words = text_of(page)
    assert "admin (admin@example.com) invites you to this portal with the role operator ." in words
    assert "You sign in as new@example.com ." in words
    assert "no-store" in page["Cache-Control"]
    # when name and password are sent
    response = client.post(path, ACCEPT)
    # then they are in, with that role
    assert (response.status_code, response["Location"]) == (302, "/")
    assert may_read(client)
    person = User.objects.get(email="new@example.com")
    assert (person.name, person.role, person.is_active) == ("Nora New", "operator", True)
    # and the address counts as theirs, since the link went there
    assert EmailAddress.objects.get(user=person).verified
    # and it is written down once, with what it was accepted to
    assert events("member.accept") == [("member.accept", "new@example.com", "done")]
    event = Event.objects.get(action="member.accept")
    assert (event.user, event.role, event.name) == (person, "operator", "Operator")
    # and the password is the way in from now on
    assert may_read(sign_in("new@example.com", PASSWORD))


def test_it_starts_a_new_session(client: Client, path: str) -> None:
    session = client.session
    session["planted"] = 1
    session.save()
    client.cookies["sessionid"] = before = str(session.session_key)
    client.post(path, ACCEPT)
    assert client.cookies["sessionid"].value != before


@pytest.mark.feature("ACC-01", "ACC-14")
@pytest.mark.parametrize("name", ["Bo", "x" * 100, "O'Neil-Ray", "José Müller", "é अमित", "Ng Thị Ánh"])
def test_it_takes_names_of_any_script(client: Client, path: str, name: str) -> None:
    assert client.post(path, ACCEPT | {"name": name}).status_code == 302
    assert User.objects.get(email="new@example.com").name == name


# --- bad input


@pytest.mark.feature("ACC-01")
@pytest.mark.parametrize("name", ["", " ", "x", "x" * 101, "R2D2", "a@b", "<b>Bo</b>", "-- ", "Bo\x00b"])
def test_it_refuses_other_names(client: Client, path: str, name: str) -> None:
    refused(client, path, name=name)


@pytest.mark.feature("AUTH-08")
@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ("", "", "Enter a password."),
        ("short-pass1", "short-pass1", "This password is too short. It must contain at least 12 characters."),
        ("password1234", "password1234", "This password is too common."),
        ("new@example.com", "new@example.com", "The password is too similar to the email"),
        (PASSWORD, f"{PASSWORD}x", "The two passwords are not the same."),
        (PASSWORD, "", "Enter the password a second time."),
    ],
)
def test_it_refuses_weak_or_unequal_passwords(
    client: Client, path: str, first: str, second: str, sentence: str
) -> None:
    page = refused(client, path, password1=first, password2=second)
    assert sentence in text_of(page)
    # what was typed stays, but for the passwords
    assert 'value="Nora New"' in page.content.decode()
    assert not first or f'value="{first}"' not in page.content.decode()


def refused(client: Client, path: str, **fields: str) -> Any:
    response = client.post(path, ACCEPT | fields)
    assert response.status_code == 422
    assert User.objects.count() == 1
    assert events("member.accept") == []
    assert not may_read(client)
    # and the link still works
    assert client.get(path).status_code == 200
    return response


def test_it_lets_nobody_choose_role_or_address(client: Client, path: str) -> None:
    client.post(path, ACCEPT | {"role": "admin", "email": "other@example.com", "is_active": "1"})
    assert User.objects.exclude(role="admin").get().role == "operator"
    assert not User.objects.filter(email="other@example.com").exists()


# --- links that do not work


def test_it_works_once(client: Client, path: str) -> None:
    client.post(path, ACCEPT)
    # when somebody opens or sends it again, then it says that it is used, and whom to tell
    for browser in (Client(), client):
        for response in (browser.get(path), browser.post(path, ACCEPT | {"password1": "another-passphrase"})):
            assert response.status_code == 410
            assert "This invitation was accepted already" in text_of(response)
            assert "admin@example.com" in text_of(response)
    assert may_read(sign_in("new@example.com", PASSWORD))
    assert User.objects.count() == 2


@pytest.mark.parametrize(("days", "status"), [(6.99, 200), (7, 410), (30, 410)])
def test_it_works_for_seven_days(client: Client, path: str, days: float, status: int) -> None:
    with clock.moved(timedelta(days=days)):
        response = client.get(path)
        assert response.status_code == status
        if status == 410:
            assert "Ask admin@example.com to send it again." in text_of(response)
            assert client.post(path, ACCEPT).status_code == 410
            assert User.objects.count() == 1


def test_it_says_that_it_was_revoked(client: Client, path: str) -> None:
    Invitation.objects.update(revoked_at=clock.now())
    for response in (client.get(path), client.post(path, ACCEPT)):
        assert response.status_code == 410
        assert "The invitation was revoked, or sent again" in text_of(response)
    assert User.objects.count() == 1


def test_it_answers_every_link_that_we_never_made_alike(client: Client, path: str) -> None:
    # given links that were changed, made up, or signed by us for something else
    good = path.removeprefix(INVITE).rstrip("/")
    row = Invitation.objects.get()
    bad = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        f"9{good}",
        good.partition(".")[0],
        SIGNER.sign(f"{row.pk + 1}-{1000}"),
        SIGNER.sign(f"{row.pk}-1"),
        signing.Signer(salt="other", sep=".").sign(good.partition(".")[0]),
        "x",
        "%00",
        "é",
        "." * 2000,
    ]
    pages = set()
    for token in bad:
        for response in (client.get(f"{INVITE}{token}/"), client.post(f"{INVITE}{token}/", ACCEPT)):
            assert response.status_code == 404
            pages.add(text_of(response))
    # then each gets one and the same page, which names nobody
    (words,) = pages
    assert "This is not a link of an invitation" in words
    assert "example.com" not in words
    assert User.objects.count() == 1


def test_it_says_that_somebody_else_is_signed_in(admin: Client, path: str) -> None:
    response = admin.get(path)
    assert response.status_code == 409
    words = text_of(response)
    assert "The invitation is for new@example.com, and admin@example.com is signed in to this browser." in words
    assert admin.post(path, ACCEPT).status_code == 409
    assert User.objects.count() == 1
    # and the button leads back here once they are out
    assert f'name="next" value="{path}"' in response.content.decode()
    assert admin.post("/account/logout/", {"next": path})["Location"] == path
    assert admin.get(path).status_code == 200


def test_it_leaves_an_account_alone_that_was_made_meanwhile(client: Client, path: str, make_user: Any) -> None:
    make_user("viewer", email="new@example.com")
    response = client.post(path, ACCEPT)
    assert response.status_code == 409
    assert "You are a member already" in text_of(response)
    assert may_read(sign_in("new@example.com", "barrack-test-1"))
    assert User.objects.get(email="new@example.com").role == "viewer"


def test_it_needs_the_forms_own_secret(path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(path, ACCEPT).status_code == 403
    assert User.objects.count() == 1


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_it_refuses_other_methods(client: Client, path: str, method: str) -> None:
    assert getattr(client, method)(path).status_code == 405


# --- accept() itself, which sign-in through an identity provider uses too


def request_of() -> Any:
    from django.test import RequestFactory

    return RequestFactory().get("/")


def test_it_accepts_for_somebody_who_has_just_signed_up(path: str, make_user: Any) -> None:
    person = make_user("viewer", email="NEW@example.com")
    found = open_for("new@EXAMPLE.com")
    assert found
    accept(found, person, request=request_of())
    person.refresh_from_db()
    assert person.role == "operator"
    found.refresh_from_db()
    assert found.accepted_by == person
    assert open_for("new@example.com") is None
    # a second time it is closed
    with pytest.raises(InvitationClosedError) as caught:
        accept(found, person, request=request_of())
    assert caught.value.reason == "accepted"
    assert len(events("member.accept")) == 1


@pytest.mark.parametrize("fields", [{"email": "other@example.com"}, {"email": "new@example.com", "is_active": False}])
def test_it_accepts_for_no_other_address_and_nobody_switched_off(
    path: str, make_user: Any, fields: dict[str, Any]
) -> None:
    person = make_user("viewer", **fields)
    with pytest.raises(InvitationClosedError):
        accept(Invitation.objects.get(), person, request=request_of())
    person.refresh_from_db()
    assert person.role == "viewer"
    assert events("member.accept") == []


@pytest.mark.django_db(transaction=True)
def test_it_is_accepted_once_by_two_at_once(admin: Client, path: str) -> None:
    # given two browsers that send the form at the same moment
    barrier, answers = Barrier(2), []

    def send() -> None:
        browser = Client()
        barrier.wait()
        answers.append(browser.post(path, ACCEPT).status_code)
        connection.close()

    threads = [Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then there is one new member, and one event
    assert User.objects.filter(email="new@example.com").count() == 1
    assert len(events("member.accept")) == 1
    assert 302 in answers


def test_it_gives_each_invitation_a_link_of_its_own(admin: Client) -> None:
    invite(admin, "a@example.com")
    invite(admin, "b@example.com")
    tokens = {token_of(row) for row in Invitation.objects.all()}
    assert len(tokens) == 2
    assert not any(":" in token or "@" in token for token in tokens)


def test_it_gives_an_account_that_nobody_could_confirm_to_the_owner_of_the_address(
    admin: Client, client: Client, make_user: Any
) -> None:
    # given somebody who signed up with another's address, which they could not confirm
    squatter = make_user("viewer", email="new@example.com", name="Not Me")
    EmailAddress.objects.filter(user=squatter).update(verified=False)
    # when the owner is invited and accepts
    path = invite(admin, role="billing")
    assert client.post(path, ACCEPT).status_code == 302
    # then there is one account, theirs, with their password and the invitation's role
    person = User.objects.get(email="new@example.com")
    assert (person.pk, person.name, person.role) == (squatter.pk, "Nora New", "billing")
    assert EmailAddress.objects.get(user=person).verified
    assert person.check_password(PASSWORD)
    assert not person.check_password("barrack-test-1")
