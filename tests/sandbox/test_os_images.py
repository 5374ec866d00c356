"""The operating system images."""

import httpx


def test_it_lists_os_images_by_region(api: httpx.Client) -> None:
    everywhere = api.get("/os-images").json()["images"]
    here = api.get("/os-images", params={"region": "US-1"}).json()["images"]
    assert {image["region"] for image in everywhere} == {"NORWAY-1", "CANADA-1", "US-1"}
    assert {image["region"] for image in here} == {"US-1"}
    assert "Ubuntu Server 22.04 LTS R550 CUDA 12.4" in {image["name"] for image in here}
    assert set(here[0]) == {
        "id", "name", "region", "type", "version", "size_bytes", "display_size", "is_public", "tier",
    }  # fmt: skip
