"""The items of a thread: appended, read in pages, changed in place, removed, cut, copied, followed.

An append is one call of the backend, and so is a page, a tail, an item and a cut.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final

import msgspec

from ..backend import Backend
from ..errors import ConflictError, InvalidError, UnreadableError
from ..limits import check_id, check_limit
from ..model import JSON, Appended, Item, NewItem, Page, Thread, ThreadKey
from ..records import Change, Once, Partition, Remove, Replace, Trim, Truncate
from . import finding, forking
from .appending import append, append_plain, commit
from .checks import LOG, UNSET, Unset, no_thread, partition_of
from .entries import check_words
from .following import follow
from .putting import put
from .threads import has_thread
from .trimming import check_keep, safe_cut

ATTEMPTS: Final = 50
"""How often a change is worked out anew because another writer came between."""


class Items:
    """The verbs for items, on one backend. Made by `Store`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    # -- writing ------------------------------------------------------------------------------------------------------

    async def append(
        self,
        thread: ThreadKey,
        items: NewItem | Sequence[NewItem],
        *,
        once: str | Once | None = None,
        expect: int | None = None,
        create: bool = False,
        title: str | None = None,
        metadata: Mapping[str, JSON] | None = None,
        ttl: float | None = None,
        sliding: bool = True,
        trim_before: int | None = None,
    ) -> Appended:
        """Append items in one commit, in the order given; those whose id the thread holds are left as they are.

        Repeat it with the same ids, or the same `once`, after an UnavailableError: nothing is doubled.

        Args:
            items: one or several, at most `limits.MAX_CHANGES` and `limits.MAX_COMMIT_BYTES` in all.
            once: a token; with one that the thread remembers nothing is written, and the first result comes back. Ids that
                are not given are made from it. With `Once`, a digest of what it is used for is remembered too.
            expect: the revision the thread must be at; with `create`, 0 for a thread that must not be there.
            create: make the thread in the same commit where there is none.
            title, metadata, ttl, sliding: of the thread, where this call makes it; as in `threads.create`.
            trim_before: a position; in the same commit, what stands before it goes.

        Raises:
            NotFoundError: there is no such thread, and `create` is False.
            GoneError: it was deleted.
            ConflictError: it is at another revision than `expect`; nothing was written.
            ReusedTokenError: the token was used for another call before.
            InvalidError: an item, id, token or size that is not allowed.
        """
        is_plain = once is None and expect is None and trim_before is None and not create
        if is_plain and title is None and metadata is None and ttl is None:
            return await append_plain(self._backend, partition_of(thread), items)
        return await append(
            self._backend,
            partition_of(thread),
            items,
            once=once,
            expect=expect,
            create=create,
            title=title,
            metadata=metadata,
            ttl=ttl,
            sliding=sliding,
            trim_before=trim_before,
        )

    async def replace(
        self,
        thread: ThreadKey,
        id: str,
        data: bytes,
        *,
        expect: Item | None = None,
        kind: str | Unset = UNSET,
        codec: str | Unset = UNSET,
        author: str | Unset | None = UNSET,
        parent: str | Unset | None = UNSET,
        status: str | Unset | None = UNSET,
        links: Sequence[str] | Unset = UNSET,
    ) -> Item:
        """Put new data in an item's place, and return it as it is then; its id, position and time stay.

        Args:
            data: the new bytes.
            expect: the item as it was read; None replaces whatever is there.
            kind, codec, author, parent, status, links: what else is to change; the rest stays.

        Raises:
            ConflictError: the item is not `expect` any more (`actual` is what it is now); nothing was written.
            NotFoundError, GoneError: there is no such item or thread.
            UnreadableError: the stored item cannot be decoded, so it is not overwritten: remove it and append another.
        """
        partition = partition_of(thread)
        check_id(id, "an item's id")
        if not isinstance(data, bytes):
            raise InvalidError(f"an item's data must be bytes, not {type(data).__name__}")
        if expect is not None and (not isinstance(expect, Item) or expect.id != id):
            raise InvalidError("expect must be the item with this id, as it was read")
        given = {"kind": kind, "codec": codec, "author": author, "parent": parent, "status": status, "links": links}
        changed = {name: value for name, value in given.items() if not isinstance(value, Unset)}

        def renew(item: Item) -> Item:
            new = msgspec.structs.replace(item, data=data, **changed)
            check_words(new.kind, new.codec, new.author, new.parent, new.status, new.links)
            return msgspec.structs.replace(new, links=tuple(new.links))

        if expect is None:
            return await self._change(partition, id, renew)
        try:
            return await self._put(partition, expect, renew(_readable(expect)))
        except ConflictError as e:
            actual = await finding.get_item(self._backend, partition, id)
            raise ConflictError(f"the item {id!r} was changed: read it again", expected=expect, actual=actual) from e

    async def put(
        self, thread: ThreadKey, item: NewItem, *, expect: Item | None = None, notes: Mapping[str, JSON] | None = None
    ) -> Item:
        """Append an item, or put it in the place of the one that was read, in one commit; return it as it is then.

        Args:
            item: what is to be there; its id is made where none is given, its time stays where none is given.
            expect: the item with this id as it was read; None for one that is not there.
            notes: the thread's notes to set in the same commit (see `threads.put`).

        Raises:
            ConflictError: what is there is not `expect`. `actual` is the item that is there, None where it was removed;
                the item was not written.
            NotFoundError, GoneError: there is no such thread.
            UnreadableError: `expect` cannot be decoded, so it is not overwritten.
        """
        return await put(self._backend, partition_of(thread), item, expect=expect, notes=notes)

    async def set_status(self, thread: ThreadKey, id: str, status: str | None, *, expect: str | None) -> Item:
        """Change an item's status from the one expected, or not at all, and return the item.

        Raises:
            ConflictError: its status is another one (`actual`); nothing was written.
            NotFoundError, GoneError, UnreadableError: as `replace`.
        """
        partition = partition_of(thread)
        check_id(id, "an item's id")
        for word in (status, expect):
            if word is not None:
                check_id(word, "an item's status")

        def renew(item: Item) -> Item:
            if item.status != expect:
                raise ConflictError(
                    f"the item {id!r} has the status {item.status!r}, not {expect!r}", expected=expect, actual=item.status
                )
            return msgspec.structs.replace(item, status=status)

        return await self._change(partition, id, renew)

    async def remove(self, thread: ThreadKey, id: str, *, expect: Item | None = None) -> bool:
        """Remove an item, and tell whether it was there. Its position stays empty, and stays a valid cursor.

        Args:
            expect: the item as it was read; None removes whatever is there.

        Raises:
            ConflictError: the item is not `expect` any more; nothing was removed.
            NotFoundError, GoneError: there is no such thread.
        """
        check_id(id, "an item's id")
        if expect is not None and (not isinstance(expect, Item) or expect.id != id):
            raise InvalidError("expect must be the item with this id, as it was read")
        return await self._cut(partition_of(thread), Remove(LOG, id, expect)) > 0

    async def truncate(self, thread: ThreadKey, after: str | int) -> int:
        """Remove every item after a cursor (0: all of them), and return how many went.

        Raises:
            UnknownCursorError: the thread knows no item with this id.
            NotFoundError, GoneError: there is no such thread.
        """
        partition = partition_of(thread)
        if after is None:
            raise InvalidError("after is missing: name the last item that stays, or 0 to remove them all")
        finding.check_cursor(after, "after")
        return await self._cut(partition, Truncate(LOG, after))

    async def trim(self, thread: ThreadKey, keep: int) -> int:
        """Remove the oldest items so that at most `keep` stay, and return how many went.

        Two items that share a link stay together or go together; more than `keep` stay only where the newest items are linked
        in one larger group. Every item is read once, from the newest back, in pages.

        Args:
            keep: at least 1.

        Raises:
            NotFoundError, GoneError: there is no such thread.
        """
        partition = partition_of(thread)
        check_keep(keep)
        places = await finding.read_places(self._backend, partition)
        cut = safe_cut(places, keep)
        if cut:
            return await self._cut(partition, Trim(LOG, places[cut].position))
        if not places and not await has_thread(self._backend, partition):
            raise no_thread(partition)
        return 0

    async def fork(
        self,
        thread: ThreadKey,
        at: str | int | None = None,
        *,
        id: str | None = None,
        owner: str | None = None,
        title: str | None = None,
    ) -> Thread:
        """Make a new thread that starts as a copy of this one, up to and with the item at `at`.

        The items keep their ids and times, and get positions of their own from 1. Title and metadata are copied too. What fits
        one commit is one commit; a longer copy is written first where nobody lists it, with an hour to live, and becomes a
        thread with its last commit: one that dies in the middle is never seen.

        Args:
            at: an item's id or a position; None for all items.
            id: the new thread's id; made for None, as it has to be where the copy does not fit one commit.
            owner: the new thread's owner; the same one for None.
            title: the new thread's title; the same one for None.

        Raises:
            AlreadyExistsError: the owner has a thread with this id.
            UnknownCursorError: the thread knows no item with the id `at`.
            NotFoundError, GoneError: there is no such thread.
            InvalidError: an `id` for a copy that does not fit one commit (`limits.MAX_CHANGES`, `limits.MAX_COMMIT_BYTES`).
        """
        return await forking.fork(self._backend, thread, at, id=id, owner=owner, title=title)

    # -- reading ------------------------------------------------------------------------------------------------------

    async def page(
        self,
        thread: ThreadKey,
        *,
        after: str | int | None = None,
        before: str | int | None = None,
        limit: int = 20,
        newest_first: bool = False,
        missing_ok: bool = False,
    ) -> Page[Item]:
        """Return the items between two cursors; what stands at a cursor is not among them.

        Args:
            after, before: an item's id or a position; None for no bound.
            limit: from 1 to `limits.MAX_PAGE`.
            newest_first: which end to start from, and the order of the page. Go on with `before=page.cursor` then, and with
                `after=page.cursor` otherwise.
            missing_ok: return an empty page where there is no thread; it saves the call that tells such a thread from an
                empty one.

        Raises:
            UnknownCursorError: the thread knows no item with this id (any more).
            NotFoundError, GoneError: there is no such thread.
            InvalidError: a limit or position that is not allowed.
        """
        partition = partition_of(thread)
        check_limit(limit)
        finding.check_cursor(after, "after")
        finding.check_cursor(before, "before")
        entries, has_more = await finding.read_page(
            self._backend,
            partition,
            after=after,
            before=before,
            limit=limit,
            newest_first=newest_first,
            missing_ok=missing_ok,
        )
        return Page(entries, has_more, entries[-1].id if entries else None)

    async def tail(self, thread: ThreadKey, limit: int = 200) -> list[Item]:
        """Return the newest items, oldest first.

        Args:
            limit: from 1 to `limits.MAX_PAGE`.

        Raises:
            NotFoundError, GoneError: there is no such thread.
        """
        entries, _ = await finding.read_page(self._backend, partition_of(thread), limit=check_limit(limit), newest_first=True)
        entries.reverse()
        return entries

    async def get(self, thread: ThreadKey, id: str) -> Item:
        """Return one item.

        Raises:
            NotFoundError, GoneError: there is no such item or thread.
        """
        return await finding.get_item(self._backend, partition_of(thread), check_id(id, "an item's id"))

    def follow(self, thread: ThreadKey, after: str | int | None = None) -> AsyncGenerator[Item]:
        """Yield the items after a cursor (all of them for None), then each new one when it is committed. It never ends by itself.

        Raises:
            UnknownCursorError: the thread knows no item with this id.
            NotFoundError: there is no such thread.
            GoneError: it was deleted, before or meanwhile.
            UnavailableError: the store stayed away past its time-out: follow again after the last item seen.
        """
        partition = partition_of(thread)
        finding.check_cursor(after, "after")
        return follow(self._backend, partition, after)

    # -- how a change is made -----------------------------------------------------------------------------------------

    async def _cut(self, partition: Partition, change: Change) -> int:
        return (await commit(self._backend, partition, [change])).outcomes[0]

    async def _change(self, partition: Partition, id: str, renew: Callable[[Item], Item]) -> Item:
        for _ in range(ATTEMPTS):
            item = _readable(await finding.get_item(self._backend, partition, id))
            new = renew(item)
            try:
                return await self._put(partition, item, new)
            except ConflictError:
                continue
        raise ConflictError(f"the item {id!r} changes faster than it can be read: try again")

    async def _put(self, partition: Partition, old: Item, new: Item) -> Item:
        return msgspec.structs.replace(new, position=await self._cut(partition, Replace(LOG, new, when=old)))


def _readable(item: Item) -> Item:
    if item.unreadable is not None:
        raise UnreadableError(f"the item {item.id!r} cannot be read, so it is not changed: {item.unreadable}")
    return item
