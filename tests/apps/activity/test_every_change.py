"""Every address that changes something writes exactly one event: a literal table, walked over the URLconf.

A new address that takes POST fails the walk until it has a row here: in CHANGES, with how to post to it and the action
of its event, or in NO_CHANGE, with why it changes nothing that is worth an event.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client

from apps.account.models import Invitation, User
from apps.activity.events import first_break
from apps.activity.models import Event
from apps.deploy.models import Template
from barrack_web import clock
from barrack_web.sandbox.server import Sandbox
from tests.apps.account import test_login_code, test_password_reset, test_signup
from tests.apps.account.doors import newest, path_in
from tests.apps.account.people import ACCEPT, invite
from tests.apps.account.second_factors import (
    ADD,
    LOGIN,
    STEP,
    SoftPasskey,
    add_passkey,
    begin_sign_in,
    code_of,
    confirm,
    question_of,
    secret_of,
    set_up_app,
)
from tests.apps.account.test_roles import EVERY, address
from tests.apps.deploy.helpers import CHOICES, choose, draft_id, form_of
from tests.apps.scripts.helpers import chosen, opened
from tests.apps.security.helpers import public
from tests.conftest import HTMX, token_of

PASSWORD, NEW = "barrack-test-1", "three-blind-mice"
SNAPSHOT, VM = "BRK-123456S", "BRK-123456D"
RULE = {
    "direction": "ingress",
    "protocol": "tcp",
    "ethertype": "IPv4",
    "remote_ip_prefix": "198.51.100.0/24",
    "port_range_min": "443",
    "port_range_max": "443",
}
SIGN_IN = {"login": "operator@example.com", "password": PASSWORD}


@dataclass
class World:
    """What a row begins with: people of each role, and an admin's browser."""

    admin: Client
    sign_in: Callable[[str], Client]
    settings: Any

    def person(self, role: str) -> User:
        return User.objects.get(email=f"{role}@example.com")


# What is posted: a browser, an address, a form.
Post = tuple[Client, str, dict[str, Any]]


def own(path: str, **form: Any) -> Callable[[World], Post]:
    """A form that an admin sends as it is."""
    return lambda world: (world.admin, path, form)


def of_member(what: str, role: str = "viewer", **form: Any) -> Callable[[World], Post]:
    return lambda world: (world.admin, f"/account/members/{world.person(role).pk}/{what}/", form)


def write(path: str, intent: str, **form: Any) -> Callable[[World], Post]:
    """A write form of the cloud, opened and sent."""

    def post(world: World) -> Post:
        token = token_of(world.admin.get(path, headers=HTMX))
        return world.admin, path, {"token": token, "intent": intent, **form}

    return post


def of_several(world: World) -> Post:
    page = world.admin.get("/vms/bulk/", {"action": "stop", "vm": VM}).content.decode()
    name, token = re.findall(r'name="(token-[^"]+)" value="([^"]+)"', page)[0]
    return world.admin, "/vms/bulk/", {"action": "stop", "intent": "stop", "vm": VM, name: token}


def signed_up(world: World) -> Post:
    world.settings.SIGNUP_DOMAINS = ["corp.example"]
    return Client(), test_signup.URL, test_signup.RIGHT


def confirmed(world: World) -> Post:
    browser, url, form = signed_up(world)
    browser.post(url, form)
    return browser, path_in(newest()), {}


def recovered(world: World) -> Post:
    browser = Client()
    path = test_password_reset.form_of(browser, test_password_reset.ask(browser))
    return browser, path, {"password1": NEW, "password2": NEW}


def by_code(world: World) -> Post:
    browser = Client()
    return browser, test_login_code.TYPE, {"code": test_login_code.ask(browser)}


def invited(what: str) -> Callable[[World], Post]:
    def post(world: World) -> Post:
        invite(world.admin)
        return world.admin, f"/account/members/invitations/{Invitation.objects.get().pk}/{what}/", {"intent": what}

    return post


def accepted(world: World) -> Post:
    return Client(), invite(world.admin), ACCEPT


