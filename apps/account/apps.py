"""The app's label: "account" is taken by django-allauth."""

from django.apps import AppConfig


class AccountConfig(AppConfig):
    name = "apps.account"
    label = "people"
