"""Addresses of /account/. Sign-in and sign-out are django-allauth's views under the names it expects."""

from allauth.account import views as allauth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path, register_converter
from django.views.generic import TemplateView

from apps.account import invite, members, second_factor, sessions, signin, views
from apps.account.roles import Can, can


class Base36:
    """The number of a person in a recovery link: what follows it has hyphens of its own."""

    regex = "[0-9A-Za-z]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Base36, "base36")
# There is one OpenID Connect provider at most; the settings give it this name.
ONE = {"provider_id": "oidc"}

own = [
    path("", views.account, name="account"),
    path("profile/", views.profile, name="profile"),
    path("onboarding/", views.onboarding, name="onboarding"),
    path("billing-profile/", views.billing_profile, name="billing_profile"),
    path("balance/", views.balance, name="balance"),
    path("theme/", views.theme, name="theme"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions/end-others/", sessions.end_other_sessions, name="end_other_sessions"),
    path("sessions/<int:session_id>/end/", sessions.end_session, name="end_session"),
    path("members/", members.members, name="members"),
    path("members/<int:member_id>/", members.member, name="member"),
    path("members/<int:member_id>/role/", members.change_role, name="member_role"),
    path("members/<int:member_id>/deactivate/", members.deactivate, name="member_deactivate"),
    path("members/<int:member_id>/activate/", members.activate, name="member_activate"),
    path("members/<int:member_id>/second-factor/", members.reset_factor, name="member_second_factor"),
    path("members/invite/", invite.invite, name="invite"),
    path("members/invite/<str:token>/", invite.accept_invitation, name="accept_invitation"),
    path("members/invitations/<int:invitation_id>/resend/", invite.resend, name="resend_invitation"),
    path("members/invitations/<int:invitation_id>/revoke/", invite.revoke, name="revoke_invitation"),
    path("members/rules/", second_factor.rules, name="sign_in_rules"),
]
# Neither a page for email addresses, which cannot be changed, nor one for attaching accounts of providers.
doors = [
    path("login/", signin.login, name="account_login"),
    path("login/code/", signin.request_code, name="account_request_login_code"),
    path("login/code/confirm/", signin.confirm_code, name="account_confirm_login_code"),
    path("logout/", allauth.logout, name="account_logout"),
    path("inactive/", allauth.account_inactive, name="account_inactive"),
    path("signup/", signin.signup, name="account_signup"),
    path("confirm-email/", allauth.email_verification_sent, name="account_email_verification_sent"),
    path("confirm-email/<str:key>/", signin.confirm_email, name="account_confirm_email"),
    path("password/reset/", signin.answers(allauth.password_reset), name="account_reset_password"),
    path("password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/<base36:uidb36>-<str:key>/",
        signin.answers(allauth.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("password/change/", can(Can.READ)(signin.answers(allauth.password_change)), name="account_change_password"),
    path("password/set/", signin.set_password, name="account_set_password"),
    path("reauthenticate/", signin.reauthenticate, name="account_reauthenticate"),
    path("google/login/", signin.google_login, name="google_login"),
    path("google/login/callback/", signin.google_callback, name="google_callback"),
    path("oidc/login/", signin.openid_connect_login, ONE, name="openid_connect_login"),
    path("oidc/login/callback/", signin.openid_connect_callback, ONE, name="openid_connect_callback"),
    path(
        "provider/cancelled/",
        login_not_required(TemplateView.as_view(template_name="socialaccount/login_cancelled.html")),
        name="socialaccount_login_cancelled",
    ),
]
urlpatterns = [
    path("", include((own, "account"))),
    *doors,
    path("mfa/", include("apps.account.mfa_urls")),
]
