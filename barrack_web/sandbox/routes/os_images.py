"""The operating system images that an instance or a bootable volume can start from."""

from barrack_web.sandbox.os_image_data import OS_IMAGES
from barrack_web.sandbox.routes.answers import Answer, Json, Route, ok
from barrack_web.sandbox.routes.filters import matching
from barrack_web.sandbox.world import World


def list_os_images(_world: World, _params: dict[str, str], query: dict[str, str], _body: Json) -> Answer:
    """Answer the OS images, of all regions or of one."""
    return ok("OS images retrieved", images=matching(OS_IMAGES, query))


ROUTES = (Route("list_os_images", "GET", "/os-images", list_os_images),)
