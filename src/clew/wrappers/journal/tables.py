"""The tables of a journal's file, of this format and of those before, and what is asked of them without opening the journal.

What the store has is marked in `done` at once, with a line for each partition, and deleted later, many at a time: what waits for
different threads stands side by side, so to delete it thread by thread would write every page of the file again and again.
Until then it is no longer counted, read, or sent.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ...backends.sqlite.migrating import read_marks
from ...errors import UnsupportedError
from ...ids import new_id
from ...records import Partition
from .records import FORMAT

APPLICATION_ID: Final = 0x436C656A
"""The letters "Clej", where SQLite keeps the number of the program a file belongs to."""
_SCHEMA: Final = """
CREATE TABLE meta (id TEXT NOT NULL, store TEXT NOT NULL);
CREATE TABLE entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE flight (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE aside (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
                    refused_ms INTEGER NOT NULL);
"""
_SINCE_2: Final = """
CREATE TABLE done (owner TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID
"""
_IS_DONE: Final = "seq <= (SELECT last FROM done WHERE done.owner = entry.owner AND done.name = entry.name)"
WAITING: Final = f"FROM entry WHERE ({_IS_DONE}) IS NOT TRUE"
AT_ONCE: Final = 1_000


class Aside(NamedTuple):
    """A write that the store refused for good."""

    seq: int
    partition: Partition
    size: int
    reason: str
    refused_ms: int


def check_format(db: sqlite3.Connection, path: str) -> bool:
    """Tell whether the file is empty.

    Raises:
        UnsupportedError: it is no journal, or one of a newer format. Nothing was written to it.
    """
    application, version, tables = read_marks(db)
    if application == APPLICATION_ID:
        if version > FORMAT:
            raise UnsupportedError(f"the journal {path} has format {version}, and this clew knows up to {FORMAT}: upgrade clew")
        return False
    if application or version or tables:
        raise UnsupportedError(f"{path} is no journal of clew's: name another folder for the journal")
    return True


def make_tables(db: sqlite3.Connection, store: str, *, is_new: bool) -> None:
    """Make the tables of an empty file, or those that one of an older format has not."""
    version = 0 if is_new else db.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT:
        return
    db.execute("BEGIN IMMEDIATE")
    if is_new:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES (?, ?)", (new_id(), store))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    if version < 2:
        db.execute(_SINCE_2)
    # Format 3 has the same tables, and a form of records that format 2 had not.
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.execute("COMMIT")


def count_waiting(db: sqlite3.Connection) -> int:
    """Return how many writes wait, in a file that need not be of today's format."""
    is_old = db.execute("PRAGMA user_version").fetchone()[0] < 2
    (count,) = db.execute("SELECT count(*) FROM entry" if is_old else f"SELECT count(*) {WAITING}").fetchone()
    return int(count)


def mark_done(db: sqlite3.Connection, done: Mapping[Partition, int]) -> None:
    """Mark all writes of partitions up to a number as those that the store has."""
    rows = [(*partition, last) for partition, last in done.items()]
    put_many(db, "INSERT INTO done", rows, "ON CONFLICT DO UPDATE SET last = excluded.last")


def delete_done(db: sqlite3.Connection, highest: int, count: int) -> None:
    """Delete what is marked.

    Args:
        highest: the last number that may be.
        count: how many there are. Where as many stand up to `highest`, that is all of them, and none has to be looked at.
    """
    if db.execute("SELECT count(*) FROM entry WHERE seq <= ?", (highest,)).fetchone()[0] > count:
        db.execute(f"DELETE FROM entry WHERE seq <= ? AND {_IS_DONE}", (highest,))
    elif db.execute("SELECT max(seq) FROM entry").fetchone()[0] == highest:
        # Without a condition, SQLite lets go of whole pages.
        db.execute("DELETE FROM entry")
    else:
        db.execute("DELETE FROM entry WHERE seq <= ?", (highest,))
    db.execute("DELETE FROM done")


def put_many(db: sqlite3.Connection, verb: str, rows: Sequence[Sequence[object]], rest: str = "") -> None:
    """Put rows into a table, at most some hundreds, in one statement: after each one, a busy interpreter has to be waited for."""
    if rows:
        mark = f"({','.join('?' * len(rows[0]))})"
        db.execute(f"{verb} VALUES {','.join([mark] * len(rows))} {rest}", [field for row in rows for field in row])


def delete_many(db: sqlite3.Connection, table: str, column: str, numbers: Sequence[int]) -> None:
    """Delete the rows with these numbers."""
    for start in range(0, len(numbers), AT_ONCE):
        db.execute(f"DELETE FROM {table} WHERE {column} IN ({','.join(map(str, numbers[start : start + AT_ONCE]))})")


def put_aside(db: sqlite3.Connection, seq: int, reason: str) -> None:
    """Take a write that the store refused for good out of the way, and keep it."""
    db.execute(
        "INSERT INTO aside SELECT seq, owner, name, body, ?, ? FROM entry WHERE seq = ?",
        (reason, time.time_ns() // 1_000_000, seq),
    )
    db.execute("DELETE FROM entry WHERE seq = ?", (seq,))


def list_aside(db: sqlite3.Connection) -> list[Aside]:
    """Return the writes that were refused for good, in order."""
    rows = db.execute("SELECT seq, owner, name, length(body), reason, refused_ms FROM aside ORDER BY seq")
    return [Aside(seq, Partition(owner, name), size, reason, ms) for seq, owner, name, size, reason, ms in rows]
