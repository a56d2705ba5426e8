"""Following a thread: a generator that says first whether there is such a thread, and closes what it opened."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from ..backend import Backend
from ..errors import UnknownCursorError
from ..model import Item
from ..records import Partition
from .checks import LOG, no_thread
from .finding import place_of
from .threads import has_thread


async def follow(backend: Backend, partition: Partition, after: str | int | None) -> AsyncGenerator[Item]:
    """See Items.follow."""
    if not await has_thread(backend, partition):
        raise no_thread(partition)
    entries = backend.follow(partition, LOG, after=after)
    try:
        async for entry in entries:
            yield entry
    except UnknownCursorError:
        position = place_of(after)
        if position == after:
            raise
        await _close(entries)
        entries = backend.follow(partition, LOG, after=position)
        async for entry in entries:
            yield entry
    finally:
        await _close(entries)


async def _close(entries: AsyncIterator[Item]) -> None:
    if isinstance(entries, AsyncGenerator):
        await entries.aclose()
