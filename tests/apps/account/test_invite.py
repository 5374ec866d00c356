"""/account/members/invite/ and what becomes of an invitation before it is accepted: sent again, revoked."""

from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from apps.account.invitations import open_for
from apps.account.models import Invitation, User
from barrack_web import clock
from tests.apps.account.people import INVITE, events, invite, link
from tests.conftest import HTMX, text_of

MEMBERS = "/account/members/"
GOOD = {"email": "new@example.com", "role": "operator", "intent": "invite"}


# --- works


@pytest.mark.feature("AUTH-09")
def test_it_sends_a_link_to_somebody_new(admin: Client) -> None:
    # given an admin, who fills in the form and sends it
    response = admin.post(INVITE, GOOD, follow=True)
    # then the list says so and shows the invitation
    assert response.redirect_chain == [(MEMBERS, 302)]
    assert "new@example.com is invited." in text_of(response)
    # and one mail has gone out, which says who invites, to what, for how long
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    assert message.subject == "[Barrack] admin invites you to testserver"
    for words in ("admin (admin@example.com) invites you", "with the role operator", "It works once, until"):
        assert words in message.body
    # and the invitation is open for seven days, and written down once
    made = Invitation.objects.get()
    assert (made.role, made.invited_by.email) == ("operator", "admin@example.com")
    assert made.expires_at - made.invited_at == timedelta(days=7)
    assert events("member.invite") == [("member.invite", "new@example.com", "done")]
    assert len(events()) == 1
    # nobody has an account by that
    assert User.objects.count() == 1


def test_it_works_in_a_dialog(admin: Client) -> None:
    page = admin.get(INVITE, headers=HTMX)
    assert b"<html" not in page.content
    response = admin.post(INVITE, GOOD, headers=HTMX)
    assert response.status_code == 200
    assert "members:changed" in response["HX-Trigger"]
    assert "new@example.com is invited." in text_of(response)


def test_it_says_where_the_mail_is_printed(admin: Client, settings: Any, capsys: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    response = admin.post(INVITE, GOOD, follow=True)
    assert "This sandbox sends no mail. What it would send is printed where the portal runs." in text_of(response)
    assert "/account/members/invite/" in capsys.readouterr().out


def test_it_keeps_the_address_in_small_letters(admin: Client) -> None:
    invite(admin, "New.Person@Example.COM")
    assert Invitation.objects.get().email == "new.person@example.com"
    assert open_for("NEW.person@example.com") == Invitation.objects.get()


# --- bad input


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "Enter an email address."),
        ("no address", "Enter an email address such as name@company.example."),
        ("a@b", "Enter an email address such as name@company.example."),
        ("\x00@example.com", "Null characters are not allowed."),
        ("a@example.com\nBcc: b@example.com", "Enter an email address such as name@company.example."),
        (f"{'x' * 250}@example.com", "at most 254 characters"),
    ],
)
def test_it_refuses_what_is_no_address(admin: Client, email: str, sentence: str) -> None:
    response = admin.post(INVITE, GOOD | {"email": email})
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert (Invitation.objects.count(), mail.outbox, events()) == (0, [], [])


@pytest.mark.parametrize(("role", "sentence"), [("", "Choose a role."), ("root", "There is no such role.")])
def test_it_refuses_other_roles_and_keeps_what_was_typed(admin: Client, role: str, sentence: str) -> None:
    response = admin.post(INVITE, GOOD | {"role": role}, headers=HTMX)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert 'value="new@example.com"' in response.content.decode()
    assert Invitation.objects.count() == 0


def test_it_needs_the_buttons_own_intent(admin: Client) -> None:
    assert admin.post(INVITE, GOOD | {"intent": ""}).status_code == 422
    assert Invitation.objects.count() == 0


@pytest.mark.parametrize("typed", ["viewer@example.com", "VIEWER@Example.com", " viewer@example.com "])
def test_it_refuses_somebody_who_is_a_member_already(admin: Client, make_user: Any, typed: str) -> None:
    make_user("viewer")
    response = admin.post(INVITE, GOOD | {"email": typed})
    assert response.status_code == 422
    assert "viewer@example.com is a member already, with the role viewer." in text_of(response)
    assert (Invitation.objects.count(), mail.outbox, events()) == (0, [], [])


def test_it_refuses_somebody_who_is_switched_off(admin: Client, make_user: Any) -> None:
    make_user("viewer", is_active=False)
    response = admin.post(INVITE, GOOD | {"email": "viewer@example.com"})
    assert "is a member already, but deactivated: activate the account instead." in text_of(response)
    assert Invitation.objects.count() == 0


def test_it_refuses_a_second_invitation_while_one_is_open(admin: Client) -> None:
    invite(admin)
    response = admin.post(INVITE, GOOD)
    assert response.status_code == 422
    assert "has an open invitation already. Send it again from the list of members." in text_of(response)
    assert (Invitation.objects.count(), len(mail.outbox)) == (1, 1)


