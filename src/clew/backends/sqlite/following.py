"""Following a log: read what is there, yield it, and read again at every ring. The log is the truth, a ring only says "look"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

from ...errors import GoneError
from ...records import Entry, Page, Partition
from .reading import read_page_of
from .unit import Work
from .watching import Watch

ENTRIES_AT_ONCE: Final = 200


NumberedPage: TypeAlias = tuple[int | None, Page]
"""The number of the partition that was read, None where there is none, and the page."""
Read: TypeAlias = Callable[[Work[NumberedPage]], Awaitable[NumberedPage]]
"""Runs work that reads."""


async def follow(watch: Watch, read: Read, partition: Partition, log: str, after: int | str | None) -> AsyncIterator[Entry]:
    """See Backend.follow; the arguments are checked."""
    number: int | None = None
    with watch.listen(partition) as ear:
        while True:
            ear.rung.clear()
            has_more = True
            while has_more:
                work = partial(
                    read_page_of,
                    partition=partition,
                    log=log,
                    after=after,
                    before=None,
                    limit=ENTRIES_AT_ONCE,
                    newest_first=False,
                )
                found, (entries, has_more) = await read(work)
                if number is not None and found != number:
                    # It went without a tombstone, and what has its name now is another one, with positions of its own.
                    raise GoneError(f"{partition.name!r} has been deleted")
                number = found
                for entry in entries:
                    yield entry
                    after = entry.position
            await ear.rung.wait()
