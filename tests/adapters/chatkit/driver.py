"""The SDK's own server with an answer that a test scripts, and a client that speaks its protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeAlias

from chatkit.actions import Action
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from clew.adapters.chatkit import ChatKitStore

Context: TypeAlias = dict[str, str]
Respond: TypeAlias = Callable[[ThreadMetadata, UserMessageItem | None, Context], AsyncIterator[ThreadStreamEvent]]
ADA: Context = {"owner": "ada"}
BOB: Context = {"owner": "bob"}
JSON = Any
"""What a reply holds; a test looks into it."""


class Server(ChatKitServer[Context]):
    """Answers as `script` says; without one, with "I heard: " and the message."""

    def __init__(self, kit: ChatKitStore[Context]) -> None:
        super().__init__(kit, kit.attachments)  # type: ignore[arg-type]  # a test gives what it needs of it
        self.kit = kit
        self.script: Respond | None = None

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        if self.script is not None:
            async for event in self.script(thread, input_user_message, context):
                yield event
            return
        heard = text_of(input_user_message) if input_user_message is not None else "nothing new"
        yield ThreadItemDoneEvent(
            item=answer(thread.id, f"I heard: {heard}", id=self.kit.generate_item_id("message", thread, context))
        )

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        assert sender is not None
        yield ThreadItemReplacedEvent(item=sender.model_copy(update={"copy_text": f"clicked {action.type}"}))

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> SyncCustomActionResponse:
        assert sender is not None
        updated = sender.model_copy(update={"copy_text": f"synced {action.type}"})
        await self.kit.save_item(thread.id, updated, context)
        return SyncCustomActionResponse(updated_item=updated)


async def play(server: Server, type: str, context: Context, **params: JSON) -> list[JSON]:
    """Send a request that streams, and return its events."""
    result = await server.process(json.dumps({"type": type, "params": params}), context)
    assert isinstance(result, StreamingResult)
    return [json.loads(frame.removeprefix(b"data: ")) async for frame in result]


async def ask(server: Server, type: str, context: Context, **params: JSON) -> JSON:
    """Send a request with one reply, and return it."""
    result = await server.process(json.dumps({"type": type, "params": params}), context)
    assert not isinstance(result, StreamingResult)
    return json.loads(result.json)


async def start(server: Server, context: Context, text: str = "hello", **more: JSON) -> str:
    """Make a thread with a message and its answer, and return its id."""
    events = await play(server, "threads.create", context, input=says(text, **more))
    assert "error" not in kinds(events), events
    thread_id: str = events[0]["thread"]["id"]
    return thread_id


def says(text: str, *, attachments: list[str] | None = None) -> JSON:
    """Return the input of a person's message."""
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": attachments or [], "quoted_text": None, "inference_options": {}}


def kinds(events: list[JSON]) -> list[str]:
    """Return the types of events."""
    return [event["type"] for event in events]


def text_of(item: Any) -> str:
    """Return the text of a message."""
    return "".join(part.text for part in item.content)


def answer(thread_id: str, text: str, *, id: str) -> AssistantMessageItem:
    """Return an assistant's message."""
    return AssistantMessageItem(
        id=id, thread_id=thread_id, created_at=datetime.now(), content=[AssistantMessageContent(text=text)]
    )


def tool_call(thread_id: str, *, id: str = "tc_1") -> ClientToolCallItem:
    """Return a pending call of a client tool."""
    return ClientToolCallItem(
        id=id, thread_id=thread_id, created_at=datetime.now(), call_id=f"call_{id}", name="get_selection", arguments={"p": 1}
    )


async def make_thread(kit: ChatKitStore[Context], context: Context, id: str | None = None, *, title: str | None = None) -> str:
    """Make a thread, and return its id."""
    thread = ThreadMetadata(id=id or kit.generate_thread_id(context), created_at=datetime.now(), title=title)
    await kit.save_thread(thread, context)
    return thread.id


async def ids_of(kit: ChatKitStore[Context], thread_id: str, context: Context, order: str = "asc") -> list[str]:
    """Return the ids of a thread's items."""
    return [item.id for item in (await kit.load_thread_items(thread_id, None, 1000, order, context)).data]
