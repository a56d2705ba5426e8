"""Reading checkpoints: a few statements against one state of the file, each one run of an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

from ...checkpointing import CheckpointPage, Trace
from ...checkpoints import Checkpoint, Part, Span, Write
from ...codec import decode_entries
from ...limits import ITEMS
from ...records import Entry, Partition
from .checkpoint_rows import NAMES_AT_ONCE, cut_names, decode_names, decode_spans
from .heads import LAST_POSITION, POSITION_BITS, Head, find_living
from .reading import decode_rows
from .unit import Unit

_COLUMNS: Final = "SELECT branch, id, parent, head, uses FROM checkpoint WHERE partition = ?"
_ONE: Final = f"{_COLUMNS} AND branch = ? AND id = ?"
_LATEST: Final = f"{_COLUMNS} AND branch = ? ORDER BY id DESC LIMIT 1"
_WRITES: Final = """
SELECT checkpoint, path, task, place, channel, data FROM task_write WHERE partition = ? AND branch = ? AND checkpoint IN ({})"""
# By their names, so that no data is copied while the chains are followed.
_PARTS: Final = """
WITH RECURSIVE needed (name, after) AS (
    SELECT name, after FROM part WHERE partition = ?1 AND branch = ?2 AND name IN ({})
    UNION
    SELECT part.name, part.after FROM needed JOIN part
    ON part.partition = ?1 AND part.branch = ?2 AND part.name = needed.after
)
SELECT part.name, part.after, part.spans, part.data FROM needed JOIN part
ON part.partition = ?1 AND part.branch = ?2 AND part.name = needed.name"""
# SQLite walks as far as it is read; UNION ends a way that leads in a circle.
_WAY: Final = """
WITH RECURSIVE way (id, parent, uses) AS (
    SELECT id, parent, uses FROM checkpoint WHERE partition = ?1 AND branch = ?2 AND id = ?3
    UNION
    SELECT c.id, c.parent, c.uses FROM way JOIN checkpoint AS c
    ON c.partition = ?1 AND c.branch = ?2 AND c.id = way.parent
)
SELECT id, uses FROM way"""
_ENTRIES: Final = "SELECT seat, envelope FROM entry WHERE seat BETWEEN ? AND ? ORDER BY seat"
_RUN: Final = "SELECT envelope FROM entry WHERE seat BETWEEN ? AND ? ORDER BY seat"
"""Where none was removed, their places follow from the first one."""
FIRST_STRIDE: Final = 4
"""Ancestors that are looked at together; each time twice as many."""
_Row = tuple[str, str, str | None, bytes, bytes]


def get_checkpoint(unit: Unit, partition: Partition, branch: str, id: str | None) -> CheckpointPage:
    """See Checkpointing.get_checkpoint; the arguments are checked."""
    head = find_living(unit, partition, ITEMS)
    if head is None:
        return CheckpointPage()
    row = _find(unit.db, head, branch, id)
    return _make_page(unit.db, head, [] if row is None else [row], bare=False, has_more=False)


def list_checkpoints(
    unit: Unit,
    partition: Partition,
    branch: str | None,
    before: str | None,
    after: tuple[str, str] | None,
    limit: int,
    bare: bool,
) -> CheckpointPage:
    """See Checkpointing.list_checkpoints; the arguments are checked."""
    head = find_living(unit, partition, ITEMS)
    if head is None:
        return CheckpointPage()
    query, values = _COLUMNS, list[object]([head.id])
    if branch is not None and after is not None and after[0] <= branch:
        # Within one branch, an id says it; where the cursor is of a branch that comes later, nothing is left.
        before, after = (min(before or after[1], after[1]) if after[0] == branch else ""), None
    if branch is not None:
        query, values = query + " AND branch = ?", [*values, branch]
    if before is not None:
        query, values = query + " AND id < ?", [*values, before]
    if after is not None:
        query, values = query + " AND (branch, id) < (?, ?)", [*values, *after]
    rows = unit.db.execute(f"{query} ORDER BY branch DESC, id DESC LIMIT ?", [*values, limit + 1]).fetchall()
    return _make_page(unit.db, head, rows[:limit], bare=bare, has_more=len(rows) > limit)


def trace_checkpoint(unit: Unit, partition: Partition, branch: str, id: str | None, channels: Iterable[str]) -> Trace:
    """See Checkpointing.trace_checkpoint; the arguments are checked."""
    head = find_living(unit, partition, ITEMS)
    row = None if head is None else _find(unit.db, head, branch, id)
    if head is None or row is None:
        return Trace()
    missing, seeds = set(channels), {}
    ancestors: list[tuple[str, tuple[Write, ...]]] = []
    with closing(unit.db.execute(_WAY, (head.id, branch, row[1]))) as way:
        way.fetchone()
        size = FIRST_STRIDE
        while missing and (stride := way.fetchmany(size)):
            size = min(2 * size, NAMES_AT_ONCE)
            written = _read_writes(unit.db, head.id, branch, [name for name, _ in stride])
            for name, uses in stride:
                ancestors.append((name, tuple([write for write in written[name] if write.channel in missing])))
                # Of two parts of one channel, the last one counts.
                used = {part.partition("\0")[0]: part for part in decode_names(uses)}
                seeds.update({channel: used[channel] for channel in missing & used.keys()})
                missing.difference_update(used)
                if not missing:
                    break
    parts = _read_parts(unit.db, head.id, branch, seeds.values())
    return Trace(tuple(ancestors), seeds, parts, _read_entries(unit.db, head, parts.values()))


def _find(db: sqlite3.Connection, head: Head, branch: str, id: str | None) -> _Row | None:
    place: tuple[Any, ...] = (head.id, branch) if id is None else (head.id, branch, id)
    row: _Row | None = db.execute(_LATEST if id is None else _ONE, place).fetchone()
    return row


def _make_page(db: sqlite3.Connection, head: Head, rows: Sequence[_Row], *, bare: bool, has_more: bool) -> CheckpointPage:
    made_ms = head.created_us // 1000
    found = [(branch, id, parent, data, decode_names(uses)) for branch, id, parent, data, uses in rows]
    if bare:
        return CheckpointPage(tuple([Checkpoint(*row) for row in found]), made_ms=made_ms, has_more=has_more)
    names: dict[str, dict[str, None]] = {}
    for row in found:
        names.setdefault(row[0], {}).update(dict.fromkeys(row[4]))
    parts: dict[str, Part] = {}
    for branch, used in names.items():
        more = _read_parts(db, head.id, branch, used)
        if any(parts[name] != more[name] for name in parts.keys() & more.keys()):
            # A name is the branch's own, and on a page it means one part only.
            found, has_more = found[: [row[0] for row in found].index(branch)], True
            break
        parts |= more
    written = {}
    for branch in names:
        written[branch] = _read_writes(db, head.id, branch, [row[1] for row in found if row[0] == branch])
    checkpoints = [Checkpoint(*row, tuple(written[row[0]][row[1]])) for row in found]
    entries = _read_entries(db, head, parts.values())
    return CheckpointPage(tuple(checkpoints), parts, entries, made_ms, has_more)


def _read_writes(db: sqlite3.Connection, partition: int, branch: str, ids: Sequence[str]) -> Mapping[str, Sequence[Write]]:
    """Return the writes of each of these checkpoints, in their order."""
    written: dict[str, list[Write]] = {id: [] for id in ids}
    for batch in cut_names(ids):
        for id, *row in db.execute(_WRITES.format(", ".join("?" * len(batch))), (partition, branch, *batch)):
            written[id].append(Write(*row))
    for writes in written.values():
        # By path, task and index, of which no two are the same. Python compares texts as their UTF-8 bytes are.
        writes.sort()
    return written


def _read_parts(db: sqlite3.Connection, partition: int, branch: str, names: Iterable[str]) -> dict[str, Part]:
    """Return the parts of these names, and those that they go on from."""
    parts = {}
    for batch in cut_names(names):
        query = _PARTS.format(", ".join(f"?{n}" for n in range(3, len(batch) + 3)))
        for name, after, spans, data in db.execute(query, (partition, branch, *batch)):
            parts[name] = Part(data, after, decode_spans(spans))
    return parts


def _read_entries(db: sqlite3.Connection, head: Head, parts: Iterable[Part]) -> Mapping[int, Entry]:
    """Return each entry that the parts refer to, each run of neighbours by one statement."""
    found: dict[int, Entry] = {}
    if head.log is None:
        return found
    base = head.log.id << POSITION_BITS
    for first, last in _join(span for part in parts for span in part.spans):
        seats = (base | first, base | last)
        envelopes = [row[0] for row in db.execute(_RUN, seats)]
        if len(envelopes) == last - first + 1:
            entries = decode_entries(envelopes, first)
        else:
            entries = decode_rows(db.execute(_ENTRIES, seats).fetchall())
        found.update({entry.position: entry for entry in entries})
    return found


def _join(spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """Yield first and last position of the runs that the spans make together, each position once."""
    ends = sorted([(first, min(first + count - 1, LAST_POSITION)) for first, count in spans if first <= LAST_POSITION])
    at = 0
    while at < len(ends):
        first, last = ends[at]
        while at < len(ends) and ends[at][0] <= last + 1:
            last = max(last, ends[at][1])
            at += 1
        yield first, last
