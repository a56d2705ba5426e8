"""Sets and lists under literal keys, in tables of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from .literal_keys import Kind, bury_collection, find_collection
from .unit import Unit

_MAKE: Final = "INSERT INTO collection (key, kind) VALUES (?, ?)"
_LENGTH: Final = "SELECT coalesce(max(place) + 1, 0) FROM element WHERE collection = ?"
_RANGE: Final = "SELECT data FROM element WHERE collection = ? AND place BETWEEN ? AND ? ORDER BY place"
_EXPIRED: Final = "SELECT id FROM collection WHERE expires_ms <= ? LIMIT ?"


def add_members(unit: Unit, key: str, members: Sequence[bytes]) -> int:
    """See Collecting.add_members."""
    number = _find_or_make(unit, key, "set")
    rows = [(number, data) for data in members]
    return unit.db.executemany("INSERT OR IGNORE INTO member (collection, data) VALUES (?, ?)", rows).rowcount


def remove_members(unit: Unit, key: str, members: Sequence[bytes]) -> int:
    """See Collecting.remove_members."""
    number = find_collection(unit, key, "set")
    if number is None:
        return 0
    rows = [(number, data) for data in members]
    removed = unit.db.executemany("DELETE FROM member WHERE collection = ? AND data = ?", rows).rowcount
    if unit.db.execute("SELECT 1 FROM member WHERE collection = ? LIMIT 1", (number,)).fetchone() is None:
        bury_collection(unit, key)
    return removed


def get_members(unit: Unit, key: str) -> list[bytes]:
    """See Collecting.get_members."""
    number = find_collection(unit, key, "set")
    return [data for (data,) in unit.db.execute("SELECT data FROM member WHERE collection = ?", (number,))]


def push_elements(unit: Unit, key: str, elements: Sequence[bytes]) -> int:
    """See Collecting.push_elements."""
    number = _find_or_make(unit, key, "list")
    length = _read_length(unit, number)
    rows = [(number, place, data) for place, data in enumerate(elements, length)]
    unit.db.executemany("INSERT INTO element (collection, place, data) VALUES (?, ?, ?)", rows)
    return length + len(rows)


def get_elements(unit: Unit, key: str, first: int, last: int) -> list[bytes]:
    """See Collecting.get_elements."""
    number = find_collection(unit, key, "list")
    if number is None:
        return []
    length = _read_length(unit, number)
    start = max(first + length, 0) if first < 0 else first
    stop = last + length if last < 0 else min(last, length - 1)
    return [data for (data,) in unit.db.execute(_RANGE, (number, min(start, length), stop if stop >= 0 else -1))]


def count_elements(unit: Unit, key: str) -> int:
    """See Collecting.count_elements."""
    number = find_collection(unit, key, "list")
    return 0 if number is None else _read_length(unit, number)


def expire_collections(db: sqlite3.Connection, now_ms: int, most: int) -> None:
    """Note up to `most` sets and lists whose time is over as debris."""
    for row in db.execute(_EXPIRED, (now_ms, most)).fetchall():
        db.execute("DELETE FROM collection WHERE id = ?", row)
        db.execute("INSERT INTO collection_debris (collection) VALUES (?)", row)


def purge_collection_debris(db: sqlite3.Connection, most: int) -> None:
    """Delete up to `most` members and elements of what is gone."""
    while most > 0:
        row = db.execute("SELECT collection FROM collection_debris LIMIT 1").fetchone()
        if row is None:
            return
        removed = db.execute(
            "DELETE FROM element WHERE rowid IN (SELECT rowid FROM element WHERE collection = ? LIMIT ?)", (row[0], most)
        ).rowcount
        removed += db.execute(
            "DELETE FROM member WHERE collection = ?1 AND data IN (SELECT data FROM member WHERE collection = ?1 LIMIT ?2)",
            (row[0], most),
        ).rowcount
        if removed < most:
            db.execute("DELETE FROM collection_debris WHERE collection = ?", row)
        most -= max(removed, 1)


def _find_or_make(unit: Unit, key: str, kind: Kind) -> int:
    number = find_collection(unit, key, kind)
    if number is not None:
        return number
    # One that has expired may stand there still.
    bury_collection(unit, key)
    made = unit.db.execute(_MAKE, (key, kind)).lastrowid
    assert made is not None
    return made


def _read_length(unit: Unit, number: int) -> int:
    return int(unit.db.execute(_LENGTH, (number,)).fetchone()[0])
