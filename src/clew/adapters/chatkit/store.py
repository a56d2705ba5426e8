"""ChatKit's store on clew: each method is one round trip, each write one commit, and every owner is alone.

Items stand in the order the store gave them, whatever their clocks say. Nothing is kept in this process.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol, TypeVar

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, Thread, ThreadItem, ThreadMetadata, UserMessageItem

import clew
from clew import Item, Ref
from clew.errors import ConflictError, GoneError, InvalidError
from clew.limits import MAX_PAGE, check_id

from . import attached, threads
from .failures import telling
from .ids import PLACEHOLDERS, kind_of, make_id
from .items import make_item, read_item, same_item
from .origins import note, origin_of
from .owners import OwnerOf, TContext, make_finder

logger = logging.getLogger("clew.adapters.chatkit")

TContextIn = TypeVar("TContextIn", contravariant=True)

ATTEMPTS: Final = 50
"""How often a save is worked out anew because another writer came between."""


class Bytes(Protocol[TContextIn]):
    """Where the bytes of attachments are: any `chatkit.store.AttachmentStore`."""

    async def delete_attachment(self, attachment_id: str, context: TContextIn) -> None:
        """Delete the bytes; nothing happens where there are none."""
        ...


class ChatKitStore(Store[TContext]):
    """Keeps ChatKit's threads, items and attachments' metadata in a clew store, for each owner apart.

    Args:
        store: what `clew.connect(url)` gives; it stays yours to close.
        owner: whose request it is: a function of the request context, or one owner for all. By default the context's own
            `owner` or `user_id`, a key or an attribute; a request that names nobody is refused with InvalidError.
        attachments: where the bytes of attachments are, so that a thread that is deleted takes them along.
        max_page: the longest page, from 1 to `clew.limits.MAX_PAGE`, whatever a client asks for.

    Every method raises `chatkit.store.NotFoundError` for what this owner does not have, and StoreAwayError, which says that
    trying again may help, when the store is away.
    """

    def __init__(
        self,
        store: clew.Store,
        *,
        owner: OwnerOf[TContext] | None = None,
        attachments: Bytes[TContext] | None = None,
        max_page: int = MAX_PAGE,
    ) -> None:
        if not isinstance(store, clew.Store):
            raise InvalidError(f"store must be an open clew store, as `await clew.connect(url)`, not {type(store).__name__}")
        if isinstance(max_page, bool) or not isinstance(max_page, int) or not 1 <= max_page <= MAX_PAGE:
            raise InvalidError(f"max_page must be a whole number from 1 to {MAX_PAGE}, not {max_page!r}")
        self.clew = store
        self.attachments = attachments
        self.max_page = max_page
        self._find_owner = make_finder(owner)

    def owner_of(self, context: TContext) -> str:
        """Return whose request it is. InvalidError where the context names nobody."""
        return self._find_owner(context)

    def author_of(self, item: ThreadItem, context: TContext) -> str | None:
        """Return who is noted as the author of a new item, None for its role: for applications to say in a subclass."""
        return None

    def ref_of(self, thread_id: str, context: TContext) -> Ref:
        """Return the clew name of a thread, for `clew.Store`'s own verbs. NotFoundError where no thread can have this id."""
        owner = self._find_owner(context)
        try:
            return Ref(owner, check_id(thread_id, "the thread id"))
        except InvalidError as e:
            raise NotFoundError("there is no thread of such an id") from e

    # -- ids ----------------------------------------------------------------------------------------------------------

    def generate_thread_id(self, context: TContext) -> str:
        """Return a fresh id: `thr_` and 128 bits."""
        return make_id("thread")

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: TContext) -> str:
        """Return a fresh id: ChatKit's prefix and 128 bits."""
        return make_id(item_type)

    # -- threads ------------------------------------------------------------------------------------------------------

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """Return a thread's metadata. What is changed in it and saved is what is written, and nothing else."""
        ref = self.ref_of(thread_id, context)
        with telling():
            return _metadata_of(await self.clew.threads.get(ref))

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Write what changed since the thread was loaded or saved; make it where it is new. Items it carries are left out."""
        ref = self.ref_of(thread.id, context)
        key = (ref.owner, ref.id)
        with telling():
            fields = threads.fields_of(thread)
            base = origin_of(thread, key, threads.Fields)
            edit = threads.find_edit(fields, base)
            # A new thread comes as bare metadata; the Thread of the same turn is saved when it is there already.
            create = base is None and not isinstance(thread, Thread)
            try:
                await self._put(ref, edit, create=create)
            except GoneError:
                raise
            except clew.NotFoundError:
                if create or base is not None:
                    raise
                await self._put(ref, edit, create=True)
            note(thread, key, fields)

    async def load_threads(self, limit: int, after: str | None, order: str, context: TContext) -> Page[ThreadMetadata]:
        """Return the owner's threads in the order they were made, which no activity changes; `after` is a thread's id."""
        owner = self._find_owner(context)
        newest_first = _is_newest_first(order)
        cursor = None if after is None else self.ref_of(after, context).id
        with telling():
            page = await self.clew.threads.made(owner, limit=self._clamp(limit), after=cursor, newest_first=newest_first)
        found = []
        for thread in page:
            if thread.unreadable is None:
                found.append(_metadata_of(thread))
            else:
                logger.error("the thread %r is left out of a list: %s", thread.id, thread.unreadable)
        return Page(data=found, has_more=page.has_more, after=page.cursor if page.has_more else None)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread with its items and attachments, for good: what is still being written to it is not found.

        Attachments go first, so that a deletion that breaks off is finished by the next one.
        """
        ref = self.ref_of(thread_id, context)
        with telling():
            for _ in range(ATTEMPTS):
                try:
                    await self.clew.threads.delete(ref, unless_note=threads.HAS_ATTACHMENTS)
                    return
                except ConflictError:
                    await self._delete_attachments(ref, context)
            raise ConflictError(f"the thread {thread_id!r} gets attachments faster than they can be deleted: try again")

    async def delete_attachments(self, thread_id: str, context: TContext) -> None:
        """Delete the attachments of a thread's messages. The thread stays, to be deleted otherwise than by `delete_thread`."""
        ref = self.ref_of(thread_id, context)
        with telling():
            await self._delete_attachments(ref, context)

    # -- items --------------------------------------------------------------------------------------------------------

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """Return items in the store's order; none for a thread that this owner does not have.

        Args:
            after: the id of any item, hidden and deleted ones included; NotFoundError for one the thread never had.
            limit: is brought into the range from 1 to `max_page`.
            order: `asc` or `desc`.
        """
        ref = self.ref_of(thread_id, context)
        newest_first = _is_newest_first(order)
        cursor = None if after is None else _check_cursor(after)
        with telling():
            try:
                page = await self.clew.items.page(
                    ref,
                    after=None if newest_first else cursor,
                    before=cursor if newest_first else None,
                    limit=self._clamp(limit),
                    newest_first=newest_first,
                    missing_ok=True,
                )
            except GoneError:
                return Page(data=[])
        found = [_loaded(item, ref) for item in page]
        return Page(data=found, has_more=page.has_more, after=page.cursor if page.has_more else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Add an item at the end, or save it in its place where the thread has it; a placeholder id becomes a fresh one."""
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Save an item in its place, or add it at the end where the thread has none of its id.

        An item that is done does not become pending again. What this SDK does not know of it is kept.

        Raises:
            AlreadyCompletedError: it was loaded pending, and somebody else completed it otherwise; theirs stays.
        """
        ref = self.ref_of(thread_id, context)
        if item.id in PLACEHOLDERS:
            # The server hands the item on after this, so the client gets the id that is stored.
            bare = ThreadMetadata(id=thread_id, created_at=item.created_at)
            item.id = self.generate_item_id(kind_of(item.type), bare, context)
        with telling():
            await self._save(ref, item, self.author_of(item, context))

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """Return one item."""
        ref = self.ref_of(thread_id, context)
        with telling():
            return _loaded(await self.clew.items.get(ref, _check_cursor(item_id)), ref)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item; nothing happens where there is none. Its id stays a cursor."""
        ref = self.ref_of(thread_id, context)
        with telling():
            try:
                await self.clew.items.remove(ref, _check_cursor(item_id))
            except clew.NotFoundError:
                return

    # -- attachments --------------------------------------------------------------------------------------------------

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Keep an attachment's metadata, or what is new of it."""
        owner = self._find_owner(context)
        with telling():
            await attached.save(self.clew, owner, attachment)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """Return an attachment's metadata."""
        owner = self._find_owner(context)
        with telling():
            return await attached.load(self.clew, owner, attachment_id)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's metadata; nothing happens where there is none. Its bytes are the attachment store's."""
        owner = self._find_owner(context)
        with telling():
            await attached.delete(self.clew, owner, attachment_id)

    # -- how it is done -----------------------------------------------------------------------------------------------

    def _clamp(self, limit: int) -> int:
        return min(max(limit, 1), self.max_page)

    async def _put(self, ref: Ref, edit: threads.Edit, *, create: bool) -> None:
        title = {"title": edit.titles[0]} if edit.titles else {}
        await self.clew.threads.put(ref, **title, metadata=edit.metadata, notes=edit.notes, create=create)

    async def _save(self, ref: Ref, item: ThreadItem, author: str | None) -> None:
        key = (ref.owner, ref.id, item.id)
        was = origin_of(item, key, Item)
        ids = [each.id for each in item.attachments] if isinstance(item, UserMessageItem) else []
        stored, is_sure = was, False
        for _ in range(ATTEMPTS):
            new = make_item(item, stored, was=was, author=author)
            if new is None:
                assert stored is not None, "what is not there is always written"
                if is_sure:
                    break
                # What was loaded is unchanged: the write proves that the thread is there, and the item still the same.
                new = same_item(stored)
            try:
                stored = await self.clew.items.put(ref, new, expect=stored, notes=threads.attachment_notes(ids))
                break
            except ConflictError as e:
                stored, is_sure = e.actual if isinstance(e.actual, Item) else None, True
        else:
            raise ConflictError(f"the item {item.id!r} changes faster than it can be saved: try again")
        note(item, key, stored)

    async def _delete_attachments(self, ref: Ref, context: TContext) -> None:
        """Delete what the thread's messages hold, and then the notes of it."""
        try:
            ids = threads.attachments_of(await self.clew.threads.get(ref))
        except clew.NotFoundError:
            return
        await asyncio.gather(*(self._delete_attachment(ref.owner, id, context) for id in ids))
        gone: dict[str, None] = {threads.ATTACHMENT + id: None for id in ids}
        try:
            await self.clew.threads.put(ref, notes={threads.HAS_ATTACHMENTS: None, **gone})
        except clew.NotFoundError:
            return

    async def _delete_attachment(self, owner: str, id: str, context: TContext) -> None:
        if self.attachments is not None:
            await self.attachments.delete_attachment(id, context)
        await attached.delete(self.clew, owner, id)


def _metadata_of(thread: clew.Thread) -> ThreadMetadata:
    found = threads.read_thread(thread)
    note(found, (thread.owner, thread.id), threads.fields_of(found))
    return found


def _loaded(item: Item, ref: Ref) -> ThreadItem:
    found = read_item(item, ref.id)
    note(found, (ref.owner, ref.id, item.id), item)
    return found


def _is_newest_first(order: str) -> bool:
    if order not in ("asc", "desc"):
        raise InvalidError(f"order must be asc or desc, not {order!r}")
    return order == "desc"


def _check_cursor(id: str) -> str:
    try:
        return check_id(id, "an item's id")
    except InvalidError as e:
        raise NotFoundError("the thread has no item of such an id") from e
