"""Who may do what: a literal copy of the design's table, walked over every address, role and method."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.account.models import User
from apps.account.roles import ROLES_THAT_CAN, Can, Role, allowed
from apps.activity.events import append
from apps.activity.models import Operation
from barrack_web.sandbox.server import Sandbox
from tests.apps.activity.helpers import new_row
from tests.conftest import HTMX, text_of

ROLES = ("viewer", "billing", "operator", "admin")
# The design's table, for what exists now: capability, who has it.
TABLE = {
    "READ": {"viewer", "billing", "operator", "admin"},
    "EDIT_BILLING_PROFILE": {"billing", "admin"},
    "DEPLOY_VM": {"operator", "admin"},
    "OPERATE_VM": {"operator", "admin"},
    "EDIT_VM_NETWORK": {"operator", "admin"},
    "DELETE_VM": {"admin"},
    "CREATE_SNAPSHOT": {"operator", "admin"},
    "RESTORE_SNAPSHOT": {"operator", "admin"},
    "CREATE_IMAGE": {"operator", "admin"},
    "DELETE_SNAPSHOT": {"admin"},
    "DELETE_IMAGE": {"admin"},
    "EDIT_VOLUME": {"operator", "admin"},
    "DELETE_VOLUME": {"admin"},
    "EDIT_SCRIPT": {"operator", "admin"},
    "DELETE_SCRIPT": {"admin"},
    "EDIT_KEY": {"operator", "admin"},
    "DELETE_KEY": {"admin"},
    "MANAGE_MEMBERS": {"admin"},
    "EXPORT_ACTIVITY": {"admin"},
}
# What the page says to those who lack it: which roles can, and what.
SENTENCES = {
    "EDIT_BILLING_PROFILE": "Only a billing or an admin can edit the billing profile",
    "DEPLOY_VM": "Only an operator or an admin can deploy VMs",
    "OPERATE_VM": "Only an operator or an admin can start, stop, reboot, hibernate and restore VMs",
    "EDIT_VM_NETWORK": "Only an operator or an admin can change public IPs and security rules",
    "DELETE_VM": "Only an admin can delete VMs",
    "CREATE_SNAPSHOT": "Only an operator or an admin can create snapshots",
    "RESTORE_SNAPSHOT": "Only an operator or an admin can restore snapshots",
    "CREATE_IMAGE": "Only an operator or an admin can create images",
    "DELETE_SNAPSHOT": "Only an admin can delete snapshots",
    "DELETE_IMAGE": "Only an admin can delete images",
    "EDIT_VOLUME": "Only an operator or an admin can create, attach, detach, resize and clone volumes",
    "DELETE_VOLUME": "Only an admin can delete volumes",
    "EDIT_SCRIPT": "Only an operator or an admin can create and edit scripts",
    "DELETE_SCRIPT": "Only an admin can delete scripts",
    "EDIT_KEY": "Only an operator or an admin can create and import SSH keys",
    "DELETE_KEY": "Only an admin can delete SSH keys",
    "MANAGE_MEMBERS": "Only an admin can manage members and sign-in rules",
    "EXPORT_ACTIVITY": "Only an admin can export the activity",
}
# Every address that needs a capability, and what it answers to those who have it: to GET and to an empty POST. Two
# numbers: as a page, and as a part.
GUARDED = {
    "home": ("READ", 200, 405),
    "credits": ("READ", 200, 405),
    "account:account": ("READ", 200, 405),
    "account:balance": ("READ", 200, 405),
    "account_change_password": ("READ", 200, 422),
    "account_set_password": ("READ", 302, 405),
    "account_reauthenticate": ("READ", 200, 422),
    "account:billing_profile": ("EDIT_BILLING_PROFILE", 200, 422),
    "account:sessions": ("READ", 200, 405),
    "account:end_other_sessions": ("READ", 405, 302),
    "account:end_session": ("READ", 405, 404),
    "account:members": ("MANAGE_MEMBERS", 200, 405),
    "account:member": ("MANAGE_MEMBERS", 200, 405),
    "account:member_role": ("MANAGE_MEMBERS", 200, 422),
    "account:member_deactivate": ("MANAGE_MEMBERS", 200, 200),
    "account:member_activate": ("MANAGE_MEMBERS", 200, 200),
    "account:member_second_factor": ("MANAGE_MEMBERS", 200, 200),
    "account:invite": ("MANAGE_MEMBERS", 200, 422),
    "account:resend_invitation": ("MANAGE_MEMBERS", 404, 404),
    "account:revoke_invitation": ("MANAGE_MEMBERS", 404, 404),
    "account:sign_in_rules": ("MANAGE_MEMBERS", 200, 302),
    # Most of these ask for the password once more; what is not set up is not there.
    "mfa_index": ("READ", 200, 405),
    "mfa_activate_totp": ("READ", 302, 302),
    "mfa_deactivate_totp": ("READ", 404, 404),
    "mfa_view_recovery_codes": ("READ", 404, 405),
    "mfa_generate_recovery_codes": ("READ", 302, 302),
    "mfa_list_webauthn": ("READ", 302, 405),
    "mfa_add_webauthn": ("READ", 302, 302),
    "mfa_edit_webauthn": ("READ", 302, 302),
    "mfa_remove_webauthn": ("READ", 302, 302),
    "mfa_reauthenticate": ("READ", 302, 302),
    "mfa_reauthenticate_webauthn": ("READ", 302, 302),
    "account:onboarding": ("READ", 200, 405),
    "account:profile": ("READ", 200, 422),
    "activity:list": ("READ", 200, 405),
    "activity:operation": ("READ", 200, 405),
    "activity:event": ("READ", 200, 405),
    "activity:export": ("EXPORT_ACTIVITY", 200, 405),
    "vms:list": ("READ", 200, 405),
    "vms:billing": ("READ", 200, 405),
    "vms:states": ("READ", 200, 405),
    "vms:details": ("READ", 200, 405),
    "vms:usage": ("READ", 200, 405),
    "vms:ssh_config": ("READ", 200, 405),
    "vms:bulk": ("OPERATE_VM", 200, 422),
    "vms:start": ("OPERATE_VM", 200, 200),
    "vms:stop": ("OPERATE_VM", 200, 200),
    "vms:reboot": ("OPERATE_VM", 200, 200),
    "vms:hibernate": ("OPERATE_VM", 200, 200),
    "vms:restore": ("OPERATE_VM", 200, 200),
    "vms:delete": ("DELETE_VM", 200, 200),
    "vms:public_ip": ("EDIT_VM_NETWORK", 200, 200),
    "vms:rules": ("EDIT_VM_NETWORK", 200, 200),
    "vms:remove_rule": ("EDIT_VM_NETWORK", 200, 200),
    # It leads to the form of a new snapshot.
    "vms:snapshot": ("CREATE_SNAPSHOT", 302, 405),
    "deploy:wizard": ("DEPLOY_VM", 200, (302, 200)),
    "deploy:drafts": ("DEPLOY_VM", 200, 405),
    "deploy:delete_draft": ("DEPLOY_VM", 405, 302),
    "deploy:save_template": ("DEPLOY_VM", 404, 404),
    "deploy:delete_template": ("DEPLOY_VM", 405, 404),
    # Only of an operation that deploys.
    "deploy:deploying": ("READ", 404, 405),
    "snapshots:list": ("READ", 200, 405),
    "snapshots:billing": ("READ", 200, 405),
    "snapshots:details": ("READ", 200, 405),
    "snapshots:create": ("CREATE_SNAPSHOT", 200, 200),
    "snapshots:restore": ("RESTORE_SNAPSHOT", 200, 200),
    "snapshots:image": ("CREATE_IMAGE", 200, 200),
    "snapshots:delete": ("DELETE_SNAPSHOT", 200, 200),
    "images:list": ("READ", 200, 405),
    "images:details": ("READ", 200, 405),
    "images:create": ("CREATE_IMAGE", 200, 200),
    "images:delete": ("DELETE_IMAGE", 200, 200),
    "storage:list": ("READ", 200, 405),
    "storage:leftovers": ("READ", 200, 405),
    "storage:details": ("READ", 200, 405),
    "storage:create": ("EDIT_VOLUME", 200, 200),
    "storage:attach": ("EDIT_VOLUME", 200, 200),
    "storage:detach": ("EDIT_VOLUME", 200, 200),
    "storage:resize": ("EDIT_VOLUME", 200, 200),
    "storage:clone": ("EDIT_VOLUME", 200, 200),
    "storage:delete": ("DELETE_VOLUME", 200, 200),
    "storage:attach_several": ("EDIT_VOLUME", 200, 200),
    "scripts:list": ("READ", 200, 405),
    "scripts:details": ("READ", 200, 405),
    "scripts:create": ("EDIT_SCRIPT", 200, 200),
    "scripts:edit": ("EDIT_SCRIPT", 200, 200),
    "scripts:delete": ("DELETE_SCRIPT", 200, 200),
    "scripts:bulk": ("DELETE_SCRIPT", 200, 422),
    "security:ssh_keys": ("READ", 200, 405),
    "security:ssh_key": ("READ", 200, 405),
    "security:create_key": ("EDIT_KEY", 200, 200),
    "security:import_key": ("EDIT_KEY", 200, 200),
    "security:delete_key": ("DELETE_KEY", 200, 200),
}
# Every address that needs none, and what it answers to a visitor: to GET and to an empty POST.
PUBLIC = {
    "healthz": (200, 405),
    "readyz": (200, 405),
    "account_login": (200, 422),
    "account_request_login_code": (200, 422),
    "account_confirm_login_code": (302, 302),
    "account_signup": (403, 403),
    "account_email_verification_sent": (200, 405),
    "account_confirm_email": (410, 410),
    "account_reset_password": (200, 422),
    "account_reset_password_done": (200, 405),
    "account_reset_password_from_key": (410, 410),
    "account_reset_password_from_key_done": (200, 405),
    "google_login": (404, 404),
    "google_callback": (404, 405),
    "openid_connect_login": (404, 404),
    "openid_connect_callback": (404, 405),
    "socialaccount_login_cancelled": (200, 405),
    "account_logout": (302, 302),
    "account_inactive": (200, 405),
    "mfa_authenticate": (302, 302),
    "mfa_login_webauthn": (302, 302),
    "account:theme": (405, 302),
    "account:accept_invitation": (404, 404),
}
METHODS = ("get", "post")
# What changes something in the cloud.
WRITES = {
    "create_snapshot", "restore_snapshot", "delete_snapshot", "create_image_from_snapshot", "delete_image",
    "start_instance", "stop_instance", "reboot_instance", "hibernate_instance", "restore_instance", "delete_instance",
    "create_instance", "create_ssh_key", "delete_ssh_key",
    "create_volume", "attach_volumes", "detach_volumes", "resize_volume", "clone_volume", "delete_volume",
    "toggle_instance_public_ip", "add_instance_security_rule", "remove_instance_security_rule",
}  # fmt: skip


def patterns(resolver: URLResolver, spaces: tuple[str, ...] = ()) -> Iterator[tuple[str, URLPattern]]:
    """Give every pattern of the portal with its full name."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, (*spaces, entry.namespace) if entry.namespace else spaces)
        else:
            yield ":".join((*spaces, str(entry.name))), entry


