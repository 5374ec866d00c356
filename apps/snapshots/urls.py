"""Addresses of /snapshots/."""

from django.urls import path

from apps.snapshots import views, writes

app_name = "snapshots"
urlpatterns = [
    path("", views.list_snapshots, name="list"),
    path("create/", writes.create, name="create"),
    # The API has a list at the address where a snapshot of this id would be.
    path("billing/", views.billing, name="billing"),
    path("<str:snapshot_id>/", views.details, name="details"),
    path("<str:snapshot_id>/restore/", writes.restore, name="restore"),
    path("<str:snapshot_id>/delete/", writes.delete, name="delete"),
    path("<str:snapshot_id>/image/", writes.image, name="image"),
]
