"""How what a serializer gives is kept: one byte that says its type, then its bytes; and the head of a checkpoint.

An unknown first byte is a newer clew's, and is refused with a sentence that says so; what is stored stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langgraph.checkpoint.serde.base import SerializerProtocol

from ...errors import UnreadableError

MSGPACK: Final = "msgpack"
"""The type that LangGraph's own serializer gives to nearly all values."""
ITEMS: Final = b"i"
"""A list whose elements are items of the thread."""
ELEMENTS: Final = b"e"
"""A list, or the end of one: the number of elements as four bytes, then the elements."""
FORMAT: Final = 1
"""The version of a head that this code writes, and the newest it reads."""

_CODES: Final = {MSGPACK: b"m", "null": b"n", "bytes": b"b", "bytearray": b"a"}
_NAMES: Final = {code[0]: name for name, code in _CODES.items()}
_OTHER: Final = b"t"
_OTHER_CODE: Final = _OTHER[0]


def pack(typed: tuple[str, bytes]) -> bytes:
    """Return a typed value as one run of bytes."""
    name, data = typed
    code = _CODES.get(name)
    if code is not None:
        return code + data
    encoded = name.encode()
    return _OTHER + bytes([len(encoded)]) + encoded + data


def unpack(data: bytes) -> tuple[str, bytes]:
    """Return what `pack` was given.

    Raises:
        UnreadableError: it is damaged, or a newer clew wrote it.
    """
    name = _NAMES.get(data[0]) if data else None
    if name is not None:
        return name, data[1:]
    if data[:1] == _OTHER and len(data) > 1 + data[1]:
        end = 2 + data[1]
        return data[2:end].decode(), data[end:]
    raise UnreadableError(
        f"a value of the checkpoint begins with {data[:1]!r}, which this version does not know: upgrade clew to read it"
    )


def is_trigger(channel: str, value: object) -> bool:
    """Tell whether a value says no more than that a node is to run: one of nearly every step, and kept in the head alone."""
    return value is None and channel.startswith(_TRIGGER)


def pack_head(serde: SerializerProtocol, metadata: Any, checkpoint: Mapping[str, Any]) -> bytes:
    """Return the head of a checkpoint: its metadata, and all of it but its id, and of its values the names of the triggers."""
    kept = dict(checkpoint)
    values, versions = kept.pop("channel_values"), kept["channel_versions"]
    del kept["id"]
    triggers = [name for name, value in values.items() if value is None and name in versions and is_trigger(name, value)]
    if triggers:
        kept["channel_values"] = triggers
    return _HEAD + pack(serde.dumps_typed([metadata, kept]))


def unpack_head(serde: SerializerProtocol, head: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metadata and checkpoint, with the values of the triggers only.

    Raises:
        UnreadableError: it is damaged, or a newer clew wrote it.
    """
    if head[:1] != _HEAD:
        raise UnreadableError(
            f"the checkpoint has format {head[0] if head else 'none'}, newer than {FORMAT}: upgrade clew to read it"
        )
    metadata, checkpoint = serde.loads_typed(unpack(head[1:]))
    checkpoint["channel_values"] = dict.fromkeys(checkpoint.get("channel_values", ()))
    return metadata, checkpoint


_HEAD: Final = bytes([FORMAT])
_TRIGGER: Final = "branch:to:"
