"""How large runs and their events may be, and the checks that say so before anything is sent: beside `limits.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .errors import InvalidError
from .frames import EVENT_ROOM, FRAMES
from .limits import check_id, check_ttl
from .runs import ENDINGS, LARGEST_NUMBER, RESERVED, EventId, Retention, Run, RunEvent

MAX_EVENT_BYTES: Final = 1024 * 1024
"""Bytes of one event's data."""
MAX_RUN_DATA_BYTES: Final = 64 * 1024
"""Bytes of a run's own data, and of its terminal event's: both are in the record."""
MAX_EVENTS_AT_ONCE: Final = 1_000
"""Events in one append, and in one page."""
MAX_APPEND_BYTES: Final = 8 * 1024 * 1024
"""Bytes of all data in one append of events."""
LEAST_EVENTS_KEPT: Final = 100
MOST_EVENTS_KEPT: Final = 1_000_000
"""What a `Retention.max_events` may be."""
_KIND: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


def check_run_id(run: str) -> str:
    """Return `run`, or raise InvalidError unless it is a valid id."""
    return check_id(run, "the run's id")


def check_after(after: EventId | None) -> EventId:
    """Return the cursor, `EventId(0, 0)` for None; InvalidError unless it is an event's id."""
    if after is None:
        return EventId(0, 0)
    if not isinstance(after, EventId) or not all(_is_number(part) for part in after):
        raise InvalidError(f"a run's cursor is an EventId, as EventId.parse('1-42') makes it, not {after!r}")
    return after


def check_run_data(data: bytes, what: str = "a run's data") -> bytes:
    """Return `data`, or raise InvalidError unless it is bytes of at most `MAX_RUN_DATA_BYTES`."""
    return _check_bytes(data, what, MAX_RUN_DATA_BYTES)


def check_events(run: Run, events: Sequence[RunEvent]) -> None:
    """Raise InvalidError unless these can be one append of the run's producer: its epoch, no gap, kinds and sizes as allowed."""
    if not 1 <= len(events) <= MAX_EVENTS_AT_ONCE:
        raise InvalidError(f"an append has from 1 to {MAX_EVENTS_AT_ONCE:,} events, not {len(events):,}: split it")
    first, total = events[0].at, 0
    for number, event in enumerate(events):
        if event.at != (run.epoch, first.seq + number) or event.at.seq < 1 or event.at.seq > LARGEST_NUMBER:
            raise InvalidError(
                f"the event {event.at} is not next: ids are dense, within the producer's epoch, which is {run.epoch}"
            )
        if event.after is not None:
            raise InvalidError("only the store sets `after`: leave it out")
        check_kind(event.kind)
        total += len(_check_bytes(event.data, "an event", MAX_EVENT_BYTES))
    room = EVENT_ROOM * len(events) if events[0].data.startswith(FRAMES) else 0
    if total > MAX_APPEND_BYTES + room:
        raise InvalidError(f"an append of events holds {total:,} bytes: at most {MAX_APPEND_BYTES:,} are allowed, so split it")


def check_end(run: Run, end: RunEvent) -> None:
    """Raise InvalidError unless this can be the terminal event that the run's producer writes."""
    if end.kind not in ENDINGS:
        raise InvalidError(f"a run ends as one of {', '.join(sorted(ENDINGS))}, not {end.kind!r}")
    if end.at.epoch != run.epoch or not 1 <= end.at.seq <= LARGEST_NUMBER or end.after is not None:
        raise InvalidError(f"the event {end.at} is not next: ids are dense, within the producer's epoch, which is {run.epoch}")
    check_run_data(end.data, "a terminal event")


def check_kind(kind: str) -> str:
    """Return `kind`, or raise InvalidError unless it is a short plain word that clew does not use itself."""
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise InvalidError("an event's kind is from 1 to 64 of the characters A-Z a-z 0-9 _ . : / -")
    if kind in RESERVED:
        raise InvalidError(f"clew gives events of the kind {kind!r} itself: use another word")
    return kind


def check_retention(retention: Retention) -> Retention:
    """Return `retention`, or raise InvalidError where a time or a count is out of bounds."""
    for time_ms in (retention.open_ms, retention.ended_ms, retention.record_ms):
        check_ttl(time_ms)
    count = retention.max_events
    if isinstance(count, bool) or not isinstance(count, int) or not LEAST_EVENTS_KEPT <= count <= MOST_EVENTS_KEPT:
        raise InvalidError(f"max_events must be a whole number from {LEAST_EVENTS_KEPT} to {MOST_EVENTS_KEPT:,}, not {count!r}")
    return retention


def _is_number(part: object) -> bool:
    return isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= LARGEST_NUMBER


def _check_bytes(data: bytes, what: str, most: int) -> bytes:
    if not isinstance(data, bytes):
        raise InvalidError(f"{what} must be bytes, not {type(data).__name__}")
    if len(data) > most and not (data.startswith(FRAMES) and len(data) <= most + EVENT_ROOM):
        raise InvalidError(f"{what} has {len(data):,} bytes: at most {most:,} are allowed; split it, or store it elsewhere")
    return data
