"""Cursors: from an entry's id, or a position, to a position of the log."""

from __future__ import annotations

import sqlite3

from ...codec import pack_id
from ...errors import UnknownCursorError
from ...records import Partition
from .heads import LAST_POSITION, Log
from .memo import OpenLog


def find_position(db: sqlite3.Connection, partition: Partition, log: Log | OpenLog | None, cursor: int | str) -> int:
    """Return the position that a checked cursor names.

    Raises:
        UnknownCursorError: the log does not know this id, or not any more.
    """
    if not isinstance(cursor, str):
        return min(cursor, LAST_POSITION)
    if log is not None:
        key = pack_id(cursor)
        row = db.execute("SELECT seat FROM entry WHERE log = ? AND id = ?", (log.id, key)).fetchone()
        if row is None:
            row = db.execute("SELECT position FROM removed WHERE log = ? AND id = ?", (log.id, key)).fetchone()
        if row is not None:
            return int(row[0]) & LAST_POSITION
    raise UnknownCursorError(f"{partition.name!r} does not know the item {cursor!r}: start again from one end")
