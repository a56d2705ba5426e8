"""Load a thread's items in as few round trips as its length allows.

A store gives a thousand items a page. Pages whose bounds are known are asked for at once, and go out in one trip; the span
that the session's state remembers tells those bounds beforehand. It is a hint: a wrong one costs a trip, never an item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clew import Item, Ref, Store

from .branches import follow_branch, read_head

PAGE: Final = 1_000
WAVE: Final = 16
"""Pages asked for at once where the thread's length is not known."""

Span = tuple[int, int]
"""The positions of the first and the last item a session has seen."""


async def load_items(store: Store, ref: Ref, state: dict[str, Any] | None, *, limit: int | None, branching: bool) -> list[Item]:
    """Return the items that make up a session's history, oldest first; none where the thread does not exist yet.

    Args:
        state: the session's state. It says where a branch stands, and remembers the span that was read.
        limit: return only the newest so many; None for all.
        branching: follow the session's own branch.

    Raises:
        GoneError: the thread was deleted.
    """
    head = read_head(state) if branching else None
    before = head.position + 1 if head is not None else None
    span = read_span(state)
    if limit is None:
        items = await read_all(store, ref, span, before=before)
    else:
        items = await read_newest(store, ref, limit, before=before)
    branch = items
    if branching and items:
        branch = follow_branch(items, head.id if head is not None else items[-1].id)
        if limit is not None and len(branch) < limit <= len(items):
            # Other branches stand between: read on.
            items = await read_all(store, ref, span, before=before)
            branch = follow_branch(items, head.id if head is not None else items[-1].id)[-limit:]
    if state is not None and items and limit is None:
        write_span(state, (items[0].position, items[-1].position))
    return branch


def read_span(state: Mapping[str, Any] | None) -> Span | None:
    """Return the span that a session's state remembers, None where it holds no sound one."""
    match state:
        case {"span": [int(low), int(high)]} if 1 <= low <= high:
            return low, high
    return None


def write_span(state: dict[str, Any], span: Span) -> None:
    """Remember a span in a session's state."""
    state["span"] = list(span)


async def read_newest(store: Store, ref: Ref, count: int, *, before: int | None = None) -> list[Item]:
    """Return the newest `count` items, those before a position where one is given, oldest first."""
    found: list[Item] = []
    while len(found) < count:
        page = await store.items.page(ref, before=before, limit=min(PAGE, count - len(found)), newest_first=True, missing_ok=True)
        found.extend(page)
        if not page.has_more or not page.data:
            break
        before = page.data[-1].position
    found.reverse()
    return found


async def read_all(store: Store, ref: Ref, span: Span | None = None, *, before: int | None = None) -> list[Item]:
    """Return every item, those before a position where one is given, oldest first.

    Args:
        span: where the thread was when this session saw it last.
    """
    low, high = span or (1, 0)
    if before is not None:
        high = min(high, before - 1)
    starts = list(range(low, high - PAGE + 1, PAGE))[: 4 * WAVE]
    guessed_to = starts[-1] + PAGE if starts else low
    newest, older, parts = await asyncio.gather(
        store.items.page(ref, before=before, limit=PAGE, newest_first=True, missing_ok=True),
        # Nothing should stand before the span; a span of another thread is found out by this.
        _read_last(store, ref, low if starts else 1),
        asyncio.gather(*(_read_between(store, ref, start, start + PAGE) for start in starts)),
    )
    tail = list(reversed(newest.data))
    if not newest.has_more or not tail:
        return tail
    reached = tail[0].position
    if not starts:
        return await _read_down(store, ref, reached) + tail
    below = await _read_down(store, ref, min(older[-1].position + 1, reached)) if older else []
    middle = [item for part in parts for item in part if item.position < reached]
    if guessed_to < reached:
        middle += await _read_span(store, ref, guessed_to, reached)
    return below + middle + tail


async def _read_last(store: Store, ref: Ref, position: int) -> Sequence[Item]:
    """Return the last item before a position, if there is one."""
    return (
        (await store.items.page(ref, before=position, limit=1, newest_first=True, missing_ok=True)).data if position > 1 else ()
    )


async def _read_between(store: Store, ref: Ref, start: int, end: int) -> Sequence[Item]:
    """Return the items from position `start` to before `end`, at most a page apart."""
    return (await store.items.page(ref, after=start - 1, before=end, limit=PAGE, missing_ok=True)).data


async def _read_span(store: Store, ref: Ref, start: int, end: int) -> list[Item]:
    parts = await asyncio.gather(
        *(_read_between(store, ref, at, min(at + PAGE, end)) for at in range(start, end, PAGE)),
    )
    return [item for part in parts for item in part]


async def _read_down(store: Store, ref: Ref, position: int) -> list[Item]:
    """Return the items before a position: a wave of pages at a time, until nothing stands before them."""
    found: list[Item] = []
    while position > 1:
        start = max(1, position - PAGE * WAVE)
        found[:0] = await _read_span(store, ref, start, position)
        last = await _read_last(store, ref, start)
        position = last[0].position + 1 if last else 1
    return found
