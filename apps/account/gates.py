"""What waits for a complete billing profile, and the way to that profile and back again."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.account.models import BillingProfile
from apps.account.roles import Can, why_not
from barrack_web.alerts import Alert
from barrack_web.htmx import HtmxHttpRequest


def profile_gap(request: HtmxHttpRequest, then: str) -> Alert | None:
    """Return the alert while the billing profile lacks what Barrack asks for before it stores or sells anything.

    `then` is what becomes possible: "Snapshots can be created". The alert's link leads back to this address.
    """
    profile, user = BillingProfile.load(), request.user
    if profile.complete:
        return None
    todo = "Fill it in on My account; saving it leads back here."
    return Alert(
        title="The billing profile is not complete",
        text=f"{then} once it has: {', '.join(profile.missing)}.",
        todo=todo if user.can(Can.EDIT_BILLING_PROFILE) else why_not(user.role, Can.EDIT_BILLING_PROFILE),
        link=with_way_back(reverse("account:account"), request.get_full_path()),
        link_text="My account",
    )


def with_way_back(url: str, back: str) -> str:
    """Return the address with the page to come back to, if there is one."""
    return f"{url}?{urlencode({'next': back})}" if back else url


def way_back(request: HttpRequest) -> str:
    """Return the page of this portal that the visitor came from and wants to go back to, "" when none is named."""
    back = request.POST.get("next") or request.GET.get("next", "")
    # Only a path: an address with a host, even this one, is not ours to follow.
    return back if back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else ""
