"""Addresses of /vms/."""

from django.urls import path

from apps.vms import bulk, network, power, views

app_name = "vms"
urlpatterns = [
    path("", views.list_vms, name="list"),
    path("bulk/", bulk.bulk, name="bulk"),
    path("states/", views.states, name="states"),
    # The API has a list at the address where a VM of this id would be.
    path("billing/", views.billing, name="billing"),
    path("<str:instance_id>/", views.details, name="details"),
    path("<str:instance_id>/usage/", views.usage, name="usage"),
    path("<str:instance_id>/ssh-config/", views.ssh_config, name="ssh_config"),
    path("<str:instance_id>/start/", power.start, name="start"),
    path("<str:instance_id>/stop/", power.stop, name="stop"),
    path("<str:instance_id>/reboot/", power.reboot, name="reboot"),
    path("<str:instance_id>/hibernate/", power.hibernate, name="hibernate"),
    path("<str:instance_id>/restore/", power.restore, name="restore"),
    path("<str:instance_id>/delete/", power.delete, name="delete"),
    path("<str:instance_id>/public-ip/", network.public_ip, name="public_ip"),
    path("<str:instance_id>/rules/", network.add_rule, name="rules"),
    path("<str:instance_id>/rules/<str:rule_id>/delete/", network.remove_rule, name="remove_rule"),
    path("<str:instance_id>/snapshot/", network.snapshot, name="snapshot"),
]
