"""How conversations and messages are shown to a model: short, and never more than one answer may hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from msgspec import Meta

from ..errors import NotFoundError
from ..limits import check_id
from ..model import Item, Page, Ref, Thread
from ..store import Store
from ..texts import item_text

MOST_TEXT: Final = 8_000
"""Characters of one message in a page; `read_message` has the rest."""
MOST_TEXTS: Final = 40_000
"""Characters of all messages in one answer."""
MOST_METADATA: Final = 4_000
"""Characters of a conversation's metadata, as JSON; those of all conversations in one answer are at most MOST_TEXTS."""
STEP: Final = 20
"""Items that are read at once, since one may have megabytes."""
SCHEME: Final = "clew"
KIND: Final = "threads"


class Conversation(msgspec.Struct, omit_defaults=True):
    """A conversation's header."""

    id: str
    title: str | None
    created_at: str
    updated_at: str
    uri: str
    metadata: dict[str, Any] = {}
    metadata_left_out: Annotated[bool, Meta(description="It is too long to be shown.")] = False
    expires_at: str | None = None
    forked_from: str | None = None
    unreadable: str | None = None


class Message(msgspec.Struct, omit_defaults=True):
    """A message, or another item, as a tool call."""

    id: str
    author: str | None
    text: str
    created_at: str
    kind: str = "message"
    status: str | None = None
    cut: Annotated[bool, Meta(description="The text goes on: read_message has all of it.")] = False


def view_of(thread: Thread, room: int = MOST_METADATA) -> Conversation:
    """Return a conversation as it is shown, without its metadata where that has more than `room` characters."""
    metadata = dict(thread.metadata)
    is_long = bool(metadata) and len(msgspec.json.encode(metadata)) > min(room, MOST_METADATA)
    return Conversation(
        thread.id,
        thread.title,
        thread.created_at.isoformat(timespec="seconds"),
        thread.updated_at.isoformat(timespec="seconds"),
        uri_of(thread.id),
        {} if is_long else metadata,
        is_long,
        None if thread.expires_at is None else thread.expires_at.isoformat(timespec="seconds"),
        None if thread.forked_from is None else thread.forked_from[0],
        thread.unreadable,
    )


def views_of(threads: Iterable[Thread]) -> list[Conversation]:
    """Return conversations as they are shown in one answer: the metadata of the first ones, as many as fit."""
    found: list[Conversation] = []
    room = MOST_TEXTS
    for thread in threads:
        found.append(view_of(thread, room))
        if not found[-1].metadata_left_out:
            room -= len(msgspec.json.encode(found[-1].metadata))
    return found


def message_of(item: Item, most: int = MOST_TEXT) -> Message:
    """Return an item as it is shown, its text cut where it is longer than `most` characters."""
    text = item_text(item)
    created = item.created_at.isoformat(timespec="seconds")
    return Message(item.id, item.author, text[:most], created, item.kind, item.status, len(text) > most)


async def read_messages(
    store: Store, ref: Ref, *, after: str | None = None, before: str | None = None, limit: int, newest_first: bool
) -> Page[Message]:
    """Return a page of messages whose texts fit one answer; it may be shorter than `limit`, and says whether more follow."""
    found: list[Message] = []
    room = MOST_TEXTS
    while True:
        page = await store.items.page(
            ref, after=after, before=before, limit=min(STEP, limit - len(found)), newest_first=newest_first
        )
        for item in page:
            message = message_of(item)
            room -= len(message.text)
            if room < 0 and found:
                return Page(found, True, found[-1].id)
            found.append(message)
        if not page.has_more or len(found) == limit:
            return Page(found, page.has_more, found[-1].id if found and page.has_more else None)
        if newest_first:
            before = page.cursor
        else:
            after = page.cursor


async def newest(store: Store, owner: str) -> Thread:
    """Return the conversation that was written to last; NotFoundError where the owner has none."""
    page: Sequence[Thread] = (await store.threads.list(owner, limit=1)).data
    if not page:
        raise NotFoundError("there is no conversation yet")
    return page[0]


def uri_of(thread: str) -> str:
    """Return the address of a conversation as a resource."""
    return f"{SCHEME}://{KIND}/{quote(thread, safe='')}"


def thread_of(uri: str) -> str:
    """Return the id of the conversation that a resource's address names; NotFoundError where it names none."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    id = unquote(parts.path.removeprefix("/"))
    if parts.scheme != SCHEME or parts.netloc != KIND or not id or "/" in parts.path[1:] or parts.query or parts.fragment:
        raise NotFoundError(f"there is no such resource: the address of a conversation is {SCHEME}://{KIND}/ and its id")
    return check_id(id, "the conversation's id")
