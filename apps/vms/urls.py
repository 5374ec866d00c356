"""Addresses of /vms/."""

from django.urls import path

from apps.vms import views

app_name = "vms"
urlpatterns = [path("", views.list_vms, name="list")]
