"""Values under literal keys: a table of their own, which other programs may read and write too."""

from __future__ import annotations

from typing import Final

from ...records import Any_
from .globs import Glob
from .literal_keys import key_ttl, refuse_collection
from .unit import Unit

MOST_LOOKED_AT: Final = 2_000
"""Keys that one part of a scan looks at, so that a pattern that matches nothing does not hold up others."""

_GET: Final = "SELECT data, expires_ms FROM value WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)"
_PARTS: Final = "SELECT starts, data FROM value_part WHERE key = ? ORDER BY starts"
_PUT: Final = """
INSERT INTO value (key, data, expires_ms) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, expires_ms = excluded.expires_ms"""
_DELETE: Final = "DELETE FROM value WHERE key = ?"
_SCAN: Final = "SELECT key, expires_ms FROM value WHERE key > ? AND key >= ? ORDER BY key LIMIT ?"


def get_value(unit: Unit, key: str) -> bytes | None:
    """See Values.get_value."""
    row = unit.db.execute(_GET, (key, unit.now_ms())).fetchone()
    if row is None:
        refuse_collection(unit, key)
        return None
    return _join(_as_bytes(row[0]), unit.db.execute(_PARTS, (key,)).fetchall())


def touch_value(unit: Unit, key: str, touch_ms: int) -> bytes | None:
    """See Values.get_value, with a new time to live."""
    found = get_value(unit, key)
    if found is not None:
        unit.db.execute("UPDATE value SET expires_ms = ? WHERE key = ?", (unit.now_ms() + touch_ms, key))
    return found


def put_value(
    unit: Unit, key: str, data: bytes | None, ttl_ms: int | None, when: bytes | Any_ | None
) -> tuple[bool, bytes | None]:
    """See Values.put_value."""
    before = get_value(unit, key)
    if not isinstance(when, Any_) and before != when:
        return False, before
    if data is None:
        unit.db.execute(_DELETE, (key,))
    else:
        unit.db.execute(_PUT, (key, data, None if ttl_ms is None else unit.now_ms() + ttl_ms))
    return True, before


def value_ttl(unit: Unit, key: str) -> int | None:
    """See Values.value_ttl."""
    return key_ttl(unit, key)


def scan_values(unit: Unit, glob: Glob, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
    """See Values.scan_values; keys come in their order, and the cursor is the last one looked at."""
    now_ms = unit.now_ms()
    rows = unit.db.execute(_SCAN, (cursor or "", glob.prefix, MOST_LOOKED_AT)).fetchall()
    found: list[str] = []
    for key, expires_ms in rows:
        if not key.startswith(glob.prefix):
            return found, None
        if (expires_ms is None or expires_ms > now_ms) and glob.matches(key):
            found.append(key)
            if len(found) == limit:
                return found, key
    return found, rows[-1][0] if len(rows) == MOST_LOOKED_AT else None


def _join(data: bytes, parts: list[tuple[int, bytes]]) -> bytes:
    """Return the whole value: each part goes up to where the next one starts."""
    if not parts:
        return data
    found, start = [], 0
    for starts, part in parts:
        found.append(data[: starts - start])
        data, start = part, starts
    return b"".join((*found, data))


def _as_bytes(data: bytes | str) -> bytes:
    """Another program may have written text."""
    return data.encode() if isinstance(data, str) else data
