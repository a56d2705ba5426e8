"""What stands under a literal key: a value, a set or a list. A verb for another kind is refused, as Redis refuses it."""

from __future__ import annotations

from typing import Final, Literal, NoReturn

from ...errors import InvalidError
from .unit import Unit

Kind = Literal["set", "list"]

_COLLECTION: Final = "SELECT id, kind, expires_ms FROM collection WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)"
_VALUE: Final = "SELECT expires_ms FROM value WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)"


def find_collection(unit: Unit, key: str, kind: Kind) -> int | None:
    """Return the number of the set or list, None where the key is free.

    Raises:
        InvalidError: it holds another kind of thing.
    """
    now_ms = unit.now_ms()
    row = unit.db.execute(_COLLECTION, (key, now_ms)).fetchone()
    if row is not None and row[1] == kind:
        return int(row[0])
    if row is not None or unit.db.execute(_VALUE, (key, now_ms)).fetchone() is not None:
        _refuse()
    return None


def refuse_collection(unit: Unit, key: str) -> None:
    """Raise InvalidError where the key holds a set or a list."""
    if unit.db.execute(_COLLECTION, (key, unit.now_ms())).fetchone() is not None:
        _refuse()


def bury_collection(unit: Unit, key: str) -> None:
    """Take a set or list away, whether it has expired or not; what was in it is debris."""
    row = unit.db.execute("DELETE FROM collection WHERE key = ? RETURNING id", (key,)).fetchone()
    if row is not None:
        unit.db.execute("INSERT INTO collection_debris (collection) VALUES (?)", row)
        unit.left_debris = True


def delete_key(unit: Unit, key: str) -> bool:
    """See Collecting.delete_key."""
    was_there = key_ttl(unit, key) is not None
    unit.db.execute("DELETE FROM value WHERE key = ?", (key,))
    bury_collection(unit, key)
    return was_there


def expire_key(unit: Unit, key: str, ttl_ms: int | None) -> bool:
    """See Collecting.expire_key."""
    now_ms = unit.now_ms()
    expires_ms = None if ttl_ms is None else now_ms + ttl_ms
    changed = 0
    for table in ("value", "collection"):
        changed += unit.db.execute(
            f"UPDATE {table} SET expires_ms = ? WHERE key = ? AND (expires_ms IS NULL OR expires_ms > ?)",
            (expires_ms, key, now_ms),
        ).rowcount
    return changed > 0


def key_ttl(unit: Unit, key: str) -> int | None:
    """See Values.value_ttl."""
    now_ms = unit.now_ms()
    row = unit.db.execute(_VALUE, (key, now_ms)).fetchone()
    if row is None:
        found = unit.db.execute(_COLLECTION, (key, now_ms)).fetchone()
        row = None if found is None else found[2:]
    if row is None:
        return None
    return -1 if row[0] is None else int(row[0]) - now_ms


def _refuse() -> NoReturn:
    raise InvalidError("the key holds another type than the one asked for: use another key")
