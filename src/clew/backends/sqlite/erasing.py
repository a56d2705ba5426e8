"""Erasing on SQLite: an owner's rows, some partitions in a transaction, then the rows that those left; and VACUUM."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ...erasing import Erased
from ...errors import InvalidError
from ...records import Partition
from .address import Address
from .collecting import purge_collection_debris
from .commit import drop
from .faults import translate
from .run_sweeping import purge_run_debris
from .run_writing import bury_run
from .sweeping import ROWS_AT_ONCE, purge_debris
from .unit import Unit
from .watching import record_topic, run_topic

AT_ONCE: Final = 50
"""Partitions in one step."""
_LAST: Final = {
    "runs": "SELECT max(id) FROM run WHERE owner = ?",
    "partitions": "SELECT max(id) FROM partition WHERE owner = ?",
}
_ROWS: Final = {
    "runs": "SELECT id, partition, name FROM run WHERE owner = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
    "partitions": "SELECT id, name, gone FROM partition WHERE owner = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
}
_HANGING: Final = (
    ("documents", "SELECT count(*) FROM document WHERE partition = ?"),
    ("logs", "SELECT count(*) FROM log WHERE partition = ?"),
    (
        "items",
        "SELECT count(*) FROM log JOIN entry ON seat BETWEEN log.id << 32 AND (log.id << 32 | 4294967295) WHERE partition = ?",
    ),
    ("logs", "SELECT count(*) FROM log JOIN removed ON removed.log = log.id WHERE partition = ?"),
    ("tokens", "SELECT count(*) FROM once WHERE partition = ?"),
    ("checkpoints", "SELECT count(*) FROM checkpoint WHERE partition = ?"),
    ("checkpoints", "SELECT count(*) FROM part WHERE partition = ?"),
    ("checkpoints", "SELECT count(*) FROM task_write WHERE partition = ?"),
)
_EVENTS: Final = "SELECT count(*) FROM run_event WHERE run = ?"
_LEASES: Final = "SELECT count(*) FROM lease WHERE owner = ?"
_DEBRIS: Final = (
    "SELECT (SELECT count(*) FROM debris) + (SELECT count(*) FROM run_debris) + (SELECT count(*) FROM collection_debris)"
)
_BELOW: Final = "key >= ?1 AND key < CAST(?2 AS TEXT)"
_MEMBERS: Final = f"""
SELECT collection, data FROM member WHERE collection IN (SELECT id FROM collection WHERE kind = 'set' AND {_BELOW})
AND data >= ?3 AND substr(data, 1, length(?3)) = ?3 LIMIT ?4"""


def list_owners(unit: Unit, cursor: str | None) -> tuple[list[str], str | None]:
    """See Erasing.list_owners; each is found by a look at the index, however much the others have."""
    found: list[str] = []
    after = cursor or ""
    while len(found) < AT_ONCE:
        (owner,) = unit.db.execute("SELECT min(owner) FROM partition WHERE owner > ?", (after,)).fetchone()
        if owner is None:
            return found, None
        found.append(owner)
        after = owner
    return found, after


def erase_owner(unit: Unit, owner: str, cursor: str | None, dry: bool) -> Erased:
    """See Erasing.erase_owner. First runs and leases, then partitions, then what the store has not purged yet."""
    phase, after, last = _read_cursor(cursor or "runs")
    if phase == "debris":
        return _erase_debris(unit, dry)
    if last is None:
        # What comes after is another walk's, or a quick writer would keep this one from ending.
        last = unit.db.execute(_LAST[phase], (owner,)).fetchone()[0] or 0
    rows = unit.db.execute(_ROWS[phase], (owner, after, last, AT_ONCE)).fetchall()
    found = _erase_runs(unit, owner, rows, dry) if phase == "runs" else _erase_partitions(unit, owner, rows, dry)
    if rows:
        return Erased(found, f"{phase}:{rows[-1][0]}:{last}")
    if phase == "partitions":
        return Erased({}, "debris")
    leases = unit.db.execute(_LEASES, (owner,)).fetchone()[0]
    if leases and not dry:
        unit.db.execute("DELETE FROM lease WHERE owner = ?", (owner,))
    return Erased({"leases": leases} if leases else {}, "partitions")


def _read_cursor(cursor: str) -> tuple[str, int, int | None]:
    phase, *numbers = cursor.split(":")
    if phase not in ("runs", "partitions", "debris") or len(numbers) not in (0, 2) or not all(map(str.isdecimal, numbers)):
        raise InvalidError(f"{cursor!r} is not a cursor of this walk: start again without one")
    return (phase, int(numbers[0]), int(numbers[1])) if numbers else (phase, 0, None)


def _erase_runs(unit: Unit, owner: str, rows: Sequence[tuple[int, str, str]], dry: bool) -> dict[str, int]:
    count = 0
    for id, name, run in rows:
        count += 1 + unit.db.execute(_EVENTS, (id,)).fetchone()[0]
        if not dry:
            bury_run(unit, id)
            unit.touched += (run_topic(Partition(owner, name), run), record_topic(Partition(owner, name), run))
    return {"runs": count}


def _erase_partitions(unit: Unit, owner: str, rows: Sequence[tuple[int, str, int]], dry: bool) -> dict[str, int]:
    found = Counter(partitions=len(rows))
    for id, name, gone in rows:
        for kind, query in _HANGING:
            found[kind] += unit.db.execute(query, (id,)).fetchone()[0]
        if dry:
            continue
        if gone:
            unit.memo.forget(Partition(owner, name))
            unit.db.execute("DELETE FROM partition WHERE id = ?", (id,))
        else:
            drop(unit, Partition(owner, name), 0)
    return {kind: count for kind, count in found.items() if count}


def _erase_debris(unit: Unit, dry: bool) -> Erased:
    # Whose it was is not known any more: all of it goes.
    count = unit.db.execute(_DEBRIS).fetchone()[0]
    if dry or not count:
        return Erased({"debris": count} if count else {})
    purge_debris(unit.db, ROWS_AT_ONCE)
    purge_run_debris(unit.db, ROWS_AT_ONCE)
    purge_collection_debris(unit.db, ROWS_AT_ONCE)
    return Erased({}, "debris")


def erase_keys(unit: Unit, prefix: str, dry: bool) -> Erased:
    """See Erasing.erase_keys, without members."""
    bounds = (prefix, prefix.encode() + b"\xff")
    if dry:
        counts = [unit.db.execute(f"SELECT count(*) FROM {each} WHERE {_BELOW}", bounds) for each in ("value", "collection")]
        count = sum(each.fetchone()[0] for each in counts)
        return Erased({"values": count} if count else {})
    chosen = "SELECT {} FROM {} WHERE " + _BELOW + " LIMIT ?3"
    ids = unit.db.execute(chosen.format("id", "collection"), (*bounds, ROWS_AT_ONCE)).fetchall()
    for id in ids:
        unit.db.execute("DELETE FROM collection WHERE id = ?", id)
        unit.db.execute("INSERT INTO collection_debris (collection) VALUES (?)", id)
        unit.left_debris = True
    gone = unit.db.execute(f"DELETE FROM value WHERE key IN ({chosen.format('key', 'value')})", (*bounds, ROWS_AT_ONCE)).rowcount
    is_full = max(len(ids), gone) == ROWS_AT_ONCE
    return Erased({"values": len(ids) + gone} if ids or gone else {}, "more" if is_full else None)


def erase_members(unit: Unit, prefix: str, member: bytes, dry: bool) -> Erased:
    """See Erasing.erase_keys, with members."""
    most = -1 if dry else ROWS_AT_ONCE
    rows = unit.db.execute(_MEMBERS, (prefix, prefix.encode() + b"\xff", member, most)).fetchall()
    if not dry:
        unit.db.executemany("DELETE FROM member WHERE collection = ? AND data = ?", rows)
        for collection in sorted({row[0] for row in rows}):
            if unit.db.execute("SELECT 1 FROM member WHERE collection = ? LIMIT 1", (collection,)).fetchone() is None:
                unit.db.execute("DELETE FROM collection WHERE id = ?", (collection,))
    return Erased({"members": len(rows)} if rows else {}, None if dry or len(rows) < ROWS_AT_ONCE else "more")


def vacuum(address: Address) -> None:
    """Write the file anew without its free pages, and empty its log. In a thread and on a connection of its own.

    Raises:
        FullError, UnavailableError, DeniedError, UnsupportedError.
    """
    assert address.path is not None
    from .connection import open_writer

    db = open_writer(address)
    try:
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as e:
        raise translate(e, address) from e
    finally:
        db.close()
