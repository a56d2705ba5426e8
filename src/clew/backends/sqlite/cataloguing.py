"""The catalogue of an owner: partitions in the order they were made, each with its documents. It costs what the page holds."""

from __future__ import annotations

from typing import Final

from ...errors import UnknownCursorError
from ...records import Catalogue, Snapshot
from .unit import Unit

_PAGE: Final = """
SELECT id, name, revision, created_us, updated_us, expires_ms FROM partition INDEXED BY partition_made
WHERE owner = ? AND id {} ? AND listed_us IS NOT NULL AND gone = 0 AND (expires_ms IS NULL OR expires_ms > ?)
ORDER BY id {} LIMIT ?"""
_NEWEST_FIRST: Final = _PAGE.format("<", "DESC")
_OLDEST_FIRST: Final = _PAGE.format(">", "ASC")
_FIND: Final = """
SELECT coalesce(stood, id) FROM partition
WHERE owner = ? AND name = ? AND (gone = 0 OR stood IS NOT NULL) AND (expires_ms IS NULL OR expires_ms > ?)"""
_LAST: Final = (1 << 63) - 1


def read_catalogue(unit: Unit, owner: str, limit: int, after: str | None, newest_first: bool) -> Catalogue:
    """See Cataloguing.catalogue; the arguments are checked."""
    bound = _LAST if newest_first else 0
    if after is not None:
        row = unit.db.execute(_FIND, (owner, after, unit.now_ms())).fetchone()
        if row is None:
            raise UnknownCursorError(f"the owner has no {after!r}: start again from one end")
        bound = row[0]
    query = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    rows = unit.db.execute(query, (owner, bound, unit.now_ms(), limit + 1)).fetchall()
    found = []
    for id, name, revision, created_us, updated_us, expires_ms in rows[:limit]:
        documents = dict(unit.db.execute("SELECT key, data FROM document WHERE partition = ?", (id,)).fetchall())
        found.append((name, Snapshot(revision, created_us // 1000, updated_us // 1000, expires_ms, documents)))
    return Catalogue(found, len(rows) > limit)