def ended(world: World) -> Post:
    Client().post("/account/login/", {"login": "admin@example.com", "password": PASSWORD})
    other = UserSession.objects.filter(user__email="admin@example.com").latest("pk")
    return world.admin, f"/account/sessions/{other.pk}/end/", {}


def switched_on(world: World) -> Post:
    User.objects.filter(email="viewer@example.com").update(is_active=False)
    return of_member("activate", intent="activate")(world)


def without_factor(world: World) -> Post:
    set_up_app(world.sign_in("operator"))
    return of_member("second-factor", role="operator", intent="reset")(world)


def app_added(world: World) -> Post:
    confirm(world.admin)
    secret = secret_of(world.admin.get("/account/mfa/totp/activate/"))
    return world.admin, "/account/mfa/totp/activate/", {"code": code_of(secret)}


def with_app(path: str) -> Callable[[World], Post]:
    def post(world: World) -> Post:
        set_up_app(world.admin)
        return world.admin, path, {}

    return post


def second_step(world: World) -> Post:
    secret = set_up_app(world.sign_in("operator"))
    return begin_sign_in("operator@example.com"), STEP, {"code": code_of(secret)}


def passkey_added(world: World) -> Post:
    confirm(world.admin)
    credential = SoftPasskey().create(question_of(world.admin.get(ADD)))
    return world.admin, ADD, {"name": "Laptop", "credential": json.dumps(credential)}


def of_passkey(what: str, **form: str) -> Callable[[World], Post]:
    def post(world: World) -> Post:
        add_passkey(world.admin)
        number = Authenticator.objects.get(type="webauthn").pk
        return world.admin, f"/account/mfa/webauthn/keys/{number}/{what}/", form

    return post


def by_passkey(world: World) -> Post:
    passkey, browser = add_passkey(world.admin), Client()
    asked = browser.get(LOGIN, headers={"Accept": "application/json"}).json()["request_options"]["publicKey"]
    return browser, LOGIN, {"credential": json.dumps(passkey.get(asked))}


def changed_script(world: World) -> Post:
    return world.admin, "/scripts/71/edit/", opened(world.admin, "71", content="#!/bin/sh\n")


def deleted_script(world: World) -> Post:
    return world.admin, "/scripts/bulk/", chosen(world.admin, ["71"])


def deployed(world: World) -> Post:
    return world.admin, "/deploy/", form_of(choose(world.admin, **CHOICES)) | {"intent": "create"}


def saved_template(world: World) -> Post:
    draft = draft_id(choose(world.admin, gpu_model="L40"))
    return world.admin, f"/deploy/drafts/{draft}/template/", {"name": "usual"}


def deleted_template(world: World) -> Post:
    template = Template.objects.create(name="usual", created_by=world.person("operator"), created_at=clock.now())
    return world.admin, f"/deploy/templates/{template.pk}/delete/", {}


def made_key(world: World) -> Post:
    # Making a pair takes longer than the calls of the other rows.
    world.settings.API_WRITE_SECONDS = 5
    return write("/ssh-keys/create/", "create", name="fresh")(world)


