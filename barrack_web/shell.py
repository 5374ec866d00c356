"""What stands around every page: navigation, balance, sandbox banner, light or dark."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from barrack_web import clock, cloud

# Longest wait of a page for the balance in its top bar; a page that needs more asks for it afterwards.
BALANCE_WAIT_SECONDS = 0.4
JUST_READ = timedelta(seconds=1)


@dataclass(frozen=True)
class Entry:
    label: str
    url_name: str
    icon: str
    namespace: str


# Entries appear with their pages.
NAVIGATION = (
    Entry("Dashboard", "home", "layout-dashboard", "home"),
    Entry("Virtual machines", "vms:list", "server-2", "vms"),
    Entry("Deploy VM", "deploy:wizard", "rocket", "deploy"),
    Entry("Volumes", "storage:list", "database", "storage"),
    Entry("Snapshots", "snapshots:list", "camera", "snapshots"),
    Entry("Images", "images:list", "photo", "images"),
    Entry("SSH Keys", "security:ssh_keys", "key", "security"),
    Entry("Scripts", "scripts:list", "script", "scripts"),
    Entry("Activity", "activity:list", "activity", "activity"),
    Entry("Credits", "credits", "coins", "credits"),
    Entry("My account", "account:account", "user-circle", "account"),
)


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what base.html needs; parts asked for by htmx have no shell, so nothing is read for them."""
    found = {"sandbox": settings.SANDBOX, "theme": _theme(request), "support_email": settings.SUPPORT_EMAIL}
    user = getattr(request, "user", None)
    if not user or not user.is_authenticated or getattr(request, "htmx", False):
        return found
    return found | {"navigation": NAVIGATION} | _balance()


def _balance() -> dict[str, Any]:
    """Return the balance that the page's view has just read, or read it now; and whether that has failed already."""
    known = cloud.balance.peek()
    if known is not None and clock.now() - known.at < JUST_READ:
        return {"balance": known, "asked": True}
    pending = cloud.balance.begin()
    return {"balance": pending.within(BALANCE_WAIT_SECONDS), "asked": pending.failed}


def _theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get("theme", "system")
    return theme if theme in {"light", "dark"} else "system"
