"""A conversation's sessions as ChatKit threads of its caller's, and what a channel's message is beside its text."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
from chatkit.store import StoreItemType
from chatkit.types import AssistantMessageContent, AssistantMessageItem, ThreadItem, ThreadMetadata, UserMessageItem

from ... import Ref, Store
from ...adapters.chatkit import ChatKitStore
from ...adapters.chatkit.ids import make_id
from ...adapters.chatkit.items import make_item
from ...assistant.recap import SUMMARY, SUMMARY_ITEM
from ...errors import NotFoundError
from ...ids import new_thread_id
from ..identity import Identity
from .views import Ask

Context = dict[str, str]

AUTHOR: Final = "author"
"""Where a request's context has who wrote the message."""
MESSAGE_ID: Final = "message_id"
"""Where it has the id of the message that is to be stored first."""
HEADING: Final = "*What was said before, in short:*\n\n"


class ChannelKit(ChatKitStore[Context]):
    """ChatKit's store, which notes who wrote a channel's message, and takes its id from the request."""

    def author_of(self, item: ThreadItem, context: Context) -> str | None:
        """See ChatKitStore.author_of."""
        return context.get(AUTHOR) if isinstance(item, UserMessageItem) else None

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Context) -> str:
        """Return a fresh id; for a request's first message the one it was given."""
        given = context.pop(MESSAGE_ID, None) if item_type == "message" else None
        return given or super().generate_item_id(item_type, thread, context)


class ChatSessions:
    """What routing asks of the sessions (`clew.adapters.routing.Sessions`), for one request."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask

    async def exists(self, session_id: str) -> bool:
        """Tell whether the session is there. An error is passed on, and never means "gone"."""
        try:
            await self._store.threads.get(Ref(self._ask.owner, session_id))
        except NotFoundError:
            return False
        return True

    async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
        """Make a session and return its id. A summary is its first message, and stands in the metadata for the agent."""
        ref = Ref(self._ask.owner, new_thread_id())
        metadata: dict[str, object] = {"conversation_id": self._ask.name, "channel": self._ask.channel}
        if summary is None:
            await self._store.threads.create(ref.owner, id=ref.id, metadata=metadata)
            return ref.id
        text = AssistantMessageContent(text=HEADING + summary)
        id = make_id("message")
        shown = AssistantMessageItem(id=id, thread_id=ref.id, created_at=datetime.now(), content=[text])
        item = make_item(shown, None)
        assert item is not None, "what is not there is always written"
        metadata |= {"compacted_from": previous, SUMMARY: summary, SUMMARY_ITEM: id}
        await self._store.items.append(ref, item, create=True, metadata=metadata)
        return ref.id

    async def discard(self, session_id: str) -> None:
        """Delete a session that was made just now, since another instance was first."""
        await self._store.threads.delete(Ref(self._ask.owner, session_id))


def name_of(channel: str, conversation_id: str) -> str:
    """Return a conversation's name: its channel and its id, which may begin with the channel already, as `telegram:123` does."""
    return conversation_id if conversation_id.startswith(f"{channel}:") else f"{channel}:{conversation_id}"


def route_of(identity: Identity, name: str) -> str:
    """Return a conversation's name among all callers': with the user before it, but for the one local user."""
    return name if identity.source == "local" else f"{quote(identity.user, safe='')}/{name}"


def context_of(ask: Ask, message_id: str | None = None) -> Context:
    """Return the context of a request's ChatKit requests."""
    named = {} if message_id is None else {MESSAGE_ID: message_id}
    return {"owner": ask.owner, "base": ask.base, AUTHOR: ask.user_id, **named}


def message_body(thread_id: str | None, text: str) -> bytes:
    """Return the ChatKit request that says something in a thread, in a new one for None."""
    said = {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}
    if thread_id is None:
        return msgspec.json.encode({"type": "threads.create", "params": {"input": said}})
    return msgspec.json.encode({"type": "threads.add_user_message", "params": {"thread_id": thread_id, "input": said}})


def output_body(thread_id: str) -> bytes:
    """Return the ChatKit request that answers a client tool call: a channel has nothing to show what it asks for."""
    params = {"thread_id": thread_id, "result": {"displayed": False, "reason": "this channel shows text only"}}
    return msgspec.json.encode({"type": "threads.add_client_tool_output", "params": params})
