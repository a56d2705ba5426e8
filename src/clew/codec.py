"""Entries and bytes: the stored envelope, a MessagePack array that starts with its format version.

    [format, id, created_ms, data, kind, codec, author, parent, status, links]

Trailing defaults are left out, so the commonest envelope costs about 32 bytes. `pack_id` says how
an id is stored. A record that cannot be decoded, or has a newer format, becomes an entry with `unreadable` set and the
record's own bytes as its data: it is kept and reported, and never fails its page.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Sequence
from itertools import repeat

import msgspec

from .records import FORMAT, Entry

HOLE = b"\xc0"
"""MessagePack's nil: what an ordered list of envelopes holds at the position of a removed entry."""

_is_hex = re.compile(r"[0-9a-f]{32}").fullmatch
_set = msgspec.structs.force_setattr
_encode = msgspec.msgpack.Encoder().encode
_decode_one = msgspec.msgpack.Decoder(Entry).decode
_decode_many = msgspec.msgpack.Decoder(list[Entry]).decode
_decode_any = msgspec.msgpack.Decoder().decode
_DEFAULTS = ("message", "json", None, None, None, ())


def pack_id(id: str) -> bytes:
    """Return the stored form of an id: 16 bytes for 32 lower-case hexadecimal digits, else its UTF-8 and an end mark.

    The mark is 0xFF, which no UTF-8 holds, once or twice, so that no text is stored as 16 bytes.
    """
    if len(id) == 32 and _is_hex(id):
        return bytes.fromhex(id)
    text = id.encode() + b"\xff"
    return text if len(text) != 16 else text + b"\xff"


def make_entry(
    id: str,
    data: bytes,
    *,
    kind: str = "message",
    codec: str = "json",
    author: str | None = None,
    parent: str | None = None,
    status: str | None = None,
    links: Sequence[str] = (),
    created_ms: int | None = None,
) -> Entry:
    """Return a new entry without a position; `created_ms` is now where none is given."""
    moment = int(time.time() * 1000) if created_ms is None else created_ms
    return Entry(FORMAT, pack_id(id), moment, data, kind, codec, author, parent, status, tuple(links))


def encode_entry(entry: Entry) -> bytes:
    """Return the stored envelope of an entry; for an unreadable one, the record as it was found."""
    tail = (entry.kind, entry.codec, entry.author, entry.parent, entry.status, entry.links)
    if tail == _DEFAULTS:
        return _encode((entry.format, entry.key, entry.created_ms, entry.data))
    if entry.unreadable is not None:
        return entry.data
    keep = 6
    while keep and tail[keep - 1] == _DEFAULTS[keep - 1]:
        keep -= 1
    return _encode((entry.format, entry.key, entry.created_ms, entry.data, *tail[:keep]))


def decode_entry(envelope: bytes, position: int) -> Entry | None:
    """Return the entry of one stored envelope, None for a hole; an unreadable one is marked, not raised."""
    if envelope == HOLE:
        return None
    try:
        entry = _decode_one(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        return _unreadable(envelope, position, f"not a clew envelope: {e}")
    _set(entry, "position", position)
    return entry


def decode_entries(envelopes: Sequence[bytes], first: int, step: int = 1) -> list[Entry]:
    """Return the entries of a run of stored envelopes, holes left out.

    Args:
        envelopes: what an ordered list holds, in order.
        first: the position of the first one.
        step: what the position grows by: 1, or -1 where they come newest first.
    """
    count = len(envelopes)
    if count == 0:
        return []
    # One call for the whole page: a call each costs more than the decoding.
    head = bytes((0xDD, count >> 24 & 255, count >> 16 & 255, count >> 8 & 255, count & 255))
    try:
        entries = _decode_many(head + b"".join(envelopes))
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A hole, or a record that is corrupt or newer: find out which, one by one.
        return _decode_each(envelopes, first, step)
    if len(entries) != count:
        return _decode_each(envelopes, first, step)
    deque(map(_set, entries, repeat("position"), range(first, first + step * count, step)), maxlen=0)
    return entries


def _decode_each(envelopes: Sequence[bytes], first: int, step: int) -> list[Entry]:
    found = (decode_entry(envelope, first + step * n) for n, envelope in enumerate(envelopes))
    return [entry for entry in found if entry is not None]


def _unreadable(envelope: bytes, position: int, why: str) -> Entry:
    """Mark a record that cannot be decoded; its id is the stored one where that much can be read."""
    key = pack_id(f"unreadable-{position}")
    try:
        parts = _decode_any(envelope)
        if isinstance(parts, list) and len(parts) > 1 and isinstance(parts[0], int) and isinstance(parts[1], bytes):
            Entry(FORMAT, parts[1], 0, b"").id  # noqa: B018 - raises where the bytes are no id
            key = parts[1]
            if parts[0] > FORMAT:
                why = f"format {parts[0]} is newer than {FORMAT}: upgrade clew to read it"
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Not even that much: the made-up id stands, and `why` says what the decoder said.
        return Entry(FORMAT, key, 0, envelope, "unreadable", "unreadable", position=position, unreadable=why)
    return Entry(FORMAT, key, 0, envelope, "unreadable", "unreadable", position=position, unreadable=why)
