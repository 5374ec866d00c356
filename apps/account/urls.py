"""Addresses of /account/. Sign-in and sign-out are django-allauth's views under the names it expects."""

from allauth.account import views as allauth
from django.urls import include, path

from apps.account import views

own = [
    path("", views.account, name="account"),
    path("billing-profile/", views.billing_profile, name="billing_profile"),
    path("balance/", views.balance, name="balance"),
    path("theme/", views.theme, name="theme"),
]
urlpatterns = [
    path("", include((own, "account"))),
    path("login/", allauth.login, name="account_login"),
    path("logout/", allauth.logout, name="account_logout"),
    path("inactive/", allauth.account_inactive, name="account_inactive"),
]
