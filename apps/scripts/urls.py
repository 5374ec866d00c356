"""Addresses of /scripts/."""

from django.urls import path

from apps.scripts import bulk, views, writes

app_name = "scripts"
urlpatterns = [
    path("", views.list_scripts, name="list"),
    path("create/", writes.create, name="create"),
    path("bulk/", bulk.bulk, name="bulk"),
    path("<str:script_id>/", views.details, name="details"),
    path("<str:script_id>/edit/", writes.edit, name="edit"),
    path("<str:script_id>/delete/", writes.delete, name="delete"),
]
