"""What goes to the store next: writes of a partition in their order, as many in one commit as may go together.

It runs in the journal's thread, in one transaction with the removal of what the store has taken, so that a round costs one sync.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from ...records import Append, Change, Partition
from .book import Flight, put_aside
from .records import Write, decode_write

MOST_CHANGES: Final = 1_000
"""Changes in one commit, and writes of one partition that are looked at for it."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a commit's records; a write that has more goes alone."""


class Pick(NamedTuple):
    """Writes of one partition that are next, by number.

    Attributes:
        last: the number of the last one of a flight that is under way, or of what has to go alone; None where nothing is fixed.
        alone: whether the first of them goes alone.
    """

    partition: Partition
    seqs: Sequence[int]
    last: int | None
    alone: bool


class Plan(NamedTuple):
    """A commit that is to be made."""

    flight: Flight
    seqs: Sequence[int]
    write: Write


@dataclass(slots=True)
class Finished:
    """What is over, and not yet out of the file.

    Attributes:
        seqs: writes that the store has.
        refused: writes that it refused for good, and why.
        flights: the first numbers of the flights that are over.
    """

    seqs: list[int] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    flights: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.seqs or self.refused or self.flights)


def finish(db: sqlite3.Connection, finished: Finished) -> None:
    """Take what is over out of the file; what was refused is kept aside."""
    for seq, reason in finished.refused:
        put_aside(db, seq, reason)
    for start in range(0, len(finished.seqs), MOST_CHANGES):
        db.execute(f"DELETE FROM entry WHERE seq IN ({','.join(map(str, finished.seqs[start : start + MOST_CHANGES]))})")
    db.executemany("DELETE FROM flight WHERE first = ?", ((first,) for first in finished.flights))


def make_plans(db: sqlite3.Connection, picks: Sequence[Pick]) -> tuple[list[Plan], list[tuple[Partition, int, str]]]:
    """Return the next commit of each partition, and the writes whose records cannot be read, which come first in theirs.

    Flights of several writes are recorded, so that they are the same again whatever happens in between.
    """
    plans, damaged = [], []
    for pick in picks:
        plan = _make_plan(db, pick)
        if isinstance(plan, Plan):
            if plan.flight.first != plan.flight.last and pick.last is None:
                db.execute("INSERT INTO flight VALUES (?, ?, ?, ?)", (*plan.flight[1:], *plan.flight.partition))
            plans.append(plan)
        else:
            damaged.append((pick.partition, pick.seqs[0], plan))
    return plans, damaged


def _make_plan(db: sqlite3.Connection, pick: Pick) -> Plan | str:
    first = pick.seqs[0]
    try:
        write = decode_write(_read(db, first))
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError) as error:
        return f"its record in the journal cannot be read: {error}"
    if pick.alone or not write.is_plain or len(pick.seqs) == 1:
        return Plan(Flight(pick.partition, first, first), [first], write)
    changes: list[Change] = []
    ids: set[tuple[str, bytes]] = set()
    taken: list[int] = []
    size = 0
    for seq, body in _read_many(db, pick.seqs):
        try:
            other = decode_write(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            break
        if not other.is_plain or other.expect != write.expect or other.listed != write.listed:
            break
        keys = [(change.log, change.entry.key) for change in other.changes if isinstance(change, Append)]
        size += len(body)
        # What has an id of another one is a repeated call: it goes by itself, as it came.
        if taken and pick.last is None and (size > MOST_BYTES or len(changes) + len(other.changes) > MOST_CHANGES):
            break
        before = len(ids)
        ids.update(keys)
        if len(ids) < before + len(other.changes):
            break
        changes += other.changes
        taken.append(seq)
    if not taken:
        return Plan(Flight(pick.partition, first, first), [first], write)
    return Plan(Flight(pick.partition, first, taken[-1]), taken, write._replace(changes=changes))


def _read(db: sqlite3.Connection, seq: int) -> bytes:
    found = db.execute("SELECT body FROM entry WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        raise LookupError("it is not there")
    body: bytes = found[0]
    return body


def _read_many(db: sqlite3.Connection, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
    # At most MOST_CHANGES of them: SQLite takes as many in one statement.
    marks = ",".join(map(str, seqs))
    return db.execute(f"SELECT seq, body FROM entry WHERE seq IN ({marks}) ORDER BY seq").fetchall()
