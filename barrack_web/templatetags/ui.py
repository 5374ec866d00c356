"""How money, sizes, times, states and icons are written, everywhere alike."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.core.paginator import Page
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.account.models import User
from apps.account.roles import Can
from apps.account.roles import why_not as roles_why_not
from barrack_web import alerts
from barrack_web.client import BarrackError

register = template.Library()
SIGNS = {"USD": "$", "EUR": "€", "INR": "₹"}
GB_PER_TB = 1024
NOTHING = "–"

# The tone of a resource's state, by the API's word; what is not listed is shown as it is, in neutral style.
STATES = {
    "good": {"active", "success", "available", "attached", "in_use"},
    "moving": {
        "creating", "build", "starting", "stopping", "hibernating", "restoring", "rebooting", "deleting", "pending",
        "saving", "attaching", "detaching", "resizing",
    },
    "warning": {"shutoff", "stopped"},
    "bad": {"error", "failed"},
    "resting": {"hibernated", "deleted", "completed"},
}  # fmt: skip
# A volume's two words for one state.
SAID = dict.fromkeys(("attached", "in_use"), "Attached / In-use")
# The tone of how an operation ended, by our own word.
RESULTS = {
    "done": "good", "sent": "moving", "unknown": "moving", "refused": "bad", "not_sent": "bad", "not_seen": "bad",
}  # fmt: skip


@cache
def _svg(name: str) -> str:
    text = (Path(settings.BASE_DIR) / "static" / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r'\sclass="[^"]*"', "", text)).strip()


@register.simple_tag
@cache
def icon(name: str, css: str = "") -> SafeString:
    """Return the inlined SVG of static/icons/; hidden from screen readers, so words must stand beside it."""
    css_class = f"icon {css}".strip()
    return mark_safe(_svg(name).replace("<svg ", f'<svg class="{css_class}" aria-hidden="true" focusable="false" ', 1))  # noqa: S308 - files of our own


@register.filter
def money(amount: Decimal | None, currency: str = "USD") -> str:
    """Return sign and amount with two decimals; a small price that needs four has them ("$0.0448")."""
    if amount is None:
        return NOTHING
    value = Decimal(amount)
    shown = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    if abs(value) < Decimal("0.1") and shown != value:
        shown = value.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)
    sign = _sign(currency)
    return f"{'−' if shown < 0 else ''}{sign}{abs(shown):,}"


def _sign(currency: str) -> str:
    return SIGNS.get(currency, f"{currency[:10]} ")


@register.filter
def count(number: int | None) -> str:
    """Return a whole number with its thousands apart."""
    return NOTHING if number is None else f"{number:,}"


@register.filter
def rate(amount: Decimal | None, currency: str = "USD") -> str:
    """Return a price per minute with the five decimals that the API sends."""
    if amount is None:
        return NOTHING
    return f"{_sign(currency)}{Decimal(amount).quantize(Decimal('0.00001'))}"


@register.filter
def size(gb: Decimal | int | str | None) -> str:
    """Return a size in GB, from 1,024 GB on in TB."""
    # A template gives "" for a part of something that is not there.
    if gb is None or gb == "":
        return NOTHING
    value = Decimal(gb)
    if abs(value) < GB_PER_TB:
        return f"{_plain(value)} GB"
    return f"{_plain((value / GB_PER_TB).quantize(Decimal('0.01')))} TB"


def _plain(value: Decimal) -> str:
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def when(moment: datetime | None) -> str | SafeString:
    """Return the time with its zone, the full UTC time on hover; a script then writes it in the visitor's own zone."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-local>{}</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        f"{utc.day} {utc:%b %Y, %H:%M} UTC",
    )


@register.filter
def when_full(moment: datetime | None) -> str | SafeString:
    """Return the full date and time to the second."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-local="full">{}</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        f"{utc.day} {utc:%B %Y, %H:%M:%S} UTC",
    )


@register.filter
def duration(span: timedelta | None) -> str:
    """Return a length of time in its two largest units: "3 days 4 hours", "5 hours 12 min", "12 min"."""
    if span is None:
        return NOTHING
    if span > timedelta(days=365):
        return "over a year"
    if span < timedelta(minutes=1):
        return "under a minute"
    hours, minutes = divmod(span.seconds // 60, 60)
    parts = [_counted(span.days, "day"), _counted(hours, "hour"), f"{minutes} min" if minutes else ""]
    first = next(place for place, part in enumerate(parts) if part)
    return " ".join(part for part in parts[first : first + 2] if part)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}" if number else ""


@register.inclusion_tag("components/badge.html")
def badge(status: str) -> dict[str, str]:
    """Return the badge of a resource's state: a dot and its word; a known one capitalised, another as it was sent."""
    key = re.sub(r"[ -]", "_", status.strip().casefold())
    for tone, words in STATES.items():
        if key in words:
            return {"tone": tone, "label": SAID.get(key) or status.strip().capitalize().replace("_", " ")}
    return {"tone": "neutral", "label": status.strip() or "No status"}


@register.inclusion_tag("components/badge.html")
def vm_badge(state: str) -> dict[str, str]:
    """Return the badge of a VM's state; SHUTOFF and STOPPED are one."""
    if state in {"SHUTOFF", "STOPPED"}:
        return {"tone": "warning", "label": "Stopped (SHUTOFF)"}
    found: dict[str, str] = badge(state)
    return found


@register.inclusion_tag("components/badge.html")
def result_badge(result: str, words: str) -> dict[str, str]:
    """Return the badge of how an operation ended, in our words."""
    return {"tone": RESULTS.get(result, "neutral"), "label": words}


@register.filter
def while_failing(error: BarrackError | None) -> str:
    """Return why only an older copy can be shown, "" when it is not an older one."""
    return alerts.while_failing(error) if isinstance(error, BarrackError) else ""


@register.filter
def way_out(error: BarrackError) -> str:
    """Return what has to be done about it, "" when waiting is enough."""
    return alerts.way_out(error)


@register.filter
def may(user: User, capability: str) -> bool:
    """Return whether the person's role has the capability, named as in roles.py."""
    return user.can(Can[capability])


@register.filter
def why_not(user: User, capability: str) -> str:
    """Return the sentence that says which roles may."""
    return roles_why_not(user.role, Can[capability])


@register.filter
def get(table: Mapping[str, Any], key: str) -> Any:
    """Return what a table holds under a key that a template cannot spell, None when it has none."""
    return table.get(key)


@register.simple_tag
def elided(page: Page[Any]) -> list[int | str]:
    """Return the page numbers to show: all of a few, the near and the outer ones of many."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))


@register.filter
def in_room(match: Any, namespace: str) -> bool:
    """Return whether the page belongs to a part of the navigation; sign-in's own pages belong to the account."""
    if not match:
        return False
    if match.namespace:
        return bool(match.namespace == namespace)
    # The dashboard and the credits are parts of one page.
    return bool(match.url_name == namespace or (namespace == "account" and match.route.startswith("account/")))
