"""What the pages of sign-in need to know: which identity providers are set up, and whether mail leaves the portal."""

from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.urls import reverse

from apps.account.invitations import mail_is_printed

register = template.Library()


class Provider(NamedTuple):
    name: str
    url: str
    icon: str


@register.simple_tag
def identity_providers() -> list[Provider]:
    """Return where "Continue with …" leads; nothing for what is not set up."""
    known: dict[str, Any] = settings.SOCIALACCOUNT_PROVIDERS
    found = [Provider("Google", reverse("google_login"), "brand-google")] if "google" in known else []
    for app in known.get("openid_connect", {}).get("APPS", []):
        url = reverse("openid_connect_login")
        found.append(Provider(app["name"], url, "id-badge-2"))
    return found


@register.simple_tag
def mail_note() -> str:
    """Return why a mail that a page speaks of will not arrive, "" where mail does leave."""
    if not mail_is_printed():
        return ""
    whose = "sandbox" if settings.SANDBOX else "portal"
    return f"This {whose} sends no mail. What it would send is printed where the portal runs."


@register.simple_tag
def open_to_sign_up() -> bool:
    return bool(settings.SIGNUP_DOMAINS)
