"""The five steps from an account to the first VM, each ticked by what can be seen of it."""

import time
from dataclasses import dataclass
from typing import TypeVar

from django.urls import reverse

from apps.account.credits import smallest_purchase
from apps.account.gates import with_way_back
from apps.account.models import BillingProfile, User
from apps.account.roles import ROLES_THAT_CAN, Can, Role, why_not
from barrack_web import cloud
from barrack_web.cached import Pending
from barrack_web.client import BalanceSheet, Instance, Listing, SSHKey
from barrack_web.templatetags.ui import money

T = TypeVar("T")
# How long the page waits for what it ticks, in all; what comes later counts as not known.
WAIT_SECONDS = 2.0
NOT_KNOWN = "Barrack gave no answer that could be used, so this cannot be told now."
OUTSIDE = "whoever holds the Barrack account itself"


@dataclass(frozen=True)
class Step:
    """One step. `done` is None while it cannot be told; `finding` says what was seen, `who` can do it (empty for
    what is done already for everybody)."""

    title: str
    text: str
    done: bool | None
    finding: str
    who: str
    url: str = ""
    action: str = ""
    # Why the action is not this person's to do.
    off: str = ""

    @property
    def tone(self) -> str:
        return "neutral" if self.done is None else "good" if self.done else "warning"

    @property
    def state(self) -> str:
        return "Not known" if self.done is None else "Done" if self.done else "Not done"


def steps(person: User) -> list[Step]:
    """Return the five in the order in which Barrack documents them."""
    pending = cloud.balance.begin(), cloud.ssh_keys.begin(), cloud.instances.begin()
    end = time.monotonic() + WAIT_SECONDS
    balance, keys, instances = (_known(pending[0], end), _known(pending[1], end), _known(pending[2], end))
    return [_account(person), _profile(person), _credits(balance), _key(keys), _vm(person, instances)]


def _known(pending: Pending[T], end: float) -> T | None:
    """Return what the cloud says now; None when it is slow or fails, whatever an older copy may say."""
    read = pending.within(max(0.0, end - time.monotonic()))
    return None if read is None or read.stale else read.value


def _account(person: User) -> Step:
    return Step(
        title="Account",
        text="Everybody has an account of their own, with a role that says what they may do. Admins invite others.",
        done=True,
        finding=f"You are signed in as {person.email}, with the role {person.role}.",
        who="",
        url=reverse("account:account"),
        action="My account",
    )


def _profile(person: User) -> Step:
    profile = BillingProfile.load()
    here, allowed = reverse("account:onboarding"), person.can(Can.EDIT_BILLING_PROFILE)
    return Step(
        title="Profile",
        text="Required for payments: address line, postal code and country. Volumes and snapshots need it too.",
        done=profile.complete,
        finding="The billing profile is complete." if profile.complete else f"Missing: {', '.join(profile.missing)}.",
        who=_roles(Can.EDIT_BILLING_PROFILE),
        url=with_way_back(reverse("account:billing_profile"), here),
        action="Edit billing profile",
        off="" if allowed else why_not(person.role, Can.EDIT_BILLING_PROFILE),
    )


def _credits(balance: BalanceSheet | None) -> Step:
    primary = balance.primary if balance else None
    return Step(
        title="Credits",
        text=f"VMs, volumes and snapshots are paid from credits. Smallest purchase: {smallest_purchase()}. "
        "This portal takes no payment: credits are bought in the Barrack account itself.",
        done=primary.amount > 0 if primary else None,
        finding=f"The balance is {money(primary.amount, primary.currency)}." if primary else NOT_KNOWN,
        who=OUTSIDE,
        url=with_way_back(reverse("credits"), reverse("account:onboarding")),
        action="Credits",
    )


def _key(keys: Listing[SSHKey] | None) -> Step:
    done, finding = _counted(keys, len(keys) if keys else 0, "SSH key", "SSH keys")
    return Step(
        title="SSH key",
        text="A VM is reached by SSH with a key. Create a pair, whose private half is shown once, or import the public "
        "key that you have.",
        done=done,
        finding=finding,
        who=_roles(Can.EDIT_KEY),
        url=reverse("security:ssh_keys"),
        action="SSH Keys",
    )


def _vm(person: User, instances: Listing[Instance] | None) -> Step:
    there = sum(row.state != "DELETED" for row in instances) if instances else 0
    done, finding = _counted(instances, there, "VM", "VMs")
    page = ("vms:list", "Virtual machines") if done else ("deploy:wizard", "Deploy VM")
    return Step(
        title="First VM",
        text="Choose a GPU, a region and a key. A VM is billed by the minute, also while it is stopped. "
        "What comes next (connecting by SSH, firewall rules, volumes, snapshots) stands on the VM's own page.",
        done=done,
        finding=finding,
        who=_roles(Can.DEPLOY_VM),
        url=reverse(page[0]),
        action=page[1],
        off="" if done or person.can(Can.DEPLOY_VM) else why_not(person.role, Can.DEPLOY_VM),
    )


def _counted(listing: Listing[T] | None, there: int, one: str, many: str) -> tuple[bool | None, str]:
    """Return whether there is any, and the sentence about it; rows that cannot be read may be some."""
    if there:
        return True, f"The account has {there} {one if there == 1 else many}."
    if listing is None:
        return None, NOT_KNOWN
    if listing.broken or not listing.complete:
        return None, f"Barrack lists {many} that cannot be read, so this cannot be told."
    return False, f"The account has no {one} yet."


def _roles(capability: Can) -> str:
    return " or ".join(role.label.lower() for role in Role if role in ROLES_THAT_CAN[capability])
