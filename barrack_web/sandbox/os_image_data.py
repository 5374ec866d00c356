"""The operating system images of the simulated cloud: what each region can boot."""

from typing import Any

_GIB = 1024**3
_EVERYWHERE = ("NORWAY-1", "CANADA-1", "US-1")

# Type, version, size in GB and the regions that have it. The last two differ between regions, so that a picker which
# ignores the region is seen to be wrong.
_CATALOG = (
    ("Ubuntu", "Server 22.04 LTS R550 CUDA 12.4", 100, _EVERYWHERE),
    ("Ubuntu", "Server 22.04 LTS R550 CUDA 12.4 with Docker", 100, _EVERYWHERE),
    ("Ubuntu", "Server 20.04 LTS R535 CUDA 12.2", 100, _EVERYWHERE),
    ("Ubuntu", "Server 20.04 LTS R535 CUDA 12.2 with Docker", 100, _EVERYWHERE),
    ("Debian", "12 Bookworm R550 CUDA 12.4", 50, ("NORWAY-1", "CANADA-1")),
    ("Rocky Linux", "9 R550 CUDA 12.4", 50, ("US-1",)),
)


def _images() -> tuple[dict[str, Any], ...]:
    rows = [(region, *image) for region in _EVERYWHERE for image in _CATALOG if region in image[3]]
    return tuple(
        {
            "id": number,
            "name": f"{family} {version}",
            "region": region,
            "type": family,
            "version": version,
            "size_bytes": size * _GIB,
            "display_size": f"{size}.0 GB",
            "is_public": True,
            "tier": "legacy",
        }
        for number, (region, family, version, size, _regions) in enumerate(rows, start=301)
    )


OS_IMAGES = _images()


def has_os_image(name: object, region: object) -> bool:
    """Tell whether a region has an OS image of exactly this name."""
    return any(image["name"] == name and image["region"] == region for image in OS_IMAGES)
