"""Every address of the portal."""

from django.urls import include, path

from barrack_web import health

urlpatterns = [
    path("", include("apps.vms.dashboard_urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("account/", include("apps.account.urls")),
    path("credits/", include("apps.account.credits_urls")),
    path("activity/", include("apps.activity.urls")),
    path("vms/", include("apps.vms.urls")),
    path("deploy/", include("apps.deploy.urls")),
    path("", include("apps.storage.urls")),
    path("images/", include("apps.images.urls")),
    path("snapshots/", include("apps.snapshots.urls")),
    path("scripts/", include("apps.scripts.urls")),
    path("", include("apps.security.urls")),
]

handler400 = "barrack_web.errors.bad_request"
handler403 = "barrack_web.errors.forbidden"
handler404 = "barrack_web.errors.not_found"
handler500 = "barrack_web.errors.server_error"
