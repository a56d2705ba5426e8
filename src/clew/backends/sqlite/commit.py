"""The verbs that write a partition: commit, drop, and its time to live. Each is one piece of work in the writer's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ...errors import ConflictError, GoneError, NotFoundError
from ...limits import ONCE_REMEMBERED, check_same_use
from ...records import PRESENT, Commit, ExpiryKind, Partition
from . import run_writing
from .changes import AppendRun, Step
from .checkpoint_changes import Revival
from .desk import Desk
from .heads import Head, find_head
from .leases import sweep_leases_of
from .memo import OpenLog, Standing
from .moments import choose_moment
from .sweeping import ROWS_AT_ONCE, bury, purge_debris
from .unit import Unit

_NEW: Final = """
INSERT INTO partition (owner, name, revision, created_us, updated_us, listed_us) VALUES (?, ?, 1, ?, ?, ?)"""
_NEW_TOMBSTONE: Final = """
INSERT INTO partition (owner, name, revision, created_us, updated_us, expires_ms, gone, stood) VALUES (?, ?, 0, ?, ?, ?, 1, ?)"""
_HAS_DOCUMENT: Final = "SELECT 1 FROM document WHERE partition = ? AND key = ?"
_TOKEN: Final = "SELECT revision, committed_ms, outcomes FROM once WHERE partition = ? AND token = ?"
_LAST_TOKEN: Final = "SELECT max(number) FROM once WHERE partition = ?"
_NEW_TOKEN: Final = "INSERT INTO once (partition, number, token, revision, committed_ms, outcomes) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_TOKENS: Final = "DELETE FROM once WHERE partition = ? AND number <= ?"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int | bytes, ...]).decode


def _update(*, listed: bool, sliding: bool) -> str:
    """Return the statement that moves a partition's row. A column that is not named costs no index."""
    columns = "revision = ?, updated_us = ?" + ", listed_us = ?" * listed + ", expires_ms = ?" * sliding
    return f"UPDATE partition SET {columns} WHERE id = ?"


_BOTH: Final = (False, True)
_UPDATE: Final = {(listed, sliding): _update(listed=listed, sliding=sliding) for listed in _BOTH for sliding in _BOTH}


