"""Two who changed one session at once: what both added is kept, and what both changed differently is a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ...errors import ConflictError
from ...model import JSON
from .document import Document
from .exact import read_datetime

COUNTERS: Final = ("total_queries", "successful_queries", "total_response_time")
BY_NAME: Final = ("context", "metadata")
"""Objects whose fields are merged one by one."""
_NONE: Final = object()


def merge(base: Document | None, mine: Document, theirs: Document) -> tuple[dict[str, JSON], list[JSON]]:
    """Return the head and the entries that hold what both did to `base`.

    Args:
        base: what both began with; None where that is not known: then what differs is a conflict.

    Raises:
        ConflictError: both changed the same fields; `actual` has their names.
    """
    clashes: list[str] = []
    before = {} if base is None else base.head
    head: dict[str, JSON] = {}
    # Mine first: so the last field stays the last, and no list stands before the entries.
    for name in dict.fromkeys([*(name for name in theirs.head if name not in mine.head), *mine.head]):
        three = before.get(name, _NONE), mine.head.get(name, _NONE), theirs.head.get(name, _NONE)
        value = _merge_field(name, three, clashes, known=base is not None)
        if value is not _NONE:
            head[name] = value
    entries = _merge_entries(None if base is None else base.entries, mine.entries, theirs.entries)
    if entries is None:
        clashes.append("history")
        entries = []
    if clashes:
        names = ", ".join(clashes)
        raise ConflictError(f"others changed it too ({names}): load it again, or save with overwrite=True", actual=tuple(clashes))
    return head, entries


def contains(document: Document, base: Document | None, theirs: Document) -> bool:
    """Tell whether the entries that a document added to `base` stand in `theirs` at the same place."""
    start = 0 if base is None else len(base.entries)
    added = document.entries[start:]
    return bool(added) and theirs.entries[: start + len(added)] == document.entries


def _merge_field(name: str, three: tuple[JSON, JSON, JSON], clashes: list[str], *, known: bool) -> JSON:
    before, mine, theirs = three
    if name in COUNTERS and known and all(isinstance(each, int | float) for each in three):
        # Also where both came to the same number: each counted for itself.
        return theirs + (mine - before)
    if _same(mine, theirs) or _same(theirs, before):
        return mine
    if _same(mine, before):
        return theirs
    if name == "updated_at":
        return _later(mine, theirs)
    if name == "created_at" and not known:
        return theirs
    if name in BY_NAME and isinstance(mine, dict) and isinstance(theirs, dict):
        return _merge_object(name, before if isinstance(before, dict) else {}, mine, theirs, clashes)
    clashes.append(name)
    return mine


def _merge_object(
    name: str, before: Mapping[str, JSON], mine: Mapping[str, JSON], theirs: Mapping[str, JSON], clashes: list[str]
) -> dict[str, JSON]:
    found = {}
    for key in dict.fromkeys([*theirs, *mine]):
        old, ours, other = before.get(key, _NONE), mine.get(key, _NONE), theirs.get(key, _NONE)
        if _same(ours, other) or _same(other, old):
            value = ours
        elif _same(ours, old):
            value = other
        else:
            clashes.append(f"{name}.{key}")
            continue
        if value is not _NONE:
            found[key] = value
    return found


def _merge_entries(before: list[JSON] | None, mine: list[JSON], theirs: list[JSON]) -> list[JSON] | None:
    if before is None:
        if mine[: len(theirs)] == theirs:
            return mine
        return theirs if theirs[: len(mine)] == mine else None
    if mine[: len(before)] == before:
        # Whatever they did, nothing was done here but added to the end.
        return theirs + mine[len(before) :]
    if theirs[: len(before)] == before:
        return mine + theirs[len(before) :]
    return mine if mine == theirs else None


def _same(one: JSON, other: JSON) -> bool:
    # True == 1 in Python, and not in JSON.
    return one is other or (type(one) is type(other) and bool(one == other))


def _later(mine: JSON, theirs: JSON) -> JSON:
    times = [read_datetime(each) for each in (mine, theirs)]
    if all(isinstance(each, datetime) for each in times):
        aware = [each if each.tzinfo is not None else each.astimezone() for each in times]
        return mine if aware[0] >= aware[1] else theirs
    return mine if isinstance(times[0], datetime) else theirs
