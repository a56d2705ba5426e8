"""A ChatKit server whose threads persist: run it twice. It needs no key, no network and no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

import clew
from clew.adapters.chatkit import ChatKitStore

Context = dict[str, Any]


class Counter(ChatKitServer[Context]):
    """A stand-in for a model: it says how many messages the thread has. Put your own `respond` in its place."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        items = (await self.store.load_thread_items(thread.id, None, 100, "desc", context)).data
        if thread.title is None:
            thread.title = "How many are we?"
        yield ThreadItemDoneEvent(
            item=AssistantMessageItem(
                id=self.store.generate_item_id("message", thread, context),
                thread_id=thread.id,
                created_at=datetime.now(),
                content=[AssistantMessageContent(text=f"That is message {len(items)} of this thread.")],
            )
        )


async def send(server: Counter, context: Context, type: str, **params: Any) -> list[Any]:
    """Send a request as ChatKit.js does, and return what it would get."""
    result = await server.process(json.dumps({"type": type, "params": params}), context)
    if isinstance(result, StreamingResult):
        return [json.loads(frame.removeprefix(b"data: ")) async for frame in result]
    return [json.loads(result.json)]


async def main() -> None:
    message = {"content": [{"type": "input_text", "text": "Hello"}], "attachments": [], "inference_options": {}}
    async with clew.connect("sqlite:///example.db") as store:
        server = Counter(ChatKitStore(store))  # the one line: MemoryStore() before
        ada, bob = {"user_id": "ada"}, {"user_id": "bob"}

        (listed,) = await send(server, ada, "threads.list", limit=1)
        if listed["data"]:
            params: Context = {"thread_id": listed["data"][0]["id"], "input": message}
            events = await send(server, ada, "threads.add_user_message", **params)
        else:
            events = await send(server, ada, "threads.create", input=message)
        print(*(event["item"]["content"][0]["text"] for event in events if event["type"] == "thread.item.done"), sep="\n")

        for name, context in (("ada", ada), ("bob", bob)):
            (listed,) = await send(server, context, "threads.list")
            print(name, "has", [thread["title"] for thread in listed["data"]])


asyncio.run(main())