# Every address that changes something: how to post to it, and the action of its one event.
CHANGES: dict[str, tuple[Callable[[World], Post], str]] = {
    # Going in and out
    "account_login": (lambda _: (Client(), "/account/login/", SIGN_IN), "sign_in"),
    "account_confirm_login_code": (by_code, "sign_in"),
    "account_logout": (own("/account/logout/"), "sign_out"),
    "account_signup": (signed_up, "sign_up"),
    "account_confirm_email": (confirmed, "address.confirm"),
    "account_reset_password_from_key": (recovered, "password.reset"),
    "account_change_password": (
        own("/account/password/change/", oldpassword=PASSWORD, password1=NEW, password2=NEW),
        "password.change",
    ),
    "mfa_authenticate": (second_step, "sign_in"),
    "mfa_login_webauthn": (by_passkey, "sign_in"),
    # One's own second factor, sessions, profile
    "mfa_activate_totp": (app_added, "second_factor.add"),
    "mfa_deactivate_totp": (with_app("/account/mfa/totp/deactivate/"), "second_factor.remove"),
    "mfa_generate_recovery_codes": (with_app("/account/mfa/recovery-codes/generate/"), "recovery_codes.make"),
    "mfa_add_webauthn": (passkey_added, "second_factor.add"),
    "mfa_edit_webauthn": (of_passkey("edit", name="Desk"), "passkey.rename"),
    "mfa_remove_webauthn": (of_passkey("remove"), "second_factor.remove"),
    "account:end_session": (ended, "session.end"),
    "account:end_other_sessions": (own("/account/sessions/end-others/"), "session.end_others"),
    "account:profile": (own("/account/profile/", name="Ada Lovelace", phone="+1 555 0100"), "profile.edit"),
    "account:billing_profile": (
        own("/account/billing-profile/", address_line="1 Street", postal_code="1", country="IN"),
        "billing_profile.edit",
    ),
    # Members
    "account:invite": (
        own("/account/members/invite/", email="new@example.com", role="viewer", intent="invite"),
        "member.invite",
    ),
    "account:resend_invitation": (invited("resend"), "member.resend"),
    "account:revoke_invitation": (invited("revoke"), "member.revoke"),
    "account:accept_invitation": (accepted, "member.accept"),
    "account:member_deactivate": (of_member("deactivate", intent="deactivate"), "member.deactivate"),
    "account:member_activate": (switched_on, "member.activate"),
    "account:member_second_factor": (without_factor, "second_factor.reset"),
    "account:sign_in_rules": (own("/account/members/rules/", roles=["operator"]), "sign_in_rules.edit"),
    # Startup scripts
    "scripts:create": (
        write("/scripts/create/", "create", name="fresh", content="#!/bin/sh\n"),
        "script.create",
    ),
    "scripts:edit": (changed_script, "script.edit"),
    "scripts:delete": (write("/scripts/71/delete/", "delete"), "script.delete"),
    "scripts:bulk": (deleted_script, "script.delete"),
    # SSH keys
    "security:create_key": (made_key, "key.create"),
    "security:import_key": (write("/ssh-keys/import/", "import", name="fresh", key=public()), "key.import"),
    "security:delete_key": (write("/ssh-keys/14/delete/", "delete"), "key.delete"),
    # Deploying
    "deploy:wizard": (deployed, "instance.create"),
    "deploy:save_template": (saved_template, "template.create"),
    "deploy:delete_template": (deleted_template, "template.delete"),
    # The cloud
    "snapshots:create": (
        write("/snapshots/create/", "create", instance_id="BRK-123456D", name="nightly-9"),
        "snapshot.create",
    ),
    "snapshots:restore": (write(f"/snapshots/{SNAPSHOT}/restore/", "restore", name="trainer-9"), "snapshot.restore"),
    "snapshots:image": (write(f"/snapshots/{SNAPSHOT}/image/", "image", name="image-9"), "snapshot.image"),
    "images:create": (
        write("/images/create/", "create", snapshot_id=SNAPSHOT, name="image-9"),
        "image.create",
    ),
    "images:delete": (write("/images/501/delete/", "delete"), "image.delete"),
    "snapshots:delete": (write("/snapshots/BRK-123463S/delete/", "delete"), "snapshot.delete"),
    "storage:create": (
        write("/volumes/create/", "create", name="scratch-9", region="US-1", size_gb="50", volume_type="SSD"),
        "volume.create",
    ),
    "storage:attach": (write("/volumes/BRK-123538V/attach/", "attach", instance_id="BRK-123517D"), "volume.attach"),
    "storage:detach": (write("/volumes/BRK-123492V/detach/", "detach"), "volume.detach"),
    "storage:resize": (write("/volumes/BRK-123538V/resize/", "resize", size_gb="200"), "volume.resize"),
    "storage:clone": (write("/volumes/BRK-123538V/clone/", "clone", name="volume1-copy"), "volume.clone"),
    "storage:delete": (write("/volumes/BRK-123538V/delete/", "delete", name="volume1"), "volume.delete"),
    "storage:attach_several": (
        write("/vms/BRK-123517D/volumes/", "attach_volumes", volume_ids=["BRK-123538V"]),
        "instance.attach_volumes",
    ),
    "vms:start": (write("/vms/BRK-123533D/start/", "start"), "instance.start"),
    "vms:stop": (write(f"/vms/{VM}/stop/", "stop"), "instance.stop"),
    "vms:reboot": (write(f"/vms/{VM}/reboot/", "reboot"), "instance.reboot"),
    "vms:hibernate": (write(f"/vms/{VM}/hibernate/", "hibernate"), "instance.hibernate"),
    "vms:restore": (write("/vms/BRK-123548D/restore/", "restore"), "instance.restore"),
    "vms:delete": (write(f"/vms/{VM}/delete/", "delete", name="ml-training-server"), "instance.delete"),
    "vms:public_ip": (write(f"/vms/{VM}/public-ip/", "remove-ip"), "instance.remove-ip"),
    "vms:rules": (write(f"/vms/{VM}/rules/", "add-rule", **RULE), "instance.add-rule"),
    "vms:remove_rule": (write(f"/vms/{VM}/rules/{VM}-ssh/delete/", "remove-rule"), "instance.remove-rule"),
    "vms:bulk": (of_several, "instance.stop"),
}
CHANGES["account:member_role"] = (
    lambda world: (
        world.admin,
        f"/account/members/{world.person('viewer').pk}/role/",
        {"role": "operator", "intent": "role"},
    ),
    "member.role",
)
# Every other address that takes POST, and why it writes nothing.
NO_CHANGE = {
    "deploy:delete_draft": "choices of one's own that nothing was made of",
    "account:theme": "a cookie of the browser",
    "account_request_login_code": "sends a mail; the sign-in that comes of it is written",
    "account_reset_password": "sends a mail; the new password that comes of it is written",
    "account_reauthenticate": "shows once more who one is; only a failure is written",
    "mfa_reauthenticate": "shows once more who one is; only a failure is written",
    "mfa_reauthenticate_webauthn": "shows once more who one is",
    "google_login": "leads to Google; the sign-in that comes of it is written",
    "openid_connect_login": "leads to the provider; the sign-in that comes of it is written",
}

