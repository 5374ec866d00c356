"""What the tests of the images' pages share. Reading answers and sending forms: tests.apps.snapshots.helpers."""

import re
from typing import Any

from django.http import HttpResponse

from barrack_web.sandbox.server import Sandbox
from barrack_web.sandbox.world import iso
from tests.apps.snapshots.helpers import body

LIST, CREATE = "/images/", "/images/create/"
# Of the demo: complete and with a snapshot; being made; broken; of a snapshot that is gone.
GOLDEN, CREATING, BROKEN, ORPHAN = "501", "504", "506", "505"
GOLDEN_SNAPSHOT, PROD = "BRK-123490S", "BRK-123456S"


def card(response: HttpResponse, image_id: str) -> str:
    """Return the HTML of one image's card."""
    found = re.search(rf'<article class="card" id="image-{image_id}">.*?</article>', body(response), re.DOTALL)
    assert found, f"no card of {image_id}"
    return found.group(0)


def put(sandbox: Sandbox, key: str, **fields: object) -> dict[str, Any]:
    """Let an image appear in the cloud, or change one as somebody outside the portal would."""
    record = dict(sandbox.world.images.get(key) or sandbox.world.images[GOLDEN])
    record |= {"image_id": key, "created_at": iso(sandbox.world.now()), **fields}
    sandbox.world.add("images", key, record)
    return record


def images_named(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """Return the cloud's images of that name."""
    return [row for row in sandbox.world.images.values() if row["name"] == name]
