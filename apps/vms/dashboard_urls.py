"""The address of the dashboard: the first page, outside of /vms/."""

from django.urls import path

from apps.vms.dashboard import dashboard

urlpatterns = [path("", dashboard, name="home")]