EVERY = dict(patterns(get_resolver()))


def address(name: str, operation: Operation | None) -> str:
    wanted = EVERY[name].pattern.converters
    values = {"instance_id": "BRK-123456D", "rule_id": "BRK-123456D-ssh", "snapshot_id": "BRK-123456S"}
    values |= {"volume_id": "BRK-123538V"}
    values |= {"operation_id": operation.pk if operation else Operation().pk}
    values |= {"member_id": operation.user_id if operation else 1}
    values |= {"number": 1, "pk": 0}
    values |= {"session_id": 0, "invitation_id": 0, "token": "x"}
    values |= {"uidb36": "1", "key": "x-1"}
    values |= {"script_id": "71", "key_id": "14", "image_id": "501"}
    values |= {"draft_id": UUID(int=1), "template_id": 0}
    return reverse(name, kwargs={key: values[key] for key in wanted})


@pytest.fixture
def operation(make_user: Any) -> Operation:
    append(who="viewer@example.com", action="sign_in", result="done")
    return new_row(make_user("viewer"), state="done")


# --- the table


def test_it_is_the_designs_table() -> None:
    assert {role.value for role in Role} == set(ROLES)
    assert {capability.name: {role.value for role in ROLES_THAT_CAN[capability]} for capability in Can} == TABLE


