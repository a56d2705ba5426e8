"""The row of a partition, with one of its logs: what every verb looks at first, in one statement."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from ...errors import GoneError
from ...records import Partition
from .unit import Unit

POSITION_BITS: Final = 32
LAST_POSITION: Final = (1 << POSITION_BITS) - 1

LAST_SEAT: Final = (
    "SELECT seat FROM entry WHERE seat BETWEEN {log} << 32 AND ({log} << 32 | 4294967295) ORDER BY seat DESC LIMIT 1"
)
"""The newest entry's seat in a log: its position is in the lower half."""

_FIND: Final = f"""
SELECT p.id, p.revision, p.gone, p.expires_ms, p.sliding_ms, p.created_us, p.updated_us, l.id, l.floor,
       ({LAST_SEAT.format(log="l.id")})
FROM partition AS p LEFT JOIN log AS l ON l.partition = p.id AND l.name = ?
WHERE p.owner = ? AND p.name = ?"""
_FIND_LOG: Final = f"SELECT id, floor, ({LAST_SEAT.format(log='log.id')}) FROM log WHERE partition = ? AND name = ?"


class Log(NamedTuple):
    """A log as it stands: its number, and the highest position ever given in it."""

    id: int
    last: int


class Head(NamedTuple):
    """A partition's row. `log` is the one that was asked for, None where there is none.

    One that is `expired` is not there any more, for every verb; its row is taken away by whoever writes next.
    """

    id: int
    revision: int
    expires_ms: int | None
    sliding_ms: int | None
    created_us: int
    updated_us: int
    log: Log | None
    is_expired: bool
    is_tombstone: bool


def find_head(unit: Unit, partition: Partition, log: str = "", *, revive: bool = False) -> Head | None:
    """Return the partition's row, None where there is none.

    Args:
        log: the log to look up with it.
        revive: return its tombstone too.

    Raises:
        GoneError: its tombstone stands.
    """
    row = unit.db.execute(_FIND, (log, partition.owner, partition.name)).fetchone()
    if row is None:
        return None
    expires_ms = row[3]
    is_expired = expires_ms is not None and expires_ms <= unit.now_ms()
    if row[2] and not is_expired and not revive:
        raise GoneError(f"{partition.name!r} has been deleted")
    return Head(row[0], row[1], expires_ms, row[4], row[5], row[6], _make_log(row[7], row[8], row[9]), is_expired, bool(row[2]))


def find_living(unit: Unit, partition: Partition, log: str = "") -> Head | None:
    """As `find_head`, and None for one that is expired too."""
    head = find_head(unit, partition, log)
    return None if head is None or head.is_expired else head


def find_log(db: sqlite3.Connection, partition: int, name: str) -> Log | None:
    """Return a log of the partition with this number, None where there is none."""
    row = db.execute(_FIND_LOG, (partition, name)).fetchone()
    return None if row is None else _make_log(*row)


def _make_log(id: int | None, floor: int, last_seat: int | None) -> Log | None:
    if id is None:
        return None
    return Log(id, floor if last_seat is None else max(floor, last_seat & LAST_POSITION))
