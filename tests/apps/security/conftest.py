"""Time to make a key pair."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _time_for_a_pair(request: pytest.FixtureRequest, settings: Any) -> None:
    """A pair of 2,048 bits can take half a second; an answer that never comes is waited for as briefly as ever."""
    values = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if "hang" not in values:
        settings.API_WRITE_SECONDS = 5
