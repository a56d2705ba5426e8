"""Each kind of change as a step: a check of its condition, and later its writes.

Every condition of a commit is looked at before anything is written. So a commit that is refused has written nothing, and
conditions speak of the moment before the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ...checkpoints import DropCheckpoints, Fenced, PutCheckpoint, PutWrites, Revive
from ...codec import decode_entry, encode_entry, pack_id
from ...errors import ConflictError, NotFoundError
from ...limits import ITEMS, check_changes
from ...records import Any_, Append, Change, Entry, Expire, PutDocument, Remove, Replace, Trim, Truncate
from .checkpoint_changes import make_checkpoint_step
from .cursors import find_position
from .desk import Desk
from .heads import LAST_POSITION, POSITION_BITS
from .memo import OpenLog

_ADD: Final = "INSERT INTO entry (seat, log, id, envelope) VALUES (?, ?, ?, ?) ON CONFLICT (log, id) DO NOTHING"
_FIND: Final = "SELECT seat, envelope FROM entry WHERE log = ? AND id = ?"
_FIND_SEAT: Final = "SELECT seat FROM entry WHERE log = ? AND id = ?"
_REPLACE: Final = "UPDATE entry SET envelope = ? WHERE seat = ?"
_DELETE: Final = "DELETE FROM entry WHERE seat = ?"
_DELETE_RUN: Final = "DELETE FROM entry WHERE seat BETWEEN ? AND ?"
_REMEMBER_REMOVED: Final = "INSERT OR REPLACE INTO removed (log, id, position) VALUES (?, ?, ?)"
_FORGET_REMOVED: Final = "DELETE FROM removed WHERE log = ? AND position BETWEEN ? AND ?"
_FORGET_OLDER: Final = "DELETE FROM removed WHERE log = ? AND id IN (SELECT id FROM entry WHERE seat BETWEEN ? AND ?)"
_GET_DOCUMENT: Final = "SELECT data FROM document WHERE partition = ? AND key = ?"
_SET_DOCUMENT: Final = "UPDATE document SET data = ? WHERE partition = ? AND key = ?"
_ADD_DOCUMENT: Final = "INSERT INTO document (data, partition, key) VALUES (?, ?, ?)"
_SET_TIME: Final = "UPDATE partition SET expires_ms = ?, sliding_ms = ? WHERE id = ?"
_DELETE_DOCUMENT: Final = "DELETE FROM document WHERE partition = ? AND key = ?"


class Step(Protocol):
    """A change, or a run of them. `check` may be called again before `apply`, on another desk."""

    def check(self, desk: Desk) -> None:
        """Raise where the change's condition does not hold."""
        ...

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        """Write, and add the outcome of each change."""
        ...


def make_steps(changes: Sequence[Change]) -> list[Step]:
    """Return the checked changes as steps, entries encoded; neighbouring appends to one log become one step.

    Raises:
        InvalidError: as `limits.check_changes`, which covers cursors and positions too.
    """
    check_changes(changes)
    steps: list[Step] = []
    run: AppendRun | None = None
    for change in changes:
        if isinstance(change, Append):
            if run is None or run.log != change.log:
                run = AppendRun(change.log)
                steps.append(run)
            run.rows.append((change.entry.key, encode_entry(change.entry)))
            continue
        run = None
        if isinstance(change, PutDocument):
            steps.append(DocumentPut(change))
        elif isinstance(change, Replace):
            steps.append(Replacement(change))
        elif isinstance(change, Remove):
            steps.append(Removal(change))
        elif isinstance(change, Truncate):
            steps.append(Truncation(change))
        elif isinstance(change, Expire):
            steps.append(TimeToLive(change))
        elif isinstance(change, PutCheckpoint | PutWrites | DropCheckpoints | Fenced | Revive):
            steps.append(make_checkpoint_step(change))
        else:
            steps.append(Trimming(change))
    return steps


class AppendRun:
    """Appends to one log, one after the other."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.rows: list[tuple[bytes, bytes]] = []

    def check(self, desk: Desk) -> None:
        """Nothing can refuse an append."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        log, before = desk.make_log(self.log), len(outcomes)
        if len(self.rows) == 1 or not self._apply_at_once(desk, log, outcomes):
            self._apply_each(desk, log, outcomes)
        if self.log == ITEMS:
            desk.appended += map(abs, outcomes[before:])

    def _apply_each(self, desk: Desk, log: OpenLog, outcomes: list[int]) -> None:
        for key, envelope in self.rows:
            seat = log.id << POSITION_BITS | (log.last + 1)
            if desk.db.execute(_ADD, (seat, log.id, key, envelope)).rowcount:
                log.last += 1
                outcomes.append(log.last)
            else:
                outcomes.append(-(_find_seat(desk, log, key) & LAST_POSITION))

    def _apply_at_once(self, desk: Desk, log: OpenLog, outcomes: list[int]) -> bool:
        """Write all rows by one call; tell whether none of the ids was there. Otherwise nothing is left written."""
        first = log.id << POSITION_BITS | (log.last + 1)
        count = len(self.rows)
        rows = [(seat, log.id, key, envelope) for seat, (key, envelope) in enumerate(self.rows, first)]
        if desk.db.executemany(_ADD, rows).rowcount == count:
            outcomes += range(log.last + 1, log.last + 1 + count)
            log.last += count
            return True
        desk.db.execute(_DELETE_RUN, (first, first + count - 1))
        return False


