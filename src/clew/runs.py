"""What a run is made of: its record, its events and their ids. Plain, frozen, bytes inside; the same at every level of clew.

A run is one answer being made in a thread, apart from the request that asked for it. Its log holds its events; its record
says who makes it and how it ended. Nothing here knows a framework or a database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from .errors import InvalidError, UnreadableError
from .frames import explain
from .ids import new_id

LARGEST_NUMBER: Final = (1 << 63) - 1
"""Of an epoch or a sequence number, in every store."""
_ID: Final = re.compile(r"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")

RunState: TypeAlias = Literal["open", "done", "error", "cancelled", "interrupted"]
"""`open` while it is being made; the others say how it ended."""

START: Final = "start"
"""The kind of the first event of every run, 1-0."""
TAKEOVER: Final = "takeover"
"""The kind of the first event of a producer that goes on with another one's run, `<epoch>-0`."""
DONE: Final = "done"
ERROR: Final = "error"
CANCELLED: Final = "cancelled"
INTERRUPTED: Final = "interrupted"
ENDINGS: Final = frozenset({DONE, ERROR, CANCELLED, INTERRUPTED})
"""The kinds of the terminal event: always the last one of its log, never overwritten, and equal to the run's state."""
RESYNC: Final = "resync"
"""The kind of what a reader is told where its cursor cannot be continued. It is in no log, and has no id."""
RESERVED: Final = ENDINGS | {START, TAKEOVER, RESYNC}
"""The kinds that clew gives itself; a producer's own events have others."""


class EventId(NamedTuple):
    """Where an event stands in the log of its run: `<epoch>-<seq>`, given by the writer. Ids of one run compare as tuples do.

    `epoch` grows by one with every producer (from 1); `seq` counts the producer's events from 0 without a gap.
    """

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> EventId:
        """Return the id that `text` spells, as `2-17`; InvalidError where it spells none."""
        found = _ID.fullmatch(text) if isinstance(text, str) else None
        epoch, seq = (int(found[1]), int(found[2])) if found else (-1, -1)
        if not 0 <= epoch <= LARGEST_NUMBER or not 0 <= seq <= LARGEST_NUMBER:
            raise InvalidError(
                "this is no event's id: it looks like 1-42, an epoch and a number; leave it out to start at the first"
            )
        return cls(epoch, seq)


NOWHERE: Final = EventId(0, 0)
"""Before the first event of every log; also the place of what is in no log."""


class RunEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of a run, its data byte for byte.

    `after` is set on the first event of an epoch (`seq` 0) only, and names the newest event that the log held when it was
    written. So every event names the one before it, and a reader can prove that it missed none.
    """

    at: EventId
    kind: str = "event"
    data: bytes = b""
    after: EventId | None = None

    @property
    def id(self) -> str | None:
        """The id as text, for a client to come back with; None for a `resync`, which no client may take for a place."""
        return None if self.at == NOWHERE else str(self.at)

    @property
    def before(self) -> EventId:
        """The id of the event that stands before this one, NOWHERE for the first."""
        if self.at.seq:
            return EventId(self.at.epoch, self.at.seq - 1)
        return self.after or NOWHERE

    @property
    def is_end(self) -> bool:
        """Whether it is the terminal event: nothing comes after it."""
        return self.kind in ENDINGS

    def json(self) -> Any:  # callers know the shape of their own data
        """Return the data, decoded as JSON; UnreadableError where it is none."""
        try:
            return msgspec.json.decode(self.data)
        except msgspec.DecodeError as error:
            why = explain(self.data) or "its data is no JSON: use `data`"
            raise UnreadableError(f"the event {self.at} cannot be read: {why}") from error


class Retention(msgspec.Struct, frozen=True):
    """How long a run is kept, apart from its thread, which is never shortened or prolonged by it. Set when it starts.

    Attributes:
        open_ms: how long the log of an open run stays after its last event or renewal.
        ended_ms: how long the log stays after the terminal event. The thread's items are the permanent record, so the log may go.
        record_ms: how much longer than its log the record stays: a reader that comes so late still gets the terminal event.
        max_events: the newest events that the log keeps at least; older ones may go, and a reader is told by a `resync`.
    """

    open_ms: int = 24 * 3600 * 1000
    ended_ms: int = 3600 * 1000
    record_ms: int = 7 * 24 * 3600 * 1000
    max_events: int = 10_000


class Run(msgspec.Struct, frozen=True):
    """The record of a run, as it was when the store was asked.

    Attributes:
        id: unique in its thread; `run_` and 32 hexadecimal digits where clew made it.
        number: grows with every run that is started in the thread; the order of a list.
        state: `open`, or how it ended.
        epoch: of the producer that owns it now; one with a smaller epoch is fenced.
        holder: that producer's name; made anew for each.
        lease_left_ms: milliseconds until its lease runs out, by the store's clock; 0 or less: it is presumed dead. 0 once ended.
        takes_turn: whether it holds the thread's turn while it is open: one such run at a time.
        created_ms, ended_ms: by the store's clock, milliseconds since 1970; ended_ms is None while it is open.
        cancel_ms: when somebody asked it to stop, None where nobody did.
        end: the terminal event, None while it is open. It is here also when the log is gone.
        retention: how long it is kept.
        data: the caller's own bytes, given at the start.
    """

    id: str
    number: int
    state: RunState
    epoch: int
    holder: str
    lease_left_ms: int
    takes_turn: bool
    created_ms: int
    retention: Retention
    ended_ms: int | None = None
    cancel_ms: int | None = None
    end: RunEvent | None = None
    data: bytes = b""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state == "open"

    @property
    def is_stale(self) -> bool:
        """Whether it is open and its producer's lease has run out: whoever sees it may take it over or mark it interrupted."""
        return self.state == "open" and self.lease_left_ms <= 0

    @property
    def created_at(self) -> datetime:
        """When it was started, in UTC."""
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, in UTC."""
        return None if self.ended_ms is None else datetime.fromtimestamp(self.ended_ms / 1000, UTC)


class EventPage(NamedTuple):
    """Events of a run in order, and whether the log holds more after them."""

    events: Sequence[RunEvent]
    has_more: bool


def new_run_id() -> str:
    """Return a fresh run id: `run_` and 32 hexadecimal digits."""
    return f"run_{new_id()}"


def resync() -> RunEvent:
    """Return what a reader is told where its cursor cannot be continued: forget this run's events, read the thread again."""
    return RunEvent(NOWHERE, RESYNC)
