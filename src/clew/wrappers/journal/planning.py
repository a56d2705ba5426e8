"""What goes to the store next: writes of a partition in their order, as many in one commit as may go together.

It runs in the journal's thread, in one transaction with the removal of what the store has taken, so that a round costs one sync.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from ...records import Append, Change, Partition
from .book import Flight
from .records import Write, decode_write, join_writes
from .tables import delete_done, delete_many, mark_done, put_aside, put_many

MOST_CHANGES: Final = 500
"""Changes in one commit, and writes of one partition that are looked at for it."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a commit's records; a write that has more goes alone."""


class Pick(NamedTuple):
    """Writes of one partition that are next, by number.

    Attributes:
        last: the number of the last one of a flight that is under way, or of what has to go alone; None where nothing is fixed.
        alone: whether the first of them goes alone.
        largest: the most bytes that a record of them may have.
    """

    partition: Partition
    seqs: Sequence[int]
    last: int | None
    alone: bool
    largest: int


class Plan(NamedTuple):
    """A commit that is to be made, of records that have about `size` bytes."""

    flight: Flight
    seqs: Sequence[int]
    write: Write
    size: int


@dataclass(slots=True)
class Finished:
    """What is over, and not yet marked in the file.

    Attributes:
        seqs: writes that the store has.
        done: the last of them of each partition.
        refused: writes that it refused for good, and why.
        flights: the first numbers of the flights that are over.
    """

    seqs: list[int] = field(default_factory=list)
    done: dict[Partition, int] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    flights: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.seqs or self.refused or self.flights)


def finish(db: sqlite3.Connection, finished: Finished, litter: tuple[int, int] | None) -> None:
    """Mark in the file what is over; what was refused is kept aside.

    Args:
        litter: the highest number of what is marked and how many those are, to delete them; None to leave them there.
    """
    mark_done(db, finished.done)
    _let_go(db, finished)
    if litter is not None:
        delete_done(db, *litter)


def take_out(db: sqlite3.Connection, finished: Finished) -> None:
    """Take what is over out of the file: where that is full, there may be no room for a mark."""
    delete_many(db, "write", "seq", finished.seqs)
    _let_go(db, finished)


def _let_go(db: sqlite3.Connection, finished: Finished) -> None:
    for seq, reason in finished.refused:
        put_aside(db, seq, reason)
    delete_many(db, "flight", "first", finished.flights)


def go_on(
    db: sqlite3.Connection, finished: Finished, litter: tuple[int, int] | None, picks: Sequence[Pick]
) -> tuple[list[Plan], list[tuple[Partition, int, str]]]:
    """Do as `finish` does, then as `make_plans`: in one transaction, with one sync."""
    finish(db, finished, litter)
    return make_plans(db, picks)


def make_plans(db: sqlite3.Connection, picks: Sequence[Pick]) -> tuple[list[Plan], list[tuple[Partition, int, str]]]:
    """Return the next commit of each partition, and the writes whose records cannot be read, which come first in theirs.

    Flights of several writes are recorded, so that they are the same again whatever happens in between.
    """
    plans, damaged, notes = [], [], []
    together = _join(db, [pick for pick in picks if not pick.alone and pick.last is None and len(pick.seqs) > 1])
    for pick in picks:
        plan = together.get(pick.partition) or _make_plan(db, pick)
        if isinstance(plan, Plan):
            if plan.flight.first != plan.flight.last and pick.last is None:
                notes.append((*plan.flight[1:], *plan.flight.partition))
            plans.append(plan)
        else:
            damaged.append((pick.partition, pick.seqs[0], plan))
    put_many(db, "INSERT INTO flight", notes)
    return plans, damaged


def _make_plan(db: sqlite3.Connection, pick: Pick) -> Plan | str:
    first = pick.seqs[0]
    try:
        body = _read(db, first)
        write = decode_write(body)
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError) as error:
        return f"its record in the journal cannot be read: {error}"
    if pick.alone or not write.is_plain or len(pick.seqs) == 1:
        return Plan(Flight(pick.partition, first, first), [first], write, len(body))
    changes: list[Change] = []
    ids: set[tuple[str, bytes]] = set()
    taken: list[int] = []
    size = 0
    for seq, other_body in _read_many(db, pick.seqs):
        try:
            other = decode_write(other_body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            break
        if not other.is_plain or other.expect != write.expect or other.listed != write.listed:
            break
        keys = [(change.log, change.entry.key) for change in other.changes if isinstance(change, Append)]
        more = size + len(other_body)
        # What has an id of another one is a repeated call: it goes by itself, as it came.
        if taken and pick.last is None and (more > MOST_BYTES or len(changes) + len(other.changes) > MOST_CHANGES):
            break
        before = len(ids)
        ids.update(keys)
        if len(ids) < before + len(other.changes):
            break
        changes += other.changes
        taken.append(seq)
        size = more
    if not taken:
        return Plan(Flight(pick.partition, first, first), [first], write, len(body))
    return Plan(Flight(pick.partition, first, taken[-1]), taken, write._replace(changes=changes), size)


def _join(db: sqlite3.Connection, picks: Sequence[Pick]) -> dict[Partition, Plan]:
    """Return the commonest commits by far: plain appends, all of one kind, to one log. What has to be looked at is not in it."""
    if not picks:
        return {}
    groups = [pick.seqs[: max(1, MOST_BYTES // max(1, pick.largest))] for pick in picks]
    # As they stand in the file, so that each of its pages is read once.
    order = sorted([seq for group in groups for seq in group])
    numbers = ",".join(map(str, order))
    # One step of SQLite for all of them: after each step this thread has to wait for the interpreter, which is busy with the
    # commits before. The numbers are put together in the same order as the bodies, and so prove it.
    found, bodies = db.execute(
        "SELECT group_concat(seq), CAST(group_concat(body, '') AS BLOB) FROM json_each(?) CROSS JOIN write ON seq = value",
        (f"[{numbers}]",),
    ).fetchone()
    try:
        writes = join_writes(bodies, order, groups) if found == numbers else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A record of another kind, or a damaged one: those of its partition are looked at.
        return {} if len(picks) == 1 else {partition: plan for pick in picks for partition, plan in _join(db, [pick]).items()}
    plans = {}
    for pick, seqs, write in zip(picks, groups, writes, strict=False):
        if write is not None and write.is_plain and len(write.changes) <= MOST_CHANGES:
            ids = {change.entry.key for change in write.changes if isinstance(change, Append)}
            if len(ids) == len(write.changes):
                flight = Flight(pick.partition, seqs[0], seqs[-1])
                plans[pick.partition] = Plan(flight, seqs, write, len(bodies) * len(seqs) // len(order))
    return plans


def _read(db: sqlite3.Connection, seq: int) -> bytes:
    found = db.execute("SELECT body FROM write WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        raise LookupError("it is not there")
    body: bytes = found[0]
    return body


def _read_many(db: sqlite3.Connection, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    # At most MOST_CHANGES of them, or as many of a flight: SQLite takes as many in one statement. They are read one by one, since
    # all of them together may be more than the memory holds.
    marks = ",".join(map(str, seqs))
    return iter(db.execute(f"SELECT seq, body FROM write WHERE seq IN ({marks}) ORDER BY seq"))
