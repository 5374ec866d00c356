"""The address of the credits: a page of its own, outside of /account/."""

from django.urls import path

from apps.account.credits import credits_page

urlpatterns = [path("", credits_page, name="credits")]
