"""What a change of volumes or images makes the portal read anew, and what it leaves as it is."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from barrack_web import cloud
from barrack_web.sandbox.server import Sandbox

VOLUME, OTHER_VOLUME = "BRK-123458V", "BRK-123492V"
VM, OTHER_VM = "BRK-123456D", "BRK-123489D"
# Two images of the demo with their snapshots.
IMAGE, OTHER_IMAGE = "501", "502"
SNAPSHOT, OTHER_SNAPSHOT = "BRK-123490S", "BRK-123679S"


@pytest.fixture(autouse=True)
def fresh_for_a_minute(sandbox: Sandbox, settings: Settings) -> None:
    settings.FRESH_STATUS_SECONDS = settings.FRESH_BALANCE_SECONDS = settings.FRESH_CATALOG_SECONDS = 60.0


def read_all(sandbox: Sandbox) -> set[str]:
    """Read everything of which these changes could speak, and return what was asked of the API: "volume BRK-1V"."""
    every = [
        *((source, "") for source in (cloud.volumes, cloud.balance, cloud.instances, cloud.images, cloud.snapshots)),
        *((source, key) for source in (cloud.volume, cloud.volume_records) for key in (VOLUME, OTHER_VOLUME)),
        *((cloud.instance, key) for key in (VM, OTHER_VM)),
        *((cloud.image, key) for key in (IMAGE, OTHER_IMAGE)),
        *((source, key) for source in (cloud.snapshot, cloud.snapshot_images) for key in (SNAPSHOT, OTHER_SNAPSHOT)),
    ]
    every.append((cloud.images_of, cloud.batch_key(cloud.snapshots.read().value)))
    asked = set()
    for source, key in every:
        before = len(sandbox.log.calls())
        source.read(key)
        if len(sandbox.log.calls()) > before:
            asked.add(source.name if source is cloud.images_of else f"{source.name} {key}".strip())
    return asked


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (cloud.volumes_changed, {"volumes", "balance"}),
        (
            lambda: cloud.volumes_changed(VOLUME),
            {"volumes", "balance", f"volume {VOLUME}", f"volume-records {VOLUME}"},
        ),
        (
            lambda: cloud.volumes_changed(VOLUME, VM),
            {"volumes", "balance", f"volume {VOLUME}", f"volume-records {VOLUME}", "instances", f"instance {VM}"},
        ),
        (cloud.images_changed, {"images", "images-of"}),
    ],
    ids=["volumes", "a volume", "a volume and its VM", "images"],
)
def test_it_reads_anew_what_a_change_touches_and_nothing_else(
    sandbox: Sandbox, change: Callable[[], None], anew: set[str]
) -> None:
    # given everything read once, and fresh
    read_all(sandbox)
    assert read_all(sandbox) == set()
    # when something has changed, then that is read anew, once
    change()
    assert read_all(sandbox) == anew
    assert read_all(sandbox) == set()


def test_it_reads_the_snapshot_of_a_changed_image_anew(sandbox: Sandbox) -> None:
    read_all(sandbox)
    cloud.images_changed(IMAGE)
    # the list of snapshots is asked for before it is looked at here, for the images of all of them
    assert len(sandbox.log.calls("list_snapshots")) == 1
    assert read_all(sandbox) == {
        "images", "images-of", f"image {IMAGE}", "balance", f"snapshot {SNAPSHOT}", f"snapshot-images {SNAPSHOT}",
    }  # fmt: skip
    assert len(sandbox.log.calls("list_snapshots")) == 2


def test_it_needs_no_snapshot_of_an_image_that_names_none(sandbox: Sandbox) -> None:
    for key in (IMAGE, OTHER_IMAGE):
        sandbox.world.images[key]["snapshot_id"] = None
    read_all(sandbox)
    cloud.images_changed(IMAGE)
    assert read_all(sandbox) == {"images", "images-of", f"image {IMAGE}"}
