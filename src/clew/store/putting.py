"""Putting: an item added, or put in the place of the one that was read, in one commit; a conflict tells what is there."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..backend import Backend
from ..errors import ConflictError, GoneError, InvalidError, NotFoundError, UnknownCursorError, UnreadableError
from ..model import JSON, Item, NewItem
from ..records import Change, Partition, Replace
from .appending import commit
from .checks import LOG, no_thread
from .entries import make_appends
from .headers import put_notes
from .threads import has_thread


async def put(
    backend: Backend, partition: Partition, item: NewItem, *, expect: Item | None, notes: Mapping[str, JSON] | None
) -> Item:
    """See Items.put."""
    if not isinstance(item, NewItem):
        raise InvalidError(f"item must be a NewItem, not {type(item).__name__}")
    if expect is not None:
        if not isinstance(expect, Item) or expect.id != item.id:
            raise InvalidError("expect must be the item with this id, as it was read")
        if expect.unreadable is not None:
            raise UnreadableError(f"the item {expect.id!r} cannot be read, so it is not changed: {expect.unreadable}")
    ids, (append,) = make_appends(item, partition, None)
    entry = append.entry
    if expect is not None and item.created_ms is None:
        entry = msgspec.structs.replace(entry, created_ms=expect.created_ms)
    change: Change = append if expect is None else Replace(LOG, entry, when=expect)
    beside = [] if notes is None else put_notes(notes)
    try:
        done = await commit(backend, partition, [change, *beside])
    except GoneError:
        raise
    except (ConflictError, NotFoundError) as e:
        if expect is None:
            raise
        actual = await _find(backend, partition, ids[0])
        if actual is None and not await has_thread(backend, partition):
            raise no_thread(partition) from e
        raise _conflict(ids[0], expect, actual) from e
    position = done.outcomes[0]
    if position > 0:
        return msgspec.structs.replace(entry, position=position)
    actual = await _find(backend, partition, ids[0])
    if actual is not None and msgspec.structs.replace(actual, position=0) == entry:
        # What stands there is this very item: a call that was sent twice.
        return actual
    raise _conflict(ids[0], None, actual)


async def _find(backend: Backend, partition: Partition, id: str) -> Item | None:
    try:
        page = await backend.read(partition, LOG, after=id, limit=1, inclusive=True)
    except UnknownCursorError:
        return None
    return page.entries[0] if page.entries and page.entries[0].id == id else None


def _conflict(id: str, expect: Item | None, actual: Item | None) -> ConflictError:
    said = "is there already" if expect is None else "was changed" if actual is not None else "was removed"
    return ConflictError(f"the item {id!r} {said}: look at `actual`", expected=expect, actual=actual)
