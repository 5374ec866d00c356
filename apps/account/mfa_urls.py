"""Addresses of /account/mfa/, under the names that django-allauth expects."""

from django.urls import path

from apps.account import mfa_views as views

urlpatterns = [
    path("", views.index, name="mfa_index"),
    path("authenticate/", views.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", views.reauthenticate, name="mfa_reauthenticate"),
    path("totp/activate/", views.activate_totp, name="mfa_activate_totp"),
    path("totp/deactivate/", views.deactivate_totp, name="mfa_deactivate_totp"),
    path("recovery-codes/", views.recovery_codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/generate/", views.generate_codes, name="mfa_generate_recovery_codes"),
    path("webauthn/", views.passkeys, name="mfa_list_webauthn"),
    path("webauthn/add/", views.add_passkey, name="mfa_add_webauthn"),
    path("webauthn/login/", views.login_passkey, name="mfa_login_webauthn"),
    path("webauthn/reauthenticate/", views.reauthenticate_passkey, name="mfa_reauthenticate_webauthn"),
    path("webauthn/keys/<int:pk>/edit/", views.edit_passkey, name="mfa_edit_webauthn"),
    path("webauthn/keys/<int:pk>/remove/", views.remove_passkey, name="mfa_remove_webauthn"),
]
