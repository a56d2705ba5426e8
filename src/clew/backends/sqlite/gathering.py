"""Plain appends of many callers, written by a few statements: each statement costs Python a hand-over between its threads.

Positions are given before anything is written, as if no id were there already. Where one is, or something else is not as
remembered, the flush says so, and the whole batch is done again the plain way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar

from ...records import Commit, Partition
from .changes import AppendRun
from .heads import POSITION_BITS
from .memo import Standing
from .moments import choose_moment
from .unit import Unit

Row = TypeVar("Row", bound=tuple[Any, ...])
CHUNKS: Final = (64, 16, 4, 1) if sqlite3.sqlite_version_info >= (3, 33) else (1,)
"""How many rows one statement takes: a few sizes, so that each is prepared once. UPDATE FROM came with SQLite 3.33."""


class PlainAppend:
    """A commit that does nothing but append to one log, without a condition or a token."""

    __slots__ = ("listed", "partition", "run")

    def __init__(self, partition: Partition, run: AppendRun, *, listed: bool) -> None:
        self.partition, self.run, self.listed = partition, run, listed


class _Moved(NamedTuple):
    """What a partition's row becomes; None leaves a column as it is, and costs none of its index."""

    id: int
    revision: int
    updated_us: int
    listed_us: int | None
    expires_ms: int | None


class Gathered:
    """The appends of a batch that are not yet written."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._rows: list[tuple[int, int, bytes, bytes]] = []
        self._moved: dict[int, _Moved] = {}

    def add(self, append: PlainAppend) -> Commit | None:
        """Take an append in and return what its commit will have done; None where its log is not known well enough."""
        unit, partition = self._unit, append.partition
        now_us = unit.now_us()
        standing = unit.memo.get(partition, now_us // 1000)
        log = None if standing is None else standing.logs.get(append.run.log)
        if standing is None or log is None:
            return None
        moment = choose_moment(unit, partition.owner, now_us) if append.listed else now_us
        standing.revision += 1
        self._move(standing, now_us, moment, append.listed)
        first = log.last + 1
        seat = log.id << POSITION_BITS | log.last
        for key, envelope in append.run.rows:
            seat += 1
            self._rows.append((seat, log.id, key, envelope))
        log.last += len(append.run.rows)
        unit.touched.append(partition)
        return Commit(standing.revision, moment // 1000, tuple(range(first, log.last + 1)))

    def flush(self) -> bool:
        """Write them; tell whether every id was new. Otherwise the transaction has to be rolled back."""
        if not self._moved:
            return True
        db = self._unit.db
        try:
            inserted = (db.execute(_insert(len(rows)), list(chain.from_iterable(rows))).rowcount for rows in _cut(self._rows))
            if sum(inserted) != len(self._rows):
                return False
        except sqlite3.IntegrityError:
            # A position was taken: what was remembered is not so.
            return False
        kinds: dict[tuple[bool, bool], list[tuple[int, ...]]] = {}
        for moved in self._moved.values():
            kind = moved.listed_us is not None, moved.expires_ms is not None
            kinds.setdefault(kind, []).append(tuple(value for value in moved if value is not None))
        for (listed, sliding), found in kinds.items():
            for values in _cut(found):
                db.execute(_update(len(values), listed, sliding), list(chain.from_iterable(values)))
        self._rows, self._moved = [], {}
        return True

    def _move(self, standing: Standing, now_us: int, moment: int, listed: bool) -> None:
        """Note the partition's row: of several commits in one batch, only the last state is written."""
        before = self._moved.get(standing.id)
        listed_us = moment if listed else None if before is None else before.listed_us
        if standing.sliding_ms is not None:
            standing.expires_ms = now_us // 1000 + standing.sliding_ms
        expires_ms = None if standing.sliding_ms is None else standing.expires_ms
        self._moved[standing.id] = _Moved(standing.id, standing.revision, moment, listed_us, expires_ms)


def _cut(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield the rows in pieces, each as long as one of CHUNKS."""
    at = 0
    for size in CHUNKS:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size


@cache
def _insert(count: int) -> str:
    places = ", ".join(["(?, ?, ?, ?)"] * count)
    return f"INSERT INTO entry (seat, log, id, envelope) VALUES {places} ON CONFLICT (log, id) DO NOTHING"


@cache
def _update(count: int, listed: bool, sliding: bool) -> str:
    columns = ["revision", "updated_us", *["listed_us"] * listed, *["expires_ms"] * sliding]
    if count == 1:
        return f"UPDATE partition SET {', '.join(f'{name} = ?{n}' for n, name in enumerate(columns, 2))} WHERE id = ?1"
    places = ", ".join([f"({', '.join('?' * (len(columns) + 1))})"] * count)
    values = ", ".join(f"{name} = new.column{n}" for n, name in enumerate(columns, 2))
    return f"UPDATE partition SET {values} FROM (VALUES {places}) AS new WHERE partition.id = new.column1"
