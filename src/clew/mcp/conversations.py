"""The tools for conversations: made, listed, read, continued, forked, resumed. A conversation is a thread of clew's.

What another framework wrote is shown as text here, and stays as it is; what is appended here is JSON, `{"role", "content"}`.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import InvalidError, UnreadableError
from ..ids import new_thread_id
from ..limits import MAX_TITLE_BYTES
from ..model import Item, NewItem, Ref
from ..records import Once
from ..texts import item_text
from ..transcoding import is_translated, plain_value
from . import views
from .desk import Desk
from .tool import Id, Tool
from .views import MOST_TEXTS, Conversation, Message, read_messages, view_of, views_of

Name = Annotated[Id, Meta(description="The conversation's id.")]
Title = Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_BYTES)]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many messages at most; long ones make it fewer.")]


class Say(msgspec.Struct, forbid_unknown_fields=True):
    """A message."""

    role: Annotated[Id, Meta(description="Who says it: user, assistant, system, tool, or a name.")]
    content: str
    id: Annotated[Id | None, Meta(description="A message whose id is there already is not appended again.")] = None


class Create(msgspec.Struct, forbid_unknown_fields=True):
    title: Title | None = None
    messages: Annotated[list[Say], Meta(max_length=100, description="How it begins.")] = []
    metadata: Annotated[dict[str, Any], Meta(description="JSON values by name.")] = {}
    id: Annotated[Id | None, Meta(description="An id of your own: made again with it, it is refused.")] = None


class List(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Meta(description="The cursor of the page before.")] = None


class Read(msgspec.Struct, forbid_unknown_fields=True):
    conversation: Name
    after: Annotated[Id | None, Meta(description="The id of the message before the page.")] = None
    before: Annotated[Id | None, Meta(description="The id of the message after the page.")] = None
    limit: Limit = 20
    newest_first: bool = False


class ReadMessage(msgspec.Struct, forbid_unknown_fields=True):
    conversation: Name
    message: Annotated[Id, Meta(description="The message's id.")]
    offset: Annotated[int, Meta(ge=0, description="The next_offset of the part before.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000_000, description="How many characters at most.")] = MOST_TEXTS
    raw: Annotated[bool, Meta(description="The stored data, and not only its text: as its writer wrote it, or as JSON.")] = False


class Append(msgspec.Struct, forbid_unknown_fields=True):
    conversation: Name
    messages: Annotated[list[Say], Meta(min_length=1, max_length=100)]
    once: Annotated[
        Id | None,
        Meta(description="A word of your own for this call, and for no other: sent again with it, nothing is appended twice."),
    ] = None


class Fork(msgspec.Struct, forbid_unknown_fields=True):
    conversation: Name
    at: Annotated[Id | None, Meta(description="The id of the last message that is copied; all of them otherwise.")] = None
    title: Annotated[Title | None, Meta(description="The copy's title; the same one otherwise.")] = None


class Resume(msgspec.Struct, forbid_unknown_fields=True):
    conversation: Annotated[Id | None, Meta(description="Its id; the one written to last otherwise.")] = None
    limit: Limit = 20


class Made(msgspec.Struct):
    conversation: Conversation
    message_ids: list[str]


class Page(msgspec.Struct):
    conversations: list[Conversation]
    has_more: bool
    cursor: str | None


class Messages(msgspec.Struct):
    messages: list[Message]
    has_more: bool
    cursor: Annotated[str | None, Meta(description="Pass it as `after`, or as `before` where the newest come first.")]


class Part(msgspec.Struct, omit_defaults=True):
    id: str
    author: str | None
    kind: str
    characters: Annotated[int, Meta(description="How long the whole is.")]
    text: str | UnsetType = UNSET
    has_more: bool = False
    next_offset: int | None = None


class Appended(msgspec.Struct):
    message_ids: list[str]
    duplicates: Annotated[list[str], Meta(description="Those that were there already, and were left as they are.")]
    replayed: Annotated[bool, Meta(description="This call had been made before: nothing was written now.")]


class Resumed(msgspec.Struct):
    conversation: Conversation
    messages: Annotated[list[Message], Meta(description="The newest ones, oldest first.")]
    has_older: bool
    before: Annotated[str | None, Meta(description="Pass it to read_conversation, with newest_first, for the older ones.")]


async def create(desk: Desk, given: Create) -> Made:
    """Make a conversation, with its first messages, in one commit."""
    ref = Ref(desk.owner, new_thread_id() if given.id is None else given.id)
    if given.messages:
        done = await desk.store.items.append(
            ref, _items(given.messages), expect=0, create=True, title=given.title, metadata=given.metadata
        )
        return Made(view_of(await desk.store.threads.get(ref)), list(done.ids))
    made = await desk.store.threads.create(ref.owner, id=ref.id, title=given.title, metadata=given.metadata)
    return Made(view_of(made), [])


async def list_(desk: Desk, given: List) -> Page:
    """List conversations, the one written to last first."""
    page = await desk.store.threads.list(desk.owner, limit=given.limit, cursor=given.cursor)
    return Page(views_of(page), page.has_more, page.cursor if page.has_more else None)


async def read(desk: Desk, given: Read) -> Messages:
    """Return a page of messages."""
    page = await read_messages(
        desk.store,
        Ref(desk.owner, given.conversation),
        after=given.after,
        before=given.before,
        limit=given.limit,
        newest_first=given.newest_first,
    )
    return Messages(list(page), page.has_more, page.cursor)


async def read_message(desk: Desk, given: ReadMessage) -> Part:
    """Return one message, or a part of a long one."""
    item = await desk.store.items.get(Ref(desk.owner, given.conversation), given.message)
    text = _raw(item) if given.raw else item_text(item)
    end = given.offset + given.limit
    if given.offset > len(text):
        raise InvalidError(f"the offset is behind the end: there are {len(text):,} characters")
    has_more = end < len(text)
    return Part(item.id, item.author, item.kind, len(text), text[given.offset : end], has_more, end if has_more else None)


def _raw(item: Item) -> str:
    with suppress(UnreadableError):
        if is_translated(item):
            return msgspec.json.encode(plain_value(item)).decode()
    return item.data.decode(errors="backslashreplace")


async def append(desk: Desk, given: Append) -> Appended:
    """Append messages, in one commit; ReusedTokenError where others came with the same `once` before."""
    ref = Ref(desk.owner, given.conversation)
    digest = blake2b(msgspec.json.encode(given.messages), digest_size=6).digest()
    once = None if given.once is None else Once(given.once, digest)
    done = await desk.store.items.append(ref, _items(given.messages), once=once)
    return Appended(list(done.ids), sorted(done.duplicates), done.replayed)


async def fork(desk: Desk, given: Fork) -> Made:
    """Copy a conversation, up to a message."""
    made = await desk.store.items.fork(Ref(desk.owner, given.conversation), given.at, title=given.title)
    return Made(view_of(made), [])


async def resume(desk: Desk, given: Resume) -> Resumed:
    """Return a conversation's header and its newest messages."""
    if given.conversation is None:
        thread = await views.newest(desk.store, desk.owner)
    else:
        thread = await desk.store.threads.get(Ref(desk.owner, given.conversation))
    page = await read_messages(desk.store, Ref(desk.owner, thread.id), limit=given.limit, newest_first=True)
    return Resumed(view_of(thread), list(page)[::-1], page.has_more, page.cursor)


