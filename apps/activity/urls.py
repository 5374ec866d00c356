"""Addresses of /activity/."""

from django.urls import path

from apps.activity import views

app_name = "activity"
urlpatterns = [
    path("", views.events, name="list"),
    path("export", views.export, name="export"),
    path("<int:number>/", views.event, name="event"),
    path("<uuid:operation_id>/", views.operation, name="operation"),
]