def test_it_lets_an_unknown_role_do_nothing() -> None:
    assert [what for what in Can for role in ("", "root", "Admin", "admin ") if allowed(role, what)] == []


def test_it_makes_people_viewers_unless_said_otherwise(db: None) -> None:
    assert User.objects.create_user("new@example.com").role == "viewer"


# --- the walk


def test_it_knows_every_address() -> None:
    # given the resolver, then each view is in one of the two literal lists, and none of them is of the past
    assert sorted(EVERY) == sorted([*GUARDED, *PUBLIC])
    assert sum(1 for _ in patterns(get_resolver())) == len(EVERY)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_it_has_a_capability_on_every_view_that_is_not_listed_as_public(name: str) -> None:
    capability = getattr(EVERY[name].callback, "capability", None)
    if name in GUARDED:
        assert isinstance(capability, Can)
        assert capability.name == GUARDED[name][0]
    else:
        assert capability is None
        assert name in PUBLIC


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", sorted(GUARDED))
def test_it_lets_in_who_may_and_nobody_else(
    sandbox: Sandbox, sign_in: Any, operation: Operation, name: str, role: str
) -> None:
    # given somebody of a role, and an address
    capability, *statuses = GUARDED[name]
    browser, url = sign_in(role), address(name, operation)
    for method, status in zip(METHODS, statuses, strict=True):
        for headers in ({}, HTMX):
            # when it is asked for, as a page and as a part
            response = getattr(browser, method)(url, headers=headers)
            # then those who may get their answer, the others the sentence that says who can
            if role in TABLE[capability]:
                wanted = status[bool(headers)] if isinstance(status, tuple) else status
                assert (method, response.status_code) == (method, wanted)
            elif status == 405:
                assert response.status_code in {403, 405}
            else:
                assert (method, response.status_code) == (method, 403)
                assert f"{SENTENCES[capability]}; your role is {role}." in text_of(response)
    # and nothing was changed in the cloud or written down
    assert {call.method for call in sandbox.log.calls()} <= {"GET", "POST"}
    assert [call.operation for call in sandbox.log.calls() if call.operation in WRITES] == []
    assert Operation.objects.count() == 1


