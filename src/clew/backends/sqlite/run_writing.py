"""The verbs that write runs. Each is one piece of work in the writer's transaction, and refuses before it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...errors import AlreadyExistsError, ConflictError, FencedError, NotFoundError
from ...records import Partition
from ...runs import INTERRUPTED, NOWHERE, START, TAKEOVER, EventId, Retention, Run, RunEvent
from .heads import find_living
from .run_reading import read_range
from .run_rows import RunRow, encode_retention, find_run, look_for_run
from .unit import Unit
from .watching import record_topic, run_topic

LUMP: Final = 200
"""How many events a log may hold beyond `max_events`: they are trimmed this many at a time."""

_TURN: Final = (
    "SELECT name FROM run WHERE owner = ? AND partition = ? AND takes_turn AND state = 'open' AND record_ms > ? LIMIT 1"
)
_LAST_NUMBER: Final = "SELECT max(number) FROM run WHERE owner = ? AND partition = ?"
_NEW: Final = """
INSERT INTO run (owner, partition, name, number, state, epoch, last_seq, holder, leased_ms, takes_turn, created_ms, data,
                 retention, events, log_ms, record_ms)
VALUES (?, ?, ?, ?, 'open', 1, 0, ?, ?, ?, ?, ?, ?, 1, ?, ?)"""
_NEW_EVENT: Final = "INSERT INTO run_event (run, epoch, seq, kind, data, after) VALUES (?, ?, ?, ?, ?, ?)"
_MOVE: Final = "UPDATE run SET last_seq = ?, events = ?, log_ms = ? WHERE id = ?"
_RENEW: Final = "UPDATE run SET leased_ms = ?, log_ms = ?, record_ms = ? WHERE id = ?"
_CLAIM: Final = """
UPDATE run SET epoch = ?, last_seq = 0, holder = ?, leased_ms = ?, events = events + 1, log_ms = ?, record_ms = ? WHERE id = ?"""
_END: Final = """
UPDATE run SET state = ?, epoch = ?, last_seq = ?, ended_ms = ?, end_data = ?, end_after = ?, leased_ms = 0, has_log = ?,
               events = events + 1, log_ms = ?, record_ms = ? WHERE id = ?"""
_CANCEL: Final = "UPDATE run SET cancel_ms = ? WHERE id = ?"
_TRIM: Final = """
DELETE FROM run_event WHERE rowid IN (SELECT rowid FROM run_event WHERE run = ? ORDER BY epoch, seq LIMIT ?)"""


def start(
    unit: Unit, partition: Partition, run: str, holder: str, lease_ms: int, takes_turn: bool, retention: Retention, data: bytes
) -> Run:
    """See Running.start_run."""
    now_ms = unit.now_ms()
    if find_living(unit, partition) is None:
        raise NotFoundError(f"there is no {partition.name!r} for this owner")
    row = look_for_run(unit, partition, run)
    if row is not None:
        if row.holder == holder:
            return row.to_run(now_ms)
        raise AlreadyExistsError(f"there is a run {run!r} already: follow it, or give another id", actual=run)
    if takes_turn:
        other = unit.db.execute(_TURN, (*partition, now_ms)).fetchone()
        if other is not None:
            raise ConflictError(f"the run {other[0]!r} has this thread's turn: wait for its end, or cancel it", actual=other[0])
    number = (unit.db.execute(_LAST_NUMBER, partition).fetchone()[0] or 0) + 1
    _take_away(unit, partition, run)
    log_ms = now_ms + retention.open_ms
    kept = (log_ms, log_ms + retention.record_ms)
    about = (now_ms + lease_ms, takes_turn, now_ms, data, encode_retention(retention))
    id = unit.db.execute(_NEW, (*partition, run, number, holder, *about, *kept)).lastrowid
    unit.db.execute(_NEW_EVENT, (id, 1, 0, START, b"", str(NOWHERE)))
    return _done(unit, partition, run, now_ms)


def append(unit: Unit, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
    """See Running.append_events."""
    row = find_run(unit, partition, run.id)
    now_ms = unit.now_ms()
    has_log = row.has_log_at(now_ms)
    if not row.is_open or row.epoch != run.epoch or events[0].at.seq <= row.last_seq:
        if has_log and read_range(unit, row, events[0].at, events[-1].at) == list(events):
            return
        raise _fenced(row)
    if not has_log:
        raise NotFoundError(f"the log of the run {run.id!r} is gone: end the run")
    unit.db.executemany(_NEW_EVENT, [(row.id, *event.at, event.kind, event.data, None) for event in events])
    count = row.events + len(events)
    most = run.retention.max_events
    if count > most + LUMP:
        unit.db.execute(_TRIM, (row.id, count - most))
        count = most
    unit.db.execute(_MOVE, (events[-1].at.seq, count, now_ms + run.retention.open_ms, row.id))
    unit.touched.append(run_topic(partition, run.id))


def end(unit: Unit, partition: Partition, run: Run, event: RunEvent) -> Run:
    """See Running.end_run."""
    row = find_run(unit, partition, run.id)
    if row.end == event:
        return row.to_run(unit.now_ms())
    if not row.is_open or row.epoch != run.epoch or event.at.seq <= row.last_seq:
        raise _fenced(row)
    return _end(unit, partition, row, event)


def renew(unit: Unit, partition: Partition, run: Run, lease_ms: int) -> Run:
    """See Running.renew_run."""
    row = find_run(unit, partition, run.id)
    if not row.is_open or row.epoch != run.epoch:
        raise _fenced(row)
    return _renew(unit, partition, row, lease_ms)


def claim(unit: Unit, partition: Partition, run: str, holder: str, lease_ms: int) -> Run:
    """See Running.claim_run."""
    row = find_run(unit, partition, run)
    now_ms = unit.now_ms()
    if not row.is_open:
        raise ConflictError(f"the run {run!r} has ended as {row.state}: there is nothing to go on with", actual=row.state)
    if row.holder == holder:
        return _renew(unit, partition, row, lease_ms)
    if row.leased_ms > now_ms:
        raise ConflictError(f"the run {run!r} has a producer that lives: follow it", actual=row.holder)
    if not row.has_log_at(now_ms):
        raise NotFoundError(f"the log of the run {run!r} is gone: there is nothing to go on from")
    log_ms, record_ms = _kept_open(row, now_ms)
    unit.db.execute(_CLAIM, (row.epoch + 1, holder, now_ms + lease_ms, log_ms, record_ms, row.id))
    unit.db.execute(_NEW_EVENT, (row.id, row.epoch + 1, 0, TAKEOVER, b"", str(row.top)))
    return _done(unit, partition, run, now_ms)


def interrupt(unit: Unit, partition: Partition, run: str, data: bytes) -> Run:
    """See Running.interrupt_run."""
    row = find_run(unit, partition, run)
    now_ms = unit.now_ms()
    if not row.is_open or row.leased_ms > now_ms:
        return row.to_run(now_ms)
    return _end(unit, partition, row, RunEvent(EventId(row.epoch + 1, 0), INTERRUPTED, data, row.top))


def cancel(unit: Unit, partition: Partition, run: str) -> Run:
    """See Running.cancel_run."""
    row = find_run(unit, partition, run)
    now_ms = unit.now_ms()
    if not row.is_open or row.cancel_ms is not None:
        return row.to_run(now_ms)
    unit.db.execute(_CANCEL, (now_ms, row.id))
    return _done(unit, partition, run, now_ms)


def drop(unit: Unit, partition: Partition) -> None:
    """Take away every run of a partition."""
    found = unit.db.execute("SELECT id, name FROM run WHERE owner = ? AND partition = ?", partition).fetchall()
    for id, name in found:
        bury_run(unit, id)
        unit.touched += (run_topic(partition, name), record_topic(partition, name))


def bury_run(unit: Unit, id: int) -> None:
    """Take a run's row away, and note its events as debris."""
    unit.db.execute("DELETE FROM run WHERE id = ?", (id,))
    unit.db.execute("INSERT OR IGNORE INTO run_debris (run) VALUES (?)", (id,))
    unit.left_debris = True


