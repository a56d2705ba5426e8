"""Finding items: a page, one by its id, the places of all.

An unknown thread is told from an empty one, and the others pay nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..backend import Backend
from ..errors import InvalidError, NotFoundError, UnknownCursorError
from ..limits import MAX_PAGE, check_id
from ..model import Item
from ..records import Page, Partition
from .checks import LOG, no_thread
from .threads import has_thread

MAX_POSITION: Final = (1 << 53) - 1
_MADE_UP: Final = re.compile(r"unreadable-([0-9]{1,15})")
"""The id that `codec` gives a record whose own id cannot be read. No index knows it, but it says the position."""


class Place(NamedTuple):
    """What a trim needs of an item."""

    position: int
    links: Sequence[str]


def check_cursor(cursor: str | int | None, what: str) -> None:
    """Raise InvalidError unless `cursor` is an id, a position (0 is before the first), or None."""
    if cursor is None:
        return
    if isinstance(cursor, str):
        check_id(cursor, what)
    elif isinstance(cursor, bool) or not isinstance(cursor, int) or not 0 <= cursor <= MAX_POSITION:
        raise InvalidError(f"{what} must be an item's id or a position of at least 0, not {cursor!r}")


async def read_page(
    backend: Backend,
    partition: Partition,
    *,
    after: str | int | None = None,
    before: str | int | None = None,
    limit: int,
    newest_first: bool = False,
    inclusive: bool = False,
    missing_ok: bool = False,
) -> Page:
    """Return a page of a thread's items: one call, and another one only where nothing was found and that is an error.

    Raises:
        UnknownCursorError: the thread knows no item with this id.
        NotFoundError, GoneError: there is no such thread.
    """

    async def read(after: str | int | None, before: str | int | None) -> Page:
        return await backend.read(
            partition, LOG, after=after, before=before, limit=limit, newest_first=newest_first, inclusive=inclusive
        )

    try:
        page = await read(after, before)
    except UnknownCursorError:
        if not await has_thread(backend, partition):
            raise no_thread(partition) from None
        placed = place_of(after), place_of(before)
        if placed == (after, before):
            raise
        return await read(*placed)
    if not page.entries and not missing_ok and not await has_thread(backend, partition):
        raise no_thread(partition)
    return page


def place_of(cursor: str | int | None) -> str | int | None:
    """Return the position that a made-up id says, any other cursor as it is."""
    found = _MADE_UP.fullmatch(cursor) if isinstance(cursor, str) else None
    return int(found[1]) if found else cursor


async def get_item(backend: Backend, partition: Partition, id: str) -> Item:
    """Return the item with this id, in one call.

    Raises:
        NotFoundError, GoneError: there is no such item or thread.
    """
    try:
        page = await read_page(backend, partition, after=id, limit=1, inclusive=True)
    except UnknownCursorError as e:
        raise _no_item(partition, id) from e
    if not page.entries or page.entries[0].id != id:
        raise _no_item(partition, id)
    return page.entries[0]


async def read_places(backend: Backend, partition: Partition) -> list[Place]:
    """Return the place of every item, oldest first, read from the newest back in pages."""
    places: list[Place] = []
    before: int | None = None
    while True:
        page = await backend.read(partition, LOG, before=before, limit=MAX_PAGE, newest_first=True)
        places += (Place(entry.position, entry.links) for entry in page.entries)
        if not page.has_more:
            places.reverse()
            return places
        before = places[-1].position


def _no_item(partition: Partition, id: str) -> NotFoundError:
    return NotFoundError(f"the thread {partition.name!r} has no item {id!r}")
