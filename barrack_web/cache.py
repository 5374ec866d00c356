"""What the shared cache holds: msgpack, so that whoever can write to the cache server cannot make us run code."""

import msgspec


class MsgpackSerializer:
    """The serializer of Django's Redis cache. Whole numbers stay as they are, so that Redis can count with them."""

    def dumps(self, value: object) -> bytes | int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return msgspec.msgpack.encode(value)

    def loads(self, data: bytes) -> object:
        try:
            return int(data)
        except ValueError:
            return msgspec.msgpack.decode(data)
