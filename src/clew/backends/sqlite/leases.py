"""Leases, by the machine's clock. A partition need not exist to be claimed; where its tombstone stands it cannot be.

One that has ended stays, as the newest of its name, as long as its partition does; where there is none, for a day.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ...records import Lease, Partition
from .heads import find_head
from .unit import Unit

_FIND: Final = "SELECT fence, holder, expires_ms FROM lease WHERE owner = ? AND partition = ? AND name = ?"
_NEW: Final = "INSERT INTO lease (owner, partition, name, holder, expires_ms, kept_ms) VALUES (?, ?, ?, ?, ?, ?)"
_MOVE: Final = "UPDATE lease SET expires_ms = ?, kept_ms = ? WHERE fence = ?"
_DELETE: Final = "DELETE FROM lease WHERE fence = ?"
_NEWEST: Final = "SELECT fence FROM lease WHERE owner = ? AND partition = ? AND name = ?"
_OLD: Final = "SELECT fence, owner, partition FROM lease WHERE kept_ms <= ? LIMIT ?"
_HAS_PARTITION: Final = "SELECT 1 FROM partition WHERE owner = ? AND name = ? AND (expires_ms IS NULL OR expires_ms > ?)"
_KEEP: Final = "UPDATE lease SET kept_ms = ? WHERE fence = ?"
_DELETE_ENDED: Final = "DELETE FROM lease WHERE owner = ? AND partition = ? AND expires_ms <= ?"
DAY_MS: Final = 24 * 3600 * 1000


def claim(unit: Unit, partition: Partition, name: str, holder: str, ttl_ms: int) -> Lease | None:
    """See Leasing.claim."""
    find_head(unit, partition)
    now_ms = unit.now_ms()
    expires_ms = now_ms + ttl_ms
    row = unit.db.execute(_FIND, (*partition, name)).fetchone()
    if row is not None and row[2] > now_ms:
        if row[1] != holder:
            return None
        unit.db.execute(_MOVE, (expires_ms, expires_ms + DAY_MS, row[0]))
        return Lease(name, holder, row[0], expires_ms)
    if row is not None:
        unit.db.execute(_DELETE, (row[0],))
    fence = unit.db.execute(_NEW, (*partition, name, holder, expires_ms, expires_ms + DAY_MS)).lastrowid
    assert fence is not None
    return Lease(name, holder, fence, expires_ms)


def renew(unit: Unit, partition: Partition, lease: Lease, ttl_ms: int) -> Lease | None:
    """See Leasing.renew."""
    if not _is_held(unit, partition, lease):
        return None
    expires_ms = unit.now_ms() + ttl_ms
    unit.db.execute(_MOVE, (expires_ms, expires_ms + DAY_MS, lease.fence))
    return Lease(lease.name, lease.holder, lease.fence, expires_ms)


def release(unit: Unit, partition: Partition, lease: Lease) -> bool:
    """See Leasing.release."""
    is_held = _is_held(unit, partition, lease)
    if is_held:
        unit.db.execute(_MOVE, (0, unit.now_ms() + DAY_MS, lease.fence))
    return is_held


def find_fence(db: sqlite3.Connection, partition: Partition, name: str) -> int | None:
    """Return the fence of the newest claim, whether it holds still or not; None where none is known."""
    row = db.execute(_NEWEST, (*partition, name)).fetchone()
    return None if row is None else int(row[0])


def sweep_leases(db: sqlite3.Connection, now_ms: int, most: int) -> int:
    """Look at up to `most` leases that ended a day ago: keep those of a partition that is there; return how many there were."""
    rows = db.execute(_OLD, (now_ms, most)).fetchall()
    for fence, *partition in rows:
        if db.execute(_HAS_PARTITION, (*partition, now_ms)).fetchone() is None:
            db.execute(_DELETE, (fence,))
        else:
            db.execute(_KEEP, (now_ms + DAY_MS, fence))
    return len(rows)


def sweep_leases_of(db: sqlite3.Connection, partition: Partition, now_ms: int) -> int:
    """Delete the leases of a partition that has expired, but for those that hold still; return how many went."""
    return db.execute(_DELETE_ENDED, (*partition, now_ms)).rowcount


def _is_held(unit: Unit, partition: Partition, lease: Lease) -> bool:
    find_head(unit, partition)
    row = unit.db.execute(_FIND, (*partition, lease.name)).fetchone()
    return row is not None and row[0] == lease.fence and row[1] == lease.holder and row[2] > unit.now_ms()
