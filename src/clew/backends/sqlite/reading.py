"""Reading: documents, pages, revisions, listings. A page is one run of a table: it costs the page, not the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...codec import decode_entries, decode_entry
from ...records import Entry, Listed, Page, Partition, Snapshot
from .cursors import find_position
from .heads import LAST_POSITION, POSITION_BITS, find_living
from .unit import Unit

_PAGE: Final = "SELECT seat, envelope FROM entry WHERE seat > ? AND seat < ? ORDER BY seat {} LIMIT ?"
_OLDEST_FIRST: Final = _PAGE.format("ASC")
_NEWEST_FIRST: Final = _PAGE.format("DESC")
_LIST: Final = """
SELECT name, listed_us FROM partition
WHERE owner = ? AND listed_us IS NOT NULL AND (listed_us, name) < (?, ?) AND (expires_ms IS NULL OR expires_ms > ?)
ORDER BY listed_us DESC, name DESC LIMIT ?"""
_END_OF_TIME: Final = 1 << 62


def fetch(unit: Unit, partition: Partition, keys: Sequence[str] | None) -> Snapshot:
    """See Backend.fetch."""
    head = find_living(unit, partition)
    if head is None:
        return Snapshot(now_ms=unit.now_ms())
    if keys is None:
        documents = dict(unit.db.execute("SELECT key, data FROM document WHERE partition = ?", (head.id,)).fetchall())
    else:
        documents = {}
        for key in keys:
            row = unit.db.execute("SELECT data FROM document WHERE partition = ? AND key = ?", (head.id, key)).fetchone()
            if row is not None:
                documents[key] = row[0]
    created_ms, updated_ms = head.created_us // 1000, head.updated_us // 1000
    return Snapshot(head.revision, created_ms, updated_ms, head.expires_ms, documents, unit.now_ms())


def read_revision(unit: Unit, partition: Partition) -> int:
    """See Backend.revision."""
    head = find_living(unit, partition)
    return 0 if head is None else head.revision


def read_page(
    unit: Unit,
    partition: Partition,
    log: str,
    after: int | str | None,
    before: int | str | None,
    limit: int,
    newest_first: bool,
    inclusive: bool,
) -> Page:
    """See Backend.read; the arguments are checked."""
    return read_page_of(unit, partition, log, after, before, limit, newest_first, inclusive)[1]


def read_page_of(
    unit: Unit,
    partition: Partition,
    log: str,
    after: int | str | None,
    before: int | str | None,
    limit: int,
    newest_first: bool,
    inclusive: bool = False,
) -> tuple[int | None, Page]:
    """Return the number of the partition that was read, None where there is none, and the page."""
    head = find_living(unit, partition, log)
    found = None if head is None else head.log
    low = 0 if after is None else find_position(unit.db, partition, found, after)
    high = LAST_POSITION if before is None else find_position(unit.db, partition, found, before)
    if inclusive:
        low, high = max(low - 1, 0) if after is not None else low, min(high + 1, LAST_POSITION)
    number = None if head is None else head.id
    if found is None:
        return number, Page([], False)
    base = found.id << POSITION_BITS
    rows = unit.db.execute(_NEWEST_FIRST if newest_first else _OLDEST_FIRST, (base | low, base | high, limit + 1)).fetchall()
    has_more = len(rows) > limit
    if has_more:
        rows.pop()
    return number, Page(decode_rows(rows), has_more)


def list_partitions(unit: Unit, owner: str, limit: int, before: Listed | None) -> list[Listed]:
    """See Listing.list."""
    last = (_END_OF_TIME, "") if before is None else (before.updated_us, before.name)
    return [Listed(*row) for row in unit.db.execute(_LIST, (owner, *last, unit.now_ms(), limit))]


def decode_rows(rows: Sequence[tuple[int, bytes]]) -> list[Entry]:
    if not rows:
        return []
    first, count = rows[0][0], len(rows)
    distance = rows[-1][0] - first
    if abs(distance) == count - 1:
        # No holes: the whole page is decoded by one call.
        return decode_entries([row[1] for row in rows], first & LAST_POSITION, -1 if distance < 0 else 1)
    found = (decode_entry(envelope, seat & LAST_POSITION) for seat, envelope in rows)
    return [entry for entry in found if entry is not None]
