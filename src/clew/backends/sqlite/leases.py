"""Leases, by the machine's clock. A partition need not exist to be claimed; where its tombstone stands it cannot be."""

from __future__ import annotations

from typing import Final

from ...records import Lease, Partition
from .heads import find_head
from .unit import Unit

_FIND: Final = "SELECT fence, holder, expires_ms FROM lease WHERE owner = ? AND partition = ? AND name = ?"
_NEW: Final = "INSERT INTO lease (owner, partition, name, holder, expires_ms) VALUES (?, ?, ?, ?, ?)"
_MOVE: Final = "UPDATE lease SET expires_ms = ? WHERE fence = ?"
_DELETE: Final = "DELETE FROM lease WHERE fence = ?"


def claim(unit: Unit, partition: Partition, name: str, holder: str, ttl_ms: int) -> Lease | None:
    """See Leasing.claim."""
    find_head(unit, partition)
    now_ms = unit.now_ms()
    expires_ms = now_ms + ttl_ms
    row = unit.db.execute(_FIND, (*partition, name)).fetchone()
    if row is not None and row[2] > now_ms:
        if row[1] != holder:
            return None
        unit.db.execute(_MOVE, (expires_ms, row[0]))
        return Lease(name, holder, row[0], expires_ms)
    if row is not None:
        unit.db.execute(_DELETE, (row[0],))
    fence = unit.db.execute(_NEW, (*partition, name, holder, expires_ms)).lastrowid
    assert fence is not None
    return Lease(name, holder, fence, expires_ms)


def renew(unit: Unit, partition: Partition, lease: Lease, ttl_ms: int) -> Lease | None:
    """See Leasing.renew."""
    if not _is_held(unit, partition, lease):
        return None
    expires_ms = unit.now_ms() + ttl_ms
    unit.db.execute(_MOVE, (expires_ms, lease.fence))
    return Lease(lease.name, lease.holder, lease.fence, expires_ms)


def release(unit: Unit, partition: Partition, lease: Lease) -> bool:
    """See Leasing.release."""
    is_held = _is_held(unit, partition, lease)
    if is_held:
        unit.db.execute(_DELETE, (lease.fence,))
    return is_held


def _is_held(unit: Unit, partition: Partition, lease: Lease) -> bool:
    find_head(unit, partition)
    row = unit.db.execute(_FIND, (*partition, lease.name)).fetchone()
    return row is not None and row[0] == lease.fence and row[1] == lease.holder and row[2] > unit.now_ms()
