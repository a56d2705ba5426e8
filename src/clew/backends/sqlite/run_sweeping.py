"""Taking away what is gone of runs: records and logs whose time is over, and the events of those that were dropped."""

from __future__ import annotations

import sqlite3
from typing import Final

_EXPIRED: Final = "SELECT id FROM run WHERE record_ms <= ? LIMIT ?"
_LOGLESS: Final = "SELECT id FROM run WHERE has_log AND log_ms <= ? LIMIT ?"
_PURGE: Final = "DELETE FROM run_event WHERE rowid IN (SELECT rowid FROM run_event WHERE run = ? LIMIT ?)"
_NOTE: Final = "INSERT OR IGNORE INTO run_debris (run) VALUES (?)"


def expire_runs(db: sqlite3.Connection, now_ms: int, most: int) -> None:
    """Note up to `most` logs, and as many runs, whose time is over as debris."""
    for (id,) in db.execute(_EXPIRED, (now_ms, most)).fetchall():
        db.execute("DELETE FROM run WHERE id = ?", (id,))
        db.execute(_NOTE, (id,))
    for (id,) in db.execute(_LOGLESS, (now_ms, most)).fetchall():
        db.execute("UPDATE run SET has_log = 0, events = 0 WHERE id = ?", (id,))
        db.execute(_NOTE, (id,))


def purge_run_debris(db: sqlite3.Connection, most: int) -> None:
    """Delete up to `most` events of runs, or logs, that are gone."""
    while most > 0:
        row = db.execute("SELECT run FROM run_debris LIMIT 1").fetchone()
        if row is None:
            return
        removed = db.execute(_PURGE, (row[0], most)).rowcount
        if removed < most:
            db.execute("DELETE FROM run_debris WHERE run = ?", row)
        most -= max(removed, 1)
