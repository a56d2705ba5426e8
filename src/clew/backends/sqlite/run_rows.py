"""The rows of a run: found by its names, and turned into its record and its events. Whoever writes or reads runs begins here."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import msgspec

from ...errors import NotFoundError
from ...records import Partition
from ...runs import NOWHERE, EventId, Retention, Run, RunEvent, RunState
from .heads import find_head
from .unit import Unit

COLUMNS: Final = (
    "id, name, number, state, epoch, last_seq, holder, leased_ms, takes_turn, created_ms, ended_ms, cancel_ms, end_data, data,"
    " retention, end_after, has_log, events, log_ms, record_ms"
)
_FIND: Final = f"SELECT {COLUMNS} FROM run WHERE owner = ? AND partition = ? AND name = ?"
_decode_retention: Final = msgspec.msgpack.Decoder(Retention).decode
encode_retention: Final = msgspec.msgpack.Encoder().encode


class RunRow(NamedTuple):
    """A run's row as it stands. `number` is its place in its partition, `id` the number that its events hang on."""

    id: int
    name: str
    number: int
    state: str
    epoch: int
    last_seq: int
    holder: str
    leased_ms: int
    takes_turn: int
    created_ms: int
    ended_ms: int | None
    cancel_ms: int | None
    end_data: bytes | None
    data: bytes
    retention: bytes
    end_after: str | None
    has_log: int
    events: int
    log_ms: int
    record_ms: int

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state == "open"

    @property
    def top(self) -> EventId:
        """The newest id that was given."""
        return EventId(self.epoch, self.last_seq)

    @property
    def end(self) -> RunEvent | None:
        """The terminal event."""
        if self.is_open:
            return None
        return RunEvent(
            self.top, self.state, self.end_data or b"", None if self.end_after is None else EventId.parse(self.end_after)
        )

    @property
    def kept(self) -> Retention:
        """How long it is kept."""
        return _decode_retention(self.retention)

    def has_log_at(self, now_ms: int) -> bool:
        """Tell whether its log is there at this time."""
        return bool(self.has_log) and self.log_ms > now_ms

    def to_run(self, now_ms: int) -> Run:
        """Return the record."""
        return Run(
            self.name,
            self.number,
            cast(RunState, self.state),
            self.epoch,
            self.holder,
            self.leased_ms - now_ms if self.is_open else 0,
            bool(self.takes_turn),
            self.created_ms,
            self.kept,
            self.ended_ms,
            self.cancel_ms,
            self.end,
            self.data,
        )


def look_for_run(unit: Unit, partition: Partition, run: str) -> RunRow | None:
    """Return a run's row, None where there is none, or its time is over."""
    found = unit.db.execute(_FIND, (*partition, run)).fetchone()
    row = None if found is None else RunRow._make(found)
    return None if row is None or row.record_ms <= unit.now_ms() else row


def find_run(unit: Unit, partition: Partition, run: str) -> RunRow:
    """Return a run's row.

    Raises:
        GoneError: the partition's tombstone stands.
        NotFoundError: there is no such run.
    """
    # A drop takes the runs with it: where there is one, there is no tombstone.
    row = look_for_run(unit, partition, run)
    if row is None:
        find_head(unit, partition)
        raise NotFoundError(f"there is no run {run!r} in the thread {partition.name!r} of this owner")
    return row


def make_event(epoch: int, seq: int, kind: str, data: bytes, after: str | None) -> RunEvent:
    """Return the event of a row."""
    return RunEvent(EventId(epoch, seq), kind, data, None if after is None else EventId.parse(after) if after else NOWHERE)
