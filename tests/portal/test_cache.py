"""What goes into the shared cache and comes out of it: msgpack, whole numbers as they are, never a pickle."""

import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from barrack_web.cache import MsgpackSerializer


@pytest.mark.parametrize(
    "value", [0, 7, -7, 2**63, True, False, None, 1.5, "", "7", "ü", b"", b"7", b"\x00\xff", [1, "a"], {"a": [None]}]
)
def test_it_gives_back_what_was_put_in(value: Any) -> None:
    serializer = MsgpackSerializer()
    kept = serializer.dumps(value)
    # Redis keeps bytes; a whole number becomes its digits there
    found = serializer.loads(str(kept).encode() if isinstance(kept, int) else kept)
    assert found == value
    assert type(found) is type(value)


def test_it_leaves_whole_numbers_to_redis() -> None:
    assert MsgpackSerializer().dumps(5) == 5
    assert isinstance(MsgpackSerializer().dumps(True), bytes)


def test_it_lets_redis_count(shared_redis: Any) -> None:
    from django.core.cache import cache

    cache.set("visits", 1, 60)
    assert cache.incr("visits") == 2
    assert cache.get("visits") == 2


def test_it_runs_nothing_that_somebody_put_there(tmp_path: Path) -> None:
    # given a pickle that makes a file when it is read
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((msgspec.DecodeError, ValueError)):
            MsgpackSerializer().loads(pickle.dumps(Trap(), protocol))
    assert not (tmp_path / "sprung").exists()


def test_it_refuses_what_only_a_pickle_could_hold() -> None:
    with pytest.raises(TypeError):
        MsgpackSerializer().dumps(object())
