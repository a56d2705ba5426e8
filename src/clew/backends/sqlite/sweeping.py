"""Taking away what is gone: the rows of dropped and expired partitions, of values, leases and runs that ran out.

All of it is invisible long before; this only gives the space back, a little at a time, so that no writer waits for it.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from ...records import Partition
from .collecting import expire_collections, purge_collection_debris
from .leases import sweep_leases, sweep_leases_of
from .run_sweeping import expire_runs, purge_run_debris

EVERY_S: Final = 60.0
ROWS_AT_ONCE: Final = 500
BREATH_S: Final = 0.02
"""The pause between two sweeps while there is more to do."""

_EXPIRED: Final = "SELECT id, gone, owner, name FROM partition WHERE expires_ms <= ? LIMIT ?"
_DEBRIS: Final = "SELECT partition FROM debris LIMIT 1"


class Sweeper:
    """When the next sweep is due, and the sweep itself."""

    def __init__(self) -> None:
        self.due = time.monotonic()
        """On the monotonic clock, in seconds."""

    def hurry(self) -> None:
        """There is something to take away."""
        self.due = min(self.due, time.monotonic() + BREATH_S)

    def postpone(self) -> None:
        """It did not work now."""
        self.due = time.monotonic() + EVERY_S

    def sweep(self, db: sqlite3.Connection, now_ms: int) -> None:
        """Take away up to about ROWS_AT_ONCE rows in a transaction of its own, and set when the next sweep is due."""
        if not _is_dirty(db, now_ms):
            self.postpone()
            return
        db.execute("BEGIN IMMEDIATE")
        gone = _expire(db, now_ms)
        gone += purge_debris(db, max(ROWS_AT_ONCE - gone, 1))
        expire_runs(db, now_ms, ROWS_AT_ONCE)
        purge_run_debris(db, max(ROWS_AT_ONCE - gone, 1))
        expire_collections(db, now_ms, ROWS_AT_ONCE)
        purge_collection_debris(db, max(ROWS_AT_ONCE - gone, 1))
        db.execute("COMMIT")
        self.due = time.monotonic() + BREATH_S


def bury(db: sqlite3.Connection, partition: int) -> None:
    """Take a partition's row away, and note what hung on it as debris."""
    db.execute("DELETE FROM partition WHERE id = ?", (partition,))
    db.execute("INSERT INTO debris (partition) VALUES (?)", (partition,))


def purge_debris(db: sqlite3.Connection, most: int) -> int:
    """Delete up to `most` rows of partitions that are gone; return how many went, 0 when nothing was left."""
    gone = 0
    while gone < most:
        row = db.execute(_DEBRIS).fetchone()
        if row is None:
            break
        removed = _purge_partition(db, row[0], most - gone)
        if removed < most - gone:
            db.execute("DELETE FROM debris WHERE partition = ?", row)
            removed += 1
        gone += removed
    return gone


def _purge_partition(db: sqlite3.Connection, partition: int, most: int) -> int:
    gone = 0
    for (log,) in db.execute("SELECT id FROM log WHERE partition = ? LIMIT ?", (partition, most)).fetchall():
        gone += _delete_some(db, "entry", "seat", "seat BETWEEN ? << 32 AND (? << 32 | 4294967295)", (log, log), most - gone)
        gone += db.execute(
            "DELETE FROM removed WHERE (log, id) IN (SELECT log, id FROM removed WHERE log = ? LIMIT ?)", (log, most - gone)
        ).rowcount
        if gone >= most:
            return gone
        gone += db.execute("DELETE FROM log WHERE id = ?", (log,)).rowcount
    gone += db.execute(
        "DELETE FROM document WHERE partition = ?1 AND key IN (SELECT key FROM document WHERE partition = ?1 LIMIT ?2)",
        (partition, most - gone),
    ).rowcount
    gone += db.execute(
        "DELETE FROM once WHERE partition = ?1 AND number IN (SELECT number FROM once WHERE partition = ?1 LIMIT ?2)",
        (partition, most - gone),
    ).rowcount
    for table, key in (("checkpoint", "partition, branch, id"), ("part", "partition, branch, name"), ("task_write", "rowid")):
        gone += _delete_some(db, table, key, "partition = ?", (partition,), most - gone)
    return gone


def _delete_some(db: sqlite3.Connection, table: str, key: str, where: str, values: tuple[int, ...], most: int) -> int:
    return db.execute(
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} LIMIT ?)", (*values, most)
    ).rowcount


def _is_dirty(db: sqlite3.Connection, now_ms: int) -> bool:
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM debris) OR EXISTS (SELECT 1 FROM partition WHERE expires_ms <= ?1)"
        " OR EXISTS (SELECT 1 FROM value WHERE expires_ms <= ?1) OR EXISTS (SELECT 1 FROM lease WHERE kept_ms <= ?1)"
        " OR EXISTS (SELECT 1 FROM run_debris) OR EXISTS (SELECT 1 FROM run WHERE has_log AND log_ms <= ?1)"
        " OR EXISTS (SELECT 1 FROM run WHERE record_ms <= ?1)"
        " OR EXISTS (SELECT 1 FROM collection_debris) OR EXISTS (SELECT 1 FROM collection WHERE expires_ms <= ?1)",
        (now_ms,),
    ).fetchone()
    return bool(row[0])


def _expire(db: sqlite3.Connection, now_ms: int) -> int:
    """Note expired partitions as debris, and delete tombstones and values that ran out, and leases that are not needed."""
    gone = 0
    for partition, is_tombstone, owner, name in db.execute(_EXPIRED, (now_ms, ROWS_AT_ONCE)).fetchall():
        if is_tombstone:
            db.execute("DELETE FROM partition WHERE id = ?", (partition,))
        else:
            bury(db, partition)
            gone += sweep_leases_of(db, Partition(owner, name), now_ms)
        gone += 1
    gone += _delete_some(db, "value", "rowid", "expires_ms <= ?", (now_ms,), max(ROWS_AT_ONCE - gone, 1))
    return gone + sweep_leases(db, now_ms, max(ROWS_AT_ONCE - gone, 1))
