"""Addresses of /ssh-keys/."""

from django.urls import path

from apps.security import key_writes, keys

app_name = "security"
urlpatterns = [
    path("ssh-keys/", keys.list_keys, name="ssh_keys"),
    path("ssh-keys/create/", key_writes.create, name="create_key"),
    path("ssh-keys/import/", key_writes.import_key, name="import_key"),
    path("ssh-keys/<str:key_id>/", keys.details, name="ssh_key"),
    path("ssh-keys/<str:key_id>/delete/", key_writes.delete, name="delete_key"),
]
