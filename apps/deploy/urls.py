from django.urls import path

from apps.deploy import deploying, drafts, views

app_name = "deploy"
urlpatterns = [
    path("", views.wizard, name="wizard"),
    path("drafts/", drafts.drafts, name="drafts"),
    path("drafts/<uuid:draft_id>/delete/", drafts.delete_draft, name="delete_draft"),
    path("drafts/<uuid:draft_id>/template/", drafts.save_template, name="save_template"),
    path("templates/<int:template_id>/delete/", drafts.delete_template, name="delete_template"),
    path("<uuid:operation_id>/", deploying.deploying, name="deploying"),
]
