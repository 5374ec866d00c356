"""Addresses of /images/."""

from django.urls import path

from apps.images import views, writes

app_name = "images"
urlpatterns = [
    path("", views.list_images, name="list"),
    path("create/", writes.create, name="create"),
    path("<str:image_id>/", views.details, name="details"),
    path("<str:image_id>/delete/", writes.delete, name="delete"),
]
