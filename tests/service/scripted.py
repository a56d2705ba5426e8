"""The service with an agent that does what it is told: `python -m uvicorn tests.service.scripted:app` in tests.

What a person says is a program: `search 0.5` shows the animation for half a second, `words 40 0.05` says forty words,
`fail` raises, `profiles` calls the client tool; several are separated by semicolons.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime

from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from clew.adapters.chatkit import ChatKitStore
from clew.adapters.chatkit.attachments import ClewAttachmentStore
from clew.assistant.profiles import PROFILES, TOOL, tool_arguments
from clew.service import make_app
from clew.service.room import Context

LEASE_S = float(os.environ.get("SCRIPTED_LEASE", "1.5"))
GRACE_S = float(os.environ.get("SCRIPTED_GRACE", "3"))


def words(count: int) -> str:
    """Return what `words COUNT` says in all."""
    return "".join(f"word{number} " for number in range(count))


class Scripted(ChatKitServer[Context]):
    """Does what the newest message says."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        if input_user_message is None:
            async for event in self._say(thread, context, 3, 0.0):
                yield event
            return
        said = "".join(part.text for part in input_user_message.content)
        if not thread.title:
            thread.title = said[:40]
        for line in said.split(";"):
            verb, *rest = line.split()
            if verb == "search":
                yield ProgressUpdateEvent(icon="search", text="search_animation:start")
                await asyncio.sleep(float(rest[0]))
                yield ProgressUpdateEvent(icon="search", text="search_animation:stop")
            elif verb == "words":
                async for event in self._say(thread, context, int(rest[0]), float(rest[1])):
                    yield event
            elif verb == "fail":
                raise RuntimeError("it was told to fail")
            elif verb == "profiles":
                yield ThreadItemDoneEvent(
                    item=ClientToolCallItem(
                        id=self.store.generate_item_id("tool_call", thread, context),
                        thread_id=thread.id,
                        created_at=datetime.now(),
                        call_id="call_1",
                        name=TOOL,
                        arguments=tool_arguments(PROFILES),
                    )
                )
            else:
                async for event in self._say(thread, context, 1, 0.0):
                    yield event

    async def _say(self, thread: ThreadMetadata, context: Context, count: int, pause: float) -> AsyncIterator[ThreadStreamEvent]:
        item = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context), thread_id=thread.id, created_at=datetime.now(), content=[]
        )
        yield ThreadItemAddedEvent(item=item)
        empty = AssistantMessageContent(text="")
        yield ThreadItemUpdatedEvent(item_id=item.id, update=AssistantMessageContentPartAdded(content_index=0, content=empty))
        for number in range(count):
            await asyncio.sleep(pause)
            delta = AssistantMessageContentPartTextDelta(content_index=0, delta=f"word{number} ")
            yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
        whole = item.model_copy(update={"content": [AssistantMessageContent(text=words(count))]})
        yield ThreadItemDoneEvent(item=whole)


def make_server(kit: ChatKitStore[Context], attachments: ClewAttachmentStore[Context]) -> ChatKitServer[Context]:
    """Return the scripted server on a store."""
    return Scripted(kit, attachments)


app = make_app(make_server=make_server, lease=LEASE_S, grace=GRACE_S, beat=0.5)
