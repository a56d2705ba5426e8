"""The verbs that read runs: records, and events after a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ...errors import UnknownCursorError
from ...records import Partition
from ...runs import LARGEST_NUMBER, EventId, EventPage, Run, RunEvent
from .heads import find_head
from .run_rows import COLUMNS, RunRow, find_run, make_event
from .unit import Unit

_LIST: Final = f"""
SELECT {COLUMNS} FROM run WHERE owner = ? AND partition = ? AND number < ? AND record_ms > ? AND (state = 'open' OR NOT ?)
ORDER BY number DESC LIMIT ?"""
_EVENTS: Final = "SELECT epoch, seq, kind, data, after FROM run_event WHERE run = ? AND (epoch, seq) > (?, ?)"
_AFTER: Final = f"{_EVENTS} ORDER BY epoch, seq LIMIT ?"
_RANGE: Final = f"{_EVENTS.replace('>', '>=')} AND (epoch, seq) <= (?, ?) ORDER BY epoch, seq"


class Part(NamedTuple):
    """What a follower reads at once: the number of the run's row, events, whether more are there, the terminal event's id."""

    number: int
    events: Sequence[RunEvent]
    has_more: bool
    end: EventId | None


def find(unit: Unit, partition: Partition, run: str) -> Run:
    """See Running.find_run."""
    return find_run(unit, partition, run).to_run(unit.now_ms())


def list_runs(unit: Unit, partition: Partition, only_open: bool, limit: int, before: int | None) -> Sequence[Run]:
    """See Running.list_runs."""
    find_head(unit, partition)
    now_ms = unit.now_ms()
    values = (*partition, LARGEST_NUMBER if before is None else before, now_ms, only_open, limit)
    return [RunRow._make(row).to_run(now_ms) for row in unit.db.execute(_LIST, values)]


def read_events(unit: Unit, partition: Partition, run: str, after: EventId, limit: int) -> EventPage:
    """See Running.read_events."""
    part = read_part(unit, partition, run, after, limit)
    return EventPage(part.events, part.has_more)


def read_part(unit: Unit, partition: Partition, run: str, after: EventId, limit: int) -> Part:
    """Return the events after a cursor, and whether the run ends there."""
    row = find_run(unit, partition, run)
    end = row.end
    has_log = row.has_log_at(unit.now_ms())
    if after > row.top and (has_log or end is not None):
        raise UnknownCursorError(f"the run {run!r} has no event {after} yet: start again without a cursor")
    if has_log:
        events = [make_event(*found) for found in unit.db.execute(_AFTER, (row.id, *after, limit + 1))]
    else:
        # The record has it, for those who come after the log is gone.
        events = [] if end is None or end.at <= after else [end]
    return Part(row.id, events[:limit], len(events) > limit, None if end is None else end.at)


def read_range(unit: Unit, row: RunRow, first: EventId, last: EventId) -> Sequence[RunEvent]:
    """Return the events from one id to another, both included."""
    return [make_event(*found) for found in unit.db.execute(_RANGE, (row.id, *first, *last))]
