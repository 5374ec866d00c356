"""Addresses of volumes: /volumes/, and those of a VM."""

from django.urls import path

from apps.storage import attach, change, create, leftovers, views

app_name = "storage"
urlpatterns = [
    path("volumes/", views.list_volumes, name="list"),
    path("volumes/create/", create.create, name="create"),
    path("volumes/leftovers/", leftovers.leftovers, name="leftovers"),
    path("volumes/<str:volume_id>/", views.details, name="details"),
    path("volumes/<str:volume_id>/attach/", attach.attach, name="attach"),
    path("volumes/<str:volume_id>/detach/", attach.detach, name="detach"),
    path("volumes/<str:volume_id>/resize/", change.resize, name="resize"),
    path("volumes/<str:volume_id>/clone/", change.clone, name="clone"),
    path("volumes/<str:volume_id>/delete/", change.delete, name="delete"),
    path("vms/<str:instance_id>/volumes/", attach.attach_several, name="attach_several"),
]