def _items(messages: list[Say]) -> list[NewItem]:
    return [NewItem.json({"role": each.role, "content": each.content}, id=each.id, author=each.role) for each in messages]


TOOLS: Final = (
    Tool("create_conversation", "Create a conversation",
         "Start a conversation that is kept, with a title and its first messages.",
         Create, Made, create),
    Tool("list_conversations", "List conversations", "List the saved conversations, the one written to last first.",
         List, Page, list_, reads=True),
    Tool("read_conversation", "Read a conversation",
         "Read a page of a conversation's messages, the oldest first, or the newest; go on with the cursor while has_more.",
         Read, Messages, read, reads=True),
    Tool("read_message", "Read a message", "Read one message in full; a long one comes in parts: go on with next_offset.",
         ReadMessage, Part, read_message, reads=True),
    Tool("append_to_conversation", "Append to a conversation",
         "Append messages to a conversation, together or not at all. Give `once` where the call may be sent twice.",
         Append, Appended, append),
    Tool("fork_conversation", "Fork a conversation",
         "Make a new conversation that starts as a copy of another one, up to a message; the other one stays as it is.",
         Fork, Made, fork),
    Tool("resume_conversation", "Resume a conversation",
         "Return a conversation's newest messages, to go on with it: the one that is named, or the one written to last.",
         Resume, Resumed, resume, reads=True),
)  # fmt: skip
