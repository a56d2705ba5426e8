"""A write whose answer was lost, with a store that was killed in the middle, is repeated until it is known what became of it.

So whoever is refused can take it that nothing was written, unless the store stays away for longer than anybody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec

from .. import Appended, NewItem, Once, Ref, Store
from ..errors import UnavailableError
from .room import Room

T = TypeVar("T")
SETTLE_S: Final = 15.0
"""How long it is repeated, beyond the store's own time-out."""
PAUSE_S: Final = 0.1


async def settle(room: Room, work: Callable[[Store], Awaitable[T]], error: UnavailableError) -> T:
    """Return what a write has done that ended with this error, which is raised again where that cannot be known in time.

    Args:
        work: does it, and nothing more where it was done before.

    Raises:
        UnavailableError: the error, which says that the answer is lost.
        ClewError: what the store says of it when it is there again.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLE_S
    while not room.is_closing and loop.time() < end:
        try:
            return await work(room.store)
        except UnavailableError:
            await asyncio.sleep(PAUSE_S)
    raise error


async def append_again(room: Room, ref: Ref, items: Sequence[NewItem], once: Once | None, error: UnavailableError) -> Appended:
    """Return what an append has done that ended with this error, as `settle`.

    Args:
        items, once: as they were given to it.
    """
    same = (
        items if once is not None else [msgspec.structs.replace(item, id=id) for item, id in zip(items, error.ids, strict=True)]
    )
    return await settle(room, lambda store: store.items.append(ref, same, once=once), error)
