"""Two answers for whatever watches the process: is it alive, and can it serve."""

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from barrack_web import cached


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 when the database and the cache answer, else 503. The API's state is told, but never makes it 503."""
    body = {"database": _database(), "cache": _cache(), "api": cached.last_state()}
    ready = body["database"] == body["cache"] == "ok"
    return JsonResponse({"status": "ok" if ready else "failing", **body}, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "failing"
    return "ok"


def _cache() -> str:
    try:
        cache.set("readyz", 1, 5)
        return "ok" if cache.get("readyz") == 1 else "failing"
    except (OSError, RedisError):
        return "failing"
