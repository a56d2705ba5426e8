"""The tables of a journal's file, of this format and of those before, and what is asked of them without opening the journal.

What the store has is marked in `done` at once, with a line for each partition, and deleted later, many at a time: what waits for
different threads stands side by side, so to delete it thread by thread would write every page of the file again and again.
Until then it is no longer counted, read, or sent.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from ...backends.sqlite.migrating import read_marks
from ...backends.sqlite.scripts import run_script, transaction
from ...errors import UnsupportedError
from ...ids import new_id
from ...records import Partition
from .records import FORMAT

APPLICATION_ID: Final = 0x436C656A
"""The letters "Clej", where SQLite keeps the number of the program a file belongs to."""
_SCHEMA: Final = """
CREATE TABLE meta (id TEXT NOT NULL, store TEXT NOT NULL);
CREATE TABLE flight (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE aside (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, reason TEXT NOT NULL,
                    refused_ms INTEGER NOT NULL);
"""
_SINCE_2: Final = """
CREATE TABLE done (owner TEXT NOT NULL, name TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID;
"""
_SINCE_3: Final = """
CREATE TABLE place (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (owner, name));
CREATE TABLE write (seq INTEGER PRIMARY KEY AUTOINCREMENT, place INTEGER NOT NULL, body BLOB NOT NULL);
"""
_VIEW: Final = "CREATE VIEW entry AS SELECT seq, owner, name, body FROM write JOIN place ON place.id = write.place"
"""What was a table before format 3, with the same columns: so whoever only looks need not know the format."""
_FROM_2: Final = """
INSERT INTO place (owner, name) SELECT DISTINCT owner, name FROM entry;
INSERT INTO sqlite_sequence (name, seq) SELECT 'write', seq FROM sqlite_sequence WHERE name = 'entry';
INSERT INTO write SELECT seq, (SELECT id FROM place AS p WHERE p.owner = entry.owner AND p.name = entry.name), body FROM entry;
DROP TABLE entry;
"""
"""Numbers go on from where they were, since a number that is given out again would make a token that was used."""
_IS_DONE: Final = "seq <= (SELECT last FROM done WHERE done.owner = entry.owner AND done.name = entry.name)"
_WAITING: Final = f"FROM entry WHERE ({_IS_DONE}) IS NOT TRUE"
AT_ONCE: Final = 1_000
_decode = msgspec.json.Decoder(list[int]).decode


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
    """Make the tables of an empty file, or change those of an older format, which takes as much room again for the while."""
    version = 0 if is_new else db.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT:
        return
    with transaction(db):
        if is_new:
            run_script(db, _SCHEMA)
            db.execute("INSERT INTO meta VALUES (?, ?)", (new_id(), store))
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        run_script(db, (_SINCE_2 if version < 2 else "") + _SINCE_3)
        if not is_new:
            run_script(db, _FROM_2)
        db.execute(_VIEW)
        db.execute(f"PRAGMA user_version = {FORMAT}")


def put_write(db: sqlite3.Connection, partition: Partition, body: bytes) -> int:
    """Add a write, and return its number."""
    verb = "INSERT INTO write (place, body) SELECT id, ? FROM place WHERE owner = ? AND name = ?"
    made = db.execute(verb, (body, *partition))
    if not made.rowcount:
        # The first one of its partition.
        db.execute("INSERT INTO place (owner, name) VALUES (?, ?)", partition)
        made = db.execute(verb, (body, *partition))
    return int(made.lastrowid or 0)


class Standing(NamedTuple):
    """The writes that stand in a file.

    Attributes:
        queues: the numbers of those that wait, by partition and in order.
        number: how many there are with those that the store has.
        highest: the last number of all, 0 for none.
        largest: the most bytes that one has.
    """

    queues: dict[Partition, deque[int]]
    number: int
    highest: int
    largest: int


def find_writes(db: sqlite3.Connection) -> Standing:
    """Return what stands in the file."""
    queues: dict[Partition, deque[int]] = {}
    done = {Partition(owner, name): last for owner, name, last in db.execute("SELECT owner, name, last FROM done")}
    places = {id: Partition(owner, name) for id, owner, name in db.execute("SELECT id, owner, name FROM place")}
    found: dict[int, deque[int]] = {id: deque() for id in places}
    count = last = largest = 0
    # Some thousands in one row: to make a row of each takes more time than all the rest.
    while numbers := _read_numbers(db, last):
        seqs, ids, most = numbers
        for seq, id in zip(seqs, ids, strict=True):
            found[id].append(seq)
        count, last, largest = count + len(seqs), seqs[-1], max(largest, most)
    for id, seqs_of in found.items():
        partition = places[id]
        marked = done.get(partition, 0)
        while seqs_of and seqs_of[0] <= marked:
            seqs_of.popleft()
        if seqs_of:
            queues[partition] = seqs_of
    return Standing(dict(sorted(queues.items(), key=lambda queue: queue[1][0])), count, last, largest)


def _read_numbers(db: sqlite3.Connection, after: int) -> tuple[list[int], list[int], int] | None:
    seqs, ids, most = db.execute(
        "SELECT group_concat(seq), group_concat(place), max(size) "
        "FROM (SELECT seq, place, length(body) AS size FROM write WHERE seq > ? ORDER BY seq LIMIT ?)",
        (after, 10 * AT_ONCE),
    ).fetchone()
    return None if seqs is None else (_decode(f"[{seqs}]"), _decode(f"[{ids}]"), most)


def count_waiting(db: sqlite3.Connection) -> int:
    """Return how many writes wait, in a file that need not be of today's format."""
    is_old = db.execute("PRAGMA user_version").fetchone()[0] < 2
    (count,) = db.execute("SELECT count(*) FROM entry" if is_old else f"SELECT count(*) {_WAITING}").fetchone()
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
    # Without a condition, SQLite counts whole pages, and lets go of them.
    is_all = db.execute("SELECT max(seq) FROM write").fetchone()[0] == highest
    until, numbers = ("", ()) if is_all else (" WHERE seq <= ?", (highest,))
    if db.execute(f"SELECT count(*) FROM write{until}", numbers).fetchone()[0] > count:
        db.execute(f"DELETE FROM write WHERE seq IN (SELECT seq FROM entry WHERE seq <= ? AND {_IS_DONE})", (highest,))
    else:
        db.execute(f"DELETE FROM write{until}", numbers)
    db.execute("DELETE FROM done")
    delete_empty_places(db)


def delete_empty_places(db: sqlite3.Connection) -> None:
    """Delete the names of partitions that have no writes, in a file of any format."""
    if db.execute("PRAGMA user_version").fetchone()[0] >= 3:
        db.execute("DELETE FROM place WHERE id NOT IN (SELECT place FROM write)")


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
    db.execute("DELETE FROM write WHERE seq = ?", (seq,))


def list_aside(db: sqlite3.Connection) -> list[Aside]:
    """Return the writes that were refused for good, in order."""
    rows = db.execute("SELECT seq, owner, name, length(body), reason, refused_ms FROM aside ORDER BY seq")
    return [Aside(seq, Partition(owner, name), size, reason, ms) for seq, owner, name, size, reason, ms in rows]
