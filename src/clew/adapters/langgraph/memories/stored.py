"""How an item of the store is kept: one document with its value as JSON, and a small one with what is known of it.

They are apart so that a time to live can be renewed, and a write be made sure of, without the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from ....errors import InvalidError, UnreadableError
from ....limits import MAX_TTL_MS, check_data, check_json
from ....records import Snapshot
from .namespaces import Namespace, ending_of

META: Final = "m"
VALUE: Final = "i"
ENDS: Final = "ends"
"""The document with the moment (ms) before which its partition does not expire; there is none where it stays for ever."""
NEAR: Final = "near"
"""The document with the state of an index of a namespace's vectors, beside these; there is none where it has no index."""


class Meta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of an item beside its value. Times are the store's."""

    format: Literal[1]
    created_us: int
    updated_us: int
    ttl_ms: int | None = None
    expires_ms: int | None = None
    mark: bytes = b""
    """What the name of its vectors' document has in it, so that no others are taken for its own; empty where it has none."""
    key: str | None = None
    """Its key, where its documents' keys have a digest instead."""


_decode_meta = msgspec.msgpack.Decoder(Meta).decode
encode_meta = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Found:
    """An item as it was read: its value still as JSON."""

    namespace: Namespace
    key: str
    meta: Meta
    stored: bytes
    """The meta document as it is stored."""
    data: bytes

    @property
    def ending(self) -> str:
        """What the keys of all its documents end in."""
        return ending_of(self.key)

    def value(self) -> dict[str, Any]:  # callers know the shape of their own values
        """Return its value."""
        try:
            return msgspec.json.decode(self.data, type=dict[str, Any])
        except msgspec.DecodeError as e:
            raise UnreadableError(f"the item {self.key!r} of {self.namespace!r} is no JSON object: {e}") from e


def find_item(snapshot: Snapshot, namespace: Namespace, key: str) -> Found | None:
    """Return an item of a snapshot, None where it is not there or its time is over."""
    ending = ending_of(key)
    stored = snapshot.documents.get(META + ending)
    return None if stored is None else _make(snapshot, namespace, key, stored, VALUE + ending)


def find_items(snapshot: Snapshot, namespace: Namespace) -> list[Found]:
    """Return every item of a snapshot whose time is not over."""
    found = []
    for name, stored in snapshot.documents.items():
        if name.startswith((f"{META}/", f"{META}#")):
            item = _make(snapshot, namespace, name[2:] if name[1] == "/" else None, stored, VALUE + name[1:])
            if item is not None:
                found.append(item)
    return found


def find_over(snapshot: Snapshot) -> list[tuple[str, bytes]]:
    """Return the meta documents of a snapshot's items whose time is over."""
    metas = [(name, stored) for name, stored in snapshot.documents.items() if name.startswith((f"{META}/", f"{META}#"))]
    return [(name, stored) for name, stored in metas if is_over(decode_meta(stored), snapshot.now_ms)]


def decode_meta(stored: bytes) -> Meta:
    """Return what is known of an item; UnreadableError where it is damaged or of a newer format."""
    try:
        return _decode_meta(stored)
    except msgspec.DecodeError as e:
        raise UnreadableError(f"what is known of an item is damaged, or of a newer format: {e}") from e


def is_over(meta: Meta, now_ms: int) -> bool:
    """Tell whether an item's time is over."""
    return meta.expires_ms is not None and meta.expires_ms <= now_ms


def encode_value(value: Mapping[str, Any]) -> bytes:
    """Return a value as JSON, or raise InvalidError where it is no JSON object, or too large."""
    if not isinstance(value, Mapping):
        raise InvalidError(f"a value must be a JSON object, as a dict, not {type(value).__name__}")
    plain = dict(value)
    check_json(plain, "the value")
    data = msgspec.json.encode(plain)
    check_data(data, "the value")
    return data


def ttl_ms_of(minutes: float | None) -> int | None:
    """Return minutes as milliseconds, or raise InvalidError unless they are from 1 ms to 100 years; None means for ever."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 1 <= minutes * 60_000 <= MAX_TTL_MS:
        raise InvalidError(f"a time to live is a number of minutes, from a millisecond to 100 years, not {minutes!r}")
    return round(minutes * 60_000)


def moment_of(us: int) -> datetime:
    """Return microseconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def _make(snapshot: Snapshot, namespace: Namespace, key: str | None, stored: bytes, name: str) -> Found | None:
    meta = decode_meta(stored)
    if is_over(meta, snapshot.now_ms):
        return None
    key = meta.key if key is None else key
    data = snapshot.documents.get(name)
    if data is None or key is None:
        raise UnreadableError(f"the item at {name!r} of {namespace!r} is there in part")
    return Found(namespace, key, meta, stored, data)
