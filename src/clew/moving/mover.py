"""From a layout that was read into a store of clew: every thread once, its items in the order of the source.

An item that is there already stays as it is. So a move that was interrupted goes on when it is run again, and one that is
repeated brings what is new. A thread that was deleted in clew stays deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from hashlib import blake2b
from typing import Any, Final, TypeVar

from ..errors import AlreadyExistsError, ClewError, ConflictError, GoneError, InvalidError, NotFoundError, UnreadableError
from ..limits import MAX_DATA_BYTES, check_id
from ..model import JSON, NewItem, Ref
from ..records import Partition
from ..store import Store
from ..store.entries import make_appends
from .records import Broken, Found, FoundRoute, FoundThread, FoundValue, Report, Row, Source, reason_of

T = TypeVar("T")

OPEN: Final = 64
"""Rows that are opened together."""
WIDE: Final = 4
"""Threads whose items are read at once."""
BATCH_BYTES: Final = 8 * 1024 * 1024
FROM: Final = "moving/from"
"""The note of the key that a thread was moved from."""
MARK: Final = "moving/mark"
"""The note of how far it was read."""

Step = Callable[[int, int], None]
"""Told of progress: how many rows are done, and of how many."""


class Mover:
    """One move.

    Args:
        store: where to; None for a dry run, which reads everything and writes nothing.
        owner: whose threads they become where the source does not say.
        only: of a source that says whose they are, this owner's alone; None for everybody's.
        step: told of progress.
    """

    def __init__(self, store: Store | None, owner: str, step: Step, *, only: str | None = None) -> None:
        self._store = store
        self._owner = check_id(owner, "the owner")
        self._only = only
        self._step = step
        self.report = Report()

    async def move(self, source: Source) -> Report:
        """Move everything, and say what was done.

        Raises:
            ClewError: the source or the store cannot be reached, or is full; run it again to go on.
        """
        await source.learn(self.report.leave)
        done, total = 0, source.count()
        self._step(0, total)
        for rows in source.rows(OPEN):
            wanted = [row for row in rows if self._is_wanted(row)]
            self.report.others += len(rows) - len(wanted)
            await self._move(await _all(source.open(row) for row in wanted))
            done += len(rows)
            self._step(done, max(done, total))
        return self.report

    def _is_wanted(self, row: Row) -> bool:
        return self._only is None or row.owner is None or row.owner == self._only

    async def _move(self, found: Iterable[Found | Broken | None]) -> None:
        threads: list[FoundThread] = []
        others: list[FoundValue | FoundRoute] = []
        for each in found:
            if isinstance(each, Broken):
                self.report.leave(each)
            elif isinstance(each, FoundThread):
                threads.append(each)
            elif each is not None:
                others.append(each)
        await _all(self._put(each) for each in others)
        # All are made first, in order, so that they are listed in the order of the source.
        made = await _all(self._make(thread) for thread in threads)
        few = asyncio.Semaphore(WIDE)

        async def fill(thread: FoundThread, ref: Ref, mark: JSON) -> None:
            async with few:
                await self._fill(thread, ref, mark)

        await _all(fill(thread, *place) for thread, place in zip(threads, made, strict=True) if place is not None)

    # -- threads ------------------------------------------------------------------------------------------------------

    async def _make(self, thread: FoundThread) -> tuple[Ref, JSON] | None:
        """Make the thread, and return it with what the last move of it left; None for one that is left."""
        self.report.threads += 1
        owner = self._owner if thread.owner is None else thread.owner
        try:
            check_id(owner, "the owner")
            check_id(thread.id, "the thread id")
            if self._store is None:
                return Ref(owner, thread.id), None
            # Where another thread has its id, of another key or made in clew, it gets one that its key is part of.
            for id in (thread.id, f"{thread.id}~{blake2b(thread.where.encode(), digest_size=6).hexdigest()}"):
                ref = Ref(owner, id)
                try:
                    await self._create(self._store, ref, thread)
                    return ref, None
                except AlreadyExistsError:
                    notes = (await self._store.threads.get(ref)).notes
                    if notes.get(FROM) == thread.where:
                        return ref, notes.get(MARK)
            raise InvalidError("the owner has other threads of this id")
        except GoneError:
            self.report.leave(Broken("thread", thread.where, "it was deleted in clew, and stays deleted", thread.id))
        except (InvalidError, NotFoundError, UnreadableError) as error:
            self.report.leave(Broken("thread", thread.where, reason_of(error), thread.id))
        return None

    async def _create(self, store: Store, ref: Ref, thread: FoundThread) -> None:
        notes = {**thread.notes, FROM: thread.where}
        ttl = None if thread.ttl_ms is None else thread.ttl_ms / 1000
        await store.threads.create(ref.owner, id=ref.id, title=thread.title, metadata=thread.metadata, notes=notes, ttl=ttl)

    async def _fill(self, thread: FoundThread, ref: Ref, mark: JSON) -> None:
        try:
            async with aclosing(thread.items(mark)) as pieces:
                async for piece in pieces:
                    await self._append(thread, ref, piece)
            if self._store is not None and thread.mark is not None and thread.mark != mark:
                await self._store.threads.put(ref, notes={MARK: thread.mark})
        except NotFoundError as error:
            self.report.leave(Broken("thread", thread.where, reason_of(error), thread.id))

    async def _append(self, thread: FoundThread, ref: Ref, piece: Sequence[NewItem | Broken]) -> None:
        batch: list[NewItem] = []
        size = 0
        for each in piece:
            if isinstance(each, Broken):
                self.report.leave(each)
                continue
            try:
                _check(each, ref)
            except InvalidError as error:
                self.report.leave(Broken("item", f"{thread.where}, {each.id}", reason_of(error), thread.id))
                continue
            if batch and size + len(each.data) > BATCH_BYTES:
                await self._send(ref, batch)
                batch, size = [], 0
            batch.append(each)
            size += len(each.data)
        if batch:
            await self._send(ref, batch)

    async def _send(self, ref: Ref, batch: Sequence[NewItem]) -> None:
        there = 0
        if self._store is not None:
            there = len((await self._store.items.append(ref, batch)).duplicates)
        self.report.there += there
        self.report.items += len(batch) - there

    # -- what stands under literal keys ---------------------------------------------------------------------------------

    async def _put(self, found: FoundValue | FoundRoute) -> None:
        is_route = isinstance(found, FoundRoute)
        where = f"{found.prefix}{found.conversation}" if isinstance(found, FoundRoute) else found.key
        try:
            is_new = self._store is None or await self._write(self._store, found)
        except (InvalidError, UnreadableError) as error:
            self.report.leave(Broken("route" if is_route else "value", where, reason_of(error)))
            return
        if not is_new:
            self.report.there += 1
        elif is_route:
            self.report.routes += 1
        else:
            self.report.values += 1

    async def _write(self, store: Store, found: FoundValue | FoundRoute) -> bool:
        ttl = None if found.ttl_ms is None else found.ttl_ms / 1000
        if isinstance(found, FoundValue):
            return (await store.values().put_data(found.key, found.data, ttl=ttl, when=None))[0]
        routes = store.routes(found.prefix, index=found.index)
        there = await routes.get(found.conversation)
        if there is None:
            return (await routes.resolve(found.conversation, lambda: found.session, ttl=ttl)).created
        # It stays, wherever it leads, and is noted in the index, which its writer did not have.
        with suppress(NotFoundError, ConflictError):
            await routes.rebind(found.conversation, expect=there, to=there)
        return False


async def _all(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what all give, in order; where one fails the others end too."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        told, others = errors.split(ClewError)
        if told is None or others is not None:
            raise
        # Not by `except*`, in which some releases of Python 3.11 wrap what is raised in another group.
        raise _first(told) from None
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[ClewError]) -> ClewError:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _check(item: NewItem, ref: Ref) -> None:
    """Raise InvalidError for an item that no store takes, so that it is left alone and not with all that go with it."""
    if len(item.data) > MAX_DATA_BYTES:
        raise InvalidError(f"it has {len(item.data):,} bytes: at most {MAX_DATA_BYTES:,} are allowed")
    make_appends(item, Partition(ref.owner, ref.id), None)