class DocumentPut:
    """A document set or deleted."""

    def __init__(self, change: PutDocument) -> None:
        self._change = change

    def check(self, desk: Desk) -> None:
        change = self._change
        if isinstance(change.when, Any_):
            return
        row = desk.db.execute(_GET_DOCUMENT, (desk.number, change.key)).fetchone()
        actual = None if row is None else row[0]
        if actual != change.when:
            raise ConflictError(
                f"the document {change.key!r} of {desk.partition.name!r} is not as expected: read it again",
                expected=change.when,
                actual=actual,
            )

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        db, data, place = desk.db, self._change.data, (desk.number, self._change.key)
        if data is None:
            outcomes.append(db.execute(_DELETE_DOCUMENT, place).rowcount)
            return
        was_there = db.execute(_SET_DOCUMENT, (data, *place)).rowcount
        if not was_there:
            db.execute(_ADD_DOCUMENT, (data, *place))
        outcomes.append(was_there)


class Replacement:
    """An entry put in the place of the one with its id."""

    def __init__(self, change: Replace) -> None:
        self._change = change
        self._envelope = encode_entry(change.entry)
        self._seat = 0

    def check(self, desk: Desk) -> None:
        change, name = self._change, self._change.entry.id
        log = desk.find_log(change.log)
        row = None if log is None else desk.db.execute(_FIND, (log.id, change.entry.key)).fetchone()
        if row is None:
            raise NotFoundError(f"there is no item {name!r} in {desk.partition.name!r}")
        self._seat, envelope = row
        if change.when is not None and not _holds(envelope, change.when):
            raise _changed(desk, name, change.when, self._seat, envelope)

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        desk.db.execute(_REPLACE, (self._envelope, self._seat))
        outcomes.append(self._seat & LAST_POSITION)


class Removal:
    """An entry removed; its id stays a cursor."""

    def __init__(self, change: Remove) -> None:
        self._change = change
        self._log, self._key = change.log, pack_id(change.id)

    def check(self, desk: Desk) -> None:
        """What is not there is not removed."""
        if self._change.when is None:
            return
        log = desk.find_log(self._log)
        row = None if log is None else desk.db.execute(_FIND, (log.id, self._key)).fetchone()
        if row is not None and not _holds(row[1], self._change.when):
            raise _changed(desk, self._change.id, self._change.when, *row)

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        log = desk.find_log(self._log)
        row = None if log is None else desk.db.execute(_FIND_SEAT, (log.id, self._key)).fetchone()
        if log is None or row is None:
            outcomes.append(0)
            return
        position = row[0] & LAST_POSITION
        desk.db.execute(_DELETE, row)
        desk.db.execute(_REMEMBER_REMOVED, (log.id, self._key, position))
        log.is_shorter |= position == log.last
        outcomes.append(position)


class Truncation:
    """The entries after a cursor gone, and their ids forgotten."""

    def __init__(self, change: Truncate) -> None:
        self._change = change
        self._position = 0

    def check(self, desk: Desk) -> None:
        self._position = find_position(desk.db, desk.partition, desk.find_log(self._change.log), self._change.after)

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        _delete_run(desk, self._change.log, self._position + 1, LAST_POSITION, outcomes)


class Trimming:
    """The entries before a position gone, and their ids forgotten."""

    def __init__(self, change: Trim) -> None:
        self._change = change

    def check(self, desk: Desk) -> None:
        """A position is always one."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        _delete_run(desk, self._change.log, 0, min(self._change.before, LAST_POSITION) - 1, outcomes)


class TimeToLive:
    """The time after which the partition is gone."""

    def __init__(self, change: Expire) -> None:
        self._change = change

    def check(self, desk: Desk) -> None:
        """Every partition may have one."""

    def apply(self, desk: Desk, outcomes: list[int]) -> None:
        ttl_ms, standing = self._change.ttl_ms, desk.standing
        standing.expires_ms = None if ttl_ms is None else desk.now_ms + ttl_ms
        standing.sliding_ms = ttl_ms if self._change.kind == "sliding" else None
        desk.db.execute(_SET_TIME, (standing.expires_ms, standing.sliding_ms, standing.id))
        outcomes.append(0)


def _delete_run(desk: Desk, name: str, first: int, last: int, outcomes: list[int]) -> None:
    log = desk.find_log(name)
    if log is None or first > last:
        outcomes.append(0)
        return
    base = log.id << POSITION_BITS
    # An id means its newest place: once that is cut off, an older one, where it was removed, is forgotten with it.
    desk.db.execute(_FORGET_OLDER, (log.id, base | first, base | last))
    outcomes.append(desk.db.execute(_DELETE_RUN, (base | first, base | last)).rowcount)
    desk.db.execute(_FORGET_REMOVED, (log.id, first, last))
    log.is_shorter |= first <= log.last <= last


def _find_seat(desk: Desk, log: OpenLog, key: bytes) -> int:
    return int(desk.db.execute(_FIND_SEAT, (log.id, key)).fetchone()[0])


def _changed(desk: Desk, id: str, when: Entry, seat: int, envelope: bytes) -> ConflictError:
    return ConflictError(
        f"the item {id!r} of {desk.partition.name!r} has changed: read it again",
        expected=when,
        actual=decode_entry(envelope, seat & LAST_POSITION),
    )


def _holds(envelope: bytes, when: Entry) -> bool:
    """Tell whether this stored envelope is the entry that was read. Its position does not matter, its bytes do."""
    if when.unreadable is not None:
        return envelope == when.data
    return envelope == encode_entry(when) or decode_entry(envelope, when.position) == when
