"""What django-allauth may do here: who may sign up, what it says, where it leads to, and the mail that it sends."""

import html
import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.utils import build_absolute_uri
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.forms import BaseForm
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.account import invitations
from apps.account.models import User
from apps.activity import signins
from barrack_web import clock

log = logging.getLogger("barrack.account")
TOO_MANY = "Too many failed attempts, so this one was not checked. Wait 5 minutes, then try again."
CODE_IS_VOID = "That code is void after three wrong tries. Ask for a new one."


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    """The portal's words, plain mail, and no way to other hosts."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": TOO_MANY,
        "incorrect_code": "This code is not correct. After three wrong tries you need a new one.",
        "incorrect_password": "This is not your password.",
        "enter_current_password": "This is not your current password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Only where a setting names domains; otherwise people are let in by an admin."""
        return bool(settings.SIGNUP_DOMAINS)

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        user.name = form.cleaned_data.get("name", "")
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def add_message(  # noqa: PLR0917 - allauth's
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Say what the template says; one that is empty says nothing."""
        # The request stays out: with it, a sentence would ask the API for the balance as a page does.
        if message == TOO_MANY:
            # What django-allauth says here is that the code has been tried too often; a new one may be asked for.
            message = CODE_IS_VOID
        elif not message and message_template:
            message = html.unescape(render_to_string(message_template, message_context or {}).strip())
        if message:
            messages.add_message(request, level, message, extra_tags=extra_tags)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> bool:
        """Send the mail and return whether it left; where it did not, pages say what they say to unknown addresses."""
        facts = {"email": email, "asked_at": clock.now(), "asked_from": self._asked_from()}
        facts |= {"portal_url": build_absolute_uri(self.request, "/"), "support_email": settings.SUPPORT_EMAIL}
        message = self.render_mail(template_prefix, email, facts | context)
        try:
            message.send()
        except OSError as error:
            # Everything that smtplib raises is one. Who asked for the mail could not do anything about it.
            log.error("the mail %s could not be sent: %s", template_prefix, type(error).__name__)  # noqa: TRY400
            return False
        return True

    def send_account_already_exists_mail(self, email: str) -> None:
        """Tell who signs up a second time that they need not; send the invitation again to who has an open one."""
        invitation = invitations.open_for(email)
        if invitation:
            invitations.send(self.request, invitation)
        else:
            super().send_account_already_exists_mail(email)

    def render_mail(
        self, template_prefix: str, email: str, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """Return the mail as plain text, drawn without the request, for the reason given above."""
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", context).split())
        body = render_to_string(f"{template_prefix}_message.txt", context).strip() + "\n"
        return EmailMessage(self.format_email_subject(subject), body, self.get_from_email(), [email], headers=headers)

    def _asked_from(self) -> str:
        try:
            return str(self.get_client_ip(self.request))
        except PermissionDenied:
            return ""

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether that is an address within the portal; the names of other hosts of ours are not, either."""
        return bool(url) and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def is_ajax(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Never: one page for everybody, and no JSON that repeats what was typed."""
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return reverse("account:account")

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        """Count failures by account alone: with the host in it, each further name of the portal gave five more."""
        return f"login:{str(credentials.get('email', '')).strip().lower()}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse whoever has failed too often, and write down that it came to that."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            signins.throttled(request, credentials.get("email", ""))
            raise
