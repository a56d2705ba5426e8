"""JSON that comes back as it went in. Datetimes are written as ISO 8601 text, which other programs read, with a note of where."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Final

import msgspec

from ...errors import InvalidError
from ...limits import MAX_DEPTH, check_json
from ...model import JSON

DATETIMES: Final = "_datetimes"
"""The field that says where in its object datetimes stand: a list of paths, each a list of keys and places."""


class _Plain(msgspec.Struct):
    """What needs no closer look: it comes back from JSON as it went in. A class, since msgspec remembers what it knows of one."""

    entries: list[dict[str, str | int | bool | None]]


def encode_exact(value: JSON, what: str) -> bytes:
    """Return `value` as JSON, or raise InvalidError where it would not come back as the same."""
    try:
        data = msgspec.json.encode(value)
        # Much faster than to look at each value: what JSON cannot say comes back as something else.
        if msgspec.json.decode(data) == value:
            return data
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as e:
        check_json(value, what)
        raise InvalidError(f"{what} cannot be written as JSON: {e}") from e
    check_json(value, what)
    return data


def encode_entries(entries: list[JSON], what: str, before: tuple[bytes, int] = (b"", 0)) -> tuple[bytes, bool]:
    """Return a list of objects as JSON, and whether it begins as before; each object notes its own datetimes.

    Args:
        before: the JSON of the first entries as they were looked at before, and how many they are. The newest and the oldest of
            them is looked at again, the others only where they read differently now.
    """
    known, count = before
    looked_at, reads_on = entries, False
    try:
        data = _encode(entries)
        reads_on = bool(count) and data.startswith(known, 1) and data[len(known) + 1] in b",]"
        if reads_on:
            # To look at all of them would take as long as to write them.
            looked_at = [entries[0], *entries[count - 1 :]]
        msgspec.convert({"entries": looked_at}, _Plain)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return _encode_closely(entries, what), False
    for entry in looked_at:
        if DATETIMES in entry:
            _refuse_note(entry)
    return data, reads_on


class _Buffers(threading.local):
    """One for each thread, since what is written into it is not yet copied when another might write."""

    def __init__(self) -> None:
        self.buffer = bytearray()


_buffers: Final = _Buffers()
_encode_into: Final = msgspec.json.Encoder().encode_into
KEPT_BYTES: Final = 1 << 20
"""The most that a buffer keeps."""


def _encode(entries: list[JSON]) -> bytes:
    """Return a list as JSON. A buffer that is long enough already saves a quarter of the time."""
    buffer = _buffers.buffer
    _encode_into(entries, buffer)
    if len(buffer) > KEPT_BYTES:
        _buffers.buffer = bytearray()
    return bytes(buffer)


def _encode_closely(entries: list[JSON], what: str) -> bytes:
    for entry in entries:
        _refuse_note(entry)
    try:
        return encode_exact(entries, what)
    except InvalidError:
        frozen = [freeze(entry) if isinstance(entry, dict) else entry for entry in entries]
        if frozen == entries:
            raise
        return encode_exact(frozen, what)


def encode_object(value: dict[str, JSON], what: str) -> bytes:
    """Return an object as JSON, which notes its datetimes."""
    try:
        return encode_exact(value, what)
    except InvalidError:
        frozen = freeze(value)
        if frozen is value:
            raise
        return encode_exact(frozen, what)


def freeze(value: dict[str, JSON]) -> dict[str, JSON]:
    """Return the object with text in the place of datetimes, and a note of where; the object itself where it has none."""
    paths: list[list[str | int]] = []
    frozen: dict[str, JSON] = _copy(value, [], paths)
    # First, since what stands last in a document is the seal's.
    return {DATETIMES: paths, **frozen} if paths else value


def thaw(value: JSON) -> JSON:
    """Put the datetimes back into an object, as its note says, and take the note away. What does not fit it stays text."""
    if not isinstance(value, dict) or DATETIMES not in value:
        return value
    paths = value.pop(DATETIMES)
    for path in paths if isinstance(paths, list) else ():
        _thaw_at(value, path)
    return value


def read_datetime(text: JSON) -> JSON:
    """Return the datetime that a text says, and anything else as it is."""
    if isinstance(text, str):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return text
    return text


def _refuse_note(entry: JSON) -> None:
    if isinstance(entry, dict) and DATETIMES in entry:
        raise InvalidError(f"an entry has a field {DATETIMES!r}, which says where its datetimes stand: use another name")


def _copy(value: JSON, at: list[str | int], paths: list[list[str | int]]) -> JSON:
    if isinstance(value, datetime):
        paths.append(at)
        return value.isoformat()
    if len(at) > MAX_DEPTH:
        # Left to the check, which says so.
        return value
    if isinstance(value, dict):
        return {key: _copy(each, [*at, key], paths) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(each, [*at, place], paths) for place, each in enumerate(value)]
    return value


def _thaw_at(value: JSON, path: JSON) -> None:
    try:
        *way, last = path
        for step in way:
            value = value[step]
        value[last] = read_datetime(value[last])
    except (TypeError, KeyError, IndexError, ValueError):
        # Another program moved it.
        return