# Forms that say all by being sent.
BARE = {"account_logout", "account:end_other_sessions", "account:sign_in_rules"}


@pytest.fixture
def world(sandbox: Sandbox, sign_in: Callable[[str], Client], profile: Any, settings: Any) -> World:
    cache.clear()
    found = World(sign_in("admin"), sign_in, settings)
    for role in ("viewer", "operator"):
        sign_in(role)
    return found


@pytest.mark.parametrize("name", sorted(EVERY))
def test_it_knows_every_address_that_takes_a_form(world: World, name: str) -> None:
    # given an address, then it refuses every form, or has a row in one of the two tables
    statuses = {browser.post(address(name, None)).status_code for browser in (Client(), world.sign_in("admin"))}
    takes = statuses - {405} - ({302} if 405 in statuses else set())
    known = (name in CHANGES) + (name in NO_CHANGE)
    assert known == bool(takes), f"{name} needs a row in {__name__}: CHANGES, or NO_CHANGE with a reason ({statuses})"


def test_it_knows_no_address_of_the_past() -> None:
    assert sorted({*CHANGES, *NO_CHANGE} - set(EVERY)) == []


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_it_writes_exactly_one_event(
    world: World, name: str, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    # given all that the form needs
    prepare, action = CHANGES[name]
    with django_capture_on_commit_callbacks(execute=True):
        browser, url, form = prepare(world)
    before = Event.objects.count()
    # when it is sent
    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(url, form)
    # then it is accepted, and there is one event more, of that action, with who it was
    assert response.status_code in {200, 302}, response.content.decode()
    new = list(Event.objects.order_by("number")[before:])
    assert [(event.action, event.result) for event in new] == [(action, "done")]
    assert new[0].user is not None
    assert new[0].who == new[0].user.email
    assert first_break() is None


@pytest.mark.parametrize("name", sorted(set(CHANGES) - BARE))
def test_it_writes_nothing_for_a_form_without_anything(world: World, name: str) -> None:
    world.admin.post(address(name, None))
    assert list(Event.objects.values_list("action", flat=True)) == []
