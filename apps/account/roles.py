"""Who may do what: the one table of roles and capabilities, and the decorator that every view carries."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponseBase

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    BILLING = "billing", "Billing"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


class Can(StrEnum):
    """What a view lets a person do. The value completes the sentence "... can"."""

    READ = "read everything but secrets"
    EDIT_BILLING_PROFILE = "edit the billing profile"
    DEPLOY_VM = "deploy VMs"
    OPERATE_VM = "start, stop, reboot, hibernate and restore VMs"
    EDIT_VM_NETWORK = "change public IPs and security rules"
    DELETE_VM = "delete VMs"
    CREATE_SNAPSHOT = "create snapshots"
    RESTORE_SNAPSHOT = "restore snapshots"
    CREATE_IMAGE = "create images"
    DELETE_SNAPSHOT = "delete snapshots"
    DELETE_IMAGE = "delete images"
    EDIT_VOLUME = "create, attach, detach, resize and clone volumes"
    DELETE_VOLUME = "delete volumes"
    EDIT_SCRIPT = "create and edit scripts"
    DELETE_SCRIPT = "delete scripts"
    EDIT_KEY = "create and import SSH keys"
    DELETE_KEY = "delete SSH keys"
    MANAGE_MEMBERS = "manage members and sign-in rules"
    EXPORT_ACTIVITY = "export the activity"


ROLES_THAT_CAN: dict[Can, frozenset[Role]] = {
    Can.READ: frozenset(Role),
    Can.EDIT_BILLING_PROFILE: frozenset({Role.BILLING, Role.ADMIN}),
    Can.DEPLOY_VM: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.OPERATE_VM: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.EDIT_VM_NETWORK: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.DELETE_VM: frozenset({Role.ADMIN}),
    Can.CREATE_SNAPSHOT: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.RESTORE_SNAPSHOT: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.CREATE_IMAGE: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.DELETE_SNAPSHOT: frozenset({Role.ADMIN}),
    Can.DELETE_IMAGE: frozenset({Role.ADMIN}),
    Can.EDIT_VOLUME: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.DELETE_VOLUME: frozenset({Role.ADMIN}),
    Can.EDIT_SCRIPT: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.DELETE_SCRIPT: frozenset({Role.ADMIN}),
    Can.EDIT_KEY: frozenset({Role.OPERATOR, Role.ADMIN}),
    Can.DELETE_KEY: frozenset({Role.ADMIN}),
    Can.MANAGE_MEMBERS: frozenset({Role.ADMIN}),
    Can.EXPORT_ACTIVITY: frozenset({Role.ADMIN}),
}


def allowed(role: str, capability: Can) -> bool:
    """Return whether a person of that role may do that; an unknown role may do nothing."""
    return role in ROLES_THAT_CAN[capability]


def why_not(role: str, capability: Can) -> str:
    """Return the sentence that names the roles that may, and one's own."""
    names = [f"{'an' if choice.label[0] in 'AO' else 'a'} {choice.label.lower()}" for choice in Role
             if choice in ROLES_THAT_CAN[capability]]  # fmt: skip
    label = Role(role).label.lower() if role in Role.values else role
    return f"Only {' or '.join(names)} can {capability.value}; your role is {label}. Ask an admin for help."


def can(capability: Can) -> Callable[[View], View]:
    """Let the view run only for roles with that capability; everybody else gets 403 and the sentence of `why_not`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            role = str(getattr(request.user, "role", ""))
            if not allowed(role, capability):
                raise PermissionDenied(why_not(role, capability))
            return view(request, *args, **kwargs)

        guarded.capability = capability  # type: ignore[attr-defined]
        return cast("View", guarded)

    return decorate