def test_two_admins_who_invite_the_same_person_at_once_make_one_invitation(admin: Client, monkeypatch: Any) -> None:
    # given another admin's invitation, made after this form was checked
    invite(admin)
    monkeypatch.setattr("apps.account.member_forms.open_for", lambda _: None)
    response = admin.post(INVITE, GOOD | {"role": "admin"})
    assert response.status_code == 422
    assert "new@example.com has just been invited by somebody else." in text_of(response)
    assert (Invitation.objects.get().role, len(mail.outbox), len(events())) == ("operator", 1, 1)


def test_it_replaces_one_that_has_expired(admin: Client) -> None:
    invite(admin)
    with clock.moved(timedelta(days=8)):
        assert open_for("new@example.com") is None
        # the eight days have ended the session as well
        admin.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
        invite(admin)
        assert open_for("new@example.com") == Invitation.objects.order_by("pk").last()
    assert len(mail.outbox) == 2


# --- bad days


class BrokenMail(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise SMTPServerDisconnected("the server went away: secret")


def test_it_says_when_the_mail_server_does_not_take_the_mail(admin: Client, settings: Any) -> None:
    # given a mail server that is away
    settings.EMAIL_BACKEND = f"{__name__}.BrokenMail"
    response = admin.post(INVITE, GOOD, follow=True)
    # then the list says so, and offers to send it again
    words = text_of(response)
    assert "The invitation of new@example.com is made, but the mail server did not take the mail." in words
    assert "secret" not in words
    assert "Send again" in words
    assert events() == [("member.invite", "new@example.com", "done")]
    # and the dialog leads to the same page
    part = admin.post(INVITE, GOOD | {"email": "other@example.com"}, headers=HTMX)
    assert part["HX-Redirect"] == MEMBERS


# --- sent again, revoked


def test_it_sends_a_new_link_which_ends_the_old_one(admin: Client, client: Client) -> None:
    old = invite(admin)
    row = Invitation.objects.get()
    url = f"{MEMBERS}invitations/{row.pk}/resend/"
    # when an admin opens the step, nothing happens yet; when it is sent, a second mail goes out
    assert "The one sent before stops working." in text_of(admin.get(url))
    response = admin.post(url, {"intent": "resend"}, follow=True)
    assert "new@example.com is sent a new link; the old one has ended." in text_of(response)
    assert len(mail.outbox) == 2
    # then only the new link works
    assert client.get(old).status_code == 410
    assert client.get(link()).status_code == 200
    assert events() == [("member.invite", "new@example.com", "done"), ("member.resend", "new@example.com", "done")]
    # and a second press on the old row's button changes nothing
    again = admin.post(url, {"intent": "resend"})
    assert again.status_code == 409
    assert "It was revoked or sent again in the meantime." in text_of(again)
    assert len(mail.outbox) == 2


def test_it_sends_an_expired_one_again(admin: Client, client: Client) -> None:
    invite(admin)
    Invitation.objects.update(expires_at=clock.now())
    admin.post(f"{MEMBERS}invitations/{Invitation.objects.get().pk}/resend/", {"intent": "resend"})
    assert client.get(link()).status_code == 200


def test_it_revokes_a_link(admin: Client, client: Client) -> None:
    path = invite(admin)
    url = f"{MEMBERS}invitations/{Invitation.objects.get().pk}/revoke/"
    assert "The link that new@example.com was sent stops working at once." in text_of(admin.get(url, headers=HTMX))
    assert client.get(path).status_code == 200
    response = admin.post(url, {"intent": "revoke"}, headers=HTMX)
    assert "The invitation of new@example.com is revoked." in text_of(response)
    assert client.get(path).status_code == 410
    assert "new@example.com" not in text_of(admin.get(MEMBERS)).partition("Open invitations")[2]
    assert events()[1:] == [("member.revoke", "new@example.com", "done")]
    # twice is once
    assert admin.post(url, {"intent": "revoke"}).status_code == 409
    assert len(events()) == 2


@pytest.mark.parametrize("what", ["resend", "revoke"])
def test_it_changes_nothing_without_the_buttons_intent(admin: Client, client: Client, what: str) -> None:
    path = invite(admin)
    url = f"{MEMBERS}invitations/{Invitation.objects.get().pk}/{what}/"
    assert admin.post(url).status_code == 200
    assert client.get(path).status_code == 200
    assert len(mail.outbox) == len(events()) == 1


@pytest.mark.parametrize("what", ["resend", "revoke"])
def test_it_finds_no_invitation_of_another_number(admin: Client, what: str) -> None:
    assert admin.post(f"{MEMBERS}invitations/77/{what}/", {"intent": what}).status_code == 404


@pytest.mark.parametrize("role", ["viewer", "billing", "operator"])
def test_it_is_for_admins(admin: Client, sign_in: Any, role: str) -> None:
    invite(admin)
    browser, number = sign_in(role), Invitation.objects.get().pk
    paths = ("invite/", f"invitations/{number}/resend/", f"invitations/{number}/revoke/")
    for path, intent in zip(paths, ("invite", "resend", "revoke"), strict=True):
        assert browser.post(f"{MEMBERS}{path}", GOOD | {"intent": intent}).status_code == 403
    assert (len(mail.outbox), len(events())) == (1, 1)
    assert open_for("new@example.com")


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_it_refuses_other_methods(admin: Client, method: str) -> None:
    assert getattr(admin, method)(INVITE).status_code == 405
