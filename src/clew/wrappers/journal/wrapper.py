"""A backend whose appends and new partitions are accepted while the store is away, and written when it is back.

It has the powers of what it wraps. What cannot be accepted is UnavailableError, as without it, and so is a look at a partition
that accepted writes still wait for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import iscoroutinefunction, signature
from typing import Any, Final

from ...backend import Backend, Describing
from ...errors import FullError, UnavailableError
from ...ids import new_id
from ...limits import TOMBSTONE_MS, check_changes, check_once, check_partition
from ...metering import Metering, Meters
from ...records import PRESENT, Change, Commit, Entry, Once, Page, Partition, Snapshot
from .ages import Ages
from .book import Book
from .draining import Drainer
from .records import Write, can_keep, encode_write

SETTLE_S: Final = 2.0
"""How long a look at a partition waits for the writes that are on their way to it."""
_UNGUARDED: Final = ("ping", "reach")
"""They ask whether the store is there."""


class JournalBackend:
    """See `clew.backend`, and `Accepting`. Made by `open_journal`."""

    def __init__(self, inner: Backend, book: Book) -> None:
        """Stand on an open backend and an open book, which `aclose` closes. To be made in a running event loop."""
        self.inner = inner
        self._book = book
        in_part = getattr(inner, "fails_in_part", False)
        self._drainer = Drainer(inner, book, reach=getattr(inner, "reach", None) if in_part else None)
        self._queues = self._drainer.queues
        self._ages = Ages()
        # Powers are told by the verbs that are there: it has those of what it wraps, and no other.
        for name in dir(inner):
            if name.startswith("_") or hasattr(type(self), name):
                continue
            verb = getattr(inner, name)
            guarded = iscoroutinefunction(verb) and name not in _UNGUARDED
            setattr(self, name, self._guard(verb) if guarded else verb)
        if isinstance(inner, Describing):
            self.describe = self._describe
        self._drainer.start()

    # -- what can be accepted -----------------------------------------------------------------------------------------

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """See Backend.commit."""
        if expect == 0 and once is None and can_keep(Write(changes, 0)):
            # So that a repeated call is told from another one's, where the answer to the first is lost.
            once = f"clew-journal/{new_id()}"
        if not self._queues:
            try:
                return await self.inner.commit(partition, changes, expect=expect, once=once, listed=listed)
            except UnavailableError as error:
                return await self._accept(partition, Write(changes, expect, once, listed), error)
        return await self._do(
            partition,
            Write(changes, expect, once, listed),
            lambda inner: inner.commit(partition, changes, expect=expect, once=once, listed=listed),
        )

    async def outlast(
        self,
        partition: Partition,
        work: Callable[[Backend], Awaitable[Commit]],
        changes: Sequence[Change],
        header: Sequence[Change],
        *,
        once: str | Once | None = None,
    ) -> Commit:
        """See Accepting.outlast."""
        return await self._do(partition, Write(changes, PRESENT, once, True, header), work)

    async def _do(self, partition: Partition, write: Write, work: Callable[[Backend], Awaitable[Commit]]) -> Commit:
        if self._queues and (partition in self._queues or self._drainer.away is not None):
            if can_keep(write):
                return await self._accept(partition, write, None)
            await self._check(partition)
        try:
            return await work(self.inner)
        except UnavailableError as error:
            return await self._accept(partition, write, error)

    async def _accept(self, partition: Partition, write: Write, error: UnavailableError | None) -> Commit:
        """Keep a write that the store did not take; raise the error where it cannot be kept.

        Raises:
            FullError: there is no room in the journal, and nothing was written anywhere.
        """
        if not can_keep(write):
            assert error is not None, "whoever has none asked first"
            raise error
        check_partition(partition)
        check_once(write.once)
        check_changes([*write.changes, *write.header])
        try:
            await self._book.add(partition, encode_write(write), lambda seq: self._add(partition, seq))
        except FullError as full:
            if error is not None and error.lost:
                # It may have been written after all, which a FullError denies.
                raise error from full
            raise
        if error is not None:
            self._drainer.note_away(error)
        return Commit(0, time.time_ns() // 1_000_000, (), pending=True)

    def _add(self, partition: Partition, seq: int) -> None:
        self._ages.note(seq, is_first=not self._queues)
        self._drainer.add(partition, seq)

    # -- what cannot --------------------------------------------------------------------------------------------------

    async def _check(self, partition: Partition | None) -> None:
        """Return when a call may go to the store; UnavailableError where it may not."""
        if partition is not None:
            await self._drainer.settled(partition, SETTLE_S)
        if self._drainer.away is not None:
            raise UnavailableError(f"the store is away, and is tried again in the background ({self._drainer.away})")

    def _guard(self, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:  # any, as it is passed through
        names = list(signature(verb).parameters)
        place = names.index("partition") if "partition" in names else None

        async def call(*arguments: Any, **named: Any) -> Any:
            if self._queues:
                found = None
                if place is not None:
                    found = arguments[place] if len(arguments) > place else named.get("partition")
                await self._check(found if isinstance(found, Partition) else None)
            return await verb(*arguments, **named)

        return call

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch."""
        if self._queues:
            await self._check(partition)
        return await self.inner.fetch(partition, keys)

    async def read(
        self,
        partition: Partition,
        log: str,
        *,
        after: int | str | None = None,
        before: int | str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        inclusive: bool = False,
    ) -> Page:
        """See Backend.read."""
        if self._queues:
            await self._check(partition)
        return await self.inner.read(
            partition, log, after=after, before=before, limit=limit, newest_first=newest_first, inclusive=inclusive
        )

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow. What waits comes when it is written."""
        return self.inner.follow(partition, log, after=after)

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        if self._queues:
            await self._check(partition)
        return await self.inner.revision(partition)

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        if self._queues:
            await self._check(partition)
        return await self.inner.drop(partition, tombstone_ms=tombstone_ms, unless=unless, expect=expect)

    async def aclose(self) -> None:
        """See Backend.aclose. What waits stays in the journal, for the next one that opens it."""
        await self._drainer.aclose()
        await self._book.aclose()
        await self.inner.aclose()

    # -- sight --------------------------------------------------------------------------------------------------------

    async def waiting(self) -> dict[str, int | str | None]:
        """See Accepting.waiting."""
        drainer = self._drainer
        return {
            "depth": drainer.depth,
            "aside": await drainer.count_aside(),
            "away": drainer.away,
            "trouble": drainer.trouble,
            "path": self._book.path,
        }

    def meters(self) -> Meters:
        """See Metering.meters."""
        found = self.inner.meters() if isinstance(self.inner, Metering) else Meters()
        drainer = self._drainer
        found.journal_depth, found.journal_aside, found.journal_oldest_s = (
            drainer.depth,
            drainer.aside,
            self._ages.oldest_s(list(drainer.queues.values())),
        )
        found.away = drainer.away is not None
        return found

    async def drained(self) -> None:
        """Return when nothing waits."""
        await self._drainer.drained()

    async def _describe(self) -> dict[str, str | int | float | bool | None]:
        assert isinstance(self.inner, Describing)
        waiting = {f"journal {name}": value for name, value in (await self.waiting()).items()}
        return {**await self.inner.describe(), **waiting}
