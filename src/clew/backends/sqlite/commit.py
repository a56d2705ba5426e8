"""The verbs that write a partition: commit, drop, and its time to live. Each is one piece of work in the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ...errors import ConflictError, GoneError, NotFoundError
from ...limits import ONCE_REMEMBERED
from ...records import PRESENT, Commit, ExpiryKind, Partition
from .changes import AppendRun, Step
from .desk import Desk
from .heads import Head, find_head
from .sweeping import ROWS_AT_ONCE, bury, purge_debris
from .unit import Unit

_NEW: Final = """
INSERT INTO partition (owner, name, revision, created_us, updated_us, listed_us) VALUES (?, ?, 1, ?, ?, ?)"""
_LISTED: Final = "SELECT listed_us FROM partition WHERE owner = ? AND listed_us IS NOT NULL ORDER BY listed_us DESC LIMIT 1"
_NEW_TOMBSTONE: Final = """
INSERT INTO partition (owner, name, revision, created_us, updated_us, expires_ms, gone) VALUES (?, ?, 0, ?, ?, ?, 1)"""
_TOKEN: Final = "SELECT revision, committed_ms, outcomes FROM once WHERE partition = ? AND token = ?"
_LAST_TOKEN: Final = "SELECT max(number) FROM once WHERE partition = ?"
_NEW_TOKEN: Final = "INSERT INTO once (partition, number, token, revision, committed_ms, outcomes) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_TOKENS: Final = "DELETE FROM once WHERE partition = ? AND number <= ?"
_encode = msgspec.msgpack.Encoder().encode
_decode_outcomes = msgspec.msgpack.Decoder(tuple[int, ...]).decode


def _update(*, listed: bool, sliding: bool) -> str:
    """Return the statement that moves a partition's row. A column that is not named costs no index."""
    columns = "revision = ?, updated_us = ?" + ", listed_us = ?" * listed + ", expires_ms = ?" * sliding
    return f"UPDATE partition SET {columns} WHERE id = ?"


_BOTH: Final = (False, True)
_UPDATE: Final = {(listed, sliding): _update(listed=listed, sliding=sliding) for listed in _BOTH for sliding in _BOTH}


def commit(unit: Unit, partition: Partition, steps: Sequence[Step], expect: int | None, once: str | None, listed: bool) -> Commit:
    """See Backend.commit; the arguments are checked."""
    log = steps[0].log if steps and isinstance(steps[0], AppendRun) else ""
    head = find_head(unit, partition, log)
    stale = None
    if head is not None and head.is_expired:
        stale, head = head, None
    if head is not None and once is not None:
        seen = unit.db.execute(_TOKEN, (head.id, once)).fetchone()
        if seen is not None:
            return Commit(seen[0], seen[1], _decode_outcomes(seen[2]), replayed=True)
    _check_revision(partition, 0 if head is None else head.revision, expect)
    desk = Desk(unit, partition, head, log)
    for step in steps:
        step.check(desk)

    moment = _choose_moment(unit, partition.owner, listed)
    if head is None:
        if stale is not None:
            _take_away(unit, stale)
        revision = 1
        number = unit.db.execute(_NEW, (*partition, moment, moment, moment if listed else None)).lastrowid
        assert number is not None
        desk.number = number
    else:
        revision = head.revision + 1
        _move(unit, head, revision, moment, listed)
    outcomes: list[int] = []
    for step in steps:
        step.apply(desk, outcomes)
    desk.finish()
    done = Commit(revision, moment // 1000, tuple(outcomes))
    if once is not None:
        _remember(unit, desk.number, once, done)
    unit.touched.append(partition)
    return done


def drop(unit: Unit, partition: Partition, tombstone_ms: int) -> bool:
    """See Backend.drop; the arguments are checked."""
    try:
        head = find_head(unit, partition)
    except GoneError:
        return False
    was_there = head is not None and not head.is_expired
    now_us = unit.now_us()
    if head is not None:
        _take_away(unit, head)
        # What is small goes at once, and gives its space back in the same transaction.
        if purge_debris(unit.db, ROWS_AT_ONCE) >= ROWS_AT_ONCE:
            unit.left_debris = True
    unit.db.execute("DELETE FROM lease WHERE owner = ? AND partition = ?", partition)
    if was_there:
        if tombstone_ms:
            unit.db.execute(_NEW_TOMBSTONE, (*partition, now_us, now_us, now_us // 1000 + tombstone_ms))
        unit.touched.append(partition)
    return was_there


def expire(unit: Unit, partition: Partition, ttl_ms: int | None, kind: ExpiryKind) -> bool:
    """See Expiry.expire; the arguments are checked."""
    head = find_head(unit, partition)
    if head is None or head.is_expired:
        return False
    expires_ms = None if ttl_ms is None else unit.now_ms() + ttl_ms
    sliding_ms = ttl_ms if kind == "sliding" else None
    unit.db.execute("UPDATE partition SET expires_ms = ?, sliding_ms = ? WHERE id = ?", (expires_ms, sliding_ms, head.id))
    return True


def _check_revision(partition: Partition, actual: int, expect: int | None) -> None:
    if expect is None or expect == actual:
        return
    if expect != PRESENT:
        raise ConflictError(
            f"{partition.name!r} is at revision {actual}, not {expect}: read it again", expected=expect, actual=actual
        )
    if actual == 0:
        raise NotFoundError(f"there is no {partition.name!r} for this owner")


def _choose_moment(unit: Unit, owner: str, listed: bool) -> int:
    """Return the time of this commit, in microseconds. In a listing it is later than every other, whatever the clock says."""
    moment = unit.now_us()
    if listed:
        row = unit.db.execute(_LISTED, (owner,)).fetchone()
        if row is not None and row[0] >= moment:
            return int(row[0]) + 1
    return moment


def _move(unit: Unit, head: Head, revision: int, moment: int, listed: bool) -> None:
    values: list[int] = [revision, moment]
    if listed:
        values.append(moment)
    if head.sliding_ms is not None:
        values.append(unit.now_ms() + head.sliding_ms)
    unit.db.execute(_UPDATE[listed, head.sliding_ms is not None], (*values, head.id))


def _remember(unit: Unit, number: int, once: str, done: Commit) -> None:
    turn = (unit.db.execute(_LAST_TOKEN, (number,)).fetchone()[0] or 0) + 1
    unit.db.execute(_NEW_TOKEN, (number, turn, once, done.revision, done.committed_ms, _encode(done.outcomes)))
    if turn > ONCE_REMEMBERED:
        unit.db.execute(_FORGET_TOKENS, (number, turn - ONCE_REMEMBERED))


def _take_away(unit: Unit, head: Head) -> None:
    """Take a partition's row, or the tombstone that ran out, away from its name."""
    if head.is_tombstone:
        unit.db.execute("DELETE FROM partition WHERE id = ?", (head.id,))
    else:
        bury(unit.db, head.id)
        unit.left_debris = True
