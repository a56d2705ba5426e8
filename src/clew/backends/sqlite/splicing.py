"""Values that grow at their end: parts in rows of their own, so that a splice writes no more than a page or four."""

from __future__ import annotations

import re
from typing import Final

from ...limits import MAX_DATA_BYTES
from ...splicing import too_large
from .literal_keys import refuse_collection
from .unit import Unit
from .values import get_value

PART_BYTES: Final = 16 * 1024
"""What a part may grow to before a new one is begun."""

_ROW: Final = "SELECT rowid FROM value WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)"
_LAST: Final = "SELECT starts, data FROM value_part WHERE key = ? ORDER BY starts DESC LIMIT 1"
_NUMBER: Final = re.compile(rb" *([0-9]+)")


def splice_value(
    unit: Unit,
    key: str,
    data: bytes,
    mark: bytes,
    size: int,
    keep: int,
    head: bytes,
    whole: bool,
    ttl_ms: int | None,
    ttl_at: tuple[int, int] | None,
) -> tuple[bool, bytes | None]:
    """See Splicing.splice_value."""
    row = unit.db.execute(_ROW, (key, unit.now_ms())).fetchone()
    if row is None:
        refuse_collection(unit, key)
        return False, None
    length, last, tail = _read_end(unit, key, row[0], size)
    if len(tail) < size or not tail.startswith(mark):
        return False, tail
    if whole:
        _replace(unit, key, data)
    else:
        data += tail[size - keep :]
        if length - size + len(data) > MAX_DATA_BYTES:
            raise too_large()
        if len(head) > length - size:
            return False, tail
        _write_end(unit, key, length - size, last, data)
        if head:
            _write_start(unit, key, row[0], head)
    if ttl_at is not None:
        digits = _NUMBER.fullmatch(tail[slice(*ttl_at)])
        ttl_ms = None if digits is None else int(digits[1])
    if ttl_ms is not None:
        expires_ms = unit.now_ms() + ttl_ms if ttl_ms else None
        unit.db.execute("UPDATE value SET expires_ms = ? WHERE key = ?", (expires_ms, key))
    return True, tail


def _read_end(unit: Unit, key: str, rowid: int, size: int) -> tuple[int, tuple[int, bytes] | None, bytes]:
    """Return the value's length, its last part, and its last bytes, without reading all of it."""
    last = unit.db.execute(_LAST, (key,)).fetchone()
    if last is None:
        with unit.db.blobopen("value", "data", rowid, readonly=True) as blob:
            length = len(blob)
            blob.seek(max(length - size, 0))
            return length, None, blob.read()
    starts, data = last
    if len(data) < size:
        # Spliced before with a shorter tail: make one piece of it again.
        found = get_value(unit, key)
        assert found is not None
        _replace(unit, key, found)
        return len(found), None, found[-size:]
    return starts + len(data), last, data[-size:]


def _replace(unit: Unit, key: str, data: bytes) -> None:
    """Set the data of a value that is there, and leave its time alone."""
    unit.db.execute("UPDATE value SET data = ? WHERE key = ?", (data, key))


def _write_start(unit: Unit, key: str, rowid: int, head: bytes) -> None:
    """Write over the first bytes of a value in place, which leaves its parts alone."""
    (first,) = unit.db.execute("SELECT min(starts) FROM value_part WHERE key = ?", (key,)).fetchone()
    if len(head) <= first:
        with unit.db.blobopen("value", "data", rowid) as blob:
            blob.write(head)
        return
    found = get_value(unit, key)
    assert found is not None
    _replace(unit, key, head + found[len(head) :])


def _write_end(unit: Unit, key: str, at: int, last: tuple[int, bytes] | None, data: bytes) -> None:
    if last is not None:
        starts, before = last
        kept = at - starts
        if kept + len(data) <= PART_BYTES:
            unit.db.execute("UPDATE value_part SET data = ? WHERE key = ? AND starts = ?", (before[:kept] + data, key, starts))
            return
        if kept == 0:
            unit.db.execute("UPDATE value_part SET data = ? WHERE key = ? AND starts = ?", (data, key, starts))
            return
    unit.db.execute("INSERT INTO value_part (key, starts, data) VALUES (?, ?, ?)", (key, at, data))