SNAPSHOT, VM = "BRK-123456S", "BRK-123456D"
# Address, and what its form would send as.
FORMS = [
    (f"/snapshots/{SNAPSHOT}/restore/", "snapshot.restore", SNAPSHOT),
    (f"/snapshots/{SNAPSHOT}/delete/", "snapshot.delete", SNAPSHOT),
    (f"/snapshots/{SNAPSHOT}/image/", "snapshot.image", SNAPSHOT),
    ("/images/create/", "image.create", ""),
    ("/images/501/delete/", "image.delete", "501"),
    ("/volumes/create/", "volume.create", ""),
    ("/volumes/BRK-123538V/attach/", "volume.attach", "BRK-123538V"),
    ("/volumes/BRK-123492V/detach/", "volume.detach", "BRK-123492V"),
    ("/volumes/BRK-123538V/resize/", "volume.resize", "BRK-123538V"),
    ("/volumes/BRK-123538V/clone/", "volume.clone", "BRK-123538V"),
    ("/volumes/BRK-123538V/delete/", "volume.delete", "BRK-123538V"),
    (f"/vms/{VM}/volumes/", "instance.attach_volumes", VM),
    ("/ssh-keys/create/", "key.create", ""),
    ("/ssh-keys/import/", "key.import", ""),
    ("/ssh-keys/14/delete/", "key.delete", "14"),
    ("/deploy/", "instance.create", ""),
    (f"/vms/{VM}/stop/", "instance.stop", VM),
    (f"/vms/{VM}/hibernate/", "instance.hibernate", VM),
    (f"/vms/{VM}/delete/", "instance.delete", VM),
    (f"/vms/{VM}/public-ip/", "instance.remove-ip", VM),
    (f"/vms/{VM}/rules/{VM}-ssh/delete/", "instance.remove-rule", VM),
    ("/vms/bulk/", "instance.stop", VM),
    ("/vms/bulk/", "instance.delete", VM),
]
ADMINS_ONLY = {"snapshot.delete", "volume.delete", "instance.delete", "key.delete", "image.delete"}