def commit(
    unit: Unit, partition: Partition, steps: Sequence[Step], expect: int | None, used: tuple[str | None, bytes], listed: bool
) -> Commit:
    """See Backend.commit; the arguments are checked, and `used` is the token with its digest."""
    once, digest = used
    now_us = unit.now_us()
    standing = unit.memo.get(partition, now_us // 1000)
    stale = None
    if standing is None:
        standing, stale = _look_up(unit, partition, steps)
    is_new = standing.id == 0
    if once is not None and not is_new:
        seen = unit.db.execute(_TOKEN, (standing.id, once)).fetchone()
        if seen is not None:
            return _replay(seen, digest)
    if expect is not None and expect != standing.revision:
        _refuse_revision(partition, standing.revision, expect)
    desk = Desk(unit, partition, standing, now_us // 1000)
    desk.revives = stale is not None and stale.is_tombstone and not stale.is_expired
    for step in steps:
        step.check(desk)

    if is_new:
        now_us = _begin(unit, partition, stale, now_us)
    moment = choose_moment(unit, partition.owner, now_us) if listed else now_us
    standing.revision += 1
    if is_new:
        standing.made_ms = moment // 1000
        values = (*partition, moment, moment, moment if listed else None)
        standing.id = unit.db.execute(_NEW, values).lastrowid or 0
    else:
        _move(unit, standing, now_us, moment, listed)
    outcomes: list[int] = []
    for step in steps:
        step.apply(desk, outcomes)
    desk.finish()
    done = Commit(standing.revision, moment // 1000, tuple(outcomes))
    if once is not None:
        _remember(unit, standing.id, once, digest, done)
    unit.memo.put(partition, standing)
    unit.touched.append(partition)
    return done


def drop(unit: Unit, partition: Partition, tombstone_ms: int, unless: str | None = None, expect: int | None = None) -> bool:
    """See Backend.drop; the arguments are checked."""
    try:
        head = find_head(unit, partition)
    except GoneError:
        return False
    was_there = head is not None and not head.is_expired
    if unless is not None and head is not None and was_there and unit.db.execute(_HAS_DOCUMENT, (head.id, unless)).fetchone():
        raise ConflictError(f"{partition.name!r} has the document {unless!r}, so it was not deleted", actual=unless)
    if expect is not None and head is not None and was_there and head.revision != expect:
        _refuse_revision(partition, head.revision, expect)
    unit.memo.forget(partition)
    now_us = unit.now_us()
    if head is not None:
        unit.memo.put_dropped_us(partition, head.created_us)
        _take_away(unit, head)
        # What is small goes at once, and gives its space back in the same transaction.
        if purge_debris(unit.db, ROWS_AT_ONCE) >= ROWS_AT_ONCE:
            unit.left_debris = True
    unit.db.execute("DELETE FROM lease WHERE owner = ? AND partition = ?", partition)
    run_writing.drop(unit, partition)
    if was_there:
        if tombstone_ms:
            made_us = max(now_us, head.created_us) if head is not None else now_us
            values = (*partition, made_us, now_us, now_us // 1000 + tombstone_ms, head and head.id)
            unit.db.execute(_NEW_TOMBSTONE, values)
        unit.touched.append(partition)
    return was_there


def expire(unit: Unit, partition: Partition, ttl_ms: int | None, kind: ExpiryKind) -> bool:
    """See Expiry.expire; the arguments are checked."""
    head = find_head(unit, partition)
    if head is None or head.is_expired:
        return False
    unit.memo.forget(partition)
    expires_ms = None if ttl_ms is None else unit.now_ms() + ttl_ms
    sliding_ms = ttl_ms if kind == "sliding" else None
    unit.db.execute("UPDATE partition SET expires_ms = ?, sliding_ms = ? WHERE id = ?", (expires_ms, sliding_ms, head.id))
    return True


def _look_up(unit: Unit, partition: Partition, steps: Sequence[Step]) -> tuple[Standing, Head | None]:
    """Return the partition as it stands in the file, and the row that is in its way, if one is: expired, or to be revived."""
    name = steps[0].log if steps and isinstance(steps[0], AppendRun) else ""
    head = find_head(unit, partition, name, revive=any(isinstance(step, Revival) for step in steps))
    if head is None or head.is_expired or head.is_tombstone:
        return Standing(0, 0, None, None, 0), head
    standing = Standing(head.id, head.revision, head.expires_ms, head.sliding_ms, head.created_us // 1000)
    if name:
        standing.logs[name] = None if head.log is None else OpenLog(*head.log)
    return standing, None


def _begin(unit: Unit, partition: Partition, stale: Head | None, now_us: int) -> int:
    """Take away what is in the way of a new partition, and return the time to begin at.

    It is in a later millisecond than that of the one before, so that the time tells one life of a name from the next.
    """
    before_us = unit.memo.get_dropped_us(partition)
    if stale is not None:
        _take_away(unit, stale)
        sweep_leases_of(unit.db, partition, now_us // 1000)
        before_us = max(before_us, stale.created_us)
    return max(now_us, (before_us // 1000 + 1) * 1000)


def _refuse_revision(partition: Partition, actual: int, expect: int) -> None:
    if expect != PRESENT:
        raise ConflictError(
            f"{partition.name!r} is at revision {actual}, not {expect}: read it again", expected=expect, actual=actual
        )
    if actual == 0:
        raise NotFoundError(f"there is no {partition.name!r} for this owner")


def _move(unit: Unit, standing: Standing, now_us: int, moment: int, listed: bool) -> None:
    values: list[int] = [standing.revision, moment]
    if listed:
        values.append(moment)
    if standing.sliding_ms is not None:
        standing.expires_ms = now_us // 1000 + standing.sliding_ms
        values.append(standing.expires_ms)
    values.append(standing.id)
    unit.db.execute(_UPDATE[listed, standing.sliding_ms is not None], values)


def _replay(seen: tuple[int, int, bytes], digest: bytes) -> Commit:
    found = _decode(seen[2])
    outcomes = tuple([each for each in found if isinstance(each, int)])
    check_same_use(b"".join([each for each in found if isinstance(each, bytes)]), digest)
    return Commit(seen[0], seen[1], outcomes, replayed=True)


def _remember(unit: Unit, number: int, once: str, digest: bytes, done: Commit) -> None:
    turn = (unit.db.execute(_LAST_TOKEN, (number,)).fetchone()[0] or 0) + 1
    # The digest, where there is one, stands among the outcomes, which are numbers.
    kept = _encode((digest, *done.outcomes) if digest else done.outcomes)
    unit.db.execute(_NEW_TOKEN, (number, turn, once, done.revision, done.committed_ms, kept))
    if turn > ONCE_REMEMBERED:
        unit.db.execute(_FORGET_TOKENS, (number, turn - ONCE_REMEMBERED))


def _take_away(unit: Unit, head: Head) -> None:
    """Take a partition's row, or the tombstone that ran out, away from its name."""
    if head.is_tombstone:
        unit.db.execute("DELETE FROM partition WHERE id = ?", (head.id,))
    else:
        bury(unit.db, head.id)
        unit.left_debris = True
