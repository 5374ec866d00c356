"""manage.py createadmin: the first admin, or the way back in for one."""

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from apps.account.models import User
from apps.activity.models import Event
from barrack_web.sandbox.server import Sandbox
from tests.apps.account.people import PASSWORD, events, may_read, sign_in

EMAIL = "you@company.example"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(sandbox: Sandbox, db: None, monkeypatch: Any) -> Any:
    """Run the command as somebody at a terminal who types these passwords."""

    def at_terminal(*arguments: str, typed: tuple[str, ...] = (PASSWORD, PASSWORD)) -> str:
        answers, out = list(typed), io.StringIO()
        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("barrack_web.management.commands.createadmin.getpass", lambda _: answers.pop(0))
        call_command("createadmin", *arguments, stdout=out)
        return out.getvalue()

    return at_terminal


# --- works


@pytest.mark.feature("AUTH-01")
def test_it_makes_the_first_admin(run: Any) -> None:
    assert run(EMAIL, "--name", "Ada Admin") == f"{EMAIL} is an admin now, and can sign in.\n"
    person = User.objects.get()
    assert (person.email, person.name, person.role, person.is_active) == (EMAIL, "Ada Admin", "admin", True)
    # then the form lets them in at once, without a mail to confirm
    assert may_read(sign_in(EMAIL, PASSWORD))
    assert events("member.createadmin") == [("member.createadmin", EMAIL, "done")]
    event = Event.objects.get(action="member.createadmin")
    assert (event.user, event.who, event.address) == (None, "the command line", None)


def test_it_needs_no_name(run: Any) -> None:
    run(EMAIL)
    assert User.objects.get().name == ""


def test_it_takes_a_password_from_a_script(sandbox: Sandbox, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\r\nmore\n"))
    call_command("createadmin", EMAIL, "--password-stdin", stdout=io.StringIO())
    assert may_read(sign_in(EMAIL, PASSWORD))


@pytest.mark.parametrize("typed", [EMAIL, "YOU@company.EXAMPLE", f" {EMAIL} "])
def test_it_repairs_an_account_and_says_what_it_changed(run: Any, make_user: Any, typed: str) -> None:
    # given somebody who is switched off, a viewer, and a demo account
    make_user("viewer", email=EMAIL, name="Yvonne", is_active=False, is_demo=True)
    # when the command is run with their address
    said = run(typed, "--name", "Yvonne You")
    # then it says what is new, and they can come in
    assert said == (
        f"{EMAIL} had an account already. Changed: the password, the name to Yvonne You, "
        "the role from viewer to admin, it is active again.\n"
    )
    person = User.objects.get()
    assert (person.name, person.role, person.is_active, person.is_demo) == ("Yvonne You", "admin", True, False)
    assert may_read(sign_in(EMAIL, PASSWORD))


def test_it_changes_only_the_password_of_an_admin(run: Any, make_user: Any) -> None:
    make_user("admin", email=EMAIL, name="Ada")
    old = sign_in(EMAIL, "barrack-test-1")
    assert may_read(old)
    assert run(EMAIL).endswith("Changed: the password.\n")
    assert User.objects.get().name == "Ada"
    # the new password ends what the old one opened
    assert not may_read(old)
    assert not may_read(sign_in(EMAIL, "barrack-test-1"))


def test_it_lets_in_the_only_admin_who_lost_the_second_factor(run: Any, make_user: Any) -> None:
    person = make_user("admin", email=EMAIL, name="Ada")
    for kind in ("totp", "recovery_codes"):
        Authenticator.objects.create(user=person, type=kind, data={})
    # given a new password, which alone does not let in
    run(EMAIL)
    assert Authenticator.objects.count() == 2
    assert run(EMAIL, "--remove-second-factor").endswith("Changed: the password, the second factor is removed.\n")
    assert Authenticator.objects.count() == 0
    assert may_read(sign_in(EMAIL, PASSWORD))
    assert Event.objects.order_by("number").filter(action="member.createadmin").last().name == "Second factor removed"  # type: ignore[union-attr]


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "typed", "sentence"),
    [
        (["no address"], (PASSWORD, PASSWORD), "Enter a valid email address."),
        ([EMAIL, "--name", "R2D2"], (PASSWORD, PASSWORD), "Use letters, spaces, hyphens and apostrophes."),
        ([EMAIL, "--name", ""], (PASSWORD, PASSWORD), "Enter a name."),
        ([EMAIL], (PASSWORD, "another-passphrase"), "The two passwords are not the same. Nothing was changed."),
        ([EMAIL], ("short-one", "short-one"), "at least 12 characters. Nothing was changed."),
        ([EMAIL], ("password1234", "password1234"), "This password is too common. Nothing was changed."),
        ([EMAIL], ("you@company.example", "you@company.example"), "too similar to the email"),
        ([EMAIL], ("", ""), "at least 12 characters."),
    ],
)
def test_it_refuses(run: Any, arguments: list[str], typed: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(*arguments, typed=typed)
    assert sentence in str(caught.value)
    assert typed[0] == "" or typed[0] == EMAIL or typed[0] not in str(caught.value)
    assert (User.objects.count(), events()) == (0, [])


def test_it_leaves_an_account_alone_when_the_password_does_not_fit(run: Any, make_user: Any) -> None:
    make_user("viewer", email=EMAIL, name="Yvonne")
    with pytest.raises(CommandError):
        run(EMAIL, "--name", "Other", typed=("short", "short"))
    person = User.objects.get()
    assert (person.role, person.name) == ("viewer", "Yvonne")


def test_it_asks_for_no_password_where_nobody_can_type_one(db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD))
    with pytest.raises(CommandError, match="Use --password-stdin"):
        call_command("createadmin", EMAIL)


def test_it_needs_an_address(db: None) -> None:
    with pytest.raises(CommandError, match="email"):
        call_command("createadmin")