@pytest.mark.parametrize(
    ("role", "sent"),
    [(role, sent) for sent in FORMS for role in ROLES[:3] if role != "operator" or sent[1] in ADMINS_ONLY],
)
def test_it_refuses_a_forged_form_of_the_wrong_role(
    sandbox: Sandbox, sign_in: Any, role: str, sent: tuple[str, str, str]
) -> None:
    # given a form as an admin would send it
    from apps.activity.tokens import new_token

    path, kind, target = sent
    browser, intent = sign_in(role), kind.rpartition(".")[2]
    token = new_token(User.objects.get().pk, kind, target)
    form = {"token": token, "intent": intent, "name": "a", "action": intent, "vm": target, f"token-{target}": token}
    # when somebody of another role sends it
    response = browser.post(path, form)
    # then it is refused before anything is read or sent
    assert response.status_code == 403
    assert [call for call in sandbox.log.calls() if call.operation != "get_credit_balance"] == []
    assert Operation.objects.count() == 0


@pytest.mark.feature("AUTH-10", "AUTH-11")
@pytest.mark.parametrize("name", sorted(GUARDED))
@pytest.mark.parametrize("method", [*METHODS, "put", "delete"])
def test_it_sends_a_visitor_to_sign_in(
    client: Client, sandbox: Sandbox, operation: Operation, name: str, method: str
) -> None:
    # given nobody, then every page leads to the sign-in page and tells nothing
    url = address(name, operation)
    response = getattr(client, method)(url)
    assert (response.status_code, response["Location"]) == (302, f"/account/login/?next={url}")
    assert response.content == b""
    # and a part sends the whole browser page there
    part = getattr(client, method)(url, headers=HTMX)
    assert part["HX-Redirect"].startswith("/account/login/?next=")
    assert part.content == b""
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_it_lets_a_visitor_into_the_public_ones(client: Client, sandbox: Sandbox, db: None, name: str) -> None:
    url = address(name, None)
    assert (client.get(url).status_code, client.post(url).status_code) == PUBLIC[name]
    assert sandbox.log.calls() == []


@pytest.mark.parametrize("role", ROLES)
def test_it_shows_everybody_the_dashboard_first(sandbox: Sandbox, sign_in: Any, role: str) -> None:
    response = sign_in(role).get("/")
    assert response.status_code == 200
    assert "<h1" in response.content.decode()
    assert "Dashboard" in response.content.decode().partition("<h1")[2].partition("</h1>")[0]


@pytest.mark.parametrize("path", ["/nothing", "/snapshots/BRK-1S/fly/", "/account/people/", "/admin/"])
def test_it_tells_a_visitor_nothing_about_other_addresses(
    client: Client, sandbox: Sandbox, db: None, path: str
) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert b'class="topbar"' not in response.content


def test_it_forgets_a_role_that_was_taken_away_at_once(admin: Client, sandbox: Sandbox) -> None:
    # given an admin with an open page
    assert admin.get("/snapshots/BRK-123456S/delete/").status_code == 200
    # when the role changes, then the next request already knows
    User.objects.update(role="viewer")
    assert admin.get("/snapshots/BRK-123456S/delete/").status_code == 403
