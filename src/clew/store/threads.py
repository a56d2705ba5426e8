"""Threads: made, found, listed, renamed, left to expire, deleted. Their items are in `items.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ..backend import Backend
from ..errors import AlreadyExistsError, ConflictError, GoneError, InvalidError, UnreadableError
from ..ids import new_thread_id
from ..limits import MAX_PAGE, check_id, check_limit
from ..model import JSON, Appended, Page, Ref, Thread, ThreadKey
from ..records import PRESENT, Change, Commit, Expire, Listed, Partition, PutDocument, Snapshot
from .checks import (
    THREAD,
    UNSET,
    Unset,
    check_expect,
    conflict_of,
    need_cataloguing,
    need_expiry,
    need_listing,
    no_thread,
    partition_of,
    ttl_ms_of,
)
from .headers import NOTE, make_bare, make_thread, put_header, put_metadata, put_notes, put_title

_NEWEST_US: Final = 1 << 62


class Threads:
    """The verbs for whole threads, on one backend. Made by `Store`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(
        self,
        owner: str,
        *,
        id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, JSON] | None = None,
        notes: Mapping[str, JSON] | None = None,
        ttl: float | None = None,
        sliding: bool = True,
    ) -> Thread:
        """Make a thread, where the owner has none with this id.

        Args:
            owner: whose it is; at most `limits.MAX_ID_BYTES` bytes.
            id: its id; made, with 128 random and time-ordered bits, for None.
            title: for people; at most `limits.MAX_TITLE_BYTES` bytes.
            metadata: JSON values by field; a field that is None is left out.
            notes: what an integration keeps beside, likewise.
            ttl: seconds until it vanishes; None keeps it. Set in the same commit.
            sliding: whether each write starts the time anew.

        Raises:
            AlreadyExistsError: the owner has a thread with this id.
            GoneError: there was one, and its tombstone still stands.
            InvalidError: a bad name, title, field or time.
        """
        partition = partition_of(Ref(owner, new_thread_id() if id is None else id))
        changes = make_header(title, metadata, notes)
        expiry = make_expiry(self._backend, ttl, sliding=sliding)
        try:
            done = await self._backend.commit(partition, [*changes, *expiry], expect=0, listed=True)
        except ConflictError as e:
            raise AlreadyExistsError(f"the owner has a thread {partition.name!r} already", expected=0, actual=e.actual) from e
        return thread_as_made(partition, done, changes, ttl)

    async def get(self, thread: ThreadKey) -> Thread:
        """Return a thread as it is now.

        Raises:
            NotFoundError: the owner has no such thread (another owner's is not found either).
            GoneError: it was deleted.
            UnreadableError: its header is damaged or of a newer format.
        """
        partition = partition_of(thread)
        found = make_thread(partition, await self._backend.fetch(partition))
        if found is None:
            raise no_thread(partition)
        return found

    async def list(self, owner: str, *, limit: int = 20, cursor: str | None = None) -> Page[Thread]:
        """Return an owner's threads, the newest write first; an owner nobody knows has none.

        A thread that is deleted while the page is read is left out, so that a page may be shorter than its limit. One whose
        header cannot be read says so (`Thread.unreadable`), and hides no other.

        Args:
            limit: from 1 to `limits.MAX_PAGE`.
            cursor: a page's `cursor`, to go on after it.

        Raises:
            UnsupportedError: the store keeps no listing.
            InvalidError: a cursor that no page gave.
        """
        check_id(owner, "the owner")
        check_limit(limit)
        before = None if cursor is None else _read_cursor(cursor)
        listing = need_listing(self._backend)
        # One more than asked for tells whether more follow.
        lines = await listing.list(owner, limit=min(limit + 1, MAX_PAGE), before=before)
        has_more = len(lines) > limit or len(lines) == MAX_PAGE
        lines = lines[:limit]
        found = await asyncio.gather(*(self._fetch_listed(Partition(owner, line.name)) for line in lines))
        return Page([thread for thread in found if thread is not None], has_more, _write_cursor(lines[-1]) if lines else None)

    async def update(
        self,
        thread: ThreadKey,
        *,
        title: str | Unset | None = UNSET,
        metadata: Mapping[str, JSON] | None = None,
        expect: int | None = None,
    ) -> Thread:
        """Set the title, some fields of the metadata, or both, in one commit, and return the thread.

        It is `put` and `get`. Use `put` where the thread need not come back.

        Args:
            title: the new one; None deletes it.
            metadata: the fields to set; None deletes a field; the others stay as they are.
            expect: the revision the thread must be at.

        Raises:
            ConflictError: it is at another revision (`actual`); nothing was written.
            NotFoundError, GoneError: there is no such thread.
            InvalidError: nothing to change, or a bad title or field.
        """
        partition = partition_of(thread)
        check_expect(expect)
        if expect == 0:
            raise InvalidError("expect=0 means a thread that is not there yet: make it with threads.create")
        changes: list[Change] = [] if isinstance(title, Unset) else [put_title(title)]
        changes += () if metadata is None else put_metadata(metadata)
        if not changes:
            raise InvalidError("nothing to update: give a title or metadata")
        try:
            await self._backend.commit(partition, changes, expect=PRESENT if expect is None else expect, listed=True)
        except ConflictError as e:
            raise conflict_of(e, partition) from e
        return await self.get(thread)

    async def expire(self, thread: ThreadKey, ttl: float | None, *, sliding: bool = True) -> None:
        """Let a thread vanish after some time, or keep it.

        Args:
            ttl: seconds from now, from 0.001 to a hundred years; None keeps the thread for ever.
            sliding: whether each write starts the time anew.

        Raises:
            NotFoundError, GoneError: there is no such thread.
            UnsupportedError: the store has no times to live.
        """
        partition = partition_of(thread)
        ttl_ms = None if ttl is None else ttl_ms_of(ttl)
        expiry = need_expiry(self._backend)
        if not await expiry.expire(partition, ttl_ms, kind="sliding" if sliding else "fixed"):
            raise no_thread(partition)

    async def put(
        self,
        thread: ThreadKey,
        *,
        title: str | Unset | None = UNSET,
        metadata: Mapping[str, JSON] | None = None,
        notes: Mapping[str, JSON] | None = None,
        create: bool = False,
    ) -> None:
        """Set the title, some fields of the metadata and some notes in one commit, and read nothing back.

        Args:
            title, metadata: as in `update`; nothing given is a write that changes nothing.
            notes: the notes to set; None deletes a note; the others stay as they are.
            create: make the thread where there is none; that it is new is taken to be the common case.

        Raises:
            NotFoundError: there is no such thread, and `create` is False.
            GoneError: it was deleted.
            InvalidError: a bad title, field or note.
        """
        partition = partition_of(thread)
        changes: list[Change] = [] if isinstance(title, Unset) else [put_title(title)]
        changes += () if metadata is None else put_metadata(metadata)
        changes += () if notes is None else put_notes(notes)
        if create:
            given = [change for change in changes if isinstance(change, PutDocument) and change.data is not None]
            try:
                await self._backend.commit(partition, [put_header(), *given], expect=0, listed=True)
                return
            except ConflictError:
                # It is there already, and takes what is given.
                pass
        await self._backend.commit(partition, changes, expect=PRESENT, listed=True)

    async def made(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Page[Thread]:
        """Return an owner's threads in the order they were made, each with its header, in one call.

        Nothing moves when a thread is written. A thread whose header cannot be read says so, and hides no other.

        Args:
            limit: from 1 to `limits.MAX_PAGE`.
            after: a thread's id, as a page's `cursor`; it may have been deleted within the week of its tombstone.
            newest_first: which end to start from, and the order.

        Raises:
            UnknownCursorError: the owner has no such thread.
            UnsupportedError: the store does not know the order.
        """
        catalogue = await need_cataloguing(self._backend).catalogue(owner, limit=limit, after=after, newest_first=newest_first)
        found = [_thread_or_bare(Partition(owner, name), snapshot) for name, snapshot in catalogue.partitions]
        last = catalogue.partitions[-1][0] if catalogue.partitions else None
        return Page([thread for thread in found if thread is not None], catalogue.has_more, last)

    async def delete(self, thread: ThreadKey, *, unless_note: str | None = None, expect: int | None = None) -> bool:
        """Delete a thread and all that is in it; tell whether it was there.

        For a week its tombstone answers every other verb with GoneError, so that a late write cannot bring it back.

        Args:
            unless_note: a note's name, as it stands for something elsewhere that has to go first.
            expect: the revision the thread must be at, where it is there.

        Raises:
            ConflictError: the thread has this note, or is at another revision (`actual`); nothing was deleted.
        """
        unless = None if unless_note is None else NOTE + check_id(unless_note, "a note's name")
        return await self._backend.drop(partition_of(thread), unless=unless, expect=expect)

    async def _fetch_listed(self, partition: Partition) -> Thread | None:
        try:
            snapshot = await self._backend.fetch(partition)
        except GoneError:
            return None
        return _thread_or_bare(partition, snapshot)


def _thread_or_bare(partition: Partition, snapshot: Snapshot) -> Thread | None:
    try:
        return make_thread(partition, snapshot)
    except UnreadableError as e:
        # One that is damaged does not hide the others.
        return make_bare(partition, snapshot, str(e))


def make_header(
    title: str | None, metadata: Mapping[str, JSON] | None, notes: Mapping[str, JSON] | None = None
) -> list[PutDocument]:
    """Return the changes that make a thread with this title, metadata and notes."""
    changes = [put_header()]
    if title is not None:
        changes.append(put_title(title))
    if metadata is not None:
        changes += (change for change in put_metadata(metadata) if change.data is not None)
    if notes is not None:
        changes += (change for change in put_notes(notes) if change.data is not None)
    return changes


def make_expiry(backend: Backend, ttl: float | None, *, sliding: bool) -> list[Expire]:
    """Return the change that gives a thread this time to live, none for None.

    Raises:
        UnsupportedError: the store has no times to live.
        InvalidError: no time to live.
    """
    if ttl is None:
        return []
    need_expiry(backend)
    return [Expire(ttl_ms_of(ttl), "sliding" if sliding else "fixed")]


def thread_as_made(
    partition: Partition, done: Commit | Appended, header: Sequence[PutDocument], ttl: float | None = None
) -> Thread:
    """Return the thread that a commit has just made with this header, without a look at the store."""
    documents = {change.key: change.data for change in header if change.data is not None}
    expires_ms = None if ttl is None else done.committed_ms + ttl_ms_of(ttl)
    thread = make_thread(partition, Snapshot(done.revision, done.committed_ms, done.committed_ms, expires_ms, documents))
    assert thread is not None, "its header is among the changes"
    return replace(thread, pending=True) if done.pending else thread


async def has_thread(backend: Backend, partition: Partition) -> bool:
    """Tell whether the partition is a thread. GoneError where it was deleted."""
    return THREAD in (await backend.fetch(partition, [THREAD])).documents


def _write_cursor(line: Listed) -> str:
    return f"{line.updated_us}:{line.name}"


def _read_cursor(cursor: str) -> Listed:
    if isinstance(cursor, str):
        moment, _, name = cursor.partition(":")
        if moment.isascii() and moment.isdigit() and len(moment) < 20 and name and int(moment) < _NEWEST_US:
            return Listed(check_id(name, "the cursor"), int(moment))
    raise InvalidError("the cursor is none that a page of threads gave: start again without one")