def _take_away(unit: Unit, partition: Partition, run: str) -> None:
    """Take away the row of a run whose time is over, so that its name is free."""
    found = unit.db.execute("SELECT id FROM run WHERE owner = ? AND partition = ? AND name = ?", (*partition, run)).fetchone()
    if found is not None:
        bury_run(unit, found[0])


def _renew(unit: Unit, partition: Partition, row: RunRow, lease_ms: int) -> Run:
    now_ms = unit.now_ms()
    log_ms, record_ms = _kept_open(row, now_ms)
    if not row.has_log_at(now_ms):
        log_ms = row.log_ms
    unit.db.execute(_RENEW, (now_ms + lease_ms, log_ms, record_ms, row.id))
    return find_run(unit, partition, row.name).to_run(now_ms)


def _kept_open(row: RunRow, now_ms: int) -> tuple[int, int]:
    """Return until when log and record are kept of a run that is open."""
    log_ms = now_ms + row.kept.open_ms
    return log_ms, log_ms + row.kept.record_ms


def _end(unit: Unit, partition: Partition, row: RunRow, event: RunEvent) -> Run:
    now_ms = unit.now_ms()
    kept = row.kept
    has_log = row.has_log_at(now_ms)
    log_ms = now_ms + kept.ended_ms
    after = None if event.after is None else str(event.after)
    if has_log:
        unit.db.execute(_NEW_EVENT, (row.id, *event.at, event.kind, event.data, after))
    elif row.has_log:
        unit.db.execute("INSERT OR IGNORE INTO run_debris (run) VALUES (?)", (row.id,))
        unit.left_debris = True
    unit.db.execute(_END, (event.kind, *event.at, now_ms, event.data, after, has_log, log_ms, log_ms + kept.record_ms, row.id))
    return _done(unit, partition, row.name, now_ms)


def _done(unit: Unit, partition: Partition, run: str, now_ms: int) -> Run:
    """Tell whoever follows the run, and return its record."""
    unit.touched += (run_topic(partition, run), record_topic(partition, run))
    return find_run(unit, partition, run).to_run(now_ms)


def _fenced(row: RunRow) -> FencedError:
    if not row.is_open:
        return FencedError(f"the run {row.name!r} has ended as {row.state}: stop writing to it", actual=row.state)
    return FencedError(f"the run {row.name!r} has gone on to {row.top}, past this event: stop writing to it", actual=row.epoch)
